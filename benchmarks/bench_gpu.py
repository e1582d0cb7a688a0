#!/usr/bin/env python3
"""GPU benchmarks on one GPU, in one command: `make bench-gpu`.

  bench_gpu.py [--only TEXT] [--steps N] [--out FILE.json] [--no-check] [--tiny]

1. Correctness: the example models on this GPU, eight ranks sharing it
   (--ranks-per-device), against their expected outputs; a few of them under
   compute-sanitizer, where it is installed.
2. Speed: products (bf16, fp8, int8, skinny, grouped, ragged), attention forward and
   backward, softmax, norms, AdamW, a GPT training step. TFLOP/s or TB/s of the
   median step, beside cuBLAS and PyTorch (cuDNN attention, its own kernels),
   where these are installed.

Programs are lowered from JAX, for Shoal to compile; JAX itself does not run.
A step includes launching it (some microseconds; steps are CUDA graphs). What is
not there is said: no driver, no ptxas, no cuBLAS, no PyTorch. `--tiny`: the
smallest sizes, to test this script (also on the emulator's stand-ins).
"""
import argparse
import ctypes
import glob
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
BIN = Path(os.environ.get("SHOAL_BUILD") or TOP / "build") / "bin"
MODELS = TOP / "examples" / "models"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# NVIDIA's data sheets, dense: TFLOP/s of 16-bit and 8-bit products, TB/s.
PEAKS = {"A100": (312, 624, 2.04), "H100": (989, 1979, 3.35),
         "H200": (989, 1979, 4.8), "B200": (2250, 4500, 8.0)}


class Case:
    """A function of arrays, its work, and the same in PyTorch."""

    def __init__(self, name, function, shapes, flops=0, bytes=0, torch=None,
                 gemm=None, file=None):
        self.name, self.function, self.shapes = name, function, shapes
        self.flops, self.bytes = flops, bytes
        self.torch, self.gemm, self.file = torch, gemm, file


