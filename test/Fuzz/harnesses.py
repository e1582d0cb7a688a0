"""JAX's own harnesses of its primitives, on one device, sharded at random and as files that check themselves.

  harnesses.py [--only REGEX] [--sample N] [--seed N] [--ways single,ranks,dynamic,tpu,cuda,files] [--x32] [--special] [--transform KIND] [--keep DIR] [--jobs N]

jaxlib's wheel carries what JAX tests its primitives with: several thousand
functions with arguments, each one primitive with one choice of types, shapes
and attributes (it needs absl-py). Each is lowered and run by JAX, and by Shoal

  single  with --single-device,
  ranks   with arguments, results and some values between sharded at random,
  dynamic on one device, exported with symbolic sizes and called with the true ones, where JAX can,
  tpu     on one device, as JAX lowers it for TPUs, where that differs; cuda the same,
  files   as a program without arguments, by shoal-run itself, on one device or
          on ranks: constants from @inputs, expected values from @expected,
          compared by custom calls @check.*; and once more with one expected
          element spoiled, which must end with exit code 1.

With --transform the functions are vectorized or differentiated. Exits 1 when something differs, is refused or ends the compiler.
"""
import argparse
import collections
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE))
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_multi_thread_eigen=false")
warnings.simplefilter("ignore")

import jax  # noqa: E402
import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402
from jax import export  # noqa: E402
from jax._src.interpreters import mlir as jmlir  # noqa: E402
from jaxlib.mlir import ir  # noqa: E402
from jaxlib.mlir.dialects import stablehlo  # noqa: E402
import gspmd  # noqa: E402
from library import MESHES  # noqa: E402
from runner import Runner  # noqa: E402
from zoo import raw  # noqa: E402

SMALL = ("int2", "uint2", "int4", "uint4")
# What is compared by reconstruction, or not at all: signs and phases of
# eigenvectors are free, and so is what a generator without a seed draws.
FREE = {"rng_uniform"}


def unspecified(name, result, way=None):
    """Whether a result may be one of several: of equal elements any; singular vectors by another algorithm."""
    keys = re.search(r"isstable_False_num_keys_(\d+)", name)
    # By the specification, elements of a scatter's window that lie outside are left out; by XLA the whole window is.
    if way == "derivative" and re.match("gather_(batchdims|op_shape)", name):
        return True
    return keys and result >= int(keys[1]) or name.startswith("approx_top_k") and result == 1 or name.startswith("svd") and way == "tpu" and result > 0


# Results are sums, in any order: errors are measured against the largest element.
SUMS = {"dot_general", "conv_general_dilated", "reduce_sum", "reduce_prod", "reduce", "cumsum", "cumprod", "cumlogsumexp", "fft", "reduce_window_add",
        "reduce_window_mul", "select_and_scatter_add", "select_and_gather_add", "scatter_add", "scatter_mul", "lu", "qr", "svd", "eig", "eigh", "cholesky",
        "triangular_solve", "tridiagonal_solve", "custom_linear_solve", "derivative"}
# Series in which errors add up, or cancel near a zero: judged in wider floats, and may be half as far off again as JAX.
SERIES = {"lgamma", "digamma", "igamma", "igammac", "regularized_incomplete_beta", "random_gamma", "erf_inv", "pow", "logistic", "expm1", "rsqrt", "log1p", "atanh",
          "cosh", "erfc", "sinh", "cumlogsumexp", "bessel_i0e", "bessel_i1e", "erf"}
WIDER = {np.dtype(np.float32): np.float64, np.dtype(np.complex64): np.complex128, np.dtype(np.float16): np.float64, np.dtype(jax.numpy.bfloat16): np.float64}
NUMPY = {"log1p": np.log1p, "expm1": np.expm1, "atanh": np.arctanh, "pow": np.power, "cosh": np.cosh, "sinh": np.sinh}   # in f64 better than XLA
# Factorisations multiply errors by condition numbers.
LINEAR = {"derivative", "lu", "qr", "svd", "eig", "eigh", "cholesky", "triangular_solve", "tridiagonal_solve", "custom_linear_solve"}


