// RUN: shoal-opt %s --split-input-file --shoal-overlap | FileCheck %s
// RUN: not shoal-opt %s --split-input-file --shoal-overlap=hardware=abacus 2>&1 | FileCheck %s --check-prefix=BAD
// BAD: error: --hardware: 'abacus' is unknown

// The second product needs what is gathered; the first one hides the gathering.
// CHECK-LABEL: func.func @gather_first
// CHECK-NEXT: %[[G:.*]] = comm.all_gather
// CHECK-NEXT: %[[P:.*]] = plan.matmul
// CHECK-NEXT: plan.matmul %[[P]], %[[G]]
shoal.mesh @m <["x"=4]>
func.func @gather_first(%x: tensor<4096x4096xf32>, %w: tensor<4096x4096xf32>, %v: tensor<1024x4096xf32>) -> tensor<4096x4096xf32> {
  %0 = plan.matmul %x, %w contract [1] x [0] : (tensor<4096x4096xf32>, tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  %1 = comm.all_gather %v dim = 0 over <@m, {"x"}> : (tensor<1024x4096xf32>) -> tensor<4096x4096xf32>
  %2 = plan.matmul %0, %1 contract [1] x [0] : (tensor<4096x4096xf32>, tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  return %2 : tensor<4096x4096xf32>
}

// -----

// Gathered early, every weight would be held at once: the order that is written
// needs less memory, and without a limit none may be added.
// CHECK-LABEL: func.func @no_more_memory
// CHECK: plan.matmul
// CHECK: plan.matmul
// CHECK: comm.all_gather
// CHECK: plan.matmul
shoal.mesh @m <["x"=4]>
func.func @no_more_memory(%x: tensor<64x4096xf32>, %w: tensor<4096x4096xf32>, %v: tensor<1024x4096xf32>) -> tensor<64x4096xf32> {
  %0 = plan.matmul %x, %w contract [1] x [0] : (tensor<64x4096xf32>, tensor<4096x4096xf32>) -> tensor<64x4096xf32>
  %t = plan.matmul %w, %w contract [1] x [0] : (tensor<4096x4096xf32>, tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  %1 = plan.matmul %0, %t contract [1] x [0] : (tensor<64x4096xf32>, tensor<4096x4096xf32>) -> tensor<64x4096xf32>
  %2 = comm.all_gather %v dim = 0 over <@m, {"x"}> : (tensor<1024x4096xf32>) -> tensor<4096x4096xf32>
  %3 = plan.matmul %1, %2 contract [1] x [0] : (tensor<64x4096xf32>, tensor<4096x4096xf32>) -> tensor<64x4096xf32>
  return %3 : tensor<64x4096xf32>
}

// -----

// What has effects keeps its order.
// CHECK-LABEL: func.func @messages
// CHECK: comm.send
// CHECK: comm.recv
shoal.mesh @m <["x"=2]>
func.func @messages(%x: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> {
  %0 = plan.matmul %x, %x contract [1] x [0] : (tensor<1024x1024xf32>, tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
  comm.send %0 channel = 1 pairs = [[0, 1]] over <@m, {"x"}> : tensor<1024x1024xf32>
  %1 = comm.recv channel = 1 pairs = [[0, 1]] over <@m, {"x"}> : tensor<1024x1024xf32>
  %2 = plan.matmul %1, %x contract [1] x [0] : (tensor<1024x1024xf32>, tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
  return %2 : tensor<1024x1024xf32>
}
