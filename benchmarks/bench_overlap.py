"""Modelled step, exposed communication and lower bound of the full-size models on DGX H100, with all passes that hide
communication and with none, and what overlap brings on this machine over emulated links. Writes docs/overlap.md.

  bench_overlap.py [--models=NAME,…] [--measured | --modelled] [--build=DIR]

The modelled part needs a minute. The measured one runs each program on 8 ranks in this process, with and without
overlap in turn, over links whose bandwidth is set so that communication takes about as long as computation.
"""
import argparse
import gzip
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "examples/models"
PAGE = ROOT / "docs/overlap.md"

# Model, GPUs of its mesh. The preset's nodes have 8 GPUs.
FULL = ["llama3_8b", "llama3_70b", "gpt3_175b_4l", "gpt2_xl_unrolled", "mixtral_8x7b", "long_context_1m"]
# Bytes a step and device that the passes must stay under.
LIMITS = {"llama3_8b": 66e9, "gpt3_175b_4l": 20e9}
MEASURED = ["gpt_fsdp", "gpt_train_tp_sp", "llama_train", "moe"]


def compiled(build, model, *options):
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        begin = time.monotonic()
        subprocess.run([build / "bin/shoal-compile", model, "--compile-to=scheduled", "-o", Path(folder) / "x.mlir",
                        f"--report={report}", *options], check=True, stderr=subprocess.DEVNULL)
        return json.loads(report.read_text()), time.monotonic() - begin


def modelled_row(build, name):
    model = next(p for p in (MODELS / f"{name}.mlir.gz", MODELS / f"{name}.mlir") if p.exists())
    none, _ = compiled(build, model, "--hardware=dgx-h100", "--overlap=none")
    best, seconds = compiled(build, model, "--hardware=dgx-h100")
    a, b = none["modelled"], best["modelled"]
    bound = max(b["compute_s"], b["communication_s"], b["critical_path_s"])
    devices = none["mesh"]["devices"]
    devices = devices if isinstance(devices, int) else len(devices)
    return dict(name=name, gpus=devices, nodes=max(1, devices // 8), none=a["step_s"], with_=b["step_s"],
                exposed_none=a["exposed_communication_s"], exposed=b["exposed_communication_s"],
                compute=b["compute_s"], links=b["communication_s"], path=b["critical_path_s"], bound=bound,
                over=b["step_s"] / bound - 1, bytes_none=none["totals"]["bytes_sent_per_device"],
                bytes=best["totals"]["bytes_sent_per_device"], peak=best["peak_bytes_per_device"], compile=seconds)


def modelled_table(rows):
    ms = lambda s: f"{s * 1e3:.1f}" if s < 10 else f"{s * 1e3:.0f}"
    head = ("| model | GPUs (nodes) | step, none | step, all | exposed, none | exposed, all | compute | busiest link |"
            " critical path | above the bound | GB sent, none | GB sent, all | peak GB | compile s |\n"
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
    return head + "".join(
        f"| {r['name']} | {r['gpus']} ({r['nodes']}) | {ms(r['none'])} | {ms(r['with_'])} | {ms(r['exposed_none'])} | "
        f"{ms(r['exposed'])} | {ms(r['compute'])} | {ms(r['links'])} | {ms(r['path'])} | {r['over']:.1%} | "
        f"{r['bytes_none'] / 1e9:.1f} | {r['bytes'] / 1e9:.1f} | {r['peak'] / 1e9:.1f} | {r['compile']:.1f} |\n"
        for r in rows)


# ---- measured ------------------------------------------------------------------------------------------------------

EXPORT = """
import sys
sys.path.insert(0, sys.argv[1])
import medium, generate as g
from pathlib import Path
g.export(Path(sys.argv[2]), sys.argv[3], {**g.MODELS, **medium.MEDIUM}[sys.argv[3]])
"""


def run(build, package, inputs, links, repeat):
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "r.json"
        subprocess.run([build / "bin/shoal-run", package, f"--input={inputs}", f"--repeat={repeat}",
                        f"--report={report}", *([f"--emulate-links={links}"] if links else [])],
                       check=True, stdout=subprocess.DEVNULL)
        return json.loads(report.read_text())["measured"]


def hardware(compute_scale, bandwidth):
    """This machine as the model sees it: 8 ranks share its cores."""
    return {"name": "emulated", "flops_per_second": 1e10 * compute_scale, "memory_bytes_per_second": 5e9 * compute_scale,
            "memory_bytes": 4e9, "kernel_latency": 5e-6, "collective_latency": 0,
            "links": [{"name": "emulated", "bytes_per_second": bandwidth, "latency": 20e-6}]}
