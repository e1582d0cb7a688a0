// Collectives on tensors become collectives on buffers over digits of the rank,
// and the parameters of the program table.
// RUN: shoal-opt %s --split-input-file --shoal-schedule-pipeline | FileCheck %s
// RUN: shoal-opt %s --split-input-file --shoal-schedule-pipeline --shoal-print-program -o /dev/null 2>&1 | FileCheck %s --check-prefix=TABLE

shoal.mesh @m <["dp"=2, "tp"=4]>

// CHECK-LABEL: plan.program @main
// TABLE-LABEL: program main
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // A dimension of 30 in blocks of 8: the last two elements are padding.
  // CHECK: plan.collective all_gather <"tp", digits = [4, 1]> dims [1]
  // TABLE: all_gather over {tp} (s{{[0-9]+}}) -> ({{.*}}) 4 32 120
  %0 = comm.all_gather %x dim = 1 over <@m, {"tp"}> : (tensor<4x8xf32>) -> tensor<4x30xf32>
  // An all-reduce runs in place; groups over the other axis have stride 4.
  // CHECK: plan.collective all_reduce <"dp", digits = [2, 4]>(%[[G:.*]]) to(%[[G]])
  // TABLE: all_reduce add over {dp} (s[[G:[0-9]+]]) -> (s[[G]])
  %1 = comm.all_reduce add %0 over <@m, {"dp"}> : tensor<4x30xf32>
  // CHECK: plan.collective reduce_scatter <"tp", digits = [4, 1]> dims [1]
  // TABLE: reduce_scatter max over {tp} ({{.*}}) -> ({{.*}}) 4 120 32
  %2 = comm.reduce_scatter max %1 dim = 1 over <@m, {"tp"}> : (tensor<4x30xf32>) -> tensor<4x8xf32>
  // TABLE: all_to_all over {tp} ({{.*}}) -> ({{.*}}) 1 128 32 1 128 32
  %3 = comm.all_to_all %2 split = 0 concat = 1 over <@m, {"tp"}> : (tensor<4x8xf32>) -> tensor<1x32xf32>
  // TABLE: all_to_all over {tp} ({{.*}}) -> ({{.*}}) 1 128 32 1 128 32
  %4 = comm.all_to_all %3 split = 1 concat = 0 over <@m, {"tp"}> : (tensor<1x32xf32>) -> tensor<4x8xf32>
  // A sub-axis: the major half of tp.
  // CHECK: plan.collective permute <"tp:(1)2", digits = [2, 2]> dims [0, 1, 1, 0]
  // TABLE: permute over {tp:(1)2} ({{.*}}) -> ({{.*}}) 2 0 1 1 0
  %5 = comm.permute %4 pairs = [[0, 1], [1, 0]] over <@m, {"tp":(1)2}> : tensor<4x8xf32>
  // CHECK: plan.collective broadcast <"dp,tp", digits = [2, 4, 4, 1]> root
  %6 = comm.broadcast %5 root = 3 over <@m, {"dp", "tp"}> : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %f = stablehlo.constant dense<1.0> : tensor<f32>
  // TABLE: reblock over {tp} ({{.*}}) -> ({{.*}}) 4 4 8 11 30 -1 8 0 4 1065353216 0 4294967295
  %7 = comm.halo %6, %f dim = 1 size = 30 low = 1 high = 2 over <@m, {"tp"}> : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x11xf32>
  // TABLE: reblock over {tp} ({{.*}}) -> ({{.*}}) 4 4 11 8 30 0 8 0 0 0 0 4294967295
  %8 = comm.reblock %7 dim = 1 size = 30 over <@m, {"tp"}> : (tensor<4x11xf32>) -> tensor<4x8xf32>
  return %8 : tensor<4x8xf32>
}

// -----

// The own block of a tensor that all hold is a view at the rank's position.
shoal.mesh @m <["dp"=2, "tp"=4]>

// CHECK-LABEL: plan.program @main
// CHECK: %[[X:.*]] = plan.argument 0
// CHECK: plan.rank
// CHECK: %[[I:.*]] = plan.scalar{{.*}}mul
// CHECK: %[[V:.*]] = plan.view %[[X]][0] (%{{.*}}) * [32] : <8x8xf32> -> <2x8xf32>
// CHECK: plan.collective all_reduce {{.*}}(%[[V]])
func.func @main(%x: tensor<8x8xf32>) -> tensor<2x8xf32> {
  %0 = comm.all_slice %x dim = 0 over <@m, {"tp"}> : (tensor<8x8xf32>) -> tensor<2x8xf32>
  %1 = comm.all_reduce add %0 over <@m, {"dp"}> : tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}

// -----

// Imported groups: device ids become positions in the mesh.
shoal.mesh @m <["x"=4], device_ids=[3, 2, 1, 0]>

// CHECK-LABEL: plan.program @main
// CHECK: plan.collective all_reduce <"table", size = 2, table = [3, 2, 1, 0]>
func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
  %1 = comm.all_reduce add %x over <[[0, 1], [2, 3]]> : tensor<8xf32>
  return %1 : tensor<8xf32>
}
