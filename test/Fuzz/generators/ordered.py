"""Sorts, scans, arguments of extremes, reductions by bodies of their own, random bits."""
from program import _product, is_float, is_num, kind_of, literal, nums, tensor, Value


def sort(p):
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    x, y, r = p.fresh(), p.fresh(), p.fresh()
    t = tensor((), a.dtype)
    kind = kind_of(a)
    p.emit(f'"stablehlo.sort"({a.name}) <{{dimension = {d} : i64, is_stable = true}}> ({{\n    ^bb0({x}: {t}, {y}: {t}):\n      {r} = stablehlo.compare {p.rng.choice(["LT", "GT"])}, {x}, {y}, {kind} : ({t}, {t}) -> tensor<i1>\n'
           f'      stablehlo.return {r} : tensor<i1>\n    }}) : ({a.type}) -> {a.type}', a.dtype, a.shape, True, a.bound)


def region(args, body, result):
    """A region of scalars: `args` are (name, type), `result` (name, type) pairs."""
    head = ", ".join(f"{n}: {t}" for n, t in args)
    return (f"({{\n    ^bb0({head}):\n      " + "\n      ".join(body) + f"\n      stablehlo.return {', '.join(n for n, _ in result)} : {', '.join(t for _, t in result)}\n    }})")


def cumulative(p):
    """A reduce_window that is a scan: sum, extremes, from either end."""
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound < 1e4)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    n = a.shape[d]
    f = is_float(a)
    op, init, bound = p.rng.choice([("add", "0.0" if f else "0", a.bound * n), ("maximum", literal("lowest", a.dtype), a.bound),
                                    ("minimum", literal("highest", a.dtype), a.bound)])
    c = p.const(init, a.dtype)
    x, y, r = p.fresh(), p.fresh(), p.fresh()
    t = tensor((), a.dtype)
    window = [n if i == d else 1 for i in range(len(a.shape))]
    low = p.rng.random() < 0.5
    padding = [([n - 1, 0] if low else [0, n - 1]) if i == d else [0, 0] for i in range(len(a.shape))]
    p.emit(f'"stablehlo.reduce_window"({a.name}, {c}) <{{padding = dense<{padding}> : tensor<{len(window)}x2xi64>, window_dimensions = array<i64: {", ".join(map(str, window))}>}}> '
           + region([(x, t), (y, t)], [f"{r} = stablehlo.{op} {x}, {y} : {t}"], [(r, t)]) + f" : ({a.type}, {t}) -> {a.type}",
           a.dtype, a.shape, a.exact, bound, a.err + (0 if a.exact else n))


def arg_extreme(p):
    """argmax or argmin as JAX prints it: value and index reduced together."""
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    out = [x for i, x in enumerate(a.shape) if i != d]
    way, start = p.rng.choice([("GT", literal("lowest", a.dtype)), ("LT", literal("highest", a.dtype))])
    index = p.emit(f"stablehlo.iota dim = {d} : {tensor(a.shape, 'i32')}", "i32", a.shape, True, a.shape[d])
    c, z = p.const(start, a.dtype), p.const(0, "i32")
    t, ti, tb = tensor((), a.dtype), tensor((), "i32"), tensor((), "i1")
    x, i, y, j, better, same, lower, both, first, v, k, name = (p.fresh() for _ in range(12))
    kind = kind_of(a)
    body = [f"{better} = stablehlo.compare {way}, {x}, {y}, {kind} : ({t}, {t}) -> {tb}", f"{same} = stablehlo.compare EQ, {x}, {y}, {kind} : ({t}, {t}) -> {tb}",
            f"{lower} = stablehlo.compare LT, {i}, {j}, SIGNED : ({ti}, {ti}) -> {tb}", f"{both} = stablehlo.and {same}, {lower} : {tb}", f"{first} = stablehlo.or {better}, {both} : {tb}",
            f"{v} = stablehlo.select {better}, {x}, {y} : {tb}, {t}", f"{k} = stablehlo.select {first}, {i}, {j} : {tb}, {ti}"]
    p.lines.append(f'{name}:2 = "stablehlo.reduce"({a.name}, {index.name}, {c}, {z}) <{{dimensions = array<i64: {d}>}}> '
                   + region([(x, t), (i, ti), (y, t), (j, ti)], body, [(v, t), (k, ti)])
                   + f" : ({a.type}, {index.type}, {t}, {ti}) -> ({tensor(out, a.dtype)}, {tensor(out, 'i32')})")
    p.values.append(Value(f"{name}#0", a.dtype, tuple(out), True, a.bound))
    p.values.append(Value(f"{name}#1", "i32", tuple(out), True, a.shape[d]))


