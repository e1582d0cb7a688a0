"""Transformers of many families: training steps, inference, decoding."""
from common import *


def gpt2_params(m, layers=2, d=32, v=64, s=16):
    p = dict(wte=m.r(v, d), wpe=m.r(s, d, scale=0.1), lnf_g=np.ones(d, np.float32), lnf_b=np.zeros(d, np.float32), layers=[])
    q = dict(wte=P("b", None), wpe=P(), lnf_g=P(), lnf_b=P(), layers=[])
    for _ in range(layers):
        p["layers"].append(dict(
            ln1_g=np.ones(d, np.float32), ln1_b=np.zeros(d, np.float32), c_attn=m.w(d, 3 * d), b_attn=np.zeros(3 * d, np.float32),
            c_proj=m.w(d, d), ln2_g=np.ones(d, np.float32), ln2_b=np.zeros(d, np.float32), fc=m.w(d, 4 * d), fc_b=np.zeros(4 * d, np.float32),
            proj=m.w(4 * d, d), proj_b=np.zeros(d, np.float32)))
        q["layers"].append(dict(
            ln1_g=P(), ln1_b=P(), c_attn=P(None, "b"), b_attn=P("b"), c_proj=P("b", None), ln2_g=P(), ln2_b=P(),
            fc=P(None, "b"), fc_b=P("b"), proj=P("b", None), proj_b=P()))
    return p, q


def gpt2_forward(m, p, tokens, heads=4):
    b, s = tokens.shape
    x = p["wte"][tokens] + p["wpe"][:s]
    x = m.c(x, "a", None, None)
    for l in p["layers"]:
        h = layer_norm(x, l["ln1_g"], l["ln1_b"])
        q, k, v = jnp.split(h @ l["c_attn"] + l["b_attn"], 3, -1)
        split = lambda t: t.reshape(b, s, heads, -1)
        o = attention(split(q), split(k), split(v), causal(s))
        x = x + o.reshape(b, s, -1) @ l["c_proj"]
        h = layer_norm(x, l["ln2_g"], l["ln2_b"])
        h = jax.nn.gelu(h @ l["fc"] + l["fc_b"])
        x = m.c(x + h @ l["proj"] + l["proj_b"], "a", None, None)
    x = layer_norm(x, p["lnf_g"], p["lnf_b"])
    return x @ p["wte"].T


def gpt2(m, **kw):
    p, q = gpt2_params(m)
    tokens, labels = m.i(64, 4, 16), m.i(64, 4, 16)
    def step(p, tokens, labels):
        loss, g = jax.value_and_grad(lambda p: cross_entropy(gpt2_forward(m, p, tokens), labels))(p)
        return loss, jax.tree.map(lambda w, g: w - 0.1 * g, p, g)
    return step, (p, tokens, labels), (q, P("a"), P("a"))


model("gpt2_train", mesh="2x4", ci=True)(gpt2)
model("gpt2_train_gspmd", mesh="2x2", partitioner="gspmd")(gpt2)
model("gpt2_train_bytecode", mesh="2x2", bytecode=True)(gpt2)
model("gpt2_train_3x2", mesh="3x2")(lambda m: (lambda p, q, t, l: (
    lambda *a: jax.value_and_grad(lambda p: cross_entropy(gpt2_forward(m, p, m.c(a[1], "a")), m.c(a[2], "a")))(a[0]),
    (p, t, l), (q, P(), P())))(*gpt2_params(m), m.i(64, 4, 16), m.i(64, 4, 16)))


def llama_block(m, l, x, pos, heads, kv, act=jax.nn.silu, window=None, norm=rms_norm, cap=None):
    b, s, d = x.shape
    h = norm(x, l["n1"])
    q = rope((h @ l["wq"]).reshape(b, s, heads, -1), pos)
    k = rope((h @ l["wk"]).reshape(b, s, kv, -1), pos)
    v = (h @ l["wv"]).reshape(b, s, kv, -1)
    mask = causal(s)
    if window:
        mask = mask & (jnp.arange(s)[:, None] - jnp.arange(s)[None] < window)
    o = attention(q, k, v, mask).reshape(b, s, -1)
    x = x + m.c(o @ l["wo"], "a", None, None)
    h = norm(x, l["n2"])
    y = (act(h @ l["wg"]) * (h @ l["wu"])) @ l["wd"]
    return x + m.c(y, "a", None, None)


