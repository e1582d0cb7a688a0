// Unsigned starts beyond what i64 holds: the largest i64 among host scalars.
// RUN: shoal-run %s
module attributes {mhlo.num_partitions = 4 : i32} {
  sdy.mesh @mesh = <["a"=4]>
  func.func public @main() {
    %0 = stablehlo.iota dim = 0 : tensor<10xi32>
    %b = stablehlo.optimization_barrier %0 : tensor<10xi32>
    %x = sdy.sharding_constraint %b <@mesh, [{"a"}]> : tensor<10xi32>
    %s = stablehlo.constant dense<18446744073709551615> : tensor<ui64>
    %r = stablehlo.dynamic_slice %x, %s, sizes = [3] : (tensor<10xi32>, tensor<ui64>) -> tensor<3xi32>
    check.expect_eq_const %r, dense<[7, 8, 9]> : tensor<3xi32>
    return
  }
}
