"""Walks op classes times shardings.

  python test/Walk/walk.py gathers [--only CASE…] [--json FILE]
  python test/Walk/walk.py numbers [--only CASE…] [--meshes 2x4,3x2] [--uneven 0|1]

`gathers` compiles every case (cases/) with each dimension of each operand and
result cut alone, to the phase `partitioned`, and looks at what moved. It fails
when an operand is gathered whole, or an op is computed whole on every device,
and docs/gathers.md does not list it. --json writes the table that
docs/coverage.md is made from.

`numbers` runs every case on ranks, with each dimension cut alone and pairs of
dimensions cut, and compares with JAX on one device.
"""
import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE))
from cases import CASES, Sizes, t  # noqa: E402

BIN = Path(os.environ.get("SHOAL_BIN", TOP / "build" / "bin"))
os.environ.setdefault("JAX_PLATFORMS", "cpu")
MESHES = {"2x2": [("a", 2), ("b", 2)], "2x4": [("a", 2), ("b", 4)], "8": [("a", 8)], "3x2": [("a", 3), ("b", 2)],
          "2x2x2": [("a", 2), ("b", 2), ("c", 2)], "4": [("a", 4)]}
DTYPES = {"f32": np.float32, "i32": np.int32, "i1": np.bool_, "i16": np.int16}


def make_inputs(case, seed=0):
    rng = np.random.default_rng(seed)
    arrays = []
    for a in case.args:
        low, high = (-2, a.limit + 2) if a.index else (-a.limit, a.limit + 1)
        x = rng.integers(low, high, a.shape)
        if a.dtype == "i1":
            x = rng.integers(0, 2, a.shape)
        if a.spd:
            y = rng.integers(-2, 3, a.shape).astype(np.float32)
            x = y @ np.swapaxes(y, -1, -2) + 8 * np.eye(a.shape[-1])
        if a.tri:
            x = np.tril(rng.integers(-2, 3, a.shape)) + 8 * np.eye(a.shape[-1])
        arrays.append(x.astype(DTYPES[a.dtype]))
    return arrays


def mesh_text(mesh):
    return "<[" + ", ".join(f'"{n}"={s}' for n, s in mesh) + "]>"


def sharding(rank, cuts):
    """`cuts`: dimension -> axes."""
    return "<@mesh, [" + ", ".join("{" + ", ".join(cuts.get(d, [])) + "}" for d in range(rank)) + "]>"


def instantiate(body, n, args):
    """The body with names of its own."""
    def name(m):
        w = m.group(1)
        if re.fullmatch(r"a\d+", w):
            return args[int(w[1:])]
        return f"%{'v' if w[0].isdigit() else ''}{w}_{n}"
    return re.sub(r"\$(\w+)", name, body)


def tensors(case):
    """(which, number, shape) of everything that can be sharded."""
    out = [("operand", i, a.shape) for i, a in enumerate(case.args)]
    return out + [("result", i, s) for i, (s, _) in enumerate(case.results)]


