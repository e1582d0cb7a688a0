"""Element by element."""
from program import EXACT, is_float, is_num, kind_of, range_of, same_shape_pair, tensor


def binary(p):
    a, b = same_shape_pair(p, is_num)
    if a is None:
        return False
    op = p.rng.choice(["add", "subtract", "multiply", "maximum", "minimum"])
    bound = a.bound * b.bound if op == "multiply" else a.bound + b.bound
    if bound > 1e5:
        op, bound = "minimum", max(a.bound, b.bound)
    exact = a.exact and b.exact
    p.emit(f"stablehlo.{op} {a.name}, {b.name} : {a.type}", a.dtype, a.shape, exact, bound, a.err + b.err + (0 if exact else 1))


def unary(p):
    a = p.pick(is_num)
    if a is None:
        return False
    op = p.rng.choice(["negate", "abs", "sign"]) if not a.dtype.startswith("u") else "negate"
    if op == "sign" and not a.exact:
        op = "abs"
    p.emit(f"stablehlo.{op} {a.name} : {a.type}", a.dtype, a.shape, a.exact, 1.0 if op == "sign" else a.bound, a.err)


def smooth(p):
    a = p.pick(is_float, lambda v: v.bound <= 200)
    if a is None:
        return False
    op = p.rng.choice(["tanh", "logistic", "cosine", "sine"])
    p.emit(f"stablehlo.{op} {a.name} : {a.type}", a.dtype, a.shape, False, 1.0, a.err * max(1.0, a.bound) + 4)


def compare_select(p):
    a, b = same_shape_pair(p, lambda v: is_num(v) and v.exact)
    if a is None or not b.exact:
        return False
    c, d = same_shape_pair(p, lambda v: is_num(v) and v.shape == a.shape)
    if c is None:
        return False
    kind = kind_of(a)
    pred = p.emit(f"stablehlo.compare {p.rng.choice(['LT', 'EQ', 'GE', 'NE'])}, {a.name}, {b.name}, {kind} : ({a.type}, {b.type}) -> {tensor(a.shape, 'i1')}",
                  "i1", a.shape, True, 1)
    p.emit(f"stablehlo.select {pred.name}, {c.name}, {d.name} : {pred.type}, {c.type}", c.dtype, c.shape, c.exact and d.exact, max(c.bound, d.bound), max(c.err, d.err))


def convert(p):
    a = p.pick(lambda v: v.exact and v.bound < 2**20)
    if a is None:
        return False
    to = "f32" if a.dtype != "f32" else "i32"
    if p.wide:
        to = p.rng.choice([t for t in p.floats + p.ints if t != a.dtype and (not is_float(a) or t in EXACT or -range_of(t)[0] >= a.bound)] or [to])
    p.emit(f"stablehlo.convert {a.name} : ({a.type}) -> {tensor(a.shape, to)}", to, a.shape, True, a.bound)
