"""Operations on quantized tensors: texts, inputs and what must come out.

The judge works on numbers, not on how Shoal lowers them: it dequantizes,
computes in double precision and says between which storage values the result
must lie, which is one value except next to a tie. Read from the environment:
SEED; COUNT, cases per operation and kind of type; PLAIN=1, only types that the
reference interpreter knows (signed storage, f32).
"""
import itertools
import os
import re

import ml_dtypes
import numpy as np

rng = np.random.default_rng(int(os.environ.get("SEED", "0")))
COUNT = int(os.environ.get("COUNT", "1"))
PLAIN = os.environ.get("PLAIN") == "1"

FLOATS = {"f16": (np.float16, 11), "bf16": (ml_dtypes.bfloat16, 8),
          "f32": (np.float32, 24), "f64": (np.float64, 53)}


class Quantized:
    """A quantized element type."""

    def __init__(self, storage, expressed, scales, zeros, axis=None,
                 bounds=None):
        self.storage, self.expressed, self.axis = storage, expressed, axis
        self.dtype, self.precision = FLOATS[expressed]
        self.scales = np.array(scales, np.float64).astype(self.dtype)
        self.zeros = np.array(zeros, np.int64)
        self.exact_scales = np.array(scales, np.float64)
        self.signed = not storage.startswith("u")
        self.bits = int(storage.lstrip("ui"))
        low = -(1 << self.bits - 1) if self.signed else 0
        self.bounds = bounds or (low, low + (1 << self.bits) - 1)
        self.explicit = bounds is not None

    def __str__(self):
        bounds = "<%d:%d>" % self.bounds if self.explicit else ""
        pairs = [f"{float(s)!r}:{z}" for s, z in
                 zip(self.exact_scales, self.zeros)]
        head = f"!quant.uniform<{self.storage}{bounds}:{self.expressed}"
        if self.axis is None:
            return f"{head}, {pairs[0]}>"
        return f"{head}:{self.axis}, {{{', '.join(pairs)}}}>"

    @property
    def numpy(self):
        width = max(8, self.bits)
        return np.dtype(f"{'i' if self.signed else 'u'}{width // 8}")

    @property
    def plain(self):
        """The storage as StableHLO writes it."""
        return ("i" if self.signed else "ui") + str(self.bits)

    def spread(self, values, shape):
        if self.axis is None:
            return np.broadcast_to(values[0], shape)
        shape_ = [1] * len(shape)
        shape_[self.axis] = -1
        return np.broadcast_to(np.reshape(values, shape_), shape)

    def dequantize(self, q):
        offset = q.astype(np.int64) - self.spread(self.zeros, q.shape)
        with np.errstate(all="ignore"):
            return offset.astype(self.dtype) * self.spread(self.scales, q.shape)

    def range_of(self, x, ulps=4.0):
        """Storage values that real numbers `x` may become, (low, high)."""
        x = np.asarray(x)
        if x.dtype != np.float64:
            x = x.astype(np.float64)
        with np.errstate(all="ignore"):
            scaled = x / self.spread(self.scales.astype(np.float64), x.shape)
            real = scaled + self.spread(self.zeros, x.shape)
            error = (np.abs(scaled) + np.abs(real)) * ulps * 0.5 ** self.precision
            error = np.where(np.isfinite(error), error, 0)
            fit = lambda v: np.nan_to_num(np.rint(np.clip(v, *self.bounds)),
                                          nan=0.0)
            return fit(real - error), fit(real + error)

    def random(self, shape):
        low, high = self.bounds
        if self.bits == 32:  # so that numbers stay within the precision
            low, high = max(low, -60000), min(high, 60000)
        return rng.integers(low, high, size=shape, endpoint=True).astype(self.numpy)

    def at(self, axis, count=None):
        scales, zeros = self.exact_scales, self.zeros
        if count:
            scales, zeros = np.resize(scales, count), np.resize(zeros, count)
        return Quantized(self.storage, self.expressed, scales, zeros, axis,
                         self.bounds if self.explicit else None)


def tensor(shape, element):
    return "tensor<" + "".join(f"{d}x" for d in shape) + f"{element}>"


SCALES = [0.5, 0.25, 0.1, 0.0625, 0.0235, 1.0, 0.07]


def random_type(per_axis=0, storages=None, expressed=None, axis=0,
                zero=True, scale=None):
    """per_axis: how many elements the quantized dimension has."""
    if PLAIN:
        storages = [s for s in storages or ["i8", "i8", "i16", "i4", "i32"]
                    if s[0] == "i"] or ["i8"]
        expressed = "f32"
    storage = rng.choice(storages or ["i8", "i8", "i8", "u8", "i16", "i4", "u4", "u16", "i2", "i32"])
    e = expressed or rng.choice(["f32", "f32", "f32", "f32", "f16", "bf16", "f64"])
    if storage in ("i16", "u16", "i32") and e in ("f16", "bf16"):
        e = "f32"
    t = Quantized(storage, e, [1.0], [0])
    n = per_axis or 1
    low, high = t.bounds
    scales = [scale or rng.choice(SCALES) * (1 if t.bits <= 8 else 1 / 64)
              for _ in range(n)]
    small = (max(low, -100), min(high, 100))
    zeros = [int(rng.integers(*small)) if zero and t.bits < 32 else 0 for _ in range(n)]
    bounds = None
    if t.bits == 8 and rng.random() < 0.25:
        bounds = (low + 1, high)
        zeros = [max(z, low + 1) for z in zeros]
    return Quantized(storage, e, scales, zeros, axis if per_axis else None, bounds)


class Case:
    """`text` is the body of a function with %a0…; inputs are (value, type);
    judges map outputs to complaints."""

    def __init__(self, name, inputs, text, results, judges):
        self.name, self.inputs, self.text = name, inputs, text
        self.results, self.judges = results, judges


CASES = []


def case(name, inputs, text, results, *judges):
    """inputs: (array, element type); results: (shape, element type);
    judges: per result (low, high) arrays, or an exact array."""
    CASES.append(Case(name, inputs, text, results, judges))


def either(types):
    return rng.choice(np.array(types, dtype=object))


# --- elementwise -----------------------------------------------------------

def round_afz(x):
    return np.copysign(np.floor(np.abs(x) + 0.5), x)