def program(case, cuts_list, mesh, in_signature=False):
    """One module with the op once for each element of cuts_list, a map from
    (which, number) to {dimension: axes}."""
    devices = int(np.prod([s for _, s in mesh]))
    lines, outs, types = [], [], []

    def annotated(which, i):
        cuts = cuts_list[0].get((which, i)) if in_signature else None
        shape = case.args[i].shape if which == "operand" else case.results[i][0]
        return f" {{sdy.sharding = #sdy.sharding{sharding(len(shape), cuts)}}}" if cuts else ""
    for n, cuts in enumerate(cuts_list):
        names = []
        for i, a in enumerate(case.args):
            c = cuts.get(("operand", i))
            if in_signature or c is None:
                names.append(f"%arg{i}")
                continue
            names.append(f"%arg{i}_{n}")
            lines.append(f"%arg{i}_{n} = sdy.sharding_constraint %arg{i} {sharding(len(a.shape), c)} : {t(a)}")
        lines.append(instantiate(case.body, n, names))
        for i, r in enumerate(case.results):
            c = cuts.get(("result", i))
            value = f"%r{i}_{n}"
            if c is not None and not in_signature:
                lines.append(f"%s{i}_{n} = sdy.sharding_constraint {value} {sharding(len(r[0]), c)} : {t(r)}")
                value = f"%s{i}_{n}"
            outs.append(value)
            types.append(t(r) + annotated("result", i))
    args = ", ".join(f"%arg{i}: {t(a)}{annotated('operand', i)}" for i, a in enumerate(case.args))
    body = "\n    ".join(lines)
    plain = ", ".join(t(r) for _ in cuts_list for r in case.results)
    return (f"module attributes {{mhlo.num_partitions = {devices} : i32, mhlo.num_replicas = 1 : i32}} {{\n  sdy.mesh @mesh = {mesh_text(mesh)}\n"
            f"  func.func public @main({args}) -> ({', '.join(types)}) {{\n    {body}\n    return {', '.join(outs)} : {plain}\n  }}\n}}\n")


def shoal(tool, *args, timeout=120, forms=None):
    env = dict(os.environ, SHOAL_TEST_POISON="1")
    if forms is not None:
        env["SHOAL_TEST_FORMS"] = str(forms)
    try:
        return subprocess.run([str(BIN / tool), *map(str, args)], capture_output=True, text=True, timeout=timeout, env=env)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([], 124, "", f"timed out after {timeout} s")


# ---------------------------------------------------------------------- gathers
def listed_gathers():
    """`case tensor dimension` patterns from docs/gathers.md."""
    text = (TOP / "docs" / "gathers.md").read_text()
    return [line.split("`")[1] for line in text.splitlines() if line.startswith("- `")]


def classes(name, folder):
    """(which, number) -> the class of each dimension by the op's sharding rule,
    for those arguments and results that are the op's own."""
    op, make = CASES[name]
    path = f"{folder}/rule.mlir"
    Path(path).write_text(program(make(Sizes(32)), [{}], MESHES["4"]))
    p = shoal("shoal-opt", path, "--shoal-test-print-rules=kinds")
    found = {}
    for line in re.findall(rf"remark: kinds of {re.escape(op)}:(.*)", p.stderr):
        for which, i, kinds in re.findall(r"(operand|result)(\d+)=(\S*)", line):
            found[which, int(i)] = kinds.split(",")
    return found


def cut_alone(name):
    """What happens with each dimension cut alone: a list of dictionaries."""
    op, make = CASES[name]
    rows = []
    with tempfile.TemporaryDirectory() as tmp:
        kinds = classes(name, tmp)
        for uneven in (False, True):
            case = make(Sizes(32, uneven))
            for which, i, shape in tensors(case):
                for d, size in enumerate(shape):
                    if size == 1:
                        continue
                    path, report = f"{tmp}/x.mlir", f"{tmp}/r.json"
                    Path(path).write_text(program(case, [{(which, i): {d: ['"a"']}}], MESHES["4"], in_signature=True))
                    p = shoal("shoal-compile", path, "--compile-to=partitioned", f"--report={report}")
                    row = dict(op=op, case=name, tensor=which, number=i, dim=d, uneven=uneven)
                    row["class"] = kinds[which, i][d] if (which, i) in kinds else "around it"
                    if p.returncode:
                        row["error"] = p.stderr.strip()[:300]
                    else:
                        moved = {}
                        for c in json.load(open(report))["collectives"]:
                            moved[c["kind"]] = moved.get(c["kind"], 0) + c["bytes_sent_per_device"] * c.get("count", 1)
                        row["moved"] = moved
                        row["remarks"] = sorted(set(re.findall(r"remark: (.*(?:is gathered|as a whole).*)", p.stderr)))
                    rows.append(row)
    return rows


