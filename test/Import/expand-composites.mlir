// RUN: shoal-opt %s --shoal-expand-composites --split-input-file --verify-diagnostics | FileCheck %s

// CHECK: shoal.rule "my.kept"
shoal.rule "my.kept" <([i])->([i])>
// CHECK-LABEL: func.func @main
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: stablehlo.multiply
  // CHECK-NEXT: stablehlo.add
  %0 = stablehlo.composite "my.outer" %a {decomposition = @outer} : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK-NEXT: stablehlo.composite "my.kept"
  %1 = stablehlo.composite "my.kept" %0 {decomposition = @inner} : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
// CHECK-NOT: @outer
// CHECK: func.func private @inner
func.func private @outer(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.composite "my.inner" %a {decomposition = @inner} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = stablehlo.add %0, %a : tensor<4xf32>
  return %1 : tensor<4xf32>
}
func.func private @inner(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.multiply %a, %a : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.composite "my.c" %a {decomposition = @c} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func private @c(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{composite 'my.c' is part of its own decomposition}}
  %0 = stablehlo.composite "my.c" %a {decomposition = @c} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
