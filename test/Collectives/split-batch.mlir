// RUN: shoal-opt %s --shoal-split-batch="always=true" | FileCheck %s
// RUN: shoal-opt %s --shoal-split-batch="always=true remarks=true" -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// Nothing so small is worth it, and zero parts are none.
// RUN: shoal-opt %s --shoal-split-batch="hardware=dgx-h100" | FileCheck %s --check-prefix=SAME
// RUN: shoal-opt %s --shoal-split-batch="parts=0 always=true" | FileCheck %s --check-prefix=SAME

// SAME-NOT: tensor<4x16x
shoal.mesh @m <["tp"=4]>

// A layer's forward and backward pass: the parts share nothing but weights,
// whose gradient is the sum of two products, in f32.
// REMARK: [[#@LINE+17]]:{{.*}} remark: its index and what else is computed along it goes in 2 parts: one computes while another communicates (modelled: {{[0-9.]+}} -> {{[0-9.]+}} us)
// CHECK-LABEL: func.func @layer
// CHECK-DAG: %[[X0:.*]] = stablehlo.slice %arg0 [0:4, 0:16, 0:32]
// CHECK-DAG: %[[X1:.*]] = stablehlo.slice %arg0 [4:8, 0:16, 0:32]
// CHECK-DAG: %[[H0:.*]] = stablehlo.dot_general %[[X0]], %arg1{{.*}} -> tensor<4x16x32xbf16>
// CHECK-DAG: %[[H1:.*]] = stablehlo.dot_general %[[X1]], %arg1{{.*}} -> tensor<4x16x32xbf16>
// CHECK-DAG: %[[S0:.*]] = comm.all_reduce add %[[H0]]
// CHECK-DAG: %[[S1:.*]] = comm.all_reduce add %[[H1]]
// CHECK-DAG: %[[G0:.*]] = stablehlo.dot_general %[[X0]], %{{.*}} -> tensor<32x32xf32>
// CHECK-DAG: %[[G1:.*]] = stablehlo.dot_general %[[X1]], %{{.*}} -> tensor<32x32xf32>
// CHECK-DAG: %[[G:.*]] = stablehlo.add %[[G0]], %[[G1]] : tensor<32x32xf32>
// CHECK-DAG: stablehlo.convert %[[G]] : (tensor<32x32xf32>) -> tensor<32x32xbf16>
// CHECK-DAG: %[[Y:.*]] = stablehlo.concatenate {{.*}} -> tensor<8x16x32xbf16>
// CHECK: return %[[Y]]
func.func @layer(%x: tensor<8x16x32xbf16>, %w: tensor<32x32xbf16>) -> (tensor<8x16x32xbf16>, tensor<32x32xbf16>) {
  %one = stablehlo.constant dense<1.0> : tensor<8x16x32xbf16>
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [2] x [0] : (tensor<8x16x32xbf16>, tensor<32x32xbf16>) -> tensor<8x16x32xbf16>
  %1 = comm.all_reduce add %0 over <@m, {"tp"}> : tensor<8x16x32xbf16>
  %2 = stablehlo.add %1, %one : tensor<8x16x32xbf16>
  %3 = stablehlo.dot_general %x, %2, contracting_dims = [0, 1] x [0, 1] : (tensor<8x16x32xbf16>, tensor<8x16x32xbf16>) -> tensor<32x32xbf16>
  return %2, %3 : tensor<8x16x32xbf16>, tensor<32x32xbf16>
}

