"""Models from the libraries people use: Flax (linen and NNX), Equinox, Haiku,
Keras, Hugging Face's Flax models, optax, diffrax, distrax, numpyro. Run by hand,
where they are installed:

    pip install flax equinox dm-haiku optax diffrax distrax keras numpyro "transformers<5"
    KERAS_BACKEND=jax run_models.py --modules libraries

Data are cut along the first axis of the mesh, weights along the second, in the
largest dimension it divides.
"""
import os

import jax
import jax.numpy as jnp
import numpy as np
from common import P, model

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("EQX_ON_ERROR", "nan")  # no callbacks into Python


def cut_weights(m, tree):
    axis = m.axes[-1]
    size = m.mesh.shape[axis]

    def spec(x):
        dims = [(n, i) for i, n in enumerate(np.shape(x)) if n % size == 0 and n >= 2 * size]
        return P(*[axis if dims and i == max(dims)[1] else None for i in range(np.ndim(x))])
    return jax.tree.map(spec, tree)


def cut_batch(m, tree):
    return jax.tree.map(lambda x: P(m.axes[0]) if np.ndim(x) else P(), tree)


def numpy(tree):
    return jax.tree.map(lambda x: np.asarray(x), tree)


def train(m, loss, params, batch, optimizer):
    """One step; batch: a tuple of arrays; returns fn, args, specs."""
    import optax
    params = numpy(params)
    state = numpy(optimizer.init(params))

    def step(params, state, *batch):
        value, grads = jax.value_and_grad(loss)(params, *batch)
        updates, state = optimizer.update(grads, state, params)
        return value, optax.apply_updates(params, updates), state
    return step, (params, state, *batch), (cut_weights(m, params), cut_weights(m, state), *cut_batch(m, batch))


def labels_loss(logits, labels):
    import optax
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


# --- Flax linen ---

def linen(m, module, *inputs, **kwargs):
    variables = module.init({"params": jax.random.key(0), "dropout": jax.random.key(1)}, *inputs, **kwargs)
    return numpy(variables)


@model("lib_linen_cnn_bn_sgd", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    import flax.linen as nn
    import optax

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, training):
            for width in (16, 32):
                x = nn.Conv(width, (3, 3))(x)
                x = nn.BatchNorm(use_running_average=not training)(x)
                x = nn.max_pool(nn.relu(x), (2, 2), (2, 2))
            x = nn.avg_pool(x, (3, 3), (2, 2), padding="SAME")
            x = x.reshape(x.shape[0], -1)
            return nn.Dense(10)(nn.relu(nn.Dense(64)(x)))
    net = Net()
    x, y = m.r(8, 16, 16, 3), m.i(10, 8)
    v = linen(m, net, x, training=False)
    opt = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, momentum=0.9, nesterov=True))
    state = numpy(opt.init(v["params"]))

    def step(params, stats, state, x, y):
        def loss(p):
            out, new = net.apply({"params": p, "batch_stats": stats}, x, training=True, mutable=["batch_stats"])
            return labels_loss(out, y), new
        (value, new), g = jax.value_and_grad(loss, has_aux=True)(params)
        updates, s = opt.update(g, state, params)
        return value, optax.apply_updates(params, updates), new, s
    return step, (v["params"], v["batch_stats"], state, x, y), (
        cut_weights(m, v["params"]), P(), cut_weights(m, state), P("a"), P("a"))


