// RUN: shoal-opt %s --shoal-tag-origins --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s
func.func @main(%a: tensor<f32>) -> tensor<f32> {
  // CHECK: stablehlo.negate {{.*}} loc("main:1 stablehlo.negate"
  %0 = stablehlo.negate %a : tensor<f32> loc(unknown)
  // CHECK: stablehlo.abs {{.*}} loc("mine")
  %1 = stablehlo.abs %0 : tensor<f32> loc("mine")
  return %1 : tensor<f32>
}
