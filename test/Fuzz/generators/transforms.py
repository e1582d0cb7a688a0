"""Fourier transforms, factorizations, and long lines to cut."""
from program import _product, nums, Program, tensor
from .ordered import sort, sort_pairs


def fft(p):
    """Of one to three dimensions; complex or real on either side. The result's parts are added up."""
    a = p.pick(lambda v: v.dtype == "f32" and len(v.shape) >= 1 and v.bound * v.size < 1e5)
    if a is None:
        return False
    rank = p.rng.randint(1, min(3, len(a.shape)))
    lengths = list(a.shape[-rank:])
    n = _product(lengths)
    kind = p.rng.choice(["FFT", "IFFT", "RFFT", "IRFFT"])
    t = tensor(a.shape, "complex<f32>")
    source = a.name
    out = list(a.shape)
    if kind != "RFFT":
        source = p.fresh()
        # Real where the result is: what IRFFT does with other input is its own affair.
        p.lines.append(f"{source} = stablehlo.complex {a.name}, {a.name} : {t}" if kind != "IRFFT" else f"{source} = stablehlo.convert {a.name} : ({a.type}) -> {t}")
    if kind == "RFFT":
        out[-1] = out[-1] // 2 + 1
    if kind == "IRFFT":
        if out[-1] < 2:
            return False
        lengths[-1] = out[-1] = (out[-1] - 1) * 2 + p.rng.randint(0, 1)
        n = _product(lengths)
    to = tensor(out, "f32" if kind == "IRFFT" else "complex<f32>")
    err = a.err + 64
    made = f"stablehlo.fft {source}, type = {kind}, length = {nums(lengths)} : ({a.type if kind == 'RFFT' else t}) -> {to}"
    if kind == "IRFFT":
        p.emit(made, "f32", out, False, a.bound * 2, err)
        return
    f, re, im = p.fresh(), p.fresh(), p.fresh()
    bound = a.bound * (4 if kind == "IFFT" else 4 * n)
    p.lines += [f"{f} = {made}", f"{re} = stablehlo.real {f} : ({to}) -> {tensor(out, 'f32')}", f"{im} = stablehlo.imag {f} : ({to}) -> {tensor(out, 'f32')}"]
    p.emit(f"stablehlo.add {re}, {im} : {tensor(out, 'f32')}", "f32", out, False, bound, err)


def scattered(p, n, dtype, most):
    """n numbers in no order, most of them several times, sharded somehow: big enough that moving little pays."""
    t, ti = tensor((n,), dtype), tensor((n,), "i32")
    i, a, b, c, d, e = (p.fresh() for _ in range(6))
    by, mod = p.const(p.rng.choice([7919, 5003, -6151]), "i32"), p.const(most, "i32")
    p.lines += [f"{i} = stablehlo.iota dim = 0 : {ti}", f"{a} = stablehlo.broadcast_in_dim {by}, dims = [] : (tensor<i32>) -> {ti}", f"{b} = stablehlo.multiply {i}, {a} : {ti}",
                f"{c} = stablehlo.multiply {b}, {i} : {ti}", f"{d} = stablehlo.broadcast_in_dim {mod}, dims = [] : (tensor<i32>) -> {ti}", f"{e} = stablehlo.remainder {c}, {d} : {ti}"]
    v = p.emit(f"stablehlo.convert {e} : ({ti}) -> {t}", dtype, (n,), True, most)
    return p.emit(f"sdy.sharding_constraint {v.name} {p.sharding(v.shape)} : {v.type}", dtype, (n,), True, most)


def long_sort(p):
    v = scattered(p, p.rng.randint(500, 4096), p.rng.choice(["f32", "i32"]), p.rng.choice([3, 100, 100000]))
    u = scattered(p, v.shape[0], "i32", 50)
    short = Program(p.rng, p.mesh, p.lines, [v, u], counter=p.counter)
    (sort_pairs if p.rng.random() < 0.7 else sort)(short)
    p.counter = short.counter
    p.values += short.values[2:]


def long_fft(p):
    v = scattered(p, p.rng.choice([576, 1152, 1024, 2048, 4096, 1000]), "f32", 5)
    short = Program(p.rng, p.mesh, p.lines, [v], counter=p.counter)
    fft(short)
    p.counter = short.counter
    p.values += short.values[1:]


