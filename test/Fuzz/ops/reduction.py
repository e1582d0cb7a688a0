"""reduce, reduce_window, select_and_scatter, scans written with them."""
import numpy as np

from . import bodies
from .instance import (COMPLEX, DTYPES, F8, FLOATS, INTS, MANTISSA, SIGNED, UNSIGNED, BITS, array, evaluate, is_complex,
                       is_float, is_int, nums, padding_attr, product, type_of)


def fold(body, types, arrays, inits, axis_lists):
    """Folds leading axes of arrays (already moved to the front) in order."""
    total = [np.broadcast_to(np.asarray(x), a.shape[axis_lists:]) for x, a in zip(inits, arrays)]
    for at in np.ndindex(*arrays[0].shape[:axis_lists]):
        total = evaluate(body, total + [a[at] for a in arrays], types + types)
    return [np.asarray(t) for t in total]


def monoid(i, shape, dtypes=None):
    """(types, inits, body, data, tolerances, promoted types)."""
    r = i.rng
    kind = r.random()
    if kind < 0.6:
        t = i.dtype(FLOATS, INTS, ["f32", "i32"], ["i1"], COMPLEX) if i.chance(0.95) else r.choice(F8)
        name, body, neutral = bodies.one(i, t)
        if i.chance(0.3):
            body = bodies.swap(body)
        return describe(i, [(t, name, neutral)], body, shape)
    if kind < 0.75:
        t, it = i.dtype(FLOATS, INTS), r.choice(["i32", "i64", "ui8", "ui32"])
        direction = r.choice(["GT", "LT"])
        data = i.small(shape, t) if not is_float(t) or i.chance(0.6) else i.anything(shape, t)
        index = np.arange(product(shape)).reshape(shape).astype(DTYPES[it])
        start = bodies.lowest(t) if direction == "GT" else bodies.highest(t)
        return [t, it], [start, 0], bodies.arg_best(direction), [data, index], [None, None]
    if kind < 0.95:
        n = r.randint(2, 4)
        parts = []
        for _ in range(n):
            t = i.dtype(FLOATS, INTS, ["f32", "i32"], ["i1"])
            parts.append((t, *bodies.one(i, t)))
        body = bodies.many(*[p[2] for p in parts])
        return describe(i, [(t, name, neutral) for t, name, _, neutral in parts], body, shape)
    t = r.choice(["i32", "i64", "ui8"])
    i.trust_reference = True
    return [t] * 4, [1, 0, 0, 1], bodies.matrix, [i.small(shape, t) for _ in range(4)], [None] * 4


def describe(i, parts, body, shape):
    types, inits, data, tolerances = [], [], [], []
    for t, name, neutral in parts:
        types.append(t)
        tolerance = None
        if name in ("add", "multiply") and (is_float(t) or is_complex(t)):
            n = max(product(shape), 1)
            if name == "add":
                x = i.small(shape, t, 1 if t in F8 else 2)
                if 2 * n > 2 ** (MANTISSA[t] + 1):
                    tolerance = (2.0 ** -MANTISSA[t] * 4, 2.0 ** -MANTISSA[t] * 2 * n)
            else:
                x = i.np.choice([1.0, -1.0, 1.0, 2.0, 0.5], shape).astype(DTYPES[t])
                if is_complex(t):
                    x = i.np.choice([1, -1, 1j, -1j], shape).astype(DTYPES[t])
                if t in F8 or t == "f16":
                    x = i.np.choice([1.0, -1.0], shape).astype(DTYPES[t])
        else:
            x = i.small(shape, t) if is_complex(t) else i.anything(shape, t, nan=False) if name in ("gt", "lt") else i.data(shape, t)
        data.append(x)
        init = neutral
        # A start that is not neutral counts once.
        if i.chance(0.25) and name not in ("multiply", "addmul") and not is_complex(t):
            init = i.small((), t, 2)
        inits.append(np.asarray(init).astype(DTYPES[t]))
        tolerances.append(tolerance)
    return types, inits, body, data, tolerances


