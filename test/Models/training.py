"""Training steps with many optimizers, and ways to train."""
from common import *


def mlp_problem(m, d=16, h=24, o=8, n=12):
    p = dict(w1=m.w(d, h), b1=np.zeros(h, np.float32), w2=m.w(h, o), b2=np.zeros(o, np.float32))
    q = dict(w1=P("a", "b"), b1=P("b"), w2=P("b", "a"), b2=P())
    def loss(p, x, y):
        h = jnp.tanh(m.c(x, "a") @ p["w1"] + p["b1"])
        return ((h @ p["w2"] + p["b2"] - y) ** 2).mean()
    return p, q, loss, m.r(n, d), m.r(n, o)


def optimizer(name, **kw):
    """Registers a step of `update(grad, weight, state) -> (weight, state)`."""
    def register(f):
        @model("opt_" + name, **kw)
        def _(m):
            p, q, loss, x, y = mlp_problem(m)
            init, update, spec = f(m)
            is_state = lambda z: isinstance(z, dict) and "leaf" in z
            state = jax.tree.map(lambda w: dict(leaf=init(w)), p)
            sq = jax.tree.map(lambda s, w: jax.tree.map(lambda leaf: spec(s, w, leaf), dict(leaf=init(w))), q, p,
                              is_leaf=lambda z: isinstance(z, P))
            def step(p, state, x, y):
                l, g = jax.value_and_grad(loss)(p, x, y)
                out = jax.tree.map(lambda w, g, s: update(g, w, s["leaf"]), p, g, state)
                pick = lambda i: jax.tree.map(lambda t: t[i], out, is_leaf=lambda z: isinstance(z, tuple))
                return l, pick(0), pick(1)
            return step, (p, state, x, y), (q, sq, P(), P())
        return f
    return register


same = lambda s, w, leaf: s if np.shape(leaf) == w.shape else P()


@optimizer("sgd_nesterov", mesh="2x4")
def _(m):
    def update(g, w, v):
        v = 0.9 * v + g
        return w - 0.1 * (g + 0.9 * v), v
    return (lambda w: np.zeros_like(w)), update, same


@optimizer("lion", mesh="2x2")
def _(m):
    def update(g, w, mu):
        u = jnp.sign(0.9 * mu + 0.1 * g)
        return w - 1e-3 * (u + 0.1 * w), 0.99 * mu + 0.01 * g
    return (lambda w: m.r(*w.shape, scale=0.01)), update, same


@optimizer("lamb", mesh="2x4", ci=True)
def _(m):
    def update(g, w, s):
        mu, nu = s
        mu, nu = 0.9 * mu + 0.1 * g, 0.999 * nu + 0.001 * g * g
        u = mu / (jnp.sqrt(nu) + 1e-6) + 0.01 * w
        wn, un = jnp.linalg.norm(w), jnp.linalg.norm(u)
        return w - 0.01 * jnp.where((wn > 0) & (un > 0), wn / un, 1.0) * u, [mu, nu]
    return (lambda w: [np.zeros_like(w), np.abs(m.r(*w.shape, scale=0.1))]), update, same


@optimizer("adafactor", mesh="2x4")
def _(m):
    def update(g, w, s):
        g2 = g * g + 1e-30
        if w.ndim == 2:
            r, c = s
            r, c = 0.8 * r + 0.2 * g2.mean(1), 0.8 * c + 0.2 * g2.mean(0)
            u = g / (jnp.sqrt(r / r.mean())[:, None] * jnp.sqrt(c)[None])
            s = [r, c]
        else:
            s = [0.8 * s[0] + 0.2 * g2]
            u = g / jnp.sqrt(s[0])
        u = u / jnp.maximum(1.0, jnp.sqrt((u * u).mean()))
        return w - 0.01 * jnp.maximum(1e-3, jnp.sqrt((w * w).mean())) * u, s
    init = lambda w: [np.ones(w.shape[0], np.float32), np.ones(w.shape[1], np.float32)] if w.ndim == 2 else [np.ones_like(w)]
    return init, update, lambda s, w, leaf: P()


