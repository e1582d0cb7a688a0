"""Threads, barriers, shuffles, votes; and the errors in them."""
import numpy as np

from emu import I64, Kernel, aligned

TID = """
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.bar.warp.sync(i32)
"""

# Elements of all blocks and threads; one more thread than elements.
k = Kernel(TID + """
define ptx_kernel void @twice(ptr addrspace(1) readonly dereferenceable(400) %in,
    ptr addrspace(1) dereferenceable(400) %out, i64 %n) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %nt = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %base = mul i32 %b, %nt
  %i32 = add i32 %base, %t
  %i = zext i32 %i32 to i64
  %ok = icmp ult i64 %i, %n
  br i1 %ok, label %do, label %end
do:
  %p = getelementptr float, ptr addrspace(1) %in, i64 %i
  %x = load float, ptr addrspace(1) %p
  %y = fmul float %x, 2.0
  %q = getelementptr float, ptr addrspace(1) %out, i64 %i
  store float %y, ptr addrspace(1) %q
  br label %end
end:
  ret void
}
""")
x = aligned((100,), np.float32, np.arange(100))
y = aligned((100,), np.float32)
k.run("twice", [x, y, I64(100)], grid=(4,), block=(32,))
assert np.array_equal(y, 2 * x)
k.expect_error("in none of the kernel's buffers", "twice", [x, y, I64(101)],
               grid=(4,), block=(32,))

# Reversal through shared memory, with and without the barrier.
reverse = TID + """
define ptx_kernel void @reverse(ptr addrspace(1) %a) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %p = getelementptr i32, ptr addrspace(1) %a, i32 %t
  %x = load i32, ptr addrspace(1) %p
  %s = getelementptr i32, ptr addrspace(3) @shoal_smem, i32 %t
  store i32 %x, ptr addrspace(3) %s
  BARRIER
  %r = sub i32 255, %t
  %s2 = getelementptr i32, ptr addrspace(3) @shoal_smem, i32 %r
  %y = load i32, ptr addrspace(3) %s2
  store i32 %y, ptr addrspace(1) %p
  ret void
}
"""
barrier = "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)"
a = aligned((256,), np.int32, np.arange(256))
k = Kernel(reverse.replace("BARRIER", barrier))
for seed in (0, 1, 2):
    a[:] = np.arange(256)
    k.run("reverse", [a], block=(256,), shared=1024, seed=seed)
    assert np.array_equal(a, np.arange(256)[::-1]), seed
k.expect_error("shared memory, which has 512", "reverse", [a], block=(256,),
               shared=512)
k = Kernel(reverse.replace("BARRIER", ""))
for seed in (1, 2, 3):
    k.expect_error("nothing between that orders", "reverse", [a], block=(256,),
                   shared=1024, seed=seed)

# The order within a warp: bar.warp.sync is enough, a shuffle is not.
exchange = TID + """
declare i32 @llvm.nvvm.shfl.sync.idx.i32(i32, i32, i32, i32)
define ptx_kernel void @exchange(ptr addrspace(1) %a) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %s = getelementptr i32, ptr addrspace(3) @shoal_smem, i32 %t
  store i32 %t, ptr addrspace(3) %s
  ORDER
  %x = xor i32 %t, 1
  %s2 = getelementptr i32, ptr addrspace(3) @shoal_smem, i32 %x
  %y = load i32, ptr addrspace(3) %s2
  %p = getelementptr i32, ptr addrspace(1) %a, i32 %t
  store i32 %y, ptr addrspace(1) %p
  ret void
}
"""
k = Kernel(exchange.replace("ORDER", "call void @llvm.nvvm.bar.warp.sync(i32 -1)"))
a = aligned((64,), np.int32)
k.run("exchange", [a], block=(64,), shared=256)
assert np.array_equal(a, np.arange(64) ^ 1)
k = Kernel(exchange.replace("ORDER", "%u = call i32 @llvm.nvvm.shfl.sync.idx.i32("
                            "i32 -1, i32 %t, i32 0, i32 31)"))
k.expect_error("nothing between that orders", "exchange", [a], block=(64,),
               shared=256)

# A barrier that half the warp, or only one warp, reaches.
diverge = TID + """
define ptx_kernel void @diverge(i32 %n) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %c = icmp ult i32 %t, %n
  br i1 %c, label %a, label %b
a:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br label %b
b:
  ret void
}
"""
k = Kernel(diverge)
k.run("diverge", [64], block=(64,))
k.expect_error("threads wait for each other", "diverge", [32], block=(64,))
k.expect_error("have ended", "diverge", [40], block=(64,), seed=7)

