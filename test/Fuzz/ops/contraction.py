"""dot_general, dot, einsum and convolution."""
import numpy as np

from .instance import (BITS, COMPLEX, DTYPES, F8, FLOATS, INTS, MANTISSA, SIGNED, UNSIGNED, array, is_complex, is_float,
                       is_int, nums, padding_attr, product, type_of, wrap)

ALGORITHMS = {  # name: (lhs, rhs, accumulation, components, operations, imprecise), input type, result type
    "f32": ("f32", "f32", "f32", 1, 1, "false"), "bf16_bf16_f32": ("bf16", "bf16", "f32", 1, 1, "false"),
    "bf16_x3": ("bf16", "bf16", "f32", 1, 3, "false"), "bf16_x6": ("bf16", "bf16", "f32", 1, 6, "false"),
    "tf32": ("tf32", "tf32", "f32", 1, 1, "false"), "f64": ("f64", "f64", "f64", 1, 1, "false"),
    "f16_f32": ("f16", "f16", "f32", 1, 1, "false"),
}


def sum_bound(dtype, terms):
    """Magnitude of operands such that sums of products are exact in the type."""
    if dtype in ("f16", "bf16") or dtype in F8:
        return 1 if dtype in F8 else 2
    return 4


def mixed_types(i):
    """(lhs, rhs, result) element types."""
    r = i.rng
    kind = r.random()
    if kind < 0.5:
        t = r.choice([r.choice(FLOATS), r.choice(INTS), r.choice(COMPLEX), "f32", "i1"])
        return t, t, t
    if kind < 0.7:
        t = r.choice(INTS)
        wide = [u for u in (SIGNED if t in SIGNED else UNSIGNED) if BITS[u] >= BITS[t]]
        return t, t, r.choice(wide)
    if kind < 0.9:
        t = r.choice(["bf16", "f16", "f32"])
        return t, t, r.choice(["f32", "f64"] if t != "f32" else ["f64"])
    a, b = r.choice(F8), r.choice(F8)
    return (a, b if i.chance(0.3) else a, r.choice(["f32", "bf16", "f16", a]))


def tolerance_of(dtype, terms, bound):
    """Data are small integers: exact where the type holds the largest sum."""
    if is_int(dtype) or dtype == "i1":
        return None
    largest = terms * bound * bound * (2 if is_complex(dtype) else 1)
    if largest <= 2 ** (MANTISSA[dtype] + 1):
        return None
    return (2.0 ** -(MANTISSA[dtype] - 1), 2.0 ** -(MANTISSA[dtype]) * largest)


def widen(x, dtype):
    if dtype == "i1":
        return np.asarray(x).astype(object)
    if is_int(dtype):
        return np.asarray(x).astype(object)
    return np.asarray(x).astype(np.complex128 if is_complex(dtype) else np.float64)


def narrow(x, dtype):
    if dtype == "i1":
        return np.asarray(x != 0).astype(np.bool_)
    return wrap(x, dtype) if is_int(dtype) else np.asarray(x).astype(DTYPES[dtype])


def contract(a, b, lb, rb, lc, rc):
    """dot_general of wide arrays."""
    lf = [d for d in range(a.ndim) if d not in lb + lc]
    rf = [d for d in range(b.ndim) if d not in rb + rc]
    batch = [a.shape[d] for d in lb]
    m, k, n = product(a.shape[d] for d in lf), product(a.shape[d] for d in lc), product(b.shape[d] for d in rf)
    x = a.transpose(lb + lf + lc).reshape(product(batch), m, k)
    y = b.transpose(rb + rc + rf).reshape(product(batch), k, n)
    out = np.zeros((product(batch), m, n), dtype=a.dtype)
    for j in range(k):
        out = out + x[:, :, j:j + 1] * y[:, j:j + 1, :]
    return out.reshape(batch + [a.shape[d] for d in lf] + [b.shape[d] for d in rf])


def precision(i):
    if i.chance(0.6):
        return ""
    p = i.rng.choice(["DEFAULT", "HIGH", "HIGHEST"])
    return f", precision_config = [#stablehlo<precision {p}>, #stablehlo<precision {i.rng.choice([p, 'DEFAULT'])}>]"


