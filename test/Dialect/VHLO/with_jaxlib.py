"""Portable artifacts that jaxlib writes are read as jaxlib reads them.

    with_jaxlib.py SHOAL-OPT FILE...

Each function of each file becomes an artifact of every version that can hold it;
functions that no artifact can hold (unit attributes) are passed over.
"""
import gzip
import re
import subprocess
import sys
from pathlib import Path

from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from jaxlib_context import make_context  # noqa: E402

VERSIONS = ["0.9.0", "0.19.0", "1.0.0", "1.7.0", "1.9.0", "1.13.0", "1.15.0"]



def pieces(path):
    """Functions one by one, with private ones before each; a model as a whole."""
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    with opened as file:
        text = file.read()
    if "RUN:" not in text:
        return [text]
    functions = re.split(r"(?m)^(?=func\.func)", text)[1:]
    private = "".join(f for f in functions if "func.func private" in f)
    return [private + f for f in functions if "func.func private" not in f]


def lines(text):
    return [line.rstrip() for line in text.strip().split("\n")]


def check(tool, source, versions):
    """Number of artifacts compared, and what differs."""
    compared = 0
    for version in versions:
        with make_context() as context:
            try:
                module = ir.Module.parse(source)
                artifact = stablehlo.serialize_portable_artifact(module, version, True)
            except Exception:  # Not in this version.
                continue
            theirs = lines(str(stablehlo.deserialize_portable_artifact(context, artifact)))
        done = subprocess.run([tool, "--vhlo-legalize-to-stablehlo"], input=artifact,
                              capture_output=True)
        name = re.search(r"@[\w.]+", source).group(0)
        if done.returncode:
            return compared, f"{name} in {version}: {done.stderr.decode(errors='replace')[:800]}"
        ours = lines(done.stdout.decode())
        if ours != theirs:
            where = [(a, b) for a, b in zip(ours, theirs) if a != b]
            ours_line, theirs_line = where[0] if where else (len(ours), len(theirs))
            return compared, (f"{name} in {version}:\n  shoal-opt: {str(ours_line)[:600]}\n"
                              f"  jaxlib:    {str(theirs_line)[:600]}")
        compared += 1
    return compared, None


def main():
    tool, *paths = sys.argv[1:]
    compared = wrong = 0
    for path in paths:
        whole = pieces(path)
        for source in whole:
            count, message = check(tool, source, VERSIONS if len(whole) > 1 else VERSIONS[-2:])
            compared += count
            if message:
                wrong += 1
                print(f"{path}: {message}")
    print(f"{compared} artifacts agree, {wrong} do not")
    sys.exit(bool(wrong) or not compared)


main()
