// RUN: shoal-opt %s --shoal-import-sdy --split-input-file | FileCheck %s

// CHECK: shoal.mesh @mesh <["x"=2, "y"=4]>
sdy.mesh @mesh = <["x"=2, "y"=4]>
// CHECK-NOT: @empty
sdy.mesh @empty = <[]>
// CHECK-LABEL: func.func @main(
// CHECK-SAME{LITERAL}: {shoal.sharding = #shoal.sharding<@mesh, [{"x", "y":(1)2, ?}p1, {}], replicated = {"y":(2)2}>}
// CHECK-SAME: %{{.*}}: tensor<8x8xf32>)
func.func @main(%a: tensor<8x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x", "y":(1)2, ?}p1, {}], replicated={"y":(2)2}>},
                %b: tensor<8x8xf32> {sdy.sharding = #sdy.sharding<@empty, [{}, {}]>}) -> tensor<8x8xf32> {
  // CHECK: shoal.constraint %{{.*}} <@mesh, [{"x"}, {?}]> : tensor<8x8xf32>
  %0 = sdy.sharding_constraint %a <@mesh, [{"x"}, {?}]> : tensor<8x8xf32>
  // CHECK: shoal.group %{{.*}} id = 1
  sdy.sharding_group %0 group_id=1 : tensor<8x8xf32>
  // CHECK: shoal.barrier %{{.*}} allowed_direction = forward
  %1 = sdy.propagation_barrier %0 allowed_direction=FORWARD : tensor<8x8xf32>
  // CHECK: shoal.manual(%{{.*}}) in_shardings=[<@mesh, [{"x"}, {}]>] out_shardings=[<@mesh, [{}, {"x"}]>] manual_axes={"x"}
  %2 = sdy.manual_computation(%1) in_shardings=[<@mesh, [{"x"}, {}]>] out_shardings=[<@mesh, [{}, {"x"}]>] manual_axes={"x"} (%i: tensor<4x8xf32>) {
    %3 = stablehlo.reshape %i : (tensor<4x8xf32>) -> tensor<8x4xf32>
    // CHECK: shoal.return
    sdy.return %3 : tensor<8x4xf32>
  } : (tensor<8x8xf32>) -> tensor<8x8xf32>
  // CHECK: stablehlo.custom_call @f
  // CHECK-SAME: shoal.sharding_rule = #shoal.op_rule<([i, j])->([i, k]) {i=8, j=8, k=8} reduction={j} custom>
  // CHECK-SAME: shoal.shardings = #shoal.sharding_per_value<[<@mesh, [{}, {"x"}]>]>
  %4 = stablehlo.custom_call @f(%2) {sdy.sharding_rule = #sdy.op_sharding_rule<([i, j])->([i, k]) {i=8, j=8, k=8} reduction={j}, custom>, sdy.sharding = #sdy.sharding_per_value<[<@mesh, [{}, {"x"}]>]>} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return %4 : tensor<8x8xf32>
}

// -----

// Shardings in the scalar body of a reduction say nothing.
sdy.mesh @mesh = <["x"=2]>
// CHECK-LABEL: func.func @scalar_region
func.func @scalar_region(%a: tensor<8xf32>, %init: tensor<f32>) -> tensor<f32> {
  // CHECK-NOT: shoal.constraint
  %0 = "stablehlo.reduce"(%a, %init) <{dimensions = array<i64: 0>}> ({
  ^bb0(%p: tensor<f32>, %q: tensor<f32>):
    %s = stablehlo.add %p, %q : tensor<f32>
    %t = sdy.sharding_constraint %s <@mesh, []> : tensor<f32>
    stablehlo.return %t : tensor<f32>
  }) : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}