def gathers(args):
    names = args.only or list(CASES)
    listed = listed_gathers()
    used, failed, rows = set(), 0, []
    with ThreadPoolExecutor(args.jobs) as pool:
        for name, result in zip(names, pool.map(cut_alone, names)):
            rows += result
            for row in result:
                where = f"{name} {row['tensor']}{row['number']} {row['dim']}"
                if "error" in row:
                    print(f"{where}{' uneven' if row['uneven'] else ''}: {row['error']}")
                    failed += 1
                elif row["remarks"]:
                    hit = [p for p in listed if re.fullmatch(p, where)]
                    used.update(hit)
                    if not hit:
                        print(f"{where}{' uneven' if row['uneven'] else ''}: {row['remarks'][0]}")
                        failed += 1
                elif args.verbose:
                    print(f"{where}{' uneven' if row['uneven'] else ''}: {row['moved']}")
    if not args.only:
        for p in listed:
            if p not in used:
                print(f"docs/gathers.md lists what is no longer gathered: {p}")
                failed += 1
    if args.json:
        # One line per case and dimension: kinds of movement, not bytes.
        lines = [json.dumps(dict(op=r["op"], case=r["case"], dim=f"{r['tensor']}{r['number']} {r['dim']}", **{"class": r["class"]}, moved=sorted(r.get("moved", ()))))
                 for r in rows if not r["uneven"]]
        Path(args.json).write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(rows)} shardings of {len(names)} cases, {failed} problems")
    return failed > 0


# ---------------------------------------------------------------------- numbers
def judge(case, arrays):
    """Results of JAX on one CPU device."""
    import jax
    from jax._src.interpreters import mlir as jmlir
    from jax._src.lib import xla_client as xc
    from jaxlib.mlir import ir
    text = re.sub(r"  sdy\.mesh .*\n", "", program(case, [{}], [("a", 1)]))
    device = jax.devices("cpu")[0]
    with jmlir.make_ir_context():
        module = ir.Module.parse(text)
        exe = device.client.compile_and_load(module, executable_devices=xc.DeviceList((device,)), compile_options=xc.CompileOptions())
    out = exe.execute_sharded([jax.device_put(a, device) for a in arrays])
    return [np.asarray(o[0]) for o in out.disassemble_into_single_device_arrays()]


def shardings(case, mesh, limit, rng):
    """Each dimension cut alone; pairs of dimensions; a dimension cut by two axes
    in either order, by a sub-axis."""
    places = [((w, i), d) for w, i, shape in tensors(case) for d, size in enumerate(shape) if size > 1]
    axes = [f'"{n}"' for n, _ in mesh]
    single, pairs = [], []
    for place, d in places:
        single.append({place: {d: [axes[0]]}})
        if len(axes) > 1:
            pairs.append({place: {d: [axes[1], axes[0]]}})
    big = [n for n, s in mesh if s % 4 == 0]
    if big:
        for place, d in places:
            pairs.append({place: {d: [f'"{big[0]}":(1)2']}})
    for (p, d), (q, e) in itertools.permutations(places, 2):
        if p == q:
            if len(axes) > 1:
                pairs.append({p: {d: [axes[0]], e: [axes[1]]}})
        else:
            pairs.append({p: {d: [axes[0]]}, q: {e: [axes[-1]]}})
    if len(pairs) > limit:
        pairs = [pairs[i] for i in sorted(rng.choice(len(pairs), limit, replace=False))]
    return single + pairs


def run(case, cuts, mesh, arrays, tmp, forms=None):
    path, npz, out = f"{tmp}/x.mlir", f"{tmp}/in.npz", f"{tmp}/out.npz"
    Path(path).write_text(program(case, cuts, mesh))
    np.savez(npz, **{f"arg{i}": a for i, a in enumerate(arrays)})
    p = shoal("shoal-run", path, f"--input={npz}", f"--output={out}", forms=forms)
    if p.returncode:
        return f"exit {p.returncode}: {(p.stderr + p.stdout).strip()[:400]}", None
    with np.load(out) as got:
        return None, [got[f"out{i}"] for i in range(len(cuts) * len(case.results))]


