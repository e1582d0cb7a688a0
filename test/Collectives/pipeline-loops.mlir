// RUN: shoal-opt %s --shoal-pipeline-loops=memory-limit=1000000 | FileCheck %s
// Without memory to spare everything stays where it is.
// RUN: shoal-opt %s --shoal-pipeline-loops | FileCheck %s --check-prefix=NONE
// RUN: shoal-opt %s --shoal-pipeline-loops=memory-limit=700 | FileCheck %s --check-prefix=NONE

shoal.mesh @m <["x"=2]>

// The weights of a layer are gathered one iteration ahead; the last iteration,
// which has nothing to gather, is peeled.
// CHECK-LABEL: func.func @prefetch
// NONE-LABEL: func.func @prefetch
func.func @prefetch(%w: tensor<4x4x8xf32>, %x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  // CHECK: %[[FIRST:.*]] = comm.all_gather
  // CHECK: %[[L:.*]]:4 = stablehlo.while({{.*}}, %[[W:.*]] = %[[FIRST]])
  // CHECK: cond {
  // CHECK: %[[END:.*]] = stablehlo.constant dense<3>
  // CHECK: stablehlo.compare LT, %{{.*}}, %[[END]]
  // CHECK: do {
  // CHECK: %[[NEXT:.*]] = comm.all_gather
  // CHECK: plan.matmul %{{.*}}, %[[W]]
  // CHECK: stablehlo.return {{.*}}, %[[NEXT]] :
  // CHECK: plan.matmul %[[L]]#2, %[[L]]#3
  // CHECK-NOT: all_gather
  // CHECK: return
  // NONE-NOT: comm.all_gather
  // NONE: do {
  // NONE: comm.all_gather
  // NONE-NOT: comm.all_gather
  // NONE: return
  %0:3 = stablehlo.while(%i = %zero, %ws = %w, %y = %x) : tensor<i32>, tensor<4x4x8xf32>, tensor<8x8xf32>
  cond {
    %end = stablehlo.constant dense<4> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %none = stablehlo.constant dense<0> : tensor<i32>
    %1 = stablehlo.dynamic_slice %ws, %i, %none, %none, sizes = [1, 4, 8] : (tensor<4x4x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x4x8xf32>
    %2 = stablehlo.reshape %1 : (tensor<1x4x8xf32>) -> tensor<4x8xf32>
    %3 = comm.all_gather %2 dim = 0 over <@m, {"x"}> : (tensor<4x8xf32>) -> tensor<8x8xf32>
    %4 = plan.matmul %y, %3 contract [1] x [0] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %5 = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %5, %ws, %4 : tensor<i32>, tensor<4x4x8xf32>, tensor<8x8xf32>
  }
  return %0#2 : tensor<8x8xf32>
}

// A gradient is reduced while the next one is computed: carried as it is, and
// stored an iteration later. The first iteration is peeled.
// CHECK-LABEL: func.func @delay
func.func @delay(%g: tensor<4x4x8xf32>, %x: tensor<8x8xf32>) -> (tensor<4x4x8xf32>, tensor<8x8xf32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  // CHECK: %[[P0:.*]] = plan.matmul
  // CHECK: %[[L:.*]]:4 = stablehlo.while({{.*}}, %[[P:.*]] = %[[P0]])
  // CHECK: do {
  // CHECK: comm.reduce_scatter add %[[P]]
  // CHECK: %[[D:.*]] = stablehlo.dynamic_update_slice
  // CHECK: %[[P1:.*]] = plan.matmul
  // CHECK-NOT: reduce_scatter
  // CHECK: stablehlo.return %{{.*}}, %[[D]], %{{.*}}, %[[P1]] :
  // CHECK: comm.reduce_scatter add %[[L]]#3
  // CHECK: %[[R:.*]] = stablehlo.dynamic_update_slice %[[L]]#1
  // CHECK: return %[[R]], %[[L]]#2
  %0:3 = stablehlo.while(%i = %zero, %gs = %g, %y = %x) : tensor<i32>, tensor<4x4x8xf32>, tensor<8x8xf32>
  cond {
    %end = stablehlo.constant dense<4> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %none = stablehlo.constant dense<0> : tensor<i32>
    %1 = plan.matmul %y, %y contract [1] x [0] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %2 = comm.reduce_scatter add %1 dim = 0 over <@m, {"x"}> : (tensor<8x8xf32>) -> tensor<4x8xf32>
    %3 = stablehlo.reshape %2 : (tensor<4x8xf32>) -> tensor<1x4x8xf32>
    %4 = stablehlo.dynamic_update_slice %gs, %3, %i, %none, %none : (tensor<4x4x8xf32>, tensor<1x4x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<4x4x8xf32>
    %5 = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %5, %4, %1 : tensor<i32>, tensor<4x4x8xf32>, tensor<8x8xf32>
  }
  return %0#1, %0#2 : tensor<4x4x8xf32>, tensor<8x8xf32>
}