def reduce(i):
    r = i.rng
    shape = i.shape(high=5)
    dims = sorted(r.sample(range(len(shape)), r.randint(0, len(shape))))
    if i.chance(0.2):
        r.shuffle(dims)
    types, inits, body, data, tolerances = monoid(i, shape)
    i.trust_reference |= not dims   # XLA forgets the initial value
    out = [d for k, d in enumerate(shape) if k not in dims]
    n = len(types)
    names = [i.arg(x, t) for x, t in zip(data, types)] + [i.arg(np.asarray(x), t, 0.7) for x, t in zip(inits, types)]
    ins = ", ".join([type_of(shape, t) for t in types] + [type_of((), t) for t in types])
    i.ops(f'"stablehlo.reduce"({", ".join(names)}) <{{dimensions = {array(dims)}}}> ({i.region(types + types, body)}) : ({ins}) -> ({", ".join(type_of(out, t) for t in types)})',
          [(t, out) for t in types], tolerances)
    i.reference = lambda: fold(body, types, [np.asarray(x).transpose(sorted(dims) + [k for k in range(len(shape)) if k not in dims]) for x in data], inits, len(dims))


def promoted_reduce(i):
    """The body's type is wider than the operand's."""
    r = i.rng
    shape = i.shape(low=1, high=4)
    dims = sorted(r.sample(range(len(shape)), r.randint(0, len(shape))))
    t, w = r.choice([("bf16", "f32"), ("f16", "f32"), ("f32", "f64"), ("i8", "i32"), ("ui8", "ui32"), ("i16", "i64"), ("f8E4M3FN", "f32")])
    op = r.choice(["add", "maximum", "minimum"])
    x, start = i.small(shape, t, 3), i.small((), w, 3)
    body = bodies.simple(op)
    out = [d for k, d in enumerate(shape) if k not in dims]
    i.op(f'"stablehlo.reduce"({i.arg(x, t)}, {i.arg(start, w, 0.5)}) <{{dimensions = {array(dims)}}}> ({i.region([w, w], body)}) : ({type_of(shape, t)}, {type_of((), w)}) -> {type_of(out, w)}', w, out)
    i.trust_reference = True
    i.reference = lambda: fold(body, [w], [x.astype(DTYPES[w]).transpose(dims + [k for k in range(len(shape)) if k not in dims])], [start], len(dims))


def promoted_others(i):
    """reduce_window, scatter and select_and_scatter in a wider type."""
    r = i.rng
    t, w = r.choice([("bf16", "f32"), ("f16", "f32"), ("f32", "f64"), ("i8", "i32"), ("ui8", "ui32"), ("i16", "i64")])
    shape = i.shape(low=1, high=3, limit=80, zero=0)
    x, start = i.small(shape, t, 3), i.small((), t, 3)
    add = bodies.simple(r.choice(["add", "maximum"]))
    win, stride, base, dil, pads, out = windows(i, shape, plain=True)
    i.trust_reference = True
    kind = r.choice(["window", "select", "scatter"])
    if kind == "window":
        i.op(f'"stablehlo.reduce_window"({i.arg(x, t)}, {i.arg(start, t, 0.5)}) <{{{window_attrs(i, win, stride, base, dil, pads)}}}> ({i.region([w, w], add)}) : ({type_of(shape, t)}, {type_of((), t)}) -> {type_of(out, w)}', w, out)

        def reference():
            full = padded(x, start, base, pads).astype(DTYPES[w])
            total = [np.full(out, start.astype(DTYPES[w]))]
            for at in np.ndindex(*win) if product(out) else []:
                index = tuple(slice(k, k + (m - 1) * s + 1, s) for k, m, s in zip(at, out, stride))
                total = evaluate(add, total + [full[index]], [w, w])
            return total
    elif kind == "select":
        source = i.small(out, t, 2)
        select = lambda s, v: [s.compare("GE", v[0], v[1])]  # noqa: E731
        i.op(f'"stablehlo.select_and_scatter"({i.arg(x, t)}, {i.arg(source, t)}, {i.arg(start, t, 0.6)}) <{{{window_attrs(i, win, stride, base, dil, pads, True)}}}> '
             f'({i.region([t, t], select)}, {i.region([w, w], add)}) : ({type_of(shape, t)}, {type_of(out, t)}, {type_of((), t)}) -> {type_of(shape, w)}', w, shape)
        reference = lambda: [scattered(shape, x, source, start.astype(DTYPES[w]), win, stride, pads, select, add, t, w)]  # noqa: E731
    else:
        n = r.randint(1, 4)
        at, update = i.np.integers(-1, shape[0] + 1, (n, 1)).astype(np.int32), i.small((n,) + shape[1:], t, 3)
        i.op(f'"stablehlo.scatter"({i.arg(x, t)}, {i.arg(at, "i32")}, {i.arg(update, t)}) <{{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = {nums(range(1, len(shape)))}, inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}}> '
             f'({i.region([w, w], add)}) : ({type_of(shape, t)}, tensor<{n}x1xi32>, {type_of(update.shape, t)}) -> {type_of(shape, w)}', w, shape)

        def reference():
            result = x.astype(DTYPES[w])
            for k, u in zip(at[:, 0], update):
                if 0 <= k < shape[0]:
                    result[k] = evaluate(add, [result[k], u.astype(DTYPES[w])], [w, w])[0]
            return [result]
    i.reference = reference