@optimizer("shampoo", mesh="2x2", rtol=2e-3, atol=1e-4)
def _(m):
    def root(a):
        """a^(-1/4) by coupled Newton iteration."""
        n = a.shape[0]
        a = a + 1e-3 * jnp.eye(n)
        z = (1 + 4) / (2 * jnp.linalg.norm(a))
        def body(i, st):
            mm, h = st
            t = (1.25) * jnp.eye(n) - 0.25 * mm
            return jnp.linalg.matrix_power(t, 4) @ mm, h @ t
        mm, h = lax.fori_loop(0, 12, body, (a * z, jnp.eye(n) * z ** 0.25))
        return h
    def update(g, w, s):
        if w.ndim < 2:
            return w - 0.01 * g, s
        l, r = s[0] + g @ g.T, s[1] + g.T @ g
        return w - 0.01 * root(l) @ g @ root(r), [l, r]
    init = lambda w: [np.eye(n, dtype=np.float32) * 0.1 for n in w.shape] if w.ndim == 2 else [np.zeros(1, np.float32)]
    return init, update, lambda s, w, leaf: P("a") if leaf.ndim == 2 else P()


@optimizer("shampoo_cholesky_eigh", mesh="2x2", rtol=5e-3, atol=1e-3)
def _(m):
    def update(g, w, s):
        if w.ndim < 2:
            return w - 0.01 * g, s
        s = s * 0.9 + g @ g.T
        e, v = jnp.linalg.eigh(s)
        return w - 0.01 * (v * jnp.maximum(e, 1e-6) ** -0.5) @ v.T @ g, s
    init = lambda w: np.eye(w.shape[0], dtype=np.float32) if w.ndim == 2 else np.zeros(1, np.float32)
    return init, update, lambda s, w, leaf: P("a", "b") if leaf.ndim == 2 else P()


@optimizer("muon", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    def update(g, w, mu):
        mu = 0.95 * mu + g
        if w.ndim < 2:
            return w - 0.01 * mu, mu
        x = g + 0.95 * mu
        x = x / (jnp.linalg.norm(x) + 1e-7)
        tr = x.shape[0] > x.shape[1]
        x = x.T if tr else x
        for _ in range(5):
            a = x @ x.T
            b = -4.7750 * a + 2.0315 * a @ a
            x = 3.4445 * x + b @ x
        x = x.T if tr else x
        return w - 0.02 * max(1, w.shape[0] / w.shape[1]) ** 0.5 * x, mu
    return (lambda w: m.r(*w.shape, scale=0.01)), update, same


@optimizer("muon_gspmd", mesh="8x1", partitioner="gspmd", rtol=1e-3, atol=1e-4)
def _(m):
    def update(g, w, mu):
        mu = 0.95 * mu + g
        if w.ndim < 2:
            return w - 0.01 * mu, mu
        x = (mu / (jnp.linalg.norm(mu) + 1e-7)).astype(jnp.bfloat16).astype(jnp.float32)
        def it(x, _):
            a = x @ x.T
            return 1.5 * x - 0.5 * a @ x, None
        x, _ = lax.scan(it, x, None, length=4)
        return w - 0.02 * x, mu
    return (lambda w: m.r(*w.shape, scale=0.01)), update, same


@optimizer("sophia_clip_schedule", mesh="2x2x2")
def _(m):
    def update(g, w, s):
        h, count = s
        count = count + 1
        lr = jnp.where(count < 5, count / 5.0, 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(count / 100.0, 1))))
        h = jnp.where(count % 2 == 0, 0.9 * h + 0.1 * g * g, h)
        return w - 0.01 * lr * jnp.clip(g / jnp.maximum(0.1 * h, 1e-8), -1, 1), [h, count]
    return (lambda w: [np.full_like(w, 0.1), np.int32(7)]), update, same


@model("sam_two_step", mesh="2x4")
def _(m):
    p, q, loss, x, y = mlp_problem(m)
    def step(p, x, y):
        g = jax.grad(loss)(p, x, y)
        n = jnp.sqrt(sum((z ** 2).sum() for z in jax.tree.leaves(g)))
        pp = jax.tree.map(lambda w, g: w + 0.05 * g / n, p, g)
        return jax.tree.map(lambda w, g: w - 0.1 * g, p, jax.grad(loss)(pp, x, y))
    return step, (p, x, y), (q, P(), P())


@model("lora_finetune", mesh="2x4")
def _(m):
    args = (m.w(32, 48), m.r(32, 4), np.zeros((4, 48), np.float32) + 0.01, m.r(8, 32), m.r(8, 48))
    def step(w, a, b, x, y):
        return jax.value_and_grad(lambda a, b: ((x @ (lax.stop_gradient(w) + a @ b) - y) ** 2).mean(), (0, 1))(a, b)
    return step, args, (P("a", "b"), P("a"), P(None, "b"), P("a"), P("a", "b"))