def epsilon(dtype):
    return float(ml_dtypes.finfo(dtype).eps)


def errors(got, want, scaled, around_zero=False):
    """The largest error in units in the last place (of the largest element, where scaled); infinite where NaNs or infinities differ."""
    dtype = want.real.dtype
    eps, least = epsilon(dtype), 1.0 if around_zero else float(ml_dtypes.finfo(dtype).tiny)
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    g, w = got.astype(wide), want.astype(wide)
    with np.errstate(all="ignore"):
        same = (g == w) | (np.isnan(g) & np.isnan(w))
        finite = np.abs(w)[np.isfinite(w)]
        size = np.full(w.shape, finite.max(initial=0.0)) if scaled else np.abs(w)
        # (In logarithms: f64's largest and smallest numbers.)
        error = np.where(same, 0.0, np.abs(g - w) / (eps * np.maximum(size, least)))
        error[np.isnan(error)] = np.inf
    return error


def parts_equal(got, want):
    """Complex numbers that are infinite or NaN agree in each part that is."""
    if want.dtype.kind != "c":
        return np.zeros(want.shape, bool)
    same = [(g == w) | (np.isnan(g) & np.isnan(w)) for g, w in ((got.real, want.real), (got.imag, want.imag))]
    return same[0] & same[1]


def limit(group, dtype):
    """Units in the last place that results may differ by."""
    if group in LINEAR:
        return 4000
    if group in SUMS:
        return 64
    if group in SERIES and np.dtype(dtype).itemsize == 8:   # There is nothing wider to ask.
        return 100
    return 16 if np.dtype(dtype).itemsize >= 4 else 2


def nearly(group, got, want, true):
    """Where a float is about as near to the true value as JAX's."""
    slack = 1.5 * errors(want, true.astype(want.dtype), group in SUMS).max(initial=0) + limit(group, want.real.dtype)
    return errors(got, true.astype(want.dtype), group in SUMS) <= slack


def coarsest(group, arrays):
    """The largest epsilon of arguments whose products are summed up: intermediate values may have it."""
    return max([epsilon(a.real.dtype) for a in arrays if a.dtype.kind not in "iub" and a.dtype.name not in SMALL], default=0.0) if group in SUMS else 0.0


def difference(name, group, way, got, want, least=0.0, truth=None):
    """None, or what differs; and the largest error of a float."""
    most = 0.0
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        w = np.asarray(w)
        if g.dtype != w.dtype and g.dtype.kind in "Viu" and g.dtype.itemsize == w.dtype.itemsize and w.dtype.kind == "V":
            g = g.view(w.dtype)
        elif g.dtype.kind == "V":
            g = g.view(w.dtype)
        elif w.dtype.name in SMALL:
            g = g.astype(w.dtype)
        if unspecified(name, i, way) or unspecified(name, i, group):
            continue
        if group == "cholesky" and g.shape == w.shape:   # What is above the diagonal is anything.
            g, w = np.tril(g), np.tril(w)
        if g.shape != w.shape or g.dtype != w.dtype:
            return f"out{i}: {g.dtype}{g.shape}, want {w.dtype}{w.shape}", most
        g, w = np.atleast_1d(g), np.atleast_1d(w)
        if not w.size:
            continue
        if w.dtype.kind in "iub" or w.dtype.name in SMALL:
            bad, note = g != w, ""
        else:
            error = errors(g, w, group in SUMS, group in ("lgamma", "derivative"))
            error *= epsilon(w.real.dtype) / max(epsilon(w.real.dtype), least)
            error[parts_equal(g, w)] = 0
            most = max(most, float(error.max()))
            bad, note = error > limit(group, w.real.dtype), f" ({error.max():.3g} units)"
            if bad.any() and truth:
                bad &= ~nearly(group, g, w, np.atleast_1d(truth[i]))
            if not bad.any() and group not in SUMS and w.dtype.kind != "c":
                bad, note = (g == w) & (np.signbit(g.astype(np.float64)) != np.signbit(w.astype(np.float64))), " (sign of zero)"
        if bad.any():
            at = tuple(int(k) for k in np.argwhere(bad)[0])
            return f"out{i} {w.dtype}{list(w.shape)}: {int(bad.sum())} of {bad.size} wrong{note}, first at {list(at)}: got {g[at]}, want {w[at]}", most
    return None, most


