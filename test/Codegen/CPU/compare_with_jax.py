#!/usr/bin/env python3
"""Compiles every plan.kernel of a fused module and compares it with JAX.

  compare_with_jax.py FUSED.mlir [--tool build/test/Unit/kernel-tool] [--only NAME]

Inputs are random; each kernel also runs with its chunks in reverse order.
Prints a line for each kernel that differs; exit status 1 if one does.
"""
import argparse
import ctypes
import os
import re
import subprocess
import sys
import tempfile
import time

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_allow_excess_precision=false"
import jax
import ml_dtypes
import numpy as np
from jax._src.interpreters import mlir as jmlir
from jaxlib.mlir import ir

jax.config.update("jax_enable_x64", True)

parser = argparse.ArgumentParser()
parser.add_argument("module")
parser.add_argument("--tool", default="build/test/Unit/kernel-tool")
parser.add_argument("--only")
parser.add_argument("--times", action="store_true",
                    help="CPU time of each kernel, and XLA's")
options = parser.parse_args()

DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16,
          "bf16": ml_dtypes.bfloat16, "i1": np.bool_, "i8": np.int8,
          "i16": np.int16, "i32": np.int32, "i64": np.int64, "ui8": np.uint8,
          "ui16": np.uint16, "ui32": np.uint32, "ui64": np.uint64,
          "i4": ml_dtypes.int4, "ui4": ml_dtypes.uint4,
          "f8E4M3FN": ml_dtypes.float8_e4m3fn,
          "f8E5M2": ml_dtypes.float8_e5m2,
          "complex<f32>": np.complex64, "complex<f64>": np.complex128}


def tensor_types(text):
    types = []
    for t in re.findall(r"tensor<((?:[^<>]|<[^<>]*>)*)>", text):
        m = re.match(r"((?:\d+x)*)(.*)", t)
        shape = [int(d) for d in m.group(1).split("x") if d]
        types.append((shape, np.dtype(DTYPES[m.group(2)])))
    return types


def make_input(rng, shape, dtype, bound):
    if dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(np.bool_)
    if dtype.kind in "iu" or dtype.name in ("int4", "uint4"):
        return rng.integers(0, max(2, bound), shape).astype(dtype)
    if dtype.kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    return rng.normal(size=shape).astype(np.float32).astype(dtype)


def run_jax(text, inputs, times=False):
    context = jmlir.make_ir_context()
    with context:
        module = ir.Module.parse(text)
    from jax._src.lib import xla_client as xc
    backend = jax.devices("cpu")[0].client
    devices = xc.DeviceList(tuple(jax.devices("cpu")[:1]))
    executable = backend.compile_and_load(str(module), devices,
                                          xc.CompileOptions())
    arguments = [jax.device_put(x) for x in inputs]
    outs = executable.execute_sharded(
        arguments).disassemble_into_single_device_arrays()
    outs = [np.asarray(o[0]) for o in outs]
    best = 0
    if times:
        best = 1e9
        for _ in range(5):
            start = time.process_time()
            for o in executable.execute_sharded(
                    arguments).disassemble_into_single_device_arrays():
                o[0].block_until_ready()
            best = min(best, time.process_time() - start)
    return outs, best


text = open(options.module).read()
kernels = re.findall(
    r"^  plan\.kernel @(\S+?)\((.*?)\) -> (.*?) (?:attributes \{.*?\} )?\{\n(.*?)^  \}",
    text, re.S | re.M)
with tempfile.TemporaryDirectory() as directory:
    library = os.path.join(directory, "kernels.so")
    lines = subprocess.run([options.tool, options.module, library], check=True,
                           stdout=subprocess.PIPE, text=True).stdout
    loaded = ctypes.CDLL(library, mode=os.RTLD_LAZY)
info = {}
for line in lines.splitlines():
    name, symbol, chunks, scratch = line.split()
    info[name] = (symbol, int(chunks), int(scratch))


