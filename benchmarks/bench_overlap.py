"""Modelled step, exposed communication and lower bound of the full-size models on DGX H100, with all passes that hide
communication and with none, and what overlap brings on this machine over emulated links. Writes docs/overlap.md.

The modelled part needs a minute. The measured one runs each program on 8 ranks in this process, with and without
overlap in turn, over links whose bandwidth is set so that communication takes about as long as computation.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scaled import SIZES

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "examples/models"
PAGE = ROOT / "docs/overlap.md"

FULL = list(SIZES)
# How far above the bound a step of dense training may be.
GOAL, DENSE = 0.05, {"llama3_8b", "llama3_70b", "gpt3_175b_4l", "gpt2_xl_unrolled"}
# The bytes a device of that preset holds.
MEMORY = 80e9
# Bytes a step and device that the passes must stay under.
LIMITS = {"llama3_8b": 66e9, "gpt3_175b_4l": 20e9}
MEASURED = ["gpt_fsdp", "gpt_tp_sp", "llama_train", "moe"]


def compiled(build, model, *options):
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        begin = time.monotonic()
        subprocess.run([build / "bin/shoal-compile", model, "--compile-to=scheduled", "-o", Path(folder) / "x.mlir",
                        f"--report={report}", *options], check=True, stderr=subprocess.DEVNULL)
        return json.loads(report.read_text()), time.monotonic() - begin


def modelled_row(build, folder, name, nodes):
    """On its own mesh, or scaled to another number of nodes. With the kernels that are made for GPUs."""
    if nodes == SIZES[name][0]:
        model = next(p for p in (MODELS / f"{name}.mlir.gz", MODELS / f"{name}.mlir") if p.exists())
    else:
        model = folder / f"{name}.{nodes}.mlir.gz"
        subprocess.run([sys.executable, ROOT / "benchmarks/scaled.py", name, str(nodes), model], check=True)
    none, _ = compiled(build, model, "--target=cuda", "--hardware=dgx-h100", "--overlap=none")
    best, seconds = compiled(build, model, "--target=cuda", "--hardware=dgx-h100")
    a, b = none["modelled"], best["modelled"]
    bound = max(b["compute_s"], b["communication_s"], b["critical_path_s"])
    devices = none["mesh"]["devices"]
    devices = devices if isinstance(devices, int) else len(devices)
    assert devices == 8 * nodes, (name, devices)
    return dict(name=name, gpus=devices, nodes=nodes, none=a["step_s"], with_=b["step_s"],
                compute_none=a["compute_s"], exposed_none=a["exposed_communication_s"], exposed=b["exposed_communication_s"],
                compute=b["compute_s"], links=b["communication_s"], path=b["critical_path_s"], bound=bound,
                over=b["step_s"] / bound - 1, bytes_none=none["totals"]["bytes_sent_per_device"],
                bytes=best["totals"]["bytes_sent_per_device"], peak=best["peak_bytes_per_device"], compile=seconds)


def modelled_table(rows):
    ms = lambda s: f"{s * 1e3:.1f}" if s < 10 else f"{s * 1e3:.0f}"
    head = ("| model | GPUs (nodes) | step, none | step, all | exposed, none | exposed, all | compute, none | compute, all | busiest link |"
            " critical path | above the bound | GB sent, none | GB sent, all | peak GB | compile s |\n"
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
    return head + "".join(
        f"| {r['name']} | {r['gpus']} ({r['nodes']}) | {ms(r['none'])} | {ms(r['with_'])} | {ms(r['exposed_none'])} | "
        f"{ms(r['exposed'])} | {ms(r['compute_none'])} | {ms(r['compute'])} | {ms(r['links'])} | {ms(r['path'])} | {r['over']:.1%} | "
        f"{r['bytes_none'] / 1e9:.1f} | {r['bytes'] / 1e9:.1f} | {r['peak'] / 1e9:.1f} | {r['compile']:.1f} |\n"
        for r in rows)


def judged_modelled(row):
    """What has to hold of a row: (what, whether it does, figure)."""
    where = f"{row['name']} on {row['nodes']} nodes"
    yield f"overlap makes no step longer: {where}", row["with_"] <= row["none"], f"{row['with_'] / row['none']:.3f}"
    above = row["over"] <= GOAL if row["name"] in DENSE else None
    yield f"modelled step at most {GOAL:.0%} above its bound: {where}", above, f"{row['over']:.1%}"
    yield f"fits the preset's memory: {where}", row["peak"] <= MEMORY, f"{row['peak'] / 1e9:.1f} GB"
    if row["nodes"] == SIZES[row["name"]][0] and row["name"] in LIMITS:
        limit = LIMITS[row["name"]]
        yield f"at most {limit / 1e9:.0f} GB sent: {where}", row["bytes"] <= limit, f"{row['bytes'] / 1e9:.1f} GB"


# ---- measured ------------------------------------------------------------------------------------------------------

EXPORT = """
import os, sys
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
sys.path.insert(0, sys.argv[1])
import medium, jax, numpy as np, generate as g
from pathlib import Path
out, case = Path(sys.argv[2]), medium.MEDIUM[sys.argv[3]]()
with g.sharded(case, donate=False) as lowered:
    (out / f"{case.name}.mlir").write_text(lowered.as_text())
