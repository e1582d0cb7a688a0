#!/usr/bin/env python3
"""Every elementwise operation of StableHLO on every element type, on corners of
the type and a logarithmic grid, against semantics.py.

    elementwise.py path/to/shoal-run [FILTER]     elementwise.py --list
"""
import math
import sys

import ml_dtypes
import mpmath
import numpy as np

import semantics as s
from programs import Program, run_all, tensor

np.seterr(all="ignore")
rng = np.random.default_rng(1)
programs = []


def decode(array, t):
    """What an npz holds, as doubles (or as it is, for integers and complex)."""
    dtype = np.dtype(s.NUMPY[t])
    if array.dtype.kind == "V":
        array = array.view(dtype)
    if s.is_integer(t) or t == "i1" or s.is_complex(t):
        return array
    return array.astype(np.float64)


def show(inputs, index):
    return ", ".join(repr(x[index]) for x in inputs)


def exact(want, t, inputs):
    """Equal values, zeros of equal sign, NaN for NaN."""
    want = np.asarray(want)

    def judge(got):
        g = decode(got, t)
        if want.dtype.kind in "fc":
            same = (g == want) & (np.signbit(g.real) == np.signbit(want.real))
            same |= np.isnan(g) & np.isnan(want)
        else:
            same = g == want
        if same.all():
            return None
        i = int(np.flatnonzero(~same)[0])
        return f"{(~same).sum()} of {same.size} differ: ({show(inputs, i)}) gives {g[i]!r}, not {want[i]!r}"
    return judge


def within(function, t, allowed, *inputs):
    """At most `allowed` units from the exact function."""
    def judge(got):
        g = decode(got, t)
        worst, where = 0.0, 0
        for i in range(len(g)):
            error = s.ulps(float(g[i]), function(*(float(x[i]) for x in inputs)), t)
            if error > worst:
                worst, where = error, i
        if worst <= allowed:
            return None
        want = function(*(float(x[where]) for x in inputs))
        return f"off by {worst:.2f} ulp: ({show(inputs, where)}) gives {g[where]!r}, not {mpmath.nstr(want, 20)}"
    return judge


def pairs(values, limit=6000):
    """All pairs, or a part of them."""
    values = list(values)
    x = [a for a in values for _ in values]
    y = [b for _ in values for b in values]
    if len(x) > limit:
        keep = sorted(rng.choice(len(x), limit, replace=False))
        x, y = [x[i] for i in keep], [y[i] for i in keep]
    return x, y


def compare(p, a, b, x, y, t, kinds):
    for d, f in s.DIRECTIONS.items():
        for kind in kinds:
            attributes = f"<{{comparison_direction = #stablehlo<comparison_direction {d}>"
            if kind:
                attributes += f", compare_type = #stablehlo<comparison_type {kind}>"
            attributes += "}>"
            total = kind == "TOTALORDER"
            l, r = (s.total_order_key(x), s.total_order_key(y)) if total else \
                (np.array(list(x), dtype=object), np.array(list(y), dtype=object))
            p.op("compare", [a, b], tensor((len(x),), "i1"), exact(np.asarray(f(l, r), bool), "i1", (x, y)), attributes,
                 f"compare {d} {kind} {t}")


