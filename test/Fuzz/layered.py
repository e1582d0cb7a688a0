"""Layered programs in which the passes of docs/overlap.md have something to do:
tensor, sequence, data and expert parallel layers, sharded weights in scans,
gradients accumulated in loops, rings and exchanges by shard_map.

Sizes are small and need not divide the mesh. `make(seed)` gives the program's
text with its shardings, and its arguments.
"""
import os
import random

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=16")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402
from jax.sharding import Mesh, NamedSharding  # noqa: E402
from jax.sharding import PartitionSpec as P  # noqa: E402

MESHES = [(2, 2), (2, 4), (8,), (3, 2), (2, 2, 2), (4,), (4, 2), (2,), (3,), (2, 4, 2), (16,)]


class Draw:
    """A program under construction: its mesh, sizes and arguments."""

    def __init__(self, seed):
        self.rng, self.numbers = random.Random(seed), np.random.default_rng(seed)
        sizes = self.rng.choice(MESHES)
        self.names = tuple("xyz"[:len(sizes)])
        self.mesh = Mesh(np.array(jax.devices()[:np.prod(sizes)]).reshape(sizes), self.names)
        # What the axes are for: one may serve two purposes.
        axes = list(self.names)
        self.rng.shuffle(axes)
        self.dp, self.tp = axes[0], axes[-1]
        self.both = tuple(axes) if self.rng.random() < 0.3 else self.tp
        self.even = self.rng.random() < 0.7
        self.args, self.specs = [], []
        self.often = self.rng.choice([0.5, 0.9, 1.0])

    def n(self, axis):
        return int(np.prod([self.mesh.shape[a] for a in ((axis,) if isinstance(axis, str) else axis)]))

    def size(self, axis, most=3):
        """A dimension that the axis cuts: a multiple of it, or not."""
        s = self.n(axis) * self.rng.randint(1, most)
        return s if self.even or self.rng.random() < 0.6 else max(1, s - self.rng.randint(1, self.n(axis) - 1))

    def arg(self, shape, spec=P(), scale=None, integers=None):
        """The number of a new argument."""
        if integers:
            a = self.numbers.integers(0, integers, shape).astype(np.int32)
        else:
            a = (self.numbers.standard_normal(shape) * (scale or 1 / np.sqrt(shape[-2] if len(shape) > 1 else 2))).astype(np.float32)
        self.args.append(a)
        seen = []
        self.specs.append(P(*[None if a is None or a in seen else seen.append(a) or a for a in spec]))
        return len(self.args) - 1

    def c(self, x, *spec):
        seen, dims = set(), []
        for axes in spec:   # Of two purposes of one axis the first counts.
            axes = tuple(a for a in ((axes,) if isinstance(axes, str) else axes or ()) if a not in seen)
            seen.update(axes)
            dims.append(axes or None)
        return lax.with_sharding_constraint(x, NamedSharding(self.mesh, P(*dims))) if self.rng.random() < self.often else x

    def map(self, fn, ins, out):
        return jax.shard_map(fn, mesh=self.mesh, in_specs=ins, out_specs=out, check_vma=False)


def descend(d, loss, weights):
    """A training step over the loss(p) of some of the arguments."""
    way = d.rng.choice(["grad", "sgd", "momentum"])

    def step(*p):
        value, g = jax.value_and_grad(lambda ws: loss([ws[weights.index(i)] if i in weights else a for i, a in enumerate(p)]))([p[i] for i in weights])
        if way == "grad":
            return (value, *g)
        return (value, *[p[i] * (0.9 if way == "momentum" else 1) - 0.1 * x for i, x in zip(weights, g)])
    return step


def activation(d):
    return d.rng.choice([jnp.tanh, jax.nn.relu, jax.nn.silu, lambda x: x * x * 0.1, lambda x: x])


