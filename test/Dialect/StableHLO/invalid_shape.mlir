// RUN: shoal-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics

// What the verifiers of shape ops refuse.

func.func @bitcast_rank(%a: tensor<2xf64>) {
  // expected-error@+1 {{rank of smaller element type (1) should be 1 more than rank of larger element type (1)}}
  %0 = stablehlo.bitcast_convert %a : (tensor<2xf64>) -> tensor<4xf32>
  return
}

// -----

func.func @bitcast_size(%a: tensor<2xf64>) {
  // expected-error@+1 {{requires compatible bit widths, got: 'tensor<2xf64>' and 'tensor<2x3xf32>', but 3 elements of 32 bits are not one of 64}}
  %0 = stablehlo.bitcast_convert %a : (tensor<2xf64>) -> tensor<2x3xf32>
  return
}

// -----

func.func @bitcast_complex(%a: tensor<2xf64>) {
  // expected-error@+1 {{cannot convert between real and complex types, got: 'tensor<2xf64>' and 'tensor<2xcomplex<f32>>'}}
  %0 = stablehlo.bitcast_convert %a : (tensor<2xf64>) -> tensor<2xcomplex<f32>>
  return
}

// -----

func.func @broadcast_negative(%a: tensor<2xf64>) {
  // expected-error@+2 {{Broadcast with negative dimension size -3}}
  // expected-error@+1 {{'stablehlo.broadcast' op failed to infer returned types}}
  %0 = stablehlo.broadcast %a, sizes = [-3] : (tensor<2xf64>) -> tensor<3x2xf64>
  return
}

// -----

func.func @broadcast_result(%a: tensor<2xf64>) {
  // expected-error@+2 {{inferred type(s) 'tensor<3x2xf64>' are incompatible with return type(s) of operation 'tensor<2x3xf64>'}}
  // expected-error@+1 {{'stablehlo.broadcast' op failed to infer returned types}}
  %0 = stablehlo.broadcast %a, sizes = [3] : (tensor<2xf64>) -> tensor<2x3xf64>
  return
}

// -----

