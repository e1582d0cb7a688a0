"""Loops that count and branches."""
from program import is_num, nums, same_shape_pair, tensor, Value


def counted_loop(p):
    """A scan: carries one value, adds a row of another at each step."""
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound < 1e4)
    if a is None:
        return False
    xs = p.pick(lambda v: v.dtype == a.dtype and len(v.shape) == len(a.shape) + 1 and v.shape[1:] == a.shape and v.bound < 1e3)
    if xs is None:
        n = p.rng.randint(2, 4)
        xs = p.emit(f"stablehlo.broadcast_in_dim {a.name}, dims = {nums(range(1, len(a.shape) + 1))} : ({a.type}) -> {tensor((n,) + a.shape, a.dtype)}",
                    a.dtype, (n,) + a.shape, a.exact, a.bound, a.err)
    n = xs.shape[0]
    zero, limit, one = p.const(0, "i32"), p.const(n, "i32"), p.const(1, "i32")
    i, c, s, r, x, q, t, w = (p.fresh() for _ in range(8))
    row = tensor((1,) + a.shape, a.dtype)
    out = p.fresh()
    rest = "".join(f", {zero}" for _ in a.shape)
    types = ", ".join(["tensor<i32>"] * (len(a.shape) + 1))
    full = [1] + list(a.shape)
    p.lines.append(
        f"{out}:3 = stablehlo.while({i} = {zero}, {c} = {a.name}, {s} = {xs.name}) : tensor<i32>, {a.type}, {xs.type}\n    cond {{\n"
        f"      {q} = stablehlo.compare LT, {i}, {limit}, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>\n      stablehlo.return {q} : tensor<i1>\n    }} do {{\n"
        f"      {x} = stablehlo.dynamic_slice {s}, {i}{rest}, sizes = {nums(full)} : ({xs.type}, {types}) -> {row}\n"
        f"      {r} = stablehlo.reshape {x} : ({row}) -> {a.type}\n"
        f"      {t} = stablehlo.add {c}, {r} : {a.type}\n"
        f"      {p.fresh()} = stablehlo.reshape {t} : ({a.type}) -> {row}\n"
        f"      {w} = stablehlo.dynamic_update_slice {s}, %v{p.counter}, {i}{rest} : ({xs.type}, {row}, {types}) -> {xs.type}\n"
        f"      {p.fresh()} = stablehlo.add {i}, {one} : tensor<i32>\n"
        f"      stablehlo.return %v{p.counter}, {t}, {w} : tensor<i32>, {a.type}, {xs.type}\n    }}")
    exact = a.exact and xs.exact
    bound = a.bound + n * xs.bound
    err = a.err + xs.err + (0 if exact else n)
    p.values.append(Value(f"{out}#1", a.dtype, a.shape, exact, bound, err))
    p.values.append(Value(f"{out}#2", xs.dtype, xs.shape, exact, bound, err))


def conditional(p):
    a, b = same_shape_pair(p, is_num)
    if a is None:
        return False
    pred = p.rng.choice(["true", "false"])
    c = p.const(pred, "i1")
    x, y, out = p.fresh(), p.fresh(), p.fresh()
    p.lines.append(f'{out} = "stablehlo.if"({c}) ({{\n      {x} = stablehlo.add {a.name}, {b.name} : {a.type}\n      stablehlo.return {x} : {a.type}\n    }}, {{\n'
                   f'      {y} = stablehlo.subtract {a.name}, {b.name} : {a.type}\n      stablehlo.return {y} : {a.type}\n    }}) : (tensor<i1>) -> {a.type}')
    p.values.append(Value(out, a.dtype, a.shape, a.exact and b.exact, a.bound + b.bound, a.err + b.err + 1))