UNARY = {
    "abs": np.abs, "cbrt": np.cbrt, "ceil": np.ceil, "cosine": np.cos,
    "exponential": np.exp, "exponential_minus_one": np.expm1,
    "floor": np.floor, "log": np.log, "log_plus_one": np.log1p,
    "logistic": lambda x: 1 / (1 + np.exp(-x)), "negate": np.negative,
    "round_nearest_afz": round_afz, "round_nearest_even": np.rint,
    "rsqrt": lambda x: 1 / np.sqrt(x), "sign": np.sign, "sine": np.sin,
    "sqrt": np.sqrt, "tan": np.tan, "tanh": np.tanh,
}
BINARY = {
    "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "maximum": np.maximum, "minimum": np.minimum, "atan2": np.arctan2,
    "power": np.power, "remainder": np.fmod,
}


def f64(x):
    return np.asarray(x).astype(np.float64)


def steep(name):
    """How much an error of the last place in the argument is blown up."""
    return {"tan": 64, "rsqrt": 8, "power": 64, "exponential": 64,
            "exponential_minus_one": 64, "remainder": 4}.get(name, 4)


def elementwise():
    shape = (3, 5)
    for _ in range(COUNT * 3):
        for name, f in UNARY.items():
            t, r = random_type(), None
            r = random_type(storages=[t.storage], expressed=t.expressed)
            r.bounds, r.explicit = t.bounds, t.explicit
            r.zeros = np.clip(r.zeros, *t.bounds)
            if rng.random() < 0.5:
                r = t
            q = t.random(shape)
            with np.errstate(all="ignore"):
                x = f(f64(t.dequantize(q)))
            case(name, [(q, t)],
                 f'  %r0 = "stablehlo.{name}"(%a0) : ({tensor(shape, t)}) -> {tensor(shape, r)}',
                 [(shape, r)], r.range_of(x, steep(name)))
        for name, f in BINARY.items():
            t, u = random_type(), None
            u = random_type(storages=[t.storage], expressed=t.expressed)
            u.bounds, u.explicit = t.bounds, t.explicit
            u.zeros = np.clip(u.zeros, *t.bounds)
            types = [either([t, u]) for _ in range(3)]
            a, b = types[0].random(shape), types[1].random(shape)
            with np.errstate(all="ignore"):
                x = f(f64(types[0].dequantize(a)), f64(types[1].dequantize(b)))
            if name == "remainder" and t.precision < 24:
                continue
            s = [tensor(shape, q) for q in types]
            case(name, [(a, types[0]), (b, types[1])],
                 f'  %r0 = "stablehlo.{name}"(%a0, %a1) : ({s[0]}, {s[1]}) -> {s[2]}',
                 [(shape, types[2])], types[2].range_of(x, steep(name)))


def addition():
    """Of one type: exact. Of different ones in f32: each operand is rounded to
    the result's type first."""
    shape = (4, 6)
    for _ in range(COUNT * 8):
        t = random_type()
        a, b = t.random(shape), t.random(shape)
        total = a.astype(np.int64) + b - t.zeros[0]
        if t.bits == 32:
            total = total.astype(t.numpy)
        case("add_same", [(a, t), (b, t)],
             f"  %r0 = stablehlo.add %a0, %a1 : {tensor(shape, t)}",
             [(shape, t)], np.clip(total, *t.bounds))
        p = random_type(per_axis=6, axis=1)
        a, b = p.random(shape), p.random(shape)
        total = a.astype(np.int64) + b - p.spread(p.zeros, shape)
        case("add_per_axis", [(a, p), (b, p)],
             f"  %r0 = stablehlo.add %a0, %a1 : {tensor(shape, p)}",
             [(shape, p)], np.clip(total, *p.bounds))
        types = [random_type(storages=["i8"], expressed=t.expressed) for _ in range(3)]
        for u in types:
            u.bounds, u.explicit = (-128, 127), False
        a, b = types[0].random(shape), types[1].random(shape)
        low = high = -types[2].zeros[0]
        r = types[2]
        for q, u in ((a, types[0]), (b, types[1])):
            wide = Quantized("i32", r.expressed, r.exact_scales, r.zeros)
            if t.expressed == "f32":
                l, h = wide.range_of(f64(u.dequantize(q)))
                low, high = low + l, high + h
        if t.expressed != "f32":
            low, high = r.range_of(f64(types[0].dequantize(a)) + f64(types[1].dequantize(b)))
        s = [tensor(shape, q) for q in types]
        case("add_mixed", [(a, types[0]), (b, types[1])],
             f"  %r0 = stablehlo.add %a0, %a1 : ({s[0]}, {s[1]}) -> {s[2]}",
             [(shape, r)], (np.clip(low, *r.bounds), np.clip(high, *r.bounds)))


def conversions():
    shape = (3, 4)
    for index in range(COUNT * 24):
        axis = [None, 0, 1][index % 3]
        t = random_type(per_axis=0 if axis is None else shape[axis], axis=axis)
        if t.precision < 24 and t.bits > 8:
            continue
        x = (rng.standard_normal(shape) * 8).astype(t.dtype)
        x.flat[0], x.flat[1] = np.inf, -np.inf
        case("uniform_quantize", [(x, t.expressed)],
             f"  %r0 = stablehlo.uniform_quantize %a0 : ({tensor(shape, t.expressed)}) -> {tensor(shape, t)}",
             [(shape, t)], t.range_of(x))
        q = t.random(shape)
        case("uniform_dequantize", [(q, t)],
             f"  %r0 = stablehlo.uniform_dequantize %a0 : ({tensor(shape, t)}) -> {tensor(shape, t.expressed)}",
             [(shape, t.expressed)], t.dequantize(q))
        u = random_type(per_axis=0 if axis is None or index % 2 else shape[axis],
                        axis=axis, expressed=t.expressed,
                        storages=None if t.precision >= 24 else ["i8", "u8", "i4", "i2"])
        case("requantize", [(q, t)],
             f"  %r0 = stablehlo.uniform_quantize %a0 : ({tensor(shape, t)}) -> {tensor(shape, u)}",
             [(shape, u)], u.range_of(f64(t.dequantize(q)), 8))
        case("bitcast_convert", [(q, t)],
             f"  %0 = stablehlo.bitcast_convert %a0 : ({tensor(shape, t)}) -> {tensor(shape, t.plain)}\n"
             f"  %r0 = stablehlo.bitcast_convert %0 : ({tensor(shape, t.plain)}) -> {tensor(shape, t)}",
             [(shape, t)], q)
        if not t.storage.startswith("u"):
            values = "[" + ", ".join(str([int(v) for v in row]) for row in q) + "]"
            case("constant", [], f"  %r0 = stablehlo.constant() <{{value = dense<{values}> : "
                 f"{tensor(shape, t.plain)}}}> : () -> {tensor(shape, t)}",
                 [(shape, t)], q)
    for dim in (0, 1):
        t = random_type()
        case("iota", [], f"  %r0 = stablehlo.iota dim = {dim} : {tensor(shape, t)}",
             [(shape, t)], t.range_of(np.indices(shape)[dim].astype(np.float64)))