def aligned(nbytes):
    raw = np.full(nbytes + 64, 0xcd, np.uint8)
    at = -raw.ctypes.data % 64
    return raw[at:at + nbytes]


class Args(ctypes.Structure):
    _fields_ = [("buffers", ctypes.POINTER(ctypes.c_void_p)),
                ("scalars", ctypes.c_void_p), ("scratch", ctypes.c_void_p)]


bad = 0
for name, arguments, results, body in kernels:
    if options.only and options.only not in name:
        continue
    in_types, out_types = tensor_types(arguments), tensor_types(results)
    rng = np.random.default_rng(1)
    bound = min([d for s, _ in in_types + out_types for d in s if d > 1] or [4])
    inputs = [make_input(rng, s, d, bound) for s, d in in_types]
    function = (f"func.func public @main({arguments}) -> {results} {{\n" +
                re.sub(r"plan\.yield (.*)", r"return \1", body) + "}")
    function = re.sub(r"%arg(\d+): (tensor<[^{)]*?>) \{[^}]*\}", r"%arg\1: \2",
                      function)
    try:
        expected, jax_time = run_jax(f"module @k {{\n{function}\n}}", inputs,
                                     options.times)
    except Exception as e:  # what XLA rejects is not compared
        print(f"{name}: JAX fails: {str(e)[:300]}")
        continue
    symbol, chunks, scratch_bytes = info[name]
    buffers = []
    for x in inputs:
        b = aligned(x.nbytes)
        b[:] = np.frombuffer(np.ascontiguousarray(x).tobytes(), np.uint8)
        buffers.append(b)
    outs = []
    for s, d in out_types:
        b = aligned(int(np.prod(s)) * d.itemsize)
        buffers.append(b)
        outs.append(b)
    scratch = aligned(scratch_bytes)
    pointers = (ctypes.c_void_p * len(buffers))(*[b.ctypes.data for b in buffers])
    args = Args(pointers, None, scratch.ctypes.data)
    try:
        function = getattr(loaded, symbol)
    except Exception as e:
        print(f"{name}: {e}")
        continue
    function.argtypes = [ctypes.POINTER(Args), ctypes.c_int64, ctypes.c_int64]
    function.restype = None
    for c in reversed(range(chunks)):
        function(ctypes.byref(args), c, c + 1)
    if options.times:
        best = 1e9
        for _ in range(5):
            start = time.process_time()
            function(ctypes.byref(args), 0, chunks)
            best = min(best, time.process_time() - start)
        nbytes = sum(b.nbytes for b in buffers)
        print(f"{name}: {best * 1e6:.1f} us of CPU, {nbytes / best / 1e9:.1f} "
              f"GB/s, {chunks} chunks; XLA {jax_time * 1e6:.1f} us")
    for i, (b, (s, d), want) in enumerate(zip(outs, out_types, expected)):
        got = np.frombuffer(b.tobytes(), d).reshape(s)
        if d.kind in "iub" or d.name in ("int4", "uint4"):
            good = got == want
        else:
            eps = {"bfloat16": 2e-2, "float16": 2e-3, "float64": 1e-9,
                   "complex128": 1e-9}.get(d.name, 2e-4)
            if d.name.startswith("float8"):
                eps = 0.2
            wide = np.complex128 if d.kind == "c" else np.float64
            g, w = got.astype(wide), want.astype(wide)
            scale = np.nanmax(np.abs(np.where(np.isfinite(w), w, 0)), initial=0)
            good = (g == w) | (np.abs(g - w) <= eps * np.abs(w) + eps * 0.05 * scale) \
                | (np.isnan(g) & np.isnan(w))
        if not np.all(good):
            at = tuple(int(a[0]) for a in np.nonzero(~good)) if got.ndim else ()
            print(f"{name}: output {i} differs in {np.sum(~good)} of {got.size}, "
                  f"first at {at}: got {got[at]}, want {want[at]}")
            bad += 1
            break
sys.exit(1 if bad else 0)
