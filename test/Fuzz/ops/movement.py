"""Shapes and places: slice, pad, concatenate, broadcasts, reshape, bitcast, iota, sort, top_k."""
import numpy as np

from .instance import (BITS, COMPLEX, DTYPES, F8, FLOATS, INTS, SIGNED, UNSIGNED, array, is_complex, is_float, is_int,
                       nums, product, total_order, type_of)
from .indexing import any_type


def slice_(i):
    shape, t = i.shape(zero=0.04), any_type(i)
    lo, hi, st = [], [], []
    for n in shape:
        a = i.rng.randint(0, n)
        b = i.rng.randint(a, n)
        if b == a and i.chance(0.9):
            a, b = 0, n
        lo.append(a), hi.append(b), st.append(i.rng.choice([1, 1, 1, 2, 3, 5, n + 1]))
    data = np.asarray(i.anything(shape, t))
    out = [(b - a + s - 1) // s for a, b, s in zip(lo, hi, st)]
    i.op(f'"stablehlo.slice"({i.arg(data, t)}) <{{limit_indices = {array(hi)}, start_indices = {array(lo)}, strides = {array(st)}}}> : ({type_of(shape, t)}) -> {type_of(out, t)}', t, out, "bits")
    i.reference = lambda: [data[tuple(slice(a, b, s) for a, b, s in zip(lo, hi, st))]]


def pad(i):
    shape, t = i.shape(limit=150, zero=0.05), any_type(i)
    lo, hi, inner, out = [], [], [], []
    for n in shape:
        while True:
            a, b, k = i.rng.randint(-2, 3), i.rng.randint(-2, 3), i.rng.choice([0, 0, 0, 1, 2])
            size = a + b + n + max(n - 1, 0) * k
            if size >= 0:
                break
        lo.append(a), hi.append(b), inner.append(k), out.append(size)
    if product(out) > (200000 if i.big else 5000):
        return False
    data, value = np.asarray(i.anything(shape, t)), np.asarray(i.anything((), t))
    i.op(f'"stablehlo.pad"({i.arg(data, t)}, {i.arg(value, t, 0.5)}) <{{edge_padding_high = {array(hi)}, edge_padding_low = {array(lo)}, interior_padding = {array(inner)}}}> : ({type_of(shape, t)}, {type_of((), t)}) -> {type_of(out, t)}', t, out, "bits")

    def reference():
        from .reduction import padded
        return [padded(data, value, [k + 1 for k in inner], list(zip(lo, hi)))]
    i.reference = reference


def concatenate(i):
    shape, t = list(i.shape(low=1, high=4, limit=150)), any_type(i)
    d = i.rng.randrange(len(shape))
    n = i.rng.choice([1, 2, 2, 3, 5, 17])
    parts = []
    for _ in range(n):
        s = list(shape)
        s[d] = i.rng.choice([0, 1, 2, 3, shape[d]])
        parts.append(np.asarray(i.anything(s, t)))
    out = list(shape)
    out[d] = sum(p.shape[d] for p in parts)
    names = [i.arg(p, t) for p in parts]
    if n > 1 and i.chance(0.2):   # an operand twice
        names[1], parts[1] = names[0], parts[0]
        out[d] = sum(p.shape[d] for p in parts)
    i.op(f'"stablehlo.concatenate"({", ".join(names)}) <{{dimension = {d} : i64}}> : ({", ".join(type_of(p.shape, t) for p in parts)}) -> {type_of(out, t)}', t, out, "bits")
    i.reference = lambda: [np.concatenate(parts, d)]


def reverse(i):
    shape, t = i.shape(), any_type(i)
    dims = i.rng.sample(range(len(shape)), i.rng.randint(0, len(shape)))
    data = np.asarray(i.anything(shape, t))
    i.op(f'"stablehlo.reverse"({i.arg(data, t)}) <{{dimensions = {array(dims)}}}> : ({type_of(shape, t)}) -> {type_of(shape, t)}', t, shape, "bits")
    i.reference = lambda: [np.flip(data, tuple(dims))]


def transpose(i):
    shape, t = i.shape(limit=3000), any_type(i)
    perm = list(range(len(shape)))
    i.rng.shuffle(perm)
    data = np.asarray(i.anything(shape, t))
    out = [shape[k] for k in perm]
    i.op(f'"stablehlo.transpose"({i.arg(data, t)}) <{{permutation = {array(perm)}}}> : ({type_of(shape, t)}) -> {type_of(out, t)}', t, out, "bits")
    i.reference = lambda: [data.transpose(perm)]


def broadcast_in_dim(i):
    out, t = list(i.shape(limit=2000)), any_type(i)
    k = i.rng.randint(0, len(out))
    dims = i.rng.sample(range(len(out)), k)      # any order
    if i.chance(0.7):
        dims.sort()
    shape = [out[d] if i.chance(0.7) else 1 for d in dims]
    data = np.asarray(i.anything(shape, t))
    i.op(f'"stablehlo.broadcast_in_dim"({i.arg(data, t)}) <{{broadcast_dimensions = {array(dims)}}}> : ({type_of(shape, t)}) -> {type_of(out, t)}', t, out, "bits")

    def reference():
        full = [1] * len(out)
        order = np.argsort(dims)
        for d, s in zip(dims, shape):
            full[d] = s
        return [np.broadcast_to(data.transpose([int(o) for o in order]).reshape(full), out)]
    i.reference = reference


def broadcast(i):
    shape, t = i.shape(high=3, limit=60), any_type(i)
    more = [i.rng.choice([1, 2, 3]) for _ in range(i.rng.randint(0, 2))]
    data = np.asarray(i.anything(shape, t))
    out = more + list(shape)
    i.op(f'"stablehlo.broadcast"({i.arg(data, t)}) <{{broadcast_sizes = {array(more)}}}> : ({type_of(shape, t)}) -> {type_of(out, t)}', t, out, "bits")
    i.reference = lambda: [np.broadcast_to(data, out)]


def reshape(i):
    shape, t = i.shape(limit=3000), any_type(i)
    n = product(shape)
    out = []
    rest = n
    while rest > 1 and i.chance(0.85):
        f = i.rng.choice([d for d in range(1, min(rest, 40) + 1) if rest % d == 0])
        out.append(f)
        rest //= f
    out.append(rest)
    if n == 1 and i.chance(0.3):
        out = []
    data = np.asarray(i.anything(shape, t))
    i.op(f'"stablehlo.reshape"({i.arg(data, t)}) : ({type_of(shape, t)}) -> {type_of(out, t)}', t, out, "bits")
    i.reference = lambda: [data.reshape(out)]


def bitcast_convert(i):
    """Same width, narrower (a new minor dimension) or wider."""
    bits = {t: int("".join(c for c in t.split("E")[0] if c.isdigit())) for t in FLOATS + INTS + F8}
    bits = {t: b for t, b in bits.items() if b >= 4}
    bits.update({"complex<f32>": 64, "complex<f64>": 128})
    a = i.rng.choice(list(bits))
    same_kind = [t for t in bits if (is_complex(t) == is_complex(a))]
    b = i.rng.choice(same_kind)
    shape = i.shape(high=4, limit=200, zero=0.01)
    out = list(shape)
    if bits[a] > bits[b]:
        if is_complex(a):
            return False
        out = out + [bits[a] // bits[b]]
    elif bits[a] < bits[b]:
        if is_complex(a):
            return False
        shape = tuple(shape) + (bits[b] // bits[a],)
        if product(shape) > 600:
            return False
    data = np.asarray(i.anything(shape, a, nan=False))
    i.op(f"stablehlo.bitcast_convert {i.arg(data, a)} : ({type_of(shape, a)}) -> {type_of(out, b)}", b, out, "nan")

    def reference():
        """Bits in memory order, the low half of a byte first."""
        if is_complex(a):
            return [data]
        width = bits[a]
        if width == 4:
            raw = (data.astype(np.int8).view(np.uint8) & 15).reshape(-1)
        else:
            raw = data.reshape(-1).view(np.uint8)
            if bits[b] == 4:
                raw = np.stack([raw & 15, raw >> 4], -1).reshape(-1)
        if bits[b] == 4:
            return [(raw.astype(np.int64) - 16 * (raw >> 3) * (b in SIGNED)).reshape(out).astype(DTYPES[b])]
        if width == 4:
            raw = raw[0::2] | raw[1::2] << 4
        return [raw.astype(np.uint8).view(DTYPES[b]).reshape(out)]
    i.reference = reference


def iota(i):
    t = i.dtype(FLOATS, INTS, ["f32", "i32"], COMPLEX, F8)
    shape = i.shape(low=1, limit=2000)
    d = i.rng.randrange(len(shape))
    if is_int(t) and shape[d] > 2 ** (BITS[t] - 1) or t in F8 and shape[d] > 8:
        return False
    i.op(f'"stablehlo.iota"() <{{iota_dimension = {d} : i64}}> : () -> {type_of(shape, t)}', t, shape)
    i.reference = lambda: [np.broadcast_to(np.arange(shape[d]).reshape([-1 if k == d else 1 for k in range(len(shape))]), shape).astype(DTYPES[t])]


def sort(i):
    r = i.rng
    shape = i.shape(low=1, high=4)
    d = r.randrange(len(shape))
    n = r.choice([1, 1, 2, 3, 4])
    types = [any_type(i) if k else i.dtype(FLOATS, INTS, ["f32", "i32"], ["i1"], FLOATS, INTS, COMPLEX) for k in range(n)]
    key = types[0]
    data = [np.asarray(i.anything(shape, t)) if i.chance(0.5) else i.small(shape, t, 3) for t in types]
    way, kind = r.choice(["LT", "GT"]), r.choice(["plain", "plain", "two", "abs", "mixed"])
    total = is_float(key)
    stable = True
    if kind == "two" and (n < 2 or is_complex(types[1]) or types[1] in F8):
        kind = "plain"
    if n == 1 and kind == "plain" and i.chance(0.3):
        stable = False

    def comparator(s, v):
        if is_complex(key):   # as JAX does: real parts, then imaginary parts
            parts = [s.part(which, x) for which in ("real", "imag") for x in v[:2]]
            return [s.select(s.compare("EQ", parts[0], parts[1], True), s.compare(way, parts[2], parts[3], True), s.compare(way, parts[0], parts[1], True))]
        if kind == "two":
            first = s.compare(way, v[0], v[1], total)
            equal = s.compare("EQ", v[0], v[1], total)
            return [s.select(equal, s.compare("LT", v[2], v[3], is_float(types[1])), first)]
        if kind == "abs" and not (key in UNSIGNED or key == "i1"):
            return [s.compare(way, s.unary("abs", v[0]), s.unary("abs", v[1]), total)]
        return [s.compare(way, v[0], v[1], total)]
    if key in ("i1",):
        total = False
    pairs = [t for t in types for _ in range(2)]
    names = [i.arg(x, t) for x, t in zip(data, types)]
    ins = ", ".join(type_of(shape, t) for t in types)
    dim_attr = d if i.chance(0.8) else d - len(shape)
    i.ops(f'"stablehlo.sort"({", ".join(names)}) <{{dimension = {dim_attr} : i64, is_stable = {str(stable).lower()}}}> ({i.region(pairs, comparator)}) : ({ins}) -> ({ins})',
          [(t, shape) for t in types], ["bits"] * n)

    def reference():
        import functools
        from .instance import evaluate
        out = [np.array(x) for x in data]
        rest = [m for k, m in enumerate(shape) if k != d]
        for at in np.ndindex(*rest):
            line = tuple(at[:d]) + (slice(None),) + tuple(at[d:])
            columns = [x[line] for x in data]

            def before(p, q):
                values = [np.asarray(c[z]) for c in columns for z in (p, q)]
                return bool(evaluate(comparator, values, pairs)[0])
            order = sorted(range(shape[d]), key=functools.cmp_to_key(lambda p, q: -1 if before(p, q) else 1 if before(q, p) else 0))
            for x, c in zip(out, columns):
                x[line] = c[order]
        return out
    i.reference = reference


def top_k(i):
    shape = i.shape(low=1, high=3, zero=0)
    t = i.dtype(FLOATS, INTS, ["f32", "i32"])
    n = shape[-1]
    k = i.rng.randint(0 if i.chance(0.05) else 1, n)
    data = np.asarray(i.anything(shape, t, nan=i.chance(0.3)))
    out = list(shape[:-1]) + [k]
    i.ops(f"chlo.top_k({i.arg(data, t)}, k = {k}) : {type_of(shape, t)} -> ({type_of(out, t)}, {type_of(out, 'i32')})", [(t, out), ("i32", out)])

    def reference():
        x = data.astype(object) if is_int(t) else total_order(data).astype(object)
        order = np.argsort(-x, axis=-1, kind="stable")[..., :k].astype(np.int32)
        return [np.take_along_axis(data, order, -1), order]
    i.reference = reference


GENERATORS = [(slice_, 3), (pad, 4), (concatenate, 3), (reverse, 2), (transpose, 3), (broadcast_in_dim, 4), (broadcast, 1), (reshape, 2),
              (bitcast_convert, 3), (iota, 2), (sort, 8), (top_k, 2)]
