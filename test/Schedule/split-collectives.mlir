// A collective runs beside what follows it, up to the first op that touches its
// buffers.
// RUN: shoal-opt %s --shoal-split-collectives | FileCheck %s

// CHECK-LABEL: plan.program @main
plan.program @main attributes {arg_types = [], result_types = []} {
  %x = plan.alloc : !plan.buffer<8xf32>
  %y = plan.alloc : !plan.buffer<8xf32>
  %z = plan.alloc : !plan.buffer<8xf32>
  %u = plan.alloc : !plan.buffer<8xf32>
  plan.fill %x with 1.0 : f32 : !plan.buffer<8xf32>
  // CHECK: %[[R:.*]] = plan.record
  // CHECK-NEXT: plan.wait %[[R]] {stream = 1 : i64}
  // CHECK-NEXT: %[[E:.*]] = plan.collective_start all_reduce
  // CHECK-SAME: stream = 1
  plan.collective all_reduce <"x", digits = [2, 1]>(%x) to(%y) {reduction = #plan<reduction add>} : (!plan.buffer<8xf32>) -> (!plan.buffer<8xf32>)
  // CHECK-NEXT: plan.copy %{{.*}} to
  plan.copy %z to %u : !plan.buffer<8xf32> -> !plan.buffer<8xf32>
  // CHECK-NEXT: plan.collective_done %[[E]]
  // CHECK-NEXT: plan.fill
  plan.fill %x with 2.0 : f32 : !plan.buffer<8xf32>
  // Its result is read at once: it stays as it is.
  // CHECK-NEXT: plan.collective all_reduce
  plan.collective all_reduce <"x", digits = [2, 1]>(%x) to(%y) {reduction = #plan<reduction add>} : (!plan.buffer<8xf32>) -> (!plan.buffer<8xf32>)
  // CHECK-NEXT: plan.copy
  plan.copy %y to %z : !plan.buffer<8xf32> -> !plan.buffer<8xf32>
  plan.yield
}
