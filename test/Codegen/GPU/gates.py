#!/usr/bin/env python3
"""Budgets of GPU kernels, without a GPU: registers, spills, shared memory, code.

  gates.py [--measure] SHOAL_OPT MODULE.mlir CHIP...

Compiles the kernels of a module for each chip and holds what ptxas reports, and
the number of PTX instructions, against budgets: those of the kernel's name
(Inputs/performance.mlir), else of its form (Inputs/forms.mlir). Spills are
errors always. Budgets are what was measured (--measure prints it), the largest
of sm_80, sm_90a and sm_100a, and a tenth for another ptxas: raise one only with
a reason.
"""
import os
import re
import subprocess
import sys

# name or form: (registers, PTX instructions, bytes of shared memory) of a launch
BUDGETS = {
    "gemm_bf16": (239, 1140, 180224),
    "gemm_bf16_nt": (238, 1133, 180224),
    "gemm_f16": (239, 999, 180224),
    "gemm_f32": (176, 1426, 163840),
    "gemm_tf32": (152, 757, 163840),
    "gemm_fp8": (255, 5244, 131072),
    "gemm_fp8_nn": (226, 6308, 131072),
    "gemm_int8": (236, 621, 131072),
    "gemm_f64": (139, 510, 98304),
    "gemm_skinny": (86, 439, 81920),
    "gemm_large": (246, 1140, 180224),
    "gemm_grouped": (240, 992, 180224),
    "gemm_ragged": (255, 1788, 180224),
    "gemm_ragged_weights": (240, 2405, 180224),
    "conv_3x3": (255, 767, 163840),
    "attention_64": (165, 1830, 81920),
    "attention_128": (197, 2298, 131072),
    "attention_rows_128": (202, 2315, 131072),
    "attention_gradient_64": (255, 2315, 98304),
    "attention_gradient_128": (255, 1968, 131072),
    "attention_gradient_256": (255, 2209, 229376),
    "attention_gradient_128_f32": (211, 5896, 147456),
    "softmax_f32_1024": (53, 591, 256),
    "softmax_f32_32768": (88, 647, 1024),
    "softmax_bf16_1024": (35, 365, 512),
    "softmax_bf16_32768": (80, 1347, 1024),
    "layer_norm": (44, 245, 2048),
    "rms_norm": (33, 150, 2048),
    "cross_entropy": (88, 1712, 1024),
    "adamw": (49, 211, 0),
    "gelu": (39, 1093, 0),
    "transpose": (29, 139, 8192),
    "bias_gradient": (61, 303, 8192),
    "norm_of_all": (59, 101, 1024),
    # forms
    "simt loops": (53, 273, 0),
    "rows": (43, 458, 0),
    "columns": (66, 385, 2048),
    "contraction": (75, 685, 53248),
    "simt update": (20, 66, 0),
    "simt scatter": (36, 66, 0),
    "simt sort": (44, 120, 0),
    "simt scan": (43, 120, 0),
    "simt fft": (64, 494, 0),
    "simt windows": (27, 76, 0),
    "simt select_and_scatter": (31, 163, 0),
    "simt random bits": (53, 385, 0),
    "simt triangular_solve": (31, 236, 0),
}


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


def main(tool, module, *chips, measure=False):
    bad, measured = 0, {}
    for chip in chips:
        text = compile_for(tool, module, chip)
        counts = instructions(compile_for(tool, module, chip, " print=ptx"))
        for kernel in re.finditer(r"plan\.kernel @\w+.*", text):
            form = re.search(r'strategy = "([^"]*)"', kernel.group()).group(1)
            name = re.match(r"plan\.kernel @(\w+)", kernel.group()).group(1)
            key = name if name in BUDGETS or measure else form
            for launch in re.finditer(r'gpu_launch<@\w+ "(\w+)"([^>]*)>',
                                      kernel.group()):
                symbol = launch.group(1)
                value = lambda name: int(
                    (re.search(name + r" = (\d+)", launch.group(2)) or [0, 0])[1])
                used = (value("registers"), counts[symbol], value("shared"))
                if measure:
                    seen = measured.setdefault((key, form), used)
                    measured[key, form] = tuple(map(max, seen, used))
                    continue
                if key not in BUDGETS:
                    print(f"{symbol}: no budget for form {form}")
                    bad += 1
                    continue
                for what, got, budget in zip(
                        ("bytes of spills", "registers", "instructions",
                         "bytes of shared memory"),
                        (value("spills"), *used), (0, *BUDGETS[key])):
                    if got > budget:
                        print(f"{chip}: {symbol} ({form}): {got} {what}, "
                              f"budget {budget}")
                        bad += 1
    for (name, form), used in measured.items():
        print(f"{name} ({form}): {used}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*[a for a in sys.argv[1:] if a != "--measure"],
                  measure="--measure" in sys.argv))
