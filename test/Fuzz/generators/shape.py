"""Operations that move elements and compute nothing."""
from program import _product, BITS, is_float, is_num, nums, range_of, tensor


def broadcast(p):
    a = p.pick(lambda v: len(v.shape) <= 3 and v.size <= 512)
    if a is None:
        return False
    rank = p.rng.randint(len(a.shape), min(4, len(a.shape) + 2))
    dims = sorted(p.rng.sample(range(rank), len(a.shape)))
    out = [p.rng.choice([1, 2, 3, 4, 6]) for _ in range(rank)]
    for i, d in enumerate(dims):
        out[d] = a.shape[i] if a.shape[i] != 1 or p.rng.random() < 0.5 else p.rng.choice([2, 3, 4])
    if _product(out) > 4096:
        return False
    p.emit(f"stablehlo.broadcast_in_dim {a.name}, dims = {nums(dims)} : ({a.type}) -> {tensor(out, a.dtype)}", a.dtype, out, a.exact, a.bound, a.err)


def reshape(p):
    a = p.pick(lambda v: len(v.shape) >= 1)
    if a is None:
        return False
    s = list(a.shape)
    for _ in range(p.rng.randint(1, 2)):
        if len(s) >= 2 and p.rng.random() < 0.5:
            i = p.rng.randrange(len(s) - 1)
            s[i:i + 2] = [s[i] * s[i + 1]]
        elif s and len(s) < 5:
            i = p.rng.randrange(len(s))
            f = p.rng.choice([d for d in range(1, s[i] + 1) if s[i] % d == 0])
            s[i:i + 1] = [f, s[i] // f]
    p.emit(f"stablehlo.reshape {a.name} : ({a.type}) -> {tensor(s, a.dtype)}", a.dtype, s, a.exact, a.bound, a.err)


def transpose(p):
    a = p.pick(lambda v: len(v.shape) >= 2)
    if a is None:
        return False
    perm = list(range(len(a.shape)))
    p.rng.shuffle(perm)
    p.emit(f"stablehlo.transpose {a.name}, dims = {nums(perm)} : ({a.type}) -> {tensor([a.shape[i] for i in perm], a.dtype)}",
           a.dtype, [a.shape[i] for i in perm], a.exact, a.bound, a.err)


def slice_(p):
    a = p.pick(lambda v: len(v.shape) >= 1 and v.size > 1)
    if a is None:
        return False
    parts, out = [], []
    for d in a.shape:
        lo = p.rng.randrange(d) if p.rng.random() < 0.4 else 0
        hi = p.rng.randint(lo + 1, d) if p.rng.random() < 0.5 else d
        st = p.rng.choice([1, 1, 1, 2, 3])
        parts.append(f"{lo}:{hi}" + (f":{st}" if st > 1 else ""))
        out.append((hi - lo + st - 1) // st)
    p.emit(f"stablehlo.slice {a.name} [{', '.join(parts)}] : ({a.type}) -> {tensor(out, a.dtype)}", a.dtype, out, a.exact, a.bound, a.err)


def pad(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.size <= 1024)
    if a is None:
        return False
    lo = [p.rng.choice([0, 0, 1, 2, -1]) for _ in a.shape]
    hi = [p.rng.choice([0, 0, 1, 3, -1]) for _ in a.shape]
    it = [p.rng.choice([0, 0, 0, 1, 2]) for _ in a.shape]
    out = [d + (d - 1) * k + l + h for d, l, h, k in zip(a.shape, lo, hi, it)]
    if min(out) < 1 or _product(out) > 4096:
        return False
    c = p.const(p.rng.choice(["1", "-2", "0"]) + (".0" if is_float(a) else ""), a.dtype)
    p.emit(f"stablehlo.pad {a.name}, {c}, low = {nums(lo)}, high = {nums(hi)}, interior = {nums(it)} : ({a.type}, {tensor((), a.dtype)}) -> {tensor(out, a.dtype)}",
           a.dtype, out, a.exact, max(a.bound, 2), a.err)


def concatenate(p):
    a = p.pick(lambda v: len(v.shape) >= 1 and v.size <= 1024)
    if a is None:
        return False
    d = p.rng.randrange(len(a.shape))
    parts = [a]
    for _ in range(p.rng.randint(1, 2)):
        b = p.pick(lambda v: v.dtype == a.dtype and len(v.shape) == len(a.shape) and v.shape[:d] == a.shape[:d] and v.shape[d + 1:] == a.shape[d + 1:] and v.size <= 1024)
        parts.append(b)
    p.rng.shuffle(parts)
    out = list(a.shape)
    out[d] = sum(v.shape[d] for v in parts)
    p.emit(f"stablehlo.concatenate {', '.join(v.name for v in parts)}, dim = {d} : ({', '.join(v.type for v in parts)}) -> {tensor(out, a.dtype)}",
           a.dtype, out, all(v.exact for v in parts), max(v.bound for v in parts), max(v.err for v in parts))


def reverse(p):
    a = p.pick(lambda v: len(v.shape) >= 1)
    if a is None:
        return False
    dims = sorted(p.rng.sample(range(len(a.shape)), p.rng.randint(1, len(a.shape))))
    p.emit(f"stablehlo.reverse {a.name}, dims = {nums(dims)} : {a.type}", a.dtype, a.shape, a.exact, a.bound, a.err)


def iota(p):
    shape = p.shape()
    dtype = p.rng.choice(p.floats + p.ints)
    d = p.rng.randrange(len(shape))
    if dtype in BITS and shape[d] > range_of(dtype)[1]:
        return False
    p.emit(f"stablehlo.iota dim = {d} : {tensor(shape, dtype)}", dtype, shape, True, shape[d])
