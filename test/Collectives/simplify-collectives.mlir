// RUN: shoal-opt %s --shoal-simplify-collectives | FileCheck %s
// RUN: shoal-opt %s --shoal-simplify-collectives=remarks=true -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

shoal.mesh @m <["x"=2, "y"=4]>

// CHECK-LABEL: func.func @gather_of_scatter
// CHECK-NEXT: %[[R:.*]] = comm.all_reduce add %arg0 over <@m, {"x"}>
// CHECK-NEXT: return %[[R]]
// REMARK: remark: all_gather of a reduce_scatter is an all_reduce (modelled: {{[0-9.]+}} -> {{[0-9.]+}} us)
func.func @gather_of_scatter(%a: tensor<8x6xf32>) -> tensor<8x6xf32> {
  %0 = comm.reduce_scatter add %a dim = 0 over <@m, {"x"}> : (tensor<8x6xf32>) -> tensor<4x6xf32>
  %1 = comm.all_gather %0 dim = 0 over <@m, {"x"}> : (tensor<4x6xf32>) -> tensor<8x6xf32>
  return %1 : tensor<8x6xf32>
}

// The scattered part is wanted as well: nothing is gained.
// CHECK-LABEL: func.func @scatter_kept
// CHECK: comm.reduce_scatter
// CHECK: comm.all_gather
func.func @scatter_kept(%a: tensor<8x6xf32>) -> (tensor<8x6xf32>, tensor<4x6xf32>) {
  %0 = comm.reduce_scatter add %a dim = 0 over <@m, {"x"}> : (tensor<8x6xf32>) -> tensor<4x6xf32>
  %1 = comm.all_gather %0 dim = 0 over <@m, {"x"}> : (tensor<4x6xf32>) -> tensor<8x6xf32>
  return %1, %0 : tensor<8x6xf32>, tensor<4x6xf32>
}

// Where it is much: two collectives of small tensors take longer than one.
// CHECK-LABEL: func.func @slice_of_reduce
// CHECK-NEXT: %[[S:.*]] = comm.reduce_scatter add %arg0 dim = 1 over <@m, {"y"}>
// CHECK-NEXT: %[[R:.*]] = comm.all_reduce add %[[S]] over <@m, {"x"}>
// CHECK-NEXT: return %[[R]]
func.func @slice_of_reduce(%a: tensor<8192x2998xf32>) -> tensor<8192x750xf32> {
  %0 = comm.all_reduce add %a over <@m, {"x", "y"}> : tensor<8192x2998xf32>
  %1 = comm.all_slice %0 dim = 1 over <@m, {"y"}> : (tensor<8192x2998xf32>) -> tensor<8192x750xf32>
  return %1 : tensor<8192x750xf32>
}

// A slice in the loop of what is reduced before it stays one: the collective
// would run in every iteration.
// CHECK-LABEL: func.func @slice_in_loop
// CHECK: comm.all_reduce
// CHECK: stablehlo.while
// CHECK: comm.all_slice
func.func @slice_in_loop(%a: tensor<8x8xf32>) -> tensor<8x2xf32> {
  %0 = comm.all_reduce add %a over <@m, {"y"}> : tensor<8x8xf32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %s = stablehlo.constant dense<0.0> : tensor<8x2xf32>
  %r:2 = stablehlo.while(%i = %z, %y = %s) : tensor<i32>, tensor<8x2xf32>
  cond {
    %end = stablehlo.constant dense<4> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %1 = comm.all_slice %0 dim = 1 over <@m, {"y"}> : (tensor<8x8xf32>) -> tensor<8x2xf32>
    %2 = stablehlo.add %1, %y : tensor<8x2xf32>
    %n = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %n, %2 : tensor<i32>, tensor<8x2xf32>
  }
  return %r#1 : tensor<8x2xf32>
}

// CHECK-LABEL: func.func @gather_then_slice
// CHECK-NEXT: %[[E:.*]] = comm.all_to_all %arg0 split = 1 concat = 0 over <@m, {"y"}>
// CHECK-NEXT: return %arg0, %[[E]]
func.func @gather_then_slice(%a: tensor<2x30xf32>) -> (tensor<2x30xf32>, tensor<7x8xf32>) {
  %0 = comm.all_gather %a dim = 0 over <@m, {"y"}> : (tensor<2x30xf32>) -> tensor<8x30xf32>
  %1 = comm.all_slice %0 dim = 0 over <@m, {"y"}> : (tensor<8x30xf32>) -> tensor<2x30xf32>
  %2 = comm.all_gather %a dim = 0 over <@m, {"y"}> : (tensor<2x30xf32>) -> tensor<7x30xf32>
  %3 = comm.all_slice %2 dim = 1 over <@m, {"y"}> : (tensor<7x30xf32>) -> tensor<7x8xf32>
  return %1, %3 : tensor<2x30xf32>, tensor<7x8xf32>
}

