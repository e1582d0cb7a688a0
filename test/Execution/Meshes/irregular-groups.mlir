// Groups that name some devices only, groups by mesh axes, groups of two sizes
// with a body that is no closed kind.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device
module attributes {mhlo.num_partitions = 4 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @m = <["a"=2, "b"=2]>
  func.func public @main() {
    %0 = stablehlo.constant dense<[0, 10, 1, 11, 2, 12, 3, 13]> : tensor<8xi32>
    %1:5 = sdy.manual_computation(%0) in_shardings=[<@m, [{"a", "b"}]>] out_shardings=[<@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>] manual_axes={"a", "b"} (%x: tensor<2xi32>) {
      %r0 = "stablehlo.collective_broadcast"(%x) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[2, 1]]> : tensor<1x2xi64>}> : (tensor<2xi32>) -> tensor<2xi32>
      %r1 = "stablehlo.collective_broadcast"(%x) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[1, 0],[3,2]]> : tensor<2x2xi64>}> : (tensor<2xi32>) -> tensor<2xi32>
      %r2:2 = "stablehlo.all_reduce"(%x, %x) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = #stablehlo.replica_group_mesh_axes<mesh = @m, axes = [#stablehlo.axis_ref<name = "b">]>, use_global_device_ids}> ({ ^bb0(%p: tensor<i32>, %q: tensor<i32>): %s = stablehlo.add %p, %q : tensor<i32>
        stablehlo.return %s : tensor<i32> }) : (tensor<2xi32>, tensor<2xi32>) -> (tensor<2xi32>, tensor<2xi32>)
      %r3 = "stablehlo.all_reduce"(%x) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[0,3,1],[2,-1,-1]]> : tensor<2x3xi64>, use_global_device_ids}> ({ ^bb0(%p: tensor<i32>, %q: tensor<i32>): %t = stablehlo.subtract %p, %q : tensor<i32>
       %u = stablehlo.abs %t : tensor<i32>
        stablehlo.return %u : tensor<i32> }) : (tensor<2xi32>) -> tensor<2xi32>
      sdy.return %r0, %r1, %r2#0, %r2#1, %r3 : tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>
    } : (tensor<8xi32>) -> (tensor<8xi32>, tensor<8xi32>, tensor<8xi32>, tensor<8xi32>, tensor<8xi32>)
    check.expect_eq_const %1#0, dense<[0, 0, 2, 12, 2, 12, 0, 0]> : tensor<8xi32>
    check.expect_eq_const %1#1, dense<[1, 11, 1, 11, 3, 13, 3, 13]> : tensor<8xi32>
    check.expect_eq_const %1#2, dense<[1, 21, 1, 21, 5, 25, 5, 25]> : tensor<8xi32>
    check.expect_eq_const %1#3, dense<[1, 21, 1, 21, 5, 25, 5, 25]> : tensor<8xi32>
    check.expect_eq_const %1#4, dense<[2, 8, 2, 8, 2, 12, 2, 8]> : tensor<8xi32>
    return
  }
}
