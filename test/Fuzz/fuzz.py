"""Differential fuzzing: N ranks against one rank and against JAX.

  python test/Fuzz/fuzz.py [--seeds A:B] [--ops N] [--only GENERATOR…] [--keep DIR] [--jobs N] [--full] [--stablehlo N] [--infinite]

Makes one random program with random shardings per seed (generate.py), runs it
on all ranks of its mesh with the forms that cost chooses, and with any forms
(SHOAL_TEST_FORMS) or on a single device. JAX on one CPU device judges, and
where JAX and Shoal differ StableHLO's reference interpreter, or XLA without its
algebraic simplifications. A failing program
is kept under DIR as SEED.mlir, SEED.npz and SEED.out.npz, cut to the shortest
beginning that still fails. One program in eight is compiled with LLVM's full
effort (--full: all, and all ways to run). With --infinite some elements of float
arguments are infinite or zero, and one device is the reference. Seeds from 1,000,000 on give wider programs: more element
types and meshes, manual regions, control flow that depends on data. Exits 1 when anything failed.
"""
import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE))
import generate  # noqa: E402
import program  # noqa: E402
import structure  # noqa: E402
from judge import Judge  # noqa: E402
from ops.instance import DTYPES  # noqa: E402
from runner import Runner, check_seeds  # noqa: E402
from single_op import load, store  # noqa: E402



def inputs(args, seed):
    rng = np.random.default_rng(seed)
    low = [0 if v.dtype.startswith("u") else -4 for v in args]
    return [rng.integers(n, n + 9, v.shape).astype(DTYPES[v.dtype]) for n, v in zip(low, args)]


