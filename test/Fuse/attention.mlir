// Target cuda: two products with a softmax between them are one kernel, unless
// the scores are needed elsewhere.
// RUN: shoal-opt %s --shoal-fuse-attention | FileCheck %s

// CHECK-LABEL: func.func @causal
// CHECK: %[[Y:.*]] = plan.launch @attention_0(%arg0, %arg1, %arg2)
// CHECK-NEXT: return %[[Y]]
func.func @causal(%q: tensor<2x64x32xbf16>, %k: tensor<2x64x32xbf16>, %v: tensor<2x64x32xbf16>) -> tensor<2x64x32xbf16> {
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

// A training step's forward pass: the weights are needed again.
// CHECK-LABEL: func.func @scores_are_needed
// CHECK-NOT: plan.launch
// CHECK: return
func.func @scores_are_needed(%q: tensor<2x64x32xbf16>, %k: tensor<2x64x32xbf16>, %v: tensor<2x64x32xbf16>) -> (tensor<2x64x32xbf16>, tensor<2x64x64xbf16>) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %m = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %s = stablehlo.dot_general %q, %k, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x64x32xbf16>, tensor<2x64x32xbf16>) -> tensor<2x64x64xf32>
  %2 = stablehlo.reduce(%s init: %m) applies stablehlo.maximum across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %3 = stablehlo.broadcast_in_dim %2, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x64xf32>
  %4 = stablehlo.subtract %s, %3 : tensor<2x64x64xf32>
  %5 = stablehlo.exponential %4 : tensor<2x64x64xf32>
  %6 = stablehlo.reduce(%5 init: %z) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %7 = stablehlo.broadcast_in_dim %6, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x64xf32>
  %8 = stablehlo.divide %5, %7 : tensor<2x64x64xf32>
  %9 = stablehlo.convert %8 : (tensor<2x64x64xf32>) -> tensor<2x64x64xbf16>
  %10 = stablehlo.dot_general %9, %v, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x64x64xbf16>, tensor<2x64x32xbf16>) -> tensor<2x64x32xbf16>
  return %10, %9 : tensor<2x64x32xbf16>, tensor<2x64x64xbf16>
}

// CHECK: plan.kernel @attention_0
// CHECK: stablehlo.dot_general
// CHECK: stablehlo.exponential
// CHECK: stablehlo.dot_general
// CHECK: plan.yield