def dot_general(i):
    r = i.rng
    nb, nc = r.choice([0, 0, 1, 1, 2, 3]), r.choice([0, 1, 1, 1, 2, 3])
    nl, nr = r.choice([0, 1, 1, 2]), r.choice([0, 1, 1, 2])
    zero = 0.03

    def sizes(n, top):
        if i.big:
            return [r.choice([2, 3, 5, 16, 33, 64, 65, 100, 129, 300][:top]) for _ in range(n)]
        return [0 if i.chance(zero) else r.choice([1, 2, 3, 4, 5, 7, 8, 16, 17, 33][:top]) for _ in range(n)]
    batch, con = sizes(nb, 4), sizes(nc, 10 if nc == 1 else 5)
    left, right = sizes(nl, 10 if nb < 2 else 5), sizes(nr, 10 if nb < 2 else 5)
    most = 60000 if i.big else 2500
    while product(batch + left + right) > most or product(batch + left + con) > 2 * most or product(batch + right + con) > 2 * most:
        batch, con, left, right = ([max(min(x, 1), x // 2) for x in xs] for xs in (batch, con, left, right))

    def place(free):
        roles = [("b", k) for k in range(nb)] + [("c", k) for k in range(nc)] + [("f", k) for k in range(len(free))]
        r.shuffle(roles)
        # Free dimensions keep their order: it is the result's.
        frees = iter(range(len(free)))
        roles = [(role, next(frees)) if role == "f" else (role, k) for role, k in roles]
        table = {"b": batch, "c": con, "f": free}
        return [table[role][k] for role, k in roles], [roles.index(("b", k)) for k in range(nb)], [roles.index(("c", k)) for k in range(nc)]
    ls, lb, lc = place(left)
    rs, rb, rc = place(right)
    lt, rt, ot = mixed_types(i)
    algorithm = ""
    if i.chance(0.08):
        lt, ot, name = r.choice([("f32", "f32", "f32"), ("f32", "f32", "bf16_bf16_f32"), ("f32", "f32", "bf16_x3"), ("f32", "f32", "bf16_x6"),
                                 ("f32", "f32", "tf32"), ("f64", "f64", "f64"), ("f16", "f32", "f16_f32"), ("bf16", "f32", "bf16_bf16_f32")])
        rt = lt
        a = ALGORITHMS[name]
        algorithm = (f", algorithm = #stablehlo.dot_algorithm<lhs_precision_type = {a[0]}, rhs_precision_type = {a[1]}, accumulation_type = {a[2]}, "
                     f"lhs_component_count = {a[3]}, rhs_component_count = {a[3]}, num_primitive_operations = {a[4]}, allow_imprecise_accumulation = {a[5]}>")
    terms = product(con)
    bound = min(sum_bound(t, terms) for t in (lt, rt, ot))
    a, b = i.small(ls, lt, bound), i.small(rs, rt, bound)
    if is_int(ot) and i.chance(0.3):
        a, b = i.anything(ls, lt), i.anything(rs, rt)
    out = batch + left + right
    x, y = i.arg(a, lt), i.arg(b, rt)
    numbers = (f"#stablehlo.dot<lhs_batching_dimensions = {nums(lb)}, rhs_batching_dimensions = {nums(rb)}, "
               f"lhs_contracting_dimensions = {nums(lc)}, rhs_contracting_dimensions = {nums(rc)}>")
    i.op(f'"stablehlo.dot_general"({x}, {y}) <{{dot_dimension_numbers = {numbers}{precision(i) if not algorithm else ""}{algorithm}}}> : '
         f"({type_of(ls, lt)}, {type_of(rs, rt)}) -> {type_of(out, ot)}", ot, out, tolerance_of(ot, terms, bound))
    i.reference = lambda: [narrow(contract(widen(a, lt), widen(b, rt), lb, rb, lc, rc), ot)]


def dot(i):
    r = i.rng
    k = i.dim()
    m, n = i.dim(), i.dim()
    ls = r.choice([(k,), (m, k)])
    rs = r.choice([(k,), (k, n)])
    lt, _, ot = mixed_types(i)
    rt = lt
    bound = min(sum_bound(t, k) for t in (lt, rt, ot))
    a, b = i.small(ls, lt, bound), i.small(rs, rt, bound)
    out = ls[:-1] + rs[1:]
    i.op(f'"stablehlo.dot"({i.arg(a, lt)}, {i.arg(b, rt)}) : ({type_of(ls, lt)}, {type_of(rs, rt)}) -> {type_of(out, ot)}', ot, out, tolerance_of(ot, k, bound))
    i.reference = lambda: [narrow(contract(widen(a, lt), widen(b, rt), [], [], [len(ls) - 1], [0]), ot)]


def einsum(i):
    spec = i.rng.choice(["ij,jk->ik", "bij,bjk->bik", "ij,kj->ki", "i,j->ij", "ijk,kl->lij", "bqhd,bkhd->bhqk", "ij,ij->i", "i,i->"])
    sizes = {c: i.rng.choice([1, 2, 3, 5]) for c in "ijklbqhd"}
    left, right = spec.split("->")[0].split(",")
    shapes = [[sizes[c] for c in part] for part in (left, right, spec.split("->")[1])]
    t = i.rng.choice(["f32", "i32", "f64", "complex<f32>"])
    a, b = i.small(shapes[0], t), i.small(shapes[1], t)
    i.op(f'"stablehlo.einsum"({i.arg(a, t)}, {i.arg(b, t)}) <{{einsum_config = "{spec}"}}> : ({type_of(shapes[0], t)}, {type_of(shapes[1], t)}) -> {type_of(shapes[2], t)}', t, shapes[2])
    i.reference = lambda: [np.einsum(spec, a, b)]


def unary_einsum(i):
    spec = i.rng.choice(["ij->ji", "ij->i", "ij->j", "ijk->kj", "i->", "ijk->"])
    sizes = {c: i.rng.choice([1, 2, 3, 5]) for c in "ijk"}
    shapes = [[sizes[c] for c in part] for part in spec.split("->")]
    t = i.rng.choice(["f32", "i32"])
    a = i.small(shapes[0], t)
    i.op(f'"stablehlo.unary_einsum"({i.arg(a, t)}) <{{einsum_config = "{spec}"}}> : ({type_of(shapes[0], t)}) -> {type_of(shapes[1], t)}', t, shapes[1])
    i.trust_reference = True
    i.reference = lambda: [np.einsum(spec, a)]


def dilate_pad(x, axis, dilation, low, high):
    """Holes of zeros between elements, then padding (negative: cutting)."""
    n = x.shape[axis]
    size = (n - 1) * dilation + 1 if n else 0
    shape = list(x.shape)
    shape[axis] = max(low + size + high, 0)
    out = np.zeros(shape, dtype=x.dtype)
    if x.dtype == object:
        out[...] = 0
    for k in range(n):
        at = low + k * dilation
        if 0 <= at < shape[axis]:
            index = [slice(None)] * x.ndim
            index[axis] = at
            source = [slice(None)] * x.ndim
            source[axis] = k
            out[tuple(index)] = x[tuple(source)]
    return out


def convolution(i):
    r = i.rng
    n = r.choice([0, 1, 1, 2, 2, 2, 3, 4]) if i.chance(0.95) else 5
    feature_groups = batch_groups = 1
    if i.chance(0.35):
        feature_groups = r.choice([2, 3, 4, 4, 8])
    elif i.chance(0.3):
        batch_groups = r.choice([2, 3])
    top = {0: 9, 1: 12, 2: 7, 3: 4, 4: 3, 5: 2}[n] * (4 if i.big and n in (1, 2) else 1)
    cin = r.choice([1, 2, 3, 5, 8 if n < 3 else 1] if not i.big else [3, 16, 20, 33])
    if feature_groups >= 4 and i.chance(0.7):   # depthwise
        cin = 1
    batch = r.choice([1, 1, 2, 3]) * batch_groups
    cout = r.choice([1, 2, 3, 17 if n == 1 else 4] if not i.big else [1, 5, 16, 40]) * feature_groups * batch_groups
    if i.chance(0.03):
        batch = 0
    elif i.chance(0.03):
        cin = 0
    spatial, window, strides, pads, base, dil, rev, out = [], [], [], [], [], [], [], []
    for _ in range(n):
        while True:
            d, w = r.randint(1, top), r.choice([1, 2, 3, r.randint(1, 4 if n < 3 else 2)])
            b, k = r.choice([1, 1, 2, 3]), r.choice([1, 1, 2, 3])
            lo, hi = r.choice([(0, 0), (1, 1), (r.randint(-2, 4), r.randint(-2, 4))])
            s = r.choice([1, 1, 2, 3])
            span = lo + hi + (d - 1) * b + 1 - ((w - 1) * k + 1)
            if lo + hi + (d - 1) * b + 1 > 0 and (span >= 0 or i.chance(0.1)):
                break
        spatial.append(d), window.append(w), strides.append(s), pads.append((lo, hi)), base.append(b), dil.append(k), rev.append(i.chance(0.2))
        out.append(span // s + 1 if span >= 0 else 0)
    lt, rt, ot = mixed_types(i)
    if lt == "i1":
        lt = ot = "f32"
    rt = lt
    terms = product(window) * cin
    bound = min(sum_bound(t, terms) for t in (lt, rt, ot))

    def layout(first, second):
        order = [first, second] + list(range(n))
        if i.chance(0.6):
            r.shuffle(order)
        return order
    li, ki, oi = layout("b", "f"), layout("i", "o"), layout("b", "f")
    sizes_l = {"b": batch, "f": cin * feature_groups, **dict(enumerate(spatial))}
    sizes_k = {"i": cin, "o": cout, **dict(enumerate(window))}
    sizes_o = {"b": batch // batch_groups, "f": cout, **dict(enumerate(out))}
    ls, ks, os = [sizes_l[c] for c in li], [sizes_k[c] for c in ki], [sizes_o[c] for c in oi]
    a, b = i.small(ls, lt, bound), i.small(ks, rt, bound)
    if is_int(ot) and i.chance(0.2):
        a, b = i.anything(ls, lt), i.anything(ks, rt)
    text = f"[{', '.join(map(str, li))}]x[{', '.join(map(str, ki))}]->[{', '.join(map(str, oi))}]"
    attrs = [f"batch_group_count = {batch_groups} : i64", f"dimension_numbers = #stablehlo.conv<{text}>", f"feature_group_count = {feature_groups} : i64"]
    for name, values, default, kind in [("window_strides", strides, 1, "i64"), ("lhs_dilation", base, 1, "i64"), ("rhs_dilation", dil, 1, "i64"), ("window_reversal", rev, False, "i1")]:
        if any(v != default for v in values) or i.chance(0.5):
            attrs.append(f"{name} = {array(values, kind)}")
    if any(p != (0, 0) for p in pads) or (n and i.chance(0.5)):
        attrs.append(f"padding = {padding_attr(pads)}")
    i.op(f'"stablehlo.convolution"({i.arg(a, lt)}, {i.arg(b, rt)}) <{{{", ".join(attrs)}{precision(i)}}}> : ({type_of(ls, lt)}, {type_of(ks, rt)}) -> {type_of(os, ot)}',
         ot, os, tolerance_of(ot, terms, bound))

    def reference():
        x = widen(a, lt).transpose([li.index(c) for c in ["b", "f", *range(n)]])
        k = widen(b, rt).transpose([ki.index(c) for c in ["o", "i", *range(n)]])
        for d in range(n):
            x = dilate_pad(x, d + 2, base[d], *pads[d])
            if rev[d]:
                k = np.flip(k, d + 2)
        groups = feature_groups * batch_groups
        result = np.zeros([batch // batch_groups, cout, *out], dtype=x.dtype)
        per = cout // groups
        for g in range(groups):
            fg, bg = (g, 0) if batch_groups == 1 else (0, g)
            xg = x[bg * (batch // batch_groups):(bg + 1) * (batch // batch_groups), fg * cin:(fg + 1) * cin]
            for o in range(per):
                total = result[:, g * per + o]
                for at in np.ndindex(*window):
                    index = tuple(slice(w * dd, w * dd + (m - 1) * s + 1, s) if m else slice(0, 0) for w, dd, m, s in zip(at, dil, out, strides))
                    for c in range(cin):
                        total = total + xg[(slice(None), c) + index] * k[(g * per + o, c) + at]
                result[:, g * per + o] = total
        return [narrow(result.transpose([["b", "f", *range(n)].index(c) for c in oi]), ot)]
    i.reference = reference


GENERATORS = [(dot_general, 10), (dot, 2), (convolution, 12), (einsum, 1), (unary_einsum, 1)]
