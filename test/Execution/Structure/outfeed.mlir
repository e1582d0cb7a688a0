// RUN: not shoal-run %s --input=random 2>&1 | FileCheck %s
// CHECK: error: writes to a queue that the host empties
func.func @main(%x: tensor<2xf32>) {
  %t = stablehlo.create_token : !stablehlo.token
  %0 = "stablehlo.outfeed"(%x, %t) <{outfeed_config = ""}> : (tensor<2xf32>, !stablehlo.token) -> !stablehlo.token
  return
}
