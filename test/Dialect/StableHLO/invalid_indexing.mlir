// RUN: shoal-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics

// What the verifiers of indexing ops refuse.

func.func @dynamic_slice_sizes(%a: tensor<4xf32>, %i: tensor<i32>) {
  // expected-error@+2 {{has slice size 5 greater than dimension size 4 in dimension 0 of operand}}
  // expected-error@+1 {{'stablehlo.dynamic_slice' op failed to infer returned types}}
  %0 = stablehlo.dynamic_slice %a, %i, sizes = [5] : (tensor<4xf32>, tensor<i32>) -> tensor<5xf32>
  return
}

// -----

func.func @dynamic_slice_negative(%a: tensor<4xf32>, %i: tensor<i32>) {
  // expected-error@+2 {{has negative size index to dynamic slice: -1}}
  // expected-error@+1 {{'stablehlo.dynamic_slice' op failed to infer returned types}}
  %0 = stablehlo.dynamic_slice %a, %i, sizes = [-1] : (tensor<4xf32>, tensor<i32>) -> tensor<1xf32>
  return
}

// -----

func.func @dynamic_slice_starts(%a: tensor<4xf32>, %i: tensor<i32>) {
  // expected-error@+2 {{has mismatched number of start indices (2) and the rank of operand (1)}}
  // expected-error@+1 {{'stablehlo.dynamic_slice' op failed to infer returned types}}
  %0 = stablehlo.dynamic_slice %a, %i, %i, sizes = [1] : (tensor<4xf32>, tensor<i32>, tensor<i32>) -> tensor<1xf32>
  return
}

// -----

func.func @dynamic_slice_types(%a: tensor<4x4xf32>, %i: tensor<i32>, %j: tensor<i64>) {
  // expected-error@+2 {{start indices must have same element type}}
  // expected-error@+1 {{'stablehlo.dynamic_slice' op failed to infer returned types}}
  %0 = stablehlo.dynamic_slice %a, %i, %j, sizes = [1, 1] : (tensor<4x4xf32>, tensor<i32>, tensor<i64>) -> tensor<1x1xf32>
  return
}

// -----

