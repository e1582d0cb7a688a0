#!/usr/bin/env python3
"""Compares CPU kernels of single ops with XLA on the same StableHLO text.

    ops_against_jax.py path/to/run-kernels [FILTER]

XLA's known departures from the specification are avoided in the inputs or
allowed for below: it flushes some subnormals, and folds constants
(inputs are arguments here).
"""
import io
import os
import re
import subprocess
import sys
import tempfile

# What XLA computes is wanted, not fast code: half the time of the test.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"
import jax
import ml_dtypes
import numpy as np
from jax._src import xla_bridge
from jax._src.interpreters import mlir as jax_mlir
from jaxlib import xla_client
from jaxlib.mlir import ir

jax.config.update("jax_enable_x64", True)
rng = np.random.default_rng(int(os.environ.get("SEED", "0")))

NUMPY = {
    "i1": np.bool_, "i2": ml_dtypes.int2, "i4": ml_dtypes.int4, "i8": np.int8,
    "i16": np.int16, "i32": np.int32, "i64": np.int64,
    "ui2": ml_dtypes.uint2, "ui4": ml_dtypes.uint4, "ui8": np.uint8,
    "ui16": np.uint16, "ui32": np.uint32, "ui64": np.uint64,
    "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32,
    "f64": np.float64, "complex<f32>": np.complex64,
    "complex<f64>": np.complex128,
    "f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E5M2": ml_dtypes.float8_e5m2,
    "f8E4M3B11FNUZ": ml_dtypes.float8_e4m3b11fnuz,
    "f8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "f8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz, "f8E4M3": ml_dtypes.float8_e4m3,
    "f8E3M4": ml_dtypes.float8_e3m4, "f8E8M0FNU": ml_dtypes.float8_e8m0fnu,
    "f4E2M1FN": ml_dtypes.float4_e2m1fn,
}
INTS = ["i2", "i4", "i8", "i16", "i32", "i64",
        "ui2", "ui4", "ui8", "ui16", "ui32", "ui64"]
FLOATS = ["f32", "f64", "bf16", "f16"]
F8 = ["f8E4M3FN", "f8E5M2", "f8E4M3B11FNUZ", "f8E4M3FNUZ", "f8E5M2FNUZ",
      "f8E4M3", "f8E3M4"]
COMPLEX = ["complex<f32>", "complex<f64>"]


def tensor(shape, t):
    return "tensor<" + "".join(f"{d}x" for d in shape) + t + ">"


def is_float(t):
    return t[0] in "fb"


def bits(t):
    return int(re.search(r"\d+", t).group())


def to_storage(a):
    """As kernels keep it: sub-byte integers one byte, extended."""
    if a.dtype in (ml_dtypes.int2, ml_dtypes.int4):
        return a.astype(np.int8)
    if a.dtype in (ml_dtypes.uint2, ml_dtypes.uint4):
        return a.astype(np.uint8)
    return a


def values(t, shape, low=-8.0, high=8.0):
    """Random elements; integers over the whole range and near zero."""
    n = int(np.prod(shape))
    if t == "i1":
        return rng.integers(0, 2, shape).astype(np.bool_)
    if t in INTS:
        w = bits(t)
        signed = t[0] == "i"
        lo, hi = (-2**(w - 1), 2**(w - 1) - 1) if signed else (0, 2**w - 1)
        a = [int(rng.integers(lo, hi, dtype=np.uint64 if not signed else np.int64, endpoint=True))
             if i % 3 else max(lo, min(hi, int(rng.integers(-3, 4))))
             for i in range(n)]
        a[:4] = [lo, hi, 0, min(hi, 1)][:n]
        base = (np.int64 if signed else np.uint64)
        return np.array(a, dtype=base).astype(NUMPY[t]).reshape(shape)
    if t.startswith("complex"):
        return (rng.uniform(low, high, shape) +
                1j * rng.uniform(low, high, shape)).astype(NUMPY[t])
    return rng.uniform(low, high, shape).astype(np.float64).astype(NUMPY[t])


