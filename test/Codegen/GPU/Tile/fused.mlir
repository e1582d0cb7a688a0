// RUN: shoal-opt %s --tile-from-kernels=chip=sm_90a | FileCheck %s

// Neighbouring dimensions are one loop where nothing tells them apart.
// CHECK-LABEL: tile.func @shoal_flat
// CHECK-SAME: #tile.config<"elementwise", tile = [{{[0-9]+}}], warps
// CHECK: tile.load
// CHECK: tile.map
// CHECK-NOT: convert_layout
// CHECK: tile.store
plan.kernel @flat(%a: tensor<32x64x128xf32>) -> tensor<2048x128xf32> {
  %0 = stablehlo.reshape %a : (tensor<32x64x128xf32>) -> tensor<2048x128xf32>
  %1 = stablehlo.negate %0 : tensor<2048x128xf32>
  plan.yield %1 : tensor<2048x128xf32>
}

// A row is loaded once, kept, and stored once.
// CHECK-LABEL: tile.func @shoal_rows
// CHECK-SAME: #tile.config<"rows", tile = [1, 4096]
// CHECK: tile.load
// CHECK: tile.reduce
// CHECK: tile.reduce
// CHECK-NOT: tile.load
// CHECK-NOT: scf.for
// CHECK: tile.store
plan.kernel @rows(%x: tensor<512x4096xf32>) -> tensor<512x4096xf32> {
  %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %m = stablehlo.reduce(%x init: %ninf) applies stablehlo.maximum across dimensions = [1] : (tensor<512x4096xf32>, tensor<f32>) -> tensor<512xf32>
  %mb = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<512xf32>) -> tensor<512x4096xf32>
  %d = stablehlo.subtract %x, %mb : tensor<512x4096xf32>
  %e = stablehlo.exponential %d : tensor<512x4096xf32>
  %s = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [1] : (tensor<512x4096xf32>, tensor<f32>) -> tensor<512xf32>
  %sb = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<512xf32>) -> tensor<512x4096xf32>
  %r = stablehlo.divide %e, %sb : tensor<512x4096xf32>
  plan.yield %r : tensor<512x4096xf32>
}

// Too few blocks: each column is shared by several, in two launches; a sum of
// bf16 is one of f32.
// CHECK-LABEL: tile.func @shoal_columns(
// CHECK-SAME: split =
// CHECK: scf.for
// CHECK: tile.reduce
// CHECK-SAME: xf32
// CHECK-LABEL: tile.func @shoal_columns_finish(
// CHECK: tile.load
// CHECK: tile.reduce
// CHECK: tile.store
plan.kernel @columns(%x: tensor<30000x256xbf16>) -> tensor<256xbf16> {
  %z = stablehlo.constant dense<0.0> : tensor<bf16>
  %s = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0] : (tensor<30000x256xbf16>, tensor<bf16>) -> tensor<256xbf16>
  plan.yield %s : tensor<256xbf16>
}

// Contiguous on both sides: through shared memory.
// CHECK-LABEL: tile.func @shoal_transpose
// CHECK: %[[T:.*]] = tile.load
// CHECK: tile.convert_layout %[[T]]
// CHECK: tile.store
plan.kernel @transpose(%x: tensor<512x1024xf32>) -> tensor<1024x512xf32> {
  %s = stablehlo.transpose %x, dims = [1, 0] : (tensor<512x1024xf32>) -> tensor<1024x512xf32>
  plan.yield %s : tensor<1024x512xf32>
}
