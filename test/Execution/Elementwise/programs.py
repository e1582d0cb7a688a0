"""Programs of elementwise operations: written, listed, and run through shoal-run."""
import os
import subprocess
import tempfile

import numpy as np


def tensor(shape, t):
    return "tensor<" + "".join(f"{d}x" for d in shape) + t + ">"


class Program:
    """One function on one set of operands, with many results.

    Each result has a name and a judge: a function from the operands and the
    result, as arrays, to None or to what is wrong.
    """

    def __init__(self, name, judge="the specification"):
        self.name, self.judged_by = name, judge
        self.arguments, self.arrays, self.lines, self.results = [], [], [], []

    def argument(self, array, t):
        self.arguments.append(f"%a{len(self.arguments)}: {tensor(array.shape, t)}")
        self.arrays.append(array)
        return f"%a{len(self.arguments) - 1}", tensor(array.shape, t)

    def op(self, name, operands, out_type, judge, attributes="", label="", dialect="stablehlo"):
        """operands: pairs of a name and a type."""
        value = f"%r{len(self.results)}"
        names = ", ".join(o[0] for o in operands)
        types = ", ".join(o[1] for o in operands)
        self.lines.append(f'  {value} = "{dialect}.{name}"({names}) {attributes} : ({types}) -> {out_type}')
        self.results.append((label or f"{name} {operands[0][1]} {attributes}", value, out_type, judge))
        return value, out_type

    def raw(self, line):
        self.lines.append("  " + line)

    def result(self, value, out_type, label, judge):
        self.results.append((label, value, out_type, judge))

    def text(self):
        values = ", ".join(r[1] for r in self.results)
        types = ", ".join(r[2] for r in self.results)
        body = "\n".join(self.lines)
        return (f"func.func @main({', '.join(self.arguments)}) -> ({types}) {{\n{body}\n"
                f"  return {values} : {types}\n}}\n")

    def run(self, shoal_run, directory):
        """Messages about what is wrong."""
        with open(f"{directory}/p.mlir", "w") as f:
            f.write(self.text())
        np.savez(f"{directory}/in.npz", **{f"arg{i}": a for i, a in enumerate(self.arrays)})
        command = [shoal_run, f"{directory}/p.mlir", f"--input={directory}/in.npz", f"--output={directory}/out.npz",
                   "--single-device"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            if os.environ.get("KEEP"):
                with open(os.environ["KEEP"], "w") as f:
                    f.write(self.text())
            return [f"{self.name}: exit {done.returncode}: {done.stderr.strip()[:600]}"]
        messages = []
        with np.load(f"{directory}/out.npz") as got:
            for i, (label, _, _, judge) in enumerate(self.results):
                problem = judge(got[f"out{i}"])
                if problem:
                    messages.append(f"{self.name}: {label}: {problem}")
        return messages


def run_all(programs, argv):
    """The command line of a test: SHOAL_RUN [FILTER], or --list."""
    if argv[1:2] == ["--list"]:
        for p in programs:
            print(f"// judge: {p.judged_by}\n{p.text()}// -----")
        return 0
    shoal_run, pattern = argv[1], argv[2] if len(argv) > 2 else ""
    bad = count = 0
    with tempfile.TemporaryDirectory() as directory:
        for p in programs:
            if pattern not in p.name:
                continue
            count += len(p.results)
            for message in p.run(shoal_run, directory):
                bad += 1
                print("BAD", message)
    print(f"{bad} of {count} bad" if bad else f"all {count} agree")
    return 1 if bad else 0
