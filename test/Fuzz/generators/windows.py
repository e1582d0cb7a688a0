"""Reductions and selections over windows, convolutions."""
from program import _product, is_float, is_num, kind_of, nums, tensor, Value


def arr(values):
    return "array<i64: " + ", ".join(map(str, values)) + ">"


def body(op, t, p):
    """A region that combines its two arguments."""
    x, y, r = p.fresh(), p.fresh(), p.fresh()
    return f"({{\n    ^bb0({x}: {t}, {y}: {t}):\n      {r} = stablehlo.{op} {x}, {y} : {t}\n      stablehlo.return {r} : {t}\n    }})"


def window_of(p, size, pads=()):
    """A random window over a dimension: (window, stride, base dilation, window dilation, low, high, results), or None."""
    w = p.rng.choice([1, 1, 2, 3]) if p.rng.random() < 0.8 else min(size, 8)
    s, k = p.rng.choice([1, 1, 2, 3]), p.rng.choice([1, 1, 1, 2])
    d = p.rng.choice([1, 1, 1, 2, 3])
    lo, hi = p.rng.choice([(0, 0), (0, 0), (1, 1), (w - 1, 0), (0, 2), (0, -1), *pads])
    span = (size - 1) * d + 1 + lo + hi - ((w - 1) * k + 1)
    if span < 0:
        return None
    return w, s, d, k, lo, hi, span // s + 1


def reduce_window(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound < 1e4)
    if a is None:
        return False
    windows = [window_of(p, d, [(-1, 1), (3, -2)]) for d in a.shape]
    if None in windows:
        return False
    win, stride, base, dil, low, high, out = (list(x) for x in zip(*windows))
    n = _product(win)
    # Padding is as many initial values, by the specification; XLA skips it.
    op, init = p.rng.choice([("add", "0"), ("add", "0"), ("maximum", "-100000"), ("minimum", "3")])
    bound = a.bound * n if op == "add" else 1e5
    if _product(out) > 4096 or bound > 1e6:
        return False
    padding = [[x, y] for x, y in zip(low, high)]
    t = tensor((), a.dtype)
    attrs = (f"<{{base_dilations = {arr(base)}, padding = dense<{padding}> : tensor<{len(win)}x2xi64>, window_dilations = {arr(dil)}, "
             f"window_dimensions = {arr(win)}, window_strides = {arr(stride)}}}>")
    err = a.err + (0 if a.exact else n)
    c = p.const(init + (".0" if is_float(a) else ""), a.dtype)
    if p.rng.random() < 0.75:
        p.emit(f'"stablehlo.reduce_window"({a.name}, {c}) {attrs} {body(op, t, p)} : ({a.type}, {t}) -> {tensor(out, a.dtype)}',
               a.dtype, out, a.exact, bound, err)
        return True
    # Two operands: a sum and a largest element, or what one of them selects.
    b = p.pick(lambda v: is_num(v) and v.shape == a.shape and v.bound < 1e4)
    if b is None or not a.exact or not b.exact:
        return False
    e = p.const("-7" + (".0" if is_float(b) else ""), b.dtype)
    u = tensor((), b.dtype)
    x, y, z, w, r, q, name = (p.fresh() for _ in range(7))
    p.lines.append(
        f'{name}:2 = "stablehlo.reduce_window"({a.name}, {b.name}, {c}, {e}) {attrs} ({{\n    ^bb0({x}: {t}, {y}: {u}, {z}: {t}, {w}: {u}):\n'
        f"      {r} = stablehlo.{op} {x}, {z} : {t}\n      {q} = stablehlo.maximum {y}, {w} : {u}\n      stablehlo.return {r}, {q} : {t}, {u}\n    }}) "
        f": ({a.type}, {b.type}, {t}, {u}) -> ({tensor(out, a.dtype)}, {tensor(out, b.dtype)})")
    p.values.append(Value(f"{name}#0", a.dtype, tuple(out), True, bound, err))
    p.values.append(Value(f"{name}#1", b.dtype, tuple(out), True, max(b.bound, 7), 0))
    return True


