// A cheap value that is needed before and after a matrix product is computed
// again after it, when all it is made of is in memory there anyway.
// RUN: shoal-opt %s --shoal-fuse | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK: plan.launch
// CHECK-SAME: -> tensor<64x64xf32>
// CHECK: plan.matmul
// CHECK: plan.launch
// CHECK-SAME: -> tensor<64x64xf32>
// CHECK: return
// CHECK: plan.kernel
// CHECK: stablehlo.add
// CHECK: plan.kernel
// CHECK: stablehlo.add
func.func @main(%x: tensor<64x64xf32>, %y: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = stablehlo.add %x, %y : tensor<64x64xf32>
  %1 = stablehlo.tanh %0 : tensor<64x64xf32>
  %2 = stablehlo.dot_general %1, %1, contracting_dims = [1] x [0] : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %3 = stablehlo.multiply %2, %0 : tensor<64x64xf32>
  %4 = stablehlo.multiply %3, %x : tensor<64x64xf32>
  %5 = stablehlo.subtract %4, %y : tensor<64x64xf32>
  return %5 : tensor<64x64xf32>
}
