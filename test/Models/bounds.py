#!/usr/bin/env python3
"""Bytes sent per device against the formulas of the ways to parallelise.

Each case is a small program exported from JAX, sharded the way its name says
and by constraints only; the formula is recomputed here from its sizes. Ring
accounting, S bytes of the full tensor, n the group: all-gather and
reduce-scatter (n-1)/n S, all-reduce twice that, all-to-all (n-1)/n of the local
bytes. Exit 1 where the report says anything else.

  bounds.py [--only REGEX] [--shoal-compile PATH] [--out DIR] [--list]
"""
import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
os.environ["JAX_PLATFORMS"] = "cpu"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from common import *

parser = argparse.ArgumentParser()
parser.add_argument("--only", default="")
parser.add_argument("--out", default="/tmp/bounds")
parser.add_argument("--list", action="store_true", help="print the collectives of each case")
parser.add_argument("--shoal-compile", default=str(HERE.parent.parent / "build" / "bin" / "shoal-compile"))
options = parser.parse_args()
out = Path(options.out)
out.mkdir(parents=True, exist_ok=True)
CASES = {}
W = 4  # bytes of an f32
TIGHT = ["--memory-limit=1"]  # hold as little as can be


def case(name, mesh):
    """A builder of (function, arguments, their shardings, the results', bytes
    by formula[, flags])."""
    def register(build):
        CASES[name] = (mesh, build)
        return build
    return register


def gather(n, elements):
    """All-gather into, or reduce-scatter of, this many elements."""
    return (n - 1) / n * elements * W


def reduce(n, elements):
    return 2 * (n - 1) / n * elements * W


# --- Megatron: one layer, forward and backward, cotangent given --------------

# Few tokens beside the weights: with many, gathering weights sends less.
B, T, H, HEADS = (int(x) for x in os.environ.get("SIZES", "2,16,64,8").split(","))


def layer_args(m):
    return dict(g1=np.ones(H, np.float32), b1=np.zeros(H, np.float32), q=m.w(H, H), k=m.w(H, H), v=m.w(H, H), o=m.w(H, H),
                g2=np.ones(H, np.float32), b2=np.zeros(H, np.float32), w1=m.w(H, 4 * H), w2=m.w(4 * H, H))


def layer_specs(t):
    col, row = P(None, t), P(t, None)
    return dict(g1=P(), b1=P(), q=col, k=col, v=col, o=row, g2=P(), b2=P(), w1=col, w2=row)


def layer(p, x, residual=lambda x: x):
    b, s, _ = x.shape
    heads = lambda z: z.reshape(b, s, HEADS, -1)
    h = layer_norm(x, p["g1"], p["b1"])
    a = attention(heads(h @ p["q"]), heads(h @ p["k"]), heads(h @ p["v"]), causal(s))
    x = residual(x + a.reshape(b, s, -1) @ p["o"])
    h = layer_norm(x, p["g2"], p["b2"])
    return residual(x + jax.nn.gelu(h @ p["w1"]) @ p["w2"])


def forward_backward(residual):
    def step(p, x, dy):
        y, vjp = jax.vjp(lambda p, x: layer(p, x, residual), p, x)
        return y, vjp(dy)
    return step


@case("megatron_tp", "8")
def _(m):
    """4 all-reduces of the activations a layer."""
    q = layer_specs("a")
    args = (layer_args(m), m.r(B, T, H), m.r(B, T, H))
    return forward_backward(lambda x: x), args, (q, P(), P()), (P(), (q, P())), 4 * reduce(8, B * T * H)


@case("megatron_tp_dp", "2x4")
def _(m):
    """The same per data shard, and gradients all-reduced over the data axis."""
    q = layer_specs("b")
    b, t = 4, 32
    args = (layer_args(m), m.r(b, t, H), m.r(b, t, H))
    weights = 4 * H * H + 8 * H * H
    bound = 4 * reduce(4, b * t * H / 2) + reduce(2, weights / 4 + 4 * H)
    return forward_backward(lambda x: m.c(x, "a")), args, (q, P("a"), P("a")), (P("a"), (q, P("a"))), bound


