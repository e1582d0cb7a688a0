"""Recurrent, state-space, graph, retrieval and decoding models."""
from common import *


def lstm(W, U, b, x):
    def step(c, xt):
        h, cc = c
        i, f, g, o = jnp.split(xt @ W + h @ U + b, 4, -1)
        cc = jax.nn.sigmoid(f) * cc + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(cc)
        return (h, cc), h
    h0 = jnp.zeros((x.shape[1], U.shape[0]))
    return lax.scan(step, (h0, h0), x)[1]


@model("lstm_train", mesh="2x4", ci=True)
def _(m):
    f = lambda W, U, b, x: jax.value_and_grad(lambda W, U, b: (lstm(W, U, b, x) ** 2).mean(), (0, 1, 2))(W, U, b)
    return f, (m.w(12, 64), m.w(16, 64), np.zeros(64, np.float32), m.r(10, 8, 12)), (P(None, "b"), P(None, "b"), P("b"), P(None, "a"))


@model("lstm_sequence_sharded", mesh="2x4")
def _(m):
    return lstm, (m.w(12, 64), m.w(16, 64), np.zeros(64, np.float32), m.r(12, 8, 12)), (P(), P(None, "b"), P(), P("b", "a"))


@model("gru_seq2seq_attention", mesh="2x2", partitioner="gspmd")
def _(m):
    d, v = 16, 30
    cell = lambda: dict(w=m.w(d, 3 * d), u=m.w(d, 3 * d))
    p = dict(emb=m.r(v, d), enc=cell(), dec=cell(), att=m.w(d, d), out=m.w(2 * d, v))
    q = dict(emb=P(None, "b"), enc=dict(w=P(None, "b"), u=P(None, "b")), dec=dict(w=P(None, "b"), u=P(None, "b")), att=P("b"), out=P("b"))
    def gru(c, h, x):
        a, b = x @ c["w"], h @ c["u"]
        (r1, z1, n1), (r2, z2, n2) = jnp.split(a, 3, -1), jnp.split(b, 3, -1)
        r, z = jax.nn.sigmoid(r1 + r2), jax.nn.sigmoid(z1 + z2)
        return (1 - z) * jnp.tanh(n1 + r * n2) + z * h
    def loss(p, src, tgt, lens):
        x = p["emb"][src].swapaxes(0, 1)
        def enc(h, z):
            x, t = z
            n = gru(p["enc"], h, x)
            h = jnp.where((t < lens)[:, None], n, h)
            return h, h
        h, hs = lax.scan(enc, jnp.zeros((src.shape[0], d)), (x, jnp.arange(src.shape[1])))
        def dec(h, x):
            h = gru(p["dec"], h, x)
            s = jnp.einsum("bd,tbd->bt", h @ p["att"], hs)
            s = jnp.where(jnp.arange(src.shape[1])[None] < lens[:, None], s, -1e9)
            c = jnp.einsum("bt,tbd->bd", jax.nn.softmax(s), hs)
            return h, jnp.concatenate([h, c], -1) @ p["out"]
        _, lg = lax.scan(dec, h, p["emb"][tgt[:, :-1]].swapaxes(0, 1))
        return cross_entropy(lg.swapaxes(0, 1), tgt[:, 1:])
    return (lambda *a: jax.value_and_grad(loss)(*a)), (p, m.i(v, 4, 7), m.i(v, 4, 6), np.array([7, 3, 5, 6], np.int32)), (q, P("a"), P("a"), P("a"))


