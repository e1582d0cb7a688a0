"""Compile time, step time, bytes and memory of Shoal beside JAX/XLA on CPU.

  python benchmarks/bench.py [--models NAME…] [--rounds N] [--steps N] [--out DIR]

Run by `make bench`. Every model is exported from one JAX function; Shoal and XLA
run it on one device and on all devices of its mesh, in this one run: the rounds
of the four alternate, so that a slow moment of the machine meets all of them.
Prints a table (medians, spread in brackets, ratios Shoal / XLA) and writes
bench.json and bench.md. Steps repeat on the same inputs, nothing is donated.

Columns: compile = whole compilation, cold, without JAX's tracing, as wall time
and, in brackets, processor time (which other load changes little); step = median
over all rounds, with least and most; its ratio also of the least times, which
other load changes least; memory = arguments, results and temporaries of one device.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
BIN = TOP / "build" / "bin"
SMALL = ["mlp_tp", "gpt_train_dp_tp", "gpt_train_fsdp", "llama_scan_train_f32", "llama_decode", "vit_dp", "moe_sort",
         "ring_attention", "ulysses", "uneven", "resnet_spatial", "fft_conv"]

EXPORT = """
import os, sys
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
sys.path.insert(0, sys.argv[1])
import medium, jax, numpy as np, generate as g
from pathlib import Path
out, case = Path(sys.argv[2]), {**g.MODELS, **medium.MEDIUM}[sys.argv[3]]()
with g.sharded(case, donate=False) as lowered:
    (out / f"{case.name}.mlir").write_text(lowered.as_text())
np.savez(out / f"{case.name}.npz", **{f"arg{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(case.args))})
"""


def children_cpu():
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


class Xla:
    """A JAX process that runs one model on request."""

    def __init__(self, name, ranks):
        self.process = subprocess.Popen([sys.executable, str(HERE / "xla_worker.py"), name, ranks], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.facts = json.loads(self.process.stdout.readline())
        self.times = []

    def steps(self, n):
        self.process.stdin.write(f"steps {n}\n")
        self.process.stdin.flush()
        self.times += json.loads(self.process.stdout.readline())[1 if not self.times else 0:]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Shoal:
    """The same interface on shoal-run; every call is a process of its own."""

    def __init__(self, directory, name, ranks):
        self.ranks, self.report = ranks, directory / f"{name}.{ranks}.json"
        self.command = [str(BIN / "shoal-run"), str(directory / f"{name}.mlir"), f"--input={directory / name}.npz",
                        f"--report={self.report}"] + (["--single-device"] if ranks == "1" else [])
        self.times = []
        self.facts = None

    def run(self, n):
        """Processor time of the run and of what it started."""
        before = children_cpu()
        subprocess.run(self.command + [f"--repeat={n}"], check=True)
        return children_cpu() - before

    def steps(self, n):
        cpu = self.run(n)
        report = json.loads(self.report.read_text())
        if self.facts is None:
            self.facts = dict(compile_s=sum(report["compile_s"].values()), phases=report["compile_s"],
                              compile_cpu_s=max(0, cpu - self.run(n)),
                              memory=report["peak_bytes_per_device"],
                              bytes_sent=report["totals"]["bytes_sent_per_device"])
        else:  # the first call compiled and warmed the cache
            s = report["measured"]["step_s"]
            self.times += [s["min"], s["median"], s["max"]]


def measure(name, rounds, steps, directory):
    subprocess.run([sys.executable, "-c", EXPORT, str(HERE), str(directory), name], check=True)
    row = {}
    for ranks in ("1", "all"):
        ours, xla = Shoal(directory, name, ranks), Xla(name, ranks)
        ours.steps(1)
        xla.steps(1)
        for _ in range(rounds):
            ours.steps(steps)
            xla.steps(steps)
        xla.close()
        row[ranks] = dict(shoal=dict(ours.facts, step_s=summary(ours.times)), xla=dict(xla.facts, step_s=summary(xla.times)))
    return row


def summary(times):
    return dict(median=statistics.median(times), min=min(times), max=max(times))


def table(rows):
    lines = ["| model | ranks | step Shoal ms | step XLA ms | ratio | compile Shoal s | compile XLA s | ratio | "
             "memory Shoal MB | memory XLA MB | ratio | bytes sent |", "|" + " --- |" * 12]
    for name, row in rows.items():
        for ranks, r in row.items():
            a, b = r["shoal"], r["xla"]
            compiled = lambda s: f"{s['compile_s']:.2f} ({s['compile_cpu_s']:.2f})"
            step = lambda s: f"{s['median'] * 1e3:.2f} ({s['min'] * 1e3:.2f}–{s['max'] * 1e3:.2f})"
            lines.append(f"| {name} | {ranks} | {step(a['step_s'])} | {step(b['step_s'])} | "
                         f"{a['step_s']['median'] / b['step_s']['median']:.2f} ({a['step_s']['min'] / b['step_s']['min']:.2f}) | {compiled(a)} | {compiled(b)} | "
                         f"{a['compile_s'] / b['compile_s']:.2f} ({a['compile_cpu_s'] / b['compile_cpu_s']:.2f}) | {a['memory'] / 1e6:.2f} | {b['memory'] / 1e6:.2f} | "
                         f"{a['memory'] / b['memory']:.2f} | {a['bytes_sent']:.0f} |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--models", nargs="*", default=SMALL + ["gpt_train", "gpt_fsdp", "llama_train", "moe", "resnet", "norm_chain"])
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--table", type=Path, help="print the table of a bench.json instead of measuring")
    p.add_argument("--out", type=Path, default=TOP / "build" / "bench")
    args = p.parse_args()
    if args.table:
        return print(table(json.loads(args.table.read_text())))
    args.out.mkdir(parents=True, exist_ok=True)
    rows = {}
    with tempfile.TemporaryDirectory() as tmp:
        os.environ["SHOAL_CACHE_DIR"] = str(Path(tmp) / "cache")
        for name in args.models:
            print(f"{name} …", file=sys.stderr, flush=True)
            rows[name] = measure(name, args.rounds, args.steps, Path(tmp))
            (args.out / "bench.json").write_text(json.dumps(rows, indent=1))
            (args.out / "bench.md").write_text(table(rows) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
