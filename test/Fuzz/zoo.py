"""Whatever jax.numpy, jax.lax, jax.nn, jax.scipy and jax.random have, called as
it is, differentiated and vectorized, with arguments sharded at random.

  zoo.py [--only REGEX] [--seed N] [--kinds plain,grad,vmap] [--types f32,i32,…] [--single] [--keep DIR] [--sample N]

The functions are found by their modules' names; which arguments they take is
found by trying. What JAX takes is compared with JAX: on ranks, with the forms
that cost chooses, or on one device. Exits 1 when something differs, is refused
or ends the compiler.
"""
import argparse
import inspect
import os
import random
import re
import signal
import sys
import tempfile
import time
import warnings
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE))
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_multi_thread_eigen=false")
warnings.simplefilter("ignore")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import jax.scipy.cluster.vq  # noqa: E402
import jax.scipy.fft  # noqa: E402
import jax.scipy.integrate  # noqa: E402
import jax.scipy.interpolate  # noqa: E402
import jax.scipy.linalg  # noqa: E402
import jax.scipy.ndimage  # noqa: E402
import jax.scipy.signal  # noqa: E402
import jax.scipy.special  # noqa: E402
import jax.scipy.stats  # noqa: E402
import numpy as np  # noqa: E402
from library import MESHES, sharding  # noqa: E402
from runner import Runner  # noqa: E402

TYPES = {"f32": np.float32, "i32": np.int32, "bool": np.bool_, "c64": np.complex64, "f16": np.float16, "bf16": jnp.bfloat16,
         "u8": np.uint8, "i8": np.int8, "f64": np.float64, "i64": np.int64, "c128": np.complex128}
MODULES = {"jnp": jnp, "lax": jax.lax, "nn": jax.nn, "linalg": jnp.linalg, "fft": jnp.fft, "special": jax.scipy.special,
           "slinalg": jax.scipy.linalg, "signal": jax.scipy.signal, "ndimage": jax.scipy.ndimage, "sfft": jax.scipy.fft,
           "integrate": jax.scipy.integrate, "vq": jax.scipy.cluster.vq, "image": jax.image, "ops": jax.ops,
           **{f"stats.{n}": getattr(jax.scipy.stats, n) for n in dir(jax.scipy.stats) if inspect.ismodule(getattr(jax.scipy.stats, n)) and not n.startswith("_")},
           "stats": jax.scipy.stats}
SKIP = re.compile(r"(save|load|frompyfunc|print|asnumpy|fromfile|fromiter|fromstring|from_dlpack|infeed|outfeed|array_repr|array_str|result_type|dtype|promote|shape_as|"
                  r"set_|get_|is_|empty|custom_|while_loop|fori|scan$|map$|cond$|switch|approx|with_sharding|sharding|psum|pmax|pmin|ppermute|pshuffle|pswap|all_gather|all_to_all|axis_|"
                  r"pcast|pbroadcast|pvary|precv|psend|ragged_all|create_token|after_all|rng_uniform|stop_gradient_|initializers|einsum_path|apply_|vectorize|piecewise|fromfunction|"
                  r"jit|callback|composite|parallel|make_|unravel_index|from|eval_|issubdtype|iscomplexobj|isscalar|size$|ndim$|shape$|printoptions|block_until|iinfo|finfo|Array|dce|"
                  r"platform_dependent|optimization_barrier|scaled_matmul|scaled_dot|reduce_scatter|symmetric_product|pdot|tie_in|_p$)")


class TooLong(Exception):
    pass


def functions():
    for module, m in MODULES.items():
        for name in sorted(dir(m)):
            f = getattr(m, name)
            if name.startswith("_") or not callable(f) or inspect.isclass(f) or SKIP.search(name) or (module == "stats" and inspect.ismodule(f)):
                continue
            yield f"{module}.{name}", f


def from_practice(args, kinds):
    """(name, kind, function, arguments) of practice.py's cases"""
    import practice
    for name, (f, arrays) in practice.CASES.items():
        if re.search(args.only, f"practice.{name}"):
            yield f"practice.{name}", "plain", lambda *xs, f=f: jax.tree.leaves(f(*xs)), [np.asarray(a) for a in arrays]


def data(rng, shape, t):
    dtype = np.dtype(TYPES[t])
    if t == "bool":
        return rng.random(shape) < 0.5
    if dtype.kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    if dtype.kind in "iu":
        return rng.integers(0 if dtype.kind == "u" else -5, 9, shape).astype(dtype)
    return rng.normal(size=shape).astype(dtype)


# Argument lists to try, by shapes (a number: a Python scalar or axis).
FORMS = [[(6, 10)], [(6, 10), (6, 10)], [(6, 10), (10, 4)], [(6, 10), (6, 10), (6, 10)], [(12,)], [(12,), (12,)], [(8, 8)], [(3, 6, 6)], [(6, 6), (6, 5)], [(6, 6), (6,)],
         [(6, 10), 1], [(6, 10), 0, 1], [(12,), 3], [(6, 10), (1, 0)], [(6, 10), (4, 15)], [(2, 4, 6, 8)], [(2, 7, 9, 3)], [(6, 10), 2, 1], [(12,), (12,), (12,)], [()], [(), ()],
         [(0, 4)], [(4, 0, 3), (4, 0, 3)], [(1, 10), (6, 1)], [(2, 6, 4), (2, 4, 5)], [[(3, 4), (3, 4), (3, 4)]], [[(5,), (4,)]]]


