// RUN: echo '{"name": "box", "base": "cpu", "host_link": {"bytes_per_second": 1e13, "latency": 0}}' > %t.json
// RUN: shoal-opt %s --shoal-recompute-stacks="save=1000000 offload=true hardware=%t.json" | FileCheck %s
// RUN: shoal-opt %s --shoal-recompute-stacks="save=1000000 offload=true remarks=true hardware=%t.json" 2>&1 >/dev/null | FileCheck %s --check-prefix=SAYS
// RUN: shoal-opt %s --shoal-schedule-pipeline="save-stacks=1000000 offload-stacks=true hardware=%t.json" | FileCheck %s --check-prefix=PLAN

// Both stacks go to the memory of the host. Rows of %x are there when an
// iteration begins. Rows of %h are made last: they are copied at the start of the
// next iteration, and the last one, which is read first, stays on the device. The
// second loop fetches its rows an iteration ahead.
// SAYS: remark: 2 stacks go to the memory of the host row by row and back, in {{.*}} ms of copies beside, instead of being held: 295 KB
// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[SX:.*]] = plan.host_stack : tensor<8x8x128xf32, #plan.host>
// CHECK-DAG: %[[SH:.*]] = plan.host_stack : tensor<8x8x1024xf32, #plan.host>
// CHECK: %[[F:.*]]:7 = stablehlo.while(
// CHECK: do {
// CHECK: plan.offload_row %[[HROW:.*]] to %{{.*}}[%[[HI:.*]]] : tensor<1x8x1024xf32>, tensor<8x8x1024xf32, #plan.host>, tensor<i32>
// CHECK: plan.offload_row %{{.*}} to %{{.*}}[%{{.*}}] : tensor<1x8x128xf32>, tensor<8x8x128xf32, #plan.host>, tensor<i32>
// CHECK: %[[C7:.*]] = stablehlo.constant dense<7> : tensor<i32>
// CHECK: %[[BX:.*]] = plan.fetch_row %[[F]]#2[%[[C7]]] : tensor<8x8x128xf32, #plan.host>, tensor<i32> -> tensor<1x8x128xf32>
// CHECK: stablehlo.while(
// CHECK-SAME: = %[[BX]]
// CHECK-SAME: = %[[F]]#5
// CHECK: do {
// CHECK: %[[NEXT:.*]] = stablehlo.add %{{.*}}, %{{.*}} : tensor<i32>
// CHECK: %[[K:.*]] = stablehlo.subtract %{{.*}}, %[[NEXT]]
// CHECK-DAG: plan.fetch_row %[[F]]#2[%[[K]]]
// CHECK-DAG: plan.fetch_row %[[F]]#3[%[[K]]]
// CHECK-NOT: stablehlo.dynamic_slice %{{.*}} : tensor<8x8x
// CHECK: return

