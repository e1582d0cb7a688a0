#!/usr/bin/env python3
"""Compares the sharding rules of every op of modules with those that Shardy
(in jaxlib) gives them.

  compare_with_shardy.py SHOAL_OPT MODEL...

Factors that occur in one tensor only, and those that block propagation, carry no
sharding and are left out on both sides; so are the kinds of factors, unless
--kinds is given. Prints what
differs; exit code 1 if anything does.
"""
import argparse
import gzip
import re
import subprocess
import sys
from collections import Counter

from jax._src.interpreters import mlir as jax_mlir
from jaxlib.mlir import ir, passmanager


def read(path):
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    with opened as file:
        return file.read()


def walk(op):
    for region in op.regions:
        for block in region:
            for inner in block:
                yield inner.operation
                yield from walk(inner.operation)


FACTOR = re.compile(r"[a-z](?:_\d+)?")


def canonical(rule, kinds):
    """The mapping with shared factors renamed in order of appearance."""
    text = str(rule)
    if "{" not in text:  # Scalars only.
        text = text.replace(")>", ") {}>")
    mapping = text[text.index("<") + 1 : text.index("{")]
    sizes = dict(re.findall(r"([a-z](?:_\d+)?)=(\d+)", text[text.index("{") :]))
    tensors = re.findall(r"\[([^\]]*)\]", mapping)
    seen = Counter()
    for tensor in tensors:
        for factor in set(FACTOR.findall(tensor)):
            seen[factor] += 1
    blocked = re.search(r"blocked_propagation=\{([^}]*)\}", text)
    for factor in FACTOR.findall(blocked.group(1)) if blocked else []:
        seen[factor] = 0
    names = {}

    def rename(match):
        factor = match.group(0)
        if seen[factor] < 2:
            return ""
        names.setdefault(factor, f"f{len(names)}:{sizes.get(factor)}")
        return names[factor] + " "

    result = [[FACTOR.sub(rename, dim).strip() for dim in tensor.split(",")]
              for tensor in tensors]
    if not kinds:
        return result
    groups = re.findall(r"(reduction|need_replication|permutation)=\{([^}]*)\}", text)
    return result, sorted((kind, sorted(names[f.strip()] for f in factors.split(",")
                                        if f.strip() in names))
                          for kind, factors in groups)


def compare(shoal_opt, path, kinds, limit):
    context = jax_mlir.make_ir_context()
    context.allow_unregistered_dialects = True
    with context:
        theirs = ir.Module.parse(read(path))
        passmanager.PassManager.parse(
            "builtin.module(func.func(sdy-populate-op-sharding-rules))"
        ).run(theirs.operation)
        printed = subprocess.run(
            [shoal_opt, "-", "--shoal-test-print-rules", "--shoal-export-sdy"],
            input=read(path), capture_output=True, text=True)
        if printed.returncode:
            sys.exit(f"{path}: {printed.stderr}")
        # Shardy does not parse rules without operands.
        ours = ir.Module.parse(re.sub(
            r"sdy\.sharding_rule = #sdy\.op_sharding_rule<\(\)->\([^)]*\)[^>]*>(, )?",
            "", printed.stdout))
        ops_theirs = list(walk(theirs.operation))
        ops_ours = list(walk(ours.operation))
        if len(ops_theirs) != len(ops_ours):
            sys.exit(f"{path}: {len(ops_theirs)} ops against {len(ops_ours)}")
        differences, equal = 0, 0
        for a, b in zip(ops_theirs, ops_ours):
            if a.name != b.name:
                sys.exit(f"{path}: {a.name} against {b.name}")
            if "sdy.sharding_rule" not in a.attributes or a.name.startswith("sdy."):
                continue
            expected = a.attributes["sdy.sharding_rule"]
            got = (b.attributes["sdy.sharding_rule"]
                   if "sdy.sharding_rule" in b.attributes else None)
            if got is not None and canonical(expected, kinds) == canonical(got, kinds):
                equal += 1
                continue
            differences += 1
            if differences <= limit:
                print(f"{path}: {a.name}\n  Shardy {expected}\n  Shoal  {got}")
        print(f"{path}: {equal} equal, {differences} different")
        return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shoal_opt")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--kinds", action="store_true")
    parser.add_argument("--limit", type=int, default=10)
    args = parser.parse_args()
    total = sum(compare(args.shoal_opt, m, args.kinds, args.limit) for m in args.models)
    sys.exit(total != 0)


if __name__ == "__main__":
    main()