@model("dp_sgd_per_example", mesh="8", ci=True)
def _(m):
    """Differential privacy: vmap of gradients, clipped each, noise added."""
    args = (m.w(10, 6), m.r(16, 10), m.i(6, 16), np.array([1, 2], np.uint32))
    def step(w, x, y, key):
        def loss(w, x, y):
            return -jax.nn.log_softmax(x @ w)[y]
        g = jax.vmap(jax.grad(loss), (None, 0, 0))(w, x, y)
        n = jnp.sqrt((g ** 2).sum((1, 2), keepdims=True))
        g = (g * jnp.minimum(1, 0.5 / n)).mean(0)
        return w - 0.1 * (g + 0.01 * jax.random.normal(jax.random.wrap_key_data(key), g.shape))
    return step, args, (P(), P("a"), P("a"), P())


@model("maml_hessian_vector", mesh="2x2")
def _(m):
    p, q, loss, x, y = mlp_problem(m)
    def step(p, x, y, v):
        hv = jax.jvp(jax.grad(lambda p: loss(p, x, y)), (p,), (v,))[1]
        inner = jax.tree.map(lambda w, g: w - 0.1 * g, p, jax.grad(loss)(p, x, y))
        def outer(p):
            i = jax.tree.map(lambda w, g: w - 0.1 * g, p, jax.grad(loss)(p, x, y))
            return loss(i, x + 0.1, y)
        return hv, jax.grad(outer)(p), inner
    v = jax.tree.map(lambda w: m.r(*w.shape), p)
    return step, (p, x, y, v), (q, P("a"), P("a"), q)


@model("mixed_precision_loss_scale", mesh="2x2", rtol=2e-2, atol=2e-3)
def _(m):
    p, q, loss, x, y = mlp_problem(m)
    def step(p, x, y, scale, good):
        cast = lambda t: jax.tree.map(lambda z: z.astype(jnp.float16), t)
        l, g = jax.value_and_grad(lambda p: loss(cast(p), x.astype(jnp.float16), y.astype(jnp.float16)).astype(jnp.float32) * scale)(p)
        g = jax.tree.map(lambda z: z.astype(jnp.float32) / scale, g)
        finite = jnp.all(jnp.stack([jnp.isfinite(z).all() for z in jax.tree.leaves(g)]))
        new = jax.tree.map(lambda w, g: w - 0.1 * g, p, g)
        p = lax.cond(finite, lambda: new, lambda: p)
        scale = jnp.where(finite, jnp.where(good >= 2, scale * 2, scale), scale / 2)
        return l / scale, p, scale, finite
    return step, (p, x, y, np.float32(128), np.int32(2)), (q, P(), P(), P(), P())


@model("distillation_ema", mesh="2x4")
def _(m):
    args = (m.w(16, 40), m.w(16, 40), m.r(8, 16), np.zeros(40, np.float32))
    def step(ws, wt, x, center):
        def loss(ws):
            t = jax.nn.softmax((x @ wt - center) / 0.04); s = jax.nn.log_softmax(x @ ws / 0.1)
            return -(t * s).sum(-1).mean()
        l, g = jax.value_and_grad(loss)(ws)
        ws = ws - 0.1 * g
        return l, ws, 0.99 * wt + 0.01 * ws, 0.9 * center + 0.1 * (x @ wt).mean(0)
    return step, args, (P(None, "b"), P(None, "b"), P("a"), P("b"))


@model("ppo_gae", mesh="2x4", ci=True)
def _(m):
    t, n, o, a = 12, 8, 6, 5
    args = (m.w(o, 16), m.w(16, a), m.w(16, 1), m.r(t, n, o), m.i(a, t, n), m.r(t, n), m.rng.random((t, n)) < 0.1, m.r(t, n), m.r(t, n))
    def step(w1, wp, wv, obs, act, rew, done, val, oldlp):
        def gae(c, z):
            r, d, v, vn = z
            delta = r + 0.99 * vn * (1 - d) - v
            c = delta + 0.99 * 0.95 * (1 - d) * c
            return c, c
        d = done.astype(jnp.float32)
        vn = jnp.concatenate([val[1:], jnp.zeros((1, n))])
        _, adv = lax.scan(gae, jnp.zeros(n), (rew, d, val, vn), reverse=True)
        ret = adv + val
        adv = (adv - adv.mean()) / (adv.std() + 1e-8)
        def loss(w1, wp, wv):
            h = jnp.tanh(obs @ w1)
            lp_all = jax.nn.log_softmax(h @ wp)
            lp = jnp.take_along_axis(lp_all, act[..., None], -1)[..., 0]
            ratio = jnp.exp(lp - oldlp)
            pg = -jnp.minimum(ratio * adv, jnp.clip(ratio, 0.8, 1.2) * adv).mean()
            ent = -(jnp.exp(lp_all) * lp_all).sum(-1).mean()
            v = (h @ wv)[..., 0]
            return pg + 0.5 * ((v - ret) ** 2).mean() - 0.01 * ent
        return jax.value_and_grad(loss, (0, 1, 2))(w1, wp, wv)
    return step, args, (P(), P(), P(), P(None, ("a", "b")), P(None, ("a", "b")), P("a"), P(None, "b"), P(None, "a"), P("a", "b"))


