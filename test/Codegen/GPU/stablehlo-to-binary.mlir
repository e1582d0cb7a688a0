// The way from StableHLO to cubins by pipelines of shoal-opt.
// REQUIRES: ptxas
// RUN: shoal-opt %s --shoal-import-pipeline --shoal-shard-pipeline --shoal-partition-pipeline \
// RUN:   --shoal-optimize-pipeline --shoal-fuse-pipeline=target=cuda --shoal-schedule-pipeline \
// RUN:   --shoal-compile-gpu-kernels=chip=sm_90a | FileCheck %s
// RUN: shoal-compile %s --target=cuda --chip=sm_80 -o %t.so
// RUN: shoal-run %t.so --inspect | FileCheck %s --check-prefix=INSPECT

// CHECK: plan.kernel @[[K:[a-z0-9_]+]]
// CHECK-SAME: plan.gpu = [#plan.gpu_launch<@shoal_images_0 "shoal_[[K]]" grid = [{{[0-9, ]+}}] block = {{[0-9]+}}{{.*}} registers = {{[0-9]+}}>]
// CHECK: gpu.binary @shoal_images_0 [#gpu.object<#nvvm.target<chip = "sm_90a"{{.*}}>, bin = "\7FELF
// CHECK-SAME: assembly = "{{.*}}.target sm_90a

// INSPECT: target: cuda, sm_80
// INSPECT: image 0: cubin for sm_80, {{[0-9]+}} bytes, newer chips: image 1
// INSPECT: image 1: ptx for sm_80
// INSPECT: kernel {{.*}}: image 0, grid {{.*}} registers
func.func @main(%x: tensor<64x128xf32>, %y: tensor<128xf32>) -> tensor<64x128xf32> {
  %0 = stablehlo.broadcast_in_dim %y, dims = [1] : (tensor<128xf32>) -> tensor<64x128xf32>
  %1 = stablehlo.add %x, %0 : tensor<64x128xf32>
  %2 = stablehlo.tanh %1 : tensor<64x128xf32>
  return %2 : tensor<64x128xf32>
}
