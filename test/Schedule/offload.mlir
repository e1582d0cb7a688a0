// RUN: shoal-opt %s --shoal-fit-memory="memory-limit=2200000000 offload=true" | FileCheck %s
// RUN: shoal-opt %s --shoal-fit-memory="memory-limit=2200000000" | FileCheck %s --check-prefix=NONE
// RUN: shoal-opt %s --shoal-schedule-pipeline="fit-target=2200000000 offload=true" | FileCheck %s --check-prefix=PLAN

// %a lives across the products and takes as long to make as one of them, but no
// longer is needed until the end: it goes to the memory of the host at once, and
// comes back during the last product before it is read. Without the host it is
// computed again.
// CHECK-LABEL: func.func @main
// CHECK: %[[A:.*]] = plan.matmul %arg0, %arg1
// CHECK-NEXT: %[[H:.*]] = plan.offload %[[A]]
// CHECK: plan.matmul
// CHECK: %[[B:.*]] = plan.fetch %[[H]] {shoal.after = {{.*}}}
// CHECK-NEXT: %[[D:.*]] = plan.matmul
// CHECK-NEXT: plan.launch @add(%[[D]], %[[B]])
// NONE-LABEL: func.func @main
// NONE-NOT: plan.offload
// NONE: plan.launch @add

// On buffers, copies beside the computation: each way on its stream, between
// events, and memory of the host beside the arena.
// PLAN: plan.program @main
// PLAN-SAME: host_bytes = 268435456
// PLAN: %[[HOST:.*]] = plan.alloc at 0 {host} : <8192x8192xf32>
// PLAN: plan.matmul
// PLAN: %[[E:.*]] = plan.record
// PLAN-NEXT: plan.wait %[[E]] {stream = [[OUT:[0-9]+]] : i64}
// PLAN-NEXT: plan.copy %{{.*}} to %[[HOST]] {stream = [[OUT]] : i64}
// PLAN-NEXT: %[[DONE:.*]] = plan.record {stream = [[OUT]] : i64}
// PLAN-NEXT: plan.matmul
// PLAN: plan.wait %[[DONE]]{{$}}
// PLAN: plan.copy %[[HOST]] to %[[BACK:.*]] {stream = [[IN:[0-9]+]] : i64}
// PLAN-NEXT: %[[THERE:.*]] = plan.record {stream = [[IN]] : i64}
// PLAN: plan.wait %[[THERE]]{{$}}
// PLAN-NEXT: plan.exec @add(%{{.*}}, %[[BACK]])
plan.kernel @wide(%x: tensor<8192x8192xf32>) -> tensor<8192x40960xf32> {
  %0 = stablehlo.concatenate %x, %x, %x, %x, %x, dim = 1 : (tensor<8192x8192xf32>, tensor<8192x8192xf32>, tensor<8192x8192xf32>, tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x40960xf32>
  plan.yield %0 : tensor<8192x40960xf32>
}
plan.kernel @add(%x: tensor<8192x8192xf32>, %y: tensor<8192x8192xf32>) -> tensor<8192x8192xf32> {
  %0 = stablehlo.add %x, %y : tensor<8192x8192xf32>
  plan.yield %0 : tensor<8192x8192xf32>
}
func.func @main(%x: tensor<8192x8192xf32>, %w: tensor<8192x8192xf32>) -> tensor<8192x8192xf32> {
  %a = plan.matmul %x, %w contract [1] x [0] : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  %b0 = plan.matmul %x, %w contract [1] x [0] : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  %b1 = plan.matmul %b0, %w contract [1] x [0] : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  %b2 = plan.matmul %b1, %w contract [1] x [0] : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  %b3 = plan.matmul %b2, %w contract [1] x [0] : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  %b4 = plan.matmul %b3, %w contract [1] x [0] : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  %wide = plan.launch @wide(%b4) : (tensor<8192x8192xf32>) -> tensor<8192x40960xf32>
  %m = plan.matmul %wide, %wide contract [1] x [1] : (tensor<8192x40960xf32>, tensor<8192x40960xf32>) -> tensor<8192x8192xf32>
  %c0 = plan.matmul %m, %w contract [1] x [0] : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  %c1 = plan.matmul %c0, %w contract [1] x [0] : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  %c2 = plan.matmul %c1, %w contract [1] x [0] : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  %c3 = plan.matmul %c2, %w contract [1] x [0] : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  %c4 = plan.matmul %c3, %w contract [1] x [0] : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  %r = plan.launch @add(%c4, %a) : (tensor<8192x8192xf32>, tensor<8192x8192xf32>) -> tensor<8192x8192xf32>
  return %r : tensor<8192x8192xf32>
}
