// Target cuda: attention with its gradient is two kernels, whatever way the
// gradient is written, unless something else needs the scores.
// RUN: shoal-opt %s --shoal-fuse-attention-gradient --shoal-fuse-attention 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK < %t.err

// REMARK: attention-gradient.mlir:{{.*}}: remark: attention's gradient keeps its scores in memory: other ops need them
// REMARK: note: such as this one

// The division's form of the gradient. Nothing has a number for each query and
// key; the rows' maxima and inverse sums go from one kernel to the other.
// CHECK-LABEL: func.func @causal
// CHECK-NOT: 64x64
// CHECK: %[[F:.*]]:3 = plan.launch @attention_rows_0(%arg0, %arg1, %arg2)
// CHECK-NOT: 64x64
// CHECK: %[[OD:.*]] = stablehlo.multiply
// CHECK: %[[D:.*]] = stablehlo.reduce(%[[OD]]
// CHECK: %[[B:.*]]:3 = plan.launch @attention_gradient_0(%[[F]]#1, %[[F]]#2, %[[D]], %arg0, %arg1, %arg3, %arg2)
// CHECK-NEXT: return %[[F]]#0,
func.func @causal(%arg0: tensor<2x64x32xf32>, %arg1: tensor<2x64x32xf32>, %arg2: tensor<2x64x32xf32>, %arg3: tensor<2x64x32xf32>) -> (tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>) {
  %0 = stablehlo.dot_general %arg0, %arg1, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x64x32xf32>, tensor<2x64x32xf32>) -> tensor<2x64x64xf32>
  %cst = stablehlo.constant dense<2.500000e-01> : tensor<f32>
  %1 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<2x64x64xf32>
  %2 = stablehlo.multiply %0, %1 : tensor<2x64x64xf32>
  %3 = stablehlo.iota dim = 1 : tensor<2x64x64xi32>
  %4 = stablehlo.iota dim = 2 : tensor<2x64x64xi32>
  %5 = stablehlo.compare GE, %3, %4, SIGNED : (tensor<2x64x64xi32>, tensor<2x64x64xi32>) -> tensor<2x64x64xi1>
  %cst_0 = stablehlo.constant dense<-1.000000e+09> : tensor<f32>
  %6 = stablehlo.convert %cst_0 : tensor<f32>
  %7 = stablehlo.broadcast_in_dim %6, dims = [] : (tensor<f32>) -> tensor<2x64x64xf32>
  %8 = stablehlo.select %5, %2, %7 : tensor<2x64x64xi1>, tensor<2x64x64xf32>
  %cst_1 = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %9 = stablehlo.reduce(%8 init: %cst_1) applies stablehlo.maximum across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %10 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<2x64xf32>
  %11 = stablehlo.maximum %10, %9 : tensor<2x64xf32>
  %12 = stablehlo.broadcast_in_dim %11, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %13 = stablehlo.broadcast_in_dim %12, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %14 = stablehlo.subtract %8, %13 : tensor<2x64x64xf32>
  %15 = stablehlo.exponential %14 : tensor<2x64x64xf32>
  %cst_2 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %16 = stablehlo.reduce(%15 init: %cst_2) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %17 = stablehlo.broadcast_in_dim %16, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %18 = stablehlo.broadcast_in_dim %17, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %19 = stablehlo.divide %15, %18 : tensor<2x64x64xf32>
  %20 = stablehlo.multiply %17, %17 : tensor<2x64x1xf32>
  %cst_3 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
  %21 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<2x64x1xf32>
  %22 = stablehlo.divide %21, %20 : tensor<2x64x1xf32>
  %23 = stablehlo.dot_general %19, %arg2, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  %24 = stablehlo.dot_general %arg3, %19, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x64x32xf32>, tensor<2x64x64xf32>) -> tensor<2x32x64xf32>
  %25 = stablehlo.transpose %24, dims = [0, 2, 1] : (tensor<2x32x64xf32>) -> tensor<2x64x32xf32>
  %26 = stablehlo.dot_general %arg3, %arg2, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x64x32xf32>, tensor<2x64x32xf32>) -> tensor<2x64x64xf32>
  %27 = stablehlo.broadcast_in_dim %22, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %28 = stablehlo.multiply %26, %27 : tensor<2x64x64xf32>
  %29 = stablehlo.multiply %28, %15 : tensor<2x64x64xf32>
  %30 = stablehlo.reduce(%29 init: %cst_2) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %31 = stablehlo.reshape %30 : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %32 = stablehlo.negate %31 : tensor<2x64x1xf32>
  %33 = stablehlo.divide %26, %18 : tensor<2x64x64xf32>
  %34 = stablehlo.reduce(%32 init: %cst_2) applies stablehlo.add across dimensions = [2] : (tensor<2x64x1xf32>, tensor<f32>) -> tensor<2x64xf32>
  %35 = stablehlo.broadcast_in_dim %34, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x64xf32>
  %36 = stablehlo.add %33, %35 : tensor<2x64x64xf32>
  %37 = stablehlo.multiply %36, %15 : tensor<2x64x64xf32>
  %38 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<2x64x64xf32>
  %39 = stablehlo.select %5, %37, %38 : tensor<2x64x64xi1>, tensor<2x64x64xf32>
  %40 = stablehlo.multiply %39, %1 : tensor<2x64x64xf32>
  %41 = stablehlo.dot_general %40, %arg0, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  %42 = stablehlo.dot_general %40, %arg1, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  return %23, %42, %41, %25 : tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>
}

