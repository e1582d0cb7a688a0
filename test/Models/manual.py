"""shard_map, fully and partially manual: pipelines, rings, collectives."""
from functools import partial

from common import *

shard_map = jax.shard_map


@model("pipeline_ppermute_1f", mesh="2x4", reference=True, ci=True)
def _(m):
    stages, micro, b, d = 4, 6, 4, 16
    def f(w, x):
        def run(w, x):
            w = w[0]
            me = lax.axis_index("b")
            def tick(st, t):
                buf, out = st
                inp = jnp.where(me == 0, x[jnp.clip(t, 0, micro - 1)], buf)
                y = jnp.tanh(inp @ w)
                j = jnp.clip(t - stages + 1, 0, micro - 1)
                out = jnp.where((me == stages - 1) & (t >= stages - 1), out.at[j].set(y), out)
                return (lax.ppermute(y, "b", [(i, (i + 1) % stages) for i in range(stages)]), out), None
            z = lax.pcast(jnp.zeros_like(x), "b", to="varying")
            (_, out), _ = lax.scan(tick, (z[0], z), jnp.arange(micro + stages - 1))
            return lax.psum(jnp.where(me == stages - 1, out, 0), "b")
        g = shard_map(run, mesh=m.mesh, in_specs=(P("b"), P(None, "a")), out_specs=P(None, "a"))
        return jax.value_and_grad(lambda w: (g(w, x) ** 2).mean())(w)
    return f, (m.w(stages, d, d), m.r(micro, b, d)), (P("b"), P(None, "a"))


@model("pipeline_partial_manual", mesh="2x4", reference=True)
def _(m):
    def f(w, x):
        def run(w, x):
            w = w[0]
            def tick(c, _):
                y = jnp.tanh(c @ w)
                return lax.ppermute(y, "a", [(0, 1), (1, 0)]), None
            y, _ = lax.scan(tick, lax.pcast(x, "a", to="varying"), None, length=2)
            return lax.psum(y, "a")
        return shard_map(run, mesh=m.mesh, in_specs=(P("a"), P()), out_specs=P(), axis_names={"a"})(w, x)
    return f, (m.w(2, 16, 16), m.r(8, 16)), (P("a", None, "b"), P("b"))


@model("ring_attention_grad", mesh="2x4", reference=True)
def _(m):
    n = 4
    def ring(q, k, v):
        def run(q, k, v):
            me = lax.axis_index("b")
            s = q.shape[1]
            def step(st, i):
                o, mx, l, k, v = st
                src = (me - i) % n
                lg = jnp.einsum("bshd,bthd->bhst", q, k) * 0.3
                qpos, kpos = me * s + jnp.arange(s), src * s + jnp.arange(s)
                lg = jnp.where(qpos[:, None] >= kpos[None], lg, -1e30)
                mn = jnp.maximum(mx, lg.max(-1))
                p = jnp.exp(lg - mn[..., None]); a = jnp.exp(mx - mn)
                o = o * a[..., None] + jnp.einsum("bhst,bthd->bhsd", p, v)
                perm = [(j, (j + 1) % n) for j in range(n)]
                return (o, mn, l * a + p.sum(-1), lax.ppermute(k, "b", perm), lax.ppermute(v, "b", perm)), None
            z = (q * 0).sum(-1).swapaxes(1, 2)
            o0 = (q * 0).swapaxes(1, 2)
            (o, _, l, _, _), _ = lax.scan(step, (o0, z - 1e30, z, k, v), jnp.arange(n))
            return (o / l[..., None]).swapaxes(1, 2)
        spec = P("a", "b")
        return shard_map(run, mesh=m.mesh, in_specs=(spec,) * 3, out_specs=spec)(q, k, v)
    f = lambda *a: (ring(*a), jax.grad(lambda *a: (ring(*a) ** 2).sum(), (0, 1, 2))(*a))
    s = (2, 16, 2, 8)
    return f, (m.r(*s), m.r(*s), m.r(*s)), (P("a", "b"),) * 3


@model("ulysses_shmap", mesh="8", reference=True)
def _(m):
    def f(q, k, v):
        def run(q, k, v):
            a2a = lambda x: lax.all_to_all(x, "a", 2, 1, tiled=True)
            o = attention(a2a(q), a2a(k), a2a(v), causal(16))
            return lax.all_to_all(o, "a", 1, 2, tiled=True)
        return shard_map(run, mesh=m.mesh, in_specs=(P(None, "a"),) * 3, out_specs=P(None, "a"))(q, k, v)
    return f, tuple(m.r(2, 16, 8, 4) for _ in range(3)), (P(None, "a"),) * 3


@model("moe_all_to_all_shmap", mesh="2x4", reference=True, ci=True)
def _(m):
    e, d, ff, cap = 4, 8, 12, 6
    def f(x, r, w1, w2):
        def run(x, r, w1, w2):
            g = jax.nn.softmax(x @ r)
            top, idx = g.max(-1), g.argmax(-1)
            oh = jax.nn.one_hot(idx, e)
            pos = (jnp.cumsum(oh, 0) * oh).sum(-1).astype(jnp.int32) - 1
            disp = oh[:, :, None] * jax.nn.one_hot(pos, cap)[:, None]
            xs = jnp.einsum("td,tec->ecd", x, disp)
            xs = lax.all_to_all(xs, "b", 0, 1, tiled=True)          # 1, e*cap... per expert
            h = jax.nn.relu(jnp.einsum("ecd,edf->ecf", xs, w1))
            y = lax.all_to_all(jnp.einsum("ecf,efd->ecd", h, w2), "b", 1, 0, tiled=True)
            aux = lax.pmean((g.mean(0) * oh.mean(0)).sum(), ("a", "b"))
            return jnp.einsum("ecd,tec->td", y, disp) * top[:, None], aux
        fn = shard_map(run, mesh=m.mesh, in_specs=(P(("a", "b")), P(), P("b"), P("b")), out_specs=(P(("a", "b")), P()))
        return jax.value_and_grad(lambda r, w1, w2: (lambda o, a: (o ** 2).mean() + 0.1 * a)(*fn(x, r, w1, w2)), (0, 1, 2))(r, w1, w2)
    return f, (m.r(32, d), m.w(d, e), m.w(e, d, ff), m.w(e, ff, d)), (P(("a", "b")), P(), P("b"), P("b"))


