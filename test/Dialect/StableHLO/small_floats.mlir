// RUN: shoal-opt %s | shoal-opt | FileCheck %s
// RUN: shoal-opt --mlir-print-op-generic %s | shoal-opt | FileCheck %s

// Element types that MLIR 23 writes to bytecode in a way that 22 cannot read.

// CHECK-LABEL: func.func @small_floats(
func.func @small_floats(%arg0: tensor<2xf8E4M3FN>, %arg1: tensor<2xf8E5M2>, %arg2: tensor<2xf4E2M1FN>, %arg3: tensor<2xf6E3M2FN>, %arg4: tensor<2xf8E8M0FNU>) {
  // CHECK: stablehlo.floor %{{.*}} : tensor<2xf8E4M3FN>
  // CHECK: stablehlo.subtract %{{.*}}, %{{.*}} : tensor<2xf8E5M2>
  // CHECK: stablehlo.convert %{{.*}} : (tensor<2xf4E2M1FN>) -> tensor<2xf32>
  // CHECK: stablehlo.convert %{{.*}} : (tensor<2xf6E3M2FN>) -> tensor<2xf32>
  // CHECK: stablehlo.convert %{{.*}} : (tensor<2xf8E8M0FNU>) -> tensor<2xf32>
  // CHECK: stablehlo.dot_general %{{.*}}, %{{.*}}, contracting_dims = [0] x [0], algorithm = <lhs_precision_type = tf32, rhs_precision_type = tf32, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 1, allow_imprecise_accumulation = false> : (tensor<2xf8E4M3FN>, tensor<2xf8E5M2>) -> tensor<f32>
  %0 = stablehlo.floor %arg0 : tensor<2xf8E4M3FN>
  %1 = stablehlo.subtract %arg1, %arg1 : tensor<2xf8E5M2>
  %2 = stablehlo.convert %arg2 : (tensor<2xf4E2M1FN>) -> tensor<2xf32>
  %3 = stablehlo.convert %arg3 : (tensor<2xf6E3M2FN>) -> tensor<2xf32>
  %4 = stablehlo.convert %arg4 : (tensor<2xf8E8M0FNU>) -> tensor<2xf32>
  %5 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [0] x [0], algorithm = <lhs_precision_type = tf32, rhs_precision_type = tf32, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 1, allow_imprecise_accumulation = false> : (tensor<2xf8E4M3FN>, tensor<2xf8E5M2>) -> tensor<f32>
  return
}
