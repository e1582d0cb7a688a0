"""Programs with shard_map and several meshes, as JAX prints them with Shardy and without, run by shoal-run.

Usage: jax_programs.py SHOAL_RUN [NAME…]. The expected values are JAX's own, on 8 virtual devices; shoal-run
runs each program on 8 ranks and on one device.
"""
import functools
import os
import subprocess
import sys
import tempfile

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

devices = np.array(jax.devices())
mesh = Mesh(devices.reshape(2, 4), ("x", "y"))
flat = Mesh(devices, ("z",))
shard_map = functools.partial(jax.shard_map, check_vma=False)
programs = []


def program(function):
    programs.append(function)
    return function


@program
def collectives(a, b):
    def body(u):
        index = lax.axis_index(("x", "y")) + 10 * lax.axis_index("y") + 100 * lax.axis_index("x")
        return (lax.psum_scatter(u, "y", scatter_dimension=0, tiled=True), lax.all_gather(u, "y", axis=1, tiled=True),
                lax.all_gather(u, ("x", "y")).sum(0), lax.all_to_all(u, "y", 0, 1, tiled=True), lax.pmax(u, "x"),
                lax.pmin(u, ("x", "y")), index[None].astype(jnp.float32), lax.pmean(u, "x"))
    out = (P(("x", "y")), P("x"), P(), P("x", "y"), P(None, "y"), P(), P(("x", "y")), P(None, "y"))
    return shard_map(body, mesh=mesh, in_specs=P("x", "y"), out_specs=out)(a)


@program
def nested_regions(a, b):
    def inner(v):
        return lax.psum(v, "y") + lax.axis_index("x")

    def outer(u):
        return shard_map(inner, mesh=jax.sharding.get_abstract_mesh(), in_specs=P(None, "y"),
                         out_specs=P(None, None), axis_names={"y"})(jnp.sin(u))
    return shard_map(outer, mesh=mesh, in_specs=P("x", None), out_specs=P("x", None), axis_names={"x"})(a)


@program
def control_flow(a, b):
    def body(u):
        def unfinished(state):
            return lax.psum(jnp.abs(state[0]).sum(), ("x", "y")) > 1.0

        def step(state):
            v = lax.ppermute(state[0], "x", [(0, 1), (1, 0)]) * 0.5
            v = lax.cond(state[1] % 2 == 0, lambda z: z + lax.psum(z, "y") * 0.01, lambda z: z * 0.9, v)
            return v, state[1] + 1
        v, count = lax.while_loop(unfinished, step, (u, 0))
        # Predicates that differ between devices, without collectives.
        w = lax.cond(lax.axis_index("y") > 1, jnp.cos, lambda z: z * 2, u)
        s = lax.switch(lax.axis_index("y"), [lambda z: z, lambda z: -z, lambda z: z * z, lambda z: z + 1], u)
        return v, count[None].astype(jnp.float32), w, s
    out = (P("x", "y"), P(), P("x", "y"), P("x", "y"))
    return shard_map(body, mesh=mesh, in_specs=P("x", "y"), out_specs=out)(a)


@program
def two_meshes(a, b):
    c = lax.with_sharding_constraint(a, NamedSharding(flat, P("z", None)))
    d = lax.with_sharding_constraint(c * 2, NamedSharding(mesh, P("x", "y")))
    return shard_map(lambda u: lax.psum(u, "z"), mesh=flat, in_specs=P("z"), out_specs=P())(d), d


@program
def special_functions(a, b):
    values, indices = lax.top_k(a, 3)
    return (values, indices.astype(jnp.float32), jnp.argsort(a, axis=0).astype(jnp.float32),
            jax.scipy.special.erf(a), jax.nn.gelu(a, approximate=False))


@program
def gradients(a, b):
    def loss(a, b):
        def body(u, v):
            def step(c, _):
                c = lax.ppermute(jnp.tanh(c * v.sum()), "y", [(i, (i + 1) % 4) for i in range(4)])
                return c, lax.psum(c.sum(), "y")
            c, s = lax.scan(step, u, None, length=4)
            return lax.psum((c**2).sum() + s.sum(), ("x", "y"))
        return shard_map(body, mesh=mesh, in_specs=(P("x", "y"), P()), out_specs=P())(a, b)
    return jax.value_and_grad(loss, argnums=(0, 1))(a, b)


def main():
    shoal_run, chosen = sys.argv[1], sys.argv[2:]
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(8, 16)).astype(np.float32), rng.normal(size=(2,)).astype(np.float32)
    shardings = (NamedSharding(mesh, P("x", "y")), NamedSharding(mesh, P()))
    good = True
    with tempfile.TemporaryDirectory() as folder:
        model, inputs, outputs = (os.path.join(folder, n) for n in ("model.mlir", "in.npz", "out.npz"))
        np.savez(inputs, arg0=a, arg1=b)
        for function in programs:
            if chosen and function.__name__ not in chosen:
                continue
            for shardy in (True, False):
                jax.config.update("jax_use_shardy_partitioner", shardy)
                jitted = jax.jit(function, in_shardings=shardings, keep_unused=True)
                with open(model, "w") as file:
                    file.write(jitted.lower(a, b).as_text())
                np.savez(outputs, **{f"out{i}": np.asarray(v) for i, v in enumerate(jax.tree.leaves(jitted(a, b)))})
                for option in ([], ["--single-device"]):
                    done = subprocess.run([shoal_run, model, f"--input={inputs}", f"--check={outputs}", "--rtol=1e-4",
                                           "--atol=1e-4", *option], text=True, capture_output=True)
                    good &= done.returncode == 0
                    print("ok" if done.returncode == 0 else "BAD", function.__name__,
                          "Shardy" if shardy else "GSPMD", *option, (done.stdout + done.stderr).strip(), flush=True)
    print("all agree" if good else "some differ")
    sys.exit(0 if good else 1)


main()
