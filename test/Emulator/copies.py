"""cp.async and its groups, mbarriers, atomics: results, and misuse."""
import numpy as np

from emu import I64, Kernel, aligned

DECLARE = """
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3), ptr addrspace(1))
declare void @llvm.nvvm.cp.async.commit.group()
declare void @llvm.nvvm.cp.async.wait.group(i32)
declare void @shoal_ptx_cp_async_16(ptr addrspace(3), ptr addrspace(1))
declare void @shoal_ptx_cp_async_8_zfill(ptr addrspace(3), ptr addrspace(1), i32)
declare void @shoal_ptx_cp_async_commit()
declare void @shoal_ptx_cp_async_wait_0()
declare void @shoal_ptx_cp_async_wait_1()
declare void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3), i32)
declare i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3))
declare i1 @llvm.nvvm.mbarrier.test.wait.shared(ptr addrspace(3), i64)
declare i32 @shoal_ptx_atom_add_relaxed_gpu_u32(ptr addrspace(1), i32)
declare void @shoal_ptx_red_add_relaxed_gpu_v4_f32(ptr addrspace(1), float, float, float, float)
declare void @shoal_ptx_red_add_release_sys_bf16x2(ptr addrspace(1), i32)
declare i32 @shoal_ptx_atom_cas_acq_rel_gpu_b32(ptr addrspace(1), i32, i32)
"""

# Two stages in flight: x[i] of stage 0 and 1 from other threads' copies.
pipeline = DECLARE + """
define ptx_kernel void @pipe(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %other = xor i32 %t, 33
  %g0 = getelementptr [16 x i8], ptr addrspace(1) %in, i32 %t
  %g1 = getelementptr [16 x i8], ptr addrspace(1) %g0, i32 64
  %s0 = getelementptr [16 x i8], ptr addrspace(3) @shoal_smem, i32 %t
  %s1 = getelementptr [16 x i8], ptr addrspace(3) %s0, i32 64
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %s0, ptr addrspace(1) %g0)
  call void @llvm.nvvm.cp.async.commit.group()
  call void @shoal_ptx_cp_async_16(ptr addrspace(3) %s1, ptr addrspace(1) %g1)
  call void @shoal_ptx_cp_async_commit()
  WAIT
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %r0 = getelementptr [16 x i8], ptr addrspace(3) @shoal_smem, i32 %other
  %x = load <4 x i32>, ptr addrspace(3) %r0
  %o0 = getelementptr [16 x i8], ptr addrspace(1) %out, i32 %t
  store <4 x i32> %x, ptr addrspace(1) %o0
  call void @llvm.nvvm.cp.async.wait.group(i32 0)
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %r1 = getelementptr [16 x i8], ptr addrspace(3) %r0, i32 64
  %y = load <4 x i32>, ptr addrspace(3) %r1
  %o1 = getelementptr [16 x i8], ptr addrspace(1) %o0, i32 64
  store <4 x i32> %y, ptr addrspace(1) %o1
  ret void
}
"""
x = aligned((128, 4), np.int32, np.arange(512).reshape(128, 4))
y = aligned((128, 4), np.int32)
k = Kernel(pipeline.replace("WAIT", "call void @shoal_ptx_cp_async_wait_1()"))
k.run("pipe", [x, y], block=(64,), shared=2048)
assert np.array_equal(y, x[np.arange(128) ^ 33])
k = Kernel(pipeline.replace("WAIT", "call void @llvm.nvvm.cp.async.wait.group(i32 2)"))
k.expect_error("may not have written yet", "pipe", [x, y], block=(64,),
               shared=2048)
text = pipeline.replace("WAIT\n  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)",
                        "call void @shoal_ptx_cp_async_wait_1()")
Kernel(text).expect_error("", "pipe", [x, y], block=(64,), shared=2048)
k.expect_error("in no allocation", "pipe", [x[:127], y], block=(64,), shared=2048)
k.expect_error("multiples of 16", "pipe", [x.reshape(-1)[1:], y], block=(64,),
               shared=2048)

