"""Programs compiled with passes of docs/overlap.md forced on, for random machines.

  overlap.py [--seeds A:B] [--ways N] [--jobs N] [--only FAMILY…] [--from layered|assembled|generated]
             [--models FILE.mlir…] [--keep DIR] [--full]

Per seed one program (layered.py; or assembled.py, fuzz.py's) is compiled in
several ways: for a machine drawn at random (levels of links, mostly so slow
that communication is all that counts), with the program chosen by the
compiler's own search or with random options (all_reduces in halves, batch and exchanges in parts,
products in chunks, reductions over levels, loops pipelined, no combining, no
overlap, any products kept, values and stacks computed again, values kept by the host, any forms, any order of
execution). All ranks must
compute what one device computes. With asynchronous collectives that take as
long as over slow links, now and then.

Prints in how many programs each pass did something. Exits 1 when a result
differs.
"""
import argparse
import json
import random
import re
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE))

import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402
from runner import Runner, check_seeds  # noqa: E402

# What passes say, to the name in the table.
PASSES = [("before the loop", "move-out-of-loops: invariants"), ("once, after the loop", "move-out-of-loops: sums"),
          ("is an all_reduce|all_gathers of one", "simplify: gathers"), ("slice of an all_gather", "simplify: slice of gather"), ("all_reduce is a reduce_scatter", "simplify: slice of sum"),
          ("reduced already|two all_reduces are|two reduce_scatters", "simplify: sums of sums"), ("himself|two permutes|its reverse", "simplify: permutes, exchanges"),
          ("converted (before|after)", "simplify: conversions"), ("only what is needed is sent", "simplify: slices first"), ("after they are joined|on each device first", "simplify: sums joined, or on the device first"),
          ("all_reduces leave shards", "split-all-reduces"), ("parts: one computes", "split-batch"), ("products begin while", "chunk-products after gathers"), ("sums are sent while", "chunk-products before scatters"),
          ("parts, over fast links", "split-levels"), ("iteration ahead", "pipeline-loops: ahead"), ("iteration behind", "pipeline-loops: behind"),
          ("collectives are one", "combine-collectives"), ("order changed", "overlap (not where orders are drawn)"), ("collectives are started", "split-collectives"),
          ("stacks are computed again", "recompute-stacks"), ("values of together .* are computed again", "fit-memory"), ("values of together .* go to the memory of the host", "fit-memory: offload"), ("stacks go to the memory of the host", "recompute-stacks: offload"),
          ("all_reduces in a sum are one|after the reduce_scatter|before the all_gather", "move-reductions"), ("products are kept", "keep-recomputed, by search"), ("forms are chosen by the times", "place-mesh, by search")]


def machine(rng):
    """A random description of a machine."""
    level = rng.choice([[0], [2, 0], [2, 0], [4, 0], [3, 0], [2, 4, 0], [2, 6, 0], [8, 0], [1, 0], [2, 4, 8, 0]])
    speed = 10 ** rng.uniform(5, 11)
    patient = rng.random() < 0.5   # Without latencies parts cost nothing.
    links = []
    for i, devices in enumerate(level):
        links.append({"name": f"l{i}", "bytes_per_second": speed, "latency": 0 if patient else rng.choice([0, 1e-8, 1e-6, 1e-5]), "multicast": rng.random() < 0.3}
                     | ({"devices": devices} if devices else {}))
        speed /= rng.choice([1, 2, 4, 20])
    return {"name": "drawn", "flops_per_second": 10 ** rng.uniform(7, 14), "memory_bytes_per_second": 10 ** rng.uniform(8, 13), "memory_bytes": rng.choice([1e6, 1e9, 8e10]),
            "kernel_latency": rng.choice([0, 0, 1e-8, 2e-6]), "collective_latency": 0 if patient else rng.choice([0, 1e-7, 1e-5]), "links": links,
            "host_link": {"bytes_per_second": 10 ** rng.uniform(7, 15), "latency": rng.choice([0, 0, 1e-8, 1e-5])}}