// What a loop carries is carried in parts; a reduction begins once.
// CHECK-LABEL: func.func @loop
// CHECK: stablehlo.while(%{{.*}} = %{{.*}}, %{{.*}} = %{{.*}}, %{{.*}} = %{{.*}}) : tensor<i32>, tensor<4x32xf32>, tensor<4x32xf32>
// CHECK-COUNT-2: comm.all_reduce add %{{.*}} : tensor<4x32xf32>
// CHECK-DAG: %[[N:.*]] = stablehlo.constant dense<{{-?}}0.000000e+00> : tensor<f32>
// CHECK-DAG: %[[A:.*]] = stablehlo.reduce(%{{.*}} init: %arg2) applies stablehlo.add across dimensions = [0, 1] : (tensor<4x32xf32>
// CHECK-DAG: %[[B:.*]] = stablehlo.reduce(%{{.*}} init: %[[N]]) applies stablehlo.add across dimensions = [0, 1] : (tensor<4x32xf32>
// CHECK: %[[S:.*]] = stablehlo.add %[[A]], %[[B]] : tensor<f32>
// CHECK: return %[[S]]
func.func @loop(%x: tensor<8x32xf32>, %w: tensor<32x32xf32>, %init: tensor<f32>) -> tensor<f32> {
  %c0 = stablehlo.constant dense<0> : tensor<i32>
  %0:2 = stablehlo.while(%i = %c0, %h = %x) : tensor<i32>, tensor<8x32xf32>
    cond {
      %c4 = stablehlo.constant dense<4> : tensor<i32>
      %p = stablehlo.compare LT, %i, %c4 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %p : tensor<i1>
    } do {
      %c1 = stablehlo.constant dense<1> : tensor<i32>
      %n = stablehlo.add %i, %c1 : tensor<i32>
      %y = stablehlo.dot_general %h, %w, contracting_dims = [1] x [0] : (tensor<8x32xf32>, tensor<32x32xf32>) -> tensor<8x32xf32>
      %z = comm.all_reduce add %y over <@m, {"tp"}> : tensor<8x32xf32>
      stablehlo.return %n, %z : tensor<i32>, tensor<8x32xf32>
    }
  %1 = stablehlo.reduce(%0#1 init: %init) applies stablehlo.add across dimensions = [0, 1] : (tensor<8x32xf32>, tensor<f32>) -> tensor<f32>
  return %1 : tensor<f32>
}

// An index that meets itself (rows with rows) is none to split by, nor is one
// that is summed up for use along it (features of a norm), and what does not
// divide stays.
// CHECK-LABEL: func.func @stay
// CHECK: comm.all_reduce add %{{.*}} : tensor<8x33xf32>
// CHECK: comm.all_reduce add %{{.*}} : tensor<7x32xf32>
// CHECK-NOT: comm.all_reduce
// CHECK: return
func.func @stay(%x: tensor<8x32xf32>, %w: tensor<32x33xf32>, %y: tensor<7x31xf32>, %v: tensor<31x32xf32>) -> (tensor<8x8xf32>, tensor<7x32xf32>) {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<8x32xf32>, tensor<32x33xf32>) -> tensor<8x33xf32>
  %1 = comm.all_reduce add %0 over <@m, {"tp"}> : tensor<8x33xf32>
  %2 = stablehlo.dot_general %1, %1, contracting_dims = [1] x [1] : (tensor<8x33xf32>, tensor<8x33xf32>) -> tensor<8x8xf32>
  %3 = stablehlo.dot_general %y, %v, contracting_dims = [1] x [0] : (tensor<7x31xf32>, tensor<31x32xf32>) -> tensor<7x32xf32>
  %4 = comm.all_reduce add %3 over <@m, {"tp"}> : tensor<7x32xf32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %5 = stablehlo.reduce(%4 init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<7x32xf32>, tensor<f32>) -> tensor<7xf32>
  %6 = stablehlo.broadcast_in_dim %5, dims = [0] : (tensor<7xf32>) -> tensor<7x32xf32>
  %7 = stablehlo.subtract %4, %6 : tensor<7x32xf32>
  return %2, %7 : tensor<8x8xf32>, tensor<7x32xf32>
}

// A gather's window may begin anywhere: it is read whole. (Found by overlap.py
// with the model augment_crops_flips_mixup.)
// CHECK-LABEL: func.func @window
// CHECK: "stablehlo.gather"
// CHECK-SAME: slice_sizes = array<i64: 1, 8, 4>
// CHECK-SAME: -> tensor<3x8x4xf32>
// CHECK-COUNT-2: comm.all_reduce add %{{.*}} : tensor<3x4x3xf32>
func.func @window(%x: tensor<3x12x4xf32>, %i: tensor<3x1xi32>, %w: tensor<4x3xf32>) -> tensor<3x8x3xf32> {
  %0 = "stablehlo.gather"(%x, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1, 2], operand_batching_dims = [0], start_indices_batching_dims = [0], start_index_map = [1], index_vector_dim = 1>, slice_sizes = array<i64: 1, 8, 4>}> : (tensor<3x12x4xf32>, tensor<3x1xi32>) -> tensor<3x8x4xf32>
  %1 = stablehlo.dot_general %0, %w, contracting_dims = [2] x [0] : (tensor<3x8x4xf32>, tensor<4x3xf32>) -> tensor<3x8x3xf32>
  %2 = comm.all_reduce add %1 over <@m, {"tp"}> : tensor<3x8x3xf32>
  return %2 : tensor<3x8x3xf32>
}
