// Halves and thirds of one axis: 12 in 2x6 wants "a":(1)2, 9 in 3x3 "a":(1)3.
// They cannot both be parts of one sequence, so one of them goes without.
// RUN: shoal-run %s
// RUN: env SHOAL_TEST_FORMS=3 shoal-run %s
module attributes {mhlo.num_partitions = 6 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["a"=6]>
  func.func @main() {
    %0 = stablehlo.iota dim = 0 : tensor<12xi32>
    %1 = sdy.sharding_constraint %0 <@mesh, [{"a"}]> : tensor<12xi32>
    %2 = stablehlo.reshape %1 : (tensor<12xi32>) -> tensor<2x6xi32>
    %3 = stablehlo.negate %2 : tensor<2x6xi32>
    %4 = stablehlo.iota dim = 0 : tensor<9xi32>
    %5 = sdy.sharding_constraint %4 <@mesh, [{"a"}]> : tensor<9xi32>
    %6 = stablehlo.reshape %5 : (tensor<9xi32>) -> tensor<3x3xi32>
    %7 = stablehlo.negate %6 : tensor<3x3xi32>
    %8 = sdy.sharding_constraint %7 <@mesh, [{"a":(2)3}, {"a":(1)2}]> : tensor<3x3xi32>
    check.expect_eq_const %3, dense<[[0, -1, -2, -3, -4, -5], [-6, -7, -8, -9, -10, -11]]> : tensor<2x6xi32>
    check.expect_eq_const %8, dense<[[0, -1, -2], [-3, -4, -5], [-6, -7, -8]]> : tensor<3x3xi32>
    return
  }
}
