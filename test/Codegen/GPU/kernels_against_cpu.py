#!/usr/bin/env python3
"""Runs every plan.kernel of a fused module on the CPU and in the GPU emulator.

  kernels_against_cpu.py FUSED.mlir [--only NAME] [--chip sm_80] [--strategy NAME]
                         [--largest ELEMENTS]

The GPU code is what the NVPTX back end gets. Inputs are random. Kernels with a
tensor of more than --largest elements are left out, and said. Prints a line for
each kernel that differs or fails; exit status 1 if one does.
"""
import argparse
import ctypes
import os
import re
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "Emulator"))
import emu  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("module")
parser.add_argument("--only")
parser.add_argument("--chip", default="sm_80")
parser.add_argument("--strategy", default="")
parser.add_argument("--largest", type=int, default=1 << 16)
parser.add_argument("--verbose", action="store_true")
options = parser.parse_args()

BUILD = emu.BUILD
DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16,
          "bf16": ml_dtypes.bfloat16, "i1": np.bool_, "i8": np.int8,
          "i16": np.int16, "i32": np.int32, "i64": np.int64, "ui8": np.uint8,
          "ui16": np.uint16, "ui32": np.uint32, "ui64": np.uint64,
          "i4": np.int8, "ui4": np.uint8, "f8E4M3FN": ml_dtypes.float8_e4m3fn,
          "f8E5M2": ml_dtypes.float8_e5m2, "complex<f32>": np.complex64,
          "complex<f64>": np.complex128}
rng = np.random.default_rng(int(os.environ.get("SEED", "0")))


def tensor_types(text):
    types = []
    for t in re.findall(r"tensor<((?:[^<>]|<[^<>]*>)*)>", text):
        m = re.match(r"((?:\d+x)*)(.*)", t)
        shape = [int(d) for d in m.group(1).split("x") if d]
        types.append((shape, m.group(2)))
    return types


def make_input(shape, t, bound):
    dtype = np.dtype(DTYPES[t])
    if t == "i1":
        return rng.integers(0, 2, shape).astype(np.bool_)
    if t == "i4":
        return rng.integers(-8, 8, shape).astype(np.int8)
    if dtype.kind in "iu":
        return rng.integers(0, max(2, min(bound, 100)), shape).astype(dtype)
    if dtype.kind == "c":
        return (rng.normal(size=shape)
                + 1j * rng.normal(size=shape)).astype(dtype)
    return rng.normal(size=shape).astype(np.float32).astype(dtype)


def as_bytes(array):
    """A copy at a multiple of 256 bytes, as device memory is."""
    raw = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
    buffer = emu.aligned((max(raw.size, 1),), np.uint8)
    buffer[:raw.size] = raw
    return buffer[:raw.size] if raw.size else buffer[:0]


class Args(ctypes.Structure):
    _fields_ = [("buffers", ctypes.POINTER(ctypes.c_void_p)),
                ("scalars", ctypes.c_void_p), ("scratch", ctypes.c_void_p)]


def run_cpu(library, info, inputs, scalars, outputs):
    symbol, chunks, scratch_bytes = info
    buffers = inputs + outputs
    pointers = (ctypes.c_void_p * max(len(buffers), 1))(
        *[b.ctypes.data for b in buffers])
    scratch = emu.aligned((max(scratch_bytes, 1),), np.uint8)
    numbers = (ctypes.c_int64 * max(len(scalars), 1))(*scalars)
    args = Args(pointers, ctypes.cast(numbers, ctypes.c_void_p),
                scratch.ctypes.data)
    function = getattr(library, symbol)
    function.argtypes = [ctypes.POINTER(Args), ctypes.c_int64, ctypes.c_int64]
    function.restype = None
    function(ctypes.byref(args), 0, chunks)


def run_gpu(library, kernel, inputs, scalars, outputs):
    arguments = list(inputs) + list(outputs) + [emu.I64(s) for s in scalars]
    if kernel["scratch"]:
        arguments.append(emu.aligned((kernel["scratch"],), np.uint8,
                                     0 if kernel["zeroed"] else None))
    params, known = [], []
    for a in arguments:
        if isinstance(a, emu.I64):
            params.append(ctypes.c_int64(a))
            continue
        if a.nbytes:
            emu.emulator.shoal_emu_add_memory(a.ctypes.data, a.nbytes, b"array")
            known.append(a)
        params.append(ctypes.c_void_p(a.ctypes.data))
    try:
        for symbol, grid, block, shared in kernel["launches"]:
            emu.launch(library, symbol, params, grid, (block,), shared)
    finally:
        for a in known:
            emu.emulator.shoal_emu_remove_memory(a.ctypes.data)


