// A scan over stacked weights that saves its activations: weights are read
// through views at the loop counter, activations are written right into their
// slice, the counter stays on the host. Only the carried row is copied, once in
// (the argument is not donated) and once out (the buffers changed places).
// RUN: shoal-opt %s --shoal-schedule-pipeline | FileCheck %s

plan.kernel @zeros() -> tensor<3x8xf32> {
  %c = stablehlo.constant dense<0.0> : tensor<3x8xf32>
  plan.yield %c : tensor<3x8xf32>
}
plan.kernel @layer(%x: tensor<8xf32>, %w: tensor<8xf32>) -> (tensor<8xf32>, tensor<1x8xf32>) {
  %0 = stablehlo.add %x, %w : tensor<8xf32>
  %1 = stablehlo.reshape %0 : (tensor<8xf32>) -> tensor<1x8xf32>
  plan.yield %0, %1 : tensor<8xf32>, tensor<1x8xf32>
}

// CHECK-LABEL: plan.program @main
// CHECK-SAME: copied_bytes = 64
// CHECK: %[[X:.*]] = plan.argument 0
// CHECK: %[[W:.*]] = plan.argument 1
// CHECK-DAG: %[[ACTS:.*]] = plan.result 1
// CHECK: plan.exec @zeros() to(%[[ACTS]])
// CHECK: plan.for %[[I:.*]] = %{{.*}} to %{{.*}} step
// CHECK-SAME: attributes {trip_count = 3 : i64}
// CHECK-DAG: %[[WI:.*]] = plan.view %[[W]][0] (%[[I]]) * [32] : <3x8xf32> -> <8xf32>
// CHECK-DAG: %[[OUT:.*]] = plan.view %[[ACTS]][0] (%[[I]]) * [32]
// CHECK:   plan.exec @layer(%{{.*}}, %[[WI]]) to(%{{.*}}, %[[OUT]])
// CHECK-NOT: plan.copy
// CHECK:   plan.yield
func.func @main(%x: tensor<8xf32>, %w: tensor<3x8xf32>) -> (tensor<8xf32>, tensor<3x8xf32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %acts = plan.launch @zeros() : () -> tensor<3x8xf32>
  %r:4 = stablehlo.while(%i = %zero, %h = %x, %ws = %w, %a = %acts) : tensor<i32>, tensor<8xf32>, tensor<3x8xf32>, tensor<3x8xf32>
  cond {
    %n = stablehlo.constant dense<3> : tensor<i32>
    %p = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %c0 = stablehlo.constant dense<0> : tensor<i32>
    %s = stablehlo.dynamic_slice %ws, %i, %c0, sizes = [1, 8] : (tensor<3x8xf32>, tensor<i32>, tensor<i32>) -> tensor<1x8xf32>
    %wi = stablehlo.reshape %s : (tensor<1x8xf32>) -> tensor<8xf32>
    %y:2 = plan.launch @layer(%h, %wi) : (tensor<8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<1x8xf32>)
    %a2 = stablehlo.dynamic_update_slice %a, %y#1, %i, %c0 : (tensor<3x8xf32>, tensor<1x8xf32>, tensor<i32>, tensor<i32>) -> tensor<3x8xf32>
    %i2 = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %i2, %y#0, %ws, %a2 : tensor<i32>, tensor<8xf32>, tensor<3x8xf32>, tensor<3x8xf32>
  }
  return %r#1, %r#3 : tensor<8xf32>, tensor<3x8xf32>
}
