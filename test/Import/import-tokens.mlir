// RUN: shoal-opt %s --shoal-import-tokens | FileCheck %s

// What JAX prints for ordered effects: tokens of the entry are empty tensors,
// inside the function they stay tokens.
// CHECK-LABEL: func.func public @main
// CHECK-SAME: (%[[T:.*]]: tensor<0xi1>, %[[A:.*]]: tensor<4xf32>) -> (tensor<0xi1>, tensor<4xf32>)
// CHECK: %[[TOKEN:.*]] = stablehlo.create_token
// CHECK: stablehlo.after_all %[[TOKEN]]
// CHECK: %[[EMPTY:.*]] = stablehlo.constant dense<> : tensor<0xi1>
// CHECK: return %[[EMPTY]], %[[A]] : tensor<0xi1>, tensor<4xf32>
func.func public @main(%t: !stablehlo.token, %a: tensor<4xf32>) -> (!stablehlo.token, tensor<4xf32>) {
  %0 = stablehlo.after_all %t : !stablehlo.token
  return %0, %a : !stablehlo.token, tensor<4xf32>
}

// Private functions are inlined, so theirs stay.
// CHECK-LABEL: func.func private @inner
// CHECK-SAME: (%{{.*}}: !stablehlo.token) -> !stablehlo.token
func.func private @inner(%t: !stablehlo.token) -> !stablehlo.token {
  return %t : !stablehlo.token
}

// CHECK-LABEL: func.func public @none
// CHECK-SAME: (%{{.*}}: tensor<4xf32>) -> tensor<4xf32>
func.func public @none(%a: tensor<4xf32>) -> tensor<4xf32> {
  return %a : tensor<4xf32>
}