func.func @broadcast_in_dim_size(%a: tensor<2xf32>) {
  // expected-error@+1 {{size of operand dimension 0 (2) is not equal to 1 or size of result dimension 0 (3)}}
  %0 = stablehlo.broadcast_in_dim %a, dims = [0] : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @broadcast_in_dim_rank(%a: tensor<2xf32>) {
  // expected-error@+1 {{broadcast_dimensions size (2) does not match operand rank (1)}}
  %0 = stablehlo.broadcast_in_dim %a, dims = [0, 1] : (tensor<2xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @broadcast_in_dim_range(%a: tensor<2xf32>) {
  // expected-error@+1 {{broadcast_dimensions has dimension 9223372036854775807, expected one in [0, 2)}}
  %0 = stablehlo.broadcast_in_dim %a, dims = [9223372036854775807] : (tensor<2xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @broadcast_in_dim_twice(%a: tensor<2x2xf32>) {
  // expected-error@+1 {{broadcast_dimensions has dimension 1 twice}}
  %0 = stablehlo.broadcast_in_dim %a, dims = [1, 1] : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @broadcast_in_dim_element(%a: tensor<2xf32>) {
  // expected-error@+1 {{requires compatible element types, got 'tensor<2xf32>' and 'tensor<2xf64>'}}
  %0 = stablehlo.broadcast_in_dim %a, dims = [0] : (tensor<2xf32>) -> tensor<2xf64>
  return
}

// -----

func.func @concatenate_nothing() {
  // expected-error@+2 {{expected at least one input}}
  // expected-error@+1 {{'stablehlo.concatenate' op failed to infer returned types}}
  %0 = "stablehlo.concatenate"() {dimension = 0 : i64} : () -> tensor<2xf32>
  return
}

// -----

func.func @concatenate_dim(%a: tensor<2xf32>) {
  // expected-error@+2 {{dimension 1 is out-of-bounds for input rank 1}}
  // expected-error@+1 {{'stablehlo.concatenate' op failed to infer returned types}}
  %0 = stablehlo.concatenate %a, %a, dim = 1 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @concatenate_negative_dim(%a: tensor<2xf32>) {
  // expected-error@+2 {{dimension -1 is out-of-bounds for input rank 1}}
  // expected-error@+1 {{'stablehlo.concatenate' op failed to infer returned types}}
  %0 = stablehlo.concatenate %a, %a, dim = -1 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @concatenate_other_dim(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error@+2 {{shapes of operands ('tensor<2x3xf32>' and 'tensor<2x4xf32>') do not match at non-concat index 1}}
  // expected-error@+1 {{'stablehlo.concatenate' op failed to infer returned types}}
  %0 = stablehlo.concatenate %a, %b, dim = 0 : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @concatenate_result(%a: tensor<2xf32>) {
  // expected-error@+2 {{inferred type(s) 'tensor<4xf32>' are incompatible with return type(s) of operation 'tensor<5xf32>'}}
  // expected-error@+1 {{'stablehlo.concatenate' op failed to infer returned types}}
  %0 = stablehlo.concatenate %a, %a, dim = 0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @concatenate_overflow(%a: tensor<9223372036854775807xi8>) {
  // expected-error@+2 {{size of the result overflows}}
  // expected-error@+1 {{'stablehlo.concatenate' op failed to infer returned types}}
  %0 = stablehlo.concatenate %a, %a, dim = 0 : (tensor<9223372036854775807xi8>, tensor<9223372036854775807xi8>) -> tensor<5xi8>
  return
}

// -----

func.func @pad_interior(%a: tensor<2xf32>, %v: tensor<f32>) {
  // expected-error@+2 {{Interior padding cannot be negative: -1}}
  // expected-error@+1 {{'stablehlo.pad' op failed to infer returned types}}
  %0 = stablehlo.pad %a, %v, low = [0], high = [0], interior = [-1] : (tensor<2xf32>, tensor<f32>) -> tensor<1xf32>
  return
}

// -----

func.func @pad_lengths(%a: tensor<2xf32>, %v: tensor<f32>) {
  // expected-error@+2 {{edge_padding_low, edge_padding_high and interior_padding must have as many elements as the operand has dimensions (1)}}
  // expected-error@+1 {{'stablehlo.pad' op failed to infer returned types}}
  %0 = stablehlo.pad %a, %v, low = [0, 0], high = [0], interior = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  return
}

// -----

func.func @pad_value(%a: tensor<2xf32>, %v: tensor<2xf32>) {
  // expected-error@+2 {{padding value type should be a rank-0 tensor, is rank 1}}
  // expected-error@+1 {{'stablehlo.pad' op failed to infer returned types}}
  %0 = stablehlo.pad %a, %v, low = [0], high = [0], interior = [0] : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @pad_negative(%a: tensor<2xf32>, %v: tensor<f32>) {
  // expected-error@+2 {{Padding result in negative size for dimension 0}}
  // expected-error@+1 {{'stablehlo.pad' op failed to infer returned types}}
  %0 = stablehlo.pad %a, %v, low = [-3], high = [0], interior = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<0xf32>
  return
}

// -----

func.func @pad_overflow(%a: tensor<2xf32>, %v: tensor<f32>) {
  // expected-error@+2 {{size of the result overflows in dimension 0}}
  // expected-error@+1 {{'stablehlo.pad' op failed to infer returned types}}
  %0 = stablehlo.pad %a, %v, low = [9223372036854775807], high = [9223372036854775807], interior = [9223372036854775807] : (tensor<2xf32>, tensor<f32>) -> tensor<0xf32>
  return
}

// -----

func.func @pad_element(%a: tensor<2xf32>, %v: tensor<i32>) {
  // expected-error@+2 {{padding value of 'tensor<i32>' does not match operand 'tensor<2xf32>'}}
  // expected-error@+1 {{'stablehlo.pad' op failed to infer returned types}}
  %0 = stablehlo.pad %a, %v, low = [0], high = [0], interior = [0] : (tensor<2xf32>, tensor<i32>) -> tensor<2xf32>
  return
}

// -----

func.func @reshape_size(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{number of output elements ('tensor<7xf32>') doesn't match expected number of elements ('tensor<2x3xf32>')}}
  %0 = stablehlo.reshape %a : (tensor<2x3xf32>) -> tensor<7xf32>
  return
}

// -----

// stricter than jaxlib
func.func @reshape_overflow(%a: tensor<4294967296x4294967296xf32>) {
  // expected-error@+1 {{number of output elements ('tensor<0xf32>') doesn't match expected number of elements ('tensor<4294967296x4294967296xf32>')}}
  %0 = stablehlo.reshape %a : (tensor<4294967296x4294967296xf32>) -> tensor<0xf32>
  return
}

// -----

func.func @reshape_element(%a: tensor<2xf32>) {
  // expected-error@+1 {{requires compatible element types, got 'tensor<2xf32>' and 'tensor<2xi32>'}}
  %0 = stablehlo.reshape %a : (tensor<2xf32>) -> tensor<2xi32>
  return
}

// -----

func.func @reverse_dim(%a: tensor<2xf32>) {
  // expected-error@+1 {{dimensions has dimension 1, expected one in [0, 1)}}
  %0 = stablehlo.reverse %a, dims = [1] : tensor<2xf32>
  return
}

// -----

func.func @reverse_twice(%a: tensor<2xf32>) {
  // expected-error@+1 {{dimensions has dimension 0 twice}}
  %0 = stablehlo.reverse %a, dims = [0, 0] : tensor<2xf32>
  return
}

// -----

func.func @slice_limit(%a: tensor<4xf32>) {
  // expected-error@+2 {{limit index 5 is larger than dimension size 4 in dimension 0}}
  // expected-error@+1 {{'stablehlo.slice' op failed to infer returned types}}
  %0 = stablehlo.slice %a [0:5] : (tensor<4xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @slice_start(%a: tensor<4xf32>) {
  // expected-error@+2 {{negative start index -1 in dimension 0}}
  // expected-error@+1 {{'stablehlo.slice' op failed to infer returned types}}
  %0 = stablehlo.slice %a [-1:3] : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @slice_order(%a: tensor<4xf32>) {
  // expected-error@+2 {{start index 3 is larger than limit index 2 in dimension 0}}
  // expected-error@+1 {{'stablehlo.slice' op failed to infer returned types}}
  %0 = stablehlo.slice %a [3:2] : (tensor<4xf32>) -> tensor<0xf32>
  return
}

// -----

func.func @slice_stride(%a: tensor<4xf32>) {
  // expected-error@+2 {{stride must be positive but got 0 in dimension 0}}
  // expected-error@+1 {{'stablehlo.slice' op failed to infer returned types}}
  %0 = stablehlo.slice %a [0:4:0] : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @slice_rank(%a: tensor<4xf32>) {
  // expected-error@+2 {{start_indices, limit_indices and strides must have as many elements as the operand has dimensions (1)}}
  // expected-error@+1 {{'stablehlo.slice' op failed to infer returned types}}
  %0 = stablehlo.slice %a [0:4, 0:4] : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @slice_result(%a: tensor<4xf32>) {
  // expected-error@+2 {{inferred type(s) 'tensor<2xf32>' are incompatible with return type(s) of operation 'tensor<1xf32>'}}
  // expected-error@+1 {{'stablehlo.slice' op failed to infer returned types}}
  %0 = stablehlo.slice %a [0:4:3] : (tensor<4xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @transpose_permutation(%a: tensor<2x3xf32>) {
  // expected-error@+2 {{attribute permutation has dimension 0 twice}}
  // expected-error@+1 {{'stablehlo.transpose' op failed to infer returned types}}
  %0 = stablehlo.transpose %a, dims = [0, 0] : (tensor<2x3xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @transpose_rank(%a: tensor<2x3xf32>) {
  // expected-error@+2 {{TransposeOp operand rank 2 does not match permutation size 1}}
  // expected-error@+1 {{'stablehlo.transpose' op failed to infer returned types}}
  %0 = stablehlo.transpose %a, dims = [0] : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @transpose_result(%a: tensor<2x3xf32>) {
  // expected-error@+2 {{inferred type(s) 'tensor<3x2xf32>' are incompatible with return type(s) of operation 'tensor<2x3xf32>'}}
  // expected-error@+1 {{'stablehlo.transpose' op failed to infer returned types}}
  %0 = stablehlo.transpose %a, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @transpose_range(%a: tensor<2x3xf32>) {
  // expected-error@+2 {{attribute permutation has dimension -9, expected one in [0, 2)}}
  // expected-error@+1 {{'stablehlo.transpose' op failed to infer returned types}}
  %0 = stablehlo.transpose %a, dims = [1, -9] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return
}
