#!/usr/bin/env python3
"""The gradient of attention as users of JAX write it: it becomes kernels without
the scores in memory, whose results in the emulator are those of JAX.

  attention_gradients.py BUILD [FORM…]
"""
import os
import re
import subprocess
import sys
import tempfile

os.environ["JAX_PLATFORMS"] = "cpu"
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

BF16, F16, F32 = jnp.bfloat16, jnp.float16, jnp.float32
attend = jax.nn.dot_product_attention


def shapes(length=40, heads=2, size=16, kv=None, keys=None, values=None):
    """(batch, length, heads, size) of queries, keys and values."""
    kv, keys = kv or heads, keys or length
    return [(2, length, heads, size), (2, keys, kv, size),
            (2, keys, kv, values or size)]


def causal(q, k, v):
    return attend(q, k, v, is_causal=True)


def tril(s, low):
    i = jax.lax.broadcasted_iota(jnp.int32, s.shape, s.ndim - 2)
    j = jax.lax.broadcasted_iota(jnp.int32, s.shape, s.ndim - 1)
    return jnp.where(i >= j, s, low)


def wide_scores(q, k, v):
    """The scores' product has f32 results; so their gradients are f32."""
    s = jnp.einsum("bqhd,bkhd->bhqk", q, k, preferred_element_type=F32) * 0.25
    p = jax.nn.softmax(tril(s, -jnp.inf), axis=-1).astype(v.dtype)
    return jnp.einsum("bhqk,bkhd->bqhd", p, v)


def by_hand(q, k, v):
    """The maximum is differentiated too."""
    s = jnp.einsum("bqhd,bkhd->bhqk", q * 0.25, k)
    e = jnp.exp(s - jnp.max(s, -1, keepdims=True))
    return jnp.einsum("bhqk,bkhd->bqhd", e / jnp.sum(e, -1, keepdims=True), v)


@jax.custom_jvp
def softmax(x):
    e = jnp.exp(x - jnp.max(x, -1, keepdims=True))
    return e / jnp.sum(e, -1, keepdims=True)


@softmax.defjvp
def softmax_jvp(primals, tangents):
    y = softmax(*primals)
    t, = tangents
    return y, y * (t - jnp.sum(y * t, -1, keepdims=True))


def jvp_form(q, k, v):
    s = tril(jnp.einsum("bqhd,bkhd->bhqk", q, k) / 4, -1e30)
    return jnp.einsum("bhqk,bkhd->bqhd", softmax(s), v)


