"""One operation under test: its MLIR, arguments, results, and by what to judge.

An instance is a few lines of MLIR with names of its own, so that many of them
make one function. Scalar regions (reducers, comparators, updates) are Python
functions over a `Scalars` object and are written once: `EmitScalars` turns
them into MLIR, `EvalScalars` into numbers, for the specification's reference.
"""
import math
import random

import ml_dtypes
import numpy as np

DTYPES = {
    "i1": np.bool_, "i2": ml_dtypes.int2, "i4": ml_dtypes.int4, "i8": np.int8, "i16": np.int16, "i32": np.int32,
    "i64": np.int64, "ui2": ml_dtypes.uint2, "ui4": ml_dtypes.uint4, "ui8": np.uint8, "ui16": np.uint16,
    "ui32": np.uint32, "ui64": np.uint64, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32,
    "f64": np.float64, "complex<f32>": np.complex64, "complex<f64>": np.complex128,
    "f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E5M2": ml_dtypes.float8_e5m2, "f8E4M3B11FNUZ": ml_dtypes.float8_e4m3b11fnuz,
    "f8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz, "f8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz, "f8E4M3": ml_dtypes.float8_e4m3,
    "f8E3M4": ml_dtypes.float8_e3m4, "f4E2M1FN": ml_dtypes.float4_e2m1fn, "f8E8M0FNU": ml_dtypes.float8_e8m0fnu, "f6E2M3FN": ml_dtypes.float6_e2m3fn,
    "f6E3M2FN": ml_dtypes.float6_e3m2fn,
}
NOT_XLA = ["f6E2M3FN", "f6E3M2FN"]   # it does not know them
SIGNED = ["i2", "i4", "i8", "i16", "i32", "i64"]
UNSIGNED = ["ui2", "ui4", "ui8", "ui16", "ui32", "ui64"]
INTS = SIGNED + UNSIGNED
F8 = [t for t in DTYPES if t.startswith("f8") and t != "f8E8M0FNU"]
RARE = ["f4E2M1FN", "f8E8M0FNU", "f6E2M3FN", "f6E3M2FN"]
WIDE = ["f32", "f64"]
FLOATS = ["f16", "bf16", "f32", "f64"]
COMPLEX = ["complex<f32>", "complex<f64>"]
MANTISSA = {"f16": 10, "bf16": 7, "f32": 23, "f64": 52, "complex<f32>": 23, "complex<f64>": 52, "f8E4M3FN": 3,
            "f8E5M2": 2, "f8E4M3B11FNUZ": 3, "f8E4M3FNUZ": 3, "f8E5M2FNUZ": 2, "f8E4M3": 3, "f8E3M4": 4, "f4E2M1FN": 1}
BITS = {t: int("".join(c for c in t if c.isdigit())) for t in INTS}


def is_int(t):
    return t in INTS


def is_complex(t):
    return t.startswith("complex")


def is_float(t):
    return t[0] in "fb"


def type_of(shape, dtype):
    return "tensor<" + "".join(f"{d}x" for d in shape) + dtype + ">"


def product(xs):
    return math.prod(xs)


def array(xs, kind="i64"):
    xs = [str(x).lower() for x in xs]
    return f"array<{kind}: {', '.join(xs)}>" if xs else f"array<{kind}>"


def nums(xs):
    return "[" + ", ".join(map(str, xs)) + "]"


def padding_attr(pads):
    return f"dense<{[list(p) for p in pads]}> : tensor<{len(pads)}x2xi64>" if pads else "dense<> : tensor<0x2xi64>"


def wrap(value, t):
    """Exact Python or wide NumPy integers into an integer type, two's complement."""
    bits = BITS[t]
    value = np.asarray(np.asarray(value, dtype=object) & ((1 << bits) - 1), dtype=object)
    if t in SIGNED:
        value = value - np.asarray(value >= 1 << (bits - 1)).astype(object) * (1 << bits)
    return np.asarray(value, dtype=object).astype(np.int64 if t in SIGNED else np.uint64).astype(DTYPES[t])


