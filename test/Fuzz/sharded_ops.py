"""Every non-elementwise operation with all its attributes, sharded at random.

  sharded_ops.py [--seeds A:B] [--ops N] [--only NAME…] [--keep DIR] [--forms N] [--big] [--full]

The programs of single_op.py (ops/) with random shardings of arguments and
results over random meshes, uneven everywhere. What they compute on one device
(which single_op.py judges) is what they must compute on ranks, with the forms
that cost chooses and with any forms (SHOAL_TEST_FORMS). A failing instance is
cut out of its program and kept under DIR. Exits 1 when anything failed.
"""
import argparse
import os
import random
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE))
import single_op  # noqa: E402
from runner import Runner, check_seeds  # noqa: E402
from ops.instance import MANTISSA, dense, type_of  # noqa: E402

warnings.simplefilter("ignore")
MESHES = [[("a", 2), ("b", 2)], [("a", 2), ("b", 4)], [("a", 8)], [("a", 3), ("b", 2)], [("a", 2), ("b", 2), ("c", 2)],
          [("a", 4), ("one", 1)]]


def sharding(rng, mesh, shape):
    """A random sharding's text, or None. (Shardy cuts no dimension of size 0.)"""
    dims, rank = [[] for _ in shape], len(shape)
    if not rank or 0 in shape or rng.random() < 0.15:
        return None
    axes = list(mesh)
    rng.shuffle(axes)
    for name, size in axes:
        if rng.random() < 0.2:
            continue
        if size % 4 == 0 and rng.random() < 0.2:
            parts = [f'"{name}":(1)2', f'"{name}":(2){size // 2}']
            rng.shuffle(parts)
            for part in parts[:rng.choice([1, 2])]:
                dims[rng.randrange(rank)].append(part)
        else:
            dims[rng.randrange(rank)].append(f'"{name}"')
    # The parts of an axis in order are the axis; the syntax wants it so.
    dims = [f'{{{", ".join(d)}}}' for d in dims]
    for name, size in mesh:
        dims = [d.replace(f'"{name}":(1)2, "{name}":(2){size // 2}', f'"{name}"') for d in dims]
    return f"#sdy.sharding<@mesh, [{', '.join(dims)}]>"


def sharded_module(instances, seed):
    rng = random.Random(seed)
    mesh = rng.choice(MESHES)
    devices = int(np.prod([s for _, s in mesh]))

    def annotated(shape, dtype):
        s = sharding(rng, mesh, shape)
        return type_of(shape, dtype) + (f" {{sdy.sharding = {s}}}" if s else "")
    # Half of the programs have constants where the others have arguments, as
    # programs that check themselves do; constraints stand in for attributes.
    inside = rng.random() < 0.5
    taken, lines = [], []

    def constrained(name, shape, dtype, to):
        s = sharding(rng, mesh, shape)
        t = type_of(shape, dtype)
        return f"{to} = " + (f"sdy.sharding_constraint {name} {s.removeprefix('#sdy.sharding')} : {t}" if s else f"stablehlo.reshape {name} : ({t}) -> {t}")
    for i in instances:
        for n, t, x in i.args:
            if inside and x.size <= 4096:
                lines.append(f"{n}_k = stablehlo.constant {dense(x, t)} : {type_of(x.shape, t)}")
                lines.append(constrained(f"{n}_k", x.shape, t, n))
                taken.append(n)
        lines += i.lines
    results = [(n, t, s) for i in instances for n, t, s, _ in i.results]
    if inside or rng.random() < 0.3:
        lines += [constrained(n, s, t, f"%out{k}") for k, (n, t, s) in enumerate(results)]
        results = [(f"%out{k}", t, s) for k, (_, t, s) in enumerate(results)]
    # (An argument that is not used stays: there are as many inputs.)
    names = ", ".join(f"{n + '_unused' if n in taken else n}: {annotated(x.shape, t)}" for i in instances for n, t, x in i.args)
    outs = ", ".join(annotated(s, t) for _, t, s in results)
    types = ", ".join(type_of(s, t) for _, t, s in results)
    lines = "\n    ".join(lines)
    functions = "".join(f"  {f}\n" for i in instances for f in i.functions)
    order = ""
    if rng.random() < 0.2:
        ids = list(range(devices))
        rng.shuffle(ids)
        order = f", device_ids={ids}"
    axes = ", ".join(f'"{n}"={s}' for n, s in mesh)
    return (f"module @sharded_ops attributes {{mhlo.num_partitions = {devices} : i32, mhlo.num_replicas = 1 : i32}} {{\n  sdy.mesh @mesh = <[{axes}]{order}>\n"
            f"  func.func public @main({names}) -> ({outs}) {{\n    {lines}\n    return {', '.join(n for n, _, _ in results)} : {types}\n  }}\n{functions}}}\n")


def save_arguments(path, instances):
    np.savez(path, **{f"arg{k}": a for k, a in enumerate(single_op.store(single_op.arrays_of(instances)))})


