#!/usr/bin/env python3
"""Models as others write them: exported from JAX with shardings, compiled and
run by shoal-run on all ranks and on one device, compared with JAX.

  run_models.py [--ci] [--only REGEX] [--out DIR] [--reuse] [--stablehlo]
                [--random SEED] [NAME…]

Per model: ok or what is wrong, bytes sent per device and step, seconds on all
ranks and on one device. Exit 1 when a model is wrong. --stablehlo also prints
the partitioned module as StableHLO and runs that with JAX. --random: another
mesh, and random shardings on arguments, results and wherever the model has a
constraint.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
os.environ["JAX_PLATFORMS"] = "cpu"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

parser = argparse.ArgumentParser()
parser.add_argument("names", nargs="*")
parser.add_argument("--ci", action="store_true", help="the sample of the test suite")
parser.add_argument("--only", default="")
parser.add_argument("--out", default=str(HERE.parent.parent / "build" / "models"))
parser.add_argument("--reuse", action="store_true", help="keep what is exported already")
parser.add_argument("--stablehlo", action="store_true")
parser.add_argument("--random", type=int)
parser.add_argument("--shoal-run", default=str(HERE.parent.parent / "build" / "bin" / "shoal-run"))
parser.add_argument("--timeout", type=float, default=120)
parser.add_argument("--modules", default="language,training,optimizers,vision,sequence,assorted,manual")
options = parser.parse_args()
out = Path(options.out)
out.mkdir(parents=True, exist_ok=True)


def load():
    import importlib
    for name in options.modules.split(","):
        importlib.import_module(name)
    import common
    return common.REGISTRY


def export(name, entry):
    import jax
    import numpy as np
    from jax._src.tree_util import broadcast_prefix
    from jax.sharding import NamedSharding
    from jax.sharding import PartitionSpec as P
    from common import Builder

    build = Builder(name, entry["mesh"])
    fn, args, specs = entry["build"](build)
    if options.random is not None:
        return export_random(name, entry, build, fn, args)
    leaves, tree = jax.tree.flatten(args)
    specs = broadcast_prefix(tuple(specs), tuple(args), is_leaf=lambda s: isinstance(s, P))
    shardings, even = [], True
    for leaf, spec in zip(leaves, specs):
        spec = P(*tuple(spec)[:np.ndim(leaf)])
        for size, axes in zip(np.shape(leaf), spec):
            axes = (axes,) if isinstance(axes, str) else axes or ()
            even &= size % int(np.prod([build.mesh.shape[a] for a in axes])) == 0
        shardings.append(NamedSharding(build.mesh, spec))
    jax.config.update("jax_use_shardy_partitioner", entry["partitioner"] == "shardy")
    if even:
        jitted = jax.jit(fn, in_shardings=jax.tree.unflatten(tree, shardings), keep_unused=True)
    else:
        def constrained(*args):
            flat = [jax.lax.with_sharding_constraint(x, s) for x, s in zip(jax.tree.leaves(args), shardings)]
            return fn(*jax.tree.unflatten(tree, flat))
        jitted = jax.jit(constrained, keep_unused=True)
    path = out / f"{name}.mlir"
    if entry["bytecode"]:
        import jax.export
        path.write_bytes(jax.export.export(jitted)(*args).mlir_module_serialized)
    else:
        path.write_text(jitted.lower(*args).as_text())
    jax.config.update("jax_use_shardy_partitioner", True)
    save_values(name, entry, build, fn, args)
    return path


def save_values(name, entry, build, fn, args):
    """The arguments, and what JAX makes of them on one device."""
    import jax
    import numpy as np

    def raw(a):
        a = np.asarray(a)
        return a if a.dtype.kind in "biufc" and a.dtype.name in np.sctypeDict else a.view(f"V{a.dtype.itemsize}")
    build.sharded = bool(entry["reference"])
    # A function of its own: the trace with constraints must not be reused.
    want = jax.tree.leaves(jax.jit(lambda *args: fn(*args))(*args))
    np.savez(out / f"{name}.in.npz", **{f"arg{i}": raw(a) for i, a in enumerate(jax.tree.leaves(args))})
    np.savez(out / f"{name}.out.npz", **{f"out{i}": raw(a) for i, a in enumerate(want)})


def export_random(name, entry, build, fn, args):
    """The same program and values, sharded at random."""
    import random
    import jax
    import numpy as np
    from jax.sharding import Mesh, NamedSharding
    from jax.sharding import PartitionSpec as P
    if not (out / f"{name}.out.npz").exists():
        save_values(name, entry, build, fn, args)
        build.sharded = True
    rng = random.Random(f"{name} {options.random}")
    sizes = rng.choice([(2, 2), (2, 4), (8,), (3, 2), (2, 2, 2)])
    names = "xyz"[:len(sizes)]
    mesh = Mesh(np.array(jax.devices()[:np.prod(sizes)]).reshape(sizes), tuple(names))

    def constrain(x, *_):
        shape = np.shape(x)
        if rng.random() < 0.15 or not shape or 0 in shape:
            return x
        dims = [[] for _ in shape]
        for axis in rng.sample(names, len(names)):
            if rng.random() < 0.75:
                d = rng.randrange(len(shape))
                if shape[d] > 1:
                    dims[d].append(axis)
        return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, P(*[tuple(d) or None for d in dims])))
    build.c = constrain
    gspmd = entry["partitioner"] != "shardy" or rng.random() < 0.1
    jax.config.update("jax_use_shardy_partitioner", not gspmd)
    lowered = jax.jit(lambda *a: jax.tree.map(constrain, fn(*jax.tree.map(constrain, a))), keep_unused=True).lower(*args)
    jax.config.update("jax_use_shardy_partitioner", True)
    (out / f"{name}.r{options.random}.mlir").write_text(lowered.as_text())
    return "x".join(map(str, sizes))


def run(command):
    start = time.time()
    try:
        p = subprocess.run(command, capture_output=True, text=True, timeout=options.timeout,
                           env=dict(os.environ, SHOAL_TEST_POISON="1"))
        text = (p.stderr + p.stdout).strip()
        code = p.returncode
    except subprocess.TimeoutExpired:
        code, text = "timeout", ""
    return code, text, time.time() - start


def check(name, entry, mesh):
    path = out / (f"{name}.mlir" if options.random is None else f"{name}.r{options.random}.mlir")
    base = [options.shoal_run, str(path), f"--input={out}/{name}.in.npz", f"--check={out}/{name}.out.npz",
            f"--rtol={entry['rtol']}", f"--atol={entry['atol']}"]
    report = out / f"{name}.report.json"
    problems = []
    code, text, ranks = run(base + [f"--report={report}"])
    sent = "-"
    if code == 0:
        totals = json.loads(report.read_text())["totals"]
        sent = f"{totals['bytes_sent_per_device']:,} in {totals['collective_count']}"
    else:
        problems.append(("ranks", code, text))
    gathers = text.count("remark:") if code == 0 else 0
    single = 0
    if options.random is None:
        code, text, single = run(base + ["--single-device"])
        if code:
            problems.append(("single", code, text))
    if options.stablehlo and not problems:
        module = out / f"{name}.stablehlo.mlir"
        compiler = options.shoal_run.replace("shoal-run", "shoal-compile")
        code, text, _ = run([compiler, str(path), "--compile-to=partitioned", "--emit=stablehlo", "-o", str(module)])
        if not code:
            code, text, _ = run([sys.executable, str(HERE.parent / "Partition" / "run_with_jax.py"), str(module),
                                 f"--input={out}/{name}.in.npz", f"--check={out}/{name}.out.npz",
                                 f"--rtol={max(entry['rtol'], 1e-3)}", f"--atol={max(entry['atol'], 1e-4)}"])
        if code:
            problems.append(("stablehlo", code, text))
    print(f"{'FAIL' if problems else 'ok  '} {path.stem:34} {mesh:6} sent {sent:>22}  {ranks:5.1f} s {single:5.1f} s"
          + (f"  {gathers} remarks" if gathers else ""), flush=True)
    for kind, code, text in problems:
        lines = [l for l in text.splitlines() if "remark" not in l]
        wrong = [l for l in lines if "error" in l or "check failed" in l] or lines[-3:]
        print(f"     {kind} exit {code}: " + "\n       ".join(l[:300] for l in wrong[:3]), flush=True)
    return not problems


def main():
    registry = load()
    names = options.names or [n for n, e in registry.items()
                              if re.search(options.only, n) and (e["ci"] or not options.ci)]
    bad = []
    for name in names:
        entry = registry[name]
        mesh = entry["mesh"]
        if options.random is not None and entry["reference"]:
            continue  # manual axes are the model's own
        if options.random is not None or not (options.reuse and (out / f"{name}.out.npz").exists()):
            try:
                made = export(name, entry)
                mesh = made if options.random is not None else mesh
            except Exception as error:  # a mistake in the model, not ours
                print(f"????  {name}: JAX: {type(error).__name__}: {str(error)[:600]}", flush=True)
                bad.append(name)
                continue
        if not check(name, entry, mesh):
            bad.append(name)
    print(f"{len(names) - len(bad)} of {len(names)} right" + (f"; wrong: {' '.join(bad)}" if bad else ""))
    sys.exit(1 if bad else 0)


main()
