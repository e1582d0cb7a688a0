// RUN: shoal-opt %s --tile-from-contractions=chip=sm_80 | FileCheck %s
// RUN: shoal-opt %s --tile-from-contractions=chip=sm_80 --tile-print-code=chip=sm_80 -o %t | FileCheck %s --check-prefix=PTX

// Raw operands in rings, the convert on fragments, the epilogue on the sums.
// CHECK-LABEL: tile.func @prologue_epilogue
// CHECK: tile.alloc_shared : <{{.*}}xf32
// CHECK: tile.alloc_shared : <{{.*}}xbf16
// CHECK: scf.for
// CHECK: tile.async_wait
// CHECK: tile.barrier
// CHECK: tile.async_copy
// CHECK: tile.local_load {{.*}}xf32
// CHECK: tile.map
// CHECK: stablehlo.convert
// CHECK: tile.dot
// CHECK: tile.convert_layout
// CHECK: tile.map
// CHECK: stablehlo.add
// CHECK: tile.store

// PTX-LABEL: .entry prologue_epilogue
// PTX: cp.async.cg.shared.global
// PTX: ldmatrix.sync.aligned.m8n8.x4.trans
// PTX: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// PTX: st.global.v4.b32
func.func @prologue_epilogue(%x: tensor<512x256xf32>, %w: tensor<256x512xbf16>, %b: tensor<512xbf16>) -> tensor<512x512xbf16> {
  %0 = stablehlo.convert %x : (tensor<512x256xf32>) -> tensor<512x256xbf16>
  %1 = stablehlo.dot_general %0, %w, contracting_dims = [1] x [0] : (tensor<512x256xbf16>, tensor<256x512xbf16>) -> tensor<512x512xbf16>
  %2 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<512xbf16>) -> tensor<512x512xbf16>
  %3 = stablehlo.add %1, %2 : tensor<512x512xbf16>
  return %3 : tensor<512x512xbf16>
}

// Thirty-two tiles for more than a hundred multiprocessors: each is shared by
// several blocks, whose sums a second launch adds up in order.
// CHECK-LABEL: tile.func @split(
// CHECK-SAME: tile.scratch
// CHECK-SAME: split =
// CHECK: tile.dot
// CHECK: tile.view {{.*}}xi8> -> <4x32x
// CHECK: tile.store
// CHECK-LABEL: tile.func @split_finish(
// CHECK-NOT: tile.dot
// CHECK: scf.for
// CHECK: tile.load
// CHECK: stablehlo.add
// CHECK: tile.store
func.func @split(%x: tensor<256x8192xbf16>, %w: tensor<8192x512xbf16>) -> tensor<256x512xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<256x8192xbf16>, tensor<8192x512xbf16>) -> tensor<256x512xf32>
  return %0 : tensor<256x512xf32>
}

// Rows in groups of uneven sizes: the block finds its groups, makes their steps,
// and masks rows only where a tile is not in one group.
// CHECK-LABEL: tile.func @groups(
// CHECK-SAME: "grouped"
// CHECK: tile.reduce
// CHECK: tile.extract
// CHECK: scf.for
// CHECK: scf.if {{.*}} -> (tensor
// CHECK-NOT: tile.map
// CHECK: } else {
// CHECK: tile.map
// CHECK: tile.store
func.func @groups(%x: tensor<256x64xbf16>, %ends: tensor<8xi32>, %starts: tensor<8xi32>, %w: tensor<8x64x128xbf16>) -> tensor<256x128xbf16> {
  %0 = stablehlo.broadcast_in_dim %x, dims = [1, 2] : (tensor<256x64xbf16>) -> tensor<8x256x64xbf16>
  %1 = stablehlo.iota dim = 1 : tensor<8x256x64xi32>
  %2 = stablehlo.broadcast_in_dim %ends, dims = [0] : (tensor<8xi32>) -> tensor<8x256x64xi32>
  %3 = stablehlo.broadcast_in_dim %starts, dims = [0] : (tensor<8xi32>) -> tensor<8x256x64xi32>
  %4 = stablehlo.compare LE, %3, %1, SIGNED : (tensor<8x256x64xi32>, tensor<8x256x64xi32>) -> tensor<8x256x64xi1>
  %5 = stablehlo.compare LT, %1, %2, SIGNED : (tensor<8x256x64xi32>, tensor<8x256x64xi32>) -> tensor<8x256x64xi1>
  %6 = stablehlo.and %4, %5 : tensor<8x256x64xi1>
  %z = stablehlo.constant dense<0.0> : tensor<8x256x64xbf16>
  %7 = stablehlo.select %6, %0, %z : tensor<8x256x64xi1>, tensor<8x256x64xbf16>
  %8 = stablehlo.dot_general %7, %w, contracting_dims = [2, 0] x [1, 0] : (tensor<8x256x64xbf16>, tensor<8x64x128xbf16>) -> tensor<256x128xbf16>
  return %8 : tensor<256x128xbf16>
}