def literal(value, dtype):
    """An element as MLIR writes it."""
    if dtype == "i1":
        return "true" if value else "false"
    if is_int(dtype):
        return str(int(value))
    if is_complex(dtype):
        part = dtype[8:-1]
        return f"({literal(np.real(value), part)}, {literal(np.imag(value), part)})"
    x = float(value)
    if np.isfinite(x):
        return repr(x) if "e" not in repr(x) or "." in repr(x) else repr(x).replace("e", ".0e")
    raw = np.asarray(value).astype(DTYPES[dtype])
    return "0x" + raw.tobytes()[::-1].hex().upper()


def dense(values, dtype):
    values = np.asarray(values)
    if values.size == 0:
        return "dense<>"
    if values.ndim == 0:
        return f"dense<{literal(values[()], dtype)}>"

    def nest(v):
        return literal(v, dtype) if v.ndim == 0 else "[" + ", ".join(nest(x) for x in v) + "]"
    return f"dense<{nest(values)}>"


class Instance:
    """Generators call arg, const, op and result; the driver reads the rest."""

    def __init__(self, seed, tag, big=False):
        self.big = big                                     # shapes that are cut into chunks and blocks
        self.rng = random.Random(seed)
        self.np = np.random.default_rng(seed)
        self.tag = tag
        self.kind = ""
        self.functions = []                                # beside main
        self.lines, self.args, self.results = [], [], []   # args: (name, dtype, array); results: (name, dtype, shape, tolerance)
        self.after = []                                    # what a later operation does to each result, or None
        self.disguise = 0.25
        self.reference = None                              # () -> arrays, by the specification
        self.trust_reference = False                       # XLA is known to differ
        self.counter = 0

    def name(self):
        self.counter += 1
        return f"%t{self.tag}_{self.counter}"

    # ------------------------------------------------------------ values

    def arg(self, data, dtype, constant=0.1):
        """An operand: an argument, or now and then a constant."""
        data = np.asarray(data).astype(DTYPES[dtype])
        return self.disguised(data, dtype, constant) if self.chance(self.disguise) else self.plain_arg(data, dtype, constant)

    def plain_arg(self, data, dtype, constant):
        name = self.name()
        if data.size <= 64 and self.rng.random() < constant:
            self.lines.append(f"{name} = stablehlo.constant {dense(data, dtype)} : {type_of(data.shape, dtype)}")
        else:
            self.args.append((name, dtype, data))
        return name

    def disguised(self, data, dtype, constant):
        """The operand as another operation makes it, for code to be fused into its user."""
        r, shape, rank = self.rng, data.shape, data.ndim
        t = type_of(shape, dtype)
        how = r.choice(["transpose", "reverse", "slice", "pad", "reshape", "concatenate", "select", "dynamic_slice", "barrier", "broadcast"])
        garbage = lambda s: np.asarray(self.anything(s, dtype)).astype(DTYPES[dtype])  # noqa: E731
        if how == "transpose":
            perm = list(range(rank))
            r.shuffle(perm)
            x = self.plain_arg(data.transpose(np.argsort(perm)) if rank else data, dtype, constant)
            return self.op(f"stablehlo.transpose {x}, dims = {nums(perm)} : ({type_of([shape[k] for k in np.argsort(perm)], dtype)}) -> {t}", dtype, shape, result=False)
        if how == "reverse" and rank:
            dims = r.sample(range(rank), r.randint(1, rank))
            return self.op(f"stablehlo.reverse {self.plain_arg(np.flip(data, dims), dtype, constant)}, dims = {nums(dims)} : {t}", dtype, shape, result=False)
        if how in ("slice", "pad", "dynamic_slice") and rank:
            lo, hi = [r.randint(0, 2) for _ in shape], [r.randint(0, 2) for _ in shape]
            big = garbage([a + n + b for a, n, b in zip(lo, shape, hi)])
            big[tuple(slice(a, a + n) for a, n in zip(lo, shape))] = data
            x, bt = self.plain_arg(big, dtype, constant), type_of(big.shape, dtype)
            if how == "slice":
                ranges = ", ".join(f"{a}:{a + n}" for a, n in zip(lo, shape))
                return self.op(f"stablehlo.slice {x} [{ranges}] : ({bt}) -> {t}", dtype, shape, result=False)
            if how == "pad":
                z = self.plain_arg(garbage(()), dtype, constant)
                return self.op(f"stablehlo.pad {x}, {z}, low = {nums([-a for a in lo])}, high = {nums([-b for b in hi])}, interior = {nums([0] * rank)} : ({bt}, {type_of((), dtype)}) -> {t}", dtype, shape, result=False)
            at = [self.plain_arg(np.asarray(a, np.int32), "i32", 0.5) for a in lo]
            return self.op(f"stablehlo.dynamic_slice {x}, {', '.join(at)}, sizes = {nums(shape)} : ({bt}, {', '.join(['tensor<i32>'] * rank)}) -> {t}", dtype, shape, result=False)
        if how == "reshape":
            other = r.choice([[data.size], [1] + list(shape), list(shape) + [1], list(shape[:-2]) + [product(shape[-2:])]])
            return self.op(f"stablehlo.reshape {self.plain_arg(data.reshape(other), dtype, constant)} : ({type_of(other, dtype)}) -> {t}", dtype, shape, result=False)
        if how == "concatenate" and rank:
            d = r.randrange(rank)
            cut = r.randint(0, shape[d])
            parts = np.split(data, [cut], d)
            names = [self.plain_arg(p, dtype, constant) for p in parts]
            return self.op(f"stablehlo.concatenate {', '.join(names)}, dim = {d} : ({', '.join(type_of(p.shape, dtype) for p in parts)}) -> {t}", dtype, shape, result=False)
        if how == "select":
            mask = self.np.random(shape) < 0.5
            a, b = np.where(mask, data, garbage(shape)), np.where(mask, garbage(shape), data)
            names = [self.plain_arg(mask, "i1", constant), self.plain_arg(a, dtype, constant), self.plain_arg(b, dtype, constant)]
            return self.op(f"stablehlo.select {', '.join(names)} : {type_of(shape, 'i1')}, {t}", dtype, shape, result=False)
        if how == "broadcast" and data.size and (rank == 0 or (data == data.flat[0]).all()):
            x = self.plain_arg(data.reshape(-1)[0], dtype, constant)
            return self.op(f"stablehlo.broadcast_in_dim {x}, dims = [] : ({type_of((), dtype)}) -> {t}", dtype, shape, result=False)
        return self.op(f"stablehlo.optimization_barrier {self.plain_arg(data, dtype, constant)} : {t}", dtype, shape, result=False)

    def finish(self, name, dtype, shape, tolerance):
        """Keeps a result, now and then after one more operation."""
        after, rank = None, len(shape)
        if rank and self.chance(self.disguise * 0.6):
            t = type_of(shape, dtype)
            how = self.rng.choice(["transpose", "reverse", "slice", "reshape", "pad"])
            if how == "transpose":
                perm = list(range(rank))
                self.rng.shuffle(perm)
                shape, after = [shape[k] for k in perm], lambda x: x.transpose(perm)
                text = f"stablehlo.transpose {name}, dims = {nums(perm)} : ({t}) -> {type_of(shape, dtype)}"
            elif how == "reverse":
                dims = self.rng.sample(range(rank), self.rng.randint(1, rank))
                after = lambda x: np.flip(x, dims)  # noqa: E731
                text = f"stablehlo.reverse {name}, dims = {nums(dims)} : {t}"
            elif how in ("slice", "pad"):
                lo = [self.rng.randint(0, min(1, n)) for n in shape]
                hi = [self.rng.randint(a, n) if self.chance(0.3) else n for a, n in zip(lo, shape)]
                after = lambda x: x[tuple(slice(a, b) for a, b in zip(lo, hi))]  # noqa: E731
                new = [b - a for a, b in zip(lo, hi)]
                if how == "slice":
                    text = f"stablehlo.slice {name} [{', '.join(f'{a}:{b}' for a, b in zip(lo, hi))}] : ({t}) -> {type_of(new, dtype)}"
                else:
                    z = self.plain_arg(self.small((), dtype), dtype, 0.5)
                    text = (f"stablehlo.pad {name}, {z}, low = {nums([-a for a in lo])}, high = {nums([b - n for b, n in zip(hi, shape)])}, interior = {nums([0] * rank)} : "
                            f"({t}, {type_of((), dtype)}) -> {type_of(new, dtype)}")
                shape = new
            else:
                shape = [product(shape)]
                after = lambda x: x.reshape(-1)  # noqa: E731
                text = f"stablehlo.reshape {name} : ({t}) -> {type_of(shape, dtype)}"
            name = self.name()
            self.lines.append(f"{name} = {text}")
        self.results.append((name, dtype, tuple(shape), tolerance))
        self.after.append(after)

    def expected(self):
        """What the reference gives, as the program returns it."""
        return [np.asarray(x) if f is None else f(np.asarray(x)) for x, f in zip(self.reference(), self.after)]

    def op(self, text, dtype, shape, tolerance=None, result=True):
        name = self.name()
        self.lines.append(f"{name} = {text}")
        if result:
            self.finish(name, dtype, tuple(shape), tolerance)
        return name

    def ops(self, text, types, tolerances=None):
        """Several results: types is a list of (dtype, shape)."""
        name = self.name()
        self.lines.append(f"{name}:{len(types)} = {text}" if len(types) != 1 else f"{name} = {text}")
        for i, (dtype, shape) in enumerate(types):
            each = f"{name}#{i}" if len(types) != 1 else name
            self.finish(each, dtype, tuple(shape), tolerances[i] if tolerances else None)
        return name

    # ------------------------------------------------------------ random choices

    def dim(self, zero=0.02):
        if self.rng.random() < zero:
            return 0
        if self.big:
            return self.rng.choice([1, 2, 3, 7, 16, 33, 64, 100, 128, 129, 200, 257, 512, 1000, 5000])
        return self.rng.choice([1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33])

    def shape(self, rank=None, low=0, high=6, limit=600, zero=0.02):
        if rank is None:
            rank = min(self.rng.randint(low, high), self.rng.randint(low, high) + 1)
        limit = limit * 100 if self.big else limit
        s = [self.dim(zero) for _ in range(rank)]
        while product(s) > limit:
            s[self.rng.randrange(rank)] = self.rng.choice([1, 2, 3])
        return tuple(s)

    def dtype(self, *kinds):
        """Of the given lists, each as likely as the others; f32 and i32 more so."""
        pool = self.rng.choice(kinds or [FLOATS, INTS, ["f32", "i32"], ["i1"], COMPLEX, F8])
        return self.rng.choice(pool)

    def chance(self, p):
        return self.rng.random() < p

    def small(self, shape, dtype, bound=4):
        """Integers of small magnitude: sums are exact in any order."""
        if dtype == "i1":
            return self.np.integers(0, 2, shape).astype(np.bool_)
        if is_int(dtype):
            bound = min(bound, 2 ** (BITS[dtype] - 1) - 1)
            low = -bound if dtype in SIGNED else 0
            return self.np.integers(low, bound + 1, shape).astype(np.int64).astype(DTYPES[dtype])
        if is_complex(dtype):
            return (self.np.integers(-bound, bound + 1, shape) + 1j * self.np.integers(-bound, bound + 1, shape)).astype(DTYPES[dtype])
        return self.np.integers(-bound, bound + 1, shape).astype(np.float32).astype(DTYPES[dtype])

    def anything(self, shape, dtype, nan=True):
        """Also the extremes of integers; NaN, infinities, signed zeros, ties."""
        if dtype == "i1":
            return self.small(shape, dtype)
        if is_int(dtype):
            n = BITS[dtype]
            lo, hi = (-2 ** (n - 1), 2 ** (n - 1) - 1) if dtype in SIGNED else (0, 2 ** n - 1)
            full = self.np.integers(lo, hi, shape, dtype=np.uint64 if lo == 0 else np.int64, endpoint=True)
            edge = self.np.choice(np.array([lo, hi, 0, 1], dtype=full.dtype), shape)
            return np.where(self.np.random(shape) < 0.2, edge, full).astype(DTYPES[dtype])
        if is_complex(dtype):
            part = dtype[8:-1]
            return (self.anything(shape, part, nan).astype(np.float64) + 1j * self.anything(shape, part, nan).astype(np.float64)).astype(DTYPES[dtype])
        if dtype in NOT_XLA or dtype == "f8E8M0FNU":
            self.trust_reference |= dtype in NOT_XLA
            return np.abs(self.small(shape, "f32", 2)).astype(DTYPES[dtype])
        x = self.np.normal(0, 3, shape)
        x = np.where(self.np.random(shape) < 0.3, np.round(x), x).astype(np.float32).astype(DTYPES[dtype])
        special = [0.0, -0.0]
        if dtype not in ("f4E2M1FN",) and nan:
            special.append(np.nan)
        if dtype in FLOATS + ["f8E5M2", "f8E4M3", "f8E3M4"]:
            special += [np.inf, -np.inf]
        picks = self.np.choice(np.array(special), shape).astype(DTYPES[dtype])
        return np.where(self.np.random(shape) < self.rng.choice([0, 0, 0.1, 0.3]), picks, x)

    def data(self, shape, dtype):
        return self.anything(shape, dtype) if self.chance(0.5) else self.small(shape, dtype)

    # ------------------------------------------------------------ regions

    def region(self, types, body):
        """A region over scalars of `types`; body(scalars, values) -> values."""
        s = EmitScalars(self)
        names = [self.name() for _ in types]
        out = body(s, [(n, t) for n, t in zip(names, types)])
        header = ", ".join(f"{n}: tensor<{t}>" for n, t in zip(names, types))
        end = f"stablehlo.return {', '.join(v for v, _ in out)} : {', '.join(f'tensor<{t}>' for _, t in out)}" if out else "stablehlo.return"
        return "{\n    ^bb0(" + header + "):\n      " + "\n      ".join(s.lines + [end]) + "\n    }"


