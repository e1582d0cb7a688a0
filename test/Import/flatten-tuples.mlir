// RUN: shoal-opt %s --shoal-flatten-tuples | FileCheck %s

// Tuples at the boundary and around custom calls become their elements; a
// sharding string is split, other attributes stay with the first element.
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[A:.*]]: tensor<4xf32> {jax.result_info = "t", mhlo.sharding = "{replicated}"}, %[[B:.*]]: tensor<8xi32> {mhlo.sharding = "{devices=[2]<=[2]}"}, %[[C:.*]]: tensor<f32>)
// CHECK-SAME: -> (tensor<4xf32>, tensor<4xf32>, tensor<f32>)
// CHECK-NEXT: %[[R:.*]]:2 = stablehlo.custom_call @f(%[[A]], %[[B]]) : (tensor<4xf32>, tensor<8xi32>) -> (tensor<4xf32>, tensor<f32>)
// CHECK-NEXT: return %[[A]], %[[R]]#0, %[[R]]#1
func.func @main(%t: tuple<tensor<4xf32>, tuple<tensor<8xi32>>> {mhlo.sharding = "{{replicated}, {devices=[2]<=[2]}}", jax.result_info = "t"}, %c: tensor<f32>) -> (tensor<4xf32>, tuple<tensor<4xf32>, tensor<f32>>) {
  %0 = stablehlo.get_tuple_element %t[0] : (tuple<tensor<4xf32>, tuple<tensor<8xi32>>>) -> tensor<4xf32>
  %1 = stablehlo.custom_call @f(%t) : (tuple<tensor<4xf32>, tuple<tensor<8xi32>>>) -> tuple<tensor<4xf32>, tensor<f32>>
  return %0, %1 : tensor<4xf32>, tuple<tensor<4xf32>, tensor<f32>>
}
