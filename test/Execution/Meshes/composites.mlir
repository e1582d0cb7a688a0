// A composite with a sharding rule is partitioned by it, what its decomposition
// says being computed on each device's part; without one it is taken apart.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device
// RUN: shoal-compile %s --compile-to=partitioned | FileCheck %s
// CHECK-NOT: all_gather
// CHECK: stablehlo.reduce({{.*}} : (tensor<2x6xi32>, tensor<i32>) -> tensor<2xi32>
// CHECK-NOT: stablehlo.composite
module attributes {mhlo.num_partitions = 4 : i32} {
  sdy.mesh @m = <["a"=4]>
  func.func public @main() {
    %0 = stablehlo.iota dim = 0 : tensor<7x6xi32>
    %b = stablehlo.optimization_barrier %0 : tensor<7x6xi32>
    %s = sdy.sharding_constraint %b <@m, [{"a"}, {}]> : tensor<7x6xi32>
    %1 = stablehlo.composite "my.rowsum" %s {decomposition = @rowsum, sdy.sharding_rule = #sdy.op_sharding_rule<([i, j])->([i]) {i=7, j=6}, custom>} : (tensor<7x6xi32>) -> tensor<7xi32>
    %2 = sdy.sharding_constraint %1 <@m, [{"a"}]> : tensor<7xi32>
    check.expect_eq_const %2, dense<[0, 6, 12, 18, 24, 30, 36]> : tensor<7xi32>
    %3 = stablehlo.composite "my.other" %s {decomposition = @twice} : (tensor<7x6xi32>) -> tensor<7x6xi32>
    %4 = stablehlo.add %s, %s : tensor<7x6xi32>
    check.expect_eq %3, %4 : tensor<7x6xi32>
    return
  }
  func.func private @rowsum(%x: tensor<7x6xi32>) -> tensor<7xi32> {
    %z = stablehlo.constant dense<0> : tensor<i32>
    %h = stablehlo.composite "my.other" %x {decomposition = @twice} : (tensor<7x6xi32>) -> tensor<7x6xi32>
    %d = stablehlo.subtract %h, %x : tensor<7x6xi32>
    %r = stablehlo.reduce(%d init: %z) applies stablehlo.add across dimensions = [1] : (tensor<7x6xi32>, tensor<i32>) -> tensor<7xi32>
    return %r : tensor<7xi32>
  }
  func.func private @twice(%x: tensor<7x6xi32>) -> tensor<7x6xi32> {
    %r = stablehlo.add %x, %x : tensor<7x6xi32>
    return %r : tensor<7x6xi32>
  }
}