// The maximum is differentiated too, which gives zero.
// CHECK-LABEL: func.func @by_hand
// CHECK-NOT: 64x64
// CHECK: plan.launch @attention_rows_1
// CHECK-NOT: 64x64
// CHECK: plan.launch @attention_gradient_1
// CHECK-NOT: 64x64
// CHECK: return
func.func @by_hand(%arg0: tensor<2x64x32xf32>, %arg1: tensor<2x64x32xf32>, %arg2: tensor<2x64x32xf32>, %arg3: tensor<2x64x32xf32>) -> (tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>) {
  %0 = stablehlo.dot_general %arg0, %arg1, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x64x32xf32>, tensor<2x64x32xf32>) -> tensor<2x64x64xf32>
  %cst = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %1 = stablehlo.reduce(%0 init: %cst) applies stablehlo.maximum across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %2 = stablehlo.reshape %1 : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %3 = stablehlo.broadcast_in_dim %2, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %4 = stablehlo.compare EQ, %0, %3, FLOAT : (tensor<2x64x64xf32>, tensor<2x64x64xf32>) -> tensor<2x64x64xi1>
  %5 = stablehlo.convert %4 : (tensor<2x64x64xi1>) -> tensor<2x64x64xf32>
  %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %6 = stablehlo.reduce(%5 init: %cst_0) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %7 = stablehlo.broadcast_in_dim %1, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %8 = stablehlo.broadcast_in_dim %7, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %9 = stablehlo.subtract %0, %8 : tensor<2x64x64xf32>
  %10 = stablehlo.exponential %9 : tensor<2x64x64xf32>
  %11 = stablehlo.reduce(%10 init: %cst_0) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %12 = stablehlo.broadcast_in_dim %11, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %13 = stablehlo.broadcast_in_dim %12, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %14 = stablehlo.divide %10, %13 : tensor<2x64x64xf32>
  %15 = stablehlo.multiply %12, %12 : tensor<2x64x1xf32>
  %cst_1 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
  %16 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<2x64x1xf32>
  %17 = stablehlo.divide %16, %15 : tensor<2x64x1xf32>
  %18 = stablehlo.dot_general %14, %arg2, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  %19 = stablehlo.dot_general %arg3, %14, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x64x32xf32>, tensor<2x64x64xf32>) -> tensor<2x32x64xf32>
  %20 = stablehlo.transpose %19, dims = [0, 2, 1] : (tensor<2x32x64xf32>) -> tensor<2x64x32xf32>
  %21 = stablehlo.dot_general %arg3, %arg2, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x64x32xf32>, tensor<2x64x32xf32>) -> tensor<2x64x64xf32>
  %22 = stablehlo.broadcast_in_dim %17, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %23 = stablehlo.multiply %21, %22 : tensor<2x64x64xf32>
  %24 = stablehlo.multiply %23, %10 : tensor<2x64x64xf32>
  %25 = stablehlo.reduce(%24 init: %cst_0) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %26 = stablehlo.reshape %25 : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %27 = stablehlo.negate %26 : tensor<2x64x1xf32>
  %28 = stablehlo.divide %21, %13 : tensor<2x64x64xf32>
  %29 = stablehlo.reduce(%27 init: %cst_0) applies stablehlo.add across dimensions = [2] : (tensor<2x64x1xf32>, tensor<f32>) -> tensor<2x64xf32>
  %30 = stablehlo.broadcast_in_dim %29, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x64xf32>
  %31 = stablehlo.add %28, %30 : tensor<2x64x64xf32>
  %32 = stablehlo.multiply %31, %10 : tensor<2x64x64xf32>
  %33 = stablehlo.negate %32 : tensor<2x64x64xf32>
  %34 = stablehlo.reduce(%33 init: %cst_0) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %35 = stablehlo.reshape %34 : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %36 = stablehlo.reduce(%35 init: %cst_0) applies stablehlo.add across dimensions = [2] : (tensor<2x64x1xf32>, tensor<f32>) -> tensor<2x64xf32>
  %37 = stablehlo.divide %36, %6 : tensor<2x64xf32>
  %38 = stablehlo.broadcast_in_dim %37, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x64xf32>
  %39 = stablehlo.multiply %38, %5 : tensor<2x64x64xf32>
  %40 = stablehlo.add %32, %39 : tensor<2x64x64xf32>
  %41 = stablehlo.dot_general %40, %arg0, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  %42 = stablehlo.dot_general %40, %arg1, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  return %18, %42, %41, %20 : tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>
}