def comparisons():
    shape = (3, 7)
    compare = {"EQ": np.equal, "NE": np.not_equal, "GE": np.greater_equal,
               "GT": np.greater, "LE": np.less_equal, "LT": np.less}
    for _ in range(COUNT):
        for name, f in compare.items():
            for same, axis in ((True, None), (False, None), (True, 1)):
                t = random_type(per_axis=7 if axis else 0, axis=axis)
                u = t if same else random_type(storages=[t.storage], expressed=t.expressed)
                if not same:
                    u.bounds, u.explicit = t.bounds, t.explicit
                    u.zeros = np.clip(u.zeros, *t.bounds)
                a, b = t.random(shape), u.random(shape)
                b.flat[:4] = a.flat[:4] if same else b.flat[:4]
                kind = rng.choice(["", ", FLOAT", ", SIGNED"])
                case("compare", [(a, t), (b, u)],
                     f"  %r0 = stablehlo.compare {name}, %a0, %a1{kind} : "
                     f"({tensor(shape, t)}, {tensor(shape, u)}) -> {tensor(shape, 'i1')}",
                     [(shape, "i1")], f(t.dequantize(a), u.dequantize(b)))
    for _ in range(COUNT * 4):
        t = random_type()
        q = t.random(shape)
        case("is_finite", [(q, t)],
             f"  %r0 = stablehlo.is_finite %a0 : ({tensor(shape, t)}) -> {tensor(shape, 'i1')}",
             [(shape, "i1")], np.isfinite(t.dequantize(q).astype(np.float32)))
        pred = rng.random(shape) < 0.5
        p = random_type(per_axis=7, axis=1) if rng.random() < 0.5 else t
        a, b = p.random(shape), p.random(shape)
        s = tensor(shape, p)
        case("select", [(pred, "i1"), (a, p), (b, p)],
             f"  %r0 = stablehlo.select %a0, %a1, %a2 : {tensor(shape, 'i1')}, {s}",
             [(shape, p)], np.where(pred, a, b))
        u = random_type(storages=[t.storage], expressed=t.expressed)
        u.bounds, u.explicit = t.bounds, t.explicit
        u.zeros = np.clip(u.zeros, *t.bounds)
        a, b = t.random(shape), u.random(shape)
        case("select_mixed", [(pred, "i1"), (a, t), (b, u)],
             f'  %r0 = "stablehlo.select"(%a0, %a1, %a2) : ({tensor(shape, "i1")}, '
             f"{tensor(shape, t)}, {tensor(shape, u)}) -> {tensor(shape, u)}",
             [(shape, u)], u.range_of(np.where(pred, f64(t.dequantize(a)), f64(u.dequantize(b)))))
        low, high = sorted([t.random(()), t.random(())])
        case("clamp", [(np.array(low), t), (q, t), (np.array(high), t)],
             f"  %r0 = stablehlo.clamp %a0, %a1, %a2 : ({tensor((), t)}, {tensor(shape, t)}, {tensor((), t)}) -> {tensor(shape, t)}",
             [(shape, t)], np.clip(q, low, high))
        x = f64(t.dequantize(q))
        case("reduce_precision", [(q, t)],
             f"  %r0 = stablehlo.reduce_precision %a0, format = e8m23 : {tensor(shape, t)}",
             [(shape, t)], t.range_of(x))


# --- moving values ---------------------------------------------------------

def movement():
    for index in range(COUNT * 12):
        t = random_type()
        q = t.random((2, 3, 4))
        perm = [list(p) for p in itertools.permutations(range(3))][index % 6]
        for axis in (None, index % 3):
            a = t if axis is None else random_type(per_axis=q.shape[axis], axis=axis)
            q = a.random((2, 3, 4))
            r = a if axis is None else a.at(perm.index(axis))
            shape = tuple(q.shape[p] for p in perm)
            case("transpose", [(q, a)],
                 f"  %r0 = stablehlo.transpose %a0, dims = {perm} : ({tensor(q.shape, a)}) -> {tensor(shape, r)}",
                 [(shape, r)], q.transpose(perm))
            if axis in (None, 0):
                case("reshape", [(q, a)],
                     f"  %r0 = stablehlo.reshape %a0 : ({tensor(q.shape, a)}) -> {tensor((2, 12), a)}",
                     [((2, 12), a)], q.reshape(2, 12))
            r = a if axis is None else a.at(axis + 1)
            case("broadcast_in_dim", [(q, a)],
                 f"  %r0 = stablehlo.broadcast_in_dim %a0, dims = [1, 2, 3] : ({tensor(q.shape, a)}) -> {tensor((2,) + q.shape, r)}",
                 [((2,) + q.shape, r)], np.broadcast_to(q, (2,) + q.shape))
            case("reverse", [(q, a)],
                 f"  %r0 = stablehlo.reverse %a0, dims = [{(index + 1) % 3}] : {tensor(q.shape, a)}",
                 [(q.shape, a)], np.flip(q, (index + 1) % 3))
            if axis in (None, 1):
                case("concatenate", [(q, a), (q[:1], a)],
                     f"  %r0 = stablehlo.concatenate %a0, %a1, dim = 0 : ({tensor(q.shape, a)}, {tensor((1, 3, 4), a)}) -> {tensor((3, 3, 4), a)}",
                     [((3, 3, 4), a)], np.concatenate([q, q[:1]]))
                case("slice", [(q, a)],
                     f"  %r0 = stablehlo.slice %a0 [0:2, 0:3, 1:4:2] : ({tensor(q.shape, a)}) -> {tensor((2, 3, 2), a)}",
                     [((2, 3, 2), a)], q[:, :, 1:4:2])
                start = [np.array(v, np.int32) for v in (1, 0, 3)]
                case("dynamic_slice", [(q, a)] + [(s, "i32") for s in start],
                     f"  %r0 = stablehlo.dynamic_slice %a0, %a1, %a2, %a3, sizes = [1, 3, 2] : "
                     f"({tensor(q.shape, a)}, tensor<i32>, tensor<i32>, tensor<i32>) -> {tensor((1, 3, 2), a)}",
                     [((1, 3, 2), a)], q[1:, :, 2:])
                update = a.random((1, 3, 2))
                expected = q.copy()
                expected[1:, :, 2:] = update
                case("dynamic_update_slice", [(q, a), (update, a)] + [(s, "i32") for s in start],
                     f"  %r0 = stablehlo.dynamic_update_slice %a0, %a1, %a2, %a3, %a4 : "
                     f"({tensor(q.shape, a)}, {tensor((1, 3, 2), a)}, tensor<i32>, tensor<i32>, tensor<i32>) -> {tensor(q.shape, a)}",
                     [(q.shape, a)], expected)
        pad = t.random(())
        q = t.random((2, 3))
        expected = np.full((4, 6), pad)
        expected[1:3, 0:6:2] = q
        case("pad", [(q, t), (pad, t)],
             f"  %r0 = stablehlo.pad %a0, %a1, low = [1, 0], high = [1, 1], interior = [0, 1] : ({tensor((2, 3), t)}, {tensor((), t)}) -> {tensor((4, 6), t)}",
             [((4, 6), t)], expected)
        a = random_type(per_axis=4, axis=1) if index % 2 else t
        q = a.random((5, 4))
        rows = rng.integers(0, 5, (3, 1)).astype(np.int32)
        case("gather", [(q, a), (rows, "i32")],
             f'  %r0 = "stablehlo.gather"(%a0, %a1) <{{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}}> : '
             f"({tensor((5, 4), a)}, tensor<3x1xi32>) -> {tensor((3, 4), a)}",
             [((3, 4), a)], q[rows[:, 0]])
        case("optimization_barrier", [(q, a)],
             f"  %r0 = stablehlo.optimization_barrier %a0 : {tensor((5, 4), a)}",
             [((5, 4), a)], q)