def draw_way(rng, seed, folder):
    """Options of the compiler, variables of the environment, flags to run with."""
    file = f"{folder}/machine{rng.randrange(10**9)}.json"
    Path(file).write_text(json.dumps(machine(rng)))
    options, env = ["--remarks", f"--hardware={file}"], {}

    def maybe(p, name, values):
        if rng.random() < p:
            options.append(f"--{name}={rng.choice(values)}")
    if rng.random() < 0.2:   # The compiler's search.
        maybe(0.3, "memory-limit", [10**4, 10**5, 10**7])
        maybe(0.2, "overlap", ["blocks"])
    else:
        options += ["--as-given", f"--memory-limit={rng.choice([10**3, 10**4, 10**5, 10**12, 10**12, 10**12])}"]
        maybe(0.3, "chunk-products", "*xyz")
        maybe(0.3, "split-all-reduces", "*xyz")
        maybe(0.25, "split-batch", [2, 4, 3])
        maybe(0.2, "split-exchanges", [2, 4])
        maybe(0.3, "overlap", ["none", "blocks"])
        maybe(0.4, "fit-target", [1, 300, 1000, 3000, 10000, 100000])
        maybe(0.5, "save-stacks", [1, 100, 1000, 10**6, 10**9])
        for k in range(4):
            maybe(0.15, "keep", [k])
        options += [f"--{flag}" for flag, p in (("no-combining", 0.3), ("offload", 0.5), ("offload-stacks", 0.7), ("split-levels", 0.7), ("axis-times", 0.3)) if rng.random() < p]
        if rng.random() < 0.5:
            env["SHOAL_TEST_OFFLOAD_STACKS"] = "1"
        if rng.random() < 0.4:
            env["SHOAL_TEST_CHUNK_PRODUCTS"] = rng.choice("***xyz")
        if rng.random() < 0.35:
            env["SHOAL_TEST_SPLIT_ALL_REDUCES"] = "1"
        if rng.random() < 0.35:
            env["SHOAL_TEST_SPLIT_BATCH"] = rng.choice("2243")
        if rng.random() < 0.35:
            env["SHOAL_TEST_SPLIT_EXCHANGES"] = rng.choice("224")
        if rng.random() < 0.5:
            env["SHOAL_TEST_SCHEDULE"] = str(seed)
        if rng.random() < 0.2:
            env["SHOAL_TEST_FORMS"] = str(seed)
    flags = [f"--emulate-links=*:{rng.choice([0.01, 1])}:{rng.choice([0, 30])}"] if rng.random() < 0.25 else []
    return options, env, flags


def differences(got, want, tolerance=2e-4):
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        g, w = np.atleast_1d(g), np.atleast_1d(w)
        if w.dtype.kind != "f":
            bad = g != w
        else:
            with np.errstate(all="ignore"):
                scale = np.max(np.abs(w[np.isfinite(w)]), initial=0.0)
                bad = ~((np.abs(g - w) <= tolerance * (np.abs(w) + scale) + 1e-6) | (g == w) | (np.isnan(g) & np.isnan(w)))
        if bad.any():
            at = tuple(int(k) for k in np.argwhere(bad)[0])
            return f"out{i} {list(w.shape)}: {int(bad.sum())} wrong, first at {list(at)}: got {g[at]}, want {w[at]}"
    return None


lock = threading.Lock()


def program(args, seed):
    """(text, arguments, family) of a seed."""
    with lock:   # (JAX's settings are those of the process.)
        if args.models:   # By number.
            path = args.models[seed % len(args.models)]
            file = np.load(path.removesuffix(".mlir") + ".in.npz")
            return Path(path).read_text(), [file[f"arg{i}"] for i in range(len(file))], Path(path).stem
        if args.source == "assembled":
            import assembled
            return *assembled.make(seed), "assembled"
        if args.source == "generated":
            import fuzz
            import generate
            text, _, params, _, _ = generate.make(seed)
            return text, fuzz.store(fuzz.inputs(params, seed)), "generated"
        import layered
        return layered.make(seed, args.only)


