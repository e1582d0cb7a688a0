#!/usr/bin/env python3
"""Makes docs/coverage.md: per operation of StableHLO and chlo what is tested.

    coverage.py            writes it
    coverage.py --check    fails where it is out of date (numbers apart), or a
                           row is empty

Counted are the programs that the judged tests run (each lists them by `--list`)
and, where a file test/Walk/movements.json exists (walk.py gathers --json), how
operations move data when they are cut. A new generator of programs is a line in
GENERATORS.
"""
import collections
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "docs" / "coverage.md"
warnings.simplefilter("ignore")

# script and its arguments, who judges (a program may say otherwise: `// judge: …`)
GENERATORS = [
    (["Execution/Elementwise/elementwise.py", "--list"], "the specification"),
    (["Execution/Elementwise/chlo.py", "--list"], "JAX"),
    (["Codegen/CPU/ops_against_jax.py", "--list"], "JAX"),
    (["Fuzz/single_op.py", "--list", "--seeds", "0:150"], "JAX"),
    (["Import/quantized_against_numpy.py", "--list"], "numpy"),
    (["Runtime/lapack_against_jax.py", "--list"], "JAX"),
]
# Operations without a program of those, and who answers for them.
ELSEWHERE = {
    "after_all": "ordering only; lit: Dialect/StableHLO",
    "create_token": "ordering only; lit: Dialect/StableHLO",
    "case": "Fuzz/control_flow.py, JAX", "if": "Fuzz/control_flow.py, JAX", "while": "Fuzz/control_flow.py, JAX",
    "all_gather": "Walk, Fuzz and Execution/Ranks, JAX", "all_reduce": "Fuzz and Execution/Ranks, JAX",
    "all_to_all": "Fuzz and Execution/Ranks, JAX", "collective_broadcast": "lit: Import/import-collectives",
    "collective_permute": "Execution/Ranks, JAX", "cross-replica-sum": "deprecated: all_reduce",
    "reduce_scatter": "Execution/Ranks, JAX", "partition_id": "Execution/Ranks, JAX", "replica_id": "lit: Import/import-collectives",
    "infeed": "refused: there is no host that feeds", "outfeed": "refused: there is no host that takes",
    "send": "refused: there is no other program", "recv": "refused: there is no other program",
    "return": "part of every region", "composite": "lit: Import/expand-composites",
    "custom_call": "Runtime/lapack_against_jax.py, JAX; lit: Import/expand-custom-calls",
    "tuple": "lit: Import/flatten-tuples", "get_tuple_element": "lit: Import/flatten-tuples",
    "get_dimension_size": "lit: Import/refine-shapes", "set_dimension_size": "refused: no tensor is of a size known only at run time",
    "compute_reshape_shape": "CHLO's shape functions; none prints them", "cstr_reshapable": "CHLO's shape functions; none prints them",
    "trace": "debugging only, has no value", "async_start": "made by XLA's scheduler", "async_done": "made by XLA's scheduler",
    "_asin_acos_kernel": "inside chlo.acos, asin, acosh, asinh of complex numbers",
    **{"dynamic_" + o: "refined to its static form; Import/polymorphic.test, JAX; lit: Import/refine-shapes"
       for o in ("broadcast_in_dim", "conv", "gather", "iota", "pad", "reshape")},
    "real_dynamic_slice": "refined to its static form; lit: Import/refine-shapes",
}
ORDER = ["i1", "i2", "i4", "i8", "i16", "i32", "i64", "ui2", "ui4", "ui8", "ui16", "ui32", "ui64", "f4E2M1FN", "f6E2M3FN",
         "f6E3M2FN", "f8E3M4", "f8E4M3", "f8E4M3FN", "f8E4M3FNUZ", "f8E4M3B11FNUZ", "f8E5M2", "f8E5M2FNUZ", "f8E8M0FNU",
         "bf16", "f16", "f32", "f64", "complex<f32>", "complex<f64>", "quantized"]
GROUPS = [("i2–i64", ORDER[1:7]), ("ui2–ui64", ORDER[7:13]), ("f4, f6", ORDER[13:16]), ("f8 (8)", ORDER[16:24]),
          ("f8 (7)", ORDER[16:23]), ("complex", ORDER[28:30])]


