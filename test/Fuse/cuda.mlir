// Target cuda: products are kernels with what comes before and after them, and
// attention is one kernel.
// RUN: shoal-opt %s --shoal-fuse-pipeline=target=cuda | FileCheck %s

// CHECK-LABEL: func.func @dense
// CHECK-NEXT: %[[Y:.*]] = plan.launch @[[DENSE:kernel_[0-9a-z_]+]](%arg0, %arg1, %arg2)
// CHECK-NEXT: return %[[Y]]
func.func @dense(%x: tensor<64x32xbf16>, %w: tensor<128x32xf32>, %b: tensor<128xf32>) -> tensor<64x128xbf16> {
  %0 = stablehlo.convert %w : (tensor<128x32xf32>) -> tensor<128x32xbf16>
  %1 = stablehlo.transpose %0, dims = [1, 0] : (tensor<128x32xbf16>) -> tensor<32x128xbf16>
  %2 = stablehlo.dot_general %x, %1, contracting_dims = [1] x [0] : (tensor<64x32xbf16>, tensor<32x128xbf16>) -> tensor<64x128xf32>
  %3 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<128xf32>) -> tensor<64x128xf32>
  %4 = stablehlo.add %2, %3 : tensor<64x128xf32>
  %5 = stablehlo.tanh %4 : tensor<64x128xf32>
  %6 = stablehlo.convert %5 : (tensor<64x128xf32>) -> tensor<64x128xbf16>
  return %6 : tensor<64x128xbf16>
}

// CHECK-LABEL: func.func @attention
// CHECK-NEXT: %[[Y:.*]] = plan.launch @attention_0(%arg0, %arg1, %arg2)
// CHECK-NEXT: return %[[Y]]
func.func @attention(%q: tensor<2x64x32xbf16>, %k: tensor<2x64x32xbf16>, %v: tensor<2x64x32xbf16>) -> tensor<2x64x32xbf16> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %m = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %scale = stablehlo.constant dense<0.2> : tensor<2x64x64xf32>
  %low = stablehlo.constant dense<-1.0e30> : tensor<2x64x64xf32>
  %s = stablehlo.dot_general %q, %k, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x64x32xbf16>, tensor<2x64x32xbf16>) -> tensor<2x64x64xf32>
  %0 = stablehlo.multiply %s, %scale : tensor<2x64x64xf32>
  %i = stablehlo.iota dim = 1 : tensor<2x64x64xi32>
  %j = stablehlo.iota dim = 2 : tensor<2x64x64xi32>
  %c = stablehlo.compare GE, %i, %j : (tensor<2x64x64xi32>, tensor<2x64x64xi32>) -> tensor<2x64x64xi1>
  %1 = stablehlo.select %c, %0, %low : tensor<2x64x64xi1>, tensor<2x64x64xf32>
  %2 = stablehlo.reduce(%1 init: %m) applies stablehlo.maximum across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %3 = stablehlo.broadcast_in_dim %2, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x64xf32>
  %4 = stablehlo.subtract %1, %3 : tensor<2x64x64xf32>
  %5 = stablehlo.exponential %4 : tensor<2x64x64xf32>
  %6 = stablehlo.reduce(%5 init: %z) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %7 = stablehlo.broadcast_in_dim %6, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x64xf32>
  %8 = stablehlo.divide %5, %7 : tensor<2x64x64xf32>
  %9 = stablehlo.convert %8 : (tensor<2x64x64xf32>) -> tensor<2x64x64xbf16>
  %10 = stablehlo.dot_general %9, %v, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x64x64xbf16>, tensor<2x64x32xbf16>) -> tensor<2x64x32xbf16>
  return %10 : tensor<2x64x32xbf16>
}

// CHECK: plan.kernel @attention_0
// CHECK: stablehlo.dot_general
// CHECK: stablehlo.exponential
// CHECK: stablehlo.dot_general
// CHECK: plan.kernel @[[DENSE]]
// CHECK: stablehlo.convert
// CHECK: stablehlo.dot_general
// CHECK: stablehlo.tanh