def specials(t, shape):
    a = values(t, shape).reshape(-1)
    wide = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5,
                     1.5, 2.5, -2.5, 1e-3, 100.0, -100.0, 3.0, 0.25])
    with np.errstate(all="ignore"):
        a[:len(wide)] = wide.astype(a.dtype)
    return a.reshape(shape)


class Case:
    """A function and its inputs; per result a name and how close it must be."""

    def __init__(self, name, body, inputs, results=None, **tolerance):
        self.name, self.body, self.inputs = name, body, inputs
        self.results = results
        self.tolerance = tolerance

    def expectation(self, k):
        if self.results:
            return self.results[k]
        return f"{self.name} result {k}", self.tolerance


cases = []


def add(*args, **kw):
    cases.append(Case(*args, **kw))


class Group:
    """Many ops on the same operands as one function: fewer compilations."""

    def __init__(self, name, t, *operands):
        self.name, self.operands = name, operands
        self.type = tensor(operands[0].shape, t)
        self.shape, self.element = operands[0].shape, t
        self.lines, self.types, self.results = [], [], []

    def op(self, op, out=None, attrs="", args=None, **tolerance):
        args = args or (["%a", "%b"] if len(self.operands) > 1 else ["%a"])
        o = tensor(self.shape, out or self.element)
        n = len(self.lines)
        self.lines.append(
            f"  %{n} = \"stablehlo.{op}\"({', '.join(args)}) {attrs} : "
            f"({', '.join([self.type] * len(args))}) -> {o}")
        self.types.append(o)
        self.results.append((f"{op} {self.element} {out or ''} {attrs}", tolerance))

    def done(self):
        arguments = ", ".join(f"%{'ab'[k]}: {self.type}" for k in range(len(self.operands)))
        results = ", ".join(self.types)
        values = ", ".join(f"%{n}" for n in range(len(self.lines)))
        lines = "\n".join(self.lines)
        add(f"{self.name} {self.element}",
            f"({arguments}) -> ({results}) {{\n{lines}\n  func.return {values} : {results} }}",
            list(self.operands), self.results)


def comparisons(group, directions, kinds):
    for d in directions:
        for k in kinds:
            group.op("compare", "i1",
                     f"<{{comparison_direction = #stablehlo<comparison_direction {d}>, "
                     f"compare_type = #stablehlo<comparison_type {k}>}}>")


