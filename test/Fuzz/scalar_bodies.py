"""The same operation twice in a program: with a plain body, and with one that
says the same in a roundabout way (branches, loops, calls, tuples, tensors made
of scalars, values from outside). The program compares the two itself.

  scalar_bodies.py --shoal-run build/bin/shoal-run [--seeds 0:100] [--keep DIR]

Prints a line for each program that fails; exits 1 if there is any.
"""
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from runner import check_known_results  # noqa: E402

ELEMENTS = {"i16": np.int16, "i32": np.int32, "i64": np.int64, "f32": np.float32}
NEUTRAL = {"add": 0, "maximum": -100, "multiply": 1}
OUTSIDE = ["%three", "%six", "%argument"]  # two constants and a value


class Body:
    """Lines of a region of scalars."""

    def __init__(self, r, element, roundabout, outside):
        self.r, self.roundabout, self.outside = r, roundabout, outside
        self.element, self.type = element, f"tensor<{element}>"
        self.lines, self.count = [], 0

    def new(self):
        self.count += 1
        return f"%b{self.count}"

    def emit(self, text, name=None):
        name = name or self.new()
        self.lines.append(f"    {name} = {text}")
        return name

    def line(self, text):
        self.lines.append("    " + text)

    def constant(self, value):
        dot = ".0" if self.element == "f32" else ""
        return self.emit(f"stablehlo.constant dense<{value}{dot}> : {self.type}")

    def plain(self, op, a, b):
        return self.emit(f"stablehlo.{op} {a}, {b} : {self.type}")

    def compare(self, order, a, b):
        return self.emit(f"stablehlo.compare {order}, {a}, {b} : "
                         f"({self.type}, {self.type}) -> tensor<i1>")

    def combine(self, op, a, b, depth=0):
        if not self.roundabout or depth > 2:
            return self.plain(op, a, b)
        ways = [Body.plain, Body.by_call, Body.by_tuple]
        if depth < 2:
            ways += [Body.by_if, Body.by_case, Body.by_loop, Body.by_tensor, Body.by_outside,
                     Body.by_barrier, Body.by_clamp, Body.by_map]
        way = self.r.choice(ways)
        if way in (Body.plain, Body.by_call, Body.by_tuple):
            return way(self, op, a, b)
        return way(self, op, a, b, depth + 1)

    def by_call(self, op, a, b):
        return self.emit(f"func.call @{op}({a}, {b}) : ({self.type}, {self.type}) -> {self.type}")

    def by_tuple(self, op, a, b):
        kind = f"tuple<{self.type}, {self.type}>"
        pair = self.emit(f"stablehlo.tuple {a}, {b} : {kind}")
        first, second = (self.emit(f"stablehlo.get_tuple_element {pair}[{i}] : ({kind}) -> {self.type}")
                         for i in range(2))
        return self.plain(op, first, second)

    def by_if(self, op, a, b, depth):
        p = self.compare(self.r.choice(["LT", "EQ", "GE"]), a, b)
        name = self.new()
        self.line(f'{name} = "stablehlo.if"({p}) ({{')
        for x, y, end in ((a, b, "}, {"), (b, a, f"}}) : (tensor<i1>) -> {self.type}")):
            self.line(f"stablehlo.return {self.combine(op, x, y, depth)} : {self.type}")
            self.line(end)
        return name

    def by_case(self, op, a, b, depth):
        index = self.emit(f"stablehlo.convert {a} : ({self.type}) -> tensor<i32>")
        name, count = self.new(), self.r.randint(1, 4)
        self.line(f'{name}:2 = "stablehlo.case"({index}) ({{')
        for i in range(count):
            value, other = self.combine(op, a, b, depth), self.constant(i)
            self.line(f"stablehlo.return {other}, {value} : {self.type}, {self.type}")
            self.line("}, {" if i < count - 1 else
                      f"}}) : (tensor<i32>) -> ({self.type}, {self.type})")
        return name + "#1"

    def by_loop(self, op, a, b, depth):
        # A maximum may be taken several times.
        times = self.r.randint(1, 3) if op == "maximum" else 1
        zero = self.emit("stablehlo.constant dense<0> : tensor<i32>")
        name, i, x, y = (self.new() for _ in range(4))
        self.line(f"{name}:3 = stablehlo.while({i} = {zero}, {x} = {a}, {y} = {b}) : "
                  f"tensor<i32>, {self.type}, {self.type} cond {{")
        limit = self.emit(f"stablehlo.constant dense<{times}> : tensor<i32>")
        p = self.emit(f"stablehlo.compare LT, {i}, {limit} : (tensor<i32>, tensor<i32>) -> tensor<i1>")
        self.line(f"stablehlo.return {p} : tensor<i1>")
        self.line("} do {")
        value = self.combine(op, x, y, depth)
        one = self.emit("stablehlo.constant dense<1> : tensor<i32>")
        j = self.emit(f"stablehlo.add {i}, {one} : tensor<i32>")
        self.line(f"stablehlo.return {j}, {value}, {y} : tensor<i32>, {self.type}, {self.type}")
        self.line("}")
        return name + "#1"

    def by_tensor(self, op, a, b, depth):
        one, two = f"tensor<1x{self.element}>", f"tensor<2x{self.element}>"
        x = self.emit(f"stablehlo.reshape {a} : ({self.type}) -> {one}")
        y = self.emit(f"stablehlo.broadcast_in_dim {b}, dims = [] : ({self.type}) -> {one}")
        both = self.emit(f"stablehlo.concatenate {x}, {y}, dim = 0 : ({one}, {one}) -> {two}")
        start = self.constant(NEUTRAL[op])
        return self.emit(f"stablehlo.reduce({both} init: {start}) applies stablehlo.{op} across "
                         f"dimensions = [0] : ({two}, {self.type}) -> {self.type}")

    def by_outside(self, op, a, b, depth):
        c = self.r.choice(self.outside)
        return self.plain("subtract", self.plain("add", self.combine(op, a, b, depth), c), c)

    def by_barrier(self, op, a, b, depth):
        value = self.combine(op, a, b, depth)
        return self.emit(f"stablehlo.optimization_barrier {value} : {self.type}")

    def by_clamp(self, op, a, b, depth):
        value, low, high = self.combine(op, a, b, depth), self.constant(-9999), self.constant(9999)
        return self.emit(f"stablehlo.clamp {low}, {value}, {high} : {self.type}")

    def by_map(self, op, a, b, depth):
        value, name, x = self.combine(op, a, b, depth), self.new(), self.new()
        self.line(f'{name} = "stablehlo.map"({value}) <{{dimensions = array<i64>}}> ({{')
        self.line(f"^bb0({x}: {self.type}):")
        self.line(f"stablehlo.return {x} : {self.type}")
        self.line(f"}}) : ({self.type}) -> {self.type}")
        return name

    def order(self, direction, a, b):
        """A predicate as `compare` gives it."""
        way = self.r.randrange(4) if self.roundabout else 0
        if way == 1:
            a = self.combine("add", a, self.constant(0))
        if way == 2:
            p, name = self.compare("EQ", a, b), self.new()
            self.line(f'{name} = "stablehlo.if"({p}) ({{')
            for end in ("}, {", "}) : (tensor<i1>) -> tensor<i1>"):
                self.line(f"stablehlo.return {self.compare(direction, a, b)} : tensor<i1>")
                self.line(end)
            return name
        if way == 3:
            c = self.r.choice(self.outside)
            a, b = self.plain("add", a, c), self.plain("add", b, c)
        return self.compare(direction, a, b)

    def region(self, arguments, results, kind=None):
        kinds = ", ".join([kind or self.type] * len(results))
        header = ", ".join(f"{a}: {self.type}" for a in arguments)
        return "\n".join([f"  ^bb0({header}):"] + self.lines +
                         [f"    stablehlo.return {', '.join(results)} : {kinds}"])