def megatron(d):
    """Layers of column- and row-parallel products, the sequence cut between them or not."""
    b, s, h, f = d.size(d.dp, 4), d.size(d.tp), d.rng.choice([4, 6, 8]), d.size(d.tp, 4)
    x = d.arg((b, s, h), P(d.dp, d.tp if d.rng.random() < 0.5 else None, None))
    layers, act, sp = d.rng.randint(1, 3), activation(d), d.rng.random() < 0.7
    gated = d.rng.random() < 0.4
    ws = [[d.arg((h, f), P(None, d.tp)), d.arg((h, f), P(None, d.tp)), d.arg((f, h), P(d.tp, None))] for _ in range(layers)]
    between = (d.dp, d.tp, None) if sp and d.dp != d.tp else (None, d.tp, None) if sp else (d.dp if d.dp != d.tp else None, None, None)

    def forward(p):
        y = p[x]
        for up, gate, down in ws:
            y = d.c(y, *between)
            u = act(jnp.einsum("bsh,hf->bsf", y, p[up]))
            if gated:
                u = u * jnp.einsum("bsh,hf->bsf", y, p[gate])
            y = y + d.c(jnp.einsum("bsf,fh->bsh", u, p[down]), *between)
        return y
    if d.rng.random() < 0.5:
        return descend(d, lambda p: (forward(p) ** 2).mean(), [w for layer in ws for w in layer])
    return lambda *p: (forward(p),)


def sharded_weights(d):
    """A scan over layers whose weights are cut over data parallel devices (FSDP)."""
    layers, b, h, f = d.rng.randint(3, 5), d.size(d.dp, 2), d.size(d.dp), d.rng.choice([4, 6, 8])
    x = d.arg((b, h), P(d.dp, None))
    other = d.tp if d.tp != d.dp else None
    up, down, g = d.arg((layers, h, f), P(None, d.dp, other)), d.arg((layers, f, h), P(None, other, d.dp)), d.arg((layers, h), P(None, d.dp))
    act, remat = activation(d), d.rng.random() < 0.5
    stacks, reverse = d.rng.random() < 0.4, d.rng.random() < 0.2
    unroll = d.rng.choice([1, 1, 1, 2])

    def layer(y, w):
        y = d.c(y, d.dp, None)
        y = y + act(d.c((y * w[2]) @ w[0], d.dp, None)) @ w[1]
        return y, y.sum(0) if stacks else None

    def forward(p):
        y, out = lax.scan(jax.checkpoint(layer) if remat else layer, p[x], (p[up], p[down], p[g]), reverse=reverse, unroll=unroll)
        return y, out
    if d.rng.random() < 0.7:
        step = descend(d, lambda p: (forward(p)[0] ** 2).mean(), [up, down, g])
        return lambda *p: tuple(lax.with_sharding_constraint(o, NamedSharding(d.mesh, d.specs[i])) if np.ndim(o) and k else o
                                for k, (o, i) in enumerate(zip(step(*p), [0, up, down, g])))
    return lambda *p: jax.tree.leaves(forward(p))


def stacks(d):
    """Scans and what walks over all that they keep: their gradients, the parts of a batch one after the other or not, or another
    scan of the rows that one makes."""
    layers, b, h, f = d.rng.randint(2, 6), d.size(d.dp, 2), d.rng.choice([4, 6, 8]), d.size(d.tp)
    parts = d.rng.choice([1, 1, 2, 3])
    x = d.arg((parts, b, h), P(None, d.dp, None))
    up, down, bias = d.arg((layers, h, f), P(None, None, d.tp)), d.arg((layers, f, h), P(None, d.tp, None)), d.arg((layers, f), P(None, d.tp))
    act, remat, reverse = activation(d), d.rng.random() < 0.4, d.rng.random() < 0.3
    made = d.rng.choice(["no", "early", "late"])

    def layer(y, w):
        y = d.c(y, d.dp, None)
        u = jnp.tanh(y @ w[0] + w[2])
        row = {"no": None, "early": y * 0.5, "late": u}[made]
        y = y + act(u) @ w[1]
        if made == "late" and remat:
            row = jnp.tanh(y @ w[0])
        return y, row

    def forward(p, x):
        return lax.scan(jax.checkpoint(layer) if remat else layer, x, (p[up], p[down], p[bias]), reverse=reverse)
    if made != "no" and d.rng.random() < 0.7:
        again = d.rng.random() < 0.5

        def walk(p, x):
            y, rows = forward(p, x)
            first = y if made == "early" else jnp.zeros(rows.shape[1:], rows.dtype)
            return lax.scan(lambda z, row: (jnp.tanh(z + row), (z * row).sum()), first, rows, reverse=again)
        if parts == 1:
            return lambda *p: jax.tree.leaves(walk(p, p[x][0]))
        return lambda *p: jax.tree.leaves(lax.scan(lambda n, part: (n + 1, walk(p, part)), 0, p[x]))
    if parts == 1:
        return descend(d, lambda p: (forward(p, p[x][0])[0] ** 2).mean(), [up, down, bias])

    def step(*p):
        def one(carry, part):
            value, g = jax.value_and_grad(lambda ws: (forward({up: ws[0], down: ws[1], bias: ws[2]}, part)[0] ** 2).mean())((p[up], p[down], p[bias]))
            return (carry[0] + value, jax.tree.map(jnp.add, carry[1], g)), None
        zero = jnp.zeros_like(p[x][0], shape=())
        return jax.tree.leaves(lax.scan(one, (zero, jax.tree.map(jnp.zeros_like, (p[up], p[down], p[bias]))), p[x])[0])
    return step