func.func @dynamic_update_slice_rank(%a: tensor<4xf32>, %u: tensor<f32>, %i: tensor<i32>) {
  // expected-error@+2 {{update rank does not match operand rank: 0 vs 1}}
  // expected-error@+1 {{'stablehlo.dynamic_update_slice' op failed to infer returned types}}
  %0 = stablehlo.dynamic_update_slice %a, %u, %i : (tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4xf32>
  return
}

// -----

func.func @dynamic_update_slice_size(%a: tensor<4xf32>, %u: tensor<5xf32>, %i: tensor<i32>) {
  // expected-error@+2 {{expects size at dimension 0 of update to be in range [0, 4]. Got: 5}}
  // expected-error@+1 {{'stablehlo.dynamic_update_slice' op failed to infer returned types}}
  %0 = stablehlo.dynamic_update_slice %a, %u, %i : (tensor<4xf32>, tensor<5xf32>, tensor<i32>) -> tensor<4xf32>
  return
}

// -----

func.func @dynamic_update_slice_element(%a: tensor<4xf32>, %u: tensor<2xi32>, %i: tensor<i32>) {
  // expected-error@+2 {{update 'tensor<2xi32>' has another element type than operand 'tensor<4xf32>'}}
  // expected-error@+1 {{'stablehlo.dynamic_update_slice' op failed to infer returned types}}
  %0 = stablehlo.dynamic_update_slice %a, %u, %i : (tensor<4xf32>, tensor<2xi32>, tensor<i32>) -> tensor<4xf32>
  return
}

// -----

func.func @gather_offset(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{offset_dims has dimension 2, expected one in [0, 2)}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [2], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_offset_sorted(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{offset_dims should be sorted}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 1], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4x1xf32>
  return
}

// -----

func.func @gather_collapsed(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{collapsed_slice_dims has dimension 2, expected one in [0, 2)}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [2], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_ranks(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{offset_dims size (1) plus collapse_slice_dims size (0) plus operand_batching_dims size (0) is not equal to operand rank (2)}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_vector(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{index_vector_dim 2 is out of bounds for indices with rank 1}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, slice_sizes = array<i64: 1, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_negative_vector(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{index_vector_dim -1 is out of bounds for indices with rank 1}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = -1>, slice_sizes = array<i64: 1, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_map(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{start_index_map size (2) is not equal to size of index dimension (1) of indices (1)}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0, 1], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_map_range(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{start_index_map has dimension 7, expected one in [0, 2)}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [7], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_batching(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{operand_batching_dims and start_indices_batching_dims should have the same sizes, got 8 and 5}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], operand_batching_dims = [0], start_indices_batching_dims = [0], start_index_map = [1], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_batching_number(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{operand_batching_dims and start_indices_batching_dims should have the same size}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], operand_batching_dims = [0], start_index_map = [1], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_sizes(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{slice size (5) is out of bounds for operand dimension (4) at index 1}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 5>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x5xf32>
  return
}

// -----

func.func @gather_negative_sizes(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{slice size (-1) is out of bounds for operand dimension (4) at index 1}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, -1>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_sizes_length(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{slice_sizes size (1) not equal to (implied) operand rank (2)}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_collapsed_size(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{slice size (2) is out of bounds for operand dimension (8) at index 0, which is collapsed or batching}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 2, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @gather_result(%a: tensor<8x4xf32>, %i: tensor<5xi32>) {
  // expected-error@+2 {{inferred type(s) 'tensor<5x4xf32>' are incompatible with return type(s) of operation 'tensor<4x5xf32>'}}
  // expected-error@+1 {{'stablehlo.gather' op failed to infer returned types}}
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}> : (tensor<8x4xf32>, tensor<5xi32>) -> tensor<4x5xf32>
  return
}

// -----

func.func @scatter_window(%a: tensor<8x4xf32>, %i: tensor<5xi32>, %u: tensor<5x4xf32>) {
  // expected-error@+2 {{update_window_dims has dimension 2, expected one in [0, 2)}}
  // expected-error@+1 {{'stablehlo.scatter' op failed to infer returned types}}
  %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [2], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<8x4xf32>, tensor<5xi32>, tensor<5x4xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @scatter_ranks(%a: tensor<8x4xf32>, %i: tensor<5xi32>, %u: tensor<5x4xf32>) {
  // expected-error@+2 {{Expects rank-of operand to match size-of(update_window_dims) + size-of(inserted_window_dims) + size-of(input_batching_dims) i.e. 1 but got 2}}
  // expected-error@+1 {{'stablehlo.scatter' op failed to infer returned types}}
  %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<8x4xf32>, tensor<5xi32>, tensor<5x4xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @scatter_vector(%a: tensor<8x4xf32>, %i: tensor<5xi32>, %u: tensor<5x4xf32>) {
  // expected-error@+2 {{index_vector_dim 3 is out of bounds for indices with rank 1}}
  // expected-error@+1 {{'stablehlo.scatter' op failed to infer returned types}}
  %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 3>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<8x4xf32>, tensor<5xi32>, tensor<5x4xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @scatter_map(%a: tensor<8x4xf32>, %i: tensor<5xi32>, %u: tensor<5x4xf32>) {
  // expected-error@+2 {{scatter_dims_to_operand_dims size (2) is not equal to size of index dimension (1) of indices (1)}}
  // expected-error@+1 {{'stablehlo.scatter' op failed to infer returned types}}
  %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0, 1], index_vector_dim = 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<8x4xf32>, tensor<5xi32>, tensor<5x4xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @scatter_update_rank(%a: tensor<8x4xf32>, %i: tensor<5xi32>, %u: tensor<5x4x1xf32>) {
  // expected-error@+2 {{expects updates tensor must be of rank 2, but got 3}}
  // expected-error@+1 {{'stablehlo.scatter' op failed to infer returned types}}
  %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<8x4xf32>, tensor<5xi32>, tensor<5x4x1xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @scatter_update_window(%a: tensor<8x4xf32>, %i: tensor<5xi32>, %u: tensor<5x6xf32>) {
  // expected-error@+2 {{expects bounds of the window dimensions of updates to not exceed the bounds of the corresponding dimensions of operand. For dimension 1, updates bound is 6, operand bound is 4}}
  // expected-error@+1 {{'stablehlo.scatter' op failed to infer returned types}}
  %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<8x4xf32>, tensor<5xi32>, tensor<5x6xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @scatter_update_scatter(%a: tensor<8x4xf32>, %i: tensor<5xi32>, %u: tensor<6x4xf32>) {
  // expected-error@+2 {{expects bounds of the scatter dimensions of updates to be same as the bounds of the corresponding dimensions of scatter indices. For scatter dimension 0, updates bound is 6, scatter_indices bound is 5}}
  // expected-error@+1 {{'stablehlo.scatter' op failed to infer returned types}}
  %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<8x4xf32>, tensor<5xi32>, tensor<6x4xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @scatter_inserted_twice(%a: tensor<8x4xf32>, %i: tensor<5xi32>, %u: tensor<5xf32>) {
  // expected-error@+2 {{inserted_window_dims has dimension 0 twice}}
  // expected-error@+1 {{'stablehlo.scatter' op failed to infer returned types}}
  %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [], inserted_window_dims = [0, 0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<8x4xf32>, tensor<5xi32>, tensor<5xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @scatter_body(%a: tensor<8x4xf32>, %i: tensor<5xi32>, %u: tensor<5x4xf32>) {
  // expected-error@+2 {{The element-type of reduction-region's argument at index 1 is expected to be promotable from 'f32', but got 'i32'}}
  // expected-error@+1 {{'stablehlo.scatter' op failed to infer returned types}}
  %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    stablehlo.return %x : tensor<i32>
  }) : (tensor<8x4xf32>, tensor<5xi32>, tensor<5x4xf32>) -> tensor<8x4xf32>
  return
}

// -----

// stricter than jaxlib
func.func @torch_dim(%a: tensor<4x4xf32>, %i: tensor<2xi32>) {
  // expected-error@+1 {{dim 2 is not a dimension of 'tensor<4x4xf32>'}}
  %0 = "stablehlo.torch_index_select"(%a, %i) {dim = 2 : i64, batch_dims = 0 : i64} : (tensor<4x4xf32>, tensor<2xi32>) -> tensor<4x2xf32>
  return
}

// -----

// stricter than jaxlib
func.func @torch_batch(%a: tensor<4x4xf32>, %i: tensor<2xi32>) {
  // expected-error@+1 {{batch_dims -1 must be at most dim 0 and the rank of the indices 1}}
  %0 = "stablehlo.torch_index_select"(%a, %i) {dim = 0 : i64, batch_dims = -1 : i64} : (tensor<4x4xf32>, tensor<2xi32>) -> tensor<2x4xf32>
  return
}
