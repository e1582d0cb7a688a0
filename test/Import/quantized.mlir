// RUN: not shoal-run %s 2>&1 | FileCheck %s
// CHECK: quantized.mlir:[[#@LINE+3]]:{{.*}}error: quantized types are not supported yet
func.func @main() -> tensor<3xf32> {
  %x = stablehlo.constant dense<[10, -20, 30]> : tensor<3xi8>
  %q = stablehlo.bitcast_convert %x : (tensor<3xi8>) -> tensor<3x!quant.uniform<i8:f32, 0.5:1>>
  %d = stablehlo.uniform_dequantize %q : (tensor<3x!quant.uniform<i8:f32, 0.5:1>>) -> tensor<3xf32>
  return %d : tensor<3xf32>
}
