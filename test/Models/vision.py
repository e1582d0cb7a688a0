"""Convolutional, generative and spectral models."""
from common import *

DN = ("NHWC", "HWIO", "NHWC")


def conv(x, k, s=1, pad="SAME", **kw):
    return lax.conv_general_dilated(x, k, (s, s), pad, dimension_numbers=DN, **kw)


def batch_norm(x, g, b):
    mu = x.mean((0, 1, 2)); var = ((x - mu) ** 2).mean((0, 1, 2))
    return (x - mu) * lax.rsqrt(var + 1e-5) * g + b, mu, var


def resnet(m):
    p = dict(stem=m.w(3, 3, 3, 8), g=np.ones(8, np.float32), b=np.zeros(8, np.float32), c1=m.w(3, 3, 8, 16), g1=np.ones(16, np.float32), b1=np.zeros(16, np.float32), c2=m.w(3, 3, 16, 16), sc=m.w(1, 1, 8, 16), fc=m.w(16, 10), rm=np.zeros(8, np.float32), rv=np.ones(8, np.float32))
    def loss(p, x, y):
        h, mu, var = batch_norm(conv(x, p["stem"]), p["g"], p["b"])
        h = jax.nn.relu(h)
        h = lax.reduce_window(h, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
        z, _, _ = batch_norm(conv(h, p["c1"], 2), p["g1"], p["b1"])
        z = conv(jax.nn.relu(z), p["c2"]) + conv(h, p["sc"], 2, "VALID")
        return cross_entropy(jax.nn.relu(z).mean((1, 2)) @ p["fc"], y), (0.9 * p["rm"] + 0.1 * mu, 0.9 * p["rv"] + 0.1 * var)
    f = lambda *a: jax.value_and_grad(loss, has_aux=True)(*a)
    return f, p


@model("resnet_bn_train", mesh="2x4", ci=True)
def _(m):
    f, p = resnet(m)
    return f, (p, m.r(8, 16, 16, 3), m.i(10, 8)), (P(), P(("a", "b")), P(("a", "b")))


@model("resnet_spatial", mesh="2x4")
def _(m):
    f, p = resnet(m)
    return f, (p, m.r(4, 16, 16, 3), m.i(10, 4)), (P(), P("a", "b"), P("a"))


@model("resnet_channels_gspmd", mesh="2x2", partitioner="gspmd")
def _(m):
    f, p = resnet(m)
    q = jax.tree.map(lambda w: P(*[None] * (w.ndim - 1), "b") if w.shape[-1] % 2 == 0 else P(), p)
    return f, (p, m.r(4, 15, 17, 3), m.i(10, 4)), (q, P("a"), P("a"))


def unet(m):
    p = dict(i=m.w(3, 3, 3, 8), d=m.w(3, 3, 8, 16), mid=m.w(3, 3, 16, 16), t=m.w(16, 16), u=m.w(3, 3, 8, 16), o=m.w(3, 3, 16, 3), gn=np.ones(16, np.float32), q=m.w(16, 48), qo=m.w(16, 16))
    def group_norm(x, g):
        b, h, w, c = x.shape
        z = x.reshape(b, h, w, 4, c // 4)
        mu = z.mean((1, 2, 4), keepdims=True); v = z.var((1, 2, 4), keepdims=True)
        return ((z - mu) * lax.rsqrt(v + 1e-5)).reshape(x.shape) * g
    def eps(p, x, t):
        ang = t[:, None] * jnp.exp(-jnp.arange(8) * 1.0)
        te = jnp.concatenate([jnp.sin(ang), jnp.cos(ang)], -1) @ p["t"]
        a = jax.nn.silu(conv(x, p["i"]))
        h = jax.nn.silu(conv(a, p["d"], 2) + te[:, None, None])
        h = h + conv(jax.nn.silu(group_norm(h, p["gn"])), p["mid"])
        b, hh, ww, c = h.shape
        z = (h.reshape(b, -1, c) @ p["q"]).reshape(b, -1, 3, 2, c // 2)
        h = h + (attention(z[:, :, 0], z[:, :, 1], z[:, :, 2]).reshape(b, -1, c) @ p["qo"]).reshape(h.shape)
        u = lax.conv_transpose(h, p["u"].transpose(0, 1, 3, 2), (2, 2), "SAME", dimension_numbers=DN)
        return conv(jnp.concatenate([a, u], -1), p["o"])
    return p, eps


@model("diffusion_unet_train", mesh="2x4")
def _(m):
    p, eps = unet(m)
    abar = np.cumprod(1 - np.linspace(1e-3, 0.2, 10)).astype(np.float32)
    def step(p, ema, x, t, key):
        n = jax.random.normal(jax.random.wrap_key_data(key), x.shape)
        def loss(p):
            ab = jnp.asarray(abar)[t][:, None, None, None]
            return ((eps(p, jnp.sqrt(ab) * x + jnp.sqrt(1 - ab) * n, t.astype(jnp.float32)) - n) ** 2).mean()
        l, g = jax.value_and_grad(loss)(p)
        p = jax.tree.map(lambda w, g: w - 0.01 * g, p, g)
        return l, p, jax.tree.map(lambda e, w: 0.99 * e + 0.01 * w, ema, p)
    return step, (p, p, m.r(4, 8, 8, 3), m.i(10, 4), np.array([5, 6], np.uint32)), (P(), P(), P("a", "b"), P("a"), P())


@model("diffusion_ddim_sample", mesh="2x2", rtol=1e-3, atol=1e-4)
def _(m):
    p, eps = unet(m)
    def sample(p, x):
        ab = jnp.cumprod(1 - jnp.linspace(1e-3, 0.2, 10))
        def body(i, x):
            t = 9 - i * 3
            a, an = ab[t], jnp.where(t >= 3, ab[jnp.maximum(t - 3, 0)], 1.0)
            e = eps(p, x, jnp.full((x.shape[0],), t, jnp.float32))
            x0 = jnp.clip((x - jnp.sqrt(1 - a) * e) / jnp.sqrt(a), -1, 1)
            return jnp.sqrt(an) * x0 + jnp.sqrt(1 - an) * e
        return lax.fori_loop(0, 4, body, x)
    return sample, (p, m.r(4, 8, 8, 3)), (P(), P("a", "b"))


@model("mobilenet_depthwise_se", mesh="2x4")
def _(m):
    args = (m.w(1, 1, 8, 16), m.r(3, 3, 1, 16), m.r(5, 5, 1, 16), m.w(16, 4), m.w(4, 16), m.w(1, 1, 16, 8), m.r(4, 12, 12, 8))
    def f(e, dw, dil, s1, s2, pr, x):
        def loss(e, dw, dil, s1, s2, pr):
            h = jax.nn.hard_swish(conv(x, e))
            h = jax.nn.relu6(conv(h, dw, 2, feature_group_count=16))
            h = h + conv(h, dil, 1, feature_group_count=16, rhs_dilation=(2, 2))
            h = h * jax.nn.sigmoid(jax.nn.relu(h.mean((1, 2)) @ s1) @ s2)[:, None, None]
            return (conv(h, pr) ** 2).mean()
        return jax.value_and_grad(loss, (0, 1, 2, 3, 4, 5))(e, dw, dil, s1, s2, pr)
    return f, args, (P(None, None, None, "b"), P(None, None, None, "b"), P(), P("b"), P(), P(None, None, "b"), P("a"))


@model("conv3d_pool_upsample", mesh="2x4")
def _(m):
    def f(x, k):
        y = lax.conv_general_dilated(x, k, (1, 1, 1), "SAME", dimension_numbers=("NDHWC", "DHWIO", "NDHWC"))
        p = lax.reduce_window(y, 0.0, lax.add, (1, 2, 2, 2, 1), (1, 2, 2, 2, 1), "VALID") / 8
        return jax.image.resize(p, (*p.shape[:1], 8, 8, 8, p.shape[-1]), "nearest"), jax.image.resize(p[:, :, :, :, 0], (2, 6, 7, 5), "linear")
    return f, (m.r(2, 8, 8, 8, 2), m.w(3, 3, 3, 2, 4)), (P("a", "b"), P())


@model("pixel_shuffle_superres", mesh="2x2")
def _(m):
    def f(x, k1, k2):
        def net(k1, k2):
            y = conv(jax.nn.relu(conv(x, k1)), k2)
            b, h, w, c = y.shape
            y = y.reshape(b, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, c // 4)
            return (jnp.abs(jnp.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")[:, 2:] - 0.1)).mean()
        return jax.value_and_grad(net, (0, 1))(k1, k2)
    return f, (m.r(4, 6, 6, 3), m.w(3, 3, 3, 8), m.w(3, 3, 8, 12)), (P("a", "b"), P(None, None, None, "b"), P())


@model("fno2d_train", mesh="2x4", rtol=1e-3, atol=1e-4, ci=True)
def _(m):
    def f(x, wr, wi, w):
        def loss(wr, wi, w):
            h = x
            xf = jnp.fft.rfft2(h, axes=(1, 2))
            k = 4
            out = jnp.zeros((*xf.shape[:3], w.shape[1]), xf.dtype)
            out = out.at[:, :k, :k].set(jnp.einsum("bxyi,ioxy->bxyo", xf[:, :k, :k], wr + 1j * wi))
            return ((jax.nn.gelu(jnp.fft.irfft2(out, s=h.shape[1:3], axes=(1, 2)) + h @ w)) ** 2).mean()
        return jax.value_and_grad(loss, (0, 1, 2))(wr, wi, w)
    return f, (m.r(4, 16, 16, 4), m.r(4, 4, 4, 4), m.r(4, 4, 4, 4), m.w(4, 4)), (P("a", "b"), P(None, "b"), P(None, "b"), P())


@model("fft_distributed_spectral", mesh="2x2", rtol=1e-3, atol=1e-4)
def _(m):
    def f(u):
        k = jnp.fft.fftfreq(16, 1 / 16)
        uh = jnp.fft.fftn(u)
        k2 = k[:, None, None] ** 2 + k[None, :, None] ** 2 + k[None, None] ** 2
        return jnp.fft.ifftn(-uh / jnp.where(k2 == 0, 1, k2)).real, jnp.abs(jnp.fft.fftshift(uh))
    return f, (m.r(16, 16, 16),), (P("a", "b"),)


@model("stencil_heat_scan", mesh="2x4")
def _(m):
    def f(u):
        def step(u, _):
            lap = jnp.roll(u, 1, 0) + jnp.roll(u, -1, 0) + jnp.roll(u, 1, 1) + jnp.roll(u, -1, 1) - 4 * u
            u = m.c(u + 0.1 * lap, "a", "b")
            pad = jnp.pad(u, 1)
            return u, (pad[2:, 1:-1] - pad[:-2, 1:-1]).std()
        return lax.scan(step, u, None, length=5)
    return f, (m.r(16, 24),), (P("a", "b"),)


@model("realnvp_glow_flow", mesh="2x2", rtol=1e-3, atol=1e-4)
def _(m):
    def f(x, w1, w2, inv):
        def nll(w1, w2, inv):
            a, b = jnp.split(x, 2, -1)
            h = jnp.tanh(a @ w1) @ w2
            s, t = jnp.split(h, 2, -1)
            s = jnp.tanh(s)
            z = jnp.concatenate([a, b * jnp.exp(s) + t], -1)[:, ::-1] @ inv
            ld = s.sum(-1) + jnp.linalg.slogdet(inv)[1]
            return (0.5 * (z ** 2).sum(-1) - ld).mean()
        return jax.value_and_grad(nll, (0, 1, 2))(w1, w2, inv)
    return f, (m.r(8, 12), m.w(6, 16), m.w(16, 12), np.eye(12, dtype=np.float32) + m.r(12, 12, scale=0.1)), (P("a"), P(None, "b"), P("b"), P())


@model("vae_vq", mesh="2x4")
def _(m):
    def f(x, we, wd, book, key):
        def loss(we, wd, book):
            z = x @ we
            mu, lv = jnp.split(z, 2, -1)
            zz = mu + jnp.exp(0.5 * lv) * jax.random.normal(jax.random.wrap_key_data(key), mu.shape)
            d = (zz ** 2).sum(-1, keepdims=True) - 2 * zz @ book.T + (book ** 2).sum(-1)
            i = jnp.argmin(d, -1)
            e = book[i]
            q = zz + lax.stop_gradient(e - zz)
            kl = -0.5 * (1 + lv - mu ** 2 - jnp.exp(lv)).sum(-1).mean()
            use = jnp.zeros(book.shape[0]).at[i].add(1.0)
            return ((q @ wd - x) ** 2).mean() + ((lax.stop_gradient(zz) - e) ** 2).mean() + 0.1 * kl, (i, use)
        return jax.value_and_grad(loss, (0, 1, 2), has_aux=True)(we, wd, book)
    return f, (m.r(16, 20), m.w(20, 16), m.w(8, 20), m.r(24, 8), np.array([9, 1], np.uint32)), (P("a"), P(None, "b"), P(None, "b"), P("b"), P())


@model("nerf_render", mesh="8")
def _(m):
    def f(o, d, w1, w2):
        t = jnp.linspace(0.1, 2, 12)
        def render(w1, w2):
            p = o[:, None] + d[:, None] * t[:, None]
            pe = jnp.concatenate([fn(p * 2.0 ** i) for i in range(3) for fn in (jnp.sin, jnp.cos)], -1)
            h = jax.nn.relu(pe @ w1) @ w2
            sig, rgb = jax.nn.softplus(h[..., 0]), jax.nn.sigmoid(h[..., 1:])
            al = 1 - jnp.exp(-sig * (t[1] - t[0]))
            tr = jnp.cumprod(1 - al + 1e-10, -1)
            tr = jnp.concatenate([jnp.ones_like(tr[:, :1]), tr[:, :-1]], -1)
            return ((al * tr)[..., None] * rgb).sum(1)
        return render(w1, w2), jax.grad(lambda *w: (render(*w) ** 2).mean(), (0, 1))(w1, w2)
    return f, (m.r(16, 3), m.r(16, 3), m.w(18, 16), m.w(16, 4)), (P("a"), P("a"), P(), P())


@model("nms_boxes", mesh="2x2")
def _(m):
    xy = np.abs(m.r(24, 2, scale=2.0)); wh = np.abs(m.r(24, 2, scale=1.0)) + 0.1
    def f(boxes, scores):
        order = jnp.argsort(-scores)
        b = boxes[order]
        tl = jnp.maximum(b[:, None, :2], b[None, :, :2]); br = jnp.minimum(b[:, None, 2:], b[None, :, 2:])
        inter = jnp.clip(br - tl, 0).prod(-1)
        area = (b[:, 2:] - b[:, :2]).prod(-1)
        iou = inter / (area[:, None] + area[None] - inter)
        def body(i, keep):
            sup = (iou[i] > 0.3) & (jnp.arange(24) > i) & keep[i]
            return keep & ~sup
        keep = lax.fori_loop(0, 24, body, jnp.ones(24, bool))
        return keep, order, jnp.where(keep, scores[order], -1)
    return f, (np.concatenate([xy, xy + wh], 1).astype(np.float32), m.r(24)), (P("a"), P("b"))
