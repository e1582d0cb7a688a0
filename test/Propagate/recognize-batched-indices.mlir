// RUN: shoal-opt %s --shoal-recognize-batched-indices | FileCheck %s

// x[arange(8), i], as JAX prints it: the iota is made safe against negative
// numbers, which it has none of.
// CHECK-LABEL: @gather
// CHECK-NOT: iota
// CHECK: "stablehlo.gather"(%arg0, %arg1)
// CHECK-SAME: collapsed_slice_dims = [1], operand_batching_dims = [0], start_indices_batching_dims = [0], start_index_map = [1], index_vector_dim = 1
func.func @gather(%x: tensor<8x32x4xf32>, %i: tensor<8x1xi32>) -> tensor<8x4xf32> {
  %0 = stablehlo.iota dim = 0 : tensor<8xi32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %1 = stablehlo.broadcast_in_dim %zero, dims = [] : (tensor<i32>) -> tensor<8xi32>
  %2 = stablehlo.compare LT, %0, %1, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
  %n = stablehlo.constant dense<8> : tensor<8xi32>
  %3 = stablehlo.add %0, %n : tensor<8xi32>
  %4 = stablehlo.select %2, %3, %0 : tensor<8xi1>, tensor<8xi32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<8xi32>) -> tensor<8x1xi32>
  %6 = stablehlo.concatenate %5, %i, dim = 1 : (tensor<8x1xi32>, tensor<8x1xi32>) -> tensor<8x2xi32>
  %7 = "stablehlo.gather"(%x, %6) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0, 1], start_index_map = [0, 1], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1, 4>}> : (tensor<8x32x4xf32>, tensor<8x2xi32>) -> tensor<8x4xf32>
  return %7 : tensor<8x4xf32>
}

// A batch dimension there already is, positions as a constant, two components
// that stay.
// CHECK-LABEL: @scatter
// CHECK: %[[I:.*]] = stablehlo.concatenate %arg1, %arg2, dim = 2
// CHECK: "stablehlo.scatter"(%arg0, %[[I]], %arg3)
// CHECK-SAME: inserted_window_dims = [1, 3], input_batching_dims = [0, 2], scatter_indices_batching_dims = [0, 1], scatter_dims_to_operand_dims = [3, 1], index_vector_dim = 2
func.func @scatter(%x: tensor<4x32x3x5xf32>, %i: tensor<4x3x1xi32>, %j: tensor<4x3x1xi32>, %u: tensor<4x3xf32>) -> tensor<4x32x3x5xf32> {
  %p = stablehlo.constant dense<[0, 1, 2]> : tensor<3xi32>
  %0 = stablehlo.broadcast_in_dim %p, dims = [1] : (tensor<3xi32>) -> tensor<4x3x1xi32>
  %1 = stablehlo.concatenate %i, %0, %j, dim = 2 : (tensor<4x3x1xi32>, tensor<4x3x1xi32>, tensor<4x3x1xi32>) -> tensor<4x3x3xi32>
  %2 = "stablehlo.scatter"(%x, %1, %u) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [1, 2, 3], input_batching_dims = [0], scatter_indices_batching_dims = [0], scatter_dims_to_operand_dims = [3, 2, 1], index_vector_dim = 2>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    stablehlo.return %b : tensor<f32>
  }) : (tensor<4x32x3x5xf32>, tensor<4x3x3xi32>, tensor<4x3xf32>) -> tensor<4x32x3x5xf32>
  return %2 : tensor<4x32x3x5xf32>
}

// The positions are carried along by a loop, as scan does with constants.
// CHECK-LABEL: @carried
// CHECK: "stablehlo.gather"
// CHECK-SAME: collapsed_slice_dims = [1], operand_batching_dims = [0]
func.func @carried(%x: tensor<8x32xf32>, %i: tensor<8x1xi32>, %n: tensor<i32>) -> tensor<8xf32> {
  %0 = stablehlo.iota dim = 0 : tensor<8xi32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r = stablehlo.constant dense<0.0> : tensor<8xf32>
  %1:3 = stablehlo.while(%k = %z, %p = %0, %y = %r) : tensor<i32>, tensor<8xi32>, tensor<8xf32> cond {
    %c = stablehlo.compare LT, %k, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %next = stablehlo.add %k, %one : tensor<i32>
    %2 = stablehlo.reshape %p : (tensor<8xi32>) -> tensor<8x1xi32>
    %3 = stablehlo.concatenate %2, %i, dim = 1 : (tensor<8x1xi32>, tensor<8x1xi32>) -> tensor<8x2xi32>
    %4 = "stablehlo.gather"(%x, %3) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0, 1], start_index_map = [0, 1], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1>}> : (tensor<8x32xf32>, tensor<8x2xi32>) -> tensor<8xf32>
    %5 = stablehlo.add %y, %4 : tensor<8xf32>
    stablehlo.return %next, %p, %5 : tensor<i32>, tensor<8xi32>, tensor<8xf32>
  }
  return %1#2 : tensor<8xf32>
}

// Fewer positions than the dimension has; positions that i8 cannot hold; the
// diagonal, whose second component has to stay; a slice that is not collapsed.
// CHECK-LABEL: @others
// CHECK: "stablehlo.gather"
// CHECK-NOT: operand_batching_dims
// CHECK: "stablehlo.gather"
// CHECK-NOT: operand_batching_dims
// CHECK: "stablehlo.gather"
// CHECK-SAME: collapsed_slice_dims = [1], operand_batching_dims = [0], start_indices_batching_dims = [0], start_index_map = [1]
// CHECK: "stablehlo.gather"
// CHECK-NOT: operand_batching_dims
func.func @others(%x: tensor<9x8xf32>, %y: tensor<200x8xf32>, %z: tensor<8x8xf32>, %i: tensor<8x1xi32>, %j: tensor<200x1xi8>) -> (tensor<8xf32>, tensor<200xf32>, tensor<8xf32>, tensor<8x1xf32>) {
  %0 = stablehlo.iota dim = 0 : tensor<8x1xi32>
  %1 = stablehlo.concatenate %0, %i, dim = 1 : (tensor<8x1xi32>, tensor<8x1xi32>) -> tensor<8x2xi32>
  %2 = "stablehlo.gather"(%x, %1) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0, 1], start_index_map = [0, 1], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1>}> : (tensor<9x8xf32>, tensor<8x2xi32>) -> tensor<8xf32>
  %3 = stablehlo.iota dim = 0 : tensor<200x1xi8>
  %4 = stablehlo.concatenate %3, %j, dim = 1 : (tensor<200x1xi8>, tensor<200x1xi8>) -> tensor<200x2xi8>
  %5 = "stablehlo.gather"(%y, %4) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0, 1], start_index_map = [0, 1], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1>}> : (tensor<200x8xf32>, tensor<200x2xi8>) -> tensor<200xf32>
  %6 = stablehlo.concatenate %0, %0, dim = 1 : (tensor<8x1xi32>, tensor<8x1xi32>) -> tensor<8x2xi32>
  %7 = "stablehlo.gather"(%z, %6) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0, 1], start_index_map = [0, 1], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1>}> : (tensor<8x8xf32>, tensor<8x2xi32>) -> tensor<8xf32>
  %8 = "stablehlo.gather"(%z, %1) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [1], start_index_map = [0, 1], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1>}> : (tensor<8x8xf32>, tensor<8x2xi32>) -> tensor<8x1xf32>
  return %2, %5, %7, %8 : tensor<8xf32>, tensor<200xf32>, tensor<8xf32>, tensor<8x1xf32>
}
