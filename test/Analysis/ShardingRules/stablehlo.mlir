// RUN: shoal-opt %s --shoal-test-print-rules | FileCheck %s

// CHECK-LABEL: func @elementwise
func.func @elementwise(%a: tensor<4x8xf32>, %b: tensor<4x8xf32>, %s: tensor<f32>, %p: tensor<i1>) {
  // CHECK: stablehlo.add {{.*}}<([i, j], [i, j])->([i, j]) {i=4, j=8} linear=[0, 1]>
  %0 = stablehlo.add %a, %b : tensor<4x8xf32>
  // CHECK: stablehlo.exponential {{.*}}<([i, j])->([i, j]) {i=4, j=8}>
  %1 = stablehlo.exponential %a : tensor<4x8xf32>
  // CHECK: stablehlo.clamp {{.*}}<([], [i, j], [])->([i, j]) {i=4, j=8}>
  %2 = stablehlo.clamp %s, %a, %s : (tensor<f32>, tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
  // CHECK: stablehlo.select {{.*}}<([], [i, j], [i, j])->([i, j]) {i=4, j=8} linear=[1, 2]>
  %3 = stablehlo.select %p, %a, %b : tensor<i1>, tensor<4x8xf32>
  // CHECK: stablehlo.bitcast_convert {{.*}}<([i, j])->([i, j, k]) {i=4, j=8, k=2} need_replication={k}>
  %4 = stablehlo.bitcast_convert %a : (tensor<4x8xf32>) -> tensor<4x8x2xi16>
  // A narrowing conversion rounds each term of a sum.
  // CHECK: stablehlo.convert {{.*}}<([i, j])->([i, j]) {i=4, j=8}>
  %5 = stablehlo.convert %a : (tensor<4x8xf32>) -> tensor<4x8xbf16>
  // CHECK: stablehlo.convert {{.*}} linear=[0]>
  %6 = stablehlo.convert %a : (tensor<4x8xf32>) -> tensor<4x8xf64>
  return
}

// CHECK-LABEL: func @shape
func.func @shape(%a: tensor<4x8xf32>, %one: tensor<4x1xf32>, %c: tensor<2x3x5xf32>) {
  // CHECK: stablehlo.broadcast_in_dim {{.*}}<([j, k])->([i, j, l]) {i=2, j=4, k=1, l=8} linear=[0]>
  %0 = stablehlo.broadcast_in_dim %one, dims = [1, 2] : (tensor<4x1xf32>) -> tensor<2x4x8xf32>
  // CHECK: stablehlo.transpose {{.*}}<([j, i])->([i, j]) {i=8, j=4} linear=[0]>
  %1 = stablehlo.transpose %a, dims = [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
  // Merging and splitting.
  // CHECK: stablehlo.reshape {{.*}}<([i, j])->([ij]) {i=4, j=8} linear=[0]>
  %2 = stablehlo.reshape %a : (tensor<4x8xf32>) -> tensor<32xf32>
  // CHECK: stablehlo.reshape {{.*}}<([ij])->([i, j]) {i=8, j=4} linear=[0]>
  %3 = stablehlo.reshape %2 : (tensor<32xf32>) -> tensor<8x4xf32>
  // 4 x 8 to 8 x 4: factors 4, 2, 4.
  // CHECK: stablehlo.reshape {{.*}}<([i, jk])->([ij, k]) {i=4, j=2, k=4} linear=[0]>
  %4 = stablehlo.reshape %a : (tensor<4x8xf32>) -> tensor<8x4xf32>
  // CHECK: stablehlo.reshape {{.*}}<([i, k, m])->([j, l]) {i=2, j=5, k=3, l=6, m=5} linear=[0]>
  %5 = stablehlo.reshape %c : (tensor<2x3x5xf32>) -> tensor<5x6xf32>
  // CHECK: stablehlo.reverse {{.*}}<([i, j])->([i, j]) {i=4, j=8} permutation={j} linear=[0]>
  %6 = stablehlo.reverse %a, dims = [1] : tensor<4x8xf32>
  // CHECK: stablehlo.iota {{.*}}<()->([i, j]) {i=4, j=8}>
  %7 = stablehlo.iota dim = 0 : tensor<4x8xf32>
  return
}

// CHECK-LABEL: func @slicing
func.func @slicing(%a: tensor<4x8xf32>, %u: tensor<4x2xf32>, %s: tensor<f32>, %i: tensor<i32>) {
  // CHECK: stablehlo.slice {{.*}}<([i, j])->([i, j]) {i=4, j=8} permutation={j} linear=[0]>
  %0 = stablehlo.slice %a [0:4, 2:6] : (tensor<4x8xf32>) -> tensor<4x4xf32>
  // CHECK: stablehlo.pad {{.*}}<([i, j], [])->([i, j]) {i=4, j=8} permutation={i} linear=[0, 1]>
  %1 = stablehlo.pad %a, %s, low = [1, 0], high = [2, 0], interior = [0, 0] : (tensor<4x8xf32>, tensor<f32>) -> tensor<7x8xf32>
  // CHECK: stablehlo.concatenate {{.*}}<([i, j], [i, j])->([i, j]) {i=4, j=10} permutation={j} linear=[0, 1]>
  %2 = stablehlo.concatenate %a, %u, dim = 1 : (tensor<4x8xf32>, tensor<4x2xf32>) -> tensor<4x10xf32>
  // CHECK: stablehlo.dynamic_slice {{.*}}<([i, j], [], [])->([i, k]) {i=4, j=8, k=2} linear=[0]>
  %3 = stablehlo.dynamic_slice %a, %i, %i, sizes = [4, 2] : (tensor<4x8xf32>, tensor<i32>, tensor<i32>) -> tensor<4x2xf32>
  // CHECK: stablehlo.dynamic_update_slice {{.*}}<([i, j], [i, k], [], [])->([i, j]) {i=4, j=8, k=2} need_replication={k} linear=[0, 1]>
  %4 = stablehlo.dynamic_update_slice %a, %u, %i, %i : (tensor<4x8xf32>, tensor<4x2xf32>, tensor<i32>, tensor<i32>) -> tensor<4x8xf32>
  return
}

// CHECK-LABEL: func @contraction
func.func @contraction(%a: tensor<2x4x8xf32>, %b: tensor<2x8x16xf32>, %m: tensor<4x8xf32>, %v: tensor<8xf32>,
                       %x: tensor<2x16x16x3xf32>, %w: tensor<3x3x3x8xf32>) {
  // CHECK: stablehlo.dot_general {{.*}}<([i, j, l], [i, l, k])->([i, j, k]) {i=2, j=4, k=16, l=8} reduction={l}>
  %0 = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x4x8xf32>, tensor<2x8x16xf32>) -> tensor<2x4x16xf32>
  // CHECK: stablehlo.dot {{.*}}<([i, j], [j])->([i]) {i=4, j=8} reduction={j}>
  %1 = stablehlo.dot %m, %v : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4xf32>
  // CHECK: stablehlo.convolution{{.*}}<([i, j, k, l], [n, o, l, m])->([i, j, k, m]) {i=2, j=16, k=16, l=3, m=8, n=3, o=3} reduction={l} permutation={j, k}
  %2 = "stablehlo.convolution"(%x, %w) <{batch_group_count = 1 : i64, feature_group_count = 1 : i64,
    dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>,
    padding = dense<1> : tensor<2x2xi64>}> : (tensor<2x16x16x3xf32>, tensor<3x3x3x8xf32>) -> tensor<2x16x16x8xf32>
  return
}

// CHECK-LABEL: func @reduction
func.func @reduction(%a: tensor<4x8xf32>, %s: tensor<f32>, %n: tensor<1x8xi32>) {
  // CHECK: stablehlo.reduce({{.*}}<([i, j], [])->([i]) {i=4, j=8} reduction={j} reduction_kinds={max}>
  %0 = stablehlo.reduce(%a init: %s) applies stablehlo.maximum across dimensions = [1] : (tensor<4x8xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK: "stablehlo.reduce_window"{{.*}}
  %1 = "stablehlo.reduce_window"(%a, %s) <{window_dimensions = array<i64: 1, 2>, window_strides = array<i64: 1, 2>}> ({
  // CHECK: <([i, j], [])->([i, j]) {i=4, j=4} permutation={j} linear=[0, 1]>
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %r = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %r : tensor<f32>
  }) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x4xf32>
  // CHECK: "stablehlo.sort"
  // CHECK: <([i, j])->([i, j]) {i=4, j=8} need_replication={j}>
  %2 = "stablehlo.sort"(%a) <{dimension = 1 : i64}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %r = stablehlo.compare LT, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %r : tensor<i1>
  }) : (tensor<4x8xf32>) -> tensor<4x8xf32>
  // Without another dimension to move to, nothing passes.
  // CHECK: "stablehlo.sort"
  // CHECK: <([i, j])->([i, j]) {i=1, j=8} need_replication={j} blocked_propagation={j}>
  %3 = "stablehlo.sort"(%n) <{dimension = 1 : i64}> ({
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    %r = stablehlo.compare LT, %x, %y : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %r : tensor<i1>
  }) : (tensor<1x8xi32>) -> tensor<1x8xi32>
  return
}