def dominant(p, rank, n):
    """A symmetric matrix (batched) with a heavy diagonal, made of iotas: 2n where row equals column, else 1/(1 + |row - column|)."""
    shape = p.shape(rank - 2, 16) + (n, n)
    t, ti = tensor(shape, "f32"), tensor(shape, "f32")
    i, j, e, c, k, s, r = (p.fresh() for _ in range(7))
    one, heavy = p.const("1.0", "f32"), p.const(f"{2.0 * n}", "f32")
    q, m, h, o = p.fresh(), p.fresh(), p.fresh(), p.fresh()
    p.lines += [f"{i} = stablehlo.iota dim = {len(shape) - 2} : {t}", f"{j} = stablehlo.iota dim = {len(shape) - 1} : {ti}", f"{e} = stablehlo.subtract {i}, {j} : {t}",
                f"{c} = stablehlo.abs {e} : {t}", f"{o} = stablehlo.broadcast_in_dim {one}, dims = [] : (tensor<f32>) -> {t}", f"{h} = stablehlo.broadcast_in_dim {heavy}, dims = [] : (tensor<f32>) -> {t}",
                f"{k} = stablehlo.add {c}, {o} : {t}", f"{s} = stablehlo.divide {o}, {k} : {t}", f"{m} = stablehlo.compare EQ, {i}, {j}, FLOAT : ({t}, {t}) -> {tensor(shape, 'i1')}"]
    return p.emit(f"stablehlo.select {m}, {h}, {s} : {tensor(shape, 'i1')}, {t}", "f32", shape, False, 2.0 * n, 1)


def cholesky(p):
    a = p.pick(lambda v: v.dtype == "f32" and getattr(v, "dominant", False))
    if a is None:
        a = dominant(p, p.rng.randint(2, 3), p.rng.choice([1, 2, 4, 5, 6, 8, 9]))
        v = p.emit(f"sdy.sharding_constraint {a.name} {p.sharding(a.shape)} : {a.type}", "f32", a.shape, False, a.bound, 1)
        a = v
    lower = p.rng.random() < 0.5
    l = p.fresh()
    p.lines.append(f"{l} = stablehlo.cholesky {a.name}, lower = {'true' if lower else 'false'} : {a.type}")
    # The other triangle is anything.
    i, j, m, z, o = (p.fresh() for _ in range(5))
    ti = tensor(a.shape, "i32")
    r = len(a.shape)
    p.lines += [f"{i} = stablehlo.iota dim = {r - 2} : {ti}", f"{j} = stablehlo.iota dim = {r - 1} : {ti}", f"{m} = stablehlo.compare {'GE' if lower else 'LE'}, {i}, {j}, SIGNED : ({ti}, {ti}) -> {tensor(a.shape, 'i1')}",
                f"{z} = stablehlo.constant dense<0.0> : {a.type}"]
    p.emit(f"stablehlo.select {m}, {l}, {z} : {tensor(a.shape, 'i1')}, {a.type}", "f32", a.shape, False, a.bound, 64)


def triangular_solve(p):
    b = p.pick(lambda v: v.dtype == "f32" and len(v.shape) in (2, 3) and v.bound < 1e4)
    if b is None:
        return False
    if p.rng.random() < 0.4:  # Few right-hand sides for a big matrix.
        b = scattered(p, p.rng.randint(17, 64), "f32", 5)
        shape = (b.shape[0], 1) if p.rng.random() < 0.5 else (1, b.shape[0])
        b = p.emit(f"stablehlo.reshape {b.name} : ({b.type}) -> {tensor(shape, 'f32')}", "f32", shape, True, 5)
    left = b.shape[-1] == 1 or (b.shape[-2] != 1 and p.rng.random() < 0.6)
    n = b.shape[-2] if left else b.shape[-1]
    a = dominant(p, 2, n)
    if len(b.shape) == 3:
        a = p.emit(f"stablehlo.broadcast_in_dim {a.name}, dims = [1, 2] : ({a.type}) -> {tensor(b.shape[:1] + (n, n), 'f32')}", "f32", b.shape[:1] + (n, n), False, a.bound, 1)
    a = p.emit(f"sdy.sharding_constraint {a.name} {p.sharding(a.shape)} : {a.type}", "f32", a.shape, False, a.bound, 1)
    unit = p.rng.random() < 0.2 and n < 3
    flags = f"left_side = {str(left).lower()}, lower = {p.rng.choice(['true', 'false'])}, transpose_a = #stablehlo<transpose {p.rng.choice(['NO_TRANSPOSE', 'TRANSPOSE'])}>, unit_diagonal = {str(unit).lower()}"
    p.emit(f'"stablehlo.triangular_solve"({a.name}, {b.name}) <{{{flags}}}> : ({a.type}, {b.type}) -> {b.type}', "f32", b.shape, False, b.bound * 2, b.err + 64)
