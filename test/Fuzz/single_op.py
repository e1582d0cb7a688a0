"""Every non-elementwise operation with all its attributes, against JAX.

  single_op.py [--seeds A:B] [--ops N] [--only NAME…] [--keep DIR] [--alone]

A program is N independent instances of random operations (ops/), each checked
by itself; one seed is one program. JAX judges; where it and Shoal differ, or it
refuses the program, the reference of the generator decides, written from the
specification. Both StableHLO's generic form and the one JAX prints are run. A
failing instance is cut out of its program and kept under DIR as NAME.mlir,
NAME.npz and NAME.out.npz. Exits 1 when anything failed.
"""
import argparse
import collections
import functools
import os
import random
import sys
import tempfile
import time
import warnings
from pathlib import Path

import ml_dtypes
import numpy as np

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE))
import ops  # noqa: E402
from judge import Judge  # noqa: E402
from runner import Runner  # noqa: E402
from ops.instance import DTYPES, NOT_XLA, Instance, type_of  # noqa: E402

warnings.simplefilter("ignore")
STORED = {"i2": np.int8, "i4": np.int8, "ui2": np.uint8, "ui4": np.uint8}


def make(seed, count, only, big=False):
    """The instances of a seed's program."""
    rng = random.Random(seed)
    pool = [(g, w) for g, w in ops.GENERATORS if not only or g.__name__.strip("_") in only]
    instances = []
    while len(instances) < count:
        generator = rng.choices([g for g, _ in pool], [w for _, w in pool])[0]
        instance = Instance(rng.getrandbits(40), len(instances), big)
        instance.kind = generator.__name__.strip("_")
        if generator(instance) is not False:
            instances.append(instance)
    return instances


def module_of(instances):
    args = [a for i in instances for a in i.args]
    results = [r for i in instances for r in i.results]
    names = ", ".join(f"{n}: {type_of(x.shape, t)}" for n, t, x in args)
    types = ", ".join(type_of(s, t) for _, t, s, _ in results)
    lines = "\n    ".join(line for i in instances for line in i.lines)
    functions = "".join(f"  {f}\n" for i in instances for f in i.functions)
    return (f"module @single_op {{\n  func.func public @main({names}) -> ({types}) {{\n    {lines}\n"
            f"    return {', '.join(n for n, *_ in results)} : {types}\n  }}\n{functions}}}\n")


def arrays_of(instances):
    return [x for i in instances for _, _, x in i.args]


def store(arrays):
    """As npz files hold them."""
    out = []
    for a in arrays:
        name = {np.dtype(DTYPES[t]): s for t, s in STORED.items()}.get(a.dtype)
        out.append(a.astype(name) if name else a)
    return out


def load(array, dtype):
    want = np.dtype(DTYPES[dtype])
    if dtype in STORED or array.dtype == want:
        return array.astype(want)
    return array.view(want)


@functools.cache
def runner(shoal_run):
    return Runner(shoal_run)


def run_shoal(args, text, instances, folder):
    """(arrays or None, what went wrong)."""
    path, npz, out = (os.path.join(folder, n) for n in ("p.mlir", "in.npz", "out.npz"))
    Path(path).write_text(text)
    np.savez(npz, **{f"arg{k}": a for k, a in enumerate(store(arrays_of(instances)))})
    trouble = runner(args.shoal_run).run(path, npz, out, "--single-device", env={"SHOAL_TEST_POISON": "1"})
    if trouble:
        return None, trouble
    with np.load(out) as got:
        results = [r for i in instances for r in i.results]
        return [load(got[f"out{k}"], t) for k, (_, t, _, _) in enumerate(results)], None


def wide(x):
    if x.dtype.kind in "biu" or x.dtype in [np.dtype(DTYPES[t]) for t in STORED]:
        return x.astype(object)
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def beyond_xla(instance):
    """Types that XLA:CPU takes in some places only."""
    types = {t for _, t, _ in instance.args} | {t for _, t, _, _ in instance.results}
    several = {t for _, t, _, _ in instance.results}
    mixed = instance.kind in ("scatter", "reduce", "reduce_window", "cumulative") and len(several) > 1
    return mixed or types & {"i2", "i4", "ui2", "ui4", "f4E2M1FN", *NOT_XLA}


def compare(got, want, tolerance):
    """None, or the first difference."""
    want = np.asarray(want)
    if got.dtype.itemsize == want.dtype.itemsize and want.dtype.kind == "u":   # XLA's random bits
        want = want.view(got.dtype)
    if got.shape != want.shape:
        return f"shape {got.shape}, want {want.shape}"
    if got.size == 0:
        return None
    parts = [(got, want)] if got.dtype.kind != "c" else [(got.real, want.real), (got.imag, want.imag)]
    bad = np.zeros(got.shape, bool)
    scale = np.abs(wide(want)) if isinstance(tolerance, tuple) else None
    for g, w in parts:
        g, w = wide(g), wide(w)
        if g.dtype == object:
            bad |= (g != w).astype(bool)
            continue
        same = (g == w) | (np.isnan(g) & np.isnan(w))
        if isinstance(tolerance, tuple):
            same |= np.abs(g - w) <= tolerance[1] + tolerance[0] * scale
        elif tolerance == "bits":
            same &= np.isnan(g) | (np.signbit(g) == np.signbit(w))
        bad |= ~same
    if not bad.any():
        return None
    at = tuple(int(x) for x in np.argwhere(bad)[0])
    return f"{int(bad.sum())} of {bad.size} wrong, first at {list(at)}: got {got[at]}, want {want[at]}"