np.savez(out / f"{case.name}.npz", **{f"arg{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(case.args))})
"""
LATENCY = 50e-6


def step_seconds(build, package, inputs, links, steps, *options):
    """Of each measured step, and the bytes that a rank sent."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "r.json"
        subprocess.run([build / "bin/shoal-run", package, f"--input={inputs}", f"--repeat={steps}",
                        f"--report={report}", *([f"--emulate-links=*:{links / 1e9}:{LATENCY * 1e6}"] if links else []), *options],
                       check=True, stdout=subprocess.DEVNULL)
        m = json.loads(report.read_text())["measured"]
        s = m["step_s"]
        return [s["min"], s["median"], s["max"]], m["bytes_sent_per_device"]


def hardware(folder, machine, bandwidth, speed):
    """This machine as the model sees it. `machine`: as `shoal-run --calibrate` wrote it; `speed`: of one rank, as a share of that."""
    path = folder / f"emulated-{speed:.3g}.json"
    path.write_text(json.dumps(machine | {
        "name": "emulated", "flops_per_second": {t: rate * speed for t, rate in machine["flops_per_second"].items()},
        "memory_bytes_per_second": machine["memory_bytes_per_second"] * speed, "memory_bytes": 4e9,
        "kernel_latency": machine["kernel_latency"] / speed, "collective_latency": 0,
        "collective_work": {what: seconds / speed if what == "latency" else seconds * speed
                            for what, seconds in machine["collective_work"].items()},
        "links": [{"name": "emulated", "bytes_per_second": bandwidth, "latency": LATENCY}]}))
    return path


WAYS = {"none": ["--overlap=none"], "blocks": ["--overlap=blocks"], "all": ["--overlap=loops"]}


def measured_row(build, folder, name, rounds, steps):
    """The same program by several schedules, in turn, over links as fast as makes communication last about as long
    as computation (measured without links)."""
    subprocess.run([sys.executable, "-c", EXPORT, str(ROOT / "benchmarks"), str(folder), name], check=True)
    model, inputs = folder / f"{name}.mlir", folder / f"{name}.npz"
    plain = folder / f"{name}.so"
    subprocess.run([build / "bin/shoal-compile", model, "--overlap=none", "-o", plain], check=True,
                   stderr=subprocess.DEVNULL)
    seconds, sent = step_seconds(build, plain, inputs, None, steps)
    compute = statistics.median(seconds)
    bandwidth = sent / compute
    # The model is told how fast a rank computes, from runs without links: how kernels and products compare by size (of the
    # first program, then of what was chosen for that, which has smaller ones; ranks share the cores, so sums are measured
    # apart), and how long a step of the first takes.
    machine, package = None, plain
    for _ in range(2):
        step_seconds(build, package, inputs, None, steps, f"--calibrate={folder / 'machine.json'}")
        measured = json.loads((folder / "machine.json").read_text())
        report, _ = compiled(build, model, f"--hardware={hardware(folder, measured, bandwidth, 1)}", "--overlap=none")
        machine = hardware(folder, measured, bandwidth, report["modelled"]["compute_s"] / compute)
        package = folder / f"{name}.first.so"
        subprocess.run([build / "bin/shoal-compile", model, f"--hardware={machine}", "-o", package], check=True,
                       stderr=subprocess.DEVNULL)
    times, predicted = {}, {}
    for way, options in WAYS.items():
        package = folder / f"{name}.{way}.so"
        subprocess.run([build / "bin/shoal-compile", model, f"--hardware={machine}", *options, "-o", package,
                        f"--report={folder / 'r.json'}"], check=True, stderr=subprocess.DEVNULL)
        predicted[way] = json.loads((folder / "r.json").read_text())["modelled"]["step_s"]
        times[way] = []
    for _ in range(rounds):
        for way in WAYS:
            times[way] += step_seconds(build, folder / f"{name}.{way}.so", inputs, bandwidth, steps)[0]
    return dict(name=name, bandwidth=bandwidth, compute=compute, predicted=predicted,
                # Others use this machine as well: the least of all steps.
                measured={way: min(t) for way, t in times.items()})


def ranking_holds(row, tolerance=0.03):
    """Whether no two ways that the model tells apart by more than the tolerance are measured the other way round."""
    p, m = row["predicted"], row["measured"]
    return all(m[a] <= m[b] * (1 + tolerance) for a in WAYS for b in WAYS if p[a] < p[b] * (1 - tolerance))


def judged_measured(row):
    """What has to hold of a row: (what, whether it does, figure)."""
    gain = row["measured"]["none"] / row["measured"]["all"]
    yield f"overlap is faster on emulated links: {row['name']}", gain > 1, f"{gain:.2f} times"
    yield f"schedules rank as modelled: {row['name']}", ranking_holds(row), \
        ", ".join(f"{way} {row['measured'][way] * 1e3:.1f} ({row['predicted'][way] * 1e3:.1f}) ms" for way in WAYS)


def measured_table(rows):
    ms = lambda s: f"{s * 1e3:.1f}"
    head = ("| model | link MB/s | step without links | " + " | ".join(f"{w}: measured (model)" for w in WAYS) +
            " | speed-up, all over none | ranking |\n|---|---|---|" + "---|" * len(WAYS) + "---|---|\n")
    return head + "".join(
        f"| {r['name']} | {r['bandwidth'] / 1e6:.0f} | {ms(r['compute'])} | " +
        " | ".join(f"{ms(r['measured'][w])} ({ms(r['predicted'][w])})" for w in WAYS) +
        f" | {r['measured']['none'] / r['measured']['all']:.2f} | {'as modelled' if ranking_holds(r) else 'differs'} |\n"
        for r in rows)


# ---- page ----------------------------------------------------------------------------------------------------------

def replace(page, mark, table):
    begin, end = f"<!-- {mark} -->\n", f"<!-- end {mark} -->\n"
    head, rest = page.split(begin)
    return head + begin + table + end + rest.split(end)[1]


def modelled_rows(build, names):
    for name, nodes in [(name, nodes) for name in names for nodes in sorted([SIZES[name][0], *SIZES[name][1]])]:
        with tempfile.TemporaryDirectory() as folder:
            yield modelled_row(build, Path(folder), name, nodes)


def measured_rows(build, names, rounds, steps):
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            yield measured_row(build, Path(folder), name, rounds, steps)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", type=Path, default=ROOT / "build")
    p.add_argument("--full", nargs="*", default=FULL)
    p.add_argument("--measured", nargs="*", default=MEASURED)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--no-page", action="store_true", help="print only")
    args = p.parse_args()
    page, bad = PAGE.read_text(), []
    for mark, made, table, judged in [
            ("modelled", modelled_rows(args.build, args.full), modelled_table, judged_modelled),
            ("measured", measured_rows(args.build, args.measured, args.rounds, args.steps), measured_table, judged_measured)]:
        rows = []
        for row in made:
            rows.append(row)
            print(table([row]).splitlines()[-1], flush=True)
            bad += [f"{what} ({figure})" for what, holds, figure in judged(row) if holds is False]
        if rows:
            page = replace(page, mark, table(rows))
    if not args.no_page:
        PAGE.write_text(page)
    for line in bad:
        print("NOT AS WANTED:", line)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