def accumulated(d):
    """Gradients of microbatches, added up in a loop."""
    micro, b, h, f = d.rng.randint(2, 5), d.size(d.dp, 2), d.size(d.dp), d.rng.choice([3, 4, 6])
    x, w, v = d.arg((micro, b, h), P(None, d.dp, None)), d.arg((h, f)), d.arg((f, h))
    act = activation(d)
    scattered, narrow = d.rng.random() < 0.5, d.rng.random() < 0.2

    def loss(w, v, y):
        return ((act(y @ w) @ v) ** 2).sum()

    def step(*p):
        def one(carry, y):
            value, g = jax.value_and_grad(lambda ws: loss(*ws, y))((p[w], p[v]))
            if scattered:
                g = (d.c(g[0], d.dp, None), d.c(g[1], None, d.dp))
            if narrow:
                g = jax.tree.map(lambda a: a.astype(jnp.bfloat16).astype(jnp.float32), g)
            most = jnp.maximum(carry[2], y.max(0))
            return (carry[0] + value, jax.tree.map(jnp.add, carry[1], g), most), None
        zero = (jnp.zeros((h, f)) + 1, jnp.zeros((f, h)))
        (value, g, most), _ = lax.scan(one, (0.0, zero, jnp.full((h,), -9.0)), p[x])
        return value, most, p[w] - 0.1 * g[0], p[v] - 0.1 * g[1]
    return step


def parallel_data(d):
    """Many small gradients over all devices, in buckets."""
    b, h = d.size(d.names, 2), d.rng.choice([3, 4, 5])
    x = d.arg((b, h), P(d.names, None))
    ws = [d.arg((h, h)) for _ in range(d.rng.randint(3, 6))]
    bs = [d.arg((h,)) for _ in ws]
    act = activation(d)

    def loss(p):
        y = p[x]
        for w, c in zip(ws, bs):
            y = act(y @ p[w] + p[c]) + y
        return (y ** 2).mean()
    return descend(d, loss, ws + bs)


def experts(d):
    """Rows to experts and back, by resharding (all_to_all)."""
    e, cap, h, f = d.size(d.tp, 2), 4 * d.rng.randint(1, 2), d.rng.choice([4, 6]), d.rng.choice([3, 6])
    groups = d.n(d.tp) * d.rng.randint(1, 2)
    x, to = d.arg((groups, e * cap, h), P(d.tp, None, None)), d.arg((groups, e * cap), P(d.tp, None), integers=e * cap)
    layers = d.rng.randint(1, 2)
    ws = [(d.arg((e, h, f), P(d.tp, None, None)), d.arg((e, f, h), P(d.tp, None, None))) for _ in range(layers)]
    act = activation(d)

    def forward(p):
        y = p[x]
        for up, down in ws:
            hot = jax.nn.one_hot(p[to], e * cap, dtype=y.dtype)
            rows = jnp.einsum("gth,gtr->grh", y, hot).reshape(groups, e, cap, h)
            rows = d.c(rows, d.tp, None, None, None)
            rows = d.c(rows, None, d.tp, None, None)
            out = jnp.einsum("gecf,efh->gech", act(jnp.einsum("gech,ehf->gecf", rows, p[up])), p[down])
            out = d.c(out, None, d.tp, None, None)
            out = d.c(out, d.tp, None, None, None).reshape(groups, e * cap, h)
            y = y + jnp.einsum("grh,gtr->gth", out, hot)
        return y
    if d.rng.random() < 0.4:
        return descend(d, lambda p: (forward(p) ** 2).mean(), [w for layer in ws for w in layer])
    return lambda *p: (forward(p),)