// jax.checkpoint: one more forward, for the rows' numbers and D; the first is
// attention without a gradient. The kernels are those of @causal again.
// CHECK-LABEL: func.func @computed_again
// CHECK: plan.launch @attention_0(%arg0, %arg1, %arg2)
// CHECK: %[[IN:.*]]:4 = stablehlo.optimization_barrier
// CHECK: plan.launch @attention_rows_0(%[[IN]]#0, %[[IN]]#1, %[[IN]]#2)
// CHECK-NOT: 64x64
// CHECK: plan.launch @attention_gradient_0
func.func @computed_again(%arg0: tensor<2x64x32xf32>, %arg1: tensor<2x64x32xf32>, %arg2: tensor<2x64x32xf32>, %arg3: tensor<2x64x32xf32>) -> (tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>) {
  %0 = stablehlo.dot_general %arg0, %arg1, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x64x32xf32>, tensor<2x64x32xf32>) -> tensor<2x64x64xf32>
  %cst = stablehlo.constant dense<2.500000e-01> : tensor<f32>
  %1 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<2x64x64xf32>
  %2 = stablehlo.multiply %0, %1 : tensor<2x64x64xf32>
  %3 = stablehlo.iota dim = 1 : tensor<2x64x64xi32>
  %4 = stablehlo.iota dim = 2 : tensor<2x64x64xi32>
  %5 = stablehlo.compare GE, %3, %4, SIGNED : (tensor<2x64x64xi32>, tensor<2x64x64xi32>) -> tensor<2x64x64xi1>
  %cst_0 = stablehlo.constant dense<-1.000000e+09> : tensor<f32>
  %6 = stablehlo.convert %cst_0 : tensor<f32>
  %7 = stablehlo.broadcast_in_dim %6, dims = [] : (tensor<f32>) -> tensor<2x64x64xf32>
  %8 = stablehlo.select %5, %2, %7 : tensor<2x64x64xi1>, tensor<2x64x64xf32>
  %cst_1 = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %9 = stablehlo.reduce(%8 init: %cst_1) applies stablehlo.maximum across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %10 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<2x64xf32>
  %11 = stablehlo.maximum %10, %9 : tensor<2x64xf32>
  %12 = stablehlo.broadcast_in_dim %11, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %13 = stablehlo.broadcast_in_dim %12, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %14 = stablehlo.subtract %8, %13 : tensor<2x64x64xf32>
  %15 = stablehlo.exponential %14 : tensor<2x64x64xf32>
  %cst_2 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %16 = stablehlo.reduce(%15 init: %cst_2) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %17 = stablehlo.broadcast_in_dim %16, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %18 = stablehlo.broadcast_in_dim %17, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %19 = stablehlo.divide %15, %18 : tensor<2x64x64xf32>
  %20 = stablehlo.dot_general %19, %arg2, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  %21:4 = stablehlo.optimization_barrier %arg0, %arg1, %arg2, %arg3 : tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>
  %22 = stablehlo.dot_general %21#0, %21#1, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x64x32xf32>, tensor<2x64x32xf32>) -> tensor<2x64x64xf32>
  %23 = stablehlo.multiply %22, %1 : tensor<2x64x64xf32>
  %24 = stablehlo.select %5, %23, %7 : tensor<2x64x64xi1>, tensor<2x64x64xf32>
  %25 = stablehlo.reduce(%24 init: %cst_1) applies stablehlo.maximum across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %26 = stablehlo.maximum %10, %25 : tensor<2x64xf32>
  %27 = stablehlo.broadcast_in_dim %26, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %28 = stablehlo.broadcast_in_dim %27, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %29 = stablehlo.subtract %24, %28 : tensor<2x64x64xf32>
  %30 = stablehlo.exponential %29 : tensor<2x64x64xf32>
  %31 = stablehlo.reduce(%30 init: %cst_2) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %32 = stablehlo.broadcast_in_dim %31, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %33 = stablehlo.broadcast_in_dim %32, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %34 = stablehlo.divide %30, %33 : tensor<2x64x64xf32>
  %35 = stablehlo.multiply %32, %32 : tensor<2x64x1xf32>
  %cst_3 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
  %36 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<2x64x1xf32>
  %37 = stablehlo.divide %36, %35 : tensor<2x64x1xf32>
  %38 = stablehlo.dot_general %21#3, %34, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x64x32xf32>, tensor<2x64x64xf32>) -> tensor<2x32x64xf32>
  %39 = stablehlo.transpose %38, dims = [0, 2, 1] : (tensor<2x32x64xf32>) -> tensor<2x64x32xf32>
  %40 = stablehlo.dot_general %21#3, %21#2, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x64x32xf32>, tensor<2x64x32xf32>) -> tensor<2x64x64xf32>
  %41 = stablehlo.broadcast_in_dim %37, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %42 = stablehlo.multiply %40, %41 : tensor<2x64x64xf32>
  %43 = stablehlo.multiply %42, %30 : tensor<2x64x64xf32>
  %44 = stablehlo.reduce(%43 init: %cst_2) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %45 = stablehlo.reshape %44 : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %46 = stablehlo.negate %45 : tensor<2x64x1xf32>
  %47 = stablehlo.divide %40, %33 : tensor<2x64x64xf32>
  %48 = stablehlo.reduce(%46 init: %cst_2) applies stablehlo.add across dimensions = [2] : (tensor<2x64x1xf32>, tensor<f32>) -> tensor<2x64xf32>
  %49 = stablehlo.broadcast_in_dim %48, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x64xf32>
  %50 = stablehlo.add %47, %49 : tensor<2x64x64xf32>
  %51 = stablehlo.multiply %50, %30 : tensor<2x64x64xf32>
  %52 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<2x64x64xf32>
  %53 = stablehlo.select %5, %51, %52 : tensor<2x64x64xi1>, tensor<2x64x64xf32>
  %54 = stablehlo.multiply %53, %1 : tensor<2x64x64xf32>
  %55 = stablehlo.dot_general %54, %21#0, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  %56 = stablehlo.dot_general %54, %21#1, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  return %20, %56, %55, %39 : tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>
}