def same(got, want, t):
    if np.dtype(DTYPES[t]).kind in "iub" and not t.startswith("f"):
        return got == want
    eps = {"bf16": 2e-2, "f16": 2e-3, "f64": 1e-9,
           "complex<f64>": 1e-9}.get(t, 2e-4)
    if t.startswith("f8"):
        eps = 0.2
    wide = np.complex128 if got.dtype.kind == "c" else np.float64
    g, w = got.astype(wide), want.astype(wide)
    with np.errstate(all="ignore"):
        scale = np.nanmax(np.abs(np.where(np.isfinite(w), w, 0)), initial=0)
        return ((g == w) | (np.abs(g - w) <= eps * np.abs(w) + eps * 0.05 * scale)
                | (np.isnan(g) & np.isnan(w)))


def compile_all(directory):
    cpu = os.path.join(directory, "cpu.so")
    lines = subprocess.run(
        [os.path.join(BUILD, "test/Unit/kernel-tool"), options.module, cpu],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    info = {}
    for line in lines.splitlines():
        name, symbol, chunks, scratch = line.split()
        info[name] = (symbol, int(chunks), int(scratch))
    code = subprocess.run(
        [os.path.join(BUILD, "bin/shoal-opt"), options.module,
         f"--shoal-compile-gpu-kernels=chip={options.chip} print=llvm"
         + (f" strategy={options.strategy}" if options.strategy else ""),
         "-o", os.devnull],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    # Several modules, one after the other.
    kernels, libraries = {}, []
    for number, part in enumerate(re.split(r"(?m)^; ModuleID[^\n]*\n", code)):
        pending = re.findall(r"(?m)^; (?:kernel|launch) .*$", part)
        if number:
            image = os.path.join(directory, f"gpu{number}.so")
            source = os.path.join(directory, f"gpu{number}.ll")
            with open(source, "w") as f:
                f.write(re.sub(r"(?m)^; (kernel|launch) .*$", "", part))
            subprocess.run([os.path.join(emu.TOOLS, "emulate-tool"), source,
                            image], check=True)
            libraries.append(ctypes.CDLL(image))
        for line in pending:  # of the module that follows
            w = line.split()
            if w[1] == "kernel":
                current = {"launches": [], "scratch": int(w[4]),
                           "zeroed": int(w[6]), "strategy": " ".join(w[8:]),
                           "library": number}
                kernels[w[2]] = current
            else:
                current["launches"].append(
                    (w[2], tuple(int(x) for x in w[4:7]), int(w[8]),
                     int(w[10])))
    return ctypes.CDLL(cpu, mode=os.RTLD_LAZY), info, kernels, libraries


text = open(options.module).read()
found = re.findall(
    r"^  plan\.kernel @(\S+?)\((.*?)\) -> (.*?) (?:attributes \{.*?\} )?\{\n(.*?)^  \}",
    text, re.S | re.M)
bad = compared = left_out = 0
with tempfile.TemporaryDirectory() as directory:
    cpu, info, kernels, libraries = compile_all(directory)
    for name, arguments, results, body in found:
        if options.only and options.only not in name:
            continue
        in_types, out_types = tensor_types(arguments), tensor_types(results)
        if any(np.prod(s) > options.largest for s, _ in in_types + out_types):
            left_out += 1
            continue
        is_scalar = ["plan.scalar" in a
                     for a in re.split(r",\s*(?=%)", arguments)] if arguments else []
        bound = min([d for s, _ in in_types + out_types for d in s if d > 1] or [4])
        values = [make_input(s, t, bound) for s, t in in_types]
        scalars = [int(v) for v, s in zip(values, is_scalar) if s]
        inputs = [as_bytes(v) for v, s in zip(values, is_scalar) if not s]
        sizes = [int(np.prod(s)) * np.dtype(DTYPES[t]).itemsize
                 for s, t in out_types]
        want = [emu.aligned((max(n, 1),), np.uint8)[:n] for n in sizes]
        got = [emu.aligned((max(n, 1),), np.uint8)[:n] for n in sizes]
        run_cpu(cpu, info[name], inputs, scalars, want)
        kernel = kernels[name]
        try:
            run_gpu(libraries[kernel["library"]], kernel, inputs, scalars, got)
        except emu.EmulatorError as e:
            print(f"{name} ({kernel['strategy']}): {str(e)[:600]}")
            bad += 1
            continue
        compared += 1
        for i, (g, w, (s, t)) in enumerate(zip(got, want, out_types)):
            g = g.view(DTYPES[t]).reshape(s)
            w = w.view(DTYPES[t]).reshape(s)
            good = same(g, w, t)
            if not np.all(good):
                at = (tuple(int(a[0]) for a in np.nonzero(~good))
                      if g.ndim else ())
                print(f"{name} ({kernel['strategy']}): output {i} differs in "
                      f"{np.sum(~good)} of {g.size}, first at {at}: got {g[at]},"
                      f" want {w[at]}")
                bad += 1
                break
        else:
            if options.verbose:
                print(f"{name} ({kernel['strategy']}): good")
print(f"{compared} kernels compared, {left_out} too large, {bad} bad")
sys.exit(1 if bad else 0)