def windows(i, shape, plain=False):
    """(window, strides, base dilations, window dilations, padding, result shape)."""
    r = i.rng
    win, stride, base, dil, pads, out = [], [], [], [], [], []
    for d in shape:
        for _ in range(50):
            w = r.choice([1, 1, 2, 3, max(d, 1), r.randint(1, max(d, 1))])
            s, k, b = r.choice([1, 1, 2, 3]), r.choice([1, 1, 1, 2, 3]), r.choice([1, 1, 1, 2, 3])
            if plain:
                k = b = 1
            lo, hi = r.choice([(0, 0), (0, 0), (w - 1, 0), (0, w - 1), (1, 1), (r.randint(-2, 3), r.randint(-2, 3))])
            size = (d - 1) * b + 1 if d else 0
            span = lo + hi + size - ((w - 1) * k + 1)
            if lo + hi + size >= 0 and (span >= 0 or i.chance(0.03)):
                break
        else:
            w = s = k = b = 1
            lo = hi = 0
            span = d - 1
        win.append(w), stride.append(s), base.append(b), dil.append(k), pads.append((lo, hi)), out.append(span // s + 1 if span >= 0 else 0)
    return win, stride, base, dil, pads, out


def window_attrs(i, win, stride, base, dil, pads, plain=False):
    attrs = [f"window_dimensions = {array(win)}"]
    for name, values in [("window_strides", stride), ("base_dilations", base), ("window_dilations", dil)][:1 if plain else 3]:
        if any(v != 1 for v in values) or i.chance(0.5):
            attrs.append(f"{name} = {array(values)}")
    if any(p != (0, 0) for p in pads) or (pads and i.chance(0.5)):
        attrs.append(f"padding = {padding_attr(pads)}")
    return ", ".join(attrs)


def padded(x, fill, base, pads):
    """Base dilation and padding, cells filled."""
    x = np.asarray(x)
    for d in range(x.ndim):
        n = x.shape[d]
        lo, hi = pads[d]
        size = (n - 1) * base[d] + 1 if n else 0
        shape = list(x.shape)
        shape[d] = max(lo + size + hi, 0)
        out = np.full(shape, fill, dtype=x.dtype)
        for k in range(n):
            at = lo + k * base[d]
            if 0 <= at < shape[d]:
                out[(slice(None),) * d + (at,)] = x[(slice(None),) * d + (k,)]
        x = out
    return x


def reduce_window(i):
    shape = i.shape(low=0, high=4, limit=200)
    types, inits, body, data, tolerances = monoid(i, shape)
    neutral = None
    win, stride, base, dil, pads, out = windows(i, shape)
    if product(win) > 300:
        win, stride, base, dil, pads, out = [1] * len(shape), [1] * len(shape), [1] * len(shape), [1] * len(shape), [(0, 0)] * len(shape), list(shape)
    window_op(i, shape, types, inits, body, data, tolerances, win, stride, base, dil, pads, out)


def window_op(i, shape, types, inits, body, data, tolerances, win, stride, base, dil, pads, out):
    names = [i.arg(x, t) for x, t in zip(data, types)] + [i.arg(np.asarray(x), t, 0.7) for x, t in zip(inits, types)]
    ins = ", ".join([type_of(shape, t) for t in types] + [type_of((), t) for t in types])
    i.ops(f'"stablehlo.reduce_window"({", ".join(names)}) <{{{window_attrs(i, win, stride, base, dil, pads)}}}> ({i.region(types + types, body)}) : ({ins}) -> ({", ".join(type_of(out, t) for t in types)})',
          [(t, out) for t in types], tolerances)

    def reference():
        full = [padded(x, np.asarray(z).astype(DTYPES[t]), base, pads) for x, z, t in zip(data, inits, types)]
        total = [np.full(out, np.asarray(z).astype(DTYPES[t])) for z, t in zip(inits, types)]
        if product(out):
            for at in np.ndindex(*win):
                index = tuple(slice(w * k, w * k + (m - 1) * s + 1, s) for w, k, m, s in zip(at, dil, out, stride))
                total = evaluate(body, total + [x[index] for x in full], types + types)
        return total
    i.reference = reference


def cumulative(i):
    """Running windows as cumsum, cumprod, cummax have them, forward and reverse."""
    r = i.rng
    shape = i.shape(low=1, high=3, limit=600, zero=0)
    types, inits, body, data, tolerances = monoid(i, shape)
    d = r.randrange(len(shape))
    n = shape[d]
    win = [n if k == d else 1 for k in range(len(shape))]
    pads = [((n - 1, 0) if r.random() < 0.5 else (0, n - 1)) if k == d else (0, 0) for k in range(len(shape))]
    ones = [1] * len(shape)
    window_op(i, shape, types, inits, body, data, tolerances, win, ones, ones, ones, pads, list(shape))


def associative_scan(i):
    """Slices, strided sums and interleaving pads, as jax.lax.associative_scan prints them."""
    r = i.rng
    n = r.choice([2, 4, 6, 9, 16])
    t = r.choice(["f32", "i32", "f64"])
    x = i.small((n,), t)
    name = i.arg(x, t)

    def scan(a, n):
        if n < 2:
            return a
        h = n // 2
        lo = i.op(f"stablehlo.slice {a} [0:{n - 1}:2] : ({type_of((n,), t)}) -> {type_of((h,), t)}", t, (h,), result=False)
        hi = i.op(f"stablehlo.slice {a} [1:{n}:2] : ({type_of((n,), t)}) -> {type_of((h,), t)}", t, (h,), result=False)
        odd = scan(i.op(f"stablehlo.add {lo}, {hi} : {type_of((h,), t)}", t, (h,), result=False), h)
        rest = (n - 1) // 2
        first = i.op(f"stablehlo.slice {a} [0:1] : ({type_of((n,), t)}) -> {type_of((1,), t)}", t, (1,), result=False)
        even = first
        if rest:
            ahead = i.op(f"stablehlo.slice {odd} [0:{rest}] : ({type_of((h,), t)}) -> {type_of((rest,), t)}", t, (rest,), result=False)
            own = i.op(f"stablehlo.slice {a} [2:{n}:2] : ({type_of((n,), t)}) -> {type_of((rest,), t)}", t, (rest,), result=False)
            both = i.op(f"stablehlo.add {ahead}, {own} : {type_of((rest,), t)}", t, (rest,), result=False)
            even = i.op(f"stablehlo.concatenate {first}, {both}, dim = 0 : ({type_of((1,), t)}, {type_of((rest,), t)}) -> {type_of((rest + 1,), t)}", t, (rest + 1,), result=False)
        zero = i.op(f"stablehlo.constant dense<{'0.0' if t[0] == 'f' else '0'}> : {type_of((), t)}", t, (), result=False)
        e = n - h
        pe = i.op(f'"stablehlo.pad"({even}, {zero}) <{{edge_padding_low = array<i64: 0>, edge_padding_high = array<i64: {n - (2 * e - 1)}>, interior_padding = array<i64: 1>}}> : ({type_of((e,), t)}, {type_of((), t)}) -> {type_of((n,), t)}', t, (n,), result=False)
        po = i.op(f'"stablehlo.pad"({odd}, {zero}) <{{edge_padding_low = array<i64: 1>, edge_padding_high = array<i64: {n - 2 * h}>, interior_padding = array<i64: 1>}}> : ({type_of((h,), t)}, {type_of((), t)}) -> {type_of((n,), t)}', t, (n,), result=False)
        return i.op(f"stablehlo.add {pe}, {po} : {type_of((n,), t)}", t, (n,), result=False)
    i.finish(scan(name, n), t, (n,), None)
    i.reference = lambda: [np.cumsum(x).astype(DTYPES[t])]


def select_and_scatter(i):
    r = i.rng
    shape = i.shape(low=0, high=4, limit=200)
    t = i.dtype(FLOATS, INTS, ["f32"])
    win, stride, base, dil, pads, out = windows(i, shape, plain=True)
    operand = i.small(shape, t) if i.chance(0.5) else np.asarray(i.anything(shape, t, nan=False))
    source = i.small(out, t, 2)
    init = i.small((), t, 2) if i.chance(0.5) else np.zeros((), DTYPES[t])
    i.trust_reference = not shape   # XLA aborts
    direction = r.choice(["GE", "GT", "LE", "LT"])
    op = r.choice(["add", "add", "maximum", "minimum", "multiply"])
    if op == "multiply" and is_float(t):
        op = "add"

    def select(s, v):
        return [s.compare(direction, v[0], v[1])]
    scatter = bodies.simple(op)
    i.op(f'"stablehlo.select_and_scatter"({i.arg(operand, t)}, {i.arg(source, t)}, {i.arg(init, t, 0.6)}) <{{{window_attrs(i, win, stride, base, dil, pads, True)}}}> '
         f'({i.region([t, t], select)}, {i.region([t, t], scatter)}) : ({type_of(shape, t)}, {type_of(out, t)}, {type_of((), t)}) -> {type_of(shape, t)}', t, shape,
         (2.0 ** -MANTISSA[t] * 8, 2.0 ** -MANTISSA[t] * 8) if is_float(t) and t != "f64" else None)

    i.reference = lambda: [scattered(shape, operand, source, init, win, stride, pads, select, scatter, t, t)]


def scattered(shape, operand, source, init, win, stride, pads, select, scatter, t, w):
    result = np.full(shape, init)
    x, src = np.asarray(operand), np.asarray(source).astype(DTYPES[w])
    for at in np.ndindex(*src.shape):
        best = None
        for k in np.ndindex(*win):
            p = tuple(a * s + b - lo for a, s, b, (lo, _) in zip(at, stride, k, pads))
            if all(0 <= q < n for q, n in zip(p, shape)):
                if best is None or not evaluate(select, [x[best], x[p]], [t, t])[0]:
                    best = p
        if best is not None:
            result[best] = evaluate(scatter, [result[best], src[at]], [w, w])[0]
    return result


GENERATORS = [(reduce, 10), (promoted_reduce, 2), (promoted_others, 2), (reduce_window, 10), (cumulative, 4), (associative_scan, 1), (select_and_scatter, 5)]
