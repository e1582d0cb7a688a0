"""Programs with unusual bones: caches written at each row's own place, loops in
loops, ragged batches, integer arithmetic, points and graphs, custom gradients."""
from functools import partial

from common import *


@model("decode_rows_at_own_places", mesh="2x4", ci=True)
def _(m):
    """Each row of the batch is at its own position: cache.at[arange(b), pos]."""
    b, s, h, d, v = 8, 24, 4, 8, 51
    def f(p, kc, vc, tok, pos):
        rows = jnp.arange(b)
        def layer(x, z):
            w, kc, vc = z
            q, k, vv = jnp.split((x @ w["qkv"]).reshape(b, h, 3 * d), 3, -1)
            kc, vc = kc.at[rows, pos].set(k), vc.at[rows, pos].set(vv)
            lg = jnp.einsum("bhd,bshd->bhs", q, kc) * d ** -0.5
            lg = jnp.where(jnp.arange(s)[None, None] <= pos[:, None, None], lg, -1e9)
            o = jnp.einsum("bhs,bshd->bhd", jax.nn.softmax(lg), vc).reshape(b, h * d)
            return x + o @ w["o"], (kc, vc)
        x, (kc, vc) = lax.scan(layer, p["emb"][tok], (p["layers"], kc, vc))
        lg = x @ p["emb"].T
        top, best = lax.top_k(lg, 3)
        return best, lg[rows, best[:, 1]], kc, vc, pos + 1
    n = 3
    p = dict(emb=m.r(v, h * d), layers=dict(qkv=np.stack([m.w(h * d, 3 * h * d) for _ in range(n)]), o=np.stack([m.w(h * d, h * d) for _ in range(n)])))
    q = dict(emb=P("b"), layers=dict(qkv=P(None, None, "b"), o=P(None, "b")))
    cache = P(None, "a", None, "b")
    return f, (p, m.r(n, b, s, h, d), m.r(n, b, s, h, d), m.i(v, b), m.i(s - 1, b)), (q, cache, cache, P("a"), P("a"))


@model("beam_search_reordered_caches", mesh="2x2")
def _(m):
    """A while loop that ends early, in it a loop over layers; caches follow
    their beams by x[arange(b)[:, None], beam]."""
    b, k, s, d, v = 3, 4, 7, 12, 23
    def f(w, emb, x0):
        rows = jnp.arange(b)[:, None]
        def step(c):
            t, seq, score, cache, done = c
            x = emb[seq[:, :, t]]
            def layer(i, z):
                x, cache = z
                cache = cache.at[i, :, :, t].set(x)
                mix = (cache[i] * (jnp.arange(s) <= t)[None, None, :, None]).sum(2) / (t + 1.0)
                return jnp.tanh(x + mix @ w[i]), cache
            x, cache = lax.fori_loop(0, 2, layer, (x, cache))
            lp = jax.nn.log_softmax(x @ emb.T)
            lp = jnp.where(done[..., None], jnp.where(jnp.arange(v) == 0, 0.0, -1e9), lp)
            best, at = lax.top_k((score[..., None] + lp).reshape(b, k * v), k)
            beam, tok = at // v, at % v
            seq = seq[rows, beam].at[:, :, t + 1].set(tok)
            return t + 1, seq, best, cache[:, rows, beam], done[rows, beam] | (tok == 0)
        go = lambda c: (c[0] < s - 1) & ~c[4].all()
        score = jnp.where(jnp.arange(k) == 0, 0.0, -1e9) * jnp.ones((b, 1))
        seq = jnp.zeros((b, k, s), jnp.int32).at[:, :, 0].set(x0[:, None])
        return lax.while_loop(go, step, (0, seq, score, jnp.zeros((2, b, k, s, d)), jnp.zeros((b, k), bool)))[1:3]
    return f, (m.w(2, d, d), m.r(v, d, scale=1.0), m.i(v, b)), (P(None, None, "b"), P(None, "b"), P("a"))