def first_difference(instance, got, want):
    for k, ((_, _, _, tolerance), g, w) in enumerate(zip(instance.results, got, want)):
        d = compare(g, w, tolerance)
        if d:
            return f"result {k}: {d}"
    return None


class Fuzzer:
    def __init__(self, args):
        self.args, self.judge = args, Judge()
        self.kinds, self.notes = collections.Counter(), collections.Counter()
        self.failed = 0

    def expectations(self, instances):
        """What the judge says of each instance; None where it does not."""
        asked = [i for i in instances if i.reference is None or not (i.trust_reference or beyond_xla(i))]
        answers = {}
        # Where it refuses a program, references judge what they can.
        for group in (asked, [i for i in asked if i.reference is None]):
            if not group or self.args.reference and group is asked:
                continue
            good, values = self.judge.ask("run", module_of(group), arrays_of(group))
            if good:
                for i in group:
                    answers[i.tag], values = values[:len(i.results)], values[len(i.results):]
                break
            self.notes["programs the judge refuses"] += 1
            if self.args.verbose:
                print(f"judge refuses: {values[:200]}")
        return answers

    def verdict(self, instance, got, want):
        """None or the difference; the reference has the last word."""
        problem = first_difference(instance, got, want) if want is not None else None
        if (problem or want is None) and instance.reference is not None:
            own = first_difference(instance, got, instance.expected())
            if problem and not own:
                self.notes[f"{instance.kind}: judge differs from the specification"] += 1
                if self.args.verbose:
                    print(f"{instance.kind}: judge differs: {problem}\n{module_of([instance])}")
            return own
        if want is None:
            self.notes[f"{instance.kind}: not judged"] += 1
        return problem

    def check(self, seed):
        instances = make(seed, self.args.ops, self.args.only, self.args.big)
        text = module_of(instances)
        if random.Random(seed).random() < 0.5:
            good, printed = self.judge.ask("print", text)
            if good:
                text = printed
            else:
                print(f"seed {seed}: does not parse there: {printed}", flush=True)
        answers = self.expectations(instances)
        with tempfile.TemporaryDirectory() as folder:
            got, problem = run_shoal(self.args, text, instances, folder)
            for i in instances:
                self.kinds[i.kind] += 1
                if got is None:
                    own, trouble = run_shoal(self.args, module_of([i]), [i], folder) if len(instances) > 1 else (None, problem)
                    if own is not None:
                        trouble = self.verdict(i, own, answers.get(i.tag))
                    self.notes["programs run alone"] += 1
                else:
                    own, got = got[:len(i.results)], got[len(i.results):]
                    trouble = self.verdict(i, own, answers.get(i.tag))
                if trouble:
                    self.report(seed, i, trouble, answers.get(i.tag))
                    problem = None
            if problem:
                self.failed += 1
                print(f"seed {seed}: only together: {problem}", flush=True)
                self.keep(f"{seed}-all", instances, [])

    def report(self, seed, instance, trouble, want):
        self.failed += 1
        name = f"{seed}-{instance.tag}-{instance.kind}"
        print(f"{name}: {trouble}", flush=True)
        if instance.reference is not None:
            want = instance.expected()
        self.keep(name, [instance], want or [])

    def keep(self, name, instances, want):
        if not self.args.keep:
            return
        folder = Path(self.args.keep)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.mlir").write_text(module_of(instances))
        np.savez(folder / f"{name}.npz", **{f"arg{k}": a for k, a in enumerate(store(arrays_of(instances)))})
        np.savez(folder / f"{name}.out.npz", **{f"out{k}": a for k, a in enumerate(store(want))})


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", default="0:50", help="range A:B of seeds")
    p.add_argument("--ops", type=int, default=20, help="instances in a program")
    p.add_argument("--only", nargs="*", help="names of generators to draw from")
    p.add_argument("--keep", help="folder for failing instances")
    p.add_argument("--big", action="store_true", help="shapes of some 10,000 elements, which are cut into chunks and blocks")
    p.add_argument("--reference", action="store_true", help="the generators' references judge, not JAX")
    p.add_argument("--verbose", action="store_true", help="print where JAX differs from the specification")
    p.add_argument("--list", action="store_true", help="print the programs, for test/coverage.py")
    p.add_argument("--shoal-run", default=str(TOP / "build" / "bin" / "shoal-run"))
    args = p.parse_args()
    lo, hi = map(int, args.seeds.split(":"))
    if args.list:
        for seed in range(lo, hi):
            print(module_of(make(seed, args.ops, args.only)) + "// -----")
        return False
    fuzzer, start = Fuzzer(args), time.time()
    for seed in range(lo, hi):
        try:
            fuzzer.check(seed)
        except Exception as e:  # noqa: BLE001: one program less, the others go on
            fuzzer.failed += 1
            print(f"seed {seed}: the fuzzer fails: {type(e).__name__}: {e}", flush=True)
        if seed % 50 == 49:
            print(f"  {seed + 1 - lo} programs in {time.time() - start:.0f} s", file=sys.stderr, flush=True)
    total = sum(fuzzer.kinds.values())
    for note, n in sorted(fuzzer.notes.items()):
        print(f"  {note}: {n}")
    print(f"  {', '.join(f'{k} {n}' for k, n in sorted(fuzzer.kinds.items()))}")
    print(f"{hi - lo} programs, {total} operations in {time.time() - start:.0f} s: {fuzzer.failed} failed")
    return fuzzer.failed > 0


if __name__ == "__main__":
    sys.exit(main())
