// RUN: shoal-opt %s --shoal-split-batch="exchanges=true always=true" | FileCheck %s
// Rows of tokens are all that could go in parts otherwise: there are none.
// RUN: shoal-opt %s --shoal-split-batch="always=true" | FileCheck %s --check-prefix=BATCH

shoal.mesh @m <["e"=4]>

// Rows for 4 experts, 8 each: they go to the experts and back, and are summed up
// into the token's, which is read again along the same index by the next layer.
// Each half of the rows is multiplied while the other travels.
// CHECK-LABEL: func.func @experts
// CHECK-COUNT-2: comm.all_to_all %{{.*}} : (tensor<4x1x4x16xf32>) -> tensor<1x4x4x16xf32>
// CHECK-COUNT-2: stablehlo.dot_general %{{.*}} : (tensor<1x4x4x16xf32>, tensor<16x32xf32>) -> tensor<1x4x4x32xf32>
// CHECK-COUNT-2: comm.all_to_all %{{.*}} : (tensor<1x4x4x16xf32>) -> tensor<4x1x4x16xf32>
// CHECK: %[[A:.*]] = stablehlo.dot_general {{.*}} -> tensor<1x16xf32>
// CHECK: %[[B:.*]] = stablehlo.dot_general {{.*}} -> tensor<1x16xf32>
// CHECK: stablehlo.add %[[A]], %[[B]]
// CHECK-COUNT-4: comm.all_to_all
// CHECK-NOT: comm.all_to_all
// BATCH-LABEL: func.func @experts
// BATCH-COUNT-4: comm.all_to_all
// BATCH-NOT: comm.all_to_all
func.func @experts(%x: tensor<1x16xf32>, %w: tensor<16x32xf32>, %v: tensor<32x16xf32>, %gate: tensor<4x8xf32>) -> tensor<1x16xf32> {
  %a0 = stablehlo.dot_general %gate, %x, contracting_dims = [] x [] : (tensor<4x8xf32>, tensor<1x16xf32>) -> tensor<4x8x1x16xf32>
  %b0 = stablehlo.transpose %a0, dims = [0, 2, 1, 3] : (tensor<4x8x1x16xf32>) -> tensor<4x1x8x16xf32>
  %c0 = comm.all_to_all %b0 split = 0 concat = 1 over <@m, {"e"}> : (tensor<4x1x8x16xf32>) -> tensor<1x4x8x16xf32>
  %d0 = stablehlo.dot_general %c0, %w, contracting_dims = [3] x [0] : (tensor<1x4x8x16xf32>, tensor<16x32xf32>) -> tensor<1x4x8x32xf32>
  %e0 = stablehlo.tanh %d0 : tensor<1x4x8x32xf32>
  %f0 = stablehlo.dot_general %e0, %v, contracting_dims = [3] x [0] : (tensor<1x4x8x32xf32>, tensor<32x16xf32>) -> tensor<1x4x8x16xf32>
  %g0 = comm.all_to_all %f0 split = 1 concat = 0 over <@m, {"e"}> : (tensor<1x4x8x16xf32>) -> tensor<4x1x8x16xf32>
  %h0 = stablehlo.dot_general %g0, %gate, contracting_dims = [0, 2] x [0, 1] : (tensor<4x1x8x16xf32>, tensor<4x8xf32>) -> tensor<1x16xf32>
  %a1 = stablehlo.dot_general %gate, %h0, contracting_dims = [] x [] : (tensor<4x8xf32>, tensor<1x16xf32>) -> tensor<4x8x1x16xf32>
  %b1 = stablehlo.transpose %a1, dims = [0, 2, 1, 3] : (tensor<4x8x1x16xf32>) -> tensor<4x1x8x16xf32>
  %c1 = comm.all_to_all %b1 split = 0 concat = 1 over <@m, {"e"}> : (tensor<4x1x8x16xf32>) -> tensor<1x4x8x16xf32>
  %d1 = stablehlo.dot_general %c1, %w, contracting_dims = [3] x [0] : (tensor<1x4x8x16xf32>, tensor<16x32xf32>) -> tensor<1x4x8x32xf32>
  %e1 = stablehlo.tanh %d1 : tensor<1x4x8x32xf32>
  %f1 = stablehlo.dot_general %e1, %v, contracting_dims = [3] x [0] : (tensor<1x4x8x32xf32>, tensor<32x16xf32>) -> tensor<1x4x8x16xf32>
  %g1 = comm.all_to_all %f1 split = 1 concat = 0 over <@m, {"e"}> : (tensor<1x4x8x16xf32>) -> tensor<4x1x8x16xf32>
  %h1 = stablehlo.dot_general %g1, %gate, contracting_dims = [0, 2] x [0, 1] : (tensor<4x1x8x16xf32>, tensor<4x8xf32>) -> tensor<1x16xf32>
  return %h1 : tensor<1x16xf32>
}
