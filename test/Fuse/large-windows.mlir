// RUN: shoal-opt %s --shoal-fuse | FileCheck %s

// 1000 neighbours by doubling: no window is left. 512 + 256 + 128 + 64 + 32 + 8.
// CHECK-LABEL: func.func @sum
// CHECK-NOT:   reduce_window
func.func @sum(%x: tensor<100000xf32>) -> tensor<99001xf32> {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = "stablehlo.reduce_window"(%x, %zero) <{window_dimensions = array<i64: 1000>}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %c = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %c : tensor<f32>
  }) : (tensor<100000xf32>, tensor<f32>) -> tensor<99001xf32>
  return %0 : tensor<99001xf32>
}

// Small windows, and prefixes (linear by themselves), stay as they are; of an
// initial value that counts, so do sums.
// CHECK-LABEL: func.func @small
// CHECK-COUNT-3: plan.launch @{{.*}}reduce_window
func.func @small(%x: tensor<64x64xf32>, %y: tensor<4096xf32>) -> (tensor<62x62xf32>, tensor<4096xf32>, tensor<3097xf32>) {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %one = stablehlo.constant dense<1.0> : tensor<f32>
  %0 = "stablehlo.reduce_window"(%x, %zero) <{window_dimensions = array<i64: 3, 3>}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %c = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %c : tensor<f32>
  }) : (tensor<64x64xf32>, tensor<f32>) -> tensor<62x62xf32>
  %1 = "stablehlo.reduce_window"(%y, %zero) <{window_dimensions = array<i64: 4096>, padding = dense<[[4095, 0]]> : tensor<1x2xi64>}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %c = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %c : tensor<f32>
  }) : (tensor<4096xf32>, tensor<f32>) -> tensor<4096xf32>
  %2 = "stablehlo.reduce_window"(%y, %one) <{window_dimensions = array<i64: 1000>}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %c = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %c : tensor<f32>
  }) : (tensor<4096xf32>, tensor<f32>) -> tensor<3097xf32>
  return %0, %1, %2 : tensor<62x62xf32>, tensor<4096xf32>, tensor<3097xf32>
}