class EmitScalars:
    """Scalar ops as MLIR; values are (name, dtype)."""

    def __init__(self, instance):
        self.instance, self.lines = instance, []

    def _new(self, text, dtype):
        n = self.instance.name()
        self.lines.append(f"{n} = {text}")
        return n, dtype

    def binary(self, op, a, b):
        return self._new(f"stablehlo.{op} {a[0]}, {b[0]} : tensor<{a[1]}>", a[1])

    def unary(self, op, a):
        return self._new(f"stablehlo.{op} {a[0]} : tensor<{a[1]}>", a[1])

    def const(self, value, dtype):
        return self._new(f"stablehlo.constant dense<{literal(np.asarray(value), dtype)}> : tensor<{dtype}>", dtype)

    def compare(self, direction, a, b, total=False):
        kind = ("UNSIGNED" if a[1] in UNSIGNED or a[1] == "i1" else "SIGNED" if is_int(a[1]) else
                "TOTALORDER" if total else "FLOAT")
        return self._new(f"stablehlo.compare {direction}, {a[0]}, {b[0]}, {kind} : (tensor<{a[1]}>, tensor<{b[1]}>) -> tensor<i1>", "i1")

    def select(self, p, a, b):
        return self._new(f"stablehlo.select {p[0]}, {a[0]}, {b[0]} : tensor<i1>, tensor<{a[1]}>", a[1])

    def part(self, which, a):
        t = a[1][8:-1]
        return self._new(f"stablehlo.{which} {a[0]} : (tensor<{a[1]}>) -> tensor<{t}>", t)

    def convert(self, a, dtype):
        return self._new(f"stablehlo.convert {a[0]} : (tensor<{a[1]}>) -> tensor<{dtype}>", dtype)


