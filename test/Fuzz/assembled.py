"""Models assembled at random from the blocks of real ones, sharded at random.

  assembled.py [--seeds A:B] [--keep DIR] [--stablehlo N] [--full]

Per seed JAX traces a stack of blocks (attention, norms, MoE routing, gated MLPs,
convolution, state-space and LSTM scans, scans over stacked layers, Fourier
mixing, pooling, caches, dropout, branches) over a residual stream, from tokens
or from numbers, forward or as a training step with an optimizer; sizes do not
divide the mesh, and sharding constraints are drawn for arguments, between
blocks, inside them and for results. What shoal-run computes on all ranks (with
the forms that cost chooses, and with any) must be what JAX computes on one
device; with --stablehlo, every Nth partitioned module also runs under JAX.
Exits 1 when anything failed.
"""
import argparse
import os
import random
import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE))
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=9"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402
from jax.sharding import Mesh, NamedSharding  # noqa: E402
from jax.sharding import PartitionSpec as P  # noqa: E402

from judge import Judge  # noqa: E402
from runner import Runner, check_seeds  # noqa: E402

MESHES = [(2, 2), (2, 4), (8,), (3, 2), (2, 2, 2), (4,), (2, 3), (4, 2)]


class Model:
    """A model under construction: blocks append parameters and a function."""

    def __init__(self, seed):
        self.rng, self.numbers = random.Random(seed), np.random.default_rng(seed)
        sizes = self.rng.choice(MESHES)
        self.axes = tuple("xyz"[:len(sizes)])
        self.mesh = Mesh(np.array(jax.devices()[:np.prod(sizes)]).reshape(sizes), self.axes)
        pick = self.rng.choice
        self.b, self.s, self.heads, self.dh = pick([1, 2, 3, 4]), pick([4, 5, 6, 8, 12]), pick([1, 2, 3, 4, 6]), pick([2, 4, 6])
        self.d = self.heads * self.dh
        self.params, self.blocks, self.names = [], [], []
        self.often = self.rng.choice([0.2, 0.5, 0.8])

    def w(self, *shape, scale=None):
        """A new parameter; the number by which a block finds it."""
        scale = scale or 1 / np.sqrt(shape[-2] if len(shape) > 1 else 4)
        self.params.append((self.numbers.standard_normal(shape) * scale).astype(np.float32))
        return len(self.params) - 1

    def spec(self, shape):
        dims = [[] for _ in shape]
        for axis in self.rng.sample(self.axes, len(self.axes)):
            if self.rng.random() < 0.75:
                dims[self.rng.randrange(len(shape))].append(axis)
        return P(*[tuple(d) or None for d in dims])

    def c(self, x, often=None):
        """A constraint, or none."""
        if np.ndim(x) == 0 or 0 in np.shape(x) or self.rng.random() > (self.often if often is None else often):
            return x
        return lax.with_sharding_constraint(x, NamedSharding(self.mesh, self.spec(np.shape(x))))


# ---------------------------------------------------------------- blocks: take the stream's model, give p, x -> x

def rms_norm(m):
    g = m.w(m.d)
    return lambda p, x: x * lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-3) * p[g]


def layer_norm(m):
    g, b = m.w(m.d), m.w(m.d)

    def f(p, x):
        mu = x.mean(-1, keepdims=True)
        return (x - mu) * lax.rsqrt(((x - mu) ** 2).mean(-1, keepdims=True) + 1e-3) * p[g] + p[b]
    return f


