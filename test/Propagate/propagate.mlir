// RUN: shoal-opt %s --split-input-file --shoal-propagate | FileCheck %s

// Through elementwise ops and a contraction, forwards and backwards.

// CHECK-LABEL: func @forward_and_backward
shoal.mesh @m <["x"=2, "y"=4]>
// CHECK-SAME: %arg1: tensor<8x16xf32> {shoal.sharding = #shoal.sharding<@m, [{"x", ?}, {?}]>}
// CHECK-SAME: %arg2: tensor<16x32xf32> {shoal.sharding = #shoal.sharding<@m, [{?}, {"y", ?}]>}
func.func @forward_and_backward(
    %a: tensor<8x16xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>},
    %b: tensor<8x16xf32>, %c: tensor<16x32xf32>)
    -> (tensor<8x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {"y"}]>}) {
  // CHECK: stablehlo.add {{.*}}[{"x", ?}, {?}]
  %0 = stablehlo.add %a, %b : tensor<8x16xf32>
  // CHECK: stablehlo.dot_general {{.*}}[{"x", ?}, {"y", ?}]
  %1 = stablehlo.dot_general %0, %c, contracting_dims = [1] x [0] : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>
  return %1 : tensor<8x32xf32>
}

// -----

// A closed dimension takes nothing; an axis named replicated is not used.

// CHECK-LABEL: func @closed
shoal.mesh @m <["x"=2]>
func.func @closed(%a: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})
    -> (tensor<8xf32>, tensor<8xf32>) {
  // CHECK: shoal.constraint %arg0 <@m, [{}]>
  %0 = shoal.constraint %a <@m, [{}]> : tensor<8xf32>
  // CHECK-NEXT: shoal.constraint %arg0 <@m, [{?}], replicated = {"x"}>
  %1 = shoal.constraint %a <@m, [{?}], replicated = {"x"}> : tensor<8xf32>
  return %0, %1 : tensor<8xf32>, tensor<8xf32>
}

// -----

// A reshape passes axes that fit its factors, merged where they meet.

// CHECK-LABEL: func @reshape
shoal.mesh @m <["x"=4]>
func.func @reshape(%a: tensor<2x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x":(1)2}, {"x":(2)2}]>}) -> tensor<16xf32> {
  // CHECK: stablehlo.reshape {{.*}}[{"x", ?}]
  %0 = stablehlo.reshape %a : (tensor<2x8xf32>) -> tensor<16xf32>
  return %0 : tensor<16xf32>
}

// -----

// What a loop carries has one sharding, which its body passes to the result.

// CHECK-LABEL: func @loop
shoal.mesh @m <["x"=2]>
func.func @loop(%a: tensor<8xf32>, %b: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) -> tensor<8xf32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %n = stablehlo.constant dense<3> : tensor<i32>
  // CHECK: stablehlo.while
  // CHECK-SAME: shoal.shardings = #shoal.sharding_per_value<[<@m, []>, <@m, [{"x", ?}]>, <@m, [{"x", ?}]>]>
  %0:3 = stablehlo.while(%i = %zero, %x = %a, %y = %b) : tensor<i32>, tensor<8xf32>, tensor<8xf32>
  cond {
    %c = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %next = stablehlo.add %i, %one : tensor<i32>
    // CHECK: stablehlo.multiply {{.*}}[{"x", ?}]
    %z = stablehlo.multiply %x, %y : tensor<8xf32>
    stablehlo.return %next, %z, %y : tensor<i32>, tensor<8xf32>, tensor<8xf32>
  }
  return %0#1 : tensor<8xf32>
}

// -----

// Members of a group are sharded alike; a barrier lets through one way only.

// CHECK-LABEL: func @group_and_barrier
shoal.mesh @m <["x"=2]>
// CHECK-SAME: %arg1: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}
// CHECK-SAME: %arg2: tensor<8xf32>,
func.func @group_and_barrier(%a: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}, %b: tensor<8xf32>,
    %c: tensor<8xf32>, %d: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) -> tensor<8xf32> {
  shoal.group %a id = 1 : tensor<8xf32>
  shoal.group %b id = 1 : tensor<8xf32>
  %0 = shoal.barrier %c allowed_direction = forward : tensor<8xf32>
  %1 = stablehlo.add %0, %d : tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

// Batch parallelism (p0) first, then the rest: x is taken before it can go
// elsewhere.

// CHECK-LABEL: func @priorities
shoal.mesh @m <["x"=2]>
func.func @priorities(
    %a: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@m, [{?}, {"x"}p1]>},
    %b: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}p0, {?}]>}) -> tensor<8x8xf32> {
  // CHECK: stablehlo.add {{.*}}[{"x", ?}, {?}]
  %0 = stablehlo.add %a, %b : tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// -----

// Inside a manual region its axes do not exist; free ones pass in and out.

// CHECK-LABEL: func @manual
shoal.mesh @m <["x"=2, "y"=2]>
func.func @manual(%a: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {"y"}]>}) -> tensor<8x8xf32> {
  // CHECK: shoal.manual(%arg0) in_shardings=[<@m, [{"x", ?}, {"y", ?}]>] out_shardings=[<@m, [{"x", ?}, {"y", ?}]>] manual_axes={"x"}
  %0 = shoal.manual(%a) in_shardings=[<@m, [{"x", ?}, {?}]>] out_shardings=[<@m, [{"x", ?}, {?}]>] manual_axes={"x"} (%b: tensor<4x8xf32>) {
    // CHECK: stablehlo.negate {{.*}}[{?}, {"y", ?}]
    %1 = stablehlo.negate %b : tensor<4x8xf32>
    shoal.return %1 : tensor<4x8xf32>
  } : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}
