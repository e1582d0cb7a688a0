// Rows that devices send each other, how many and where being data.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device

sdy.mesh @m = <["x"=2]>
func.func @main() {
  %a = stablehlo.constant dense<[10, 11, 12, 20, 21, 22]> : tensor<6xi32>
  %o = stablehlo.constant dense<-1> : tensor<8xi32>
  // Device 0 keeps row 0 and sends rows 1, 2; device 1 sends row 0, keeps row 2.
  %from = stablehlo.constant dense<[0, 1, 0, 2]> : tensor<4xi32>
  %count = stablehlo.constant dense<[1, 2, 1, 1]> : tensor<4xi32>
  %to = stablehlo.constant dense<[0, 2, 3, 0]> : tensor<4xi32>
  %got = stablehlo.constant dense<[1, 1, 2, 1]> : tensor<4xi32>
  %0 = sdy.manual_computation(%a, %o, %from, %count, %to, %got) in_shardings=[<@m, [{"x"}]>, <@m, [{"x"}]>, <@m, [{"x"}]>, <@m, [{"x"}]>, <@m, [{"x"}]>, <@m, [{"x"}]>] out_shardings=[<@m, [{"x"}]>] manual_axes={"x"} (%b: tensor<3xi32>, %p: tensor<4xi32>, %c: tensor<2xi32>, %d: tensor<2xi32>, %e: tensor<2xi32>, %f: tensor<2xi32>) {
    %1 = stablehlo.custom_call @ragged_all_to_all(%b, %p, %c, %d, %e, %f) {api_version = 4 : i32, backend_config = {channel_id = 1 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}} : (tensor<3xi32>, tensor<4xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<4xi32>
    sdy.return %1 : tensor<4xi32>
  } : (tensor<6xi32>, tensor<8xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) -> tensor<8xi32>
  check.expect_eq_const %0, dense<[10, -1, -1, 20, 22, -1, 11, 12]> : tensor<8xi32>
  return
}
