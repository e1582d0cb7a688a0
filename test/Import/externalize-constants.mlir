// RUN: shoal-opt %s --shoal-externalize-constants=threshold=8 | FileCheck %s

func.func @main() {
  // CHECK: stablehlo.constant dense<[1, 2]> : tensor<2xi32>
  %0 = stablehlo.constant dense<[1, 2]> : tensor<2xi32>
  // CHECK: stablehlo.constant dense<1> : tensor<100xi32>
  %1 = stablehlo.constant dense<1> : tensor<100xi32>
  // CHECK: stablehlo.constant dense_resource<[[N:shoal_constant_0]]> : tensor<3xi32>
  %2 = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
  // CHECK: stablehlo.constant dense_resource<[[N]]> : tensor<3xi32>
  %3 = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
  // Booleans take a byte each.
  // CHECK: stablehlo.constant dense_resource<[[B:shoal_constant_1]]> : tensor<9xi1>
  %4 = stablehlo.constant dense<[true, false, true, true, true, false, false, false, true]> : tensor<9xi1>
  return
}
// CHECK: [[N]]: "0x40000000010000000200000003000000"
// CHECK: [[B]]: "0x40000000010001010100000001"