def attention(m):
    groups = m.rng.choice([g for g in range(1, m.heads + 1) if m.heads % g == 0])
    q, k, v, o = m.w(m.d, m.heads, m.dh), m.w(m.d, groups, m.dh), m.w(m.d, groups, m.dh), m.w(m.heads, m.dh, m.d)
    kind = m.rng.choice(["causal", "full", "window", "alibi"])
    rope = m.rng.random() < 0.4 and m.dh % 2 == 0

    def turn(x):
        half = m.dh // 2
        angle = jnp.arange(m.s, dtype=jnp.float32)[:, None] * 10.0 ** (-jnp.arange(half, dtype=jnp.float32))
        cos, sin = jnp.cos(angle)[:, None], jnp.sin(angle)[:, None]
        a, b = jnp.split(x, 2, -1)
        return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def f(p, x):
        Q, K, V = (jnp.einsum("bsd,dhe->bshe", x, p[w]) for w in (q, k, v))
        if rope:
            Q, K = turn(Q), turn(K)
        Q = m.c(Q)
        if groups != m.heads:
            K, V = (jnp.repeat(t, m.heads // groups, 2) for t in (K, V))
        logits = jnp.einsum("bshe,bthe->bhst", Q, K) * m.dh ** -0.5
        i, j = jnp.arange(m.s)[:, None], jnp.arange(m.s)
        if kind == "alibi":
            logits = logits - 0.1 * jnp.abs(i - j)
        if kind in ("causal", "window"):
            logits = jnp.where((i >= j) & (i - j < (3 if kind == "window" else m.s)), logits, -1e9)
        return x + jnp.einsum("bshe,hed->bsd", m.c(jnp.einsum("bhst,bthe->bshe", jax.nn.softmax(logits, -1), V)), p[o])
    return f


def mlp(m):
    n = m.rng.choice([4, 6, 10, 16])
    up, gate, down = m.w(m.d, n), m.w(m.d, n), m.w(n, m.d)
    act = m.rng.choice([jax.nn.gelu, jax.nn.silu, jax.nn.relu, jnp.tanh, lambda x: jax.nn.gelu(x, approximate=False)])
    gated = m.rng.random() < 0.5

    def f(p, x):
        h = act(x @ p[up])
        return x + m.c(h * (x @ p[gate]) if gated else h) @ p[down]
    return f


def moe(m):
    e, k, n = m.rng.choice([2, 3, 4, 6, 8]), m.rng.choice([1, 2]), m.rng.choice([4, 6])
    r, up, down = m.w(m.d, e), m.w(e, m.d, n), m.w(e, n, m.d)
    way = m.rng.choice(["dense", "capacity", "sort"])

    def f(p, x):
        t = x.reshape(-1, m.d)
        gates, chosen = lax.top_k(jax.nn.softmax(t @ p[r], -1), k)
        if way == "dense":
            weight = (jax.nn.one_hot(chosen, e) * gates[..., None]).sum(1)
            out = jnp.einsum("te,tef->tf", weight, jnp.einsum("ten,enf->tef", jax.nn.relu(m.c(jnp.einsum("td,edn->ten", t, p[up]))), p[down]))
        elif way == "capacity":
            cap = max(1, t.shape[0] * k // e)
            hot = jax.nn.one_hot(chosen[:, 0], e, dtype=jnp.int32)
            place = jnp.cumsum(hot, 0) * hot - 1
            dispatch = jax.nn.one_hot(place, cap, dtype=t.dtype) * (place < cap)[..., None]
            inside = m.c(jnp.einsum("tec,td->ecd", dispatch, t))
            out = jnp.einsum("tec,ecd->td", dispatch * gates[:, :1, None], jnp.einsum("ecn,end->ecd", jax.nn.relu(jnp.einsum("ecd,edn->ecn", inside, p[up])), p[down]))
        else:
            order = jnp.argsort(chosen.reshape(-1), stable=True)
            rows = m.c(t[order // k])
            mine = chosen.reshape(-1)[order]
            h = jax.nn.relu(jnp.einsum("rd,rdn->rn", rows, p[up][mine]))
            out = jnp.zeros_like(t).at[order // k].add(jnp.einsum("rn,rnd->rd", h, p[down][mine]) * gates.reshape(-1)[order][:, None])
        return x + out.reshape(x.shape)
    return f


def convolve(m):
    n, grouped = m.rng.choice([2, 3, 4]), m.rng.random() < 0.5
    w = m.w(n, 1 if grouped else m.d, m.d)
    dilation, same = m.rng.choice([1, 2]), m.rng.random() < 0.5

    def f(p, x):
        pad = "SAME" if same else [((n - 1) * dilation, 0)]
        return x + jax.nn.silu(lax.conv_general_dilated(x, p[w], (1,), pad, rhs_dilation=(dilation,), dimension_numbers=("NHC", "HIO", "NHC"), feature_group_count=m.d if grouped else 1))
    return f


def state_space(m):
    a, b = m.w(m.d), m.w(m.d, m.d)
    parallel = m.rng.random() < 0.5

    def f(p, x):
        decay, u = jax.nn.sigmoid(p[a]) * jnp.ones_like(x), x @ p[b]
        if parallel:
            return x + lax.associative_scan(lambda s, t: (s[0] * t[0], t[0] * s[1] + t[1]), (decay, u), axis=1)[1]
        return x + jnp.swapaxes(lax.scan(lambda h, t: ((n := t[0] * h + t[1]), n), jnp.zeros_like(u[:, 0]), (jnp.swapaxes(decay, 0, 1), jnp.swapaxes(u, 0, 1)))[1], 0, 1)
    return f


def lstm(m):
    w, u = m.w(m.d, 4 * m.d), m.w(m.d, 4 * m.d)

    def f(p, x):
        def step(carry, t):
            h, c = carry
            i, o, g, z = jnp.split(t @ p[w] + h @ p[u], 4, -1)
            c = jax.nn.sigmoid(g) * c + jax.nn.sigmoid(i) * jnp.tanh(z)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h
        zero = jnp.zeros_like(x[:, 0])
        return x + jnp.swapaxes(lax.scan(step, (zero, zero), jnp.swapaxes(x, 0, 1), reverse=m.rng.random() < 0.3)[1], 0, 1)
    return f


def stacked(m):
    layers, n = m.rng.choice([2, 3, 4]), m.rng.choice([4, 6])
    up, down = m.w(layers, m.d, n), m.w(layers, n, m.d)
    remat = m.rng.random() < 0.5

    def f(p, x):
        def layer(h, ws):
            return m.c(h + jnp.tanh(h @ ws[0]) @ ws[1]), None
        return lax.scan(jax.checkpoint(layer) if remat else layer, x, (p[up], p[down]))[0]
    return f


def fourier(m):
    axis = m.rng.choice([1, 2])
    return lambda p, x: x + jnp.fft.fft(x, axis=axis).real * 0.1 if axis == 1 else x + jnp.fft.irfft(jnp.fft.rfft(x, axis=2) * 0.5, n=m.d, axis=2)


def pool(m):
    n, kind = m.rng.choice([2, 3]), m.rng.choice(["max", "mean", "cumsum"])

    def f(p, x):
        if kind == "cumsum":
            return x + jnp.cumsum(x, 1) * 0.1
        op, init = (lax.max, -jnp.inf) if kind == "max" else (lax.add, 0.0)
        return x + lax.reduce_window(x, init, op, (1, n, 1), (1, 1, 1), "SAME") * 0.3
    return f


def cache(m):
    store, at = m.w(m.b, m.s + 3, m.d), m.rng.randint(0, 3)

    def f(p, x):
        new = m.c(lax.dynamic_update_slice(p[store], x, (0, at, 0)))
        return x + lax.dynamic_slice_in_dim(new, 1, m.s, 1) * 0.5
    return f


def dropout(m):
    key = m.rng.randrange(1000)
    return lambda p, x: jnp.where(jax.random.bernoulli(jax.random.key(key), 0.8, x.shape), x / 0.8, 0.0)


def branch(m):
    w = m.w(m.d, m.d)

    def f(p, x):
        return lax.cond(x.sum() > 0, lambda y: m.c(y @ p[w]), lambda y: y * 0.5, x) + x
    return f


def mixed(m):
    w = m.w(m.d, m.d)
    return lambda p, x: x + jax.nn.softplus(x @ jnp.triu(p[w]) - x[:, ::-1]) * jnp.where(jnp.arange(m.s)[:, None] % 2 == 0, 1.0, -0.5)


BLOCKS = [rms_norm, layer_norm, attention, attention, mlp, mlp, moe, moe, convolve, state_space, lstm, stacked, fourier, pool, cache, dropout, branch, mixed]


# ---------------------------------------------------------------- whole programs

def optimizer(m, name):
    """params, grads, state -> new params and state; state: arrays like the parameters."""
    def update(p, g, s):
        if name == "sgd":
            return p - 0.1 * g, []
        if name == "momentum":
            v = 0.9 * s[0] + g
            return p - 0.1 * v, [v]
        if name == "adam":
            a, b = 0.9 * s[0] + 0.1 * g, 0.99 * s[1] + 0.01 * g * g
            return p - 0.1 * a / (jnp.sqrt(b) + 1e-2), [a, b]
        # Lion, with a sign that rounding cannot turn.
        return p * 0.99 - 0.1 * jnp.tanh(4 * (0.9 * s[0] + 0.1 * g)), [0.99 * s[0] + 0.01 * g]
    return update, {"sgd": 0, "momentum": 1, "adam": 2, "lion": 1}[name]


def make(seed):
    """(text with shardings, arguments)"""
    m = Model(seed)
    tokens = m.rng.random() < 0.5
    vocabulary = m.rng.choice([7, 10, 16])
    table = m.w(vocabulary, m.d, scale=0.5) if tokens else None
    blocks = [m.rng.choice(BLOCKS)(m) for _ in range(m.rng.randint(1, 4))]
    head = m.w(m.d, vocabulary)
    x = m.numbers.integers(0, vocabulary, (m.b, m.s)).astype(np.int32) if tokens else m.numbers.standard_normal((m.b, m.s, m.d)).astype(np.float32)
    labels = m.numbers.integers(0, vocabulary, (m.b, m.s)).astype(np.int32)
    training = m.rng.random() < 0.5

    def forward(p, x):
        h = m.c(p[table][x] if tokens else x)
        for block in blocks:
            h = m.c(block(p, h))
        return h

    def loss(p, x, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(p, x) @ p[head], -1), y[..., None], -1).mean()

    if training:
        update, states = optimizer(m, m.rng.choice(["sgd", "momentum", "adam", "lion"]))
        state = [[np.abs(m.numbers.standard_normal(w.shape) * 0.1).astype(np.float32) for w in m.params] for _ in range(states)]

        def step(p, s, x, y):
            value, grads = jax.value_and_grad(loss)(p, x, y)
            new = [update(w, g, [t[i] for t in s]) for i, (w, g) in enumerate(zip(p, grads))]
            return value, [w for w, _ in new], [[n[1][k] for n in new] for k in range(states)]
        fn, args = step, (m.params, state, x, labels)
    else:
        fn, args = lambda p, x: (m.c(forward(p, x)), forward(p, x).mean(1) @ p[head]), (m.params, x)

    def constrained(*args):
        return jax.tree.map(m.c, fn(*jax.tree.map(m.c, args)))
    text = jax.jit(constrained, keep_unused=True).lower(*args).as_text()
    return text, jax.tree.leaves(args)


def without_shardings(text):
    text = re.sub(r"(%\w+) = sdy\.sharding_constraint (\S+) <[^>]*> : (\S+)", r"\1 = stablehlo.reshape \2 : (\3) -> \3", text)
    text = re.sub(r"  sdy\.mesh .*\n", "", text)
    return re.sub(r"mhlo\.num_partitions = \d+", "mhlo.num_partitions = 1", text)


def difference(got, want):
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        g, w = np.atleast_1d(g), np.atleast_1d(w)
        if w.dtype.kind != "f":
            bad = g != w
        else:
            scale = np.max(np.abs(w[np.isfinite(w)]), initial=0.0)
            bad = ~((np.abs(g - w) <= 1e-3 * (np.abs(w) + scale) + 1e-6) | (g == w) | (np.isnan(g) & np.isnan(w)))
        if bad.any():
            at = tuple(int(k) for k in np.argwhere(bad)[0])
            return f"out{i} {list(w.shape)}: {int(bad.sum())} wrong, first at {list(at)}: got {g[at]}, want {w[at]}"
    return None


class Checker:
    def __init__(self, args):
        self.args, self.judge, self.exported = args, Judge(), Judge(devices=9)
        self.runner = Runner(args.shoal_run, 120)

    def check(self, seed):
        text, arrays = make(seed)
        with tempfile.TemporaryDirectory() as folder:
            problem = self.problem_of(seed, text, arrays, folder)
        if problem and self.args.keep:
            os.makedirs(self.args.keep, exist_ok=True)
            Path(self.args.keep, f"{seed}.mlir").write_text(text)
            np.savez(Path(self.args.keep, f"{seed}.npz"), **{f"arg{i}": a for i, a in enumerate(arrays)})
        return problem

    def problem_of(self, seed, text, arrays, folder):
        good, want = self.judge.ask("run", without_shardings(text), arrays)
        if not good:
            return f"not judged: {want}"
        path, npz, out = f"{folder}/p.mlir", f"{folder}/in.npz", f"{folder}/out.npz"
        Path(path).write_text(text)
        np.savez(npz, **{f"arg{i}": a for i, a in enumerate(arrays)})
        env = {"SHOAL_TEST_POISON": "1", "SHOAL_TEST_FAULT": f"delay:{seed}"}
        if seed % 8 and not self.args.full:
            env["SHOAL_TEST_OPT_LEVEL"] = "0"
        for where, more in ("ranks", {}), ("ranks, any forms", {"SHOAL_TEST_FORMS": str(seed)}):
            problem = self.runner.run(path, npz, out, env=env | more)
            if not problem:
                with np.load(out) as got:
                    problem = difference([got[f"out{i}"] for i in range(len(want))], want)
            if problem:
                return f"{where}: {problem}"
        if self.args.stablehlo and seed % self.args.stablehlo == 0:
            problem = self.runner.stablehlo(path, f"{path}.stablehlo")
            if not problem:
                good, got = self.exported.ask("partitioned", Path(f"{path}.stablehlo").read_text(), arrays)
                problem = difference(got, want) if good else f"JAX refuses it: {got}"
            if problem:
                return f"stablehlo: {problem}"
        return None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", default="0:100", help="range A:B of seeds")
    p.add_argument("--keep", help="folder for failing programs")
    p.add_argument("--full", action="store_true", help="LLVM's full effort for all programs, not for one in eight")
    p.add_argument("--stablehlo", type=int, default=0, metavar="N", help="run every Nth program's partitioned module under JAX")
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--shoal-run", default=str(TOP / "build" / "bin" / "shoal-run"))
    args = p.parse_args()
    count, failed, _ = check_seeds(args, Checker, Checker.check, report_every=100)
    print(f"{count - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
