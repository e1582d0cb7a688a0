// The element that a started reblock fills with is in use until it is done:
// what is written meanwhile lies elsewhere. (Found by sharded_ops.py, seed 8007.)
// RUN: shoal-opt %s --shoal-assign-offsets | FileCheck %s

// CHECK-LABEL: plan.program @main
// CHECK: %[[FILL:.*]] = plan.alloc at 0 : <f32>
// CHECK-NEXT: plan.alloc at 64 : <8xf32>
// CHECK: plan.collective_start reblock
// CHECK-SAME: fill(%[[FILL]]
plan.program @main attributes {arg_types = [], result_types = []} {
  %fill = plan.alloc : !plan.buffer<f32>
  %x = plan.alloc : !plan.buffer<8xf32>
  %y = plan.alloc : !plan.buffer<8xf32>
  plan.fill %fill with 2.0 : f32 : !plan.buffer<f32>
  plan.fill %x with 1.0 : f32 : !plan.buffer<8xf32>
  %e = plan.collective_start reblock <"x", digits = [2, 1]> dims [0, 14, -1, 7, 0](%x) to(%y) fill(%fill : !plan.buffer<f32>) {stream = 1 : i64} : (!plan.buffer<8xf32>) -> (!plan.buffer<8xf32>)
  plan.collective_done %e
  plan.yield
}
