"""Kernels of a file through tile IR and the emulator, against the CPU.

  tile_kernels.py PASS FILE.mlir [FUNCTION…] [--tolerance=T] [--chip=sm_80]

Each func.func of the file is made a tile.func by the pass, compiled for the
chip, run in the emulator on random inputs, and compared with what shoal-run
computes on the CPU. Prints `NAME: ok` or the largest difference.
"""
import os
import re
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "Emulator"))
from emu import BUILD, Kernel, aligned  # noqa: E402

DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16,
          "bf16": ml_dtypes.bfloat16, "i8": np.int8, "ui8": np.uint8,
          "i16": np.int16, "i32": np.int32, "ui32": np.uint32, "i64": np.int64,
          "i1": np.bool_, "f8E4M3FN": ml_dtypes.float8_e4m3fn,
          "f8E5M2": ml_dtypes.float8_e5m2}


def types(text):
    result = []
    for found in re.findall(r"tensor<([^>]*)>", text):
        *shape, element = found.split("x")
        result.append((tuple(int(s) for s in shape), DTYPES[element]))
    return result


def tool(name, *args):
    done = subprocess.run([os.path.join(BUILD, "bin", name), *args],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name} {' '.join(args)}:\n{done.stderr}")
    return done.stdout


def random_array(rng, shape, dtype):
    if dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(np.bool_)
    if np.issubdtype(dtype, np.integer):
        return rng.integers(-9 if np.issubdtype(dtype, np.signedinteger) else 0,
                            10, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def raw(array):
    kinds = {1: "V1", 2: "V2"}
    if array.dtype in (np.float32, np.float64, np.float16, np.bool_) or \
            np.issubdtype(array.dtype, np.integer):
        return array
    return array.view(kinds[array.dtype.itemsize])


def main():
    options = dict(a[2:].split("=") for a in sys.argv[1:] if a.startswith("--"))
    make, path, *names = [a for a in sys.argv[1:] if not a.startswith("--")]
    chip = options.get("chip", "sm_80")
    text = open(path).read()
    tiled = tool("shoal-opt", f"--{make}=chip={chip}", path)
    rng = np.random.default_rng(1)
    failed = False
    for function in re.findall(r"func\.func @.*?\n}\n", text, re.S):
        name = re.match(r"func\.func @(\w+)", function).group(1)
        if names and name not in names:
            continue
        made = re.search(r"tile\.func @" + name + r"\(.*?\n  }\n", tiled, re.S)
        if not made:
            print(f"{name}: no tile kernel")
            failed = True
            continue
        signature = re.search(r"\((.*?)\)\s*->\s*(.*?)\s*(attributes|{\n)",
                              function, re.S)
        inputs, outputs = types(signature.group(1)), types(signature.group(2))
        arrays = [random_array(rng, *t) for t in inputs]
        # A second launch of the same kernel, if it has one.
        finish = re.search(r"tile\.func @" + name + r"_finish\(.*?\n  }\n",
                           tiled, re.S)
        launches = [(name, made)] + ([(name + "_finish", finish)] if finish
                                     else [])
        with tempfile.TemporaryDirectory() as folder:
            file = lambda n: os.path.join(folder, n)
            with open(file("one.mlir"), "w") as f:
                f.write(function.replace("@" + name, "@main", 1))
            with open(file("tile.mlir"), "w") as f:
                f.write("\n".join(l for l in tiled.splitlines()
                                  if l.startswith("#")) +
                        "\nmodule {\n" + "".join(m.group(0) for _, m in launches)
                        + "}\n")
            np.savez(file("in.npz"), **{f"arg{i}": raw(a)
                                        for i, a in enumerate(arrays)})
            tool("shoal-run", file("one.mlir"), "--single-device",
                 "--input=" + file("in.npz"), "--output=" + file("out.npz"))
            with np.load(file("out.npz")) as out:
                expected = [out[f"out{i}"].view(t[1]) if out[f"out{i}"].dtype.kind
                            == "V" else out[f"out{i}"]
                            for i, t in enumerate(outputs)]
            llvm = tool("shoal-opt", f"--tile-print-code=chip={chip} emit=emulator",
                        file("tile.mlir"), "-o", os.devnull)
        if os.environ.get("KEEP"):
            open(f"/tmp/{name}.ll", "w").write(llvm)
        buffers = [aligned(a.shape, a.dtype, a) for a in arrays]
        results = [aligned(s, d) for s, d in outputs]
        scratch = re.search(r"!tile\.view<(\d+)xi(8|32)> {[^}]*tile\.scratch",
                            made.group(0))
        extra = [aligned((int(scratch.group(1)),),
                         np.dtype(f"i{int(scratch.group(2)) // 8}"), 0)] \
            if scratch else []
        kernel = Kernel(llvm)
        for symbol, text in launches:
            launch = re.search(r"grid = \[([^\]]*)\], warps = (\d+)",
                               text.group(0))
            kernel.run(symbol, buffers + results + extra,
                       grid=tuple(int(g) for g in launch.group(1).split(",")),
                       block=(32 * int(launch.group(2)),), shared=227 * 1024)
        worst = 0.0
        for got, want in zip(results, expected):
            if np.issubdtype(want.dtype, np.integer) or want.dtype == np.bool_:
                worst = max(worst, float((got != want).any()))
                continue
            got, want = (np.atleast_1d(a).astype(np.float64) for a in (got, want))
            scale = max(1.0, float(np.abs(want).max()))
            difference = np.atleast_1d(np.abs(got - want))
            difference[np.isnan(got) != np.isnan(want)] = np.inf
            worst = max(worst, float(np.nanmax(difference, initial=0)) / scale)
        tolerance = {8: 1e-12, 4: 2e-6, 2: 1e-2, 1: 1e-1}[
            min(np.dtype(o[1]).itemsize for o in inputs + outputs
                if o[1] != np.bool_)]
        if "= tf32" in function:
            tolerance = 2e-3
        tolerance = float(options.get("tolerance", tolerance))
        good = worst <= tolerance
        failed |= not good
        print(f"{name}: " + ("ok" if good else f"differs by {worst:g}"))
    sys.exit(failed)


main()
