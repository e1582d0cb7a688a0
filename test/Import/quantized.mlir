// RUN: shoal-run %s --single-device
// RUN: sed 's/28.0/27.0/' %s > %t.mlir
// RUN: not shoal-run %t.mlir --single-device 2>&1 | FileCheck %s
// CHECK: check failed
!q = !quant.uniform<i8:f32, 0.5:1>
func.func @main() {
  %x = stablehlo.constant dense<[10, -20, 57]> : tensor<3xi8>
  %q = stablehlo.bitcast_convert %x : (tensor<3xi8>) -> tensor<3x!q>
  %d = stablehlo.uniform_dequantize %q : (tensor<3x!q>) -> tensor<3xf32>
  check.expect_eq_const %d, dense<[4.5, -10.5, 28.0]> : tensor<3xf32>
  return
}
