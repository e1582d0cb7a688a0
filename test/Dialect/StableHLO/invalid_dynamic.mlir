// RUN: shoal-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics

// What the verifiers of dynamic ops refuse.

func.func @dynamic_reshape(%a: tensor<2x3xf32>, %s: tensor<2xi64>) {
  // expected-error@+1 {{result rank 1 does not match the shape operand 'tensor<2xi64>'}}
  %0 = stablehlo.dynamic_reshape %a, %s : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<?xf32>
  return
}

// -----

// stricter than jaxlib
func.func @dynamic_broadcast_rank(%a: tensor<2xf32>, %s: tensor<1xi64>) {
  // expected-error@+1 {{result rank 2 does not match the shape operand 'tensor<1xi64>'}}
  %0 = stablehlo.dynamic_broadcast_in_dim %a, %s, dims = [0] : (tensor<2xf32>, tensor<1xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @dynamic_broadcast_size(%a: tensor<2xf32>, %s: tensor<1xi64>) {
  // expected-error@+1 {{size of operand dimension 0 (2) is not compatible with size of result dimension 0 (3)}}
  %0 = stablehlo.dynamic_broadcast_in_dim %a, %s, dims = [0] : (tensor<2xf32>, tensor<1xi64>) -> tensor<3xf32>
  return
}

// -----

func.func @dynamic_broadcast_known(%a: tensor<2xf32>, %s: tensor<1xi64>) {
  // expected-error@+1 {{known_expanding_dimensions and known_nonexpanding_dimensions has dimension 0 twice}}
  %0 = stablehlo.dynamic_broadcast_in_dim %a, %s, dims = [0] {known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 0>} : (tensor<2xf32>, tensor<1xi64>) -> tensor<?xf32>
  return
}

// -----

func.func @dynamic_iota(%s: tensor<1xi64>) {
  // expected-error@+1 {{iota dimension 1 is not a dimension of 'tensor<?xf32>'}}
  %0 = stablehlo.dynamic_iota %s, dim = 1 : (tensor<1xi64>) -> tensor<?xf32>
  return
}

// -----

func.func @dynamic_pad(%a: tensor<2xf32>, %v: tensor<f32>, %s: tensor<2xi64>) {
  // expected-error@+1 {{expected an operand with an element for each of the 1 dimensions, got 'tensor<2xi64>'}}
  %0 = stablehlo.dynamic_pad %a, %v, %s, %s, %s : (tensor<2xf32>, tensor<f32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?xf32>
  return
}

// -----

// stricter than jaxlib
func.func @real_dynamic_slice(%a: tensor<2xf32>, %s: tensor<1xi64>) {
  // expected-error@+1 {{operand rank 1 must match result rank 2}}
  %0 = stablehlo.real_dynamic_slice %a, %s, %s, %s : (tensor<2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @get_dimension_size(%a: tensor<2xf32>) {
  // expected-error@+2 {{requires dimension attribute in range [0, 1); found (1)}}
  // expected-error@+1 {{'stablehlo.get_dimension_size' op failed to infer returned types}}
  %0 = stablehlo.get_dimension_size %a, dim = 1 : (tensor<2xf32>) -> tensor<i32>
  return
}

// -----

func.func @set_dimension_size(%a: tensor<2xf32>, %s: tensor<2xi32>) {
  // expected-error@+2 {{size operand should be of rank-0}}
  // expected-error@+1 {{'stablehlo.set_dimension_size' op failed to infer returned types}}
  %0 = stablehlo.set_dimension_size %a, %s, dim = 0 : (tensor<2xf32>, tensor<2xi32>) -> tensor<?xf32>
  return
}

// -----

func.func @bounds_rank() {
  // expected-error@+1 {{Bounds length is 2, expected to be equal to rank(1) of the tensor}}
  "test.x"() : () -> tensor<?xf32, #stablehlo.bounds<2, 3>>
  return
}

// -----

func.func @bounds_static() {
  // expected-error@+1 {{Static dimension 0 cannot have a bound, use ShapedType::kDynamic to indicate a missing bound}}
  "test.x"() : () -> tensor<2xf32, #stablehlo.bounds<2>>
  return
}

// -----

func.func @rng_types(%a: tensor<f32>, %b: tensor<f64>, %s: tensor<1xi64>) {
  // expected-error@+2 {{expected a and b of one type, got 'f32' and 'f64'}}
  // expected-error@+1 {{'stablehlo.rng' op failed to infer returned types}}
  %0 = stablehlo.rng %a, %b, %s, distribution = UNIFORM : (tensor<f32>, tensor<f64>, tensor<1xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @rng_normal(%a: tensor<i32>, %s: tensor<1xi64>) {
  // expected-error@+2 {{normal distribution needs floats, got 'i32'}}
  // expected-error@+1 {{'stablehlo.rng' op failed to infer returned types}}
  %0 = stablehlo.rng %a, %a, %s, distribution = NORMAL : (tensor<i32>, tensor<i32>, tensor<1xi64>) -> tensor<2xi32>
  return
}

// -----

func.func @rng_rank(%a: tensor<f32>, %s: tensor<1xi64>) {
  // expected-error@+2 {{inferred type(s) 'tensor<?xf32>' are incompatible with return type(s) of operation 'tensor<2x2xf32>'}}
  // expected-error@+1 {{'stablehlo.rng' op failed to infer returned types}}
  %0 = stablehlo.rng %a, %a, %s, distribution = UNIFORM : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<2x2xf32>
  return
}

// -----

// stricter than jaxlib
func.func @rng_state(%a: tensor<3xui64>) {
  // expected-error@+1 {{THREE_FRY takes a state of 128 bits, got 'tensor<3xui64>'}}
  %0:2 = stablehlo.rng_bit_generator %a, algorithm = THREE_FRY : (tensor<3xui64>) -> (tensor<3xui64>, tensor<4xui32>)
  return
}

// -----

func.func @rng_state_type(%a: tensor<2xui64>) {
  // expected-error@+1 {{output state shape must match initial state shape. Got: 'tensor<2xui64>' and 'tensor<3xui64>'}}
  %0:2 = stablehlo.rng_bit_generator %a, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<3xui64>, tensor<4xui32>)
  return
}
