"""Random StableHLO programs with random shardings.

A program is a list of values, each made by one operation from earlier ones.
Every generator below takes the program under construction, picks operands
that suit it, and appends one line of MLIR; it returns False where no operand
suits. To add an operation, write one generator and put its name in GENERATORS.

Floats hold small integers wherever the operations so far allow it ("exact"
values), so that sums in any order agree to the last bit and a wrong shard
cannot hide in a tolerance. `err` bounds the relative error of the others.

Lines are text, or a pair where one device computes the same in another way
(manual regions): the program with shardings, and the one for the judge.
"""
import random
import re
from dataclasses import dataclass, field
from typing import NamedTuple

MESHES = [[("a", 2), ("b", 2)], [("a", 2), ("b", 4)], [("a", 8)], [("a", 3), ("b", 2)],
          [("a", 2), ("b", 2), ("c", 2)]]
FLOATS = ["f32"]
INTS = ["i32"]
# Wider programs (`Program.wide`) have more: meshes, element types, structure.
MORE_MESHES = MESHES + [[("a", 2), ("b", 3)], [("a", 5)], [("a", 4)], [("a", 4), ("b", 2)], [("a", 2), ("one", 1), ("b", 2)],
                        [("a", 2), ("b", 4)], [("a", 3), ("b", 3)]]
MORE_FLOATS = ["f32", "f32", "f64", "bf16", "f16"]
MORE_INTS = ["i32", "i32", "i8", "ui8", "i16", "i64", "i4", "ui4"]
BITS = {"i2": 2, "i4": 4, "ui4": 4, "i8": 8, "ui8": 8, "i16": 16, "ui16": 16, "i32": 32, "ui32": 32, "i64": 64, "ui64": 64}
EXACT = {"f32": 2**24, "f64": 2**53, "bf16": 2**8, "f16": 2**11}   # integers up to these
INFINITY = {"f32": (0xFF800000, 0x7F800000), "f64": (0xFFF << 52, 0x7FF << 52), "bf16": (0xFF80, 0x7F80), "f16": (0xFC00, 0x7C00)}


@dataclass
class Value:
    name: str
    dtype: str
    shape: tuple
    exact: bool = True     # integers held exactly, whatever the order of sums
    bound: float = 4.0     # largest magnitude
    err: float = 0.0       # relative error against `bound`, in units of 2^-24

    @property
    def type(self):
        return tensor(self.shape, self.dtype)

    @property
    def size(self):
        n = 1
        for d in self.shape:
            n *= d
        return n


def tensor(shape, dtype):
    return "tensor<" + "".join(f"{d}x" for d in shape) + dtype + ">"


def nums(xs):
    return "[" + ", ".join(map(str, xs)) + "]"


