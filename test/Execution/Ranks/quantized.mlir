// A quantized image model on eight ranks gives the very numbers that one device
// gives: convolution and bias in 32-bit accumulators with a scale per channel,
// relu, pooling, a dense layer, and one whose weights alone are quantized.
// RUN: shoal-run %s --single-device --input=random:5 --output=%t.npz
// RUN: shoal-run %s --input=random:5 --check=%t.npz
// RUN: shoal-opt --shoal-import-pipeline %s | FileCheck %s

// CHECK: func.func @main(%{{.*}}: tensor<8x12x12x3xf32> {shoal.sharding = #shoal.sharding<@mesh, [{"data"}, {}, {}, {}]>}
// CHECK-SAME: tensor<3x3x3x4xi8> {shoal.sharding = #shoal.sharding<@mesh, [{}, {}, {}, {"model"}]>}
// CHECK-NOT: quant.uniform

!image = !quant.uniform<i8:f32, 0.05:-20>
!kernel = !quant.uniform<i8<-127:127>:f32:3, {0.01, 0.02, 0.015, 0.0125}>
!sums = !quant.uniform<i32:f32:3, {0.0005, 0.001, 0.00075, 0.000625}>
!bias = !quant.uniform<i32:f32:0, {0.0005, 0.001, 0.00075, 0.000625}>
!hidden = !quant.uniform<i8:f32, 0.02:-128>
!dense = !quant.uniform<i8<-127:127>:f32, 0.01>
!logits = !quant.uniform<i32:f32, 0.0002>
!head = !quant.uniform<i8:f32:1, {0.01, 0.02, 0.03, 0.04, 0.05, 0.06}>

sdy.mesh @mesh = <["data"=2, "model"=4]>

func.func @main(
    %x: tensor<8x12x12x3xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"data"}, {}, {}, {}]>},
    %w: tensor<3x3x3x4x!kernel> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {}, {"model"}]>},
    %b: tensor<4x!bias>,
    %d: tensor<144x8x!dense> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>},
    %h: tensor<8x6x!head>) -> (tensor<8x6xf32>, tensor<8x6x6x4x!hidden>) {
  %q = stablehlo.uniform_quantize %x : (tensor<8x12x12x3xf32>) -> tensor<8x12x12x3x!image>
  %0 = stablehlo.convolution(%q, %w)
      dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f],
      window = {pad = [[1, 1], [1, 1]]}
      {batch_group_count = 1 : i64, feature_group_count = 1 : i64}
      : (tensor<8x12x12x3x!image>, tensor<3x3x3x4x!kernel>) -> tensor<8x12x12x4x!sums>
  %1 = stablehlo.broadcast_in_dim %b, dims = [3] : (tensor<4x!bias>) -> tensor<8x12x12x4x!sums>
  %2 = stablehlo.add %0, %1 : tensor<8x12x12x4x!sums>
  %3 = stablehlo.uniform_quantize %2 : (tensor<8x12x12x4x!sums>) -> tensor<8x12x12x4x!hidden>
  %low = stablehlo.constant() <{value = dense<-128> : tensor<i8>}> : () -> tensor<!hidden>
  %4 = "stablehlo.reduce_window"(%3, %low) <{
      window_dimensions = array<i64: 1, 2, 2, 1>, window_strides = array<i64: 1, 2, 2, 1>}> ({
    ^bb0(%l: tensor<!hidden>, %r: tensor<!hidden>):
      %m = stablehlo.maximum %l, %r : tensor<!hidden>
      stablehlo.return %m : tensor<!hidden>
  }) : (tensor<8x12x12x4x!hidden>, tensor<!hidden>) -> tensor<8x6x6x4x!hidden>
  %5 = stablehlo.reshape %4 : (tensor<8x6x6x4x!hidden>) -> tensor<8x144x!hidden>
  %6 = stablehlo.dot_general %5, %d, contracting_dims = [1] x [0]
      : (tensor<8x144x!hidden>, tensor<144x8x!dense>) -> tensor<8x8x!logits>
  %7 = stablehlo.uniform_dequantize %6 : (tensor<8x8x!logits>) -> tensor<8x8xf32>
  %8 = stablehlo.dot_general %7, %h, contracting_dims = [1] x [0]
      : (tensor<8x8xf32>, tensor<8x6x!head>) -> tensor<8x6xf32>
  return %8, %4 : tensor<8x6xf32>, tensor<8x6x6x4x!hidden>
}
