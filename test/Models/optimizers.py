"""Optimizers whose state has another shape than the weights, and updates that
are small programs of their own: loops, factorizations, sorts, rows written in
place. Steps are named functions, as libraries have them, and buffers donated."""
from common import *


def mlp_loss(p, x, y):
    h = jax.nn.gelu(x @ p["w1"] + p["b1"])
    return ((h @ p["w2"] + p["b2"] - y) ** 2).mean()


def mlp(m, i=12, h=20, o=6):
    p = dict(w1=m.w(i, h), b1=m.r(h), w2=m.w(h, o), b2=m.r(o))
    q = dict(w1=P(None, "b"), b1=P("b"), w2=P("b"), b2=P())
    return p, q, (m.r(10, i), m.r(10, o)), (P("a"), P("a"))


@jax.jit
def inverse_fourth_root(a):
    """Coupled Newton iteration, until the residual is small: a while loop."""
    n = a.shape[0]
    a = a + 1e-4 * jnp.trace(a) * jnp.eye(n)
    z = 5.0 / (2 * jnp.linalg.norm(a))
    def step(c):
        i, x, h, _ = c
        t = 1.25 * jnp.eye(n) - 0.25 * x
        x2 = jnp.linalg.matrix_power(t, 4) @ x
        return i + 1, x2, h @ t, jnp.abs(x2 - jnp.eye(n)).max()
    go = lambda c: (c[0] < 12) & (c[3] > 1e-3)
    return lax.while_loop(go, step, (0, a * z, jnp.eye(n) * z ** 0.25, jnp.float32(1)))[2]


@model("shampoo_train", mesh="2x4", rtol=2e-3, atol=2e-4, ci=True)
def _(m):
    p, q, data, dspec = mlp(m)
    state = {k: (np.eye(v.shape[0], dtype=np.float32) * 0.1, np.eye(v.shape[1], dtype=np.float32) * 0.1) for k, v in p.items() if v.ndim == 2}
    def f(p, state, x, y):
        loss, g = jax.value_and_grad(mlp_loss)(p, x, y)
        new, out = dict(state), {}
        for k in p:
            if p[k].ndim < 2:
                out[k] = p[k] - 0.1 * g[k]
                continue
            l, r = state[k][0] + g[k] @ g[k].T, state[k][1] + g[k].T @ g[k]
            new[k] = l, r
            u = inverse_fourth_root(l) @ g[k] @ inverse_fourth_root(r)
            out[k] = p[k] - 0.1 * u * jnp.linalg.norm(g[k]) / (jnp.linalg.norm(u) + 1e-6)
        return out, new, loss
    spec = dict(w1=(P("a"), P("b")), w2=(P("b"), P()))
    return f, (p, state, *data), (q, spec, *dspec)


@model("shampoo_eigh_blocked", mesh="2x2", rtol=2e-3, atol=5e-4)
def _(m):
    """Blocks of the preconditioner as a batch, by eigenvalues."""
    def f(w, l, g):
        blocks = g.reshape(4, 6, 10)
        l = 0.9 * l + 0.1 * jnp.einsum("nik,njk->nij", blocks, blocks)
        e, v = jnp.linalg.eigh(l + 0.3 * jnp.eye(6))
        root = jnp.einsum("nij,nj,nkj->nik", v, e ** -0.25, v)
        return w - 0.1 * (root @ blocks).reshape(w.shape), l
    return f, (m.r(24, 10), np.zeros((4, 6, 6), np.float32), m.r(24, 10)), (P("a", "b"), P("a"), P("a", "b"))


