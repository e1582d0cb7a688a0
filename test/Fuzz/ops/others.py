"""fft, batch norms, map, select, clamp, control flow, triangular_solve, cholesky, random bits, structure."""
import numpy as np

from . import bodies
from .instance import BITS, COMPLEX, DTYPES, F8, FLOATS, INTS, MANTISSA, SIGNED, UNSIGNED, array, evaluate, is_complex, is_float, is_int, nums, product, type_of
from .indexing import any_type


def fft(i):
    r = i.rng
    kind = r.choice(["FFT", "IFFT", "RFFT", "IRFFT"])
    n = r.choice([1, 1, 1, 2, 3])
    lengths = [r.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 30, 31, 32, 37, 49, 64] if n == 1 else [1, 2, 3, 4, 5, 7, 8, 9]) for _ in range(n)]
    if n == 1 and i.chance(0.1):
        lengths = [r.choice([97, 101, 128, 210, 251, 256])]
    batch = [r.choice([1, 2, 3]) for _ in range(r.randint(0, 2))]
    if i.chance(0.02):
        batch = [0]
    wide = i.chance(0.4)
    real, cplx = ("f64", "complex<f64>") if wide else ("f32", "complex<f32>")
    half = lengths[:-1] + [lengths[-1] // 2 + 1]
    a, b, ins, outs = {"FFT": (cplx, cplx, lengths, lengths), "IFFT": (cplx, cplx, lengths, lengths),
                       "RFFT": (real, cplx, lengths, half), "IRFFT": (cplx, real, half, lengths)}[kind]
    x = i.np.normal(size=batch + ins)
    if is_complex(a):
        x = x + 1j * i.np.normal(size=batch + ins)
    if kind == "IRFFT" and i.chance(0.5):   # the spectrum of a real signal
        x = np.fft.rfftn(i.np.normal(size=batch + lengths), axes=range(-n, 0))
    x = x.astype(DTYPES[a])
    size = product(lengths)
    eps = 2e-15 if wide else 1e-6
    scale = float(np.abs(x).sum(axis=tuple(range(-n, 0))).max()) if x.size else 1.0
    scale = scale / size if kind in ("IFFT", "IRFFT") else np.sqrt(size) * 4
    i.op(f'"stablehlo.fft"({i.arg(x, a)}) <{{fft_length = {array(lengths)}, fft_type = #stablehlo<fft_type {kind}>}}> : ({type_of(batch + ins, a)}) -> {type_of(batch + outs, b)}',
         b, batch + outs, (eps * 8, eps * scale * 8))

    def reference():
        axes = tuple(range(-n, 0))
        y = x.astype(np.complex128) if is_complex(a) else x.astype(np.float64)
        if kind == "IRFFT":
            return [np.fft.irfftn(y, lengths, axes).astype(DTYPES[b])]
        return [getattr(np.fft, kind.lower() + "n")(y, axes=axes).astype(DTYPES[b])]
    i.reference = reference


def batch_norm(i):
    r = i.rng
    which = r.choice(["training", "inference", "grad"])
    shape = i.shape(low=1, high=4, zero=0, limit=400)
    f = r.randrange(len(shape))
    n = shape[f]
    t = r.choice(["f32", "f64", "f32", "bf16", "f16"])
    eps = r.choice([1e-3, 0.1, 1.0])
    x = i.np.normal(size=shape).astype(DTYPES[t])
    vec = lambda lo, hi: i.np.uniform(lo, hi, (n,)).astype(DTYPES[t])
    vt, xt = type_of((n,), t), type_of(shape, t)
    tol = 2.0 ** -MANTISSA[t] * 64
    attrs = f"<{{epsilon = {eps:.6e} : f32, feature_index = {f} : i64}}>"
    axes = tuple(k for k in range(len(shape)) if k != f)
    col = [-1 if k == f else 1 for k in range(len(shape))]
    eps32 = float(np.float32(eps))
    X = x.astype(np.float64)
    scale, offset = vec(0.5, 2), vec(-1, 1)
    S, O = scale.astype(np.float64).reshape(col), offset.astype(np.float64).reshape(col)
    if which == "training":
        i.ops(f'"stablehlo.batch_norm_training"({i.arg(x, t)}, {i.arg(scale, t)}, {i.arg(offset, t)}) {attrs} : ({xt}, {vt}, {vt}) -> ({xt}, {vt}, {vt})',
              [(t, shape), (t, (n,)), (t, (n,))], [(tol * 4, tol * 8)] * 3)

        def reference():
            m, v = X.mean(axes), X.var(axes)
            return [(S * (X - m.reshape(col)) / np.sqrt(v.reshape(col) + eps32) + O).astype(DTYPES[t]), m.astype(DTYPES[t]), v.astype(DTYPES[t])]
    elif which == "inference":
        mean, var = vec(-1, 1), vec(0.2, 2)
        i.op(f'"stablehlo.batch_norm_inference"({i.arg(x, t)}, {i.arg(scale, t)}, {i.arg(offset, t)}, {i.arg(mean, t)}, {i.arg(var, t)}) {attrs} : ({xt}, {vt}, {vt}, {vt}, {vt}) -> {xt}', t, shape, (tol, tol * 4))

        def reference():
            return [(S * (X - mean.astype(np.float64).reshape(col)) / np.sqrt(var.astype(np.float64).reshape(col) + eps32) + O).astype(DTYPES[t])]
    else:
        mean, var = vec(-1, 1), vec(0.2, 2)
        g = i.np.normal(size=shape).astype(DTYPES[t])
        i.ops(f'"stablehlo.batch_norm_grad"({i.arg(x, t)}, {i.arg(scale, t)}, {i.arg(mean, t)}, {i.arg(var, t)}, {i.arg(g, t)}) {attrs} : ({xt}, {vt}, {vt}, {vt}, {xt}) -> ({xt}, {vt}, {vt})',
              [(t, shape), (t, (n,)), (t, (n,))], [(tol * 4, tol * 8 * product(shape))] * 3)

        def reference():
            M, V, G = mean.astype(np.float64).reshape(col), var.astype(np.float64).reshape(col), g.astype(np.float64)
            N = product(shape) / n
            d = X - M
            rs = 1 / np.sqrt(V + eps32)
            gs = G.sum(axes).reshape(col)
            gd = (G * d).sum(axes).reshape(col)
            gx = S * rs / N * (N * G - gs - d * gd / (V + eps32))
            return [gx.astype(DTYPES[t]), (gd * rs).reshape(n).astype(DTYPES[t]), gs.reshape(n).astype(DTYPES[t])]
    i.reference = reference


def map_(i):
    shape, t = i.shape(limit=200), i.dtype(FLOATS, INTS, ["f32", "i32"])
    n = i.rng.choice([1, 2, 3])
    data = [i.small(shape, t) for _ in range(n)]

    def body(s, v):
        acc = v[0]
        for x in v[1:]:
            acc = s.binary("add", s.binary("multiply", acc, x), v[0])
        return [s.select(s.compare("GT", acc, v[0]), acc, s.binary("subtract", v[0], s.const(1, t)))]
    if i.chance(0.3):   # a result of another type
        i.op(f'"stablehlo.map"({i.arg(data[0], t)}) <{{dimensions = {array(range(len(shape)))}}}> ({i.region([t], lambda s, v: [s.compare("LE", v[0], s.const(1, t))])}) : ({type_of(shape, t)}) -> {type_of(shape, "i1")}', "i1", shape)
        i.reference = lambda: [np.asarray(data[0]).astype(np.float64) <= 1]
        return
    i.op(f'"stablehlo.map"({", ".join(i.arg(x, t) for x in data)}) <{{dimensions = {array(range(len(shape)))}}}> ({i.region([t] * n, body)}) : ({", ".join([type_of(shape, t)] * n)}) -> {type_of(shape, t)}', t, shape)
    i.reference = lambda: [np.asarray(evaluate(body, data, [t] * n)[0])]


def select(i):
    shape, t = i.shape(), any_type(i)
    ps = i.rng.choice([shape, ()])
    p, a, b = i.small(ps, "i1"), np.asarray(i.anything(shape, t)), np.asarray(i.anything(shape, t))
    i.op(f"stablehlo.select {i.arg(p, 'i1')}, {i.arg(a, t)}, {i.arg(b, t)} : {type_of(ps, 'i1')}, {type_of(shape, t)}", t, shape, "bits")
    i.reference = lambda: [np.where(p, a, b)]


def clamp(i):
    shape, t = i.shape(), i.dtype(FLOATS, INTS, ["f32", "i32"])
    ls, hs = i.rng.choice([shape, ()]), i.rng.choice([shape, ()])
    lo, x, hi = i.small(ls, t), np.asarray(i.anything(shape, t, nan=False)), i.small(hs, t)
    i.op(f"stablehlo.clamp {i.arg(lo, t)}, {i.arg(x, t)}, {i.arg(hi, t)} : ({type_of(ls, t)}, {type_of(shape, t)}, {type_of(hs, t)}) -> {type_of(shape, t)}", t, shape)

    def reference():
        kind = object if is_int(t) else np.float64
        return [np.asarray(np.minimum(np.maximum(lo.astype(kind), x.astype(kind)), hi.astype(kind)), dtype=kind).astype(DTYPES[t])]
    i.reference = reference


def complex_(i):
    shape, t = i.shape(), i.rng.choice(["f32", "f64"])
    a, b = np.asarray(i.anything(shape, t)), np.asarray(i.anything(shape, t))
    c = i.op(f"stablehlo.complex {i.arg(a, t)}, {i.arg(b, t)} : {type_of(shape, f'complex<{t}>')}", f"complex<{t}>", shape, result=False)
    i.op(f"stablehlo.imag {c} : ({type_of(shape, f'complex<{t}>')}) -> {type_of(shape, t)}", t, shape, "bits")
    i.op(f"stablehlo.real {c} : ({type_of(shape, f'complex<{t}>')}) -> {type_of(shape, t)}", t, shape, "bits")
    i.reference = lambda: [b, a]


def triangular_solve(i):
    r = i.rng
    n, m = r.choice([1, 2, 3, 4, 7]), r.choice([1, 2, 5])
    batch = [r.choice([1, 2, 3]) for _ in range(r.randint(0, 2))]
    t = r.choice(["f32", "f64", "complex<f32>", "complex<f64>"])
    left, lower, unit = i.chance(0.5), i.chance(0.5), i.chance(0.3)
    ways = r.choice(["NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"])

    def normal(shape):
        x = i.np.normal(size=shape)
        return x + 1j * i.np.normal(size=shape) if is_complex(t) else x
    a = (normal(batch + [n, n]) * 0.3 + 2 * np.eye(n)).astype(DTYPES[t])
    bs = batch + ([n, m] if left else [m, n])
    b = normal(bs).astype(DTYPES[t])
    tol = 2.0 ** -MANTISSA[t] * 2000
    i.op(f'"stablehlo.triangular_solve"({i.arg(a, t)}, {i.arg(b, t)}) <{{left_side = {str(left).lower()}, lower = {str(lower).lower()}, transpose_a = #stablehlo<transpose {ways}>, unit_diagonal = {str(unit).lower()}}}> : '
         f"({type_of(a.shape, t)}, {type_of(bs, t)}) -> {type_of(bs, t)}", t, bs, (tol, tol))

    def reference():
        wide = np.complex128 if is_complex(t) else np.float64
        A = a.astype(wide)
        A = np.tril(A) if lower else np.triu(A)
        if unit:
            A = A - A * np.eye(n) + np.eye(n)
        A = {"NO_TRANSPOSE": A, "TRANSPOSE": np.swapaxes(A, -1, -2), "ADJOINT": np.conj(np.swapaxes(A, -1, -2))}[ways]
        if left:
            return [np.linalg.solve(A, b.astype(wide)).astype(DTYPES[t])]
        return [np.swapaxes(np.linalg.solve(np.swapaxes(A, -1, -2), np.swapaxes(b.astype(wide), -1, -2)), -1, -2).astype(DTYPES[t])]
    i.reference = reference


def cholesky(i):
    r = i.rng
    n, batch = r.choice([1, 2, 3, 5, 8]), [r.choice([1, 2, 3]) for _ in range(r.randint(0, 2))]
    t = r.choice(["f32", "f64", "complex<f32>", "complex<f64>"])
    lower = i.chance(0.5)
    x = i.np.normal(size=batch + [n, n])
    if is_complex(t):
        x = x + 1j * i.np.normal(size=batch + [n, n])
    a = (x @ np.conj(np.swapaxes(x, -1, -2)) + n * np.eye(n)).astype(DTYPES[t])
    tol = 2.0 ** -MANTISSA[t] * 500
    if i.chance(0.4):   # the other triangle is not looked at
        noise = i.np.normal(size=a.shape)
        given = (np.tril(a) + np.triu(noise, 1) if lower else np.triu(a) + np.tril(noise, -1)).astype(DTYPES[t])
    else:
        given = a
    i.op(f'"stablehlo.cholesky"({i.arg(given, t)}) <{{lower = {str(lower).lower()}}}> : ({type_of(a.shape, t)}) -> {type_of(a.shape, t)}', t, a.shape, (tol, tol))

    def reference():
        L = np.linalg.cholesky(a.astype(np.complex128 if is_complex(t) else np.float64))
        return [(L if lower else np.conj(np.swapaxes(L, -1, -2))).astype(DTYPES[t])]
    i.trust_reference = True   # the other triangle is implementation-defined; here zero
    i.reference = reference


def rng_bit_generator(i):
    r = i.rng
    algorithm, n = r.choice([("THREE_FRY", 2), ("PHILOX", 2), ("PHILOX", 3), ("DEFAULT", 2)])
    t = r.choice(["ui8", "ui16", "ui32", "ui64", "i32", "i64", "i8", "i16"])
    shape = i.shape(high=4, limit=300, zero=0.02)
    if algorithm == "DEFAULT":
        algorithm = "PHILOX"
    state = i.np.integers(0, 2 ** 63, (n,)).astype(np.uint64)
    if i.chance(0.1):   # floats of random bits; narrow integers, which XLA has not
        t = r.choice(["f32", "f64", "f16", "bf16"])
    i.ops(f'"stablehlo.rng_bit_generator"({i.arg(state, "ui64")}) <{{rng_algorithm = #stablehlo<rng_algorithm {algorithm}>}}> : ({type_of((n,), "ui64")}) -> ({type_of((n,), "ui64")}, {type_of(shape, t)})',
          [("ui64", (n,)), (t, shape)])


def reduce_precision(i):
    shape, t = i.shape(), i.rng.choice(["f32", "f64", "bf16", "f16"])
    e, m = i.rng.randint(1, 11), i.rng.randint(0, 52)
    x = np.asarray(i.anything(shape, t))
    if t in ("f32", "f64"):
        x = (x.astype(np.float64) * 2.0 ** i.np.integers(-20, 20, shape)).astype(DTYPES[t])
    i.op(f"stablehlo.reduce_precision {i.arg(x, t)}, format = e{e}m{m} : {type_of(shape, t)}", t, shape)


def control(i):
    """if, case and while whose outcome is data."""
    r = i.rng
    shape, t = i.shape(high=3, limit=100), r.choice(["f32", "i32", "i8", "bf16", "complex<f32>", "ui64"])
    x, y = i.small(shape, t, 2), i.small(shape, t, 2)
    a, b = i.arg(x, t), i.arg(y, t)
    tt = type_of(shape, t)
    kind = r.choice(["if", "case", "while"])
    branches = [("add", lambda: x + y), ("subtract", lambda: x - y), ("multiply", lambda: x * y), ("keep", lambda: x)]
    r.shuffle(branches)

    def region(which):
        if which[0] == "keep":
            return f"{{\n      stablehlo.return {a} : {tt}\n    }}"
        n = i.name()
        return f"{{\n      {n} = stablehlo.{which[0]} {a}, {b} : {tt}\n      stablehlo.return {n} : {tt}\n    }}"
    if kind == "if":
        p = i.small((), "i1")
        i.op(f'"stablehlo.if"({i.arg(p, "i1", 0.2)}) ({region(branches[0])}, {region(branches[1])}) : (tensor<i1>) -> {tt}', t, shape)
        i.reference = lambda: [np.asarray(branches[0 if p else 1][1]()).astype(DTYPES[t])]
    elif kind == "case":
        n = r.randint(1, 4)
        k = r.randint(-2, n + 1)
        i.op(f'"stablehlo.case"({i.arg(np.asarray(k), "i32", 0.2)}) ({", ".join(region(c) for c in branches[:n])}) : (tensor<i32>) -> {tt}', t, shape)
        i.reference = lambda: [np.asarray(branches[k if 0 <= k < n else n - 1][1]()).astype(DTYPES[t])]
    else:
        it = r.choice(["i32", "i64", "ui8", "ui32"])
        n = r.randint(0, 4)
        start, limit = i.arg(np.zeros(()), it, 0.5), i.arg(np.asarray(n), it, 0.5)
        c, v, w, one, d, u = (i.name() for _ in range(6))
        p = i.name()
        st = type_of((), it)
        i.ops(f'"stablehlo.while"({start}, {a}) ({{\n    ^bb0({c}: {st}, {v}: {tt}):\n      {p} = stablehlo.compare LT, {c}, {limit} : ({st}, {st}) -> tensor<i1>\n      stablehlo.return {p} : tensor<i1>\n    }}, {{\n'
              f"    ^bb0({w}: {st}, {u}: {tt}):\n      {one} = stablehlo.constant dense<1> : {st}\n      {d} = stablehlo.add {w}, {one} : {st}\n      {i.name()} = stablehlo.add {u}, {b} : {tt}\n"
              f"      stablehlo.return {d}, %t{i.tag}_{i.counter} : {st}, {tt}\n    }}) : ({st}, {tt}) -> ({st}, {tt})", [(it, ()), (t, shape)])

        def reference():
            z = x
            for _ in range(n):
                z = (z + y).astype(DTYPES[t])
            return [np.asarray(n).astype(DTYPES[it]), z]
        i.reference = reference


def structure(i):
    """optimization_barrier, tuples."""
    shape, t, u = i.shape(high=3), any_type(i), any_type(i)
    x, y = np.asarray(i.anything(shape, t)), np.asarray(i.anything((2,), u))
    a, b = i.arg(x, t), i.arg(y, u)
    tt, ut = type_of(shape, t), type_of((2,), u)
    n = i.name()
    i.lines.append(f"{n}:2 = stablehlo.optimization_barrier {a}, {b} : {tt}, {ut}")
    m = i.name()
    i.lines.append(f"{m} = stablehlo.tuple {n}#0, {n}#1 : tuple<{tt}, {ut}>")
    i.op(f"stablehlo.get_tuple_element {m}[1] : (tuple<{tt}, {ut}>) -> {ut}", u, (2,), "bits")
    i.op(f"stablehlo.get_tuple_element {m}[0] : (tuple<{tt}, {ut}>) -> {tt}", t, shape, "bits")
    i.reference = lambda: [y, x]


def called(i):
    """call and composite: the same body as a function."""
    r = i.rng
    shape, t = i.shape(high=3, limit=100), r.choice(["f32", "i32", "bf16", "ui8"])
    x, y = i.small(shape, t, 3), i.small(shape, t, 3)
    tt, name = type_of(shape, t), f"called_{i.tag}_{r.randrange(1000)}"
    i.functions.append(f"func.func private @{name}(%a: {tt}, %b: {tt}) -> ({tt}, {tt}) {{\n    %0 = stablehlo.multiply %a, %b : {tt}\n    %1 = stablehlo.subtract %0, %a : {tt}\n    return %0, %1 : {tt}, {tt}\n  }}")
    args = f"{i.arg(x, t)}, {i.arg(y, t)}"
    if i.chance(0.5):
        i.ops(f"func.call @{name}({args}) : ({tt}, {tt}) -> ({tt}, {tt})", [(t, shape)] * 2)
    else:
        i.ops(f'stablehlo.composite "test.op" {args} {{composite_attributes = {{k = {r.randrange(9)} : i64, name = "x"}}, decomposition = @{name}, version = {r.randrange(3)} : i32}} : ({tt}, {tt}) -> ({tt}, {tt})', [(t, shape)] * 2)

    def reference():
        p = (x * y).astype(DTYPES[t])
        return [p, (p - x).astype(DTYPES[t])]
    i.reference = reference


GENERATORS = [(called, 1), (fft, 6), (batch_norm, 4), (map_, 2), (select, 2), (clamp, 2), (complex_, 1), (triangular_solve, 3), (cholesky, 2),
              (rng_bit_generator, 3), (reduce_precision, 2), (control, 3), (structure, 1)]