def integers():
    for t in s.INTEGERS:
        values = s.integer_values(t, rng, 20)
        p = Program(f"unary {t}")
        x = values + [int(v) for v in range(*s.limits(t))][:256] if s.width(t) <= 8 else values
        a = p.argument(s.as_array(x, t), t)
        for op, f in s.INT_UNARY.items():
            if t[0] == "u" and op in ("abs", "negate", "sign") and op != "negate":
                continue
            p.op(op, [a], a[1], exact([f(v, t) for v in x], t, (x,)))
        programs.append(p)
        p = Program(f"binary {t}")
        x, y = pairs(values)
        a, b = p.argument(s.as_array(x, t), t), p.argument(s.as_array(y, t), t)
        for op, f in s.INT_BINARY.items():
            p.op(op, [a, b], a[1], exact([f(u, v, t) for u, v in zip(x, y)], t, (x, y)))
        compare(p, a, b, x, y, t, ["", "SIGNED" if t[0] == "i" else "UNSIGNED"])
        # The bounds of clamp as tensors and as scalars.
        lo, hi = [min(u, v) for u, v in zip(x, y)], [max(u, v) for u, v in zip(x, y)]
        z = [x[(i * 7) % len(x)] for i in range(len(x))]
        c, l, h = (p.argument(s.as_array(v, t), t) for v in (z, lo, hi))
        p.op("clamp", [l, c, h], a[1], exact([min(max(v, int(m)), int(n)) for v, m, n in zip(z, lo, hi)], t, (z, lo, hi)))
        low, high = sorted((int(values[1]), int(values[2])))
        sl, sh = (p.argument(s.as_array(v, t), t) for v in (low, high))
        p.op("clamp", [sl, c, sh], a[1], exact([min(max(v, low), high) for v in z], t, (z,)))
        choose(p, a, b, x, y, t)
        programs.append(p)
    p = Program("i1")
    x, y = [False, False, True, True], [False, True, False, True]
    a, b = p.argument(np.array(x), "i1"), p.argument(np.array(y), "i1")
    for op, f in s.BOOL_BINARY.items():
        p.op(op, [a, b], a[1], exact([f(u, v) for u, v in zip(x, y)], "i1", (x, y)))
    p.op("not", [a], a[1], exact([not u for u in x], "i1", (x,)))
    compare(p, a, b, x, y, "i1", ["", "UNSIGNED"])
    choose(p, a, b, x, y, "i1")
    programs.append(p)


def choose(p, a, b, x, y, t):
    pred = rng.random(len(x)) < 0.5
    q = p.argument(pred, "i1")
    yes, no = p.argument(np.array(True), "i1"), p.argument(np.array(False), "i1")
    dtype = None if not s.is_integer(t) else np.uint64 if t[0] == "u" else np.int64
    x, y = np.asarray(x, dtype), np.asarray(y, dtype)
    p.op("select", [q, a, b], a[1], exact(np.where(pred, x, y), t, (pred, x, y)))
    p.op("select", [yes, a, b], a[1], exact(x, t, (x, y)), label=f"select true {t}")
    p.op("select", [no, a, b], a[1], exact(y, t, (x, y)), label=f"select false {t}")


