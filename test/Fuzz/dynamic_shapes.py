"""Random programs whose sizes are computed, judged by NumPy. What is under test
is lib/Import/RefineShapes: sizes come from arguments and from integer
arithmetic, also through calls, branches and loops.

  dynamic_shapes.py --shoal-run build/bin/shoal-run [--seeds 0:100] [--keep DIR]

Prints a line for each program that fails; exits 1 if there is any.
"""
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from runner import check_known_results  # noqa: E402

ELEMENTS = {
    "f32": np.float32, "f64": np.float64, "i1": np.bool_, "i32": np.int32,
    "i64": np.int64, "ui8": np.uint8, "complex<f32>": np.complex64,
}
INTEGERS = {"i16": np.int16, "i32": np.int32, "i64": np.int64, "ui8": np.uint8,
            "ui32": np.uint32}


def wrap(value, kind):
    """`value` as an integer of this type holds it."""
    bits = int(kind.lstrip("ui"))
    value &= (1 << bits) - 1
    return value - (1 << bits) if kind[0] == "i" and value >> (bits - 1) else value


class Program:
    """Lines of MLIR, and what their values are. `ints` are scalars (name, type,
    number), `tensors` are (name, type, element type, array)."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.lines, self.args, self.ints, self.tensors = [], [], [], []
        self.count = 0
        for _ in range(self.r.randint(1, 3)):
            self.argument()
        for _ in range(self.r.randint(4, 22)):
            for _ in range(self.r.randint(0, 2)):
                self.r.choice(ARITHMETIC)(self)
            self.r.choice(STEPS)(self)

    # --- Values. ---

    def new(self):
        self.count += 1
        return f"%v{self.count}"

    def emit(self, text, name=None):
        name = name or self.new()
        self.lines.append(f"  {name} = {text}")
        return name

    def number(self, value, kind):
        return self.emit(f"stablehlo.constant dense<{value}> : tensor<{kind}>"), kind, value

    def any_int(self):
        if not self.ints or self.r.random() < 0.3:
            return self.keep(*self.number(self.r.randint(0, 6), self.r.choice(list(INTEGERS))))
        return self.r.choice(self.ints)

    def keep(self, name, kind, value):
        self.ints.append((name, kind, wrap(value, kind)))
        return self.ints[-1]

    def convert(self, x, kind):
        if x[1] == kind:
            return x
        name = self.emit(f"stablehlo.convert {x[0]} : (tensor<{x[1]}>) -> tensor<{kind}>")
        return name, kind, wrap(x[2], kind)

    def two_ints(self):
        a = self.any_int()
        return a, self.convert(self.any_int(), a[1])

    def int_of(self, value, kind):
        """A scalar that is `value`: one there is, one corrected, or a constant."""
        same = [x for x in self.ints if x[2] == value]
        if same and self.r.random() < 0.8:
            return self.convert(self.r.choice(same), kind)
        if not self.ints or self.r.random() < 0.4:
            return self.number(value, kind)
        x = self.convert(self.r.choice(self.ints), kind)
        c = self.number(wrap(value - x[2], kind), kind)
        return self.keep(self.emit(f"stablehlo.add {x[0]}, {c[0]} : tensor<{kind}>"), kind, value)

    def shape_operand(self, sizes, kind=None):
        kind = kind or self.r.choice(["i32", "i64"])
        one, n = f"tensor<1x{kind}>", len(sizes)
        if not sizes:
            return self.emit(f"stablehlo.constant dense<> : tensor<0x{kind}>"), f"tensor<0x{kind}>"
        parts = [self.emit(f"stablehlo.reshape {self.int_of(s, kind)[0]} : (tensor<{kind}>) -> {one}")
                 for s in sizes]
        return self.emit(f"stablehlo.concatenate {', '.join(parts)}, dim = 0 : "
                         f"({', '.join([one] * n)}) -> tensor<{n}x{kind}>"), f"tensor<{n}x{kind}>"

    def type_of(self, shape, element):
        sizes = ["?" if self.r.random() < 0.6 else str(s) for s in shape]
        return "tensor<" + "".join(s + "x" for s in sizes) + element + ">"

    def data(self, shape, element):
        rng = np.random.default_rng(self.r.randrange(1 << 30))
        if element == "i1":
            return rng.integers(0, 2, shape).astype(np.bool_)
        value = rng.integers(0 if element[0] == "u" else -9, 9, shape)
        if element.startswith("complex"):
            value = value + 1j * rng.integers(-9, 9, shape)
        return value.astype(ELEMENTS[element])

    def argument(self):
        shape = [self.r.randint(0 if self.r.random() < 0.1 else 1, 4)
                 for _ in range(self.r.randint(0, 3))]
        element = self.r.choice(list(ELEMENTS))
        value, kind = self.data(shape, element), self.type_of(shape, element)
        self.args.append((f"%a{len(self.args)}", kind, value))
        self.tensors.append((self.args[-1][0], kind, element, value))

    def result(self, text, element, value, operands, tail=""):
        """Appends an op with one tensor as result; the type says as much as it likes."""
        if value.size > 500 or np.abs(value.astype(complex)).max(initial=0) > 1e6:
            return
        kind = self.type_of(value.shape, element)
        name = self.emit(f"{text} : ({', '.join(operands)}) -> {kind}{tail}")
        self.tensors.append((name, kind, element, value))

    def text(self):
        outs = [self.tensors[-1]] + self.r.sample(self.tensors, min(2, len(self.tensors)))
        ints = self.r.sample(self.ints, min(2, len(self.ints)))
        names = [o[0] for o in outs] + [i[0] for i in ints]
        kinds = [o[1] for o in outs] + [f"tensor<{i[1]}>" for i in ints]
        header = ", ".join(f"{n}: {k}" for n, k, _ in self.args)
        text = [f"func.func @main({header}) -> ({', '.join(kinds)}) {{"] + self.lines
        text += [f"  return {', '.join(names)} : {', '.join(kinds)}", "}"]
        for k in INTEGERS:
            text.append(f"""func.func private @next_{k}(%x: tensor<{k}>) -> tensor<{k}> {{
  %c = stablehlo.constant dense<1> : tensor<{k}>
  %0 = stablehlo.add %x, %c : tensor<{k}>
  return %0 : tensor<{k}>
}}""")
        want = [o[3] for o in outs] + [np.array(i[2]).astype(INTEGERS[i[1]]) for i in ints]
        return "\n".join(text) + "\n", [a[2] for a in self.args], want


# --- Arithmetic on sizes. ---


def binary(p):
    a, b = p.two_ints()
    x, y = a[2], b[2]
    op = p.r.choice(["add", "subtract", "multiply", "maximum", "minimum", "and", "or",
                     "divide", "remainder"])
    if op in ("divide", "remainder"):
        if y == 0:
            return
        quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
        value = quotient if op == "divide" else x - quotient * y
    else:
        value = {"add": x + y, "subtract": x - y, "multiply": x * y, "maximum": max(x, y),
                 "minimum": min(x, y), "and": x & y, "or": x | y}[op]
    p.keep(p.emit(f"stablehlo.{op} {a[0]}, {b[0]} : tensor<{a[1]}>"), a[1], value)


def unary(p):
    a = p.any_int()
    if a[1][0] == "u":
        return
    op = p.r.choice(["abs", "sign", "negate"])
    value = {"abs": abs(a[2]), "sign": (a[2] > 0) - (a[2] < 0), "negate": -a[2]}[op]
    p.keep(p.emit(f"stablehlo.{op} {a[0]} : tensor<{a[1]}>"), a[1], value)


def choose(p):
    a, b = p.two_ints()
    t = f"tensor<{a[1]}>"
    order = p.r.choice(["LT", "GE", "EQ"])
    holds = {"LT": a[2] < b[2], "GE": a[2] >= b[2], "EQ": a[2] == b[2]}[order]
    c = p.emit(f"stablehlo.compare {order}, {a[0]}, {b[0]} : ({t}, {t}) -> tensor<i1>")
    if p.r.random() < 0.5:
        name = p.emit(f"stablehlo.select {c}, {a[0]}, {b[0]} : tensor<i1>, {t}")
    else:
        name = p.emit(f'"stablehlo.if"({c}) ({{ stablehlo.return {a[0]} : {t} }}, '
                      f"{{ stablehlo.return {b[0]} : {t} }}) : (tensor<i1>) -> {t}")
    p.keep(name, a[1], a[2] if holds else b[2])


def clamp(p):
    a = p.any_int()
    low, high = p.number(p.r.randint(0, 3), a[1]), p.number(p.r.randint(3, 6), a[1])
    name = p.emit(f"stablehlo.clamp {low[0]}, {a[0]}, {high[0]} : tensor<{a[1]}>")
    p.keep(name, a[1], min(max(a[2], low[2]), high[2]))


def call(p):
    a = p.any_int()
    t = f"tensor<{a[1]}>"
    p.keep(p.emit(f"func.call @next_{a[1]}({a[0]}) : ({t}) -> {t}"), a[1], a[2] + 1)


def total(p):
    a, b = p.two_ints()
    k = a[1]
    x, y = (p.emit(f"stablehlo.reshape {v[0]} : (tensor<{k}>) -> tensor<1x{k}>") for v in (a, b))
    v = p.emit(f"stablehlo.concatenate {x}, {y}, {x}, dim = 0 : "
               f"({', '.join([f'tensor<1x{k}>'] * 3)}) -> tensor<3x{k}>")
    zero = p.number(0, k)
    p.keep(p.emit(f"stablehlo.reduce({v} init: {zero[0]}) applies stablehlo.add across "
                  f"dimensions = [0] : (tensor<3x{k}>, tensor<{k}>) -> tensor<{k}>"),
           k, 2 * a[2] + b[2])


def counted(p):
    a, b = p.two_ints()
    t, zero, name = f"tensor<{a[1]}>", p.number(0, "i32"), p.new()
    p.emit(f"""stablehlo.while(%i = {zero[0]}, %x = {a[0]}, %y = {b[0]}) : tensor<i32>, {t}, {t}
    cond {{
      %c = stablehlo.constant dense<3> : tensor<i32>
      %p = stablehlo.compare LT, %i, %c : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %p : tensor<i1>
    }} do {{
      %one = stablehlo.constant dense<1> : tensor<i32>
      %j = stablehlo.add %i, %one : tensor<i32>
      %z = stablehlo.add %x, %y : {t}
      stablehlo.return %j, %z, %y : tensor<i32>, {t}, {t}
    }}""", name + ":3")
    p.keep(name + "#1", a[1], a[2] + 3 * b[2])
    p.keep(name + "#2", a[1], b[2])


def size(p):
    name, kind, _, value = p.r.choice(p.tensors)
    if value.ndim:
        dim = p.r.randrange(value.ndim)
        p.keep(p.emit(f"stablehlo.get_dimension_size {name}, dim = {dim} : ({kind}) -> tensor<i32>"),
               "i32", value.shape[dim])


ARITHMETIC = [binary, binary, unary, choose, clamp, call, total, counted, size, size]

# --- Tensors of computed sizes. ---


def broadcast(p):
    name, kind, el, value = p.r.choice(p.tensors)
    rank = value.ndim + p.r.randint(0, 2)
    if rank > 4:
        return
    dims = sorted(p.r.sample(range(rank), value.ndim))
    shape = [p.r.randint(0, 3) for _ in range(rank)]
    for dim, s in zip(dims, value.shape):
        shape[dim] = s if s != 1 else p.r.randint(1, 3)
    placed = value.reshape([value.shape[dims.index(d)] if d in dims else 1 for d in range(rank)])
    s, st = p.shape_operand(shape)
    p.result(f"stablehlo.dynamic_broadcast_in_dim {name}, {s}, dims = {dims}", el,
             np.broadcast_to(placed, shape), [kind, st])


def iota(p):
    el = p.r.choice([e for e in ELEMENTS if e != "i1"])
    shape = [p.r.randint(0, 4) for _ in range(p.r.randint(1, 3))]
    dim = p.r.randrange(len(shape))
    numbers = np.arange(shape[dim]).reshape([-1 if d == dim else 1 for d in range(len(shape))])
    s, st = p.shape_operand(shape)
    p.result(f"stablehlo.dynamic_iota {s}, dim = {dim}", el,
             np.broadcast_to(numbers, shape).astype(ELEMENTS[el]), [st])


def reshape(p):
    name, kind, el, value = p.r.choice(p.tensors)
    shape, left = [], value.size
    while left > 1 and len(shape) < 3:
        shape.append(p.r.choice([f for f in range(1, left + 1) if left % f == 0]))
        left //= shape[-1]
    shape.append(left)
    p.r.shuffle(shape)
    asked = list(shape)
    if p.r.random() < 0.25 and value.size:
        asked[p.r.randrange(len(asked))] = -1
    s, st = p.shape_operand(asked)
    op = "chlo" if -1 in asked else "stablehlo"
    p.result(f"{op}.dynamic_reshape {name}, {s}", el, value.reshape(shape), [kind, st])


def pad(p):
    name, kind, el, value = p.r.choice(p.tensors)
    low, high = ([p.r.randint(-1, 2) for _ in value.shape] for _ in range(2))
    inner = [p.r.randint(0, 2) for _ in value.shape]
    shape = [n + max(n - 1, 0) * i + lo + hi
             for n, i, lo, hi in zip(value.shape, inner, low, high)]
    if any(s < 0 or s > 8 for s in shape):
        return
    fill = p.data([], el)
    want = np.full(shape, fill)
    for index in np.ndindex(*value.shape):
        to = tuple(i * (k + 1) + lo for i, k, lo in zip(index, inner, low))
        if all(0 <= a < b for a, b in zip(to, shape)):
            want[to] = value[index]
    text = {"i1": str(fill).lower()}.get(el, str(fill))
    if el.startswith("complex"):
        text = f"({fill.real}, {fill.imag})"
    c = p.emit(f"stablehlo.constant dense<{text}> : tensor<{el}>")
    operands = [p.shape_operand(v, "i64") for v in (low, high, inner)]
    p.result(f"stablehlo.dynamic_pad {name}, {c}, {', '.join(o[0] for o in operands)}", el, want,
             [kind, f"tensor<{el}>"] + [o[1] for o in operands])


def cut(p):
    name, kind, el, value = p.r.choice(p.tensors)
    start = [p.r.randint(0, n) for n in value.shape]
    limit = [p.r.randint(a, n) for a, n in zip(start, value.shape)]
    stride = [p.r.randint(1, 2) for _ in value.shape]
    operands = [p.shape_operand(v, "i32") for v in (start, limit, stride)]
    p.result(f"stablehlo.real_dynamic_slice {name}, {', '.join(o[0] for o in operands)}", el,
             value[tuple(slice(*t) for t in zip(start, limit, stride))],
             [kind] + [o[1] for o in operands])


def rows(p):
    name, kind, el, value = p.r.choice(p.tensors)
    if not value.ndim or not value.size:
        return
    index = [p.r.randrange(value.shape[0]) for _ in range(p.r.randint(1, 3))]
    c = p.emit(f"stablehlo.constant dense<{index}> : tensor<{len(index)}xi32>")
    s, st = p.shape_operand([1] + list(value.shape[1:]))
    offset = list(range(1, value.ndim))
    p.result(f'"stablehlo.dynamic_gather"({name}, {c}, {s}) <{{dimension_numbers = '
             f"#stablehlo.gather<offset_dims = {offset}, collapsed_slice_dims = [0], "
             f"start_index_map = [0], index_vector_dim = 1>}}>", el, value[index],
             [kind, f"tensor<{len(index)}xi32>", st])


def twice(p):
    name, kind, el, value = p.r.choice(p.tensors)
    if value.ndim:
        p.result(f"stablehlo.concatenate {name}, {name}, dim = 0", el,
                 np.concatenate([value, value]), [kind, kind])


def transpose(p):
    name, kind, el, value = p.r.choice(p.tensors)
    order = list(range(value.ndim))
    p.r.shuffle(order)
    p.result(f"stablehlo.transpose {name}, dims = {order}", el, value.transpose(order), [kind])


def add(p):
    name, kind, el, value = p.r.choice(p.tensors)
    other = p.r.choice([t for t in p.tensors if t[2] == el])
    try:
        shape = np.broadcast_shapes(value.shape, other[3].shape)
    except ValueError:
        return
    if el == "i1" or np.prod(shape) > 500:
        return
    plain = value.shape == other[3].shape and p.r.random() < 0.5
    p.result(f"{'stablehlo.add' if plain else 'chlo.broadcast_add'} {name}, {other[0]}", el,
             (value + other[3]).astype(ELEMENTS[el]), [kind, other[1]])


def accumulate(p):
    name, kind, el, value = p.r.choice(p.tensors)
    if el in ("i1", "ui8") or value.size > 100:
        return
    times = p.int_of(p.r.randint(0, 3), "i32")
    zero, loop = p.number(0, "i32"), p.new()
    p.emit(f"""stablehlo.while(%i = {zero[0]}, %x = {name}, %n = {times[0]}) : tensor<i32>, {kind}, tensor<i32>
    cond {{
      %p = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %p : tensor<i1>
    }} do {{
      %one = stablehlo.constant dense<1> : tensor<i32>
      %j = stablehlo.add %i, %one : tensor<i32>
      %z = stablehlo.add %x, {name} : {kind}
      stablehlo.return %j, %z, %n : tensor<i32>, {kind}, tensor<i32>
    }}""", loop + ":3")
    p.tensors.append((loop + "#1", kind, el, (value * (1 + times[2])).astype(ELEMENTS[el])))
    p.keep(loop + "#2", "i32", times[2])


def branch(p):
    """Both sides have a shape of their own; a predicate on sizes decides."""
    one = p.r.choice(p.tensors)
    two = p.r.choice([t for t in p.tensors if t[2] == one[2] and t[3].ndim == one[3].ndim])
    sizes = [t[1][7:].split("x")[: one[3].ndim] for t in (one, two)]
    if not one[3].ndim or any("?" not in pair and pair[0] != pair[1] for pair in zip(*sizes)):
        return
    a, b = p.two_ints()
    t = f"tensor<{a[1]}>"
    c = p.emit(f"stablehlo.compare LE, {a[0]}, {b[0]} : ({t}, {t}) -> tensor<i1>")
    if a[2] <= b[2]:
        p.lines.append(f'  stablehlo.custom_call @shape_assertion({c}, {a[0]}) {{has_side_effect = '
                       f'true, error_message = "not {{0}}"}} : (tensor<i1>, {t}) -> ()')
    kind = "tensor<" + "?x" * one[3].ndim + one[2] + ">"
    name = p.emit(f'"stablehlo.if"({c}) ({{ stablehlo.return {one[0]} : {one[1]} }}, '
                  f"{{ stablehlo.return {two[0]} : {two[1]} }}) : (tensor<i1>) -> {kind}")
    p.tensors.append((name, kind, one[2], (one if a[2] <= b[2] else two)[3]))


STEPS = [broadcast, iota, reshape, pad, cut, rows, twice, transpose, add, add, accumulate, branch]


if __name__ == "__main__":
    sys.exit(check_known_results(__doc__, lambda seed: Program(seed).text()))
