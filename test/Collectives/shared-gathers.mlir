// RUN: shoal-opt %s --shoal-optimize-pipeline | FileCheck %s

shoal.mesh @m <["x"=4]>

// What is gathered twice is gathered once, also where one of the two is in a
// loop, or made from an equal value.
// CHECK-LABEL: func.func @main
// CHECK: comm.all_gather
// CHECK-NOT: comm.all_gather
// CHECK: return
func.func @main(%w: tensor<16x64xf32>, %x: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>) {
  %a = stablehlo.tanh %w : tensor<16x64xf32>
  %0 = comm.all_gather %a dim = 0 over <@m, {"x"}> {reason = "one"} : (tensor<16x64xf32>) -> tensor<64x64xf32>
  %1 = stablehlo.add %0, %x : tensor<64x64xf32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %r:2 = stablehlo.while(%i = %zero, %s = %x) : tensor<i32>, tensor<64x64xf32>
  cond {
    %end = stablehlo.constant dense<8> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %n = stablehlo.add %i, %one : tensor<i32>
    %b = stablehlo.tanh %w : tensor<16x64xf32>
    %2 = comm.all_gather %b dim = 0 over <@m, {"x"}> {reason = "one"} : (tensor<16x64xf32>) -> tensor<64x64xf32>
    %3 = stablehlo.add %s, %2 : tensor<64x64xf32>
    stablehlo.return %n, %3 : tensor<i32>, tensor<64x64xf32>
  }
  return %1, %r#1 : tensor<64x64xf32>, tensor<64x64xf32>
}
