"""Shared by the model files: the registry, meshes, random arrays, layers.

A model file registers builders:

    @model("gpt2_train", mesh="2x4")
    def _(m):
        ...
        return fn, args, specs

`args` is a tuple of pytrees of NumPy arrays, `specs` one PartitionSpec (or
tuple of axis names) per leaf or a pytree prefix of them; `m.c(x, *spec)` is a
sharding constraint, and nothing when the expected output is computed on one
device. Axes of a mesh are named "a", "b", "c" in order.
"""
import math
import zlib

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

REGISTRY = {}


def model(name, mesh="2x4", rtol=1e-4, atol=1e-5, partitioner="shardy",
          bytecode=False, ci=False, x64=False, reference=None):
    """Registers a builder. partitioner: how the program is printed ("shardy"
    or "gspmd"); bytecode: as jax.export's portable artifact; ci: part of the
    sample that the test suite runs; reference: builder option `m.sharded`
    stays True for the expected output too (programs with shard_map)."""
    def register(build):
        assert name not in REGISTRY, name
        REGISTRY[name] = dict(build=build, mesh=mesh, rtol=rtol, atol=atol,
                              partitioner=partitioner, bytecode=bytecode, ci=ci,
                              x64=x64, reference=reference)
        return build
    return register


class Builder:
    """What a model is built with: its mesh, its random numbers."""

    def __init__(self, name, mesh_text):
        sizes = [int(s) for s in mesh_text.split("x")]
        self.axes = tuple("abcdef"[:len(sizes)])
        devices = jax.devices()[:math.prod(sizes)]
        self.mesh = Mesh(np.array(devices).reshape(sizes), self.axes)
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))
        self.sharded = True

    def c(self, x, *spec):
        if not self.sharded:
            return x
        return lax.with_sharding_constraint(x, NamedSharding(self.mesh, P(*spec)))

    def r(self, *shape, scale=0.3, dtype=np.float32):
        return (self.rng.standard_normal(shape) * scale).astype(dtype)

    def w(self, *shape):
        """A weight with the scale of its fan-in."""
        return self.r(*shape, scale=1 / math.sqrt(shape[-2] if len(shape) > 1 else 4))

    def i(self, high, *shape, dtype=np.int32):
        return self.rng.integers(0, high, shape).astype(dtype)


def layer_norm(x, g, b, eps=1e-5):
    mu = x.mean(-1, keepdims=True)
    var = ((x - mu) ** 2).mean(-1, keepdims=True)
    return (x - mu) * lax.rsqrt(var + eps) * g + b


def rms_norm(x, g, eps=1e-6):
    return x * lax.rsqrt((x * x).mean(-1, keepdims=True) + eps) * g


def rope(x, pos, base=10000.0):
    half = x.shape[-1] // 2
    freq = base ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle = pos[:, None].astype(jnp.float32) * freq
    cos, sin = jnp.cos(angle)[:, None], jnp.sin(angle)[:, None]
    x1, x2 = jnp.split(x, 2, -1)
    return jnp.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], -1)


def attention(q, k, v, mask=None, bias=None, scale=None):
    """q: b s h d; k, v: b t g d with g dividing h."""
    group = q.shape[2] // k.shape[2]
    if group > 1:
        k = jnp.repeat(k, group, 2)
        v = jnp.repeat(v, group, 2)
    logits = jnp.einsum("bshd,bthd->bhst", q, k) * (scale or q.shape[-1] ** -0.5)
    if bias is not None:
        logits = logits + bias
    if mask is not None:
        logits = jnp.where(mask, logits, -1e9)
    return jnp.einsum("bhst,bthd->bshd", jax.nn.softmax(logits, -1), v)


def causal(s, t=None):
    t = t or s
    return jnp.tril(jnp.ones((s, t), bool), t - s)


def cross_entropy(logits, labels):
    logp = jax.nn.log_softmax(logits, -1)
    return -jnp.take_along_axis(logp, labels[..., None], -1).mean()
