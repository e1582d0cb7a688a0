"""What the verifiers accept, against the StableHLO in jaxlib.

  verifier.py [--seeds A:B] [--mutants N] [--only NAME…]

Makes one operation per seed (ops/), changes a number, a type or a keyword of
its text, and asks shoal-opt and jaxlib whether the result is a valid program.
Differences and anything but a clean diagnostic are printed; each difference
wants a look at the specification, which decides.
"""
import argparse
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from judge import Judge  # noqa: E402
from ops.instance import DTYPES  # noqa: E402
from single_op import TOP, make, module_of  # noqa: E402

NUMBERS = ["-1", "0", "1", "2", "3", "4", "7", "100000", "-2", "9223372036854775807", "-9223372036854775808", "4294967296"]


def mutate(rng, text):
    """The text with one or two small changes after the function's first line."""
    head, _, body = text.partition("{\n    ")
    lines = body.split("\n")
    for _ in range(rng.choice([1, 1, 1, 2])):
        k = rng.randrange(max(len(lines) - 4, 1))
        places = [m for m in re.finditer(r"(?<![%\w_.#])-?\d+(?![\w.])|(?<=[x<])(?:" + "|".join(map(re.escape, DTYPES)) + r")(?=>)|(?<=[<x])\d+(?=x)|true|false", lines[k])]
        if not places:
            continue
        m = rng.choice(places)
        old = m.group()
        if old in ("true", "false"):
            new = "true" if old == "false" else "false"
        elif old in DTYPES:
            new = rng.choice(list(DTYPES))
        else:
            new = rng.choice(NUMBERS + [str(int(old) + 1), str(int(old) - 1)] * 4)
            if lines[k][m.end():m.end() + 1] == "x" and new.startswith("-"):
                new = "?"
        lines[k] = lines[k][:m.start()] + new + lines[k][m.end():]
    return head + "{\n    " + "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", default="0:100")
    p.add_argument("--mutants", type=int, default=5)
    p.add_argument("--only", nargs="*")
    p.add_argument("--tool", default=str(TOP / "build" / "bin" / "shoal-opt"))
    p.add_argument("--run", action="store_true", help="compile what is accepted, which must not crash either")
    args = p.parse_args()
    judge, differences, crashes, count, valid = Judge(), 0, 0, 0, 0
    lo, hi = map(int, args.seeds.split(":"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.mlir"
        for seed in range(lo, hi):
            instance = make(seed, 1, args.only)[0]
            rng = random.Random(seed)
            for _ in range(args.mutants):
                text = mutate(rng, module_of([instance]))
                count += 1
                good, message = judge.ask("print", text)
                valid += good
                path.write_text(text)
                ours = subprocess.run([args.tool, str(path), "-o", "/dev/null"], capture_output=True, text=True, timeout=60)
                if ours.returncode not in (0, 1) or (ours.returncode == 1 and "error:" not in ours.stderr):
                    crashes += 1
                    print(f"--- seed {seed}, {instance.kind}: exit {ours.returncode}: {ours.stderr[:300]}\n{text}")
                elif good != (ours.returncode == 0):
                    differences += 1
                    print(f"--- seed {seed}, {instance.kind}: jaxlib {'accepts' if good else 'refuses: ' + message[:300]}, shoal-opt {ours.stderr[:300] or 'accepts'}\n{text}")
                elif good and args.run:
                    run = subprocess.run([str(Path(args.tool).parent / "shoal-run"), str(path), "--single-device", "--input=random"], capture_output=True, text=True, timeout=60)
                    if run.returncode not in (0, 2) or run.returncode and "error:" not in run.stderr:
                        crashes += 1
                        print(f"--- seed {seed}, {instance.kind}: shoal-run exit {run.returncode}: {run.stderr[:300]}\n{text}")
                    elif run.returncode:
                        print(f"--- seed {seed}, {instance.kind}: valid, but {run.stderr[:300]}")
    print(f"{count} mutants, {valid} valid: {differences} differences, {crashes} crashes")


if __name__ == "__main__":
    main()
