"""Programs that are made to fit into less memory than they would take: the same numbers, the peak below the limit, and where
nothing makes a program fit, a warning that says by how much.

fit_memory.py BUILD CASE [host]: with `host`, for a machine with a fast link to the memory of its host, where values go and come back
instead; also over an emulated link, and on the stand-in of CUDA."""
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

build, case, host = Path(sys.argv[1]), sys.argv[2], len(sys.argv) > 3
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

    path("h.json").write_text('{"name": "box", "base": "dgx-h100", "host_link": {"bytes_per_second": 1e13, "latency": 1e-9}}')

    def run(*options, **environment):
        said = subprocess.run([build / "bin/shoal-run", path("m.so"), f"--input={path('in.npz')}", f"--output={path('out.npz')}", *options],
                              check=True, capture_output=True, text=True,
                              env=dict(os.environ, SHOAL_TEST_POISON="1", **environment)).stderr
        assert "misuse" not in said, said
        return dict(np.load(path("out.npz")))

    def made(*options, **environment):
        """The report, and what the compiler says."""
        options = [f"--hardware={path('h.json')}", *options] if host else options
        said = subprocess.run([build / "bin/shoal-compile", path("m.mlir"), "-o", path("m.so"), f"--report={path('r.json')}", "--remarks", *options],
                              check=True, capture_output=True, text=True, env=dict(os.environ, **environment)).stderr
        return json.loads(path("r.json").read_text()), said

    def check(got, what):
        for i, value in enumerate(want):
            np.testing.assert_allclose(got[f"out{i}"], value, rtol=2e-4, atol=2e-5, err_msg=f"{what}, out{i}")

    want = [np.asarray(v) for v in jax.tree.leaves(jax.jit(step)(weights, x))]
    whole, _ = made()
    peak = whole["peak_bytes_per_device"]
    lowest, hosted = None, 0
    for percent in (84, 68, 52) if host else (92, 84, 76, 68, 60, 52):
        limit = peak * percent // 100
        report, said = made(f"--memory-limit={limit}")
        check(run(), f"{percent} %")
        now, away = report["peak_bytes_per_device"], report["peak_host_bytes_per_device"]
        print(f"limit {limit} ({percent} %): peak {now}, by the host {away}, modelled {report['modelled']['step_s'] * 1e6:.1f} us")
        warned = "more than the limit of" in said and "a device needs" in said
        assert warned == (now > limit), said
        assert (away > 0) == ("go to the memory of the host" in said), said
        if now <= limit:
            assert "again" in said or "by the host" in said or percent > 90, said
            lowest = percent
            hosted = max(hosted, away)
        if host and away and now <= limit:
            text = subprocess.run([build / "bin/shoal-run", path("m.so"), "--inspect"], check=True, capture_output=True, text=True).stdout
            assert f"host memory {away} bytes" in text and ": host" not in text.split("host memory")[0], text[:300]
            check(run("--emulate-links=@host:0.5:50"), "over an emulated link")
            emulated = dict(SHOAL_TEST_EMULATE="cpu", SHOAL_CUDA_LIBRARY=str(build / "test/Emulator/libcuda.so.1"),
                            SHOAL_NCCL_LIBRARY=str(build / "test/Emulator/libnccl.so.2"))
            report, _ = made(f"--memory-limit={limit}", "--target=cuda", **emulated)
            check(run("--target=cuda", **emulated), "on the stand-in of CUDA")
            print(f"  on the stand-in of CUDA: by the host {report['peak_host_bytes_per_device']}")
            assert report["peak_host_bytes_per_device"] > 0
            report, said = made(f"--memory-limit={limit}", "--offload=none")
            assert report["peak_host_bytes_per_device"] == 0, said
    assert lowest == 52, lowest
    assert not host or hosted > 0.1 * peak, hosted