// CHECK-LABEL: func @indexing
func.func @indexing(%t: tensor<32x8xf32>, %i: tensor<4x6x1xi32>, %u: tensor<4x6x8xf32>) {
  // CHECK: "stablehlo.gather"{{.*}}<([l, k], [i, j, m])->([i, j, k]) {i=4, j=6, k=8, l=32, m=1} need_replication={m} linear=[0]>
  %0 = "stablehlo.gather"(%t, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [2],
    collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, slice_sizes = array<i64: 1, 8>}>
    : (tensor<32x8xf32>, tensor<4x6x1xi32>) -> tensor<4x6x8xf32>
  // CHECK: "stablehlo.scatter"
  // CHECK: <([l, k], [i, j, m], [i, j, k])->([l, k]) {i=4, j=6, k=8, l=32, m=1} reduction={i, j} need_replication={m} linear=[0, 2]>
  %1 = "stablehlo.scatter"(%t, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [2],
    inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 2>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %r = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %r : tensor<f32>
  }) : (tensor<32x8xf32>, tensor<4x6x1xi32>, tensor<4x6x8xf32>) -> tensor<32x8xf32>
  return
}

// CHECK-LABEL: func @linear_algebra
func.func @linear_algebra(%a: tensor<2x4x4xf32>, %b: tensor<2x4x3xf32>, %c: tensor<2x8xcomplex<f32>>, %r: tensor<2x8xf32>) {
  // CHECK: stablehlo.cholesky {{.*}}<([i, j, k])->([i, j, k]) {i=2, j=4, k=4} need_replication={j, k}>
  %0 = stablehlo.cholesky %a, lower = true : tensor<2x4x4xf32>
  // CHECK: "stablehlo.triangular_solve"{{.*}}<([i, j, l], [i, j, k])->([i, l, k]) {i=2, j=4, k=3, l=4} need_replication={j, l}>
  %1 = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, transpose_a = #stablehlo<transpose NO_TRANSPOSE>, unit_diagonal = false}>
    : (tensor<2x4x4xf32>, tensor<2x4x3xf32>) -> tensor<2x4x3xf32>
  // CHECK: stablehlo.fft {{.*}}<([i, j])->([i, j]) {i=2, j=8} need_replication={j}{{.*}} linear=[0]>
  %2 = stablehlo.fft %c, type = FFT, length = [8] : (tensor<2x8xcomplex<f32>>) -> tensor<2x8xcomplex<f32>>
  // CHECK: stablehlo.fft {{.*}}<([i, j])->([i, k]) {i=2, j=8, k=5} linear=[0]>
  %3 = stablehlo.fft %r, type = RFFT, length = [8] : (tensor<2x8xf32>) -> tensor<2x5xcomplex<f32>>
  return
}

// CHECK-LABEL: func @calls
func.func @calls(%a: tensor<4x8xf32>, %k: tensor<2xui64>) {
  // CHECK: @mhlo.topk{{.*}}<([i, j])->([i, k], [i, l])
  %0:2 = stablehlo.custom_call @mhlo.topk(%a) : (tensor<4x8xf32>) -> (tensor<4x2xf32>, tensor<4x2xi32>)
  // CHECK: @nobody_knows{{.*}}<([i, j])->([k]) {i=4, j=8, k=4} need_replication={i, j, k}>
  %1 = stablehlo.custom_call @nobody_knows(%a) : (tensor<4x8xf32>) -> tensor<4xf32>
  // CHECK: stablehlo.rng_bit_generator {{.*}}<([i])->([i], [j]) {i=2, j=16} need_replication={i} blocked_propagation={i}>
  %2:2 = stablehlo.rng_bit_generator %k, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<16xui64>)
  return
}
