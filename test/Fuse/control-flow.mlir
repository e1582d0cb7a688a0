// RUN: shoal-opt %s --shoal-fuse | FileCheck %s

// Inside a counted loop the counter stays a StableHLO op for the host, the
// rest is a kernel; constants from outside are copied into it.
// CHECK-LABEL: func.func @loop
// CHECK: stablehlo.while
// CHECK: cond {
// CHECK: stablehlo.compare LT
// CHECK: } do {
// CHECK-DAG: stablehlo.add %{{.*}} : tensor<i32>
// CHECK-DAG: plan.launch @[[K:[a-z0-9_]+]](%{{[a-zA-Z0-9_]*}}) : (tensor<8xf32>) -> tensor<8xf32>
// CHECK: stablehlo.return
// CHECK: plan.kernel @[[K]](%{{.*}}: tensor<8xf32>)
// CHECK: stablehlo.constant dense<2.000000e+00>
func.func @loop(%x: tensor<8xf32>) -> tensor<8xf32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %ten = stablehlo.constant dense<10> : tensor<i32>
  %two = stablehlo.constant dense<2.0> : tensor<f32>
  %0:2 = stablehlo.while(%i = %zero, %v = %x) : tensor<i32>, tensor<8xf32>
  cond {
    %c = stablehlo.compare LT, %i, %ten : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %n = stablehlo.add %i, %one : tensor<i32>
    %b = stablehlo.broadcast_in_dim %two, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %p = stablehlo.multiply %v, %b : tensor<8xf32>
    %s = stablehlo.sine %p : tensor<8xf32>
    stablehlo.return %n, %s : tensor<i32>, tensor<8xf32>
  }
  return %0#1 : tensor<8xf32>
}
