"""Programs as MLIR text and as bytecode, damaged, read by shoal-compile for so many seconds.

    modules.py BIN SECONDS FILE…

Exit code 0 or 2, the latter with an error, is right; anything else is printed with its seed. MLIR's own readers abort
on some inputs, so every input gets a process of its own (libFuzzer would stop at the first).
"""
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

tools, seconds, files = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
originals = []
for file in files:
    bytecode = subprocess.run([tools / "shoal-opt", "--emit-bytecode", file, "-o", "-"], capture_output=True, check=True)
    originals += [Path(file).read_bytes(), bytecode.stdout]


def damaged(data, rng):
    """Changed bytes; in text also pieces removed, doubled or taken from elsewhere."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(4, len(data))
        how = rng.randrange(5)
        size = rng.choice([1, 2, 4, 16, 100])
        if how == 0:
            del data[at:at + size]
        elif how == 1:
            data[at:at] = data[at:at + size]
        elif how == 2:
            other = rng.randrange(len(data))
            data[at:at + size] = data[other:other + size]
        else:
            data[at] = rng.choice([0, 255, rng.randrange(256), data[at] ^ 1 << rng.randrange(8)])
    return data


wrong, seed, end = 0, 0, time.monotonic() + seconds
codes = {0: 0, 2: 0}
while time.monotonic() < end:
    rng = random.Random(seed)
    with tempfile.NamedTemporaryFile(suffix=".mlir") as file:
        file.write(damaged(originals[seed % len(originals)], rng))
        file.flush()
        try:
            done = subprocess.run([tools / "shoal-compile", file.name, "--compile-to=imported", "-o", "/dev/null"],
                                  capture_output=True, timeout=60)
            code, said = done.returncode, done.stderr
        except subprocess.TimeoutExpired:
            code, said = "none in 60 s", b""
    codes[code] = codes.get(code, 0) + 1
    if code not in (0, 2) or (code == 2 and b"error:" not in said):
        wrong += 1
        print(f"seed {seed}: exit {code}: {said[-300:]}")
    seed += 1
print(f"{seed} damaged modules: exits {codes}")
sys.exit(bool(wrong))
