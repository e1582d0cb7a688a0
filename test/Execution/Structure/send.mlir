// RUN: not shoal-run %s --input=random 2>&1 | FileCheck %s
// CHECK: error: needs a partner at the other end
func.func @main(%x: tensor<2xf32>) {
  %t = stablehlo.create_token : !stablehlo.token
  %0 = "stablehlo.send"(%x, %t) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 2>, is_host_transfer = true}> : (tensor<2xf32>, !stablehlo.token) -> !stablehlo.token
  return
}