class Program:
    def __init__(self, seed):
        r = self.r = random.Random(seed)
        self.element = r.choice(list(ELEMENTS))
        self.scalar = f"tensor<{self.element}>"
        self.shape = [r.randint(1, 4) for _ in range(r.randint(1, 3))]
        if r.random() < 0.05:
            self.shape[0] = 0
        self.lines = []
        make = r.choice([self.reduce, self.reduce_two, self.map, self.reduce_window, self.sort,
                         self.scatter, self.select_and_scatter, self.all_reduce])
        self.op = r.choice(["add", "maximum", "multiply"][: 3 if make == self.map else 2])
        dot = ".0" if self.element == "f32" else ""
        for name, value in (("three", 3), ("start", NEUTRAL[self.op]), ("zero", 0)):
            self.emit(f"%{name} = stablehlo.constant dense<{value}{dot}> : {self.scalar}")
        self.emit(f"%six = stablehlo.add %three, %three : {self.scalar}")
        self.constant("%x", self.shape)
        self.constant("%y", self.shape)
        make()

    def emit(self, text):
        self.lines.append("  " + text)

    def type_of(self, shape):
        return "tensor<" + "".join(f"{s}x" for s in shape) + self.element + ">"

    def constant(self, name, shape):
        values = np.random.default_rng(self.r.randrange(1 << 30)).integers(-3, 5, shape)
        values = values.astype(ELEMENTS[self.element]).tolist() if np.prod(shape) else ""
        self.emit(f"{name} = stablehlo.constant dense<{values}> : {self.type_of(shape)}")

    def both(self, make, results):
        """`make(body, name)` writes the operation; once plain, once not."""
        for name in ("plain", "other"):
            make(lambda outside=OUTSIDE: Body(self.r, self.element, name == "other", outside),
                 f"%{name}" + (f":{len(results)}" if len(results) > 1 else ""))
        for i, kind in enumerate(results):
            part = f"#{i}" if len(results) > 1 else ""
            self.emit(f"check.expect_eq %other{part}, %plain{part} : {kind}")

    def fold(self, body):
        b = body()
        return b.region(["%l", "%r"], [b.combine(self.op, "%l", "%r")])

    def reduce(self):
        dims = sorted(self.r.sample(range(len(self.shape)), self.r.randint(1, len(self.shape))))
        out = self.type_of([s for d, s in enumerate(self.shape) if d not in dims])
        kinds = f"({self.type_of(self.shape)}, {self.scalar}) -> {out}"
        self.both(lambda body, name: self.emit(
            f'{name} = "stablehlo.reduce"(%x, %start) <{{dimensions = array<i64: '
            f"{str(dims)[1:-1]}>}}> ({{\n{self.fold(body)}\n  }}) : {kinds}"), [out])

    def reduce_two(self):
        out, full = self.type_of(self.shape[1:]), self.type_of(self.shape)

        def make(body, name):
            b = body()
            results = [b.combine(self.op, "%l", "%r"), b.combine(self.op, "%l2", "%r2")]
            self.emit(f'{name} = "stablehlo.reduce"(%x, %y, %start, %start) <{{dimensions = '
                      f'array<i64: 0>}}> ({{\n{b.region(["%l", "%l2", "%r", "%r2"], results)}\n'
                      f"  }}) : ({full}, {full}, {self.scalar}, {self.scalar}) -> ({out}, {out})")

        self.both(make, [out, out])

    def map(self):
        full, dims = self.type_of(self.shape), str(list(range(len(self.shape))))[1:-1]
        self.both(lambda body, name: self.emit(
            f'{name} = "stablehlo.map"(%x, %y) <{{dimensions = array<i64: {dims}>}}> ({{\n'
            f"{self.fold(body)}\n  }}) : ({full}, {full}) -> {full}"), [full])

    def reduce_window(self):
        rank = len(self.shape)
        window = [self.r.randint(1, 3) for _ in range(rank)]
        stride = [self.r.randint(1, 2) for _ in range(rank)]
        padding = [[self.r.randint(0, 1), self.r.randint(0, 1)] for _ in range(rank)]
        out = self.type_of([max(0, (n + sum(p) - w) // s + 1)
                            for n, w, s, p in zip(self.shape, window, stride, padding)])
        self.both(lambda body, name: self.emit(
            f'{name} = "stablehlo.reduce_window"(%x, %start) <{{window_dimensions = array<i64: '
            f"{str(window)[1:-1]}>, window_strides = array<i64: {str(stride)[1:-1]}>, padding = "
            f"dense<{padding}> : tensor<{rank}x2xi64>}}> ({{\n{self.fold(body)}\n  }}) : "
            f"({self.type_of(self.shape)}, {self.scalar}) -> {out}"), [out])

    def sort(self):
        count, direction = self.r.randint(1, 2), self.r.choice(["LT", "GT"])
        kinds = [self.type_of(self.shape)] * count
        arguments = ["%l", "%r", "%l2", "%r2"][: 2 * count]

        def make(body, name):
            b = body()
            region = b.region(arguments, [b.order(direction, "%l", "%r")], "tensor<i1>")
            self.emit(f'{name} = "stablehlo.sort"({", ".join(["%x", "%y"][:count])}) <{{dimension '
                      f"= {len(self.shape) - 1} : i64, is_stable = true}}> ({{\n{region}\n  }}) : "
                      f"({', '.join(kinds)}) -> ({', '.join(kinds)})")

        self.both(make, kinds)

    def scatter(self):
        updates = [3] + self.shape[1:]
        index = [[self.r.randint(-1, max(self.shape[0], 1))] for _ in range(3)]
        self.emit(f"%index = stablehlo.constant dense<{index}> : tensor<3x1xi32>")
        self.constant("%update", updates)
        full, window = self.type_of(self.shape), list(range(1, len(self.shape)))
        self.both(lambda body, name: self.emit(
            f'{name} = "stablehlo.scatter"(%x, %index, %update) <{{scatter_dimension_numbers = '
            f"#stablehlo.scatter<update_window_dims = {window}, inserted_window_dims = [0], "
            f"scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}}> ({{\n{self.fold(body)}\n"
            f"  }}) : ({full}, tensor<3x1xi32>, {self.type_of(updates)}) -> {full}"), [full])

    def select_and_scatter(self):
        window = [min(2, n) if n else 1 for n in self.shape]
        source = [n - w + 1 if n else 0 for n, w in zip(self.shape, window)]
        self.constant("%source", source)
        full = self.type_of(self.shape)

        def make(body, name):
            select, scatter = body(OUTSIDE[:2]), body(OUTSIDE[:2])
            first = select.region(["%l", "%r"], [select.order("GE", "%l", "%r")], "tensor<i1>")
            second = scatter.region(["%l", "%r"], [scatter.combine("add", "%l", "%r")])
            self.emit(f'{name} = "stablehlo.select_and_scatter"(%x, %source, %zero) '
                      f"<{{window_dimensions = array<i64: {str(window)[1:-1]}>}}> ({{\n{first}\n"
                      f"  }}, {{\n{second}\n  }}) : ({full}, {self.type_of(source)}, "
                      f"{self.scalar}) -> {full}")

        self.both(make, [full])

    def all_reduce(self):
        full = self.type_of(self.shape)
        self.both(lambda body, name: self.emit(
            f'{name} = "stablehlo.all_reduce"(%x) <{{replica_groups = dense<0> : '
            f"tensor<1x1xi64>}}> ({{\n{self.fold(body)}\n  }}) : ({full}) -> {full}"), [full])

    def text(self):
        text = [f"func.func @main(%argument: {self.scalar}) {{"] + self.lines + ["  return", "}"]
        for op in NEUTRAL:
            text.append(f"""func.func private @{op}(%x: {self.scalar}, %y: {self.scalar}) -> {self.scalar} {{
  %0 = stablehlo.{op} %x, %y : {self.scalar}
  return %0 : {self.scalar}
}}""")
        return "\n".join(text) + "\n"


def program(seed):
    """Text and argument; it has no results, but checks itself."""
    p = Program(seed)
    return p.text(), [np.array(2, ELEMENTS[p.element])], []


if __name__ == "__main__":
    sys.exit(check_known_results(__doc__, program))