def random_sharding(rng, axes, rank):
    """Axes, or their parts, cut dimensions at random; sizes need not divide."""
    dims = [[] for _ in range(rank)]
    for name, size in rng.sample(axes, len(axes)):
        parts = [f'"{name}"']
        if size in (4, 8) and rng.random() < 0.3:
            parts = rng.sample([f'"{name}":(1)2', f'"{name}":(2){size // 2}'], rng.choice((1, 2)))
        for part in parts:
            if rank and rng.random() < 0.8:
                rng.choice(dims).append(part)
    for d in dims:   # Parts of an axis one after the other are written as one.
        for k in range(len(d) - 1, 0, -1):
            name, _, part = d[k].partition(":(2)")
            if part and d[k - 1] == f"{name}:(1)2":
                d[k - 1:k + 1] = [name]
    closed = ["{" + ", ".join(d + (["?"] if rng.random() < 0.1 else [])) + "}" for d in dims]
    return "#sdy.sharding<@mesh, [" + ", ".join(closed) + "]>"


def functions(module):
    return [op for op in module.body.operations if op.operation.name == "func.func"]


def main_of(module):
    return [f for f in functions(module) if f.name.value == "main"][0]


def static(type):
    return isinstance(type, ir.RankedTensorType) and type.has_static_shape


def shard(module, rng):
    """Gives arguments, results and some values between shardings on a random mesh; returns its axes."""
    shape = rng.choice(MESHES)
    axes = list(zip("abc", shape))
    mesh = ir.Operation.parse("sdy.mesh @mesh = <[" + ", ".join(f'"{a}"={s}' for a, s in axes) + "]>")
    ir.InsertionPoint.at_block_begin(module.body).insert(mesh)
    main = main_of(module)

    def draw(type):
        return ir.Attribute.parse(random_sharding(rng, axes, type.rank))

    def placed(attr, types, chance):
        old = list(main.attributes[attr]) if attr in main.attributes else [ir.DictAttr.get({})] * len(types)
        new = []
        for a, t in zip(old, types):
            d = {n.name: n.attr for n in ir.DictAttr(a)}
            if static(t) and rng.random() < chance:
                d["sdy.sharding"] = draw(t)
            new.append(ir.DictAttr.get(d))
        if types:
            main.attributes[attr] = ir.ArrayAttr.get(new)
    placed("arg_attrs", list(main.type.inputs), 0.9)
    placed("res_attrs", list(main.type.results), 0.6)
    for f in functions(module):
        if f.name.value in ("expected",):
            continue
        for op in list(f.entry_block.operations):
            if op.operation.name in ("func.return", "sdy.mesh"):
                continue
            for value in op.operation.results:
                if static(value.type) and rng.random() < 0.25:
                    new = ir.Operation.create("sdy.sharding_constraint", results=[value.type], operands=[value], attributes={"sharding": draw(value.type)},
                                              ip=ir.InsertionPoint.after(op.operation))
                    value.replace_all_uses_except(new.results[0], new)
    return axes


def constant(array):
    return jmlir.ir_constant(np.asarray(array))


def private_function(module, name, arrays):
    """func.func private @name() that returns constants."""
    with ir.InsertionPoint(module.body):
        f = jmlir.func_dialect.FuncOp(name, ir.FunctionType.get([], []), visibility="private")
        with ir.InsertionPoint(f.add_entry_block()):
            values = [constant(a) for a in arrays]
            jmlir.func_dialect.ReturnOp(values)
        f.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get([], [v.type for v in values]))
    return [v.type for v in values]


