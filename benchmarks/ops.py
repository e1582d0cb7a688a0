"""Time of single operations, Shoal beside JAX/XLA on CPU, one device.

  python benchmarks/ops.py [--only WORD…] [--rounds N] [--steps N] [--out FILE.md]

Each operation is a JAX function; its StableHLO is run by shoal-run and by XLA
in this one run, the rounds of both alternating on the same inputs. Columns:
least and median milliseconds of each, ratios Shoal / XLA of the least times
(which other load of the machine changes least) and of the medians. The results
of both are compared as well: a fast wrong operation is a failure.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax import lax

TOP = Path(__file__).resolve().parent.parent
RUN = TOP / "build" / "bin" / "shoal-run"
rng = np.random.default_rng(1)
OPS = {}


def op(name, *args, tolerance=1e-4):
    """Registers a function of `args` (arrays, or functions that make them)."""
    def register(fn):
        OPS[name] = (fn, args, tolerance)
        return fn
    return register


def normal(*shape, dtype=np.float32):
    def make():
        if np.issubdtype(dtype, np.complexfloating):
            return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
        return rng.normal(size=shape).astype(dtype)
    return make


def integers(low, high, *shape, dtype=np.int32):
    return lambda: rng.integers(low, high, size=shape).astype(dtype)


# --- products -----------------------------------------------------------------
def product(name, m, n, k, dtype, result=None, make=None, tolerance=1e-4):
    make = make or (lambda *shape: normal(*shape, dtype=dtype))
    op(f"product {name} {m}x{n}x{k}", make(m, k), make(k, n), tolerance=tolerance)(
        lambda a, b: lax.dot_general(a, b, (((1,), (0,)), ((), ())), preferred_element_type=result))


bytes_ = lambda *shape: integers(-128, 128, *shape, dtype=np.int8)
ubytes = lambda *shape: integers(0, 256, *shape, dtype=np.uint8)
for size in (256, 512, 1024):
    cube = (size, size, size)
    product("f32", *cube, np.float32)
    product("bf16", *cube, ml_dtypes.bfloat16, tolerance=0.05)
    product("bf16->f32", *cube, ml_dtypes.bfloat16, np.float32, tolerance=0.05)
    product("f16", *cube, np.float16, tolerance=0.02)
    product("f16->f32", *cube, np.float16, np.float32, tolerance=0.02)
    product("f64", *cube, np.float64)
    product("i8->i32", *cube, np.int8, np.int32, bytes_)
    product("u8->i32", *cube, np.uint8, np.int32, ubytes)
    product("i16->i32", *cube, np.int16, np.int32, lambda *s: integers(-99, 99, *s, dtype=np.int16))
    product("i32", *cube, np.int32, None, lambda *s: integers(-99, 99, *s, dtype=np.int32))
    product("c64", *cube, np.complex64, tolerance=1e-3)
product("c128", 512, 512, 512, np.complex128)
product("f8e4m3->f32", 512, 512, 512, ml_dtypes.float8_e4m3fn, np.float32, tolerance=0.05)


# --- sliding windows ----------------------------------------------------------
def max_pool(x, window, stride, padding):
    return lax.reduce_window(x, -np.inf, lax.max, window, stride, padding)


image, image_nchw = normal(1, 112, 112, 64), normal(1, 64, 112, 112)
op("max_pool 3x3s2 1x112x112x64", image)(lambda x: max_pool(x, (1, 3, 3, 1), (1, 2, 2, 1), "SAME"))
op("max_pool 3x3s2 1x64x112x112", image_nchw)(lambda x: max_pool(x, (1, 1, 3, 3), (1, 1, 2, 2), "SAME"))
op("max_pool 2x2s2 8x64x64x32", normal(8, 64, 64, 32))(lambda x: max_pool(x, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"))
op("avg_pool 7x7 1x112x112x64", image)(
    lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 7, 7, 1), (1, 1, 1, 1), "SAME") / 49)
op("grad max_pool 3x3s2 1x112x112x64", image)(
    jax.grad(lambda x: (max_pool(x, (1, 3, 3, 1), (1, 2, 2, 1), "SAME") ** 2).sum()))
op("grad max_pool 2x2s2 8x64x64x32", normal(8, 64, 64, 32))(
    jax.grad(lambda x: (max_pool(x, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") ** 2).sum()))
op("grad avg_pool 3x3s2 1x112x112x64", image)(
    jax.grad(lambda x: (lax.reduce_window(x, 0.0, lax.add, (1, 3, 3, 1), (1, 2, 2, 1), "SAME") ** 2).sum()))
op("moving sum 1000 of 100000", normal(100000), tolerance=1e-3)(
    lambda x: lax.reduce_window(x, np.float32(0), lax.add, (1000,), (1,), "VALID"))
op("moving max 101x101 of 512x512", normal(512, 512))(lambda x: max_pool(x, (101, 101), (1, 1), "SAME"))
op("moving sum 64x64s8 of 1024x1024", normal(1024, 1024), tolerance=1e-3)(
    lambda x: lax.reduce_window(x, np.float32(0), lax.add, (64, 64), (8, 8), "VALID"))
op("cumsum 1000000", normal(1000000), tolerance=1e-2)(lambda x: jnp.cumsum(x))
op("cumsum 1000x1000 rows", normal(1000, 1000), tolerance=1e-3)(lambda x: jnp.cumsum(x, axis=1))
op("cumsum 1000x1000 columns", normal(1000, 1000), tolerance=1e-3)(lambda x: jnp.cumsum(x, axis=0))
op("cummax 1000000", normal(1000000))(lambda x: lax.cummax(x))
op("cumlogsumexp 100000", normal(100000))(lambda x: lax.cumlogsumexp(x))
op("cumsum i32 1000000", integers(-9, 9, 1000000))(lambda x: jnp.cumsum(x, dtype=jnp.int32))

# --- indices ------------------------------------------------------------------
table, rows = normal(50000, 256), integers(0, 50000, 4096)
op("gather rows 4096 of 50000x256", table, rows)(lambda t, i: t[i])
op("gather elements 1e6 of 1e6", normal(1000000), integers(0, 1000000, 1000000))(lambda t, i: t[i])
op("take_along_axis 4096x1024", normal(4096, 1024), integers(0, 1024, 4096, 64))(
    lambda x, i: jnp.take_along_axis(x, i, axis=1))
op("scatter-add rows 4096 into 50000x256", table, rows, normal(4096, 256))(lambda t, i, u: t.at[i].add(u))
op("scatter-add elements 1e6 into 1e5", normal(100000), integers(0, 100000, 1000000), normal(1000000), tolerance=1e-3)(
    lambda t, i, u: t.at[i].add(u))
op("scatter-set elements 1e5 into 1e6", normal(1000000), lambda: rng.permutation(1000000)[:100000].astype(np.int32),
   normal(100000))(lambda t, i, u: t.at[i].set(u))
op("histogram 1e6 into 256", integers(0, 256, 1000000))(lambda i: jnp.zeros(256, jnp.int32).at[i].add(1))
op("dynamic_slice rows 1024x1024", normal(4096, 1024), integers(0, 3000))(
    lambda x, i: lax.dynamic_slice_in_dim(x, i, 1024) * 2)

# --- sorting ------------------------------------------------------------------
op("sort 1000000", normal(1000000))(lambda x: lax.sort(x))
op("sort 1000x1000 rows", normal(1000, 1000))(lambda x: lax.sort(x, dimension=1))
op("sort 1000x1000 columns", normal(1000, 1000))(lambda x: lax.sort(x, dimension=0))
op("argsort 1000000", normal(1000000))(lambda x: jnp.argsort(x))
op("sort i32 1000000", integers(-10**9, 10**9, 1000000))(lambda x: lax.sort(x))
op("top_k 64 of 256x32000", normal(256, 32000))(lambda x: lax.top_k(x, 64))
op("top_k 5 of 1000000", normal(1000000))(lambda x: lax.top_k(x, 5))
op("argmax 256x32000", normal(256, 32000))(lambda x: jnp.argmax(x, axis=-1))
op("median 1000x999", normal(1000, 999))(lambda x: jnp.median(x, axis=1))

# --- random numbers -----------------------------------------------------------
op("threefry bits 1e6", integers(0, 2**31, 2, dtype=np.uint32))(
    lambda k: jax.random.bits(jax.random.wrap_key_data(k, impl="threefry2x32"), (1000000,), jnp.uint32))
op("threefry normal 1e6", integers(0, 2**31, 2, dtype=np.uint32))(
    lambda k: jax.random.normal(jax.random.wrap_key_data(k, impl="threefry2x32"), (1000000,), jnp.float32))
op("rbg bits 1e6", integers(0, 2**31, 4, dtype=np.uint32))(
    lambda k: jax.random.bits(jax.random.wrap_key_data(k, impl="rbg"), (1000000,), jnp.uint32))

# --- convolutions -------------------------------------------------------------
DIMS = ("NHWC", "HWIO", "NHWC")


def conv(x, w, stride=1, groups=1):
    return lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=DIMS, feature_group_count=groups)


x_, w_ = normal(8, 28, 28, 128), normal(3, 3, 128, 128)
op("conv 3x3 8x28x28x128", x_, w_, tolerance=1e-3)(conv)
op("conv 3x3 input gradient", x_, w_, tolerance=1e-3)(jax.grad(lambda x, w: (conv(x, w) ** 2).sum()))
op("conv 3x3 kernel gradient", x_, w_, tolerance=1e-3)(jax.grad(lambda x, w: (conv(x, w) ** 2).sum(), argnums=1))
op("conv 3x3s2 gradients", x_, w_, tolerance=1e-3)(
    jax.grad(lambda x, w: (conv(x, w, 2) ** 2).sum(), argnums=(0, 1)))
op("conv 7x7s2 4x224x224x3", normal(4, 224, 224, 3), normal(7, 7, 3, 64), tolerance=1e-3)(
    lambda x, w: conv(x, w, 2))
op("conv 1x1 8x28x28x128", x_, normal(1, 1, 128, 256), tolerance=1e-3)(conv)
op("depthwise 3x3 8x56x56x128", normal(8, 56, 56, 128), normal(3, 3, 1, 128), tolerance=1e-3)(
    lambda x, w: conv(x, w, 1, 128))
op("depthwise 3x3 gradients", normal(8, 28, 28, 64), normal(3, 3, 1, 64), tolerance=1e-3)(
    jax.grad(lambda x, w: (conv(x, w, 1, 64) ** 2).sum(), argnums=(0, 1)))
op("conv1d causal 8x2048x256 k4", normal(8, 2048, 256), normal(4, 1, 256), tolerance=1e-3)(
    lambda x, w: lax.conv_general_dilated(x, w, (1,), [(3, 0)], dimension_numbers=("NWC", "WIO", "NWC"),
                                          feature_group_count=256))
op("conv f64 3x3 4x28x28x32", normal(4, 28, 28, 32, dtype=np.float64), normal(3, 3, 32, 32, dtype=np.float64))(conv)

# --- others -------------------------------------------------------------------
op("fft c64 64x4096", normal(64, 4096, dtype=np.complex64), tolerance=1e-2)(lambda x: jnp.fft.fft(x))
op("rfft f32 64x4096", normal(64, 4096), tolerance=1e-2)(lambda x: jnp.fft.rfft(x))
op("fft2 c64 512x512", normal(512, 512, dtype=np.complex64), tolerance=1e-1)(lambda x: jnp.fft.fft2(x))
op("transpose 2048x2048", normal(2048, 2048))(lambda x: x.T + 0)
op("transpose 64x512x8x64 heads", normal(16, 512, 8, 64))(lambda x: x.transpose(0, 2, 1, 3) * 2)
op("softmax 4096x4096", normal(4096, 4096))(lambda x: jax.nn.softmax(x))
op("reduce columns 4096x4096", normal(4096, 4096), tolerance=1e-3)(lambda x: x.sum(0))
op("reduce all 4096x4096", normal(4096, 4096), tolerance=1e-1)(lambda x: x.sum())
op("concatenate 3x 1024x1024", normal(1024, 1024), normal(1024, 1024), normal(1024, 1024))(
    lambda a, b, c: jnp.concatenate([a, b, c], axis=1))
op("cholesky 512", lambda: (lambda a: (a @ a.T + 512 * np.eye(512)).astype(np.float32))(rng.normal(size=(512, 512))),
   tolerance=1e-2)(lambda x: jnp.linalg.cholesky(x))


def to_npz(x):
    x = np.asarray(x)
    return x if x.dtype.kind in "biufc" and x.dtype.isbuiltin == 1 else x.view(f"V{x.dtype.itemsize}")


def measure(name, rounds, steps, tmp):
    fn, makers, tolerance = OPS[name]
    args = [make() for make in makers]
    lowered = jax.jit(fn).lower(*args)
    (tmp / "op.mlir").write_text(lowered.as_text())
    np.savez(tmp / "op.npz", **{f"arg{i}": to_npz(a) for i, a in enumerate(args)})
    compiled = lowered.compile()
    placed = [jax.device_put(a) for a in args]
    want = jax.tree.leaves(jax.block_until_ready(compiled(*placed)))
    command = [str(RUN), str(tmp / "op.mlir"), f"--input={tmp / 'op.npz'}", "--single-device",
               f"--report={tmp / 'op.json'}"]

    def shoal(n, *more):
        result = subprocess.run(command + [f"--repeat={n}", *more], stderr=subprocess.PIPE, text=True)
        if result.returncode:
            raise RuntimeError(result.stderr.strip().splitlines()[0] if result.stderr else f"exit {result.returncode}")
        s = json.loads((tmp / "op.json").read_text())["measured"]["step_s"]
        return [s["min"], s["median"], s["max"]]

    def xla(n):
        times = []
        for _ in range(n):
            start = time.monotonic()
            jax.block_until_ready(compiled(*placed))
            times.append(time.monotonic() - start)
        return times

    shoal(1, f"--output={tmp / 'out.npz'}")
    with np.load(tmp / "out.npz") as got:
        for i, w in enumerate(want):
            w, g = np.asarray(w), got[f"out{i}"]
            g = g.view(w.dtype) if g.dtype.kind == "V" else g
            wide = np.complex128 if w.dtype.kind == "c" else np.float64
            error = np.abs(g.astype(wide) - w.astype(wide)).max(initial=0)
            if not error <= tolerance * max(1, np.abs(w.astype(wide)).max(initial=0)):
                raise RuntimeError(f"result {i} differs by {error}")
    ours, theirs = [], []
    for _ in range(rounds):
        ours += shoal(steps)
        theirs += xla(steps)
    return dict(shoal=ours, xla=theirs)


def line(name, r):
    a, b = (sorted(r[x]) for x in ("shoal", "xla"))
    ma, mb = statistics.median(a), statistics.median(b)
    return (f"| {name} | {a[0] * 1e3:.2f} | {b[0] * 1e3:.2f} | **{a[0] / b[0]:.2f}** | "
            f"{ma * 1e3:.2f} | {mb * 1e3:.2f} | {ma / mb:.2f} |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", nargs="*", default=[], help="operations whose names contain one of these words")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=7)
    p.add_argument("--out", type=Path)
    args = p.parse_args()
    lines = ["| operation | Shoal least ms | XLA least ms | ratio | Shoal median ms | XLA median ms | ratio |",
             "|" + " --- |" * 7]
    print("\n".join(lines), flush=True)
    failed = False
    with tempfile.TemporaryDirectory() as tmp:
        os.environ["SHOAL_CACHE_DIR"] = str(Path(tmp) / "cache")
        for name in OPS:
            if args.only and not any(word in name for word in args.only):
                continue
            try:
                lines.append(line(name, measure(name, args.rounds, args.steps, Path(tmp))))
            except RuntimeError as error:
                failed = True
                lines.append(f"| {name} | failed: {error} |")
            print(lines[-1], flush=True)
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
