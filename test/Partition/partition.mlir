// RUN: shoal-opt %s --split-input-file --shoal-partition-pipeline | FileCheck %s

// Column, then row parallel: one reduction.

// CHECK-LABEL: func @mlp(
// CHECK-SAME: tensor<8x64xf32> {shoal.global_type = tensor<16x64xf32>
shoal.mesh @m <["dp"=2, "tp"=4]>
func.func @mlp(
    %x: tensor<16x64xf32> {shoal.sharding = #shoal.sharding<@m, [{"dp"}, {}]>},
    %w: tensor<64x256xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"tp"}]>},
    %v: tensor<256x64xf32> {shoal.sharding = #shoal.sharding<@m, [{"tp"}, {}]>})
    -> (tensor<16x64xf32> {shoal.sharding = #shoal.sharding<@m, [{"dp"}, {}]>}) {
  // CHECK: dot_general {{.*}} -> tensor<8x64xf32>
  // CHECK: dot_general {{.*}} -> tensor<8x64xf32>
  // CHECK: comm.all_reduce add %{{.*}} over <@m, {"tp"}> {provenance = [{{.*}}], reason = "{{.+}}"}
  // CHECK-NOT: comm
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] {shoal.shardings = #shoal.sharding_per_value<[<@m, [{"dp"}, {"tp"}]>]>} : (tensor<16x64xf32>, tensor<64x256xf32>) -> tensor<16x256xf32>
  %1 = stablehlo.dot_general %0, %v, contracting_dims = [1] x [0] {shoal.shardings = #shoal.sharding_per_value<[<@m, [{"dp"}, {}]>]>} : (tensor<16x256xf32>, tensor<256x64xf32>) -> tensor<16x64xf32>
  return %1 : tensor<16x64xf32>
}

// -----

// Ten elements over four devices: blocks of three, two of padding at the end,
// which take the neutral element before they are summed.

// CHECK-LABEL: func @uneven_sum(
// CHECK-SAME: tensor<3xf32>
shoal.mesh @m <["x"=4]>
func.func @uneven_sum(
    %a: tensor<10xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})
    -> tensor<f32> {
  // CHECK: %[[VALID:.*]] = stablehlo.compare LT
  // CHECK: %[[MASKED:.*]] = stablehlo.select %[[VALID]], %arg0
  // CHECK: stablehlo.reduce(%[[MASKED]]
  // CHECK: comm.all_reduce add
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.reduce(%a init: %c) applies stablehlo.add across dimensions = [0] : (tensor<10xf32>, tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// An initial value that is not neutral enters the sum once, on one device.

// CHECK-LABEL: func @initial_value(
shoal.mesh @m <["x"=4]>
func.func @initial_value(
    %a: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})
    -> tensor<f32> {
  // CHECK-DAG: %[[ONE:.*]] = stablehlo.constant dense<1.000000e+00>
  // CHECK-DAG: %[[I:.*]] = comm.axis_index over <@m, {"x"}>
  // CHECK: %[[FIRST:.*]] = stablehlo.compare EQ, %[[I]]
  // CHECK: %[[INIT:.*]] = stablehlo.select %[[FIRST]], %[[ONE]]
  // CHECK: stablehlo.reduce(%arg0 init: %[[INIT]])
  %c = stablehlo.constant dense<1.0> : tensor<f32>
  %0 = stablehlo.reduce(%a init: %c) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// A table cut along its rows: the owner reads, the others give zero.

// CHECK-LABEL: func @lookup(
shoal.mesh @m <["x"=4]>
func.func @lookup(
    %t: tensor<128x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>},
    %i: tensor<16x1xi32>) -> tensor<16x32xf32> {
  // CHECK: %[[LOCAL:.*]] = stablehlo.subtract
  // CHECK: %[[VECTORS:.*]] = stablehlo.reshape %[[LOCAL]]
  // CHECK: "stablehlo.gather"(%arg0, %[[VECTORS]])
  // CHECK: stablehlo.select
  // CHECK: comm.all_reduce add
  // CHECK-NOT: comm.all_gather
  %0 = "stablehlo.gather"(%t, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 32>}> : (tensor<128x32xf32>, tensor<16x1xi32>) -> tensor<16x32xf32>
  return %0 : tensor<16x32xf32>
}

// -----

// What a slice shifts across devices is fetched from neighbours, not gathered.

// CHECK-LABEL: func @shift(
shoal.mesh @m <["x"=4]>
func.func @shift(
    %a: tensor<16xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})
    -> (tensor<12xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) {
  // CHECK: comm.reblock %arg0 dim = 0 size = 16 offset = 2 step = 3 over <@m, {"x"}>{{.*}} : (tensor<4xf32>) -> tensor<3xf32>
  // CHECK-NOT: comm.all_gather
  %0 = stablehlo.slice %a [2:14] {shoal.shardings = #shoal.sharding_per_value<[<@m, [{"x"}]>]>} : (tensor<16xf32>) -> tensor<12xf32>
  return %0 : tensor<12xf32>
}

// -----

// Each device counts from its own offset.

// CHECK-LABEL: func @count(
shoal.mesh @m <["x"=4]>
func.func @count() -> (tensor<16xi32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) {
  // CHECK-DAG: comm.axis_index
  // CHECK-DAG: stablehlo.iota dim = 0 : tensor<4xi32>
  // CHECK-NOT: comm.all_gather
  %0 = stablehlo.iota dim = 0 {shoal.shardings = #shoal.sharding_per_value<[<@m, [{"x"}]>]>} : tensor<16xi32>
  return %0 : tensor<16xi32>
}

// -----

// Loops carry blocks.

// CHECK-LABEL: func @loop(
shoal.mesh @m <["x"=4]>
func.func @loop(
    %a: tensor<16xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})
    -> (tensor<16xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) {
  %c = stablehlo.constant dense<0> : tensor<i32>
  // CHECK: stablehlo.while({{.*}}) : tensor<i32>, tensor<4xf32>
  // CHECK-NOT: comm.
  %0:2 = stablehlo.while(%i = %c, %v = %a) : tensor<i32>, tensor<16xf32> attributes {shoal.shardings = #shoal.sharding_per_value<[<@m, []>, <@m, [{"x"}]>]>}
   cond {
    %n = stablehlo.constant dense<3> : tensor<i32>
    %p = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %j = stablehlo.add %i, %one : tensor<i32>
    %w = stablehlo.tanh %v {shoal.shardings = #shoal.sharding_per_value<[<@m, [{"x"}]>]>} : tensor<16xf32>
    stablehlo.return %j, %w : tensor<i32>, tensor<16xf32>
  }
  return %0#1 : tensor<16xf32>
}

// -----

// A manual region is what one device does already.

// CHECK-LABEL: func @manual(
shoal.mesh @m <["x"=4]>
func.func @manual(
    %a: tensor<16xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})
    -> (tensor<16xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) {
  // CHECK-NEXT: comm.permute %arg0
  // CHECK-NEXT: return
  %0 = shoal.manual(%a) in_shardings=[<@m, [{"x"}]>] out_shardings=[<@m, [{"x"}]>] manual_axes={"x"} (%b: tensor<4xf32>) {
    %1 = comm.permute %b pairs = [[0, 1], [1, 2], [2, 3], [3, 0]] over <@m, {"x"}> : tensor<4xf32>
    shoal.return %1 : tensor<4xf32>
  } : (tensor<16xf32>) -> tensor<16xf32>
  return %0 : tensor<16xf32>
}

// -----

// A convolution cut along a spatial dimension fetches the rows its windows
// read from neighbours; its padding comes with them.

// CHECK-LABEL: func @convolution(
shoal.mesh @m <["x"=4]>
func.func @convolution(
    %a: tensor<2x16x3xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}, {}]>},
    %k: tensor<3x3x8xf32>)
    -> (tensor<2x16x8xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}, {}]>}) {
  // CHECK: %[[ROWS:.*]] = comm.reblock %arg0, %{{.*}} dim = 1 size = 16 offset = -1 step = 4
  // CHECK-SAME: -> tensor<2x6x3xf32>
  // CHECK: stablehlo.convolution(%[[ROWS]], %arg1)
  // CHECK-SAME: pad = {{\[\[}}0, 0]]
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], window = {stride = [1], pad = [[1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, shoal.shardings = #shoal.sharding_per_value<[<@m, [{}, {"x"}, {}]>]>} : (tensor<2x16x3xf32>, tensor<3x3x8xf32>) -> tensor<2x16x8xf32>
  return %0 : tensor<2x16x8xf32>
}

// -----

// One element of a cut dimension: the owner broadcasts it.

// CHECK-LABEL: func @element(
shoal.mesh @m <["x"=4]>
func.func @element(
    %a: tensor<16x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>},
    %i: tensor<i32>) -> tensor<1x8xf32> {
  // CHECK: %[[ROOT:.*]] = stablehlo.divide
  // CHECK: stablehlo.dynamic_slice %arg0
  // CHECK: comm.broadcast %{{.*}}, %[[ROOT]] over <@m, {"x"}>
  %c = stablehlo.constant dense<0> : tensor<i32>
  %0 = stablehlo.dynamic_slice %a, %i, %c, sizes = [1, 8] : (tensor<16x8xf32>, tensor<i32>, tensor<i32>) -> tensor<1x8xf32>
  return %0 : tensor<1x8xf32>
}
