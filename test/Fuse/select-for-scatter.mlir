// RUN: shoal-run %s --single-device
// RUN: shoal-compile %s --single-device --compile-to=fused -o - | FileCheck %s

// One index for each place along the other dimensions, into a constant: the
// scatters are selects, part of a kernel with others. The last one is not: its
// indices could not count to the dimension's size.
// CHECK-COUNT-1: "stablehlo.scatter"
// CHECK-NOT: "stablehlo.scatter"

func.func @main() {
  // The gradient of take_along_axis; indices below and above are left out.
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %zeros = stablehlo.broadcast_in_dim %zero, dims = [] : (tensor<f32>) -> tensor<2x3x4xf32>
  %i0 = stablehlo.constant dense<[[[[0]], [[3]], [[4]]], [[[-1]], [[2]], [[1]]]]> : tensor<2x3x1x1xi32>
  %u0 = stablehlo.constant dense<[[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]]> : tensor<2x3x1xf32>
  %0 = "stablehlo.scatter"(%zeros, %i0, %u0) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [2],
      input_batching_dims = [0, 1], scatter_indices_batching_dims = [0, 1], scatter_dims_to_operand_dims = [2],
      index_vector_dim = 3>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = stablehlo.add %a, %b : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) : (tensor<2x3x4xf32>, tensor<2x3x1x1xi32>, tensor<2x3x1xf32>) -> tensor<2x3x4xf32>
  %e0 = stablehlo.add %0, %0 : tensor<2x3x4xf32>
  check.expect_eq_const %e0, dense<[[[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 4.0], [0.0, 0.0, 0.0, 0.0]],
      [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 10.0, 0.0], [0.0, 12.0, 0.0, 0.0]]]> : tensor<2x3x4xf32>

  // Batching dimensions in another order; updates replace.
  %sevens = stablehlo.constant dense<7> : tensor<2x4x3xi32>
  %i1 = stablehlo.constant dense<[[[1], [0]], [[2], [3]], [[0], [5]]]> : tensor<3x2x1xi64>
  %u1 = stablehlo.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi32>
  %1 = "stablehlo.scatter"(%sevens, %i1, %u1) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [1],
      input_batching_dims = [0, 2], scatter_indices_batching_dims = [1, 0], scatter_dims_to_operand_dims = [1],
      index_vector_dim = 2>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    stablehlo.return %b : tensor<i32>
  }) : (tensor<2x4x3xi32>, tensor<3x2x1xi64>, tensor<3x2xi32>) -> tensor<2x4x3xi32>
  check.expect_eq_const %1, dense<[[[7, 7, 5], [1, 7, 7], [7, 3, 7], [7, 7, 7]],
      [[2, 7, 7], [7, 7, 7], [7, 7, 7], [7, 4, 7]]]> : tensor<2x4x3xi32>

  // A whole row at one index.
  %twos = stablehlo.constant dense<2.0> : tensor<4x3xf64>
  %i2 = stablehlo.constant dense<[2]> : tensor<1xi32>
  %u2 = stablehlo.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf64>
  %2 = "stablehlo.scatter"(%twos, %i2, %u2) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [0],
      inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 0>}> ({
  ^bb0(%a: tensor<f64>, %b: tensor<f64>):
    %s = stablehlo.multiply %b, %a : tensor<f64>
    stablehlo.return %s : tensor<f64>
  }) : (tensor<4x3xf64>, tensor<1xi32>, tensor<3xf64>) -> tensor<4x3xf64>
  check.expect_eq_const %2, dense<[[2.0, 2.0, 2.0], [2.0, 2.0, 2.0], [2.0, 4.0, 6.0], [2.0, 2.0, 2.0]]> : tensor<4x3xf64>

  // 44 is 300 modulo 256, but not 300.
  %many = stablehlo.constant dense<0> : tensor<301xi32>
  %i3 = stablehlo.constant dense<[44]> : tensor<1xui8>
  %u3 = stablehlo.constant dense<5> : tensor<i32>
  %3 = "stablehlo.scatter"(%many, %i3, %u3) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0],
      scatter_dims_to_operand_dims = [0], index_vector_dim = 0>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    stablehlo.return %b : tensor<i32>
  }) : (tensor<301xi32>, tensor<1xui8>, tensor<i32>) -> tensor<301xi32>
  %4 = stablehlo.constant dense<0> : tensor<i32>
  %5 = stablehlo.reduce(%3 init: %4) applies stablehlo.add across dimensions = [0] : (tensor<301xi32>, tensor<i32>) -> tensor<i32>
  check.expect_eq_const %5, dense<5> : tensor<i32>
  return
}
