// RUN: shoal-opt --shoal-lower-quantized --split-input-file %s | FileCheck %s

// A value is its storage; narrow integers are widened before the zero point is
// taken off.
// CHECK-LABEL: func @dequantize
// CHECK-SAME: (%[[A:.*]]: tensor<4xui8>) -> tensor<4xf32>
// CHECK: %[[W:.*]] = stablehlo.convert %[[A]] : (tensor<4xui8>) -> tensor<4xi32>
// CHECK: %[[Z:.*]] = stablehlo.constant dense<7> : tensor<4xi32>
// CHECK: %[[D:.*]] = stablehlo.subtract %[[W]], %[[Z]]
// CHECK: %[[F:.*]] = stablehlo.convert %[[D]] : (tensor<4xi32>) -> tensor<4xf32>
// CHECK: %[[S:.*]] = stablehlo.constant dense<5.000000e-01>
// CHECK: stablehlo.multiply %[[F]], %[[S]]
func.func @dequantize(%a: tensor<4x!quant.uniform<u8:f32, 0.5:7>>) -> tensor<4xf32> {
  %0 = stablehlo.uniform_dequantize %a : (tensor<4x!quant.uniform<u8:f32, 0.5:7>>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Per axis: one scale for each place along it. Clamped before it is rounded.
// CHECK-LABEL: func @quantize_per_axis
// CHECK-SAME: -> tensor<2x3xi8>
// CHECK: %[[S:.*]] = stablehlo.constant dense<[5.000000e-01, 2.500000e-01, 1.000000e+00]> : tensor<3xf32>
// CHECK: %[[B:.*]] = stablehlo.broadcast_in_dim %[[S]], dims = [1]
// CHECK: %[[Q:.*]] = stablehlo.divide %{{.*}}, %[[B]]
// CHECK: %[[C:.*]] = stablehlo.clamp %{{.*}}, %[[Q]], %{{.*}}
// CHECK: stablehlo.round_nearest_even %[[C]]
// CHECK: stablehlo.convert {{.*}} -> tensor<2x3xi8>
func.func @quantize_per_axis(%a: tensor<2x3xf32>) -> tensor<2x3x!quant.uniform<i8<-127:127>:f32:1, {0.5,0.25,1.0}>> {
  %0 = stablehlo.uniform_quantize %a : (tensor<2x3xf32>) -> tensor<2x3x!quant.uniform<i8<-127:127>:f32:1, {0.5,0.25,1.0}>>
  return %0 : tensor<2x3x!quant.uniform<i8<-127:127>:f32:1, {0.5,0.25,1.0}>>
}

// -----

// Between quantized types, one multiplication.
// CHECK-LABEL: func @requantize
// CHECK: stablehlo.constant dense<5.000000e-01> : tensor<4xf32>
// CHECK: stablehlo.multiply
// CHECK: stablehlo.constant dense<2.000000e+00> : tensor<4xf32>
// CHECK: stablehlo.add
// CHECK: stablehlo.clamp
// CHECK: stablehlo.round_nearest_even
func.func @requantize(%a: tensor<4x!quant.uniform<i32:f32, 0.5:4>>) -> tensor<4x!quant.uniform<i8:f32, 1.0:4>> {
  %0 = stablehlo.uniform_quantize %a : (tensor<4x!quant.uniform<i32:f32, 0.5:4>>) -> tensor<4x!quant.uniform<i8:f32, 1.0:4>>
  return %0 : tensor<4x!quant.uniform<i8:f32, 1.0:4>>
}

// -----

// Sums of one type are integer sums; those of accumulators stay plain sums.
!q = !quant.uniform<i8:f32, 0.5:4>
!acc = !quant.uniform<i32:f32, 0.25>
// CHECK-LABEL: func @add
// CHECK-SAME: %[[A:.*]]: tensor<4xi8>, %[[B:.*]]: tensor<4xi32>
// CHECK: %[[W:.*]] = stablehlo.convert %[[A]] : (tensor<4xi8>) -> tensor<4xi32>
// CHECK: stablehlo.clamp
// CHECK: %[[S:.*]] = stablehlo.add %[[B]], %[[B]] : tensor<4xi32>
// CHECK: return %{{.*}}, %[[S]]
func.func @add(%a: tensor<4x!q>, %b: tensor<4x!acc>) -> (tensor<4x!q>, tensor<4x!acc>) {
  %0 = stablehlo.add %a, %a : tensor<4x!q>
  %1 = stablehlo.add %b, %b : tensor<4x!acc>
  return %0, %1 : tensor<4x!q>, tensor<4x!acc>
}

// -----

// Only dequantizing says what other operations mean.
!q = !quant.uniform<i8:f32, 0.5:4>
// CHECK-LABEL: func @tanh
// CHECK: stablehlo.tanh %{{.*}} : tensor<4xf32>
// CHECK: stablehlo.round_nearest_even
func.func @tanh(%a: tensor<4x!q>) -> tensor<4x!q> {
  %0 = stablehlo.tanh %a : tensor<4x!q>
  return %0 : tensor<4x!q>
}

// -----

// An accumulator is a sum of integers. It is computed in floats while those are
// exact.
!q = !quant.uniform<i8:f32, 0.5:4>
!w = !quant.uniform<i8<-127:127>:f32, 0.25>
!acc = !quant.uniform<i32:f32, 0.125>
// CHECK-LABEL: func @dot
// CHECK: stablehlo.dot_general %{{.*}} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
// CHECK: stablehlo.dot_general %{{.*}} : (tensor<2x3000xi32>, tensor<3000x4xi32>) -> tensor<2x4xi32>
func.func @dot(%a: tensor<2x3x!q>, %b: tensor<3x4x!w>, %c: tensor<2x3000x!q>, %d: tensor<3000x4x!w>)
    -> (tensor<2x4x!acc>, tensor<2x4x!acc>) {
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<2x3x!q>, tensor<3x4x!w>) -> tensor<2x4x!acc>
  %1 = stablehlo.dot_general %c, %d, contracting_dims = [1] x [0] : (tensor<2x3000x!q>, tensor<3000x4x!w>) -> tensor<2x4x!acc>
  return %0, %1 : tensor<2x4x!acc>, tensor<2x4x!acc>
}

// -----

// Weights alone are quantized: they are dequantized.
// CHECK-LABEL: func @hybrid
// CHECK: %[[W:.*]] = stablehlo.multiply
// CHECK: stablehlo.dot_general %{{.*}}, %[[W]]{{.*}} -> tensor<2x4xf32>
func.func @hybrid(%a: tensor<2x3xf32>, %b: tensor<3x4x!quant.uniform<i8:f32:1, {0.5,0.25,0.5,0.125}>>) -> tensor<2x4xf32> {
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0]
      : (tensor<2x3xf32>, tensor<3x4x!quant.uniform<i8:f32:1, {0.5,0.25,0.5,0.125}>>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

// What moves values, and what compares values of one type, acts on the storage.
!q = !quant.uniform<u8:f32, 0.5:4>
// CHECK-LABEL: func @storage
// CHECK-NEXT: %[[T:.*]] = stablehlo.transpose %{{.*}} -> tensor<3x2xui8>
// CHECK-NEXT: %[[C:.*]] = stablehlo.constant dense<250> : tensor<3x2xui8>
// CHECK-NEXT: stablehlo.maximum %[[T]], %[[C]] : tensor<3x2xui8>
// CHECK-NEXT: stablehlo.compare GT, {{.*}} UNSIGNED
// CHECK-NEXT: return
func.func @storage(%a: tensor<2x3x!q>) -> tensor<3x2xi1> {
  %0 = stablehlo.transpose %a, dims = [1, 0] : (tensor<2x3x!q>) -> tensor<3x2x!q>
  %1 = stablehlo.constant() <{value = dense<-6> : tensor<3x2xi8>}> : () -> tensor<3x2x!q>
  %2 = stablehlo.maximum %0, %1 : tensor<3x2x!q>
  %3 = stablehlo.compare GT, %0, %2 : (tensor<3x2x!q>, tensor<3x2x!q>) -> tensor<3x2xi1>
  return %3 : tensor<3x2xi1>
}

// -----

// A reduction in wider storage.
!q = !quant.uniform<i8:f32, 0.5>
!acc = !quant.uniform<i32:f32, 0.5>
// CHECK-LABEL: func @reduce
// CHECK: stablehlo.reduce(%{{.*}} init: %{{.*}}) applies stablehlo.add across dimensions = [1] : (tensor<2x3xi32>, tensor<i32>) -> tensor<2xi32>
func.func @reduce(%a: tensor<2x3x!q>, %z: tensor<!q>) -> tensor<2x!acc> {
  %0 = "stablehlo.reduce"(%a, %z) <{dimensions = array<i64: 1>}> ({
  ^bb0(%x: tensor<!acc>, %y: tensor<!acc>):
    %s = stablehlo.add %x, %y : tensor<!acc>
    stablehlo.return %s : tensor<!acc>
  }) : (tensor<2x3x!q>, tensor<!q>) -> tensor<2x!acc>
  return %0 : tensor<2x!acc>
}
