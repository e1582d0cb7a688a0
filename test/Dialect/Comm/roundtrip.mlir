// RUN: shoal-opt %s | shoal-opt | FileCheck %s
// RUN: shoal-opt %s --mlir-print-op-generic | shoal-opt | FileCheck %s

shoal.mesh @m <["dp"=2, "tp"=4]>

// CHECK-LABEL: func @one_dim
func.func @one_dim(%a: tensor<4x8xf32>, %fill: tensor<f32>) {
  // CHECK: comm.all_gather %{{.*}} dim = 1 over <@m, {"tp"}> {reason = "why"} : (tensor<4x8xf32>) -> tensor<4x30xf32>
  %0 = comm.all_gather %a dim = 1 over <@m, {"tp"}> {reason = "why"} : (tensor<4x8xf32>) -> tensor<4x30xf32>
  // CHECK: comm.reduce_scatter add %{{.*}} dim = 1 over <@m, {"tp"}> : (tensor<4x30xf32>) -> tensor<4x8xf32>
  %1 = comm.reduce_scatter add %0 dim = 1 over <@m, {"tp"}> : (tensor<4x30xf32>) -> tensor<4x8xf32>
  // CHECK: comm.all_reduce max %{{.*}} over <@m, {"dp", "tp":(1)2}> : tensor<4x8xf32>
  %2 = comm.all_reduce max %1 over <@m, {"dp", "tp":(1)2}> : tensor<4x8xf32>
  // CHECK: comm.all_to_all %{{.*}} split = 0 concat = 1 over <@m, {"tp"}> : (tensor<4x8xf32>) -> tensor<1x32xf32>
  %3 = comm.all_to_all %2 split = 0 concat = 1 over <@m, {"tp"}> : (tensor<4x8xf32>) -> tensor<1x32xf32>
  // CHECK: comm.all_slice %{{.*}} dim = 1 over <@m, {"dp"}> : (tensor<4x8xf32>) -> tensor<4x4xf32>
  %4 = comm.all_slice %a dim = 1 over <@m, {"dp"}> : (tensor<4x8xf32>) -> tensor<4x4xf32>
  // CHECK: comm.halo %{{.*}}, %{{.*}} dim = 1 size = 30 low = 1 high = 2 over <@m, {"tp"}> : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x11xf32>
  %5 = comm.halo %a, %fill dim = 1 size = 30 low = 1 high = 2 over <@m, {"tp"}> : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x11xf32>
  // CHECK: comm.halo %{{.*}} dim = 1 size = 32 low = 1 high = -1 wrap over
  %6 = comm.halo %a dim = 1 size = 32 low = 1 high = -1 wrap over <@m, {"tp"}> : (tensor<4x8xf32>) -> tensor<4x8xf32>
  // CHECK: comm.reblock %{{.*}} dim = 1 size = 30 offset = -2 step = 9 over <@m, {"tp"}> : (tensor<4x8xf32>) -> tensor<4x10xf32>
  %7 = comm.reblock %a dim = 1 size = 30 offset = -2 step = 9 over <@m, {"tp"}> : (tensor<4x8xf32>) -> tensor<4x10xf32>
  return
}

// CHECK-LABEL: func @whole
func.func @whole(%a: tensor<4xf32>, %i: tensor<i32>, %s: tensor<2xi32>) {
  // CHECK: comm.permute %{{.*}} pairs = {{\[}}[0, 1], [1, 0]] over <@m, {"dp"}> : tensor<4xf32>
  %0 = comm.permute %a pairs = [[0, 1], [1, 0]] over <@m, {"dp"}> : tensor<4xf32>
  // CHECK: comm.broadcast %{{.*}} root = 1 over <{{\[}}[0, 4], [1, 5]]> : (tensor<4xf32>) -> tensor<4xf32>
  %1 = comm.broadcast %a root = 1 over <[[0, 4], [1, 5]]> : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK: comm.broadcast %{{.*}}, %{{.*}} over <@m, {"tp"}> : (tensor<4xf32>, tensor<i32>) -> tensor<4xf32>
  %2 = comm.broadcast %a, %i over <@m, {"tp"}> : (tensor<4xf32>, tensor<i32>) -> tensor<4xf32>
  // CHECK: comm.ragged_all_to_all
  %3 = comm.ragged_all_to_all %a, %a, %s, %s, %s, %s over <@m, {"dp"}> : (tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<4xf32>
  // CHECK: comm.send %{{.*}} channel = 3 pairs = {{\[}}[0, 1]] over <@m, {"dp"}> : tensor<4xf32>
  comm.send %a channel = 3 pairs = [[0, 1]] over <@m, {"dp"}> : tensor<4xf32>
  // CHECK: comm.recv channel = 3 pairs = {{\[}}[0, 1]] over <@m, {"dp"}> : tensor<4xf32>
  %4 = comm.recv channel = 3 pairs = [[0, 1]] over <@m, {"dp"}> : tensor<4xf32>
  // CHECK: comm.axis_index over <@m, {"dp", "tp"}> : tensor<i32>
  %5 = comm.axis_index over <@m, {"dp", "tp"}> : tensor<i32>
  // CHECK: %[[F:.*]] = comm.start(%[[A:.*]] = %{{.*}} : tensor<4xf32>) {
  // CHECK:   comm.all_reduce add %[[A]] over <@m, {"tp"}> : tensor<4xf32>
  // CHECK:   comm.yield
  // CHECK: } : !comm.future<tensor<4xf32>>
  %f = comm.start(%b = %a : tensor<4xf32>) {
    %r = comm.all_reduce add %b over <@m, {"tp"}> : tensor<4xf32>
    comm.yield %r : tensor<4xf32>
  } : !comm.future<tensor<4xf32>>
  // CHECK: comm.done %[[F]] : <tensor<4xf32>> -> tensor<4xf32>
  %6 = comm.done %f : !comm.future<tensor<4xf32>> -> tensor<4xf32>
  return
}
