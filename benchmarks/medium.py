"""Medium-sized models, where computing dominates: GPT, Llama, FSDP, MoE and
ResNet training steps, and a long chain of elementwise ops, softmax and norms.

Not stored: `bench.py` exports them when it runs. Same harness and layers as
examples/models/generate.py, larger shapes, random inputs.
"""
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples" / "models"))
import generate as g
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec as P

MEDIUM = {}
medium = partial(g.model, registry=MEDIUM)

GPT = dict(V=4096, T=128, D=384, H=8, L=4, F=1536)
LLAMA = dict(V=4096, D=384, H=8, G=4, K=48, F=1024, L=4)


@medium("GPT-2 training step, data x tensor parallel", {"data": 2, "model": 4}, donate=(0, 1, 2))
def gpt_train(rng):
    return g._gpt_train(rng, {**g.gpt_tp_specs(GPT["L"])}, "data", L=GPT["L"], cfg=GPT)


@medium("the same, ZeRO-3", {"data": 8}, donate=(0, 1, 2))
def gpt_fsdp(rng):
    def spec(w):
        dim = next((i for i, n in enumerate(w.shape) if n % 8 == 0), None)
        return P() if dim is None else P(*[None] * dim, "data")
    specs = jax.tree.map(spec, g.gpt_params(np.random.default_rng(0), **GPT))
    return g._gpt_train(rng, specs, "data", L=GPT["L"], cfg=GPT)


@medium("Llama training step: scan over layers, remat, f32, fsdp x tp", {"fsdp": 4, "tp": 2}, donate=(0, 1, 2))
def llama_train(rng):
    p = g.llama_params(rng, **LLAMA)
    batch = (g.ids(rng, LLAMA["V"], 8, 128), g.ids(rng, LLAMA["V"], 8, 128))
    return g.training(rng, g.llama_loss, p, g.llama_specs(), batch, (P("fsdp"), P("fsdp")))


@medium("mixture of experts, top-2, einsum dispatch; loss and grads", {"expert": 8})
def moe(rng):
    D, F, E, T = 256, 512, 8, 128
    args = (dict(gate=g.normal(rng, D, E), w1=g.normal(rng, E, D, F, scale=D ** -.5),
                 w2=g.normal(rng, E, F, D, scale=F ** -.5)),
            g.normal(rng, 8, T, D, scale=1), g.normal(rng, 8, T, D, scale=1))

    def loss(p, x, target):
        y, aux = g.moe_ffn(x, p["gate"], p["w1"], p["w2"], capacity=T // 4)
        return jnp.square(y - target).mean() + aux
    specs = dict(gate=P(), w1=P("expert"), w2=P("expert"))
    return jax.value_and_grad(loss), args, (specs, P("expert"), P("expert")), (P(), specs)


@medium("ResNet with batch norm, data parallel; loss and grads", {"data": 8})
def resnet(rng):
    def conv(x, w, stride=1):
        return lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def norm(x, p):
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        return (x - mean) * lax.rsqrt(var + 1e-5) * p["g"] + p["b"]

    def loss(p, x, labels):
        x = jax.nn.relu(norm(conv(x, p["stem"]), p["n"]))
        for b in p["blocks"]:
            stride = 2 if "skip" in b else 1
            y = jax.nn.relu(norm(conv(x, b["w1"], stride), b["n1"]))
            y = norm(conv(y, b["w2"]), b["n2"])
            x = jax.nn.relu(y + (conv(x, b["skip"], stride) if "skip" in b else x))
        return g.cross_entropy(x.mean((1, 2)) @ p["head"], labels)
    w = lambda k, i, o: g.normal(rng, k, k, i, o, scale=(k * k * i) ** -.5)
    bn = lambda c: dict(g=g.full(rng, 1, c), b=g.full(rng, 0, c))

    def block(i, o):
        d = dict(w1=w(3, i, o), w2=w(3, o, o), n1=bn(o), n2=bn(o))
        return d | (dict(skip=w(1, i, o)) if i != o else {})
    p = dict(stem=w(3, 3, 32), n=bn(32), blocks=[block(32, 32), block(32, 64), block(64, 64), block(64, 128)],
             head=g.normal(rng, 128, 10))
    return jax.value_and_grad(loss), (p, g.normal(rng, 16, 32, 32, 3, scale=1), g.ids(rng, 10, 16)), \
        (P(), P("data"), P("data")), (P(), P())


@medium("16 x (elementwise, softmax, layer norm) on 2048 x 1024", {"data": 8})
def norm_chain(rng):
    def f(x, gain, bias):
        for _ in range(16):
            x = x + jax.nn.softmax(jax.nn.gelu(x) * 1.5 + 0.25, -1)
            x = g.layernorm(x, gain, bias)
        return x
    return f, (g.normal(rng, 2048, 1024, scale=1), g.full(rng, 1, 1024), g.full(rng, 0, 1024)), \
        (P("data"), P(), P()), P("data")


@medium("GPT-2 training step, tensor and sequence parallel", {"data": 2, "model": 4}, donate=(0, 1, 2))
def gpt_tp_sp(rng):
    return g._gpt_train(rng, g.gpt_tp_specs(GPT["L"]), "data", cfg=GPT,
                        loss=partial(g.gpt_loss, residual=("data", "model", None)))