def floats():
    for t in s.FLOATS + s.SMALL_FLOATS:
        p = Program(f"unary {t}")
        x = s.float_values(t, rng, 160)
        a = p.argument(s.as_array(x, t), t)
        for op in ["abs", "negate", "ceil", "floor", "round_nearest_even", "round_nearest_afz", "sqrt", "sign"]:
            want = s.float_unary(op, x, t)
            finite = s.FORMATS.get(t, ("",) * 4)[3] == "finite"
            p.op(op, [a], a[1], finite_only(want, t, x) if finite else exact(want, t, (x,)))
        p.op("is_finite", [a], tensor((len(x),), "i1"), exact(np.isfinite(x), "i1", (x,)))
        for op in s.FUNCTIONS:
            p.op(op, [a], a[1], within(lambda v, op=op: s.real_function(op, v), t, 2 if t in ("f32", "f64") else 1, x)
                 if t in s.FLOATS else nearly(lambda v, op=op: s.real_function(op, v), t, x))
        programs.append(p)
        if t in s.FLOATS:
            p = Program(f"reduce_precision {t}")
            x = s.float_values(t, rng, 400)
            a = p.argument(s.as_array(x, t), t)
            for e, m in [(5, 10), (8, 7), (4, 3), (5, 2), (8, 23), (11, 52), (2, 1), (3, 5), (6, 9), (8, 3), (1, 2),
                         (10, 22), (7, 23), (5, 52), (11, 2)]:
                p.op("reduce_precision", [a], a[1], exact(s.reduce_precision(x, t, e, m), t, (x,)),
                     f"<{{exponent_bits = {e} : i32, mantissa_bits = {m} : i32}}>")
            programs.append(p)
        p = Program(f"binary {t}")
        x, y = (np.array(v) for v in pairs(s.float_values(t, rng, 12)))
        a, b = p.argument(s.as_array(x, t), t), p.argument(s.as_array(y, t), t)
        for op in ["add", "subtract", "multiply", "divide", "maximum", "minimum", "remainder"]:
            if t[-2:] == "FN" and t[1] in "46" and op in ("divide", "remainder"):
                continue  # what NaN is without NaN nobody says
            p.op(op, [a, b], a[1], exact(s.float_binary(op, x, y, t), t, (x, y)))
        # The one NaN of the FNUZ formats has no sign to order it by.
        total = ["TOTALORDER"] if s.FORMATS.get(t, ("",) * 4)[3] != "fnuz" else []
        compare(p, a, b, x, y, t, ["", "FLOAT"] + total)
        choose(p, a, b, x, y, t)
        lo, hi = s.float_binary("minimum", x, y, t), s.float_binary("maximum", x, y, t)
        z = np.roll(x, 37)
        c, l, h = (p.argument(s.as_array(v, t), t) for v in (z, lo, hi))
        p.op("clamp", [l, c, h], a[1], exact(s.float_binary("minimum", s.float_binary("maximum", z, lo, t), hi, t),
                                             t, (z, lo, hi)))
        programs.append(p)
        p = Program(f"power atan2 {t}")
        x, y = (np.array(v) for v in pairs(s.float_values(t, rng, 20), 2500))
        a, b = p.argument(s.as_array(x, t), t), p.argument(s.as_array(y, t), t)
        if t in s.FLOATS:
            p.op("power", [a, b], a[1], within(s.real_power, t, 2 if t in ("f32", "f64") else 1, x, y))
            p.op("atan2", [a, b], a[1], within(s.real_atan2, t, 2 if t in ("f32", "f64") else 1, x, y))
        else:
            p.op("power", [a, b], a[1], nearly(s.real_power, t, x, y))
            p.op("atan2", [a, b], a[1], nearly(s.real_atan2, t, x, y))
        programs.append(p)


def rounded(function, t, *inputs):
    """The exact function, rounded; to odd in double first, so that it is once."""
    out = []
    for values in zip(*inputs):
        v = function(*(float(x) for x in values))
        if not isinstance(v, float):
            d = float(v)
            if mpmath.mpf(d) != v and math.isfinite(d):
                if abs(mpmath.mpf(d)) > abs(v):
                    d = math.nextafter(d, 0.0)
                bits = np.array(d).view(np.int64)
                d = float(np.array(bits | 1).view(np.float64))
            v = d
        out.append(v)
    return s.round_to(np.array(out), t)


def nearly(function, t, *inputs):
    """The exact function rounded, or rounded by way of f32; anything where a
    type without infinities and NaN has no answer."""
    once = rounded(function, t, *inputs)
    twice = s.round_to(rounded(function, "f32", *inputs), t)
    if s.FORMATS[t][3] == "finite":
        once = np.where(np.isfinite(rounded(function, "f32", *inputs)), once, np.nan)

    def judge(got):
        g = decode(got, t)
        same = lambda want: ((g == want) & (np.signbit(g) == np.signbit(want))) | (np.isnan(g) & np.isnan(want))
        bad = ~(same(once) | same(twice))
        if s.FORMATS[t][3] == "finite":
            bad &= ~np.isnan(once)
        if not bad.any():
            return None
        i = int(np.flatnonzero(bad)[0])
        return f"{bad.sum()} of {bad.size} differ: ({show(inputs, i)}) gives {g[i]!r}, not {once[i]!r}"
    return judge


