// RUN: shoal-opt %s --shoal-shard-pipeline --shoal-partition-pipeline | FileCheck %s

// One element of a cut dimension: its owner has it, the others add nothing, and
// the sum waits for where it is needed.

// CHECK-LABEL: func @column(
shoal.mesh @m <["x"=4]>
func.func @column(%a: tensor<8x30xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}]>}) -> tensor<f32> {
  // CHECK: %[[MINE:.*]] = stablehlo.slice %arg0 [0:8, 1:2]
  // CHECK: comm.axis_index
  // CHECK: stablehlo.compare EQ
  // CHECK: stablehlo.select %{{.*}}, %[[MINE]], %{{.*}} : tensor<i1>, tensor<8x1xf32>
  // CHECK-NOT: comm
  // CHECK: %[[SUM:.*]] = stablehlo.reduce
  // CHECK: comm.all_reduce add %[[SUM]] {{.*}} : tensor<f32>
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.slice %a [0:8, 17:18] : (tensor<8x30xf32>) -> tensor<8x1xf32>
  %1 = stablehlo.reduce(%0 init: %c) applies stablehlo.add across dimensions = [0, 1] : (tensor<8x1xf32>, tensor<f32>) -> tensor<f32>
  return %1 : tensor<f32>
}
