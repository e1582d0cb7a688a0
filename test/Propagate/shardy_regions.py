"""Random programs of loops, branches, manual regions, barriers, constraints,
groups, priorities and sub-axes, whose shardings must equal Shardy's.

  python shardy_regions.py [--shoal-opt PATH] [--seeds A:B] [--keep DIR] [--strict]

Every op class that propagation treats in a way of its own takes part; all
tensors come from a few shapes, so that values meet. Compared with Shardy's
user-priority propagation (jaxlib carries it). Exits 1 on any difference.
"""
import argparse
import random
import re
import sys
import tempfile
from pathlib import Path

import compare_with_shardy as base
from jaxlib.mlir import ir
from jaxlib.mlir.passmanager import PassManager
from jax._src.interpreters import mlir as jax_mlir

MESHES = [[("a", 2), ("b", 2)], [("a", 2), ("b", 2), ("c", 2)], [("a", 2), ("b", 4)], [("a", 8)], [("a", 4), ("b", 3)]]
SHAPES = [(8, 16), (16, 8), (16, 16), (8, 4, 4), (32, 4), (128,), (16,), (8,), (4, 2, 16)]


def tensor(shape):
    return f"tensor<{'x'.join(map(str, shape))}{'x' if shape else ''}f32>"


class Maker:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.mesh = self.rng.choice(MESHES)
        self.lines, self.count, self.manual, self.groups = [], 0, [], {}
        self.index, self.scalar = "%index", "%scalar"

    def name(self):
        self.count += 1
        return f"%v{self.count}"

    def emit(self, text):
        self.lines.append(text)

    # --- shardings ---

    def axes(self):
        """Axes or parts of them that are free here, in random order."""
        rng, out = self.rng, []
        for n, s in self.mesh:
            if n in self.manual:
                continue
            if s >= 4 and s % 2 == 0 and rng.random() < 0.35:
                out += rng.sample([f'"{n}":(1)2', f'"{n}":(2){s // 2}'], rng.choice([1, 2]))
            else:
                out.append(f'"{n}"')
        rng.shuffle(out)
        return out

    def join(self, dims):
        for n, s in self.mesh:
            if s >= 4:
                whole = f'"{n}":(1)2, "{n}":(2){s // 2}'
                dims = [", ".join(d).replace(whole, f'"{n}"').split(", ") if d else d for d in dims]
        return dims

    def sharding(self, rank, density=0.6, priorities=False, full=True):
        rng, dims = self.rng, [[] for _ in range(rank)]
        replicated = []
        for axis in self.axes():
            if rng.random() > density:
                if rng.random() < 0.1:
                    replicated.append(axis)
                continue
            if rank:
                dims[rng.randrange(rank)].append(axis)
        text = []
        for d in self.join(dims):
            is_open = rng.random() < 0.6
            p = f"p{rng.randrange(3)}" if priorities and rng.random() < 0.4 and (is_open or d) else ""
            text.append("{" + ", ".join(d + (["?"] if is_open else [])) + "}" + p)
        tail = ""
        order = {n: i for i, (n, _) in enumerate(self.mesh)}
        if replicated:
            replicated = sorted(replicated, key=lambda x: (order[x.split('"')[1]], x))
            tail = ", replicated={" + ", ".join(self.join([replicated])[0]) + "}"
        return f"<@mesh, [{', '.join(text)}]{tail}>"

    # --- values: (name, shape) ---

    def pick(self, values, shape=None):
        fitting = [v for v in values if shape is None or v[1] == shape]
        return self.rng.choice(fitting) if fitting else None

    def op(self, values):
        rng = self.rng
        kinds = ["unary", "binary", "binary", "transpose", "reshape", "broadcast", "reduce", "dot", "constraint", "slice",
                 "constant", "scalar", "dus", "concat", "barrier", "rule", "optbarrier", "group", "twice"]
        kind = rng.choice(kinds)
        x = self.pick(values)
        n, s = x
        r = self.name()
        t = tensor(s)
        if kind == "unary":
            self.emit(f"{r} = stablehlo.{rng.choice(['tanh', 'negate', 'exponential'])} {n} : {t}")
            return [(r, s)]
        if kind == "binary":
            y = self.pick(values, s)
            self.emit(f"{r} = stablehlo.{rng.choice(['add', 'multiply', 'subtract'])} {n}, {y[0]} : {t}")
            return [(r, s)]
        if kind == "twice":
            self.emit(f"{r} = stablehlo.add {n}, {n} : {t}")
            return [(r, s)]
        if kind == "transpose" and len(s) > 1:
            perm = list(range(len(s)))
            rng.shuffle(perm)
            o = tuple(s[p] for p in perm)
            self.emit(f"{r} = stablehlo.transpose {n}, dims = {perm} : ({t}) -> {tensor(o)}")
            return [(r, o)]
        if kind == "reshape":
            size = 1
            for d in s:
                size *= d
            fit = []
            for o in SHAPES:
                m = 1
                for d in o:
                    m *= d
                if m == size and o != s:
                    fit.append(o)
            if fit:
                o = rng.choice(fit)
                self.emit(f"{r} = stablehlo.reshape {n} : ({t}) -> {tensor(o)}")
                return [(r, o)]
        if kind == "broadcast" and len(s) < 3:
            extra = rng.choice([8, 16, 4])
            at = rng.randrange(len(s) + 1)
            o = s[:at] + (extra,) + s[at:]
            dims = [d if d < at else d + 1 for d in range(len(s))]
            self.emit(f"{r} = stablehlo.broadcast_in_dim {n}, dims = {dims} : ({t}) -> {tensor(o)}")
            return [(r, o)]
        if kind == "reduce":
            d = rng.randrange(len(s))
            o = s[:d] + s[d + 1:]
            z = self.name()
            self.emit(f"{z} = stablehlo.constant dense<0.0> : tensor<f32>")
            self.emit(f"{r} = stablehlo.reduce({n} init: {z}) applies stablehlo.{rng.choice(['add', 'maximum'])} across dimensions = [{d}] : ({t}, tensor<f32>) -> {tensor(o)}")
            return [(r, o)] if o else []
        if kind == "dot" and len(s) == 2:
            y = self.pick([v for v in values if len(v[1]) == 2 and s[1] in v[1]]) if any(len(v[1]) == 2 and s[1] in v[1] for v in values) else None
            if y:
                c = y[1].index(s[1])
                o = (s[0], y[1][1 - c])
                self.emit(f"{r} = stablehlo.dot_general {n}, {y[0]}, contracting_dims = [1] x [{c}] : ({t}, {tensor(y[1])}) -> {tensor(o)}")
                return [(r, o)]
        if kind == "constraint":
            self.emit(f"{r} = sdy.sharding_constraint {n} {self.sharding(len(s))} : {t}")
            return [(r, s)]
        if kind == "slice":
            d = rng.randrange(len(s))
            if s[d] >= 8:
                o = s[:d] + (s[d] // 2,) + s[d + 1:]
                b = ", ".join(f"0:{x}" for x in o)
                self.emit(f"{r} = stablehlo.slice {n} [{b}] : ({t}) -> {tensor(o)}")
                return [(r, o)]
        if kind == "constant":
            self.emit(f"{r} = stablehlo.constant dense<1.5> : {t}")
            q = self.name()
            self.emit(f"{q} = stablehlo.multiply {n}, {r} : {t}")
            return [(q, s)]
        if kind == "scalar":
            q = self.name()
            self.emit(f"{r} = stablehlo.broadcast_in_dim {self.scalar}, dims = [] : (tensor<f32>) -> {t}")
            self.emit(f"{q} = stablehlo.add {n}, {r} : {t}")
            return [(q, s)]
        if kind == "dus" and len(s) == 2:
            o = (s[0], 1)
            q = self.name()
            self.emit(f"{q} = stablehlo.dynamic_slice {n}, {self.index}, {self.index}, sizes = [{s[0]}, 1] : ({t}, tensor<i32>, tensor<i32>) -> {tensor(o)}")
            self.emit(f"{r} = stablehlo.dynamic_update_slice {n}, {q}, {self.index}, {self.index} : ({t}, {tensor(o)}, tensor<i32>, tensor<i32>) -> {t}")
            return [(r, s)]
        if kind == "concat":
            y = self.pick(values, s)
            d = rng.randrange(len(s))
            o = s[:d] + (2 * s[d],) + s[d + 1:]
            self.emit(f"{r} = stablehlo.concatenate {n}, {y[0]}, dim = {d} : ({t}, {t}) -> {tensor(o)}")
            return [(r, o)]
        if kind == "barrier":
            self.emit(f"{r} = sdy.propagation_barrier {n} allowed_direction={rng.choice(['FORWARD', 'BACKWARD', 'NONE'])} : {t}")
            return [(r, s)]
        if kind == "rule" and len(s) == 2 and not self.depth:  # where nothing is dead
            letters = rng.choice(["([i, j])->([i, j])", "([i, j])->([j, i])", "([i, j])->([i, k])"])
            o = (s[1], s[0]) if "[j, i]" in letters else s
            extra = f", k={s[1]}" if "k" in letters else ""
            self.emit(f"{r} = stablehlo.custom_call @foo({n}) {{sdy.sharding_rule = #sdy.op_sharding_rule<{letters} {{i={s[0]}, j={s[1]}{extra}}}, custom>}} : ({t}) -> {tensor(o)}")
            return [(r, o)]
        if kind == "optbarrier":
            y = self.pick(values)
            self.emit(f"{r}:2 = stablehlo.optimization_barrier {n}, {y[0]} : {t}, {tensor(y[1])}")
            return [(f"{r}#0", s), (f"{r}#1", y[1])]
        if kind == "group" and not self.manual and not self.depth:
            ident = self.groups.setdefault(s, len(self.groups))
            self.emit(f"sdy.sharding_group {n} group_id={ident} : {t}")
            return []
        self.emit(f"{r} = stablehlo.abs {n} : {t}")
        return [(r, s)]

    def block(self, values, size, depth):
        values = list(values)
        for _ in range(size):
            roll = self.rng.random()
            self.depth = depth
            if depth < 2 and roll < 0.09:
                values += self.loop(values, depth)
            elif depth < 2 and roll < 0.17:
                values += self.case(values, depth)
            elif depth < 2 and roll < 0.26:
                values += self.manual_region(values, depth)
            else:
                values += self.op(values)
        return values

    def loop(self, values, depth):
        rng = self.rng
        carried = [self.pick(values) for _ in range(rng.choice([1, 2]))]
        names = [self.name() for _ in carried]
        i, r = self.name(), self.name()
        heads = ", ".join(f"{n} = {c[0]}" for n, c in zip(names, carried))
        types = ", ".join(tensor(c[1]) for c in carried)
        self.emit(f"{r}:{len(carried) + 1} = stablehlo.while({heads}, {i} = {self.index}) : {types}, tensor<i32>")
        p, l = self.name(), self.name()
        self.emit(f"cond {{\n{l} = stablehlo.constant dense<5> : tensor<i32>\n{p} = stablehlo.compare LT, {i}, {l} : (tensor<i32>, tensor<i32>) -> tensor<i1>\nstablehlo.return {p} : tensor<i1>\n}} do {{")
        inner = [(n, c[1]) for n, c in zip(names, carried)] + values[:3]
        done = self.block(inner, rng.randrange(1, 4), depth + 1)
        one, j = self.name(), self.name()
        self.emit(f"{one} = stablehlo.constant dense<1> : tensor<i32>\n{j} = stablehlo.add {i}, {one} : tensor<i32>")
        outs = [[v for v in done if v[1] == c[1]][-1] for c in carried]
        self.emit(f"stablehlo.return {', '.join(o[0] for o in outs)}, {j} : {types}, tensor<i32>\n}}")
        return [(f"{r}#{k}", c[1]) for k, c in enumerate(carried)]

    def case(self, values, depth):
        rng = self.rng
        s = self.pick(values)[1]
        r = self.name()
        self.emit(f'{r} = "stablehlo.case"({self.index}) ({{')
        for k in range(2):
            done = self.block(values[-4:] + [self.pick(values, s)], rng.randrange(1, 3), depth + 1)
            y = [v for v in done if v[1] == s][-1]
            self.emit(f"stablehlo.return {y[0]} : {tensor(s)}\n}}" + (", {" if k == 0 else f") : (tensor<i32>) -> {tensor(s)}"))
        return [(r, s)]

    def manual_region(self, values, depth):
        rng = self.rng
        free = [(n, s) for n, s in self.mesh if n not in self.manual]
        if not free:
            return []
        axis, size = rng.choice(free)
        ins = [self.pick(values) for _ in range(rng.choice([1, 2]))]

        def side(v):
            s = v[1]
            fit = [d for d in range(len(s)) if s[d] % size == 0]
            d = rng.choice(fit) if fit and rng.random() < 0.8 else None
            dims = ["{" + ", ".join(([f'"{axis}"'] if k == d else []) + (["?"] if rng.random() < 0.7 else [])) + "}" for k in range(len(s))]
            local = tuple(x // size if k == d else x for k, x in enumerate(s))
            return f"<@mesh, [{', '.join(dims)}]>", local

        sides = [side(v) for v in ins]
        args = [self.name() for _ in ins]
        r = self.name()
        mark = len(self.lines)
        outer = self.index, self.scalar
        self.index, self.scalar = self.name(), self.name()
        scalars = f"{self.index} = stablehlo.constant dense<1> : tensor<i32>\n{self.scalar} = stablehlo.constant dense<2.0> : tensor<f32>"
        self.manual.append(axis)
        done = self.block([(a, l) for a, (_, l) in zip(args, sides)], rng.randrange(1, 4), depth + 1)
        self.manual.pop()
        self.index, self.scalar = outer
        body = self.lines[mark:]
        del self.lines[mark:]
        out = done[-1]
        d = rng.randrange(len(out[1]) + 1)
        if d == len(out[1]):
            whole, dims = out[1], ["{?}"] * len(out[1])
        else:
            whole = tuple(x * size if k == d else x for k, x in enumerate(out[1]))
            dims = ["{" + ", ".join(([f'"{axis}"'] if k == d else []) + (["?"] if rng.random() < 0.7 else [])) + "}" for k in range(len(whole))]
        head = ", ".join(f"{a}: {tensor(l)}" for a, (_, l) in zip(args, sides))
        self.emit(f"{r} = sdy.manual_computation({', '.join(v[0] for v in ins)}) in_shardings=[{', '.join(t for t, _ in sides)}] out_shardings=[<@mesh, [{', '.join(dims)}]>] manual_axes={{\"{axis}\"}} ({head}) {{")
        # The region is closed: the scalars that ops use are made inside.
        self.emit(scalars)
        self.lines += body
        self.emit(f"sdy.return {out[0]} : {tensor(out[1])}\n}} : ({', '.join(tensor(v[1]) for v in ins)}) -> {tensor(whole)}")
        return [(r, whole)]

    def module(self):
        rng = self.rng
        values, heads = [], []
        priorities = rng.random() < 0.3
        for k in range(rng.randrange(2, 5)):
            s = rng.choice(SHAPES)
            attr = f" {{sdy.sharding = #sdy.sharding{self.sharding(len(s), priorities=priorities)}}}" if rng.random() < 0.6 else ""
            heads.append(f"%arg{k}: {tensor(s)}{attr}")
            values.append((f"%arg{k}", s))
        self.depth = 0
        values = self.block(values, rng.randrange(3, 12), 0)
        # What nothing uses is returned: Shardy removes dead operations.
        text = "\n".join(self.lines)
        used = set(re.findall(r"%v\d+(?:#\d+)?", re.sub(r"^(%v\d+(?::\d+)?) =", "", text, flags=re.M)))
        outs = [v for v in values if v[0] not in used and not v[0].startswith("%arg")] or [values[-1]]
        res = []
        for v in outs:
            attr = f" {{sdy.sharding = #sdy.sharding{self.sharding(len(v[1]), priorities=priorities)}}}" if rng.random() < 0.4 else ""
            res.append(tensor(v[1]) + attr)
        mesh = ", ".join(f'"{n}"={s}' for n, s in self.mesh)
        head = ", ".join(heads + ["%index: tensor<i32>", "%scalar: tensor<f32>"])
        return (f"sdy.mesh @mesh = <[{mesh}]>\nfunc.func public @main({head}) -> ({', '.join(res)}) {{\n" + "\n".join(self.lines)
                + f"\nreturn {', '.join(v[0] for v in outs)} : {', '.join(tensor(v[1]) for v in outs)}\n}}\n")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--shoal-opt", default=str(Path(__file__).resolve().parents[2] / "build/bin/shoal-opt"))
    p.add_argument("--seeds", default="0:40")
    p.add_argument("--keep")
    p.add_argument("--strict", action="store_true", help="open and closed differ")
    args = p.parse_args()
    base.STRICT = args.strict
    temporary = tempfile.TemporaryDirectory()
    folder = Path(args.keep or temporary.name)
    folder.mkdir(parents=True, exist_ok=True)
    total = bad = 0
    for seed in range(*map(int, args.seeds.split(":"))):
        text = Maker(seed).module()
        with jax_mlir.make_ir_context():
            try:
                ir.Module.parse(text)
            except ir.MLIRError:
                continue  # The generator may break a rule of the syntax.
        path = folder / f"{seed}.mlir"
        path.write_text(text)
        total += 1
        try:
            share, count, different = base.compare(args.shoal_opt, str(path), 4)
        except Exception as error:
            print(f"{seed}: {str(error)[:400]}")
            bad += 1
            continue
        if share < 1:
            bad += 1
            print(f"{seed}: {share:.3f} of {count} equal")
            for line in different:
                print("   ", line)
    print(f"{total} programs, {bad} differ")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
