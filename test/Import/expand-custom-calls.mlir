// RUN: shoal-opt %s --shoal-expand-custom-calls | FileCheck %s

func.func private @gt(%a: tensor<f32>, %b: tensor<f32>, %i: tensor<i32>, %j: tensor<i32>) -> tensor<i1> {
  %0 = stablehlo.compare GT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
  return %0 : tensor<i1>
}

// CHECK-LABEL: @approx
// CHECK: "stablehlo.sort"(%{{.*}}, %{{.*}}) <{dimension = 0
// CHECK: stablehlo.compare GT
// CHECK: stablehlo.slice %{{.*}}#0 [0:3]
// CHECK: stablehlo.slice %{{.*}}#1 [0:3]
func.func @approx(%x: tensor<8xf32>, %at: tensor<8xi32>, %low: tensor<f32>, %none: tensor<i32>) -> (tensor<3xf32>, tensor<3xi32>) {
  %0:2 = stablehlo.custom_call @ApproxTopK(%x, %at, %low, %none) {called_computations = [@gt],
    mhlo.backend_config = {aggregate_to_topk = true, recall_target = 0.95 : f32, reduction_dim = 0 : i64, top_k = 3 : i64}}
    : (tensor<8xf32>, tensor<8xi32>, tensor<f32>, tensor<i32>) -> (tensor<3xf32>, tensor<3xi32>)
  return %0#0, %0#1 : tensor<3xf32>, tensor<3xi32>
}

// CHECK-LABEL: @topk
// CHECK: chlo.top_k(%{{.*}}, k = 2
func.func @topk(%x: tensor<8xf32>) -> (tensor<2xf32>, tensor<2xi32>) {
  %0:2 = stablehlo.custom_call @mhlo.topk(%x) {mhlo.attributes = {k = 2 : i64, largest = true}, mhlo.version = 1 : i64}
    : (tensor<8xf32>) -> (tensor<2xf32>, tensor<2xi32>)
  return %0#0, %0#1 : tensor<2xf32>, tensor<2xi32>
}

// CHECK-LABEL: @erf
// CHECK: chlo.erf
// CHECK-NOT: annotate_device_placement
func.func @erf(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = stablehlo.custom_call @mhlo.erf(%x) : (tensor<8xf32>) -> tensor<8xf32>
  %1 = stablehlo.custom_call @annotate_device_placement(%0) {has_side_effect = true} : (tensor<8xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}
