// REQUIRES: jax
// RUN: %python %S/compare_with_shardy.py --shoal-opt shoal-opt --strict %s
//
// Priorities, closed dimensions, barriers, groups, manual regions with free
// axes, sub-axes through reshapes: every sharding equals what Shardy makes of
// it, open and closed included.

sdy.mesh @mesh = <["a"=2, "b"=2, "c"=4]>
func.func @main(%0: tensor<8x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"a", ?}p1, {?}p2]>},
                %1: tensor<8x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"b", ?}, {"a", ?}p1]>},
                %2: tensor<8x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{?}, {"c"}p3]>},
                %3: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"b", "c":(1)2, ?}p1, {?}]>}, tensor<8x8xf32>, tensor<16x4xf32>, tensor<2x4x8xf32>) {
  %4 = stablehlo.add %0, %1 : tensor<8x8xf32>
  %5 = stablehlo.dot_general %4, %2, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %6 = stablehlo.multiply %5, %3 : tensor<8x8xf32>
  %7 = sdy.propagation_barrier %6 allowed_direction=BACKWARD : tensor<8x8xf32>
  %8 = stablehlo.tanh %7 : tensor<8x8xf32>
  sdy.sharding_group %8 group_id=3 : tensor<8x8xf32>
  %9 = stablehlo.sine %2 : tensor<8x8xf32>
  sdy.sharding_group %9 group_id=3 : tensor<8x8xf32>
  %10 = sdy.manual_computation(%6, %9) in_shardings=[<@mesh, [{"a"}, {?}]>, <@mesh, [{?}, {"a", ?}]>] out_shardings=[<@mesh, [{"a", ?}, {?}]>] manual_axes={"a"} (%x: tensor<4x8xf32>, %y: tensor<8x4xf32>) {
    %20 = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0] : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
    %21 = stablehlo.concatenate %20, %20, dim = 1 : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x8xf32>
    %22 = stablehlo.add %21, %x : tensor<4x8xf32>
    sdy.return %22 : tensor<4x8xf32>
  } : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %11 = stablehlo.abs %10 : tensor<8x8xf32>
  %12 = stablehlo.reshape %11 : (tensor<8x8xf32>) -> tensor<16x4xf32>
  %13 = stablehlo.reshape %8 : (tensor<8x8xf32>) -> tensor<2x4x8xf32>
  return %8, %6, %11, %12, %13 : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<16x4xf32>, tensor<2x4x8xf32>
}