def differs(got, want, dtype, tolerance):
    if not isinstance(tolerance, tuple):
        if dtype not in MANTISSA or tolerance == "bits":
            return single_op.compare(got, want, tolerance)
    if dtype not in MANTISSA:
        return single_op.compare(got, want, tolerance)
    # Sums in another order: against the largest value there is.
    finite = np.abs(single_op.wide(np.asarray(want)))
    finite = finite[np.isfinite(finite)]
    scale = float(finite.max()) if finite.size else 0.0
    slack = 64 * 2.0 ** -MANTISSA[dtype] * scale
    if MANTISSA[dtype] < 8:
        slack = max(slack, scale)
    return single_op.compare(got, want, (0.0, slack + (tolerance[1] if isinstance(tolerance, tuple) else 0.0)))


def first_difference(instance, got, want):
    for k, ((_, t, _, tolerance), g, w) in enumerate(zip(instance.results, got, want)):
        if difference := differs(g, w, t, tolerance):
            return f"result {k}: {difference}"
    return None


class Checker:
    def __init__(self, args):
        self.args, self.runner = args, Runner(args.shoal_run, 90)
        self.operations = 0

    def execute(self, seed, text, instances, folder, flags=(), forms=None):
        """Results of a program of instances, or None and what went wrong."""
        path, npz, out = (os.path.join(folder, n) for n in ("p.mlir", "in.npz", "out.npz"))
        Path(path).write_text(text)
        save_arguments(npz, instances)
        env = {"SHOAL_TEST_POISON": "1"}
        if seed % 8 and not self.args.full:
            env["SHOAL_TEST_OPT_LEVEL"] = "0"   # (LLVM takes most of the time.)
        if forms is not None:
            env["SHOAL_TEST_FORMS"] = str(forms)
        if trouble := self.runner.run(path, npz, out, *flags, env=env):
            return None, trouble
        with np.load(out) as got:
            results = [r for i in instances for r in i.results]
            return [single_op.load(got[f"out{k}"], t) for k, (_, t, _, _) in enumerate(results)], None

    def keep(self, name, text, instances):
        if not self.args.keep:
            return
        folder = Path(self.args.keep)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.mlir").write_text(text)
        save_arguments(folder / f"{name}.npz", instances)

    def on_one_device(self, seed, instances, folder):
        """What each instance gives there, by its tag; what one device refuses is not for us to say."""
        want, _ = self.execute(seed, single_op.module_of(instances), instances, folder, ["--single-device"])
        single = {}
        for i in instances:
            if want is not None:
                single[i.tag], want = want[:len(i.results)], want[len(i.results):]
                continue
            own, _ = self.execute(seed, single_op.module_of([i]), [i], folder, ["--single-device"])
            if own is not None:
                single[i.tag] = own
        return single

    def check(self, seed):
        """What is wrong with which instances, or ""."""
        args = self.args
        instances = [i for i in single_op.make(seed, args.ops, args.only, args.big) if i.kind not in args.skip]
        problems = []
        with tempfile.TemporaryDirectory() as folder:
            single = self.on_one_device(seed, instances, folder)
            instances = [i for i in instances if i.tag in single]
            for forms in [None, *range(seed * args.forms, (seed + 1) * args.forms)]:
                where = "" if forms is None else f" in forms {forms}"
                together = sharded_module(instances, seed)
                got, trouble = self.execute(seed, together, instances, folder, (), forms)
                for i in instances:
                    if got is not None:
                        text, culprits, why = together, instances, None
                        own, got = got[:len(i.results)], got[len(i.results):]
                    else:
                        text, culprits = sharded_module([i], seed * 1000 + i.tag), [i]
                        own, why = self.execute(seed, text, [i], folder, (), forms)
                    if own is not None:
                        why = first_difference(i, own, single[i.tag])
                    if why:
                        problems.append(f"{i.tag}-{i.kind}{where}: {why}")
                        trouble = None
                        self.keep(f"{seed}-{i.tag}-{i.kind}", text, culprits)
                if trouble:
                    problems.append(f"only together{where}: {trouble}")
                    self.keep(f"{seed}-all", together, instances)
        self.operations += len(instances)
        return "; ".join(problems)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", default="0:50", help="range A:B of seeds")
    p.add_argument("--ops", type=int, default=12, help="instances in a program")
    p.add_argument("--only", nargs="*", help="names of generators to draw from")
    p.add_argument("--skip", nargs="*", default=[], help="names of generators not to draw from")
    p.add_argument("--keep", help="folder for failing instances")
    p.add_argument("--forms", type=int, default=1, help="how often a program is run in any forms")
    p.add_argument("--big", action="store_true", help="shapes of some 10,000 elements, which are cut into chunks and blocks")
    p.add_argument("--full", action="store_true", help="LLVM's full effort for all programs, not for one in eight")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--shoal-run", default=str(TOP / "build" / "bin" / "shoal-run"))
    args = p.parse_args()
    count, failed, checkers = check_seeds(args, Checker, Checker.check, report_every=50)
    print(f"{count} programs, {sum(c.operations for c in checkers)} operations, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
