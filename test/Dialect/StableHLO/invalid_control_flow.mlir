// RUN: shoal-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics

// What the verifiers of control flow ops refuse.

func.func @while_condition_result(%a: tensor<i32>, %p: tensor<i1>) {
  // expected-error@+1 {{expect condition block return a zero-ranked tensor of i1 but got 'tensor<i32>'}}
  %0 = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i32>):
    stablehlo.return %x : tensor<i32>
  }, {
  ^bb0(%x: tensor<i32>):
    stablehlo.return %x : tensor<i32>
  }) : (tensor<i32>) -> tensor<i32>
  return
}

// -----

func.func @while_body_result(%a: tensor<i32>, %p: tensor<i1>) {
  // expected-error@+1 {{expect operands to be compatible with body block return types but got 'tensor<i32>' vs 'tensor<i1>'}}
  %0 = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i32>):
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%x: tensor<i32>):
    stablehlo.return %p : tensor<i1>
  }) : (tensor<i32>) -> tensor<i32>
  return
}

// -----

func.func @while_arguments(%a: tensor<i32>, %p: tensor<i1>) {
  // expected-error@+1 {{expect operands to be compatible with body block arguments but got  vs 'tensor<i32>'}}
  %0 = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i32>):
    stablehlo.return %p : tensor<i1>
  }, {
    stablehlo.return %a : tensor<i32>
  }) : (tensor<i32>) -> tensor<i32>
  return
}

// -----

func.func @while_argument_type(%a: tensor<i32>, %p: tensor<i1>) {
  // expected-error@+1 {{expect operands to be compatible with body block arguments but got 'tensor<f32>' vs 'tensor<i32>'}}
  %0 = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i32>):
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%x: tensor<f32>):
    stablehlo.return %a : tensor<i32>
  }) : (tensor<i32>) -> tensor<i32>
  return
}

// -----

func.func @while_terminator(%a: tensor<i32>, %p: tensor<i1>) {
  // expected-error@+1 {{expects condition and body to end in a return}}
  %0 = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i32>):
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%x: tensor<i32>):
    "test.end"() : () -> ()
  }) : (tensor<i32>) -> tensor<i32>
  return
}

// -----

func.func @while_types(%a: tensor<i32>, %p: tensor<i1>) {
  // expected-error@+1 {{custom op 'stablehlo.while' expected 1 types, got 2}}
  %0 = stablehlo.while(%x = %a) : tensor<i32>, tensor<i32>
  cond {
    stablehlo.return %p : tensor<i1>
  } do {
    stablehlo.return %x : tensor<i32>
  }
  return
}

// -----

func.func @if_pred(%a: tensor<2xi1>) {
  // expected-error@+2 {{operand should be rank 0 tensor but got a predicate of 'tensor<2xi1>'}}
  // expected-error@+1 {{'stablehlo.if' op failed to infer returned types}}
  "stablehlo.if"(%a) ({ stablehlo.return }, { stablehlo.return }) : (tensor<2xi1>) -> ()
  return
}

// -----

func.func @if_types(%a: tensor<i1>, %b: tensor<f32>) {
  // expected-error@+2 {{branch 0 and branch 1 have mismatched return types: 'tensor<i1>' vs 'tensor<f32>'}}
  // expected-error@+1 {{'stablehlo.if' op failed to infer returned types}}
  %0 = "stablehlo.if"(%a) ({ stablehlo.return %a : tensor<i1> }, { stablehlo.return %b : tensor<f32> }) : (tensor<i1>) -> tensor<f32>
  return
}

// -----

func.func @if_results(%a: tensor<i1>, %b: tensor<f32>) {
  // expected-error@+2 {{inferred type(s) 'tensor<f32>' are incompatible with return type(s) of operation 'tensor<f64>'}}
  // expected-error@+1 {{'stablehlo.if' op failed to infer returned types}}
  %0 = "stablehlo.if"(%a) ({ stablehlo.return %b : tensor<f32> }, { stablehlo.return %b : tensor<f32> }) : (tensor<i1>) -> tensor<f64>
  return
}

// -----

func.func @if_arguments(%a: tensor<i1>) {
  // expected-error@+2 {{branch 0 must have 0 arguments, but found 1}}
  // expected-error@+1 {{'stablehlo.if' op failed to infer returned types}}
  "stablehlo.if"(%a) ({
  ^bb0(%x: tensor<i1>):
    stablehlo.return
  }, {
    stablehlo.return
  }) : (tensor<i1>) -> ()
  return
}

