// Tokens through branches and loops.
// RUN: shoal-run %s --input=random

func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %t = stablehlo.create_token : !stablehlo.token
  %c = stablehlo.constant dense<true> : tensor<i1>
  %r:2 = "stablehlo.if"(%c) ({
    stablehlo.return %t, %x : !stablehlo.token, tensor<2xf32>
  }, {
    %s = stablehlo.after_all %t, %t : !stablehlo.token
    %y = stablehlo.negate %x : tensor<2xf32>
    stablehlo.return %s, %y : !stablehlo.token, tensor<2xf32>
  }) : (tensor<i1>) -> (!stablehlo.token, tensor<2xf32>)
  %i0 = stablehlo.constant dense<0> : tensor<i32>
  %w:3 = stablehlo.while(%i = %i0, %k = %r#0, %z = %r#1) : tensor<i32>, !stablehlo.token, tensor<2xf32>
    cond {
      %c3 = stablehlo.constant dense<3> : tensor<i32>
      %p = stablehlo.compare LT, %i, %c3 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %p : tensor<i1>
    } do {
      %one = stablehlo.constant dense<1> : tensor<i32>
      %j = stablehlo.add %i, %one : tensor<i32>
      %k2 = stablehlo.after_all %k : !stablehlo.token
      %z2 = stablehlo.add %z, %z : tensor<2xf32>
      stablehlo.return %j, %k2, %z2 : tensor<i32>, !stablehlo.token, tensor<2xf32>
    }
  return %w#2 : tensor<2xf32>
}