@model("lib_linen_transformer_dropout", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    import flax.linen as nn
    import optax

    class Block(nn.Module):
        @nn.compact
        def __call__(self, x, mask):
            h = nn.LayerNorm()(x)
            h = nn.MultiHeadDotProductAttention(num_heads=4, dropout_rate=0.1, deterministic=False)(h, h, mask=mask)
            x = x + nn.Dropout(0.1, deterministic=False)(h)
            h = nn.Dense(128)(nn.LayerNorm()(x))
            return x + nn.Dense(64)(nn.gelu(h))

    class Net(nn.Module):
        @nn.compact
        def __call__(self, ids):
            x = nn.Embed(64, 64)(ids) + nn.Embed(32, 64)(jnp.arange(ids.shape[1]))
            mask = nn.combine_masks(nn.make_causal_mask(ids), nn.make_attention_mask(ids > 0, ids > 0))
            for _ in range(2):
                x = Block()(x, mask)
            return nn.Dense(64)(nn.LayerNorm()(x))
    net = Net()
    ids = m.i(64, 8, 32)
    params = linen(m, net, ids)["params"]
    key = np.array([7, 9], np.uint32)

    def loss(p, ids):
        logits = net.apply({"params": p}, ids, rngs={"dropout": jax.random.wrap_key_data(jnp.array(key), impl="threefry2x32")})
        return labels_loss(logits[:, :-1], ids[:, 1:])
    sched = optax.warmup_cosine_decay_schedule(0.0, 1e-3, 10, 100)
    return train(m, loss, params, (ids,), optax.adamw(sched, weight_decay=0.01))


@model("lib_linen_decode_cache", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    import flax.linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, ids):
            x = nn.Embed(64, 32)(ids)
            for _ in range(2):
                x = x + nn.MultiHeadDotProductAttention(num_heads=4, decode=True)(nn.LayerNorm()(x))
            return nn.Dense(64)(x)
    net = Net()
    v = linen(m, net, np.zeros((4, 16), np.int32))

    def generate(params, cache, first):
        def body(carry, _):
            cache, tok = carry
            logits, new = net.apply({"params": params, "cache": cache}, tok, mutable=["cache"])
            tok = jnp.argmax(logits[:, -1:], -1).astype(jnp.int32)
            return (new["cache"], tok), (tok[:, 0], logits)
        _, out = jax.lax.scan(body, (cache, first), None, length=8)
        return out
    return generate, (v["params"], v["cache"], m.i(64, 4, 1)), (cut_weights(m, v["params"]), P(), P("a"))


@model("lib_linen_lstm_seq2seq", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    import flax.linen as nn
    import optax

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, lengths, y):
            carry, _ = nn.RNN(nn.OptimizedLSTMCell(32), return_carry=True)(x, seq_lengths=lengths)
            out = nn.RNN(nn.LSTMCell(32))(y, initial_carry=carry)
            out = nn.Bidirectional(nn.RNN(nn.GRUCell(16)), nn.RNN(nn.GRUCell(16)))(out)
            return nn.Dense(12)(out)
    net = Net()
    x, lengths, y, t = m.r(8, 10, 12), np.array([3, 10, 5, 7, 1, 9, 10, 2], np.int32), m.r(8, 6, 12), m.i(12, 8, 6)
    params = linen(m, net, x, lengths, y)["params"]
    return train(m, lambda p, x, l, y, t: labels_loss(net.apply({"params": p}, x, l, y), t), params,
                 (x, lengths, y, t), optax.adam(1e-2))


@model("lib_linen_conv_lstm_convtranspose", mesh="2x2x2", rtol=1e-3, atol=1e-4)
def _(m):
    import flax.linen as nn
    import optax

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            b, t = x.shape[:2]
            x = nn.RNN(nn.ConvLSTMCell(8, (3, 3)))(x)
            x = x.reshape(b * t, *x.shape[2:])
            x = nn.ConvTranspose(4, (4, 4), strides=(2, 2))(nn.GroupNorm(4)(x))
            x = nn.Conv(8, (3, 3), feature_group_count=4, kernel_dilation=(2, 2))(x)
            x = nn.WeightNorm(nn.Conv(3, (1, 1)))(nn.swish(x))
            return nn.InstanceNorm()(x).reshape(b, t, *x.shape[1:])
    net = Net()
    x = m.r(4, 3, 8, 8, 2)
    params = linen(m, net, x)["params"]
    return train(m, lambda p, x: (net.apply({"params": p}, x) ** 2).mean() + jnp.abs(net.apply({"params": p}, x)).mean(),
                 params, (x,), optax.rmsprop(1e-2, centered=True, momentum=0.5))


@model("lib_linen_vae_remat_scan", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    import flax.linen as nn
    import optax

    class Layer(nn.Module):
        @nn.compact
        def __call__(self, x, _):
            return x + nn.Dense(32)(nn.tanh(nn.Dense(64)(nn.RMSNorm()(x)))), None

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, eps):
            h = nn.Dense(32)(x)
            h, _ = nn.scan(nn.remat(Layer), variable_axes={"params": 0}, split_rngs={"params": True}, length=3)()(h, None)
            mean, logvar = jnp.split(nn.Dense(16)(h), 2, -1)
            z = mean + jnp.exp(0.5 * logvar) * eps
            return nn.sigmoid(nn.Dense(48)(nn.leaky_relu(nn.Dense(32)(z)))), mean, logvar
    net = Net()
    x, eps = m.r(16, 48), m.r(16, 8)
    params = linen(m, net, x, eps)["params"]

    def loss(p, x, eps):
        out, mean, logvar = net.apply({"params": p}, x, eps)
        kl = -0.5 * (1 + logvar - mean ** 2 - jnp.exp(logvar)).sum(-1)
        return (optax.sigmoid_binary_cross_entropy(out, jax.nn.sigmoid(x)).sum(-1) + kl).mean()
    return train(m, loss, params, (x, eps), optax.lamb(1e-2))


# --- optax ---

def mlp_problem(m):
    params = {"w1": m.w(24, 64), "b1": m.r(64), "w2": m.w(64, 16), "b2": m.r(16)}
    batch = (m.r(16, 24), m.i(16, 16))

    def loss(p, x, y):
        return labels_loss(jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"], y)
    return loss, params, batch


def optimizers():
    import optax
    import optax.contrib as c
    yield "adafactor", lambda: optax.adafactor(1e-2, min_dim_size_to_factor=8)
    yield "lion", lambda: optax.lion(1e-3)
    yield "lars", lambda: optax.lars(1e-2)
    yield "yogi", lambda: optax.yogi(1e-2)
    yield "novograd", lambda: optax.novograd(1e-2)
    yield "sm3", lambda: optax.sm3(1e-2)
    yield "adabelief", lambda: optax.adabelief(1e-2)
    yield "radam", lambda: optax.radam(1e-2)
    yield "nadamw", lambda: optax.nadamw(1e-2)
    yield "fromage", lambda: optax.fromage(1e-2)
    yield "rprop", lambda: optax.rprop(1e-2)
    yield "polyak_adan", lambda: optax.adan(1e-2)
    yield "amsgrad_multi_steps", lambda: optax.MultiSteps(optax.amsgrad(1e-2), 3)
    yield "ema", lambda: optax.chain(optax.ema(0.9), optax.scale(-0.1))
    yield "apply_if_finite", lambda: optax.apply_if_finite(optax.chain(optax.adaptive_grad_clip(0.1), optax.adam(1e-2)), 3)
    yield "muon", lambda: c.muon(1e-2)
    yield "prodigy", lambda: c.prodigy(1.0)
    yield "dadapt", lambda: c.dadapt_adamw(1.0)
    yield "schedule_free", lambda: c.schedule_free_adamw(1e-2)
    yield "sam", lambda: c.sam(optax.sgd(1e-2), optax.chain(c.normalize(), optax.sgd(5e-2)), sync_period=2)
    yield "lookahead_sgd", lambda: optax.chain(optax.trace(0.9), optax.centralize(), optax.scale_by_schedule(
        optax.join_schedules([optax.linear_schedule(0., -.1, 5), optax.exponential_decay(-.1, 10, .9)], [5])))


def add_optimizers():
    try:
        found = list(optimizers())
    except ImportError:
        return
    for i, (name, make) in enumerate(found):
        def build(m, make=make):
            loss, params, batch = mlp_problem(m)
            return train(m, loss, params, batch, make())
        model("lib_optax_" + name, mesh=["2x4", "8", "3x2", "2x2x2"][i % 4], rtol=2e-3, atol=1e-4)(build)


add_optimizers()


@model("lib_optax_lbfgs_zoom", mesh="2x4", rtol=5e-3, atol=5e-4)
def _(m):
    import optax
    a, b = m.r(32, 16), m.r(32)

    def fit(a, b):
        fun = lambda w: ((a @ w - b) ** 2).mean() + 0.01 * (w ** 4).sum()
        opt = optax.lbfgs(memory_size=4)
        vg = optax.value_and_grad_from_state(fun)

        def body(_, carry):
            w, state = carry
            value, grad = vg(w, state=state)
            u, state = opt.update(grad, state, w, value=value, grad=grad, value_fn=fun)
            return optax.apply_updates(w, u), state
        w = jnp.zeros(16)
        w, state = jax.lax.fori_loop(0, 4, body, (w, opt.init(w)))
        return w, fun(w)
    return fit, (a, b), (P("a"), P("a"))


@model("lib_optax_losses", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    import optax
    logits, labels = m.r(8, 12, 10, scale=1.0), m.i(9, 8, 5) + 1
    pad = np.zeros((8, 12), np.float32)
    lpad = (np.arange(5)[None] >= np.array([5, 4, 3, 2, 5, 5, 1, 3])[:, None]).astype(np.float32)

    def f(logits, labels, lpad):
        def total(x):
            return (optax.ctc_loss(x, pad, labels, lpad).mean()
                    + optax.convex_kl_divergence(jax.nn.log_softmax(x[0]), jax.nn.softmax(x[1])).mean()
                    + optax.huber_loss(x).mean() + optax.log_cosh(x).mean()
                    + optax.cosine_distance(x[0], x[1]).mean() + optax.losses.poly_loss_cross_entropy(x[:, 0], jax.nn.one_hot(labels[:, 0], 10)).mean()
                    + optax.sigmoid_focal_loss(x, (x > 0).astype(jnp.float32)).mean()
                    + optax.losses.triplet_margin_loss(x[0], x[1], x[2]).mean() + optax.ntxent(x[:, 0], labels[:, 0] % 3))
        return jax.value_and_grad(total)(logits)
    return f, (logits, labels.astype(np.int32), lpad), (P("a"), P("a"), P("a"))


# --- Flax NNX ---

@model("lib_nnx_moe_train", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    from flax import nnx
    import optax

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.embed = nnx.Embed(64, 32, rngs=rngs)
            self.attn = nnx.MultiHeadAttention(num_heads=4, in_features=32, qkv_features=32, decode=False, rngs=rngs)
            self.norm = nnx.LayerNorm(32, rngs=rngs)
            self.gate = nnx.Linear(32, 4, rngs=rngs)
            self.up = nnx.Param(jax.random.normal(rngs.params(), (4, 32, 64)) * 0.1)
            self.down = nnx.Param(jax.random.normal(rngs.params(), (4, 64, 32)) * 0.1)
            self.bn = nnx.BatchNorm(32, rngs=rngs)
            self.head = nnx.Linear(32, 64, rngs=rngs)

        def __call__(self, ids):
            x = self.embed(ids)
            x = x + self.attn(self.norm(x), mask=nnx.make_causal_mask(ids))
            w, idx = jax.lax.top_k(jax.nn.softmax(self.gate(x)), 2)
            dispatch = (jax.nn.one_hot(idx, 4) * w[..., None]).sum(-2)
            h = jnp.einsum("bsd,edf->bsef", x, self.up[...])
            x = x + jnp.einsum("bsef,efd,bse->bsd", jax.nn.silu(h), self.down[...], dispatch)
            return self.head(self.bn(x))
    net = Net(nnx.Rngs(0))
    graph, state = nnx.split(net)
    ids = m.i(64, 4, 16)
    state = numpy(nnx.to_pure_dict(state))

    def f(state, ids):
        def loss(s):
            model = nnx.merge(graph, s)
            return labels_loss(model(ids)[:, :-1], ids[:, 1:])
        abstract = nnx.state(net)
        nnx.replace_by_pure_dict(abstract, state)
        return jax.value_and_grad(loss, allow_int=True)(abstract)[0]
    return f, (state, ids), (P(), P("a"))


# --- Equinox, diffrax ---

@model("lib_equinox_gru_classifier", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    import equinox as eqx
    import optax

    class Net(eqx.Module):
        cell: eqx.nn.GRUCell
        norm: eqx.nn.LayerNorm
        out: eqx.nn.MLP

        def __init__(self, key):
            a, b = jax.random.split(key)
            self.cell = eqx.nn.GRUCell(6, 16, key=a)
            self.norm = eqx.nn.LayerNorm(16)
            self.out = eqx.nn.MLP(16, 4, 32, 2, key=b)

        def __call__(self, xs):
            h, _ = jax.lax.scan(lambda h, x: (self.cell(x, h), None), jnp.zeros(16), xs)
            return self.out(self.norm(h))
    net = Net(jax.random.key(0))
    params, static = eqx.partition(net, eqx.is_array)

    def loss(p, x, y):
        return labels_loss(jax.vmap(eqx.combine(p, static))(x), y)
    return train(m, loss, params, (m.r(8, 12, 6), m.i(4, 8)), optax.adam(1e-2))


@model("lib_equinox_unet_attention", mesh="2x4", rtol=1e-3, atol=1e-4)
def _(m):
    import equinox as eqx
    keys = jax.random.split(jax.random.key(3), 6)
    down = eqx.nn.Conv2d(3, 8, 3, stride=2, padding=1, key=keys[0])
    norm = eqx.nn.GroupNorm(4, 8)
    attn = eqx.nn.MultiheadAttention(2, 8, key=keys[1])
    up = eqx.nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1, key=keys[2])
    pool = eqx.nn.AdaptiveAvgPool2d((3, 5))
    mpool = eqx.nn.MaxPool2d(3, 1, 1)
    net, static = eqx.partition((down, norm, attn, up), eqx.is_array)

    def f(net, x):
        def one(x):
            down, norm, attn, up = eqx.combine(net, static)
            h = jax.nn.silu(norm(down(x)))
            s = h.reshape(8, -1).T
            h = h + attn(s, s, s).T.reshape(h.shape)
            y = up(mpool(h))
            return y, pool(y)
        out, vjp = jax.vjp(jax.vmap(one), x)
        return out, vjp(out)
    return f, (numpy(net), m.r(4, 3, 16, 16)), (P(), P("a"))


@model("lib_diffrax_neural_ode", mesh="8", rtol=2e-3, atol=1e-3)
def _(m):
    import diffrax
    w1, w2 = m.w(3, 16), m.w(16, 3)

    def f(w1, w2, y0):
        def solve(w1, w2, y0):
            term = diffrax.ODETerm(lambda t, y, args: jnp.tanh(y @ w1) @ w2 - 0.1 * y)
            sol = diffrax.diffeqsolve(term, diffrax.Tsit5(), 0.0, 1.0, 0.1, y0, saveat=diffrax.SaveAt(ts=jnp.linspace(0, 1, 5)),
                                      stepsize_controller=diffrax.PIDController(rtol=1e-4, atol=1e-6), max_steps=64, throw=False)
            return sol.ys
        ys = jax.vmap(solve, (None, None, 0))(w1, w2, y0)
        g = jax.grad(lambda w: jax.vmap(solve, (None, None, 0))(w, w2, y0).sum())(w1)
        return ys, g
    return f, (w1, w2, m.r(8, 3)), (P(), P(), P("a"))


@model("lib_diffrax_sde", mesh="2x4", rtol=2e-3, atol=1e-3)
def _(m):
    import diffrax

    def f(y0, seed):
        def one(y0, key):
            bm = diffrax.VirtualBrownianTree(0.0, 1.0, tol=1e-2, shape=(2,), key=key)
            terms = diffrax.MultiTerm(diffrax.ODETerm(lambda t, y, a: -y), diffrax.ControlTerm(lambda t, y, a: jnp.diag(0.1 * y), bm))
            return diffrax.diffeqsolve(terms, diffrax.Heun(), 0.0, 1.0, 0.1, y0, throw=False).ys
        return jax.vmap(one)(y0, jax.random.split(jax.random.wrap_key_data(seed), 8))
    return f, (m.r(8, 2), np.array([1, 2], np.uint32)), (P("a"), P())


# --- Haiku ---

def haiku(m, net, *inputs, state=False):
    import haiku as hk
    t = (hk.transform_with_state if state else hk.transform)(net)
    return t, numpy(t.init(jax.random.key(0), *inputs))


@model("lib_haiku_resnet", mesh="2x4", rtol=5e-3, atol=5e-4)
def _(m):
    import haiku as hk
    import optax
    net = lambda x, y: labels_loss(hk.nets.ResNet(
        (1, 1, 1, 1), 10, bottleneck=False, channels_per_group=(8, 16, 16, 32), use_projection=(False, True, True, True),
        initial_conv_config={"output_channels": 8})(x, is_training=True), y)
    x, y = m.r(8, 32, 32, 3), m.i(10, 8)
    t, (params, state) = haiku(m, net, x, y, state=True)

    def f(params, state, x, y):
        (value, new), g = jax.value_and_grad(t.apply, has_aux=True)(params, state, None, x, y)
        return value, new, g
    return f, (params, state, x, y), (cut_weights(m, params), P(), P("a"), P("a"))


@model("lib_haiku_vqvae", mesh="2x4", rtol=2e-3, atol=2e-4)
def _(m):
    import haiku as hk

    def net(x):
        h = hk.Conv2D(8, 4, 2)(x)
        vq = hk.nets.VectorQuantizerEMA(embedding_dim=8, num_embeddings=16, commitment_cost=0.25, decay=0.99)(h, is_training=True)
        out = hk.Conv2DTranspose(3, 4, 2)(vq["quantize"])
        return ((out - x) ** 2).mean() + vq["loss"], (vq["perplexity"], vq["encoding_indices"])
    x = m.r(4, 16, 16, 3)
    t, (params, state) = haiku(m, net, x, state=True)

    def f(params, state, x):
        def loss(p):
            (value, aux), new = t.apply(p, state, None, x)
            return value, (aux, new)
        return jax.value_and_grad(loss, has_aux=True)(params)
    return f, (params, state, x), (P(), P(), P("a"))


@model("lib_haiku_mobilenet_rnn", mesh="3x2", rtol=5e-3, atol=5e-4)
def _(m):
    import haiku as hk

    def net(x, s):
        a = hk.nets.MobileNetV1(strides=(1, 2), channels=(8, 16), num_classes=7)(x, is_training=True)
        core = hk.DeepRNN([hk.LSTM(12), hk.VanillaRNN(8), hk.GRU(6)])
        b, _ = hk.dynamic_unroll(core, s, core.initial_state(6), time_major=False)
        c = hk.SpectralNorm()(hk.get_parameter("w", (6, 7), init=hk.initializers.RandomNormal()))
        return a, b @ c, hk.avg_pool(x, (3, 3, 1), (2, 2, 1), "SAME"), hk.max_pool(x, (2, 2, 1), (2, 2, 1), "VALID")
    x, s = m.r(6, 16, 16, 3), m.r(6, 5, 4)
    t, (params, state) = haiku(m, net, x, s, state=True)
    return (lambda p, st, x, s: t.apply(p, st, None, x, s)), (params, state, x, s), (P(), P(), P("a"), P("a"))


# --- distributions, numpyro ---

@model("lib_distrax_flow_hmm", mesh="2x4", rtol=2e-3, atol=2e-4)
def _(m):
    import distrax
    w, obs = m.r(4, 2, 25), m.i(5, 8, 12)
    mat, emit = np.abs(m.r(3, 3)) + 0.1, np.abs(m.r(3, 5)) + 0.1

    def f(w, x, obs, mat, emit):
        flow = distrax.RationalQuadraticSpline(w[0], -3.0, 3.0)
        y, logdet = flow.forward_and_log_det(x)
        back = flow.inverse(y)
        hmm = distrax.HMM(trans_dist=distrax.Categorical(probs=mat), init_dist=distrax.Categorical(probs=jnp.ones(3)),
                          obs_dist=distrax.Categorical(probs=emit))
        _, _, post, ll = jax.vmap(hmm.forward_backward)(obs)
        path = jax.vmap(hmm.viterbi)(obs)
        d = distrax.MultivariateNormalFullCovariance(jnp.zeros(3), mat @ mat.T + jnp.eye(3))
        g = distrax.Gamma(2.0, 3.0).log_prob(jnp.abs(x)) + distrax.VonMises(0.0, 1.0).log_prob(x)
        return y, logdet, back, post, ll, path, d.log_prob(x[:, :1] * jnp.ones(3)), g
    return f, (w, m.r(8, 2), obs, mat, emit), (P(), P("a"), P("a"), P(), P())


@model("lib_numpyro_hmc", mesh="2x4", rtol=2e-2, atol=2e-3)
def _(m):
    from numpyro.infer.hmc import hmc
    x, y = m.r(32, 4), (m.r(32) > 0).astype(np.float32)

    def f(x, y, w):
        def potential(w):
            z = x @ w
            return jnp.sum(jnp.logaddexp(0, z) - y * z) + 0.5 * jnp.sum(w ** 2)
        init, sample = hmc(potential, algo="HMC")
        state = init(w, num_warmup=0, step_size=0.1, trajectory_length=0.3, adapt_step_size=False, adapt_mass_matrix=False,
                     rng_key=jax.random.wrap_key_data(jnp.array([3, 4], jnp.uint32)))
        for _ in range(2):
            state = sample(state)
        return state.z, state.potential_energy, state.accept_prob
    return f, (x, y, m.r(4)), (P("a"), P("a"), P())


# --- Keras ---

def keras_model(m, make, x):
    import keras
    keras.utils.set_random_seed(0)
    net = make(keras)
    net(x[:1])
    tv = numpy([v.value for v in net.trainable_variables])
    nv = [np.asarray(v.value) for v in net.non_trainable_variables]

    def f(tv, x):
        def loss(tv):
            out, _ = net.stateless_call(tv, nv, x, training=False)
            return (out.astype(jnp.float32) ** 2).mean(), out
        (value, out), g = jax.value_and_grad(loss, has_aux=True)(tv)
        return value, out, g
    return f, (tv, x), (cut_weights(m, tv), P("a"))


def keras_models():
    def app(name, shape, **kw):
        return lambda k: getattr(k.applications, name)(weights=None, input_shape=shape, classes=10, **kw)
    yield "mobilenet_v3", app("MobileNetV3Small", (32, 32, 3), minimalistic=False), (4, 32, 32, 3)
    yield "efficientnet", app("EfficientNetB0", (32, 32, 3)), (4, 32, 32, 3)
    yield "densenet", app("DenseNet121", (32, 32, 3)), (4, 32, 32, 3)
    yield "convnext", app("ConvNeXtTiny", (32, 32, 3)), (4, 32, 32, 3)
    yield "nasnet", app("NASNetMobile", (32, 32, 3)), (4, 32, 32, 3)

    def sequence(k):
        L = k.layers
        i = k.Input((16, 12))
        x = L.Bidirectional(L.LSTM(16, return_sequences=True))(i)
        x = L.GRU(16, return_sequences=True, reset_after=True)(x)
        x = L.MultiHeadAttention(4, 8)(x, x, use_causal_mask=True)
        x = L.Conv1D(16, 5, padding="causal", dilation_rate=2)(x)
        x = L.SeparableConv1D(16, 3, padding="same")(L.LayerNormalization()(x))
        x = L.GlobalMaxPooling1D()(L.PReLU()(x))
        return k.Model(i, L.Dense(5, activation="softmax")(x))
    yield "sequence", sequence, (4, 16, 12)

    def image(k):
        L = k.layers
        i = k.Input((16, 16, 4))
        x = L.DepthwiseConv2D(3, depth_multiplier=2)(i)
        x = L.Conv2DTranspose(8, 3, strides=2, padding="same")(x)
        x = L.UpSampling2D(2, interpolation="bilinear")(L.AveragePooling2D(3, 2, "same")(x))
        x = L.Cropping2D(1)(L.ZeroPadding2D(2)(x))
        x = L.UnitNormalization()(L.SpectralNormalization(L.Conv2D(8, 3, groups=2))(x))
        x = L.Resizing(9, 11, interpolation="bicubic")(x)
        return k.Model(i, L.Dense(3)(L.GlobalAveragePooling2D()(L.GroupNormalization(2)(x))))
    yield "image", image, (4, 16, 16, 4)


def add_keras():
    for i, (name, make, shape) in enumerate(keras_models()):
        def build(m, make=make, shape=shape):
            return keras_model(m, make, m.r(*shape))
        model("lib_keras_" + name, mesh=["2x4", "8", "2x2x2"][i % 3] if shape[0] % 8 == 0 else ["2x4", "2x2x2"][i % 2], rtol=5e-3, atol=5e-4)(build)


add_keras()


# --- Hugging Face ---

def hugging():
    import transformers as t
    clip = jnp.clip  # the library uses names that JAX has dropped
    jnp.clip = lambda x, min=None, max=None, a_min=None, a_max=None: clip(x, min if a_min is None else a_min,
                                                                          max if a_max is None else a_max)
    small = dict(vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                 max_position_embeddings=64)
    yield "gpt2", lambda: t.FlaxGPT2LMHeadModel(t.GPT2Config(vocab_size=96, n_embd=32, n_layer=2, n_head=4, n_positions=64, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0)), "ids"
    yield "gptj", lambda: t.FlaxGPTJForCausalLM(t.GPTJConfig(vocab_size=96, n_embd=32, n_layer=2, n_head=4, n_positions=64, rotary_dim=4)), "ids"
    yield "gptneo", lambda: t.FlaxGPTNeoForCausalLM(t.GPTNeoConfig(vocab_size=96, hidden_size=32, num_layers=2, num_heads=4, window_size=8, max_position_embeddings=64, attention_types=[[["global", "local"], 1]])), "ids"
    yield "llama", lambda: t.FlaxLlamaForCausalLM(t.LlamaConfig(**small, num_key_value_heads=2)), "ids"
    yield "mistral", lambda: t.FlaxMistralForCausalLM(t.MistralConfig(**small, num_key_value_heads=2, sliding_window=8)), "ids"
    yield "gemma", lambda: t.FlaxGemmaForCausalLM(t.GemmaConfig(**small, num_key_value_heads=1, head_dim=16)), "ids"
    yield "bert", lambda: t.FlaxBertForMaskedLM(t.BertConfig(**small)), "ids"
    yield "roberta", lambda: t.FlaxRobertaForSequenceClassification(t.RobertaConfig(**small)), "ids"
    yield "electra", lambda: t.FlaxElectraForTokenClassification(t.ElectraConfig(**small, embedding_size=16)), "ids"
    yield "albert", lambda: t.FlaxAlbertForQuestionAnswering(t.AlbertConfig(**small, embedding_size=16)), "ids"
    yield "distilbert", lambda: t.FlaxDistilBertForMaskedLM(t.DistilBertConfig(vocab_size=96, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64)), "ids"
    yield "bloom", lambda: t.FlaxBloomForCausalLM(t.BloomConfig(vocab_size=96, hidden_size=32, n_layer=2, n_head=4)), "ids"
    yield "opt", lambda: t.FlaxOPTForCausalLM(t.OPTConfig(vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64, max_position_embeddings=64, word_embed_proj_dim=32)), "ids"
    yield "xglm", lambda: t.FlaxXGLMForCausalLM(t.XGLMConfig(vocab_size=96, d_model=32, num_layers=2, attention_heads=4, ffn_dim=64, max_position_embeddings=64)), "ids"
    yield "roformer", lambda: t.FlaxRoFormerForMaskedLM(t.RoFormerConfig(**small, embedding_size=32)), "ids"
    yield "bigbird", lambda: t.FlaxBigBirdForMaskedLM(t.BigBirdConfig(**small, block_size=4, num_random_blocks=1, attention_type="block_sparse")), "long"
    yield "t5", lambda: t.FlaxT5ForConditionalGeneration(t.T5Config(vocab_size=96, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0)), "seq2seq"
    yield "longt5", lambda: t.FlaxLongT5ForConditionalGeneration(t.LongT5Config(vocab_size=96, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0, local_radius=5, global_block_size=4, encoder_attention_type="transient-global")), "seq2seq"
    yield "bart", lambda: t.FlaxBartForConditionalGeneration(t.BartConfig(vocab_size=96, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=64)), "seq2seq"
    yield "vit", lambda: t.FlaxViTForImageClassification(t.ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=16, patch_size=4)), "image"
    yield "beit", lambda: t.FlaxBeitForImageClassification(t.BeitConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=16, patch_size=4, use_relative_position_bias=True)), "image"
    yield "resnet", lambda: t.FlaxResNetForImageClassification(t.ResNetConfig(embedding_size=8, hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1])), "image"
    yield "regnet", lambda: t.FlaxRegNetForImageClassification(t.RegNetConfig(embedding_size=8, hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1], groups_width=8)), "image"
    yield "wav2vec2", lambda: t.FlaxWav2Vec2ForCTC(t.Wav2Vec2Config(vocab_size=32, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, conv_dim=(16, 16), conv_stride=(5, 2), conv_kernel=(10, 3), num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, feat_extract_norm="layer", do_stable_layer_norm=True)), "audio"
    yield "whisper", lambda: t.FlaxWhisperForConditionalGeneration(t.WhisperConfig(vocab_size=96, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_source_positions=16, max_target_positions=32, num_mel_bins=8, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)), "whisper"


