// RUN: shoal-opt %s --shoal-decompose-batch-norm | FileCheck %s

// CHECK-LABEL: @inference
// CHECK-NOT: batch_norm
// CHECK-DAG: %[[CENTERED:.*]] = stablehlo.subtract %arg0, %{{.*}} : tensor<2x4x3xf32>
// CHECK-DAG: stablehlo.constant dense<1.000000e-03> : tensor<3xf32>
// CHECK: stablehlo.sqrt
// CHECK: stablehlo.divide
// CHECK: stablehlo.add
func.func @inference(%x: tensor<2x4x3xf32>, %scale: tensor<3xf32>,
                     %offset: tensor<3xf32>, %mean: tensor<3xf32>,
                     %variance: tensor<3xf32>) -> tensor<2x4x3xf32> {
  %0 = "stablehlo.batch_norm_inference"(%x, %scale, %offset, %mean, %variance)
    <{epsilon = 1.0e-3 : f32, feature_index = 2 : i64}>
    : (tensor<2x4x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>,
       tensor<3xf32>) -> tensor<2x4x3xf32>
  return %0 : tensor<2x4x3xf32>
}

// The mean and the variance are sums over all dimensions but the feature's.
// CHECK-LABEL: @training
// CHECK-NOT: batch_norm
// CHECK: stablehlo.reduce(%arg0 {{.*}} across dimensions = [0, 2]
// CHECK: stablehlo.constant dense<8.000000e+00> : tensor<3xf32>
// CHECK: stablehlo.reduce({{.*}} across dimensions = [0, 2]
func.func @training(%x: tensor<2x3x4xf32>, %scale: tensor<3xf32>,
                    %offset: tensor<3xf32>)
    -> (tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>) {
  %0:3 = "stablehlo.batch_norm_training"(%x, %scale, %offset)
    <{epsilon = 1.0e-3 : f32, feature_index = 1 : i64}>
    : (tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>)
    -> (tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>)
  return %0#0, %0#1, %0#2 : tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: @grad
// CHECK-NOT: batch_norm
// CHECK-COUNT-2: stablehlo.reduce(
func.func @grad(%x: tensor<2x3x4xf32>, %scale: tensor<3xf32>,
                %mean: tensor<3xf32>, %variance: tensor<3xf32>,
                %dy: tensor<2x3x4xf32>)
    -> (tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>) {
  %0:3 = "stablehlo.batch_norm_grad"(%x, %scale, %mean, %variance, %dy)
    <{epsilon = 1.0e-3 : f32, feature_index = 1 : i64}>
    : (tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>,
       tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>)
  return %0#0, %0#1, %0#2 : tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>
}