def mamba(m, d=16, n=4):
    p = dict(inp=m.w(d, 2 * d), conv=m.r(4, 1, d), xp=m.w(d, 2 * n + 1), dt=m.r(1, d), A=np.log(np.arange(1, n + 1, dtype=np.float32))[None].repeat(d, 0), D=np.ones(d, np.float32), out=m.w(d, d))
    q = dict(inp=P(None, "b"), conv=P(None, None, "b"), xp=P("b"), dt=P(None, "b"), A=P("b"), D=P("b"), out=P("b"))
    def f(p, x):
        b, l, _ = x.shape
        u, z = jnp.split(x @ p["inp"], 2, -1)
        u = lax.conv_general_dilated(u, p["conv"], (1,), ((3, 0),), dimension_numbers=("NWC", "WIO", "NWC"), feature_group_count=d)
        u = jax.nn.silu(u)
        dt, B, C = jnp.split(u @ p["xp"], [1, 1 + n], -1)
        dt = jax.nn.softplus(dt @ p["dt"])
        dA = jnp.exp(dt[..., None] * -jnp.exp(p["A"]))
        dB = dt[..., None] * B[:, :, None] * u[..., None]
        comb = lambda s, t: (s[0] * t[0], t[0] * s[1] + t[1])
        _, h = lax.associative_scan(comb, (dA, dB), axis=1)
        y = (h * C[:, :, None]).sum(-1) + p["D"] * u
        return (y * jax.nn.silu(z)) @ p["out"]
    return p, q, f


@model("mamba_train", mesh="2x4", ci=True)
def _(m):
    p, q, f = mamba(m)
    g = lambda p, x, y: jax.value_and_grad(lambda p: ((f(p, x) - y) ** 2).mean())(p)
    return g, (p, m.r(4, 12, 16), m.r(4, 12, 16)), (q, P("a"), P("a"))


@model("mamba_sequence_sharded", mesh="2x4")
def _(m):
    p, q, f = mamba(m)
    return f, (p, m.r(4, 16, 16)), (P(), P("a", "b"))