def float_to_int(x, t):
    """Saturating, NaN is 0."""
    lo, hi = s.limits(t)
    return [0 if math.isnan(v) else lo if v <= lo else hi if v >= hi else int(v) for v in x]


def conversions():
    types = ["i1"] + s.INTEGERS + s.FLOATS + s.SMALL_FLOATS + ["f8E8M0FNU"] + s.COMPLEX
    for a in types:
        p = Program(f"convert {a}")
        if a == "i1":
            x = np.array([False, True])
        elif s.is_integer(a):
            x = np.array(s.integer_values(a, rng, 60) + ([2**24 + 1, 2**25 + 2, 2**31 - 1] if s.width(a) >= 32 else []) +
                         ([2**53 + 1, 2**54 + 2, 2**62 + 2**38] if s.width(a) == 64 else []),
                         dtype=np.uint64 if a[0] == "u" else np.int64)
        elif a == "f8E8M0FNU":
            x = s.all_values(a)
        elif s.is_complex(a):
            parts = s.float_values(a[8:11], rng, 60)
            x = (parts + 1j * np.zeros(len(parts))).astype(s.NUMPY[a])
            x = np.concatenate([x, np.array([0j, 1j, 2 - 3j, complex(0, math.nan)], x.dtype)])
        else:
            x = s.float_values(a, rng, 300)
            if a not in s.SMALL_FLOATS:
                x = np.concatenate([x, s.round_to(rng.uniform(-300, 300, 200), a)])
        operand = p.argument(s.as_array(x, a), a)
        for b in types:
            if s.is_complex(a) and not s.is_complex(b) and b != a:
                source = x.real.astype(np.float64)
            else:
                source = x
            if b == "i1":
                want = np.asarray(source) != 0
            elif s.is_integer(b):
                if s.is_integer(a) or a == "i1":
                    want = [s.wrap(int(v), b) for v in x]
                else:
                    want = float_to_int(source, b)
            elif s.is_complex(b):
                want = x.astype(s.NUMPY[b])
                if not s.is_complex(a):
                    want = (s.round_to(int_to_double(x, b[8:11]), b[8:11])).astype(s.NUMPY[b])
            else:
                if b == "f8E8M0FNU" and not (s.is_integer(a) or a == "i1"):
                    source = np.where(source > 0, source, np.nan)  # what is not positive is not said
                want = s.round_to(int_to_double(source, b), b)
                if b == "f8E8M0FNU" and (s.is_integer(a) or a == "i1"):
                    continue
                if s.FORMATS.get(b, ("",) * 4)[3] == "finite":
                    want = np.where(np.isfinite(np.asarray(source, np.float64)), want, math.nan)
            judge = exact(np.asarray(want), b, (x,))
            if s.FORMATS.get(b, ("",) * 4)[3] == "finite" or b == "f8E8M0FNU":
                judge = finite_only(np.asarray(want), b, x)
            p.op("convert", [operand], tensor(x.shape, b), judge, label=f"convert {a} {b}")
        programs.append(p)


def int_to_double(x, t):
    """Integers too long for a double rounded to odd, so that the next step is the
    only rounding."""
    if x.dtype.kind not in "iu" or t == "f64":
        return x.astype(np.float64)
    out = []
    for v in x:
        v = int(v)
        drop = max(0, abs(v).bit_length() - 52)
        if drop:
            sign, m = (-1 if v < 0 else 1), abs(v)
            v = sign * (((m >> drop) | (1 if m & ((1 << drop) - 1) else 0)) << drop)
        out.append(float(v))
    return np.array(out)


def finite_only(want, t, x):
    """As exact, where the wanted value is not NaN."""
    def judge(got):
        g = decode(got, t)
        bad = ~np.isnan(want) & ~((g == want) & (np.signbit(g) == np.signbit(want)))
        if not bad.any():
            return None
        i = int(np.flatnonzero(bad)[0])
        return f"{bad.sum()} differ: {x[i]!r} gives {g[i]!r}, not {want[i]!r}"
    return judge


