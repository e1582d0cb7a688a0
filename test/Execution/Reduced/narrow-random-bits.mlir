// Random bits of types narrower than a byte lie within them.
// RUN: shoal-run %s --single-device
func.func @main() {
  %state = stablehlo.constant dense<[7, 11]> : tensor<2xui64>
  %0:2 = "stablehlo.rng_bit_generator"(%state) <{rng_algorithm = #stablehlo<rng_algorithm PHILOX>}> : (tensor<2xui64>) -> (tensor<2xui64>, tensor<64xi4>)
  %low = stablehlo.constant dense<-8> : tensor<64xi8>
  %high = stablehlo.constant dense<7> : tensor<64xi8>
  %1 = stablehlo.convert %0#1 : (tensor<64xi4>) -> tensor<64xi8>
  %2 = stablehlo.clamp %low, %1, %high : tensor<64xi8>
  check.expect_eq %1, %2 : tensor<64xi8>
  return
}
