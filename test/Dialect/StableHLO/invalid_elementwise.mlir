// RUN: shoal-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics

// What the verifiers of elementwise ops refuse.

func.func @iota_dim() {
  // expected-error@+1 {{iota dimension 2 is not a dimension of 'tensor<2x3xi32>'}}
  %0 = stablehlo.iota dim = 2 : tensor<2x3xi32>
  return
}

// -----

func.func @iota_negative_dim() {
  // expected-error@+1 {{iota dimension -1 is not a dimension of 'tensor<2xi32>'}}
  %0 = "stablehlo.iota"() {iota_dimension = -1 : i64} : () -> tensor<2xi32>
  return
}

// -----

func.func @iota_scalar() {
  // expected-error@+1 {{iota dimension 0 is not a dimension of 'tensor<i32>'}}
  %0 = stablehlo.iota dim = 0 : tensor<i32>
  return
}

// -----

func.func @iota_bool() {
  // expected-error@+1 {{result #0 must be statically shaped tensor of 2/4/8/16/32/64-bit integer or 4/6/8/16/32/64-bit float or complex type with 32-bit float or 64-bit float elements or per-tensor integer quantized values, but got 'tensor<2xi1>'}}
  %0 = stablehlo.iota dim = 0 : tensor<2xi1>
  return
}

// -----

func.func @constant_type() {
  // expected-error@+2 {{inferred type(s) 'tensor<2xf32>' are incompatible with return type(s) of operation 'tensor<3xf32>'}}
  // expected-error@+1 {{'stablehlo.constant' op failed to infer returned types}}
  %0 = "stablehlo.constant"() {value = dense<1.0> : tensor<2xf32>} : () -> tensor<3xf32>
  return
}

// -----

func.func @constant_no_value() {
  // expected-error@+1 {{requires attribute 'value'}}
  %0 = "stablehlo.constant"() : () -> tensor<3xf32>
  return
}

// -----

func.func @add_shapes(%a: tensor<2xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{all non-scalar operands/results must have the same shape and base type}}
  %0 = "stablehlo.add"(%a, %b) : (tensor<2xf32>, tensor<3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @add_elements(%a: tensor<2xf32>, %b: tensor<2xi32>) {
  // expected-error@+1 {{requires compatible types for all operands and results, got 'tensor<2xf32>' and 'tensor<2xi32>'}}
  %0 = "stablehlo.add"(%a, %b) : (tensor<2xf32>, tensor<2xi32>) -> tensor<2xf32>
  return
}

// -----

func.func @add_result(%a: tensor<2xf32>) {
  // expected-error@+1 {{requires compatible types for all operands and results, got 'tensor<2xf32>' and 'tensor<2xf64>'}}
  %0 = "stablehlo.add"(%a, %a) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf64>
  return
}

// -----

func.func @add_unranked(%a: tensor<*xf32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 4/6/8/16/32/64-bit float or pred (AKA boolean or 1-bit integer) or 2/4/8/16/32/64-bit integer or complex type with 32-bit float or 64-bit float elements or per-tensor integer quantized or per-axis integer quantized values, but got 'tensor<*xf32>'}}
  %0 = "stablehlo.add"(%a, %a) : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @and_float(%a: tensor<2xf32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of pred (AKA boolean or 1-bit integer) or 2/4/8/16/32/64-bit integer values, but got 'tensor<2xf32>'}}
  %0 = stablehlo.and %a, %a : tensor<2xf32>
  return
}

// -----

func.func @subtract_bool(%a: tensor<2xi1>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 2/4/8/16/32/64-bit integer or 4/6/8/16/32/64-bit float or complex type with 32-bit float or 64-bit float elements or per-tensor integer quantized values, but got 'tensor<2xi1>'}}
  %0 = stablehlo.subtract %a, %a : tensor<2xi1>
  return
}

// -----

func.func @ceil_int(%a: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 4/6/8/16/32/64-bit float or per-tensor integer quantized values, but got 'tensor<2xi32>'}}
  %0 = stablehlo.ceil %a : tensor<2xi32>
  return
}

// -----

func.func @abs_complex(%a: tensor<2xcomplex<f32>>) {
  // expected-error@+1 {{result #0 must be ranked tensor of 2/4/8/16/32/64-bit signless integer or 4/6/8/16/32/64-bit float or per-tensor integer quantized values, but got 'tensor<2xcomplex<f32>>'}}
  %0 = stablehlo.abs %a : tensor<2xcomplex<f32>>
  return
}

// -----

func.func @strange_element(%a: tensor<2xi17>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 4/6/8/16/32/64-bit float or pred (AKA boolean or 1-bit integer) or 2/4/8/16/32/64-bit integer or complex type with 32-bit float or 64-bit float elements or per-tensor integer quantized or per-axis integer quantized values, but got 'tensor<2xi17>'}}
  %0 = stablehlo.add %a, %a : tensor<2xi17>
  return
}

// -----

func.func @not_a_tensor(%a: f32) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 4/6/8/16/32/64-bit float or pred (AKA boolean or 1-bit integer) or 2/4/8/16/32/64-bit integer or complex type with 32-bit float or 64-bit float elements or per-tensor integer quantized or per-axis integer quantized values, but got 'f32'}}
  %0 = stablehlo.add %a, %a : f32
  return
}

