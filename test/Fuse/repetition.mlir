// RUN: shoal-opt %s --shoal-fuse=max-ops=10 | FileCheck %s

// Six equal parts of four ops. A group holds ten ops and so two parts, cut
// where one value is alive, not ten ops from the end: all are one kernel.

// CHECK-LABEL: func.func @main
// CHECK:      %[[A:.*]] = plan.launch @[[SAME:[a-z_0-9]+]](%arg0, %arg1)
// CHECK-NEXT: %[[B:.*]] = plan.launch @[[SAME]](%[[A]], %arg1)
// CHECK-NEXT: %[[C:.*]] = plan.launch @[[SAME]](%[[B]], %arg1)
// CHECK-NEXT: return %[[C]]
module {
func.func @main(%arg0: tensor<64x64xf32>, %arg1: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %a0 = stablehlo.multiply %arg0, %arg1 : tensor<64x64xf32>
  %b0 = stablehlo.tanh %a0 : tensor<64x64xf32>
  %c0 = stablehlo.subtract %arg0, %a0 : tensor<64x64xf32>
  %x0 = stablehlo.add %b0, %c0 : tensor<64x64xf32>
  %a1 = stablehlo.multiply %x0, %arg1 : tensor<64x64xf32>
  %b1 = stablehlo.tanh %a1 : tensor<64x64xf32>
  %c1 = stablehlo.subtract %x0, %a1 : tensor<64x64xf32>
  %x1 = stablehlo.add %b1, %c1 : tensor<64x64xf32>
  %a2 = stablehlo.multiply %x1, %arg1 : tensor<64x64xf32>
  %b2 = stablehlo.tanh %a2 : tensor<64x64xf32>
  %c2 = stablehlo.subtract %x1, %a2 : tensor<64x64xf32>
  %x2 = stablehlo.add %b2, %c2 : tensor<64x64xf32>
  %a3 = stablehlo.multiply %x2, %arg1 : tensor<64x64xf32>
  %b3 = stablehlo.tanh %a3 : tensor<64x64xf32>
  %c3 = stablehlo.subtract %x2, %a3 : tensor<64x64xf32>
  %x3 = stablehlo.add %b3, %c3 : tensor<64x64xf32>
  %a4 = stablehlo.multiply %x3, %arg1 : tensor<64x64xf32>
  %b4 = stablehlo.tanh %a4 : tensor<64x64xf32>
  %c4 = stablehlo.subtract %x3, %a4 : tensor<64x64xf32>
  %x4 = stablehlo.add %b4, %c4 : tensor<64x64xf32>
  %a5 = stablehlo.multiply %x4, %arg1 : tensor<64x64xf32>
  %b5 = stablehlo.tanh %a5 : tensor<64x64xf32>
  %c5 = stablehlo.subtract %x4, %a5 : tensor<64x64xf32>
  %x5 = stablehlo.add %b5, %c5 : tensor<64x64xf32>
  return %x5 : tensor<64x64xf32>
}
}