// The major axis is the one gathered last; with padding in the middle blocks
// are not where one gather would put them.
// CHECK-LABEL: func.func @nested
// CHECK-NEXT: %[[G:.*]] = comm.all_gather %arg0 dim = 0 over <@m, {"x", "y"}>
// CHECK-NEXT: %[[S:.*]] = comm.reduce_scatter add %[[G]] dim = 0 over <@m, {"y", "x"}>
// CHECK-NEXT: comm.all_gather %arg0 dim = 0 over <@m, {"y"}> : (tensor<2xf32>) -> tensor<7xf32>
// CHECK-NEXT: comm.all_gather
func.func @nested(%a: tensor<2xf32>) -> (tensor<2xf32>, tensor<14xf32>) {
  %0 = comm.all_gather %a dim = 0 over <@m, {"y"}> : (tensor<2xf32>) -> tensor<8xf32>
  %1 = comm.all_gather %0 dim = 0 over <@m, {"x"}> : (tensor<8xf32>) -> tensor<16xf32>
  %2 = comm.reduce_scatter add %1 dim = 0 over <@m, {"y"}> : (tensor<16xf32>) -> tensor<4xf32>
  %3 = comm.reduce_scatter add %2 dim = 0 over <@m, {"x"}> : (tensor<4xf32>) -> tensor<2xf32>
  %4 = comm.all_gather %a dim = 0 over <@m, {"y"}> : (tensor<2xf32>) -> tensor<7xf32>
  %5 = comm.all_gather %4 dim = 0 over <@m, {"x"}> : (tensor<7xf32>) -> tensor<14xf32>
  return %3, %5 : tensor<2xf32>, tensor<14xf32>
}

