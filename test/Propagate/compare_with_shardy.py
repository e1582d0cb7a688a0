"""Compares propagation's result with Shardy's, value by value.

  python compare_with_shardy.py [--shoal-opt PATH] MODEL.mlir[.gz]…

The model is imported by Shoal and printed in Shardy's dialect; that text goes
through Shardy's own propagation (jaxlib carries it) and, beside it, through
Shoal's. Prints the share of equal shardings per model and the first that
differ; constants and other values that both copy per use are left out. Exits 1
when a model is below --at-least.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

from jaxlib.mlir import ir
from jaxlib.mlir.passmanager import PassManager
from jax._src.interpreters import mlir as jax_mlir

SHARDY = ("builtin.module(sdy-lift-inlined-meshes,sdy-remove-size-one-axes,sdy-constant-or-scalar-splitter,symbol-dce,"
          "sdy-manual-axes-cleanup,sdy-add-data-flow-edges,sdy-apply-sharding-constraints,sdy-sharding-group-import,"
          "sdy-user-priority-propagate,func.func(sdy-constant-or-scalar-merger),func.func(sdy-sink-data-flow-edges))")
COPIED = {"stablehlo.constant", "sdy.constant", "stablehlo.iota"}


def scalar_broadcast(op):
    return op.name == "stablehlo.broadcast_in_dim" and ir.RankedTensorType(op.operands[0].type).rank == 0


def walk(op, out):
    for region in op.regions:
        for block in region.blocks:
            for child in block.operations:
                inner = child.operation
                if inner.name not in COPIED and not (inner.name == "stablehlo.broadcast_in_dim" and scalar_broadcast(inner)):
                    out.append(inner)
                if inner.name in ("stablehlo.while", "stablehlo.case", "stablehlo.if", "sdy.manual_computation", "func.func"):
                    walk(inner, out)


def normal(text):
    """Open and closed count as equal, and so do absent and empty."""
    return re.sub(r"(, )?\?", "", str(text))


def shardings(text, mesh_only=False):
    module = ir.Module.parse(text)
    ops = []
    walk(module.operation, ops)
    found = []
    for op in ops:
        attrs = op.attributes
        if op.name == "func.func":
            for key in ("arg_attrs", "res_attrs"):
                if key in attrs:
                    for i, a in enumerate(attrs[key]):
                        found.append((f"{key}[{i}]", normal(a["sdy.sharding"]) if "sdy.sharding" in a else None))
            continue
        if not op.results:
            continue
        own = None
        if "sdy.sharding" in attrs:
            own = normal(attrs["sdy.sharding"])
        elif op.name == "sdy.manual_computation":
            own = normal(attrs["in_shardings"]) + normal(attrs["out_shardings"])
        found.append((op.name, own))
    return found


def is_trivial(sharding):
    return sharding is None or '"' not in sharding


def run(tool, *args):
    p = subprocess.run([tool, *args], capture_output=True, text=True)
    if p.returncode:
        sys.exit(f"{tool} {' '.join(args)}: {p.stderr[:2000]}")
    return p.stdout


def compare(tool, path, show):
    source = run(tool, path, "--shoal-import-pipeline", "--shoal-export-sdy")
    ours = run(tool, path, "--shoal-import-pipeline", "--shoal-propagate", "--shoal-export-sdy")
    with jax_mlir.make_ir_context():
        module = ir.Module.parse(source)
        PassManager.parse(SHARDY).run(module.operation)
        theirs = shardings(str(module))
        mine = shardings(ours)
    if [n for n, _ in theirs] != [n for n, _ in mine]:
        names = [(a, b) for (a, _), (b, _) in zip(theirs, mine) if a != b]
        return 0.0, len(mine), [f"programs differ: {len(theirs)} and {len(mine)} ops, first {names[:1]}"]
    different = []
    for i, ((name, want), (_, got)) in enumerate(zip(theirs, mine)):
        if want != got and not (is_trivial(want) and is_trivial(got)):
            different.append(f"#{i} {name}: Shardy {want}, Shoal {got}")
    return 1 - len(different) / max(1, len(mine)), len(mine), different[:show]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="+")
    p.add_argument("--shoal-opt", default=str(Path(__file__).resolve().parents[2] / "build/bin/shoal-opt"))
    p.add_argument("--at-least", type=float, default=1.0)
    p.add_argument("--show", type=int, default=5)
    args = p.parse_args()
    bad = False
    for model in args.models:
        share, count, different = compare(args.shoal_opt, model, args.show)
        print(f"{Path(model).name}: {share:.4f} of {count} equal")
        for line in different:
            print("   ", line)
        bad |= share < args.at_least
    return bad


if __name__ == "__main__":
    sys.exit(main())
