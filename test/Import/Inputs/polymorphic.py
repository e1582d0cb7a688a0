"""Exports functions with symbolic sizes and compares shoal-run with JAX at several sizes."""
import os, subprocess, sys, tempfile
os.environ["JAX_PLATFORMS"] = "cpu"
import jax, jax.numpy as jnp, numpy as np
from jax import export, lax
run = sys.argv[1]

rng = np.random.default_rng(0)
def arr(shape, dtype):
    if np.issubdtype(dtype, np.integer): return rng.integers(-5, 9, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)
cases = []
def case(spec, *sizes, constraints=(), bytecode=False):
    def add(f): cases.append((f.__name__, f, spec, sizes, constraints, bytecode)); return f
    return add
F = np.float32
@case([("b,4", F)], [(3,4)], [(1,4)], [(17,4)])
def flatten(x): return jnp.reshape(x, (-1,)).sum() + jnp.arange(x.shape[0]).sum() + x.mean(), x.ravel()
@case([("2*n+1,m", F)], [(5,3)], [(3,7)], constraints=("m>=3",))
def concat_slice(x): return jnp.concatenate([x, x], 0)[:, :x.shape[1]//2]
@case([("b,4", F)], [(1,4)], [(6,4)])
def scan(x): return lax.scan(lambda c, y: (c + y, c * y), x[0], x)
@case([("b,c,c", F)], [(2,3,3)], [(1,5,5)])
def cholesky(x): return jnp.linalg.cholesky(x @ x.transpose(0,2,1) + 5*jnp.eye(x.shape[1]))
@case([("b", F)], [(3,)], [(50,)])
def random(x): return jax.random.uniform(jax.random.key(0), x.shape) + x, jax.random.bits(jax.random.key(1), (x.shape[0], 2))
@case([("b,2*c", F)], [(3,4)], [(5,8)])
def reduce_window(x): return lax.reduce_window(x, 0., lax.add, (2, x.shape[1]//2), (1,1), 'VALID')
@case([("2*b", F)], [(4,)], [(10,)])
def cumsum(x): return jnp.sort(x)[::2] + jnp.cumsum(x)[::2]
@case([("b,h,w,3", F), ("3,3,3,5", F)], [(2,8,9,3),(3,3,3,5)], [(1,5,5,3),(3,3,3,5)])
def conv(x, k): return lax.conv_general_dilated(x, k, (2,2), 'SAME', dimension_numbers=("NHWC","HWIO","NHWC"))
@case([("b,s,d", F), ("b,s,d", F)], [(2,5,8),(2,5,8)], [(1,1,4),(1,1,4)])
def attention(q, k): return jax.nn.softmax(jnp.einsum('bsd,btd->bst', q, k) / np.sqrt(3.), -1) @ k
@case([("n", np.int32), ("m,k", F)], [(4,),(7,3)], [(9,),(20,2)])
def take(i, t): return jnp.take(t, i, axis=0, mode="clip"), t.at[i].add(1.0, mode="drop")
@case([("n", F)], [(5,)], [(8,)])
def pad(x): return jnp.pad(x, (x.shape[0]//2, 3), constant_values=7.), jnp.tile(x, 3), jnp.flip(x)
@case([("n,n", F)], [(4,4)], [(1,1)])
def tri(x): return jnp.tril(x) + jnp.eye(x.shape[0]) * x.shape[0], jnp.diag(x), jnp.trace(x)
@case([("n", F), ("m", F)], [(4,),(3,)], [(1,),(9,)])
def outer(x, y): return jnp.outer(x, y), x[:, None] * y[None, :], jnp.concatenate([x, y])
@case([("n", F)], [(5,)], [(8,)])
def while_loop(x): return lax.fori_loop(0, x.shape[0], lambda i, c: c + x[i] * i, 0.0)
@case([("n,4", F)], [(5,4)], [(8,4)])
def cond(x): return lax.cond(x.sum() > 0, lambda v: v * v.shape[0], lambda v: v - 1, x)
@case([("n,4", F)], [(5,4)], [(2,4)])
def vmap_mlp(x): return jax.vmap(lambda r: jnp.tanh(r @ jnp.arange(16.).reshape(4,4)/9).sum())(x), jax.grad(lambda v: (jnp.sin(v)**2).mean())(x)
@case([("n", F)], [(5,)], [(8,)])
def mod(x): return x[: x.shape[0] % 3 + 1], jnp.full((x.shape[0]//2 + 1,), 3), lax.broadcasted_iota(np.int32, (2, x.shape[0]), 1)
@case([("a,b", F)], [(5,4)], [(3,7)])
def minmax(x): return jnp.zeros((jax.core.max_dim(x.shape[0], x.shape[1]), jax.core.min_dim(x.shape[0], 4))) + x.shape[0]
@case([("n,6", F)], [(4,6)], bytecode=True)
def byte(x): return x.reshape(-1, 3).T, x.max(0)
@case([("n", np.int8)], [(6,)], [(1,)])
def ints(x): return jnp.repeat(x, 2), jnp.where(x > 0, x, -x), jnp.unpackbits(x.astype(np.uint8))
@case([("n", F)], [(5,)])
def dynslice(x): return lax.dynamic_slice(x, (x.shape[0] - 2,), (2,)), lax.dynamic_update_slice(x, x[:2] * 10, (1,)), jnp.roll(x, 2), jnp.argsort(x)
@case([("n,2", np.complex64)], [(5,2)], [(1,2)])
def cplx(x): return x * x, jnp.abs(x), x.real.sum()
@case([("n,8", F)], [(3,8)], [(4,8)])
def fft(x): return jnp.fft.rfft(x), lax.top_k(x, 3)
def fail(n, *a):
    global bad; bad += 1; print("BAD", n, *a)
bad = 0
for name, f, spec, sizes, constraints, bytecode in cases:
    scope = export.SymbolicScope(constraints)
    args = [jax.ShapeDtypeStruct(export.symbolic_shape(s, scope=scope), d) for s, d in spec]
    try: e = export.export(jax.jit(f))(*args)
    except Exception as x: print("EXPORT", name, repr(x)[:150]); continue
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, name + ".mlir")
        if bytecode: open(path, "wb").write(e.mlir_module_serialized)
        else: open(path, "w").write(e.mlir_module())
        for shapes in sizes:
            vals = [arr(s, d) if not np.issubdtype(d, np.complexfloating) else (arr(s, F) + 1j*arr(s, F)).astype(d) for s, (_, d) in zip(shapes, spec)]
            want = jax.tree.leaves(jax.jit(f)(*vals))
            np.savez(tmp + "/in.npz", **{f"arg{i}": v for i, v in enumerate(vals)})
            np.savez(tmp + "/out.npz", **{f"out{i}": np.asarray(v) for i, v in enumerate(want)})
            r = subprocess.run([run, path, "--input=" + tmp + "/in.npz", "--check=" + tmp + "/out.npz", "--rtol=1e-4", "--atol=1e-5", "--single-device"], capture_output=True, text=True)
            if r.returncode: fail(name, shapes, r.returncode, r.stderr[:600])
print("all agree" if not bad else f"{bad} differ")