def exchanged(d):
    """The same by hand: all_to_all, products, all_to_all; in a loop or not."""
    n, h, f = d.n(d.tp), d.rng.choice([4, 6]), d.rng.choice([3, 6])
    e, cap = n * d.rng.randint(1, 2), d.rng.choice([2, 4, 8])
    x = d.arg((n * e, cap, h), P(d.tp))
    up, down = d.arg((e, h, f), P(d.tp)), d.arg((e, f, h), P(d.tp))
    act, times = activation(d), d.rng.choice([1, 1, 2, 4])
    loop = d.rng.random() < 0.5

    def local(y, up, down):
        def once(y):
            rows = lax.all_to_all(y, d.tp, 0, 1, tiled=True)
            out = jnp.einsum("ecf,efh->ech", act(jnp.einsum("ech,ehf->ecf", rows, up)), down)
            return y + lax.all_to_all(out, d.tp, 1, 0, tiled=True) * 0.5
        if loop:
            return lax.fori_loop(0, times, lambda i, y: once(y), y)
        for _ in range(times):
            y = once(y)
        return y
    return lambda *p: (d.map(local, (P(d.tp),) * 3, P(d.tp))(p[x], p[up], p[down]),)


def ring(d):
    """Attention over blocks of keys and values that travel around a ring."""
    n, b, heads, dh = d.n(d.tp), d.rng.randint(1, 2), d.rng.randint(1, 2), d.rng.choice([2, 4])
    s = n * d.rng.choice([1, 2, 3])
    q, k, v = (d.arg((b, s, heads, dh), P(None, d.tp), scale=1.0) for _ in range(3))
    causal, carried = d.rng.random() < 0.5, d.rng.random() < 0.5
    step = 1 if d.rng.random() < 0.7 else n - 1
    grad = d.rng.random() < 0.4

    def local(q, k, v):
        me, rows = lax.axis_index(d.tp), s // n

        def part(i, state):
            o, m, z, k, v = state
            at = (me - i * step) % n
            logits = jnp.einsum("bqhe,bkhe->bhqk", q, k)
            if causal:
                mask = (me * rows + jnp.arange(rows))[:, None] >= (at * rows + jnp.arange(rows))
                logits = jnp.where(mask, logits, -1e9)
            new = jnp.maximum(m, logits.max(-1))
            w, old = jnp.exp(logits - new[..., None]), jnp.exp(m - new)
            o = o * old[..., None] + jnp.einsum("bhqk,bkhe->bhqe", w, v)
            perm = [(j, (j + step) % n) for j in range(n)]
            return o, new, z * old + w.sum(-1), lax.ppermute(k, d.tp, perm), lax.ppermute(v, d.tp, perm)
        state = (jnp.zeros((b, heads, rows, dh)), jnp.full((b, heads, rows), -1e30), jnp.zeros((b, heads, rows)), k, v)
        if carried:
            state = lax.scan(lambda c, i: (part(i, c), None), state, jnp.arange(n))[0]
        else:
            for i in range(n):
                state = part(i, state)
        return (state[0] / state[2][..., None]).swapaxes(1, 2)
    f = d.map(local, (P(None, d.tp),) * 3, P(None, d.tp))
    if grad:
        return lambda *p: jax.value_and_grad(lambda t: (f(*t) ** 2).sum())((p[q], p[k], p[v]))
    return lambda *p: (f(p[q], p[k], p[v]),)