@model("dpo_loss", mesh="2x2")
def _(m):
    def f(lc, lr, rc, rr, mask):
        lp = lambda l: (jax.nn.log_softmax(l).max(-1) * mask).sum(-1)
        d = (lp(lc) - lp(lr)) - (lp(rc) - lp(rr))
        return -jax.nn.log_sigmoid(0.1 * d).mean(), (d > 0).mean()
    g = lambda *a: (f(*a), jax.grad(lambda *a: f(*a)[0], (0, 1))(*a))
    return g, tuple(m.r(4, 6, 16) for _ in range(4)) + ((m.rng.random((4, 6)) < 0.8).astype(np.float32),), (P("a", None, "b"),) * 4 + (P("a"),)


@model("gan_step", mesh="2x2")
def _(m):
    dn = ("NHWC", "HWIO", "NHWC")
    args = (m.r(8, 8), m.w(8, 4 * 4 * 8), m.w(4, 4, 3, 8), m.w(4, 4, 3, 8), m.w(8 * 16, 1), m.r(8, 8, 8, 3))
    def step(z, g1, g2, d1, d2, real):
        def gen(g1, g2):
            h = jax.nn.relu(z @ g1).reshape(-1, 4, 4, 8)
            return jnp.tanh(lax.conv_transpose(h, g2.transpose(0, 1, 3, 2), (2, 2), "SAME", dimension_numbers=dn))
        def disc(x, d1, d2):
            h = jax.nn.leaky_relu(lax.conv_general_dilated(x, d1, (2, 2), "SAME", dimension_numbers=dn), 0.2)
            return h.reshape(h.shape[0], -1) @ d2
        ld = lambda d1, d2: (jax.nn.softplus(-disc(real, d1, d2)) + jax.nn.softplus(disc(gen(g1, g2), d1, d2))).mean()
        lg = lambda g1, g2: jax.nn.softplus(-disc(gen(g1, g2), d1, d2)).mean()
        def penalty(d1):
            gr = jax.grad(lambda x: disc(x, d1, d2).sum())(real)
            return ((gr ** 2).sum((1, 2, 3))).mean()
        return jax.value_and_grad(ld, (0, 1))(d1, d2), jax.value_and_grad(lg, (0, 1))(g1, g2), jax.grad(penalty)(d1)
    return step, args, (P("a"), P(None, "b"), P(), P(None, None, None, "b"), P("b"), P("a"))


@model("quantised_int8_qat", mesh="2x4")
def _(m):
    w = m.i(255, 32, 24).astype(np.int32) - 127
    args = (m.r(8, 32), w.astype(np.int8), np.abs(m.r(24)) + 0.1, m.w(24, 16), m.i(16, 4, 24, 2).astype(np.uint8))
    def f(x, wq, scale, w2, packed):
        s = jnp.abs(x).max(-1, keepdims=True) / 127
        xq = jnp.clip(jnp.round(x / s), -127, 127).astype(jnp.int8)
        y = lax.dot_general(xq, wq, (((1,), (0,)), ((), ())), preferred_element_type=jnp.int32)
        y = y.astype(jnp.float32) * s * scale
        @jax.custom_vjp
        def ste(w):
            return jnp.round(w * 8) / 8
        ste.defvjp(lambda w: (ste(w), None), lambda _, g: (g,))
        l, g = jax.value_and_grad(lambda w2: ((y @ ste(w2)) ** 2).mean())(w2)
        lo, hi = packed & 0xF, packed >> 4
        return y, l, g, (lo.astype(jnp.int8) - 8).astype(jnp.float32).sum(0), hi
    return f, args, (P("a"), P(None, "b"), P("b"), P("b"), P("a", "b"))


@model("fp8_matmul", mesh="2x2", rtol=1e-2, atol=1e-2)
def _(m):
    def f(x, w):
        sx, sw = jnp.abs(x).max() / 448, jnp.abs(w).max() / 448
        q = lambda t, s: (t / s).astype(jnp.float8_e4m3fn)
        return (q(x, sx).astype(jnp.bfloat16) @ q(w, sw).astype(jnp.bfloat16)).astype(jnp.float32) * sx * sw
    return f, (m.r(8, 16), m.r(16, 12)), (P("a"), P(None, "b"))