def select_and_scatter(p):
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1 and v.bound < 1e3 and v.size <= 512)
    if a is None:
        return False
    # Among equal elements of a padded window XLA takes another than the first:
    # all different, a.size * element + position.
    flat = p.emit(f"stablehlo.iota dim = 0 : {tensor((a.size,), a.dtype)}", a.dtype, (a.size,), True, a.size)
    place = p.emit(f"stablehlo.reshape {flat.name} : ({flat.type}) -> {a.type}", a.dtype, a.shape, True, a.size)
    scale = p.const(str(a.size) + (".0" if is_float(a) else ""), a.dtype)
    scale = p.emit(f"stablehlo.broadcast_in_dim {scale}, dims = [] : ({tensor((), a.dtype)}) -> {a.type}", a.dtype, a.shape, True, a.size)
    scaled = p.emit(f"stablehlo.multiply {a.name}, {scale.name} : {a.type}", a.dtype, a.shape, True, a.size * a.bound)
    a = p.emit(f"stablehlo.add {scaled.name}, {place.name} : {a.type}", a.dtype, a.shape, True, a.size * (a.bound + 1))
    windows = []
    for d in a.shape:
        w = p.rng.choice([1, 1, 2, 3]) if p.rng.random() < 0.8 else min(d, 8)
        s = p.rng.choice([1, 2, 2, 3])
        # A window without elements selects whatever one likes.
        lo, hi = (0, 0) if w == 1 else p.rng.choice([(0, 0), (1, 0), (0, 1), (w // 2, w // 2)])
        if d + lo + hi < w:
            return False
        windows.append((w, s, lo, hi, (d + lo + hi - w) // s + 1))
    win, stride, low, high, out = (list(x) for x in zip(*windows))
    source = p.pick(lambda v: v.dtype == a.dtype and v.shape == tuple(out) and v.bound < 1e4)
    if source is None:
        source = p.emit(f"stablehlo.iota dim = {p.rng.randrange(len(out))} : {tensor(out, a.dtype)}", a.dtype, out, True, max(out))
    padding = [[x, y] for x, y in zip(low, high)]
    t = tensor((), a.dtype)
    kind = kind_of(a)
    c = p.const(p.rng.choice(["0", "0", "1"]) + (".0" if is_float(a) else ""), a.dtype)
    x, y, r = p.fresh(), p.fresh(), p.fresh()
    op = p.rng.choice(["add", "add", "maximum"])
    p.emit(f'"stablehlo.select_and_scatter"({a.name}, {source.name}, {c}) <{{padding = dense<{padding}> : tensor<{len(win)}x2xi64>, window_dimensions = {arr(win)}, window_strides = {arr(stride)}}}> '
           f"({{\n    ^bb0({x}: {t}, {y}: {t}):\n      {r} = stablehlo.compare {p.rng.choice(['GE', 'GE', 'LE', 'GT'])}, {x}, {y}, {kind} : ({t}, {t}) -> tensor<i1>\n      stablehlo.return {r} : tensor<i1>\n    }}, "
           f"{body(op, t, p)[1:]} : ({a.type}, {source.type}, {t}) -> {a.type}",
           a.dtype, a.shape, source.exact, source.bound * _product(win) + 1, source.err + _product(win))


def convolution(p):
    """Spatial dimensions of any kind, groups of features or of batches, dimension numbers in any order."""
    spatial = p.rng.choice([1, 1, 2, 2, 3])
    # An operand of the program if its rank fits, else a new one.
    a = p.pick(lambda v: is_num(v) and v.bound <= 40 and len(v.shape) == spatial + 2)
    rank = spatial + 2
    if a is None:
        shape = [p.rng.choice([1, 2, 3, 4, 6, 8, 9]) for _ in range(rank)]
        if _product(shape) > 2048:
            return False
        dtype = p.rng.choice(p.floats)
        i = p.emit(f"stablehlo.iota dim = {p.rng.randrange(rank)} : {tensor(shape, dtype)}", dtype, shape, True, max(shape))
        a = p.emit(f"sdy.sharding_constraint {i.name} {p.sharding(shape)} : {i.type}", dtype, shape, True, max(shape))
    order = list(range(rank))
    p.rng.shuffle(order)
    lb, lf, ls = order[0], order[1], order[2:]
    batch, features = a.shape[lb], a.shape[lf]
    fg = bg = 1
    if p.rng.random() < 0.3:
        fg = p.rng.choice([g for g in range(1, features + 1) if features % g == 0])
    elif p.rng.random() < 0.3:
        bg = p.rng.choice([g for g in range(1, batch + 1) if batch % g == 0])
    outf = p.rng.choice([1, 2, 3, 4]) * fg * bg
    windows, ksizes = [], []
    for d in ls:
        # (XLA reads wrong elements where one side is padded, the other cropped.)
        w = window_of(p, a.shape[d], [(-1, 0), (-1, -1)])
        if w is None:
            return False
        windows.append(w)
        ksizes.append(w[0])
    # The kernel: a value of the program, or a small new one.
    korder = list(range(rank))
    p.rng.shuffle(korder)
    ki, ko, ks = korder[0], korder[1], korder[2:]
    kshape = [0] * rank
    kshape[ki], kshape[ko] = features // fg, outf
    for d, n in zip(ks, ksizes):
        kshape[d] = n
    n = _product(ksizes) * (features // fg)
    k = p.pick(lambda v: v.dtype == a.dtype and v.shape == tuple(kshape) and v.bound * a.bound * n < 1e6)
    if k is None:
        i = p.emit(f"stablehlo.iota dim = {p.rng.randrange(rank)} : {tensor(kshape, a.dtype)}", a.dtype, kshape, True, max(kshape))
        k = p.emit(f"sdy.sharding_constraint {i.name} {p.sharding(kshape)} : {i.type}", a.dtype, kshape, True, max(kshape))
    bound = a.bound * k.bound * n
    oorder = list(range(rank))
    p.rng.shuffle(oorder)
    ob, of, osp = oorder[0], oorder[1], oorder[2:]
    out = [0] * rank
    out[ob], out[of] = batch // bg, outf
    for d, w in zip(osp, windows):
        out[d] = w[6]
    if _product(out) > 4096 or bound > 1e6 or _product(kshape) > 2048:
        return False

    def numbers(b, f, s, names):
        text = [""] * rank
        text[b], text[f] = names
        for i, d in enumerate(s):
            text[d] = str(i)
        return "[" + ", ".join(text) + "]"
    reverse = ", ".join(p.rng.choice(["false", "false", "true"]) for _ in ls)
    pads = [[w[4], w[5]] for w in windows]
    attrs = (f"stride = {nums(w[1] for w in windows)}, pad = {pads}, lhs_dilate = {nums(w[2] for w in windows)}, "
             f"rhs_dilate = {nums(w[3] for w in windows)}, reverse = [{reverse}]")
    exact = a.exact and k.exact
    p.emit(f"stablehlo.convolution({a.name}, {k.name}) dim_numbers = {numbers(lb, lf, ls, 'bf')}x{numbers(ki, ko, ks, 'io')}->{numbers(ob, of, osp, 'bf')}, "
           f"window = {{{attrs}}} {{batch_group_count = {bg} : i64, feature_group_count = {fg} : i64}} : ({a.type}, {k.type}) -> {tensor(out, a.dtype)}",
           a.dtype, out, exact, bound, a.err + k.err + (0 if exact else n))