def layers_by_hand(d):
    """A scan that gathers its weights, and scatters what it collects."""
    n, layers, b, h = d.n(d.tp), d.rng.randint(3, 6), d.rng.randint(1, 3), d.n(d.tp) * d.rng.randint(1, 2)
    x, w = d.arg((n * b, h), P(d.tp)), d.arg((layers, h, h), P(None, d.tp))
    ahead, behind, gathers = d.rng.random() < 0.8, d.rng.random() < 0.7, d.rng.randint(1, 2)
    act, reverse = activation(d), d.rng.random() < 0.3
    kind = d.rng.choice(["scatter", "sum", "max"])

    def local(y, w):
        def layer(y, wl):
            whole = lax.all_gather(wl, d.tp, axis=0, tiled=True) if ahead else wl.repeat(n, 0)
            for _ in range(gathers - 1):
                whole = whole + lax.all_gather(wl * 0.5, d.tp, axis=0, tiled=True)
            new = act(y @ whole) * 0.5 + y
            g = y.T @ new
            if behind:
                g = {"scatter": lambda: lax.psum_scatter(g, d.tp, scatter_dimension=0, tiled=True),
                     "sum": lambda: lax.psum(g, d.tp), "max": lambda: lax.pmax(g, d.tp) * 2 + 1}[kind]()
            return new, g
        return lax.scan(layer, y, w, reverse=reverse)
    out = P(None, d.tp) if behind and kind == "scatter" or not behind else P()
    return lambda *p: d.map(local, (P(d.tp), P(None, d.tp)), (P(d.tp), out))(p[x], p[w])


def stages(d):
    """A pipeline by permutes in a scan."""
    n, b, h = d.n(d.tp), d.rng.randint(1, 3), d.rng.choice([3, 4])
    micro = d.rng.randint(1, 4)
    x, w = d.arg((micro, b, h)), d.arg((n, h, h), P(d.tp))
    act = activation(d)

    def local(x, w):
        me = lax.axis_index(d.tp)

        def tick(carry, t):
            state, out = carry
            state = jnp.where(me == 0, lax.dynamic_index_in_dim(x, jnp.minimum(t, micro - 1), keepdims=False), state)
            state = act(state @ w[0])
            i = t - n + 1
            out = jnp.where((i >= 0) & (me == n - 1), lax.dynamic_update_index_in_dim(out, state, jnp.maximum(i, 0), 0), out)
            return (lax.ppermute(state, d.tp, [(j, (j + 1) % n) for j in range(n)]), out), None
        (_, out), _ = lax.scan(tick, (jnp.zeros((b, h)), jnp.zeros((micro, b, h))), jnp.arange(micro + n - 1))
        return lax.psum(jnp.where(me == n - 1, out, 0), d.tp)
    return lambda *p: (d.map(local, (P(), P(d.tp)), P())(p[x], p[w]),)