def materialize(form, rng, t):
    """(values with arrays, how to put arrays back)"""
    arrays, plan = [], []
    for entry in form:
        if isinstance(entry, list):
            plan.append([len(arrays) + k for k in range(len(entry))])
            arrays += [data(rng, s, t) for s in entry]
        elif isinstance(entry, tuple) and all(isinstance(x, int) for x in entry) and entry not in [(1, 0), (4, 15)]:
            plan.append(len(arrays))
            arrays.append(data(rng, entry, t))
        else:
            plan.append(("static", entry))
    return arrays, plan


def bound(f, plan):
    def g(*arrays):
        def put(p):
            return p[1] if isinstance(p, tuple) else [arrays[i] for i in p] if isinstance(p, list) else arrays[p]
        out = f(*map(put, plan))
        leaves = [x for x in jax.tree.leaves(out) if hasattr(x, "dtype")]
        return [x for x in leaves if not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)]
    return g


def variants(f, plan, arrays, kinds):
    g = bound(f, plan)
    if "plain" in kinds or ("grad" in kinds and not all(a.dtype.kind in "fV" or a.dtype == jnp.bfloat16 for a in arrays)):
        yield "plain", g, arrays
    if "grad" in kinds and arrays and all(a.dtype.kind in "fV" or a.dtype == jnp.bfloat16 for a in arrays):
        def loss(*xs):
            return sum(jnp.sum(jnp.real(y).astype(jnp.float32)) for y in g(*xs) if jnp.issubdtype(y.dtype, jnp.inexact))
        yield "grad", lambda *xs: jax.grad(loss, argnums=tuple(range(len(xs))))(*xs), arrays
    if "vmap" in kinds and arrays:
        yield "vmap", jax.vmap(g), [np.stack([a, a[..., ::-1] if a.ndim else a, a]) for a in arrays]


def shard(text, arrays, rng):
    shape = rng.choice(MESHES)
    axes = "abc"[:len(shape)]
    old = re.search(r"func.func public @main\((.*?)\) -> ", text, re.S).group(1)
    new = old
    for i, a in enumerate(arrays):
        attrs = " {sdy.sharding = " + sharding(rng, axes, np.ndim(a)) + "}"
        new = re.sub(rf"(%arg{i}: tensor<[^>]*>+)( \{{[^}}]*\}})?", lambda m: m.group(1) + attrs, new, count=1)
    # Results, too.
    end = text.index("{\n", text.index(old) + len(old))
    results = text[text.index(old) + len(old):end]
    placed = re.sub(r"(tensor<([^>]*)>) \{jax", lambda m: f'{m.group(1)} {{sdy.sharding = {sharding(rng, axes, m.group(2).count("x") - ("complex" in m.group(2)))}, jax', results) if rng.random() < 0.5 else results
    text = text.replace(results, placed, 1) if "complex" not in results else text
    mesh = "  sdy.mesh @mesh = <[" + ", ".join(f'"{a}"={s}' for a, s in zip(axes, shape)) + "]>\n"
    text = text.replace(old, new, 1)
    return re.sub(r"(module @\S+ attributes \{.*?\} \{\n)", lambda m: m.group(1) + mesh, text, count=1)


def difference(got, want, loose):
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        w = np.asarray(w)
        if g.dtype.kind == "V":
            g = g.view(w.dtype)
        if g.shape != w.shape or g.dtype != w.dtype:
            return f"out{i}: {g.dtype}{g.shape}, want {w.dtype}{w.shape}"
        g, w = np.atleast_1d(g), np.atleast_1d(w)
        if w.dtype.kind in "iub":
            bad = g != w
        else:
            tolerance = {2: 2e-2, 4: 2e-4, 8: 1e-9}[np.dtype(w.real.dtype).itemsize] * loose
            g, w = (x.astype(np.complex128) for x in (g, w))
            with np.errstate(all="ignore"):
                scale = np.max(np.abs(w[np.isfinite(w)]), initial=0.0)
                bad = ~((np.abs(g - w) <= tolerance * (np.abs(w) + scale) + tolerance * 0.1) | (g == w) | (np.isnan(g) & np.isnan(w)))
        if bad.any():
            at = tuple(int(k) for k in np.argwhere(bad)[0])
            return f"out{i} {list(w.shape)}: {int(bad.sum())} of {bad.size} wrong, first at {list(at)}: got {g[at]}, want {w[at]}"
    return None