def self_checking(module, arrays, want, checks):
    """Makes @main a function without arguments that compares its results: checks[i] is the custom call's name and attributes, or None."""
    main = main_of(module)
    block = main.entry_block
    types = private_function(module, "inputs", arrays) if arrays else []
    expected = private_function(module, "expected", want)
    with ir.InsertionPoint.at_block_begin(block):
        given = jmlir.func_dialect.CallOp(types, ir.FlatSymbolRefAttr.get("inputs"), []).results if arrays else []
        wanted = jmlir.func_dialect.CallOp(expected, ir.FlatSymbolRefAttr.get("expected"), []).results
    for argument, value in zip(list(block.arguments), given):
        argument.replace_all_uses_with(value)
    for i in reversed(range(len(block.arguments))):
        block.erase_argument(i)
    end = block.operations[len(block.operations) - 1].operation
    for value, right, check in zip(list(end.operands), wanted, checks):
        if not check:
            continue
        name, attributes = check
        ir.Operation.create("stablehlo.custom_call", operands=[value, right], ip=ir.InsertionPoint(end),
                            attributes={"call_target_name": ir.StringAttr.get(name), "has_side_effect": ir.BoolAttr.get(True)} | {k: ir.Attribute.parse(v) for k, v in attributes.items()})
    main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get([], list(main.type.results)))
    if "arg_attrs" in main.attributes:
        del main.attributes["arg_attrs"]


def far(array, element):
    """What no tolerance takes for an element of an array of floats."""
    largest = np.abs(array[np.isfinite(array)]).astype(np.float64).max(initial=1.0)
    return np.asarray(min(8 * largest, float(ml_dtypes.finfo(array.real.dtype).max)) if np.isfinite(element) else 7).astype(array.dtype)


class TooLong(Exception):
    pass


def transformed(kind, harness, arguments, rng):
    """The function and its arguments under jax.vmap, the reverse or the forward derivative."""
    function = harness.dyn_fun
    if kind == "plain":
        return function, arguments
    if kind == "vmap":
        others = [harness.dyn_args_maker(rng) for _ in range(2)]
        batches = [[a] + [o[i] for o in others] for i, a in enumerate(arguments)]
        if any(np.shape(a) != np.shape(b[0]) for b in batches for a in b):
            raise ValueError("arguments of several shapes")
        axes = [int(rng.randint(np.ndim(a) + 1)) if rng.rand() < 0.8 else None for a in arguments]
        if all(a is None for a in axes):
            axes[0] = 0
        return jax.vmap(function, axes, int(rng.randint(2)) if all(x.ndim for x in jax.tree.leaves(jax.eval_shape(function, *arguments))) else 0), \
            [np.stack(b, x) if x is not None else b[0] for b, x in zip(batches, axes)]
    places = [i for i, a in enumerate(arguments) if jax.numpy.issubdtype(jax.numpy.asarray(a).dtype, jax.numpy.inexact)]
    if not places:
        raise ValueError("nothing to differentiate by")

    def of_floats(*xs):
        full = list(arguments)
        for i, x in zip(places, xs):
            full[i] = x
        return [y for y in jax.tree.leaves(function(*full)) if jax.numpy.issubdtype(y.dtype, jax.numpy.inexact)]

    def random(like):
        return (rng.randn(*like.shape) + (1j * rng.randn(*like.shape) if like.dtype.kind == "c" else 0)).astype(like.dtype)
    given = [np.asarray(arguments[i]) for i in places]
    if kind == "jvp":
        return lambda *xs: jax.jvp(of_floats, xs[:len(given)], xs[len(given):]), given + [random(a) for a in given]
    out = jax.eval_shape(of_floats, *given)
    return lambda *xs: jax.vjp(of_floats, *xs[:len(given)])[1](list(xs[len(given):])), given + [random(y) for y in out]


