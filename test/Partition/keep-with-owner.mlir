// RUN: shoal-opt %s --split-input-file --shoal-keep-with-owner | FileCheck %s

// What is made of the broadcast meets what only device 0 has.

// CHECK-LABEL: func @product(
shoal.mesh @m <["x"=4]>
func.func @product(%a: tensor<8xf32>, %b: tensor<8xi1>) -> tensor<8xf32> {
  %i = comm.axis_index over <@m, {"x"}> : tensor<i32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %first = stablehlo.compare EQ, %i, %zero : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %none = stablehlo.constant dense<-0.0> : tensor<8xf32>
  %mine = stablehlo.select %first, %a, %none : tensor<i1>, tensor<8xf32>
  // CHECK: %[[ALL:.*]] = stablehlo.convert %arg1
  // CHECK: %[[P:.*]] = stablehlo.multiply %{{.*}}, %[[ALL]]
  // CHECK: stablehlo.select %{{.*}}, %[[P]],
  %1 = comm.broadcast %b root = 0 over <@m, {"x"}> : (tensor<8xi1>) -> tensor<8xi1>
  %2 = stablehlo.convert %1 : (tensor<8xi1>) -> tensor<8xf32>
  %3 = stablehlo.multiply %mine, %2 : tensor<8xf32>
  return %3 : tensor<8xf32>
}

// -----

// Another device's element, or another use: everyone needs it.

// CHECK-LABEL: func @needed(
shoal.mesh @m <["x"=4]>
func.func @needed(%a: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %i = comm.axis_index over <@m, {"x"}> : tensor<i32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %first = stablehlo.compare EQ, %i, %zero : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %none = stablehlo.constant dense<-0.0> : tensor<8xf32>
  %mine = stablehlo.select %first, %a, %none : tensor<i1>, tensor<8xf32>
  // CHECK: comm.broadcast %{{.*}} root = 1
  %1 = comm.broadcast %b root = 1 over <@m, {"x"}> : (tensor<8xf32>) -> tensor<8xf32>
  %2 = stablehlo.multiply %mine, %1 : tensor<8xf32>
  // CHECK: comm.broadcast %{{.*}} root = 0
  %3 = comm.broadcast %b root = 0 over <@m, {"x"}> : (tensor<8xf32>) -> tensor<8xf32>
  %4 = stablehlo.multiply %mine, %3 : tensor<8xf32>
  %5 = stablehlo.add %4, %3 : tensor<8xf32>
  return %2, %5 : tensor<8xf32>, tensor<8xf32>
}
