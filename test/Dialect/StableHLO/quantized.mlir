// RUN: shoal-opt %s | shoal-opt | FileCheck %s
// RUN: shoal-opt --mlir-print-op-generic %s | shoal-opt | FileCheck %s

// Quantized element types.

// CHECK-LABEL: func.func @quantize(
func.func @quantize(%arg0: tensor<2xf32>, %arg1: tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>) {
  // CHECK: stablehlo.uniform_quantize %{{.*}} : (tensor<2xf32>) -> tensor<2x!quant.uniform<i8:f32:0, {1.000000e-01:-30,5.000000e-01:-20}>>
  // CHECK: stablehlo.uniform_dequantize %{{.*}} : (tensor<2x!quant.uniform<i8:f32:0, {1.000000e-01:-30,5.000000e-01:-20}>>) -> tensor<2xf32>
  // CHECK: stablehlo.uniform_quantize %{{.*}} : (tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>) -> tensor<2x!quant.uniform<i8:f32, 2.500000e-01>>
  %0 = stablehlo.uniform_quantize %arg0 : (tensor<2xf32>) -> tensor<2x!quant.uniform<i8:f32:0, {1.000000e-01:-30,5.000000e-01:-20}>>
  %1 = stablehlo.uniform_dequantize %0 : (tensor<2x!quant.uniform<i8:f32:0, {1.000000e-01:-30,5.000000e-01:-20}>>) -> tensor<2xf32>
  %2 = stablehlo.uniform_quantize %arg1 : (tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>) -> tensor<2x!quant.uniform<i8:f32, 2.500000e-01>>
  return
}

// CHECK-LABEL: func.func @constant(
func.func @constant() {
  // CHECK: stablehlo.constant() <{value = dense<[1, 2]> : tensor<2xi8>}> : () -> tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>
  %0 = stablehlo.constant() <{value = dense<[1, 2]> : tensor<2xi8>}> : () -> tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>
  return
}

// CHECK-LABEL: func.func @requantize(
func.func @requantize(%arg0: tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>) {
  // CHECK: stablehlo.add %{{.*}}, %{{.*}} : (tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>, tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>) -> tensor<2x!quant.uniform<i8:f32, 1.000000e+00>>
  // CHECK: stablehlo.multiply %{{.*}}, %{{.*}} : tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>
  %0 = stablehlo.add %arg0, %arg0 : (tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>, tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>) -> tensor<2x!quant.uniform<i8:f32, 1.000000e+00>>
  %1 = stablehlo.multiply %arg0, %arg0 : tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>
  return
}

// CHECK-LABEL: func.func @dot(
func.func @dot(%arg0: tensor<2x3x!quant.uniform<i8:f32, 5.000000e-01:3>>, %arg1: tensor<3x2x!quant.uniform<i8:f32:1, {1.000000e-01,5.000000e-01}>>, %arg2: tensor<2x3xf32>) {
  // CHECK: stablehlo.dot_general %{{.*}}, %{{.*}}, contracting_dims = [1] x [0] : (tensor<2x3x!quant.uniform<i8:f32, 5.000000e-01:3>>, tensor<3x2x!quant.uniform<i8:f32:1, {1.000000e-01,5.000000e-01}>>) -> tensor<2x2x!quant.uniform<i32:f32:1, {5.000000e-02,2.500000e-01}>>
  // CHECK: stablehlo.dot_general %{{.*}}, %{{.*}}, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x2x!quant.uniform<i8:f32:1, {1.000000e-01,5.000000e-01}>>) -> tensor<2x2xf32>
  %0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0] : (tensor<2x3x!quant.uniform<i8:f32, 5.000000e-01:3>>, tensor<3x2x!quant.uniform<i8:f32:1, {1.000000e-01,5.000000e-01}>>) -> tensor<2x2x!quant.uniform<i32:f32:1, {5.000000e-02,2.500000e-01}>>
  %1 = stablehlo.dot_general %arg2, %arg1, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x2x!quant.uniform<i8:f32:1, {1.000000e-01,5.000000e-01}>>) -> tensor<2x2xf32>
  return
}
