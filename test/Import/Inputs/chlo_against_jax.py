"""Compares decompositions of chlo operations with JAX's own, in units in the last place.

Usage: chlo_against_jax.py SHOAL_OPT [OP…]. Both modules are run by XLA on one CPU device: the one with
chlo operations, which XLA decomposes itself, and the one that shoal-opt decomposed.
"""
import subprocess
import sys

import jax
import jax._src.interpreters.mlir as jax_mlir
import jax._src.xla_bridge as xla_bridge
import jaxlib.mlir.ir as ir
import ml_dtypes
import numpy as np
from jax._src.lib import xla_client

jax.config.update("jax_enable_x64", True)
TYPES = {"f32": np.float32, "f64": np.float64, "bf16": ml_dtypes.bfloat16, "f16": np.float16,
         "complex<f32>": np.complex64, "complex<f64>": np.complex128,
         "i32": np.int32, "i64": np.int64, "ui32": np.uint32, "ui64": np.uint64, "i8": np.int8}


def run(text, arguments):
    backend = xla_bridge.get_backend("cpu")
    device = backend.local_devices()[0]
    with jax_mlir.make_ir_context():
        bytecode = jax_mlir.module_to_bytecode(ir.Module.parse(text))
    executable = backend.compile_and_load(bytecode, xla_client.DeviceList((device,)),
                                          xla_client.CompileOptions())
    results = executable.execute_sharded([jax.device_put(a, device) for a in arguments])
    return [np.asarray(r[0]) for r in results.disassemble_into_single_device_arrays()]


def ulps(got, want):
    """Largest difference; for narrow results a unit of the result's own type."""
    if np.issubdtype(want.dtype, np.complexfloating):
        # Parts are judged against the larger of the two.
        scale = np.spacing(np.maximum(np.abs(want.real), np.abs(want.imag)))
        parts = [(got.real, want.real), (got.imag, want.imag)]
    elif want.dtype.kind in "iub":
        return (0.0 if np.array_equal(got, want) else np.inf), 0
    else:
        eps = ml_dtypes.finfo(want.dtype).eps
        tiny = float(ml_dtypes.finfo(want.dtype).tiny)
        wide = np.abs(want.astype(np.float64))
        with np.errstate(all="ignore"):
            scale = np.maximum(2.0 ** np.floor(np.log2(wide)), tiny) * float(eps)
        parts = [(got.astype(np.float64), want.astype(np.float64))]
    worst, place = 0.0, 0
    for g, w in parts:
        with np.errstate(all="ignore"):
            error = np.abs(g - w) / scale
        error = np.where((g == w) | (np.isnan(g) & np.isnan(w)), 0, error)
        error = np.where(np.isnan(error), np.inf, error)
        if error.max() > worst:
            worst, place = float(error.max()), int(error.argmax())
    return worst, place


def points(kind, low, high, seed=0):
    rng = np.random.default_rng(seed)
    dtype = TYPES[kind]
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max, 1000, dtype=dtype, endpoint=True)
        return np.concatenate([values, np.array([info.min, info.max, 0, 1], dtype)])
    special = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, np.inf, -np.inf, np.nan]
    special = [s for s in special if np.isnan(s) or low <= s <= high]
    line = np.concatenate([rng.uniform(low, high, 2000), rng.uniform(*sorted((max(low, -2), min(high, 2))), 500)])
    line = np.clip(line, low, high)
    if np.dtype(dtype).kind == "c":
        other = rng.permutation(line)
        return (line + 1j * other).astype(dtype)
    return np.concatenate([line, np.array(special)]).astype(dtype)