def control_flow():
    for index in range(COUNT * 3):
        t = random_type(storages=["i8", "u8", "i16"])
        s = tensor((4,), t)
        q = t.random((4,))
        expected = q.astype(np.int64)
        for _ in range(3):
            expected = np.clip(expected + q - t.zeros[0], *t.bounds)
        case("while", [(q, t), (np.array(0, np.int32), "i32")], f"""
  %one = stablehlo.constant dense<1> : tensor<i32>
  %three = stablehlo.constant dense<3> : tensor<i32>
  %r:2 = stablehlo.while(%i = %a1, %x = %a0) : tensor<i32>, {s}
    cond {{
      %c = stablehlo.compare LT, %i, %three : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    }} do {{
      %n = stablehlo.add %i, %one : tensor<i32>
      %y = stablehlo.add %x, %a0 : {s}
      stablehlo.return %n, %y : tensor<i32>, {s}
    }}
  %r0 = stablehlo.reshape %r#1 : ({s}) -> {s}""", [((4,), t)], expected)
        pred = np.array(index % 2 == 0)
        case("if", [(q, t), (pred, "i1")], f"""
  %r0 = "stablehlo.if"(%a1) ({{
    stablehlo.return %a0 : {s}
  }}, {{
    %n = stablehlo.negate %a0 : {s}
    stablehlo.return %n : {s}
  }}) : (tensor<i1>) -> {s}""", [((4,), t)],
             q if pred else t.range_of(-f64(t.dequantize(q))))
        branch = np.array(index % 3, np.int32)
        case("case", [(q, t), (branch, "i32")], f"""
  %r0 = "stablehlo.case"(%a1) ({{
    stablehlo.return %a0 : {s}
  }}, {{
    %n = stablehlo.abs %a0 : {s}
    stablehlo.return %n : {s}
  }}) : (tensor<i32>) -> {s}""", [((4,), t)],
             q if branch == 0 else t.range_of(np.abs(f64(t.dequantize(q)))))


def dynamic():
    """Shapes given by values: result types are unknown until they are refined."""
    for index in range(COUNT * 2):
        t = random_type()
        q = t.random((2, 3))
        s, unknown = tensor((2, 3), t), tensor(("?", "?"), t)
        sizes = lambda v: f"stablehlo.constant dense<{list(v)}> : tensor<{len(v)}xi64>"
        case("dynamic_broadcast_in_dim", [(t.random((3,)), t)],
             f"  %n = {sizes((2, 3))}\n"
             f"  %0 = stablehlo.dynamic_broadcast_in_dim %a0, %n, dims = [1] : ({tensor((3,), t)}, tensor<2xi64>) -> {unknown}\n"
             f"  %r0 = stablehlo.add %0, %0 : ({unknown}, {unknown}) -> {s}",
             [((2, 3), t)], None)
        row = CASES[-1].inputs[0][0]
        total = 2 * row.astype(np.int64) - t.zeros[0]
        total = total.astype(t.numpy) if t.bits == 32 else np.clip(total, *t.bounds)
        CASES[-1].judges = [np.broadcast_to(total, (2, 3))]
        case("dynamic_reshape", [(q, t)],
             f"  %n = {sizes((3, 2))}\n"
             f"  %r0 = stablehlo.dynamic_reshape %a0, %n : ({s}, tensor<2xi64>) -> {tensor((3, 2), t)}",
             [((3, 2), t)], q.reshape(3, 2))
        case("dynamic_iota", [],
             f"  %n = {sizes((2, 3))}\n"
             f"  %r0 = stablehlo.dynamic_iota %n, dim = 1 : (tensor<2xi64>) -> {s}",
             [((2, 3), t)], t.range_of(np.indices((2, 3))[1].astype(np.float64)))
        pad = t.random(())
        expected = np.full((3, 3), pad)
        expected[1:] = q
        case("dynamic_pad", [(q, t), (pad, t)],
             f"  %l = {sizes((1, 0))}\n  %h = {sizes((0, 0))}\n"
             f"  %r0 = stablehlo.dynamic_pad %a0, %a1, %l, %h, %h : ({s}, {tensor((), t)}, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> {tensor((3, 3), t)}",
             [((3, 3), t)], expected)
        case("real_dynamic_slice", [(q, t)],
             f"  %l = {sizes((0, 1))}\n  %h = {sizes((2, 3))}\n  %d = {sizes((1, 1))}\n"
             f"  %r0 = stablehlo.real_dynamic_slice %a0, %l, %h, %d : ({s}, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> {tensor((2, 2), t)}",
             [((2, 2), t)], q[:, 1:])
        rows = np.array([[1], [0], [1]], np.int32)
        case("dynamic_gather", [(q, t), (rows, "i32")],
             f"  %n = {sizes((1, 3))}\n"
             f'  %r0 = "stablehlo.dynamic_gather"(%a0, %a1, %n) <{{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>}}> : '
             f"({s}, tensor<3x1xi32>, tensor<2xi64>) -> {tensor((3, 3), t)}",
             [((3, 3), t)], q[[1, 0, 1]])
        case("get_dimension_size", [(q, t)],
             f"  %r0 = stablehlo.get_dimension_size %a0, dim = 1 : ({s}) -> tensor<i32>",
             [((), "i32")], np.array(3, np.int32))
        l, r = random_type(storages=["i8"], expressed="f32"), random_type(storages=["i8"], expressed="f32", zero=False)
        x, w = l.random((1, 4, 4, 2)), r.random((2, 2, 2, 3))
        acc = accumulator(l, r)
        exact = convolve(f64(l.dequantize(x)), f64(r.dequantize(w)), (1, 1), [(1, 0), (0, 1)], (1, 1), 1)
        case("dynamic_conv", [(x, l), (w, r)],
             f"  %p = stablehlo.constant dense<[[1, 0], [0, 1]]> : tensor<2x2xi64>\n"
             f'  %r0 = "stablehlo.dynamic_conv"(%a0, %a1, %p) <{{dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}}> : '
             f"({tensor(x.shape, l)}, {tensor(w.shape, r)}, tensor<2x2xi64>) -> {tensor(exact.shape, acc)}",
             [(exact.shape, acc)], acc.range_of(exact))


