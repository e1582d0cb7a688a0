"""The full-size models on other numbers of nodes: the same programs with meshes, and batches (or sequences), in
proportion, so that each GPU has as many rows as in examples/models. What a node's memory cannot hold has no such entry.

  scaled.py NAME NODES FILE.mlir.gz
"""
import os
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples/models"))

# Model: nodes of its mesh in examples/models, and what else it is modelled on, with why not less.
SIZES = {
    "llama3_8b": (16, [1]),
    "llama3_70b": (64, [8]),      # on one node, parameters and moments alone take 105 GB a GPU
    "gpt3_175b_4l": (8, [1]),
    "gpt2_xl_unrolled": (1, [8]),
    "mixtral_8x7b": (8, [4]),     # on one node 70 GB a GPU, without activations
    "long_context_1m": (16, [1]),
}


def gpt_scanned(g, rng, batch, **cfg):
    import jax
    from jax.sharding import PartitionSpec as P
    params, specs = g.gpt_params(rng, **{**cfg, "L": 1}), g.gpt_tp_specs(1)
    params["h"] = jax.tree.map(lambda w: jax.ShapeDtypeStruct((cfg["L"], *w.shape), w.dtype), params["h"][0])
    specs["h"] = jax.tree.map(lambda spec: P(None, *spec), specs["h"][0], is_leaf=lambda x: isinstance(x, P))

    def loss(p, tokens, labels):
        def layer(x, l):
            y = g.layernorm(x, l["ln1_g"], l["ln1_b"])
            q, k, v = jax.numpy.moveaxis(jax.numpy.einsum("btd,dchk->btchk", y, l["wqkv"].astype(x.dtype)) + l["bqkv"].astype(x.dtype), 2, 0)
            x += jax.numpy.einsum("bthk,hkd->btd", g.attention(q, k, v), l["wo"].astype(x.dtype)) + l["bo"].astype(x.dtype)
            y = g.layernorm(x, l["ln2_g"], l["ln2_b"])
            x += jax.nn.gelu(y @ l["w1"].astype(x.dtype) + l["b1"].astype(x.dtype)) @ l["w2"].astype(x.dtype) + l["b2"].astype(x.dtype)
            return g.shard(x, "data", None, None), None
        x = p["wte"].astype(g.BF16)[tokens] + p["wpe"].astype(g.BF16)
        x = jax.lax.scan(layer, x, p["h"])[0]
        return g.cross_entropy(g.layernorm(x, p["lnf_g"], p["lnf_b"]) @ p["wte"].astype(g.BF16).T, labels)
    rows = g.ids(rng, cfg["V"], batch, cfg["T"])
    return g.training(rng, loss, params, specs, (rows, rows), (P("data"), P("data")))


def build(g, name, nodes):
    """(mesh, function of the generator of shapes)"""
    llama = dict(V=128256, K=128, G=8)
    if name == "llama3_8b":
        return {"fsdp": nodes, "tp": 8}, lambda rng: g._llama_full(rng, 4 * nodes, 8192, D=4096, H=32, F=14336, L=32,
                                                                  **llama)
    if name == "llama3_70b":
        return {"fsdp": nodes, "tp": 8}, lambda rng: g._llama_full(rng, 2 * nodes, 8192, D=8192, H=64, F=28672, L=80,
                                                                  **llama)
    if name == "gpt3_175b_4l":
        cfg = dict(V=51200, T=2048, D=12288, H=96, L=4, F=49152)
        loss = partial(g.gpt_loss, dtype=g.BF16, residual=("data", "model", None))
        return {"data": nodes, "model": 8}, lambda rng: g._gpt_train(rng, g.gpt_tp_specs(4), "data", loss=loss,
                                                                    B=8 * nodes, cfg=cfg)
    if name == "gpt2_xl_unrolled":
        cfg = dict(V=50304, T=1024, D=1600, H=20, L=48, F=6400)
        return {"data": 4 * nodes, "model": 2}, lambda rng: g._gpt_train(
            rng, g.gpt_tp_specs(48), "data", loss=partial(g.gpt_loss, dtype=g.BF16), B=32 * nodes, cfg=cfg)
    if name == "gpt2_xl_scanned":
        return {"data": 4 * nodes, "model": 2}, lambda rng: gpt_scanned(g, rng, 32 * nodes, V=50304, T=1024, D=1600, H=20, L=48, F=6400)
    if name == "mixtral_8x7b":
        def mixtral(rng):
            fn, args, ins, outs = g.mixtral_8x7b(rng)
            return fn, (*args[:-2], *(g.ids(rng, 32000, 8 * nodes, 4096),) * 2), ins, outs
        return {"data": nodes, "expert": 8}, mixtral
    if name == "long_context_1m":
        def long_context(rng):
            fn, args, ins, outs = g.long_context_1m(rng)
            return fn, (args[0], *(g.ids(rng, 128256, 1, (1 << 16) * nodes),) * 2), ins, outs
        return {"sp": nodes, "tp": 8}, long_context
    raise KeyError(name)


def write(name, nodes, path):
    import gzip
    import generate as g
    mesh, make = build(g, name, nodes)
    fn, args, ins, outs = make(g.ShapeRng())
    donate = () if name == "long_context_1m" else (0, 1, 2)
    case = g.Case(name, fn, args, ins, outs, mesh, "", 0, 0, 0, donate=donate)
    with g.sharded(case) as lowered:
        Path(path).write_bytes(gzip.compress(lowered.as_text().encode(), 6, mtime=0))


if __name__ == "__main__":
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=512"
    write(sys.argv[1], int(sys.argv[2]), sys.argv[3])
