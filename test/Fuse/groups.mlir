// RUN: shoal-opt %s --shoal-fuse | FileCheck %s

// Elementwise ops and broadcasts between two library products are one kernel,
// which may work in place.
// CHECK-LABEL: func.func @mlp
// CHECK: plan.matmul %arg0, %arg1
// CHECK-NEXT: plan.launch [[GELU:@kernel_0_[a-z]+]]
// CHECK-NEXT: plan.matmul
// CHECK-NEXT: return
func.func @mlp(%x: tensor<32x64xf32>, %w: tensor<64x128xf32>, %b: tensor<128xf32>, %v: tensor<128x64xf32>) -> tensor<32x64xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<32x64xf32>, tensor<64x128xf32>) -> tensor<32x128xf32>
  %1 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<128xf32>) -> tensor<32x128xf32>
  %2 = stablehlo.add %0, %1 : tensor<32x128xf32>
  %3 = stablehlo.tanh %2 : tensor<32x128xf32>
  %4 = stablehlo.dot_general %3, %v, contracting_dims = [1] x [0] : (tensor<32x128xf32>, tensor<128x64xf32>) -> tensor<32x64xf32>
  return %4 : tensor<32x64xf32>
}

// A softmax is one kernel over rows; the two calls share it.
// CHECK-LABEL: func.func @softmax
// CHECK-NEXT: plan.launch [[SOFTMAX:@kernel_1_[a-z]+]](%arg0)
// CHECK-NEXT: plan.launch [[SOFTMAX]](%arg1)
// CHECK-NEXT: return
func.func @softmax(%a: tensor<8x16xf32>, %b: tensor<8x16xf32>) -> (tensor<8x16xf32>, tensor<8x16xf32>) {
  %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %m = stablehlo.reduce(%a init: %ninf) applies stablehlo.maximum across dimensions = [1] : (tensor<8x16xf32>, tensor<f32>) -> tensor<8xf32>
  %mb = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x16xf32>
  %s = stablehlo.subtract %a, %mb : tensor<8x16xf32>
  %e = stablehlo.exponential %s : tensor<8x16xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x16xf32>, tensor<f32>) -> tensor<8xf32>
  %tb = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x16xf32>
  %r = stablehlo.divide %e, %tb : tensor<8x16xf32>
  %m1 = stablehlo.reduce(%b init: %ninf) applies stablehlo.maximum across dimensions = [1] : (tensor<8x16xf32>, tensor<f32>) -> tensor<8xf32>
  %mb1 = stablehlo.broadcast_in_dim %m1, dims = [0] : (tensor<8xf32>) -> tensor<8x16xf32>
  %s1 = stablehlo.subtract %b, %mb1 : tensor<8x16xf32>
  %e1 = stablehlo.exponential %s1 : tensor<8x16xf32>
  %t1 = stablehlo.reduce(%e1 init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x16xf32>, tensor<f32>) -> tensor<8xf32>
  %tb1 = stablehlo.broadcast_in_dim %t1, dims = [0] : (tensor<8xf32>) -> tensor<8x16xf32>
  %r1 = stablehlo.divide %e1, %tb1 : tensor<8x16xf32>
  return %r, %r1 : tensor<8x16xf32>, tensor<8x16xf32>
}

// Transposes around a product are its dimension lists.
// CHECK-LABEL: func.func @transposes
// CHECK-NEXT: %[[C:.*]] = plan.matmul %arg0, %arg1 contract [0] x [1] permutation [1, 0]
// CHECK-NEXT: return %[[C]]
func.func @transposes(%a: tensor<64x32xf32>, %b: tensor<16x64xf32>) -> tensor<16x32xf32> {
  %0 = stablehlo.transpose %a, dims = [1, 0] : (tensor<64x32xf32>) -> tensor<32x64xf32>
  %1 = stablehlo.transpose %b, dims = [1, 0] : (tensor<16x64xf32>) -> tensor<64x16xf32>
  %2 = stablehlo.dot_general %0, %1, contracting_dims = [1] x [0] : (tensor<32x64xf32>, tensor<64x16xf32>) -> tensor<32x16xf32>
  %3 = stablehlo.transpose %2, dims = [1, 0] : (tensor<32x16xf32>) -> tensor<16x32xf32>
  return %3 : tensor<16x32xf32>
}

// Two sums of columns over one operand share a kernel.
// CHECK-LABEL: func.func @columns
// CHECK-NEXT: plan.launch {{.*}} -> (tensor<128xf32>, tensor<128xf32>)
// CHECK-NEXT: return
func.func @columns(%a: tensor<64x128xf32>, %b: tensor<64x128xf32>) -> (tensor<128xf32>, tensor<128xf32>) {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.reduce(%a init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<64x128xf32>, tensor<f32>) -> tensor<128xf32>
  %1 = stablehlo.multiply %a, %b : tensor<64x128xf32>
  %2 = stablehlo.reduce(%1 init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<64x128xf32>, tensor<f32>) -> tensor<128xf32>
  return %0, %2 : tensor<128xf32>, tensor<128xf32>
}

// A value for each row that is needed elsewhere does not split the kernel, and
// a sum over one element is a reshape.
// CHECK-LABEL: func.func @rows
// CHECK-NEXT: plan.launch {{.*}} -> (tensor<8x1xf32>, tensor<8x64xf32>)
// CHECK-NEXT: return
func.func @rows(%a: tensor<8x64xf32>) -> (tensor<8x1xf32>, tensor<8x64xf32>) {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.reduce(%a init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x64xf32>, tensor<f32>) -> tensor<8xf32>
  %k = stablehlo.reshape %s : (tensor<8xf32>) -> tensor<8x1xf32>
  %r = stablehlo.rsqrt %k : tensor<8x1xf32>
  %u = stablehlo.reduce(%r init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x1xf32>, tensor<f32>) -> tensor<8xf32>
  %b = stablehlo.broadcast_in_dim %u, dims = [0] : (tensor<8xf32>) -> tensor<8x64xf32>
  %m = stablehlo.multiply %a, %b : tensor<8x64xf32>
  return %r, %m : tensor<8x1xf32>, tensor<8x64xf32>
}

// CHECK: plan.kernel [[GELU]]{{.*}}may_overwrite = array<i64: 0, {{[01]}}>
// CHECK: plan.kernel [[SOFTMAX]]{{.*}}strategy = "rows"
// CHECK: strategy = "columns"
