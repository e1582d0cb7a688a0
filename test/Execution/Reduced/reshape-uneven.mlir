// Four elements over eight devices, then a reshape whose minor dimension would
// be cut into more parts than it has (found by fuzzing, seed 8).
// RUN: shoal-run %s
sdy.mesh @mesh = <["a"=2, "b"=4]>
func.func @main() {
  %0 = stablehlo.iota dim = 0 : tensor<4xi32>
  %1 = sdy.sharding_constraint %0 <@mesh, [{"b", "a"}]> : tensor<4xi32>
  %2 = stablehlo.reshape %1 : (tensor<4xi32>) -> tensor<2x1x2xi32>
  %3 = stablehlo.add %2, %2 : tensor<2x1x2xi32>
  check.expect_eq_const %3, dense<[[[0, 2]], [[4, 6]]]> : tensor<2x1x2xi32>
  return
}