@model("muon_newton_schulz", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    p, q, data, dspec = mlp(m, h=24)
    @jax.jit
    def orthogonalize(g):
        t = g.T if g.shape[0] > g.shape[1] else g
        t = t / (jnp.linalg.norm(t) + 1e-7)
        def body(_, x):
            a = x @ x.T
            return 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
        t = lax.fori_loop(0, 5, body, t)
        return t.T if g.shape[0] > g.shape[1] else t
    def f(p, mom, x, y):
        loss, g = jax.value_and_grad(mlp_loss)(p, x, y)
        mom = jax.tree.map(lambda b, g: 0.9 * b + g, mom, g)
        up = jax.tree.map(lambda b, g: orthogonalize(g + 0.9 * b) if g.ndim == 2 else g, mom, g)
        return jax.tree.map(lambda w, u: w - 0.05 * u, p, up), mom, loss
    return f, (p, jax.tree.map(np.zeros_like, p), *data), (q, q, *dspec)


@model("adafactor_lamb", mesh="3x2", rtol=1e-3, atol=1e-4)
def _(m):
    p, q, data, dspec = mlp(m, i=9, h=15)
    def f(p, rows, cols, mu, step, x, y):
        loss, g = jax.value_and_grad(mlp_loss)(p, x, y)
        step = step + 1
        decay = 1 - step.astype(jnp.float32) ** -0.8
        new_p, new_r, new_c, new_m = {}, {}, {}, {}
        for k in p:
            g2 = g[k] ** 2 + 1e-30
            if p[k].ndim == 2:
                new_r[k] = decay * rows[k] + (1 - decay) * g2.mean(-1)
                new_c[k] = decay * cols[k] + (1 - decay) * g2.mean(-2)
                u = g[k] * lax.rsqrt(new_r[k] / new_r[k].mean())[:, None] * lax.rsqrt(new_c[k])[None]
            else:
                new_r[k], new_c[k] = rows[k], decay * cols[k] + (1 - decay) * g2
                u = g[k] * lax.rsqrt(new_c[k])
            u = u / jnp.maximum(1.0, jnp.sqrt((u * u).mean()))
            new_m[k] = 0.9 * mu[k] + 0.1 * u
            trust = jnp.where(jnp.linalg.norm(p[k]) > 0, jnp.linalg.norm(p[k]) / (jnp.linalg.norm(new_m[k]) + 1e-6), 1.0)
            new_p[k] = p[k] - 1e-2 * trust * new_m[k]
        return new_p, new_r, new_c, new_m, step, loss
    rows = {k: np.ones(v.shape[:1] if v.ndim == 2 else (), np.float32) for k, v in p.items()}
    cols = {k: np.ones(v.shape[-1:], np.float32) for k, v in p.items()}
    return f, (p, rows, cols, jax.tree.map(np.zeros_like, p), np.int32(3), *data), (q, P(), P(), q, P(), *dspec)


@model("rowwise_adagrad_sparse", mesh="2x4", rtol=1e-3, atol=1e-4, ci=True)
def _(m):
    """DLRM's tables: only the rows that were looked up are written; three
    tables of uneven sizes, multi-hot bags, clicks."""
    sizes = (101, 57, 13)
    def f(tables, acc, top, dense, ids, label):
        def loss(rows, top):
            z = [dense] + [r.sum(1) for r in rows]
            z = jnp.stack(z, 1)
            d = jnp.einsum("bif,bjf->bij", z, z)
            i, j = np.tril_indices(4, -1)
            x = jnp.concatenate([dense, d[:, i, j]], -1)
            lg = (jax.nn.relu(x @ top["w1"]) @ top["w2"])[:, 0]
            return jnp.mean(jnp.logaddexp(0.0, lg) - label * lg)
        rows = [t[i] for t, i in zip(tables, ids)]
        l, (gr, gt) = jax.value_and_grad(loss, (0, 1))(rows, top)
        new_t, new_a = [], []
        for t, a, i, g in zip(tables, acc, ids, gr):
            flat, gflat = i.reshape(-1), g.reshape(-1, g.shape[-1])
            a = a.at[flat].add((gflat ** 2).mean(-1), mode="drop")
            new_t.append(t.at[flat].add(-0.1 * gflat * lax.rsqrt(a[flat] + 1e-6)[:, None], mode="drop"))
            new_a.append(a)
        return new_t, new_a, jax.tree.map(lambda w, g: w - 0.1 * g, top, gt), l
    d, b = 8, 10
    tables = [m.r(v, d) for v in sizes]
    ids = [m.i(v, b, 3) for v in sizes]
    top = dict(w1=m.w(d + 6, 16), w2=m.w(16, 1))
    return (f, (tables, [np.zeros(v, np.float32) for v in sizes], top, m.r(b, d), ids, m.i(2, b).astype(np.float32)),
            ([P("b"), P(None, "b"), P("b")], [P("b"), P(), P("b")], dict(w1=P(None, "b"), w2=P("b")), P("a"), P("a"), P("a")))


@model("lbfgs_two_loop", mesh="8", rtol=2e-3, atol=1e-3)
def _(m):
    """History in a ring buffer; backtracking line search in a while loop."""
    n, k = 37, 4
    def f(x, s, y, rho, head, a, b):
        fun = lambda x: jnp.logaddexp(0.0, -b * (a @ x)).mean() + 0.05 * (x @ x)
        v, g = jax.value_and_grad(fun)(x)
        def down(i, c):
            q, al = c
            j = (head - 1 - i) % k
            t = rho[j] * (s[j] @ q)
            return q - t * y[j], al.at[j].set(t)
        q, al = lax.fori_loop(0, k, down, (g, jnp.zeros(k)))
        def up(i, r):
            j = (head + i) % k
            return r + s[j] * (al[j] - rho[j] * (y[j] @ r))
        d = -lax.fori_loop(0, k, up, q * 0.5)
        def try_less(c):
            return c[0] * 0.5, fun(x + c[0] * 0.5 * d)
        step, _ = lax.while_loop(lambda c: (c[1] > v + 1e-4 * c[0] * (g @ d)) & (c[0] > 1e-3), try_less, (jnp.float32(2), jnp.float32(jnp.inf)))
        xn = x + step * d
        gn = jax.grad(fun)(xn)
        at = head % k
        s, y = s.at[at].set(xn - x), lax.dynamic_update_slice(y, (gn - g)[None], (at, 0))
        return xn, s, y, rho.at[at].set(1 / ((gn - g) @ (xn - x) + 1e-6)), head + 1, fun(xn)
    sy = m.r(k, n)
    yy = (sy * 0.7 + 0.01 * m.r(k, n)).astype(np.float32)
    return f, (m.r(n), sy, yy, (1 / (sy * yy).sum(1)).astype(np.float32), np.int32(6), m.r(24, n), np.sign(m.r(24)).astype(np.float32)), \
        (P("a"), P(None, "a"), P(None, "a"), P(), P(), P("a"), P("a"))