def raw(a):
    a = np.asarray(a)
    return a if a.dtype.kind in "biufc" and a.dtype.name in np.sctypeDict else a.view(f"V{a.dtype.itemsize}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", default="")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--kinds", default="plain,grad,vmap")
    p.add_argument("--types", default="f32,i32")
    p.add_argument("--single", action="store_true")
    p.add_argument("--sample", type=int, help="so many programs, drawn at random")
    p.add_argument("--keep")
    p.add_argument("--forms", type=int, default=2, help="lists of arguments that each function is called with")
    p.add_argument("--empty", action="store_true", help="only arguments without elements")
    p.add_argument("--all", action="store_true", help="all kinds of each, not one at random")
    p.add_argument("--verbose", action="store_true")
    p.add_argument("--shoal-run", default=str(TOP / "build" / "bin" / "shoal-run"))
    args = p.parse_args()
    if "64" in args.types or "128" in args.types:
        jax.config.update("jax_enable_x64", True)
    runner, ran, failed, start = Runner(args.shoal_run, 60), 0, 0, time.time()
    names = [(n, f) for n, f in functions() if re.search(args.only, n)]
    draw = random.Random(args.seed)
    if args.sample:
        names = [draw.choice(names) for _ in range(args.sample)]

    def expired(*_):
        raise TooLong
    signal.signal(signal.SIGALRM, expired)

    def attempt(tag, kind, g, xs, rng, taken, ignore_sizes):
        """Whether a program is right; None where JAX has none."""
        nonlocal ran, failed
        try:
            signal.alarm(30)
            g = jax.jit(g, keep_unused=True)
            text = g.lower(*xs).as_text()
            key = hash(re.sub(r"\d+x", "", text) if ignore_sizes else text)
            if key in taken or "tensor" not in text.split("return")[-1] or len(text) > 400000 or "callback" in text:
                return None
            taken.add(key)
            want = jax.tree.leaves(g(*xs))
        except Exception as error:  # noqa: BLE001: what JAX refuses
            if args.verbose and taken == set():
                print(f"{tag} {kind} refused: {type(error).__name__} {str(error)[:100]}", flush=True)
            return None
        finally:
            signal.alarm(0)
        if not want:
            return None
        if not args.single:
            text = shard(text, xs, rng)
        with tempfile.TemporaryDirectory() as tmp:
            path, npz, out = f"{tmp}/p.mlir", f"{tmp}/in.npz", f"{tmp}/out.npz"
            Path(path).write_text(text)
            np.savez(npz, **{f"arg{i}": raw(a) for i, a in enumerate(xs)})
            env = {"SHOAL_TEST_POISON": "1", "SHOAL_TEST_OPT_LEVEL": "0"} | ({"SHOAL_TEST_FORMS": str(args.seed)} if rng.random() < 0.3 else {})
            problem = runner.run(path, npz, out, *(["--single-device"] if args.single else []), env=env)
            if not problem:
                with np.load(out) as file:
                    problem = difference([file[f"out{i}"] for i in range(len(want))], want, 5 if kind == "grad" else 1)
        ran += 1
        if args.verbose:
            print(tag, kind, flush=True)
        if problem:
            failed += 1
            print(f"{tag} {kind}: {problem[:700]}", flush=True)
            if args.keep:
                base = Path(args.keep) / re.sub(r"[^A-Za-z0-9_.-]", "_", f"{tag} {kind}")
                base.parent.mkdir(parents=True, exist_ok=True)
                Path(f"{base}.mlir").write_text(text)
                np.savez(f"{base}.in.npz", **{f"arg{i}": raw(a) for i, a in enumerate(xs)})
                np.savez(f"{base}.out.npz", **{f"out{i}": raw(a) for i, a in enumerate(want)})
        return not problem

    cases = list(from_practice(args, args.kinds))
    if args.sample:
        cases = [c for c in cases if draw.random() < args.sample / 600]
    for name, kind, g, xs in cases:
        attempt(name, kind, g, xs, random.Random(f"{name} {args.seed}"), set(), False)
    for name, f in names:
        for t in [draw.choice(args.types.split(","))] if args.sample else args.types.split(","):
            taken, order = set(), list(enumerate(FORMS))
            random.Random(f"{name} {t} {args.seed}").shuffle(order)
            if args.empty:
                order = [(n, form) for n, form in order if any(isinstance(e, tuple) and 0 in e and form != [(6, 10), 0, 1] and e != (1, 0) for e in form)]
            for number, form in order:
                if len(taken) >= args.forms:
                    break
                tag = f"{name}/{t}/{number}"
                numbers = np.random.default_rng(zlib.crc32(f"{tag} {args.seed}".encode()))
                rng = random.Random(f"{tag} {args.seed}")
                arrays, plan = materialize(form, numbers, t)
                kinds = args.kinds.split(",")
                for kind, g, xs in variants(f, plan, arrays, kinds if args.all else [rng.choice(kinds)]):
                    outcome = attempt(tag, kind, g, xs, rng, taken, number >= 9)
                    if outcome is None:
                        break
    print(f"{ran} programs in {time.time() - start:.0f} s: {ran - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
