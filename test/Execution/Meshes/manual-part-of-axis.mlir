// Regions that are manual on parts of each other's axes, nested as well: the
// mesh is cut until all of them are manual on whole axes.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device
sdy.mesh @big = <["x"=8]>
sdy.mesh @two = <["a"=2, "b"=4]>
sdy.mesh @three = <["p"=4, "q"=2]>
func.func public @main() {
  %i = stablehlo.iota dim = 0 : tensor<16x8xf32>
  %arg0 = stablehlo.optimization_barrier %i : tensor<16x8xf32>
  %0 = sdy.manual_computation(%arg0) in_shardings=[<@big, [{"x"}, {}]>] out_shardings=[<@big, [{"x"}, {}]>] manual_axes={"x"} (%a: tensor<2x8xf32>) {
    %1 = stablehlo.add %a, %a : tensor<2x8xf32>
    sdy.return %1 : tensor<2x8xf32>
  } : (tensor<16x8xf32>) -> tensor<16x8xf32>
  %2 = sdy.manual_computation(%0) in_shardings=[<@two, [{"a"}, {?}]>] out_shardings=[<@two, [{"a"}, {?}]>] manual_axes={"a"} (%a: tensor<8x8xf32>) {
    %1 = "stablehlo.all_reduce"(%a) <{replica_groups = dense<[[0,4],[1,5],[2,6],[3,7]]> : tensor<4x2xi64>, channel_handle = #stablehlo.channel_handle<handle=1,type=1>, use_global_device_ids}> ({
      ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %3 = stablehlo.add %x, %y : tensor<f32>
      stablehlo.return %3 : tensor<f32>
    }) : (tensor<8x8xf32>) -> tensor<8x8xf32>
    %5 = sdy.manual_computation(%1) in_shardings=[<@two, [{}, {"b"}]>] out_shardings=[<@two, [{}, {"b"}]>] manual_axes={"b"} (%aa: tensor<8x2xf32>) {
      %6 = stablehlo.multiply %aa, %aa : tensor<8x2xf32>
      sdy.return %6 : tensor<8x2xf32>
    } : (tensor<8x8xf32>) -> tensor<8x8xf32>
    sdy.return %5 : tensor<8x8xf32>
  } : (tensor<16x8xf32>) -> tensor<16x8xf32>
  %3 = sdy.manual_computation(%2) in_shardings=[<@three, [{"q"}, {}]>] out_shardings=[<@three, [{"q"}, {}]>] manual_axes={"q"} (%a: tensor<8x8xf32>) {
    %1 = stablehlo.add %a, %a : tensor<8x8xf32>
    sdy.return %1 : tensor<8x8xf32>
  } : (tensor<16x8xf32>) -> tensor<16x8xf32>
  // 2·(2r + 2(r mod 8 + 8·other))²: halves are added, then squared.
  %e0 = stablehlo.constant dense<8.0> : tensor<16x8xf32>
  %mod = stablehlo.remainder %arg0, %e0 : tensor<16x8xf32>
  %four = stablehlo.constant dense<4.0> : tensor<16x8xf32>
  %sixteen = stablehlo.constant dense<16.0> : tensor<16x8xf32>
  %m4 = stablehlo.multiply %mod, %four : tensor<16x8xf32>
  %sum = stablehlo.add %m4, %sixteen : tensor<16x8xf32>
  %square = stablehlo.multiply %sum, %sum : tensor<16x8xf32>
  %twice = stablehlo.add %square, %square : tensor<16x8xf32>
  check.expect_eq %3, %twice : tensor<16x8xf32>
  return
}
