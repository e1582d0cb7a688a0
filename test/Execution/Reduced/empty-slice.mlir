// A slice of nothing along a cut dimension (associative_scan prints these).
// RUN: shoal-run %s
sdy.mesh @mesh = <["a"=4]>
func.func @main() {
  %0 = stablehlo.iota dim = 1 : tensor<2x8xi32>
  %1 = sdy.sharding_constraint %0 <@mesh, [{}, {"a"}]> : tensor<2x8xi32>
  %2 = stablehlo.slice %1 [0:2, 2:2:2] : (tensor<2x8xi32>) -> tensor<2x0xi32>
  %3 = stablehlo.slice %1 [0:2, 1:4] : (tensor<2x8xi32>) -> tensor<2x3xi32>
  %4 = stablehlo.concatenate %2, %3, dim = 1 : (tensor<2x0xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  check.expect_eq_const %4, dense<[[1, 2, 3], [1, 2, 3]]> : tensor<2x3xi32>
  return
}
