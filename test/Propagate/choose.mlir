// RUN: shoal-opt %s --split-input-file --shoal-propagate --shoal-choose --shoal-insert-reshards | FileCheck %s

// Two partial products are added before they are reduced: one reduction, and
// since the result is cut over the same axis, a scatter of it.

// CHECK-LABEL: func @sum_of_products
shoal.mesh @m <["x"=4]>
func.func @sum_of_products(
    %a: tensor<8x16xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}]>},
    %b: tensor<16x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>})
    -> (tensor<8x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>}) {
  // CHECK: dot_general{{.*}}partial = add {"x"}
  // CHECK: dot_general{{.*}}partial = add {"x"}
  // CHECK: %[[SUM:.*]] = stablehlo.add{{.*}}strategy = "partial(0,1)"
  // CHECK: shoal.reshard %[[SUM]] <@m, [{"x"}, {}]>
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>
  %n = stablehlo.negate %a : tensor<8x16xf32>
  %1 = stablehlo.dot_general %n, %b, contracting_dims = [1] x [0] : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>
  %2 = stablehlo.add %0, %1 : tensor<8x32xf32>
  return %2 : tensor<8x32xf32>
}

// -----

// ZeRO-3: the small weight is gathered, once for both uses; the activations
// stay where they are.

// CHECK-LABEL: func @zero3
shoal.mesh @m <["x"=8]>
func.func @zero3(
    %x: tensor<512x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>},
    %w: tensor<32x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>})
    -> (tensor<512x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>}) {
  // CHECK: %[[W:.*]] = shoal.reshard %arg1 <@m, [{}, {}]>
  // CHECK-NOT: shoal.reshard
  // CHECK: dot_general %arg0, %[[W]]
  // CHECK: dot_general {{.*}}, %[[W]]
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<512x32xf32>, tensor<32x32xf32>) -> tensor<512x32xf32>
  %1 = stablehlo.tanh %0 : tensor<512x32xf32>
  %2 = stablehlo.dot_general %1, %w, contracting_dims = [1] x [1] : (tensor<512x32xf32>, tensor<32x32xf32>) -> tensor<512x32xf32>
  return %2 : tensor<512x32xf32>
}

// -----

// A reduction over two axes is one group, not two rings one after the other.

// CHECK-LABEL: func @two_axes
shoal.mesh @m <["x"=2, "y"=4]>
func.func @two_axes(
    %a: tensor<64x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x", "y"}, {}]>})
    -> (tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{}]>}) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  // CHECK: stablehlo.reduce{{.*}}partial = add {"x", "y"}
  // CHECK: shoal.reshard {{.*}} <@m, [{}]>
  %0 = stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [0] : (tensor<64x8xf32>, tensor<f32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// A constant used in two shardings is made twice, not moved.

// CHECK-LABEL: func @constants_are_copied
shoal.mesh @m <["x"=4]>
func.func @constants_are_copied(
    %a: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>},
    %b: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}]>})
    -> (tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>},
        tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}]>}) {
  // CHECK-COUNT-2: stablehlo.constant
  // CHECK-NOT: shoal.reshard
  // CHECK: return
  %c = stablehlo.constant dense<2.0> : tensor<8x8xf32>
  %0 = stablehlo.multiply %a, %c : tensor<8x8xf32>
  %1 = stablehlo.multiply %b, %c : tensor<8x8xf32>
  return %0, %1 : tensor<8x8xf32>, tensor<8x8xf32>
}
