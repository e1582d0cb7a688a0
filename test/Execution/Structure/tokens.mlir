// Tokens that the entry takes and gives need no values; the others keep their numbers.
// RUN: shoal-run %s --input=random --output=%t.npz
// RUN: shoal-run %s --input=random --check=%t.npz

func.func @main(%t: !stablehlo.token, %x: tensor<2xf32>) -> (!stablehlo.token, tensor<2xf32>) {
  %u = stablehlo.create_token : !stablehlo.token
  %a = stablehlo.after_all %t, %u : !stablehlo.token
  %b:2 = stablehlo.optimization_barrier %a, %x : !stablehlo.token, tensor<2xf32>
  %y = stablehlo.add %b#1, %b#1 : tensor<2xf32>
  return %b#0, %y : !stablehlo.token, tensor<2xf32>
}
