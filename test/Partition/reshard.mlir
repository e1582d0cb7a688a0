// RUN: shoal-opt %s --split-input-file --shoal-partition-pipeline | FileCheck %s

// Each reshard becomes the cheapest collectives.

// CHECK-LABEL: func @move_axis(
// CHECK: comm.all_to_all %arg0 split = 1 concat = 0 over <@m, {"x"}>
// CHECK-NOT: comm
shoal.mesh @m <["x"=4, "y"=2]>
func.func @move_axis(%a: tensor<16x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>})
    -> (tensor<16x8xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}]>}) {
  return %a : tensor<16x8xf32>
}

// -----

// CHECK-LABEL: func @swap_axes(
// CHECK: comm.permute
// CHECK-NOT: comm
shoal.mesh @m <["x"=2, "y"=2]>
func.func @swap_axes(%a: tensor<16x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {"y"}]>})
    -> (tensor<16x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"y"}, {"x"}]>}) {
  return %a : tensor<16x8xf32>
}

// -----

// CHECK-LABEL: func @partial_to_cut(
// CHECK: dot_general
// CHECK: comm.reduce_scatter add %{{.*}} dim = 0 over <@m, {"x"}>
// CHECK-NOT: comm
shoal.mesh @m <["x"=4, "y"=2]>
func.func @partial_to_cut(
    %a: tensor<16x8xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}]>},
    %b: tensor<8x16xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>})
    -> (tensor<16x16xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>}) {
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<16x8xf32>, tensor<8x16xf32>) -> tensor<16x16xf32>
  return %0 : tensor<16x16xf32>
}

// -----

// Two axes are reduced as one group.

// CHECK-LABEL: func @two_axes(
// CHECK: comm.all_reduce add %{{.*}} over <@m, {"x", "y"}>
// CHECK-NOT: comm
shoal.mesh @m <["x"=4, "y"=2]>
func.func @two_axes(%a: tensor<16x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {"y"}]>}) -> tensor<f32> {
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.reduce(%a init: %c) applies stablehlo.add across dimensions = [0, 1] : (tensor<16x8xf32>, tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}