def elementwise():
    shape = (5, 13)
    order = ["EQ", "NE", "LT", "LE", "GT", "GE"]

    def pair(make):
        """Two operands, a third of the elements equal."""
        x = make()
        y = x.copy().reshape(-1)
        rng.shuffle(y)
        return x, np.where(rng.random(shape) < .3, x, y.reshape(shape)).astype(x.dtype)

    for t in FLOATS:
        # XLA itself is off by up to 30 ulp in f64 (log_plus_one), 2 in f16.
        ulp = {"f32": 4, "f64": 64, "f16": 3}.get(t, 1)
        g = Group("unary", t, specials(t, shape))
        for op in ["abs", "negate", "sign", "ceil", "floor", "round_nearest_afz",
                   "round_nearest_even", "sqrt", "rsqrt", "cbrt", "exponential",
                   "exponential_minus_one", "log", "log_plus_one", "logistic",
                   "tanh", "sine", "cosine", "tan"]:
            g.op(op, ulp=ulp)
        g.op("is_finite", "i1")
        g.op("reduce_precision",
             attrs="<{exponent_bits = 4 : i32, mantissa_bits = 3 : i32}>")
        g.done()
        g = Group("binary", t, *pair(lambda: specials(t, shape)))
        for op in ["add", "subtract", "multiply", "divide", "maximum",
                   "minimum", "power", "atan2", "remainder"]:
            g.op(op, ulp=ulp)
        comparisons(g, order, ["FLOAT", "TOTALORDER"])
        g.done()
    for t in F8:
        g = Group("unary", t, specials(t, shape))
        g.op("negate")
        g.op("logistic", ulp=1)
        g.done()
        g = Group("binary", t, *pair(lambda: specials(t, shape)))
        for op in ["add", "multiply", "divide", "maximum", "subtract"]:
            g.op(op)
        g.done()
    for t in INTS:
        g = Group("unary", t, values(t, shape))
        for op in ["abs", "negate", "sign"] if t[0] == "i" else []:
            g.op(op)
        for op in ["not", "popcnt", "count_leading_zeros"]:
            if op != "popcnt" or t != "i4":  # XLA counts extension bits too
                g.op(op)
        g.done()
        g = Group("binary", t, *pair(lambda: values(t, shape)))
        for op in ["add", "subtract", "multiply", "divide", "remainder",
                   "maximum", "minimum", "and", "or", "xor", "shift_left",
                   "shift_right_arithmetic", "shift_right_logical"]:
            g.op(op)
        comparisons(g, order, ["SIGNED" if t[0] == "i" else "UNSIGNED"])
        g.done()
        # XLA looks at the low bits of large exponents only.
        small = rng.integers(0, min(6, 2**(bits(t) - 1)), shape)
        g = Group("power", t, values(t, shape), small.astype(NUMPY[t]))
        g.op("power")
        g.done()
    g = Group("binary", "i1", values("i1", shape), values("i1", shape))
    for op in ["and", "or", "xor", "maximum", "minimum"]:
        g.op(op)
    g.done()
    for t in COMPLEX:
        rtol = 3e-6 if t == COMPLEX[0] else 1e-14
        g = Group("unary", t, values(t, shape, -3, 3))
        for op in ["negate", "exponential", "log", "log_plus_one",
                   "exponential_minus_one", "sqrt", "rsqrt", "tanh", "logistic",
                   "sine", "cosine", "tan", "sign"]:
            g.op(op, rtol=rtol)
        for op in ["abs", "real", "imag"]:
            g.op(op, t[8:11], ulp=3)
        g.done()
        g = Group("binary", t, *pair(lambda: values(t, shape, -2, 2)))
        for op in ["add", "subtract", "multiply", "divide", "power", "atan2"]:
            g.op(op, rtol=rtol * 20)
        comparisons(g, ["EQ", "NE"], ["FLOAT"])
        g.done()


def conversions():
    types = ["i1"] + INTS + FLOATS + F8 + ["f8E8M0FNU", "f4E2M1FN"] + COMPLEX
    shape = (7, 31)
    for a in types:
        if is_float(a):
            x = np.concatenate([specials(a, (70,)),
                                values(a, (147,), -300, 300)]).reshape(shape)
        else:
            x = values(a, shape, -300, 300)
        g = Group("convert", a, x)
        for b in types:
            if a != b and not (a == "f4E2M1FN" and b in INTS):  # XLA saturates all
                g.op("convert", b)
        g.done()


def bitcasts():
    for a, b, i, o in [("f32", "ui32", (6,), (6,)), ("f32", "ui8", (6,), (6, 4)),
                       ("ui8", "f32", (6, 4), (6,)), ("bf16", "i16", (3, 5), (3, 5)),
                       ("ui64", "ui32", (5,), (5, 2)), ("f64", "f16", (3,), (3, 4)),
                       ("i8", "f8E4M3FN", (9,), (9,)), ("i8", "ui4", (4,), (4, 2)),
                       ("ui4", "ui8", (4, 2), (4,)), ("f16", "i8", (7,), (7, 2))]:
        x = values(a, i)
        ti, to = tensor(i, a), tensor(o, b)
        add(f"bitcast {a} {b}",
            f"(%a: {ti}) -> {to} {{ %0 = stablehlo.bitcast_convert %a : ({ti}) -> {to}\n"
            f" func.return %0 : {to} }}", [x])