def neighbours(d):
    """Collectives next to collectives, slices, conversions and sums."""
    axes = d.rng.sample(d.names, d.rng.randint(1, len(d.names)))
    axis = axes[0]
    n, every = d.n(axis), d.n(d.names)
    rows = n * n * d.rng.randint(1, 2)
    x, y = d.arg((every * rows, 2 * n), P(d.names), integers=9), d.arg((every * rows, 2 * n), P(d.names), integers=9)
    kinds = [d.rng.choice(["reduce_slice", "gather_slice", "slice_gather", "scatter_gather", "two_sums", "permutes", "exchanges",
                           "nested", "narrow", "sum_after", "parts", "gathers", "max", "loop_sum", "loop_fixed"]) for _ in range(d.rng.randint(2, 4))]
    extra = d.rng.choice([d.names, tuple(axes)])

    def mine(z, dim=0):
        size = z.shape[dim] // n
        return lax.dynamic_slice_in_dim(z, lax.axis_index(axis) * size, size, dim)

    def local(x, y):
        out = []
        for k in kinds:
            if k == "reduce_slice":
                out.append(mine(lax.psum(x, extra if axis in extra else axis)))
            elif k == "gather_slice":
                out.append(mine(lax.all_gather(x, axis, axis=1, tiled=True), 1) + mine(lax.all_gather(y, axis, axis=0, tiled=True), 0))
            elif k == "slice_gather":
                out.append(lax.all_gather(mine(lax.all_gather(x, axis, axis=0, tiled=True)), axis, axis=0, tiled=True))
            elif k == "scatter_gather":
                out.append(lax.all_gather(lax.psum_scatter(x, axis, scatter_dimension=0, tiled=True), axis, axis=0, tiled=True))
            elif k == "two_sums":
                out.append(lax.psum(x, axis) - lax.psum(y, axis) + lax.psum(x * y, axis))
            elif k == "permutes":
                turn = [(i, (i + 1) % n) for i in range(n)]
                out.append(lax.ppermute(lax.ppermute(x, axis, turn), axis, [(i, (i + n - 1) % n) for i in range(n)]) + lax.ppermute(lax.ppermute(y, axis, turn), axis, turn[:-1]))
            elif k == "exchanges":
                z = lax.all_to_all(x, axis, 0, 1, tiled=True)
                out += [lax.all_to_all(z, axis, 1, 0, tiled=True), z.sum(1)]
            elif k == "nested":
                z = lax.psum(x, axis)
                for a in axes[1:]:
                    z = lax.psum(z, a)
                out.append(z)
            elif k == "narrow":
                out.append(lax.all_gather(x.astype(jnp.float32), axis, axis=0, tiled=True).astype(jnp.int32)[::2] + lax.all_gather(y.astype(jnp.int8).astype(jnp.int32), axis, axis=0, tiled=True)[::2])
            elif k == "sum_after":
                out.append(lax.psum(x, axis).sum(0) + lax.psum(y, extra).sum(0))
            elif k == "parts":
                out += [lax.psum(x, axis)[1:, ::2], lax.all_gather(y, axis, axis=0, tiled=True)[:, 1:], lax.ppermute(x, axis, [(i, (i + 1) % n) for i in range(n)])[:-1]]
            elif k == "gathers":
                z = lax.all_gather(x, axis, axis=0, tiled=True)
                for a in axes[1:]:
                    z = lax.all_gather(z, a, axis=0, tiled=True)
                out.append(z[1:-1])
            elif k == "max":
                out.append(jnp.maximum(lax.pmax(x, axis), lax.pmax(y, axis)) - jnp.minimum(lax.pmin(x, axis), lax.pmin(y, axis)))
            elif k == "loop_sum":
                out.append(lax.fori_loop(0, 3, lambda i, c: c + lax.psum(x * i, axis), y if d.even else y * 0))
            else:
                out.append(lax.fori_loop(0, 4, lambda i, c: c * i + lax.all_gather(x.sum(0), axis).sum(0), y[0]))
        return [o[None] for o in out]
    f = lambda *p: d.map(local, (P(d.names),) * 2, P(d.names))(p[x], p[y])  # noqa: E731
    return f


def gathered_products(d):
    """Products of integers (exact) with operands gathered and results scattered."""
    n = d.n(d.tp)
    b, k, m = d.rng.choice([1, 2, 3]), d.size(d.tp), d.size(d.tp, 2)
    outer = d.dp if d.dp != d.tp else None
    x, w, v = d.arg((d.size(d.dp), b, k), P(outer, None, d.tp), integers=5), d.arg((k, m), P(d.tp, None), integers=5), d.arg((m, k), P(d.tp, None), integers=5)
    turned = d.rng.random() < 0.5
    gathers = d.rng.random() < 0.5

    def f(*p):
        y = p[x]
        if gathers:
            y = d.c(y, outer, None, None)
        z = jnp.einsum("gbk,km->gbm", y, p[w] if gathers else d.c(p[w], d.tp, None))
        z = d.c(z, outer, None, d.tp)
        u = jnp.einsum("gbm,mk->kgb" if turned else "gbm,mk->gbk", z, p[v])
        return d.c(u, d.tp, outer, None) if turned else d.c(u, outer, None, d.tp), z
    return f


