#!/usr/bin/env python3
"""Every kernel of models in the emulator against the CPU's kernel.

  kernels.py [--chip=sm_80] [--seed=N] [--strategy=S] [--time=SECONDS] FILE.mlir…

FILEs are models (any input of shoal-compile; names of example models too).
They are compiled up to `fused` for the GPU; gpu-kernel-check does the rest.
"""
import os
import subprocess
import sys
import tempfile

from models import BUILD, MODELS


def main():
    options = [a for a in sys.argv[1:] if a.startswith("--")]
    files = [a for a in sys.argv[1:] if not a.startswith("--")]
    limit = next((float(o[7:]) for o in options if o.startswith("--time=")), None)
    options = [o for o in options if not o.startswith("--time=")]
    failed = 0
    for file in files:
        if not os.path.exists(file):
            file = os.path.join(MODELS, file + ".mlir")
        with tempfile.NamedTemporaryFile(suffix=".mlir") as fused:
            subprocess.run([os.path.join(BUILD, "bin", "shoal-compile"), file,
                            "--target=cuda", "--compile-to=fused", "-o",
                            fused.name], check=True)
            try:
                result = subprocess.run(
                    [os.path.join(BUILD, "test", "Emulator", "gpu-kernel-check"),
                     fused.name, *options], capture_output=True, text=True,
                    timeout=limit)
                text, bad = result.stdout + result.stderr, result.returncode
            except subprocess.TimeoutExpired:
                text, bad = f"not done after {limit} s\n", True
        failed += bool(bad)
        print(f"{os.path.basename(file)}: "
              f"{'FAILED' if bad else 'ok'}\n  " +
              "\n  ".join(text.strip().splitlines()[-40:]), flush=True)
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