INF = np.inf
# op, element types, range of arguments, allowed difference. In f32 the gamma functions take logarithms by
# way of f64, which XLA does not; test/Execution/Elementwise/chlo.py judges them by the true values.
UNARY = [
    ("acos", "f32 f64 bf16", (-1, 1), 3), ("acosh", "f32 f64", (1, 1e4), 3), ("asin", "f32 f64", (-1, 1), 3),
    ("asinh", "f32 f64 f16", (-1e3, 1e3), 3), ("atan", "f32 f64", (-10, 10), 3), ("atanh", "f32 f64", (-1, 1), 3),
    ("bessel_i1e", "f32 f64", (-40, 40), 3), ("cosh", "f32 f64", (-80, 80), 3), ("sinh", "f32 f64", (-80, 80), 3),
    ("digamma", "f64", (0.6, 50), 3), ("digamma", "f64", (-5.3, 0.4), 8),
    ("erf", "f32 f64 bf16", (-6, 6), 3), ("erfc", "f32 f64 bf16", (-6, 9), 3),
    ("erf_inv", "f32 f64", (-1, 1), 3), ("lgamma", "f64", (2.5, 100), 3), ("lgamma", "f64", (-10, 0.4), 8),
    ("tan", "f32 f64", (-3, 3), 3), ("square", "f32 complex<f32>", (-100, 100), 1),
    ("is_inf", "f32", (-INF, INF), 0), ("is_pos_inf", "f32", (-INF, INF), 0), ("is_neg_inf", "f32", (-INF, INF), 0),
    ("conj", "complex<f32>", (-3, 3), 0),
    ("acos", "complex<f32> complex<f64>", (-5, 5), 4), ("acosh", "complex<f32> complex<f64>", (-5, 5), 4),
    ("asin", "complex<f32> complex<f64>", (-5, 5), 4), ("asinh", "complex<f32> complex<f64>", (-5, 5), 4),
    ("atan", "complex<f32> complex<f64>", (-5, 5), 4), ("atanh", "complex<f32> complex<f64>", (-5, 5), 4),
    ("cosh", "complex<f32>", (-5, 5), 4), ("sinh", "complex<f32>", (-5, 5), 4), ("tan", "complex<f32>", (-2, 2), 6),
]
BINARY = [
    ("next_after", "f32 f64 bf16", (-3, 3), 0), ("zeta", "f32 f64", (1.2, 10), 4),
    ("polygamma", "f64", (1, 4), 6), ("mulhi", "i32 ui32 i64 ui64 i8", None, 0),
]
PREDICATES = {"is_inf", "is_pos_inf", "is_neg_inf"}


def check(shoal_opt, name, kind, argument_values, allowed):
    types = ", ".join(f"tensor<{len(a)}x{kind}>" for a in argument_values)
    n = len(argument_values[0])
    result = f"tensor<{n}xi1>" if name in PREDICATES else f"tensor<{n}x{kind}>"
    names = ", ".join(f"%a{i}" for i in range(len(argument_values)))
    signature = ", ".join(f"%a{i}: tensor<{n}x{kind}>" for i in range(len(argument_values)))
    text = (f"func.func @main({signature}) -> {result} {{\n"
            f"  %0 = chlo.{name} {names} : {types} -> {result}\n  return %0 : {result}\n}}\n")
    decomposed = subprocess.run([shoal_opt, "--shoal-decompose-chlo"], input=text, text=True, check=True,
                                capture_output=True).stdout
    want, = run(text, argument_values)
    got, = run(decomposed, argument_values)
    worst, place = ulps(got, want)
    verdict = "ok" if worst <= allowed else "BAD"
    at = ", ".join(str(a[place]) for a in argument_values)
    print(f"{verdict} {name} {kind}: {worst:.2f} ulp at {at}: {got[place]} for {want[place]}")
    return worst <= allowed


