#!/usr/bin/env python3
"""LAPACK custom calls as JAX lowers jnp.linalg for CPUs: what shoal-run gives
against what JAX computes. lapack_against_jax.py path/to/shoal-run [FILTER]"""
import os
import subprocess
import sys
import tempfile

# JAX's results are the same, and it compiles in half the time.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import linalg as ll

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


def eig_left(a):
    w, vl, vr = ll.eig(a)
    left = jnp.conj(jnp.swapaxes(vl, -1, -2))
    return w, a.astype(vr.dtype) @ vr - vr * w[..., None, :], \
        left @ a.astype(vr.dtype) - w[..., :, None] * left


def svd_values(a):
    return jnp.linalg.svd(a, compute_uv=False)


def svd_qr(a):
    u, s, v = ll.svd(a, full_matrices=False, algorithm=ll.SvdAlgorithm.QR)
    return s, (u * s[..., None, :].astype(u.dtype)) @ v


def schur(a):
    t, z = ll.schur(a)
    # Above the diagonal, complex forms are unique up to factors of modulus one.
    t1 = jnp.abs(t) if jnp.iscomplexobj(t) else t
    return t1, z @ t @ jnp.conj(jnp.swapaxes(z, -1, -2)) - a


def pivoted_qr(a):
    return ll.qr(a, pivoting=True, full_matrices=False)


def times_q(left, transpose):
    def f(a):
        taus = a[..., 0, :] * 0.1 + 0.5
        return ll.ormqr(a, taus.astype(a.dtype), a + 1, left=left, transpose=transpose)
    return f


def systems(**options):
    def f(a):
        # Diagonals that a row exchange is worth; the last row is the right side.
        return ll.tridiagonal_solve(a[..., 0, :].at[..., 0].set(0), a[..., 1, :],
                                    a[..., 2, :].at[..., -1].set(0),
                                    jnp.swapaxes(a, -1, -2), **options)
    return f


def solves(a):
    out = []
    for left in (True, False):
        for lower in (True, False):
            for transpose in (True, False):
                for unit in (True, False):
                    out.append(ll.triangular_solve(
                        a + 3 * jnp.eye(a.shape[-1], dtype=a.dtype), a, left_side=left, lower=lower,
                        transpose_a=transpose, conjugate_a=lower and transpose, unit_diagonal=unit))
    return out


CASES = [
    ("cholesky", jnp.linalg.cholesky, [(5, 5), (2, 3, 4, 4)], hermitian),
    ("qr", lambda a: jnp.linalg.qr(a), [(6, 4), (4, 6), (2, 5, 5)], None),
    ("solve", lambda a: jnp.linalg.solve(a, a @ a), [(5, 5), (3, 4, 4)], None),
    ("inverse", jnp.linalg.inv, [(4, 4)], None),
    ("det", jnp.linalg.det, [(4, 4), (2, 3, 3)], None),
    ("eigh", eigh, [(5, 5), (2, 4, 4)], hermitian),
    ("eig", eig, [(5, 5), (2, 4, 4)], None),
    ("svd", svd(False), [(6, 4), (2, 3, 5)], None),
    ("not positive", lambda a: jnp.linalg.cholesky(a), [(3, 3)], lambda a: -hermitian(a)),
    ("lu", lambda a: ll.lu(a), [(5, 3), (2, 3, 5)], None),
    ("triangular solve", solves, [(4, 4), (2, 3, 3)], None),
    ("eig left", eig_left, [(5, 5), (2, 4, 4)], None),
    ("svd values", svd_values, [(5, 3), (2, 3, 4)], None),
    ("svd qr", svd_qr, [(5, 3), (2, 3, 4)], None),
    ("hessenberg", lambda a: ll.hessenberg(a), [(5, 5), (2, 4, 4), (1, 1)], None),
    ("tridiagonal", lambda a: ll.tridiagonal(a, lower=True), [(5, 5), (2, 4, 4)], hermitian),
    ("tridiagonal upper", lambda a: ll.tridiagonal(a, lower=False), [(4, 4)], hermitian),
    ("schur", schur, [(5, 5), (2, 4, 4)], None),
    ("schur values", lambda a: jnp.abs(ll.schur(a, compute_schur_vectors=False)[0]), [(4, 4)], None),
    ("pivoted qr", pivoted_qr, [(5, 4), (2, 4, 5)], None),
    ("ormqr", times_q(True, False), [(5, 5)], None),
    ("ormqr adjoint", times_q(True, True), [(2, 4, 4)], None),
    ("ormqr right", times_q(False, False), [(4, 4)], None),
    ("ormqr right adjoint", times_q(False, True), [(4, 4)], None),
    ("tridiagonal solve", systems(), [(3, 6), (2, 3, 5)], None),
    ("tridiagonal solve perturbed", systems(perturb_singular=True), [(3, 6), (2, 3, 5)], None),
    ("sizes 0", jnp.linalg.cholesky, [(0, 0), (0, 3, 3)], None),
    ("solve empty", lambda a: jnp.linalg.solve(a, a), [(0, 0)], None),
    ("svd full", svd(True), [(6, 4), (3, 5)], None),
]


def argument(t, shape, prepare):
    a = rng.normal(size=shape)
    if np.issubdtype(t, np.complexfloating):
        a = a + 1j * rng.normal(size=shape)
    return (prepare(a) if prepare else a).astype(t)


def check(d, shoal_run, f, arguments, tolerance):
    """Runs `f` on each argument, all in one program. Null, or what is wrong."""
    lowered = jax.jit(lambda *all: [f(a) for a in all]).lower(*arguments)
    with open(f"{d}/m.mlir", "w") as out:
        out.write(lowered.as_text())
    want = jax.tree.leaves(lowered.compile()(*arguments))
    np.savez(f"{d}/in.npz", **{f"arg{i}": a for i, a in enumerate(arguments)})
    np.savez(f"{d}/out.npz", **{f"out{i}": np.asarray(w) for i, w in enumerate(want)})
    run = subprocess.run([shoal_run, f"{d}/m.mlir", f"--input={d}/in.npz", f"--check={d}/out.npz",
                          f"--rtol={tolerance}", f"--atol={tolerance}"], capture_output=True, text=True)
    return run.stderr.strip()[:400] if run.returncode else None


def main():
    bad = 0
    chosen = sys.argv[2] if len(sys.argv) > 2 else ""
    with tempfile.TemporaryDirectory() as d:
        for name, f, shapes, prepare in CASES:
            if chosen not in name:
                continue
            for tolerance, types in (("1e-3", (np.float32, np.complex64)), ("1e-9", (np.float64, np.complex128))):
                arguments = [argument(t, shape, prepare) for t in types for shape in shapes]
                if sys.argv[1] == "--list":  # for test/coverage.py
                    for a in arguments:
                        print(jax.jit(f).lower(a).as_text() + "// -----")
                    continue
                if check(d, sys.argv[1], f, arguments, tolerance):
                    for a in arguments:  # which one it is
                        if problem := check(d, sys.argv[1], f, [a], tolerance):
                            print(f"BAD {name} {a.dtype} {a.shape}: {problem}")
                    bad += 1
    if sys.argv[1] != "--list":
        print(f"{bad} bad" if bad else "all agree")


main()
