// RUN: shoal-opt %s --shoal-modernize-ops | FileCheck %s

// CHECK-LABEL: func.func @products
func.func @products(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>, %c: tensor<5x2x3xf32>) {
  // CHECK: stablehlo.dot_general %{{.*}}, %{{.*}}, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  %0 = stablehlo.dot %a, %b : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  // CHECK: %[[D:.*]] = stablehlo.dot_general %{{.*}}, %{{.*}}, contracting_dims = [2] x [0] : (tensor<5x2x3xf32>, tensor<3x4xf32>) -> tensor<5x2x4xf32>
  // CHECK: stablehlo.transpose %[[D]], dims = [2, 0, 1]
  %1 = "stablehlo.einsum"(%c, %b) {einsum_config = "bij,jk->kbi"} : (tensor<5x2x3xf32>, tensor<3x4xf32>) -> tensor<4x5x2xf32>
  // CHECK: %[[S:.*]] = stablehlo.reduce(%{{.*}} applies stablehlo.add across dimensions = [1]
  // CHECK: stablehlo.transpose %[[S]], dims = [1, 0]
  %2 = "stablehlo.unary_einsum"(%c) {einsum_config = "bij->jb"} : (tensor<5x2x3xf32>) -> tensor<3x5xf32>
  return
}

// CHECK-LABEL: func.func @shapes
func.func @shapes(%a: tensor<3xf32>, %i: tensor<2x2xi32>, %t: tensor<2x5x3xf32>) {
  // CHECK: stablehlo.broadcast_in_dim %{{.*}}, dims = [2] : (tensor<3xf32>) -> tensor<4x5x3xf32>
  %0 = stablehlo.broadcast %a, sizes = [4, 5] : (tensor<3xf32>) -> tensor<4x5x3xf32>
  // CHECK: stablehlo.gather
  // CHECK-SAME: offset_dims = [2], collapsed_slice_dims = [1], operand_batching_dims = [0], start_indices_batching_dims = [0], start_index_map = [1], index_vector_dim = 2
  %1 = "stablehlo.torch_index_select"(%t, %i) {dim = 1 : i64, batch_dims = 1 : i64} : (tensor<2x5x3xf32>, tensor<2x2xi32>) -> tensor<2x2x3xf32>
  return
}

// A map's body on whole tensors.
// CHECK-LABEL: func.func @map
func.func @map(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xi1> {
  // CHECK: %[[C:.*]] = stablehlo.constant dense<2.000000e+00> : tensor<f32>
  // CHECK: %[[T:.*]] = stablehlo.broadcast_in_dim %[[C]], dims = [] : (tensor<f32>) -> tensor<4xf32>
  // CHECK: %[[M:.*]] = stablehlo.multiply %{{.*}}, %[[T]] : tensor<4xf32>
  // CHECK: stablehlo.compare LT, %[[M]], %{{.*}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  // CHECK-NOT: stablehlo.map
  %0 = "stablehlo.map"(%a, %b) <{dimensions = array<i64: 0>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %c = stablehlo.constant dense<2.0> : tensor<f32>
    %m = stablehlo.multiply %x, %c : tensor<f32>
    %l = stablehlo.compare LT, %m, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %l : tensor<i1>
  }) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}
