// f8E8M0FNU has no zero: one device's element cannot be added to nothing, it
// is fetched as a window. (sharded_ops.py, seed 8161)
// RUN: shoal-opt %s --shoal-import-pipeline --shoal-shard-pipeline --shoal-partition-pipeline | FileCheck %s

// CHECK-NOT: comm.all_reduce
// CHECK: return
sdy.mesh @mesh = <["a"=2, "b"=2, "c"=2]>
func.func @main(%x: tensor<2xf8E8M0FNU> {sdy.sharding = #sdy.sharding<@mesh, [{"a", "b", "c"}]>}) -> (tensor<1xf8E8M0FNU> {sdy.sharding = #sdy.sharding<@mesh, [{"c", "a", "b"}]>}) {
  %y = stablehlo.slice %x [0:2:5] : (tensor<2xf8E8M0FNU>) -> tensor<1xf8E8M0FNU>
  return %y : tensor<1xf8E8M0FNU>
}
