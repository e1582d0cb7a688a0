// RUN: shoal-opt %s --shoal-import-pipeline=single-device=true | FileCheck %s

// A manual region on one device: the body once per shard, a permute as a change
// of names, a sum as additions, the loop in lockstep. What all shards share, as
// the loop's counter, stays one value.

// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:.*]]: tensor<8xf32>) -> tensor<8xf32> {
// CHECK-DAG: %[[A:.*]] = stablehlo.slice %[[X]] [0:4]
// CHECK-DAG: %[[B:.*]] = stablehlo.slice %[[X]] [4:8]
// CHECK: %[[L:.*]]:3 = stablehlo.while(%[[I:.*]] = %{{.*}}, %[[P:.*]] = %[[A]], %[[Q:.*]] = %[[B]]) : tensor<i32>, tensor<4xf32>, tensor<4xf32>
// CHECK-SAME: trip_count = 3
// CHECK: do {
// CHECK: stablehlo.return %{{.*}}, %[[Q]], %[[P]]
// CHECK: %[[S:.*]] = stablehlo.add %[[L]]#1, %[[L]]#2
// CHECK: %[[I0:.*]] = stablehlo.constant dense<0> : tensor<ui32>
// CHECK: %[[I1:.*]] = stablehlo.constant dense<1> : tensor<ui32>
// CHECK: %[[R:.*]] = stablehlo.concatenate
// CHECK: return %[[R]]
sdy.mesh @mesh = <["x"=2]>
func.func @main(%arg0: tensor<8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}]>}) -> tensor<8xf32> {
  %0 = sdy.manual_computation(%arg0) in_shardings=[<@mesh, [{"x"}]>] out_shardings=[<@mesh, [{"x"}]>] manual_axes={"x"} (%a: tensor<4xf32>) {
    %c0 = stablehlo.constant dense<0> : tensor<i32>
    %1:2 = stablehlo.while(%i = %c0, %v = %a) : tensor<i32>, tensor<4xf32> cond {
      %c3 = stablehlo.constant dense<3> : tensor<i32>
      %2 = stablehlo.compare LT, %i, %c3, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %2 : tensor<i1>
    } do {
      %c1 = stablehlo.constant dense<1> : tensor<i32>
      %2 = stablehlo.add %i, %c1 : tensor<i32>
      %3 = "stablehlo.collective_permute"(%v) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, source_target_pairs = dense<[[0, 1], [1, 0]]> : tensor<2x2xi64>}> : (tensor<4xf32>) -> tensor<4xf32>
      stablehlo.return %2, %3 : tensor<i32>, tensor<4xf32>
    }
    %4 = "stablehlo.all_reduce"(%1#1) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, use_global_device_ids}> ({
    ^bb0(%p: tensor<f32>, %q: tensor<f32>):
      %s = stablehlo.add %p, %q : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }) : (tensor<4xf32>) -> tensor<4xf32>
    %id = stablehlo.partition_id : tensor<ui32>
    %f = stablehlo.convert %id : (tensor<ui32>) -> tensor<f32>
    %g = stablehlo.broadcast_in_dim %f, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %h = stablehlo.add %4, %g : tensor<4xf32>
    sdy.return %h : tensor<4xf32>
  } : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
