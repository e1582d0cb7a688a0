// RUN: shoal-opt %s --shoal-recognize-top-k | FileCheck %s

// CHECK-LABEL: @best
// CHECK: chlo.top_k(%arg0, k = 2) : tensor<3x16xf32> -> (tensor<3x2xf32>, tensor<3x2xi32>)
// CHECK-NOT: sort
func.func @best(%x: tensor<3x16xf32>) -> (tensor<3x2xf32>, tensor<3x2xi32>) {
  %i = stablehlo.iota dim = 1 : tensor<3x16xi32>
  %0:2 = "stablehlo.sort"(%x, %i) <{dimension = 1 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>, %c: tensor<i32>, %d: tensor<i32>):
    %p = stablehlo.compare GT, %a, %b, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }) : (tensor<3x16xf32>, tensor<3x16xi32>) -> (tensor<3x16xf32>, tensor<3x16xi32>)
  %1 = stablehlo.slice %0#0 [0:3, 0:2] : (tensor<3x16xf32>) -> tensor<3x2xf32>
  %2 = stablehlo.slice %0#1 [0:3, 0:2] : (tensor<3x16xi32>) -> tensor<3x2xi32>
  return %1, %2 : tensor<3x2xf32>, tensor<3x2xi32>
}

// The comparison is not the total order, and more is used than the beginning.
// CHECK-LABEL: @others
// CHECK-COUNT-2: stablehlo.sort
func.func @others(%x: tensor<16xf32>, %y: tensor<16xi32>) -> (tensor<2xf32>, tensor<2xi32>) {
  %i = stablehlo.iota dim = 0 : tensor<16xi32>
  %0:2 = "stablehlo.sort"(%x, %i) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>, %c: tensor<i32>, %d: tensor<i32>):
    %p = stablehlo.compare GT, %a, %b, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }) : (tensor<16xf32>, tensor<16xi32>) -> (tensor<16xf32>, tensor<16xi32>)
  %1 = stablehlo.slice %0#0 [0:2] : (tensor<16xf32>) -> tensor<2xf32>
  %2:2 = "stablehlo.sort"(%y, %i) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>, %c: tensor<i32>, %d: tensor<i32>):
    %p = stablehlo.compare GT, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }) : (tensor<16xi32>, tensor<16xi32>) -> (tensor<16xi32>, tensor<16xi32>)
  %3 = stablehlo.slice %2#1 [1:3] : (tensor<16xi32>) -> tensor<2xi32>
  return %1, %3 : tensor<2xf32>, tensor<2xi32>
}
