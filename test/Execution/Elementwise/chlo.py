#!/usr/bin/env python3
"""chlo's operations against JAX and the true values.

    chlo.py path/to/shoal-run [FILTER]     chlo.py --list

Both sides compute the same series, whose error near a zero of the function is
far above a few units; what counts is to agree with one of the two. A result is
right within 3 ulp of JAX's or of the true value, or where its error is at most
twice JAX's own.
"""
import math
import sys

import mpmath
import numpy as np

import semantics as s
from programs import Program, run_all, tensor

rng = np.random.default_rng(7)
programs = []
mp = mpmath


def decode(array, t):
    return (array.view(s.NUMPY[t]) if array.dtype.kind == "V" else array).astype(np.float64)


def numeric(program, t, function, inputs):
    """Judges the only result of a program of one operation."""
    arrays = program.arrays

    def judge(got):
        import xla
        g = decode(got, t)
        want = decode(xla.run(program.text(), arrays)[0], t)
        bad, first = 0, None
        with mpmath.workprec(260 if t == "f64" else 160):
            for i in range(len(g)):
                x = [float(v[i]) for v in inputs]
                jax_value = float(want[i])
                if (math.isnan(g[i]) and math.isnan(jax_value)) or g[i] == jax_value:
                    continue
                exact = mpmath.mpf(jax_value) if math.isfinite(jax_value) and jax_value != 0 else jax_value
                if s.ulps(float(g[i]), exact, t) <= 3:
                    continue
                try:
                    truth = function(*(mpmath.mpf(v) for v in x))
                    truth = truth if mpmath.isfinite(truth) and truth != 0 else float(truth)
                except (ValueError, ZeroDivisionError, TypeError):
                    truth = exact
                error = s.ulps(float(g[i]), truth, t)
                if error <= 3 or error <= 2 * s.ulps(jax_value, truth, t):
                    continue
                bad += 1
                first = first or f"{x} gives {g[i]!r}, JAX {jax_value!r}, off by {error:.1f} ulp"
        # One in a hundred may meet an unlucky cancellation.
        return f"{bad} of {len(g)} differ: {first}" if bad > len(g) // 100 else None
    return judge


def points(t, low, high, n=200):
    with np.errstate(all="ignore"):
        x = np.concatenate([rng.uniform(low, high, n),
                            np.exp(rng.uniform(-12, math.log(max(abs(low), abs(high))), n)) * (1 if low >= 0 else
                                                                                              rng.choice([-1, 1], n))])
        x = np.clip(x, low, high)
        special = [v for v in (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 4.0) if low <= v <= high]
        x = np.concatenate([x, special, [math.inf, -math.inf, math.nan]])
        return s.as_array(x, t)


UNARY = [
    ("acos", mp.acos, -1, 1), ("asin", mp.asin, -1, 1), ("atan", mp.atan, -100, 100), ("acosh", mp.acosh, 1, 1e4),
    ("asinh", mp.asinh, -1e4, 1e4), ("atanh", mp.atanh, -1, 1),
    ("bessel_i1e", lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), -40, 40),
    ("cosh", mp.cosh, -80, 80), ("sinh", mp.sinh, -80, 80), ("tan", mp.tan, -10, 10), ("digamma", mp.digamma, -5, 50),
    ("erf", mp.erf, -6, 6), ("erfc", mp.erfc, -6, 9), ("erf_inv", mp.erfinv, -1, 1),
    ("lgamma", lambda x: mp.log(abs(mp.gamma(x))), -5, 100), ("square", lambda x: x * x, -100, 100),
]


def unary():
    for t in s.FLOATS:
        for op, function, low, high in UNARY:
            if t == "f16" and op in ("cosh", "sinh"):
                low, high = -11, 11
            p = Program(f"{op} {t}", "JAX and mpmath")
            x = points(t, low, high)
            a = p.argument(x, t)
            p.op(op, [a], a[1], numeric(p, t, function, [x]), dialect="chlo")
            programs.append(p)
    for t in s.SMALL_FLOATS[:7]:
        # Narrow types are f32 rounded.
        p = Program(f"narrow {t}", "mpmath")
        x = s.all_values(t)
        a = p.argument(s.as_array(x, t), t)
        for op, function, low, high in UNARY:
            def judge(got, function=function, low=low, high=high, op=op, t=t, x=x):
                g = decode(got, t)
                for i, v in enumerate(x):
                    if not (low <= v <= high) or v == 0 or v == high or v == low:
                        continue
                    try:
                        truth = function(mpmath.mpf(float(v)))
                    except (ValueError, ZeroDivisionError):
                        continue
                    if mpmath.isfinite(truth) and abs(truth) < s.largest(t) and s.ulps(float(g[i]), truth, t) > 1:
                        return f"{op} {v} gives {g[i]}, not {mpmath.nstr(truth, 10)}"
                return None
            p.op(op, [a], a[1], judge, dialect="chlo")
        programs.append(p)


