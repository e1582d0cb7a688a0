// RUN: shoal-opt %s --shoal-verify-sharded --verify-diagnostics
shoal.mesh @m <["x"=2]>
func.func @main(%a: tensor<4xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) -> tensor<4xf32> {
  // expected-error @+1 {{operand 0}}
  %0 = stablehlo.negate %a {shoal.form = #shoal.form<@m, [{}]>, shoal.shardings = #shoal.sharding_per_value<[<@m, [{}]>]>} : tensor<4xf32>
  return %0 : tensor<4xf32>
}
