// The host program round-trips.
// RUN: shoal-opt %s --allow-unregistered-dialect | shoal-opt --allow-unregistered-dialect | FileCheck %s

plan.kernel @k(%a: tensor<8xf32>, %i: tensor<i32> {plan.scalar}) -> tensor<8xf32> {
  plan.yield %a : tensor<8xf32>
}
plan.kernel @p(%a: tensor<8xf32>) -> tensor<i1> {
  %c = "test.p"(%a) : (tensor<8xf32>) -> tensor<i1>
  plan.yield %c : tensor<i1>
}

// CHECK-LABEL: plan.program @main attributes {
plan.program @main attributes {arg_types = [tensor<4x8xf32>], result_types = [tensor<8xf32>]} {
  // CHECK: %[[ARG:.*]] = plan.argument 0 : <4x8xf32>
  %arg = plan.argument 0 : !plan.buffer<4x8xf32>
  // CHECK: plan.result 0 : <8xf32>
  %res = plan.result 0 : !plan.buffer<8xf32>
  // CHECK: %[[A:.*]] = plan.alloc at 0 : <8xf32>
  %a = plan.alloc at 0 : !plan.buffer<8xf32>
  // CHECK: %[[B:.*]] = plan.alloc : <8xf32>
  %b = plan.alloc : !plan.buffer<8xf32>
  %p = plan.alloc : !plan.buffer<i1>
  // CHECK: plan.constant dense<1.000000e+00> : tensor<8xf32> : <8xf32>
  %c = plan.constant dense<1.0> : tensor<8xf32> : !plan.buffer<8xf32>
  %c0 = plan.const 0
  %c1 = plan.const 1
  %c4 = plan.const 4
  // CHECK: plan.for %[[I:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter(%[[X:.*]] = %[[A]], %[[Y:.*]] = %[[B]]) : !plan.buffer<8xf32>, !plan.buffer<8xf32> {
  %f:2 = plan.for %i = %c0 to %c4 step %c1 iter(%x = %a, %y = %b) : !plan.buffer<8xf32>, !plan.buffer<8xf32> {
    // CHECK: plan.scalar sub %{{.*}}, %[[I]]
    %j = plan.scalar sub %c4, %i
    %w = plan.wrap %j to 32
    // CHECK: plan.view %[[ARG]][0] (%{{.*}}) * [32] : <4x8xf32> -> <8xf32>
    %v = plan.view %arg[0] (%i) * [32] : !plan.buffer<4x8xf32> -> !plan.buffer<8xf32>
    // CHECK: plan.exec @k(%{{.*}}) scalars(%{{.*}}) to(%[[Y]]) : (!plan.buffer<8xf32>) -> (!plan.buffer<8xf32>)
    plan.exec @k(%v) scalars(%w) to(%y) : (!plan.buffer<8xf32>) -> (!plan.buffer<8xf32>)
    // CHECK: plan.yield %[[Y]], %[[X]]
    plan.yield %y, %x : !plan.buffer<8xf32>, !plan.buffer<8xf32>
  }
  // CHECK: plan.while iter(%{{.*}} = %{{.*}}) : !plan.buffer<8xf32> cond {
  %l = plan.while iter(%x = %f#0) : !plan.buffer<8xf32> cond {
    plan.exec @p(%x) to(%p) : (!plan.buffer<8xf32>) -> (!plan.buffer<i1>)
    %q = plan.read_scalar %p : !plan.buffer<i1>
    // CHECK: plan.condition
    // CHECK-NEXT: } do (%{{.*}}) {
    plan.condition %q
  } do (%x) {
    plan.yield %x : !plan.buffer<8xf32>
  }
  // CHECK: plan.collective all_reduce <"dp", digits = [2, 4]>({{.*}}) to({{.*}}) {reduction = #plan<reduction add>}
  plan.collective all_reduce <"dp", digits = [2, 4]> (%l) to (%l) {reduction = #plan<reduction add>} : (!plan.buffer<8xf32>) -> (!plan.buffer<8xf32>)
  // CHECK: plan.case
  plan.case %c1 {
    plan.copy %l to %res : !plan.buffer<8xf32> -> !plan.buffer<8xf32>
    plan.yield
  }, {
    plan.yield
  }
  plan.yield
}
