// RUN: shoal-opt %s --shoal-keep-recomputed=keep=0 | FileCheck %s
// RUN: shoal-opt %s --shoal-keep-recomputed=all=true | FileCheck %s --check-prefix=ALL
// RUN: shoal-opt %s --shoal-keep-recomputed | FileCheck %s --check-prefix=NONE

// The second loop goes backward over what the first one has stacked (its x),
// and computes the two products of each layer again, on its way to another.
// Product 0 is kept: stacked in the first loop at the same row, read in the
// second; the convert that only it needed goes.
// CHECK-LABEL: func.func @layers
// CHECK: %[[F:.*]]:4 = stablehlo.while({{.*}}, %[[STACK:.*]] = %{{.*}}) : {{.*}}, tensor<4x8x8xf32>, tensor<4x8x8xf32>
// CHECK: do {
// CHECK: %[[P:.*]] = stablehlo.dot_general
// CHECK: stablehlo.dot_general
// CHECK: %[[R:.*]] = stablehlo.reshape %[[P]]
// CHECK: %[[U:.*]] = stablehlo.dynamic_update_slice %[[STACK]], %[[R]]
// CHECK: stablehlo.return {{.*}}, %[[U]] :
// CHECK: stablehlo.while
// CHECK: do {
// CHECK-NOT: stablehlo.convert
// CHECK: %[[S:.*]] = stablehlo.dynamic_slice %[[F]]#3, {{.*}} sizes = [1, 8, 8]
// CHECK: %[[K:.*]] = stablehlo.reshape %[[S]]
// CHECK: %[[T:.*]] = stablehlo.tanh %[[K]]
// CHECK: %[[AGAIN:.*]] = stablehlo.dot_general %[[T]]
// CHECK: stablehlo.dot_general %{{.*}}, %[[AGAIN]]
// ALL-LABEL: func.func @layers
// ALL: stablehlo.while
// ALL-COUNT-2: stablehlo.dot_general
// ALL: stablehlo.while
// ALL: stablehlo.dot_general
// ALL-NOT: stablehlo.dot_general
// ALL: return
// NONE-LABEL: func.func @layers
// NONE-COUNT-5: stablehlo.dot_general
func.func @layers(%w: tensor<4x8x8xf64>, %v: tensor<4x8x8xf32>, %x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %empty = stablehlo.broadcast_in_dim %z, dims = [] : (tensor<f32>) -> tensor<4x8x8xf32>
  %f:3 = stablehlo.while(%i = %zero, %y = %x, %xs = %empty) : tensor<i32>, tensor<8x8xf32>, tensor<4x8x8xf32>
  cond {
    %end = stablehlo.constant dense<4> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %none = stablehlo.constant dense<0> : tensor<i32>
    %0 = stablehlo.dynamic_slice %w, %i, %none, %none, sizes = [1, 8, 8] : (tensor<4x8x8xf64>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x8xf64>
    %1 = stablehlo.reshape %0 : (tensor<1x8x8xf64>) -> tensor<8x8xf64>
    %2 = stablehlo.convert %1 : (tensor<8x8xf64>) -> tensor<8x8xf32>
    %3 = stablehlo.dot_general %y, %2, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %4 = stablehlo.tanh %3 : tensor<8x8xf32>
    %5 = stablehlo.dynamic_slice %v, %i, %none, %none, sizes = [1, 8, 8] : (tensor<4x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x8xf32>
    %6 = stablehlo.reshape %5 : (tensor<1x8x8xf32>) -> tensor<8x8xf32>
    %7 = stablehlo.dot_general %4, %6, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %8 = stablehlo.broadcast_in_dim %y, dims = [1, 2] : (tensor<8x8xf32>) -> tensor<1x8x8xf32>
    %9 = stablehlo.dynamic_update_slice %xs, %8, %i, %none, %none : (tensor<4x8x8xf32>, tensor<1x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<4x8x8xf32>
    %n = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %n, %7, %9 : tensor<i32>, tensor<8x8xf32>, tensor<4x8x8xf32>
  }
  %b:3 = stablehlo.while(%i = %zero, %g = %f#1, %xs = %f#2) : tensor<i32>, tensor<8x8xf32>, tensor<4x8x8xf32>
  cond {
    %end = stablehlo.constant dense<4> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %none = stablehlo.constant dense<0> : tensor<i32>
    %three = stablehlo.constant dense<3> : tensor<i32>
    %j = stablehlo.subtract %three, %i : tensor<i32>
    %s = stablehlo.dynamic_slice %xs, %j, %none, %none, sizes = [1, 8, 8] : (tensor<4x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x8xf32>
    %y0 = stablehlo.reshape %s : (tensor<1x8x8xf32>) -> tensor<8x8xf32>
    %0 = stablehlo.dynamic_slice %w, %j, %none, %none, sizes = [1, 8, 8] : (tensor<4x8x8xf64>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x8xf64>
    %1 = stablehlo.reshape %0 : (tensor<1x8x8xf64>) -> tensor<8x8xf64>
    %y, %u = stablehlo.optimization_barrier %y0, %1 : tensor<8x8xf32>, tensor<8x8xf64>
    %2 = stablehlo.convert %u : (tensor<8x8xf64>) -> tensor<8x8xf32>
    %3 = stablehlo.dot_general %y, %2, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %4 = stablehlo.tanh %3 : tensor<8x8xf32>
    %5 = stablehlo.dynamic_slice %v, %j, %none, %none, sizes = [1, 8, 8] : (tensor<4x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x8xf32>
    %6 = stablehlo.reshape %5 : (tensor<1x8x8xf32>) -> tensor<8x8xf32>
    %7 = stablehlo.dot_general %4, %6, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %8 = stablehlo.dot_general %g, %7, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %n = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %n, %8, %xs : tensor<i32>, tensor<8x8xf32>, tensor<4x8x8xf32>
  }
  return %b#1 : tensor<8x8xf32>
}

// The second loop reads other rows of the weights than the first did where it
// read its x: nothing is computed twice.
// ALL-LABEL: func.func @shifted
// ALL: stablehlo.while({{.*}}) : tensor<i32>, tensor<8x8xf32>, tensor<4x8x8xf32>{{$}}
func.func @shifted(%w: tensor<4x8x8xf32>, %x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %empty = stablehlo.broadcast_in_dim %z, dims = [] : (tensor<f32>) -> tensor<4x8x8xf32>
  %f:3 = stablehlo.while(%i = %zero, %y = %x, %xs = %empty) : tensor<i32>, tensor<8x8xf32>, tensor<4x8x8xf32>
  cond {
    %end = stablehlo.constant dense<4> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %none = stablehlo.constant dense<0> : tensor<i32>
    %0 = stablehlo.dynamic_slice %w, %i, %none, %none, sizes = [1, 8, 8] : (tensor<4x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x8xf32>
    %1 = stablehlo.reshape %0 : (tensor<1x8x8xf32>) -> tensor<8x8xf32>
    %3 = stablehlo.dot_general %y, %1, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %8 = stablehlo.broadcast_in_dim %y, dims = [1, 2] : (tensor<8x8xf32>) -> tensor<1x8x8xf32>
    %9 = stablehlo.dynamic_update_slice %xs, %8, %i, %none, %none : (tensor<4x8x8xf32>, tensor<1x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<4x8x8xf32>
    %n = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %n, %3, %9 : tensor<i32>, tensor<8x8xf32>, tensor<4x8x8xf32>
  }
  %b:2 = stablehlo.while(%i = %zero, %g = %f#1) : tensor<i32>, tensor<8x8xf32>
  cond {
    %end = stablehlo.constant dense<4> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %none = stablehlo.constant dense<0> : tensor<i32>
    %three = stablehlo.constant dense<3> : tensor<i32>
    %j = stablehlo.subtract %three, %i : tensor<i32>
    %s = stablehlo.dynamic_slice %f#2, %j, %none, %none, sizes = [1, 8, 8] : (tensor<4x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x8xf32>
    %y = stablehlo.reshape %s : (tensor<1x8x8xf32>) -> tensor<8x8xf32>
    %0 = stablehlo.dynamic_slice %w, %i, %none, %none, sizes = [1, 8, 8] : (tensor<4x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x8xf32>
    %1 = stablehlo.reshape %0 : (tensor<1x8x8xf32>) -> tensor<8x8xf32>
    %3 = stablehlo.dot_general %y, %1, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %8 = stablehlo.add %g, %3 : tensor<8x8xf32>
    %n = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %n, %8 : tensor<i32>, tensor<8x8xf32>
  }
  return %b#1 : tensor<8x8xf32>
}
