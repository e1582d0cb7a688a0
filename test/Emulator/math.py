"""Transforms, factorisations and solves on the CUDA target by the stand-ins of
cuFFT, cuSOLVER and cuBLAS, against JAX; and the same without them.
math.py path/to/shoal-run"""
import os
import subprocess
import sys
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import linalg as ll

jax.config.update("jax_enable_x64", True)
TOOLS = os.path.join(os.environ["SHOAL_BUILD"], "test", "Emulator")
rng = np.random.default_rng(0)


def adjoint(a):
    return jnp.conj(jnp.swapaxes(a, -1, -2))


def factors(a, b, c):
    """a: square, b: tall, c: wide; batches. Vectors are compared by products,
    as they are unique up to a factor only."""
    out = []
    positive = a @ adjoint(a) + 2 * jnp.eye(a.shape[-1], dtype=a.dtype)
    out.append(ll.cholesky(positive, symmetrize_input=False))
    out.append(ll.cholesky(-positive, symmetrize_input=False))  # NaN
    for x in (a, b, c):
        lu, pivots, permutation = ll.lu(x)
        out += [lu, pivots, permutation]
        out += jnp.linalg.qr(x, mode="reduced")
        for full in (False, True):
            u, s, v = jnp.linalg.svd(x, full_matrices=full)
            k = s.shape[-1]
            out += [s, (u[..., :k] * s[..., None, :].astype(u.dtype)) @ v[..., :k, :],
                    adjoint(u) @ u, v @ adjoint(v)]
        out.append(jnp.linalg.svd(x, compute_uv=False))
    for lower in (False, True):
        v, w = ll.eigh(a, lower=lower, symmetrize_input=False, sort_eigenvalues=False)
        out += [w, (v * w[..., None, :].astype(v.dtype)) @ adjoint(v), adjoint(v) @ v]
    out.append(jnp.linalg.qr(b, mode="complete")[0])
    out.append(jnp.linalg.solve(a, a @ a))
    return out


def products(a, taus, x):
    return [ll.ormqr(a, taus, x, left=left, transpose=transpose)
            for left in (False, True) for transpose in (False, True)]


def expected_products(a, taus, x):
    """By the reflectors' definition: JAX's own, of complex matrices, is wrong now
    and then (jaxlib 0.10.2)."""
    qs = []
    for matrix, factors in zip(a, taus):
        q = np.eye(len(matrix), dtype=a.dtype)
        for i, tau in enumerate(factors):
            v = np.where(np.arange(len(matrix)) > i, matrix[:, i], 0)
            v[i] = 1
            q = q @ (np.eye(len(matrix)) - tau * np.outer(v, v.conj()))
        qs.append(q)
    q = np.stack(qs).astype(a.dtype)
    adjoint = np.conj(np.swapaxes(q, -1, -2))
    return [x @ q, x @ adjoint, q @ x, adjoint @ x]


def solves(a, b):
    a = a + 8 * jnp.eye(a.shape[-1], dtype=a.dtype)
    return [ll.triangular_solve(a, b if left else jnp.swapaxes(b, -1, -2), left_side=left,
                                lower=lower, transpose_a=transpose, conjugate_a=conjugate,
                                unit_diagonal=unit)
            for left in (True, False) for lower in (True, False) for unit in (True, False)
            for transpose, conjugate in ((False, False), (True, False), (True, True))]


def transforms(x, z):
    out = []
    for axes in ((-1,), (-2, -1), (-3, -2, -1)):
        out += [jnp.fft.fftn(z, axes=axes), jnp.fft.ifftn(z, axes=axes),
                jnp.fft.rfftn(x, axes=axes), jnp.fft.irfftn(z, axes=axes)]
    out.append(jnp.fft.irfft(z, n=2 * z.shape[-1] - 1))
    return out


# stablehlo.cholesky as it is, of both triangles and of no positive matrix.
CHOLESKY = """
func.func @main(%a: tensor<2x40x40xT>, %b: tensor<40x40xT>) -> (tensor<2x40x40xT>, tensor<40x40xT>, tensor<40x40xT>) {
  %0 = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<2x40x40xT>) -> tensor<2x40x40xT>
  %1 = "stablehlo.cholesky"(%b) <{lower = false}> : (tensor<40x40xT>) -> tensor<40x40xT>
  %2 = stablehlo.negate %b : tensor<40x40xT>
  %3 = "stablehlo.cholesky"(%2) <{lower = true}> : (tensor<40x40xT>) -> tensor<40x40xT>
  return %0, %1, %3 : tensor<2x40x40xT>, tensor<40x40xT>, tensor<40x40xT>
}"""

# Batches over ranks, in a loop, on streams that are held up.
SHARDED = """
shoal.mesh @m <["x"=2]>
func.func @main(%a: tensor<4x6x8xcomplex<f32>> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}, {}]>})
    -> tensor<4x6x8xcomplex<f32>> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %three = stablehlo.constant dense<3> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %r:2 = stablehlo.while(%i = %zero, %x = %a) : tensor<i32>, tensor<4x6x8xcomplex<f32>>
  cond {
    %c = stablehlo.compare LT, %i, %three : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %j = stablehlo.add %i, %one : tensor<i32>
    %f = stablehlo.fft %x, type = FFT, length = [6, 8] : (tensor<4x6x8xcomplex<f32>>) -> tensor<4x6x8xcomplex<f32>>
    %g = stablehlo.multiply %f, %x : tensor<4x6x8xcomplex<f32>>
    %h = stablehlo.fft %g, type = IFFT, length = [6, 8] : (tensor<4x6x8xcomplex<f32>>) -> tensor<4x6x8xcomplex<f32>>
    stablehlo.return %j, %h : tensor<i32>, tensor<4x6x8xcomplex<f32>>
  }
  return %r#1 : tensor<4x6x8xcomplex<f32>>
}"""


