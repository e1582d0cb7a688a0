// RUN: shoal-opt %s --split-input-file --shoal-verify-imported --verify-diagnostics

func.func private @f(tensor<f32>) -> tensor<f32>
func.func @main(%a: tensor<f32>) -> tensor<f32> {
  // expected-error @+1 {{after import there is still a call}}
  %0 = call @f(%a) : (tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

sdy.mesh @m = <["x"=2]>
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  return %a : tensor<4xf32>
}
// expected-error @-4 {{after import there is still an operation of another dialect}}
