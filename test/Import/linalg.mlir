// RUN: shoal-opt %s --split-input-file --shoal-import-linalg --verify-diagnostics | FileCheck %s

// A product with permuted output: dot_general, then transpose; the output
// operand is added.

// CHECK-LABEL: func @contraction
func.func @contraction(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %c: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // CHECK: %[[D:.*]] = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0] : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
  // CHECK: %[[T:.*]] = stablehlo.transpose %[[D]], dims = [1, 0]
  // CHECK: stablehlo.add %arg2, %[[T]]
  %0 = linalg.generic {
      indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (j, i)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%c : tensor<2x4xf32>) {
    ^bb0(%x: f32, %y: f32, %acc: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  } -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

// A reduction of what the body computes, broadcast by maps.

// CHECK-LABEL: func @reduction
func.func @reduction(%a: tensor<4x8xf32>, %b: tensor<8xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: %[[B:.*]] = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<8xf32>) -> tensor<4x8xf32>
  // CHECK: %[[S:.*]] = stablehlo.subtract %arg0, %[[B]]
  // CHECK: %[[R:.*]] = stablehlo.reduce(%[[S]] init: %{{.*}}) applies stablehlo.maximum across dimensions = [1]
  // CHECK: stablehlo.maximum %arg2, %[[R]]
  %0 = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%a, %b : tensor<4x8xf32>, tensor<8xf32>) outs(%c : tensor<4xf32>) {
    ^bb0(%x: f32, %y: f32, %acc: f32):
      %d = arith.subf %x, %y : f32
      %m = arith.maximumf %acc, %d : f32
      linalg.yield %m : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @skewed(%a: tensor<9xf32>, %c: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{indexing map of operand 0 is not a selection of dimensions}}
  %0 = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i + j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<9xf32>) outs(%c : tensor<4x4xf32>) {
    ^bb0(%x: f32, %o: f32):
      linalg.yield %x : f32
  } -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----

// Sign extension of a bit is 0 or -1.

// CHECK-LABEL: func @sign_extend
func.func @sign_extend(%a: tensor<4xi1>, %c: tensor<4xi32>) -> tensor<4xi32> {
  // CHECK: %[[X:.*]] = stablehlo.convert %arg0 : (tensor<4xi1>) -> tensor<4xi32>
  // CHECK: stablehlo.negate %[[X]]
  %0 = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]}
      ins(%a : tensor<4xi1>) outs(%c : tensor<4xi32>) {
    ^bb0(%x: i1, %o: i32):
      %y = arith.extsi %x : i1 to i32
      linalg.yield %y : i32
  } -> tensor<4xi32>
  return %0 : tensor<4xi32>
}
