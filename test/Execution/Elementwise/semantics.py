"""Elementwise operations as the StableHLO specification has them, in Python.

Floats of at most 32 bits are held as exact doubles and rounded once to their
type; integers are Python integers; functions without a closed form come from
mpmath. The judge of elementwise.py.
"""
import math
import re

import ml_dtypes
import mpmath
import numpy as np

# name: exponent bits, mantissa bits, bias, what there is besides finite numbers
# ("ieee" infinities and NaN, "fn" NaN only, "fnuz" NaN and no minus zero,
# "finite" neither).
FORMATS = {
    "f16": (5, 10, 15, "ieee"), "bf16": (8, 7, 127, "ieee"), "f32": (8, 23, 127, "ieee"),
    "f8E5M2": (5, 2, 15, "ieee"), "f8E4M3": (4, 3, 7, "ieee"), "f8E3M4": (3, 4, 3, "ieee"),
    "f8E4M3FN": (4, 3, 7, "fn"), "f8E4M3FNUZ": (4, 3, 8, "fnuz"),
    "f8E4M3B11FNUZ": (4, 3, 11, "fnuz"), "f8E5M2FNUZ": (5, 2, 16, "fnuz"),
    "f6E2M3FN": (2, 3, 1, "finite"), "f6E3M2FN": (3, 2, 3, "finite"), "f4E2M1FN": (2, 1, 1, "finite"),
}
NUMPY = {
    "i1": np.bool_, "i2": np.int8, "i4": np.int8, "i8": np.int8, "i16": np.int16, "i32": np.int32,
    "i64": np.int64, "ui2": np.uint8, "ui4": np.uint8, "ui8": np.uint8, "ui16": np.uint16,
    "ui32": np.uint32, "ui64": np.uint64, "f16": np.float16, "bf16": ml_dtypes.bfloat16,
    "f32": np.float32, "f64": np.float64, "complex<f32>": np.complex64, "complex<f64>": np.complex128,
    "f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E5M2": ml_dtypes.float8_e5m2,
    "f8E4M3B11FNUZ": ml_dtypes.float8_e4m3b11fnuz, "f8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "f8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz, "f8E4M3": ml_dtypes.float8_e4m3,
    "f8E3M4": ml_dtypes.float8_e3m4, "f8E8M0FNU": ml_dtypes.float8_e8m0fnu,
    "f6E2M3FN": ml_dtypes.float6_e2m3fn, "f6E3M2FN": ml_dtypes.float6_e3m2fn,
    "f4E2M1FN": ml_dtypes.float4_e2m1fn,
}
INTEGERS = ["i2", "i4", "i8", "i16", "i32", "i64", "ui2", "ui4", "ui8", "ui16", "ui32", "ui64"]
FLOATS = ["f16", "bf16", "f32", "f64"]
SMALL_FLOATS = ["f8E5M2", "f8E4M3", "f8E3M4", "f8E4M3FN", "f8E4M3FNUZ", "f8E4M3B11FNUZ", "f8E5M2FNUZ",
                "f6E2M3FN", "f6E3M2FN", "f4E2M1FN"]
COMPLEX = ["complex<f32>", "complex<f64>"]


def is_integer(t):
    return t in INTEGERS


def is_complex(t):
    return t.startswith("complex")


def width(t):
    return int(re.search(r"\d+", t).group())


def wrap(value, t):
    """A Python integer modulo 2^width."""
    w = width(t)
    value &= (1 << w) - 1
    return value - (1 << w) if t[0] == "i" and t != "i1" and value >> (w - 1) else value


def limits(t):
    w = width(t)
    return (-(1 << (w - 1)), (1 << (w - 1)) - 1) if t[0] == "i" else (0, (1 << w) - 1)


# --- Rounding ----------------------------------------------------------------


def largest(t):
    e, m, bias, kind = FORMATS[t]
    top = (1 << e) - 1 - bias - (1 if kind == "ieee" else 0)
    mantissa = 2.0 - 2.0 ** -m
    if kind == "fn":
        mantissa -= 2.0 ** -m  # all ones is NaN
    return mantissa * 2.0 ** top