// On buffers: parts of the host's memory, copied beside the computation, two rows
// of each on the device.
// PLAN: plan.program @main
// PLAN-SAME: host_bytes = 294912
// PLAN-DAG: plan.alloc at {{.*}} {host} : <8x8x128xf32>
// PLAN-DAG: plan.alloc at {{.*}} {host} : <8x8x1024xf32>
// PLAN: plan.for
// PLAN: %[[ROW:.*]] = plan.view %{{.*}}[0] (%{{.*}}) * [32768] : <8x8x1024xf32> -> <1x8x1024xf32>
// PLAN: plan.copy %{{.*}} to %[[ROW]] {stream = [[OUT:[0-9]+]] : i64}
// PLAN-NEXT: %[[DONE:.*]] = plan.record {stream = [[OUT]] : i64}
// PLAN: plan.exec
// PLAN: plan.wait %[[DONE]]{{$}}
// PLAN: plan.for
// PLAN: plan.copy %{{.*}} to %{{.*}} {stream = [[IN:[0-9]+]] : i64} : <1x8x
// PLAN: plan.exec @back
// PLAN: plan.wait
// PLAN: plan.yield
plan.kernel @up(%x: tensor<8x128xf32>, %w: tensor<1x128x1024xf32>) -> tensor<1x8x1024xf32> {
  %0 = stablehlo.reshape %w : (tensor<1x128x1024xf32>) -> tensor<128x1024xf32>
  %1 = stablehlo.dot_general %x, %0, contracting_dims = [1] x [0] : (tensor<8x128xf32>, tensor<128x1024xf32>) -> tensor<8x1024xf32>
  %2 = stablehlo.reshape %1 : (tensor<8x1024xf32>) -> tensor<1x8x1024xf32>
  plan.yield %2 : tensor<1x8x1024xf32>
}
plan.kernel @down(%x: tensor<8x128xf32>, %w: tensor<1x128x1024xf32>) -> tensor<8x128xf32> {
  %0 = stablehlo.slice %w [0:1, 0:8, 0:128] : (tensor<1x128x1024xf32>) -> tensor<1x8x128xf32>
  %1 = stablehlo.reshape %0 : (tensor<1x8x128xf32>) -> tensor<8x128xf32>
  %2 = stablehlo.add %x, %1 : tensor<8x128xf32>
  plan.yield %2 : tensor<8x128xf32>
}
plan.kernel @back(%g: tensor<8x128xf32>, %x: tensor<1x8x128xf32>, %h: tensor<1x8x1024xf32>) -> tensor<8x128xf32> {
  %0 = stablehlo.slice %h [0:1, 0:8, 0:128] : (tensor<1x8x1024xf32>) -> tensor<1x8x128xf32>
  %1 = stablehlo.add %0, %x : tensor<1x8x128xf32>
  %2 = stablehlo.reshape %1 : (tensor<1x8x128xf32>) -> tensor<8x128xf32>
  %3 = stablehlo.multiply %g, %2 : tensor<8x128xf32>
  plan.yield %3 : tensor<8x128xf32>
}
plan.kernel @zeros() -> tensor<8x8x1024xf32> {
  %0 = stablehlo.constant dense<0.0> : tensor<8x8x1024xf32>
  plan.yield %0 : tensor<8x8x1024xf32>
}
func.func @main(%x: tensor<8x128xf32>, %w: tensor<8x128x1024xf32>) -> tensor<8x128xf32> {
  %c0 = stablehlo.constant dense<0> : tensor<i32>
  %xs = stablehlo.constant dense<0.0> : tensor<8x8x128xf32>
  %hs = plan.launch @zeros() : () -> tensor<8x8x1024xf32>
  %f:5 = stablehlo.while(%i = %c0, %a = %x, %sx = %xs, %sh = %hs, %ww = %w) : tensor<i32>, tensor<8x128xf32>, tensor<8x8x128xf32>, tensor<8x8x1024xf32>, tensor<8x128x1024xf32>
  cond {
    %n = stablehlo.constant dense<8> : tensor<i32>
    %p = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %z = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %wi = stablehlo.dynamic_slice %ww, %i, %z, %z, sizes = [1, 128, 1024] : (tensor<8x128x1024xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x128x1024xf32>
    %r = stablehlo.reshape %a : (tensor<8x128xf32>) -> tensor<1x8x128xf32>
    %sx1 = stablehlo.dynamic_update_slice %sx, %r, %i, %z, %z : (tensor<8x8x128xf32>, tensor<1x8x128xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<8x8x128xf32>
    %b = plan.launch @down(%a, %wi) : (tensor<8x128xf32>, tensor<1x128x1024xf32>) -> tensor<8x128xf32>
    %h = plan.launch @up(%b, %wi) : (tensor<8x128xf32>, tensor<1x128x1024xf32>) -> tensor<1x8x1024xf32>
    %sh1 = stablehlo.dynamic_update_slice %sh, %h, %i, %z, %z : (tensor<8x8x1024xf32>, tensor<1x8x1024xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<8x8x1024xf32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %b, %sx1, %sh1, %ww : tensor<i32>, tensor<8x128xf32>, tensor<8x8x128xf32>, tensor<8x8x1024xf32>, tensor<8x128x1024xf32>
  }
  %s:4 = stablehlo.while(%i = %c0, %g = %f#1, %sx = %f#2, %sh = %f#3) : tensor<i32>, tensor<8x128xf32>, tensor<8x8x128xf32>, tensor<8x8x1024xf32>
  cond {
    %n = stablehlo.constant dense<8> : tensor<i32>
    %p = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %z = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %seven = stablehlo.constant dense<7> : tensor<i32>
    %k = stablehlo.subtract %seven, %i : tensor<i32>
    %xi = stablehlo.dynamic_slice %sx, %k, %z, %z, sizes = [1, 8, 128] : (tensor<8x8x128xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x128xf32>
    %hi = stablehlo.dynamic_slice %sh, %k, %z, %z, sizes = [1, 8, 1024] : (tensor<8x8x1024xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x1024xf32>
    %g1 = plan.launch @back(%g, %xi, %hi) : (tensor<8x128xf32>, tensor<1x8x128xf32>, tensor<1x8x1024xf32>) -> tensor<8x128xf32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %g1, %sx, %sh : tensor<i32>, tensor<8x128xf32>, tensor<8x8x128xf32>, tensor<8x8x1024xf32>
  }
  return %s#1 : tensor<8x128xf32>
}