// -----

func.func @complex_int(%a: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 64-bit float values, but got 'tensor<2xi32>'}}
  %0 = "stablehlo.complex"(%a, %a) : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xcomplex<f32>>
  return
}

// -----

// stricter than jaxlib
func.func @compare_type(%a: tensor<2xf32>) {
  // expected-error@+1 {{comparison type SIGNED does not fit 'f32'}}
  %0 = stablehlo.compare EQ, %a, %a, SIGNED : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
  return
}

// -----

func.func @compare_result(%a: tensor<2xf32>) {
  // expected-error@+1 {{result #0 must be ranked tensor of pred (AKA boolean or 1-bit integer) values, but got 'tensor<2xi8>'}}
  %0 = stablehlo.compare EQ, %a, %a : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi8>
  return
}

// -----

func.func @compare_direction(%a: tensor<2xf32>) {
  // expected-error@+2 {{custom op 'stablehlo.compare' expected ::mlir::stablehlo::ComparisonDirection to be one of: EQ, NE, GE, GT, LE, LT}}
  // expected-error@+1 {{custom op 'stablehlo.compare' failed to parse StableHLO_ComparisonDirectionAttr parameter 'value' which is to be a `::mlir::stablehlo::ComparisonDirection`}}
  %0 = stablehlo.compare XX, %a, %a : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
  return
}

// -----

func.func @clamp_shape(%a: tensor<2xf32>, %b: tensor<3xf32>) {
  // expected-error@+2 {{min shape ['tensor<3xf32>'] is not scalar and is not compatible to operand shape ['tensor<2xf32>']}}
  // expected-error@+1 {{'stablehlo.clamp' op failed to infer returned types}}
  %0 = "stablehlo.clamp"(%b, %a, %a) : (tensor<3xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @select_pred(%a: tensor<2xf32>, %p: tensor<3xi1>) {
  // expected-error@+2 {{requires a scalar predicate, or one of the shape of the other operands, got 'tensor<3xi1>'}}
  // expected-error@+1 {{'stablehlo.select' op failed to infer returned types}}
  %0 = stablehlo.select %p, %a, %a : tensor<3xi1>, tensor<2xf32>
  return
}

// -----

func.func @select_types(%a: tensor<2xf32>, %b: tensor<2xi32>, %p: tensor<i1>) {
  // expected-error@+2 {{requires compatible types for non-predicate operands, got 'tensor<2xf32>' and 'tensor<2xi32>'}}
  // expected-error@+1 {{'stablehlo.select' op failed to infer returned types}}
  %0 = "stablehlo.select"(%p, %a, %b) : (tensor<i1>, tensor<2xf32>, tensor<2xi32>) -> tensor<2xf32>
  return
}

// -----

func.func @reduce_precision_format(%a: tensor<2xf32>) {
  // expected-error@+1 {{exponent_bits must be at least 1, got 0}}
  %0 = stablehlo.reduce_precision %a, format = e0m3 : tensor<2xf32>
  return
}

// -----

func.func @reduce_precision_text(%a: tensor<2xf32>) {
  // expected-error@+1 {{custom op 'stablehlo.reduce_precision' expected a float format such as e5m10, got x5m3}}
  %0 = stablehlo.reduce_precision %a, format = x5m3 : tensor<2xf32>
  return
}

// -----

func.func @convert_shape(%a: tensor<2xf32>) {
  // expected-error@+1 {{all non-scalar operands/results must have the same shape and base type}}
  %0 = stablehlo.convert %a : (tensor<2xf32>) -> tensor<3xi32>
  return
}

// -----

func.func @is_finite_result(%a: tensor<2xf32>) {
  // expected-error@+1 {{result #0 must be ranked tensor of pred (AKA boolean or 1-bit integer) values, but got 'tensor<2xf32>'}}
  %0 = stablehlo.is_finite %a : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @map_arity(%a: tensor<2xf32>) {
  // expected-error@+1 {{expects number of operands to match the arity of map computation, but got: 2 and 1}}
  %0 = "stablehlo.map"(%a, %a) <{dimensions = array<i64: 0>}> ({
  ^bb0(%x: tensor<f32>):
    stablehlo.return %x : tensor<f32>
  }) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @map_dimensions(%a: tensor<2xf32>) {
  // expected-error@+1 {{requires monotonically increasing dimension numbers, got 3 at 0}}
  %0 = "stablehlo.map"(%a) <{dimensions = array<i64: 3>}> ({
  ^bb0(%x: tensor<f32>):
    stablehlo.return %x : tensor<f32>
  }) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @tolerance_without_mode(%a: tensor<2xf32>) {
  // expected-error@+1 {{expected no tolerances where the mode is not TOLERANCE}}
  %0 = stablehlo.tanh %a {result_accuracy = #stablehlo.result_accuracy<atol = 1.0, mode = #stablehlo.result_accuracy_mode<HIGHEST>>} : tensor<2xf32>
  return
}

// -----

func.func @partition_id_type() {
  // expected-error@+2 {{inferred type(s) 'tensor<ui32>' are incompatible with return type(s) of operation 'tensor<2xui32>'}}
  // expected-error@+1 {{'stablehlo.partition_id' op failed to infer returned types}}
  %0 = stablehlo.partition_id : tensor<2xui32>
  return
}