def round_to(x, t):
    """Doubles rounded once to the type, ties to even; overflow as the type has it."""
    x = np.asarray(x, np.float64)
    if t == "f64":
        return x
    with np.errstate(all="ignore"):
        if t == "f8E8M0FNU":
            return x.astype(NUMPY[t]).astype(np.float64)
        e, m, bias, kind = FORMATS[t]
        exponent = np.maximum(np.frexp(np.where(np.isfinite(x), x, 1.0))[1] - 1, 1 - bias)
        unit = np.ldexp(1.0, exponent - m)
        y = np.rint(x / unit) * unit
        y = np.where(np.isfinite(x), y, x)
        top = largest(t)
        over = np.abs(y) > top
        if kind == "ieee":
            y = np.where(over & ~np.isnan(y), np.copysign(np.inf, y), y)
        elif kind == "finite":
            y = np.where(over & np.isfinite(x), np.copysign(top, y), y)
        else:
            y = np.where(over, np.nan, y)
        y = np.where(y == 0, np.copysign(0.0, x), y)
        if kind == "fnuz":
            y = np.where(y == 0, 0.0, y)
    return y


def as_array(values, t):
    """Doubles, integers or complex numbers as the array an npz has."""
    with np.errstate(all="ignore"):
        if is_integer(t) or t == "i1":
            return np.array(values, dtype=NUMPY[t])
        if is_complex(t) or t == "f64":
            return np.asarray(values).astype(NUMPY[t])
        if t == "bf16":  # ml_dtypes rounds twice, by way of float
            return round_to(values, t).astype(np.float32).astype(NUMPY[t])
        return round_to(values, t).astype(NUMPY[t])


def all_values(t):
    """Every value of a type of at most 16 bits, as doubles."""
    dtype = np.dtype(NUMPY[t])
    codes = np.arange(1 << (16 if dtype.itemsize == 2 else width(t)),
                      dtype=np.uint16 if dtype.itemsize == 2 else np.uint8)
    with np.errstate(all="ignore"):
        return codes.view(dtype).astype(np.float64)


# --- Values to try --------------------------------------------------------------


