// Dynamic operations on constants, declared static or not, check themselves.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device

func.func @main() {
  %x = stablehlo.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %zero = stablehlo.constant dense<0> : tensor<i64>
  %s01 = stablehlo.constant dense<[0, 1]> : tensor<2xi64>
  %s11 = stablehlo.constant dense<[1, 1]> : tensor<2xi64>
  %s23 = stablehlo.constant dense<[2, 3]> : tensor<2xi64>
  %s32 = stablehlo.constant dense<[3, 2]> : tensor<2xi64>

  %0 = stablehlo.dynamic_reshape %x, %s32 : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<?x?xi64>
  %n = stablehlo.get_dimension_size %0, dim = 0 : (tensor<?x?xi64>) -> tensor<i32>
  check.expect_eq_const %n, dense<3> : tensor<i32>

  %1 = stablehlo.dynamic_pad %x, %zero, %s01, %s01, %s11 : (tensor<2x3xi64>, tensor<i64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<3x7xi64>
  check.expect_eq_const %1, dense<[[0, 1, 0, 2, 0, 3, 0], [0, 0, 0, 0, 0, 0, 0], [0, 4, 0, 5, 0, 6, 0]]> : tensor<3x7xi64>

  %2 = stablehlo.real_dynamic_slice %x, %s01, %s23, %s11 : (tensor<2x3xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<2x2xi64>
  check.expect_eq_const %2, dense<[[2, 3], [5, 6]]> : tensor<2x2xi64>

  %3 = stablehlo.dynamic_iota %s23, dim = 1 : (tensor<2xi64>) -> tensor<2x3xi64>
  check.expect_eq_const %3, dense<[[0, 1, 2], [0, 1, 2]]> : tensor<2x3xi64>

  %one = stablehlo.constant dense<[[1], [2]]> : tensor<2x1xi64>
  %4 = stablehlo.dynamic_broadcast_in_dim %one, %s23, dims = [0, 1] : (tensor<2x1xi64>, tensor<2xi64>) -> tensor<2x3xi64>
  check.expect_eq_const %4, dense<[[1, 1, 1], [2, 2, 2]]> : tensor<2x3xi64>

  %index = stablehlo.constant dense<[[1], [0]]> : tensor<2x1xi64>
  %s13 = stablehlo.constant dense<[1, 3]> : tensor<2xi64>
  %5 = "stablehlo.dynamic_gather"(%x, %index, %s13) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>}> : (tensor<2x3xi64>, tensor<2x1xi64>, tensor<2xi64>) -> tensor<2x3xi64>
  check.expect_eq_const %5, dense<[[4, 5, 6], [1, 2, 3]]> : tensor<2x3xi64>

  %image = stablehlo.constant dense<[[[[1.0], [2.0]], [[3.0], [4.0]]]]> : tensor<1x2x2x1xf32>
  %kernel = stablehlo.constant dense<1.0> : tensor<2x2x1x1xf32>
  %padding = stablehlo.constant dense<[[1, 0], [0, 1]]> : tensor<2x2xi64>
  %6 = "stablehlo.dynamic_conv"(%image, %kernel, %padding) <{batch_group_count = 1 : i64, feature_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>}> : (tensor<1x2x2x1xf32>, tensor<2x2x1x1xf32>, tensor<2x2xi64>) -> tensor<1x2x2x1xf32>
  check.expect_eq_const %6, dense<[[[[3.0], [2.0]], [[10.0], [6.0]]]]> : tensor<1x2x2x1xf32>

  %two = stablehlo.constant dense<2> : tensor<i32>
  %7 = stablehlo.set_dimension_size %x, %two, dim = 1 : (tensor<2x3xi64>, tensor<i32>) -> tensor<2x?xi64, #stablehlo.bounds<?, 3>>
  %8 = stablehlo.reduce(%7 init: %zero) applies stablehlo.add across dimensions = [0, 1] : (tensor<2x?xi64, #stablehlo.bounds<?, 3>>, tensor<i64>) -> tensor<i64>
  check.expect_eq_const %8, dense<12> : tensor<i64>
  return
}