@dataclass
class Program:
    rng: random.Random
    mesh: list
    lines: list = field(default_factory=list)
    values: list = field(default_factory=list)
    args: list = field(default_factory=list)
    functions: list = field(default_factory=list)
    counter: int = 0
    wide: bool = False
    other: list = None      # a second mesh of as many devices
    floats: list = field(default_factory=lambda: FLOATS)
    ints: list = field(default_factory=lambda: INTS)

    def pick(self, *tests):
        """A random value for which all tests hold, the later ones likelier."""
        good = [v for v in self.values if all(t(v) for t in tests)]
        if not good:
            return None
        return good[min(len(good) - 1, int(len(good) * self.rng.random() ** 0.6))]

    def fresh(self):
        self.counter += 1
        return f"%v{self.counter}"

    def emit(self, text, dtype, shape, exact=True, bound=4.0, err=0.0):
        """Appends `%new = text` and keeps its result as a value."""
        v = Value(self.fresh(), dtype, tuple(shape), exact, bound, err)
        self.lines.append(f"{v.name} = {text}")
        self.values.append(v)
        return v

    def const(self, value, dtype):
        """A scalar; integers beyond the type become its extremes."""
        name = self.fresh()
        if dtype in BITS and dtype != "i32" and not isinstance(value, bool):
            low, high = range_of(dtype)
            value = min(max(int(value), low), high)
        self.lines.append(f"{name} = stablehlo.constant dense<{value}> : {tensor((), dtype)}")
        return name

    def dim(self):
        return self.rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16])

    def shape(self, rank=None, limit=4096):
        rank = self.rng.randint(1, 4) if rank is None else rank
        s = [self.dim() for _ in range(rank)]
        while s and _product(s) > limit:
            s[self.rng.randrange(len(s))] = self.rng.choice([1, 2, 3, 4])
        return tuple(s)

    def sharding(self, shape, open_dims=False):
        """A random sharding: each axis goes to one dimension or to none."""
        if self.wide:
            return self.wide_sharding(shape, open_dims)
        dims = [[] for _ in shape]
        axes = list(self.mesh)
        self.rng.shuffle(axes)
        for name, size in axes:
            if dims and self.rng.random() < 0.75:
                if size == 4 and self.rng.random() < 0.15:
                    major, minor = self.rng.randrange(len(dims)), self.rng.randrange(len(dims))
                    dims[major].append(f'"{name}":(1)2')
                    if minor != major and self.rng.random() < 0.5:
                        dims[minor].append(f'"{name}":(2)2')
                else:
                    dims[self.rng.randrange(len(dims))].append(f'"{name}"')
        text = []
        for d in dims:
            tail = ["?"] if open_dims and self.rng.random() < 0.5 else []
            text.append("{" + ", ".join(d + tail) + "}")
        return "<@mesh, [" + ", ".join(text) + "]>"

    def wide_sharding(self, shape, open_dims):
        """Any axes and parts of axes, in any order, replicated ones, priorities, on either mesh."""
        rng, mesh, name = self.rng, self.mesh, "@mesh"
        if self.other and rng.random() < 0.3:
            mesh, name = self.other, "@other"
        parts = []
        for axis, size in mesh:
            split = [f for f in (2, 4) if size % f == 0 and size > f]   # (Halves and thirds of one axis do not go together.)
            if split and rng.random() < 0.25:
                f = rng.choice(split)
                parts += [(axis, 1, f), (axis, f, size // f)]
            else:
                parts.append((axis, 0, size))
        rng.shuffle(parts)
        dims, unused = [[] for _ in shape], []
        for part in parts:
            if shape and rng.random() < 0.75:
                dims[rng.randrange(len(shape))].append(part)
            else:
                unused.append(part)
        order = [axis for axis, _ in mesh]

        def write(refs):
            merged = []
            for axis, before, size in refs:   # Neighbouring parts of an axis are written as one.
                if merged and before and merged[-1][0] == axis and merged[-1][1] * merged[-1][2] == before:
                    merged[-1] = (axis, merged[-1][1], merged[-1][2] * size)
                else:
                    merged.append((axis, before, size))
            sizes = dict(mesh)
            return [f'"{a}"' if n == sizes[a] else f'"{a}":({b}){n}' for a, b, n in merged]
        text = []
        for d in dims:
            opened = open_dims and rng.random() < 0.5
            priority = f"p{rng.randint(0, 3)}" if (d or opened) and rng.random() < 0.1 else ""
            text.append("{" + ", ".join(write(d) + (["?"] if opened else [])) + "}" + priority)
        kept = sorted((x for x in unused if rng.random() < 0.2), key=lambda x: (order.index(x[0]), x[1]))
        replicated = f", replicated={{{', '.join(write(kept))}}}" if kept and open_dims else ""
        return f"<{name}, [{', '.join(text)}]{replicated}>"


def range_of(dtype):
    """Least and largest of an integer type."""
    bits = BITS[dtype]
    return (0, 2**bits - 1) if dtype.startswith("u") else (-2**(bits - 1), 2**(bits - 1) - 1)


def literal(value, dtype):
    """A number as MLIR writes it for the type; "lowest" and "highest" are its extremes."""
    if value in ("lowest", "highest"):
        if dtype in INFINITY:
            return f"0x{INFINITY[dtype][value == 'highest']:X}"
        return str(range_of(dtype)[value == "highest"])
    return f"{value}.0" if dtype in EXACT else str(value)


def kind_of(v):
    """How numbers of a value's type are compared."""
    return "FLOAT" if is_float(v) else "UNSIGNED" if v.dtype.startswith("u") or v.dtype == "i1" else "SIGNED"


def _product(xs):
    n = 1
    for x in xs:
        n *= x
    return n


def is_float(v):
    return v.dtype in EXACT


def is_int(v):
    return v.dtype in BITS


def is_num(v):
    return is_float(v) or is_int(v)


def same_shape_pair(p, test):
    a = p.pick(test)
    if a is None:
        return None, None
    return a, p.pick(lambda v: v.shape == a.shape and v.dtype == a.dtype)


# ---------------------------------------------------------------- elementwise

def binary(p):
    a, b = same_shape_pair(p, is_num)
    if a is None:
        return False
    op = p.rng.choice(["add", "subtract", "multiply", "maximum", "minimum"])
    bound = a.bound * b.bound if op == "multiply" else a.bound + b.bound
    if bound > 1e5:
        op, bound = "minimum", max(a.bound, b.bound)
    exact = a.exact and b.exact
    p.emit(f"stablehlo.{op} {a.name}, {b.name} : {a.type}", a.dtype, a.shape, exact, bound, a.err + b.err + (0 if exact else 1))


def unary(p):
    a = p.pick(is_num)
    if a is None:
        return False
    op = p.rng.choice(["negate", "abs", "sign"]) if not a.dtype.startswith("u") else "negate"
    if op == "sign" and not a.exact:
        op = "abs"
    p.emit(f"stablehlo.{op} {a.name} : {a.type}", a.dtype, a.shape, a.exact, 1.0 if op == "sign" else a.bound, a.err)


def smooth(p):
    a = p.pick(is_float, lambda v: v.bound <= 200)
    if a is None:
        return False
    op = p.rng.choice(["tanh", "logistic", "cosine", "sine"])
    p.emit(f"stablehlo.{op} {a.name} : {a.type}", a.dtype, a.shape, False, 1.0, a.err * max(1.0, a.bound) + 4)


def compare_select(p):
    a, b = same_shape_pair(p, lambda v: is_num(v) and v.exact)
    if a is None or not b.exact:
        return False
    c, d = same_shape_pair(p, lambda v: is_num(v) and v.shape == a.shape)
    if c is None:
        return False
    kind = kind_of(a)
    pred = p.emit(f"stablehlo.compare {p.rng.choice(['LT', 'EQ', 'GE', 'NE'])}, {a.name}, {b.name}, {kind} : ({a.type}, {b.type}) -> {tensor(a.shape, 'i1')}",
                  "i1", a.shape, True, 1)
    p.emit(f"stablehlo.select {pred.name}, {c.name}, {d.name} : {pred.type}, {c.type}", c.dtype, c.shape, c.exact and d.exact, max(c.bound, d.bound), max(c.err, d.err))


def convert(p):
    a = p.pick(lambda v: v.exact and v.bound < 2**20)
    if a is None:
        return False
    to = "f32" if a.dtype != "f32" else "i32"
    if p.wide:
        to = p.rng.choice([t for t in p.floats + p.ints if t != a.dtype and (not is_float(a) or t in EXACT or -range_of(t)[0] >= a.bound)] or [to])
    p.emit(f"stablehlo.convert {a.name} : ({a.type}) -> {tensor(a.shape, to)}", to, a.shape, True, a.bound)


# ---------------------------------------------------------------- shape

def broadcast(p):
    a = p.pick(lambda v: len(v.shape) <= 3 and v.size <= 512)
    if a is None:
        return False
    rank = p.rng.randint(len(a.shape), min(4, len(a.shape) + 2))
    dims = sorted(p.rng.sample(range(rank), len(a.shape)))
    out = [p.rng.choice([1, 2, 3, 4, 6]) for _ in range(rank)]
    for i, d in enumerate(dims):
        out[d] = a.shape[i] if a.shape[i] != 1 or p.rng.random() < 0.5 else p.rng.choice([2, 3, 4])
    if _product(out) > 4096:
        return False
    p.emit(f"stablehlo.broadcast_in_dim {a.name}, dims = {nums(dims)} : ({a.type}) -> {tensor(out, a.dtype)}", a.dtype, out, a.exact, a.bound, a.err)


def reshape(p):
    a = p.pick(lambda v: len(v.shape) >= 1)
    if a is None:
        return False
    s = list(a.shape)
    for _ in range(p.rng.randint(1, 2)):
        if len(s) >= 2 and p.rng.random() < 0.5:
            i = p.rng.randrange(len(s) - 1)
            s[i:i + 2] = [s[i] * s[i + 1]]
        elif s and len(s) < 5:
            i = p.rng.randrange(len(s))
            f = p.rng.choice([d for d in range(1, s[i] + 1) if s[i] % d == 0])
            s[i:i + 1] = [f, s[i] // f]
    p.emit(f"stablehlo.reshape {a.name} : ({a.type}) -> {tensor(s, a.dtype)}", a.dtype, s, a.exact, a.bound, a.err)


def transpose(p):
    a = p.pick(lambda v: len(v.shape) >= 2)
    if a is None:
        return False
    perm = list(range(len(a.shape)))
    p.rng.shuffle(perm)
    p.emit(f"stablehlo.transpose {a.name}, dims = {nums(perm)} : ({a.type}) -> {tensor([a.shape[i] for i in perm], a.dtype)}",
           a.dtype, [a.shape[i] for i in perm], a.exact, a.bound, a.err)


def slice_(p):
    a = p.pick(lambda v: len(v.shape) >= 1 and v.size > 1)
    if a is None:
        return False
    parts, out = [], []
    for d in a.shape:
        lo = p.rng.randrange(d) if p.rng.random() < 0.4 else 0
        hi = p.rng.randint(lo + 1, d) if p.rng.random() < 0.5 else d
        st = p.rng.choice([1, 1, 1, 2, 3])
        parts.append(f"{lo}:{hi}" + (f":{st}" if st > 1 else ""))
        out.append((hi - lo + st - 1) // st)
    p.emit(f"stablehlo.slice {a.name} [{', '.join(parts)}] : ({a.type}) -> {tensor(out, a.dtype)}", a.dtype, out, a.exact, a.bound, a.err)


def pad(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.size <= 1024)
    if a is None:
        return False
    lo = [p.rng.choice([0, 0, 1, 2, -1]) for _ in a.shape]
    hi = [p.rng.choice([0, 0, 1, 3, -1]) for _ in a.shape]
    it = [p.rng.choice([0, 0, 0, 1, 2]) for _ in a.shape]
    out = [d + (d - 1) * k + l + h for d, l, h, k in zip(a.shape, lo, hi, it)]
    if min(out) < 1 or _product(out) > 4096:
        return False
    c = p.const(p.rng.choice(["1", "-2", "0"]) + (".0" if is_float(a) else ""), a.dtype)
    p.emit(f"stablehlo.pad {a.name}, {c}, low = {nums(lo)}, high = {nums(hi)}, interior = {nums(it)} : ({a.type}, {tensor((), a.dtype)}) -> {tensor(out, a.dtype)}",
           a.dtype, out, a.exact, max(a.bound, 2), a.err)


def concatenate(p):
    a = p.pick(lambda v: len(v.shape) >= 1 and v.size <= 1024)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    parts = [a]
    for _ in range(p.rng.randint(1, 2)):
        b = p.pick(lambda v: v.dtype == a.dtype and len(v.shape) == len(a.shape) and v.shape[:d] == a.shape[:d] and v.shape[d + 1:] == a.shape[d + 1:] and v.size <= 1024)
        parts.append(b)
    p.rng.shuffle(parts)
    out = list(a.shape)
    out[d] = sum(v.shape[d] for v in parts)
    p.emit(f"stablehlo.concatenate {', '.join(v.name for v in parts)}, dim = {d} : ({', '.join(v.type for v in parts)}) -> {tensor(out, a.dtype)}",
           a.dtype, out, all(v.exact for v in parts), max(v.bound for v in parts), max(v.err for v in parts))


def reverse(p):
    a = p.pick(lambda v: len(v.shape) >= 1)
    if a is None:
        return False
    dims = sorted(p.rng.sample(range(len(a.shape)), p.rng.randint(1, len(a.shape))))
    p.emit(f"stablehlo.reverse {a.name}, dims = {nums(dims)} : {a.type}", a.dtype, a.shape, a.exact, a.bound, a.err)


def iota(p):
    shape = p.shape()
    dtype = p.rng.choice(p.floats + p.ints)
    d = p.rng.randrange(len(shape))
    if dtype in BITS and shape[d] > range_of(dtype)[1]:
        return False
    p.emit(f"stablehlo.iota dim = {d} : {tensor(shape, dtype)}", dtype, shape, True, shape[d])


# ---------------------------------------------------------------- contraction

def reduce(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound * v.size < 1e6)
    if a is None:
        return False
    dims = sorted(p.rng.sample(range(len(a.shape)), p.rng.randint(1, len(a.shape))))
    op, init = p.rng.choice([("add", "0"), ("add", "3"), ("maximum", "-100000"), ("minimum", "100000"), ("maximum", "2")])
    out = [d for i, d in enumerate(a.shape) if i not in dims]
    n = _product(a.shape[i] for i in dims)
    if n == 1 and init in ("3", "2"):
        init = {"3": "0", "2": "-100000"}[init]  # XLA drops the initial value of a reduction of one element
    c = p.const(init + (".0" if is_float(a) else ""), a.dtype)
    p.emit(f"stablehlo.reduce({a.name} init: {c}) applies stablehlo.{op} across dimensions = {nums(dims)} : ({a.type}, {tensor((), a.dtype)}) -> {tensor(out, a.dtype)}",
           a.dtype, out, a.exact, a.bound * n + 3 if op == "add" else max(a.bound, 1e5 if len(init) > 3 and n == 0 else 3), a.err + (0 if a.exact else n))


def dot_general(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound <= 300)
    if a is None:
        return False
    b = p.pick(lambda v: v.dtype == a.dtype and v.bound <= 300 and len(v.shape) >= 1)
    pairs, used = [], set()
    order = list(range(len(a.shape)))
    p.rng.shuffle(order)
    for i in order:
        match = [j for j in range(len(b.shape)) if j not in used and b.shape[j] == a.shape[i]]
        if match and p.rng.random() < 0.8:
            j = p.rng.choice(match)
            used.add(j)
            pairs.append((i, j))
    k = p.rng.randint(0, len(pairs))
    batch, contract = pairs[:k][:2], pairs[k:] + pairs[:k][2:]
    fa = [i for i in range(len(a.shape)) if i not in [x for x, _ in pairs]]
    fb = [j for j in range(len(b.shape)) if j not in [y for _, y in pairs]]
    out = [a.shape[i] for i, _ in batch] + [a.shape[i] for i in fa] + [b.shape[j] for j in fb]
    n = _product(a.shape[i] for i, _ in contract)
    bound = a.bound * b.bound * n
    if _product(out) > 4096 or len(out) > 5 or bound > 1e6:
        return False
    attrs = []
    if batch:
        attrs.append(f"batching_dims = {nums(i for i, _ in batch)} x {nums(j for _, j in batch)}")
    attrs.append(f"contracting_dims = {nums(i for i, _ in contract)} x {nums(j for _, j in contract)}")
    exact = a.exact and b.exact
    p.emit(f"stablehlo.dot_general {a.name}, {b.name}, {', '.join(attrs)} : ({a.type}, {b.type}) -> {tensor(out, a.dtype)}",
           a.dtype, out, exact, bound, a.err + b.err + (0 if exact else n))


# ---------------------------------------------------------------- indexed

def index_operand(p, shape, limit):
    """An i32 tensor whose values lie somewhat beyond [0, limit)."""
    a = p.pick(lambda v: v.dtype == "i32" and v.shape == tuple(shape))
    if a is not None:
        return a
    d = p.rng.randrange(len(shape)) if shape else None
    if d is None:
        return Value(p.const(p.rng.randint(-1, limit), "i32"), "i32", ())
    base = p.emit(f"stablehlo.iota dim = {d} : {tensor(shape, 'i32')}", "i32", shape, True, max(shape))
    c = p.const(p.rng.choice([-1, 2, 3, 5]), "i32")
    k = p.emit(f"stablehlo.broadcast_in_dim {c}, dims = [] : (tensor<i32>) -> {tensor(shape, 'i32')}", "i32", shape, True, 5)
    return p.emit(f"stablehlo.multiply {base.name}, {k.name} : {base.type}", "i32", shape, True, 5 * max(shape))


def scalar_index(p, limit):
    v = p.pick(lambda v: v.dtype == "i32" and v.shape == ())
    if v is not None and p.rng.random() < 0.5:
        return v.name
    return p.const(p.rng.randint(-1, limit), "i32")


def dynamic_slice(p):
    a = p.pick(lambda v: len(v.shape) >= 1)
    if a is None:
        return False
    sizes = [d if p.rng.random() < 0.5 else p.rng.randint(1, d) for d in a.shape]
    idx = [scalar_index(p, d) for d in a.shape]
    p.emit(f"stablehlo.dynamic_slice {a.name}, {', '.join(idx)}, sizes = {nums(sizes)} : ({a.type}, {', '.join(['tensor<i32>'] * len(idx))}) -> {tensor(sizes, a.dtype)}",
           a.dtype, sizes, a.exact, a.bound, a.err)


def dynamic_update_slice(p):
    a = p.pick(lambda v: len(v.shape) >= 1)
    if a is None:
        return False
    b = p.pick(lambda v: v.dtype == a.dtype and len(v.shape) == len(a.shape) and all(x <= y for x, y in zip(v.shape, a.shape)))
    idx = [scalar_index(p, d) for d in a.shape]
    p.emit(f"stablehlo.dynamic_update_slice {a.name}, {b.name}, {', '.join(idx)} : ({a.type}, {b.type}, {', '.join(['tensor<i32>'] * len(idx))}) -> {a.type}",
           a.dtype, a.shape, a.exact and b.exact, max(a.bound, b.bound), max(a.err, b.err))


def gather(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    ishape = p.shape(p.rng.randint(1, 2), 32)
    idx = index_operand(p, ishape, a.shape[d])
    out = list(ishape) + [x for i, x in enumerate(a.shape) if i != d]
    if _product(out) > 4096:
        return False
    off = list(range(len(ishape), len(out)))
    sizes = [1 if i == d else x for i, x in enumerate(a.shape)]
    p.emit(f'"stablehlo.gather"({a.name}, {idx.name}) <{{dimension_numbers = #stablehlo.gather<offset_dims = {nums(off)}, collapsed_slice_dims = [{d}], start_index_map = [{d}], '
           f'index_vector_dim = {len(ishape)}>, indices_are_sorted = false, slice_sizes = array<i64: {", ".join(map(str, sizes))}>}}> : ({a.type}, {idx.type}) -> {tensor(out, a.dtype)}',
           a.dtype, out, a.exact, a.bound, a.err)


def scatter_add(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound < 1e4)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    n = p.rng.randint(1, 12)
    ushape = [n] + [x for i, x in enumerate(a.shape) if i != d]
    u = p.pick(lambda v: v.dtype == a.dtype and v.shape == tuple(ushape) and v.bound < 1e4)
    if u is None:
        c = p.const("2" + (".0" if is_float(a) else ""), a.dtype)
        u = p.emit(f"stablehlo.broadcast_in_dim {c}, dims = [] : ({tensor((), a.dtype)}) -> {tensor(ushape, a.dtype)}", a.dtype, ushape, True, 2)
    idx = index_operand(p, (n,), a.shape[d])
    win = list(range(1, len(ushape)))
    x, y, r = p.fresh(), p.fresh(), p.fresh()
    op = p.rng.choice(["add", "add", "maximum"])
    t = tensor((), a.dtype)
    exact = a.exact and u.exact
    p.emit(f'"stablehlo.scatter"({a.name}, {idx.name}, {u.name}) <{{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = {nums(win)}, inserted_window_dims = [{d}], '
           f'scatter_dims_to_operand_dims = [{d}], index_vector_dim = 1>, unique_indices = false}}> ({{\n    ^bb0({x}: {t}, {y}: {t}):\n      {r} = stablehlo.{op} {x}, {y} : {t}\n      stablehlo.return {r} : {t}\n    }}) '
           f': ({a.type}, {idx.type}, {u.type}) -> {a.type}',
           a.dtype, a.shape, exact, a.bound + n * u.bound, a.err + u.err + (0 if exact else n))


# ---------------------------------------------------------------- windows, order

def arr(values):
    return "array<i64: " + ", ".join(map(str, values)) + ">"


def body(op, t, p):
    """A region that combines its two arguments."""
    x, y, r = p.fresh(), p.fresh(), p.fresh()
    return f"({{\n    ^bb0({x}: {t}, {y}: {t}):\n      {r} = stablehlo.{op} {x}, {y} : {t}\n      stablehlo.return {r} : {t}\n    }})"


def window_of(p, size, pads=()):
    """A random window over a dimension: (window, stride, base dilation, window dilation, low, high, results), or None."""
    w = p.rng.choice([1, 1, 2, 3]) if p.rng.random() < 0.8 else min(size, 8)
    s, k = p.rng.choice([1, 1, 2, 3]), p.rng.choice([1, 1, 1, 2])
    d = p.rng.choice([1, 1, 1, 2, 3])
    lo, hi = p.rng.choice([(0, 0), (0, 0), (1, 1), (w - 1, 0), (0, 2), (0, -1), *pads])
    span = (size - 1) * d + 1 + lo + hi - ((w - 1) * k + 1)
    if span < 0:
        return None
    return w, s, d, k, lo, hi, span // s + 1


def reduce_window(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound < 1e4)
    if a is None:
        return False
    windows = [window_of(p, d, [(-1, 1), (3, -2)]) for d in a.shape]
    if None in windows:
        return False
    win, stride, base, dil, low, high, out = (list(x) for x in zip(*windows))
    n = _product(win)
    # Padding is as many initial values, by the specification; XLA skips it.
    op, init = p.rng.choice([("add", "0"), ("add", "0"), ("maximum", "-100000"), ("minimum", "3")])
    bound = a.bound * n if op == "add" else 1e5
    if _product(out) > 4096 or bound > 1e6:
        return False
    padding = [[x, y] for x, y in zip(low, high)]
    t = tensor((), a.dtype)
    attrs = (f"<{{base_dilations = {arr(base)}, padding = dense<{padding}> : tensor<{len(win)}x2xi64>, window_dilations = {arr(dil)}, "
             f"window_dimensions = {arr(win)}, window_strides = {arr(stride)}}}>")
    err = a.err + (0 if a.exact else n)
    c = p.const(init + (".0" if is_float(a) else ""), a.dtype)
    if p.rng.random() < 0.75:
        p.emit(f'"stablehlo.reduce_window"({a.name}, {c}) {attrs} {body(op, t, p)} : ({a.type}, {t}) -> {tensor(out, a.dtype)}',
               a.dtype, out, a.exact, bound, err)
        return True
    # Two operands: a sum and a largest element, or what one of them selects.
    b = p.pick(lambda v: is_num(v) and v.shape == a.shape and v.bound < 1e4)
    if b is None or not a.exact or not b.exact:
        return False
    e = p.const("-7" + (".0" if is_float(b) else ""), b.dtype)
    u = tensor((), b.dtype)
    x, y, z, w, r, q, name = (p.fresh() for _ in range(7))
    p.lines.append(
        f'{name}:2 = "stablehlo.reduce_window"({a.name}, {b.name}, {c}, {e}) {attrs} ({{\n    ^bb0({x}: {t}, {y}: {u}, {z}: {t}, {w}: {u}):\n'
        f"      {r} = stablehlo.{op} {x}, {z} : {t}\n      {q} = stablehlo.maximum {y}, {w} : {u}\n      stablehlo.return {r}, {q} : {t}, {u}\n    }}) "
        f": ({a.type}, {b.type}, {t}, {u}) -> ({tensor(out, a.dtype)}, {tensor(out, b.dtype)})")
    p.values.append(Value(f"{name}#0", a.dtype, tuple(out), True, bound, err))
    p.values.append(Value(f"{name}#1", b.dtype, tuple(out), True, max(b.bound, 7), 0))
    return True


def select_and_scatter(p):
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1 and v.bound < 1e3 and v.size <= 512)
    if a is None:
        return False
    # Among equal elements of a padded window XLA takes another than the first:
    # all different, a.size * element + position.
    flat = p.emit(f"stablehlo.iota dim = 0 : {tensor((a.size,), a.dtype)}", a.dtype, (a.size,), True, a.size)
    place = p.emit(f"stablehlo.reshape {flat.name} : ({flat.type}) -> {a.type}", a.dtype, a.shape, True, a.size)
    scale = p.const(str(a.size) + (".0" if is_float(a) else ""), a.dtype)
    scale = p.emit(f"stablehlo.broadcast_in_dim {scale}, dims = [] : ({tensor((), a.dtype)}) -> {a.type}", a.dtype, a.shape, True, a.size)
    scaled = p.emit(f"stablehlo.multiply {a.name}, {scale.name} : {a.type}", a.dtype, a.shape, True, a.size * a.bound)
    a = p.emit(f"stablehlo.add {scaled.name}, {place.name} : {a.type}", a.dtype, a.shape, True, a.size * (a.bound + 1))
    windows = []
    for d in a.shape:
        w = p.rng.choice([1, 1, 2, 3]) if p.rng.random() < 0.8 else min(d, 8)
        s = p.rng.choice([1, 2, 2, 3])
        # A window without elements selects whatever one likes.
        lo, hi = (0, 0) if w == 1 else p.rng.choice([(0, 0), (1, 0), (0, 1), (w // 2, w // 2)])
        if d + lo + hi < w:
            return False
        windows.append((w, s, lo, hi, (d + lo + hi - w) // s + 1))
    win, stride, low, high, out = (list(x) for x in zip(*windows))
    source = p.pick(lambda v: v.dtype == a.dtype and v.shape == tuple(out) and v.bound < 1e4)
    if source is None:
        source = p.emit(f"stablehlo.iota dim = {p.rng.randrange(len(out))} : {tensor(out, a.dtype)}", a.dtype, out, True, max(out))
    padding = [[x, y] for x, y in zip(low, high)]
    t = tensor((), a.dtype)
    kind = kind_of(a)
    c = p.const(p.rng.choice(["0", "0", "1"]) + (".0" if is_float(a) else ""), a.dtype)
    x, y, r = p.fresh(), p.fresh(), p.fresh()
    op = p.rng.choice(["add", "add", "maximum"])
    p.emit(f'"stablehlo.select_and_scatter"({a.name}, {source.name}, {c}) <{{padding = dense<{padding}> : tensor<{len(win)}x2xi64>, window_dimensions = {arr(win)}, window_strides = {arr(stride)}}}> '
           f"({{\n    ^bb0({x}: {t}, {y}: {t}):\n      {r} = stablehlo.compare {p.rng.choice(['GE', 'GE', 'LE', 'GT'])}, {x}, {y}, {kind} : ({t}, {t}) -> tensor<i1>\n      stablehlo.return {r} : tensor<i1>\n    }}, "
           f"{body(op, t, p)[1:]} : ({a.type}, {source.type}, {t}) -> {a.type}",
           a.dtype, a.shape, source.exact, source.bound * _product(win) + 1, source.err + _product(win))


def convolution(p):
    """Spatial dimensions of any kind, groups of features or of batches, dimension numbers in any order."""
    spatial = p.rng.choice([1, 1, 2, 2, 3])
    # An operand of the program if its rank fits, else a new one.
    a = p.pick(lambda v: is_num(v) and v.bound <= 40 and len(v.shape) == spatial + 2)
    rank = spatial + 2
    if a is None:
        shape = [p.rng.choice([1, 2, 3, 4, 6, 8, 9]) for _ in range(rank)]
        if _product(shape) > 2048:
            return False
        dtype = p.rng.choice(p.floats)
        i = p.emit(f"stablehlo.iota dim = {p.rng.randrange(rank)} : {tensor(shape, dtype)}", dtype, shape, True, max(shape))
        a = p.emit(f"sdy.sharding_constraint {i.name} {p.sharding(shape)} : {i.type}", dtype, shape, True, max(shape))
    order = list(range(rank))
    p.rng.shuffle(order)
    lb, lf, ls = order[0], order[1], order[2:]
    batch, features = a.shape[lb], a.shape[lf]
    fg = bg = 1
    if p.rng.random() < 0.3:
        fg = p.rng.choice([g for g in range(1, features + 1) if features % g == 0])
    elif p.rng.random() < 0.3:
        bg = p.rng.choice([g for g in range(1, batch + 1) if batch % g == 0])
    outf = p.rng.choice([1, 2, 3, 4]) * fg * bg
    windows, ksizes = [], []
    for d in ls:
        # (XLA reads wrong elements where one side is padded, the other cropped.)
        w = window_of(p, a.shape[d], [(-1, 0), (-1, -1)])
        if w is None:
            return False
        windows.append(w)
        ksizes.append(w[0])
    # The kernel: a value of the program, or a small new one.
    korder = list(range(rank))
    p.rng.shuffle(korder)
    ki, ko, ks = korder[0], korder[1], korder[2:]
    kshape = [0] * rank
    kshape[ki], kshape[ko] = features // fg, outf
    for d, n in zip(ks, ksizes):
        kshape[d] = n
    n = _product(ksizes) * (features // fg)
    k = p.pick(lambda v: v.dtype == a.dtype and v.shape == tuple(kshape) and v.bound * a.bound * n < 1e6)
    if k is None:
        i = p.emit(f"stablehlo.iota dim = {p.rng.randrange(rank)} : {tensor(kshape, a.dtype)}", a.dtype, kshape, True, max(kshape))
        k = p.emit(f"sdy.sharding_constraint {i.name} {p.sharding(kshape)} : {i.type}", a.dtype, kshape, True, max(kshape))
    bound = a.bound * k.bound * n
    oorder = list(range(rank))
    p.rng.shuffle(oorder)
    ob, of, osp = oorder[0], oorder[1], oorder[2:]
    out = [0] * rank
    out[ob], out[of] = batch // bg, outf
    for d, w in zip(osp, windows):
        out[d] = w[6]
    if _product(out) > 4096 or bound > 1e6 or _product(kshape) > 2048:
        return False

    def numbers(b, f, s, names):
        text = [""] * rank
        text[b], text[f] = names
        for i, d in enumerate(s):
            text[d] = str(i)
        return "[" + ", ".join(text) + "]"
    reverse = ", ".join(p.rng.choice(["false", "false", "true"]) for _ in ls)
    pads = [[w[4], w[5]] for w in windows]
    attrs = (f"stride = {nums(w[1] for w in windows)}, pad = {pads}, lhs_dilate = {nums(w[2] for w in windows)}, "
             f"rhs_dilate = {nums(w[3] for w in windows)}, reverse = [{reverse}]")
    exact = a.exact and k.exact
    p.emit(f"stablehlo.convolution({a.name}, {k.name}) dim_numbers = {numbers(lb, lf, ls, 'bf')}x{numbers(ki, ko, ks, 'io')}->{numbers(ob, of, osp, 'bf')}, "
           f"window = {{{attrs}}} {{batch_group_count = {bg} : i64, feature_group_count = {fg} : i64}} : ({a.type}, {k.type}) -> {tensor(out, a.dtype)}",
           a.dtype, out, exact, bound, a.err + k.err + (0 if exact else n))


def sort(p):
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    x, y, r = p.fresh(), p.fresh(), p.fresh()
    t = tensor((), a.dtype)
    kind = kind_of(a)
    p.emit(f'"stablehlo.sort"({a.name}) <{{dimension = {d} : i64, is_stable = true}}> ({{\n    ^bb0({x}: {t}, {y}: {t}):\n      {r} = stablehlo.compare {p.rng.choice(["LT", "GT"])}, {x}, {y}, {kind} : ({t}, {t}) -> tensor<i1>\n'
           f'      stablehlo.return {r} : tensor<i1>\n    }}) : ({a.type}) -> {a.type}', a.dtype, a.shape, True, a.bound)


def region(args, body, result):
    """A region of scalars: `args` are (name, type), `result` (name, type) pairs."""
    head = ", ".join(f"{n}: {t}" for n, t in args)
    return (f"({{\n    ^bb0({head}):\n      " + "\n      ".join(body) + f"\n      stablehlo.return {', '.join(n for n, _ in result)} : {', '.join(t for _, t in result)}\n    }})")


def cumulative(p):
    """A reduce_window that is a scan: sum, extremes, from either end."""
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound < 1e4)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    n = a.shape[d]
    f = is_float(a)
    op, init, bound = p.rng.choice([("add", "0.0" if f else "0", a.bound * n), ("maximum", literal("lowest", a.dtype), a.bound),
                                    ("minimum", literal("highest", a.dtype), a.bound)])
    c = p.const(init, a.dtype)
    x, y, r = p.fresh(), p.fresh(), p.fresh()
    t = tensor((), a.dtype)
    window = [n if i == d else 1 for i in range(len(a.shape))]
    low = p.rng.random() < 0.5
    padding = [([n - 1, 0] if low else [0, n - 1]) if i == d else [0, 0] for i in range(len(a.shape))]
    p.emit(f'"stablehlo.reduce_window"({a.name}, {c}) <{{padding = dense<{padding}> : tensor<{len(window)}x2xi64>, window_dimensions = array<i64: {", ".join(map(str, window))}>}}> '
           + region([(x, t), (y, t)], [f"{r} = stablehlo.{op} {x}, {y} : {t}"], [(r, t)]) + f" : ({a.type}, {t}) -> {a.type}",
           a.dtype, a.shape, a.exact, bound, a.err + (0 if a.exact else n))


def arg_extreme(p):
    """argmax or argmin as JAX prints it: value and index reduced together."""
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    out = [x for i, x in enumerate(a.shape) if i != d]
    way, start = p.rng.choice([("GT", literal("lowest", a.dtype)), ("LT", literal("highest", a.dtype))])
    index = p.emit(f"stablehlo.iota dim = {d} : {tensor(a.shape, 'i32')}", "i32", a.shape, True, a.shape[d])
    c, z = p.const(start, a.dtype), p.const(0, "i32")
    t, ti, tb = tensor((), a.dtype), tensor((), "i32"), tensor((), "i1")
    x, i, y, j, better, same, lower, both, first, v, k, name = (p.fresh() for _ in range(12))
    kind = kind_of(a)
    body = [f"{better} = stablehlo.compare {way}, {x}, {y}, {kind} : ({t}, {t}) -> {tb}", f"{same} = stablehlo.compare EQ, {x}, {y}, {kind} : ({t}, {t}) -> {tb}",
            f"{lower} = stablehlo.compare LT, {i}, {j}, SIGNED : ({ti}, {ti}) -> {tb}", f"{both} = stablehlo.and {same}, {lower} : {tb}", f"{first} = stablehlo.or {better}, {both} : {tb}",
            f"{v} = stablehlo.select {better}, {x}, {y} : {tb}, {t}", f"{k} = stablehlo.select {first}, {i}, {j} : {tb}, {ti}"]
    p.lines.append(f'{name}:2 = "stablehlo.reduce"({a.name}, {index.name}, {c}, {z}) <{{dimensions = array<i64: {d}>}}> '
                   + region([(x, t), (i, ti), (y, t), (j, ti)], body, [(v, t), (k, ti)])
                   + f" : ({a.type}, {index.type}, {t}, {ti}) -> ({tensor(out, a.dtype)}, {tensor(out, 'i32')})")
    p.values.append(Value(f"{name}#0", a.dtype, tuple(out), True, a.bound))
    p.values.append(Value(f"{name}#1", "i32", tuple(out), True, a.shape[d]))


def own_reduce(p):
    """A reduction whose body no collective has: a sum and a maximum at once, or a sum computed in a roundabout way."""
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1 and v.bound < 1e3)
    if a is None:
        return False
    dims = sorted(p.rng.sample(range(len(a.shape)), p.rng.randint(1, len(a.shape))))
    out = [x for i, x in enumerate(a.shape) if i not in dims]
    n = _product(a.shape[i] for i in dims)
    one = "1.0" if is_float(a) else "1"
    start = p.const(p.rng.choice(["0", "2"]) + (".0" if is_float(a) else "") if n > 1 else ("0.0" if is_float(a) else "0"), a.dtype)
    t = tensor((), a.dtype)
    x, y, r, s = p.fresh(), p.fresh(), p.fresh(), p.fresh()
    if p.rng.random() < 0.5:
        c = p.fresh()
        body = [f"{c} = stablehlo.constant dense<{one}> : {t}", f"{r} = stablehlo.add {x}, {c} : {t}", f"{p.fresh()} = stablehlo.subtract {y}, {c} : {t}",
                f"{s} = stablehlo.add {r}, %v{p.counter} : {t}"]
        p.emit(f'"stablehlo.reduce"({a.name}, {start}) <{{dimensions = array<i64: {", ".join(map(str, dims))}>}}> ' + region([(x, t), (y, t)], body, [(s, t)])
               + f" : ({a.type}, {t}) -> {tensor(out, a.dtype)}", a.dtype, out, True, a.bound * n + 2)
        return
    low = p.const("-1000.0" if is_float(a) else "-1000", a.dtype)
    u, w, name = p.fresh(), p.fresh(), p.fresh()
    p.lines.append(f'{name}:2 = "stablehlo.reduce"({a.name}, {a.name}, {start}, {low}) <{{dimensions = array<i64: {", ".join(map(str, dims))}>}}> '
                   + region([(x, t), (u, t), (y, t), (w, t)], [f"{r} = stablehlo.add {x}, {y} : {t}", f"{s} = stablehlo.maximum {u}, {w} : {t}"], [(r, t), (s, t)])
                   + f" : ({a.type}, {a.type}, {t}, {t}) -> ({tensor(out, a.dtype)}, {tensor(out, a.dtype)})")
    p.values.append(Value(f"{name}#0", a.dtype, tuple(out), True, a.bound * n + 2))
    p.values.append(Value(f"{name}#1", a.dtype, tuple(out), True, 1000))


def sort_pairs(p):
    """Two operands sorted together, stably, by the first or by both; as argsort is printed."""
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    b = p.pick(lambda v: is_num(v) and v.exact and v.shape == a.shape)
    if p.rng.random() < 0.5:
        b = p.emit(f"stablehlo.iota dim = {d} : {tensor(a.shape, 'i32')}", "i32", a.shape, True, a.shape[d])
    t, tb = tensor((), a.dtype), tensor((), b.dtype)
    x, y, u, w, r, name = (p.fresh() for _ in range(6))
    kind = kind_of(a)
    way = p.rng.choice(["LT", "GT"])
    p.lines.append(f'{name}:2 = "stablehlo.sort"({a.name}, {b.name}) <{{dimension = {d} : i64, is_stable = true}}> '
                   + region([(x, t), (y, t), (u, tb), (w, tb)], [f"{r} = stablehlo.compare {way}, {x}, {y}, {kind} : ({t}, {t}) -> tensor<i1>"], [(r, "tensor<i1>")])
                   + f" : ({a.type}, {b.type}) -> ({a.type}, {b.type})")
    p.values.append(Value(f"{name}#0", a.dtype, a.shape, True, a.bound))
    p.values.append(Value(f"{name}#1", b.dtype, b.shape, True, b.bound))


def top_k(p):
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1)
    if a is None:
        return False
    k = p.rng.randint(1, a.shape[-1])
    out = a.shape[:-1] + (k,)
    name = p.fresh()
    p.lines.append(f"{name}:2 = chlo.top_k({a.name}, k = {k}) : {a.type} -> ({tensor(out, a.dtype)}, {tensor(out, 'i32')})")
    p.values.append(Value(f"{name}#0", a.dtype, out, True, a.bound))
    p.values.append(Value(f"{name}#1", "i32", out, True, a.shape[-1]))


def random_bits(p):
    shape = p.shape()
    algorithm = p.rng.choice(["THREE_FRY", "PHILOX", "DEFAULT"])
    words = 2 if algorithm == "THREE_FRY" or p.rng.random() < 0.5 else 3
    state, name = p.fresh(), p.fresh()
    width = p.rng.choice([8, 16, 32, 32, 64])
    ui = f"ui{width}"
    seed = [p.rng.choice([7, 2**64 - 2, 2**63 + 12345, 0]) for _ in range(words)]
    p.lines.append(f"{state} = stablehlo.constant dense<{nums(seed)}> : tensor<{words}xui64>")
    p.lines.append(f"{name}:2 = stablehlo.rng_bit_generator {state}, algorithm = {algorithm} : (tensor<{words}xui64>) -> (tensor<{words}xui64>, {tensor(shape, ui)})")
    c, few, spread = p.const(p.rng.choice([13, 16, 101]), ui), p.fresh(), p.fresh()
    p.lines.append(f"{spread} = stablehlo.broadcast_in_dim {c}, dims = [] : ({tensor((), ui)}) -> {tensor(shape, ui)}")
    p.lines.append(f"{few} = stablehlo.remainder {name}#1, {spread} : {tensor(shape, ui)}")
    p.emit(f"stablehlo.convert {few} : ({tensor(shape, ui)}) -> {tensor(shape, 'i32')}", "i32", shape, True, 101)
    if p.rng.random() < 0.3:
        low, rest = p.fresh(), p.const(1009, "ui64")
        p.lines.append(f"{low} = stablehlo.broadcast_in_dim {rest}, dims = [] : (tensor<ui64>) -> tensor<{words}xui64>")
        p.lines.append(f"{p.fresh()} = stablehlo.remainder {name}#0, {low} : tensor<{words}xui64>")
        p.emit(f"stablehlo.convert %v{p.counter} : (tensor<{words}xui64>) -> tensor<{words}xi32>", "i32", (words,), True, 1009)


# ---------------------------------------------------------------- transforms, factorisations

def fft(p):
    """Of one to three dimensions; complex or real on either side. The result's parts are added up."""
    a = p.pick(lambda v: v.dtype == "f32" and len(v.shape) >= 1 and v.bound * v.size < 1e5)
    if a is None:
        return False
    rank = p.rng.randint(1, min(3, len(a.shape)))
    lengths = list(a.shape[-rank:])
    n = _product(lengths)
    kind = p.rng.choice(["FFT", "IFFT", "RFFT", "IRFFT"])
    t = tensor(a.shape, "complex<f32>")
    source = a.name
    out = list(a.shape)
    if kind != "RFFT":
        source = p.fresh()
        # Real where the result is: what IRFFT does with other input is its own affair.
        p.lines.append(f"{source} = stablehlo.complex {a.name}, {a.name} : {t}" if kind != "IRFFT" else f"{source} = stablehlo.convert {a.name} : ({a.type}) -> {t}")
    if kind == "RFFT":
        out[-1] = out[-1] // 2 + 1
    if kind == "IRFFT":
        if out[-1] < 2:
            return False
        lengths[-1] = out[-1] = (out[-1] - 1) * 2 + p.rng.randint(0, 1)
        n = _product(lengths)
    to = tensor(out, "f32" if kind == "IRFFT" else "complex<f32>")
    err = a.err + 64
    made = f"stablehlo.fft {source}, type = {kind}, length = {nums(lengths)} : ({a.type if kind == 'RFFT' else t}) -> {to}"
    if kind == "IRFFT":
        p.emit(made, "f32", out, False, a.bound * 2, err)
        return
    f, re, im = p.fresh(), p.fresh(), p.fresh()
    bound = a.bound * (4 if kind == "IFFT" else 4 * n)
    p.lines += [f"{f} = {made}", f"{re} = stablehlo.real {f} : ({to}) -> {tensor(out, 'f32')}", f"{im} = stablehlo.imag {f} : ({to}) -> {tensor(out, 'f32')}"]
    p.emit(f"stablehlo.add {re}, {im} : {tensor(out, 'f32')}", "f32", out, False, bound, err)


def scattered(p, n, dtype, most):
    """n numbers in no order, most of them several times, sharded somehow: big enough that moving little pays."""
    t, ti = tensor((n,), dtype), tensor((n,), "i32")
    i, a, b, c, d, e = (p.fresh() for _ in range(6))
    by, mod = p.const(p.rng.choice([7919, 5003, -6151]), "i32"), p.const(most, "i32")
    p.lines += [f"{i} = stablehlo.iota dim = 0 : {ti}", f"{a} = stablehlo.broadcast_in_dim {by}, dims = [] : (tensor<i32>) -> {ti}", f"{b} = stablehlo.multiply {i}, {a} : {ti}",
                f"{c} = stablehlo.multiply {b}, {i} : {ti}", f"{d} = stablehlo.broadcast_in_dim {mod}, dims = [] : (tensor<i32>) -> {ti}", f"{e} = stablehlo.remainder {c}, {d} : {ti}"]
    v = p.emit(f"stablehlo.convert {e} : ({ti}) -> {t}", dtype, (n,), True, most)
    return p.emit(f"sdy.sharding_constraint {v.name} {p.sharding(v.shape)} : {v.type}", dtype, (n,), True, most)


def long_sort(p):
    v = scattered(p, p.rng.randint(500, 4096), p.rng.choice(["f32", "i32"]), p.rng.choice([3, 100, 100000]))
    u = scattered(p, v.shape[0], "i32", 50)
    short = Program(p.rng, p.mesh, p.lines, [v, u], counter=p.counter)
    (sort_pairs if p.rng.random() < 0.7 else sort)(short)
    p.counter = short.counter
    p.values += short.values[2:]


def long_fft(p):
    v = scattered(p, p.rng.choice([576, 1152, 1024, 2048, 4096, 1000]), "f32", 5)
    short = Program(p.rng, p.mesh, p.lines, [v], counter=p.counter)
    fft(short)
    p.counter = short.counter
    p.values += short.values[1:]


def dominant(p, rank, n):
    """A symmetric matrix (batched) with a heavy diagonal, made of iotas: 2n where row equals column, else 1/(1 + |row - column|)."""
    shape = p.shape(rank - 2, 16) + (n, n)
    t, ti = tensor(shape, "f32"), tensor(shape, "f32")
    i, j, e, c, k, s, r = (p.fresh() for _ in range(7))
    one, heavy = p.const("1.0", "f32"), p.const(f"{2.0 * n}", "f32")
    q, m, h, o = p.fresh(), p.fresh(), p.fresh(), p.fresh()
    p.lines += [f"{i} = stablehlo.iota dim = {len(shape) - 2} : {t}", f"{j} = stablehlo.iota dim = {len(shape) - 1} : {ti}", f"{e} = stablehlo.subtract {i}, {j} : {t}",
                f"{c} = stablehlo.abs {e} : {t}", f"{o} = stablehlo.broadcast_in_dim {one}, dims = [] : (tensor<f32>) -> {t}", f"{h} = stablehlo.broadcast_in_dim {heavy}, dims = [] : (tensor<f32>) -> {t}",
                f"{k} = stablehlo.add {c}, {o} : {t}", f"{s} = stablehlo.divide {o}, {k} : {t}", f"{m} = stablehlo.compare EQ, {i}, {j}, FLOAT : ({t}, {t}) -> {tensor(shape, 'i1')}"]
    return p.emit(f"stablehlo.select {m}, {h}, {s} : {tensor(shape, 'i1')}, {t}", "f32", shape, False, 2.0 * n, 1)


def cholesky(p):
    a = p.pick(lambda v: v.dtype == "f32" and getattr(v, "dominant", False))
    if a is None:
        a = dominant(p, p.rng.randint(2, 3), p.rng.choice([1, 2, 4, 5, 6, 8, 9]))
        v = p.emit(f"sdy.sharding_constraint {a.name} {p.sharding(a.shape)} : {a.type}", "f32", a.shape, False, a.bound, 1)
        a = v
    lower = p.rng.random() < 0.5
    l = p.fresh()
    p.lines.append(f"{l} = stablehlo.cholesky {a.name}, lower = {'true' if lower else 'false'} : {a.type}")
    # The other triangle is anything.
    i, j, m, z, o = (p.fresh() for _ in range(5))
    ti = tensor(a.shape, "i32")
    r = len(a.shape)
    p.lines += [f"{i} = stablehlo.iota dim = {r - 2} : {ti}", f"{j} = stablehlo.iota dim = {r - 1} : {ti}", f"{m} = stablehlo.compare {'GE' if lower else 'LE'}, {i}, {j}, SIGNED : ({ti}, {ti}) -> {tensor(a.shape, 'i1')}",
                f"{z} = stablehlo.constant dense<0.0> : {a.type}"]
    p.emit(f"stablehlo.select {m}, {l}, {z} : {tensor(a.shape, 'i1')}, {a.type}", "f32", a.shape, False, a.bound, 64)


def triangular_solve(p):
    b = p.pick(lambda v: v.dtype == "f32" and len(v.shape) in (2, 3) and v.bound < 1e4)
    if b is None:
        return False
    if p.rng.random() < 0.4:  # Few right-hand sides for a big matrix.
        b = scattered(p, p.rng.randint(17, 64), "f32", 5)
        shape = (b.shape[0], 1) if p.rng.random() < 0.5 else (1, b.shape[0])
        b = p.emit(f"stablehlo.reshape {b.name} : ({b.type}) -> {tensor(shape, 'f32')}", "f32", shape, True, 5)
    left = b.shape[-1] == 1 or (b.shape[-2] != 1 and p.rng.random() < 0.6)
    n = b.shape[-2] if left else b.shape[-1]
    a = dominant(p, 2, n)
    if len(b.shape) == 3:
        a = p.emit(f"stablehlo.broadcast_in_dim {a.name}, dims = [1, 2] : ({a.type}) -> {tensor(b.shape[:1] + (n, n), 'f32')}", "f32", b.shape[:1] + (n, n), False, a.bound, 1)
    a = p.emit(f"sdy.sharding_constraint {a.name} {p.sharding(a.shape)} : {a.type}", "f32", a.shape, False, a.bound, 1)
    unit = p.rng.random() < 0.2 and n < 3
    flags = f"left_side = {str(left).lower()}, lower = {p.rng.choice(['true', 'false'])}, transpose_a = #stablehlo<transpose {p.rng.choice(['NO_TRANSPOSE', 'TRANSPOSE'])}>, unit_diagonal = {str(unit).lower()}"
    p.emit(f'"stablehlo.triangular_solve"({a.name}, {b.name}) <{{{flags}}}> : ({a.type}, {b.type}) -> {b.type}', "f32", b.shape, False, b.bound * 2, b.err + 64)


# ---------------------------------------------------------------- control flow

def counted_loop(p):
    """A scan: carries one value, adds a row of another at each step."""
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound < 1e4)
    if a is None:
        return False
    xs = p.pick(lambda v: v.dtype == a.dtype and len(v.shape) == len(a.shape) + 1 and v.shape[1:] == a.shape and v.bound < 1e3)
    if xs is None:
        n = p.rng.randint(2, 4)
        xs = p.emit(f"stablehlo.broadcast_in_dim {a.name}, dims = {nums(range(1, len(a.shape) + 1))} : ({a.type}) -> {tensor((n,) + a.shape, a.dtype)}",
                    a.dtype, (n,) + a.shape, a.exact, a.bound, a.err)
    n = xs.shape[0]
    zero, limit, one = p.const(0, "i32"), p.const(n, "i32"), p.const(1, "i32")
    i, c, s, r, x, q, t, w = (p.fresh() for _ in range(8))
    row = tensor((1,) + a.shape, a.dtype)
    out = p.fresh()
    rest = "".join(f", {zero}" for _ in a.shape)
    types = ", ".join(["tensor<i32>"] * (len(a.shape) + 1))
    full = [1] + list(a.shape)
    p.lines.append(
        f"{out}:3 = stablehlo.while({i} = {zero}, {c} = {a.name}, {s} = {xs.name}) : tensor<i32>, {a.type}, {xs.type}\n    cond {{\n"
        f"      {q} = stablehlo.compare LT, {i}, {limit}, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>\n      stablehlo.return {q} : tensor<i1>\n    }} do {{\n"
        f"      {x} = stablehlo.dynamic_slice {s}, {i}{rest}, sizes = {nums(full)} : ({xs.type}, {types}) -> {row}\n"
        f"      {r} = stablehlo.reshape {x} : ({row}) -> {a.type}\n"
        f"      {t} = stablehlo.add {c}, {r} : {a.type}\n"
        f"      {p.fresh()} = stablehlo.reshape {t} : ({a.type}) -> {row}\n"
        f"      {w} = stablehlo.dynamic_update_slice {s}, %v{p.counter}, {i}{rest} : ({xs.type}, {row}, {types}) -> {xs.type}\n"
        f"      {p.fresh()} = stablehlo.add {i}, {one} : tensor<i32>\n"
        f"      stablehlo.return %v{p.counter}, {t}, {w} : tensor<i32>, {a.type}, {xs.type}\n    }}")
    exact = a.exact and xs.exact
    bound = a.bound + n * xs.bound
    err = a.err + xs.err + (0 if exact else n)
    p.values.append(Value(f"{out}#1", a.dtype, a.shape, exact, bound, err))
    p.values.append(Value(f"{out}#2", xs.dtype, xs.shape, exact, bound, err))


def conditional(p):
    a, b = same_shape_pair(p, is_num)
    if a is None:
        return False
    pred = p.rng.choice(["true", "false"])
    c = p.const(pred, "i1")
    x, y, out = p.fresh(), p.fresh(), p.fresh()
    p.lines.append(f'{out} = "stablehlo.if"({c}) ({{\n      {x} = stablehlo.add {a.name}, {b.name} : {a.type}\n      stablehlo.return {x} : {a.type}\n    }}, {{\n'
                   f'      {y} = stablehlo.subtract {a.name}, {b.name} : {a.type}\n      stablehlo.return {y} : {a.type}\n    }}) : (tensor<i1>) -> {a.type}')
    p.values.append(Value(out, a.dtype, a.shape, a.exact and b.exact, a.bound + b.bound, a.err + b.err + 1))


GENERATORS = [binary, binary, unary, smooth, compare_select, convert, broadcast, broadcast, reshape, reshape, transpose,
              slice_, pad, concatenate, reverse, iota, reduce, reduce, dot_general, dot_general, dynamic_slice,
              dynamic_update_slice, gather, scatter_add, reduce_window, select_and_scatter, convolution, sort, cumulative,
              arg_extreme, own_reduce, sort_pairs, top_k, random_bits, fft, long_sort, long_fft, cholesky, triangular_solve,
              counted_loop, conditional]


# Ops that read their operands through windows.
WINDOWS = [slice_, pad, concatenate, reverse, reduce_window, reduce_window, select_and_scatter, select_and_scatter,
           convolution, convolution, convolution, reshape, unary, binary]


def constrain(p):
    v = p.pick(lambda v: len(v.shape) >= 1)
    if v is not None:
        p.emit(f"sdy.sharding_constraint {v.name} {p.sharding(v.shape, p.rng.random() < 0.3)} : {v.type}", v.dtype, v.shape, v.exact, v.bound, v.err)


def settle(v):
    """Bounds a new value by its type; False where it could not be judged."""
    if v.dtype in ("bf16", "f16"):   # What is rounded depends on who keeps more digits between operations.
        return v.exact and v.bound <= EXACT[v.dtype]
    if v.dtype in BITS and v.dtype != "i32":   # They wrap.
        v.bound = range_of(v.dtype)[1] + 1 if v.dtype.startswith("u") else min(v.bound, -range_of(v.dtype)[0])
    return True


class Made(NamedTuple):
    text: str       # the program with its shardings
    plain: str      # the same for one device, as JAX's compiler takes it
    args: list
    results: list
    mesh: list


def make(seed, ops=None, generators=None):
    """The program of a seed: a wider one from seed 1,000,000 on."""
    rng = random.Random(seed)
    wide = seed >= 1_000_000
    p = Program(rng, rng.choice(MORE_MESHES if wide else MESHES), wide=wide)
    devices = _product(s for _, s in p.mesh)
    if wide:
        import structure
        generators = generators or GENERATORS + structure.GENERATORS
        p.floats = [rng.choice(MORE_FLOATS) for _ in range(2)] + ["f32"]
        p.ints = [rng.choice(MORE_INTS)] + ["i32"]
        if devices in (4, 8) and rng.random() < 0.3:
            p.other = rng.choice([m for m in ([("m", devices)], [("m", 2), ("n", devices // 2)], [("n", devices // 2), ("m", 2)]) if _product(s for _, s in m) == devices])
    # Groups of collectives in manual regions are device ids: these stay in order there.
    p.ordered = rng.random() < 0.75 if wide else False
    for i in range(rng.randint(1, 4)):
        dtype = rng.choice(FLOATS + FLOATS + INTS if not wide else p.floats + p.ints)
        v = Value(f"%arg{i}", dtype, p.shape(rng.randint(0, 4) if i else None), True, 4.0)
        settle(v)
        p.args.append(v)
        p.values.append(v)
    wanted = ops if ops is not None else rng.randint(1, 12)
    tries = 0
    while wanted > 0 and tries < 200:
        tries += 1
        before, lines, functions, counter = len(p.values), len(p.lines), len(p.functions), p.counter
        made = rng.choice(generators or GENERATORS)(p)
        if not all(settle(v) for v in p.values[before:]):
            del p.values[before:], p.lines[lines:], p.functions[functions:]
            p.counter = counter
            continue
        if made is not False or len(p.values) > before:
            wanted -= 1
            if rng.random() < 0.2:
                constrain(p)
    local = [v for v in p.values if v not in p.args] or p.args
    results = local[-min(len(local), rng.randint(1, 3)):]
    args = [(f"{v.name}: {v.type}", f" {{sdy.sharding = #sdy.sharding{p.sharding(v.shape)}}}" if rng.random() < 0.8 else "") for v in p.args]
    outs = [(v.type, f" {{sdy.sharding = #sdy.sharding{p.sharding(v.shape)}}}" if rng.random() < 0.6 else "") for v in results]
    shuffled = ""
    if rng.random() < 0.25 and not p.ordered:
        order = list(range(devices))
        rng.shuffle(order)
        shuffled = f", device_ids={order}"

    def declare(name, axes):
        return f"  sdy.mesh @{name} = <[{', '.join(f'{chr(34)}{n}{chr(34)}={s}' for n, s in axes)}]{shuffled}>\n"
    meshes = declare("mesh", p.mesh) + (declare("other", p.other) if p.other else "")

    def write(i, count, meshes):
        body, functions = "\n    ".join(line if isinstance(line, str) else line[i] for line in p.lines), "".join(p.functions)
        for _ in range(i):
            body, functions = (re.sub(r"(%\w+) = sdy\.sharding_constraint (\S+) <[^>]*> : (\S+)", r"\1 = stablehlo.reshape \2 : (\3) -> \3", x) for x in (body, functions))
        head, tail = (", ".join(a if i else a + b for a, b in xs) for xs in (args, outs))
        return (f"module @fuzz_{seed} attributes {{mhlo.num_partitions = {count} : i32, mhlo.num_replicas = 1 : i32}} {{\n{meshes}"
                f"  func.func public @main({head}) -> ({tail}) {{\n    {body}\n"
                f"    return {', '.join(v.name for v in results)} : {', '.join(v.type for v in results)}\n  }}\n{functions}}}\n")
    text = write(0, devices, meshes)
    if wide and seed % 6 == 5 and not p.other and "sdy.manual" not in text:   # As GSPMD's strings.
        import gspmd
        text = gspmd.convert(text, p.mesh)
    return Made(text, write(1, 1, ""), p.args, results, p.mesh)
