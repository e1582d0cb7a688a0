// RUN: shoal-opt %s --shoal-inline-calls --shoal-import-gspmd --split-input-file | FileCheck %s

// As JAX prints a shard_map without Shardy. One mesh serves all strings.
// CHECK: shoal.mesh @mesh <["x0"=2, "x1"=4]>
// CHECK-LABEL: func.func public @main(
// CHECK-SAME{LITERAL}: {shoal.sharding = #shoal.sharding<@mesh, [{"x0"}, {"x1"}]>}
// CHECK-SAME{LITERAL}: {shoal.sharding = #shoal.sharding<@mesh, [{}]>}
module attributes {mhlo.num_partitions = 8 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8x8xf32> {mhlo.sharding = "{devices=[2,4]<=[8]}"}, %arg1: tensor<2xf32> {mhlo.sharding = "{replicated}"}) -> tensor<8x2xf32> {
    // CHECK: %[[C:.*]] = shoal.constraint %arg0 <@mesh, [{"x0"}, {?}]>
    %0 = stablehlo.custom_call @Sharding(%arg0) {backend_config = "unspecified_dims=[1]", mhlo.sharding = "{devices=[2,1,4]<=[8] last_tile_dim_replicate}"} : (tensor<8x8xf32>) -> tensor<8x8xf32>
    %1 = stablehlo.custom_call @Sharding(%0) {backend_config = "", mhlo.sharding = "{devices=[2,4]<=[8]}"} : (tensor<8x8xf32>) -> tensor<8x8xf32>
    %2 = stablehlo.custom_call @SPMDFullToShardShape(%1) {backend_config = "", mhlo.sharding = "{manual}"} : (tensor<8x8xf32>) -> tensor<4x2xf32>
    %3 = stablehlo.custom_call @Sharding(%arg1) {backend_config = "", mhlo.sharding = "{replicated}"} : (tensor<2xf32>) -> tensor<2xf32>
    %4 = stablehlo.custom_call @SPMDFullToShardShape(%3) {backend_config = "", mhlo.sharding = "{manual}"} : (tensor<2xf32>) -> tensor<2xf32>
    // CHECK: %[[R:.*]] = shoal.manual(%[[C]], %arg1) in_shardings=[<@mesh, [{"x0"}, {"x1"}]>, <@mesh, [{}]>] out_shardings=[<@mesh, [{"x0"}, {}]>] manual_axes={"x0", "x1"} (%{{.*}}: tensor<4x2xf32>, %{{.*}}: tensor<2xf32>) {
    // CHECK: stablehlo.all_reduce
    // CHECK: stablehlo.partition_id
    // CHECK: shoal.return
    %5 = call @shmap_body(%2, %4) : (tensor<4x2xf32>, tensor<2xf32>) -> tensor<4x2xf32>
    %6 = stablehlo.custom_call @Sharding(%5) {backend_config = "", mhlo.sharding = "{manual}"} : (tensor<4x2xf32>) -> tensor<4x2xf32>
    %7 = stablehlo.custom_call @SPMDShardToFullShape(%6) {backend_config = "", mhlo.sharding = "{devices=[2,1,4]<=[8] last_tile_dim_replicate}"} : (tensor<4x2xf32>) -> tensor<8x2xf32>
    // CHECK: return %[[R]]
    return %7 : tensor<8x2xf32>
  }
  func.func private @shmap_body(%arg0: tensor<4x2xf32>, %arg1: tensor<2xf32>) -> (tensor<4x2xf32> {jax.result_info = "[('x',), None]"}) {
    %0 = "stablehlo.all_reduce"(%arg0) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[0, 1, 2, 3], [4, 5, 6, 7]]> : tensor<2x4xi64>, use_global_device_ids}> ({
    ^bb0(%arg2: tensor<f32>, %arg3: tensor<f32>):
      %11 = stablehlo.add %arg2, %arg3 : tensor<f32>
      stablehlo.return %11 : tensor<f32>
    }) : (tensor<4x2xf32>) -> tensor<4x2xf32>
    %1 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<2xf32>) -> tensor<4x2xf32>
    %3 = stablehlo.multiply %0, %1 : tensor<4x2xf32>
    %4 = stablehlo.partition_id : tensor<ui32>
    %8 = stablehlo.convert %4 : (tensor<ui32>) -> tensor<f32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [] : (tensor<f32>) -> tensor<4x2xf32>
    %10 = stablehlo.add %3, %9 : tensor<4x2xf32>
    return %10 : tensor<4x2xf32>
  }
}

// -----

// Manual on one axis only.
// CHECK-LABEL: func.func public @partial
module attributes {mhlo.num_partitions = 8 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @partial(%arg0: tensor<8x8xf32>) -> tensor<4x8xf32> {
    %0 = stablehlo.custom_call @Sharding(%arg0) {backend_config = "unspecified_dims=[0,1]", mhlo.sharding = "{devices=[2,1,4]<=[8] last_tile_dim_replicate}"} : (tensor<8x8xf32>) -> tensor<8x8xf32>
    %1 = stablehlo.custom_call @SPMDFullToShardShape(%0) {backend_config = "unspecified_dims=[0,1]", mhlo.sharding = "{devices=[1,1,2,4]<=[8] last_tile_dims={manual, replicated}}"} : (tensor<8x8xf32>) -> tensor<4x8xf32>
    // CHECK: shoal.manual(%arg0) in_shardings=[<@mesh, [{"x0", ?}, {?}]>] out_shardings=[<@mesh, [{?}, {?}]>] manual_axes={"x0"}
    // CHECK-NEXT: stablehlo.negate
    %2 = stablehlo.negate %1 : tensor<4x8xf32>
    %3 = stablehlo.custom_call @Sharding(%2) {backend_config = "unspecified_dims=[0,1]", mhlo.sharding = "{devices=[1,1,2,4]<=[8] last_tile_dims={manual, replicated}}"} : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %4 = stablehlo.custom_call @SPMDShardToFullShape(%3) {backend_config = "unspecified_dims=[0,1]", mhlo.sharding = "{replicated}"} : (tensor<4x8xf32>) -> tensor<4x8xf32>
    return %4 : tensor<4x8xf32>
  }
}

// -----

// Transposed numberings, lists of devices, several values, one device.
// CHECK: shoal.mesh @mesh <["x0"=2, "x1"=2, "x2"=2]>
// CHECK-LABEL: func.func @strings(
// CHECK-SAME{LITERAL}: <@mesh, [{"x1", "x2"}, {"x0"}]>
// CHECK-SAME{LITERAL}: <@mesh, [{"x0"}, {"x2", "x1"}]>
// CHECK-SAME{LITERAL}: <mesh<[], device_ids=[3]>, []>
func.func @strings(%0: tensor<8x8xf32> {mhlo.sharding = "{devices=[4,2]<=[2,4]T(1,0)}"},
                   %1: tensor<8x8xf32> {mhlo.sharding = "{devices=[2,4]0,2,1,3,4,6,5,7}"},
                   %2: tensor<8x8xf32> {mhlo.sharding = "{maximal device=3}"}) {
  // CHECK: shoal.shardings = #shoal.sharding_per_value<[<@mesh, [{"x0"}]>, <@mesh, [{}]>]>
  %3:2 = stablehlo.custom_call @f(%0) {mhlo.sharding = "{{devices=[2,4]<=[2,4] last_tile_dim_replicate}, {replicated}}"} : (tensor<8x8xf32>) -> (tensor<8xf32>, tensor<8xf32>)
  return
}
