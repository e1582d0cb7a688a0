// RUN: shoal-opt %s | shoal-opt | FileCheck %s
// RUN: shoal-opt --mlir-print-op-generic %s | shoal-opt | FileCheck %s

// What jaxlib prints but cannot read again.

// CHECK-LABEL: func.func @dynamic_slice(
func.func @dynamic_slice(%arg0: tensor<i32>) {
  // CHECK: stablehlo.dynamic_slice %{{.*}}, , sizes = [] : (tensor<i32>) -> tensor<i32>
  %0 = stablehlo.dynamic_slice %arg0, , sizes = [] : (tensor<i32>) -> tensor<i32>
  return
}
