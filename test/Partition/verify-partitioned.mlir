// RUN: shoal-opt %s --shoal-verify-partitioned --verify-diagnostics
shoal.mesh @m <["x"=2]>
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{still speaks of shardings after partitioning}}
  %0 = stablehlo.negate %a {shoal.shardings = #shoal.sharding_per_value<[<@m, [{"x"}]>]>} : tensor<4xf32>
  return %0 : tensor<4xf32>
}
