// Sums that are not added up yet pass a product only where the other factor is
// known to hold no infinity: parts of 1 + (-0.5) times infinity are NaN.
// RUN: shoal-opt %s --shoal-test-print-rules | FileCheck %s

// CHECK-LABEL: func @products
func.func @products(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>, %p: tensor<4x4xi1>, %n: tensor<4x4xi32>, %k: tensor<4x4xi32>) {
  // CHECK: stablehlo.multiply {{.*}}{i=4, j=4}>
  %0 = stablehlo.multiply %x, %y : tensor<4x4xf32>
  // Integers are modular, masks and bounded functions finite.
  // CHECK: stablehlo.multiply {{.*}} linear=[0, 1]>
  %1 = stablehlo.multiply %n, %k : tensor<4x4xi32>
  %mask = stablehlo.convert %p : (tensor<4x4xi1>) -> tensor<4x4xf32>
  // CHECK: stablehlo.multiply {{.*}} linear=[0]>
  %2 = stablehlo.multiply %x, %mask : tensor<4x4xf32>
  %t = stablehlo.tanh %x : tensor<4x4xf32>
  %c = stablehlo.constant dense<0.5> : tensor<f32>
  %b = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<f32>) -> tensor<4x4xf32>
  // CHECK: stablehlo.select {{.*}}
  %s = stablehlo.select %p, %t, %b : tensor<4x4xi1>, tensor<4x4xf32>
  // CHECK: stablehlo.dot_general {{.*}} reduction={k} linear=[1]>
  %3 = stablehlo.dot_general %s, %y, contracting_dims = [1] x [0] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %inf = stablehlo.constant dense<0xFF800000> : tensor<4x4xf32>
  // CHECK: stablehlo.multiply {{.*}}{i=4, j=4}>
  %4 = stablehlo.multiply %x, %inf : tensor<4x4xf32>
  // CHECK: stablehlo.divide {{.*}} linear=[0]>
  %5 = stablehlo.divide %x, %b : tensor<4x4xf32>
  // CHECK: stablehlo.divide {{.*}}{i=4, j=4}>
  %6 = stablehlo.divide %x, %y : tensor<4x4xf32>
  // i32 goes beyond f16.
  %l = stablehlo.convert %n : (tensor<4x4xi32>) -> tensor<4x4xf16>
  %h = stablehlo.convert %x : (tensor<4x4xf32>) -> tensor<4x4xf16>
  // CHECK: stablehlo.multiply {{.*}}{i=4, j=4}>
  %7 = stablehlo.multiply %h, %l : tensor<4x4xf16>
  return
}
