// A reshape that one group copies and another op needs in memory needs what it
// is made of in memory as well, through any number of reshapes: the sum is
// computed once, in a kernel.

// RUN: shoal-opt %s --shoal-fuse | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-NOT: stablehlo.reduce
// CHECK: plan.kernel
// CHECK: stablehlo.reduce
// CHECK-NOT: stablehlo.reduce
func.func @main(%x: tensor<16x17x32xf32>, %p: tensor<17x32xf32>)
    -> (tensor<17x32xf32>, tensor<f32>) {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.reduce(%x init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<16x17x32xf32>, tensor<f32>) -> tensor<17x32xf32>
  %1 = stablehlo.reshape %0 : (tensor<17x32xf32>) -> tensor<1x17x32xf32>
  %2 = stablehlo.reshape %1 : (tensor<1x17x32xf32>) -> tensor<17x32xf32>
  %3 = stablehlo.reshape %2 : (tensor<17x32xf32>) -> tensor<544xf32>
  %4 = stablehlo.dot_general %3, %3, contracting_dims = [0] x [0] : (tensor<544xf32>, tensor<544xf32>) -> tensor<f32>
  %5 = stablehlo.subtract %p, %2 : tensor<17x32xf32>
  return %5, %4 : tensor<17x32xf32>, tensor<f32>
}