def cases(tiny):
    import jax
    import jax.numpy as jnp
    size = (lambda n: max(16, n // 64)) if tiny else (lambda n: n)
    bf16, f32, fp8, i8 = jnp.bfloat16, jnp.float32, jnp.float8_e4m3fn, jnp.int8
    result = []

    def product(name, m, n, k, dtype=bf16, out=bf16, sums=f32, transposed=False):
        m, n, k = (size(x) if x > 64 else x for x in (m, n, k))
        spec = "mk,nk->mn" if transposed else "mk,kn->mn"

        def run(a, b):
            return jnp.einsum(spec, a, b, preferred_element_type=sums).astype(out)
        peer = None
        if dtype == bf16:
            peer = lambda torch, a, b: (lambda: torch.matmul(a, b))
        elif dtype == fp8:
            def peer(torch, a, b):
                one = torch.ones((), device="cuda")
                return lambda: torch._scaled_mm(a, b.t(), one, one,
                                                out_dtype=torch.bfloat16)
        elif dtype == i8:
            peer = lambda torch, a, b: (lambda: torch._int_mm(a, b.t()))
        result.append(Case(name, run, [((m, k), dtype),
                                       ((n, k) if transposed else (k, n), dtype)],
                           flops=2 * m * n * k, torch=peer,
                           gemm=(m, n, k) if dtype == bf16 and not transposed
                           else None))

    product("gemm bf16 4096", 4096, 4096, 4096)
    product("gemm bf16 8192", 8192, 8192, 8192)
    product("gemm bf16 K=1024", 8192, 8192, 1024)
    product("gemm bf16 skinny M=16", 16, 8192, 8192)
    product("gemm bf16 long K", 512, 512, 65536)
    product("gemm fp8 4096", 4096, 4096, 4096, fp8, transposed=True)
    product("gemm fp8 8192", 8192, 8192, 8192, fp8, transposed=True)
    product("gemm int8 4096", 4096, 4096, 4096, i8, jnp.int32, jnp.int32, True)
    g, m, n, k = 8, size(1024), size(2048), size(4096)
    result.append(Case(
        "gemm bf16 grouped 8", lambda a, b: jnp.einsum("gmk,gkn->gmn", a, b),
        [((g, m, k), bf16), ((g, k, n), bf16)], flops=2 * g * m * n * k,
        torch=lambda torch, a, b: (lambda: torch.bmm(a, b))))

    # The same rows in groups of uneven sizes, as experts have them: no larger
    # group is padded to, so the time should be that of equal groups.
    weights = [1, 9, 0, 17, 5, 2, 25, 5]
    uneven = [w * g * m // sum(weights) for w in weights]
    uneven[-1] += g * m - sum(uneven)

    def ragged(x, w):
        return jax.lax.ragged_dot(x, w, jnp.array(uneven, jnp.int32))

    result.append(Case("gemm bf16 ragged 8", ragged, [((g * m, k), bf16), ((g, k, n), bf16)],
                       flops=2 * g * m * n * k))
    result.append(Case(
        "gemm bf16 ragged 8 gradients",
        lambda x, w, d: jax.vjp(ragged, x, w)[1](d),
        [((g * m, k), bf16), ((g, k, n), bf16), ((g * m, n), bf16)], flops=4 * g * m * n * k))

    def attention(q, k, v, causal):
        s = jnp.einsum("bhqd,bhkd->bhqk", q, k, preferred_element_type=f32)
        s = s * (1 / math.sqrt(q.shape[-1]))
        if causal:
            i = jax.lax.broadcasted_iota(jnp.int32, s.shape, 2)
            j = jax.lax.broadcasted_iota(jnp.int32, s.shape, 3)
            s = jnp.where(i >= j, s, -jnp.inf)
        p = jax.nn.softmax(s, axis=-1).astype(v.dtype)
        return jnp.einsum("bhqk,bhkd->bhqd", p, v)

    for d in (64, 128):
        for causal in (False, True):
            b, h, length = (1, 2, 64) if tiny else (2, 2048 // d, 4096)
            shape = [((b, h, length, d), bf16)] * 3
            flops = 4 * b * h * length * length * d // (2 if causal else 1)
            name = f"attention d={d}{' causal' if causal else ''}"

            def forward(torch, q, k, v, causal=causal):
                f = torch.nn.functional.scaled_dot_product_attention
                return lambda: f(q, k, v, is_causal=causal)

            def backward(torch, q, k, v, causal=causal):
                f = torch.nn.functional.scaled_dot_product_attention
                for x in (q, k, v):
                    x.requires_grad_(True)
                out = f(q, k, v, is_causal=causal)
                grad = torch.ones_like(out)
                return lambda: torch.autograd.grad(out, (q, k, v), grad,
                                                   retain_graph=True)
            result.append(Case(name, lambda q, k, v, c=causal:
                               attention(q, k, v, c), shape, flops=flops,
                               torch=forward))
            result.append(Case(
                name + " backward (+ forward)",
                lambda q, k, v, c=causal: jax.grad(
                    lambda *x: attention(*x, c).astype(f32).sum(),
                    argnums=(0, 1, 2))(q, k, v),
                shape, flops=flops * 7 // 2, torch=backward))

    rows = 64 if tiny else 16384
    for width in (1024, 8192, 65536):
        w = size(width)
        r = rows if width < 65536 else max(16, rows // 8)
        result.append(Case(
            f"softmax bf16 x{width}",
            lambda x: jax.nn.softmax(x.astype(f32), axis=-1).astype(bf16),
            [((r, w), bf16)], bytes=4 * r * w,
            torch=lambda torch, x: (lambda: torch.softmax(x, -1))))

    w = size(4096)

    def layer_norm(x, scale, bias):
        y = x.astype(f32)
        y = y - y.mean(-1, keepdims=True)
        y = y * jax.lax.rsqrt((y * y).mean(-1, keepdims=True) + 1e-5)
        return (y * scale + bias).astype(bf16)

    def rms_norm(x, scale):
        y = x.astype(f32)
        return (y * jax.lax.rsqrt((y * y).mean(-1, keepdims=True) + 1e-5)
                * scale).astype(bf16)
    result.append(Case(
        "layer norm bf16 x4096", layer_norm,
        [((rows, w), bf16), ((w,), f32), ((w,), f32)], bytes=4 * rows * w,
        torch=lambda torch, x, s, b: (
            lambda: torch.nn.functional.layer_norm(x, (x.shape[-1],),
                                                   s.to(x.dtype),
                                                   b.to(x.dtype)))))
    result.append(Case("rms norm bf16 x4096", rms_norm,
                       [((rows, w), bf16), ((w,), f32)], bytes=4 * rows * w))
    n = size(16384) * size(4096)

    def adamw(p, m, v, g):
        g = g.astype(f32)
        m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g * g
        p = p - 3e-4 * (m / (jnp.sqrt(v) + 1e-8) + 0.1 * p)
        return p, m, v
    result.append(Case("AdamW f32, gradients bf16", adamw,
                       [((n,), f32)] * 3 + [((n,), bf16)], bytes=26 * n))
    result.append(Case("transpose bf16 8192",
                       lambda x: x.T, [((size(8192), size(8192)), bf16)],
                       bytes=4 * size(8192) ** 2,
                       torch=lambda torch, x: (lambda: x.t().contiguous())))
    result.append(Case("sum over rows (bias gradient)",
                       lambda x: x.astype(f32).sum(0), [((rows, w), bf16)],
                       bytes=2 * rows * w,
                       torch=lambda torch, x: (lambda: x.sum(0))))
    step = MODELS / ("mlp_tp.mlir" if tiny else "gpt_train_dp_tp.mlir")
    result.append(Case("GPT training step (example model)", None, [],
                       file=step))
    return result


def export_gpt(folder):
    """A GPT of some size (medium.py), if JAX can trace it here."""
    done = subprocess.run(
        [sys.executable, "-c", "import bench\nexec(bench.EXPORT)",
         str(TOP / "examples"), str(folder), "gpt_train"],
        capture_output=True, text=True, cwd=HERE,
        env=dict(os.environ, PYTHONPATH=str(HERE)))
    path = Path(folder) / "gpt_train.mlir"
    return path if done.returncode == 0 and path.exists() else None


def lower(case, folder):
    import jax
    if case.file:
        return case.file
    path = Path(folder) / (case.name.replace(" ", "_").replace("/", "_") + ".mlir")
    shapes = [jax.ShapeDtypeStruct(*s) for s in case.shapes]
    path.write_text(jax.jit(case.function).lower(*shapes).as_text())
    return path


def step_seconds(path, steps, folder, extra=()):
    """Median seconds of a step by shoal-run, or the reason why not."""
    report = Path(folder) / "report.json"
    done = subprocess.run(
        [BIN / "shoal-run", path, "--target=cuda", "--input=random",
         f"--repeat={steps}", f"--report={report}", "--single-device", *extra],
        capture_output=True, text=True)
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["no message"])[0]
    return json.loads(report.read_text())["measured"]["step_s"]["median"], ""


class Cublas:
    """cuBLAS by ctypes, from a toolkit or the Python package; C = A B in bf16."""

    def __init__(self):
        found = glob.glob(str(Path(sys.prefix) / "lib/python*/site-packages/nvidia/"
                              "**/libcublas.so.*"), recursive=True)
        self.blas = next(lib for lib in map(self.open, found + [
            "libcublas.so.13", "libcublas.so.12", "libcublas.so"]) if lib)
        self.cuda = ctypes.CDLL(os.environ.get("SHOAL_CUDA_LIBRARY",
                                               "libcuda.so.1"))
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.check(self.cuda.cuInit(0))
        self.check(self.cuda.cuDeviceGet(ctypes.byref(device), 0))
        self.check(self.cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
        self.check(self.cuda.cuCtxSetCurrent(context))
        self.handle = ctypes.c_void_p()
        self.check(self.blas.cublasCreate_v2(ctypes.byref(self.handle)))

    @staticmethod
    def open(name):
        try:
            return ctypes.CDLL(name)
        except OSError:
            return None

    @staticmethod
    def check(status):
        if status:
            raise RuntimeError(f"cuBLAS or driver: error {status}")

    def seconds(self, m, n, k, steps):
        sizes, memory = (m * k * 2, k * n * 2, m * n * 2), []
        for nbytes in sizes:
            pointer = ctypes.c_uint64()
            self.check(self.cuda.cuMemAlloc_v2(ctypes.byref(pointer),
                                               ctypes.c_size_t(nbytes)))
            # Not zero: the power that products take depends on the data.
            self.check(self.cuda.cuMemsetD16_v2(pointer, ctypes.c_ushort(0x3f35),
                                                ctypes.c_size_t(nbytes // 2)))
            memory.append(pointer)
        one, zero = ctypes.c_float(1), ctypes.c_float(0)
        a, b, c = (ctypes.c_void_p(p.value) for p in memory)
        bf16, sums32 = 14, 68

        def run():  # column-major: C' = B' A'
            self.check(self.blas.cublasGemmEx(
                self.handle, 0, 0, n, m, k, ctypes.byref(one), b, bf16, n, a, bf16,
                k, ctypes.byref(zero), c, bf16, n, sums32, -1))
        run()
        self.check(self.cuda.cuCtxSynchronize())
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            for _ in range(10):
                run()
            self.check(self.cuda.cuCtxSynchronize())
            times.append((time.perf_counter() - start) / 10)
        for pointer in memory:
            self.cuda.cuMemFree_v2(pointer)
        return statistics.median(times)


def torch_seconds(torch, case, steps):
    names = {"bfloat16": torch.bfloat16, "float32": torch.float32,
             "int8": torch.int8,
             "float8_e4m3fn": getattr(torch, "float8_e4m3fn", None)}
    arrays = []
    for shape, dtype in case.shapes:
        kind = names[dtype.__name__ if isinstance(dtype, type) else
                     getattr(dtype, "dtype", dtype).name]
        x = torch.randn(shape, device="cuda")
        arrays.append((x * 3).to(kind) if kind == torch.int8 else x.to(kind))
    run = case.torch(torch, *arrays)
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        for _ in range(10):
            run()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / 10)
    return statistics.median(times)


def check_models(only_first):
    """The example models on this GPU. Number that fail."""
    failed = 0
    sanitizer = shutil.which("compute-sanitizer")
    for i, model in enumerate(json.loads((MODELS / "manifest.json").read_text())):
        path = MODELS / model["name"]
        if not Path(f"{path}.in.npz").exists() or (only_first and i > 0):
            continue
        command = [str(BIN / "shoal-run"), f"{path}.mlir", "--target=cuda",
                   "--ranks-per-device=8", f"--input={path}.in.npz",
                   f"--check={path}.out.npz", f"--rtol={model['rtol']}",
                   f"--atol={model['atol']}", "--time-limit=600"]
        done = subprocess.run(command, capture_output=True, text=True)
        words = "ok"
        if done.returncode:
            failed += 1
            words = "FAILED: " + (done.stderr.strip().splitlines() or ["?"])[0]
        elif sanitizer and model["name"] in ("mlp_tp", "gpt_train_dp_tp", "moe_ep"):
            for tool in ("memcheck", "racecheck"):
                done = subprocess.run([sanitizer, f"--tool={tool}",
                                       "--error-exitcode=9", *command],
                                      capture_output=True, text=True)
                words += f", {tool} {'clean' if not done.returncode else 'FAILED'}"
                failed += bool(done.returncode)
        print(f"  {model['name']:28} {words}", flush=True)
    if not sanitizer:
        print("  compute-sanitizer is not installed: not run "
              "(pip install nvidia-cuda-sanitizer-api)")
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", default="")
    parser.add_argument("--no-check", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    try:
        import jax  # noqa: F401
    except ImportError:
        sys.exit("bench-gpu: JAX is not installed (it lowers the programs): run "
                 "'make setup'")

    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.mlir"
        probe.write_text("func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {\n"
                         "  %0 = stablehlo.add %x, %x : tensor<8xf32>\n"
                         "  return %0 : tensor<8xf32>\n}\n")
        _, reason = step_seconds(probe, 1, folder)
        if reason:
            sys.exit(f"bench-gpu: nothing can run here: {reason}")
        name = ""
        if shutil.which("nvidia-smi"):
            name = subprocess.run(
                ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
                capture_output=True, text=True).stdout.strip().split("\n")[0]
        peak = next((p for key, p in PEAKS.items() if key in name), None)
        print(f"GPU: {name or 'unknown (no nvidia-smi)'}")
        torch = cublas = None
        try:
            import torch
            if not torch.cuda.is_available():
                print("PyTorch sees no GPU: its columns are empty")
                torch = None
        except ImportError:
            print("PyTorch is not installed: its columns are empty")
        try:
            cublas = Cublas()
        except (StopIteration, OSError, RuntimeError, AttributeError) as e:
            print("cuBLAS is not installed (pip install nvidia-cublas): no column"
                  if isinstance(e, StopIteration) else f"no cuBLAS: {e}")

        failed = 0
        if not options.no_check:
            print("models on this GPU, 8 ranks:")
            failed = check_models(options.tiny)
        todo = cases(options.tiny)
        if not options.tiny and (path := export_gpt(folder)):
            todo.append(Case("GPT training step (medium)", None, [], file=path))
        print(f"{'':36} {'ms':>9} {'rate':>14} {'of peak':>8} {'cuBLAS':>9} "
              f"{'PyTorch':>9}  (ms)")
        rows = []
        for case in todo:
            if options.only not in case.name:
                continue
            seconds, reason = step_seconds(lower(case, folder), options.steps,
                                           folder)
            row = {"name": case.name, "seconds": seconds, "error": reason}
            if seconds is None:
                failed += 1
                print(f"{case.name:36} FAILED: {reason}", flush=True)
                rows.append(row)
                continue
            rate = share = ""
            if case.flops:
                row["tflops"] = case.flops / seconds / 1e12
                rate = f"{row['tflops']:.1f} TFLOP/s"
                limit = peak and peak["fp8" in case.name or "int8" in case.name]
                share = f"{row['tflops'] / limit:.0%}" if limit else ""
            elif case.bytes:
                row["tb_per_s"] = case.bytes / seconds / 1e12
                rate = f"{row['tb_per_s']:.2f} TB/s"
                share = f"{row['tb_per_s'] / peak[2]:.0%}" if peak else ""
            peers = []
            for label, run in (
                    ("cublas", cublas and case.gemm and
                     (lambda: cublas.seconds(*case.gemm, options.steps))),
                    ("pytorch", torch and case.torch and
                     (lambda: torch_seconds(torch, case, options.steps)))):
                text = ""
                if run:
                    try:
                        row[label] = run()
                        text = f"{row[label] * 1e3:.3f}"
                    except Exception as e:  # a peer's failure is its own
                        row[label] = str(e)
                        text = "error"
                peers.append(text)
            rows.append(row)
            print(f"{case.name:36} {seconds * 1e3:9.3f} {rate:>14} {share:>8} "
                  f"{peers[0]:>9} {peers[1]:>9}", flush=True)
        if options.out:
            Path(options.out).write_text(json.dumps({"gpu": name, "rows": rows},
                                                    indent=1))
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