def predicates():
    for t in s.FLOATS + s.SMALL_FLOATS[:7]:
        p = Program(f"predicates {t}")
        x = s.float_values(t, rng)
        a = p.argument(s.as_array(x, t), t)
        for op, want in [("is_inf", np.isinf(x)), ("is_pos_inf", x == np.inf), ("is_neg_inf", x == -np.inf)]:
            p.op(op, [a], tensor(x.shape, "i1"),
                 lambda got, want=want: None if np.array_equal(got, want) else f"gives {got}", dialect="chlo")
        programs.append(p)
    for t in s.FLOATS:
        p = Program(f"next_after {t}")
        values = s.float_values(t, rng, 4)
        x = np.repeat(values, len(values))
        y = np.tile(values, len(values))
        a, b = p.argument(s.as_array(x, t), t), p.argument(s.as_array(y, t), t)
        with np.errstate(all="ignore"):
            want = np.nextafter(s.as_array(x, t), s.as_array(y, t)).astype(np.float64)
        # Equal values give the second; ml_dtypes gives the first zero.
        want = np.where(x == y, y, want)

        def judge(got, want=want, t=t, x=x, y=y):
            g = decode(got, t)
            bad = ~((g == want) & (np.signbit(g) == np.signbit(want)) | np.isnan(g) & np.isnan(want))
            if bad.any():
                i = int(np.flatnonzero(bad)[0])
                return f"{bad.sum()} differ: {x[i]}, {y[i]} gives {g[i]}, not {want[i]}"
        p.op("next_after", [a, b], a[1], judge, dialect="chlo")
        programs.append(p)


def binary():
    for t in s.FLOATS:
        for name, function, x, y in [
                ("zeta", mp.zeta, rng.uniform(1.1, 12, 150), rng.uniform(0.1, 20, 150)),
                ("polygamma", lambda n, x: mp.psi(int(n), x), np.floor(rng.uniform(0, 5, 150)), rng.uniform(0.1, 30, 150))]:
            p = Program(f"{name} {t}", "JAX and mpmath")
            x, y = s.as_array(x, t), s.as_array(y, t)
            a, b = p.argument(x, t), p.argument(y, t)
            p.op(name, [a, b], a[1], numeric(p, t, function, [x, y]), dialect="chlo")
            programs.append(p)
    for t in s.INTEGERS:
        p = Program(f"mulhi {t}")
        values = s.integer_values(t, rng, 12)
        x, y = [v for v in values for _ in values], [v for _ in values for v in values]
        a, b = p.argument(s.as_array(x, t), t), p.argument(s.as_array(y, t), t)
        want = np.array([s.wrap((u * v) >> s.width(t), t) for u, v in zip(x, y)], dtype=s.NUMPY[t])
        p.op("mulhi", [a, b], a[1],
             lambda got, want=want: None if np.array_equal(got, want) else f"gives {got[got != want]}", dialect="chlo")
        programs.append(p)


def equal(want):
    def judge(got):
        g = got if got.dtype.kind != "V" else got.view(want.dtype)
        same = (g == want) | ((g != g) & (want != want))
        return None if g.shape == want.shape and same.all() else f"gives {g.reshape(-1)[:8]}, not {want.reshape(-1)[:8]}"
    return judge


BROADCAST = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "maximum": np.maximum,
    "minimum": np.minimum, "remainder": np.fmod, "power": np.power, "atan2": np.arctan2, "next_after": np.nextafter,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "shift_left": np.left_shift,
    "shift_right_logical": np.right_shift, "shift_right_arithmetic": np.right_shift,
}
FORMS = [((4, 3), (4, 3), None), ((4, 3), (3,), None), ((4, 3), (), None), ((), (4, 3), None), ((4, 1), (1, 3), None),
         ((4, 3), (4,), [0]), ((4,), (4, 3), [0]), ((2, 4, 3), (2, 3), [0, 2]), ((2, 1, 3), (4, 1), None), ((0, 3), (1,), None),
         ((), (), None), ((1,), (5,), None)]


