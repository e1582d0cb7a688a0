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
