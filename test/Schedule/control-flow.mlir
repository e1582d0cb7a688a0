// Loops, branches and donated arguments share memory where liveness allows.
// RUN: shoal-opt %s --split-input-file --allow-unregistered-dialect --shoal-schedule-pipeline | FileCheck %s

// A data-dependent loop: the host reads the predicate, and only that. The kernel
// overwrites what is carried.
plan.kernel @small(%x: tensor<4xf32>) -> tensor<i1> {
  %c = "test.small"(%x) : (tensor<4xf32>) -> tensor<i1>
  plan.yield %c : tensor<i1>
}
plan.kernel @twice(%x: tensor<4xf32>) -> tensor<4xf32> attributes {may_overwrite = array<i64: 0, 0>} {
  %0 = stablehlo.add %x, %x : tensor<4xf32>
  plan.yield %0 : tensor<4xf32>
}
// CHECK-LABEL: plan.program @main
// CHECK-SAME: copied_bytes = 16
// CHECK: %[[X:.*]] = plan.argument 0
// CHECK: %[[R:.*]] = plan.result 0
// CHECK: plan.copy %[[X]] to %[[R]]
// CHECK: plan.while cond {
// CHECK:   plan.exec @small(%[[R]])
// CHECK:   %[[P:.*]] = plan.read_scalar
// CHECK:   plan.condition %[[P]]
// CHECK: } do () {
// CHECK:   plan.exec @twice(%[[R]]) to(%[[R]])
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = stablehlo.while(%h = %x) : tensor<4xf32>
  cond {
    %p = plan.launch @small(%h) : (tensor<4xf32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %y = plan.launch @twice(%h) : (tensor<4xf32>) -> tensor<4xf32>
    stablehlo.return %y : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

// Two carried values that change places are exchanged as handles.
// CHECK-LABEL: plan.program @main
// CHECK: %[[F:.*]]:2 = plan.for %{{.*}} iter(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}}) :
// CHECK-NOT: plan.copy
// CHECK: plan.yield %[[B]], %[[A]]
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %r:3 = stablehlo.while(%i = %zero, %a = %x, %b = %y) : tensor<i32>, tensor<4xf32>, tensor<4xf32>
  cond {
    %n = stablehlo.constant dense<3> : tensor<i32>
    %p = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %i2 = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %i2, %b, %a : tensor<i32>, tensor<4xf32>, tensor<4xf32>
  }
  return %r#1, %r#2 : tensor<4xf32>, tensor<4xf32>
}

// -----

// A donated argument is updated in place, without memory of its own.
plan.kernel @inc(%x: tensor<4xf32>) -> tensor<4xf32> attributes {may_overwrite = array<i64: 0, 0>} {
  %0 = stablehlo.add %x, %x : tensor<4xf32>
  plan.yield %0 : tensor<4xf32>
}
// CHECK-LABEL: plan.program @main
// CHECK-SAME: arena_bytes = 0
// CHECK: %[[X:.*]] = plan.argument 0
// CHECK: plan.result 0 in argument 0
// CHECK: plan.exec @inc(%[[X]]) to(%[[X]])
func.func @main(%x: tensor<4xf32> {tf.aliasing_output = 0 : i32}) -> tensor<4xf32> {
  %0 = plan.launch @inc(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Branches write into the memory of the result; a value passed through is copied.
plan.kernel @inc(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %x, %x : tensor<4xf32>
  plan.yield %0 : tensor<4xf32>
}
// CHECK-LABEL: plan.program @main
// CHECK: %[[X:.*]] = plan.argument 1
// CHECK: %[[R:.*]] = plan.result 0
// CHECK: %[[P:.*]] = plan.read_scalar
// CHECK: %[[I:.*]] = plan.scalar sub %{{.*}}, %[[P]]
// CHECK: plan.case %[[I]]
// CHECK:   plan.exec @inc(%[[X]]) to(%[[R]])
// CHECK: }, {
// CHECK:   plan.copy %[[X]] to %[[R]]
func.func @main(%p: tensor<i1>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %r = "stablehlo.if"(%p) ({
    %y = plan.launch @inc(%x) : (tensor<4xf32>) -> tensor<4xf32>
    stablehlo.return %y : tensor<4xf32>
  }, {
    stablehlo.return %x : tensor<4xf32>
  }) : (tensor<i1>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// -----

// Results that are arguments or constants get memory of their own; a host scalar
// is written once; an argument returned twice is copied twice.
// CHECK-LABEL: plan.program @main
// CHECK: plan.copy %{{.*}} to
// CHECK: plan.copy %{{.*}} to
// CHECK: plan.fill %{{.*}} with 1.0
// CHECK: plan.write_scalar
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<i32>) {
  %c = stablehlo.constant dense<1.0> : tensor<4xf32>
  %i = stablehlo.constant dense<7> : tensor<i32>
  return %x, %x, %c, %i : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<i32>
}

// -----

// What stands outside kernels gets one; memory is reused after its last use.
// CHECK: plan.kernel @tanh
// CHECK-LABEL: plan.program @main
// CHECK-SAME: arena_bytes = 128
// CHECK: plan.exec @tanh
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.tanh %x : tensor<4xf32>
  %1 = stablehlo.tanh %0 : tensor<4xf32>
  %2 = stablehlo.tanh %1 : tensor<4xf32>
  %3 = stablehlo.tanh %2 : tensor<4xf32>
  return %3 : tensor<4xf32>
}

// -----

// The condition may not destroy what the loop carries: it may be the result.
plan.kernel @not(%x: tensor<i1>) -> tensor<i1> attributes {may_overwrite = array<i64: 0, 0>} {
  %0 = stablehlo.not %x : tensor<i1>
  plan.yield %0 : tensor<i1>
}
plan.kernel @flip(%x: tensor<i1>) -> tensor<i1> attributes {may_overwrite = array<i64: 0, 0>} {
  %0 = stablehlo.not %x : tensor<i1>
  plan.yield %0 : tensor<i1>
}
// CHECK-LABEL: plan.program @main
// CHECK: %[[R:.*]] = plan.result 0
// CHECK: %[[P:.*]] = plan.alloc
// CHECK: plan.while cond {
// CHECK:   plan.exec @not(%[[R]]) to(%[[P]])
func.func @main(%x: tensor<i1>) -> tensor<i1> {
  %r = stablehlo.while(%h = %x) : tensor<i1>
  cond {
    %p = plan.launch @not(%h) : (tensor<i1>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %y = plan.launch @flip(%h) : (tensor<i1>) -> tensor<i1>
    stablehlo.return %y : tensor<i1>
  }
  return %r : tensor<i1>
}

// -----

// What one branch copies into a result must not destroy what it yields as another:
// here the second branch exchanges the two.
// CHECK-LABEL: plan.program @main
// CHECK: plan.case
// CHECK: }, {
// CHECK:   plan.copy %[[A:.*]] to %[[R0:.*]] :
// CHECK:   plan.copy %[[B:.*]] to %[[R1:.*]] :
// CHECK-NOT: plan.copy %{{.*}} to %[[A]]
plan.kernel @make(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = stablehlo.add %x, %x : tensor<4xf32>
  %1 = stablehlo.multiply %x, %x : tensor<4xf32>
  plan.yield %0, %1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%p: tensor<i1>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %v:2 = plan.launch @make(%x) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  %r:2 = "stablehlo.if"(%p) ({
    stablehlo.return %v#0, %v#1 : tensor<4xf32>, tensor<4xf32>
  }, {
    stablehlo.return %v#1, %v#0 : tensor<4xf32>, tensor<4xf32>
  }) : (tensor<i1>) -> (tensor<4xf32>, tensor<4xf32>)
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
