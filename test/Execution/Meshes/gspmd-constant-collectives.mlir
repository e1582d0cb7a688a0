// What a manual region computes from constants belongs to the region as well:
// collectives, and loops that hold them.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device
module attributes {mhlo.num_partitions = 4 : i32} {
  func.func public @main() {
    %0 = stablehlo.iota dim = 0 : tensor<8xi32>
    %1 = stablehlo.optimization_barrier %0 : tensor<8xi32>
    %2 = stablehlo.custom_call @Sharding(%1) {mhlo.sharding = "{devices=[4]<=[4]}"} : (tensor<8xi32>) -> tensor<8xi32>
    %3 = stablehlo.custom_call @SPMDFullToShardShape(%2) {mhlo.sharding = "{manual}"} : (tensor<8xi32>) -> tensor<2xi32>
    %4:2 = call @body(%3) : (tensor<2xi32>) -> (tensor<2xi32>, tensor<2xi32>)
    %5 = stablehlo.custom_call @Sharding(%4#0) {mhlo.sharding = "{manual}"} : (tensor<2xi32>) -> tensor<2xi32>
    %6 = stablehlo.custom_call @SPMDShardToFullShape(%5) {mhlo.sharding = "{devices=[4]<=[4]}"} : (tensor<2xi32>) -> tensor<8xi32>
    %7 = stablehlo.custom_call @Sharding(%4#1) {mhlo.sharding = "{manual}"} : (tensor<2xi32>) -> tensor<2xi32>
    %8 = stablehlo.custom_call @SPMDShardToFullShape(%7) {mhlo.sharding = "{devices=[4]<=[4]}"} : (tensor<2xi32>) -> tensor<8xi32>
    check.expect_eq_const %6, dense<[4, 5, 6, 7, 8, 9, 10, 11]> : tensor<8xi32>
    check.expect_eq_const %8, dense<[2, 3, 2, 3, 2, 3, 2, 3]> : tensor<8xi32>
    return
  }
  func.func private @body(%x: tensor<2xi32>) -> (tensor<2xi32>, tensor<2xi32>) {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %ones = stablehlo.constant dense<1> : tensor<2xi32>
    %four = "stablehlo.all_reduce"(%ones) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[0, 1, 2, 3]]> : tensor<1x4xi64>, use_global_device_ids}> ({
    ^bb0(%a: tensor<i32>, %b: tensor<i32>):
      %s = stablehlo.add %a, %b : tensor<i32>
      stablehlo.return %s : tensor<i32>
    }) : (tensor<2xi32>) -> tensor<2xi32>
    %y = stablehlo.add %x, %four : tensor<2xi32>
    // Two rounds of a shift by one: what is two devices before.
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %two = stablehlo.constant dense<2> : tensor<i32>
    %z = stablehlo.iota dim = 0 : tensor<2xi32>
    %l:2 = stablehlo.while(%i = %zero, %v = %z) : tensor<i32>, tensor<2xi32> cond {
      %p = stablehlo.compare LT, %i, %two : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %p : tensor<i1>
    } do {
      %w = "stablehlo.collective_permute"(%v) <{channel_handle = #stablehlo.channel_handle<handle = 2, type = 1>, source_target_pairs = dense<[[0, 1], [1, 2], [2, 3], [3, 0]]> : tensor<4x2xi64>}> : (tensor<2xi32>) -> tensor<2xi32>
      %u = stablehlo.add %w, %ones : tensor<2xi32>
      %j = stablehlo.add %i, %one : tensor<i32>
      stablehlo.return %j, %u : tensor<i32>, tensor<2xi32>
    }
    return %y, %l#1 : tensor<2xi32>, tensor<2xi32>
  }
}
