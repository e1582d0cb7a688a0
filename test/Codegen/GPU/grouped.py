"""Products of groups of uneven sizes (ragged_dot) on the emulated GPU against JAX:
the three kinds of ragged dimension, forward and backward, with empty groups and
sizes that do not fill the rows. grouped.py path/to/shoal-run"""
import os
import subprocess
import sys
import tempfile

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

TOOLS = os.path.join(os.environ["SHOAL_BUILD"], "test", "Emulator")
rng = np.random.default_rng(0)
bad = 0


def run(name, f, args, tolerance):
    global bad
    jitted = jax.jit(f)
    text = jitted.lower(*args).as_text()
    want = jax.tree.leaves(jitted(*args))
    raw = lambda a: np.asarray(a).view("V2") if np.asarray(a).dtype == ml_dtypes.bfloat16 else np.asarray(a)
    with tempfile.TemporaryDirectory() as d:
        open(f"{d}/m.mlir", "w").write(text)
        np.savez(f"{d}/in.npz", **{f"arg{i}": raw(a) for i, a in enumerate(args)})
        np.savez(f"{d}/out.npz", **{f"out{i}": raw(a) for i, a in enumerate(want)})
        env = os.environ | {"SHOAL_CUDA_LIBRARY": TOOLS + "/libcuda.so.1", "SHOAL_TEST_EMULATE": "1",
                            "SHOAL_TEST_POISON": "1"}
        result = subprocess.run([sys.argv[1], f"{d}/m.mlir", "--target=cuda", f"--input={d}/in.npz",
                                 f"--check={d}/out.npz", f"--rtol={tolerance}", f"--atol={tolerance}"],
                                capture_output=True, text=True, env=env)
        times = subprocess.run([os.path.dirname(sys.argv[1]) + "/shoal-compile", f"{d}/m.mlir", "--target=cuda",
                                "--kernel-times", "-o", f"{d}/m.so"], capture_output=True, text=True, env=env).stderr
    grouped = times.count("(grouped)")
    print(f"{name}: {grouped} grouped")
    if result.returncode:
        bad += 1
        print(f"BAD {name}: {(result.stdout + result.stderr)[:600]}")


def rows(x, w, sizes):
    return jax.lax.ragged_dot(x, w, sizes)


def train(x, w, sizes, g):
    """The product and both gradients: rows in groups, and a reduction in groups."""
    y, back = jax.vjp(lambda x, w: jax.lax.ragged_dot(x, w, sizes), x, w)
    return y, *back(g)


def make(m, k, n, groups, dtype):
    return [rng.normal(size=s).astype(dtype) for s in ((m, k), (groups, k, n), (m, n))]


CASES = {"uneven": [5, 40, 0, 100, 1, 46], "all in one": [0, 0, 192, 0, 0, 0], "too few": [3, 0, 64, 0, 9, 2],
         "none": [0] * 6, "too many": [100, 100, 100, 0, 0, 0], "one each": [1] * 6, "last": [0, 0, 0, 0, 0, 192]}
for name, sizes in CASES.items():
    x, w, g = make(192, 48, 40, 6, np.float32)
    run(name, train, (x, w, np.array(sizes, np.int32), g), 1e-3)
for dtype, tolerance in ((ml_dtypes.bfloat16, 0.1), (np.float16, 2e-2), (np.float64, 1e-9)):
    if dtype == np.float64:
        jax.config.update("jax_enable_x64", True)
    x, w, g = make(200, 64, 128, 8, dtype)
    run(np.dtype(dtype).name, train, (x, w, np.array([17, 0, 63, 64, 1, 0, 30, 20], np.int32), g), tolerance)
# Few rows for many groups (decoding), and a reduction shared by blocks.
x, w, g = make(16, 256, 64, 32, np.float32)
sizes = np.zeros(32, np.int32)
sizes[[3, 9, 30]] = 5, 8, 3
run("decode", rows, (x, w, sizes), 1e-3)
# A reduction in groups, and a batch in groups.
numbers = lambda contract, ragged, groups: jax.lax.RaggedDotDimensionNumbers(
    dot_dimension_numbers=contract, lhs_ragged_dimensions=ragged, rhs_group_dimensions=groups)
x = rng.normal(size=(300, 33)).astype(np.float32)
y = rng.normal(size=(300, 70)).astype(np.float32)
run("contracting", lambda x, y, s: jax.lax.ragged_dot_general(x, y, s, numbers((((0,), (0,)), ((), ())), [0], [])),
    (x, y, np.array([100, 0, 150, 7, 30], np.int32)), 1e-3)
x = rng.normal(size=(6, 20, 32)).astype(np.float32)
y = rng.normal(size=(6, 32, 24)).astype(np.float32)
run("batch", lambda x, y, s: jax.lax.ragged_dot_general(x, y, s, numbers((((2,), (1,)), ((0,), (0,))), [0], [])),
    (x, y, np.array([2, 0, 4], np.int32)), 1e-3)
# Sizes for each batch.
x = rng.normal(size=(3, 70, 32)).astype(np.float32)
w = rng.normal(size=(3, 4, 32, 24)).astype(np.float32)
run("batches of groups", lambda x, w, s: jax.lax.ragged_dot_general(
    x, w, s, numbers((((2,), (2,)), ((0,), (0,))), [1], [1])),
    (x, w, np.array([[10, 0, 40, 20], [0, 0, 0, 70], [1, 2, 3, 4]], np.int32)), 1e-3)
print(f"{bad} bad" if bad else "all agree")
