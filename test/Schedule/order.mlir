// An order that frees memory early replaces one that holds more at once.
// RUN: shoal-opt %s --allow-unregistered-dialect --shoal-order | FileCheck %s

plan.kernel @big(%x: tensor<4xf32>) -> tensor<1024xf32> {
  %0 = "test.big"(%x) : (tensor<4xf32>) -> tensor<1024xf32>
  plan.yield %0 : tensor<1024xf32>
}
plan.kernel @small(%x: tensor<1024xf32>) -> tensor<4xf32> {
  %0 = "test.small"(%x) : (tensor<1024xf32>) -> tensor<4xf32>
  plan.yield %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @main
// CHECK: %[[A:.*]] = plan.launch @big
// CHECK-NEXT: plan.launch @small(%[[A]])
// CHECK-NEXT: %[[B:.*]] = plan.launch @big
// CHECK-NEXT: plan.launch @small(%[[B]])
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = plan.launch @big(%x) : (tensor<4xf32>) -> tensor<1024xf32>
  %1 = plan.launch @big(%y) : (tensor<4xf32>) -> tensor<1024xf32>
  %2 = plan.launch @small(%0) : (tensor<1024xf32>) -> tensor<4xf32>
  %3 = plan.launch @small(%1) : (tensor<1024xf32>) -> tensor<4xf32>
  return %2, %3 : tensor<4xf32>, tensor<4xf32>
}

// Collectives keep their order, so that all ranks meet in the same one.
shoal.mesh @m <["x"=2]>
// CHECK-LABEL: func.func @ordered
// CHECK: comm.all_reduce add %arg0
// CHECK: comm.all_reduce max %arg1
func.func @ordered(%x: tensor<1024xf32>, %y: tensor<4xf32>) -> (tensor<1024xf32>, tensor<4xf32>) {
  %0 = comm.all_reduce add %x over <@m, {"x"}> : tensor<1024xf32>
  %1 = comm.all_reduce max %y over <@m, {"x"}> : tensor<4xf32>
  return %0, %1 : tensor<1024xf32>, tensor<4xf32>
}
