// RUN: shoal-opt %s --split-input-file --verify-diagnostics

func.func @broadcast(%x: tensor<4x2xf32>, %y: tensor<8xf32>) {
  // expected-error@+1 {{cannot broadcast 'tensor<4x2xf32>' and 'tensor<8xf32>'}}
  %0 = chlo.broadcast_add %x, %y : (tensor<4x2xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @broadcast_dimensions(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  // expected-error@+1 {{with broadcast_dimensions [2]}}
  %0 = chlo.broadcast_add %x, %y {broadcast_dimensions = array<i64: 2>} : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @top_k(%x: tensor<4xf32>) {
  // expected-error@+1 {{asks for 8 of 4 elements}}
  %0:2 = chlo.top_k(%x, k = 8) : tensor<4xf32> -> (tensor<8xf32>, tensor<8xi32>)
  return
}

// -----

func.func @ragged_dot(%a: tensor<11x5xf32>, %b: tensor<3x4x7xf32>, %g: tensor<3xi64>) {
  // expected-error@+1 {{contracting dimensions differ in size: 5 and 4}}
  %2 = "chlo.ragged_dot"(%a, %b, %g) {ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>} : (tensor<11x5xf32>, tensor<3x4x7xf32>, tensor<3xi64>) -> tensor<11x7xf32>
  return
}