@model("int4_weights_groupwise", mesh="2x2")
def _(m):
    def f(x, w, s):
        wf = (w.astype(jnp.int4).astype(jnp.float32).reshape(4, 8, 12) * s[:, None]).reshape(32, 12)
        return x @ wf
    return f, (m.r(6, 32), (m.i(15, 32, 12) - 7).astype(np.int8), m.r(4, 12)), (P("a"), P("b"), P("b"))


@model("gp_cholesky_regression", mesh="2x2", rtol=2e-3, atol=1e-3, ci=True)
def _(m):
    def f(x, y, xs, ls):
        def nll(ls):
            k = lambda a, b: jnp.exp(-0.5 * ((a[:, None] - b[None]) ** 2 / jnp.exp(ls)).sum(-1))
            K = k(x, x) + 0.1 * jnp.eye(x.shape[0])
            L = jnp.linalg.cholesky(K)
            a = jax.scipy.linalg.cho_solve((L, True), y)
            v = jax.scipy.linalg.solve_triangular(L, k(x, xs), lower=True)
            mean = k(xs, x) @ a
            return 0.5 * y @ a + jnp.log(jnp.diag(L)).sum(), (mean, 1 - (v * v).sum(0))
        (l, aux), g = jax.value_and_grad(nll, has_aux=True)(ls)
        return l, aux, g
    return f, (m.r(20, 3, scale=1.0), m.r(20), m.r(9, 3, scale=1.0), np.float32(0.3)), (P("a"), P("a"), P("b"), P())


@model("kmeans_lloyd", mesh="8")
def _(m):
    def f(x, c):
        def body(st):
            c, _, i = st
            d = ((x[:, None] - c[None]) ** 2).sum(-1)
            a = jnp.argmin(d, 1)
            s = jax.ops.segment_sum(x, a, num_segments=c.shape[0]); n = jax.ops.segment_sum(jnp.ones(x.shape[0]), a, num_segments=c.shape[0])
            nc = jnp.where(n[:, None] > 0, s / jnp.maximum(n, 1)[:, None], c)
            return nc, jnp.abs(nc - c).max(), i + 1
        return lax.while_loop(lambda s: (s[1] > 1e-5) & (s[2] < 20), body, (c, jnp.float32(1), 0))
    return f, (m.r(50, 4, scale=1.0), m.r(5, 4, scale=1.0)), (P(), P())


@model("kmeans_even", mesh="8")
def _(m):
    f, (x, c), _ = REGISTRY["kmeans_lloyd"]["build"](m)
    return f, (m.r(48, 4, scale=1.0), c), (P("a"), P())


@model("neural_ode_rk45", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    def f(w1, w2, x):
        fn = lambda x: jnp.tanh(x @ w1) @ w2
        def body(st):
            t, x, h, n = st
            k1 = fn(x); k2 = fn(x + h / 2 * k1); k3 = fn(x + h * 0.75 * k2)
            hi = x + h * (2 / 9 * k1 + 1 / 3 * k2 + 4 / 9 * k3); k4 = fn(hi)
            lo = x + h * (7 / 24 * k1 + 1 / 4 * k2 + 1 / 3 * k3 + 1 / 8 * k4)
            err = jnp.sqrt(((hi - lo) ** 2).mean()) / 1e-3
            ok = err < 1
            hn = jnp.clip(0.9 * h * jnp.maximum(err, 1e-6) ** (-1 / 3), 0.01, 0.5)
            return jnp.where(ok, t + h, t), jnp.where(ok, hi, x), jnp.minimum(hn, 1 - jnp.where(ok, t + h, t) + 1e-6), n + 1
        return lax.while_loop(lambda s: (s[0] < 1) & (s[3] < 50), body, (jnp.float32(0), x, jnp.float32(0.1), 0))[1]
    return f, (m.w(8, 16), m.w(16, 8), m.r(8, 8)), (P(None, "b"), P("b"), P("a"))


@model("adjoint_ode_fori", mesh="2x2")
def _(m):
    def f(w, x):
        def loss(w):
            def body(x, _):
                return x + 0.1 * jnp.tanh(x @ w), (x ** 2).sum()
            x1, tr = lax.scan(jax.checkpoint(body), x, None, length=8)
            return (x1 ** 2).mean() + tr.mean()
        return jax.value_and_grad(loss)(w)
    return f, (m.w(12, 12), m.r(6, 12)), (P("a", "b"), P("a"))
