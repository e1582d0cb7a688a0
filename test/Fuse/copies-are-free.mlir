// Broadcasts of constants are never arrays in memory, however large the groups
// are that use them: they do not count towards a kernel's most ops.
// RUN: shoal-opt %s --shoal-fuse=max-ops=2 | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-NOT: broadcast_in_dim
// CHECK-COUNT-2: plan.launch @{{.*}} : (tensor<64x64xf32>) -> tensor<64x64xf32>
// CHECK-NOT: plan.launch
// CHECK: return
func.func @main(%x: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %c = stablehlo.constant dense<2.0> : tensor<f32>
  %b = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<f32>) -> tensor<64x64xf32>
  %0 = stablehlo.multiply %x, %b : tensor<64x64xf32>
  %1 = stablehlo.exponential %0 : tensor<64x64xf32>
  %2 = stablehlo.add %1, %b : tensor<64x64xf32>
  %3 = stablehlo.exponential %2 : tensor<64x64xf32>
  return %3 : tensor<64x64xf32>
}