@case("megatron_tp_sp", "8")
def _(m):
    """4 gathers and 4 scatters of the activations, and the norms' gradients."""
    q = layer_specs("a")
    sp = P(None, "a")
    args = (layer_args(m), m.r(B, T, H), m.r(B, T, H))
    return (forward_backward(lambda x: m.c(x, None, "a", None)), args, (q, sp, sp), (sp, (q, sp)),
            8 * gather(8, B * T * H) + reduce(8, 4 * H))


@case("megatron_tp_sp_two_layers", "8")
def _(m):
    q = layer_specs("a")
    sp = P(None, "a")
    args = (layer_args(m), layer_args(m), m.r(B, T, H), m.r(B, T, H))
    def step(p1, p2, x, dy):
        res = lambda x: m.c(x, None, "a", None)
        y, vjp = jax.vjp(lambda p1, p2, x: layer(p2, layer(p1, res(x), res), res), p1, p2, x)
        return y, vjp(dy)
    return step, args, (q, q, sp, sp), (sp, (q, q, sp)), 2 * (8 * gather(8, B * T * H) + reduce(8, 4 * H))


@case("megatron_tp_sp_scan", "8")
def _(m):
    """Layers in a scan: the same a layer."""
    L = 3
    q = jax.tree.map(lambda s: P(None, *s), layer_specs("a"), is_leaf=lambda s: isinstance(s, P))
    sp = P(None, "a")
    stack = lambda *w: np.stack(w)
    args = (jax.tree.map(stack, *[layer_args(m) for _ in range(L)]), m.r(B, T, H), m.r(B, T, H))
    def step(p, x, dy):
        res = lambda x: m.c(x, None, "a", None)
        def net(p, x):
            return lax.scan(lambda x, l: (layer(l, x, res), None), x, p)[0]
        y, vjp = jax.vjp(net, p, x)
        return y, vjp(dy)
    return step, args, (q, sp, sp), (sp, (q, sp)), L * (8 * gather(8, B * T * H) + reduce(8, 4 * H))


# --- ZeRO: a training step over the data axis --------------------------------

D, F, N = 32, 64, 4096
PSI = 2 * D * F


def mlp_loss(p, x):
    return ((jnp.tanh(x @ p["w1"]) @ p["w2"]) ** 2).sum()


def zero_args(m):
    return dict(w1=m.w(D, F), w2=m.w(F, D))


@case("data_parallel", "8")
def _(m):
    p = zero_args(m)
    step = lambda p, x: jax.tree.map(lambda w, g: w - 0.1 * g, p, jax.grad(mlp_loss)(p, x))
    return step, (p, m.r(N, D)), (P(), P("a")), P(), reduce(8, PSI)


def adam(p, mu, x, grads):
    mu = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, mu, grads)
    return jax.tree.map(lambda w, a: w - 0.1 * a / (jnp.abs(a) + 1.0), p, mu), mu


@case("zero1", "8")
def _(m):
    """Gradients scattered to the shards of the optimizer state, parameters
    gathered: 2 Psi."""
    p = zero_args(m)
    step = lambda p, mu, x: adam(p, mu, x, jax.grad(mlp_loss)(p, x))
    return step, (p, p, m.r(N, D)), (P(), P("a"), P("a")), (P(), P("a")), 2 * gather(8, PSI)


@case("zero2", "8")
def _(m):
    """The same with gradients constrained to shards."""
    p = zero_args(m)
    step = lambda p, mu, x: adam(p, mu, x, jax.tree.map(lambda g: m.c(g, "a"), jax.grad(mlp_loss)(p, x)))
    return step, (p, p, m.r(N, D)), (P(), P("a"), P("a")), (P(), P("a")), 2 * gather(8, PSI)


@case("zero3_kept", "8")
def _(m):
    """Without rematerialisation a weight is gathered once for forward and
    backward: 2 Psi, less than the 3 Psi of gathering twice."""
    p = zero_args(m)
    step = lambda p, mu, x: adam(p, mu, x, jax.grad(mlp_loss)(p, x))
    return step, (p, p, m.r(N, D)), (P("a"), P("a"), P("a")), (P("a"), P("a")), 2 * gather(8, PSI)