@model("lstm_bidirectional_ragged", mesh="2x4")
def _(m):
    """Sequences of different lengths, reversed within their lengths."""
    t, b, i, h = 11, 6, 10, 12
    def f(p, x, lens):
        def cell(w, c, z):
            x, keep = z
            hh, cc = c
            g = jnp.concatenate([x, hh], -1) @ w
            f, i, o, u = jnp.split(g, 4, -1)
            cn = jax.nn.sigmoid(f + 1) * cc + jax.nn.sigmoid(i) * jnp.tanh(u)
            hn = jax.nn.sigmoid(o) * jnp.tanh(cn)
            return tuple(jnp.where(keep[:, None], n, o) for n, o in ((hn, hh), (cn, cc))), hn * keep[:, None]
        at = jnp.arange(t)[:, None]
        back = jnp.where(at < lens, lens - 1 - at, at)
        def loss(p):
            z = x
            for w in p:
                keep = at < lens
                run = lambda w, z: lax.scan(lambda c, z: cell(w, c, z), (jnp.zeros((b, h)),) * 2, (z, keep))[1]
                flip = lambda z: jnp.take_along_axis(z, back[..., None], 0)
                z = jnp.concatenate([run(w[0], z), flip(run(w[1], flip(z)))], -1)
            return (z ** 2).sum() / lens.sum()
        return jax.value_and_grad(loss)(p)
    p = [[m.w(i + h, 4 * h), m.w(i + h, 4 * h)], [m.w(3 * h, 4 * h), m.w(3 * h, 4 * h)]]
    return f, (p, m.r(t, b, i), np.array([11, 3, 7, 1, 9, 5], np.int32)), ([[P(None, "b")] * 2] * 2, P(None, "a"), P("a"))


@model("mamba_prefill_then_decode", mesh="2x4")
def _(m):
    d, n, s, b = 12, 5, 13, 4
    @jax.jit
    def discretize(p, x):
        dt = jax.nn.softplus(x @ p["dt"])
        return jnp.exp(dt[..., None] * -jnp.exp(p["A"])), (dt * x)[..., None] * (x @ p["B"])[..., None, :]
    def f(p, x, y):
        xp = jnp.pad(x, ((0, 0), (3, 0), (0, 0)))
        u = jax.nn.silu(sum(xp[:, i:i + s] * p["conv"][i] for i in range(4)))
        a, bx = discretize(p, u)
        _, hs = lax.associative_scan(lambda l, r: (l[0] * r[0], r[0] * l[1] + r[1]), (a, bx), axis=1)
        out = jnp.einsum("bsdn,bsn->bsd", hs, u @ p["C"]) + u * p["D"]
        def step(c, y):
            h, win = c
            win = jnp.concatenate([win[:, 1:], y[:, None]], 1)
            u = jax.nn.silu(jnp.einsum("bkd,kd->bd", win, p["conv"]))
            a, bx = discretize(p, u)
            h = a * h + bx
            return (h, win), jnp.einsum("bdn,bn->bd", h, u @ p["C"]) + u * p["D"]
        (h, win), ys = lax.scan(step, (hs[:, -1], x[:, -4:]), y)
        return out, ys, h, win
    p = dict(conv=m.r(4, d), dt=m.w(d, d), A=m.r(d, n), B=m.w(d, n), C=m.w(d, n), D=m.r(d))
    q = dict(conv=P(None, "b"), dt=P(None, "b"), A=P("b"), B=P("b"), C=P("b"), D=P("b"))
    return f, (p, m.r(b, s, d), m.r(5, b, d)), (q, P("a", None, "b"), P(None, "a"))


@model("moe_expert_choice", mesh="2x4")
def _(m):
    """Experts choose tokens: top_k over a cut dimension, gathers and scatters of rows."""
    t, d, e, ff, cap = 22, 12, 5, 16, 6
    def f(r, w1, w2, x):
        def loss(r, w1, w2):
            g = jax.nn.softmax(x @ r, -1)
            w, i = lax.top_k(g.T, cap)
            xs = m.c(x[i], "b")
            ys = jnp.einsum("ecf,efd->ecd", jax.nn.relu(jnp.einsum("ecd,edf->ecf", xs, w1)), w2) * w[..., None]
            y = jnp.zeros_like(x).at[i.reshape(-1)].add(ys.reshape(-1, d))
            hits = jax.ops.segment_sum(jnp.ones(e * cap), i.reshape(-1), t)
            return ((y + x) ** 2).mean() + 0.01 * hits.max()
        return jax.value_and_grad(loss, (0, 1, 2))(r, w1, w2)
    return f, (m.w(d, e), m.w(e, d, ff), m.w(e, ff, d), m.r(t, d, scale=1.0)), (P(), P("b"), P("b"), P("a"))


