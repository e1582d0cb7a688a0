"""mma.sync of all shapes and types, ldmatrix and stmatrix, against numpy.

The fragments' places are written here as the PTX ISA gives them, element by
element, not as the emulator computes them.
"""
import ml_dtypes
import numpy as np

from emu import Kernel, aligned

rng = np.random.default_rng(3)


def a_place(shape, bits, lane, i):
    """Row and column of A's element i of this lane (PTX ISA, per shape)."""
    group, thread = lane >> 2, lane & 3
    if shape in ("m8n8k4", "m8n8k16", "m8n8k32"):
        per = {4: 1, 16: 4, 32: 8}[int(shape[5:])]
        return group, thread * per + (i % per)
    k = int(shape.split("k")[1])
    if bits == 16 and k == 8:
        return (group if i < 2 else group + 8), thread * 2 + (i & 1)
    if bits == 16 and k == 16:
        row = group if i in (0, 1, 4, 5) else group + 8
        return row, thread * 2 + (i & 1) + (8 if i >= 4 else 0)
    if bits == 32 and k == 4:
        return (group if i == 0 else group + 8), thread
    if bits == 32 and k == 8:
        return (group if i in (0, 2) else group + 8), thread + (4 if i >= 2 else 0)
    if bits == 64:
        return (group if i % 2 == 0 else group + 8), thread + 4 * (i // 2)
    if bits == 8 and k == 16:
        return (group if i < 4 else group + 8), thread * 4 + (i & 3)
    if bits == 8 and k == 32:
        row = group if i < 4 or 8 <= i < 12 else group + 8
        return row, thread * 4 + (i & 3) + (16 if i >= 8 else 0)
    if bits == 4 and k == 32:
        return (group if i < 8 else group + 8), thread * 8 + (i & 7)
    if bits == 4 and k == 64:
        row = group if i < 8 or 16 <= i < 24 else group + 8
        return row, thread * 8 + (i & 7) + (32 if i >= 16 else 0)
    raise ValueError(shape)


def b_place(shape, bits, lane, i):
    group, thread = lane >> 2, lane & 3
    per = max(1, 32 // bits)
    return thread * per + i % per + (i // per) * 4 * per, group


def c_place(shape, lane, i):
    group, thread = lane >> 2, lane & 3
    if shape.startswith("m8"):
        return group, thread * 2 + i
    return (group if i < 2 else group + 8), thread * 2 + (i & 1)


NUMPY = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "tf32": np.float32,
         "f64": np.float64, "s8": np.int8, "u8": np.uint8,
         "e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2,
         "s4": np.int8, "u4": np.uint8, "f32": np.float32, "s32": np.int32}
BITS = {"f16": 16, "bf16": 16, "tf32": 32, "f64": 64, "s8": 8, "u8": 8,
        "e4m3": 8, "e5m2": 8, "s4": 4, "u4": 4}


def values(kind, shape):
    if kind == "s4":
        return rng.integers(-8, 8, shape).astype(np.int8)
    if kind == "u4":
        return rng.integers(0, 16, shape).astype(np.uint8)
    if kind in ("s8", "u8"):
        return rng.integers(*((-128, 128) if kind == "s8" else (0, 256)),
                            shape).astype(NUMPY[kind])
    x = rng.normal(size=shape).astype(np.float32)
    if kind == "tf32":
        x = (x.view(np.uint32) & np.uint32(0xffffe000)).view(np.float32)
    return x.astype(NUMPY[kind])


def fragments(matrix, kind, shape, place, count):
    """The registers of all lanes as bytes: [32, count of elements]."""
    flat = np.zeros((32, count), matrix.dtype)
    for lane in range(32):
        for i in range(count):
            flat[lane, i] = matrix[place(shape, BITS[kind], lane, i)]
    if BITS[kind] == 4:
        nibbles = flat.astype(np.uint8) & 15
        return (nibbles[:, 0::2] | nibbles[:, 1::2] << 4).view(np.uint32)
    return flat.view(np.uint64 if BITS[kind] == 64 else np.uint32)


def test(name, shape, a_kind, b_kind, c_kind, a_type, c_type, d_kind=None):
    """name: the function; a_type, c_type: LLVM types of a register."""
    d_kind = d_kind or c_kind
    m = int(shape[1:].split("n")[0])
    k = int(shape.split("k")[1])
    a, b = values(a_kind, (m, k)), values(b_kind, (k, 8))
    c = (rng.integers(-1000, 1000, (m, 8)) if c_kind == "s32"
         else rng.normal(size=(m, 8))).astype(NUMPY[c_kind])
    fa = fragments(a, a_kind, shape, a_place, m * k // 32)
    fb = fragments(b, b_kind, shape, b_place, k * 8 // 32)
    elements = m * 8 // 32
    fc = np.zeros((32, elements), NUMPY[c_kind])
    for lane in range(32):
        for i in range(elements):
            fc[lane, i] = c[c_place(shape, lane, i)]
    word = np.uint64 if c_kind == "f64" else np.uint32
    fc = fc.view(word)
    d_registers = elements // 2 if d_kind == "f16" else elements
    # One buffer of registers a lane: A, B, C in, D out.
    regs = [("a", fa), ("b", fb), ("c", fc)]
    body, operands = "", []
    for letter, f in regs:
        kind = a_type if letter != "c" else c_type
        step = f.dtype.itemsize
        for r in range(f.shape[1]):
            v = f"{letter}{r}"
            body += f"""
  %o{v} = add i32 %{letter}base, {r * step}
  %p{v} = getelementptr i8, ptr addrspace(1) %{letter}, i32 %o{v}
  %{v} = load {kind}, ptr addrspace(1) %p{v}"""
            operands.append(f"{kind} %{v}")
    bases = "".join(f"  %{l}base = mul i32 %t, {f.shape[1] * f.dtype.itemsize}\n"
                    for l, f in regs)
    d_bytes = 8 if d_kind == "f64" else 4
    d_type = {"f64": "double", "f32": "float", "s32": "i32",
              "f16": c_type if c_kind == "f16" else "<2 x half>"}[d_kind]
    result = "{" + ", ".join([d_type] * d_registers) + "}"
    stores = "".join(f"""
  %d{r} = extractvalue {result} %d, {r}
  %do{r} = add i32 %dbase, {r * d_bytes}
  %dp{r} = getelementptr i8, ptr addrspace(1) %dd, i32 %do{r}
  store {d_type} %d{r}, ptr addrspace(1) %dp{r}""" for r in range(d_registers))
    types = ", ".join(o.split(" %")[0] for o in operands)
    text = f"""
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare {result} @{name}({types})
define ptx_kernel void @mma(ptr addrspace(1) %a, ptr addrspace(1) %b,
    ptr addrspace(1) %c, ptr addrspace(1) %dd) {{
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
{bases}  %dbase = mul i32 %t, {d_registers * d_bytes}
{body}
  %d = call {result} @{name}({", ".join(operands)})
{stores}
  ret void
}}
"""
    d = aligned((32, d_registers), np.uint64 if d_bytes == 8 else np.uint32)
    arrays = []
    for _, f in regs:
        x = aligned(f.shape, f.dtype)
        x[...] = f
        arrays.append(x)
    Kernel(text).run("mma", arrays + [d])
    got = d.view(NUMPY[d_kind])
    wide = np.int64 if d_kind == "s32" else np.float64
    want = a.astype(wide) @ b.astype(wide) + c.astype(wide)
    for lane in range(32):
        for i in range(elements):
            x, y = wide(got[lane, i]), want[c_place(shape, lane, i)]
            tolerance = {"s32": 0, "f64": 1e-13, "f16": 2e-2}.get(d_kind, 1e-3)
            assert abs(x - y) <= tolerance * (1 + abs(y)), (name, lane, i, x, y)


base = "llvm.nvvm.mma."
for k in (8, 16):
    test(f"{base}m16n8k{k}.row.col.f32.f32", f"m16n8k{k}", "f16", "f16", "f32",
         "<2 x half>", "float")
    test(f"{base}m16n8k{k}.row.col.f16.f16", f"m16n8k{k}", "f16", "f16", "f16",
         "<2 x half>", "<2 x half>")
    test(f"{base}m16n8k{k}.row.col.bf16", f"m16n8k{k}", "bf16", "bf16", "f32",
         "i32", "float")
    for t in ("f16", "bf16"):
        test(f"shoal_ptx_mma_m16n8k{k}_f32_{t}", f"m16n8k{k}", t, t, "f32",
             "i32", "float")
test("shoal_ptx_mma_m16n8k16_f16_f16", "m16n8k16", "f16", "f16", "f16", "i32",
     "i32")
for k in (4, 8):
    test(f"{base}m16n8k{k}.row.col.tf32", f"m16n8k{k}", "tf32", "tf32", "f32",
         "i32", "float")
    test(f"shoal_ptx_mma_m16n8k{k}_f32_tf32", f"m16n8k{k}", "tf32", "tf32",
         "f32", "i32", "float")
for shape in ("m8n8k4", "m16n8k4", "m16n8k8", "m16n8k16"):
    test(f"{base}{shape}.row.col.f64", shape, "f64", "f64", "f64", "double",
         "double")
    if shape != "m16n8k16":
        test(f"shoal_ptx_mma_{shape}_f64_f64", shape, "f64", "f64", "f64",
             "double", "double")
for shape in ("m8n8k16", "m16n8k16", "m16n8k32"):
    for a, b in (("s8", "s8"), ("s8", "u8"), ("u8", "s8"), ("u8", "u8")):
        suffix = a if a == b else f"{a}.{b}"
        test(f"{base}{shape}.row.col.{suffix}", shape, a, b, "s32", "i32", "i32")
        test(f"{base}{shape}.row.col.satfinite.{suffix}", shape, a, b, "s32",
             "i32", "i32")
        if shape != "m8n8k16":
            test(f"shoal_ptx_mma_{shape}_s32_{suffix.replace('.', '_')}", shape,
                 a, b, "s32", "i32", "i32")
for shape in ("m8n8k32", "m16n8k32", "m16n8k64"):
    test(f"{base}{shape}.row.col.s4", shape, "s4", "s4", "s32", "i32", "i32")
    test(f"{base}{shape}.row.col.u4.s4", shape, "u4", "s4", "s32", "i32", "i32")
for a in ("e4m3", "e5m2"):
    for b in ("e4m3", "e5m2"):
        test(f"{base}m16n8k32.row.col.f32.{a}.{b}.f32", "m16n8k32", a, b, "f32",
             "i32", "float")
        test("shoal_ptx_mma_m16n8k32_f32_" + (a if a == b else f"{a}_{b}"),
             "m16n8k32", a, b, "f32", "i32", "float")

# ldmatrix and stmatrix: rows at swizzled places; what is loaded is stored
# elsewhere, and both are compared with numpy.
for trans in ("", ".trans"):
    text = f"""
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare {{i32, i32, i32, i32}} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4{trans}.b16.p3(ptr addrspace(3))
declare void @shoal_ptx_stmatrix_x2{trans.replace(".", "_")}(ptr addrspace(3), i32, i32)
define ptx_kernel void @move(ptr addrspace(1) %in, ptr addrspace(1) %regs,
                             ptr addrspace(1) %out) {{
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %x = xor i32 %t, 5
  %p = getelementptr [16 x i8], ptr addrspace(1) %in, i32 %t
  %v = load <4 x i32>, ptr addrspace(1) %p
  %s = getelementptr [16 x i8], ptr addrspace(3) @shoal_smem, i32 %x
  store <4 x i32> %v, ptr addrspace(3) %s
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %m = call {{i32, i32, i32, i32}} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4{trans}.b16.p3(ptr addrspace(3) %s)
  %m0 = extractvalue {{i32, i32, i32, i32}} %m, 0
  %m1 = extractvalue {{i32, i32, i32, i32}} %m, 1
  %m2 = extractvalue {{i32, i32, i32, i32}} %m, 2
  %m3 = extractvalue {{i32, i32, i32, i32}} %m, 3
  %w0 = insertelement <4 x i32> poison, i32 %m0, i32 0
  %w1 = insertelement <4 x i32> %w0, i32 %m1, i32 1
  %w2 = insertelement <4 x i32> %w1, i32 %m2, i32 2
  %w3 = insertelement <4 x i32> %w2, i32 %m3, i32 3
  %q = getelementptr [16 x i8], ptr addrspace(1) %regs, i32 %t
  store <4 x i32> %w3, ptr addrspace(1) %q
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  call void @shoal_ptx_stmatrix_x2{trans.replace(".", "_")}(ptr addrspace(3) %s, i32 %m2, i32 %m3)
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %y = load <4 x i32>, ptr addrspace(3) %s
  %r = getelementptr [16 x i8], ptr addrspace(1) %out, i32 %t
  store <4 x i32> %y, ptr addrspace(1) %r
  ret void
}}
"""
    rows = aligned((32, 8), np.uint16, np.arange(256).reshape(32, 8))
    regs = aligned((32, 4, 2), np.uint16)
    out = aligned((32, 8), np.uint16)
    Kernel(text).run("move", [rows, regs, out], shared=512)
    for lane in range(32):
        for matrix in range(4):
            for half in range(2):
                r, c = lane // 4, 2 * (lane % 4) + half
                if trans:
                    r, c = c, r
                assert regs[lane, matrix, half] == rows[matrix * 8 + r, c]
    assert np.array_equal(out[:16], rows[16:]) and np.array_equal(out[16:], rows[16:])

# Not the whole warp.
k = Kernel("""
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare {i32} @x()
declare i32 @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.b16.p3(ptr addrspace(3))
define ptx_kernel void @half(ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %c = icmp ult i32 %t, 16
  br i1 %c, label %a, label %b
a:
  %m = call i32 @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.b16.p3(ptr addrspace(3) @shoal_smem)
  store i32 %m, ptr addrspace(1) %out
  br label %b
b:
  ret void
}
""".replace("declare {i32} @x()\n", ""))
k.expect_error("threads wait for each other", "half",
               [aligned((4,), np.int32)], shared=16)
print("mma: ok")