@model("tp_mlp_shmap_gather_scatter", mesh="2x2", reference=True)
def _(m):
    def f(x, w1, w2):
        def run(x, w1, w2):
            x = lax.all_gather(x, "b", axis=1, tiled=True)
            y = jax.nn.gelu(x @ w1) @ w2
            y = lax.psum_scatter(y, "b", scatter_dimension=1, tiled=True)
            return y + lax.axis_index("b") * 0.0, lax.pmax(jnp.abs(y).max(), ("a", "b")), lax.pmin(y.min(), "a")[None]
        return shard_map(run, mesh=m.mesh, in_specs=(P("a", "b"), P(None, "b"), P("b")), out_specs=(P("a", "b"), P(), P("b")))(x, w1, w2)
    return f, (m.r(4, 8, 12), m.w(12, 16), m.w(16, 12)), (P("a", "b"), P(None, "b"), P("b"))


@model("halo_exchange_shmap", mesh="8", reference=True)
def _(m):
    def f(u):
        def run(u):
            def step(u, _):
                up = lax.ppermute(u[-1:], "a", [(i, i + 1) for i in range(7)])
                dn = lax.ppermute(u[:1], "a", [(i + 1, i) for i in range(7)])
                z = jnp.concatenate([up, u, dn])
                return u + 0.1 * (z[2:] + z[:-2] - 2 * u), lax.psum(u.sum(), "a")
            return lax.scan(step, u, None, length=4)
        return shard_map(run, mesh=m.mesh, in_specs=P("a"), out_specs=(P("a"), P()))(u)
    return f, (m.r(16, 5),), (P("a"),)


@model("fsdp_shmap_nested", mesh="2x2x2", reference=True)
def _(m):
    """Gather weights by hand over one axis, the others automatic; a nested
    manual region inside."""
    def f(w, x):
        def run(w, x):
            full = lax.all_gather(w, "c", axis=0, tiled=True)
            y = jnp.tanh(x @ full)
            return lax.psum_scatter(y.T @ y, "c", scatter_dimension=0, tiled=True), lax.pmean(y.mean(), "c")
        fn = shard_map(run, mesh=m.mesh, in_specs=(P("c"), P("c")), out_specs=(P("c"), P()), axis_names={"c"})
        return fn(w, x)
    return f, (m.w(16, 8), m.r(8, 16)), (P("c", "b"), P(("a", "c")))


@model("distributed_topk_logits_shmap", mesh="2x4", reference=True)
def _(m):
    def f(h, w, lab):
        def run(h, w, lab):
            lg = h @ w
            n = lg.shape[1]
            mx = lax.pmax(lax.stop_gradient(lg.max(-1)), "b")
            z = jnp.log(lax.psum(jnp.exp(lg - mx[:, None]).sum(-1), "b")) + mx
            loc = lab - lax.axis_index("b") * n
            ok = (loc >= 0) & (loc < n)
            hit = lax.psum(jnp.where(ok, jnp.take_along_axis(lg, jnp.clip(loc, 0, n - 1)[:, None], 1)[:, 0], 0.0), "b")
            return lax.pmean((z - hit).mean(), "a")
        fn = shard_map(run, mesh=m.mesh, in_specs=(P("a"), P(None, "b"), P("a")), out_specs=P())
        return jax.value_and_grad(lambda h, w: fn(h, w, lab), (0, 1))(h, w)
    return f, (m.r(8, 12), m.w(12, 32), m.i(32, 8)), (P("a"), P(None, "b"), P("a"))


@model("cond_switch_in_shmap", mesh="2x2", reference=True)
def _(m):
    def f(x, n):
        def run(x, n):
            y = lax.switch(n, [lambda x: x + 1, lambda x: x * 2, lambda x: jnp.sin(x)], x)
            z = lax.fori_loop(0, 3, lambda i, z: lax.psum(z, "b") * 0.3, y)
            return y, lax.cond(n > 0, lambda z: z * 2, lambda z: z, z)
        return shard_map(run, mesh=m.mesh, in_specs=(P("a", "b"), P()), out_specs=(P("a", "b"), P("a", None)), check_vma=False)(x, n)
    return f, (m.r(4, 8), np.int32(1)), (P("a", "b"), P())


@model("collective_matmul_shmap", mesh="8", reference=True)
def _(m):
    def f(x, w):
        def run(x, w):
            n, me = 8, lax.axis_index("a")
            s = x.shape[0]
            def step(i, st):
                out, x = st
                out = lax.dynamic_update_slice(out, x @ w, (((me - i) % n) * s, 0))
                return out, lax.ppermute(x, "a", [(j, (j + 1) % n) for j in range(n)])
            out = lax.pcast(jnp.zeros((n * s, w.shape[1])), "a", to="varying")
            return lax.fori_loop(0, n, step, (out, x))[0]
        return shard_map(run, mesh=m.mesh, in_specs=(P("a"), P(None, "a")), out_specs=P(None, "a"))(x, w)
    return f, (m.r(16, 12), m.w(12, 24)), (P("a"), P(None, "a"))
