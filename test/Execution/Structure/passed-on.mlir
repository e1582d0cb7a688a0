// Arguments that are results, some twice; empty tensors.
// RUN: shoal-run %s --input=random

func.func @main(%x: tensor<2xf32>, %e: tensor<0x3xi32>, %s: tensor<i1>) -> (tensor<2xf32>, tensor<2xf32>, tensor<0x3xi32>, tensor<i1>, tensor<f32>) {
  %c = stablehlo.constant dense<3.0> : tensor<f32>
  return %x, %x, %e, %s, %c : tensor<2xf32>, tensor<2xf32>, tensor<0x3xi32>, tensor<i1>, tensor<f32>
}