def own_reduce(p):
    """A reduction whose body no collective has: a sum and a maximum at once, or a sum computed in a roundabout way."""
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1 and v.bound < 1e3)
    if a is None:
        return False
    dims = sorted(p.rng.sample(range(len(a.shape)), p.rng.randint(1, len(a.shape))))
    out = [x for i, x in enumerate(a.shape) if i not in dims]
    n = _product(a.shape[i] for i in dims)
    one = "1.0" if is_float(a) else "1"
    start = p.const(p.rng.choice(["0", "2"]) + (".0" if is_float(a) else "") if n > 1 else ("0.0" if is_float(a) else "0"), a.dtype)
    t = tensor((), a.dtype)
    x, y, r, s = p.fresh(), p.fresh(), p.fresh(), p.fresh()
    if p.rng.random() < 0.5:
        c = p.fresh()
        body = [f"{c} = stablehlo.constant dense<{one}> : {t}", f"{r} = stablehlo.add {x}, {c} : {t}", f"{p.fresh()} = stablehlo.subtract {y}, {c} : {t}",
                f"{s} = stablehlo.add {r}, %v{p.counter} : {t}"]
        p.emit(f'"stablehlo.reduce"({a.name}, {start}) <{{dimensions = array<i64: {", ".join(map(str, dims))}>}}> ' + region([(x, t), (y, t)], body, [(s, t)])
               + f" : ({a.type}, {t}) -> {tensor(out, a.dtype)}", a.dtype, out, True, a.bound * n + 2)
        return
    low = p.const("-1000.0" if is_float(a) else "-1000", a.dtype)
    u, w, name = p.fresh(), p.fresh(), p.fresh()
    p.lines.append(f'{name}:2 = "stablehlo.reduce"({a.name}, {a.name}, {start}, {low}) <{{dimensions = array<i64: {", ".join(map(str, dims))}>}}> '
                   + region([(x, t), (u, t), (y, t), (w, t)], [f"{r} = stablehlo.add {x}, {y} : {t}", f"{s} = stablehlo.maximum {u}, {w} : {t}"], [(r, t), (s, t)])
                   + f" : ({a.type}, {a.type}, {t}, {t}) -> ({tensor(out, a.dtype)}, {tensor(out, a.dtype)})")
    p.values.append(Value(f"{name}#0", a.dtype, tuple(out), True, a.bound * n + 2))
    p.values.append(Value(f"{name}#1", a.dtype, tuple(out), True, 1000))


def sort_pairs(p):
    """Two operands sorted together, stably, by the first or by both; as argsort is printed."""
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    b = p.pick(lambda v: is_num(v) and v.exact and v.shape == a.shape)
    if p.rng.random() < 0.5:
        b = p.emit(f"stablehlo.iota dim = {d} : {tensor(a.shape, 'i32')}", "i32", a.shape, True, a.shape[d])
    t, tb = tensor((), a.dtype), tensor((), b.dtype)
    x, y, u, w, r, name = (p.fresh() for _ in range(6))
    kind = kind_of(a)
    way = p.rng.choice(["LT", "GT"])
    p.lines.append(f'{name}:2 = "stablehlo.sort"({a.name}, {b.name}) <{{dimension = {d} : i64, is_stable = true}}> '
                   + region([(x, t), (y, t), (u, tb), (w, tb)], [f"{r} = stablehlo.compare {way}, {x}, {y}, {kind} : ({t}, {t}) -> tensor<i1>"], [(r, "tensor<i1>")])
                   + f" : ({a.type}, {b.type}) -> ({a.type}, {b.type})")
    p.values.append(Value(f"{name}#0", a.dtype, a.shape, True, a.bound))
    p.values.append(Value(f"{name}#1", b.dtype, b.shape, True, b.bound))


def top_k(p):
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1)
    if a is None:
        return False
    k = p.rng.randint(1, a.shape[-1])
    out = a.shape[:-1] + (k,)
    name = p.fresh()
    p.lines.append(f"{name}:2 = chlo.top_k({a.name}, k = {k}) : {a.type} -> ({tensor(out, a.dtype)}, {tensor(out, 'i32')})")
    p.values.append(Value(f"{name}#0", a.dtype, out, True, a.bound))
    p.values.append(Value(f"{name}#1", "i32", out, True, a.shape[-1]))


def random_bits(p):
    shape = p.shape()
    algorithm = p.rng.choice(["THREE_FRY", "PHILOX", "DEFAULT"])
    words = 2 if algorithm == "THREE_FRY" or p.rng.random() < 0.5 else 3
    state, name = p.fresh(), p.fresh()
    width = p.rng.choice([8, 16, 32, 32, 64])
    ui = f"ui{width}"
    seed = [p.rng.choice([7, 2**64 - 2, 2**63 + 12345, 0]) for _ in range(words)]
    p.lines.append(f"{state} = stablehlo.constant dense<{nums(seed)}> : tensor<{words}xui64>")
    p.lines.append(f"{name}:2 = stablehlo.rng_bit_generator {state}, algorithm = {algorithm} : (tensor<{words}xui64>) -> (tensor<{words}xui64>, {tensor(shape, ui)})")
    c, few, spread = p.const(p.rng.choice([13, 16, 101]), ui), p.fresh(), p.fresh()
    p.lines.append(f"{spread} = stablehlo.broadcast_in_dim {c}, dims = [] : ({tensor((), ui)}) -> {tensor(shape, ui)}")
    p.lines.append(f"{few} = stablehlo.remainder {name}#1, {spread} : {tensor(shape, ui)}")
    p.emit(f"stablehlo.convert {few} : ({tensor(shape, ui)}) -> {tensor(shape, 'i32')}", "i32", shape, True, 101)
    if p.rng.random() < 0.3:
        low, rest = p.fresh(), p.const(1009, "ui64")
        p.lines.append(f"{low} = stablehlo.broadcast_in_dim {rest}, dims = [] : (tensor<ui64>) -> tensor<{words}xui64>")
        p.lines.append(f"{p.fresh()} = stablehlo.remainder {name}#0, {low} : tensor<{words}xui64>")
        p.emit(f"stablehlo.convert %v{p.counter} : (tensor<{words}xui64>) -> tensor<{words}xi32>", "i32", (words,), True, 1009)