def broadcasting():
    """chlo's forms with implicit broadcasting."""
    for _ in range(COUNT * 2):
        t = random_type(storages=["i8", "u8", "i16"])
        a, b = t.random((3, 4)), t.random((4,))
        s = f"({tensor((3, 4), t)}, {tensor((4,), t)}) -> {tensor((3, 4), t)}"
        x, y = f64(t.dequantize(a)), f64(t.dequantize(b))
        case("broadcast_add", [(a, t), (b, t)], f"  %r0 = chlo.broadcast_add %a0, %a1 : {s}",
             [((3, 4), t)], np.clip(a.astype(np.int64) + b - t.zeros[0], *t.bounds))
        case("broadcast_multiply", [(a, t), (b, t)], f"  %r0 = chlo.broadcast_multiply %a0, %a1 : {s}",
             [((3, 4), t)], t.range_of(x * y))
        case("broadcast_maximum", [(a, t), (b, t)], f"  %r0 = chlo.broadcast_maximum %a0, %a1 : {s}",
             [((3, 4), t)], t.range_of(np.maximum(x, y)))


# --- reductions ------------------------------------------------------------

def body(op, t, name="%"):
    s = tensor((), t)
    return (f"({{\n  ^bb0(%x: {s}, %y: {s}):\n    %z = stablehlo.{op} %x, %y : {s}\n"
            f"    stablehlo.return %z : {s}\n  }})")


