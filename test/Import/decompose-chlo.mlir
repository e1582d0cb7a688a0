// RUN: shoal-opt %s --shoal-decompose-chlo | FileCheck %s

// CHECK-NOT: chlo.
// CHECK-LABEL: func.func @square
func.func @square(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  // CHECK: stablehlo.multiply %arg0, %arg0 : tensor<4xbf16>
  %0 = chlo.square %x : tensor<4xbf16> -> tensor<4xbf16>
  return %0 : tensor<4xbf16>
}

// Narrow types go through f32.
// CHECK-LABEL: func.func @erfc
func.func @erfc(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  // CHECK-NEXT: %[[W:.*]] = stablehlo.convert %arg0 : (tensor<4xbf16>) -> tensor<4xf32>
  // CHECK: stablehlo.exponential
  // CHECK: stablehlo.convert %{{.*}} : (tensor<4xf32>) -> tensor<4xbf16>
  // CHECK-NEXT: return
  %0 = chlo.erfc %x : tensor<4xbf16> -> tensor<4xbf16>
  return %0 : tensor<4xbf16>
}

// CHECK-LABEL: func.func @top_k
func.func @top_k(%x: tensor<2x16xf32>) -> (tensor<2x4xf32>, tensor<2x4xi32>) {
  // Propagation sees what it is made of; it is recognized again before forms
  // are chosen.
  // CHECK: %[[I:.*]] = stablehlo.iota dim = 1 : tensor<2x16xi32>
  // CHECK: %[[S:.*]]:2 = "stablehlo.sort"(%arg0, %[[I]]) <{dimension = 1 : i64, is_stable = true}>
  // CHECK: stablehlo.compare GT, %{{.*}}, %{{.*}}, TOTALORDER
  // CHECK: stablehlo.slice %[[S]]#0 [0:2, 0:4]
  // CHECK: stablehlo.slice %[[S]]#1 [0:2, 0:4]
  %v, %i = chlo.top_k(%x, k = 4) : tensor<2x16xf32> -> (tensor<2x4xf32>, tensor<2x4xi32>)
  return %v, %i : tensor<2x4xf32>, tensor<2x4xi32>
}

// CHECK-LABEL: func.func @scan
func.func @scan(%x: tensor<4x8xf32>, %c: tensor<4xf32>) -> (tensor<4x8xf32>, tensor<4xf32>) {
  // CHECK: %[[L:.*]]:3 = stablehlo.while
  // CHECK: stablehlo.dynamic_slice %arg0
  // CHECK: stablehlo.dynamic_update_slice
  // CHECK: return %[[L]]#2, %[[L]]#1
  %0:2 = chlo.scan(%x) inits (%c) dimension=1 {
  ^bb0(%slice: tensor<4xf32>, %carry: tensor<4xf32>):
    %1 = stablehlo.add %slice, %carry : tensor<4xf32>
    stablehlo.return %1, %1 : tensor<4xf32>, tensor<4xf32>
  } : (tensor<4x8xf32>, tensor<4xf32>) -> (tensor<4x8xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4x8xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @broadcast
func.func @broadcast(%x: tensor<4x1xf32>, %y: tensor<8xf32>) -> tensor<4x8xf32> {
  // CHECK: %[[A:.*]] = stablehlo.broadcast_in_dim %arg0, dims = [0, 1] : (tensor<4x1xf32>) -> tensor<4x8xf32>
  // CHECK: %[[B:.*]] = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<8xf32>) -> tensor<4x8xf32>
  // CHECK: stablehlo.subtract %[[A]], %[[B]]
  %0 = chlo.broadcast_subtract %x, %y : (tensor<4x1xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
