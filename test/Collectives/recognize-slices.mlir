// RUN: shoal-opt %s --shoal-recognize-slices | FileCheck %s
// RUN: shoal-opt %s --shoal-recognize-slices --canonicalize --shoal-simplify-collectives --canonicalize | FileCheck %s --check-prefix=THEN

shoal.mesh @m <["x"=2, "y"=4]>

// As JAX prints it: an index that could be negative.
// CHECK-LABEL: func.func @jax
// CHECK: %[[R:.*]] = comm.all_reduce
// CHECK: %[[S:.*]] = comm.all_slice %[[R]] dim = 0 over <@m, {"y"}> : (tensor<512x1024xf32>) -> tensor<128x1024xf32>
// CHECK: return %[[S]]
// THEN-LABEL: func.func @jax
// THEN-NEXT: %[[S:.*]] = comm.reduce_scatter add %arg0 dim = 0 over <@m, {"y"}>
// THEN-NEXT: return %[[S]]
func.func @jax(%a: tensor<512x1024xf32>) -> tensor<128x1024xf32> {
  %0 = comm.all_reduce add %a over <@m, {"y"}> : tensor<512x1024xf32>
  %1 = comm.axis_index over <@m, {"y"}> : tensor<ui32>
  %2 = stablehlo.convert %1 : (tensor<ui32>) -> tensor<i32>
  %k = stablehlo.constant dense<128> : tensor<i32>
  %3 = stablehlo.multiply %2, %k : tensor<i32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %4 = stablehlo.compare LT, %3, %z, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %n = stablehlo.constant dense<512> : tensor<i32>
  %5 = stablehlo.add %3, %n : tensor<i32>
  %6 = stablehlo.select %4, %5, %3 : tensor<i1>, tensor<i32>
  %7 = stablehlo.dynamic_slice %0, %6, %z, sizes = [128, 1024] : (tensor<512x1024xf32>, tensor<i32>, tensor<i32>) -> tensor<128x1024xf32>
  return %7 : tensor<128x1024xf32>
}

// Two axes: y is the major one here.
// CHECK-LABEL: func.func @axes
// CHECK: comm.all_slice %arg0 dim = 1 over <@m, {"y", "x"}> : (tensor<3x16xf32>) -> tensor<3x2xf32>
func.func @axes(%a: tensor<3x16xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {}]>}) -> tensor<3x2xf32> {
  %x = comm.axis_index over <@m, {"x"}> : tensor<i32>
  %y = comm.axis_index over <@m, {"y"}> : tensor<i32>
  %c2 = stablehlo.constant dense<2> : tensor<i32>
  %c4 = stablehlo.constant dense<4> : tensor<i32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %0 = stablehlo.multiply %y, %c4 : tensor<i32>
  %1 = stablehlo.multiply %x, %c2 : tensor<i32>
  %2 = stablehlo.add %0, %1 : tensor<i32>
  %3 = stablehlo.dynamic_slice %a, %z, %2, sizes = [3, 2] : (tensor<3x16xf32>, tensor<i32>, tensor<i32>) -> tensor<3x2xf32>
  return %3 : tensor<3x2xf32>
}

// What devices hold of their own: gathered, blocks of it would be another
// tensor.
// CHECK-LABEL: func.func @own
// CHECK-NOT: comm.all_slice
// CHECK: comm.all_gather
// CHECK-NOT: comm.all_slice
// CHECK: return
func.func @own(%a: tensor<16xf32> {shoal.sharding = #shoal.sharding<@m, [{"y"}]>}, %b: tensor<16xf32>) -> (tensor<16xf32>, tensor<16xf32>) {
  %y = comm.axis_index over <@m, {"y"}> : tensor<i32>
  %c4 = stablehlo.constant dense<4> : tensor<i32>
  %0 = stablehlo.multiply %y, %c4 : tensor<i32>
  %1 = stablehlo.dynamic_slice %a, %0, sizes = [4] : (tensor<16xf32>, tensor<i32>) -> tensor<4xf32>
  %2 = comm.all_gather %1 dim = 0 over <@m, {"y"}> : (tensor<4xf32>) -> tensor<16xf32>
  %3 = comm.all_reduce add %b over <@m, {"x"}> : tensor<16xf32>
  %4 = stablehlo.dynamic_slice %3, %0, sizes = [4] : (tensor<16xf32>, tensor<i32>) -> tensor<4xf32>
  %5 = comm.all_gather %4 dim = 0 over <@m, {"y"}> : (tensor<4xf32>) -> tensor<16xf32>
  return %2, %5 : tensor<16xf32>, tensor<16xf32>
}

// The neighbour's block, blocks that overlap, blocks of only some, and an index
// that is data, are no own blocks.
// CHECK-LABEL: func.func @others
// CHECK-NOT: comm.all_slice
// CHECK: return
func.func @others(%a: tensor<16xf32> {shoal.sharding = #shoal.sharding<@m, [{}]>}, %i: tensor<i32>) -> (tensor<4xf32>, tensor<8xf32>, tensor<2xf32>, tensor<4xf32>) {
  %y = comm.axis_index over <@m, {"y"}> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %c4 = stablehlo.constant dense<4> : tensor<i32>
  %c2 = stablehlo.constant dense<2> : tensor<i32>
  %0 = stablehlo.add %y, %one : tensor<i32>
  %1 = stablehlo.remainder %0, %c4 : tensor<i32>
  %2 = stablehlo.multiply %1, %c4 : tensor<i32>
  %3 = stablehlo.dynamic_slice %a, %2, sizes = [4] : (tensor<16xf32>, tensor<i32>) -> tensor<4xf32>
  %4 = stablehlo.multiply %y, %c4 : tensor<i32>
  %5 = stablehlo.dynamic_slice %a, %4, sizes = [8] : (tensor<16xf32>, tensor<i32>) -> tensor<8xf32>
  %6 = stablehlo.multiply %y, %c2 : tensor<i32>
  %7 = stablehlo.dynamic_slice %a, %6, sizes = [2] : (tensor<16xf32>, tensor<i32>) -> tensor<2xf32>
  %8 = stablehlo.add %4, %i : tensor<i32>
  %9 = stablehlo.dynamic_slice %a, %8, sizes = [4] : (tensor<16xf32>, tensor<i32>) -> tensor<4xf32>
  return %3, %5, %7, %9 : tensor<4xf32>, tensor<8xf32>, tensor<2xf32>, tensor<4xf32>
}