def add_hugging():
    try:
        import transformers  # noqa: F401
        found = list(hugging())
    except Exception:
        return
    for i, (name, make, kind) in enumerate(found):
        def build(m, make=make, kind=kind):
            net = make()
            params = numpy(net.params)
            batch = 8
            if kind == "ids":
                data = {"input_ids": m.i(94, batch, 24) + 2, "attention_mask": (np.arange(24)[None] < np.array([24, 20, 24, 7, 24, 13, 24, 24])[:, None]).astype(np.int32)}
            elif kind == "long":
                data = {"input_ids": m.i(94, batch, 64) + 2, "attention_mask": np.ones((batch, 64), np.int32)}
            elif kind == "seq2seq":
                data = {"input_ids": m.i(94, batch, 24) + 2, "decoder_input_ids": m.i(94, batch, 10) + 2}
            elif kind == "image":
                data = {"pixel_values": m.r(batch, 3, 16 if name_of(net) != "conv" else 32, 16 if name_of(net) != "conv" else 32)}
            elif kind == "audio":
                data = {"input_values": m.r(batch, 400)}
            else:
                data = {"input_features": m.r(batch, 8, 32), "decoder_input_ids": m.i(94, batch, 10) + 2}

            def f(params, data):
                def loss(p):
                    out = net(**data, params=p, **({} if "OPT" in type(net).__name__ else {"train": False}))
                    first = out[0] if isinstance(out, tuple) else out.to_tuple()[0]
                    return (first.astype(jnp.float32) ** 2).mean(), first
                (value, first), g = jax.value_and_grad(loss, has_aux=True)(params)
                return value, first, g
            return f, (params, data), (cut_weights(m, params), cut_batch(m, data))
        model("lib_hf_" + name, mesh=["2x4", "8", "2x2x2"][i % 3], rtol=5e-3, atol=5e-4)(build)


def name_of(net):
    return "conv" if "ResNet" in type(net).__name__ or "RegNet" in type(net).__name__ else "other"


add_hugging()
