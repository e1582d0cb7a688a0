// RUN: shoal-opt %s --shoal-fuse | FileCheck %s

// A chain of scalars of which every link is needed elsewhere: no kernel repeats
// the links before its own.

// CHECK-COUNT-4: = stablehlo.maximum
// CHECK-NOT: = stablehlo.maximum
func.func @main(%a: tensor<f32>, %b: tensor<f32>, %c: tensor<f32>, %d: tensor<f32>,
                %e: tensor<f32>, %x: tensor<8x8xf32>)
    -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>) {
  %0 = stablehlo.maximum %a, %b : tensor<f32>
  %1 = stablehlo.maximum %0, %c : tensor<f32>
  %2 = stablehlo.maximum %1, %d : tensor<f32>
  %3 = stablehlo.maximum %2, %e : tensor<f32>
  %s0 = stablehlo.custom_call @one(%x, %0) : (tensor<8x8xf32>, tensor<f32>) -> tensor<8x8xf32>
  %s1 = stablehlo.custom_call @one(%s0, %1) : (tensor<8x8xf32>, tensor<f32>) -> tensor<8x8xf32>
  %s2 = stablehlo.custom_call @one(%s1, %2) : (tensor<8x8xf32>, tensor<f32>) -> tensor<8x8xf32>
  %s3 = stablehlo.custom_call @one(%s2, %3) : (tensor<8x8xf32>, tensor<f32>) -> tensor<8x8xf32>
  return %s0, %s1, %s2, %s3 : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
}
