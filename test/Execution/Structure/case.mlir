// One branch, numbers outside, several and no results.
// RUN: shoal-run %s

func.func @main() {
  %i = stablehlo.constant dense<7> : tensor<i32>
  %j = stablehlo.constant dense<-1> : tensor<i32>
  %a = stablehlo.constant dense<1.0> : tensor<f32>
  %b = stablehlo.constant dense<2.0> : tensor<f32>
  %0 = "stablehlo.case"(%i) ({ stablehlo.return %a : tensor<f32> }) : (tensor<i32>) -> tensor<f32>
  %1 = "stablehlo.case"(%j) ({ stablehlo.return %a : tensor<f32> }, { stablehlo.return %b : tensor<f32> }) : (tensor<i32>) -> tensor<f32>
  %2:2 = "stablehlo.case"(%i) ({ stablehlo.return %a, %b : tensor<f32>, tensor<f32> }, { stablehlo.return %b, %a : tensor<f32>, tensor<f32> }) : (tensor<i32>) -> (tensor<f32>, tensor<f32>)
  check.expect_eq_const %0, dense<1.0> : tensor<f32>
  check.expect_eq_const %1, dense<2.0> : tensor<f32>
  check.expect_eq_const %2#0, dense<2.0> : tensor<f32>
  check.expect_eq_const %2#1, dense<1.0> : tensor<f32>
  "stablehlo.case"(%i) ({ stablehlo.return }, { stablehlo.return }) : (tensor<i32>) -> ()
  return
}
