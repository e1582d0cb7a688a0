// The program table of a small scheduled program: entry, slots, instructions.
// RUN: shoal-opt %s --shoal-print-program -o /dev/null 2>&1 | FileCheck %s

shoal.mesh @m <["dp"=2, "tp"=2]>

plan.kernel @add(%a: tensor<4xf32>, %i: tensor<i32> {plan.scalar}) -> tensor<4xf32> {
  plan.yield %a : tensor<4xf32>
}

// CHECK: program main: 4 ranks, arena 128 bytes, constants 16 bytes, target cpu
// CHECK: mesh dp=2 tp=2
// CHECK: argument 0: 7xf32 as 4xf32 #shoal.sharding<@m, [{"tp"}]> in s0
// CHECK: result 0: 4xf32 in s1
// CHECK: s0: 4xf32 argument 0
// CHECK: s1: 4xf32 result 0
// CHECK: s2: 4xf32 arena 0
// CHECK: s3: 4xf32 arena 64
// CHECK: s4: 4xf32 constant 0
// CHECK: s5: 2xf32 view of s4 at 8
// CHECK: s6: 4xf32 handle
// CHECK: s7: 4xf32 handle
// CHECK: run
plan.program @main attributes {arena_bytes = 128 : i64, arg_types = [tensor<4xf32>], result_types = [tensor<4xf32>],
    arg_attrs = [{shoal.sharding = #shoal.sharding<@m, [{"tp"}]>, shoal.global_type = tensor<7xf32>}]} {
  %arg = plan.argument 0 : !plan.buffer<4xf32>
  %res = plan.result 0 : !plan.buffer<4xf32>
  %a = plan.alloc at 0 : !plan.buffer<4xf32>
  %b = plan.alloc at 64 : !plan.buffer<4xf32>
  %c = plan.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32> : !plan.buffer<4xf32>
  %v = plan.view %c[8] : !plan.buffer<4xf32> -> !plan.buffer<2xf32>
  // CHECK-NEXT: r0 = const 0
  // CHECK-NEXT: r1 = const 3
  // CHECK-NEXT: r2 = const 1
  %c0 = plan.const 0
  %c3 = plan.const 3
  %c1 = plan.const 1
  // CHECK-NEXT: copy s2 = s0
  plan.copy %arg to %a : !plan.buffer<4xf32> -> !plan.buffer<4xf32>
  // CHECK-NEXT: handles s6 = s2 s7 = s3
  // CHECK-NEXT: for r{{.*}} = r0 to r1 step r2
  // CHECK-NEXT:   exec add(s6) -> (s7) r
  // CHECK-NEXT:   handles s6 = s7 s7 = s6
  %f:2 = plan.for %i = %c0 to %c3 step %c1 iter(%x = %a, %y = %b) : !plan.buffer<4xf32>, !plan.buffer<4xf32> {
    plan.exec @add(%x) scalars(%i) to(%y) : (!plan.buffer<4xf32>) -> (!plan.buffer<4xf32>)
    plan.yield %y, %x : !plan.buffer<4xf32>, !plan.buffer<4xf32>
  }
  // CHECK-NEXT: all_reduce add over {tp} (s6) -> (s6)
  plan.collective all_reduce <"tp", digits = [2, 1]>(%f#0) to(%f#0) {reduction = #plan<reduction add>} : (!plan.buffer<4xf32>) -> (!plan.buffer<4xf32>)
  // CHECK-NEXT: copy s1 = s6
  plan.copy %f#0 to %res : !plan.buffer<4xf32> -> !plan.buffer<4xf32>
  plan.yield
}