DIFFERENCES = """## Where Shoal, XLA and the reference interpreter differ

Found by running the programs of `test/Execution/Elementwise` through all three (jaxlib carries the interpreter).

- Subnormals: never flushed here; XLA flushes operands of ceil, floor and some functions, and results of logistic, log and others.
- `logistic` of numbers so negative that `exp(-x)` overflows (f32 below -88.7): its value here, 0 in XLA and the interpreter.
- `compare` TOTALORDER: IEEE's order, as XLA; the interpreter takes it for FLOAT.
- Integer division by zero gives -1 (all ones), the remainder its first operand, as XLA; the interpreter has no answer.
- Conversion to `f8E8M0FNU` of zero and of negative numbers: NaN, as XLA; the interpreter gives the smallest value. Infinity
  to the f4 and f6 types: their largest value, as XLA; the interpreter gives 0.
- Complex `divide` of an infinite by a finite number: infinite in the parts that C's annex G says; XLA and the interpreter have NaN.
- Complex log, log_plus_one, sqrt, exponential, sine, cosine, tan, tanh and the inverse functions hold each part to 4 units
  of the true value over the range that is tested, where XLA loses small parts; exponential_minus_one, rsqrt and logistic
  are up to some 10 units off in a part, cosh and sinh as much as XLA.
- chlo's series are XLA's, products contracted into sums as XLA does: mostly bit for bit, within 3 units of XLA except
  beside zeros of lgamma and digamma and for polygamma of orders above 5. Such series are themselves tens of units off
  in places (cosh, sinh, erfc, erf_inv next to 1). `atanh` in f64 is good to 2 units where XLA is off by up to 119.
- Bits of signaling NaNs of f16 become quiet in `bitcast_convert`.
"""


def programs():
    """Pairs of a program's text and who judges it."""
    running = [(subprocess.Popen([sys.executable, str(HERE / command[0])] + command[1:], stdout=subprocess.PIPE, text=True,
                                 stderr=subprocess.DEVNULL), command, judge) for command, judge in GENERATORS]
    for process, command, judge in running:
        text, _ = process.communicate()
        if process.returncode:
            sys.exit(f"{command[0]} --list ended with {process.returncode}")
        for part in text.split("// -----\n"):
            said = re.match(r"// judge: (.*)\n", part)
            if part.strip():
                yield part, said.group(1) if said else judge


def element(t):
    text = str(t)
    if "quant.uniform" in text:
        return "quantized"
    m = re.match(r"tensor<(?:[0-9?]+x)*([^,]*?)(?:, .*)?>$", text)
    return m.group(1) if m and m.group(1) in ORDER else None


def attributes(op):
    return [op.attributes[i] for i in range(len(op.attributes))]


def scan():
    """op -> (types, forms, number of programs, judges)."""
    from jax._src.interpreters import mlir as jax_mlir
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import chlo, stablehlo
    names = {d: sorted({n for n in (getattr(getattr(module, c), "OPERATION_NAME", "") for c in dir(module))
                        if n.startswith(d + ".")})
             for d, module in (("stablehlo", stablehlo), ("chlo", chlo))}
    types, forms = collections.defaultdict(set), collections.defaultdict(set)
    counts, judges = collections.Counter(), collections.defaultdict(set)
    with jax_mlir.make_ir_context() as context:
        context.allow_unregistered_dialects = True
        for text, judge in programs():
            try:
                module = ir.Module.parse(text)
            except Exception:
                # Types that jaxlib's parser does not know: by the text.
                for line in text.split("\n"):
                    for name in re.findall(r"(?:^|= |\s)\"?((?:stablehlo|chlo)\.\w+)", line):
                        counts[name] += 1
                        judges[name].add(judge)
                        forms[name].update(re.findall(r"<\{.*\}>|\{.*\} :", line))
                        types[name].update(e for e in map(element, re.findall(r"tensor<(?:[^<>]|<[^<>]*>)*>", line)) if e)
                continue
            def visit(op):
                name = op.name
                if name.split(".")[0] in names:
                    inner = op.parent is not None and op.parent.name.split(".")[0] in names
                    values = [v.type for v in op.operands] + [r.type for r in op.results]
                    types[name].update(e for e in map(element, values) if e)
                    # jaxlib cannot hold dense complex attributes.
                    if "constant" not in name:
                        forms[name].add(str(sorted((a.name, str(a.attr)) for a in attributes(op))))
                    if not inner:
                        counts[name] += 1
                        judges[name].add(judge)
                return ir.WalkResult.ADVANCE
            module.operation.walk(visit)
    return names, types, forms, counts, judges