def reductions():
    for _ in range(COUNT * 4):
        t = random_type(storages=["i8", "u8", "i16", "i32", "i4"])
        q = t.random((3, 5))
        # No sum saturates, so that its order does not matter.
        middle = t.zeros[0] + rng.integers(-2, 3, (3, 5))
        small = np.clip(middle, *t.bounds).astype(t.numpy)
        init = np.array(t.zeros[0], t.numpy)
        total = t.zeros[0] + (small.astype(np.int64) - t.zeros[0]).sum(1)
        steps = t.zeros[0] + np.cumsum(small.astype(np.int64) - t.zeros[0], 1)
        if (steps >= t.bounds[0]).all() and (steps <= t.bounds[1]).all():
            case("reduce_add", [(small, t), (init, t)],
                 f'  %r0 = "stablehlo.reduce"(%a0, %a1) <{{dimensions = array<i64: 1>}}> {body("add", t)} : '
                 f"({tensor((3, 5), t)}, {tensor((), t)}) -> {tensor((3,), t)}",
                 [((3,), t)], total)
        for op, f in (("maximum", np.max), ("minimum", np.min)):
            first = t.random(())
            case(f"reduce_{op}", [(q, t), (first, t)],
                 f'  %r0 = "stablehlo.reduce"(%a0, %a1) <{{dimensions = array<i64: 0>}}> {body(op, t)} : '
                 f"({tensor((3, 5), t)}, {tensor((), t)}) -> {tensor((5,), t)}",
                 [((5,), t)], f(np.concatenate([q, np.full((1, 5), first)]), 0))
        low = np.array(t.bounds[0], t.numpy)
        expected = np.stack([q[:, i:i + 2].max(1) for i in range(4)], 1)
        case("reduce_window", [(q, t), (low, t)],
             f'  %r0 = "stablehlo.reduce_window"(%a0, %a1) <{{window_dimensions = array<i64: 1, 2>}}> {body("maximum", t)} : '
             f"({tensor((3, 5), t)}, {tensor((), t)}) -> {tensor((3, 4), t)}",
             [((3, 4), t)], expected)
        # Padding is filled with the initial value, which counts each time.
        if t.bits <= 16:
            zero = np.array(min(max(0, t.bounds[0]), t.bounds[1]), t.numpy)
            padded = np.pad(small, ((0, 0), (2, 1)), constant_values=zero)
            expected = np.zeros((3, 5), np.int64)
            for i in range(5):
                total = np.full(3, int(zero))
                for j in range(4):
                    total = total + padded[:, i + j] - t.zeros[0]
                expected[:, i] = total
            lowest = np.minimum(small, zero).min() - t.zeros[0]
            highest = np.maximum(small, zero).max() - t.zeros[0]
            if (t.zeros[0] + 5 * min(lowest, 0) >= t.bounds[0] and
                    t.zeros[0] + 5 * max(highest, 0) <= t.bounds[1]):
                case("reduce_window_add", [(small, t)],
                     f'  %i = stablehlo.constant() <{{value = dense<{zero}> : {tensor((), "i" + str(t.bits))}}}> : () -> {tensor((), t)}\n'
                     f'  %r0 = "stablehlo.reduce_window"(%a0, %i) <{{window_dimensions = array<i64: 1, 4>, padding = dense<[[0, 0], [2, 1]]> : tensor<2x2xi64>}}> {body("add", t)} : '
                     f"({tensor((3, 5), t)}, {tensor((), t)}) -> {tensor((3, 5), t)}",
                     [((3, 5), t)], expected)
        updates = t.random((2, 5))
        rows = np.array([[2], [0]], np.int32)
        expected = q.copy()
        expected[[2, 0]] = np.maximum(expected[[2, 0]], updates)
        case("scatter", [(q, t), (rows, "i32"), (updates, t)],
             f'  %r0 = "stablehlo.scatter"(%a0, %a1, %a2) <{{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}}> {body("maximum", t)} : '
             f"({tensor((3, 5), t)}, tensor<2x1xi32>, {tensor((2, 5), t)}) -> {tensor((3, 5), t)}",
             [((3, 5), t)], expected)
        s = tensor((), t)
        lowest = max(t.bounds[0], -20)
        values = rng.permutation(np.arange(lowest, min(t.bounds[1], lowest + 40)))
        values = values[:12].astype(t.numpy).reshape(3, 4)
        case("sort", [(values, t)], f"""
  %r0 = "stablehlo.sort"(%a0) <{{dimension = 1 : i64}}> ({{
  ^bb0(%x: {s}, %y: {s}):
    %z = stablehlo.compare GT, %x, %y : ({s}, {s}) -> tensor<i1>
    stablehlo.return %z : tensor<i1>
  }}) : ({tensor((3, 4), t)}) -> {tensor((3, 4), t)}""",
             [((3, 4), t)], -np.sort(-values.astype(np.int64), 1))
        source = t.random((2,))
        operand = t.random((4,))
        order = f64(t.dequantize(operand))
        expected = np.full(4, t.zeros[0])
        for i in range(2):
            expected[2 * i + (0 if order[2 * i] >= order[2 * i + 1] else 1)] = source[i]
        case("select_and_scatter", [(operand, t), (source, t), (init, t)], f"""
  %r0 = "stablehlo.select_and_scatter"(%a0, %a1, %a2) <{{window_dimensions = array<i64: 2>, window_strides = array<i64: 2>}}> ({{
  ^bb0(%x: {s}, %y: {s}):
    %z = stablehlo.compare GE, %x, %y : ({s}, {s}) -> tensor<i1>
    stablehlo.return %z : tensor<i1>
  }}, {{
  ^bb0(%x: {s}, %y: {s}):
    %z = stablehlo.add %x, %y : {s}
    stablehlo.return %z : {s}
  }}) : ({tensor((4,), t)}, {tensor((2,), t)}, {s}) -> {tensor((4,), t)}""",
             [((4,), t)], expected)
        case("map", [(q, t), (t.random((3, 5)), t)],
             f'  %r0 = "stablehlo.map"(%a0, %a0) <{{dimensions = array<i64: 0, 1>}}> {body("multiply", t)} : '
             f"({tensor((3, 5), t)}, {tensor((3, 5), t)}) -> {tensor((3, 5), t)}",
             [((3, 5), t)], t.range_of(f64(t.dequantize(q)) ** 2))
        # Elements of i8, summed as i32 of the same scale.
        e = random_type(storages=["i8"], expressed="f32")
        e.bounds, e.explicit = (-128, 127), False
        wide = Quantized("i32", "f32", e.exact_scales, e.zeros)
        q8 = e.random((3, 50))
        case("reduce_promoted", [(q8, e), (np.array(e.zeros[0], np.int8), e)],
             f'  %r0 = "stablehlo.reduce"(%a0, %a1) <{{dimensions = array<i64: 1>}}> {body("add", wide)} : '
             f"({tensor((3, 50), e)}, {tensor((), e)}) -> {tensor((3,), wide)}",
             [((3,), wide)], e.zeros[0] + (q8.astype(np.int64) - e.zeros[0]).sum(1))


