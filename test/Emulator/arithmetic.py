"""Arithmetic, conversions and integer instructions of one thread against
numpy and ml_dtypes, over chosen and random bits."""
import ml_dtypes
import numpy as np

from emu import Kernel, aligned

rng = np.random.default_rng(11)
TYPES = {"float": np.float32, "double": np.float64, "i32": np.int32,
         "i64": np.int64, "i16": np.int16, "half": np.uint16,
         "bfloat": np.uint16, "<2 x half>": np.uint32,
         "<2 x bfloat>": np.uint32}


def apply(name, result, types, arrays):
    """The instruction of every row of the arrays."""
    n = len(arrays[0])
    body, operands = "", []
    for i, t in enumerate(types):
        body += f"""
  %p{i} = getelementptr {t}, ptr addrspace(1) %in{i}, i32 %i
  %x{i} = load {t}, ptr addrspace(1) %p{i}"""
        operands.append(f"{t} %x{i}")
    text = f"""
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare {result} @{name}({", ".join(types)})
define ptx_kernel void @k({", ".join(f"ptr addrspace(1) %in{i}" for i in range(len(types)))}, ptr addrspace(1) %out, i32 %n) {{
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %b2 = mul i32 %b, 128
  %i = add i32 %b2, %t
  %ok = icmp slt i32 %i, %n
  br i1 %ok, label %do, label %end
do:{body}
  %y = call {result} @{name}({", ".join(operands)})
  %q = getelementptr {result}, ptr addrspace(1) %out, i32 %i
  store {result} %y, ptr addrspace(1) %q
  br label %end
end:
  ret void
}}
"""
    out = aligned((n,), TYPES[result])
    inputs = []
    for t, a in zip(types, arrays):
        x = aligned((n,), TYPES[t])
        x[...] = a
        inputs.append(x)
    Kernel(text).run("k", inputs + [out, n], grid=((n + 127) // 128,),
                     block=(128,))
    return out


def same(got, want, ulp=0):
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    close = np.abs(got - want) <= ulp * np.abs(want) * 2.0 ** -23
    good = (got == want) | (np.isnan(got) & np.isnan(want)) | close
    assert good.all(), (got[~good][:5], want[~good][:5])


special = np.array([0, -0.0, 1, -1, 0.5, 2.5, -2.5, 3.5, 1e-40, -1e-40, 65504,
                    65520, 70000, 448, 464, 480, 1e30, -1e30, np.inf, -np.inf,
                    np.nan, 2.0 ** 31, -2.0 ** 31, 0.1], np.float32)
x = np.concatenate([special, rng.normal(size=200).astype(np.float32),
                    (rng.normal(size=76) * 1e3).astype(np.float32)])
y = rng.permutation(x)
z = rng.permutation(x)
np.seterr(all="ignore")
f = "float"
flush = lambda a: np.where(np.abs(a) < 2.0 ** -126, np.copysign(0, a), a).astype(np.float32)

same(apply("llvm.nvvm.ex2.approx.ftz.f32", f, [f], [x]), flush(np.exp2(flush(x))), 2)
same(apply("shoal_ptx_ex2_approx_ftz_f32", f, [f], [x]), flush(np.exp2(flush(x))), 2)
same(apply("llvm.nvvm.lg2.approx.f", f, [f], [x]), np.log2(x), 2)
same(apply("shoal_ptx_rcp_approx_ftz_f32", f, [f], [x]), flush(1 / flush(x)), 1)
same(apply("llvm.nvvm.rsqrt.approx.f", f, [f], [x]), 1 / np.sqrt(x.astype(np.float64)), 2)
same(apply("llvm.nvvm.sqrt.rn.f", f, [f], [x]), np.sqrt(x))
same(apply("shoal_ptx_tanh_approx_f32", f, [f], [x]), np.tanh(x), 2)
same(apply("llvm.nvvm.sin.approx.f", f, [f], [x]), np.sin(x), 2)
same(apply("llvm.nvvm.fma.rn.f", f, [f] * 3, [x, y, z]),
     (x.astype(np.float64) * y + z).astype(np.float32), 1)
same(apply("llvm.nvvm.fmax.f", f, [f] * 2, [x, y]), np.fmax(x, y))
same(apply("llvm.nvvm.fmin.nan.f", f, [f] * 2, [x, y]), np.minimum(x, y))
same(apply("llvm.nvvm.saturate.f", f, [f], [x]), np.where(np.isnan(x), 0, np.clip(x, 0, 1)))
exact = x.astype(np.float64) + y.astype(np.float64)
down = apply("llvm.nvvm.add.rm.f", f, [f] * 2, [x, y]).astype(np.float64)
up = apply("llvm.nvvm.add.rp.f", f, [f] * 2, [x, y]).astype(np.float64)
number = np.isfinite(exact)
assert (down[number] <= exact[number]).all() and (up[number] >= exact[number]).all()
same(apply("llvm.nvvm.floor.f", f, [f], [x]), np.floor(x))

# Conversions.
finite = x[np.isfinite(x) & (np.abs(x) < 2e9)]
same(apply("llvm.nvvm.f2i.rz", "i32", [f], [finite]), np.trunc(finite).astype(np.int64))
same(apply("llvm.nvvm.f2i.rn", "i32", [f], [finite]), np.rint(finite).astype(np.int64))
same(apply("llvm.nvvm.f2i.rm", "i32", [f], [finite]), np.floor(finite).astype(np.int64))
i = rng.integers(-2 ** 62, 2 ** 62, 256)
same(apply("llvm.nvvm.ll2f.rn", f, ["i64"], [i]), i.astype(np.float32))
same(apply("llvm.nvvm.ll2d.rn", "double", ["i64"], [i]), i.astype(np.float64))
bits = apply("shoal_ptx_cvt_rna_tf32_f32", "i32", [f], [finite])
magnitude = (np.abs(finite).view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xffffe000)
want = magnitude | (finite.view(np.uint32) & np.uint32(0x80000000))
tiny = np.abs(finite) < 1e-30
assert np.array_equal(bits.view(np.uint32)[~tiny], want[~tiny])
for name in ("llvm.nvvm.ff2bf16x2.rn", "shoal_ptx_cvt_rn_bf16x2_f32"):
    kind = "<2 x bfloat>" if name[0] == "l" else "i32"
    got = apply(name, kind, [f, f], [x, y]).view(np.uint16).reshape(-1, 2)
    for half, source in ((1, x), (0, y)):
        same(got[:, half].view(ml_dtypes.bfloat16).astype(np.float32),
             source.astype(ml_dtypes.bfloat16).astype(np.float32))
got = apply("shoal_ptx_cvt_rn_f16x2_f32", "i32", [f, f], [x, y])
got = got.view(np.float16).reshape(-1, 2)
same(got[:, 1], x.astype(np.float16)), same(got[:, 0], y.astype(np.float16))
for kind, dtype, largest in (("e4m3", ml_dtypes.float8_e4m3fn, 448),
                             ("e5m2", ml_dtypes.float8_e5m2, 57344)):
    clamped = np.clip(x, -largest, largest).astype(dtype).astype(np.float32)
    for name in (f"llvm.nvvm.ff.to.{kind}x2.rn", f"shoal_ptx_cvt_rn_satfinite_{kind}x2_f32"):
        got = apply(name, "i16", [f, f], [x, y]).view(np.uint8).reshape(-1, 2)
        same(got[:, 1].view(dtype).astype(np.float32), clamped)
    codes = np.arange(256, dtype=np.uint8)
    pairs = (codes.astype(np.uint16) << 8 | codes[::-1]).view(np.int16)
    got = apply(f"shoal_ptx_cvt_rn_f16x2_{kind}x2", "i32", ["i16"], [pairs])
    got = got.view(np.float16).reshape(-1, 2)
    same(got[:, 1], codes.view(dtype).astype(np.float32))

# Integers.
a, b, c = (rng.integers(-2 ** 31, 2 ** 31, 256).astype(np.int32) for _ in range(3))
bytes_ = np.concatenate([a.view(np.uint8).reshape(-1, 4), b.view(np.uint8).reshape(-1, 4)], 1)
selectors = rng.integers(0, 16, (256, 4))
packed = sum(selectors[:, j].astype(np.int64) << 4 * j for j in range(4)).astype(np.int32)
got = apply("llvm.nvvm.prmt", "i32", ["i32"] * 3, [a, b, packed]).view(np.uint8).reshape(-1, 4)
for j in range(4):
    byte = bytes_[np.arange(256), selectors[:, j] & 7]
    assert np.array_equal(got[:, j], np.where(selectors[:, j] & 8, np.where(byte & 128, 255, 0), byte))
dot = (a.view(np.int8).reshape(-1, 4).astype(np.int64) * b.view(np.int8).reshape(-1, 4)).sum(1) + c
assert np.array_equal(apply("llvm.nvvm.idp4a.s.s", "i32", ["i32"] * 3, [a, b, c]), dot.astype(np.int32))
assert np.array_equal(apply("llvm.nvvm.mulhi.i", "i32", ["i32"] * 2, [a, b]),
                      (a.astype(np.int64) * b >> 32).astype(np.int32))
print("arithmetic: ok")
