// What ops become, on the smallest chip.
// RUN: shoal-opt %s --tile-print-code=chip=sm_80 -o /dev/null | FileCheck %s

#rows = #tile.layout<4x128, {register = [[0, 1], [0, 2]], lane = [[0, 4], [0, 8], [0, 16], [0, 32], [0, 64]], warp = [[1, 0], [2, 0]], block = []}>
#columns = #tile.layout<4x128, {register = [[1, 0], [2, 0]], lane = [[0, 1], [0, 2], [0, 4], [0, 8], [0, 16]], warp = [[0, 32], [0, 64]], block = []}>
#row = #tile.layout<4x1, {register = [], lane = [[0, 0], [0, 0], [0, 0], [0, 0], [0, 0]], warp = [[1, 0], [2, 0]], block = []}>
#column = #tile.layout<1x128, {register = [[0, 1], [0, 2]], lane = [[0, 4], [0, 8], [0, 16], [0, 32], [0, 64]], warp = [[0, 0], [0, 0]], block = []}>
#smem = #tile.layout<4x128, {offset = [[0, 1], [0, 2], [0, 4], [0, 8], [0, 16], [0, 32], [0, 64], [1, 0], [2, 0]]}>

// Vectors of 16 bytes; rows that fit need no test, columns that do not one.
// CHECK-LABEL: .entry load_store(
// CHECK: setp
// CHECK: ld.global.nc.v4.b32
// CHECK: st.global.v4.b32
// CHECK: ret
tile.func @load_store(%x: !tile.view<8x100xf32> {tile.align = 64 : i64, tile.readonly}, %y: !tile.view<8x100xf32> {tile.align = 64 : i64})
    attributes {launch = #tile.launch<grid = [2, 1, 1], warps = 4>} {
  %zero = arith.constant 0 : i32
  %four = arith.constant 4 : i32
  %id = tile.program_id 0
  %row = arith.muli %id, %four : i32
  %t = tile.load %x[%row, %zero] {in_bounds = array<i1: true, false>, divisible = array<i64: 4, 128>}
    : !tile.view<8x100xf32> -> tensor<4x128xf32, #rows>
  tile.store %t, %y[%row, %zero] {in_bounds = array<i1: true, false>, divisible = array<i64: 4, 128>}
    : tensor<4x128xf32, #rows>, !tile.view<8x100xf32>
  tile.return
}

// Rows 99 elements apart are not aligned.
// CHECK-LABEL: .entry unaligned(
// CHECK-NOT: .v4
// CHECK-NOT: .v2
// CHECK: ret
tile.func @unaligned(%x: !tile.view<8x99xf32> {tile.align = 64 : i64}, %y: !tile.view<8x99xf32> {tile.align = 64 : i64})
    attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 4>} {
  %zero = arith.constant 0 : i32
  %t = tile.load %x[%zero, %zero] : !tile.view<8x99xf32> -> tensor<4x128xf32, #rows>
  tile.store %t, %y[%zero, %zero] : tensor<4x128xf32, #rows>, !tile.view<8x99xf32>
  tile.return
}

// A row lies in one warp: no barrier. A column is spread over warps.
// CHECK-LABEL: .entry reduce(
// CHECK-COUNT-5: shfl.sync.bfly.b32
// CHECK-NOT: shfl
// CHECK: bar{{.*}}.sync
// CHECK: ret
tile.func @reduce(%x: !tile.view<4x128xf32> {tile.align = 64 : i64}, %y: !tile.view<4x1xf32>, %z: !tile.view<1x128xf32>)
    attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 4>} {
  %zero = arith.constant 0 : i32
  %t = tile.load %x[%zero, %zero] {in_bounds = array<i1: true, true>}
    : !tile.view<4x128xf32> -> tensor<4x128xf32, #rows>
  %s = tile.reduce(%t) axis 1 : (tensor<4x128xf32, #rows>) -> tensor<4x1xf32, #row> {
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %m = stablehlo.add %a, %b : tensor<f32>
    tile.yield %m : tensor<f32>
  }
  tile.store %s, %y[%zero, %zero] : tensor<4x1xf32, #row>, !tile.view<4x1xf32>
  %c = tile.reduce(%t) axis 0 : (tensor<4x128xf32, #rows>) -> tensor<1x128xf32, #column> {
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %m = stablehlo.add %a, %b : tensor<f32>
    tile.yield %m : tensor<f32>
  }
  tile.store %c, %z[%zero, %zero] : tensor<1x128xf32, #column>, !tile.view<1x128xf32>
  tile.return
}

// Through shared memory, with a barrier between.
// CHECK-LABEL: .entry convert(
// CHECK: st.shared
// CHECK: bar{{.*}}.sync
// CHECK: ld.shared
// CHECK: ret
tile.func @convert(%x: !tile.view<4x128xf32> {tile.align = 64 : i64}, %y: !tile.view<4x128xf32, strides = [1, 4]> {tile.align = 64 : i64})
    attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 4>} {
  %zero = arith.constant 0 : i32
  %t = tile.load %x[%zero, %zero] : !tile.view<4x128xf32> -> tensor<4x128xf32, #rows>
  %c = tile.convert_layout %t : tensor<4x128xf32, #rows> -> tensor<4x128xf32, #columns>
  tile.store %c, %y[%zero, %zero] : tensor<4x128xf32, #columns>, !tile.view<4x128xf32, strides = [1, 4]>
  tile.return
}

// CHECK-LABEL: .entry async(
// CHECK: cp.async.cg.shared.global [{{.*}}], [{{.*}}], 16;
// CHECK: cp.async.commit_group
// CHECK: cp.async.wait_group 0
// CHECK: bar{{.*}}.sync
// CHECK: ld.shared.v4.b32
// CHECK: ret
tile.func @async(%x: !tile.view<4x128xf32> {tile.align = 64 : i64}, %y: !tile.view<4x128xf32> {tile.align = 64 : i64})
    attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 4>} {
  %zero = arith.constant 0 : i32
  %s = tile.alloc_shared : !tile.shared<4x128xf32, #smem>
  tile.async_copy %x[%zero, %zero] to %s {in_bounds = array<i1: true, true>} : !tile.view<4x128xf32> -> !tile.shared<4x128xf32, #smem>
  tile.async_commit
  tile.async_wait 0
  tile.barrier
  %t = tile.local_load %s : !tile.shared<4x128xf32, #smem> -> tensor<4x128xf32, #rows>
  tile.store %t, %y[%zero, %zero] : tensor<4x128xf32, #rows>, !tile.view<4x128xf32>
  tile.return
}

// CHECK-LABEL: .entry arrive(
// CHECK: fence.acq_rel.gpu
// CHECK: atom.{{.*}}add
// CHECK: fence.acq_rel.gpu
// CHECK: ret
tile.func @arrive(%n: !tile.view<1xi32> {tile.scratch = "zeroed"})
    attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 4>} {
  %zero = arith.constant 0 : i32
  %before = tile.arrive %n[%zero] : !tile.view<1xi32>
  tile.return
}
