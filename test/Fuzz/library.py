"""Functions of jax.numpy and jax.lax that sort, scan, transform, factorise and
draw random numbers, as JAX prints them, their arguments sharded at random.

  python test/Fuzz/library.py SEED… [--only NAME…] [--shoal-run PATH]

Each function runs on the ranks of a random mesh, with the forms that are chosen
by cost and with any forms, and is compared with JAX. Exits 1 when one differs.
"""
import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.scipy import linalg  # noqa: E402

TOP = Path(__file__).resolve().parent.parent.parent
MESHES = [(2, 2), (2, 4), (8,), (3, 2), (2, 2, 2)]
data = np.random.default_rng(0)


def floats(*shape):
    return data.normal(size=shape).astype(np.float32)


def ints(high, *shape):
    return data.integers(0, high, shape).astype(np.int32)


def positive(n, *batch):
    """Symmetric positive definite matrices."""
    x = floats(*batch, n, n)
    return x @ np.swapaxes(x, -1, -2) + n * np.eye(n, dtype=np.float32)


CASES = {
    "cholesky": (jnp.linalg.cholesky, [positive(12, 8)]),
    "cholesky_one": (jnp.linalg.cholesky, [positive(24)]),
    "solve": (jnp.linalg.solve, [positive(10, 6), floats(6, 10, 3)]),
    "solve_triangular": (lambda a, b: linalg.solve_triangular(a, b, lower=True), [positive(40), floats(40)]),
    "cho_solve": (lambda a, b: linalg.cho_solve((a, True), b), [np.linalg.cholesky(positive(30)), floats(30, 2)]),
    "eigvalsh": (jnp.linalg.eigvalsh, [positive(9, 8)]),
    "qr": (lambda a: jnp.abs(jnp.linalg.qr(a)[1]), [floats(8, 10, 6)]),
    "svd": (lambda a: jnp.linalg.svd(a, compute_uv=False), [floats(5, 7, 6)]),
    "slogdet": (lambda a: jnp.linalg.slogdet(a)[1], [positive(9, 8)]),
    "inv": (jnp.linalg.inv, [positive(9, 7)]),
    "median": (lambda a: jnp.median(a, axis=0), [floats(33, 6)]),
    "quantile": (lambda a: jnp.quantile(a, jnp.array([.1, .7]), axis=1), [floats(9, 34)]),
    "argsort": (jnp.argsort, [ints(9, 3000)]),
    "sort": (lambda a: -jnp.sort(-a, axis=0), [floats(65, 5)]),
    "lexsort": (lambda a, b: jnp.lexsort((a, b)), [ints(9, 1500), ints(9, 1500)]),
    "cumprod": (lambda a: jnp.cumprod(a, axis=1), [1 + np.float32(.01) * floats(4, 50)]),
    "cummax": (lambda a: jax.lax.cummax(a, axis=0, reverse=True), [floats(37, 3)]),
    "cumlogsumexp": (lambda a: jax.lax.cumlogsumexp(a, axis=0), [floats(41)]),
    "associative_scan": (lambda a: jax.lax.associative_scan(jnp.add, a), [floats(43, 2)]),
    "top_k": (lambda a: jax.lax.top_k(a, 5), [floats(7, 45)]),
    "argmin": (lambda a: (jnp.argmin(a, axis=0), jnp.argmax(a)), [floats(21, 9)]),
    "fft": (lambda a: jnp.abs(jnp.fft.fft(a, axis=0)), [floats(64, 6)]),
    "fft_long": (lambda a: jnp.abs(jnp.fft.fft(a)), [floats(1024)]),
    "rfftn": (lambda a: jnp.abs(jnp.fft.rfftn(a)), [floats(12, 10, 8)]),
    "irfft2": (lambda a: jnp.fft.irfft2(jnp.fft.rfft2(a)), [floats(12, 16)]),
    "uniform": (lambda a: a + jax.random.uniform(jax.random.key(3), (33, 14)), [floats(33, 14)]),
    "permutation": (lambda a: jax.random.permutation(jax.random.key(1), a), [floats(37, 2)]),
    "categorical": (lambda a: jax.random.categorical(jax.random.key(1), a, axis=-1), [floats(19, 40)]),
    "logsumexp": (lambda a: jax.nn.logsumexp(a, axis=1), [floats(19, 40)]),
    "searchsorted": (lambda a, b: jnp.searchsorted(jnp.sort(a), b), [floats(100), floats(17)]),
    "bincount": (lambda a: jnp.bincount(a, length=10), [ints(10, 301)]),
}


def sharding(rng, axes, rank):
    """Each axis cuts one dimension or none; sizes need not divide."""
    dims = [[] for _ in range(rank)]
    for axis in rng.sample(axes, len(axes)):
        if rank and rng.random() < 0.8:
            rng.choice(dims).append(f'"{axis}"')
    return "#sdy.sharding<@mesh, [" + ", ".join("{" + ", ".join(d) + "}" for d in dims) + "]>"


def program(fn, args, rng):
    """The function's text, with a mesh and a sharding for each argument."""
    shape = rng.choice(MESHES)
    axes = "abc"[:len(shape)]
    text = jax.jit(fn).lower(*args).as_text()
    old = re.search(r"func.func public @main\((.*?)\) -> ", text, re.S).group(1)
    new = old
    for i, a in enumerate(args):
        attrs = " {sdy.sharding = " + sharding(rng, axes, np.ndim(a)) + "}"
        new = re.sub(rf"(%arg{i}: tensor<[^>]*>)( \{{[^}}]*\}})?", lambda m: m.group(1) + attrs, new, count=1)
    mesh = "  sdy.mesh @mesh = <[" + ", ".join(f'"{a}"={s}' for a, s in zip(axes, shape)) + "]>\n"
    text = text.replace(old, new, 1)
    return re.sub(r"(module @\S+ attributes \{.*?\} \{\n)", lambda m: m.group(1) + mesh, text, count=1)


def check(name, seed, binary):
    fn, args = CASES[name]
    text = program(fn, args, random.Random(f"{seed} {name}"))
    want = jax.tree.leaves(jax.jit(fn)(*args))
    with tempfile.TemporaryDirectory() as tmp:
        Path(f"{tmp}/{name}.mlir").write_text(text)
        np.savez(f"{tmp}/in.npz", **{f"arg{i}": np.asarray(a) for i, a in enumerate(args)})
        np.savez(f"{tmp}/out.npz", **{f"out{i}": np.asarray(a) for i, a in enumerate(want)})
        for forms in ({}, {"SHOAL_TEST_FORMS": str(seed)}):
            p = subprocess.run([binary, f"{tmp}/{name}.mlir", f"--input={tmp}/in.npz", f"--check={tmp}/out.npz", "--rtol=1e-3", "--atol=1e-3"],
                               capture_output=True, text=True, env=dict(os.environ, SHOAL_TEST_POISON="1", **forms))
            if p.returncode:
                return f"{'any forms: ' if forms else ''}exit {p.returncode}: {(p.stdout + p.stderr).strip()[-400:]}"
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("seeds", nargs="+", type=int)
    p.add_argument("--only", nargs="*", default=list(CASES))
    p.add_argument("--shoal-run", default=str(TOP / "build" / "bin" / "shoal-run"))
    args = p.parse_args()
    failed = 0
    for seed in args.seeds:
        for name in args.only:
            if problem := check(name, seed, args.shoal_run):
                failed += 1
                print(f"seed {seed}, {name}: {problem}", flush=True)
    print(f"{len(args.seeds) * len(args.only) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
