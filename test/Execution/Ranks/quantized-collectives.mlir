// Sums of quantized values over devices: each is a quantized addition, which has
// a zero point and saturates. Every device holds 10, for 4.5; four of them are
// 18, held as 37; with 100, for 49.5, the sum 198 is held as 127.
// RUN: shoal-run %s --input=random
// RUN: shoal-run %s --single-device --input=random
!q = !quant.uniform<i8:f32, 0.5:1>
sdy.mesh @mesh = <["x"=4]>
func.func @main(%a: tensor<8xf32>) {
  %c = stablehlo.constant dense<[10, 100, 10, 100, 10, 100, 10, 100]> : tensor<8xi8>
  %q = stablehlo.bitcast_convert %c : (tensor<8xi8>) -> tensor<8x!q>
  %0 = sdy.manual_computation(%q) in_shardings=[<@mesh, [{"x"}]>] out_shardings=[<@mesh, [{"x"}]>] manual_axes={"x"} (%l: tensor<2x!q>) {
    %s = "stablehlo.all_reduce"(%l) <{replica_groups = dense<[[0, 1, 2, 3]]> : tensor<1x4xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, use_global_device_ids}> ({
    ^bb0(%x: tensor<!q>, %y: tensor<!q>):
      %z = stablehlo.add %x, %y : tensor<!q>
      stablehlo.return %z : tensor<!q>
    }) : (tensor<2x!q>) -> tensor<2x!q>
    sdy.return %s : tensor<2x!q>
  } : (tensor<8x!q>) -> tensor<8x!q>
  %b = stablehlo.bitcast_convert %0 : (tensor<8x!q>) -> tensor<8xi8>
  check.expect_eq_const %b, dense<[37, 127, 37, 127, 37, 127, 37, 127]> : tensor<8xi8>
  return
}