@case("zero3_scan_remat", "8")
def _(m):
    """Layers in a scan, each rematerialised: gathered forward, gathered again
    backward, scattered: 3 Psi."""
    L = 3
    p = dict(w1=m.w(L, D, F), w2=m.w(L, F, D))
    def loss(p, x):
        body = jax.checkpoint(lambda x, l: (x + jnp.tanh(x @ l["w1"]) @ l["w2"], None))
        return (lax.scan(body, x, p)[0] ** 2).sum()
    step = lambda p, mu, x: adam(p, mu, x, jax.grad(loss)(p, x))
    q = P(None, "a")
    return step, (p, p, m.r(N, D)), (q, q, P("a")), (q, q), 3 * gather(8, L * PSI), TIGHT


@case("zero3_scan_hoisted", "8")
def _(m):
    """With room for it the gathers leave both loops: once for all: 2 Psi."""
    *same, _, _ = CASES["zero3_scan_remat"][1](m)
    return *same, 2 * gather(8, 3 * PSI)


@case("hsdp", "2x4")
def _(m):
    """Sharded over b within, replicated over a between groups."""
    p = zero_args(m)
    step = lambda p, mu, x: adam(p, mu, x, jax.grad(mlp_loss)(p, x))
    q, x = P("b"), P(("a", "b"))
    return step, (p, p, m.r(N, D)), (q, q, x), (q, q), 2 * gather(4, PSI) + reduce(2, PSI / 4)


@case("hsdp_scan_remat", "2x4")
def _(m):
    L = 3
    p = dict(w1=m.w(L, D, F), w2=m.w(L, F, D))
    def loss(p, x):
        body = jax.checkpoint(lambda x, l: (x + jnp.tanh(x @ l["w1"]) @ l["w2"], None))
        return (lax.scan(body, x, p)[0] ** 2).sum()
    step = lambda p, mu, x: adam(p, mu, x, jax.grad(loss)(p, x))
    q = P(None, "b")
    return (step, (p, p, m.r(N, D)), (q, q, P(("a", "b"))), (q, q),
            2 * gather(4, L * PSI) + reduce(2, L * PSI / 4))


@case("fsdp_microbatches", "8")
def _(m):
    """k microbatches in a scan share one gather and one scatter: weights and
    gradient sums do not change from one to the next."""
    p = zero_args(m)
    def step(p, mu, xs):
        def micro(acc, x):
            return jax.tree.map(jnp.add, acc, jax.grad(mlp_loss)(p, x)), None
        g, _ = lax.scan(micro, jax.tree.map(jnp.zeros_like, p), xs)
        return adam(p, mu, xs, g)
    return step, (p, p, m.r(4, N, D)), (P("a"), P("a"), P(None, "a")), (P("a"), P("a")), 2 * gather(8, PSI)


@case("fsdp_microbatches_tight", "8")
def _(m):
    """Without room for whole gradients each microbatch scatters its own, and
    the weights are gathered anew: ZeRO-3's 2 k Psi (k gathers, k scatters)."""
    *same, _ = CASES["fsdp_microbatches"][1](m)
    return *same, (4 + 4) * gather(8, PSI), TIGHT


@case("two_axis_gradients", "2x4")
def _(m):
    """Gradients over two axes go in one group."""
    p = zero_args(m)
    step = lambda p, x: jax.grad(mlp_loss)(p, x)
    return step, (p, m.r(N, D)), (P(), P(("a", "b"))), P(), reduce(8, PSI)


# --- Sequence and expert parallelism -----------------------------------------

SB, ST, SH, SD = 2, 64, 8, 8


@case("ulysses", "8")
def _(m):
    """Sequence cut outside, heads inside: 4 all-to-alls forward."""
    def step(q, k, v):
        h = lambda z: m.c(z, None, None, "a")
        return m.c(h(attention(h(q), h(k), h(v), causal(ST))), None, "a")
    s = P(None, "a")
    args = tuple(m.r(SB, ST, SH, SD) for _ in range(3))
    return step, args, (s, s, s), s, 4 * gather(8, SB * ST * SH * SD / 8)