class Checker:
    def __init__(self, args):
        self.args, self.runner = args, Runner(args.shoal_run, 120)
        self.fired, self.tried = Counter(), Counter()

    def load(self, out):
        with np.load(out) as file:
            arrays = [file[f"out{i}"] for i in range(len(file))]
        return [a.view(ml_dtypes.bfloat16).astype(np.float32) if a.dtype == "V2" else a.astype(np.float32) if a.dtype == np.float16 else a for a in arrays]

    def check(self, seed):
        text, arrays, family = program(self.args, seed)
        # Sums of narrow floats are rounded in another order.
        tolerance = 6e-2 if re.search(r"x(bf16|f16)>", text) else 2e-4
        rng, problem = random.Random(f"ways {seed}"), None
        low = {"SHOAL_TEST_POISON": "1"} | ({} if self.args.full or seed % 8 == 0 else {"SHOAL_TEST_OPT_LEVEL": "0"})
        with tempfile.TemporaryDirectory() as tmp:
            path, npz, out = f"{tmp}/{seed}.mlir", f"{tmp}/in.npz", f"{tmp}/out.npz"
            Path(path).write_text(text)
            np.savez(npz, **{f"arg{i}": a for i, a in enumerate(arrays)})
            problem = self.runner.run(path, npz, out, "--single-device", env=low)
            if problem:
                return self.keep(seed, text, arrays, f"{family}, single device: {problem}", [])
            want = self.load(out)
            for _ in range(self.args.ways):
                options, env, flags = draw_way(rng, seed, tmp)
                env |= low | {"SHOAL_TEST_FAULT": f"delay:{seed}"}
                problem = self.runner.run(path, npz, out, *flags, env=env, options=options)
                said = Path(f"{path}.log").read_text(errors="replace")
                self.tried[family] += 1
                for pattern, name in PASSES:
                    if re.search(f"remark: .*({pattern})", said):
                        self.fired[family, name] += 1
                problem = problem or differences(self.load(out), want, tolerance)
                if problem:
                    options = [o if not o.startswith("--hardware=") else "--hardware=" + Path(o[11:]).read_text() for o in options]
                    return self.keep(seed, text, arrays, f"{family}: {problem}", [env, options, flags])
        return None

    def keep(self, seed, text, arrays, problem, way):
        if self.args.keep:
            folder = Path(self.args.keep)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{seed}.mlir").write_text(text)
            np.savez(folder / f"{seed}.in.npz", **{f"arg{i}": a for i, a in enumerate(arrays)})
            (folder / f"{seed}.txt").write_text(f"{problem}\n{json.dumps(way, indent=1)}\n")
        return f"{problem} {[x for x in way if x] and way[:2]}"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", default="0:100", help="range A:B of seeds")
    p.add_argument("--ways", type=int, default=3, help="compilations of each program")
    p.add_argument("--from", dest="source", default="layered", choices=["layered", "assembled", "generated"])
    p.add_argument("--models", nargs="*", help="files to take programs from, X.mlir with arguments X.in.npz (test/Models exports such), a seed each")
    p.add_argument("--only", nargs="*", help="families of layered.py")
    p.add_argument("--keep", help="folder for failing programs")
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--full", action="store_true", help="LLVM's full effort for all programs, not for one in eight")
    p.add_argument("--table", action="store_true", help="what fired by family, too")
    p.add_argument("--shoal-run", default=str(TOP / "build" / "bin" / "shoal-run"))
    args = p.parse_args()
    count, failed, checkers = check_seeds(args, Checker, Checker.check, report_every=100)
    fired, tried = sum((c.fired for c in checkers), Counter()), sum((c.tried for c in checkers), Counter())
    for name in dict.fromkeys(name for _, name in PASSES):
        total = sum(n for (_, which), n in fired.items() if which == name)
        where = ", ".join(f"{f} {fired[f, name]}/{tried[f]}" for f in sorted(tried) if fired[f, name]) if args.table else ""
        print(f"{name}: {total} of {sum(tried.values())}" + (f" ({where})" if where else ""))
    print(f"{count - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