def numpy_form(x, y, dims):
    if dims is not None:
        small, rank = (x, y.ndim) if x.ndim < y.ndim else (y, x.ndim)
        shape = [1] * rank
        for d, n in zip(dims, small.shape):
            shape[d] = n
        small = small.reshape(shape)
        x, y = (small, y) if x.ndim < y.ndim else (x, small)
    return np.broadcast_arrays(x, y)


def broadcasts():
    for shape, other, dims in FORMS:
        p = Program(f"broadcast {shape} {other} {dims}", "numpy")
        attribute = "" if dims is None else f"broadcast_dimensions = array<i64: {', '.join(map(str, dims))}>"
        wrapped = f"<{{{attribute}}}>" if attribute else ""
        for t in ["f32", "i32"]:
            x, y = rng.integers(1, 6, shape), rng.integers(1, 6, other)
            x, y = np.asarray(x).astype(s.NUMPY[t]), np.asarray(y).astype(s.NUMPY[t])
            a, b = p.argument(x, t), p.argument(y, t)
            u, v = numpy_form(x, y, dims)
            out = tensor(u.shape, t)
            for op, function in BROADCAST.items():
                integer = op in ("and", "or", "xor") or op.startswith("shift")
                if integer != (t == "i32") and op not in ("add", "subtract", "multiply", "maximum", "minimum"):
                    continue
                want = function(u, v).astype(s.NUMPY[t])
                close = lambda got, want=want: None if got.shape == want.shape and np.allclose(got, want, rtol=1e-6) else \
                    f"gives {got.reshape(-1)[:6]}, not {want.reshape(-1)[:6]}"
                p.op(f"broadcast_{op}", [a, b], out, close if op in ("power", "atan2") else equal(want), wrapped, dialect="chlo")
            for d, f in s.DIRECTIONS.items():
                extra = (attribute + ", " if attribute else "") + f"comparison_direction = #chlo<comparison_direction {d}>"
                p.op("broadcast_compare", [a, b], tensor(u.shape, "i1"), equal(f(u, v)), f"<{{{extra}}}>",
                     f"broadcast_compare {d} {t}", dialect="chlo")
            if t == "f32":
                p.op("broadcast_complex", [a, b], tensor(u.shape, "complex<f32>"), equal((u + 1j * v).astype(np.complex64)),
                     wrapped, dialect="chlo")
                for op in ("zeta", "polygamma"):
                    p.op(f"broadcast_{op}", [a, b], out, lambda got, n=u.shape: None if got.shape == n else "wrong shape",
                         wrapped, dialect="chlo")
        programs.append(p)
    for pred, yes, no in [((), (4, 3), (4, 3)), ((4, 3), (4, 3), ()), ((4, 3), (3,), (4, 1)), ((3,), (4, 3), (4, 3)), ((), (), (5,))]:
        p = Program(f"broadcast_select {pred} {yes} {no}", "numpy")
        q, x, y = np.asarray(rng.integers(0, 2, pred)).astype(bool), rng.integers(0, 9, yes), rng.integers(0, 9, no)
        x, y = np.asarray(x).astype(np.float32), np.asarray(y).astype(np.float32)
        want = np.where(q, x, y).astype(np.float32)
        c, a, b = p.argument(q, "i1"), p.argument(x, "f32"), p.argument(y, "f32")
        p.op("broadcast_select", [c, a, b], tensor(want.shape, "f32"), equal(want), dialect="chlo")
        programs.append(p)


