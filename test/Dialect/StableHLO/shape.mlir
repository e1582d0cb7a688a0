// RUN: shoal-opt %s | shoal-opt | FileCheck %s
// RUN: shoal-opt --mlir-print-op-generic %s | shoal-opt | FileCheck %s

// Ops that move elements by static attributes.

// CHECK-LABEL: func.func @bitcast_convert(
func.func @bitcast_convert(%arg0: tensor<f64>, %arg1: tensor<2x4xi8>, %arg2: tensor<2xf32>) {
  // CHECK: stablehlo.bitcast_convert %{{.*}} : (tensor<f64>) -> tensor<4xf16>
  // CHECK: stablehlo.bitcast_convert %{{.*}} : (tensor<2x4xi8>) -> tensor<2xui32>
  // CHECK: stablehlo.bitcast_convert %{{.*}} : (tensor<2xf32>) -> tensor<2xi32>
  %0 = stablehlo.bitcast_convert %arg0 : (tensor<f64>) -> tensor<4xf16>
  %1 = stablehlo.bitcast_convert %arg1 : (tensor<2x4xi8>) -> tensor<2xui32>
  %2 = stablehlo.bitcast_convert %arg2 : (tensor<2xf32>) -> tensor<2xi32>
  return
}

// CHECK-LABEL: func.func @broadcast(
func.func @broadcast(%arg0: tensor<3xi32>, %arg1: tensor<1x3xi32>, %arg2: tensor<i32>) {
  // CHECK: stablehlo.broadcast %{{.*}}, sizes = [1, 2] : (tensor<3xi32>) -> tensor<1x2x3xi32>
  // CHECK: stablehlo.broadcast_in_dim %{{.*}}, dims = [2, 1] : (tensor<1x3xi32>) -> tensor<2x3x2xi32>
  // CHECK: stablehlo.broadcast_in_dim %{{.*}}, dims = [] : (tensor<i32>) -> tensor<5xi32>
  %0 = stablehlo.broadcast %arg0, sizes = [1, 2] : (tensor<3xi32>) -> tensor<1x2x3xi32>
  %1 = stablehlo.broadcast_in_dim %arg1, dims = [2, 1] : (tensor<1x3xi32>) -> tensor<2x3x2xi32>
  %2 = stablehlo.broadcast_in_dim %arg2, dims = [] : (tensor<i32>) -> tensor<5xi32>
  return
}

// CHECK-LABEL: func.func @concatenate(
func.func @concatenate(%arg0: tensor<3x2xi64>, %arg1: tensor<1x2xi64>) {
  // CHECK: stablehlo.concatenate %{{.*}}, %{{.*}}, dim = 0 : (tensor<3x2xi64>, tensor<1x2xi64>) -> tensor<4x2xi64>
  // CHECK: stablehlo.concatenate %{{.*}}, dim = 1 : (tensor<3x2xi64>) -> tensor<3x2xi64>
  %0 = stablehlo.concatenate %arg0, %arg1, dim = 0 : (tensor<3x2xi64>, tensor<1x2xi64>) -> tensor<4x2xi64>
  %1 = stablehlo.concatenate %arg0, dim = 1 : (tensor<3x2xi64>) -> tensor<3x2xi64>
  return
}

// CHECK-LABEL: func.func @pad(
func.func @pad(%arg0: tensor<2x3xi32>, %arg1: tensor<i32>, %arg2: tensor<0xi32>) {
  // CHECK: stablehlo.pad %{{.*}}, %{{.*}}, low = [0, 1], high = [2, 1], interior = [1, 2] : (tensor<2x3xi32>, tensor<i32>) -> tensor<5x9xi32>
  // CHECK: stablehlo.pad %{{.*}}, %{{.*}}, low = [-1, 0], high = [0, -2], interior = [0, 0] : (tensor<2x3xi32>, tensor<i32>) -> tensor<1x1xi32>
  // CHECK: stablehlo.pad %{{.*}}, %{{.*}}, low = [1], high = [1], interior = [3] : (tensor<0xi32>, tensor<i32>) -> tensor<2xi32>
  %0 = stablehlo.pad %arg0, %arg1, low = [0, 1], high = [2, 1], interior = [1, 2] : (tensor<2x3xi32>, tensor<i32>) -> tensor<5x9xi32>
  %1 = stablehlo.pad %arg0, %arg1, low = [-1, 0], high = [0, -2], interior = [0, 0] : (tensor<2x3xi32>, tensor<i32>) -> tensor<1x1xi32>
  %2 = stablehlo.pad %arg2, %arg1, low = [1], high = [1], interior = [3] : (tensor<0xi32>, tensor<i32>) -> tensor<2xi32>
  return
}

// CHECK-LABEL: func.func @reshape(
func.func @reshape(%arg0: tensor<2x3xf32>, %arg1: tensor<0x4xf32>) {
  // CHECK: stablehlo.reshape %{{.*}} : (tensor<2x3xf32>) -> tensor<6x1xf32>
  // CHECK: stablehlo.reshape %{{.*}} : (tensor<0x4xf32>) -> tensor<0xf32>
  %0 = stablehlo.reshape %arg0 : (tensor<2x3xf32>) -> tensor<6x1xf32>
  %1 = stablehlo.reshape %arg1 : (tensor<0x4xf32>) -> tensor<0xf32>
  return
}

// CHECK-LABEL: func.func @reverse(
func.func @reverse(%arg0: tensor<3x2xi32>) {
  // CHECK: stablehlo.reverse %{{.*}}, dims = [1, 0] : tensor<3x2xi32>
  %0 = stablehlo.reverse %arg0, dims = [1, 0] : tensor<3x2xi32>
  return
}

// CHECK-LABEL: func.func @slice(
func.func @slice(%arg0: tensor<3x8xi64>, %arg1: tensor<i64>) {
  // CHECK: stablehlo.slice %{{.*}} [1:3, 4:8:3] : (tensor<3x8xi64>) -> tensor<2x2xi64>
  // CHECK: stablehlo.slice %{{.*}} [] : (tensor<i64>) -> tensor<i64>
  %0 = stablehlo.slice %arg0 [1:3, 4:8:3] : (tensor<3x8xi64>) -> tensor<2x2xi64>
  %1 = stablehlo.slice %arg1 [] : (tensor<i64>) -> tensor<i64>
  return
}

// CHECK-LABEL: func.func @transpose(
func.func @transpose(%arg0: tensor<1x2x3xi32>) {
  // CHECK: stablehlo.transpose %{{.*}}, dims = [2, 1, 0] : (tensor<1x2x3xi32>) -> tensor<3x2x1xi32>
  %0 = stablehlo.transpose %arg0, dims = [2, 1, 0] : (tensor<1x2x3xi32>) -> tensor<3x2x1xi32>
  return
}
