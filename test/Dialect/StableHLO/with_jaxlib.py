"""Asks jaxlib's own StableHLO for its opinion on what shoal-opt reads and prints.

    with_jaxlib.py text SHOAL-OPT FILE...      both print the same, pretty and
                                               generic, and jaxlib reads it
    with_jaxlib.py bytecode SHOAL-OPT FILE...  bytecode of either is read by the
                                               other, with the same text as result
    with_jaxlib.py invalid SHOAL-OPT FILE...   jaxlib too refuses each piece of a
                                               file of errors, except those marked
                                               `stricter than jaxlib`
    with_jaxlib.py coverage SHOAL-OPT FILE...  the files have every op jaxlib knows
"""
import gzip
import io
import re
import subprocess
import sys
from pathlib import Path

from jaxlib.mlir import ir
from jaxlib.mlir.dialects import _stablehlo_ops_gen

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import jaxlib_context  # noqa: E402

ALLOW = "--allow-unregistered-dialect"



def make_context():
    context = jaxlib_context.make_context()
    context.allow_unregistered_dialects = True
    return context


def read(path):
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    with opened as file:
        return file.read()


def lines(text):
    return [line.rstrip() for line in text.strip().split("\n")]


def shoal_opt(tool, data, *options):
    if isinstance(data, str):
        data = data.encode()
    done = subprocess.run([tool, ALLOW, *options], input=data, capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[:2000])
    return done.stdout


def first_difference(ours, theirs):
    for number, (a, b) in enumerate(zip(ours, theirs), 1):
        if a != b:
            return f"line {number}:\n  shoal-opt: {a[:500]}\n  jaxlib:    {b[:500]}"
    return f"{len(ours)} lines and {len(theirs)} lines" if len(ours) != len(theirs) else None


def check_text(tool, path):
    source = read(path)
    for generic in (False, True):
        options = ["--mlir-print-op-generic"] if generic else []
        ours = shoal_opt(tool, source, *options).decode()
        with make_context():
            module = ir.Module.parse(source)
            theirs = module.operation.get_asm(print_generic_op_form=generic)
            difference = first_difference(lines(ours), lines(theirs))
            if difference:
                return difference
            # The same again from what was printed.
            again = ir.Module.parse(ours).operation.get_asm(print_generic_op_form=generic)
        if again != theirs:
            return "jaxlib reads something else from what shoal-opt printed"
    return None


def check_bytecode(tool, path):
    source = read(path)
    with make_context():
        module = ir.Module.parse(source)
        stream = io.BytesIO()
        module.operation.write_bytecode(stream)
        theirs = module.operation.get_asm()
        ours = shoal_opt(tool, stream.getvalue()).decode()
        difference = first_difference(lines(ours), lines(theirs))
        if difference:
            return difference
        back = ir.Module.parse(shoal_opt(tool, source, "--emit-bytecode"))
        return first_difference(lines(back.operation.get_asm()), lines(theirs))


def check_invalid(tool, path):
    for piece in read(path).split("// -----"):
        if "func.func" not in piece or "stricter than jaxlib" in piece:
            continue
        with make_context():
            try:
                ir.Module.parse(piece)
            except ir.MLIRError:
                continue
        return "jaxlib accepts:\n" + piece
    return None


def check_coverage(tool, paths):
    found = set()
    for path in paths:
        printed = shoal_opt(tool, read(path), "--mlir-print-op-generic").decode()
        found |= set(re.findall(r'"(stablehlo\.[\w-]+)"', printed))
    known = {value.OPERATION_NAME for value in vars(_stablehlo_ops_gen).values()
             if isinstance(value, type) and hasattr(value, "OPERATION_NAME")}
    missing = sorted(known - found)
    return f"no test has {missing}" if missing else None


def main():
    mode, tool, *paths = sys.argv[1:]
    if mode == "coverage":
        results = [("coverage", check_coverage(tool, paths))]
    else:
        check = {"text": check_text, "bytecode": check_bytecode, "invalid": check_invalid}[mode]
        results = []
        for path in paths:
            try:
                results.append((path, check(tool, path)))
            except (RuntimeError, ir.MLIRError) as error:
                results.append((path, str(error)))
    failures = [(path, message) for path, message in results if message]
    for path, message in failures:
        print(f"{path}: {message}")
    print(f"{mode}: {len(results) - len(failures)} of {len(results)} agree")
    sys.exit(bool(failures))


main()
