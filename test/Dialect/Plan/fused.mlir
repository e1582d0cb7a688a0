// Kernels, launches and library calls on tensors round-trip.
// RUN: shoal-opt %s | shoal-opt | FileCheck %s

// CHECK-LABEL: plan.kernel @add(%arg0: tensor<4x8xf32>, %arg1: tensor<i32> {plan.scalar}) -> tensor<4x8xf32>
// CHECK-SAME: attributes {may_overwrite = array<i64: 0, 0>, strategy = "loops"}
plan.kernel @add(%a: tensor<4x8xf32>, %i: tensor<i32> {plan.scalar}) -> tensor<4x8xf32>
    attributes {may_overwrite = array<i64: 0, 0>, strategy = "loops"} {
  plan.yield %a : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @main
func.func @main(%a: tensor<4x8xf32>, %b: tensor<8x3xf32>, %i: tensor<i32>) -> tensor<4x3xf32> {
  // CHECK: plan.launch @add(%arg0, %arg2) : (tensor<4x8xf32>, tensor<i32>) -> tensor<4x8xf32>
  %0 = plan.launch @add(%a, %i) : (tensor<4x8xf32>, tensor<i32>) -> tensor<4x8xf32>
  // CHECK: plan.matmul %0, %arg1 contract [1] x [0] : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
  %1 = plan.matmul %0, %b contract [1] x [0] : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
  // CHECK: plan.matmul %arg1, %0 contract [0] x [1] permutation [1, 0] {highest_precision}
  %2 = plan.matmul %b, %0 contract [0] x [1] permutation [1, 0] {highest_precision} : (tensor<8x3xf32>, tensor<4x8xf32>) -> tensor<4x3xf32>
  // CHECK: plan.custom_call "f"(%{{.*}}) {config = "c"} : (tensor<4x3xf32>) -> tensor<4x3xf32>
  %3 = plan.custom_call "f"(%2) {config = "c"} : (tensor<4x3xf32>) -> tensor<4x3xf32>
  // CHECK: plan.check close %{{.*}}, %{{.*}} {max_ulp = 3 : i64, nan_equal} : (tensor<4x3xf32>, tensor<4x3xf32>) -> ()
  plan.check close %1, %3 {max_ulp = 3 : i64, nan_equal} : (tensor<4x3xf32>, tensor<4x3xf32>) -> ()
  // CHECK: plan.check eq {{.*}} -> tensor<i1>
  %4 = plan.check eq %1, %3 : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<i1>
  return %3 : tensor<4x3xf32>
}

// CHECK-LABEL: func.func @conv
func.func @conv(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) -> tensor<1x8x8x4xf32> {
  // CHECK: plan.convolution %arg0, %arg1 {lhs_dilation
  %0 = plan.convolution %x, %w {lhs_dims = array<i64: 0, 3, 1, 2>, rhs_dims = array<i64: 2, 3, 0, 1>,
      out_dims = array<i64: 0, 3, 1, 2>, strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>,
      lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>, reversal = array<i1: false, false>}
      : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x8x8x4xf32>
  return %0 : tensor<1x8x8x4xf32>
}

// What the host keeps is no memory of the device, by its type.
// CHECK-LABEL: func.func @host
func.func @host(%x: tensor<4xf32>, %row: tensor<1x4xbf16>, %i: tensor<i32>) -> (tensor<4xf32>, tensor<1x4xbf16>) {
  // CHECK: %[[H:.*]] = plan.offload %arg0 : tensor<4xf32>
  %0 = plan.offload %x : tensor<4xf32>
  // CHECK: plan.fetch %[[H]] : tensor<4xf32>
  %1 = plan.fetch %0 : tensor<4xf32>
  // CHECK: %[[S:.*]] = plan.host_stack : tensor<9x4xbf16, #plan.host>
  %2 = plan.host_stack : tensor<9x4xbf16, #plan.host>
  // CHECK: %[[T:.*]] = plan.offload_row %arg1 to %[[S]][%arg2] : tensor<1x4xbf16>, tensor<9x4xbf16, #plan.host>, tensor<i32>
  %3 = plan.offload_row %row to %2[%i] : tensor<1x4xbf16>, tensor<9x4xbf16, #plan.host>, tensor<i32>
  // CHECK: plan.fetch_row %[[T]][%arg2] : tensor<9x4xbf16, #plan.host>, tensor<i32> -> tensor<1x4xbf16>
  %4 = plan.fetch_row %3[%i] : tensor<9x4xbf16, #plan.host>, tensor<i32> -> tensor<1x4xbf16>
  return %1, %4 : tensor<4xf32>, tensor<1x4xbf16>
}