@model("pointnet_farthest_sampling", mesh="2x4")
def _(m):
    b, n, k = 3, 26, 6
    def f(x, w1, w2):
        def pick(i, c):
            dist, at, idx = c
            idx = idx.at[:, i].set(at)
            c = jnp.take_along_axis(x, at[:, None, None], 1)
            dist = jnp.minimum(dist, ((x - c) ** 2).sum(-1))
            return dist, jnp.argmax(dist, -1).astype(jnp.int32), idx
        idx = lax.fori_loop(0, k, pick, (jnp.full((b, n), 1e9), jnp.zeros(b, jnp.int32), jnp.zeros((b, k), jnp.int32)))[2]
        centers = x[jnp.arange(b)[:, None], idx]
        d2 = ((centers[:, :, None] - x[:, None]) ** 2).sum(-1)
        _, near = lax.top_k(-d2, 5)
        def net(w1, w2):
            local = x[jnp.arange(b)[:, None, None], near] - centers[:, :, None]
            return (jax.nn.relu(local @ w1) @ w2).max(2)
        y, vjp = jax.vjp(net, w1, w2)
        return idx, y, vjp(jnp.cos(y))
    return f, (m.r(b, n, 3, scale=1.0), m.w(3, 16), m.w(16, 8)), (P("a", "b"), P(None, "b"), P("b"))


@model("graph_pool_edges_softmax", mesh="2x4")
def _(m):
    """Ragged graphs as one list of nodes: softmax over edges of a node, pooling
    per graph, hard top nodes, an uneven number of everything."""
    n, e, g, d = 29, 75, 4, 10
    def f(p, x, src, dst, batch):
        def loss(p):
            h = x
            for w in p["conv"]:
                z = h @ w["w"]
                a = jax.nn.leaky_relu((z @ w["l"])[src] + (z @ w["r"])[dst])
                a = jnp.exp(a - jax.ops.segment_max(a, dst, n)[dst])
                a = a / jax.ops.segment_sum(a, dst, n)[dst]
                h = jax.nn.elu(jax.ops.segment_sum(a[:, None] * z[src], dst, n)) + h
            score = h @ p["score"]
            rank = jnp.argsort(jnp.lexsort((-score, batch)))
            first = jax.ops.segment_min(rank, batch, g)
            keep = rank - first[batch] < 3
            pooled = jax.ops.segment_sum(jnp.where(keep[:, None], h * jnp.tanh(score)[:, None], 0), batch, g)
            return (pooled @ p["out"]).var()
        return jax.value_and_grad(loss)(p)
    conv = lambda: dict(w=m.w(d, d), l=m.r(d), r=m.r(d))
    p = dict(conv=[conv(), conv()], score=m.r(d), out=m.w(d, 3))
    dst = np.concatenate([np.arange(n), m.i(n, e - n)]).astype(np.int32)
    return f, (p, m.r(n, d), m.i(n, e), dst, np.sort(m.i(g, n))), (P(), P("a", "b"), P("b"), P("b"), P("a"))


