// RUN: shoal-opt %s --shoal-quantize-collectives="axes=x min-bytes=64 block=8 always=true" | FileCheck %s
// RUN: shoal-opt %s --shoal-quantize-collectives="axes=x min-bytes=64 block=8 always=true remarks=true" -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// Only where it is asked for, and (unless for tests) is modelled to be faster.
// RUN: shoal-opt %s --shoal-quantize-collectives | FileCheck %s --check-prefix=EXACT
// RUN: shoal-opt %s --shoal-quantize-collectives="axes=y always=true min-bytes=64" | FileCheck %s --check-prefix=EXACT
// RUN: shoal-opt %s --shoal-quantize-collectives="axes=x min-bytes=64" | FileCheck %s --check-prefix=EXACT
// EXACT-NOT: xi8>

shoal.mesh @m <["x"=4, "y"=2]>

// 100 elements in 4 x 4 blocks of 8, the last ones padding.
// CHECK-LABEL: func.func @all_reduce
// CHECK: %[[P:.*]] = stablehlo.pad %{{.*}}, high = [28]
// CHECK: %[[B:.*]] = stablehlo.reshape %[[P]] : (tensor<128xf32>) -> tensor<4x4x8xf32>
// CHECK: %[[Q:.*]] = stablehlo.convert %{{.*}} : (tensor<4x4x8xf32>) -> tensor<4x4x8xi8>
// CHECK-DAG: comm.all_to_all %[[Q]] split = 0 concat = 0 over <@m, {"x"}> : (tensor<4x4x8xi8>) -> tensor<4x4x8xi8>
// CHECK-DAG: comm.all_to_all %{{.*}} split = 0 concat = 0 over <@m, {"x"}> : (tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK: %[[S:.*]] = stablehlo.reduce{{.*}} across dimensions = [0] : (tensor<4x4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
// CHECK-DAG: comm.all_gather %{{.*}} dim = 0 over <@m, {"x"}> : (tensor<4x8xi8>) -> tensor<16x8xi8>
// CHECK-DAG: comm.all_gather %{{.*}} dim = 0 over <@m, {"x"}> : (tensor<4xf32>) -> tensor<16xf32>
// CHECK: %[[R:.*]] = stablehlo.reshape %{{.*}} : (tensor<100xf32>) -> tensor<10x10xf32>
// CHECK: stablehlo.convert %[[R]] : (tensor<10x10xf32>) -> tensor<10x10xbf16>
// REMARK: remark: sent in blocks of 8 bytes with a scale: off by at most 3.1 % of the largest summand in the block (modelled:
func.func @all_reduce(%a: tensor<10x10xbf16>) -> tensor<10x10xbf16> {
  %0 = comm.all_reduce add %a over <@m, {"x"}> : tensor<10x10xbf16>
  return %0 : tensor<10x10xbf16>
}

// Whose part it is comes first; the last device's is shorter.
// CHECK-LABEL: func.func @reduce_scatter
// CHECK: %[[P:.*]] = stablehlo.pad %arg0, %{{.*}}, low = [0, 0], high = [0, 2]
// CHECK: %[[C:.*]] = stablehlo.reshape %[[P]] : (tensor<6x12xf32>) -> tensor<6x4x3xf32>
// CHECK: stablehlo.transpose %[[C]], dims = [1, 0, 2] : (tensor<6x4x3xf32>) -> tensor<4x6x3xf32>
// CHECK: comm.all_to_all %{{.*}} : (tensor<4x3x8xi8>) -> tensor<4x3x8xi8>
// CHECK-NOT: comm.all_gather
// CHECK: return %{{.*}} : tensor<6x3xf32>
// REMARK: remark: sent in blocks of 8 bytes with a scale: off by at most 1.6 %
func.func @reduce_scatter(%a: tensor<6x10xf32>) -> tensor<6x3xf32> {
  %0 = comm.reduce_scatter add %a dim = 1 over <@m, {"x"}> : (tensor<6x10xf32>) -> tensor<6x3xf32>
  return %0 : tensor<6x3xf32>
}

// No sums, integers, small ones: as they are.
// CHECK-LABEL: func.func @stay
// CHECK: comm.all_reduce max
// CHECK: comm.all_reduce add
// CHECK: comm.all_reduce add
// CHECK-NOT: xi8>
func.func @stay(%a: tensor<100xf32>, %b: tensor<100xi32>, %c: tensor<4xf32>) -> (tensor<100xf32>, tensor<100xi32>, tensor<4xf32>) {
  %0 = comm.all_reduce max %a over <@m, {"x"}> : tensor<100xf32>
  %1 = comm.all_reduce add %b over <@m, {"x"}> : tensor<100xi32>
  %2 = comm.all_reduce add %c over <@m, {"x"}> : tensor<4xf32>
  return %0, %1, %2 : tensor<100xf32>, tensor<100xi32>, tensor<4xf32>
}
