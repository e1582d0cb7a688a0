// RUN: shoal-opt %s --shoal-split-levels=hardware=dgx-a100 | FileCheck %s
// RUN: shoal-opt %s --shoal-split-levels="hardware=dgx-a100 remarks=true" -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// On one level of links there is nothing to split; where switches reduce (and
// the model has a pipelined tree) one all_reduce is as fast.
// RUN: shoal-opt %s --shoal-split-levels=hardware=dgx-h100 | FileCheck %s --check-prefix=FLAT
// RUN: shoal-opt %s --shoal-split-levels=hardware=cpu | FileCheck %s --check-prefix=FLAT

// Two nodes of eight; the axis "all" would be cut at the node's end.
shoal.mesh @m <["node"=2, "gpu"=8]>
shoal.mesh @n <["all"=16]>

// CHECK-LABEL: func.func @large
// CHECK: %[[F:.*]] = stablehlo.reshape %arg0 : (tensor<16384x8192xf32>) -> tensor<134217728xf32>
// CHECK: %[[P:.*]] = stablehlo.slice %[[F]] [0:
// CHECK: %[[S:.*]] = comm.reduce_scatter add %[[P]] dim = 0 over <@m, {"gpu"}>
// CHECK: %[[R:.*]] = comm.all_reduce add %[[S]] over <@m, {"node"}>
// CHECK: comm.all_gather %[[R]] dim = 0 over <@m, {"gpu"}>
// CHECK: stablehlo.concatenate
// CHECK: stablehlo.reshape
// REMARK: remark: in {{[0-9]+}} parts, over fast links, slow ones and fast ones (modelled: {{[0-9.]+}} -> {{[0-9.]+}} us)
// FLAT-LABEL: func.func @large
// FLAT-NEXT: comm.all_reduce
// FLAT-NEXT: return
func.func @large(%a: tensor<16384x8192xf32>) -> tensor<16384x8192xf32> {
  %0 = comm.all_reduce add %a over <@m, {"node", "gpu"}> : tensor<16384x8192xf32>
  return %0 : tensor<16384x8192xf32>
}

// CHECK-LABEL: func.func @one_axis
// CHECK: comm.reduce_scatter max %{{.*}} over <@n, {"all":(2)8}>
// CHECK: comm.all_reduce max %{{.*}} over <@n, {"all":(1)2}>
// CHECK: comm.all_gather %{{.*}} over <@n, {"all":(2)8}>
func.func @one_axis(%a: tensor<134217727xf32>) -> tensor<134217727xf32> {
  %0 = comm.all_reduce max %a over <@n, {"all"}> : tensor<134217727xf32>
  return %0 : tensor<134217727xf32>
}

// Small ones, and those within a node or across nodes only, stay.
// CHECK-LABEL: func.func @stay
// CHECK-NEXT: comm.all_reduce
// CHECK-NEXT: comm.all_reduce
// CHECK-NEXT: comm.all_reduce
// CHECK-NEXT: return
func.func @stay(%a: tensor<16xf32>, %b: tensor<16384x8192xf32>) -> (tensor<16xf32>, tensor<16384x8192xf32>, tensor<16384x8192xf32>) {
  %0 = comm.all_reduce add %a over <@m, {"node", "gpu"}> : tensor<16xf32>
  %1 = comm.all_reduce add %b over <@m, {"gpu"}> : tensor<16384x8192xf32>
  %2 = comm.all_reduce add %b over <@m, {"node"}> : tensor<16384x8192xf32>
  return %0, %1, %2 : tensor<16xf32>, tensor<16384x8192xf32>, tensor<16384x8192xf32>
}
