// Collectives as imported, in all modes of naming groups, over groups that are
// axes of the mesh and groups that are not.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device
module attributes {mhlo.num_partitions = 4 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @m = <["a"=2, "b"=2]>
  func.func public @main() {
    // Device d holds [d, 10 d].
    %0 = stablehlo.constant dense<[0, 0, 1, 10, 2, 20, 3, 30]> : tensor<8xi32>
    %1:7 = sdy.manual_computation(%0) in_shardings=[<@m, [{"a", "b"}]>] out_shardings=[<@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>] manual_axes={"a", "b"} (%x: tensor<2xi32>) {
      // Groups of partitions by global ids: devices that differ along "a".
      %r0 = "stablehlo.all_reduce"(%x) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[0, 2], [1, 3]]> : tensor<2x2xi64>, use_global_device_ids}> ({ ^bb0(%p: tensor<i32>, %q: tensor<i32>): %s = stablehlo.add %p, %q : tensor<i32>
        stablehlo.return %s : tensor<i32> }) : (tensor<2xi32>) -> tensor<2xi32>
      // Groups that are no axes, of two sizes.
      %r1 = "stablehlo.all_reduce"(%x) <{channel_handle = #stablehlo.channel_handle<handle = 2, type = 1>, replica_groups = dense<[[0, 3, 1], [2, -1, -1]]> : tensor<2x3xi64>, use_global_device_ids}> ({ ^bb0(%p: tensor<i32>, %q: tensor<i32>): %s = stablehlo.maximum %p, %q : tensor<i32>
        stablehlo.return %s : tensor<i32> }) : (tensor<2xi32>) -> tensor<2xi32>
      // All replicas (one) of all partitions: everyone.
      %r2 = "stablehlo.all_reduce"(%x) <{channel_handle = #stablehlo.channel_handle<handle = 3, type = 1>, replica_groups = dense<[[0]]> : tensor<1x1xi64>}> ({ ^bb0(%p: tensor<i32>, %q: tensor<i32>): %s = stablehlo.add %p, %q : tensor<i32>
        stablehlo.return %s : tensor<i32> }) : (tensor<2xi32>) -> tensor<2xi32>
      // Without a channel groups are of replicas: each device alone.
      %r3 = "stablehlo.all_reduce"(%x) <{replica_groups = dense<[[0]]> : tensor<1x1xi64>}> ({ ^bb0(%p: tensor<i32>, %q: tensor<i32>): %s = stablehlo.add %p, %q : tensor<i32>
        stablehlo.return %s : tensor<i32> }) : (tensor<2xi32>) -> tensor<2xi32>
      %g = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, channel_handle = #stablehlo.channel_handle<handle = 4, type = 1>, replica_groups = dense<[[3, 0], [1, 2]]> : tensor<2x2xi64>, use_global_device_ids}> : (tensor<2xi32>) -> tensor<4xi32>
      %r4 = stablehlo.slice %g [1:3] : (tensor<4xi32>) -> tensor<2xi32>
      %t = "stablehlo.all_to_all"(%x) <{channel_handle = #stablehlo.channel_handle<handle = 5, type = 1>, concat_dimension = 0 : i64, replica_groups = dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>, split_count = 2 : i64, split_dimension = 0 : i64}> : (tensor<2xi32>) -> tensor<2xi32>
      %r6 = "stablehlo.collective_permute"(%x) <{channel_handle = #stablehlo.channel_handle<handle = 6, type = 1>, source_target_pairs = dense<[[0, 1], [1, 2], [2, 3]]> : tensor<3x2xi64>}> : (tensor<2xi32>) -> tensor<2xi32>
      sdy.return %r0, %r1, %r2, %r3, %r4, %t, %r6 : tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>
    } : (tensor<8xi32>) -> (tensor<8xi32>, tensor<8xi32>, tensor<8xi32>, tensor<8xi32>, tensor<8xi32>, tensor<8xi32>, tensor<8xi32>)
    check.expect_eq_const %1#0, dense<[2, 20, 4, 40, 2, 20, 4, 40]> : tensor<8xi32>
    check.expect_eq_const %1#1, dense<[3, 30, 3, 30, 2, 20, 3, 30]> : tensor<8xi32>
    check.expect_eq_const %1#2, dense<[6, 60, 6, 60, 6, 60, 6, 60]> : tensor<8xi32>
    check.expect_eq_const %1#3, dense<[0, 0, 1, 10, 2, 20, 3, 30]> : tensor<8xi32>
    check.expect_eq_const %1#4, dense<[30, 0, 10, 2, 10, 2, 30, 0]> : tensor<8xi32>
    check.expect_eq_const %1#5, dense<[0, 1, 0, 10, 2, 3, 20, 30]> : tensor<8xi32>
    check.expect_eq_const %1#6, dense<[0, 0, 0, 0, 1, 10, 2, 20]> : tensor<8xi32>
    return
  }
}
