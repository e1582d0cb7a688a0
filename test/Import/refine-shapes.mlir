// RUN: shoal-opt %s --split-input-file --shoal-refine-shapes=argument-shapes=arg0:3x4,arg1:5,arg2:scalar | FileCheck %s

// Types follow from the argument, shape operands are computed.
// CHECK-LABEL: @reshape(%arg0: tensor<3x4xf32>) -> tensor<12xf32>
// CHECK-NEXT: %[[R:.*]] = stablehlo.reshape %arg0 : (tensor<3x4xf32>) -> tensor<12xf32>
// CHECK-NEXT: return %[[R]]
func.func @reshape(%a: tensor<?x4xf32>) -> tensor<?xf32> {
  %c4 = stablehlo.constant dense<4> : tensor<i32>
  %n = stablehlo.get_dimension_size %a, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %m = stablehlo.multiply %n, %c4 : tensor<i32>
  %s = stablehlo.reshape %m : (tensor<i32>) -> tensor<1xi32>
  %0 = stablehlo.dynamic_reshape %a, %s : (tensor<?x4xf32>, tensor<1xi32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// Through a loop that carries a size; unused sizes go.
// CHECK-LABEL: @loop
// CHECK: stablehlo.while(%{{.*}} = %{{.*}}, %{{.*}} = %arg0, %{{.*}} = %{{.*}}) : tensor<i32>, tensor<3x4xf32>, tensor<i32>
// CHECK: stablehlo.broadcast_in_dim {{.*}} -> tensor<3x4xf32>
// CHECK-NOT: tensor<?
func.func @loop(%a: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %four = stablehlo.constant dense<4> : tensor<1xi32>
  %f = stablehlo.constant dense<1.0> : tensor<f32>
  %n = stablehlo.get_dimension_size %a, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %r:3 = stablehlo.while(%i = %zero, %x = %a, %size = %n) : tensor<i32>, tensor<?x4xf32>, tensor<i32>
    cond {
      %p = stablehlo.compare LT, %i, %size : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %p : tensor<i1>
    } do {
      %s1 = stablehlo.reshape %size : (tensor<i32>) -> tensor<1xi32>
      %s = stablehlo.concatenate %s1, %four, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
      %b = stablehlo.dynamic_broadcast_in_dim %f, %s, dims = [] : (tensor<f32>, tensor<2xi32>) -> tensor<?x?xf32>
      %y = stablehlo.add %x, %b : (tensor<?x4xf32>, tensor<?x?xf32>) -> tensor<?x4xf32>
      %j = stablehlo.add %i, %one : tensor<i32>
      stablehlo.return %j, %y, %size : tensor<i32>, tensor<?x4xf32>, tensor<i32>
    }
  return %r#1 : tensor<?x4xf32>
}

// -----

// A predicate on sizes decides.
// CHECK-LABEL: @branch
// CHECK-NOT: stablehlo.if
// CHECK: stablehlo.negate
func.func @branch(%a: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %two = stablehlo.constant dense<2> : tensor<i32>
  %n = stablehlo.get_dimension_size %a, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %p = stablehlo.compare GT, %n, %two : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %r = "stablehlo.if"(%p) ({
    %0 = stablehlo.negate %a : tensor<?x4xf32>
    stablehlo.return %0 : tensor<?x4xf32>
  }, {
    stablehlo.return %a : tensor<?x4xf32>
  }) : (tensor<i1>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// -----

// Static forms of the dynamic operations.
// CHECK-LABEL: @forms
func.func @forms(%a: tensor<3x4xf32>, %b: tensor<?xf32>, %c: tensor<*xf32>) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %s34 = stablehlo.constant dense<[3, 4]> : tensor<2xi64>
  %s12 = stablehlo.constant dense<[1, 2]> : tensor<2xi64>
  %s01 = stablehlo.constant dense<[0, 1]> : tensor<2xi64>
  %s11 = stablehlo.constant dense<1> : tensor<2xi64>
  %two = stablehlo.constant dense<2> : tensor<i32>
  // CHECK: stablehlo.iota dim = 1 : tensor<3x4xi32>
  %0 = stablehlo.dynamic_iota %s34, dim = 1 : (tensor<2xi64>) -> tensor<?x?xi32>
  // CHECK: stablehlo.pad %arg0, %{{.*}}, low = [1, 2], high = [0, 1], interior = [1, 1] {{.*}} -> tensor<6x10xf32>
  %1 = stablehlo.dynamic_pad %a, %z, %s12, %s01, %s11 : (tensor<3x4xf32>, tensor<f32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x?xf32>
  // CHECK: stablehlo.slice %arg0 [1:3, 2:4] : (tensor<3x4xf32>) -> tensor<2x2xf32>
  %2 = stablehlo.real_dynamic_slice %a, %s12, %s34, %s11 : (tensor<3x4xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x?xf32>
  // CHECK: stablehlo.slice %arg0 [0:3, 0:2]
  %3 = stablehlo.set_dimension_size %a, %two, dim = 1 : (tensor<3x4xf32>, tensor<i32>) -> tensor<3x?xf32, #stablehlo.bounds<?, 4>>
  // CHECK: slice_sizes = array<i64: 1, 2>
  // CHECK-SAME: -> tensor<5x2xf32>
  %i = stablehlo.constant dense<0> : tensor<5x2xi32>
  %4 = "stablehlo.dynamic_gather"(%a, %i, %s12) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0, 1], index_vector_dim = 1>}> : (tensor<3x4xf32>, tensor<5x2xi32>, tensor<2xi64>) -> tensor<?x?xf32>
  // CHECK: chlo.broadcast_add {{.*}} : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  %5 = chlo.broadcast_add %b, %c : (tensor<?xf32>, tensor<*xf32>) -> tensor<?xf32>
  %minus = stablehlo.constant dense<[2, -1]> : tensor<2xi32>
  // CHECK: stablehlo.reshape %arg0 : (tensor<3x4xf32>) -> tensor<2x6xf32>
  %6 = chlo.dynamic_reshape %a, %minus : (tensor<3x4xf32>, tensor<2xi32>) -> tensor<?x?xf32>
  return
}

// -----

// Shapes as MLIR's own dialects compute them.
// CHECK-LABEL: @shape_dialect
// CHECK-NEXT: stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<5xf32>) -> tensor<3x5xf32>
// CHECK-NEXT: return
func.func @shape_dialect(%a: tensor<?x4xf32>, %b: tensor<?xf32>) -> tensor<?x?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %a, %c0 : tensor<?x4xf32>
  %s = shape.shape_of %b : tensor<?xf32> -> tensor<1xindex>
  %m = tensor.extract %s[%c0] : tensor<1xindex>
  %d = tensor.from_elements %n, %m : tensor<2xindex>
  %0 = stablehlo.dynamic_broadcast_in_dim %b, %d, dims = [1] : (tensor<?xf32>, tensor<2xindex>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// -----

// Operands that only give the sizes of results go.
// CHECK-LABEL: @shape_operands
// CHECK-NEXT: stablehlo.custom_call @f(%arg0) : (tensor<3x4xf32>) -> tensor<4x3xf32>
func.func @shape_operands(%a: tensor<?x4xf32>) -> tensor<?x?xf32> {
  %n = stablehlo.get_dimension_size %a, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %four = stablehlo.constant dense<4> : tensor<1xi32>
  %s1 = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
  %s = stablehlo.concatenate %four, %s1, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
  %0 = stablehlo.custom_call @f(%a, %s) {indices_of_shape_operands = dense<[1]> : tensor<1xi64>} : (tensor<?x4xf32>, tensor<2xi32>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}