class Refused(Exception):
    """JAX does not take it."""


def special(array, rng):
    """Some elements infinite, NaN, zero of either sign, the largest and the smallest."""
    array = np.array(array)
    if not array.size or array.dtype == bool:
        return array
    if array.dtype.kind in "iu":
        values = np.array([np.iinfo(array.dtype).min, np.iinfo(array.dtype).max, 0, 1], array.dtype)
    else:
        info = ml_dtypes.finfo(array.real.dtype)
        values = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, float(info.max), float(info.min), float(info.tiny), 0.5]).astype(array.dtype)
        if array.dtype.kind == "c":
            values = values + 1j * rng.choice(values.real, values.shape)
    where = rng.rand(*array.shape) < 0.5
    return np.where(where, rng.choice(values, array.shape), array).astype(array.dtype)


def with_symbols(function, arguments):
    """The program that calls the exported function, whose sizes above one are symbols: equal ones where they are equal."""
    sizes = sorted({n for a in arguments for n in np.shape(a) if n > 1})
    scope = export.SymbolicScope([f"d{n} >= {n}" for n in sizes])
    symbols = {n: export.symbolic_shape(f"d{n}", scope=scope)[0] for n in sizes}
    specs = [jax.ShapeDtypeStruct([symbols.get(n, n) for n in np.shape(a)], a.dtype) for a in map(jax.numpy.asarray, arguments)]
    exported = export.export(jax.jit(function), platforms=["cpu"])(*specs)
    return jax.jit(exported.call, keep_unused=True).lower(*arguments).as_text()


def lower(harness, seed, use_special, ways, kind="plain"):
    """({way: text, and perhaps the true values}, arguments, what JAX computes)"""
    rng = np.random.RandomState(zlib.crc32(f"{harness.fullname} {seed}".encode()))
    try:
        signal.alarm(60)
        arguments = harness.dyn_args_maker(rng)
        arguments = [jax.random.key_data(a) if hasattr(a, "dtype") and jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key) else a for a in arguments]
        if use_special and not re.match("scatter|gather|dynamic|random|rng", harness.group_name):
            arguments = [special(a, rng) if hasattr(a, "dtype") else a for a in arguments]
        function, arguments = transformed(kind, harness, arguments, rng)
        lowered = jax.jit(function, keep_unused=True).lower(*arguments)
        want = [np.asarray(x) for x in jax.tree.leaves(lowered.compile()(*arguments))]
        arrays = [np.asarray(x).astype(s.dtype) for x, s in zip(jax.tree.leaves(arguments), jax.tree.leaves(lowered.args_info), strict=True)]
        if not want:
            raise Refused("no results")
        texts = {"": lowered.as_text()}
        wide = [a.astype(WIDER.get(a.dtype, a.dtype)) for a in arrays]
        if kind == "plain" and harness.group_name in NUMPY:
            texts["truth"] = [NUMPY[harness.group_name](*wide)]
        elif harness.group_name in SERIES and jax.config.jax_enable_x64 and any(a.dtype in WIDER for a in arrays):
            texts["truth"] = [np.asarray(x) for x in jax.tree.leaves(jax.jit(function)(*wide))]
        for platform in {"tpu", "cuda"} & ways:
            try:
                other = jax.jit(function, keep_unused=True).trace(*arguments).lower(lowering_platforms=(platform,)).as_text()
                if other != texts[""]:
                    texts[platform] = other
            except Exception as error:  # noqa: BLE001: what that platform does not have
                if isinstance(error, TooLong):
                    raise
        if "dynamic" in ways and any(n > 1 for a in arrays for n in a.shape):
            try:
                texts["dynamic"] = with_symbols(function, arguments)
            except Exception as error:  # noqa: BLE001: what cannot be exported with symbols
                if isinstance(error, TooLong):
                    raise
        return texts, arrays, want
    except TooLong:
        raise
    except Exception as error:  # noqa: BLE001: what JAX refuses
        raise Refused(f"{type(error).__name__}: {str(error)[:120]}") from error
    finally:
        signal.alarm(0)