# Shuffles of every mode and width, against the definition.
for mode in ("down", "up", "bfly", "idx"):
    text = TID + f"""
declare {{i32, i1}} @llvm.nvvm.shfl.sync.{mode}.i32p(i32, i32, i32, i32)
define ptx_kernel void @shuffle(ptr addrspace(1) %out, i32 %b, i32 %c) {{
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %v = add i32 %t, 100
  %r = call {{i32, i1}} @llvm.nvvm.shfl.sync.{mode}.i32p(i32 -1, i32 %v, i32 %b, i32 %c)
  %x = extractvalue {{i32, i1}} %r, 0
  %ok = extractvalue {{i32, i1}} %r, 1
  %o = zext i1 %ok to i32
  %o2 = shl i32 %o, 16
  %y = or i32 %x, %o2
  %p = getelementptr i32, ptr addrspace(1) %out, i32 %t
  store i32 %y, ptr addrspace(1) %p
  ret void
}}
"""
    k = Kernel(text)
    out = aligned((32,), np.int32)
    for width in (2, 8, 32):
        for b in (0, 1, 3, width - 1):
            segment = (32 - width) << 8
            clamp = 0 if mode == "up" else 31
            k.run("shuffle", [out, b, segment | clamp])
            for lane in range(32):
                base = lane - lane % width
                source = {"down": lane + b, "up": lane - b, "bfly": lane ^ b,
                          "idx": base + b % width}[mode]
                inside = (source >= base) if mode == "up" else source < base + width
                want = 100 + (source if inside else lane) | inside << 16
                assert out[lane] == want, (mode, width, b, lane, out[lane], want)

# Votes, matches, reductions, elections: sums over lanes in numpy.
k = Kernel(TID + """
declare i32 @llvm.nvvm.vote.ballot.sync(i32, i1)
declare i1 @llvm.nvvm.vote.any.sync(i32, i1)
declare i1 @llvm.nvvm.vote.all.sync(i32, i1)
declare i32 @llvm.nvvm.match.any.sync.i32(i32, i32)
declare i32 @llvm.nvvm.redux.sync.add(i32, i32)
declare i32 @llvm.nvvm.redux.sync.min(i32, i32)
declare {i32, i1} @llvm.nvvm.elect.sync(i32)
define ptx_kernel void @votes(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %p = getelementptr i32, ptr addrspace(1) %in, i32 %t
  %x = load i32, ptr addrspace(1) %p
  %c = icmp sgt i32 %x, 0
  %v0 = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 %c)
  %a1 = call i1 @llvm.nvvm.vote.any.sync(i32 -1, i1 %c)
  %v1 = zext i1 %a1 to i32
  %a2 = call i1 @llvm.nvvm.vote.all.sync(i32 -1, i1 %c)
  %v2 = zext i1 %a2 to i32
  %v3 = call i32 @llvm.nvvm.match.any.sync.i32(i32 -1, i32 %x)
  %v4 = call i32 @llvm.nvvm.redux.sync.add(i32 %x, i32 -1)
  %v5 = call i32 @llvm.nvvm.redux.sync.min(i32 %x, i32 -1)
  %e = call {i32, i1} @llvm.nvvm.elect.sync(i32 -1)
  %e1 = extractvalue {i32, i1} %e, 1
  %v6 = zext i1 %e1 to i32
""" + "".join(f"""
  %i{i} = mul i32 %t, 7
  %j{i} = add i32 %i{i}, {i}
  %q{i} = getelementptr i32, ptr addrspace(1) %out, i32 %j{i}
  store i32 %v{i}, ptr addrspace(1) %q{i}""" for i in range(7)) + """
  ret void
}
""")
x = aligned((32,), np.int32, np.random.default_rng(0).integers(-3, 4, 32))
out = aligned((32, 7), np.int32)
k.run("votes", [x, out])
ballot = sum(1 << i for i in range(32) if x[i] > 0)
same = [sum(1 << j for j in range(32) if x[j] == x[i]) for i in range(32)]
assert (out[:, 0].view(np.uint32) == ballot).all()
assert (out[:, 1] == (ballot != 0)).all() and (out[:, 2] == 0).all()
assert (out[:, 3].view(np.uint32) == same).all()
assert (out[:, 4] == x.sum()).all() and (out[:, 5] == x.min()).all()
assert np.array_equal(out[:, 6], np.arange(32) == 0)
print("warp: ok")
