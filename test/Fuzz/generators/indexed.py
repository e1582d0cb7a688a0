"""Places that are data: dynamic slices, gather, scatter."""
from program import _product, is_float, is_num, nums, tensor, Value


def index_operand(p, shape, limit):
    """An i32 tensor whose values lie somewhat beyond [0, limit)."""
    a = p.pick(lambda v: v.dtype == "i32" and v.shape == tuple(shape))
    if a is not None:
        return a
    d = p.rng.randrange(len(shape)) if shape else None
    if d is None:
        return Value(p.const(p.rng.randint(-1, limit), "i32"), "i32", ())
    base = p.emit(f"stablehlo.iota dim = {d} : {tensor(shape, 'i32')}", "i32", shape, True, max(shape))
    c = p.const(p.rng.choice([-1, 2, 3, 5]), "i32")
    k = p.emit(f"stablehlo.broadcast_in_dim {c}, dims = [] : (tensor<i32>) -> {tensor(shape, 'i32')}", "i32", shape, True, 5)
    return p.emit(f"stablehlo.multiply {base.name}, {k.name} : {base.type}", "i32", shape, True, 5 * max(shape))


def scalar_index(p, limit):
    v = p.pick(lambda v: v.dtype == "i32" and v.shape == ())
    if v is not None and p.rng.random() < 0.5:
        return v.name
    return p.const(p.rng.randint(-1, limit), "i32")


def dynamic_slice(p):
    a = p.pick(lambda v: len(v.shape) >= 1)
    if a is None:
        return False
    sizes = [d if p.rng.random() < 0.5 else p.rng.randint(1, d) for d in a.shape]
    idx = [scalar_index(p, d) for d in a.shape]
    p.emit(f"stablehlo.dynamic_slice {a.name}, {', '.join(idx)}, sizes = {nums(sizes)} : ({a.type}, {', '.join(['tensor<i32>'] * len(idx))}) -> {tensor(sizes, a.dtype)}",
           a.dtype, sizes, a.exact, a.bound, a.err)


def dynamic_update_slice(p):
    a = p.pick(lambda v: len(v.shape) >= 1)
    if a is None:
        return False
    b = p.pick(lambda v: v.dtype == a.dtype and len(v.shape) == len(a.shape) and all(x <= y for x, y in zip(v.shape, a.shape)))
    idx = [scalar_index(p, d) for d in a.shape]
    p.emit(f"stablehlo.dynamic_update_slice {a.name}, {b.name}, {', '.join(idx)} : ({a.type}, {b.type}, {', '.join(['tensor<i32>'] * len(idx))}) -> {a.type}",
           a.dtype, a.shape, a.exact and b.exact, max(a.bound, b.bound), max(a.err, b.err))


def gather(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    ishape = p.shape(p.rng.randint(1, 2), 32)
    idx = index_operand(p, ishape, a.shape[d])
    out = list(ishape) + [x for i, x in enumerate(a.shape) if i != d]
    if _product(out) > 4096:
        return False
    off = list(range(len(ishape), len(out)))
    sizes = [1 if i == d else x for i, x in enumerate(a.shape)]
    p.emit(f'"stablehlo.gather"({a.name}, {idx.name}) <{{dimension_numbers = #stablehlo.gather<offset_dims = {nums(off)}, collapsed_slice_dims = [{d}], start_index_map = [{d}], '
           f'index_vector_dim = {len(ishape)}>, indices_are_sorted = false, slice_sizes = array<i64: {", ".join(map(str, sizes))}>}}> : ({a.type}, {idx.type}) -> {tensor(out, a.dtype)}',
           a.dtype, out, a.exact, a.bound, a.err)


def scatter_add(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound < 1e4)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    n = p.rng.randint(1, 12)
    ushape = [n] + [x for i, x in enumerate(a.shape) if i != d]
    u = p.pick(lambda v: v.dtype == a.dtype and v.shape == tuple(ushape) and v.bound < 1e4)
    if u is None:
        c = p.const("2" + (".0" if is_float(a) else ""), a.dtype)
        u = p.emit(f"stablehlo.broadcast_in_dim {c}, dims = [] : ({tensor((), a.dtype)}) -> {tensor(ushape, a.dtype)}", a.dtype, ushape, True, 2)
    idx = index_operand(p, (n,), a.shape[d])
    win = list(range(1, len(ushape)))
    x, y, r = p.fresh(), p.fresh(), p.fresh()
    op = p.rng.choice(["add", "add", "maximum"])
    t = tensor((), a.dtype)
    exact = a.exact and u.exact
    p.emit(f'"stablehlo.scatter"({a.name}, {idx.name}, {u.name}) <{{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = {nums(win)}, inserted_window_dims = [{d}], '
           f'scatter_dims_to_operand_dims = [{d}], index_vector_dim = 1>, unique_indices = false}}> ({{\n    ^bb0({x}: {t}, {y}: {t}):\n      {r} = stablehlo.{op} {x}, {y} : {t}\n      stablehlo.return {r} : {t}\n    }}) '
           f': ({a.type}, {idx.type}, {u.type}) -> {a.type}',
           a.dtype, a.shape, exact, a.bound + n * u.bound, a.err + u.err + (0 if exact else n))
