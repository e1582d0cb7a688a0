// A condition has arguments that it does not yield. (Found by overlap.py with
// the model beam_search_reordered_caches.)
// RUN: shoal-opt %s --shoal-fit-memory=memory-limit=16 | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK: plan.launch @most(%{{.*}}) : (tensor<8xf32>) -> tensor<i32>
plan.kernel @most(%x: tensor<8xf32>) -> tensor<i32> {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.reduce(%x init: %zero) applies stablehlo.maximum across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
  %1 = stablehlo.convert %0 : (tensor<f32>) -> tensor<i32>
  plan.yield %1 : tensor<i32>
}
plan.kernel @next(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = stablehlo.add %x, %x : tensor<8xf32>
  plan.yield %0 : tensor<8xf32>
}
func.func @main(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
  %0:2 = stablehlo.while(%a = %x, %b = %y) : tensor<8xf32>, tensor<8xf32>
  cond {
    %five = stablehlo.constant dense<5> : tensor<i32>
    %m = plan.launch @most(%b) : (tensor<8xf32>) -> tensor<i32>
    %p = stablehlo.compare LT, %m, %five : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %n = plan.launch @next(%b) : (tensor<8xf32>) -> tensor<8xf32>
    stablehlo.return %b, %n : tensor<8xf32>, tensor<8xf32>
  }
  %1 = plan.launch @next(%0#0) : (tensor<8xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}