// Position 0 is sent to 1, from there to 2; what 3 was not sent stays zero.
// CHECK-LABEL: func.func @permutes
// CHECK-NEXT: %[[P:.*]] = comm.permute %arg0 pairs = {{\[}}[0, 2]] over <@m, {"y"}>
// CHECK-NEXT: return %[[P]], %arg0
func.func @permutes(%a: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = comm.permute %a pairs = [[0, 1], [1, 0]] over <@m, {"y"}> : tensor<4xf32>
  %1 = comm.permute %0 pairs = [[1, 2], [2, 3]] over <@m, {"y"}> : tensor<4xf32>
  %2 = comm.permute %a pairs = [[0, 1], [1, 0]] over <@m, {"x"}> : tensor<4xf32>
  %3 = comm.permute %2 pairs = [[0, 1], [1, 0]] over <@m, {"x"}> : tensor<4xf32>
  return %1, %3 : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @exchange_back
// CHECK-NEXT: return %arg0
func.func @exchange_back(%a: tensor<8x2xf32>) -> tensor<8x2xf32> {
  %0 = comm.all_to_all %a split = 0 concat = 1 over <@m, {"y"}> : (tensor<8x2xf32>) -> tensor<2x8xf32>
  %1 = comm.all_to_all %0 split = 1 concat = 0 over <@m, {"y"}> : (tensor<2x8xf32>) -> tensor<8x2xf32>
  return %1 : tensor<8x2xf32>
}

// CHECK-LABEL: func.func @conversions
// CHECK-NEXT: %[[N:.*]] = stablehlo.convert %arg0 : (tensor<2xf32>) -> tensor<2xbf16>
// CHECK-NEXT: %[[G:.*]] = comm.all_gather %[[N]]
// CHECK-NEXT: %[[P:.*]] = comm.permute %arg1
// CHECK-NEXT: %[[W:.*]] = stablehlo.convert %[[P]]
// CHECK-NEXT: return %[[G]], %[[W]]
func.func @conversions(%a: tensor<2xf32>, %b: tensor<2xbf16>) -> (tensor<8xbf16>, tensor<2xf32>) {
  %0 = comm.all_gather %a dim = 0 over <@m, {"y"}> : (tensor<2xf32>) -> tensor<8xf32>
  %1 = stablehlo.convert %0 : (tensor<8xf32>) -> tensor<8xbf16>
  %2 = stablehlo.convert %b : (tensor<2xbf16>) -> tensor<2xf32>
  %3 = comm.permute %2 pairs = [[0, 1]] over <@m, {"x"}> : tensor<2xf32>
  return %1, %3 : tensor<8xbf16>, tensor<2xf32>
}

// CHECK-LABEL: func.func @only_part
// CHECK-NEXT: %[[S:.*]] = stablehlo.slice %arg0 [0:2, 1:3]
// CHECK-NEXT: comm.all_gather %[[S]] dim = 0
// CHECK-NEXT: %[[T:.*]] = stablehlo.slice %arg0 [1:2, 0:6]
// CHECK-NEXT: comm.all_reduce add %[[T]]
func.func @only_part(%a: tensor<2x6xf32>) -> (tensor<8x2xf32>, tensor<1x6xf32>) {
  %0 = comm.all_gather %a dim = 0 over <@m, {"y"}> : (tensor<2x6xf32>) -> tensor<8x6xf32>
  %1 = stablehlo.slice %0 [0:8, 1:3] : (tensor<8x6xf32>) -> tensor<8x2xf32>
  %2 = comm.all_reduce add %a over <@m, {"y"}> : tensor<2x6xf32>
  %3 = stablehlo.slice %2 [1:2, 0:6] : (tensor<2x6xf32>) -> tensor<1x6xf32>
  return %1, %3 : tensor<8x2xf32>, tensor<1x6xf32>
}

// CHECK-LABEL: func.func @sums
// CHECK-NEXT: %[[A:.*]] = stablehlo.add %arg0, %arg1
// CHECK-NEXT: %[[R:.*]] = comm.all_reduce add %[[A]]
// CHECK: %[[M:.*]] = stablehlo.maximum
// CHECK: return %[[R]], %[[M]]
func.func @sums(%a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = comm.all_reduce add %a over <@m, {"y"}> : tensor<4xf32>
  %1 = comm.all_reduce add %b over <@m, {"y"}> : tensor<4xf32>
  %2 = stablehlo.add %0, %1 : tensor<4xf32>
  // The maximum of sums is not the sum of maxima.
  %3 = comm.all_reduce add %c over <@m, {"y"}> : tensor<4xf32>
  %4 = comm.all_reduce add %d over <@m, {"y"}> : tensor<4xf32>
  %5 = stablehlo.maximum %3, %4 : tensor<4xf32>
  return %2, %5 : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @local_sum_first
// CHECK: %[[L:.*]] = stablehlo.reduce(%arg0 init: %{{.*}}) applies stablehlo.add
// CHECK: comm.all_reduce add %[[L]] over <@m, {"y"}> : tensor<4xf32>
// CHECK: comm.all_reduce add %arg0 over <@m, {"x"}> : tensor<4x64xf32>
func.func @local_sum_first(%a: tensor<4x64xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %one = stablehlo.constant dense<1.0> : tensor<f32>
  %0 = comm.all_reduce add %a over <@m, {"y"}> : tensor<4x64xf32>
  %1 = stablehlo.reduce(%0 init: %z) applies stablehlo.add across dimensions = [1] : (tensor<4x64xf32>, tensor<f32>) -> tensor<4xf32>
  // An initial value would be added on every device.
  %2 = comm.all_reduce add %a over <@m, {"x"}> : tensor<4x64xf32>
  %3 = stablehlo.reduce(%2 init: %one) applies stablehlo.add across dimensions = [1] : (tensor<4x64xf32>, tensor<f32>) -> tensor<4xf32>
  return %1, %3 : tensor<4xf32>, tensor<4xf32>
}

// Blocks of blocks with padding are no blocks of the whole. (Found by
// overlap.py, seed 7102.)
// CHECK-LABEL: func.func @uneven_scatters
// CHECK-COUNT-2: comm.reduce_scatter
shoal.mesh @three_by_two <["u"=3, "v"=2]>
func.func @uneven_scatters(%x: tensor<9x4xf32>) -> tensor<2x4xf32> {
  %0 = comm.reduce_scatter add %x dim = 0 over <@three_by_two, {"u"}> : (tensor<9x4xf32>) -> tensor<3x4xf32>
  %1 = comm.reduce_scatter add %0 dim = 0 over <@three_by_two, {"v"}> : (tensor<3x4xf32>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}