// CHECK-LABEL: func.func @probabilities_needed
// CHECK-NOT: plan.launch
// CHECK: return
func.func @probabilities_needed(%arg0: tensor<2x64x32xf32>, %arg1: tensor<2x64x32xf32>, %arg2: tensor<2x64x32xf32>, %arg3: tensor<2x64x32xf32>) -> (tensor<2x64x32xf32>, tensor<2x64x64xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>) {
  %0 = stablehlo.dot_general %arg0, %arg1, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x64x32xf32>, tensor<2x64x32xf32>) -> tensor<2x64x64xf32>
  %cst = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %1 = stablehlo.reduce(%0 init: %cst) applies stablehlo.maximum across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %2 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<2x64xf32>
  %3 = stablehlo.maximum %2, %1 : tensor<2x64xf32>
  %4 = stablehlo.broadcast_in_dim %3, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %6 = stablehlo.subtract %0, %5 : tensor<2x64x64xf32>
  %7 = stablehlo.exponential %6 : tensor<2x64x64xf32>
  %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %8 = stablehlo.reduce(%7 init: %cst_0) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %9 = stablehlo.broadcast_in_dim %8, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %10 = stablehlo.broadcast_in_dim %9, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %11 = stablehlo.divide %7, %10 : tensor<2x64x64xf32>
  %12 = stablehlo.multiply %9, %9 : tensor<2x64x1xf32>
  %cst_1 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
  %13 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<2x64x1xf32>
  %14 = stablehlo.divide %13, %12 : tensor<2x64x1xf32>
  %15 = stablehlo.dot_general %11, %arg2, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  %16 = stablehlo.dot_general %arg3, %11, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x64x32xf32>, tensor<2x64x64xf32>) -> tensor<2x32x64xf32>
  %17 = stablehlo.transpose %16, dims = [0, 2, 1] : (tensor<2x32x64xf32>) -> tensor<2x64x32xf32>
  %18 = stablehlo.dot_general %arg3, %arg2, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x64x32xf32>, tensor<2x64x32xf32>) -> tensor<2x64x64xf32>
  %19 = stablehlo.broadcast_in_dim %14, dims = [0, 1, 2] : (tensor<2x64x1xf32>) -> tensor<2x64x64xf32>
  %20 = stablehlo.multiply %18, %19 : tensor<2x64x64xf32>
  %21 = stablehlo.multiply %20, %7 : tensor<2x64x64xf32>
  %22 = stablehlo.reduce(%21 init: %cst_0) applies stablehlo.add across dimensions = [2] : (tensor<2x64x64xf32>, tensor<f32>) -> tensor<2x64xf32>
  %23 = stablehlo.reshape %22 : (tensor<2x64xf32>) -> tensor<2x64x1xf32>
  %24 = stablehlo.negate %23 : tensor<2x64x1xf32>
  %25 = stablehlo.divide %18, %10 : tensor<2x64x64xf32>
  %26 = stablehlo.reduce(%24 init: %cst_0) applies stablehlo.add across dimensions = [2] : (tensor<2x64x1xf32>, tensor<f32>) -> tensor<2x64xf32>
  %27 = stablehlo.broadcast_in_dim %26, dims = [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x64xf32>
  %28 = stablehlo.add %25, %27 : tensor<2x64x64xf32>
  %29 = stablehlo.multiply %28, %7 : tensor<2x64x64xf32>
  %30 = stablehlo.dot_general %29, %arg0, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  %31 = stablehlo.dot_general %29, %arg1, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x64x64xf32>, tensor<2x64x32xf32>) -> tensor<2x64x32xf32>
  return %15, %11, %31, %30, %17 : tensor<2x64x32xf32>, tensor<2x64x64xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>, tensor<2x64x32xf32>
}

// The kernels are plain ops: the probabilities again, and three products.
// CHECK: plan.kernel @attention_rows_0
// CHECK: plan.kernel @attention_gradient_0
// CHECK: stablehlo.exponential
// CHECK-COUNT-4: stablehlo.dot_general
// CHECK: plan.yield
