// What is computed on the host from a loop's result is computed right after the
// loop: a kernel further down writes right into the slice that it addresses.
// (Found by overlap.py, seed 18: random orders asserted.)
// RUN: shoal-opt %s --shoal-bufferize | FileCheck %s

// CHECK-LABEL: plan.program @main
// CHECK: %[[AT:.*]] = plan.const 4
// CHECK: plan.for
// CHECK: }
// CHECK: %[[ROW:.*]] = plan.view %{{.*}}[0] (%[[AT]]) * [16] : <8x4xf32> -> <1x4xf32>
// CHECK-NEXT: plan.exec @k(%{{.*}}) to(%[[ROW]])
plan.kernel @k(%x: tensor<4xf32>) -> tensor<1x4xf32> attributes {strategy = "loops"} {
  %0 = stablehlo.negate %x : tensor<4xf32>
  %1 = stablehlo.reshape %0 : (tensor<4xf32>) -> tensor<1x4xf32>
  plan.yield %1 : tensor<1x4xf32>
}
plan.kernel @zero() -> tensor<8x4xf32> attributes {strategy = "loops"} {
  %0 = stablehlo.constant dense<0.0> : tensor<8x4xf32>
  plan.yield %0 : tensor<8x4xf32>
}
func.func @main(%x: tensor<4xf32>) -> tensor<8x4xf32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %three = stablehlo.constant dense<3> : tensor<i32>
  %rows = plan.launch @zero() : () -> tensor<8x4xf32>
  %end:2 = stablehlo.while(%i = %zero, %b = %rows) : tensor<i32>, tensor<8x4xf32>
  cond {
    %c = stablehlo.compare LT, %i, %three : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %row = plan.launch @k(%x) : (tensor<4xf32>) -> tensor<1x4xf32>
    %next = stablehlo.add %i, %one : tensor<i32>
    %new = stablehlo.dynamic_update_slice %b, %row, %i, %zero : (tensor<8x4xf32>, tensor<1x4xf32>, tensor<i32>, tensor<i32>) -> tensor<8x4xf32>
    stablehlo.return %next, %new : tensor<i32>, tensor<8x4xf32>
  }
  %row = plan.launch @k(%x) : (tensor<4xf32>) -> tensor<1x4xf32>
  %at = stablehlo.add %end#0, %one : tensor<i32>
  %new = stablehlo.dynamic_update_slice %end#1, %row, %at, %zero : (tensor<8x4xf32>, tensor<1x4xf32>, tensor<i32>, tensor<i32>) -> tensor<8x4xf32>
  return %new : tensor<8x4xf32>
}
