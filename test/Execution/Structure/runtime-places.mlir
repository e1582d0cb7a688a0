// Paddings and strides that are data, where all shapes are known.
// RUN: shoal-run %s
func.func @main() {
  %x0 = stablehlo.iota dim = 0 : tensor<3xi32>
  %one = stablehlo.constant dense<1> : tensor<3xi32>
  %x = stablehlo.add %x0, %one : tensor<3xi32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %c = stablehlo.constant dense<[2, -1, 1, 0]> : tensor<4xi32>
  %b = stablehlo.optimization_barrier %c : tensor<4xi32>
  %two = stablehlo.slice %b [0:1] : (tensor<4xi32>) -> tensor<1xi32>
  %minus = stablehlo.slice %b [1:2] : (tensor<4xi32>) -> tensor<1xi32>
  %single = stablehlo.slice %b [2:3] : (tensor<4xi32>) -> tensor<1xi32>
  %p = stablehlo.dynamic_pad %x, %z, %two, %minus, %single : (tensor<3xi32>, tensor<i32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<6xi32>
  check.expect_eq_const %p, dense<[0, 0, 1, 0, 2, 0]> : tensor<6xi32>
  %q = stablehlo.dynamic_pad %x, %z, %minus, %two, %single : (tensor<3xi32>, tensor<i32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<6xi32>
  check.expect_eq_const %q, dense<[0, 2, 0, 3, 0, 0]> : tensor<6xi32>
  %limit = stablehlo.constant dense<6> : tensor<1xi32>
  %s = stablehlo.real_dynamic_slice %p, %single, %limit, %two : (tensor<6xi32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<3xi32>
  check.expect_eq_const %s, dense<[0, 0, 0]> : tensor<3xi32>
  %image = stablehlo.reshape %x : (tensor<3xi32>) -> tensor<1x3x1xi32>
  %kernel = stablehlo.constant dense<[[[1]], [[10]]]> : tensor<2x1x1xi32>
  %edges0 = stablehlo.slice %b [2:4] : (tensor<4xi32>) -> tensor<2xi32>
  %edges = stablehlo.reshape %edges0 : (tensor<2xi32>) -> tensor<1x2xi32>
  %y = "stablehlo.dynamic_conv"(%image, %kernel, %edges) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64}> : (tensor<1x3x1xi32>, tensor<2x1x1xi32>, tensor<1x2xi32>) -> tensor<1x3x1xi32>
  check.expect_eq_const %y, dense<[[[10], [21], [32]]]> : tensor<1x3x1xi32>
  %f = stablehlo.constant dense<[0.0, 0.125, -0.125, 7.0, 7.5]> : tensor<5xf6E2M3FN>
  %g = stablehlo.constant dense<[1.0, 0.0, 0.0, 7.5, -7.5]> : tensor<5xf6E2M3FN>
  %n = chlo.next_after %f, %g : tensor<5xf6E2M3FN>, tensor<5xf6E2M3FN> -> tensor<5xf6E2M3FN>
  check.expect_eq_const %n, dense<[0.125, 0.0, 0.0, 7.5, 7.0]> : tensor<5xf6E2M3FN>
  return
}
