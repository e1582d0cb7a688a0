#!/usr/bin/env python3
"""Compiles models to cubins for several chips; needs ptxas, and no GPU.

  gpu_compile.py [--models DIR] [--chips sm_80,sm_90a,sm_100a] [--only TEXT]

For each model and chip: seconds of the whole compilation (cold, nothing cached),
of the phase `binary` in it, kernels, launches, how many each strategy took, bytes
of cubins, and kernels that spill. Exit status 1 if one does not compile, or a
product or attention kernel spills.
"""
import argparse
import collections
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser()
parser.add_argument("--models",
                    default=os.path.join(here, "..", "examples", "models"))
parser.add_argument("--chips", default="sm_80,sm_90a,sm_100a")
parser.add_argument("--only", default="")
parser.add_argument("--bin", default=os.path.join(here, "..", "build", "bin"))
options = parser.parse_args()

bad = 0
print(f"{'model':28} {'chip':8} {'s':>6} {'binary':>6} {'kernels':>7} "
      f"{'launches':>8} {'KiB':>6}  strategies")
for path in sorted(glob.glob(os.path.join(options.models, "*.mlir*"))):
    name = os.path.basename(path).split(".")[0]
    if options.only not in name:
        continue
    for chip in options.chips.split(","):
        with tempfile.TemporaryDirectory() as folder:
            output = os.path.join(folder, "model.so")
            timings = os.path.join(folder, "timings.json")
            environment = dict(os.environ, SHOAL_CACHE_DIR=folder)
            start = time.time()
            run = subprocess.run(
                [os.path.join(options.bin, "shoal-compile"), path,
                 "--target=cuda", "--chip=" + chip, "-o", output,
                 "--timings=" + timings, "--kernel-times", "--fatal=spills"],
                env=environment, capture_output=True, text=True)
            seconds = time.time() - start
            if run.returncode:
                print(f"{name:28} {chip:8} failed:\n{run.stderr[:2000]}")
                bad += 1
                continue
            with open(timings) as f:
                binary = json.load(f)["binary"]
            inspect = subprocess.run(
                [os.path.join(options.bin, "shoal-run"), output, "--inspect"],
                capture_output=True, text=True).stdout
        strategies = collections.Counter(
            re.findall(r"\w+\(([a-z][a-z_ ]*)\)", run.stderr))
        kernels = len(re.findall(r"(?m)^kernel .*: image", inspect))
        launches = kernels + len(re.findall(r"(?m)^launch \d+: image", inspect))
        size = sum(int(n) for n in
                   re.findall(r"cubin for \S+ (\d+) bytes", inspect))
        spills = len(re.findall(r"spills \d+ bytes", inspect))
        text = ", ".join(f"{n} {s}" for s, n in strategies.most_common())
        print(f"{name:28} {chip:8} {seconds:6.2f} {binary:6.2f} {kernels:7} "
              f"{launches:8} {size >> 10:6}  {text}"
              + (f"; {spills} spill" if spills else ""), flush=True)
sys.exit(1 if bad else 0)
