// Convolutions of nothing: an empty batch in groups, no input features.
// RUN: shoal-run %s --single-device
func.func @main() {
  %a = stablehlo.constant dense<> : tensor<0x5x10xf32>
  %k = stablehlo.constant dense<1.0> : tensor<3x6x5xf32>
  %0 = "stablehlo.convolution"(%a, %k) <{batch_group_count = 3 : i64, dimension_numbers = #stablehlo.conv<[b, f, 0]x[0, o, i]->[b, f, 0]>, feature_group_count = 1 : i64}> : (tensor<0x5x10xf32>, tensor<3x6x5xf32>) -> tensor<0x6x8xf32>
  check.expect_eq %0, %0 : tensor<0x6x8xf32>
  %b = stablehlo.constant dense<> : tensor<1x4x0xf32>
  %l = stablehlo.constant dense<> : tensor<2x0x4xf32>
  %1 = "stablehlo.convolution"(%b, %l) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 2 : i64}> : (tensor<1x4x0xf32>, tensor<2x0x4xf32>) -> tensor<1x3x4xf32>
  check.expect_eq_const %1, dense<0.0> : tensor<1x3x4xf32>
  return
}
