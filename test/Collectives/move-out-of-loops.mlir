// RUN: shoal-opt %s --shoal-move-out-of-loops | FileCheck %s
// RUN: shoal-opt %s --shoal-move-out-of-loops=memory-limit=1 | FileCheck %s --check-prefix=TIGHT
// RUN: shoal-opt %s --shoal-move-out-of-loops=memory-limit=100000 | FileCheck %s --check-prefix=ROOM
// RUN: shoal-opt %s --shoal-move-out-of-loops=remarks=true -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

shoal.mesh @m <["x"=4]>

// Gradients accumulated over microbatches in f32: one all_reduce after the
// loop, added to what was there before.
// CHECK-LABEL: func.func @accumulate
// CHECK: %[[ZERO:.*]] = stablehlo.constant dense<-0.000000e+00> : tensor<64xf32>
// CHECK: %[[L:.*]]:2 = stablehlo.while({{.*}}, %[[ACC:.*]] = %[[ZERO]])
// CHECK-NOT: comm.all_reduce
// CHECK: stablehlo.return
// CHECK: %[[R:.*]] = comm.all_reduce add %[[L]]#1 over <@m, {"x"}> : tensor<64xf32>
// CHECK: %[[S:.*]] = stablehlo.add %arg0, %[[R]]
// CHECK: return %[[S]]
// REMARK: remark: once, after the loop (modelled: {{[0-9.]+}} -> {{[0-9.]+}} us)
func.func @accumulate(%acc: tensor<64xf32>, %g: tensor<64xbf16>) -> tensor<64xf32> {
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r:2 = stablehlo.while(%i = %z, %a = %acc) : tensor<i32>, tensor<64xf32>
  cond {
    %end = stablehlo.constant dense<8> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %n = stablehlo.add %i, %one : tensor<i32>
    %f = stablehlo.convert %i : (tensor<i32>) -> tensor<bf16>
    %b = stablehlo.broadcast_in_dim %f, dims = [] : (tensor<bf16>) -> tensor<64xbf16>
    %p = stablehlo.multiply %g, %b : tensor<64xbf16>
    %0 = comm.all_reduce add %p over <@m, {"x"}> : tensor<64xbf16>
    %1 = stablehlo.convert %0 : (tensor<64xbf16>) -> tensor<64xf32>
    %2 = stablehlo.add %a, %1 : tensor<64xf32>
    stablehlo.return %n, %2 : tensor<i32>, tensor<64xf32>
  }
  return %r#1 : tensor<64xf32>
}

// The sum so far is read in the loop: it has to be complete.
// CHECK-LABEL: func.func @read_in_loop
// CHECK: stablehlo.while
// CHECK: comm.all_reduce
// CHECK: stablehlo.return
// CHECK-NOT: comm.all_reduce
func.func @read_in_loop(%acc: tensor<64xf32>, %g: tensor<64xf32>) -> tensor<64xf32> {
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r:2 = stablehlo.while(%i = %z, %a = %acc) : tensor<i32>, tensor<64xf32>
  cond {
    %end = stablehlo.constant dense<8> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %n = stablehlo.add %i, %one : tensor<i32>
    %p = stablehlo.multiply %g, %a : tensor<64xf32>
    %0 = comm.all_reduce add %p over <@m, {"x"}> : tensor<64xf32>
    %2 = stablehlo.add %a, %0 : tensor<64xf32>
    stablehlo.return %n, %2 : tensor<i32>, tensor<64xf32>
  }
  return %r#1 : tensor<64xf32>
}

// What never changes is gathered before the loop, with what it is made from,
// if there is memory for it.
// CHECK-LABEL: func.func @invariant
// CHECK: %[[T:.*]] = stablehlo.convert %arg0
// CHECK: %[[G:.*]] = comm.all_gather %[[T]]
// CHECK: stablehlo.while
// CHECK-NOT: comm.all_gather
// CHECK: stablehlo.multiply %[[G]]
// TIGHT-LABEL: func.func @invariant
// TIGHT: stablehlo.while
// TIGHT: comm.all_gather
func.func @invariant(%w: tensor<16xf32>, %x: tensor<64xbf16>) -> tensor<64xbf16> {
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r:3 = stablehlo.while(%i = %z, %ww = %w, %a = %x) : tensor<i32>, tensor<16xf32>, tensor<64xbf16>
  cond {
    %end = stablehlo.constant dense<8> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %n = stablehlo.add %i, %one : tensor<i32>
    %0 = stablehlo.convert %ww : (tensor<16xf32>) -> tensor<16xbf16>
    %1 = comm.all_gather %0 dim = 0 over <@m, {"x"}> : (tensor<16xbf16>) -> tensor<64xbf16>
    %2 = stablehlo.multiply %1, %a : tensor<64xbf16>
    stablehlo.return %n, %ww, %2 : tensor<i32>, tensor<16xf32>, tensor<64xbf16>
  }
  return %r#2 : tensor<64xbf16>
}

// Gradients that each device needs a part of: summed up whole where there is
// memory for that, and scattered once.
// CHECK-LABEL: func.func @scattered
// CHECK: stablehlo.while
// CHECK: comm.reduce_scatter
// CHECK: stablehlo.return
// TIGHT-LABEL: func.func @scattered
// TIGHT: stablehlo.while
// TIGHT: comm.reduce_scatter
// TIGHT: stablehlo.return
// ROOM-LABEL: func.func @scattered
// ROOM: %[[ZERO:.*]] = stablehlo.constant dense<-0.000000e+00> : tensor<64xf32>
// ROOM: %[[L:.*]]:2 = stablehlo.while({{.*}}, %[[ACC:.*]] = %[[ZERO]]) : tensor<i32>, tensor<64xf32>
// ROOM-NOT: comm.reduce_scatter
// ROOM: stablehlo.convert %{{.*}} : (tensor<64xbf16>) -> tensor<64xf32>
// ROOM: stablehlo.add %[[ACC]], %{{.*}} : tensor<64xf32>
// ROOM: stablehlo.return
// ROOM: %[[R:.*]] = comm.reduce_scatter add %[[L]]#1 dim = 0 over <@m, {"x"}> : (tensor<64xf32>) -> tensor<16xf32>
// ROOM: %[[S:.*]] = stablehlo.add %arg0, %[[R]]
// ROOM: return %[[S]]
func.func @scattered(%acc: tensor<16xf32>, %g: tensor<64xbf16>) -> tensor<16xf32> {
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r:2 = stablehlo.while(%i = %z, %a = %acc) : tensor<i32>, tensor<16xf32>
  cond {
    %end = stablehlo.constant dense<8> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %n = stablehlo.add %i, %one : tensor<i32>
    %f = stablehlo.convert %i : (tensor<i32>) -> tensor<bf16>
    %b = stablehlo.broadcast_in_dim %f, dims = [] : (tensor<bf16>) -> tensor<64xbf16>
    %p = stablehlo.multiply %g, %b : tensor<64xbf16>
    %0 = comm.reduce_scatter add %p dim = 0 over <@m, {"x"}> : (tensor<64xbf16>) -> tensor<16xbf16>
    %1 = stablehlo.convert %0 : (tensor<16xbf16>) -> tensor<16xf32>
    %2 = stablehlo.add %a, %1 : tensor<16xf32>
    stablehlo.return %n, %2 : tensor<i32>, tensor<16xf32>
  }
  return %r#1 : tensor<16xf32>
}
