// RUN: shoal-opt %s --split-input-file --shoal-propagate --shoal-choose --shoal-insert-reshards --shoal-partition-pipeline | FileCheck %s

// Windows along cut dimensions: each device fetches the stretch that its part
// reads, and what it convolves or reduces is local.

// A row above and a row below.
// CHECK-LABEL: func @conv(
shoal.mesh @m <["x"=4]>
func.func @conv(
    %a: tensor<2x16x8x3xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}, {}, {}]>},
    %k: tensor<3x3x3x5xf32>)
    -> (tensor<2x16x8x5xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}, {}, {}]>}) {
  // CHECK: comm.reblock %arg0, %{{.*}} dim = 1 size = 16 offset = -1 step = 4 {{.*}} -> tensor<2x6x8x3xf32>
  // CHECK: stablehlo.convolution{{.*}}pad = {{\[\[}}0, 0], [1, 1]]
  // CHECK-NOT: comm
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {pad = [[1, 1], [1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x16x8x3xf32>, tensor<3x3x3x5xf32>) -> tensor<2x16x8x5xf32>
  return %0 : tensor<2x16x8x5xf32>
}

// -----

// The gradient of a kernel: the image is the window. Devices share its taps,
// and the result is a sum over them.
// CHECK-LABEL: func @kernel_gradient(
shoal.mesh @m <["x"=4]>
func.func @kernel_gradient(
    %a: tensor<16x2x3xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}, {}]>},
    %g: tensor<16x2x5xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}, {}]>})
    -> (tensor<3x3x5xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {}, {}]>}) {
  // CHECK: comm.reblock %arg0, %{{.*}} dim = 0 size = 16 offset = -1 step = 4 {{.*}} -> tensor<6x2x3xf32>
  // CHECK: stablehlo.convolution(%{{.*}}, %arg1){{.*}}pad = {{\[\[}}0, 0]]{{.*}}(tensor<6x2x3xf32>, tensor<4x2x5xf32>) -> tensor<3x3x5xf32>
  // CHECK: comm.all_reduce add
  // CHECK-NOT: comm
  %0 = stablehlo.convolution(%a, %g) dim_numbers = [0, f, b]x[0, i, o]->[0, b, f], window = {pad = [[1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<16x2x3xf32>, tensor<16x2x5xf32>) -> tensor<3x3x5xf32>
  return %0 : tensor<3x3x5xf32>
}

// -----

// The gradient of a strided convolution's input, or an upsampling: base
// dilation stays, and the edge padding that is left is the same everywhere.
// CHECK-LABEL: func @transposed(
shoal.mesh @m <["x"=4]>
func.func @transposed(
    %a: tensor<2x8x3xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}, {}]>},
    %k: tensor<4x3x5xf32>)
    -> (tensor<2x16x5xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}, {}]>}) {
  // CHECK: comm.reblock %arg0, %{{.*}} dim = 1 size = 8 offset = -1 step = 2 {{.*}} -> tensor<2x4x3xf32>
  // CHECK: stablehlo.convolution{{.*}}pad = {{\[\[}}0, 0]], lhs_dilate = [2]
  // CHECK-NOT: comm
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], window = {pad = [[2, 2]], lhs_dilate = [2]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x8x3xf32>, tensor<4x3x5xf32>) -> tensor<2x16x5xf32>
  return %0 : tensor<2x16x5xf32>
}

// -----

// Mamba's convolution: causal, one kernel for each channel, time and channels
// cut.
// CHECK-LABEL: func @depthwise(
shoal.mesh @m <["t"=4, "c"=2]>
func.func @depthwise(
    %a: tensor<2x32x6xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"t"}, {"c"}]>},
    %k: tensor<4x1x6xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {}, {"c"}]>})
    -> (tensor<2x32x6xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"t"}, {"c"}]>}) {
  // CHECK: comm.reblock %arg0, %{{.*}} dim = 1 size = 32 offset = -3 step = 8 over <@m, {"t"}> {{.*}} -> tensor<2x11x3xf32>
  // CHECK: stablehlo.convolution(%{{.*}}, %arg1){{.*}}feature_group_count = 3 : i64
  // CHECK-NOT: comm
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], window = {pad = [[3, 0]]} {batch_group_count = 1 : i64, feature_group_count = 6 : i64} : (tensor<2x32x6xf32>, tensor<4x1x6xf32>) -> tensor<2x32x6xf32>
  return %0 : tensor<2x32x6xf32>
}

// -----

