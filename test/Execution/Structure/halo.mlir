// Edges from neighbours and other block sizes, by all ranks and on one device.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device

shoal.mesh @m <["x"=4]>
func.func @main() {
  %a = stablehlo.iota dim = 0 : tensor<16xf32>
  %0:3 = shoal.manual(%a) in_shardings=[<@m, [{"x"}]>] out_shardings=[<@m, [{"x"}]>, <@m, [{"x"}]>, <@m, [{"x"}]>] manual_axes={"x"} (%b: tensor<4xf32>) {
    %f = stablehlo.constant dense<-1.0> : tensor<f32>
    %1 = comm.halo %b, %f dim = 0 size = 16 low = 1 high = 2 over <@m, {"x"}> : (tensor<4xf32>, tensor<f32>) -> tensor<7xf32>
    %2 = comm.halo %b dim = 0 size = 16 low = 1 high = 2 wrap over <@m, {"x"}> : (tensor<4xf32>) -> tensor<7xf32>
    %3 = comm.reblock %b, %f dim = 0 size = 14 over <@m, {"x"}> : (tensor<4xf32>, tensor<f32>) -> tensor<5xf32>
    shoal.return %1, %2, %3 : tensor<7xf32>, tensor<7xf32>, tensor<5xf32>
  } : (tensor<16xf32>) -> (tensor<28xf32>, tensor<28xf32>, tensor<20xf32>)
  check.expect_eq_const %0#0, dense<[-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 11.0, 12.0, 13.0, 14.0, 15.0, -1.0, -1.0]> : tensor<28xf32>
  check.expect_eq_const %0#1, dense<[15.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 11.0, 12.0, 13.0, 14.0, 15.0, 0.0, 1.0]> : tensor<28xf32>
  check.expect_eq_const %0#2, dense<[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]> : tensor<20xf32>
  return
}
