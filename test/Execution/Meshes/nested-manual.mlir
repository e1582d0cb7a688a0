// Regions manual along one axis inside regions manual along another, with
// values cut along a third.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device
module attributes {mhlo.num_partitions = 8 : i32} {
  sdy.mesh @m = <["a"=2, "b"=2, "c"=2]>
  func.func public @main() {
    %0 = stablehlo.iota dim = 0 : tensor<4x6xi32>
    %o = stablehlo.optimization_barrier %0 : tensor<4x6xi32>
    %s = sdy.sharding_constraint %o <@m, [{"a"}, {"c"}]> : tensor<4x6xi32>
    %1 = sdy.manual_computation(%s) in_shardings=[<@m, [{"a"}, {"c"}]>] out_shardings=[<@m, [{"a"}, {"c"}]>] manual_axes={"a"} (%x: tensor<2x6xi32>) {
      %y = sdy.manual_computation(%x) in_shardings=[<@m, [{"b"}, {?}]>] out_shardings=[<@m, [{"b"}, {?}]>] manual_axes={"b"} (%z: tensor<1x6xi32>) {
        %t = "stablehlo.all_reduce"(%z) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[0, 2, 4, 6], [1, 3, 5, 7]]> : tensor<2x4xi64>, use_global_device_ids}> ({ ^bb0(%p: tensor<i32>, %q: tensor<i32>): %u = stablehlo.add %p, %q : tensor<i32>
          stablehlo.return %u : tensor<i32> }) : (tensor<1x6xi32>) -> tensor<1x6xi32>
        %r = stablehlo.add %t, %z : tensor<1x6xi32>
        sdy.return %r : tensor<1x6xi32>
      } : (tensor<2x6xi32>) -> tensor<2x6xi32>
      %q = stablehlo.reverse %y, dims = [1] : tensor<2x6xi32>
      sdy.return %q : tensor<2x6xi32>
    } : (tensor<4x6xi32>) -> tensor<4x6xi32>
    check.expect_eq_const %1, dense<[[6, 6, 6, 6, 6, 6], [7, 7, 7, 7, 7, 7], [8, 8, 8, 8, 8, 8], [9, 9, 9, 9, 9, 9]]> : tensor<4x6xi32>
    return
  }
}
