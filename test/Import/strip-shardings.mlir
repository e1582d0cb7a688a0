// RUN: shoal-opt %s --shoal-strip-shardings | FileCheck %s

// One device: constraints go, a manual region runs once per shard, its
// collective becomes arithmetic among the shards' values.

// CHECK-NOT: shoal.
// CHECK-LABEL: func @main(%arg0: tensor<4xf32>)
shoal.mesh @m <["x"=2]>
func.func @main(%a: tensor<4xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) -> tensor<2xf32> {
  %0 = shoal.constraint %a <@m, [{}]> : tensor<4xf32>
  // CHECK-DAG: %[[A:.*]] = stablehlo.slice %arg0 [0:2]
  // CHECK-DAG: %[[B:.*]] = stablehlo.slice %arg0 [2:4]
  // CHECK: stablehlo.add %[[A]], %[[B]]
  %1 = shoal.manual(%0) in_shardings=[<@m, [{"x"}]>] out_shardings=[<@m, [{}]>] manual_axes={"x"} (%b: tensor<2xf32>) {
    %2 = comm.all_reduce add %b over <@m, {"x"}> : tensor<2xf32>
    shoal.return %2 : tensor<2xf32>
  } : (tensor<4xf32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}
