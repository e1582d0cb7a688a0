#!/usr/bin/env python3
"""Budgets of GPU kernels, without a GPU: registers, spills, shared memory, code.

  gates.py SHOAL_OPT MODULE.mlir CHIP...

Compiles the kernels of a module for each chip and holds what ptxas reports, and
the number of PTX instructions, against the budgets of the kernel's form.
"""
import os
import re
import subprocess
import sys

# form: (registers, PTX instructions of one launch)
BUDGETS = {
    "simt loops": (64, 900), "simt rows": (48, 700), "simt columns": (48, 500),
    "simt update": (40, 200), "simt scatter": (48, 300), "simt sort": (56, 500),
    "simt scan": (48, 400), "simt triangular_solve": (64, 400),
    "simt cholesky": (64, 500), "contraction": (255, 6000),
    "elementwise": (64, 3000), "rows": (128, 4000), "columns": (128, 4000),
}
SHARED = 99 * 1024  # what all chips have


def compile_for(tool, module, chip, extra=""):
    return subprocess.run(
        [tool, module, f"--shoal-compile-gpu-kernels=chip={chip}{extra}", "-o",
         os.devnull if extra else "-"],
        check=True, stdout=subprocess.PIPE, text=True).stdout


def instructions(ptx):
    """PTX instructions of each kernel."""
    counts, current = {}, None
    for line in ptx.splitlines():
        entry = re.search(r"\.entry (\w+)", line)
        if entry:
            current = entry.group(1)
            counts[current] = 0
        elif current and re.match(r"\t[@a-z]", line) and line.endswith(";"):
            counts[current] += 1
    return counts


def main(tool, module, *chips):
    bad = 0
    for chip in chips:
        text = compile_for(tool, module, chip)
        counts = instructions(compile_for(tool, module, chip, " print=ptx"))
        for kernel in re.finditer(r"plan\.kernel @\w+.*", text):
            form = re.search(r'strategy = "([^"]*)"', kernel.group()).group(1)
            registers, most = BUDGETS.get(form, (255, 10000))
            for launch in re.finditer(r'gpu_launch<@\w+ "(\w+)"([^>]*)>',
                                      kernel.group()):
                symbol = launch.group(1)
                value = lambda name: int(
                    (re.search(name + r" = (\d+)", launch.group(2)) or [0, 0])[1])
                for what, got, budget in (
                        ("registers", value("registers"), registers),
                        ("bytes of spills", value("spills"), 0),
                        ("bytes of shared memory", value("shared"), SHARED),
                        ("instructions", counts[symbol], most)):
                    if got > budget:
                        print(f"{chip}: {symbol} ({form}): {got} {what}, "
                              f"budget {budget}")
                        bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