def normalization():
    for _ in range(COUNT * 2):
        t = Quantized("i8", "f32", [0.05], [int(rng.integers(-20, 20))])
        p = Quantized("i8", "f32", [0.02], [-100])
        x, params = t.random((4, 3)), [p.random((3,)) for _ in range(4)]
        params[3] = np.abs(params[3] // 2).astype(np.int8)
        d = [f64(t.dequantize(x))] + [f64(p.dequantize(v)) for v in params]
        y = (d[0] - d[3]) / np.sqrt(d[4] + 0.001) * d[1] + d[2]
        s, c = tensor((4, 3), t), tensor((3,), p)
        case("batch_norm_inference", [(x, t)] + [(v, p) for v in params],
             f'  %r0 = "stablehlo.batch_norm_inference"(%a0, %a1, %a2, %a3, %a4) <{{epsilon = 0.001 : f32, feature_index = 1 : i64}}> : '
             f"({s}, {c}, {c}, {c}, {c}) -> {s}", [((4, 3), t)], t.range_of(y, 128))
        mean, var = d[0].mean(0), d[0].var(0)
        y = (d[0] - mean) / np.sqrt(var + 0.001) * d[1] + d[2]
        case("batch_norm_training", [(x, t)] + [(v, p) for v in params[:2]],
             f'  %r0, %r1, %r2 = "stablehlo.batch_norm_training"(%a0, %a1, %a2) <{{epsilon = 0.001 : f32, feature_index = 1 : i64}}> : '
             f"({s}, {c}, {c}) -> ({s}, {c}, {c})", [((4, 3), t), ((3,), p), ((3,), p)],
             t.range_of(y, 128), p.range_of(mean, 128), p.range_of(var, 128))
        grad = t.random((4, 3))
        g = f64(t.dequantize(grad))
        centered, dev = d[0] - d[3], np.sqrt(d[4] + 0.001)
        i6 = 4 * g - g.sum(0) - centered * (g * centered).sum(0) / (d[4] + 0.001)
        case("batch_norm_grad", [(x, t), (params[0], p), (params[2], p), (params[3], p), (grad, t)],
             f'  %r0, %r1, %r2 = "stablehlo.batch_norm_grad"(%a0, %a1, %a2, %a3, %a4) <{{epsilon = 0.001 : f32, feature_index = 1 : i64}}> : '
             f"({s}, {c}, {c}, {c}, {s}) -> ({s}, {c}, {c})", [((4, 3), t), ((3,), p), ((3,), p)],
             t.range_of(d[1] / dev / 4 * i6, 256),
             p.range_of((g * centered).sum(0) / dev, 256), p.range_of(g.sum(0), 128))
        t = Quantized("i16", "f32", [2.0 ** -8], [0])
        root = np.tril(rng.integers(1, 4, (3, 3))).astype(np.float64)
        q = np.rint(root @ root.T * 256).astype(np.int16)
        case("cholesky", [(q, t)],
             f'  %0 = "stablehlo.cholesky"(%a0) <{{lower = true}}> : ({tensor((3, 3), t)}) -> {tensor((3, 3), t)}\n'
             f"  %r0 = stablehlo.slice %0 [2:3, 0:3] : ({tensor((3, 3), t)}) -> {tensor((1, 3), t)}",
             [((1, 3), t)], t.range_of(root[2:], 64))
        b = rng.integers(-3, 3, (3, 2)).astype(np.float64)
        case("triangular_solve", [((root * 256).astype(np.int16), t), (((root @ b) * 256).astype(np.int16), t)],
             f'  %r0 = "stablehlo.triangular_solve"(%a0, %a1) <{{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}}> : '
             f"({tensor((3, 3), t)}, {tensor((3, 2), t)}) -> {tensor((3, 2), t)}",
             [((3, 2), t)], t.range_of(b, 64))


# --- contractions ----------------------------------------------------------

def accumulator(l, r, axis=None):
    """The result type whose scale is the product of the operands'."""
    scales = [float(np.float32(l.exact_scales[0] * s)) for s in r.exact_scales]
    return Quantized("i32", l.expressed, scales, [0] * len(scales), axis)


def convolve(x, w, strides, pads, rhs_dilation, groups):
    """NHWC x HWIO, in double precision."""
    n, _, _, c = x.shape
    kh, kw, _, o = w.shape
    x = np.pad(x, [(0, 0), pads[0], pads[1], (0, 0)])
    eh, ew = ((k - 1) * d + 1 for k, d in zip((kh, kw), rhs_dilation))
    oh = (x.shape[1] - eh) // strides[0] + 1
    ow = (x.shape[2] - ew) // strides[1] + 1
    y = np.zeros((n, oh, ow, o))
    per, out = c // groups, o // groups
    for i, j in np.ndindex(oh, ow):
        for a, b in np.ndindex(kh, kw):
            patch = x[:, i * strides[0] + a * rhs_dilation[0], j * strides[1] + b * rhs_dilation[1]]
            for g in range(groups):
                y[:, i, j, g * out:(g + 1) * out] += (
                    patch[:, g * per:(g + 1) * per] @ w[a, b, :, g * out:(g + 1) * out])
    return y


def contractions():
    for index in range(COUNT * 8):
        e = ["f32", "f32", "f32", "f64"][index % 4]
        l = random_type(storages=["i8", "u8"][index % 5 == 4:][:1] if index % 5 == 4 else ["i8"], expressed=e)
        k = [4, 9, 40, 700][index % 4]
        a = l.random((2, 3, k))
        for per_axis in (False, True):
            r = random_type(storages=[l.storage], expressed=e, zero=not per_axis and not PLAIN,
                            per_axis=5 if per_axis else 0, axis=2)
            b = r.random((2, k, 5))
            exact = np.einsum("bik,bkj->bij", f64(l.dequantize(a)), f64(r.dequantize(b)))
            dims = "batching_dims = [0] x [0], contracting_dims = [2] x [1]"
            acc = accumulator(l, r, 2 if per_axis else None)
            result = random_type(storages=["i8"], expressed=e, scale=2.0)
            types = [acc, result] if not per_axis else [acc, random_type(
                storages=["i8"], expressed=e, zero=False, per_axis=5, axis=2, scale=2.0)]
            for t in types:
                case("dot_general", [(a, l), (b, r)],
                     f"  %r0 = stablehlo.dot_general %a0, %a1, {dims} : ({tensor(a.shape, l)}, {tensor(b.shape, r)}) -> {tensor((2, 3, 5), t)}",
                     [((2, 3, 5), t)], t.range_of(exact, 4 if t is acc and k < 100 else 4 * k))
            # An accumulator, then what a quantizer writes after it.
            if not per_axis:
                bias = acc.random((5,))
                total = exact + f64(acc.dequantize(bias))
                case("dot_bias_requantize", [(a, l), (b, r), (bias, acc)], f"""
  %0 = stablehlo.dot_general %a0, %a1, {dims} : ({tensor(a.shape, l)}, {tensor(b.shape, r)}) -> {tensor((2, 3, 5), acc)}
  %1 = stablehlo.broadcast_in_dim %a2, dims = [2] : ({tensor((5,), acc)}) -> {tensor((2, 3, 5), acc)}
  %2 = stablehlo.add %0, %1 : {tensor((2, 3, 5), acc)}
  %r0 = stablehlo.uniform_quantize %2 : ({tensor((2, 3, 5), acc)}) -> {tensor((2, 3, 5), result)}""",
                     [((2, 3, 5), result)], result.range_of(total, 16))
            x = rng.standard_normal((2, 3, k)).astype(r.dtype)
            case("dot_hybrid", [(x, e), (b, r)],
                 f"  %r0 = stablehlo.dot_general %a0, %a1, {dims} : ({tensor(a.shape, e)}, {tensor(b.shape, r)}) -> {tensor((2, 3, 5), e)}",
                 [((2, 3, 5), e)], ("close", np.einsum("bik,bkj->bij", f64(x), f64(r.dequantize(b)))))
        a2, b2 = l.random((3, 4)), l.random((4, 2))
        acc = accumulator(l, l)
        case("dot", [(a2, l), (b2, l)],
             f"  %r0 = stablehlo.dot %a0, %a1 : ({tensor((3, 4), l)}, {tensor((4, 2), l)}) -> {tensor((3, 2), acc)}",
             [((3, 2), acc)], acc.range_of(f64(l.dequantize(a2)) @ f64(l.dequantize(b2))))


def convolutions():
    for index in range(COUNT * 6):
        e = ["f32", "f32", "f64"][index % 3]
        groups = [1, 2, 4][index % 3]
        strides, dilation = [(1, 1), (2, 1)][index % 2], [(1, 1), (1, 2)][index % 4 // 2]
        pads = [[(0, 0), (0, 0)], [(1, 1), (2, 0)]][index % 3 > 0]
        l = random_type(storages=["i8"], expressed=e)
        x = l.random((2, 6, 7, 4))
        for per_axis in (False, True):
            r = random_type(storages=["i8"], expressed=e, zero=False,
                            per_axis=8 if per_axis else 0, axis=3)
            w = r.random((3, 2, 4 // groups, 8))
            exact = convolve(f64(l.dequantize(x)), f64(r.dequantize(w)), strides, pads, dilation, groups)
            acc = accumulator(l, r, 3 if per_axis else None)
            out = random_type(storages=["i8"], expressed=e, scale=2.0)
            relu = out.range_of(np.maximum(exact, 0), 16)
            window = (f"dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {{stride = {list(strides)}, "
                      f"pad = {[list(p) for p in pads]}, rhs_dilate = {list(dilation)}}} "
                      f"{{batch_group_count = 1 : i64, feature_group_count = {groups} : i64}}")
            case("convolution", [(x, l), (w, r)],
                 f"  %r0 = stablehlo.convolution(%a0, %a1) {window} : ({tensor(x.shape, l)}, {tensor(w.shape, r)}) -> {tensor(exact.shape, acc)}",
                 [(exact.shape, acc)], acc.range_of(exact))
            # conv + relu + requantize
            zero = out.at(None)
            case("convolution_relu", [(x, l), (w, r), (np.array(out.zeros[0], np.int8), out)], f"""
  %0 = stablehlo.convolution(%a0, %a1) {window} : ({tensor(x.shape, l)}, {tensor(w.shape, r)}) -> {tensor(exact.shape, acc)}
  %1 = stablehlo.uniform_quantize %0 : ({tensor(exact.shape, acc)}) -> {tensor(exact.shape, out)}
  %2 = stablehlo.broadcast_in_dim %a2, dims = [] : ({tensor((), out)}) -> {tensor(exact.shape, out)}
  %r0 = stablehlo.maximum %1, %2 : {tensor(exact.shape, out)}""",
                 [(exact.shape, out)], relu)
            y = rng.standard_normal(x.shape).astype(r.dtype)
            exact = convolve(f64(y), f64(r.dequantize(w)), strides, pads, dilation, groups)
            case("convolution_hybrid", [(y, e), (w, r)],
                 f"  %r0 = stablehlo.convolution(%a0, %a1) {window} : ({tensor(x.shape, e)}, {tensor(w.shape, r)}) -> {tensor(exact.shape, e)}",
                 [(exact.shape, e)], ("close", exact))


# --- one device ------------------------------------------------------------

def collectives():
    t = random_type()
    q = t.random((4,))
    s = tensor((4,), t)
    groups = "replica_groups = dense<0> : tensor<1x1xi64>"
    case("all_gather", [(q, t)], f'  %r0 = "stablehlo.all_gather"(%a0) <{{all_gather_dim = 0 : i64, {groups}}}> : ({s}) -> {s}', [((4,), t)], q)
    case("all_reduce", [(q, t)], f'  %r0 = "stablehlo.all_reduce"(%a0) <{{{groups}}}> {body("add", t)} : ({s}) -> {s}', [((4,), t)], q)
    case("all_to_all", [(q, t)], f'  %r0 = "stablehlo.all_to_all"(%a0) <{{split_dimension = 0 : i64, concat_dimension = 0 : i64, split_count = 1 : i64, {groups}}}> : ({s}) -> {s}', [((4,), t)], q)
    case("collective_permute", [(q, t)], f'  %r0 = "stablehlo.collective_permute"(%a0) <{{source_target_pairs = dense<0> : tensor<1x2xi64>}}> : ({s}) -> {s}', [((4,), t)], q)
    case("collective_broadcast", [(q, t)], f'  %r0 = "stablehlo.collective_broadcast"(%a0) <{{{groups}}}> : ({s}) -> {s}', [((4,), t)], q)


def complaints(case, outputs):
    for index, (got, judge) in enumerate(zip(outputs, case.judges)):
        shape, _ = case.results[index]
        if got.shape != tuple(shape):
            yield f"result {index}: shape {got.shape}, not {shape}"
            continue
        if isinstance(judge, tuple) and isinstance(judge[0], str):
            error = np.abs(got.astype(np.float64) - judge[1])
            scale = 1e-9 if got.dtype == np.float64 else 1e-4
            wrong = ~(error <= scale * (1 + np.abs(judge[1]).max()))
            low = high = judge[1]
        elif isinstance(judge, tuple):
            low, high = judge
            wrong = ~((got.astype(np.int64) >= low) & (got.astype(np.int64) <= high))
        else:
            low = high = judge
            wrong = got != judge
        if wrong.any():
            at = np.unravel_index(np.argmax(wrong), wrong.shape)
            yield (f"result {index}: {wrong.sum()} of {wrong.size} wrong, at {at}: {got[at]}, "
                   f"expected {low[at]} to {high[at]}")


def program(cases):
    """One function with all cases; returns its text and arguments."""
    parameters, values, lines, results, types = [], [], [], [], []
    for number, c in enumerate(cases):
        text = c.text
        for index, (value, element) in enumerate(c.inputs):
            name = f"%c{number}_a{index}"
            parameters.append(f"{name}: {tensor(value.shape, element)}")
            values.append(value)
        text = re.sub(r"%([A-Za-z0-9_]+)", lambda m: f"%c{number}_{m.group(1)}", text)
        lines.append(f"  // {c.name}\n{text}")
        for index, (shape, element) in enumerate(c.results):
            results.append(f"%c{number}_r{index}")
            types.append(tensor(shape, element))
    return (f"func.func @main({', '.join(parameters)}) -> ({', '.join(types)}) {{\n" +
            "\n".join(lines) + f"\n  return {', '.join(results)} : {', '.join(types)}\n}}\n"), values


def generate():
    for make in (elementwise, addition, conversions, comparisons, movement, control_flow,
                 dynamic, broadcasting,
                 reductions, normalization, contractions, convolutions, collectives):
        make()
    return sorted(CASES, key=lambda c: c.name)