def differs(got, want, tolerance):
    if got.dtype == np.bool_ or np.issubdtype(got.dtype, np.integer):
        return not np.array_equal(got, want)
    return not np.allclose(got, want, rtol=tolerance, atol=tolerance, equal_nan=True)


def check_numbers(name, args):
    op, make = CASES[name]
    problems, count = [], 0
    rng = np.random.default_rng(1)
    for uneven in ([False, True] if args.uneven is None else [bool(args.uneven)]):
        case = make(Sizes(1, uneven))
        arrays = make_inputs(case)
        want = None
        for m in args.meshes.split(","):
            mesh = MESHES[m]
            cuts = shardings(case, mesh, args.pairs, rng)
            with tempfile.TemporaryDirectory() as tmp:
                if want is None:
                    if case.own_judge:
                        error, want = run(case, [{}], [("a", 1)], arrays, tmp)
                    else:
                        want = judge(case, arrays)
                # With the forms that cost chooses, and with any forms.
                todo = [(cuts[i:i + 24], f) for i in range(0, len(cuts), 24) for f in (None, i, i + 1)]
                while todo:
                    batch, forms = todo.pop()
                    error, got = run(case, batch, mesh, arrays, tmp, forms)
                    if error and len(batch) > 1:
                        todo += [(batch[:len(batch) // 2], forms), (batch[len(batch) // 2:], forms)]
                        continue
                    count += len(batch)
                    where = f"{name} mesh {m}{' uneven' if uneven else ''}{'' if forms is None else f' forms {forms}'}"
                    if error:
                        problems.append(f"{where} {batch[0]}: {error}")
                        if args.keep:
                            Path(args.keep).mkdir(parents=True, exist_ok=True)
                            Path(args.keep, f"{name}_{m}_{int(uneven)}.mlir").write_text(program(case, batch, mesh))
                        continue
                    k = len(case.results)
                    for j, c in enumerate(batch):
                        bad = [i for i in range(k) if differs(got[j * k + i], want[i], case.tolerance)]
                        if bad:
                            problems.append(f"{where} {c}: wrong result {bad[0]}")
                            if args.keep:
                                Path(args.keep).mkdir(parents=True, exist_ok=True)
                                Path(args.keep, f"{name}_{m}_{int(uneven)}.mlir").write_text(program(case, [c] if forms is None else batch, mesh))
                                np.savez(f"{args.keep}/{name}_{int(uneven)}.npz", **{f"arg{i}": a for i, a in enumerate(arrays)})
    return count, problems


def numbers(args):
    names = args.only or list(CASES)
    total = failed = 0
    with ThreadPoolExecutor(args.jobs) as pool:
        for name, (count, problems) in zip(names, pool.map(lambda n: check_numbers(n, args), names)):
            total += count
            failed += len(problems)
            for p in problems[:args.show]:
                print(p, flush=True)
            if len(problems) > args.show:
                print(f"{name}: and {len(problems) - args.show} more", flush=True)
    print(f"{total} shardings of {len(names)} cases, {failed} wrong")
    return failed > 0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["gathers", "numbers"])
    p.add_argument("--only", nargs="*", help="names of cases; a trailing * stands for any ending")
    p.add_argument("--json", help="file for the table of movements")
    p.add_argument("--meshes", default="2x4,3x2")
    p.add_argument("--uneven", type=int)
    p.add_argument("--pairs", type=int, default=24, help="most shardings of pairs per case and mesh")
    p.add_argument("--keep", help="folder for failing programs")
    p.add_argument("--show", type=int, default=4)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--verbose", action="store_true")
    args = p.parse_args()
    if args.only:
        args.only = [n for n in CASES for o in args.only if n == o or (o.endswith("*") and n.startswith(o[:-1]))]
    return gathers(args) if args.what == "gathers" else numbers(args)


if __name__ == "__main__":
    sys.exit(main())
