// Which all_reduces become one is a matter of time: see Passes.td.
// RUN: shoal-opt %s --shoal-combine-collectives | FileCheck %s
// RUN: shoal-opt %s --shoal-combine-collectives=remarks=true -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// Nothing runs meanwhile, nobody needs them: together they are done sooner.
// Shapes and types may differ; groups may not.
// CHECK-LABEL: plan.program @small
// CHECK-NOT: plan.collective
// CHECK: plan.collective all_reduce <"x", digits = [2, 1]>(%[[X:.*]], %[[Y:.*]]) to(%[[X]], %[[Y]])
// CHECK: plan.collective all_reduce <"y", digits = [4, 2]>
// CHECK-NOT: plan.collective
// CHECK: plan.yield
// REMARK: remark: 2 collectives are one (modelled: {{[0-9.]+}} -> {{[0-9.]+}} us)
plan.program @small attributes {arg_types = [], result_types = []} {
  %x = plan.alloc : !plan.buffer<8xf32>
  %y = plan.alloc : !plan.buffer<4x2xbf16>
  %z = plan.alloc : !plan.buffer<8xf32>
  plan.fill %x with 1.0 : f32 : !plan.buffer<8xf32>
  plan.collective all_reduce <"x", digits = [2, 1]>(%x) to(%x) {reduction = #plan<reduction add>} : (!plan.buffer<8xf32>) -> (!plan.buffer<8xf32>)
  plan.fill %z with 1.0 : f32 : !plan.buffer<8xf32>
  plan.collective all_reduce <"x", digits = [2, 1]>(%y) to(%y) {reduction = #plan<reduction add>} : (!plan.buffer<4x2xbf16>) -> (!plan.buffer<4x2xbf16>)
  plan.collective all_reduce <"y", digits = [4, 2]>(%z) to(%z) {reduction = #plan<reduction add>} : (!plan.buffer<8xf32>) -> (!plan.buffer<8xf32>)
  plan.yield
}

// The first result is read before the second collective is issued.
// CHECK-LABEL: plan.program @needed
// CHECK: plan.collective
// CHECK: plan.copy
// CHECK: plan.collective
// CHECK: plan.yield
plan.program @needed attributes {arg_types = [], result_types = []} {
  %x = plan.alloc : !plan.buffer<8xf32>
  %y = plan.alloc : !plan.buffer<8xf32>
  %z = plan.alloc : !plan.buffer<8xf32>
  plan.collective all_reduce <"x", digits = [2, 1]>(%x) to(%x) {reduction = #plan<reduction add>} : (!plan.buffer<8xf32>) -> (!plan.buffer<8xf32>)
  plan.copy %x to %z : !plan.buffer<8xf32> -> !plan.buffer<8xf32>
  plan.collective all_reduce <"x", digits = [2, 1]>(%y) to(%y) {reduction = #plan<reduction add>} : (!plan.buffer<8xf32>) -> (!plan.buffer<8xf32>)
  plan.yield
}

// Large ones, with much to do in between: the first runs beside that.
// CHECK-LABEL: plan.program @large
// CHECK: plan.collective
// CHECK: plan.copy
// CHECK: plan.collective
// CHECK: plan.yield
plan.program @large attributes {arg_types = [], result_types = []} {
  %x = plan.alloc : !plan.buffer<100000000xf32>
  %y = plan.alloc : !plan.buffer<100000000xf32>
  %z = plan.alloc : !plan.buffer<1000000000xf32>
  %u = plan.alloc : !plan.buffer<1000000000xf32>
  plan.collective all_reduce <"x", digits = [2, 1]>(%x) to(%x) {reduction = #plan<reduction add>} : (!plan.buffer<100000000xf32>) -> (!plan.buffer<100000000xf32>)
  plan.copy %z to %u : !plan.buffer<1000000000xf32> -> !plan.buffer<1000000000xf32>
  plan.collective all_reduce <"x", digits = [2, 1]>(%y) to(%y) {reduction = #plan<reduction add>} : (!plan.buffer<100000000xf32>) -> (!plan.buffer<100000000xf32>)
  plan.yield
}

// Gathers of one type; what they read would be kept longer, for which there
// is no memory without a limit.
// CHECK-LABEL: plan.program @gathers
// CHECK: plan.collective all_gather
// CHECK: plan.collective all_gather
// CHECK: plan.yield
plan.program @gathers attributes {arg_types = [], result_types = []} {
  %x = plan.alloc : !plan.buffer<8xf32>
  %y = plan.alloc : !plan.buffer<8xf32>
  %u = plan.alloc : !plan.buffer<16xf32>
  %v = plan.alloc : !plan.buffer<16xf32>
  plan.collective all_gather <"x", digits = [2, 1]> dims [0](%x) to(%u) : (!plan.buffer<8xf32>) -> (!plan.buffer<16xf32>)
  plan.collective all_gather <"x", digits = [2, 1]> dims [0](%y) to(%v) : (!plan.buffer<8xf32>) -> (!plan.buffer<16xf32>)
  plan.yield
}