# The rest of a partial copy is zeros; none of the source is read beyond.
k = Kernel(DECLARE + """
define ptx_kernel void @partial(ptr addrspace(1) %in, ptr addrspace(1) %out, i32 %n) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %g = getelementptr i64, ptr addrspace(1) %in, i32 %t
  %s = getelementptr i64, ptr addrspace(3) @shoal_smem, i32 %t
  %at = mul i32 %t, 8
  %left = sub i32 %n, %at
  %some = call i32 @llvm.smax.i32(i32 %left, i32 0)
  %bytes = call i32 @llvm.smin.i32(i32 %some, i32 8)
  call void @shoal_ptx_cp_async_8_zfill(ptr addrspace(3) %s, ptr addrspace(1) %g, i32 %bytes)
  call void @shoal_ptx_cp_async_commit()
  call void @shoal_ptx_cp_async_wait_0()
  %x = load i64, ptr addrspace(3) %s
  %o = getelementptr i64, ptr addrspace(1) %out, i32 %t
  store i64 %x, ptr addrspace(1) %o
  ret void
}
declare i32 @llvm.smax.i32(i32, i32)
declare i32 @llvm.smin.i32(i32, i32)
""")
x = aligned((25,), np.uint32, np.arange(1, 26))
y = aligned((64,), np.uint32)
k.run("partial", [x, y, 100], shared=256)
assert np.array_equal(y[:25], x) and not y[25:].any()

# Warp 1 waits at an mbarrier for what warp 0 writes.
wait = DECLARE + """
define ptx_kernel void @wait(ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %data = getelementptr i32, ptr addrspace(3) @shoal_smem, i32 16
  %first = icmp eq i32 %t, 0
  br i1 %first, label %init, label %go
init:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @shoal_smem, i32 64)
  br label %go
go:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %writer = icmp ult i32 %t, 32
  br i1 %writer, label %write, label %arrive
write:
  %s = getelementptr i32, ptr addrspace(3) %data, i32 %t
  store i32 %t, ptr addrspace(3) %s
  br label %arrive
arrive:
  %state = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) @shoal_smem)
  br i1 %writer, label %end, label %poll
poll:
  %ready = call i1 @llvm.nvvm.mbarrier.test.wait.shared(ptr addrspace(3) @shoal_smem, i64 %state)
  br i1 %ready, label %read, label %poll
read:
  %i = sub i32 63, %t
  %s2 = getelementptr i32, ptr addrspace(3) %data, i32 %i
  %x = load i32, ptr addrspace(3) %s2
  %o = getelementptr i32, ptr addrspace(1) %out, i32 %i
  store i32 %x, ptr addrspace(1) %o
  br label %end
end:
  ret void
}
"""
out = aligned((32,), np.int32)
k = Kernel(wait)
for seed in (0, 5):
    k.run("wait", [out], block=(64,), shared=192, seed=seed)
    assert np.array_equal(out, np.arange(32))
k = Kernel(wait.replace("i32 64)\n  br label %go", "i32 65)\n  br label %go"))
k.expect_error("waits for ever", "wait", [out], block=(64,), shared=192)
k = Kernel(wait.replace("br i1 %writer, label %end, label %poll",
                        "br i1 %writer, label %end, label %read"))
k.expect_error("nothing between that orders", "wait", [out], block=(64,),
               shared=192)

# Atomics from all threads of several blocks.
k = Kernel(DECLARE + """
define ptx_kernel void @atomics(ptr addrspace(1) %i, ptr addrspace(1) %f,
                                ptr addrspace(1) %h, ptr addrspace(1) %old) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %b64 = mul i32 %b, 64
  %n = add i32 %b64, %t
  %x = call i32 @shoal_ptx_atom_add_relaxed_gpu_u32(ptr addrspace(1) %i, i32 2)
  %half = lshr i32 %x, 1
  %p = getelementptr i32, ptr addrspace(1) %old, i32 %half
  store i32 1, ptr addrspace(1) %p
  %y = uitofp i32 %n to float
  call void @shoal_ptx_red_add_relaxed_gpu_v4_f32(ptr addrspace(1) %f, float %y, float 1.0, float 2.0, float -1.0)
  call void @shoal_ptx_red_add_release_sys_bf16x2(ptr addrspace(1) %h, i32 1065353216)
  %i1 = getelementptr i32, ptr addrspace(1) %i, i32 1
  %c = call i32 @shoal_ptx_atom_cas_acq_rel_gpu_b32(ptr addrspace(1) %i1, i32 %n, i32 %m)
  ret void
}
""".replace("i32 %m)", "i32 128)"))
i = aligned((2,), np.uint32, 0)
f = aligned((4,), np.float32, 0)
h = aligned((2,), np.uint16, 0)
old = aligned((128,), np.uint32, 0)
k.run("atomics", [i, f, h, old], grid=(2,), block=(64,))
assert i[0] == 256 and i[1] == 128 and old.all()
assert np.array_equal(f, [127 * 64, 128, 256, -128])
assert (h.astype(np.uint32) << 16).view(np.float32).tolist() == [0, 128]
print("copies: ok")
