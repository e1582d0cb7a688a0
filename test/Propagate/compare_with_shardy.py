"""Compares propagation's result with Shardy's, value by value.

  python compare_with_shardy.py [--shoal-opt PATH] [--random A:B] MODEL.mlir[.gz]…

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
import tempfile
from pathlib import Path

from jaxlib.mlir import ir
from jaxlib.mlir.passmanager import PassManager
from jax._src.interpreters import mlir as jax_mlir

SHARDY = ("builtin.module(sdy-lift-inlined-meshes,sdy-remove-size-one-axes,sdy-constant-or-scalar-splitter,symbol-dce,"
          "sdy-manual-axes-cleanup,sdy-add-data-flow-edges,sdy-apply-sharding-constraints,sdy-sharding-group-import,"
          "sdy-user-priority-propagate,func.func(sdy-constant-or-scalar-merger),func.func(sdy-sink-data-flow-edges))")
SEEDS = {"stablehlo.constant", "sdy.constant", "stablehlo.iota"}
KEPT = {"stablehlo.custom_call", "stablehlo.while"}
CARRIERS = {"stablehlo.while", "stablehlo.case", "stablehlo.if", "sdy.manual_computation", "func.func"}


def scalar_broadcast(op):
    return op.name == "stablehlo.broadcast_in_dim" and ir.RankedTensorType(op.operands[0].type).rank == 0


def live_values(root):
    """Values that something needs: Shardy removes the others on the way."""
    ops = []

    def collect(op):
        for region in op.regions:
            for block in region.blocks:
                for child in block.operations:
                    ops.append(child.operation)
                    collect(child.operation)

    collect(root)
    live = set()
    changed = True
    while changed:
        size = len(live)
        for op in reversed(ops):
            if not len(op.results) or op.name in KEPT or any(r in live for r in op.results):
                live.update(op.operands)
        changed = len(live) != size
    return live


def walk(op, out, copied, live):
    """Ops in order, but for what both sides copy per use: what is computed from
    constants alone, and scalars broadcast."""
    for region in op.regions:
        for block in region.blocks:
            for child in block.operations:
                inner = child.operation
                if len(inner.results) and inner.name not in KEPT and not any(r in live for r in inner.results):
                    continue
                if inner.name in SEEDS or scalar_broadcast(inner) or (
                        len(inner.operands) and not len(inner.regions) and len(inner.results)
                        and all(v in copied for v in inner.operands)):
                    if not scalar_broadcast(inner) or inner.operands[0] in copied:
                        copied.update(inner.results)
                    continue
                out.append(inner)
                if inner.name in CARRIERS:
                    walk(inner, out, copied, live)


STRICT = False


def normal(text):
    """Open and closed count as equal unless strict, and so do absent and empty."""
    return str(text) if STRICT else re.sub(r"(, )?\?", "", str(text))


def shardings(text, mesh_only=False):
    module = ir.Module.parse(text)
    ops = []
    walk(module.operation, ops, set(), live_values(module.operation))
    found = []
    # Shardy moves constraints next to what they constrain.
    ops.sort(key=lambda op: op.name == "sdy.sharding_constraint")
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
        elif op.name == "sdy.sharding_constraint":
            own = normal(attrs["sharding"])
        elif op.name == "sdy.manual_computation":
            own = normal(attrs["in_shardings"]) + normal(attrs["out_shardings"])
        found.append((op.name, own))
    first = sum(name != "sdy.sharding_constraint" for name, _ in found)
    return found[:first] + sorted(found[first:])


def is_trivial(sharding):
    return sharding is None or '"' not in sharding


def run(tool, *args):
    p = subprocess.run([tool, *args], capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError(f"{tool} {chr(32).join(args)}: {p.stderr[:2000]}")
    return p.stdout


def compare(tool, path, show):
    source = run(tool, path, "--shoal-import-pipeline", "--shoal-export-sdy")
    ours = run(tool, path, "--shoal-import-pipeline", "--shoal-propagate", "--shoal-export-sdy")
    with jax_mlir.make_ir_context():
        module = ir.Module.parse(source)
        PassManager.parse(SHARDY).run(module.operation)
        theirs = shardings(str(module))
        mine = shardings(ours)
    # A constraint that nothing uses may be given uses by Shardy.
    if len(theirs) != len(mine):
        theirs, mine = ([x for x in side if x[0] != "sdy.sharding_constraint"] for side in (theirs, mine))
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
    p.add_argument("models", nargs="*")
    p.add_argument("--random", help="seeds A:B of test/Fuzz/generate.py")
    p.add_argument("--strict", action="store_true", help="open and closed differ")
    p.add_argument("--shoal-opt", default=str(Path(__file__).resolve().parents[2] / "build/bin/shoal-opt"))
    p.add_argument("--at-least", type=float, default=1.0)
    p.add_argument("--show", type=int, default=5)
    args = p.parse_args()
    global STRICT
    STRICT = args.strict
    bad = False
    models = list(args.models)
    temporary = tempfile.TemporaryDirectory()
    if args.random:
        sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Fuzz"))
        import generate
        # Shardy knows `case` but not `if`, and passes nothing through it.
        generators = [g for g in generate.GENERATORS if g is not generate.conditional]
        for seed in range(*map(int, args.random.split(":"))):
            models.append(f"{temporary.name}/{seed}.mlir")
            Path(models[-1]).write_text(generate.make(seed, generators=generators)[0])
    for model in models:
        if model not in args.models and subprocess.run(
                [args.shoal_opt, model, "--shoal-import-pipeline"], capture_output=True).returncode:
            continue  # The fuzzer may make what is refused.
        share, count, different = compare(args.shoal_opt, model, args.show)
        if share < args.at_least or model in args.models:
            print(f"{Path(model).name}: {share:.4f} of {count} equal")
        else:
            continue
        for line in different:
            print("   ", line)
        bad |= share < args.at_least
    return bad


if __name__ == "__main__":
    sys.exit(main())
