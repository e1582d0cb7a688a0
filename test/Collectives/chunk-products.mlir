// RUN: shoal-opt %s --shoal-chunk-products=always=true | FileCheck %s
// RUN: shoal-opt %s --shoal-chunk-products | FileCheck %s --check-prefix=MODEL
// RUN: shoal-opt %s --shoal-chunk-products="always=true axes=x" | FileCheck %s --check-prefix=OTHER
// RUN: shoal-opt %s --shoal-chunk-products="always=true remarks=true" -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

shoal.mesh @m <["x"=2, "y"=4]>

// Four blocks: the own one, one from each side, and the one opposite. Both
// products read each block when it comes. Small ones stay as they are.
// CHECK-LABEL: func.func @gather
// CHECK: %[[P:.*]] = comm.axis_index over <@m, {"y"}>
// CHECK: stablehlo.dot_general %arg0, %arg1
// CHECK: stablehlo.dynamic_update_slice
// CHECK: stablehlo.dot_general %arg0, %arg2
// CHECK: %[[UP:.*]] = comm.permute %arg0 pairs = {{\[}}[0, 3], [1, 0], [2, 1], [3, 2]] over <@m, {"y"}>
// CHECK: %[[DOWN:.*]] = comm.permute %arg0 pairs = {{\[}}[0, 1], [1, 2], [2, 3], [3, 0]] over <@m, {"y"}>
// CHECK: stablehlo.dot_general %[[UP]], %arg1
// CHECK: stablehlo.dot_general %[[UP]], %arg2
// CHECK: stablehlo.dot_general %[[DOWN]], %arg1
// CHECK: %[[LAST:.*]] = comm.permute %[[UP]]
// CHECK: stablehlo.dot_general %[[LAST]], %arg1
// CHECK-NOT: comm.all_gather
// CHECK: return
// MODEL-LABEL: func.func @gather
// MODEL: comm.all_gather
// MODEL-NOT: comm.permute
// MODEL: return
// OTHER-LABEL: func.func @gather
// OTHER: comm.all_gather
// REMARK: remark: products begin while blocks are gathered (modelled:
func.func @gather(%x: tensor<2x8xf32>, %a: tensor<8x6xf32>, %b: tensor<8x4xf32>) -> (tensor<8x6xf32>, tensor<8x4xf32>) {
  %0 = comm.all_gather %x dim = 0 over <@m, {"y"}> : (tensor<2x8xf32>) -> tensor<8x8xf32>
  %1 = stablehlo.dot_general %0, %a, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x6xf32>) -> tensor<8x6xf32>
  %2 = stablehlo.dot_general %0, %b, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %1, %2 : tensor<8x6xf32>, tensor<8x4xf32>
}

// Along the contracting dimension parts are summed, in f32.
// CHECK-LABEL: func.func @contracting
// CHECK: %[[C:.*]] = stablehlo.dynamic_slice %arg1
// CHECK: stablehlo.dot_general %[[C]], %arg0, {{.*}} -> tensor<6x5xf32>
// CHECK-COUNT-3: stablehlo.add %{{.*}} : tensor<6x5xf32>
// CHECK: stablehlo.convert %{{.*}} : (tensor<6x5xf32>) -> tensor<6x5xbf16>
func.func @contracting(%x: tensor<2x5xbf16>, %a: tensor<6x8xbf16>) -> tensor<6x5xbf16> {
  %0 = comm.all_gather %x dim = 0 over <@m, {"y"}> : (tensor<2x5xbf16>) -> tensor<8x5xbf16>
  %1 = stablehlo.dot_general %a, %0, contracting_dims = [1] x [0] : (tensor<6x8xbf16>, tensor<8x5xbf16>) -> tensor<6x5xbf16>
  return %1 : tensor<6x5xbf16>
}

// Two sums come from below, one from above, to the device's own part.
// CHECK-LABEL: func.func @scatter
// CHECK-COUNT-3: comm.permute
// CHECK-NOT: comm.permute
// CHECK-NOT: comm.reduce_scatter
// CHECK: return
func.func @scatter(%x: tensor<8x8xf32>, %a: tensor<8x6xf32>) -> tensor<2x6xf32> {
  %0 = stablehlo.dot_general %x, %a, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x6xf32>) -> tensor<8x6xf32>
  %1 = comm.reduce_scatter add %0 dim = 0 over <@m, {"y"}> : (tensor<8x6xf32>) -> tensor<2x6xf32>
  return %1 : tensor<2x6xf32>
}

// With padding, or where the gathered tensor is wanted whole, nothing changes.
// CHECK-LABEL: func.func @not_exact
// CHECK: comm.all_gather
// CHECK: comm.all_gather
// CHECK-NOT: comm.permute
// CHECK: return
func.func @not_exact(%x: tensor<2x8xf32>, %a: tensor<8x6xf32>) -> (tensor<7x6xf32>, tensor<8x6xf32>, tensor<8x8xf32>) {
  %0 = comm.all_gather %x dim = 0 over <@m, {"y"}> : (tensor<2x8xf32>) -> tensor<7x8xf32>
  %1 = stablehlo.dot_general %0, %a, contracting_dims = [1] x [0] : (tensor<7x8xf32>, tensor<8x6xf32>) -> tensor<7x6xf32>
  %2 = comm.all_gather %x dim = 0 over <@m, {"y"}> : (tensor<2x8xf32>) -> tensor<8x8xf32>
  %3 = stablehlo.dot_general %2, %a, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x6xf32>) -> tensor<8x6xf32>
  return %1, %3, %2 : tensor<7x6xf32>, tensor<8x6xf32>, tensor<8x8xf32>
}

// Where there is much to send and to compute, the model says yes.
// MODEL-LABEL: func.func @large
// MODEL-NOT: comm.all_gather
// MODEL-COUNT-3: comm.permute
// MODEL: return
func.func @large(%x: tensor<2048x8192xbf16>, %a: tensor<8192x8192xbf16>) -> tensor<8192x8192xbf16> {
  %0 = comm.all_gather %x dim = 0 over <@m, {"y"}> : (tensor<2048x8192xbf16>) -> tensor<8192x8192xbf16>
  %1 = stablehlo.dot_general %0, %a, contracting_dims = [1] x [0] : (tensor<8192x8192xbf16>, tensor<8192x8192xbf16>) -> tensor<8192x8192xbf16>
  return %1 : tensor<8192x8192xbf16>
}

// Two products in a row over a contracting dimension, both with conversions.
// CHECK-LABEL: func.func @two_contracting
// CHECK-COUNT-2: stablehlo.convert %{{.*}} : (tensor<6x5xf32>) -> tensor<6x5xbf16>
// CHECK: return
func.func @two_contracting(%x: tensor<2x5xbf16>, %a: tensor<6x8xbf16>, %b: tensor<6x8xbf16>) -> (tensor<6x5xbf16>, tensor<6x5xbf16>) {
  %0 = comm.all_gather %x dim = 0 over <@m, {"y"}> : (tensor<2x5xbf16>) -> tensor<8x5xbf16>
  %1 = stablehlo.dot_general %a, %0, contracting_dims = [1] x [0] : (tensor<6x8xbf16>, tensor<8x5xbf16>) -> tensor<6x5xbf16>
  %2 = stablehlo.dot_general %b, %0, contracting_dims = [1] x [0] : (tensor<6x8xbf16>, tensor<8x5xbf16>) -> tensor<6x5xbf16>
  return %1, %2 : tensor<6x5xbf16>, tensor<6x5xbf16>
}
