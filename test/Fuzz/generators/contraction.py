"""Sums and products."""
from program import _product, is_float, is_num, nums, tensor


def reduce(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound * v.size < 1e6)
    if a is None:
        return False
    dims = sorted(p.rng.sample(range(len(a.shape)), p.rng.randint(1, len(a.shape))))
    op, init = p.rng.choice([("add", "0"), ("add", "3"), ("maximum", "-100000"), ("minimum", "100000"), ("maximum", "2")])
    out = [d for i, d in enumerate(a.shape) if i not in dims]
    n = _product(a.shape[i] for i in dims)
    if n == 1 and init in ("3", "2"):
        init = {"3": "0", "2": "-100000"}[init]  # XLA drops the initial value of a reduction of one element
    c = p.const(init + (".0" if is_float(a) else ""), a.dtype)
    p.emit(f"stablehlo.reduce({a.name} init: {c}) applies stablehlo.{op} across dimensions = {nums(dims)} : ({a.type}, {tensor((), a.dtype)}) -> {tensor(out, a.dtype)}",
           a.dtype, out, a.exact, a.bound * n + 3 if op == "add" else max(a.bound, 1e5 if len(init) > 3 and n == 0 else 3), a.err + (0 if a.exact else n))


def dot_general(p):
    a = p.pick(lambda v: is_num(v) and len(v.shape) >= 1 and v.bound <= 300)
    if a is None:
        return False
    b = p.pick(lambda v: v.dtype == a.dtype and v.bound <= 300 and len(v.shape) >= 1)
    pairs, used = [], set()
    order = list(range(len(a.shape)))
    p.rng.shuffle(order)
    for i in order:
        match = [j for j in range(len(b.shape)) if j not in used and b.shape[j] == a.shape[i]]
        if match and p.rng.random() < 0.8:
            j = p.rng.choice(match)
            used.add(j)
            pairs.append((i, j))
    k = p.rng.randint(0, len(pairs))
    batch, contract = pairs[:k][:2], pairs[k:] + pairs[:k][2:]
    fa = [i for i in range(len(a.shape)) if i not in [x for x, _ in pairs]]
    fb = [j for j in range(len(b.shape)) if j not in [y for _, y in pairs]]
    out = [a.shape[i] for i, _ in batch] + [a.shape[i] for i in fa] + [b.shape[j] for j in fb]
    n = _product(a.shape[i] for i, _ in contract)
    bound = a.bound * b.bound * n
    if _product(out) > 4096 or len(out) > 5 or bound > 1e6:
        return False
    attrs = []
    if batch:
        attrs.append(f"batching_dims = {nums(i for i, _ in batch)} x {nums(j for _, j in batch)}")
    attrs.append(f"contracting_dims = {nums(i for i, _ in contract)} x {nums(j for _, j in contract)}")
    exact = a.exact and b.exact
    p.emit(f"stablehlo.dot_general {a.name}, {b.name}, {', '.join(attrs)} : ({a.type}, {b.type}) -> {tensor(out, a.dtype)}",
           a.dtype, out, exact, bound, a.err + b.err + (0 if exact else n))