def sorts():
    for t in ["f32", "i32", "bf16", "ui8", "f64"]:
        for shape, dim in [((17,), 0), ((5, 33), 1), ((16, 4, 3), 0), ((3, 1), 1),
                           ((2, 1000), 1)]:
            x = values(t, shape)
            y = np.arange(x.size, dtype=np.int32).reshape(shape)
            tt, ti, ts = tensor(shape, t), tensor(shape, "i32"), f"tensor<{t}>"
            kind = "FLOAT" if is_float(t) else ("UNSIGNED" if t[0] == "u" else "SIGNED")
            for d in ["LT", "GT"]:
                add(f"sort {t} {shape} {d}", f"""(%a: {tt}, %b: {ti}) -> ({tt}, {ti}) {{
  %0:2 = "stablehlo.sort"(%a, %b) <{{dimension = {dim} : i64, is_stable = true}}> ({{
  ^bb0(%x: {ts}, %y: {ts}, %i: tensor<i32>, %j: tensor<i32>):
    %c = stablehlo.compare {d}, %x, %y, {kind} : ({ts}, {ts}) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }}) : ({tt}, {ti}) -> ({tt}, {ti})
  func.return %0#0, %0#1 : {tt}, {ti} }}""", [x, y])


def window_attr(name, v):
    return f"{name} = array<i64: {', '.join(map(str, v))}>"


