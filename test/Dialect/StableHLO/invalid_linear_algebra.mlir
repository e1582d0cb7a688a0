// RUN: shoal-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics

// What the verifiers of linear algebra ops refuse.

func.func @dot_rank(%a: tensor<2x3x4xf32>, %b: tensor<4xf32>) {
  // expected-error@+1 {{expected both lhs/rhs ranks to be either 1 or 2, got 'tensor<2x3x4xf32>' and 'tensor<4xf32>'}}
  %0 = stablehlo.dot %a, %b : (tensor<2x3x4xf32>, tensor<4xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @dot_size(%a: tensor<2x3xf32>, %b: tensor<4xf32>) {
  // expected-error@+1 {{expected contracting dimensions to agree, got 'tensor<2x3xf32>' and 'tensor<4xf32>'}}
  %0 = stablehlo.dot %a, %b : (tensor<2x3xf32>, tensor<4xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @dot_result(%a: tensor<2x3xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{inferred shape ''tensor<2xf32>'' is incompatible with return type 'tensor<3xf32>'}}
  %0 = stablehlo.dot %a, %b : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @dot_general_size(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) {
  // expected-error@+1 {{dimension 1 of 'tensor<2x3xf32>' and dimension 0 of 'tensor<4x5xf32>' are batched or contracted together but differ in size}}
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @dot_general_batch(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error@+1 {{dimension 0 of 'tensor<2x3xf32>' and dimension 0 of 'tensor<4x3xf32>' are batched or contracted together but differ in size}}
  %0 = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @dot_general_numbers(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{lhs and rhs should have the same number of contracting dimensions}}
  %0 = stablehlo.dot_general %a, %a, contracting_dims = [0, 1] x [1] : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @dot_general_twice(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{lhs_batching_dimensions and lhs_contracting_dimensions has dimension 0 twice}}
  %0 = stablehlo.dot_general %a, %a, batching_dims = [0] x [0], contracting_dims = [0] x [0] : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3x3xf32>
  return
}

// -----

func.func @dot_general_range(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{lhs_batching_dimensions and lhs_contracting_dimensions has dimension 2, expected one in [0, 2)}}
  %0 = stablehlo.dot_general %a, %a, contracting_dims = [2] x [-1] : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @dot_general_result(%a: tensor<2x3xf32>, %b: tensor<3x5xf32>) {
  // expected-error@+1 {{inferred shape ''tensor<2x5xf32>'' is incompatible with return type of operation 'tensor<5x2xf32>'}}
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x5xf32>) -> tensor<5x2xf32>
  return
}

// -----

func.func @dot_general_precision(%a: tensor<2x3xf32>, %b: tensor<3x5xf32>) {
  // expected-error@+1 {{expects precision config to be empty or have 2 elements, got 3}}
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0], precision = [HIGH, HIGH, HIGH] : (tensor<2x3xf32>, tensor<3x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @dot_general_precision_name(%a: tensor<2x3xf32>, %b: tensor<3x5xf32>) {
  // expected-error@+1 {{custom op 'stablehlo.dot_general' expected DEFAULT, HIGH or HIGHEST, got BEST}}
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0], precision = [BEST] : (tensor<2x3xf32>, tensor<3x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @dot_general_algorithm(%a: tensor<2x3xf32>, %b: tensor<3x5xf32>) {
  // expected-error@+1 {{custom op 'stablehlo.dot_general' dot algorithm component counts must be at least 1}}
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0], algorithm = <lhs_precision_type = tf32, rhs_precision_type = tf32, accumulation_type = f32, lhs_component_count = 0, rhs_component_count = 1, num_primitive_operations = 1, allow_imprecise_accumulation = false> : (tensor<2x3xf32>, tensor<3x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

// stricter than jaxlib
func.func @einsum_operands(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{einsum_config names 1 operands, but there are 2}}
  %0 = "stablehlo.einsum"(%a, %a) {einsum_config = "ab->a"} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

// stricter than jaxlib
func.func @einsum_sizes(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{einsum dimension 'b' has sizes 3 and 2}}
  %0 = "stablehlo.einsum"(%a, %a) {einsum_config = "ab,bc->ac"} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @convolution_features(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{expects input feature dimension (8) / feature_group_count = kernel input feature dimension (2). Got feature_group_count = 1}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, f, 0, 1]x[0, 1, i, o]->[b, 0, 1, f], window = {} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_twice(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{custom op 'stablehlo.convolution' expected spatial dimensions 0 to 1, each once}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 0, f]x[0, 1, i, o]->[b, 0, 1, f], window = {} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_letters(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{custom op 'stablehlo.convolution' expected `b`, `f` or a spatial dimension}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, x]x[0, 1, i, o]->[b, 0, 1, f], window = {} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_ranks(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{custom op 'stablehlo.convolution' expected input, kernel and output to have as many dimensions}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, f]x[0, 1, i, o]->[b, 0, 1, f], window = {} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_window_twice(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{custom op 'stablehlo.convolution' stride is given twice}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [1, 1], stride = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_stride(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{expects window strides to be positive, got 0}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [0, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_stride_length(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{expects window strides to have as many elements as the window has dimensions, got 1 and 2}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_padding(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{expects the padding-entries to have shape 2x2, but got 'tensor<1x2xi64>'}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {pad = [[0, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_padding_shape(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{inferred shape ''tensor<1x7x8x6xf32>'' is incompatible with return type of operation 'tensor<1x6x6x6xf32>'}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {pad = [[0, 1, 2], [0]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_reverse(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{expects window-reversal to have size == 2, got 1}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {reverse = [true]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_feature_groups(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{expects feature_group_count and batch_group_count to be positive, got 0 and 1}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {} {batch_group_count = 1 : i64, feature_group_count = 0 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_feature_groups_divide(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{expects input feature dimension (2) to be a multiple of feature_group_count. Got feature_group_count = 4}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {} {batch_group_count = 1 : i64, feature_group_count = 4 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_batch_groups(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{expects input batch dimension (1) to be divisible by batch_group_count. Got batch_group_count = 2}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {} {batch_group_count = 2 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_both_groups(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{expects batch_group_count and feature_group_count not to be both greater than 1. Got 2 and 2}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {} {batch_group_count = 2 : i64, feature_group_count = 2 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @convolution_result(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{inferred shape ''tensor<1x6x6x6xf32>'' is incompatible with return type of operation 'tensor<1x5x6x6xf32>'}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x5x6x6xf32>
  return
}

// -----

func.func @convolution_negative_padding_result(%a: tensor<1x8x8x2xf32>, %k: tensor<3x3x2x6xf32>) {
  // expected-error@+1 {{inferred shape ''tensor<1x0x6x6xf32>'' is incompatible with return type of operation 'tensor<1x1x6x6xf32>'}}
  %0 = stablehlo.convolution(%a, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {pad = [[-9, 0], [0, 0]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x1x6x6xf32>
  return
}

// -----

func.func @cholesky_square(%a: tensor<2x3xf32>) {
  // expected-error@+2 {{minor dimensions of 'a' must have equal size, got shape 'tensor<2x3xf32>'}}
  // expected-error@+1 {{'stablehlo.cholesky' op failed to infer returned types}}
  %0 = stablehlo.cholesky %a : tensor<2x3xf32>
  return
}

// -----

func.func @cholesky_rank(%a: tensor<2xf32>) {
  // expected-error@+2 {{argument 'a' must have rank >= 2, got 'tensor<2xf32>'}}
  // expected-error@+1 {{'stablehlo.cholesky' op failed to infer returned types}}
  %0 = stablehlo.cholesky %a : tensor<2xf32>
  return
}

// -----

func.func @triangular_solve_rank(%a: tensor<3x3xf32>, %b: tensor<2x3x4xf32>) {
  // expected-error@+2 {{operands must have equal rank, got 'tensor<3x3xf32>' and 'tensor<2x3x4xf32>'}}
  // expected-error@+1 {{'stablehlo.triangular_solve' op failed to infer returned types}}
  %0 = "stablehlo.triangular_solve"(%a, %b) {left_side = true, lower = true, transpose_a = #stablehlo<transpose NO_TRANSPOSE>, unit_diagonal = false} : (tensor<3x3xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return
}

// -----

func.func @triangular_solve_square(%a: tensor<3x2xf32>, %b: tensor<3x4xf32>) {
  // expected-error@+2 {{two minor dimensions of operand 'a' must be compatible, got 'tensor<3x2xf32>'}}
  // expected-error@+1 {{'stablehlo.triangular_solve' op failed to infer returned types}}
  %0 = "stablehlo.triangular_solve"(%a, %b) {left_side = true, lower = true, transpose_a = #stablehlo<transpose NO_TRANSPOSE>, unit_diagonal = false} : (tensor<3x2xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @triangular_solve_shared(%a: tensor<3x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error@+2 {{shared dimension of operands 'a' and 'b' does not match, got 'tensor<3x3xf32>' and 'tensor<4x3xf32>'}}
  // expected-error@+1 {{'stablehlo.triangular_solve' op failed to infer returned types}}
  %0 = "stablehlo.triangular_solve"(%a, %b) {left_side = true, lower = true, transpose_a = #stablehlo<transpose NO_TRANSPOSE>, unit_diagonal = false} : (tensor<3x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @triangular_solve_transpose(%a: tensor<3x3xf32>, %b: tensor<3x3xf32>) {
  // expected-error@+2 {{Invalid transpose option value for triangular solve}}
  // expected-error@+1 {{'stablehlo.triangular_solve' op failed to infer returned types}}
  %0 = "stablehlo.triangular_solve"(%a, %b) {left_side = true, lower = true, transpose_a = #stablehlo<transpose TRANSPOSE_INVALID>, unit_diagonal = false} : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  return
}

// -----

func.func @triangular_solve_batch(%a: tensor<2x3x3xf32>, %b: tensor<4x3x3xf32>) {
  // expected-error@+2 {{leading batch dimensions of the operands must be compatible, got 'tensor<2x3x3xf32>' and 'tensor<4x3x3xf32>'}}
  // expected-error@+1 {{'stablehlo.triangular_solve' op failed to infer returned types}}
  %0 = "stablehlo.triangular_solve"(%a, %b) {left_side = true, lower = true, transpose_a = #stablehlo<transpose NO_TRANSPOSE>, unit_diagonal = false} : (tensor<2x3x3xf32>, tensor<4x3x3xf32>) -> tensor<4x3x3xf32>
  return
}

// -----

func.func @fft_real(%a: tensor<9xf32>) {
  // expected-error@+2 {{FFT takes complex operands, but got 'tensor<9xf32>'}}
  // expected-error@+1 {{'stablehlo.fft' op failed to infer returned types}}
  %0 = stablehlo.fft %a, type = FFT, length = [9] : (tensor<9xf32>) -> tensor<9xf32>
  return
}

// -----

func.func @fft_rank(%a: tensor<9xcomplex<f32>>) {
  // expected-error@+2 {{rank must be between 1 and 3, but got 4}}
  // expected-error@+1 {{'stablehlo.fft' op failed to infer returned types}}
  %0 = stablehlo.fft %a, type = FFT, length = [1, 1, 1, 9] : (tensor<9xcomplex<f32>>) -> tensor<9xcomplex<f32>>
  return
}

// -----

func.func @fft_irfft(%a: tensor<4xcomplex<f32>>) {
  // expected-error@+2 {{IRFFT requires innermost dimensions to match fft_length, got: 'tensor<4xcomplex<f32>>' but wanted size 5}}
  // expected-error@+1 {{'stablehlo.fft' op failed to infer returned types}}
  %0 = stablehlo.fft %a, type = IRFFT, length = [9] : (tensor<4xcomplex<f32>>) -> tensor<9xf32>
  return
}

// -----

func.func @fft_rfft_length(%a: tensor<9xf32>) {
  // expected-error@+2 {{RFFT requires innermost dimensions to match fft_length, got: 'tensor<9xf32>' but wanted size 8}}
  // expected-error@+1 {{'stablehlo.fft' op failed to infer returned types}}
  %0 = stablehlo.fft %a, type = RFFT, length = [8] : (tensor<9xf32>) -> tensor<5xcomplex<f32>>
  return
}
