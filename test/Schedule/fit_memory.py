"""Programs that are made to fit into less memory than they would take: the same numbers, the peak below the limit, and where
nothing makes a program fit, a warning that says by how much.

fit_memory.py BUILD CASE"""
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
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

build, case = Path(sys.argv[1]), sys.argv[2]
LAYERS, ROWS, WIDTH = 6, 512, 32
mesh = Mesh(np.array(jax.devices()[:4]).reshape(2, 2), ("data", "tp"))
rng = np.random.default_rng(0)


def layer(x, w):
    mean = x.mean(-1, keepdims=True)
    h = (x - mean) * lax.rsqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-5)
    return x + jax.nn.gelu(h @ w["a"]) @ w["b"]


def unrolled(weights, x):
    for i in range(LAYERS):
        x = layer(x, jax.tree.map(lambda w: w[i], weights))
    return (x * x).mean()


def scanned(weights, x):
    return (lax.scan(lambda x, w: (layer(x, w), None), x, weights)[0] ** 2).mean()


def accumulated(weights, x):
    """Microbatches, each through unrolled layers: the peak is within a loop's body."""
    def step(total, part):
        return total + unrolled(weights, part), None
    return lax.scan(jax.checkpoint(step), 0.0, x.reshape(2, ROWS // 2, WIDTH))[0]


loss = globals()[case]
weights = {"a": rng.standard_normal((LAYERS, WIDTH, 4 * WIDTH), np.float32) / 6, "b": rng.standard_normal((LAYERS, 4 * WIDTH, WIDTH), np.float32) / 12}
x = rng.standard_normal((ROWS, WIDTH), np.float32)


def step(weights, x):
    value, gradient = jax.value_and_grad(loss)(weights, x)
    return value, jax.tree.map(lambda w, g: w - 0.1 * g, weights, gradient)


def sharded(*spec):
    return NamedSharding(mesh, P(*spec))


text = jax.jit(step, in_shardings=({"a": sharded(None, None, "tp"), "b": sharded(None, "tp", None)}, sharded("data"))).lower(weights, x).as_text()
with tempfile.TemporaryDirectory() as folder:
    def path(name):
        return Path(folder) / name
    path("m.mlir").write_text(text)
    np.savez(path("in.npz"), arg0=weights["a"], arg1=weights["b"], arg2=x)

    def made(*options):
        """The report, the outputs, and what the compiler says."""
        said = subprocess.run([build / "bin/shoal-compile", path("m.mlir"), "-o", path("m.so"), f"--report={path('r.json')}", "--remarks", *options],
                              check=True, capture_output=True, text=True).stderr
        subprocess.run([build / "bin/shoal-run", path("m.so"), f"--input={path('in.npz')}", f"--output={path('out.npz')}"], check=True,
                       env=dict(os.environ, SHOAL_TEST_POISON="1"))
        return json.loads(path("r.json").read_text()), dict(np.load(path("out.npz"))), said

    want = [np.asarray(v) for v in jax.tree.leaves(jax.jit(step)(weights, x))]
    whole, _, _ = made()
    least = whole["peak_bytes_per_device"]
    lowest = None
    for percent in (92, 84, 76, 68, 60, 52):
        limit = whole["peak_bytes_per_device"] * percent // 100
        report, got, said = made(f"--memory-limit={limit}")
        for i, value in enumerate(want):
            np.testing.assert_allclose(got[f"out{i}"], value, rtol=2e-4, atol=2e-5, err_msg=f"{percent} %, out{i}")
        peak = report["peak_bytes_per_device"]
        print(f"limit {limit} ({percent} %): peak {peak}, modelled {report['modelled']['step_s'] * 1e6:.1f} us")
        warned = "more than the limit of" in said and "a device needs" in said
        assert warned == (peak > limit), said
        if peak <= limit:
            assert "again" in said or percent > 90, said
            lowest = percent
    assert lowest and lowest <= {"unrolled": 52, "scanned": 52, "accumulated": 52}[case], lowest
