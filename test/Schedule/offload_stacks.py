"""Stacks that a scan keeps for its gradient, or for another scan, go to the memory of the host and come back row by row: the same
numbers, on all ranks, over a link that is as fast as memory, over a slow one, and on the stand-in of CUDA; not where there is
nothing to gain.

offload_stacks.py BUILD"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

build = Path(sys.argv[1])
ROWS, WIDTH = 256, 32
mesh = Mesh(np.array(jax.devices()[:4]).reshape(2, 2), ("data", "tp"))
rng = np.random.default_rng(0)
SAYS = "stacks go to the memory of the host"


def layer(x, w):
    """Keeps several rows of different sizes for its gradient."""
    return x + jnp.tanh(x @ w["a"]) @ w["b"]


def scanned(weights, x, body=layer):
    return (lax.scan(lambda x, w: (body(x, w), None), x, weights)[0].astype(jnp.float32) ** 2).mean()


def checkpointed(weights, x):
    """Keeps the layers' inputs."""
    return scanned(weights, x, jax.checkpoint(layer))


def nested(weights, x):
    """Parts of the batch, each through all layers: the stacks are within a loop's body."""
    def step(total, part):
        value, gradient = jax.value_and_grad(scanned)(weights, part)
        return (total[0] + value, jax.tree.map(jnp.add, total[1], gradient)), None
    return lax.scan(step, (0.0, jax.tree.map(jnp.zeros_like, weights)), x.reshape(3, ROWS, WIDTH))[0]


def onwards(weights, x):
    """The second scan reads what the first one made, in the same order."""
    last, rows = lax.scan(lambda x, w: (layer(x, w), x @ w["a"]), x, weights)
    return lax.scan(lambda y, row: (jnp.tanh(y + row) * 0.5, None), last @ weights["a"][0], rows)[0]


def backwards(weights, x):
    """The same from the last row on, which is made last."""
    last, rows = lax.scan(lambda x, w: (layer(x, w), jnp.tanh(layer(x, w) @ w["a"])), x, weights)
    return lax.scan(lambda y, row: (jnp.tanh(y + row) * 0.5, None), last @ weights["a"][0], rows, reverse=True)[0]


def sharded(*spec):
    return NamedSharding(mesh, P(*spec))


def run_case(name, function, layers, dtype=np.float32, moved=True, parts=1):
    weights = {"a": (rng.standard_normal((layers, WIDTH, 4 * WIDTH), np.float32) / 6).astype(dtype),
               "b": (rng.standard_normal((layers, 4 * WIDTH, WIDTH), np.float32) / 12).astype(dtype)}
    x = rng.standard_normal((parts * ROWS, WIDTH), np.float32).astype(dtype)
    step = jax.value_and_grad(function) if function in (scanned, checkpointed) else function
    text = jax.jit(step, in_shardings=({"a": sharded(None, None, "tp"), "b": sharded(None, "tp", None)},
                                       sharded("data") if parts == 1 else sharded(None))).lower(weights, x).as_text()
    want = [np.asarray(v).astype(np.float32) for v in jax.tree.leaves(jax.jit(step)(weights, x))]
    store = (lambda a: a.view("V2")) if dtype == ml_dtypes.bfloat16 else (lambda a: a)
    with tempfile.TemporaryDirectory() as folder:
        def path(name):
            return Path(folder) / name
        path("m.mlir").write_text(text)
        np.savez(path("in.npz"), arg0=store(weights["a"]), arg1=store(weights["b"]), arg2=store(x))
        path("h.json").write_text('{"name": "box", "base": "dgx-h100", "host_link": {"bytes_per_second": 1e13, "latency": 1e-9}}')

        def made(*options, **environment):
            said = subprocess.run([build / "bin/shoal-compile", path("m.mlir"), "-o", path("m.so"), f"--report={path('r.json')}", "--remarks",
                                   f"--hardware={path('h.json')}", *options],
                                  check=True, capture_output=True, text=True, env=dict(os.environ, **environment)).stderr
            return json.loads(path("r.json").read_text()), said

        def check(what, *options, **environment):
            said = subprocess.run([build / "bin/shoal-run", path("m.so"), f"--input={path('in.npz')}", f"--output={path('out.npz')}", *options],
                                  check=True, capture_output=True, text=True, env=dict(os.environ, SHOAL_TEST_POISON="1", **environment)).stderr
            assert "misuse" not in said, said
            with np.load(path("out.npz")) as got:
                for i, value in enumerate(want):
                    mine = got[f"out{i}"]
                    mine = mine.view(ml_dtypes.bfloat16).astype(np.float32) if mine.dtype.kind == "V" else mine
                    close = 3e-2 if dtype != np.float32 else 2e-4
                    np.testing.assert_allclose(mine, value, rtol=close, atol=close * max(np.abs(value).max(initial=0), 0.1), err_msg=f"{name}, {what}, out{i}")

        whole, said = made()
        assert SAYS not in said, said
        peak = whole["peak_bytes_per_device"]
        fired = []
        for percent in (90, 75, 60, 45) if moved else (75,):
            if len(fired) == 2:
                break
            report, said = made(f"--memory-limit={peak * percent // 100}")
            check(f"{percent} %")
            if SAYS in said:
                fired.append(percent)
                assert report["peak_bytes_per_device"] < peak and report["peak_host_bytes_per_device"] > 0, report
                check("over a slow link", "--emulate-links=@host:0.2:30")
            print(f"{name}: {percent} % of {peak}: peak {report['peak_bytes_per_device']}, by the host {report['peak_host_bytes_per_device']}, "
                  f"{'moved' if SAYS in said else 'not moved'}")
        assert bool(fired) == moved, (name, said)
        if not moved:
            return
        limit = f"--memory-limit={peak * fired[0] // 100}"
        emulated = dict(SHOAL_TEST_EMULATE="cpu", SHOAL_CUDA_LIBRARY=str(build / "test/Emulator/libcuda.so.1"),
                        SHOAL_NCCL_LIBRARY=str(build / "test/Emulator/libnccl.so.2"))
        if name in ("scanned", "backwards"):
            report, said = made(limit, "--target=cuda", **emulated)
            check("on the stand-in of CUDA", "--target=cuda", **emulated)
            print(f"{name}: on the stand-in of CUDA {'moved' if SAYS in said else 'not moved'}")
        report, said = made(limit, "--offload=none")
        assert SAYS not in said and report["peak_host_bytes_per_device"] == 0, said
        # Nothing else than what is asked for: copies that take as long as a step.
        path("h.json").write_text('{"name": "box", "base": "dgx-h100", "host_link": {"bytes_per_second": 1e5, "latency": 1e-1}}')
        report, said = made(limit)
        assert SAYS not in said and report["peak_host_bytes_per_device"] == 0, said


run_case("scanned", scanned, 8)
run_case("checkpointed", checkpointed, 24)
run_case("bfloat16", scanned, 8, dtype=ml_dtypes.bfloat16)
run_case("nested", nested, 8, parts=3)
run_case("onwards", onwards, 8)
run_case("backwards", backwards, 8)
for layers in (0, 1, 2):
    run_case(f"{layers} layers", scanned, layers, moved=False)