def random(shape, dtype):
    a = rng.normal(size=shape)
    if np.issubdtype(dtype, np.complexfloating):
        a = a + 1j * rng.normal(size=shape)
    return a.astype(dtype)


class Judge:
    def __init__(self, folder):
        self.folder, self.bad = folder, 0

    def run(self, name, text, inputs, want, tolerance, libraries, by, seed="0"):
        d = self.folder
        open(f"{d}/m.mlir", "w").write(text)
        np.savez(f"{d}/in.npz", **{f"arg{i}": a for i, a in enumerate(inputs)})
        np.savez(f"{d}/out.npz", **{f"out{i}": np.asarray(a) for i, a in enumerate(want)})
        file = TOOLS + "/libcumath.so" if libraries else "none"
        env = os.environ | {
            "SHOAL_CUDA_LIBRARY": TOOLS + "/libcuda.so.1", "SHOAL_TEST_EMULATE": "1",
            "SHOAL_NCCL_LIBRARY": TOOLS + "/libnccl.so.2", "SHOAL_TEST_POISON": "1",
            "SHOAL_TEST_CUDA_SEED": seed, "SHOAL_CUFFT_LIBRARY": file,
            "SHOAL_CUSOLVER_LIBRARY": file, "SHOAL_CUBLAS_LIBRARY": file,
            "SHOAL_TEST_MATH_LOG": f"{d}/calls"}
        open(f"{d}/calls", "w").close()
        command = [sys.argv[1], f"{d}/m.mlir", "--target=cuda", f"--input={d}/in.npz",
                   f"--check={d}/out.npz", f"--rtol={tolerance}", f"--atol={tolerance}",
                   "--repeat=2"]
        result = subprocess.run(command, capture_output=True, text=True, env=env)
        said = result.stdout + result.stderr
        used = sorted(set(open(f"{d}/calls").read().split("\n")) - {""})
        if result.returncode or "misuse" in said or used != by:
            self.bad += 1
            print(f"BAD {name}: by {used}, exit {result.returncode}: {said[:1500]}", flush=True)


def main():
    with tempfile.TemporaryDirectory() as d:
        judge = Judge(d)
        for t in (np.float32, np.float64, np.complex64, np.complex128):
            tolerance = 2e-3 if np.finfo(t).bits == 32 else 1e-9
            a, b, c = random((2, 5, 5), t), random((6, 4), t), random((2, 3, 5), t)

            def against(name, f, args, by, want=None):
                jitted = jax.jit(f)
                want = want or jitted(*args)
                for libraries in (True, False):
                    judge.run(f"{name} {np.dtype(t).name}", jitted.lower(*args).as_text(), args,
                              want, tolerance, libraries, by if libraries else [])

            against("factors", factors, (a, b, c), ["cublas trsm", "geqrf", "gesvd", "getrf",
                                                    "orgqr", "potrf", "syevd"])
            reflectors = (random((2, 5, 5), t), random((2, 5), t), random((2, 5, 5), t))
            against("products", products, reflectors, ["ormqr"], expected_products(*reflectors))
            against("solves", solves, (random((2, 32, 32), t) / 8, random((2, 32, 3), t)),
                    ["cublas trsm"])
            p = random((3, 40, 40), t)
            p = (p @ np.conj(np.swapaxes(p, -1, -2)) + 8 * np.eye(40)).astype(t)
            lower = np.linalg.cholesky(p)
            nan = np.tril(np.full((40, 40), np.nan)).astype(t)
            if np.issubdtype(t, np.complexfloating):
                nan = np.where(np.tril(np.ones((40, 40))) > 0, np.nan + 1j * np.nan, 0).astype(t)
            name = {"f": "f32", "d": "f64", "F": "complex<f32>", "D": "complex<f64>"}[np.dtype(t).char]
            judge.run(f"cholesky {name}", CHOLESKY.replace("xT", "x" + name), [p[:2], p[2]],
                      [lower[:2], np.conj(lower[2].T), nan], tolerance, True, ["potrf"])
            if t in (np.float32, np.float64):
                z = np.complex64 if t == np.float32 else np.complex128
                against("transforms", transforms, (random((2, 6, 5, 8), t), random((2, 6, 5, 8), z)),
                        [f"cufftExec{k}" for k in (("C2C", "C2R", "R2C") if t == np.float32 else
                                                   ("D2Z", "Z2D", "Z2Z"))])
        x = (random((4, 6, 8), np.complex64) / 8).astype(np.complex64)
        y = x
        for _ in range(3):
            y = np.fft.ifftn(np.fft.fftn(y, axes=(1, 2)) * y, axes=(1, 2))
        for seed in ("0", "7"):
            judge.run("sharded", SHARDED, [x], [y], 1e-4, True, ["cufftExecC2C"], seed)
    print(f"{judge.bad} bad" if judge.bad else "all agree")


main()