class Campaign:
    def __init__(self, args):
        self.args, self.own = args, threading.local()
        self.counts, self.worst, self.failed = collections.Counter(), collections.Counter(), 0

    def runner(self):
        if not hasattr(self.own, "runner"):
            self.own.runner = Runner(self.args.shoal_run, self.args.limit)
        return self.own.runner

    def environment(self, rng):
        env = {"SHOAL_TEST_POISON": "1", "SHOAL_TEST_OPT_LEVEL": "0"}
        return env | ({"SHOAL_TEST_FORMS": str(rng.randrange(1000))} if rng.random() < 0.3 else {})

    def by_arrays(self, way, harness, texts, text, arrays, want, rng, folder):
        env = self.environment(rng) if way == "ranks" else {"SHOAL_TEST_POISON": "1", "SHOAL_TEST_OPT_LEVEL": "0"}
        path, npz, out = f"{folder}/p.mlir", f"{folder}/in.npz", f"{folder}/out.npz"
        Path(path).write_text(text)
        np.savez(npz, **{f"arg{i}": raw(a) for i, a in enumerate(arrays)})
        problem = self.runner().run(path, npz, out, *(["--single-device"] if way != "ranks" else []), env=env)
        if problem:
            return problem + (f" {env}" if "SHOAL_TEST_FORMS" in env else "")
        if harness.group_name in FREE:
            return None
        with np.load(out) as file:
            problem, error = difference(harness.fullname, self.args.group or harness.group_name, way, [file[f"out{i}"] for i in range(len(want))], want,
                                        coarsest(self.args.group or harness.group_name, arrays), texts.get("truth"))
        if way == "single" and np.isfinite(error) and not problem:
            key = (harness.group_name, str(want[0].dtype))
            self.worst[key] = max(self.worst[key], error)
        return problem and problem + (f" {env}" if "SHOAL_TEST_FORMS" in env else "")

    def by_file(self, text, single, folder):
        path = f"{folder}/p.mlir"
        Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            p = subprocess.run([self.args.shoal_run, path, *(["--single-device"] if single else [])], capture_output=True, text=True, timeout=self.args.limit,
                               env=dict(os.environ, SHOAL_CACHE_DIR="", SHOAL_TEST_POISON="1", SHOAL_TEST_OPT_LEVEL="0"))
        except subprocess.TimeoutExpired:
            return -1, f"timed out after {self.args.limit} s"
        return p.returncode, "exit {}: {}".format(p.returncode, " ".join(line for line in (p.stderr + p.stdout).splitlines() if "remark:" not in line)[:600])

    def texts(self, way, harness, texts, arrays, want, rng):
        """Programs to run: (text, whether on one device, exit codes that are right)."""
        if way in ("dynamic", "tpu", "cuda"):
            return [(texts[way], True, 0)] if way in texts else []
        text = texts[""]
        if way == "single":
            return [(text, True, 0)]
        with jmlir.make_ir_context(), ir.Location.unknown():
            if way == "ranks":
                if rng.random() < 0.2:
                    text = texts.get(rng.choice(["dynamic", "tpu", "cuda"]), text)
                module = ir.Module.parse(text)
                mesh, sharded = shard(module, rng), str(module)
                if rng.random() < 0.25:   # as JAX prints it without Shardy
                    sharded = gspmd.convert(re.sub(r'jax\.result_info = "[^"]*"(, )?', "", sharded), mesh)
                count = int(np.prod([size for _, size in mesh]))
                return [(sharded.replace("mhlo.num_partitions = 1 ", f"mhlo.num_partitions = {count} "), False, 0)]
            programs = []
            checks = []
            for number, w in enumerate(want):
                exact = w.dtype.kind in "iub" or w.dtype.name in SMALL
                if unspecified(harness.fullname, number) or harness.group_name in FREE | {"cholesky"}:
                    checks.append(None)
                elif exact:
                    checks.append((rng.choice(["check.expect_eq", "check.eq"]), {}))
                elif self.args.group or harness.group_name in SUMS | SERIES:
                    checks.append(("check.expect_almost_eq", {"tolerance": f"{max(1e-3, limit(harness.group_name, w.dtype) * epsilon(w.real.dtype) * max(1, np.abs(w[np.isfinite(w)]).max(initial=0)))} : f64"}))
                else:
                    checks.append(rng.choice([("check.expect_close", {}), ("check.expect_close", {"max_ulp_difference": "5 : ui64", "min_ulp_difference": "0 : ui64"})]))
            sharded = rng.random() < 0.6
            for spoiled in (False, True):
                right = [np.array(w) for w in want]
                if spoiled:
                    candidates = [k for k, w in enumerate(right) if w.size and checks[k]]
                    if not candidates:
                        continue
                    w = right[rng.choice(candidates)]
                    at = tuple(rng.randrange(n) for n in w.shape)
                    w[at] = ~w[at] if w.dtype == bool else w[at] ^ 1 if w.dtype.kind in "iu" else far(w, w[at])
                module = ir.Module.parse(text)
                self_checking(module, arrays, right, checks)
                if sharded:
                    shard(module, random.Random(rng.randrange(1 << 30)))
                module.operation.verify()
                programs.append((self.written(module, sharded, rng), not sharded, 1 if spoiled else 0))
            return programs

    def written(self, module, sharded, rng):
        """The text, in the generic form, or a portable artifact of some version."""
        form = rng.random()
        if form < 0.2 and not sharded:
            version = rng.choice([stablehlo.get_minimum_version(), "1.5.0", "1.9.0", stablehlo.get_current_version()])
            try:
                return stablehlo.serialize_portable_artifact_str(str(module), version)
            except Exception:  # noqa: BLE001: what an older version cannot say
                pass
        return module.operation.get_asm(print_generic_op_form=True) if form < 0.5 else str(module)

    def check(self, harness, texts, arrays, want):
        for way in self.args.ways.split(","):
            rng = random.Random(f"{harness.fullname} {way} {self.args.seed}")
            with tempfile.TemporaryDirectory() as folder:
                for number, (program, single, code) in enumerate(self.texts(way, harness, texts, arrays, want, rng)):
                    if way == "files":
                        got, problem = self.by_file(program, single, folder)
                        problem = None if got == code else f"want exit {code}, {problem}"
                    else:
                        problem = self.by_arrays(way, harness, texts, program, arrays, want, rng, folder)
                    self.counts[way] += 1
                    if problem:
                        self.failed += 1
                        self.counts[f"{way} failed"] += 1
                        print(f"{harness.fullname[:self.args.width]} {way}: {problem[:700]}", flush=True)
                        self.keep(f"{harness.fullname[:150]} {zlib.crc32(harness.fullname.encode()):x} {way}{number}", program, arrays, want)

    def keep(self, name, text, arrays, want):
        if self.args.keep:
            base = Path(self.args.keep) / re.sub(r"[^A-Za-z0-9_.-]", "_", name)
            base.parent.mkdir(parents=True, exist_ok=True)
            Path(f"{base}.mlir").write_bytes(text if isinstance(text, bytes) else text.encode())
            np.savez(f"{base}.in.npz", **{f"arg{i}": raw(a) for i, a in enumerate(arrays)})
            np.savez(f"{base}.out.npz", **{f"out{i}": raw(a) for i, a in enumerate(want)})


