// Sums narrower than 16 bits are f32 until they are complete; others stay.
// RUN: shoal-opt %s --shoal-widen-sums | FileCheck %s

// CHECK-LABEL: func.func @reduction
// CHECK-DAG: %[[X:.*]] = stablehlo.convert %arg0 : (tensor<8xf8E5M2>) -> tensor<8xf32>
// CHECK-DAG: %[[I:.*]] = stablehlo.convert %arg1 : (tensor<f8E5M2>) -> tensor<f32>
// CHECK: %[[S:.*]] = stablehlo.reduce(%[[X]] init: %[[I]]) applies stablehlo.add {{.*}} : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
// CHECK: %[[R:.*]] = stablehlo.convert %[[S]] : (tensor<f32>) -> tensor<f8E5M2>
// CHECK: return %[[R]]
func.func @reduction(%x: tensor<8xf8E5M2>, %i: tensor<f8E5M2>) -> tensor<f8E5M2> {
  %0 = stablehlo.reduce(%x init: %i) applies stablehlo.add across dimensions = [0] : (tensor<8xf8E5M2>, tensor<f8E5M2>) -> tensor<f8E5M2>
  return %0 : tensor<f8E5M2>
}

// A product's operands may stay narrow: only the sum is rounded. What is known
// of the result's sharding holds for the sum as well.
// CHECK-LABEL: func.func @product
// CHECK: %[[P:.*]] = stablehlo.dot_general %arg0, %arg1, {{.*}}shoal.shardings = [[SHARDING:#shoal[^:]*]]} : (tensor<4x8xf8E4M3FN>, tensor<8x4xf8E4M3FN>) -> tensor<4x4xf32>
// CHECK: stablehlo.convert %[[P]] {shoal.shardings = [[SHARDING]]} : (tensor<4x4xf32>) -> tensor<4x4xf8E4M3FN>
shoal.mesh @mesh <["a"=2]>
func.func @product(%x: tensor<4x8xf8E4M3FN>, %y: tensor<8x4xf8E4M3FN>) -> tensor<4x4xf8E4M3FN> {
  %0 = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0] {shoal.shardings = #shoal.sharding_per_value<[<@mesh, [{"a"}, {}]>]>} : (tensor<4x8xf8E4M3FN>, tensor<8x4xf8E4M3FN>) -> tensor<4x4xf8E4M3FN>
  return %0 : tensor<4x4xf8E4M3FN>
}

// Maxima are exact, and 16 bits are added as they are.
// CHECK-LABEL: func.func @others
// CHECK-NOT: convert
// CHECK: return
func.func @others(%x: tensor<8xf8E5M2>, %i: tensor<f8E5M2>, %y: tensor<8xbf16>, %j: tensor<bf16>) -> (tensor<f8E5M2>, tensor<bf16>) {
  %0 = stablehlo.reduce(%x init: %i) applies stablehlo.maximum across dimensions = [0] : (tensor<8xf8E5M2>, tensor<f8E5M2>) -> tensor<f8E5M2>
  %1 = stablehlo.reduce(%y init: %j) applies stablehlo.add across dimensions = [0] : (tensor<8xbf16>, tensor<bf16>) -> tensor<bf16>
  return %0, %1 : tensor<f8E5M2>, tensor<bf16>
}