def repeated_keys(q, k, v):
    k, v = (jnp.repeat(x, q.shape[2] // k.shape[2], axis=2) for x in (k, v))
    s = jnp.einsum("bqhd,bkhd->bhqk", q, k).astype(F32) / 4
    p = jax.nn.softmax(tril(s, -1e9), -1).astype(q.dtype)
    return jnp.einsum("bhqk,bkhd->bqhd", p, v)


def one_key_head(q, k, v):
    s = jnp.einsum("bqhd,bkd->bhqk", q, k[:, :, 0]).astype(F32) / 4
    p = jax.nn.softmax(tril(s, -1e9), -1).astype(q.dtype)
    return jnp.einsum("bhqk,bkd->bqhd", p, v[:, :, 0])


def rows_masked(q, k, v):
    """Some rows see no key at all: all their scores are -1e9."""
    s = jnp.einsum("bqhd,bkhd->bhqk", q, k).astype(F32) / 4
    i = jax.lax.broadcasted_iota(jnp.int32, s.shape, 2)
    p = jax.nn.softmax(jnp.where(i % 3 > 0, s, -1e9), -1).astype(q.dtype)
    return jnp.einsum("bhqk,bkhd->bqhd", p, v)


def narrow_softmax(q, k, v):
    s = jnp.einsum("bqhd,bkhd->bhqk", q, k) * jnp.asarray(0.25, q.dtype)
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(s, -1), v)


def checkpointed(function):
    return jax.checkpoint(lambda q, k, v: jnp.tanh(function(q, k, v)))


SCORES = (2, 1, 40, 40)
# name: function, shapes of queries, keys, values (and more), their type.
FORMS = {
    "plain": (attend, shapes(), BF16),
    "plain, f32": (attend, shapes(), F32),
    "custom_jvp, f16": (jvp_form, shapes(), F16),
    "causal": (causal, shapes(72), BF16),
    "causal, f32": (causal, shapes(72), F32),
    "grouped keys": (causal, shapes(heads=4, kv=2), BF16),
    "grouped keys, f32": (causal, shapes(heads=6, kv=2), F32),
    "one head of keys": (one_key_head, shapes(heads=4, kv=1), BF16),
    "repeated keys": (repeated_keys, shapes(heads=4, kv=2), BF16),
    "mask": (lambda q, k, v, m: attend(q, k, v, mask=m > -1),
             [*shapes(), SCORES], BF16),
    "bias": (lambda q, k, v, b: attend(q, k, v, bias=b), [*shapes(), SCORES],
             F32),
    "window": (lambda q, k, v: attend(q, k, v, is_causal=True,
                                      local_window_size=(8, 0)),
               shapes(), BF16),
    "rows masked": (rows_masked, shapes(), BF16),
    "wide scores": (wide_scores, shapes(), BF16),
    "by hand": (by_hand, shapes(), F32),
    "custom_jvp": (jvp_form, shapes(), F32),
    "narrow softmax": (narrow_softmax, shapes(), BF16),
    "checkpointed": (checkpointed(causal), shapes(), BF16),
    "more keys than queries": (attend, shapes(24, keys=136), BF16),
    "more queries than keys": (attend, shapes(136, keys=24), BF16),
    "size 80": (causal, shapes(size=80), BF16),
    "size 96": (causal, shapes(size=96), BF16),
    "size 128": (causal, shapes(size=128), BF16),
    "size 128, f32": (causal, shapes(size=128), F32),
    "size 256": (causal, shapes(size=256), BF16),
    "values of another size": (repeated_keys, shapes(size=64, values=32), BF16),
}
TOLERANCE = {BF16: 2e-2, F16: 3e-3, F32: 2e-5}


def kernels_are_right(text, queries, keys):
    """All products are in attention's kernels, one of them the gradient, and
    nothing outside has a score for each query and key."""
    main, *kernels = text.split("plan.kernel @")
    scores = [s for s in re.findall(r"tensor<([\dx]+)x[a-z]", main)
              if s.endswith(f"x{queries}x{keys}") and queries != keys]
    return any(k.startswith("attention_gradient_") for k in kernels) and \
        all(k.startswith("attention_") for k in [main, *kernels]
            if "dot_general" in k) and not scores


def raw(array):
    return array.view("V2") if array.dtype == jnp.bfloat16 else array


def main(build, *names):
    bad = 0
    for name, (function, sizes, dtype) in FORMS.items():
        if names and name not in names:
            continue
        rng = np.random.default_rng(1)
        inputs = [rng.standard_normal(s, np.float32).astype(dtype)
                  for s in sizes]
        out = jax.eval_shape(function, *inputs)
        inputs.append(rng.standard_normal(out.shape, np.float32)
                      .astype(out.dtype))

        def step(q, k, v, *more):
            result, back = jax.vjp(lambda q, k, v: function(q, k, v, *more[:-1]),
                                   q, k, v)
            return (result, *back(more[-1]))

        # What is right is told by f32, not by how XLA rounds.
        exact = step(*(jnp.asarray(x, F32) for x in inputs))
        exact = [np.asarray(x.astype(dtype)) for x in exact]
        with tempfile.TemporaryDirectory() as folder:
            path = lambda file: os.path.join(folder, file)  # noqa: E731
            with open(path("model.mlir"), "w") as f:
                f.write(jax.jit(step).lower(*inputs).as_text())
            np.savez(path("in.npz"), **{f"arg{i}": raw(np.asarray(x))
                                        for i, x in enumerate(inputs)})
            np.savez(path("out.npz"), **{f"out{i}": raw(x)
                                         for i, x in enumerate(exact)})
            fused = subprocess.run(
                [os.path.join(build, "bin", "shoal-compile"), path("model.mlir"),
                 "--target=cuda", "--compile-to=fused", "-o", "-"],
                check=True, stdout=subprocess.PIPE, text=True).stdout
            whole = kernels_are_right(fused, sizes[0][1], sizes[1][1])
            check = subprocess.run(
                [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                              "..", "Emulator", "shoal-run-emulated"),
                 path("model.mlir"), f"--input={path('in.npz')}",
                 f"--check={path('out.npz')}", f"--rtol={TOLERANCE[dtype]}",
                 f"--atol={TOLERANCE[dtype]}"], capture_output=True, text=True)
        bad += not (whole and check.returncode == 0)
        print(f"{name}: {'fused' if whole else 'NOT FUSED'}, "
              f"{'right' if check.returncode == 0 else 'WRONG: ' + check.stdout + check.stderr}",
              flush=True)
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