def reduce_windows():
    specs = [  # shape, window, strides, base, window dilation, padding
        ((20,), (3,), (1,), (1,), (1,), [(0, 0)]),
        ((20,), (20,), (1,), (1,), (1,), [(19, 0)]),
        ((20,), (20,), (1,), (1,), (1,), [(0, 19)]),
        ((3, 20, 5), (1, 20, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1), [(0, 0), (19, 0), (0, 0)]),
        ((3, 9, 400), (1, 9, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1), [(0, 0), (0, 8), (0, 0)]),
        ((2, 8, 9, 5), (1, 3, 3, 1), (1, 2, 2, 1), (1,) * 4, (1,) * 4, [(0, 0), (0, 1), (1, 1), (0, 0)]),
        ((8, 9), (3, 2), (2, 3), (2, 1), (1, 3), [(1, 2), (3, 0)]),
        ((8, 9), (3, 2), (1, 1), (1, 2), (2, 1), [(-1, 2), (0, -1)]),
        ((2, 3, 11, 13), (1, 1, 3, 3), (1, 1, 2, 2), (1,) * 4, (1,) * 4, [(0, 0), (0, 0), (0, 1), (1, 1)]),
        ((6, 17), (1, 4), (1, 3), (1, 1), (1, 2), [(0, 0), (9, 5)]),
        ((6, 17), (1, 4), (1, 2), (1, 1), (1, 1), [(0, 0), (-3, -2)]),
    ]
    for t in ["f32", "i32", "bf16"]:
        for op, init in [("add", 0), ("maximum", -100)]:
            for shape, w, s, b, d, p in specs:
                if t == "bf16" and op == "add":
                    continue
                out = []
                for n, wi, si, bi, di, (lo, hi) in zip(shape, w, s, b, d, p):
                    full = (n - 1) * bi + 1 + lo + hi
                    out.append((full - ((wi - 1) * di + 1)) // si + 1)
                x = values(t, shape) if t != "i32" else rng.integers(-50, 50, shape).astype(np.int32)
                ti, to, ts = tensor(shape, t), tensor(out, t), f"tensor<{t}>"
                pads = "[" + ", ".join(f"[{lo}, {hi}]" for lo, hi in p) + "]"
                init_text = f"{float(init)}" if is_float(t) else str(init)
                add(f"reduce_window {op} {t} {shape} {w}", f"""(%a: {ti}) -> {to} {{
  %z = stablehlo.constant dense<{init_text}> : {ts}
  %0 = "stablehlo.reduce_window"(%a, %z) <{{{window_attr('window_dimensions', w)},
    {window_attr('window_strides', s)}, {window_attr('base_dilations', b)},
    {window_attr('window_dilations', d)}, padding = dense<{pads}> : tensor<{len(p)}x2xi64>}}> ({{
  ^bb0(%x: {ts}, %y: {ts}):
    %s = stablehlo.{op} %x, %y : {ts}
    stablehlo.return %s : {ts}
  }}) : ({ti}, {ts}) -> {to}
  func.return %0 : {to} }}""", [x], rtol=1e-5, atol=1e-5)


def select_and_scatters():
    for shape, w, s, p in [((2, 8, 8, 3), (1, 2, 2, 1), (1, 2, 2, 1), [(0, 0)] * 4),
                           ((2, 7, 9, 3), (1, 3, 3, 1), (1, 2, 2, 1), [(0, 0), (1, 1), (0, 1), (0, 0)]),
                           ((10,), (3,), (1,), [(1, 1)])]:
        src = [(n + lo + hi - wi) // si + 1 for n, wi, si, (lo, hi) in zip(shape, w, s, p)]
        x, y = values("f32", shape), values("f32", src)
        ti, tsrc = tensor(shape, "f32"), tensor(src, "f32")
        pads = "[" + ", ".join(f"[{lo}, {hi}]" for lo, hi in p) + "]"
        add(f"select_and_scatter {shape}", f"""(%a: {ti}, %b: {tsrc}) -> {ti} {{
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = "stablehlo.select_and_scatter"(%a, %b, %z) <{{{window_attr('window_dimensions', w)},
    {window_attr('window_strides', s)}, padding = dense<{pads}> : tensor<{len(p)}x2xi64>}}> ({{
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %s = stablehlo.compare GE, %x, %y, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %s : tensor<i1>
  }}, {{
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %s = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }}) : ({ti}, {tsrc}, tensor<f32>) -> {ti}
  func.return %0 : {ti} }}""", [x, y], rtol=1e-5, atol=1e-6)


def convolutions():
    def conv(name, lhs, rhs, numbers, stride, pad, ldil, rdil, rev, fg, bg, out, t="f32", to=None):
        to = to or t
        x, y = values(t, lhs, -1, 1), values(t, rhs, -1, 1)
        if t in INTS:
            x, y = (rng.integers(-9, 9, lhs).astype(NUMPY[t]), rng.integers(-9, 9, rhs).astype(NUMPY[t]))
        tl, tr, tout = tensor(lhs, t), tensor(rhs, t), tensor(out, to)
        flag = lambda v: ", ".join("true" if r else "false" for r in v)
        lst = lambda v: ", ".join(map(str, v))
        pads = ", ".join(f"[{a}, {b}]" for a, b in pad)
        tolerance = dict(rtol=2e-5, atol=2e-5) if t in ("f32", "complex<f32>") else (
            dict(rtol=1e-12, atol=1e-12) if t == "f64" else dict(rtol=2e-2, atol=2e-2))
        add(f"convolution {name} {t}", f"""(%a: {tl}, %b: {tr}) -> {tout} {{
  %0 = stablehlo.convolution(%a, %b) dim_numbers = {numbers},
    window = {{stride = [{lst(stride)}], pad = [{pads}], lhs_dilate = [{lst(ldil)}],
    rhs_dilate = [{lst(rdil)}], reverse = [{flag(rev)}]}}
    {{batch_group_count = {bg} : i64, feature_group_count = {fg} : i64}} : ({tl}, {tr}) -> {tout}
  func.return %0 : {tout} }}""", [x, y], **tolerance)

    one, no = (1, 1), (False, False)
    nhwc = "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"
    for t in ["f32", "bf16", "f64", "i32", "complex<f32>", "f16"]:
        conv("plain", (2, 8, 8, 3), (3, 3, 3, 5), nhwc, one, [(1, 1), (1, 1)], one, one, no, 1, 1, (2, 8, 8, 5), t)
    conv("stride", (4, 64, 64, 3), (7, 7, 3, 8), nhwc, (2, 2), [(2, 3), (2, 3)], one, one, no, 1, 1, (4, 32, 32, 8))
    conv("nchw", (2, 3, 9, 7), (4, 3, 3, 2), "[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]", (2, 1), [(0, 0), (1, 0)], one, one, no, 1, 1, (2, 4, 4, 7))
    conv("dilated", (2, 8, 8, 4), (3, 2, 4, 6), nhwc, one, [(2, 1), (0, 3)], (2, 1), (1, 2), (True, False), 1, 1, (2, 16, 9, 6))
    conv("groups", (2, 6, 6, 6), (3, 3, 2, 9), nhwc, one, [(1, 1), (1, 1)], one, one, no, 3, 1, (2, 6, 6, 9))
    conv("depthwise", (2, 6, 6, 4), (3, 3, 1, 8), nhwc, one, [(0, 0), (0, 0)], one, one, no, 4, 1, (2, 4, 4, 8))
    conv("batch groups", (6, 5, 5, 4), (3, 3, 4, 9), nhwc, one, [(0, 0), (0, 0)], one, one, no, 1, 3, (2, 3, 3, 9))
    conv("weight gradient", (4, 16, 16, 8), (4, 8, 8, 16), "[f, 0, 1, b]x[i, 0, 1, o]->[0, 1, b, f]", one, [(0, -1), (0, -1)], one, (2, 2), no, 1, 1, (1, 1, 8, 16))
    conv("input gradient", (4, 8, 8, 16), (1, 1, 8, 16), "[b, 0, 1, f]x[0, 1, o, i]->[b, 0, 1, f]", one, [(0, 1), (0, 1)], (2, 2), one, no, 1, 1, (4, 16, 16, 8))
    conv("1d", (3, 20, 4), (5, 4, 6), "[b, 0, f]x[0, i, o]->[b, 0, f]", (1,), [(4, 0)], (1,), (1,), (False,), 1, 1, (3, 20, 6))
    conv("3d", (1, 4, 5, 6, 2), (2, 2, 2, 2, 3), "[b, 0, 1, 2, f]x[0, 1, 2, i, o]->[b, 0, 1, 2, f]", (1, 1, 1), [(0, 0)] * 3, (1,) * 3, (1,) * 3, (False,) * 3, 1, 1, (1, 3, 4, 5, 3))


def calls():
    for kind, t, o, shape, length, out in [
            ("FFT", "complex<f32>", "complex<f32>", (3, 12), (12,), (3, 12)),
            ("IFFT", "complex<f64>", "complex<f64>", (3, 17), (17,), (3, 17)),
            ("RFFT", "f32", "complex<f32>", (2, 5, 16), (5, 16), (2, 5, 9)),
            ("IRFFT", "complex<f32>", "f32", (2, 9), (16,), (2, 16)),
            ("RFFT", "f64", "complex<f64>", (4, 37), (37,), (4, 19)),
            # Several at once, of one line, along columns, by every radix and none.
            ("FFT", "complex<f32>", "complex<f32>", (33, 420), (420,), (33, 420)),
            ("IFFT", "complex<f32>", "complex<f32>", (5, 512), (512,), (5, 512)),
            ("FFT", "complex<f64>", "complex<f64>", (1, 2662), (2662,), (1, 2662)),
            ("FFT", "complex<f64>", "complex<f64>", (2, 3, 8, 21, 37), (8, 21, 37), (2, 3, 8, 21, 37)),
            ("IFFT", "complex<f32>", "complex<f32>", (20, 1), (1,), (20, 1)),
            ("IRFFT", "complex<f64>", "f64", (3, 6, 20, 13), (6, 20, 24), (3, 6, 20, 24)),
            ("FFT", "complex<f32>", "complex<f32>", (7, 24, 19), (24, 19), (7, 24, 19))]:
        ti, to = tensor(shape, t), tensor(out, o)
        add(f"fft {kind} {t} {shape}", f"""(%a: {ti}) -> {to} {{
  %0 = stablehlo.fft %a, type = {kind}, length = [{', '.join(map(str, length))}] : ({ti}) -> {to}
  func.return %0 : {to} }}""", [values(t, shape)], rtol=1e-5, atol=3e-5)
    for t in ["f32", "f64", "complex<f64>"]:
        a = values(t, (2, 7, 7), -1, 1)
        spd = (a @ np.conj(np.swapaxes(a, 1, 2)) + 3 * np.eye(7)).astype(a.dtype)
        ti, tb = tensor((2, 7, 7), t), tensor((2, 7, 3), t)
        for lower in ["true", "false"]:
            add(f"cholesky {t} {lower}", f"""(%a: {ti}) -> {ti} {{
  %0 = stablehlo.cholesky %a, lower = {lower} : {ti}
  func.return %0 : {ti} }}""", [spd], rtol=1e-4, atol=1e-5)
        for tr in ["NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"]:
            add(f"triangular_solve {t} {tr}", f"""(%a: {ti}, %b: {tb}) -> {tb} {{
  %0 = "stablehlo.triangular_solve"(%a, %b) <{{left_side = true, lower = true,
    unit_diagonal = false, transpose_a = #stablehlo<transpose {tr}>}}> : ({ti}, {tb}) -> {tb}
  func.return %0 : {tb} }}""", [(a + 4 * np.eye(7)).astype(a.dtype), values(t, (2, 7, 3))], rtol=1e-4, atol=1e-4)
    for alg in ["THREE_FRY", "PHILOX", "DEFAULT"]:
        for t in ["ui32", "ui64", "ui8"]:
            to = tensor((5, 7), t)
            add(f"rng_bit_generator {alg} {t}", f"""(%a: tensor<2xui64>) -> (tensor<2xui64>, {to}) {{
  %0, %1 = stablehlo.rng_bit_generator %a, algorithm = {alg} : (tensor<2xui64>) -> (tensor<2xui64>, {to})
  func.return %0, %1 : tensor<2xui64>, {to} }}""", [np.array([2**63 + 5, 2**64 - 2], np.uint64)])
    add("map", """(%a: tensor<3x5xf32>, %b: tensor<3x5xf32>) -> tensor<3x5xf32> {
  %0 = "stablehlo.map"(%a, %b) <{dimensions = array<i64: 0, 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.multiply %x, %y : tensor<f32>
    %2 = stablehlo.add %1, %x : tensor<f32>
    stablehlo.return %2 : tensor<f32>
  }) : (tensor<3x5xf32>, tensor<3x5xf32>) -> tensor<3x5xf32>
  func.return %0 : tensor<3x5xf32> }""", [values("f32", (3, 5)), values("f32", (3, 5))], atol=1e-5)
    add("clamp", """(%l: tensor<f32>, %a: tensor<3x5xf32>, %h: tensor<f32>) -> tensor<3x5xf32> {
  %0 = stablehlo.clamp %l, %a, %h : (tensor<f32>, tensor<3x5xf32>, tensor<f32>) -> tensor<3x5xf32>
  func.return %0 : tensor<3x5xf32> }""", [np.float32(-1.), values("f32", (3, 5)), np.float32(2.)])
    add("select", """(%p: tensor<i1>, %a: tensor<3x5xf32>, %b: tensor<3x5xf32>) -> tensor<3x5xf32> {
  %0 = stablehlo.select %p, %a, %b : tensor<i1>, tensor<3x5xf32>
  func.return %0 : tensor<3x5xf32> }""", [np.bool_(True), values("f32", (3, 5)), values("f32", (3, 5))])


def run_xla(case):
    backend = xla_bridge.get_backend("cpu")
    with jax_mlir.make_ir_context():
        module = ir.Module.parse("func.func public @main" + case.body)
        buffer = io.BytesIO()
        module.operation.write_bytecode(buffer)
    devices = xla_client.DeviceList(tuple(backend.local_devices()[:1]))
    executable = backend.compile_and_load(buffer.getvalue(), devices,
                                          xla_client.CompileOptions())
    outputs = executable.execute_sharded([jax.device_put(x) for x in case.inputs])
    return [np.asarray(x[0]) for x in outputs.disassemble_into_single_device_arrays()]


def wide(a):
    if a.dtype.kind == "c":
        return a.astype(np.complex128)
    if a.dtype == np.bool_ or a.dtype.kind in "iu":
        return a
    if "int" in a.dtype.name:
        return a.astype(np.int64)
    return a.astype(np.float64)


def compare(inputs, got, want, ulp=0, rtol=0.0, atol=0.0):
    """None, or what differs."""
    g, w = wide(got), wide(want)
    if w.dtype.kind not in "fc":
        bad = g != w
    else:
        with np.errstate(all="ignore"):
            close = (g == w) | (np.isnan(g) & np.isnan(w))
            tolerance = atol + rtol * np.abs(w)
            # XLA flushes subnormal results of some functions.
            if w.dtype.kind == "f" and want.dtype != np.float64:
                smallest = float(ml_dtypes.finfo(want.dtype).smallest_normal)
                close |= (w == 0) & (np.abs(g) < smallest)
            if ulp:
                info = ml_dtypes.finfo(want.dtype)
                tolerance = tolerance + ulp * np.maximum(
                    np.abs(w) * float(info.eps), float(info.smallest_subnormal))
            close |= np.abs(g - w) <= tolerance
        bad = ~close
    if not bad.any():
        return None
    at = tuple(np.argwhere(bad)[0])
    source = [x[at] for x in inputs if x.shape == bad.shape]
    return f"{bad.sum()} of {bad.size} differ, first at {list(map(int, at))}: got {got[at]}, XLA {want[at]}, inputs {source}"


def main():
    runner, pattern = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    for make in [elementwise, conversions, bitcasts, sorts, reduce_windows,
                 select_and_scatters, convolutions, calls]:
        make()
    if runner == "--list":  # for test/coverage.py
        for c in cases:
            print(f"func.func public @main{c.body}\n// -----")
        return 0
    chosen = [c for c in cases if re.search(pattern, c.name)]
    failures = refused = 0
    with tempfile.TemporaryDirectory() as d:
        for n, case in enumerate(chosen):
            with open(f"{d}/{n}.mlir", "w") as f:
                f.write(case.body)
            for k, x in enumerate(case.inputs):
                np.asarray(to_storage(np.asarray(x))).tofile(f"{d}/{n}.in{k}")
        status = subprocess.run([runner, d]).returncode
        if status:
            print(f"{runner} ended with {status}")
        for n, case in enumerate(chosen):
            case.inputs = [np.asarray(x) for x in case.inputs]
            if os.path.exists(f"{d}/{n}.error"):
                failures += 1
                print(f"{case.name}: {open(f'{d}/{n}.error').read().strip()[:300]}")
                continue
            if not os.path.exists(f"{d}/{n}.out0"):
                failures += 1
                print(f"{case.name}: no output")
                continue
            try:
                wants = run_xla(case)
            except Exception as e:
                refused += 1
                if os.environ.get("VERBOSE"):
                    print(f"XLA refuses {case.name}: {str(e)[:200]}")
                continue
            for k, want in enumerate(wants):
                storage = to_storage(want).dtype
                got = np.fromfile(f"{d}/{n}.out{k}", storage).reshape(want.shape)
                name, tolerance = case.expectation(k)
                problem = compare(case.inputs, got.astype(want.dtype), want, **tolerance)
                if problem:
                    failures += 1
                    print(f"{name}: {problem}")
    print(f"{len(chosen)} cases, {failures} failures, {refused} refused by XLA")
    return 1 if failures else 0


sys.exit(main())