def integer_values(t, rng, count=0):
    lo, hi = limits(t)
    w = width(t)
    if w <= 4:
        return list(range(lo, hi + 1))
    special = [lo, lo + 1, hi, hi - 1, 0, 1, 2, 3, 5, 7, 10, w - 1, w, w + 1, hi // 2, hi // 3]
    if t[0] == "i":
        special += [-1, -2, -3, -7, -10, -w, lo // 2]
    special += [int(rng.integers(lo, hi, dtype=np.int64 if t[0] == "i" else np.uint64, endpoint=True))
                for _ in range(count)]
    return [min(max(v, lo), hi) for v in special]


def float_values(t, rng, count=0, low=-40.0, high=40.0):
    """Corners of the type, then a logarithmic grid, then random numbers."""
    if t in SMALL_FLOATS:
        return all_values(t)
    if t == "f64":
        m, emin, top = 52, -1022, 1.7976931348623157e308
    else:
        e, m, bias, _ = FORMATS[t]
        emin, top = 1 - bias, largest(t)
    tiny = math.ldexp(1.0, emin - m)
    positive = [0.0, tiny, tiny * 3, math.ldexp(1.0, emin) - tiny, math.ldexp(1.0, emin), top,
                0.25, 0.5, 0.5 - 2.0 ** (-m - 2), 0.5 + 2.0 ** (-m - 1), 1.0 - 2.0 ** (-m - 1), 1.0, 1.0 + 2.0 ** -m,
                1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 7.0, 10.0, math.pi / 2, math.pi, 100.0,
                2.0 ** (m - 1) + 0.5, 2.0 ** m - 0.5, 2.0 ** m + 1, 2.0 ** (m + 1) + 2, math.inf]
    values = positive + [-p for p in positive] + [math.nan]
    if count:
        scale = math.log10(top) - 0.5
        grid = 10.0 ** np.linspace(-scale, scale, count // 2)
        values += list(grid * rng.choice([-1.0, 1.0], len(grid)))
        values += list(rng.uniform(low, high, count - count // 2))
    return round_to(np.array(values), t)


# --- Operations ----------------------------------------------------------------------


def int_divide(x, y, t):
    if y == 0:
        return wrap(-1, t)  # as XLA; the specification leaves it open
    q = abs(x) // abs(y)
    return wrap(q if (x < 0) == (y < 0) else -q, t)


def int_remainder(x, y, t):
    if y == 0:
        return x
    r = abs(x) % abs(y)
    return wrap(-r if x < 0 else r, t)


def int_power(x, y, t):
    if y >= 0:
        return wrap(pow(x, y, 1 << width(t)) if y else 1, t)
    return 1 if x == 1 else (wrap(-1, t) if y % 2 else 1) if x == -1 else 0


def shift(x, y, t, kind):
    w = width(t)
    amount = y & ((1 << w) - 1)
    if kind == "left":
        return wrap(x << amount, t) if amount < w else 0
    if kind == "logical":
        return wrap((x & ((1 << w) - 1)) >> amount, t) if amount < w else 0
    signed = wrap(x, "i" + str(w))
    return wrap(signed >> min(amount, w - 1), t)


INT_BINARY = {
    "add": lambda x, y, t: wrap(x + y, t), "subtract": lambda x, y, t: wrap(x - y, t),
    "multiply": lambda x, y, t: wrap(x * y, t), "divide": int_divide, "remainder": int_remainder,
    "power": int_power, "maximum": lambda x, y, t: max(x, y), "minimum": lambda x, y, t: min(x, y),
    "and": lambda x, y, t: x & y, "or": lambda x, y, t: x | y, "xor": lambda x, y, t: x ^ y,
    "shift_left": lambda x, y, t: shift(x, y, t, "left"),
    "shift_right_logical": lambda x, y, t: shift(x, y, t, "logical"),
    "shift_right_arithmetic": lambda x, y, t: shift(x, y, t, "arithmetic"),
}
INT_UNARY = {
    "abs": lambda x, t: wrap(abs(x), t), "negate": lambda x, t: wrap(-x, t),
    "sign": lambda x, t: (x > 0) - (x < 0), "not": lambda x, t: wrap(~x, t),
    "popcnt": lambda x, t: wrap((x & ((1 << width(t)) - 1)).bit_count(), t),
    "count_leading_zeros": lambda x, t: wrap(width(t) - (x & ((1 << width(t)) - 1)).bit_length(), t),
}
BOOL_BINARY = {
    "add": lambda x, y: x | y, "multiply": lambda x, y: x & y, "maximum": lambda x, y: x | y,
    "minimum": lambda x, y: x & y, "and": lambda x, y: x & y, "or": lambda x, y: x | y, "xor": lambda x, y: x ^ y,
}
DIRECTIONS = {"EQ": lambda x, y: x == y, "NE": lambda x, y: x != y, "LT": lambda x, y: x < y,
              "LE": lambda x, y: x <= y, "GT": lambda x, y: x > y, "GE": lambda x, y: x >= y}


def total_order_key(x):
    bits = np.asarray(x, np.float64).view(np.int64)
    return np.where(bits < 0, bits ^ np.int64(0x7fffffffffffffff), bits)


def float_binary(op, x, y, t):
    """Exactly rounded operations on doubles that hold values of t."""
    with np.errstate(all="ignore"):
        if op in ("maximum", "minimum"):
            larger = np.where((x > y) | ((x == y) & ~np.signbit(x)), x, y)
            smaller = np.where((x < y) | ((x == y) & np.signbit(x)), x, y)
            r = larger if op == "maximum" else smaller
            return round_to(np.where(np.isnan(x) | np.isnan(y), np.nan, r), t)
        if op == "remainder":
            return round_to(np.fmod(x, y), t)
        f = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide}[op]
        if t == "f32":
            return f(x.astype(np.float32), y.astype(np.float32)).astype(np.float64)
        return round_to(f(x, y), t)


def round_afz(x):
    r = np.trunc(x)
    return np.where(np.abs(x - r) >= 0.5, r + np.copysign(1.0, x), r)


def float_unary(op, x, t):
    """Exactly rounded operations of one operand; None for the others."""
    f = {"abs": np.abs, "negate": np.negative, "ceil": np.ceil, "floor": np.floor, "round_nearest_even": np.rint,
         "round_nearest_afz": round_afz, "sqrt": np.sqrt,
         "sign": lambda x: np.where((x == 0) | np.isnan(x), x, np.copysign(1.0, x))}.get(op)
    with np.errstate(all="ignore"):
        return f and round_to(np.copysign(f(x), x) if op in ("ceil", "floor", "round_nearest_even", "round_nearest_afz")
                              else f(x), t)


def reduce_precision(x, t, e, m):
    """To e and m bits: ties to even, overflow to infinity, underflow to zero."""
    tm, te = (52, 11) if t == "f64" else (FORMATS[t][1], FORMATS[t][0])
    with np.errstate(all="ignore"):
        y = x
        if m < tm:
            exponent = np.frexp(np.where(np.isfinite(x) & (x != 0), x, 1.0))[1] - 1
            bottom = -1022 if t == "f64" else 1 - FORMATS[t][2]
            exponent = np.maximum(exponent, bottom)
            unit = np.ldexp(1.0, exponent - m)
            y = np.where(np.isfinite(x), np.rint(x / unit) * unit, x)
        bias = (1 << (e - 1)) - 1
        if e < te:
            y = np.where(np.isfinite(x) & (np.abs(y) >= math.ldexp(1.0, bias + 1)), np.copysign(np.inf, x), y)
            y = np.where(np.abs(y) < math.ldexp(1.0, 1 - bias), np.copysign(0.0, x), y)
        y = np.where(np.isfinite(x) & (np.abs(y) > (1.7976931348623157e308 if t == "f64" else largest(t))),
                     np.copysign(np.inf, x), y)
    return y


# --- Functions by mpmath ------------------------------------------------------------------

mpmath.mp.prec = 200


def _special(x, table):
    for key, value in table.items():
        if x == key and math.copysign(1, x) == math.copysign(1, key):
            return value
    return None


def real_function(op, x):
    """The function's value for a double, as mpf, or a double where it is special."""
    inf, nan = math.inf, math.nan
    if math.isnan(x):
        return nan
    mp = mpmath.mpf(x) if math.isfinite(x) else None
    if op == "exponential":
        return mpmath.exp(mp) if mp is not None else (inf if x > 0 else 0.0)
    if op == "exponential_minus_one":
        return x if x == 0 else mpmath.expm1(mp) if mp is not None else (inf if x > 0 else -1.0)
    if op == "log":
        return nan if x < 0 else -inf if x == 0 else inf if x == inf else mpmath.log(mp)
    if op == "log_plus_one":
        return x if x == 0 else nan if x < -1 else -inf if x == -1 else inf if x == inf else mpmath.log1p(mp)
    if op == "logistic":
        return 1 / (1 + mpmath.exp(-mp)) if mp is not None else (1.0 if x > 0 else 0.0)
    if op == "tanh":
        return x if x == 0 else math.copysign(1.0, x) if mp is None else mpmath.tanh(mp)
    if op in ("sine", "cosine", "tan"):
        if mp is None:
            return nan
        if x == 0 and op != "cosine":
            return x
        with mpmath.workprec(1400):
            return {"sine": mpmath.sin, "cosine": mpmath.cos, "tan": mpmath.tan}[op](mp)
    if op == "cbrt":
        return x if x == 0 or mp is None else mpmath.sign(mp) * mpmath.cbrt(abs(mp))
    if op == "rsqrt":
        return math.copysign(inf, x) if x == 0 else nan if x < 0 else 0.0 if x == inf else 1 / mpmath.sqrt(mp)
    raise KeyError(op)


FUNCTIONS = ["exponential", "exponential_minus_one", "log", "log_plus_one", "logistic", "tanh", "sine", "cosine",
             "tan", "cbrt", "rsqrt"]


def real_power(x, y):
    if y == 0 or x == 1:
        return 1.0
    if math.isnan(x) or math.isnan(y):
        return math.nan
    odd = math.isfinite(y) and y == math.floor(y) and math.fmod(y, 2) != 0
    if x == 0:
        r = math.inf if y < 0 else 0.0
        return math.copysign(r, x) if odd else r
    if math.isinf(y):
        return 1.0 if abs(x) == 1 else (math.inf if (abs(x) > 1) == (y > 0) else 0.0)
    if math.isinf(x):
        r = math.inf if y > 0 else 0.0
        return -r if x < 0 and odd else r
    if x < 0 and y != math.floor(y):
        return math.nan
    r = mpmath.exp(mpmath.log(mpmath.mpf(abs(x))) * mpmath.mpf(y)) if abs(x) != 1 else mpmath.mpf(1)
    return -r if x < 0 and odd else r


def real_atan2(y, x):
    if math.isnan(x) or math.isnan(y) or math.isinf(x) or math.isinf(y) or x == 0 or y == 0:
        return math.atan2(y, x)
    return mpmath.atan2(mpmath.mpf(y), mpmath.mpf(x))


def ulps(got, want, t):
    """Distance of a double from an exact number, in units of the type there."""
    if isinstance(want, float) and (math.isnan(want) or math.isinf(want) or want == 0):
        if math.isnan(want):
            return 0.0 if math.isnan(got) else math.inf
        same = got == want and math.copysign(1, got) == math.copysign(1, want)
        return 0.0 if same else math.inf
    if math.isnan(got):
        return math.inf
    m, emin, emax = (52, -1022, 1023) if t == "f64" else \
        (FORMATS[t][1], 1 - FORMATS[t][2], int(math.log2(largest(t))))
    w = mpmath.mpf(want)
    exponent = emin if w == 0 else max(mpmath.frexp(w)[1] - 1, emin)
    if math.isinf(got):
        # Infinity stands for what rounds to it.
        got = math.copysign(1, got) * mpmath.mpf(2) ** (emax + 1)
    if exponent > emax:
        exponent, w = emax, mpmath.sign(w) * mpmath.mpf(2) ** (emax + 1)
    return float(abs(mpmath.mpf(got) - w) / mpmath.mpf(2) ** (exponent - m))
