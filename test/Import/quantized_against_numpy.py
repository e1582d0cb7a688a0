#!/usr/bin/env python3
"""Runs operations on quantized tensors and compares with NumPy.

    quantized_against_numpy.py path/to/shoal-run [FILTER]

The cases of quantized_cases.py are put together into a few programs.
"""
import os
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np

from quantized_cases import complaints, generate, program

SHOAL_RUN = sys.argv[1]


def run(cases, directory):
    text, values = program(cases)
    path = os.path.join(directory, "program.mlir")
    with open(path, "w") as f:
        f.write(text)
    raw = [v.view(np.uint16).view("V2") if v.dtype == ml_dtypes.bfloat16 else v for v in
           map(np.asarray, values)]
    np.savez(os.path.join(directory, "in.npz"), **{f"arg{i}": v for i, v in enumerate(raw)})
    out = os.path.join(directory, "out.npz")
    if os.path.exists(out):
        os.remove(out)
    done = subprocess.run(
        [SHOAL_RUN, path, "--single-device", f"--input={directory}/in.npz", f"--output={out}"],
        capture_output=True, text=True, env={**os.environ, "SHOAL_TEST_POISON": "1"})
    if done.returncode != 0:
        return done.stderr
    outputs = np.load(out)
    outputs = [outputs[f"out{i}"] for i in range(len(outputs.files))]
    wrong, position = [], 0
    for c in cases:
        mine = outputs[position:position + len(c.results)]
        position += len(c.results)
        mine = [v.view(ml_dtypes.bfloat16) if element == "bf16" else v
                for v, (_, element) in zip(mine, c.results)]
        for complaint in complaints(c, mine):
            wrong.append((c, complaint))
    return wrong


def compare(cases):
    """Runs the cases; prints and counts those that fail."""
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        size = int(os.environ.get("SIZE", "80"))
        for begin in range(0, len(cases), size):
            part = cases[begin:begin + size]
            result = run(part, directory)
            if isinstance(result, str):
                # Which of them it is.
                result = [(c, single) for c in part
                          if isinstance(single := run([c], directory), str)] or [(part[0], result)]
            for c, complaint in result:
                failed += 1
                if failed <= int(os.environ.get("SHOW", "10")):
                    print(f"FAILED {c.name}: {complaint}")
                    print(program([c])[0])
    return failed


def main():
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    cases = [c for c in generate() if wanted in c.name]
    if SHOAL_RUN == "--list":  # for test/coverage.py
        for c in cases:
            print(program([c])[0] + "// -----")
        return
    failed = compare(cases)
    print(f"{len(cases) - failed} of {len(cases)} cases agree, "
          f"of {len({c.name for c in cases})} kinds")
    sys.exit(1 if failed or not cases else 0)


if __name__ == "__main__":
    main()
