// The major of two factors of a reshape is cut into as many parts as it has
// elements, but in blocks of 3 (which a convolution wants of its kernel): then
// the minor one cannot be cut too. (Found by sharded_ops.py, seed 6168.)
// RUN: shoal-run %s
// RUN: env SHOAL_TEST_FORMS=1 shoal-run %s
// RUN: env SHOAL_TEST_FORMS=3 shoal-run %s
// RUN: env SHOAL_TEST_FORMS=1 shoal-opt %s --shoal-import-pipeline --shoal-shard-pipeline | FileCheck %s
// CHECK: stablehlo.reshape
// CHECK-NOT: block 3, {"a"}
// CHECK: stablehlo.convolution
module attributes {mhlo.num_partitions = 4 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["a"=2, "b"=2]>
  func.func @main() {
    %0 = stablehlo.iota dim = 0 : tensor<32xi32>
    %1 = sdy.sharding_constraint %0 <@mesh, [{"b", "a"}]> : tensor<32xi32>
    %2 = stablehlo.iota dim = 1 : tensor<1x8x6x2xi32>
    %x = sdy.sharding_constraint %2 <@mesh, [{}, {"a"}, {}, {"b"}]> : tensor<1x8x6x2xi32>
    %w = stablehlo.reshape %1 : (tensor<32xi32>) -> tensor<1x2x8x2xi32>
    %3 = "stablehlo.convolution"(%x, %w) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, f, 0, 1]x[o, 1, i, 0]->[f, 0, 1, b]>, feature_group_count = 1 : i64, window_strides = array<i64: 2, 3>, lhs_dilation = array<i64: 3, 3>, padding = dense<[[1, 1], [1, 1]]> : tensor<2x2xi64>}> : (tensor<1x8x6x2xi32>, tensor<1x2x8x2xi32>) -> tensor<1x9x2x1xi32>
    check.expect_eq_const %3, dense<[[[[756], [756]], [[0], [0]], [[728], [728]], [[756], [756]], [[0], [0]], [[728], [728]], [[756], [756]], [[0], [0]], [[728], [728]]]]> : tensor<1x9x2x1xi32>
    return
  }
}