def moves():
    """op -> class of dimension -> [how many were cut, movements seen], from the walk over shardings."""
    table = collections.defaultdict(lambda: collections.defaultdict(lambda: [0, set()]))
    path = HERE / "Walk" / "movements.json"
    for row in json.loads(path.read_text()) if path.exists() else []:
        seen = table[row["op"]][row["class"]]
        seen[0] += 1
        seen[1].update(row["moved"])
    return table


def cuts(classes):
    """Cells: the classes of dimensions that were cut, and what each of them moved."""
    order = ["pass-through", "reduction", "window", "indexed", "ordered", "need-replication", "none", "around it"]
    names = {"need-replication": "whole", "none": "unmapped"}
    found = sorted(classes, key=order.index)
    return (", ".join(f"{names.get(c, c)} {classes[c][0]}" for c in found),
            "; ".join(f"{names.get(c, c)}: {', '.join(sorted(classes[c][1]))}" for c in found if classes[c][1]) or ("nothing" if found else ""))


def type_list(found):
    left, out = set(found), []
    for label, group in GROUPS:
        if set(group) <= left:
            left -= set(group)
            out.append((ORDER.index(group[0]), label))
    out += [(ORDER.index(t), t) for t in left]
    return ", ".join(label for _, label in sorted(out))


def render():
    names, types, forms, counts, judges = scan()
    sharded = moves()
    lines = ["# What is tested, and where the judges differ", "",
             "Made by `test/coverage.py` from the programs that the tests run; the suite fails where it is out of date. Element types",
             "are those of operands and results. Forms are different attributes. Judges: the specification (written in Python, functions",
             "by mpmath), numpy, JAX on the same StableHLO text. Sharded: how many dimensions of each class `test/Walk` cuts, each alone, of the",
             "operation's cases, checking that nothing is gathered but what docs/gathers.md lists, and what then moves. A class says what the",
             "sharding rule takes the dimension for; *whole*: everyone needs all of it; *unmapped*: the rule does not name it; *around it*: it belongs",
             "to an operation before or behind, or the operation has no rule of its own (loops, branches).", "", DIFFERENCES]
    empty = []
    for dialect in names:
        lines += [f"## {dialect}", "", "| operation | element types | forms | programs | judged by | sharded | movement |",
                  "| --- | --- | --- | --- | --- | --- | --- |"]
        for name in names[dialect]:
            short = name.split(".", 1)[1]
            cut = cuts(sharded[name]) if name in sharded else ("", "")
            if name in types or counts[name]:
                judged = ", ".join(sorted(judges[name])) or ELSEWHERE.get(short, "in regions of the above")
                row = (type_list(types[name]), len(forms[name]) or "", counts[name] or "in regions", judged)
            elif short in ELSEWHERE:
                row = ("", "", "", ELSEWHERE[short])
            else:
                empty.append(name)
                row = ("", "", "", "nothing")
            lines.append(f"| {short} | {row[0]} | {row[1]} | {row[2]} | {row[3]} | {cut[0]} | {cut[1]} |")
        lines.append("")
    return "\n".join(lines), empty


def without_numbers(text):
    """Operations, types and judges of a table."""
    return [[cells[i] for i in (1, 2, 5)] for cells in (line.split("|") for line in text.split("\n")) if len(cells) > 6]


def main():
    text, empty = render()
    if empty:
        print("no test of", ", ".join(empty))
    if sys.argv[1:] == ["--check"]:
        if not OUT.exists() or without_numbers(OUT.read_text()) != without_numbers(text):
            print(f"{OUT} is out of date: run test/coverage.py")
            return 1
        return 1 if empty else 0
    OUT.write_text(text)
    return 1 if empty else 0


sys.exit(main())