def infinite(arrays, seed):
    """Some elements of the floats infinite, or zero."""
    rng = np.random.default_rng(seed)
    for a in arrays:
        if a.dtype.kind not in "iub" and a.size:
            n = max(1, a.size // 12)
            a.reshape(-1)[rng.integers(0, a.size, n)] = rng.choice([np.inf, -np.inf, 0.0], n)


def compare(got, want, value):
    if got.shape != want.shape:
        return f"shape {got.shape}, want {want.shape}"
    if value.dtype not in program.EXACT:
        bad = np.asarray(got != want)
    elif value.exact:
        got, want = got.astype(np.float64), want.astype(np.float64)
        bad = ~((got == want) | (np.isnan(got) & np.isnan(want)))
    else:
        digits = 23 if value.dtype == "f32" else 45
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        with np.errstate(invalid="ignore"):
            bad = ~(same | (np.abs(got - want) <= (value.err + 8) * 2.0**-digits * max(1.0, value.bound)))
    if not bad.any():
        return None
    i = tuple(int(x) for x in np.argwhere(bad)[0])
    return f"{int(bad.sum())} of {bad.size} wrong, first at {list(i)}: got {got[i]}, want {want[i]}"


def first_difference(got, want, values):
    for i, (g, w, v) in enumerate(zip(got, want, values)):
        if difference := compare(g, w, v):
            return f"out{i}: {difference}"
    return None


class Checker:
    """One thread's servers, a judge and a runner."""

    def __init__(self, args):
        self.args, self.judge, self.runner = args, Judge(), Runner(args.shoal_run)
        self.exported = Judge(devices=9, without=["algsimp"])   # (It loses initial values of one element's sums.)
        # XLA's simplifications count initial values of reductions of a
        # concatenation, say, several times.
        self.careful = Judge(without=["algsimp"])
        self.by_reference = self.by_xla = self.unjudged = 0

    def ways(self, seed):
        """Name, flags and environment of each way to run."""
        # Padding and fresh buffers hold NaN and -1: nothing may come of them.
        # Ranks arrive at collectives in another order each time. What takes
        # most of the time, LLVM, works hard for a part of the programs only,
        # and of the two other ways each program takes one.
        env = {"SHOAL_TEST_POISON": "1", "SHOAL_TEST_FAULT": f"delay:{seed}"}
        low = dict(env, SHOAL_TEST_OPT_LEVEL="0")
        first = ("ranks", [], env if seed % 8 == 0 or self.args.full else low)
        others = [("ranks, any forms and order", [], dict(low, SHOAL_TEST_FORMS=str(seed), SHOAL_TEST_SCHEDULE=str(seed))), ("single device", ["--single-device"], low)]
        return [first] + (others if self.args.full else [others[seed % 2]])

    def check(self, seed, ops=None):
        """None when all agree, else what went wrong, for the program of a seed."""
        only = None
        for n in self.args.only or []:
            g = getattr(generate, n, None) or getattr(structure, n)
            only = (only or []) + (g if isinstance(g, list) else [g])
        text, plain, params, results, mesh = generate.make(seed, ops, only)
        arrays = inputs(params, seed)
        if self.args.infinite:
            return self.check_infinite(seed, text, arrays, results)
        good, want = self.judge.ask("run", plain, arrays)
        if not good:
            good, other = self.judge.ask("interpret", plain, arrays)
            if not good:
                self.unjudged += 1
                return None
            want = other
        with tempfile.TemporaryDirectory() as tmp:
            path, npz, out = f"{tmp}/{seed}.mlir", f"{tmp}/in.npz", f"{tmp}/out.npz"
            Path(path).write_text(text)
            np.savez(npz, **{f"arg{i}": a for i, a in enumerate(store(arrays))})
            for where, flags, env in self.ways(seed):
                problem = self.runner.run(path, npz, out, *flags, env=env)
                if problem is None:
                    with np.load(out) as file:
                        got = [load(file[f"out{i}"], v.dtype) for i, v in enumerate(results)]
                    problem = first_difference(got, want, results)
                    for judge, task in [(self.judge, "interpret"), (self.careful, "run")] if problem else []:
                        good, other = judge.ask(task, plain, arrays)
                        if good and not first_difference(got, other, results):
                            want, problem = other, None
                            self.by_reference += 1
                            break
                if problem:
                    self.keep(seed, text, arrays, want)
                    return f"{where}: {problem}"
            if self.args.stablehlo and seed % self.args.stablehlo == 0:
                problem = self.run_exported(path, arrays, want, results)
                if problem:
                    self.keep(seed, text, arrays, want)
                    return f"stablehlo: {problem}"
        return None

    def check_infinite(self, seed, text, arrays, results):
        """Ranks, with the forms of cost and with any, against one device."""
        infinite(arrays, seed)
        low, want = {"SHOAL_TEST_POISON": "1", "SHOAL_TEST_OPT_LEVEL": "0"}, None
        with tempfile.TemporaryDirectory() as tmp:
            path, npz, out = f"{tmp}/{seed}.mlir", f"{tmp}/in.npz", f"{tmp}/out.npz"
            Path(path).write_text(text)
            np.savez(npz, **{f"arg{i}": a for i, a in enumerate(store(arrays))})
            for where, flags, env in [("single device", ["--single-device"], low), ("ranks", [], low),
                                      ("ranks, any forms", [], dict(low, SHOAL_TEST_FORMS=str(seed)))]:
                if problem := self.runner.run(path, npz, out, *flags, env=env):
                    return f"{where}: {problem}"
                with np.load(out) as file:
                    got = [load(file[f"out{i}"], v.dtype) for i, v in enumerate(results)]
                want = want or got
                if problem := first_difference(got, want, results):
                    self.keep(seed, text, arrays, want)
                    return f"{where}: {problem}"
        return None

    def run_exported(self, path, arrays, want, results):
        """The partitioned module on JAX's devices: partitioning judged by itself."""
        if problem := self.runner.stablehlo(path, f"{path}.stablehlo"):
            return problem
        good, got = self.exported.ask("partitioned", Path(f"{path}.stablehlo").read_text(), arrays)
        self.by_xla += 1
        return first_difference(got, want, results) if good else f"JAX refuses it: {got}"

    def keep(self, seed, text, arrays, want):
        if not self.args.keep:
            return
        folder = Path(self.args.keep)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{seed}.mlir").write_text(text)
        np.savez(folder / f"{seed}.npz", **{f"arg{i}": a for i, a in enumerate(store(arrays))})
        np.savez(folder / f"{seed}.out.npz", **{f"out{i}": a for i, a in enumerate(store(want))})

    def check_and_reduce(self, seed):
        """As check; a failing program is cut to its shortest failing beginning."""
        problem = self.check(seed, self.args.ops)
        for ops in range(1, self.args.ops or 12) if problem else []:
            if shorter := self.check(seed, ops):
                return f"with --ops {ops}: {shorter}"
        return problem


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", default="0:1000", help="range A:B of seeds")
    p.add_argument("--ops", type=int, help="operations per program; default: 1 to 12 at random")
    p.add_argument("--only", nargs="*", help="names of generators, or of lists of them, to draw from")
    p.add_argument("--keep", help="folder for failing programs")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--full", action="store_true", help="LLVM's full effort and all ways to run")
    p.add_argument("--infinite", action="store_true", help="some arguments' elements infinite or zero; one device judges")
    p.add_argument("--stablehlo", type=int, default=0, metavar="N", help="run every Nth program's partitioned module, printed by --emit=stablehlo, under JAX")
    p.add_argument("--shoal-run", default=str(TOP / "build" / "bin" / "shoal-run"))
    args = p.parse_args()
    count, failed, checkers = check_seeds(args, Checker, Checker.check_and_reduce, report_every=500)
    notes = [(sum(c.by_reference for c in checkers), "where XLA differs, the second judge agrees"), (sum(c.by_xla for c in checkers), "partitioned modules run by JAX"),
             (sum(c.unjudged for c in checkers), "that no judge takes")]
    print("; ".join([f"{count - failed} passed, {failed} failed"] + [f"{text}: {n}" for n, text in notes if n]))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
