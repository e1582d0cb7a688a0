#!/usr/bin/env python3
"""Attention as users of JAX write it: one kernel each, which agrees with the
CPU's in the emulator.

  attention_forms.py BUILD [FORM…]
"""
import os
import subprocess
import sys
import tempfile

os.environ["JAX_PLATFORMS"] = "cpu"
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

BF16, F32 = jnp.bfloat16, jnp.float32
# (batch, length, heads, size), keys of fewer heads, (batch, heads, length, size)
Q, KV, HEADS = (2, 40, 4, 16), (2, 40, 2, 16), (2, 2, 40, 16)
SCORES = (2, 1, 40, 40)
LONG, LONG_KV, LONG_MASK = (1, 150, 2, 16), (1, 150, 1, 16), (1, 1, 1, 150)
attend = jax.nn.dot_product_attention


def written_out(q, k, v, causal=False):
    s = jnp.einsum("bhqd,bhkd->bhqk", q, k, preferred_element_type=F32) * 0.25
    if causal:
        i = jax.lax.broadcasted_iota(jnp.int32, s.shape, 2)
        j = jax.lax.broadcasted_iota(jnp.int32, s.shape, 3)
        s = jnp.where(i >= j, s, -jnp.inf)
    return jnp.einsum("bhqk,bhkd->bhqd",
                      jax.nn.softmax(s, axis=-1).astype(v.dtype), v)


def repeated_keys(q, k, v):
    k, v = jnp.repeat(k, 2, axis=2), jnp.repeat(v, 2, axis=2)
    s = jnp.einsum("bqhd,bkhd->bhqk", q, k).astype(F32) / 4
    s = jnp.where(jnp.tril(jnp.ones(s.shape[-2:], bool)), s, -1e9)
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(s, -1).astype(BF16), v)


def filled(q, k, v, fill, offset=0):
    s = jnp.einsum("bqhd,bkhd->bhqk", q, k, preferred_element_type=F32)
    i = jax.lax.broadcasted_iota(jnp.int32, s.shape, 2)
    j = jax.lax.broadcasted_iota(jnp.int32, s.shape, 3)
    s = jnp.where(j > i + offset, fill, s)
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(s, -1).astype(v.dtype), v)


FORMS = {
    "written out": (written_out, [HEADS] * 3),
    "written out, f32": (written_out, [HEADS] * 3, F32),
    "written out, causal": (lambda q, k, v: written_out(q, k, v, True),
                            [HEADS] * 3),
    "plain": (attend, [Q] * 3),
    "causal": (lambda q, k, v: attend(q, k, v, is_causal=True), [Q] * 3),
    "grouped keys": (attend, [Q, KV, KV]),
    "grouped keys, causal": (lambda q, k, v: attend(q, k, v, is_causal=True),
                             [Q, KV, KV]),
    "mask": (lambda q, k, v, m: attend(q, k, v, mask=m > 0),
             [Q, Q, Q, SCORES]),
    "bias": (lambda q, k, v, b: attend(q, k, v, bias=b),
             [Q, Q, Q, (1, 4, 40, 40)]),
    "window": (lambda q, k, v: attend(q, k, v, is_causal=True,
                                      local_window_size=(8, 0)), [Q] * 3),
    "repeated keys": (repeated_keys, [Q, KV, KV]),
    # Of several tiles of keys, those that are masked are left out...
    "causal, long": (lambda q, k, v: attend(q, k, v, is_causal=True),
                     [LONG, LONG_KV, LONG_KV]),
    "causal, long, f32": (lambda q, k, v: attend(q, k, v, is_causal=True),
                          [LONG] * 3, F32),
    "causal, long, mask": (
        lambda q, k, v, m: attend(q, k, v, mask=m > 0, is_causal=True),
        [LONG, LONG, LONG, LONG_MASK]),
    "window, long": (lambda q, k, v: attend(q, k, v, is_causal=True,
                                            local_window_size=(20, 0)),
                     [LONG] * 3),
    "window to both sides": (lambda q, k, v: attend(
        q, k, v, local_window_size=(10, 30)), [LONG] * 3),
    "minus infinity": (lambda q, k, v: filled(q, k, v, -jnp.inf), [LONG] * 3),
    "more keys": (lambda q, k, v: filled(q, k, v, -1e30, 50),
                  [(1, 100, 2, 16), LONG, LONG]),
    # ... but not where what they are filled with matters.
    "a fill that counts": (lambda q, k, v: filled(q, k, v, 0.5), [LONG] * 3),
    "rows without a key": (lambda q, k, v: filled(q, k, v, -1e9, -70),
                           [LONG] * 3),
}


def main(build, *names):
    bad = 0
    for name, (function, shapes, *dtype) in FORMS.items():
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            model, fused = (os.path.join(folder, f)
                            for f in ("model.mlir", "fused.mlir"))
            arrays = [jax.ShapeDtypeStruct(s, (dtype or [BF16])[0])
                      for s in shapes]
            with open(model, "w") as f:
                f.write(jax.jit(function).lower(*arrays).as_text())
            subprocess.run([os.path.join(build, "bin", "shoal-compile"), model,
                            "--target=cuda", "--compile-to=fused", "-o", fused],
                           check=True)
            with open(fused) as f:
                text = f.read()
            one = text.count("plan.kernel @attention_") == 1 and \
                text.count("stablehlo.dot_general") == 2
            check = subprocess.run(
                [os.path.join(build, "test", "Emulator", "gpu-kernel-check"),
                 fused, "--chip=sm_80", "--seed=3", "--verbose"],
                capture_output=True, text=True)
            right = check.returncode == 0 and "ok (attention" in check.stdout
        bad += not (one and right)
        print(f"{name}: {'one kernel' if one else 'NOT ONE KERNEL'}, "
              f"{'right' if right else 'WRONG: ' + check.stdout + check.stderr}",
              flush=True)
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