// One window over everything: its taps are shared, and the result is a sum.
// CHECK-LABEL: func @global_pool(
shoal.mesh @m <["x"=4]>
func.func @global_pool(
    %a: tensor<2x10x8xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}, {}]>})
    -> (tensor<2x1x8xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {}, {}]>}) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  // CHECK: comm.reblock %arg0, %{{.*}} dim = 1 size = 10 step = 3
  // CHECK: "stablehlo.reduce_window"{{.*}}window_dimensions = array<i64: 1, 3, 1>
  // CHECK: comm.all_reduce add
  // CHECK-NOT: comm
  %0 = "stablehlo.reduce_window"(%a, %z) <{window_dimensions = array<i64: 1, 10, 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %s = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) : (tensor<2x10x8xf32>, tensor<f32>) -> tensor<2x1x8xf32>
  return %0 : tensor<2x1x8xf32>
}

// -----

// The gradient of a max pool: windows that touch a device's part of the result
// are fetched, what they select outside of it is dropped.
// CHECK-LABEL: func @max_pool_gradient(
shoal.mesh @m <["x"=4]>
func.func @max_pool_gradient(
    %a: tensor<2x16xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}]>},
    %g: tensor<2x8xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}]>})
    -> (tensor<2x16xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}]>}) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  // CHECK-DAG: comm.reblock %arg0 dim = 1 size = 16 offset = -2 step = 4 {{.*}} -> tensor<2x7xf32>
  // CHECK-DAG: comm.reblock %arg1 dim = 1 size = 8 offset = -1 step = 2 {{.*}} -> tensor<2x3xf32>
  // CHECK: "stablehlo.scatter"
  // CHECK-NOT: comm.all
  %0 = "stablehlo.select_and_scatter"(%a, %g, %z) <{padding = dense<[[0, 0], [0, 1]]> : tensor<2x2xi64>, window_dimensions = array<i64: 1, 3>, window_strides = array<i64: 1, 2>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %s = stablehlo.compare GE, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %s : tensor<i1>
  }, {
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %s = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) : (tensor<2x16xf32>, tensor<2x8xf32>, tensor<f32>) -> tensor<2x16xf32>
  return %0 : tensor<2x16xf32>
}

// -----

// Interior padding: blocks that begin on an element; the last step moves them
// to the blocks that the result has by default.
// CHECK-LABEL: func @interior(
shoal.mesh @m <["x"=4]>
func.func @interior(
    %a: tensor<10xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})
    -> (tensor<19xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) {
  %z = stablehlo.constant dense<1.0> : tensor<f32>
  // CHECK: %[[P:.*]] = stablehlo.pad %arg0, {{.*}}high = [1], interior = [1] : (tensor<3xf32>, tensor<f32>) -> tensor<6xf32>
  // CHECK: comm.reblock %[[P]] dim = 0 size = 19 over
  // CHECK-NOT: comm
  %0 = stablehlo.pad %a, %z, low = [0], high = [0], interior = [1] : (tensor<10xf32>, tensor<f32>) -> tensor<19xf32>
  return %0 : tensor<19xf32>
}

// -----

// The last step of a sequence comes from the device that has it.
// CHECK-LABEL: func @last(
shoal.mesh @m <["x"=4]>
func.func @last(
    %a: tensor<64x128xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>})
    -> (tensor<1x128xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {}]>}) {
  // CHECK: %[[MINE:.*]] = stablehlo.slice %arg0 [15:16, 0:128]
  // CHECK: comm.broadcast %[[MINE]] root = 3 over <@m, {"x"}>
  // CHECK-NOT: comm.{{[^a]}}
  %0 = stablehlo.slice %a [63:64, 0:128] : (tensor<64x128xf32>) -> tensor<1x128xf32>
  return %0 : tensor<1x128xf32>
}

// -----

// Some devices share the windows, others their taps.
// CHECK-LABEL: func @windows_and_taps(
shoal.mesh @m <["x"=4, "k"=2]>
func.func @windows_and_taps(
    %a: tensor<8x1x64xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}, {}]>},
    %k: tensor<8x64x64xf32> {shoal.sharding = #shoal.sharding<@m, [{"k"}, {}, {}]>})
    -> (tensor<8x1x64xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}, {}]>}) {
  // CHECK: comm.reblock %arg0, %{{.*}} dim = 0 size = 8 offset = -7 step = 2 over <@m, {"x"}> {{.*}} -> tensor<9x1x64xf32>
  // CHECK: stablehlo.dynamic_slice {{.*}} -> tensor<5x1x64xf32>
  // CHECK: stablehlo.convolution{{.*}}(tensor<5x1x64xf32>, tensor<4x64x64xf32>) -> tensor<2x1x64xf32>
  // CHECK: comm.all_reduce add {{.*}} over <@m, {"k"}>
  // CHECK-NOT: comm
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [0, b, f]x[0, i, o]->[0, b, f], window = {pad = [[7, 0]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<8x1x64xf32>, tensor<8x64x64xf32>) -> tensor<8x1x64xf32>
  return %0 : tensor<8x1x64xf32>
}