def llama_params(m, d=32, heads=4, kv=2, ff=48, layers=None):
    lead = () if layers is None else (layers,)
    none = () if layers is None else (None,)
    hd = d // heads
    w = lambda *s: m.w(*lead, *s)
    p = dict(n1=np.ones((*lead, d), np.float32), wq=w(d, d), wk=w(d, kv * hd), wv=w(d, kv * hd), wo=w(d, d),
             n2=np.ones((*lead, d), np.float32), wg=w(d, ff), wu=w(d, ff), wd=w(ff, d))
    q = dict(n1=P(), wq=P(*none, None, "b"), wk=P(*none, None, "b"), wv=P(*none, None, "b"), wo=P(*none, "b", None),
             n2=P(), wg=P(*none, None, "b"), wu=P(*none, None, "b"), wd=P(*none, "b", None))
    return p, q


@model("llama_scan_remat_adamw", mesh="2x2")
def _(m):
    v = 48
    lp, lq = llama_params(m, layers=3)
    p = dict(emb=m.r(v, 32), layers=lp, norm=np.ones(32, np.float32), head=m.w(32, v))
    q = dict(emb=P(None, "b"), layers=lq, norm=P(), head=P(None, "b"))
    zeros = jax.tree.map(np.zeros_like, p)
    tokens = m.i(v, 4, 17)
    def loss(p, tokens):
        x = p["emb"][tokens[:, :-1]]
        pos = jnp.arange(x.shape[1])
        def body(x, l):
            return llama_block(m, l, x, pos, 4, 2), None
        body = jax.checkpoint(body, policy=jax.checkpoint_policies.dots_with_no_batch_dims_saveable)
        x, _ = lax.scan(body, x, p["layers"])
        return cross_entropy(rms_norm(x, p["norm"]) @ p["head"], tokens[:, 1:])
    def step(p, mu, nu, count, tokens):
        l, g = jax.value_and_grad(loss)(p, tokens)
        norm = jnp.sqrt(sum(jnp.sum(x * x) for x in jax.tree.leaves(g)))
        g = jax.tree.map(lambda x: x * jnp.minimum(1.0, 1.0 / (norm + 1e-6)), g)
        count = count + 1
        mu = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, mu, g)
        nu = jax.tree.map(lambda a, b: 0.95 * a + 0.05 * b * b, nu, g)
        c1, c2 = 1 - 0.9 ** count, 1 - 0.95 ** count
        p = jax.tree.map(lambda w, a, b: w - 1e-2 * ((a / c1) / (jnp.sqrt(b / c2) + 1e-3) + 0.1 * w), p, mu, nu)
        return p, mu, nu, count, l, norm
    return step, (p, zeros, zeros, np.int32(3), tokens), (q, q, q, P(), P("a"))


@model("llama_fsdp_grad_accum", mesh="8")
def _(m):
    v = 48
    lp, _ = llama_params(m)
    p = dict(emb=m.r(v, 32), l=lp, head=m.w(32, v))
    spec = lambda w: P(*["a" if i == int(np.argmax([n if n % 8 == 0 else 0 for n in w.shape])) else None for i in range(w.ndim)])
    q = jax.tree.map(spec, p)
    tokens = m.i(v, 4, 8, 9)
    def c(x, *s):
        return m.c(x, *s)
    class M:  # batch over the only axis
        pass
    mm = M(); mm.c = lambda x, *s: x
    def loss(p, t):
        x = c(p["emb"][t[:, :-1]], "a")
        x = llama_block(mm, p["l"], x, jnp.arange(8), 4, 2)
        return cross_entropy(x @ p["head"], t[:, 1:])
    def step(p, tokens):
        def micro(acc, t):
            l, g = jax.value_and_grad(loss)(p, c(t, "a"))
            return jax.tree.map(jnp.add, acc, (l, g)), None
        zero = (jnp.float32(0), jax.tree.map(jnp.zeros_like, p))
        (l, g), _ = lax.scan(micro, zero, tokens)
        return l / 4, jax.tree.map(lambda w, g: w - 0.1 * g / 4, p, g)
    return step, (p, tokens), (q, P(None, "a"))


