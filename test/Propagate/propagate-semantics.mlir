// RUN: shoal-opt %s --shoal-propagate --split-input-file | FileCheck %s

// Forward and backward along the factors of a product.
shoal.mesh @m <["a"=2, "b"=2]>
// CHECK-LABEL: func @matmul(
// CHECK-SAME: %arg0: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"a"}, {"b"}]>}
// CHECK-SAME: %arg1: tensor<8x16xf32> {shoal.sharding = #shoal.sharding<@m, [{"b", ?}, {?}]>}
// CHECK-SAME: -> (tensor<8x16xf32> {shoal.sharding = #shoal.sharding<@m, [{"a", ?}, {?}]>})
func.func @matmul(%0: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"a"}, {"b"}]>},
                  %1: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %2 = stablehlo.dot_general %0, %1, contracting_dims = [1] x [0]
      : (tensor<8x8xf32>, tensor<8x16xf32>) -> tensor<8x16xf32>
  return %2 : tensor<8x16xf32>
}

// -----
// A closed dimension takes nothing.
shoal.mesh @m <["a"=2]>
// CHECK-LABEL: func @closed
func.func @closed(%0: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"a"}]>})
    -> (tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{}]>}) {
  // CHECK: stablehlo.abs {{.*}}<[<@m, [{}]>]>
  %1 = stablehlo.abs %0 : tensor<8xf32>
  // CHECK: shoal.constraint {{.*}} <@m, [{}]>
  %2 = shoal.constraint %1 <@m, [{}]> : tensor<8xf32>
  return %2 : tensor<8xf32>
}

// -----
// p0 before p1, and later dimensions keep their axes free until then.
shoal.mesh @m <["a"=2]>
// CHECK-LABEL: func @priorities
func.func @priorities(%0: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"a", ?}p1, {?}p1]>},
                      %1: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@m, [{?}, {"a", ?}]>}) -> tensor<8x8xf32> {
  // CHECK: stablehlo.add {{.*}}<[<@m, [{?}, {"a", ?}]>]>
  %2 = stablehlo.add %0, %1 : tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}

// -----
// What a loop carries is sharded alike before, in and after it.
shoal.mesh @m <["a"=2]>
// CHECK-LABEL: func @loop
// CHECK-SAME: %arg0: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"a", ?}]>}
func.func @loop(%0: tensor<8xf32>, %n: tensor<i32>) -> (tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"a"}]>}) {
  %1:2 = stablehlo.while(%x = %0, %i = %n) : tensor<8xf32>, tensor<i32>
    cond {
      %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    } do {
      // CHECK: stablehlo.abs {{.*}}<[<@m, [{"a", ?}]>]>
      %y = stablehlo.abs %x : tensor<8xf32>
      stablehlo.return %y, %i : tensor<8xf32>, tensor<i32>
    }
  return %1#0 : tensor<8xf32>
}

// -----
// Inside a manual region only the free axes exist.
shoal.mesh @m <["a"=2, "b"=2]>
// CHECK-LABEL: func @manual
func.func @manual(%0: tensor<8x8xf32>) -> tensor<8x8xf32> {
  // CHECK: shoal.manual{{.*}} in_shardings=[<@m, [{"a"}, {"b", ?}]>] out_shardings=[<@m, [{"a"}, {"b", ?}]>]
  %1 = shoal.manual(%0) in_shardings=[<@m, [{"a"}, {?}]>] out_shardings=[<@m, [{"a"}, {?}]>]
      manual_axes={"a"} (%x: tensor<4x8xf32>) {
    %2 = shoal.constraint %x <@m, [{}, {"b"}]> : tensor<4x8xf32>
    // CHECK: stablehlo.abs {{.*}}<[<@m, [{?}, {"b", ?}]>]>
    %3 = stablehlo.abs %2 : tensor<4x8xf32>
    shoal.return %3 : tensor<4x8xf32>
  } : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return %1 : tensor<8x8xf32>
}

// -----
// Barriers stop a direction, groups share a sharding.
shoal.mesh @m <["a"=2]>
// CHECK-LABEL: func @barrier_group
// CHECK-SAME: %arg1: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"a", ?}]>}
func.func @barrier_group(%0: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"a"}]>},
                         %g: tensor<8xf32>) {
  // CHECK: shoal.barrier
  // CHECK-NOT: shardings
  // CHECK-NEXT: stablehlo.abs
  %1 = shoal.barrier %0 allowed_direction = backward : tensor<8xf32>
  %2 = stablehlo.abs %1 : tensor<8xf32>
  // CHECK: stablehlo.sign {{.*}}<[<@m, [{"a", ?}]>]>
  %3 = stablehlo.sign %0 : tensor<8xf32>
  shoal.group %3 id = 1 : tensor<8xf32>
  shoal.group %g id = 1 : tensor<8xf32>
  return
}

// -----
// Of an axis of 4 a dimension of 2 takes half; the rest goes to the next one.
shoal.mesh @m <["a"=4]>
// CHECK-LABEL: func @sub_axes
func.func @sub_axes(%0: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"a"}]>}) -> tensor<2x4xf32> {
  // CHECK: stablehlo.reshape {{.*}}<[<@m, [{"a":(1)2, ?}, {"a":(2)2, ?}]>]>
  %1 = stablehlo.reshape %0 : (tensor<8xf32>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// -----
// Uses of a constant need not agree; the op shows the first.
shoal.mesh @m <["a"=2, "b"=2]>
// CHECK-LABEL: func @constants
func.func @constants(%0: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"a"}]>},
                     %1: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"b"}]>}) -> (tensor<8xf32>, tensor<8xf32>) {
  // CHECK: stablehlo.constant {{.*}}<[<@m, [{"a", ?}]>]>
  %c = stablehlo.constant dense<1.0> : tensor<8xf32>
  // CHECK: stablehlo.add {{.*}}<[<@m, [{"a", ?}]>]>
  %2 = stablehlo.add %0, %c : tensor<8xf32>
  // CHECK: stablehlo.add {{.*}}<[<@m, [{"b", ?}]>]>
  %3 = stablehlo.add %1, %c : tensor<8xf32>
  return %2, %3 : tensor<8xf32>, tensor<8xf32>
}