# Whole programs, with the shapes and types of their arguments.
PROGRAMS = {
    "top_k": ("""func.func @main(%x: tensor<3x17xf32>) -> (tensor<3x5xf32>, tensor<3x5xi32>) {
  %v, %i = chlo.top_k(%x, k = 5) : tensor<3x17xf32> -> (tensor<3x5xf32>, tensor<3x5xi32>)
  return %v, %i : tensor<3x5xf32>, tensor<3x5xi32> }""", [(3, 17)]),
    "ragged_dot": ("""func.func @main(%a: tensor<11x5xf32>, %b: tensor<3x5x7xf32>) -> tensor<11x7xf32> {
  %g = stablehlo.constant dense<[4, 0, 6]> : tensor<3xi32>
  %0 = "chlo.ragged_dot"(%a, %b, %g) {ragged_dot_dimension_numbers = #chlo.ragged_dot<
    lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0],
    rhs_group_dimensions = [0]>} : (tensor<11x5xf32>, tensor<3x5x7xf32>, tensor<3xi32>) -> tensor<11x7xf32>
  return %0 : tensor<11x7xf32> }""", [(11, 5), (3, 5, 7)]),
    "ragged_dot contracted": ("""func.func @main(%a: tensor<6x11xf32>, %b: tensor<11x7xf32>) -> tensor<3x6x7xf32> {
  %g = stablehlo.constant dense<[4, 1, 6]> : tensor<3xi32>
  %0 = "chlo.ragged_dot"(%a, %b, %g) {ragged_dot_dimension_numbers = #chlo.ragged_dot<
    lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0], lhs_ragged_dimensions = [1]>}
    : (tensor<6x11xf32>, tensor<11x7xf32>, tensor<3xi32>) -> tensor<3x6x7xf32>
  return %0 : tensor<3x6x7xf32> }""", [(6, 11), (11, 7)]),
    "broadcast": ("""func.func @main(%a: tensor<4x1xf32>, %b: tensor<4xf32>) -> (tensor<4x4xf32>, tensor<4x4xi1>) {
  %0 = chlo.broadcast_add %a, %b : (tensor<4x1xf32>, tensor<4xf32>) -> tensor<4x4xf32>
  %1 = chlo.broadcast_compare %0, %b {broadcast_dimensions = array<i64: 0>,
    comparison_direction = #chlo<comparison_direction GT>} : (tensor<4x4xf32>, tensor<4xf32>) -> tensor<4x4xi1>
  return %0, %1 : tensor<4x4xf32>, tensor<4x4xi1> }""", [(4, 1), (4,)]),
}


REFERENCES = {
    "ragged_dot": lambda a, b: [np.concatenate(
        [a[:4] @ b[0], a[4:10] @ b[2], np.zeros((1, 7), np.float32)])],
    "ragged_dot contracted": lambda a, b: [np.stack(
        [a[:, :4] @ b[:4], a[:, 4:5] @ b[4:5], a[:, 5:11] @ b[5:11]])],
    "broadcast": lambda a, b: [a + b, (a + b) > b[:, None]],
}


def check_program(shoal_opt, name):
    text, shapes = PROGRAMS[name]
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    decomposed = subprocess.run([shoal_opt, "--shoal-decompose-chlo"], input=text, text=True, check=True,
                                capture_output=True).stdout
    good = True
    # XLA:CPU cannot run ragged_dot, nor broadcast from other than the last dimensions.
    wanted = REFERENCES[name](*values) if name in REFERENCES else run(text, values)
    for got, want in zip(run(decomposed, values), wanted):
        good &= bool(np.allclose(got, want, rtol=1e-5, atol=1e-5))
    print("ok" if good else "BAD", name)
    return good


def main():
    shoal_opt, chosen = sys.argv[1], sys.argv[2:]
    good = True
    for name, kinds, limits, allowed in UNARY:
        for kind in kinds.split():
            if not chosen or name in chosen:
                low, high = limits
                finite = (max(low, -1e30), min(high, 1e30))
                good &= check(shoal_opt, name, kind, [points(kind, *finite)], allowed)
    for name, kinds, limits, allowed in BINARY:
        for kind in kinds.split():
            if chosen and name not in chosen:
                continue
            low, high = limits or (0, 0)
            a, b = points(kind, low, high), points(kind, low, high, seed=1)
            if name == "polygamma":
                a = np.round(a.astype(np.float64)).astype(a.dtype)
            keep = np.isfinite(a.astype(np.float64)) & np.isfinite(b.astype(np.float64))
            good &= check(shoal_opt, name, kind, [a[keep], b[keep]], allowed)
    for name in PROGRAMS:
        if not chosen or name in chosen:
            good &= check_program(shoal_opt, name)
    print("all agree" if good else "some differ")
    sys.exit(0 if good else 1)


main()