@model("gemma_softcap_bf16", mesh="2x4", rtol=3e-2, atol=0.4)
def _(m):
    d, v = 32, 64
    lp, lq = llama_params(m, d=d, heads=4, kv=4, ff=64)
    bf = lambda t: jax.tree.map(lambda x: x.astype(jnp.bfloat16), t)
    def fwd(emb, l, tokens):
        x = emb[tokens] * jnp.asarray(d ** 0.5, jnp.bfloat16)
        norm = lambda x, g: rms_norm(x.astype(jnp.float32), 1 + g.astype(jnp.float32)).astype(x.dtype)
        b, s, _ = x.shape
        h = norm(x, l["n1"])
        q = rope((h @ l["wq"]).reshape(b, s, 4, -1).astype(jnp.float32), jnp.arange(s))
        k = rope((h @ l["wk"]).reshape(b, s, 4, -1).astype(jnp.float32), jnp.arange(s))
        lg = jnp.einsum("bshd,bthd->bhst", q, k) * 0.25
        lg = 50.0 * jnp.tanh(lg / 50.0)
        lg = jnp.where(causal(s), lg, -2.38e38)
        w = jax.nn.softmax(lg, -1).astype(jnp.bfloat16)
        o = jnp.einsum("bhst,bthd->bshd", w, (h @ l["wv"]).reshape(b, s, 4, -1)).reshape(b, s, -1)
        x = x + o @ l["wo"]
        h = norm(x, l["n2"])
        x = x + (jax.nn.gelu(h @ l["wg"], approximate=True) * (h @ l["wu"])) @ l["wd"]
        logits = (x @ emb.T).astype(jnp.float32)
        return 30.0 * jnp.tanh(logits / 30.0)
    return fwd, (bf(m.r(v, d)), bf(lp), m.i(v, 4, 12)), (P("b", None), lq, P("a"))


