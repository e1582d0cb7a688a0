"""A rank dies, hangs, is late, or leaves out a collective, at every instruction
of a program with every kind of collective: the run ends with exit code 3 and
names the rank (late ones change nothing).

  faults.py SHOAL_RUN MODEL.so EXPECTED.npz KIND…
"""
import os
import re
import subprocess
import sys
import time

tool, model, expected, *kinds = sys.argv[1:]
VICTIM = 5
failures = []
seen = set()


def run(fault, stall="30", limit=60):
    start = time.monotonic()
    p = subprocess.run([tool, model, "--input=random:5", f"--check={expected}", f"--time-limit={limit}"], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       env=dict(os.environ, SHOAL_TEST_FAULT=fault, SHOAL_TEST_STALL_SECONDS=stall, SHOAL_NUM_THREADS="2"))
    return p.returncode, p.stdout, time.monotonic() - start


def expect(fault, good, code, text):
    if not good:
        failures.append(f"{fault}: exit {code}: {text.strip()}")


for seed in range(3):
    code, text, _ = run(f"delay:{seed}")
    expect(f"delay:{seed}", code == 0, code, text)

n = 0
while True:
    fault = f"die:{VICTIM}:{n}"
    code, text, seconds = run(fault)
    if code == 0:
        break  # the program has no more instructions
    expect(fault, code == 3 and f"rank {VICTIM} died" in text and seconds < 30, code, text)
    seen.update(re.findall(r"waits? in (\w+) over", text))
    seen.update(re.findall(rf"rank {VICTIM} died at (\w+) over", text))
    at = re.search(rf"rank {VICTIM} died at (\w+ over|the end of)", text)
    if at and at[1] == "the end of":
        # Nobody need wait for a rank that hangs there, if nothing comes after it: then only the time limit ends it.
        fault = f"hang:{VICTIM}:{n}"
        code, text, seconds = run(fault, stall="0.3", limit=5)
        expect(fault, code == 3 and f"rank {VICTIM}" in text and seconds < 30, code, text)
    elif at:
        fault = f"skip:{VICTIM}:{n}"
        code, text, seconds = run(fault, stall="1")
        # Passing over a collective that moves nothing of this rank's may change nothing.
        expect(fault, code == 3 and ("rank" in text) and seconds < 30, code, text)
        fault = f"hang:{VICTIM}:{n}"
        code, text, seconds = run(fault, stall="0.3")
        expect(fault, code == 3 and f"rank {VICTIM} hangs" in text and seconds < 30, code, text)
    n += 1

missing = set(kinds) - seen
if missing:
    failures.append(f"kinds of collectives that were never met: {sorted(missing)}")
print(f"{n} instructions, collectives met: {sorted(seen)}")
if failures:
    sys.exit("\n".join(failures))
