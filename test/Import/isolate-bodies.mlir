// RUN: shoal-opt %s --shoal-isolate-bodies | FileCheck %s

// CHECK-LABEL: @constant
// CHECK: stablehlo.reduce
// CHECK: reducer
// CHECK-NEXT: stablehlo.constant dense<2.0
func.func @constant(%x: tensor<3xf32>) -> tensor<f32> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %two = stablehlo.constant dense<2.0> : tensor<f32>
  %y = "stablehlo.reduce"(%x, %z) <{dimensions = array<i64: 0>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %1 = stablehlo.multiply %b, %two : tensor<f32>
    %2 = stablehlo.add %a, %1 : tensor<f32>
    stablehlo.return %2 : tensor<f32>
  }) : (tensor<3xf32>, tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}

// CHECK-LABEL: @value
// CHECK: %[[R:.*]] = stablehlo.broadcast_in_dim %arg1, dims = [] : (tensor<f32>) -> tensor<3xf32>
// CHECK: %[[Y:.*]]:2 = stablehlo.reduce(%arg0 init: %{{.*}}), (%[[R]] init: %arg1)
// CHECK: reducer(%[[A:.*]]: tensor<f32>, %[[B:.*]]: tensor<f32>) (%[[S:.*]]: tensor<f32>, %{{.*}}: tensor<f32>)
// CHECK: stablehlo.multiply %[[B]], %[[S]]
// CHECK: return %[[Y]]#0
func.func @value(%x: tensor<3xf32>, %scale: tensor<f32>) -> tensor<f32> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %y = "stablehlo.reduce"(%x, %z) <{dimensions = array<i64: 0>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %1 = stablehlo.multiply %b, %scale : tensor<f32>
    %2 = stablehlo.add %a, %1 : tensor<f32>
    stablehlo.return %2 : tensor<f32>
  }) : (tensor<3xf32>, tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}

// What follows from captured tensors alone is computed once, outside.
// CHECK-LABEL: @tensor
// CHECK: %[[T:.*]] = stablehlo.reduce(%arg1 init: %{{.*}}) applies stablehlo.add
// CHECK: stablehlo.broadcast_in_dim %[[T]]
// CHECK: reducer
// CHECK-NOT: stablehlo.reduce
// CHECK: return
func.func @tensor(%x: tensor<3xf32>, %k: tensor<4xf32>) -> tensor<f32> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %y = "stablehlo.reduce"(%x, %z) <{dimensions = array<i64: 0>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = stablehlo.constant dense<0.0> : tensor<f32>
    %1 = stablehlo.reduce(%k init: %c) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    %2 = stablehlo.multiply %b, %1 : tensor<f32>
    %3 = stablehlo.add %a, %2 : tensor<f32>
    stablehlo.return %3 : tensor<f32>
  }) : (tensor<3xf32>, tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}