def selected(args, harnesses):
    """In an order that is the same in every process (JAX makes them from sets)."""
    chosen = sorted((h for h in harnesses if re.search(args.only, h.fullname)), key=lambda h: h.fullname)
    rng = random.Random(args.seed)
    if args.scatters:
        chosen = [h for h in chosen if not h.group_name.startswith("scatter") or rng.random() < args.scatters]
    if args.sample:
        groups = collections.defaultdict(list)
        for h in chosen:
            groups[h.group_name].append(h)
        names = sorted(groups)
        chosen = [rng.choice(groups[rng.choice(names)]) for _ in range(args.sample)]
    return chosen


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", default="", help="regular expression of harnesses' names")
    p.add_argument("--sample", type=int, help="so many harnesses, drawn at random, each primitive as likely as any other")
    p.add_argument("--scatters", type=float, help="the part of the scatters, more than half of all, that is taken")
    p.add_argument("--range", help="A:B of those selected")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--ways", default="single,ranks,dynamic,files")
    p.add_argument("--x32", action="store_true", help="JAX without its types of 64 bits")
    p.add_argument("--transform", default="plain", choices=["plain", "vmap", "vjp", "jvp"], help="of each function")
    p.add_argument("--special", action="store_true", help="infinities, NaN, zeros and extreme numbers among the arguments")
    p.add_argument("--keep", help="folder for failing programs")
    p.add_argument("--errors", action="store_true", help="print the largest error of each primitive and type")
    p.add_argument("--list", action="store_true", help="only print the names")
    p.add_argument("--verbose", action="store_true")
    p.add_argument("--width", type=int, default=200, help="of names that are printed")
    p.add_argument("--limit", type=int, default=60, help="seconds for one program")
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--shoal-run", default=str(TOP / "build" / "bin" / "shoal-run"))
    args = p.parse_args()
    jax.config.update("jax_enable_x64", not args.x32)
    args.group = "derivative" if args.transform in ("vjp", "jvp") else None
    if args.group:   # of the phases of vectors, too
        FREE.update({"eig", "eigh", "svd"})
    from jax._src.internal_test_util import test_harnesses
    campaign, start, refused, queue = Campaign(args), time.time(), 0, collections.deque()

    def expired(*_):
        raise TooLong
    signal.signal(signal.SIGALRM, expired)
    chosen = selected(args, test_harnesses.all_harnesses)
    if args.range:
        chosen = chosen[slice(*map(int, args.range.split(":")))]
    if args.list:
        print("\n".join(h.fullname for h in chosen))
        return False
    with ThreadPoolExecutor(args.jobs) as pool:
        for number, harness in enumerate(chosen):
            try:
                made = lower(harness, args.seed, args.special, set(args.ways.split(",")), args.transform)
            except (Refused, TooLong) as error:
                refused += 1
                if args.verbose:
                    print(f"{harness.fullname}: JAX: {error!r}", flush=True)
                continue
            queue.append((harness, pool.submit(campaign.check, harness, *made)))
            while queue and (len(queue) > 2 * args.jobs or number + 1 == len(chosen)):
                done, job = queue.popleft()
                try:
                    job.result()
                except Exception:  # noqa: BLE001: one less, the others go on
                    campaign.failed += 1
                    print(f"{done.fullname}: the fuzzer fails: {traceback.format_exc()}", flush=True)
            if number % 200 == 199:
                print(f"  {number + 1} of {len(chosen)} in {time.time() - start:.0f} s, {campaign.failed} failed", file=sys.stderr, flush=True)
        for done, job in queue:
            try:
                job.result()
            except Exception:  # noqa: BLE001
                campaign.failed += 1
                print(f"{done.fullname}: the fuzzer fails: {traceback.format_exc()}", flush=True)
    if args.errors:
        for (group, dtype), error in sorted(campaign.worst.items()):
            print(f"  {group} {dtype}: {error:.3g} units")
    runs = ", ".join(f"{way} {campaign.counts[way]} ({campaign.counts[f'{way} failed']} failed)" for way in args.ways.split(","))
    print(f"{len(chosen)} harnesses ({refused} that JAX refuses) in {time.time() - start:.0f} s: {runs}; {campaign.failed} failed")
    return campaign.failed > 0


if __name__ == "__main__":
    sys.exit(main())
