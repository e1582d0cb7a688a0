// RUN: shoal-opt %s --shoal-export-stablehlo | FileCheck %s

// The way out: collectives over device ids, no mesh.

// CHECK: module attributes {{.*}}mhlo.num_partitions = 4
// CHECK-NOT: shoal.mesh
// CHECK: func @main(%arg0: tensor<4xf32> {jax.global_shape = array<i64: 16>, jax.offsets = dense<{{\[\[}}0], [4], [8], [12]]>
// CHECK: "stablehlo.all_reduce"(%arg0)
// CHECK-SAME: replica_groups = dense<{{\[\[}}0, 1, 2, 3]]>
// CHECK-SAME: use_global_device_ids
shoal.mesh @m <["x"=4]>
func.func @main(%a: tensor<4xf32> {shoal.global_type = tensor<16xf32>, shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) -> (tensor<4xf32> {shoal.global_type = tensor<4xf32>}) {
  %0 = comm.all_reduce add %a over <@m, {"x"}> : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// Uneven: 6 elements in blocks of 2 on 4 devices are gathered as 8, and cut.
// CHECK-LABEL: func @gather
// CHECK: "stablehlo.all_gather"
// CHECK-SAME: (tensor<2xf32>) -> tensor<8xf32>
// CHECK: stablehlo.slice {{.*}} [0:6]
func.func @gather(%a: tensor<2xf32>) -> tensor<6xf32> {
  %0 = comm.all_gather %a dim = 0 over <@m, {"x"}> : (tensor<2xf32>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}

// CHECK-LABEL: func @scatter
// CHECK: stablehlo.pad
// CHECK-SAME: -> tensor<8xf32>
// CHECK: "stablehlo.reduce_scatter"
// CHECK: stablehlo.maximum
func.func @scatter(%a: tensor<6xf32>) -> tensor<2xf32> {
  %0 = comm.reduce_scatter max %a dim = 0 over <@m, {"x"}> : (tensor<6xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// CHECK-LABEL: func @exchange
// CHECK: "stablehlo.all_to_all"
// CHECK-SAME: (tensor<8x1xf32>) -> tensor<2x4xf32>
// CHECK: stablehlo.slice {{.*}} [0:2, 0:3]
func.func @exchange(%a: tensor<7x1xf32>) -> tensor<2x3xf32> {
  %0 = comm.all_to_all %a split = 0 concat = 1 over <@m, {"x"}> : (tensor<7x1xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Positions in groups become device ids.
// CHECK-LABEL: func @permute
// CHECK: "stablehlo.collective_permute"
// CHECK-SAME: dense<{{\[\[}}0, 2], [1, 3]]>
func.func @permute(%a: tensor<2xf32>) -> tensor<2xf32> {
  %0 = comm.permute %a pairs = [[0, 1]] over <@m, {"x":(1)2}> : tensor<2xf32>
  return %0 : tensor<2xf32>
}

// The sum of what one device has and of zeros.
// CHECK-LABEL: func @broadcast
// CHECK: stablehlo.partition_id
// CHECK: stablehlo.select
// CHECK: "stablehlo.all_reduce"
func.func @broadcast(%a: tensor<2xi1>) -> tensor<2xi1> {
  %0 = comm.broadcast %a root = 2 over <@m, {"x"}> : (tensor<2xi1>) -> tensor<2xi1>
  return %0 : tensor<2xi1>
}

// Whole blocks come from neighbours, the window is cut out, and what lies
// outside is filled.
// CHECK-LABEL: func @reblock
// CHECK: "stablehlo.collective_permute"
// CHECK: stablehlo.concatenate
// CHECK: stablehlo.dynamic_slice
// CHECK: stablehlo.select
func.func @reblock(%a: tensor<3xf32>, %fill: tensor<f32>) -> tensor<4xf32> {
  %0 = comm.reblock %a, %fill dim = 0 size = 10 offset = -1 step = 3 over <@m, {"x"}> : (tensor<3xf32>, tensor<f32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// Bits of integers, which XLA's all_reduce does not take.
// CHECK-LABEL: func @bits
// CHECK: %[[ALL:.*]] = "stablehlo.all_gather"
// CHECK-SAME: -> tensor<4x3xui32>
// CHECK: stablehlo.reduce(%[[ALL]] init: %{{.*}}) applies stablehlo.xor across dimensions = [0] : (tensor<4x3xui32>, tensor<ui32>) -> tensor<3xui32>
func.func @bits(%a: tensor<3xui32>) -> tensor<3xui32> {
  %0 = comm.all_reduce xor %a over <@m, {"x"}> : tensor<3xui32>
  return %0 : tensor<3xui32>
}