def others():
    p = Program("constants and parts", "numpy")
    z = (rng.normal(size=5) + 1j * rng.normal(size=5)).astype(np.complex64)
    x = rng.normal(size=5).astype(np.float32)
    c, a = p.argument(z, "complex<f32>"), p.argument(x, "f32")
    p.op("conj", [c], c[1], equal(np.conj(z)), dialect="chlo")
    p.op("conj", [a], a[1], equal(x), dialect="chlo")
    p.op("square", [c], c[1], lambda got: None if np.allclose(got, z * z, rtol=1e-6, atol=1e-6) else f"gives {got}", dialect="chlo")
    p.op("constant_like", [a], a[1], equal(np.full(5, 3.5, np.float32)), "{value = 3.5 : f32}", dialect="chlo")
    p.raw("%k = chlo.constant dense<[1, -2, 3]> : tensor<3xi16>")
    p.result("%k", "tensor<3xi16>", "constant", equal(np.array([1, -2, 3], np.int16)))
    programs.append(p)
    for t in ["f32", "f64", "bf16", "f16", "i32", "i8", "ui16", "ui64"]:
        for shape, k in [((9,), 4), ((3, 7), 7), ((2, 3, 5), 1), ((2, 5), 0), ((4, 64), 10)]:
            p = Program(f"top_k {t} {shape} {k}", "numpy")
            if s.is_integer(t):
                x = np.array(rng.integers(*s.limits(t), shape, dtype=np.int64 if t[0] == "i" else np.uint64)).astype(s.NUMPY[t])
                x = np.where(rng.random(shape) < .4, x.reshape(-1)[0], x).astype(s.NUMPY[t])
                key = [-v for v in x.reshape(-1, shape[-1]).astype(object)]
            else:
                x = s.as_array(np.round(rng.normal(size=shape) * 2, 1), t)
                x.reshape(-1)[:3] = [math.inf, -math.inf, math.nan]
                key = list(-s.total_order_key(x.reshape(-1, shape[-1]).astype(np.float64)).astype(object))
            order = np.array([sorted(range(shape[-1]), key=lambda i: (row[i], i))[:k] for row in key], np.int32)
            order = order.reshape(shape[:-1] + (k,))
            want = np.take_along_axis(x, order.astype(np.int64), -1)
            a = p.argument(x, t)
            out, at = tensor(want.shape, t), tensor(want.shape, "i32")
            p.raw(f"%v, %i = chlo.top_k({a[0]}, k = {k}) : {a[1]} -> ({out}, {at})")
            p.result("%v", out, "values", equal(want))
            p.result("%i", at, "indices", equal(order))
            programs.append(p)
    complex_functions()


def scans():
    """Running sums, forwards and backwards, and with a result of another size."""
    x = rng.integers(-5, 6, (4, 6)).astype(np.float32)
    c = rng.integers(-5, 6, (4,)).astype(np.float32)
    for dimension, reverse in [(1, False), (1, True)]:
        p = Program(f"scan {dimension} {reverse}", "numpy")
        a, b = p.argument(x, "f32"), p.argument(c, "f32")
        extra = " attributes {is_reverse = true}" if reverse else ""
        p.raw(f"""%s:2 = chlo.scan({a[0]}) inits ({b[0]}) dimension=1{extra} {{
  ^bb0(%x: tensor<4xf32>, %c: tensor<4xf32>):
    %n = stablehlo.add %x, %c : tensor<4xf32>
    stablehlo.return %n, %n : tensor<4xf32>, tensor<4xf32>
  }} : ({a[1]}, {b[1]}) -> ({a[1]}, {b[1]})""")
        line = x[:, ::-1] if reverse else x
        want = np.cumsum(line, 1) + c[:, None]
        p.result("%s#1", b[1], "carry", equal(want[:, -1].astype(np.float32)))
        want = want[:, ::-1] if reverse else want
        p.result("%s#0", a[1], "outputs", equal(np.ascontiguousarray(want).astype(np.float32)))
        programs.append(p)


def ragged_dots():
    """All three kinds, with one list of sizes and with sizes per batch."""
    cases = [
        ("plain", (11, 5), (3, 5, 7), [4, 3, 4], [], [], [1], [1], [0], [0]),
        ("rows left over", (11, 5), (3, 5, 7), [4, 3, 1], [], [], [1], [1], [0], [0]),
        ("batches", (2, 11, 5), (3, 2, 5, 7), [[4, 3, 4], [0, 9, 2]], [0], [1], [2], [2], [1], [0]),
        ("sizes by outer dimension", (2, 11, 5), (3, 5, 7), [[4, 3, 4], [0, 9, 2]], [], [], [2], [1], [1], [0]),
        ("contracted", (11, 5), (11, 7), [4, 3, 4], [], [], [0], [0], [0], []),
        ("contracted in batches", (2, 11, 5), (2, 11, 7), [[4, 3, 4], [1, 1, 1]], [0], [0], [1], [1], [1], []),
        ("contracted with an outer one", (2, 11, 5), (2, 11, 7), [[4, 3, 4], [1, 1, 1]], [], [], [0, 1], [0, 1], [1], []),
        ("batch", (6, 4, 5), (6, 5, 7), [2, 3, 1], [0], [0], [2], [1], [0], []),
    ]
    from jax import lax
    for t in ["f32", "f64", "bf16", "i32", "complex<f32>"]:
        for name, l, r, sizes, lb, rb, lc, rc, ragged, group in cases:
            p = Program(f"ragged_dot {name} {t}", "JAX")
            x, y = (rng.integers(-4, 5, shape).astype(s.NUMPY[t]) for shape in (l, r))
            g = np.array(sizes, np.int32)
            numbers = lax.RaggedDotDimensionNumbers(((lc, rc), (lb, rb)), ragged, group)
            import jax
            want = jax.eval_shape(lambda a, b, c: lax.ragged_dot_general(a, b, c, numbers), x, y, g)
            a, b, c = p.argument(x, t), p.argument(y, t), p.argument(g, "i32")

            def judge(got, x=x, y=y, g=g, numbers=numbers):
                import xla  # noqa: F401 (64-bit types on)
                w = np.asarray(lax.ragged_dot_general(x, y, g, numbers))
                return equal(w)(got)
            p.op("ragged_dot", [a, b, c], tensor(want.shape, t), judge,
                 "<{precision_config = [#chlo<precision DEFAULT>, #chlo<precision DEFAULT>], "
                 f"ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_batching_dimensions = {lb}, rhs_batching_dimensions "
                 f"= {rb}, lhs_contracting_dimensions = {lc}, rhs_contracting_dimensions = {rc}, lhs_ragged_dimensions = "
                 f"{ragged}, rhs_group_dimensions = {group}>}}>", dialect="chlo")
            programs.append(p)


