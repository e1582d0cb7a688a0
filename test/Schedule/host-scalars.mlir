// A kernel that is launched with a loop counter and with data gets a variant for
// each: counters arrive by value, data in memory.
// RUN: shoal-opt %s --shoal-bind-host-scalars | FileCheck %s
// RUN: shoal-opt %s --shoal-schedule-pipeline | FileCheck %s --check-prefix=PLAN

// CHECK: plan.kernel @at(%{{.*}}: tensor<4xf32>, %{{.*}}: tensor<i32>) -> tensor<f32>
// CHECK: plan.kernel @at_0(%{{.*}}: tensor<4xf32>, %{{.*}}: tensor<i32> {plan.scalar}) -> tensor<f32>
plan.kernel @at(%x: tensor<4xf32>, %i: tensor<i32>) -> tensor<f32> {
  %0 = stablehlo.dynamic_slice %x, %i, sizes = [1] : (tensor<4xf32>, tensor<i32>) -> tensor<1xf32>
  %1 = stablehlo.reshape %0 : (tensor<1xf32>) -> tensor<f32>
  plan.yield %1 : tensor<f32>
}

// PLAN: plan.for %[[I:[a-z0-9]+]] =
// The counter modulo 4, in 32 bits:
// PLAN:   %[[J:.*]] = plan.scalar rem %[[I]]
// PLAN:   plan.exec @at_0({{.*}}) scalars(%[[J]])
// PLAN: plan.exec @at(%{{.*}}, %{{.*}}) to
func.func @main(%x: tensor<4xf32>, %k: tensor<i32>) -> (tensor<f32>, tensor<f32>) {
  %c0 = stablehlo.constant dense<0> : tensor<i32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %r:2 = stablehlo.while(%i = %c0, %a = %z) : tensor<i32>, tensor<f32>
  cond {
    %n = stablehlo.constant dense<9> : tensor<i32>
    %p = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %c1 = stablehlo.constant dense<1> : tensor<i32>
    %c4 = stablehlo.constant dense<4> : tensor<i32>
    %j = stablehlo.remainder %i, %c4 : tensor<i32>
    // CHECK: plan.launch @at_0
    %v = plan.launch @at(%x, %j) : (tensor<4xf32>, tensor<i32>) -> tensor<f32>
    %i2 = stablehlo.add %i, %c1 : tensor<i32>
    stablehlo.return %i2, %v : tensor<i32>, tensor<f32>
  }
  // CHECK: plan.launch @at(
  %v = plan.launch @at(%x, %k) : (tensor<4xf32>, tensor<i32>) -> tensor<f32>
  return %r#1, %v : tensor<f32>, tensor<f32>
}