class EvalScalars:
    """The same as numbers, on whole arrays; values are (array, dtype)."""

    def binary(self, op, a, b):
        x, y, t = a[0], b[0], a[1]
        if t == "i1":
            table = {"add": x | y, "maximum": x | y, "or": x | y, "multiply": x & y, "minimum": x & y, "and": x & y, "xor": x ^ y, "subtract": x ^ y}
            return table[op], t
        if is_int(t):
            x, y = np.asarray(x).astype(object), np.asarray(y).astype(object)
            r = {"add": lambda: x + y, "subtract": lambda: x - y, "multiply": lambda: x * y, "maximum": lambda: np.maximum(x, y),
                 "minimum": lambda: np.minimum(x, y), "and": lambda: x & y, "or": lambda: x | y, "xor": lambda: x ^ y}[op]()
            return wrap(r, t), t
        with np.errstate(all="ignore"):
            if op in ("maximum", "minimum") and is_complex(t):
                first = (x.real > y.real) | ((x.real == y.real) & (x.imag >= y.imag))
                if op == "minimum":
                    first = (x.real < y.real) | ((x.real == y.real) & (x.imag <= y.imag))
                return np.where(first, x, y), t
            if op in ("maximum", "minimum"):
                fx, fy = np.asarray(x).astype(np.float64), np.asarray(y).astype(np.float64)
                sx, sy = np.signbit(fx), np.signbit(fy)
                first = (fx > fy) | ((fx == fy) & (~sx | sy)) if op == "maximum" else (fx < fy) | ((fx == fy) & (sx | ~sy))
                return np.where(np.isnan(fx), x, np.where(np.isnan(fy), y, np.where(first, x, y))), t
            r = {"add": lambda: x + y, "subtract": lambda: x - y, "multiply": lambda: x * y}[op]()
            return np.asarray(r).astype(DTYPES[t]), t

    def unary(self, op, a):
        x, t = a
        if op == "not":
            return (~x if t == "i1" else wrap(~np.asarray(x).astype(object), t)), t
        if op == "negate":
            return (wrap(-np.asarray(x).astype(object), t) if is_int(t) else -x), t
        if op == "abs":
            return (wrap(abs(np.asarray(x).astype(object)), t) if is_int(t) else np.abs(x)), t
        raise NotImplementedError(op)

    def const(self, value, dtype):
        return np.asarray(value).astype(DTYPES[dtype]), dtype

    def compare(self, direction, a, b, total=False):
        x, y = a[0], b[0]
        if is_int(a[1]) or a[1] == "i1":
            x, y = np.asarray(x).astype(object), np.asarray(y).astype(object)
        elif total:
            x, y = total_order(x), total_order(y)
        elif not is_complex(a[1]):
            x, y = np.asarray(x).astype(np.float64), np.asarray(y).astype(np.float64)
        f = {"LT": np.less, "LE": np.less_equal, "GT": np.greater, "GE": np.greater_equal, "EQ": np.equal, "NE": np.not_equal}[direction]
        with np.errstate(all="ignore"):
            return np.asarray(f(x, y)).astype(np.bool_), "i1"

    def select(self, p, a, b):
        return np.where(p[0], a[0], b[0]), a[1]

    def part(self, which, a):
        return getattr(np.asarray(a[0]), which), a[1][8:-1]

    def convert(self, a, dtype):
        x = np.asarray(a[0])
        if is_int(dtype) and (is_int(a[1]) or a[1] == "i1"):
            return wrap(x.astype(object), dtype), dtype
        return x.astype(DTYPES[dtype]), dtype


def total_order(x):
    """-NaN < -inf < … < -0 < +0 < … < NaN as integers."""
    x = np.asarray(x)
    if x.dtype.itemsize == 1:   # formats narrower than a byte have their sign elsewhere
        x = x.astype(np.float32)
    size = x.dtype.itemsize
    bits = x.view(f"i{size}").astype(np.int64)
    return np.where(bits < 0, (-1 << (8 * size - 1)) - 1 - bits if size < 8 else np.int64(-2 ** 63) - bits - 1, bits)


def evaluate(body, values, types):
    """Applies a body to arrays."""
    return [v for v, _ in body(EvalScalars(), list(zip(values, types)))]
