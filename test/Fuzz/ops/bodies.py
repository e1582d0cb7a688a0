"""Bodies of reductions, scatters and comparators."""
from .instance import COMPLEX, F8, FLOATS, INTS, SIGNED, is_complex, is_float, is_int
import numpy as np


def lowest(dtype):
    if is_int(dtype):
        n = int("".join(c for c in dtype if c.isdigit()))
        return -2 ** (n - 1) if dtype in SIGNED else 0
    return {"f8E4M3FN": -448.0, "f8E4M3B11FNUZ": -30.0, "f8E4M3FNUZ": -240.0, "f8E5M2FNUZ": -57344.0, "f4E2M1FN": -6.0}.get(dtype, -np.inf)


def highest(dtype):
    if is_int(dtype):
        n = int("".join(c for c in dtype if c.isdigit()))
        return 2 ** (n - 1) - 1 if dtype in SIGNED else 2 ** n - 1
    return -lowest(dtype)


def swap(f):
    """The same body with its arguments the other way round."""
    return lambda s, v: f(s, v[len(v) // 2:] + v[:len(v) // 2])


def simple(op):
    return lambda s, v: [s.binary(op, v[0], v[1])]


def by_select(direction):
    """Maximum and minimum as compare and select."""
    return lambda s, v: [s.select(s.compare(direction, v[0], v[1]), v[0], v[1])]


def abs_max(s, v):
    return [s.binary("maximum", s.unary("abs", v[0]), s.unary("abs", v[1]))]


def one(i, dtype, exact=True):
    """(name, body, initial value, whether bounded): a monoid on one value."""
    r = i.rng
    if dtype == "i1":
        op = r.choice(["and", "or", "xor", "maximum", "minimum", "add", "multiply"])
        return op, simple(op), op in ("and", "minimum", "multiply")
    if is_int(dtype):
        op = r.choice(["add", "add", "multiply", "maximum", "minimum", "and", "or", "xor", "gt", "lt", "addmul"])
        neutral = {"add": 0, "multiply": 1, "maximum": lowest(dtype), "minimum": highest(dtype), "or": 0, "xor": 0,
                   "and": -1 if dtype in SIGNED else highest(dtype), "gt": lowest(dtype), "lt": highest(dtype), "addmul": 0}[op]
        if op == "addmul":   # 1 - (1 - a)(1 - b) over the ring of integers: a + b - a b
            return op, lambda s, v: [s.binary("subtract", s.binary("add", v[0], v[1]), s.binary("multiply", v[0], v[1]))], 0
        return op, by_select(op.upper()) if op in ("gt", "lt") else simple(op), neutral
    if is_complex(dtype):
        op = r.choice(["add", "multiply", "add", "multiply", "maximum", "minimum"])
        i.trust_reference |= op in ("maximum", "minimum")   # lexicographic by the specification
        return op, simple(op), 0 if op == "add" else 1
    op = r.choice(["add", "add", "maximum", "minimum", "maximum", "minimum", "multiply", "gt", "lt", "abs_max"])
    if op == "abs_max":
        return op, abs_max, 0.0
    neutral = {"add": 0.0, "multiply": 1.0, "maximum": lowest(dtype), "minimum": highest(dtype), "gt": lowest(dtype), "lt": highest(dtype)}[op]
    return op, by_select(op.upper()) if op in ("gt", "lt") else simple(op), neutral


def arg_best(direction):
    """As JAX prints argmax and argmin: NaN wins, ties go to the lower index."""
    def body(s, v):
        a, i, b, j = v
        better = s.compare(direction, a, b)
        if is_float(a[1]):
            better = s.binary("or", better, s.compare("NE", a, a))
        tie = s.binary("and", s.compare("EQ", a, b), s.compare("LT", i, j))
        keep = s.binary("or", better, tie)
        return [s.select(better, a, b), s.select(keep, i, j)]
    return body


def many(*bodies):
    """Independent bodies side by side."""
    def body(s, v):
        n = len(bodies)
        return [f(s, [v[k], v[n + k]])[0] for k, f in enumerate(bodies)]
    return body


def matrix(s, v):
    """2 x 2 matrix product: associative, not commutative."""
    a, b, c, d, e, f, g, h = v

    def dot(x, y, z, w):
        return s.binary("add", s.binary("multiply", x, y), s.binary("multiply", z, w))
    return [dot(a, e, b, g), dot(a, f, b, h), dot(c, e, d, g), dot(c, f, d, h)]


def second(s, v):
    """Keeps the right argument: associative, not commutative, no neutral element."""
    return v[len(v) // 2:]
