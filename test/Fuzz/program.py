"""The program that the generators of generators/ add to: its values, its mesh,
random shardings; and what its lines are written with."""
import random
from dataclasses import dataclass, field

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