@model("mamba2_chunked_ssd", mesh="2x2")
def _(m):
    b, l, h, d, n, c = 2, 16, 4, 4, 4, 4
    def f(x, a, B, C):
        x, a, B, C = (z.reshape(b, l // c, c, *z.shape[2:]) for z in (x, a, B, C))
        cs = jnp.cumsum(a, 2)
        L = jnp.where(jnp.tril(jnp.ones((c, c), bool))[:, :, None], jnp.exp(cs[:, :, :, None] - cs[:, :, None]), 0)
        yd = jnp.einsum("bkin,bkjn,bkijh,bkjhd->bkihd", C, B, L, x)
        st = jnp.einsum("bkjn,bkjh,bkjhd->bkhdn", B, jnp.exp(cs[:, :, -1:] - cs), x)
        def step(s, z):
            st, dec = z
            return s * dec[:, :, None, None] + st, s
        _, prev = lax.scan(step, jnp.zeros((b, h, d, n)), (st.swapaxes(0, 1), jnp.exp(cs[:, :, -1]).swapaxes(0, 1)))
        return (yd + jnp.einsum("bkin,kbhdn,bkih->bkihd", C, prev, jnp.exp(cs))).reshape(b, l, h, d)
    return f, (m.r(b, l, h, d), -np.abs(m.r(b, l, h)), m.r(b, l, n), m.r(b, l, n)), (P("a", None, "b"), P("a", None, "b"), P("a"), P("a"))


@model("rwkv_time_mix", mesh="2x4")
def _(m):
    d = 16
    def f(x, mix, wr, wk, wv, wo, w, u):
        def net(x, wr, wk, wv, wo, w, u):
            prev = jnp.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
            mx = x * mix + prev * (1 - mix)
            r, k, v = jax.nn.sigmoid(mx @ wr), mx @ wk, mx @ wv
            def step(st, z):
                a, b, p = st
                k, v = z
                q = jnp.maximum(p, u + k)
                e1, e2 = jnp.exp(p - q), jnp.exp(u + k - q)
                o = (e1 * a + e2 * v) / (e1 * b + e2)
                q = jnp.maximum(p - jnp.exp(w), k)
                e1, e2 = jnp.exp(p - jnp.exp(w) - q), jnp.exp(k - q)
                return (e1 * a + e2 * v, e1 * b + e2, q), o
            z = jnp.zeros((x.shape[0], d))
            _, o = lax.scan(step, (z, z, z - 1e30), (k.swapaxes(0, 1), v.swapaxes(0, 1)))
            return (r * o.swapaxes(0, 1)) @ wo
        l = lambda *a: (net(*a) ** 2).mean()
        return jax.value_and_grad(l, tuple(range(1, 7)))(x, wr, wk, wv, wo, w, u)
    return f, (m.r(4, 10, d), np.full(d, 0.5, np.float32), m.w(d, d), m.w(d, d), m.w(d, d), m.w(d, d), m.r(d), m.r(d)), (P("a"), P(), P(None, "b"), P(None, "b"), P(None, "b"), P("b"), P("b"), P("b"))


@model("rglru_retnet_hyena", mesh="2x2", rtol=1e-3, atol=1e-4)
def _(m):
    def f(x, a, filt, g):
        _, h = lax.associative_scan(lambda s, t: (s[0] * t[0], t[0] * s[1] + t[1]), (jax.nn.sigmoid(x @ a), x), axis=1, reverse=True)
        l = x.shape[1]
        y = jnp.fft.irfft(jnp.fft.rfft(x, 2 * l, axis=1) * jnp.fft.rfft(filt, 2 * l, axis=0), 2 * l, axis=1)[:, :l]
        dm = jnp.where(causal(l), 0.9 ** (jnp.arange(l)[:, None] - jnp.arange(l)[None]).clip(0), 0)
        ret = (jnp.einsum("bsd,btd->bst", x, x) * dm) @ x
        return h * g, y, ret
    return f, (m.r(4, 12, 16), m.w(16, 16), m.r(12, 16), m.r(16)), (P("a", None, "b"), P("b"), P(None, "b"), P("b"))


def segment_softmax(lg, dst, n):
    mx = jax.ops.segment_max(lg, dst, n)
    e = jnp.exp(lg - mx[dst])
    return e / jax.ops.segment_sum(e, dst, n)[dst]


@model("gnn_gat_gcn", mesh="2x4", ci=True)
def _(m):
    n, e = 40, 96
    def f(x, src, dst, w1, a, w2):
        def loss(w1, a, w2):
            h = x @ w1
            lg = jax.nn.leaky_relu((jnp.concatenate([h[src], h[dst]], -1) @ a)[:, 0])
            h = jax.ops.segment_sum(segment_softmax(lg, dst, n)[:, None] * h[src], dst, n)
            deg = jax.ops.segment_sum(jnp.ones(e), dst, n)
            h = jax.nn.relu(h) / jnp.sqrt(deg + 1)[:, None]
            agg = jax.ops.segment_max(h[src], dst, n)
            agg = jnp.where(jnp.isfinite(agg), agg, 0)
            return ((agg @ w2) ** 2).mean() + (jax.ops.segment_sum(h, jnp.arange(n) // 10, 4) ** 2).mean()
        return jax.value_and_grad(loss, (0, 1, 2))(w1, a, w2)
    return f, (m.r(n, 8), m.i(n, e), m.i(n, e), m.w(8, 16), m.w(32, 1), m.w(16, 4)), (P("a"), P("b"), P("b"), P(None, "b"), P(), P("b"))


@model("gnn_message_passing_sorted", mesh="8")
def _(m):
    n, e = 24, 64
    def f(x, edges, w):
        dst = jnp.sort(edges[1])
        def body(h, _):
            msg = jax.nn.relu(h[edges[0]] @ w)
            agg = jnp.zeros_like(h).at[dst].add(msg, indices_are_sorted=True, mode="drop")
            mn = jnp.full((n, 8), jnp.inf).at[dst].min(msg)
            return h + agg / 8 + jnp.where(jnp.isinf(mn), 0, mn) * 0.1, agg.sum()
        return lax.scan(body, x, None, length=3)
    return f, (m.r(n, 8), m.i(n, 2, e), m.w(8, 8)), (P("a"), P(None, "a"), P())


@model("dlrm_embedding_bags", mesh="2x4", ci=True)
def _(m):
    def f(tabs, idx, off, dense, w, big, bidx):
        def loss(tabs, w, big):
            e = jnp.stack([tabs[i][idx[:, i]] for i in range(3)], 1)
            bag = jax.ops.segment_sum(big[bidx], off, 16)
            z = jnp.concatenate([e, (dense @ w)[:, None], bag[:, None]], 1)
            it = jnp.einsum("bid,bjd->bij", z, z)
            li, lj = np.tril_indices(5, -1)
            return jax.nn.softplus(it[:, li, lj].sum(-1)).mean()
        return jax.value_and_grad(loss, (0, 1, 2))(tabs, w, big)
    return f, (m.r(3, 48, 8), m.i(48, 16, 3), np.sort(m.i(16, 40)), m.r(16, 5), m.w(5, 8), m.r(64, 8), m.i(64, 40)), (P(None, "b"), P("a"), P(), P("a"), P(), P(("a", "b")), P())


@model("two_tower_retrieval_topk", mesh="2x4")
def _(m):
    def f(u, items, hist, mask):
        q = (items[hist] * mask[..., None]).sum(1) / jnp.maximum(mask.sum(1, keepdims=True), 1) + u
        s = q @ items.T
        v, i = lax.top_k(s, 5)
        return v, i, jnp.sort(s, 1)[:, ::-1][:, :3], (s > v[:, -1:]).sum(1)
    return f, (m.r(8, 12), m.r(40, 12), m.i(40, 8, 6), (m.rng.random((8, 6)) < 0.7).astype(np.float32)), (P("a"), P("b"), P("a"), P("a"))


@model("beam_search", mesh="2x4", ci=True)
def _(m):
    b, k, v, d = 4, 3, 24, 16
    def f(emb, w, out):
        def step(st, t):
            seq, sc, h = st
            x = emb[seq[:, :, t]]
            h = jnp.tanh((h + x) @ w)
            lp = jax.nn.log_softmax(h @ out) + sc[..., None]
            sc, i = lax.top_k(lp.reshape(b, k * v), k)
            beam, tok = i // v, i % v
            seq = jnp.take_along_axis(seq, beam[..., None], 1).at[:, :, t + 1].set(tok)
            h = jnp.take_along_axis(h, beam[..., None], 1)
            return (m.c(seq, "a"), sc, h), sc[:, 0]
        s0 = jnp.tile(jnp.array([0.0, -1e9, -1e9]), (b, 1))
        return lax.scan(step, (jnp.zeros((b, k, 7), jnp.int32), s0, jnp.zeros((b, k, d))), jnp.arange(6))
    return f, (m.r(v, d, scale=1.0), m.w(d, d), m.r(d, v, scale=1.0)), (P(None, "b"), P(None, "b"), P("b"))


@model("sampling_topk_topp_categorical", mesh="2x4", ci=True)
def _(m):
    def f(lg, key, temp):
        k1, k2, k3 = jax.random.split(jax.random.wrap_key_data(key), 3)
        lg = lg / temp
        v, i = lax.top_k(lg, 8)
        a = jnp.take_along_axis(i, jax.random.categorical(k1, v)[:, None], 1)[:, 0]
        s = jnp.sort(lg, -1)[:, ::-1]
        cp = jnp.cumsum(jax.nn.softmax(s), -1)
        cut = jnp.take_along_axis(s, jnp.minimum((cp < 0.9).sum(-1, keepdims=True), lg.shape[1] - 1), -1)
        b = jax.random.categorical(k2, jnp.where(lg < cut, -jnp.inf, lg))
        c = jnp.argmax(lg + jax.random.gumbel(k3, lg.shape), -1)
        return a, b, c, lax.approx_max_k(lg, 4)[0]
    return f, (m.r(8, 48, scale=2.0), np.array([7, 8], np.uint32), np.float32(0.8)), (P("a", "b"), P(), P())


@model("random_streams", mesh="2x4")
def _(m):
    def f(key, x):
        k = jax.random.split(jax.random.wrap_key_data(key), 6)
        return (m.c(jax.random.uniform(k[0], (8, 20)), "a", "b"), jax.random.truncated_normal(k[1], -2, 2, (9, 5)), jax.random.permutation(k[2], x),
                jax.random.randint(k[3], (16,), 0, 100), jax.random.bernoulli(k[4], 0.3, (7, 8)), jax.random.gamma(k[5], 2.0, (6,)), x + jax.random.laplace(k[5], x.shape))
    return f, (np.array([1, 9], np.uint32), m.r(16, 4)), (P(), P("a", "b"))


@model("crf_forward_viterbi", mesh="2x2")
def _(m):
    t, b, k = 9, 4, 6
    def f(em, tr, tags, lens):
        def nll(em, tr):
            def step(a, z):
                e, i = z
                n = jax.nn.logsumexp(a[:, :, None] + tr[None], 1) + e
                return jnp.where((i < lens)[:, None], n, a), None
            a, _ = lax.scan(step, em[0], (em[1:], jnp.arange(1, t)))
            mask = (jnp.arange(t)[:, None] < lens).astype(jnp.float32)
            gold = (jnp.take_along_axis(em, tags[..., None], -1)[..., 0] * mask).sum(0) + (tr[tags[:-1], tags[1:]] * mask[1:]).sum(0)
            return (jax.nn.logsumexp(a, -1) - gold).mean()
        def vit(s, e):
            z = s[:, :, None] + tr[None]
            return z.max(1) + e, z.argmax(1)
        s, bp = lax.scan(vit, em[0], em[1:])
        last = s.argmax(-1)
        def back(c, p):
            c = jnp.take_along_axis(p, c[:, None], 1)[:, 0]
            return c, c
        _, path = lax.scan(back, last, bp, reverse=True)
        return jax.value_and_grad(nll, (0, 1))(em, tr), jnp.concatenate([path, last[None]])
    return f, (m.r(t, b, k, scale=1.0), m.r(k, k), m.i(k, t, b), np.array([9, 5, 7, 2], np.int32)), (P(None, "a", "b"), P(None, "b"), P(None, "a"), P("a"))


@model("ctc_loss", mesh="2x2")
def _(m):
    b, t, v, n = 4, 8, 6, 3
    def f(lg, lab):
        def loss(lg):
            lp = jax.nn.log_softmax(lg)
            ext = jnp.zeros((b, 2 * n + 1), jnp.int32).at[:, 1::2].set(lab)
            e = jnp.take_along_axis(lp, jnp.broadcast_to(ext[:, None], (b, t, 2 * n + 1)), -1)
            skip = jnp.pad((ext[:, 2:] != 0) & (ext[:, 2:] != ext[:, :-2]), ((0, 0), (2, 0)))
            a0 = jnp.full((b, 2 * n + 1), -1e9).at[:, :2].set(e[:, 0, :2])
            def step(a, x):
                a1 = jnp.pad(a, ((0, 0), (1, 0)), constant_values=-1e9)[:, :-1]
                a2 = jnp.where(skip, jnp.pad(a, ((0, 0), (2, 0)), constant_values=-1e9)[:, :-2], -1e9)
                return jax.nn.logsumexp(jnp.stack([a, a1, a2]), 0) + x, None
            a, _ = lax.scan(step, a0, e[:, 1:].swapaxes(0, 1))
            return -jnp.logaddexp(a[:, -1], a[:, -2]).mean()
        return jax.value_and_grad(loss)(lg)
    return f, (m.r(b, t, v, scale=1.0), m.i(v - 1, b, n) + 1), (P("a", None, "b"), P("a"))


@model("evoformer_triangle", mesh="2x2")
def _(m):
    def f(z, w1, w2, w3, bias):
        def net(z, w1, w2, w3):
            a, b = jax.nn.sigmoid(z @ w1) * (z @ w2), z @ w2
            z = m.c(z + jnp.einsum("ikc,jkc->ijc", a, b), "a", "b")
            z = z + jnp.einsum("kic,kjc->ijc", a, b)
            q = z @ w3
            lg = jnp.einsum("ijc,ikc->ijk", q, z) + bias
            return z + jnp.einsum("ijk,ikc->ijc", jax.nn.softmax(lg), z)
        return net(z, w1, w2, w3), jax.grad(lambda *a: (net(*a) ** 2).mean(), (1, 2, 3))(z, w1, w2, w3)
    return f, (m.r(10, 10, 8), m.w(8, 8), m.w(8, 8), m.w(8, 8), m.r(10, 10)), (P("a", "b"), P(), P(), P(), P("b"))


@model("tree_decision_forest", mesh="2x2")
def _(m):
    def f(x, feat, thr, leaf):
        def tree(feat, thr, leaf):
            def body(_, node):
                v = jnp.take_along_axis(x, feat[node][:, None], 1)[:, 0]
                return 2 * node + 1 + (v > thr[node]).astype(jnp.int32)
            n = lax.fori_loop(0, 3, body, jnp.zeros(x.shape[0], jnp.int32))
            return leaf[n - 7]
        return jax.vmap(tree)(feat, thr, leaf).sum(0)
    return f, (m.r(12, 6), m.i(6, 4, 7), m.r(4, 7), m.r(4, 8)), (P("a"), P("b"), P("b"), P("b"))


@model("sparse_topk_gather_update", mesh="2x4")
def _(m):
    """Gradient compression: top-k of |g|, scatter back; bucketed histogram."""
    def f(g, e):
        z = (g + e).reshape(-1)
        v, i = lax.top_k(jnp.abs(z), 16)
        s = jnp.zeros_like(z).at[i].set(z[i])
        h = jnp.histogram(z, bins=8, range=(-1, 1))[0]
        return s.reshape(g.shape), (z - s).reshape(g.shape), h, jnp.searchsorted(jnp.sort(z), jnp.linspace(-1, 1, 5)), jnp.percentile(z, 90.0), jnp.median(g, axis=1)
    return f, (m.r(12, 16), m.r(12, 16)), (P("a", "b"), P("a", "b"))


@model("mcmc_hmc", mesh="8", rtol=1e-3, atol=1e-4)
def _(m):
    def f(x, key, prec):
        U = lambda x: 0.5 * jnp.einsum("ci,ij,cj->c", x, prec, x)
        gU = jax.grad(lambda x: U(x).sum())
        def step(c, k):
            x = c
            k1, k2 = jax.random.split(k)
            p0 = jax.random.normal(k1, x.shape)
            def leap(_, st):
                x, p = st
                p = p - 0.05 * gU(x); x = x + 0.1 * p
                return x, p - 0.05 * gU(x)
            xn, pn = lax.fori_loop(0, 4, leap, (x, p0))
            a = U(x) + 0.5 * (p0 ** 2).sum(1) - U(xn) - 0.5 * (pn ** 2).sum(1)
            ok = jnp.log(jax.random.uniform(k2, a.shape)) < a
            return jnp.where(ok[:, None], xn, x), ok.mean()
        return lax.scan(step, x, jax.random.split(jax.random.wrap_key_data(key), 3))
    a = m.r(4, 4)
    return f, (m.r(16, 4), np.array([2, 2], np.uint32), (a @ a.T + np.eye(4)).astype(np.float32)), (P("a"), P(), P())


@model("linalg_qr_svd_solve_lu", mesh="2x2", rtol=5e-3, atol=1e-3)
def _(m):
    def f(a, b):
        q, r = jnp.linalg.qr(a)
        s = jnp.linalg.svd(a, compute_uv=False)
        x = jnp.linalg.solve(a @ a.T + jnp.eye(8), b)
        return jnp.abs(r), jnp.abs(q), s, x, jnp.linalg.det(a), jnp.linalg.inv(a @ a.T + jnp.eye(8)), jax.scipy.linalg.expm(a * 0.1)
    return f, (m.r(8, 8, scale=1.0), m.r(8, 3)), (P("a", "b"), P("a"))


@model("bayes_special_functions", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    sp = jax.scipy.special
    def f(a, x):
        return (sp.gammaln(a), sp.digamma(a), sp.betainc(a, a + 1, jax.nn.sigmoid(x)), sp.gammainc(a, jnp.abs(x)), sp.erf(x), sp.erfinv(jnp.tanh(x)), sp.ndtri(jax.nn.sigmoid(x)),
                sp.zeta(a + 1.5, 1.0), sp.i0e(x), sp.i1e(x), sp.logsumexp(x, axis=0), jnp.sinh(x), jnp.arctan2(x, a), jnp.cbrt(a), jnp.nextafter(x, a), sp.xlogy(a, a), jnp.logaddexp(x, a))
    return f, (np.abs(m.r(8, 12)) + 0.3, m.r(8, 12)), (P("a", "b"), P("b", "a"))
