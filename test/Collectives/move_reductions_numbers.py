"""Reductions that users spell out in shard_map: the numbers are JAX's, and what is sent is what is left after they met.

move_reductions_numbers.py BUILD"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec as P

build = Path(sys.argv[1])
mesh = jax.make_mesh((2, 4), ("x", "y"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
rng = np.random.default_rng(0)
a, b, c = (rng.standard_normal((2 * 4 * 3, 37), np.float32) for _ in range(3))


def terms(a, b, c):
    """Three reductions over y in one sum, one of them a mean of a transposed value: one all_reduce."""
    return lax.psum(a, "y") - lax.pmean(b.T, "y").T + a[:1] - (c - lax.psum(c * b, "y")), 2 * 3 / 4 * 3 * 37 * 4


def means(a, b, c):
    """Means over both axes, one after the other, of what is reduced along a dimension: 37 numbers over 8 devices."""
    return lax.pmean(lax.pmean(jnp.sin(a), "x"), "y").sum(0, keepdims=True) + b[:1], 2 * 7 / 8 * 37 * 4


def scattered(a, b, c):
    """A sum over x scattered over y: the scatter first."""
    wide = jnp.concatenate([a, b, c, a], 0)
    return lax.psum_scatter(lax.psum(wide, "x"), "y", scatter_dimension=0, tiled=True), 3 / 4 * 12 * 37 * 4 + 2 / 2 * 3 * 37 * 4


def blocks(a, b, c):
    """A block of a sum at the device's index is a reduce_scatter; of what each device has alone, gathered, it is that."""
    s = lax.psum(jnp.tile(a, (4, 16)), "y")
    k = s.shape[0] // 4
    mine = lax.dynamic_slice_in_dim(s, lax.axis_index("y") * k, k, 0)
    wide = jnp.tile(b, (4, 1)) + lax.axis_index("y")
    own = lax.dynamic_slice_in_dim(wide, lax.axis_index("y") * k, k, 0)
    return jnp.concatenate([mine[:, :37], lax.all_gather(own, "y", axis=0, tiled=True)], 0), 3 / 4 * 12 * 16 * 37 * 4 + 3 / 4 * 12 * 37 * 4


bad = 0
for case in (terms, means, scattered, blocks):
    bytes_ = [0]

    def body(a, b, c):
        value, bytes_[0] = case(a, b, c)
        return value

    f = jax.jit(jax.shard_map(body, mesh=mesh, in_specs=(P(("x", "y")),) * 3, out_specs=P(("x", "y")), check_vma=False))
    with tempfile.TemporaryDirectory() as folder:
        model, inputs, expected, report = (Path(folder) / n for n in ("m.mlir", "in.npz", "out.npz", "r.json"))
        model.write_text(f.lower(a, b, c).as_text())
        np.savez(inputs, arg0=a, arg1=b, arg2=c)
        np.savez(expected, out0=np.asarray(f(a, b, c)))
        env = dict(os.environ, SHOAL_TEST_POISON="1")
        subprocess.run([build / "bin/shoal-run", model, f"--input={inputs}", f"--check={expected}", "--rtol=1e-5", "--atol=1e-5",
                        f"--report={report}"], check=True, env=env)
        made = json.loads(report.read_text())
    sent, counted = made["totals"]["bytes_sent_per_device"], made["measured"]["bytes_sent_per_device"]
    print(f"{case.__name__}: {sent} bytes, {bytes_[0]:.0f} wanted, {counted} counted")
    bad += abs(sent - bytes_[0]) > 2 or abs(sent - counted) > 2
sys.exit(bad)