@case("ulysses_gqa", "2x4")
def _(m):
    def step(q, k, v):
        h = lambda z: m.c(z, "a", None, "b")
        return m.c(h(attention(h(q), h(k), h(v), causal(ST))), "a", "b")
    s = P("a", "b")
    args = (m.r(SB, ST, SH, SD), m.r(SB, ST, SH // 2, SD), m.r(SB, ST, SH // 2, SD))
    return step, args, (s, s, s), s, (2 + 2 * 0.5) * gather(4, SB * ST * SH * SD / 2 / 4)


@case("ulysses_grad", "8")
def _(m):
    def f(q, k, v):
        h = lambda z: m.c(z, None, None, "a")
        return m.c(h(attention(h(q), h(k), h(v), causal(ST))), None, "a")
    def step(q, k, v, dy):
        y, vjp = jax.vjp(f, q, k, v)
        return y, vjp(dy)
    s = P(None, "a")
    args = tuple(m.r(SB, ST, SH, SD) for _ in range(4))
    return step, args, (s,) * 4, (s, (s,) * 3), 8 * gather(8, SB * ST * SH * SD / 8)


@case("context_parallel_gathered", "8")
def _(m):
    """Sequence cut, no constraint inside: the cheaper of gathering keys and
    values (as many bytes as a ring) and all-to-alls."""
    s = P(None, "a")
    args = tuple(m.r(SB, ST, SH, SD) for _ in range(3))
    full = SB * ST * SH * SD
    return (lambda q, k, v: attention(q, k, v, causal(ST))), args, (s, s, s), s, min(2 * gather(8, full), 4 * gather(8, full / 8))


@case("context_parallel_few_heads", "8")
def _(m):
    """One head of keys and values for many queries: gathering these is less."""
    s = P(None, "a")
    q, kv = SB * ST * 32 * SD, SB * ST * SD
    args = (m.r(SB, ST, 32, SD), m.r(SB, ST, 1, SD), m.r(SB, ST, 1, SD))
    f = lambda q, k, v: jnp.einsum("bhst,btd->bshd", jax.nn.softmax(jnp.einsum("bshd,btd->bhst", q, k[:, :, 0])), v[:, :, 0])
    return f, args, (s, s, s), s, min(2 * gather(8, kv), 2 * gather(8, q / 8) + 2 * gather(8, kv))


@case("attention_chunks_in_a_loop", "8")
def _(m):
    """Blockwise attention by scan over chunks of keys, sequence cut: keys and
    values move once, not in every iteration."""
    def f(q, k, v):
        c = ST // 4
        kc, vc = (z.reshape(SB, 4, c, SH, SD).swapaxes(0, 1) for z in (k, v))
        def body(st, kv):
            o, mx, l = st
            lg = jnp.einsum("bshd,bthd->bhst", q, kv[0])
            mn = jnp.maximum(mx, lg.max(-1))
            p = jnp.exp(lg - mn[..., None]); a = jnp.exp(mx - mn)
            return (o * a[..., None] + jnp.einsum("bhst,bthd->bhsd", p, kv[1]), mn, l * a + p.sum(-1)), None
        z = jnp.zeros((SB, SH, ST))
        (o, _, l), _ = lax.scan(body, (jnp.zeros((SB, SH, ST, SD)), z - 1e30, z), (kc, vc))
        return (o / l[..., None]).swapaxes(1, 2)
    s = P(None, "a")
    full = SB * ST * SH * SD
    args = tuple(m.r(SB, ST, SH, SD) for _ in range(3))
    return f, args, (s, s, s), s, min(2 * gather(8, full), 4 * gather(8, full / 8))


@case("ring_attention", "8")
def _(m):
    """n - 1 shifts of keys and values."""
    n = 8
    def run(q, k, v):
        def block(k, v, st):
            o, mx, l = st
            lg = jnp.einsum("bshd,bthd->bhst", q, k)
            mn = jnp.maximum(mx, lg.max(-1))
            p = jnp.exp(lg - mn[..., None]); a = jnp.exp(mx - mn)
            return o * a[..., None] + jnp.einsum("bhst,bthd->bhsd", p, v), mn, l * a + p.sum(-1)
        z = (q * 0).sum(-1).swapaxes(1, 2)
        st = block(k, v, ((q * 0).swapaxes(1, 2), z - 1e30, z))
        def body(_, c):
            k, v, st = c
            k, v = (lax.ppermute(x, "a", [(j, (j + 1) % n) for j in range(n)]) for x in (k, v))
            return k, v, block(k, v, st)
        _, _, (o, _, l) = lax.fori_loop(0, n - 1, body, (k, v, st))
        return (o / l[..., None]).swapaxes(1, 2)
    s = P(None, "a")
    f = jax.shard_map(run, mesh=m.mesh, in_specs=(s,) * 3, out_specs=s)
    args = tuple(m.r(SB, ST, SH, SD) for _ in range(3))
    return f, args, (s,) * 3, s, 2 * gather(8, SB * ST * SH * SD)


@case("expert_parallel", "8")
def _(m):
    """GShard's form: groups of tokens on the data axis, experts on the same;
    dispatch and combine are all-to-alls of the padded buffer, each way."""
    G, S, E, C, d, f = 8, 16, 8, 4, 16, 32
    def moe(w1, w2, x, gates):
        disp = (gates > 0).astype(jnp.float32)
        xs = m.c(jnp.einsum("gsec,gsd->egcd", disp, x), None, "a")
        xs = m.c(xs, "a")
        h = jax.nn.relu(jnp.einsum("egcd,edf->egcf", xs, w1))
        ys = m.c(jnp.einsum("egcf,efd->egcd", h, w2), "a")
        ys = m.c(ys, None, "a")
        return jnp.einsum("egcd,gsec->gsd", ys, gates)
    def step(w1, w2, x, gates, dy):
        y, vjp = jax.vjp(lambda w1, w2, x: moe(w1, w2, x, gates), w1, w2, x)
        return y, vjp(dy)
    a = P("a")
    args = (m.w(E, d, f), m.w(E, f, d), m.r(G, S, d), np.abs(m.r(G, S, E, C)), m.r(G, S, d))
    return step, args, (a,) * 5, (a, (a, a, a)), 4 * gather(8, E * C * d * G / 8)


@case("vocab_parallel_loss", "8")
def _(m):
    """Logits cut along the vocabulary: three numbers a token, never logits."""
    n, v = 32, 64
    def loss(x, w, lab):
        lg = x @ w
        mx = lax.stop_gradient(lg.max(-1, keepdims=True))
        lse = jnp.log(jnp.exp(lg - mx).sum(-1)) + mx[:, 0]
        hit = (lg * jax.nn.one_hot(lab, v)).sum(-1)
        return (lse - hit).sum()
    step = lambda x, w, lab: jax.value_and_grad(loss, (0, 1))(x, w, lab)
    args = (m.r(n, H), m.w(H, v), m.i(v, n))
    # Maximum, sum of exponentials; the labels' logits once summed; the
    # gradient of x.
    return step, args, (P(), P(None, "a"), P()), (P(), (P(), P(None, "a"))), 2 * reduce(8, n) + reduce(8, 1) + reduce(8, n * H)


@case("embedding_vocab_parallel", "8")
def _(m):
    """A table cut along its rows: looked up locally, the result reduced."""
    n, v = 32, 64
    args = (m.r(v, H), m.i(v, n))
    return (lambda t, i: t[i]), args, (P("a"), P()), P(), reduce(8, n * H)


def main():
    bad = 0
    for name, (sizes, build) in CASES.items():
        if not re.search(options.only, name):
            continue
        m = Builder(name, sizes)
        fn, args, specs, results, bound, *flags = build(m)
        place = lambda tree: jax.tree.map(lambda s: NamedSharding(m.mesh, s), tree, is_leaf=lambda s: isinstance(s, P))
        text = jax.jit(fn, in_shardings=place(specs), out_shardings=place(results), keep_unused=True).lower(*args).as_text()
        (out / f"{name}.mlir").write_text(text)
        got = subprocess.run([options.shoal_compile, out / f"{name}.mlir", "--compile-to=optimized", "-o", out / f"{name}.opt.mlir",
                              f"--report={out}/{name}.json", *(flags[0] if flags else [])], capture_output=True, text=True)
        if got.returncode:
            print(f"FAIL {name}: {got.stderr[:400]}")
            bad += 1
            continue
        report = json.loads((out / f"{name}.json").read_text())
        sent = report["totals"]["bytes_sent_per_device"]
        # Sizes are rounded once per collective.
        ok = abs(sent - bound) <= report["totals"]["collective_count"] + 1
        bad += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {name:30} {sizes:4} sent {sent:>10,} bound {bound:>12,.1f}  {sent / bound:.3f}")
        if options.list or not ok:
            for c in sorted(report["collectives"], key=lambda c: -c["bytes_sent_per_device"]):
                print(f"       {c['kind']:15} {','.join(c['axes']):5} {c['bytes_sent_per_device']:>9,} x{c['count']}  {c['reason'][:110]}")
    sys.exit(1 if bad else 0)


main()