// -----

func.func @case_nothing(%a: tensor<i32>) {
  // expected-error@+2 {{expect at least one branch}}
  // expected-error@+1 {{'stablehlo.case' op failed to infer returned types}}
  "stablehlo.case"(%a) : (tensor<i32>) -> ()
  return
}

// -----

func.func @case_types(%a: tensor<i32>, %b: tensor<f32>) {
  // expected-error@+2 {{branch 0 and branch 1 have mismatched return types: 'tensor<i32>' vs 'tensor<i32>', 'tensor<f32>'}}
  // expected-error@+1 {{'stablehlo.case' op failed to infer returned types}}
  %0 = "stablehlo.case"(%a) ({ stablehlo.return %a : tensor<i32> }, { stablehlo.return %a, %b : tensor<i32>, tensor<f32> }) : (tensor<i32>) -> tensor<i32>
  return
}

// -----

func.func @tuple_index(%a: tuple<tensor<i32>>) {
  // expected-error@+2 {{index 1 is out of bounds of operand with size 1}}
  // expected-error@+1 {{'stablehlo.get_tuple_element' op failed to infer returned types}}
  %0 = stablehlo.get_tuple_element %a[1] : (tuple<tensor<i32>>) -> tensor<i32>
  return
}

// -----

func.func @tuple_type(%a: tuple<tensor<i32>>) {
  // expected-error@+2 {{inferred type(s) 'tensor<i32>' are incompatible with return type(s) of operation 'tensor<f32>'}}
  // expected-error@+1 {{'stablehlo.get_tuple_element' op failed to infer returned types}}
  %0 = stablehlo.get_tuple_element %a[0] : (tuple<tensor<i32>>) -> tensor<f32>
  return
}

// -----

func.func @barrier_types(%a: tensor<i32>) {
  // expected-error@+1 {{requires operand 0 and result 0 to have the same type}}
  %0 = "stablehlo.optimization_barrier"(%a) : (tensor<i32>) -> tensor<f32>
  return
}

// -----

func.func @custom_call_layouts(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{Layout attributes should be specified for either both operands and results or none.}}
  %0 = stablehlo.custom_call @f(%a) {operand_layouts = [dense<[0, 1]> : tensor<2xindex>]} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @custom_call_layout(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{incorrect layout dense<0> : tensor<2xindex> for type 'tensor<2x3xf32>', layout must be a permutation of [0, 2)}}
  %0 = stablehlo.custom_call @f(%a) {operand_layouts = [dense<[0, 0]> : tensor<2xindex>], result_layouts = [dense<[0, 1]> : tensor<2xindex>]} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @custom_call_layout_number(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{Number of operands must match the number of operand layouts, 1 != 0}}
  %0 = stablehlo.custom_call @f(%a) {operand_layouts = [], result_layouts = [dense<[0, 1]> : tensor<2xindex>]} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @custom_call_alias(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{expects operandIndex in the output_operand_alias attribute to be in range [0, 1); got: 1.}}
  %0 = stablehlo.custom_call @f(%a) {output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 1, operand_tuple_indices = []>]} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @custom_call_alias_type(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{shapes mismatch in the output_operand_alias attribute: operand part has type 'tensor<2x3xf32>' and output part has type 'tensor<3x2xf32>'}}
  %0 = stablehlo.custom_call @f(%a) {output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 0, operand_tuple_indices = []>]} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return
}

// -----

func.func @custom_call_api(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{custom op 'stablehlo.custom_call' 'stablehlo.custom_call' op attribute 'api_version' failed to satisfy constraint: Custom call API version}}
  %0 = stablehlo.custom_call @f(%a) {api_version = 9 : i32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @composite_function(%a: tensor<f32>) {
  // expected-error@+1 {{reference to undefined function 'nothing'}}
  %0 = stablehlo.composite "a.b" %a {decomposition = @nothing} : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func private @g(tensor<f64>) -> tensor<f32>
func.func @composite_types(%a: tensor<f32>) {
  // expected-error@+1 {{has mismatched types with its decomposition 'g': '(tensor<f64>) -> tensor<f32>'}}
  %0 = stablehlo.composite "a.b" %a {decomposition = @g} : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func private @g(tensor<f32>) -> tensor<f32>
func.func @composite_name(%a: tensor<f32>) {
  // expected-error@+1 {{name must be a valid namespaced op name, got "b"}}
  %0 = stablehlo.composite "b" %a {decomposition = @g} : (tensor<f32>) -> tensor<f32>
  return
}
