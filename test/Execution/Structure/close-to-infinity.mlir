// What is not finite is furthest from every other number, and equal to itself.
// RUN: shoal-run %s --single-device

func.func public @main() {
  %0 = stablehlo.constant dense<[0x7F800000, 0xFF800000, 0x7FC00000, 1.0]> : tensor<4xf32>
  %1 = stablehlo.constant dense<[1.0, 0x7F800000, 1.0, 0xFF800000]> : tensor<4xf32>
  check.expect_close %0, %1, max_ulp_difference = 18446744073709551615, min_ulp_difference = 18446744073709551615 : tensor<4xf32>, tensor<4xf32>
  "check.expect_close"(%0, %0) {max_ulp_difference = 0 : ui64} : (tensor<4xf32>, tensor<4xf32>) -> ()
  stablehlo.custom_call @check.expect_close(%0, %0) {has_side_effect = true, max_ulp_difference = 7 : ui64} : (tensor<4xf32>, tensor<4xf32>) -> ()
  return
}
