// RUN: shoal-opt %s --split-input-file --shoal-partition-pipeline | FileCheck %s

// Ops whose elements come in order, with that dimension cut: little is
// exchanged, never the operand.

// A cumulative sum: each part's own, then the totals of the parts before it.

// CHECK-LABEL: func @cumsum(
shoal.mesh @m <["x"=4]>
func.func @cumsum(%a: tensor<10x6xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>})
    -> (tensor<10x6xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>}) {
  // CHECK: %[[LOCAL:.*]] = "stablehlo.reduce_window"(%arg0
  // CHECK-SAME: padding = dense<{{\[\[}}2, 0], [0, 0]]>
  // CHECK-SAME: window_dimensions = array<i64: 3, 1>
  // CHECK: %[[LAST:.*]] = stablehlo.slice %[[LOCAL]] [2:3, 0:6]
  // CHECK: comm.all_gather %[[LAST]] dim = 0 {{.*}} -> tensor<4x6xf32>
  // CHECK: stablehlo.reduce
  // CHECK-NOT: comm
  // CHECK: stablehlo.add {{.*}}, %[[LOCAL]] : tensor<3x6xf32>
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = "stablehlo.reduce_window"(%a, %c) <{padding = dense<[[9, 0], [0, 0]]> : tensor<2x2xi64>, window_dimensions = array<i64: 10, 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %s = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) {shoal.shardings = #shoal.sharding_per_value<[<@m, [{"x"}, {}]>]>} : (tensor<10x6xf32>, tensor<f32>) -> tensor<10x6xf32>
  return %0 : tensor<10x6xf32>
}

// -----

// From the other end, padding comes first: it must not count.

// CHECK-LABEL: func @reverse_cummax(
shoal.mesh @m <["x"=4]>
func.func @reverse_cummax(%a: tensor<10xi32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})
    -> (tensor<10xi32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) {
  // CHECK: %[[MASKED:.*]] = stablehlo.select {{.*}}, %arg0
  // CHECK: %[[LOCAL:.*]] = "stablehlo.reduce_window"(%[[MASKED]]
  // CHECK: comm.all_gather {{.*}} : (tensor<1xi32>) -> tensor<4xi32>
  // CHECK-NOT: comm
  %c = stablehlo.constant dense<-2147483648> : tensor<i32>
  %0 = "stablehlo.reduce_window"(%a, %c) <{padding = dense<[[0, 9]]> : tensor<1x2xi64>, window_dimensions = array<i64: 10>}> ({
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    %s = stablehlo.maximum %x, %y : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) {shoal.shardings = #shoal.sharding_per_value<[<@m, [{"x"}]>]>} : (tensor<10xi32>, tensor<i32>) -> tensor<10xi32>
  return %0 : tensor<10xi32>
}

// -----

// The two best of each part, of these the two best; equal ones in the order of
// their indices.

// CHECK-LABEL: func @top_k(
shoal.mesh @m <["x"=4]>
func.func @top_k(%a: tensor<5x30xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}]>})
    -> (tensor<5x2xf32>, tensor<5x2xi32>) {
  // CHECK: %[[MASKED:.*]] = stablehlo.select
  // CHECK: %[[V:.*]], %[[I:.*]] = chlo.top_k(%[[MASKED]], k = 2)
  // CHECK: %[[PLACE:.*]] = stablehlo.add %[[I]]
  // CHECK: comm.all_gather %[[V]] dim = 1 {{.*}} -> tensor<5x8xf32>
  // CHECK: comm.all_gather %[[PLACE]] dim = 1 {{.*}} -> tensor<5x8xi32>
  // CHECK-NOT: comm
  // CHECK: "stablehlo.sort"
  // CHECK-SAME: is_stable = true
  %v, %i = chlo.top_k(%a, k = 2) : tensor<5x30xf32> -> (tensor<5x2xf32>, tensor<5x2xi32>)
  return %v, %i : tensor<5x2xf32>, tensor<5x2xi32>
}

// -----

// A reducer that no collective has: the initial value enters once, at the end.

// CHECK-LABEL: func @own_reducer(
shoal.mesh @m <["x"=4]>
func.func @own_reducer(%a: tensor<10xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) -> tensor<f32> {
  // CHECK-DAG: %[[TWO:.*]] = stablehlo.constant dense<2.0
  // CHECK-DAG: %[[VALID:.*]] = stablehlo.compare LT
  // CHECK: %[[PART:.*]]:2 = stablehlo.reduce(%arg0 init: %[[TWO]]), (%[[VALID]] init: %{{.*}})
  // CHECK: comm.all_gather {{.*}} -> tensor<4xf32>
  // CHECK-NOT: comm
  // CHECK: stablehlo.reduce
  %c = stablehlo.constant dense<2.0> : tensor<f32>
  %0 = stablehlo.reduce(%a init: %c) across dimensions = [0] : (tensor<10xf32>, tensor<f32>) -> tensor<f32>
    reducer(%x: tensor<f32>, %y: tensor<f32>) {
      %s = stablehlo.multiply %x, %y : tensor<f32>
      %t = stablehlo.abs %s : tensor<f32>
      stablehlo.return %t : tensor<f32>
    }
  return %0 : tensor<f32>
}

// -----

// Random bits: each device makes its own, nothing is sent.