@model("quantised_layers_packed_int4", mesh="2x4", rtol=1e-3, atol=1e-3)
def _(m):
    """Two nibbles a byte, unpacked by shifts; activations to i8 per token."""
    k, n, grp = 32, 20, 8
    def f(x, packed, scale, zero, w8, s8):
        lo, hi = (packed & 0xF).astype(jnp.int8), ((packed >> 4) & 0xF).astype(jnp.int8)
        w = jnp.stack([lo, hi], 1).reshape(k, n)
        w = (w.reshape(k // grp, grp, n).astype(jnp.float32) - zero[:, None]) * scale[:, None]
        h = jax.nn.relu(x @ w.reshape(k, n))
        s = jnp.abs(h).max(-1, keepdims=True) / 127
        q = jnp.clip(jnp.round(h / jnp.where(s == 0, 1, s)), -127, 127).astype(jnp.int8)
        acc = lax.dot_general(q, w8, (((1,), (0,)), ((), ())), preferred_element_type=jnp.int32)
        return acc.astype(jnp.float32) * s * s8, q
    return f, (m.r(6, k), m.i(256, k // 2, n).astype(np.uint8), np.abs(m.r(k // grp, n)) * 0.1, m.i(16, k // grp, n).astype(np.float32),
               (m.i(255, n, 12) - 127).astype(np.int8), np.abs(m.r(12)) * 0.01), (P("a"), P("b"), P("b"), P("b"), P(None, "b"), P("b"))


@model("unet_audio_dilated", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    """1-D, an uneven length, strided and transposed convolutions, group norms, skips."""
    b, t, c = 4, 36, 8
    def conv(x, w, stride=1, dil=1):
        return lax.conv_general_dilated(x, w, (stride,), "SAME", rhs_dilation=(dil,), dimension_numbers=("NWC", "WIO", "NWC"))
    def norm(x):
        g = x.reshape(*x.shape[:2], 2, -1)
        g = (g - g.mean((1, 3), keepdims=True)) * lax.rsqrt(g.var((1, 3), keepdims=True) + 1e-5)
        return g.reshape(x.shape)
    @partial(jax.jit, static_argnums=2)
    def block(x, w, dil):
        return x + conv(jax.nn.silu(norm(x)), w, dil=dil)
    def f(p, x, y):
        def loss(p):
            h0 = conv(x, p["in"])
            h1 = conv(block(h0, p["b0"], 1), p["down"], 2)
            h2 = block(h1, p["b1"], 2)
            up = lax.conv_transpose(h2, p["up"], (2,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))
            return jnp.abs(conv(jnp.concatenate([up, h0], -1), p["out"]) - y).mean()
        return jax.value_and_grad(loss)(p)
    p = {"in": m.r(3, 1, c), "b0": m.r(3, c, c), "down": m.r(4, c, 2 * c), "b1": m.r(3, 2 * c, 2 * c), "up": m.r(4, 2 * c, c), "out": m.r(5, 2 * c, 1)}
    return f, (p, m.r(b, t, 1), m.r(b, t, 1)), (P(), P("a", "b"), P("a", "b"))


@model("wavenet_ring_buffers", mesh="2x4")
def _(m):
    """Generation with a ring buffer per dilation, loops in a loop, bytes as tokens."""
    b, c, v = 4, 12, 17
    dil = (1, 2, 4)
    def f(emb, w, out, tok, key):
        def step(carry, k):
            tok, rings, t = carry
            x = emb[tok]
            new = []
            for i, (r, n) in enumerate(zip(rings, dil)):
                past = lax.dynamic_index_in_dim(r, t % n, 0, keepdims=False)
                new.append(lax.dynamic_update_index_in_dim(r, x, t % n, 0))
                a, g = jnp.split(jnp.concatenate([x, past], -1) @ w[i], 2, -1)
                x = x + jnp.tanh(a) * jax.nn.sigmoid(g)
            lg = x @ out
            tok = jnp.argmax(lg + jax.random.gumbel(k, lg.shape), -1).astype(jnp.uint8)
            return (tok, tuple(new), t + 1), (tok, jax.nn.logsumexp(lg, -1))
        rings = tuple(jnp.zeros((n, b, c)) for n in dil)
        return lax.scan(step, (tok, rings, 0), jax.random.split(jax.random.wrap_key_data(key), 9))[1]
    return f, (m.r(v, c), m.w(3, 2 * c, 2 * c), m.w(c, v), m.i(v, b).astype(np.uint8), np.array([4, 2], np.uint32)), (P("b"), P(None, None, "b"), P(None, "b"), P("a"), P())


@model("sinkhorn_custom_vjp_deq", mesh="2x2", rtol=2e-3, atol=2e-4)
def _(m):
    """A fixed point by a while loop, differentiated by another one."""
    def f(w, x, cost):
        g = lambda w, z: jnp.tanh(z @ w + x)
        @jax.custom_vjp
        def fixed(w):
            def body(c):
                n = g(w, c[1])
                return c[0] + 1, n, jnp.abs(n - c[1]).max()
            return lax.while_loop(lambda c: (c[0] < 40) & (c[2] > 1e-6), body, (0, jnp.zeros_like(x), jnp.float32(1)))[1]
        def forward(w):
            z = fixed(w)
            return z, (w, z)
        def backward(res, ct):
            w, z = res
            _, vjp = jax.vjp(g, w, z)
            u = lax.fori_loop(0, 20, lambda _, u: ct + vjp(u)[1], ct)
            return (vjp(u)[0],)
        fixed.defvjp(forward, backward)
        u = lax.while_loop(lambda c: c[0] < 8, lambda c: (c[0] + 1, 1 / (cost @ (1 / (cost.T @ c[1])))), (0, jnp.ones(cost.shape[0])))[1]
        return jax.value_and_grad(lambda w: (fixed(w) ** 2).mean())(w), u
    return f, ((m.r(9, 9) * 0.3).astype(np.float32), m.r(10, 9), np.exp(-np.abs(m.r(14, 6))).astype(np.float32)), (P("a", "b"), P("a"), P("b", "a"))


@model("augment_crops_flips_mixup", mesh="2x4")
def _(m):
    """Images in bytes: each its own crop (a dynamic slice under vmap) and flip,
    hashes by integer arithmetic, mixing along a permutation."""
    b, h, w = 6, 12, 14
    def f(img, key, lam):
        k = jax.random.split(jax.random.wrap_key_data(key), 3)
        off = jax.random.randint(k[0], (b, 2), 0, 5)
        crop = jax.vmap(lambda x, o: lax.dynamic_slice(x, (o[0], o[1], 0), (8, 9, 3)))(img, off)
        crop = jnp.where(jax.random.bernoulli(k[1], 0.5, (b, 1, 1, 1)), crop[:, :, ::-1], crop)
        x = crop.astype(jnp.float32) / 255
        perm = jax.random.permutation(k[2], b)
        y = lam * x + (1 - lam) * x[perm]
        y = jnp.roll(y, (2, -3), (1, 2)) - y.mean((0, 1, 2))
        hsh = lax.reduce(img.astype(jnp.uint32) * jnp.uint32(2654435761), jnp.uint32(0), lax.bitwise_xor, (1, 2, 3))
        buckets = jnp.bincount((hsh % 7).astype(jnp.int32), length=7)
        return y, hsh, buckets, jax.image.resize(x, (b, 5, 6, 3), "linear")
    return f, (m.i(256, b, h, w, 3).astype(np.uint8), np.array([3, 5], np.uint32), np.float32(0.3)), (P("a", "b"), P(), P())


@model("kalman_smoother_batch", mesh="2x4", rtol=2e-3, atol=5e-4)
def _(m):
    b, t, n, o = 5, 9, 4, 2
    def f(A, C, Q, R, y):
        def filt(c, y):
            mu, S = c
            mu, S = mu @ A.T, A @ S @ A.T + Q
            G = C @ S @ C.T + R
            K = jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(G), True), C @ S).swapaxes(-1, -2)
            mu = mu + jnp.einsum("bno,bo->bn", K, y - mu @ C.T)
            S = S - K @ C @ S
            return (mu, S), (mu, S)
        (_, _), (mus, Ss) = lax.scan(filt, (jnp.zeros((b, n)), jnp.broadcast_to(jnp.eye(n), (b, n, n))), y.swapaxes(0, 1))
        def smooth(c, z):
            mn, Sn = c
            mu, S = z
            P_ = A @ S @ A.T + Q
            J = jnp.linalg.solve(P_, A @ S).swapaxes(-1, -2)
            mu = mu + jnp.einsum("bij,bj->bi", J, mn - mu @ A.T)
            return (mu, S + J @ (Sn - P_) @ J.swapaxes(-1, -2)), mu
        return lax.scan(smooth, (mus[-1], Ss[-1]), (mus[:-1], Ss[:-1]), reverse=True)[1], mus[-1]
    return f, ((np.eye(n) + 0.1 * m.r(n, n)).astype(np.float32), m.r(o, n), (np.eye(n) * 0.2).astype(np.float32), (np.eye(o) * 0.5).astype(np.float32), m.r(b, t, o)), (P(), P(), P(), P(), P("a", "b"))


@model("transducer_diagonals", mesh="2x2", rtol=1e-3, atol=1e-4)
def _(m):
    """RNN-T by anti-diagonals: skewed tables, gathers at two places at once."""
    b, t, u, v = 3, 6, 4, 9
    def f(lg, lab, tlen, ulen):
        def loss(lg):
            lp = jax.nn.log_softmax(lg)
            blank, emit = lp[..., 0], jnp.take_along_axis(lp[:, :, :-1], lab[:, None, :, None] + 0 * lp[:, :, :-1, :1].astype(jnp.int32), -1)[..., 0]
            def diag(a, d):
                i = jnp.arange(t)
                j = d - i
                inside = (j >= 0) & (j <= u)
                jc = jnp.clip(j, 0, u)
                up = jnp.where(i > 0, jnp.roll(a, 1, 1) + blank[:, jnp.maximum(i - 1, 0), jc], -1e9)
                left = jnp.where(j > 0, a + emit[:, i, jnp.clip(j - 1, 0, u - 1)], -1e9)
                a = jnp.where(inside, jnp.logaddexp(up, left), -1e9)
                return a, a
            a0 = jnp.full((b, t), -1e9).at[:, 0].set(0.0)
            _, al = lax.scan(diag, a0, jnp.arange(1, t + u))
            end = al[tlen - 1 + ulen - 1, jnp.arange(b), tlen - 1]
            return -(end + blank[jnp.arange(b), tlen - 1, ulen]).mean()
        return jax.value_and_grad(loss)(lg)
    return f, (m.r(b, t, u + 1, v, scale=1.0), m.i(v - 1, b, u) + 1, np.array([6, 4, 5], np.int32), np.array([4, 2, 3], np.int32)), (P("a", "b"), P("a"), P("a"), P("a"))