def complex_functions():
    """Each part within 4 ulp of the true value over the whole range."""
    functions = [("chlo", "acos", mp.acos), ("chlo", "acosh", mp.acosh), ("chlo", "asin", mp.asin), ("chlo", "asinh", mp.asinh),
                 ("chlo", "atan", mp.atan), ("chlo", "atanh", mp.atanh), ("chlo", "square", lambda z: z * z),
                 ("stablehlo", "log", mp.log), ("stablehlo", "log_plus_one", lambda z: mp.log(1 + z)),
                 ("stablehlo", "sqrt", mp.sqrt), ("stablehlo", "tanh", mp.tanh), ("stablehlo", "tan", mp.tan),
                 ("stablehlo", "exponential", mp.exp), ("stablehlo", "sine", mp.sin), ("stablehlo", "cosine", mp.cos)]
    magnitudes = {"f32": [0, 1e-45, 1e-38, 1e-20, 1e-5, 0.3, 0.9, 1, 1.0000001, 1.5, 3, 50, 1e5, 1.8e19, 3e38],
                  "f64": [0, 5e-324, 1e-308, 1e-160, 1e-10, 0.3, 0.9, 1, 1 + 2.3e-16, 1.5, 3, 50, 1e10, 1.3e154, 1e308]}
    for t, mags in magnitudes.items():
        c = f"complex<{t}>"
        values = np.array([v for m in mags for v in (m, -m)]).astype(s.NUMPY[t])
        z = np.array([complex(a, b) for a in values for b in values]).astype(s.NUMPY[c])
        p = Program(f"complex {t}", "mpmath")
        operand = p.argument(z, c)
        for dialect, op, function in functions:
            def judge(got, op=op, function=function, t=t, z=z):
                worst, where = 0.0, None
                with mpmath.workprec(500 if t == "f32" else 2400):
                    for i in range(0, len(z), 1 if t == "f32" else 5):
                        a, b = float(z[i].real), float(z[i].imag)
                        if op in ("tanh", "tan", "exponential", "sine", "cosine") and max(abs(a), abs(b)) > 100:
                            continue
                        try:
                            truth = mpmath.mpc(function(mpmath.mpc(a, b)))
                        except (ValueError, ZeroDivisionError):
                            continue
                        if not mpmath.isfinite(truth):
                            continue
                        for part, want in ((got[i].real, truth.real), (got[i].imag, truth.imag)):
                            part = float(part)
                            # On a cut the side is that of the sign of zero, which mpmath does not know.
                            if (a == 0 or b == 0) and abs(abs(part) - abs(want)) <= 1e-6 * abs(want):
                                continue
                            error = s.ulps(abs(part) if want == 0 else part, want if want != 0 else 0.0, t)
                            if want == 0 and abs(part) < 1e-30:
                                continue
                            if error > worst:
                                worst, where = error, (z[i], got[i], mpmath.nstr(truth, 17))
                return f"a part is off by {worst:.3g} ulp: {where}" if worst > 4 else None
            p.op(op, [operand], operand[1], judge, dialect=dialect)
        programs.append(p)


for make in [unary, predicates, binary, broadcasts, others, scans, ragged_dots]:
    make()
sys.exit(run_all(programs, sys.argv))
