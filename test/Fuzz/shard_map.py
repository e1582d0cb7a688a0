"""Programs of jax.shard_map, drawn at random: collectives of all kinds, loops,
branches, nested regions, manual on all axes or on some.

  python test/Fuzz/shard_map.py [--seeds A:B] [--gspmd] [--shoal-run PATH] [--keep DIR]

Each is what JAX prints; Shoal runs it on ranks and on one device (where the
regions are unrolled), and both are compared with JAX on as many host devices.
Exits 1 when one differs or is refused.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402
from jax.sharding import NamedSharding, PartitionSpec as P  # noqa: E402

warnings.simplefilter("ignore")
TOP = Path(__file__).resolve().parent.parent.parent
MESHES = [(2, 2), (2, 4), (8,), (3, 2), (2, 2, 2)]


class Body:
    """A random function of local values, the same each time it is traced."""

    def __init__(self, seed, mesh, manual, depth=0):
        self.seed, self.mesh, self.manual, self.depth = seed, mesh, manual, depth

    def size(self, axes):
        return int(np.prod([self.mesh.shape[a] for a in axes]))

    def spec(self, rng, rank, axes):
        dims = [[] for _ in range(rank)]
        for a in axes:
            dims[rng.randrange(rank)].append(a)
        return P(*[tuple(d) if d else None for d in dims])

    def step(self, rng, values):
        x = rng.choice(values)
        axes = tuple(rng.sample(self.manual, rng.randint(1, len(self.manual))))
        one = rng.choice(self.manual)
        n = self.mesh.shape[one]
        d = rng.randrange(x.ndim)
        kind = rng.choice(["psum", "pmax", "pmin", "gather", "stack", "scatter", "exchange", "permute", "index", "tanh",
                           "dot", "loop", "cond", "nested", "grad", "mean", "scan", "shift", "slice", "roll",
                           "block", "sums"])
        if kind == "psum":
            return lax.psum(x, axes) / self.size(axes)
        if kind == "mean":
            return lax.pmean(x, axes)
        if kind == "pmax":
            return lax.pmax(x, axes)
        if kind == "pmin":
            return lax.pmin(x, one)
        if kind == "gather":
            return lax.all_gather(x, axes if rng.random() < .5 else one, axis=d, tiled=True)
        if kind == "stack" and x.ndim < 4:
            return lax.all_gather(x, one, axis=d)
        if kind == "scatter" and x.shape[d] % n == 0:
            return lax.psum_scatter(x, one, scatter_dimension=d, tiled=True) / n
        if kind == "exchange" and x.shape[d] % n == 0:
            return lax.all_to_all(x, one, split_axis=d, concat_axis=rng.randrange(x.ndim), tiled=True)
        if kind == "permute":
            to = list(range(n))
            rng.shuffle(to)
            return lax.ppermute(x, one, list(enumerate(to))[:rng.randint(1, n)])
        if kind == "shift":
            return lax.ppermute(x, one, [(i, (i + 1) % n) for i in range(n)])
        if kind == "index":
            return x + lax.axis_index(axes if rng.random() < .5 else one).astype(x.dtype)
        if kind == "dot" and x.ndim == 2:
            return x @ jnp.tanh(x).T / 8
        if kind == "slice":
            i = lax.axis_index(one)
            return lax.dynamic_slice_in_dim(x, i, max(1, x.shape[d] // 2), axis=d)
        if kind == "block":  # the own one, of what all have or of what each has, and perhaps back
            what = rng.choice([lambda v: v, lambda v: lax.psum(v, axes), lambda v: lax.all_gather(v, one, axis=d, tiled=True)])(x)
            k = what.shape[d] // n
            if k and what.shape[d] % n == 0:
                own = lax.dynamic_slice_in_dim(what, lax.axis_index(one) * k, k, axis=d)
                return lax.all_gather(own, one, axis=d, tiled=True) if rng.random() < .5 else own
        if kind == "sums":
            return lax.psum(jnp.sin(x), one) / n - lax.pmean(lax.pmean(x, one), axes[0]) + x + lax.psum(x * .25, one)
        if kind == "roll":
            return jnp.roll(x, 1, axis=d)
        if kind == "loop":
            perm = [(i, (i + 1) % n) for i in range(n)]
            return lax.fori_loop(0, rng.randint(1, 3), lambda i, a: a * .5 + lax.ppermute(a, one, perm) * (1 + i), x)
        if kind == "scan":
            return lax.scan(lambda c, r: (c + lax.pmean(r, axes), c * .5), jnp.zeros_like(x[0]), x)[1]
        if kind == "cond":
            return lax.cond(lax.axis_index(one) % 2 == 0, lambda a: jnp.tanh(a), lambda a: a * 2, x)
        if kind == "grad":
            return jax.grad(lambda a: jnp.sum(lax.psum(jnp.tanh(a) * a, one)) / n)(x)
        if kind == "nested" and self.depth == 0:
            free = [a for a in self.mesh.axis_names if a not in self.manual and x.shape[d] % self.mesh.shape[a] == 0]
            if free:
                a = rng.choice(free)
                spec = P(*[a if k == d else None for k in range(x.ndim)])
                body = Body(rng.random(), self.mesh, [a], 1)
                return jax.shard_map(lambda v: body(v)[0], in_specs=(spec,), out_specs=body.out_spec(x), axis_names={a}, check_vma=False)(x)
        return jnp.tanh(x)

    def out_spec(self, like):
        return P(tuple(self.manual))

    def __call__(self, *values):
        rng = random.Random(self.seed)
        values = [v if v.ndim else v[None] for v in values]
        for _ in range(rng.randint(2, 6) if self.depth == 0 else 2):
            y = self.step(rng, values)
            if y.size <= 1 << 14 and y.size:
                values.append(y if y.ndim else y[None])
        return values[-1], rng.choice(values)


def program(seed):
    rng = random.Random(seed)
    shape = rng.choice(MESHES)
    names = ["a", "b", "c"][:len(shape)]
    mesh = jax.make_mesh(shape, names, axis_types=(jax.sharding.AxisType.Auto,) * len(shape))
    manual = names if rng.random() < .5 else rng.sample(names, rng.randint(1, len(names)))
    manual = [n for n in names if n in manual]
    body = Body(rng.random(), mesh, manual)
    data = np.random.default_rng(seed)
    args, specs, shardings = [], [], []
    for _ in range(rng.randint(1, 3)):
        size = rng.choice([(24,), (24, 24), (24, 48)])
        dtype = rng.choice([np.float32, np.float32, np.int32])
        args.append((data.normal(size=size) * 3).astype(dtype).astype(np.float32))
        specs.append(body.spec(rng, len(size), rng.sample(manual, rng.randint(0, len(manual)))))
        shardings.append(NamedSharding(mesh, body.spec(rng, len(size), rng.sample(names, rng.randint(0, len(names))))))
    f = jax.shard_map(body, mesh=mesh, in_specs=tuple(specs), out_specs=(P(tuple(manual)), P(tuple(manual))),
                      axis_names=set(manual), check_vma=False)

    def whole(*xs):
        outs = f(*[jnp.sin(x) if rng_pre else x for x in xs])
        return tuple(o * 2 for o in outs)

    rng_pre = rng.random() < .5
    return jax.jit(whole, in_shardings=tuple(shardings), keep_unused=True), args


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", default="0:20")
    p.add_argument("--shoal-run", default=str(TOP / "build" / "bin" / "shoal-run"))
    p.add_argument("--keep")
    p.add_argument("--gspmd", action="store_true", help="as JAX prints it without Shardy")
    args = p.parse_args()
    temporary = tempfile.TemporaryDirectory()
    folder = Path(args.keep or temporary.name)
    folder.mkdir(parents=True, exist_ok=True)
    passed = failed = skipped = 0
    for seed in range(*map(int, args.seeds.split(":"))):
        try:
            # (XLA's older partitioner aborts on some of these.)
            jax.config.update("jax_use_shardy_partitioner", not args.gspmd)
            f, inputs = program(seed)
            text = f.lower(*inputs).as_text()
            jax.config.update("jax_use_shardy_partitioner", True)
            f, inputs = program(seed)
            want = [np.asarray(x) for x in f(*inputs)]
        except Exception as error:  # noqa: BLE001: what JAX refuses
            skipped += 1
            continue
        path = folder / f"{seed}.mlir"
        path.write_text(text)
        np.savez(folder / f"{seed}.in.npz", **{f"arg{i}": x for i, x in enumerate(inputs)})
        np.savez(folder / f"{seed}.out.npz", **{f"out{i}": x for i, x in enumerate(want)})
        bad = False
        for flags in ([], ["--single-device"]):
            try:
                r = subprocess.run([args.shoal_run, str(path), f"--input={folder}/{seed}.in.npz",
                                    f"--check={folder}/{seed}.out.npz", "--rtol=2e-4", "--atol=2e-4", *flags],
                                   capture_output=True, text=True, timeout=120)
                lines = [x for x in r.stderr.splitlines() if "remark" not in x]
                code = r.returncode
            except subprocess.TimeoutExpired:
                code, lines = "timeout", []
            if code:
                bad = True
                print(f"{seed} {' '.join(flags)}: exit {code}:", "\n    ".join(lines[:3])[:600])
        passed += not bad
        failed += bad
    print(f"{passed} passed, {failed} failed, {skipped} refused by JAX")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
