#!/usr/bin/env python3
"""LAPACK custom calls as JAX lowers jnp.linalg for CPUs: what shoal-run gives
against what JAX computes. lapack_against_jax.py path/to/shoal-run [FILTER]"""
import subprocess
import sys
import tempfile

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
rng = np.random.default_rng(0)


def eigh(a):
    w, v = jnp.linalg.eigh(a)
    # Vectors are unique up to a factor of modulus one.
    return w, v @ jnp.conj(jnp.swapaxes(v * w[..., None, :].astype(v.dtype), -1, -2))


def eig(a):
    w, v = jnp.linalg.eig(a)
    return w, a.astype(v.dtype) @ v - v * w[..., None, :]


def svd(full):
    def f(a):
        u, s, v = jnp.linalg.svd(a, full_matrices=full)
        k = s.shape[-1]
        return s, (u[..., :k] * s[..., None, :].astype(u.dtype)) @ v[..., :k, :]
    return f


def hermitian(a):
    return a @ np.conj(np.swapaxes(a, -1, -2)) + 2 * np.eye(a.shape[-1])


CASES = [
    ("cholesky", jnp.linalg.cholesky, [(5, 5), (2, 3, 4, 4)], hermitian),
    ("qr", lambda a: jnp.linalg.qr(a), [(6, 4), (4, 6), (2, 5, 5)], None),
    ("solve", lambda a: jnp.linalg.solve(a, a @ a), [(5, 5), (3, 4, 4)], None),
    ("inverse", jnp.linalg.inv, [(4, 4)], None),
    ("det", jnp.linalg.det, [(4, 4), (2, 3, 3)], None),
    ("eigh", eigh, [(5, 5), (2, 4, 4)], hermitian),
    ("eig", eig, [(5, 5), (2, 4, 4)], None),
    ("svd", svd(False), [(6, 4), (2, 3, 5)], None),
    ("svd full", svd(True), [(6, 4), (3, 5)], None),
]


def main():
    bad = 0
    chosen = sys.argv[2] if len(sys.argv) > 2 else ""
    with tempfile.TemporaryDirectory() as d:
        for name, f, shapes, prepare in CASES:
            if chosen not in name:
                continue
            for t in (np.float32, np.float64, np.complex64, np.complex128):
                for shape in shapes:
                    a = rng.normal(size=shape)
                    if np.issubdtype(t, np.complexfloating):
                        a = a + 1j * rng.normal(size=shape)
                    a = (prepare(a) if prepare else a).astype(t)
                    jitted = jax.jit(f)
                    with open(f"{d}/m.mlir", "w") as out:
                        out.write(jitted.lower(a).as_text())
                    want = jax.tree.leaves(jitted(a))
                    np.savez(f"{d}/in.npz", arg0=a)
                    np.savez(f"{d}/out.npz", **{f"out{i}": np.asarray(w)
                                                for i, w in enumerate(want)})
                    tolerance = "1e-3" if np.finfo(t).bits == 32 else "1e-9"
                    run = subprocess.run(
                        [sys.argv[1], f"{d}/m.mlir", f"--input={d}/in.npz",
                         f"--check={d}/out.npz", f"--rtol={tolerance}",
                         f"--atol={tolerance}"], capture_output=True, text=True)
                    if run.returncode:
                        bad += 1
                        print(f"BAD {name} {np.dtype(t).name} {shape}: "
                              f"{run.stderr.strip()[:400]}")
    print(f"{bad} bad" if bad else "all agree")


main()