def loops(d):
    """Loops in loops and branches, their ends and choices decided by sharded data."""
    b, h = d.size(d.dp, 2), d.size(d.tp, 2)
    outer = d.dp if d.dp != d.tp else None
    layers = d.rng.randint(3, 4)
    x, ws, limit = d.arg((b, h), P(outer, d.tp)), d.arg((layers, h, h), P(None, d.tp, None)), d.arg((layers, h), P(None, d.tp))
    act, inner, kind = activation(d), d.rng.randint(2, 4), d.rng.choice(["scan", "while", "cond"])

    def product(y, w):
        return jnp.tanh(d.c(d.c(y, outer, None) @ w, outer, d.tp))

    def layer(y, v):
        w, g = v
        if kind == "scan":
            y, out = lax.scan(lambda z, k: (product(z, w) * k + z, z.sum(0)), y, jnp.arange(inner, dtype=jnp.float32) * 0.3)
            return y, out.max(0)
        if kind == "while":
            y = lax.while_loop(lambda c: (c[1] < 5) & (jnp.abs(c[0]).sum() < 4.0 * b), lambda c: (product(c[0], w) + c[0] * 1.2, c[1] + 1), (y, 0))[0]
            return act(y), y.sum(0) * g
        y = lax.cond(jnp.sum(y * g) > 0, lambda z: product(z, w), lambda z: z * g, y)
        return y, (y @ w).sum(0)
    return lambda *p: lax.scan(layer, p[x], (p[ws], p[limit]))


def stencil(d):
    """Neighbours' rows, by shardings of space and by hand, step by step."""
    n, width = d.n(d.tp), d.rng.choice([4, 6])
    rows, steps = n * d.rng.randint(2, 4), d.rng.randint(1, 5)
    x, k = d.arg((rows, width, 2), P(d.tp)), d.arg((3, 3, 2, 2), scale=0.3)
    wraps = d.rng.random() < 0.5
    looped = d.rng.random() < 0.6

    def local(y, k):
        up, down = ([(i, (i + s) % n) for i in range(n) if wraps or 0 <= i + s < n] for s in (1, -1))

        def step(_, y):
            z = jnp.concatenate([lax.ppermute(y[-1:], d.tp, up), y, lax.ppermute(y[:1], d.tp, down)])
            return jnp.tanh(lax.conv_general_dilated(z[None], k, (1, 1), ((0, 0), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"))[0]) + y * 0.5
        if looped:
            return lax.fori_loop(0, steps, step, y)
        for t in range(steps):
            y = step(t, y)
        return y

    def spread(y, k):
        def step(_, y):
            return d.c(jnp.tanh(lax.conv_general_dilated(y[None], k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))[0]) + y * 0.5, d.tp)
        return lax.fori_loop(0, steps, step, y)
    return lambda *p: (d.map(local, (P(d.tp), P()), P(d.tp))(p[x], p[k]), spread(p[x], p[k]))


FAMILIES = ([megatron] * 3 + [sharded_weights] * 2 + [layers_by_hand] * 2 + [neighbours] * 3 + [gathered_products] * 2
            + [stacks] * 2 + [accumulated, parallel_data, experts, exchanged, ring, stages, loops, stencil])


def make(seed, only=None):
    """(text with shardings, arguments, name of the family)"""
    d = Draw(seed)
    family = d.rng.choice([f for f in FAMILIES if not only or f.__name__ in only])
    fn = family(d)

    narrow = d.rng.choice([None] * 8 + [jnp.bfloat16, jnp.float16])

    def constrained(*args):
        if narrow:
            args = [a.astype(narrow) if a.dtype == np.float32 else a for a in args]
        args = [lax.with_sharding_constraint(a, NamedSharding(d.mesh, s)) for a, s in zip(args, d.specs)]
        return jax.tree.leaves(fn(*args))
    with jax.sharding.use_mesh(d.mesh) if hasattr(jax.sharding, "use_mesh") else jax.set_mesh(d.mesh):
        try:
            text = jax.jit(constrained, keep_unused=True).lower(*d.args).as_text()
        except TypeError:   # What a loop carries has another type.
            if not narrow:
                raise
            narrow = None
            text = jax.jit(lambda *args: constrained(*args), keep_unused=True).lower(*d.args).as_text()
    return text, d.args, family.__name__
