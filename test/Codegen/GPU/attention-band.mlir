// Tiles of keys that a causal mask leaves out are walked only if the mask's
// constant could matter.
// RUN: shoal-opt %s --tile-from-contractions=chip=sm_80 | FileCheck %s

// CHECK-LABEL: tile.func @causal
// Blocks with the most keys begin first.
// CHECK: %[[ID:.*]] = tile.program_id 0
// CHECK: %[[ROW:.*]] = arith.remui %[[ID]]
// CHECK: %[[BACK:.*]] = arith.muli %[[ROW]], %c-1
// The tiles inside, then, perhaps, all others.
// CHECK: scf.for %[[TIME:.*]] = %c0{{.*}} to %c2
// CHECK: %[[FIRST:.*]] = arith.cmpi slt, %[[TIME]], %c1
// CHECK: stablehlo.compare GT
// CHECK: tile.reduce{{.*}} axis 0
// CHECK: %[[ANY:.*]] = tile.extract
// CHECK: %[[MATTERS:.*]] = arith.cmpi ne, %[[ANY]]
// CHECK: %[[REST:.*]] = arith.select %[[MATTERS]]
// CHECK: tile.barrier
// CHECK: %[[STEPS:.*]] = arith.select %[[FIRST]], %{{.*}}, %[[REST]]
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[STEPS]] step
// CHECK-NOT: scf.for
func.func @causal(%q: tensor<2x256x16xbf16>, %k: tensor<2x256x16xbf16>, %v: tensor<2x256x16xbf16>) -> tensor<2x256x16xbf16> {
  %s = stablehlo.dot_general %q, %k, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x256x16xbf16>, tensor<2x256x16xbf16>) -> tensor<2x256x256xf32>
  %row = stablehlo.iota dim = 1 : tensor<2x256x256xi32>
  %column = stablehlo.iota dim = 2 : tensor<2x256x256xi32>
  %inside = stablehlo.compare LE, %column, %row : (tensor<2x256x256xi32>, tensor<2x256x256xi32>) -> tensor<2x256x256xi1>
  %large = stablehlo.constant dense<-1.0e30> : tensor<f32>
  %fill = stablehlo.broadcast_in_dim %large, dims = [] : (tensor<f32>) -> tensor<2x256x256xf32>
  %m = stablehlo.select %inside, %s, %fill : tensor<2x256x256xi1>, tensor<2x256x256xf32>
  %low = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %max = stablehlo.reduce(%m init: %low) applies stablehlo.maximum across dimensions = [2] : (tensor<2x256x256xf32>, tensor<f32>) -> tensor<2x256xf32>
  %maxes = stablehlo.broadcast_in_dim %max, dims = [0, 1] : (tensor<2x256xf32>) -> tensor<2x256x256xf32>
  %d = stablehlo.subtract %m, %maxes : tensor<2x256x256xf32>
  %e = stablehlo.exponential %d : tensor<2x256x256xf32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %sum = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [2] : (tensor<2x256x256xf32>, tensor<f32>) -> tensor<2x256xf32>
  %sums = stablehlo.broadcast_in_dim %sum, dims = [0, 1] : (tensor<2x256xf32>) -> tensor<2x256x256xf32>
  %p = stablehlo.divide %e, %sums : tensor<2x256x256xf32>
  %pn = stablehlo.convert %p : (tensor<2x256x256xf32>) -> tensor<2x256x256xbf16>
  %r = stablehlo.dot_general %pn, %v, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x256x256xbf16>, tensor<2x256x16xbf16>) -> tensor<2x256x16xbf16>
  return %r : tensor<2x256x16xbf16>
}
