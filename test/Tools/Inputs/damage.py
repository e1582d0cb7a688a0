"""Compiles a file with a few bytes changed, again and again.

    damage.py SHOAL-COMPILE FILE TIMES

The exit code must be that of success or of bad input, with a message.
"""
import random
import subprocess
import sys
import tempfile

tool, path, times = sys.argv[1:]
original = open(path, "rb").read()
wrong = 0
for seed in range(int(times)):
    rng = random.Random(seed)
    damaged = bytearray(original)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(4, len(damaged))
        damaged[at] = rng.choice([0, 255, rng.randrange(256), damaged[at] ^ 1 << rng.randrange(8)])
    with tempfile.NamedTemporaryFile(suffix=".bc") as file:
        file.write(damaged)
        file.flush()
        done = subprocess.run([tool, file.name, "--entry=quantize", "--compile-to=imported"],
                              capture_output=True, timeout=60)
    if done.returncode not in (0, 2) or (done.returncode == 2) != (b"error:" in done.stderr):
        wrong += 1
        print(f"seed {seed}: exit {done.returncode}: {done.stderr[-300:]}")
sys.exit(bool(wrong))
