// RUN: shoal-opt %s --shoal-import-sdy --shoal-import-collectives | FileCheck %s

sdy.mesh @mesh = <["x"=2, "y"=4]>
// CHECK-LABEL: func.func @main
func.func @main(%arg0: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %0 = sdy.manual_computation(%arg0) in_shardings=[<@mesh, [{"x", "y"}, {}]>] out_shardings=[<@mesh, [{"x", "y"}, {}]>] manual_axes={"x", "y"} (%a: tensor<1x4xf32>) {
    // CHECK: comm.all_reduce add %{{.*}} over <@mesh, {"y"}> : tensor<1x4xf32>
    %1 = "stablehlo.all_reduce"(%a) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[0, 1, 2, 3], [4, 5, 6, 7]]> : tensor<2x4xi64>, use_global_device_ids}> ({
    ^bb0(%p: tensor<f32>, %q: tensor<f32>):
      %s = stablehlo.add %p, %q : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }) : (tensor<1x4xf32>) -> tensor<1x4xf32>
    // Half of an axis, and groups that are no axes at all.
    // CHECK: comm.all_gather %{{.*}} dim = 0 over <@mesh, {"y":(2)2}> : (tensor<1x4xf32>) -> tensor<2x4xf32>
    %2 = "stablehlo.all_gather"(%1) <{all_gather_dim = 0 : i64, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[0, 1], [2, 3], [4, 5], [6, 7]]> : tensor<4x2xi64>, use_global_device_ids}> : (tensor<1x4xf32>) -> tensor<2x4xf32>
    // CHECK: comm.all_gather %{{.*}} dim = 0 over <{{\[\[}}0, 3], [1, 2], [4, 7], [5, 6]]>
    %3 = "stablehlo.all_gather"(%1) <{all_gather_dim = 0 : i64, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[0, 3], [1, 2], [4, 7], [5, 6]]> : tensor<4x2xi64>, use_global_device_ids}> : (tensor<1x4xf32>) -> tensor<2x4xf32>
    // CHECK: comm.all_to_all %{{.*}} split = 1 concat = 0 over <@mesh, {"x"}> : (tensor<2x4xf32>) -> tensor<4x2xf32>
    %4 = "stablehlo.all_to_all"(%3) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, concat_dimension = 0 : i64, replica_groups = dense<[[0, 4], [1, 5], [2, 6], [3, 7]]> : tensor<4x2xi64>, split_count = 2 : i64, split_dimension = 1 : i64}> : (tensor<2x4xf32>) -> tensor<4x2xf32>
    // CHECK: comm.permute %{{.*}} pairs = {{\[\[}}0, 1], [1, 2], [2, 3], [3, 0]] over <@mesh, {"y"}>
    %5 = "stablehlo.collective_permute"(%1) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, source_target_pairs = dense<[[0, 1], [1, 2], [2, 3], [3, 0], [4, 5], [5, 6], [6, 7], [7, 4]]> : tensor<8x2xi64>}> : (tensor<1x4xf32>) -> tensor<1x4xf32>
    // Who is in no pair gets zeros, which differs along y only.
    // CHECK: comm.permute %{{.*}} pairs = {{\[\[}}0, 0]] over <@mesh, {"y"}>
    %12 = "stablehlo.collective_permute"(%5) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, source_target_pairs = dense<[[0, 0], [4, 4]]> : tensor<2x2xi64>}> : (tensor<1x4xf32>) -> tensor<1x4xf32>
    // The index along y, as JAX writes it.
    // CHECK: comm.axis_index over <@mesh, {"y"}> : tensor<ui32>
    %c1 = stablehlo.constant dense<1> : tensor<ui32>
    %c4 = stablehlo.constant dense<4> : tensor<ui32>
    %6 = stablehlo.partition_id : tensor<ui32>
    %7 = stablehlo.divide %6, %c1 : tensor<ui32>
    %8 = stablehlo.remainder %7, %c4 : tensor<ui32>
    // CHECK-NOT: partition_id
    %9 = stablehlo.convert %8 : (tensor<ui32>) -> tensor<f32>
    %10 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<1x4xf32>
    %11 = stablehlo.add %12, %10 : tensor<1x4xf32>
    sdy.return %11 : tensor<1x4xf32>
  } : (tensor<8x4xf32>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}
