// The SIMT level's code: elements over threads, global memory, no local memory.
// RUN: shoal-opt %s --shoal-compile-gpu-kernels="chip=sm_80 print=ptx strategy=simt" -o /dev/null | FileCheck %s
// RUN: shoal-opt %s --shoal-compile-gpu-kernels="chip=sm_90a print=llvm strategy=simt" -o /dev/null | FileCheck %s --check-prefix=LLVM

// CHECK: // kernel scale scratch 0 zeroed 0 strategy simt loops
// CHECK: // launch shoal_scale grid 16 1 1 block 256 shared 0
// CHECK: .target sm_80
// CHECK: .visible .entry shoal_scale(
// CHECK-NOT: .local
// CHECK: .maxntid 256
// CHECK: ld.global.nc.b16
// CHECK: mul.rn.f32
// CHECK: st.global.b16
// CHECK: ret;

// LLVM: @shoal_smem = external addrspace(3) global [0 x i8], align 1024
// LLVM: define ptx_kernel void @shoal_sum(ptr addrspace(1) noalias readonly{{.*}} dereferenceable(1200)
// LLVM: call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
plan.kernel @scale(%a: tensor<4096xbf16>, %s: tensor<bf16>) -> tensor<4096xbf16> {
  %0 = stablehlo.broadcast_in_dim %s, dims = [] : (tensor<bf16>) -> tensor<4096xbf16>
  %1 = stablehlo.multiply %a, %0 : tensor<4096xbf16>
  plan.yield %1 : tensor<4096xbf16>
}
plan.kernel @sum(%a: tensor<300xf32>) -> tensor<f32> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [0] : (tensor<300xf32>, tensor<f32>) -> tensor<f32>
  plan.yield %0 : tensor<f32>
}