def bits_of(array, t):
    """Little-endian bits of the elements, one row each."""
    if t == "i1":
        return array.astype(np.uint8).reshape(-1, 1)
    raw = np.ascontiguousarray(array)
    n = raw.size
    octets = raw.reshape(-1).view(np.uint8).reshape(n, -1)
    bits = np.unpackbits(octets, axis=1, bitorder="little")
    w = s.width(t) * (2 if s.is_complex(t) else 1)
    if s.is_complex(t):
        w = {"complex<f32>": 64, "complex<f64>": 128}[t]
    return bits[:, :w]


def from_bits(bits, t):
    n, w = bits.shape
    if t == "i1":
        return bits[:, 0].astype(bool)
    dtype = np.dtype(s.NUMPY[t])
    full = np.zeros((n, dtype.itemsize * 8), np.uint8)
    full[:, :w] = bits
    if t in ("i2", "i4"):
        full[:, w:] = bits[:, -1:]
    return np.packbits(full, axis=1, bitorder="little").reshape(-1).view(dtype)


def bitcasts():
    types = ["i1"] + s.INTEGERS + s.FLOATS + [f for f in s.SMALL_FLOATS if "6" not in f[:2]] + ["f8E8M0FNU"] + s.COMPLEX
    size = {t: (1 if t == "i1" else 64 if t == "complex<f32>" else 128 if t == "complex<f64>" else s.width(t))
            for t in types}
    for a in types:
        p = Program(f"bitcast {a}")
        inner = 128 // size[a]
        for b in types:
            if s.is_complex(a) != s.is_complex(b):
                continue
            if size[a] >= size[b]:
                shape = (3,)
                out = (3,) if size[a] == size[b] else (3, size[a] // size[b])
            else:
                shape, out = (3, size[b] // size[a]), (3,)
            bits = rng.integers(0, 2, (int(np.prod(shape)), size[a]), dtype=np.uint8)
            x = from_bits(bits, a).reshape(shape)
            want = bits_of(x, a).reshape(-1)
            operand = p.argument(x, a)

            def judge(got, want=want, b=b, x=x):
                g = got if got.dtype.kind != "V" else got.view(s.NUMPY[b])
                if np.isnan(g.astype(np.complex128)).any():
                    # A NaN need not keep its payload.
                    g = None if g.dtype.itemsize < 2 else g
                if g is None:
                    return None
                gb = bits_of(g, b).reshape(-1)
                return None if np.array_equal(gb, want) else f"{x!r} gives {got!r}"
            p.op("bitcast_convert", [operand], tensor(out, b), judge, label=f"bitcast {a} {b}")
        programs.append(p)


def sources():
    """iota of all types and dimensions; real, imag and complex; rounding of -0."""
    p = Program("iota")
    for t in s.INTEGERS + s.FLOATS + s.SMALL_FLOATS + s.COMPLEX:
        for shape in [(3,), (2, 4), (2, 3, 2)]:
            for d in range(len(shape)):
                index = np.broadcast_to(np.arange(shape[d]).reshape([-1 if k == d else 1 for k in range(len(shape))]), shape)
                if s.is_integer(t):
                    want = np.array([s.wrap(int(v), t) for v in index.reshape(-1)]).reshape(shape)
                elif s.is_complex(t):
                    want = index.astype(s.NUMPY[t])
                else:
                    want = s.round_to(index, t)
                iota(p, shape, t, d, want.reshape(-1))
    programs.append(p)
    for t in ["f32", "f64"]:
        p = Program(f"parts {t}")
        x, y = (np.array(v) for v in pairs(s.float_values(t, rng)))
        a, b = p.argument(s.as_array(x, t), t), p.argument(s.as_array(y, t), t)
        c = f"complex<{t}>"
        z = p.op("complex", [a, b], tensor(x.shape, c), lambda got: None)
        p.op("real", [z], a[1], exact(x, t, (x,)))
        p.op("imag", [z], a[1], exact(y, t, (y,)))
        p.op("real", [a], a[1], exact(x, t, (x,)), label="real of a real number")
        p.op("imag", [a], a[1], exact(np.zeros(len(x)), t, (x,)), label="imag of a real number")
        programs.append(p)


def iota(p, shape, t, d, flat):
    value = f"%r{len(p.results)}"
    p.raw(f'{value} = "stablehlo.iota"() <{{iota_dimension = {d} : i64}}> : () -> {tensor(shape, t)}')
    p.result(value, tensor(shape, t), f"iota {t} {shape} {d}",
             lambda got: exact(flat, t, (flat,))(got.reshape(-1)))


def constants():
    """Constants of all types as elements, as a splat and in hexadecimal."""
    p = Program("constant")
    for t in ["i1"] + s.INTEGERS + s.FLOATS + s.SMALL_FLOATS + ["f8E8M0FNU"] + s.COMPLEX:
        if t == "i1":
            values, texts = np.array([True, False, True]), ["true", "false", "true"]
        elif s.is_integer(t):
            lo, hi = s.limits(t)
            values = np.array([lo, hi, 1], dtype=np.uint64 if t[0] == "u" else np.int64)
            texts = [str(v) for v in values]
        elif s.is_complex(t):
            values, texts = np.array([1.5 - 2j, 0j, complex(0, -0.25)]), ["(1.5,-2.0)", "(0.0,0.0)", "(0.0,-0.25)"]
        elif t == "f8E8M0FNU":
            values, texts = np.array([1.0, 0.5, 4.0]), ["1.0", "0.5", "4.0"]
        else:
            values, texts = np.array([1.5, -2.0, 0.0]), ["1.5", "-2.0", "0.0"]
        forms = [(values, f"dense<[{', '.join(texts)}]>"), (np.repeat(values[:1], 3), f"dense<{texts[0]}>"),
                 (values.reshape(1, 3), f"dense<[[{', '.join(texts)}]]>"), (values[:0], "dense<>"), (values[0], f"dense<{texts[0]}>")]
        if t not in ("i1", "i2", "ui2", "i4", "ui4") and t[:2] not in ("f4", "f6"):
            raw = s.as_array(values, t).tobytes().hex().upper()
            forms.append((values, f'dense<"0x{raw}">'))
        for want, text in forms:
            want = np.asarray(want)
            value = f"%r{len(p.results)}"
            p.raw(f"{value} = stablehlo.constant {text} : {tensor(want.shape, t)}")
            flat = want.reshape(-1)
            p.result(value, tensor(want.shape, t), f"constant {t} {text}",
                     lambda got, f=flat, t=t: exact(f, t, (f,))(got.reshape(-1)))
    for t in s.FLOATS:
        bits = {"f16": ["7C00", "FC00", "7E00", "8000", "0001"], "bf16": ["7F80", "FF80", "7FC0", "8000", "0001"],
                "f32": ["7F800000", "FF800000", "7FC00000", "80000000", "00000001"],
                "f64": ["7FF0000000000000", "FFF0000000000000", "7FF8000000000000", "8000000000000000", "0000000000000001"]}[t]
        tiny = 5e-324 if t == "f64" else math.ldexp(1.0, 1 - s.FORMATS[t][2] - s.FORMATS[t][1])
        want = np.array([math.inf, -math.inf, math.nan, -0.0, tiny])
        value = f"%r{len(p.results)}"
        p.raw(f"{value} = stablehlo.constant dense<[{', '.join('0x' + b for b in bits)}]> : {tensor((5,), t)}")
        p.result(value, tensor((5,), t), f"constant of bits {t}", exact(want, t, (want,)))
    programs.append(p)


def accuracy():
    """The attribute result_accuracy is accepted and changes nothing that counts."""
    p = Program("result_accuracy")
    x = s.float_values("f32", rng, 60)
    a = p.argument(s.as_array(x, "f32"), "f32")
    for op in ["exponential", "exponential_minus_one", "log", "log_plus_one", "logistic", "tanh", "sine", "cosine",
               "tan", "cbrt", "rsqrt", "sqrt"]:
        for mode in ["DEFAULT", "HIGHEST", "TOLERANCE"]:
            numbers = "ulps = 10, " if mode == "TOLERANCE" else ""
            function = (lambda v: s.real_function(op, v)) if op != "sqrt" else None
            judge = within(lambda v, op=op: s.real_function(op, v), "f32", 2, x) if op != "sqrt" else \
                exact(s.float_unary("sqrt", x, "f32"), "f32", (x,))
            p.op(op, [a], a[1], judge,
                 f"<{{result_accuracy = #stablehlo.result_accuracy<{numbers}mode = #stablehlo.result_accuracy_mode<{mode}>>}}>")
    programs.append(p)


def complexes():
    """Arithmetic, order and comparison of complex numbers, exact where one
    operation is rounded per part."""
    for t in ["f32", "f64"]:
        c = f"complex<{t}>"
        p = Program(f"arithmetic {c}")
        parts = s.round_to(np.array([0.0, -0.0, 1.0, -1.0, 2.5, -3.0, 1e-3, 1e5, -7.25, math.inf]), t)
        values = np.array([complex(a, b) for a in parts for b in parts]).astype(s.NUMPY[c])
        x, y = rng.choice(values, 3000), rng.choice(values, 3000)
        finite = np.isfinite(x) & np.isfinite(y)
        a, b = p.argument(x, c), p.argument(y, c)
        p.op("add", [a, b], a[1], exact(x + y, c, (x, y)))
        p.op("subtract", [a, b], a[1], exact(x - y, c, (x, y)))
        p.op("negate", [a], a[1], exact(-x, c, (x,)))
        eps = 2.0 ** -23 if t == "f32" else 2.0 ** -52
        wide = lambda v: v.astype(np.complex128)

        def near(want, where, scale=None, eps=eps):
            scale = np.abs(want) if scale is None else scale
            return lambda got: None if (np.abs(wide(got) - want)[where] <= 4 * eps * scale[where]).all() else \
                f"off by {np.max((np.abs(wide(got) - want) / eps / scale)[where])} units"
        p.op("multiply", [a, b], a[1], near(wide(x) * wide(y), finite, np.abs(wide(x)) * np.abs(wide(y))))
        p.op("divide", [a, b], a[1], near(wide(x) / wide(y), finite & (y != 0)))
        p.op("abs", [a], tensor(x.shape, t), exact(np.hypot(x.real, x.imag), t, (x,)) if t == "f32" else
             near(np.abs(x), finite))
        first = (x.real > y.real) | ((x.real == y.real) & (x.imag > y.imag))
        equal = (x.real == y.real) & (x.imag == y.imag)
        p.op("maximum", [a, b], a[1], lambda got, w=np.where(first, x, y): None if (got == w).all() else "differs")
        p.op("minimum", [a, b], a[1], lambda got, w=np.where(first | equal, y, x): None if (got == w).all() else "differs")
        for d, want in [("EQ", equal), ("NE", ~equal), ("GT", first), ("GE", first | equal), ("LT", ~(first | equal)), ("LE", ~first)]:
            for kind in ["", ", compare_type = #stablehlo<comparison_type FLOAT>"]:
                p.op("compare", [a, b], tensor(x.shape, "i1"), exact(want, "i1", (x, y)),
                     f"<{{comparison_direction = #stablehlo<comparison_direction {d}>{kind}}}>")
        choose(p, a, b, x, y, c)
        programs.append(p)


def random_numbers():
    """rng gives the distribution that it is asked for."""
    n = 4000
    for t in s.FLOATS:
        p = Program(f"rng {t}", "the specification")
        low, high = p.argument(s.as_array(-2.0, t), t), p.argument(s.as_array(3.0, t), t)
        p.raw(f"%shape = stablehlo.constant dense<{n}> : tensor<1xi64>")
        shape = ("%shape", "tensor<1xi64>")

        def uniform(got, t=t):
            g = decode(got, t)
            good = (g >= -2).all() and (g <= 3).all() and abs(g.mean() - 0.5) < 0.15 and abs(g.std() - 5 / 12 ** .5) < 0.1
            return None if good else f"mean {g.mean()}, deviation {g.std()}"

        def normal(got, t=t):
            g = decode(got, t)
            return None if abs(g.mean() + 2) < 0.3 and abs(g.std() - 3) < 0.2 else f"mean {g.mean()}, deviation {g.std()}"
        for kind, judge in (("UNIFORM", uniform), ("NORMAL", normal)):
            p.op("rng", [low, high, shape], tensor((n,), t), judge,
                 f"<{{rng_distribution = #stablehlo<rng_distribution {kind}>}}>")
        programs.append(p)
    for t in s.INTEGERS + ["i1"]:
        p = Program(f"rng {t}", "the specification")
        lo, hi = (False, True) if t == "i1" else (0, 3) if t == "ui2" else (-1, 1) if t == "i2" else (1, 6)
        low, high = p.argument(s.as_array(lo, t), t), p.argument(s.as_array(hi, t), t)
        p.raw(f"%shape = stablehlo.constant dense<{n}> : tensor<1xi64>")

        def judge(got, lo=lo, hi=hi):
            values, counts = np.unique(got, return_counts=True)
            fair = set(values) == set(range(int(lo), int(hi))) and counts.min() > 0.8 * n / len(values)
            return None if fair else f"values {values}, counts {counts}"
        p.op("rng", [low, high, ("%shape", "tensor<1xi64>")], tensor((n,), t), judge,
             "<{rng_distribution = #stablehlo<rng_distribution UNIFORM>}>")
        programs.append(p)


def narrow_solves():
    """Factorisations of types that LAPACK does not have."""
    a = np.array([[4.0, 2.0, 1.0], [2.0, 5.0, 3.0], [1.0, 3.0, 6.0]])
    b = np.array([[1.0, -2.0], [3.0, 0.5], [-1.0, 2.0]])
    for t in ["f16", "bf16", "f32", "f64"]:
        p = Program(f"solves {t}", "numpy")
        x, y = p.argument(s.as_array(a, t), t), p.argument(s.as_array(b, t), t)
        z = p.argument(s.as_array(b.T, t), t)
        tolerance = {"f16": 4e-3, "bf16": 3e-2, "f32": 1e-6, "f64": 1e-14}[t]
        close = lambda want: lambda got, t=t, e=tolerance: None if np.allclose(decode(got, t), want, rtol=e, atol=e) else f"gives {got}"
        factor = np.linalg.cholesky(a)
        for lower in (True, False):
            p.op("cholesky", [x], x[1], close(factor if lower else factor.T), f"<{{lower = {str(lower).lower()}}}>")
        for lower in (True, False):
            for unit in (True, False):
                for transpose in ("NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"):
                    for left in (True, False):
                        m = np.tril(a) if lower else np.triu(a)
                        m = m - np.diag(np.diag(m)) + np.eye(3) if unit else m
                        m = m if transpose == "NO_TRANSPOSE" else m.T
                        want = np.linalg.solve(m, b) if left else np.linalg.solve(m.T, b).T
                        rhs = y if left else z
                        p.op("triangular_solve", [x, rhs], rhs[1], close(want),
                             f"<{{left_side = {str(left).lower()}, lower = {str(lower).lower()}, unit_diagonal = "
                             f"{str(unit).lower()}, transpose_a = #stablehlo<transpose {transpose}>}}>")
        programs.append(p)


for make in [complexes, random_numbers, narrow_solves, integers, floats, conversions, bitcasts, sources, constants, accuracy]:
    make()
sys.exit(run_all(programs, sys.argv))