// CHECK-LABEL: func @bits(
shoal.mesh @m <["x"=4]>
func.func @bits(%s: tensor<2xui64>) -> (tensor<2xui64>, tensor<10x8xui32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>}) {
  // CHECK-NOT: rng_bit_generator
  // CHECK: comm.axis_index
  // CHECK-NOT: comm.all
  // CHECK: return %{{.*}}, %{{.*}} : tensor<2xui64>, tensor<3x8xui32>
  %0, %1 = stablehlo.rng_bit_generator %s, algorithm = THREE_FRY {shoal.shardings = #shoal.sharding_per_value<[<@m, [{}]>, <@m, [{"x"}, {}]>]>} : (tensor<2xui64>) -> (tensor<2xui64>, tensor<10x8xui32>)
  return %0, %1 : tensor<2xui64>, tensor<10x8xui32>
}

// -----

// Each part is sorted, searched for where to divide it, divided, exchanged and
// sorted again. Padding goes last by an operand that says so.

// CHECK-LABEL: func @sort(
shoal.mesh @m <["x"=4]>
func.func @sort(%a: tensor<1023xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>},
                %b: tensor<1023xi32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})
    -> (tensor<1023xi32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) {
  // CHECK: %[[PAD:.*]] = stablehlo.compare GE
  // CHECK: "stablehlo.sort"(%arg0, %arg1, %[[PAD]])
  // CHECK: stablehlo.while
  // CHECK: comm.all_gather {{.*}} : (tensor<3xf32>) -> tensor<12xf32>
  // CHECK: comm.all_reduce add {{.*}} : tensor<12xi32>
  // CHECK: comm.ragged_all_to_all {{.*}} -> tensor<256xf32>
  // CHECK: comm.ragged_all_to_all {{.*}} -> tensor<256xi32>
  // CHECK: "stablehlo.sort"
  // CHECK-NOT: comm
  %0:2 = "stablehlo.sort"(%a, %b) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>, %u: tensor<i32>, %v: tensor<i32>):
    %p = stablehlo.compare LT, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }) {shoal.shardings = #shoal.sharding_per_value<[<@m, [{"x"}]>, <@m, [{"x"}]>]>} : (tensor<1023xf32>, tensor<1023xi32>) -> (tensor<1023xf32>, tensor<1023xi32>)
  return %0#1 : tensor<1023xi32>
}

// -----

// A transform with no other dimension is divided into shorter ones.

// CHECK-LABEL: func @long_fft(
shoal.mesh @m <["x"=4]>
func.func @long_fft(%a: tensor<64xcomplex<f32>> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})
    -> (tensor<64xcomplex<f32>> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) {
  // CHECK: comm.all_to_all
  // CHECK: stablehlo.fft {{.*}} length = [4]
  // CHECK: comm.all_to_all
  // CHECK: stablehlo.fft {{.*}} length = [16]
  // CHECK: comm.all_to_all
  // CHECK-NOT: comm
  %0 = stablehlo.fft %a, type = FFT, length = [64] {shoal.shardings = #shoal.sharding_per_value<[<@m, [{"x"}]>]>} : (tensor<64xcomplex<f32>>) -> tensor<64xcomplex<f32>>
  return %0 : tensor<64xcomplex<f32>>
}

// -----

// Of several dimensions: the cut goes to another one while its own is
// transformed.

// CHECK-LABEL: func @planes(
shoal.mesh @m <["x"=4]>
func.func @planes(%a: tensor<16x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>})
    -> (tensor<16x17xcomplex<f32>> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>}) {
  // CHECK: stablehlo.fft {{.*}} type = RFFT, length = [32]
  // CHECK: comm.all_to_all {{.*}} -> tensor<16x5xcomplex<f32>>
  // CHECK: stablehlo.fft {{.*}} type = FFT, length = [16]
  // CHECK: comm.all_to_all {{.*}} -> tensor<4x17xcomplex<f32>>
  // CHECK-NOT: comm
  %0 = stablehlo.fft %a, type = RFFT, length = [16, 32] {shoal.shardings = #shoal.sharding_per_value<[<@m, [{"x"}, {}]>]>} : (tensor<16x32xf32>) -> tensor<16x17xcomplex<f32>>
  return %0 : tensor<16x17xcomplex<f32>>
}

// -----

// Substitution block by block: what is sent are the unknowns.

// CHECK-LABEL: func @solve(
shoal.mesh @m <["x"=2]>
func.func @solve(%a: tensor<31x31xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>},
                 %b: tensor<31x1xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>}) -> tensor<31x1xf32> {
  // CHECK: %[[X0:.*]] = "stablehlo.triangular_solve"
  // CHECK: %[[K0:.*]] = comm.broadcast %[[X0]] root = 0 {{.*}} -> tensor<16x1xf32>
  // CHECK: stablehlo.dot_general %{{.*}}, %[[K0]]
  // CHECK: %[[X1:.*]] = "stablehlo.triangular_solve"
  // CHECK: %[[K1:.*]] = comm.broadcast %[[X1]] root = 1
  // CHECK-NOT: comm
  // CHECK: stablehlo.concatenate %[[K0]], %[[K1]], dim = 0
  %0 = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, transpose_a = #stablehlo<transpose NO_TRANSPOSE>, unit_diagonal = false}> : (tensor<31x31xf32>, tensor<31x1xf32>) -> tensor<31x1xf32>
  return %0 : tensor<31x1xf32>
}
