// Collectives of a program for one device give what they are given.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device

func.func @main() {
  %x = stablehlo.constant dense<[[1.0, 2.0],[3.0,4.0]]> : tensor<2x2xf32>
  %i = stablehlo.constant dense<[1, 2]> : tensor<2xi64>
  %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = dense<0> : tensor<1x1xi64>}> : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %1:2 = "stablehlo.all_gather"(%x, %i) <{all_gather_dim = 0 : i64, replica_groups = dense<0> : tensor<1x1xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, use_global_device_ids}> : (tensor<2x2xf32>, tensor<2xi64>) -> (tensor<2x2xf32>, tensor<2xi64>)
  %2:2 = "stablehlo.all_reduce"(%x, %x) <{replica_groups = dense<> : tensor<0x0xi64>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = stablehlo.multiply %a, %b : tensor<f32>
    %t = stablehlo.subtract %s, %b : tensor<f32>
    stablehlo.return %t : tensor<f32>
  }) : (tensor<2x2xf32>, tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>)
  %3 = "stablehlo.reduce_scatter"(%x) <{scatter_dimension = 1 : i64, replica_groups = dense<0> : tensor<1x1xi64>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = stablehlo.add %a, %b : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %4:2 = "stablehlo.all_to_all"(%x, %x) <{split_dimension = 1 : i64, concat_dimension = 0 : i64, split_count = 1 : i64, replica_groups = dense<0> : tensor<1x1xi64>}> : (tensor<2x2xf32>, tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>)
  %5 = "stablehlo.collective_broadcast"(%x) <{replica_groups = dense<0> : tensor<1x1xi64>}> : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %6 = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<0> : tensor<1x2xi64>}> : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %7 = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<> : tensor<0x2xi64>}> : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %8 = stablehlo.partition_id : tensor<ui32>
  %9 = stablehlo.replica_id : tensor<ui32>
  check.expect_eq %0, %x : tensor<2x2xf32>
  check.expect_eq %1#0, %x : tensor<2x2xf32>
  check.expect_eq %1#1, %i : tensor<2xi64>
  check.expect_eq %2#0, %x : tensor<2x2xf32>
  check.expect_eq %2#1, %x : tensor<2x2xf32>
  check.expect_eq %3, %x : tensor<2x2xf32>
  check.expect_eq %4#1, %x : tensor<2x2xf32>
  check.expect_eq %5, %x : tensor<2x2xf32>
  check.expect_eq %6, %x : tensor<2x2xf32>
  check.expect_eq_const %7, dense<0.0> : tensor<2x2xf32>
  check.expect_eq_const %8, dense<0> : tensor<ui32>
  check.expect_eq_const %9, dense<0> : tensor<ui32>
  return
}