def topk_moe(m, x, router, w1, w3, w2, k=2, capacity=None, expert_axis="b"):
    """Mixtral-like: top-k routing with capacity by one-hot dispatch."""
    t, d = x.shape
    e = router.shape[1]
    probs = jax.nn.softmax(x @ router, -1)
    vals, idx = lax.top_k(probs, k)
    vals = vals / vals.sum(-1, keepdims=True)
    capacity = capacity or (2 * k * t // e)
    onehot = jax.nn.one_hot(idx, e)                        # t k e
    pos = jnp.cumsum(onehot.reshape(t * k, e), 0).reshape(t, k, e) * onehot - 1
    keep = (pos >= 0) & (pos < capacity)
    slot = jax.nn.one_hot(jnp.where(keep, pos, -1).astype(jnp.int32), capacity)  # t k e c
    dispatch = slot.sum(1)
    combine = (slot * vals[:, :, None, None]).sum(1)
    xs = m.c(jnp.einsum("td,tec->ecd", x, dispatch), expert_axis)
    h = jax.nn.silu(jnp.einsum("ecd,edf->ecf", xs, w1)) * jnp.einsum("ecd,edf->ecf", xs, w3)
    ys = m.c(jnp.einsum("ecf,efd->ecd", h, w2), expert_axis)
    aux = e * (onehot.sum(1).mean(0) * probs.mean(0)).sum()
    return jnp.einsum("ecd,tec->td", ys, combine), aux


@model("mixtral_moe_train", mesh="2x4", ci=True)
def _(m):
    d, f, e = 16, 24, 8
    args = (m.r(32, d), m.w(d, e), m.w(e, d, f), m.w(e, d, f), m.w(e, f, d), m.r(32, d))
    def step(x, r, w1, w3, w2, y):
        def loss(r, w1, w3, w2):
            o, aux = topk_moe(m, x, r, w1, w3, w2)
            return ((o - y) ** 2).mean() + 0.01 * aux
        return jax.value_and_grad(loss, (0, 1, 2, 3))(r, w1, w3, w2)
    return step, args, (P("a"), P(), P("b"), P("b"), P("b"), P("a"))


@model("deepseek_moe_shared_sort", mesh="2x2")
def _(m):
    """Sort-based dispatch (argsort by expert, ragged groups), a shared expert,
    sigmoid routing with bias."""
    t, d, f, e, k = 24, 16, 20, 6, 3
    args = (m.r(t, d), m.w(d, e), m.r(e, scale=0.1), m.w(e, d, f), m.w(e, f, d), m.w(d, f), m.w(f, d))
    def fwd(x, r, bias, w1, w2, s1, s2):
        scores = jax.nn.sigmoid(x @ r)
        _, idx = lax.top_k(scores + bias, k)
        gate = jnp.take_along_axis(scores, idx, -1)
        gate = gate / (gate.sum(-1, keepdims=True) + 1e-9)
        flat = idx.reshape(-1)
        order = jnp.argsort(flat, stable=True)
        token = order // k
        xs = x[token]
        sizes = jnp.bincount(flat, length=e)
        h = jax.nn.silu(lax.ragged_dot(xs, w1, sizes.astype(jnp.int32)))
        y = lax.ragged_dot(h, w2, sizes.astype(jnp.int32))
        y = y * gate.reshape(-1)[order][:, None]
        out = jnp.zeros_like(x).at[token].add(y)
        return out + jax.nn.silu(x @ s1) @ s2, sizes
    return fwd, args, (P("a"), P(), P(), P("b"), P("b"), P(None, "b"), P("b"))


@model("deepseek_mla_decode", mesh="2x2")
def _(m):
    b, s, h, dc, dr, dn, dv, d = 4, 16, 4, 16, 8, 8, 8, 32
    args = (m.r(b, d), m.r(b, s, dc), m.r(b, s, dr), m.w(d, h * (dn + dr)), m.w(d, dc + dr), m.w(dc, h * dn), m.w(dc, h * dv), m.w(h * dv, d), np.int32(9))
    def step(x, ckv, kr, wq, wkv, wuk, wuv, wo, at):
        q = (x @ wq).reshape(b, h, dn + dr)
        qn, qr = q[..., :dn], q[..., dn:]
        new = x @ wkv
        ckv = lax.dynamic_update_slice(ckv, new[:, None, :dc], (0, at, 0))
        kr = lax.dynamic_update_slice(kr, new[:, None, dc:], (0, at, 0))
        qc = jnp.einsum("bhn,chn->bhc", qn, wuk.reshape(dc, h, dn))
        lg = (jnp.einsum("bhc,bsc->bhs", qc, ckv) + jnp.einsum("bhr,bsr->bhs", qr, kr)) * 0.25
        lg = jnp.where(jnp.arange(s) <= at, lg, -1e9)
        w = jax.nn.softmax(lg, -1)
        o = jnp.einsum("bhs,bsc->bhc", w, ckv)
        o = jnp.einsum("bhc,chv->bhv", o, wuv.reshape(dc, h, dv))
        return o.reshape(b, -1) @ wo, ckv, kr
    return step, args, (P("a"), P("a"), P("a"), P(None, "b"), P(), P(None, "b"), P(None, "b"), P("b"), P())


def t5_bias(rel, s, t, buckets=8):
    diff = jnp.arange(t)[None] - jnp.arange(s)[:, None]
    n = jnp.abs(diff)
    big = buckets // 2 + (jnp.log(jnp.maximum(n, 1) / 2.0) / jnp.log(8.0) * 2).astype(jnp.int32)
    bucket = jnp.where(n < buckets // 2, n, jnp.minimum(big, buckets - 1))
    return rel[bucket].transpose(2, 0, 1)


@model("t5_encoder_decoder", mesh="2x4")
def _(m):
    d, h, v, ff = 32, 4, 40, 64
    lay = lambda cross: dict(q=m.w(d, d), k=m.w(d, d), v=m.w(d, d), o=m.w(d, d), n=np.ones(d, np.float32), n2=np.ones(d, np.float32), wi=m.w(d, ff), wo=m.w(ff, d),
                             **(dict(cq=m.w(d, d), ck=m.w(d, d), cv=m.w(d, d), co=m.w(d, d), n3=np.ones(d, np.float32)) if cross else {}))
    col, row = P(None, "b"), P("b", None)
    sp = lambda cross: dict(q=col, k=col, v=col, o=row, n=P(), n2=P(), wi=col, wo=row, **(dict(cq=col, ck=col, cv=col, co=row, n3=P()) if cross else {}))
    p = dict(emb=m.r(v, d), rel=m.r(8, h), enc=[lay(False)], dec=[lay(True)])
    q = dict(emb=P(None, "b"), rel=P(), enc=[sp(False)], dec=[sp(True)])
    def mha(l, x, y, pre="", **kw):
        b, s, _ = x.shape
        sh = lambda z: z.reshape(b, z.shape[1], h, -1)
        return attention(sh(x @ l[pre + "q"]), sh(y @ l[pre + "k"]), sh(y @ l[pre + "v"]), scale=1.0, **kw).reshape(b, s, d) @ l[pre + "o"]
    def loss(p, src, tgt, mask):
        x = m.c(p["emb"][src], "a")
        for l in p["enc"]:
            n = rms_norm(x, l["n"])
            x = x + mha(l, n, n, bias=t5_bias(p["rel"], src.shape[1], src.shape[1]), mask=mask[:, None, None])
            x = x + jax.nn.relu(rms_norm(x, l["n2"]) @ l["wi"]) @ l["wo"]
        y = m.c(p["emb"][tgt[:, :-1]], "a")
        for l in p["dec"]:
            n = rms_norm(y, l["n"])
            y = y + mha(l, n, n, mask=causal(y.shape[1]))
            y = y + mha(l, rms_norm(y, l["n3"]), x, "c", mask=mask[:, None, None])
            y = y + jax.nn.relu(rms_norm(y, l["n2"]) @ l["wi"]) @ l["wo"]
        return cross_entropy(y @ p["emb"].T * d ** -0.5, tgt[:, 1:])
    return (lambda *a: jax.value_and_grad(loss)(*a)), (p, m.i(v, 4, 10), m.i(v, 4, 8), m.rng.random((4, 10)) < 0.8), (q, P("a"), P("a"), P("a"))


@model("bert_mlm_dropout", mesh="2x2x2")
def _(m):
    d, h, v, s = 32, 4, 56, 12
    p = dict(tok=m.r(v, d), typ=m.r(2, d), pos=m.r(s, d), g=np.ones(d, np.float32), b=np.zeros(d, np.float32), q=m.w(d, d), k=m.w(d, d), v=m.w(d, d), o=m.w(d, d),
             g1=np.ones(d, np.float32), b1=np.zeros(d, np.float32), w1=m.w(d, 64), w2=m.w(64, d), bias=np.zeros(v, np.float32))
    q = dict(tok=P("c", None), typ=P(), pos=P(), g=P(), b=P(), q=P("b", "c"), k=P("b", "c"), v=P("b", "c"), o=P("c", "b"), g1=P(), b1=P(), w1=P("b", "c"), w2=P("c", "b"), bias=P("c"))
    def loss(p, ids, types, labels, key):
        x = layer_norm(p["tok"][ids] + p["typ"][types] + p["pos"], p["g"], p["b"])
        k1, k2 = jax.random.split(jax.random.wrap_key_data(key))
        drop = lambda x, k: jnp.where(jax.random.bernoulli(k, 0.9, x.shape), x / 0.9, 0)
        x = m.c(drop(x, k1), ("a", "b"))
        sh = lambda z: z.reshape(*z.shape[:2], h, -1)
        o = attention(sh(x @ p["q"]), sh(x @ p["k"]), sh(x @ p["v"])).reshape(x.shape) @ p["o"]
        x = layer_norm(x + drop(o, k2), p["g1"], p["b1"])
        x = x + jax.nn.gelu(x @ p["w1"], approximate=False) @ p["w2"]
        logits = x @ p["tok"].T + p["bias"]
        lp = jax.nn.log_softmax(logits)
        valid = labels >= 0
        ll = jnp.take_along_axis(lp, jnp.maximum(labels, 0)[..., None], -1)[..., 0]
        return -(ll * valid).sum() / jnp.maximum(valid.sum(), 1)
    labels = np.where(m.rng.random((8, s)) < 0.3, m.i(v, 8, s), -100).astype(np.int32)
    return (lambda *a: jax.value_and_grad(loss)(*a)), (p, m.i(v, 8, s), m.i(2, 8, s), labels, np.array([3, 4], np.uint32)), (q, P(("a", "b")), P(("a", "b")), P(("a", "b")), P())


@model("vit_train", mesh="2x4", partitioner="gspmd")
def _(m):
    d, h = 32, 4
    p = dict(patch=m.w(4, 4, 3, d), cls=m.r(1, 1, d), pos=m.r(1, 17, d), qkv=m.w(d, 3 * d), o=m.w(d, d), g=np.ones(d, np.float32), b=np.zeros(d, np.float32), w1=m.w(d, 64), w2=m.w(64, d), head=m.w(d, 10))
    q = dict(patch=P(None, None, None, "b"), cls=P(), pos=P(), qkv=P(None, "b"), o=P("b"), g=P(), b=P(), w1=P(None, "b"), w2=P("b"), head=P())
    def loss(p, img, y):
        x = lax.conv_general_dilated(img, p["patch"], (4, 4), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = x.reshape(img.shape[0], -1, d)
        x = jnp.concatenate([jnp.broadcast_to(p["cls"], (x.shape[0], 1, d)), x], 1) + p["pos"]
        n = layer_norm(x, p["g"], p["b"])
        qkv = (n @ p["qkv"]).reshape(*n.shape[:2], 3, h, -1)
        x = x + attention(qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2]).reshape(x.shape) @ p["o"]
        x = x + jax.nn.gelu(layer_norm(x, p["g"], p["b"]) @ p["w1"]) @ p["w2"]
        return cross_entropy(x[:, 0] @ p["head"], y)
    return (lambda *a: jax.value_and_grad(loss)(*a)), (p, m.r(8, 16, 16, 3), m.i(10, 8)), (q, P("a"), P("a"))


@model("clip_contrastive", mesh="2x4", ci=True)
def _(m):
    args = (m.r(16, 24), m.i(30, 16, 6), m.w(24, 32), m.r(30, 20), m.w(20, 32), np.float32(1.0))
    def step(img, txt, wi, emb, wt, temp):
        def loss(wi, emb, wt, temp):
            a = img @ wi; b = emb[txt].mean(1) @ wt
            a = a / jnp.linalg.norm(a, axis=-1, keepdims=True); b = b / jnp.linalg.norm(b, axis=-1, keepdims=True)
            lg = jnp.exp(temp) * a @ b.T
            n = jnp.arange(16)
            return (cross_entropy(lg, n) + cross_entropy(lg.T, n)) / 2
        return jax.value_and_grad(loss, (0, 1, 2, 3))(wi, emb, wt, temp)
    return step, args, (P(("a", "b")), P(("a", "b")), P(), P(), P(), P())


@model("whisper_like", mesh="2x4")
def _(m):
    d, h = 16, 4
    args = (m.r(4, 40, 12), m.w(3, 12, d), m.w(3, d, d), m.w(d, 3 * d), m.w(d, d), m.i(20, 4, 7), m.r(20, d), m.w(d, d), m.w(d, 2 * d))
    def fwd(mel, c1, c2, qkv, o, tok, emb, wq, wkv):
        dn = ("NWC", "WIO", "NWC")
        x = jax.nn.gelu(lax.conv_general_dilated(mel, c1, (1,), ((1, 1),), dimension_numbers=dn))
        x = jax.nn.gelu(lax.conv_general_dilated(x, c2, (2,), ((1, 1),), dimension_numbers=dn))
        t = x.shape[1]
        inv = jnp.exp(-jnp.arange(d // 2) * (math.log(10000) / (d // 2 - 1)))
        ang = jnp.arange(t)[:, None] * inv
        x = m.c(x + jnp.concatenate([jnp.sin(ang), jnp.cos(ang)], 1), "a", "b")
        z = (x @ qkv).reshape(4, t, 3, h, -1)
        x = x + attention(z[:, :, 0], z[:, :, 1], z[:, :, 2]).reshape(x.shape) @ o
        y = emb[tok]
        kv = (x @ wkv).reshape(4, t, 2, h, -1)
        y = y + attention((y @ wq).reshape(4, 7, h, -1), kv[:, :, 0], kv[:, :, 1]).reshape(y.shape)
        return jax.nn.log_softmax(y @ emb.T)
    return fwd, args, (P("a", "b"), P(), P(None, None, "b"), P(None, "b"), P("b"), P("a"), P(), P(), P(None, "b"))


@model("mistral_sliding_window", mesh="3x2")
def _(m):
    lp, lq = llama_params(m, d=24, heads=6, kv=2, ff=36)
    def fwd(l, x):
        return llama_block(m, l, m.c(x, "a"), jnp.arange(x.shape[1]), 6, 2, window=4)
    return fwd, (lp, m.r(5, 13, 24)), (lq, P())


@model("alibi_bloom_sp", mesh="2x4")
def _(m):
    """ALiBi, and Megatron sequence parallelism by constraints."""
    d, h, s = 32, 8, 16
    args = (m.r(4, s, d), m.w(d, 3 * d), m.w(d, d), m.w(d, 64), m.w(64, d), np.ones(d, np.float32), np.zeros(d, np.float32))
    def loss(x, qkv, o, w1, w2, g, b):
        sp = lambda z: m.c(z, "a", "b", None)
        x = sp(x)
        z = (layer_norm(x, g, b) @ qkv).reshape(4, s, 3, h, -1)
        slopes = 2.0 ** (-8.0 * (jnp.arange(h) + 1) / h)
        bias = slopes[:, None, None] * (jnp.arange(s)[None] - jnp.arange(s)[:, None])
        x = sp(x + attention(z[:, :, 0], z[:, :, 1], z[:, :, 2], causal(s), bias).reshape(x.shape) @ o)
        x = sp(x + jax.nn.gelu(layer_norm(x, g, b) @ w1) @ w2)
        return (x ** 2).mean()
    return (lambda *a: jax.value_and_grad(loss, tuple(range(1, 7)))(*a)), args, (P("a", "b"), P(None, "b"), P("b"), P(None, "b"), P("b"), P(), P())


@model("kv_cache_decode_loop", mesh="2x2", ci=True)
def _(m):
    """Greedy decoding: fori_loop over tokens with a cache that is updated."""
    lp, lq = llama_params(m)
    v, s, b = 40, 12, 4
    def decode(emb, l, first):
        kc = m.c(jnp.zeros((b, s, 2, 8)), "a", None, "b"); vc = kc
        def step(t, st):
            tok, kc, vc, out = st
            x = emb[tok][:, None]
            h = rms_norm(x, l["n1"]); pos = jnp.full((1,), t)
            q = rope((h @ l["wq"]).reshape(b, 1, 4, -1), pos)
            kc = lax.dynamic_update_slice(kc, rope((h @ l["wk"]).reshape(b, 1, 2, -1), pos), (0, t, 0, 0))
            vc = lax.dynamic_update_slice(vc, (h @ l["wv"]).reshape(b, 1, 2, -1), (0, t, 0, 0))
            x = x + attention(q, kc, vc, (jnp.arange(s) <= t)[None, None, None]).reshape(b, 1, -1) @ l["wo"]
            h = rms_norm(x, l["n2"])
            x = x + (jax.nn.silu(h @ l["wg"]) * (h @ l["wu"])) @ l["wd"]
            tok = jnp.argmax(x[:, 0] @ emb.T, -1).astype(jnp.int32)
            return tok, kc, vc, out.at[:, t].set(tok)
        return lax.fori_loop(0, s, step, (first, kc, vc, jnp.zeros((b, s), jnp.int32)))
    return decode, (m.r(v, 32), lp, m.i(v, b)), (P(None, "b"), lq, P("a"))


@model("paged_kv_decode", mesh="2x2")
def _(m):
    """A block table: gather pages, scatter the new token per sequence."""
    b, pages, ps, h, d, per = 4, 20, 4, 4, 8, 4
    args = (m.r(b, h, d), m.r(pages, ps, h, d), m.r(pages, ps, h, d), m.rng.permutation(pages)[:b * per].reshape(b, per).astype(np.int32), np.array([5, 9, 13, 2], np.int32), m.r(b, h, d), m.r(b, h, d))
    def step(q, kp, vp, table, lens, nk, nv):
        page = table[jnp.arange(b), lens // ps]
        kp = kp.at[page, lens % ps].set(nk); vp = vp.at[page, lens % ps].set(nv)
        k = kp[table].reshape(b, per * ps, h, d); v = vp[table].reshape(b, per * ps, h, d)
        lg = jnp.einsum("bhd,bthd->bht", q, k) * d ** -0.5
        lg = jnp.where(jnp.arange(per * ps) <= lens[:, None, None], lg, -jnp.inf)
        return jnp.einsum("bht,bthd->bhd", jax.nn.softmax(lg, -1), v), kp, vp
    return step, args, (P("a", "b"), P(None, None, "b"), P(None, None, "b"), P("a"), P("a"), P("a", "b"), P("a", "b"))


@model("speculative_verify_ragged", mesh="2x2")
def _(m):
    def fn(draft, target, toks, u):
        p = jnp.take_along_axis(jax.nn.softmax(target[:, :-1]), toks[..., None], -1)[..., 0]
        q = jnp.take_along_axis(jax.nn.softmax(draft), toks[..., None], -1)[..., 0]
        ok = jnp.cumprod((u < p / q).astype(jnp.int32), 1)
        n = ok.sum(1)
        at = jnp.take_along_axis(target, n[:, None, None], 1)[:, 0]
        return n, jnp.argmax(at, -1), jnp.where(jnp.arange(toks.shape[1]) < n[:, None], toks, -1)
    return fn, (m.r(4, 5, 32), m.r(4, 6, 32), m.i(32, 4, 5), m.rng.random((4, 5)).astype(np.float32)), (P("a", None, "b"), P("a", None, "b"), P("a"), P("a"))


@model("chunked_prefill_flash", mesh="2x4")
def _(m):
    """Online softmax over chunks of keys by scan."""
    b, s, h, d, chunk = 2, 32, 4, 8, 8
    def flash(q, k, v):
        kc = k.reshape(b, s // chunk, chunk, h, d).swapaxes(0, 1); vc = v.reshape(b, s // chunk, chunk, h, d).swapaxes(0, 1)
        def body(st, kv):
            o, mx, l, j = st
            k, v = kv
            lg = jnp.einsum("bshd,bthd->bhst", q, k)
            pos = j * chunk + jnp.arange(chunk)
            lg = jnp.where(jnp.arange(s)[:, None] >= pos[None], lg, -1e30)
            mn = jnp.maximum(mx, lg.max(-1))
            p = jnp.exp(lg - mn[..., None]); a = jnp.exp(mx - mn)
            return (o * a[..., None] + jnp.einsum("bhst,bthd->bhsd", p, v), mn, l * a + p.sum(-1), j + 1), None
        z = jnp.zeros((b, h, s))
        (o, _, l, _), _ = lax.scan(body, (jnp.zeros((b, h, s, d)), z - 1e30, z, 0), (kc, vc))
        return (o / l[..., None]).swapaxes(1, 2)
    def f(q, k, v):
        return flash(q, k, v), jax.grad(lambda *a: (flash(*a) ** 2).sum(), (0, 1, 2))(q, k, v)
    return f, (m.r(b, s, h, d), m.r(b, s, h, d), m.r(b, s, h, d)), (P("a", "b"), P("a", "b"), P("a", "b"))


@model("linear_attention_performer", mesh="2x4")
def _(m):
    def f(x, wq, wk, wv, proj):
        phi = lambda z: jnp.exp(z @ proj - (z * z).sum(-1, keepdims=True) / 2)
        q, k, v = phi(x @ wq), phi(x @ wk), x @ wv
        kv = jnp.cumsum(jnp.einsum("bsf,bsd->bsfd", k, v), 1)
        z = jnp.cumsum(k, 1)
        return jnp.einsum("bsf,bsfd->bsd", q, kv) / (q * z).sum(-1, keepdims=True)
    return f, (m.r(4, 16, 16), m.w(16, 16), m.w(16, 16), m.w(16, 8), m.r(16, 12)), (P("a", "b"), P(), P(), P(), P())


@model("swin_window_shift", mesh="2x2")
def _(m):
    def f(x, qkv, o, bias):
        b, hh, ww, d = x.shape
        x0 = x
        x = jnp.roll(x, (-2, -2), (1, 2))
        x = x.reshape(b, hh // 4, 4, ww // 4, 4, d).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 16, d)
        z = (x @ qkv).reshape(-1, 16, 3, 2, d // 2)
        y = attention(z[:, :, 0], z[:, :, 1], z[:, :, 2], bias=bias).reshape(-1, 16, d) @ o
        y = y.reshape(b, hh // 4, ww // 4, 4, 4, d).transpose(0, 1, 3, 2, 4, 5).reshape(b, hh, ww, d)
        return x0 + jnp.roll(y, (2, 2), (1, 2))
    def g(*a):
        return f(*a), jax.grad(lambda *a: (f(*a) ** 2).mean(), (1, 2, 3))(*a)
    return g, (m.r(4, 8, 8, 16), m.w(16, 48), m.w(16, 16), m.r(2, 16, 16)), (P("a", "b"), P(), P(), P())
