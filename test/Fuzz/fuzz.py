"""Differential fuzzing: N ranks against one rank and against JAX.

  python test/Fuzz/fuzz.py [--seeds A:B] [--ops N] [--only GENERATOR…] [--keep DIR] [--jobs N]

Makes one random program with random shardings per seed (generate.py), runs it
through shoal-run on all ranks of its mesh (with the forms that cost chooses, and
with any forms: SHOAL_TEST_FORMS) and on a single device, and through JAX on one
CPU device, which judges. A failing program is kept under DIR as
SEED.mlir, SEED.npz and SEED.out.npz, cut to the shortest beginning that still
fails. Exits 1 when anything failed.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE))
import generate  # noqa: E402

os.environ.setdefault("JAX_PLATFORMS", "cpu")
DTYPES = {"f32": np.float32, "i32": np.int32, "i1": np.bool_}


def inputs(args, seed):
    rng = np.random.default_rng(seed)
    return [rng.integers(-4, 5, v.shape).astype(DTYPES[v.dtype]) for v in args]


def without_shardings(text):
    """The same program for one device, as JAX's compiler takes it."""
    import re
    text = re.sub(r" \{sdy\.sharding = #sdy\.sharding<@mesh, \[[^\]]*\]>\}", "", text)
    text = re.sub(r"  sdy\.mesh .*\n", "", text)
    text = re.sub(r"(%\w+) = sdy\.sharding_constraint (\S+) <@mesh, \[[^\]]*\]> : (\S+)",
                  r"\1 = stablehlo.reshape \2 : (\3) -> \3", text)
    return re.sub(r"mhlo\.num_partitions = \d+", "mhlo.num_partitions = 1", text)


def judge(text, arrays):
    """Results of JAX on one CPU device."""
    import jax
    from jax._src.interpreters import mlir as jmlir
    from jax._src.lib import xla_client as xc
    from jaxlib.mlir import ir
    backend = jax.devices("cpu")[0].client
    with jmlir.make_ir_context():
        module = ir.Module.parse(without_shardings(text))
        devices = xc.DeviceList(tuple(jax.devices("cpu")[:1]))
        exe = backend.compile_and_load(module, executable_devices=devices, compile_options=xc.CompileOptions())
    bufs = [jax.device_put(a, jax.devices("cpu")[0]) for a in arrays]
    return [np.asarray(o[0]) for o in exe.execute_sharded(bufs).disassemble_into_single_device_arrays()]


def run_shoal(binary, path, npz, out, *flags, forms=None):
    # Padding and fresh buffers hold NaN and -1: nothing may come of them.
    # Ranks arrive at collectives in another order each time.
    env = dict(os.environ, SHOAL_TEST_POISON="1", SHOAL_TEST_FAULT=f"delay:{len(path) + int(Path(path).stem)}")
    if forms is not None:
        env["SHOAL_TEST_FORMS"] = str(forms)
    try:
        p = subprocess.run([binary, path, f"--input={npz}", f"--output={out}", *flags], capture_output=True, text=True,
                           timeout=60, env=env)
    except subprocess.TimeoutExpired:
        return "timed out after 60 s"
    if p.returncode:
        return f"exit {p.returncode}: {(p.stderr + p.stdout).strip()[:600]}"
    return None


def compare(got, want, value):
    if got.shape != want.shape:
        return f"shape {got.shape}, want {want.shape}"
    if value.dtype != "f32":
        bad = got != want
    elif value.exact:
        bad = ~((got == want) | (np.isnan(got) & np.isnan(want)))
    else:
        bad = ~(np.abs(got - want) <= (value.err + 8) * 2.0**-23 * max(1.0, value.bound))
    if not bad.any():
        return None
    i = tuple(int(x) for x in np.argwhere(bad)[0])
    return f"{int(bad.sum())} of {bad.size} wrong, first at {list(i)}: got {got[i]}, want {want[i]}"


def check(seed, args, ops=None):
    """None when all agree, else what went wrong, for the program of a seed."""
    only = None
    for n in args.only or []:
        g = getattr(generate, n)
        only = (only or []) + (g if isinstance(g, list) else [g])
    text, params, results, mesh = generate.make(seed, ops, only)
    arrays = inputs(params, seed)
    want = judge(text, arrays)
    with tempfile.TemporaryDirectory() as tmp:
        path, npz, out = f"{tmp}/{seed}.mlir", f"{tmp}/in.npz", f"{tmp}/out.npz"
        Path(path).write_text(text)
        np.savez(npz, **{f"arg{i}": a for i, a in enumerate(arrays)})
        # On ranks with the forms that are chosen by cost and with any forms.
        for how, forms in ([], None), ([], seed), (["--single-device"], None):
            problem = run_shoal(args.shoal_run, path, npz, out, *how, forms=forms)
            if problem is None:
                with np.load(out) as got:
                    for i, (w, v) in enumerate(zip(want, results)):
                        difference = compare(got[f"out{i}"], w, v)
                        problem = problem or (difference and f"out{i}: {difference}")
            if problem:
                if args.keep:
                    keep = Path(args.keep)
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{seed}.mlir").write_text(text)
                    np.savez(keep / f"{seed}.npz", **{f"arg{i}": a for i, a in enumerate(arrays)})
                    np.savez(keep / f"{seed}.out.npz", **{f"out{i}": a for i, a in enumerate(want)})
                where = "single device" if how else "ranks" if forms is None else "ranks, any forms"
                return f"{where}: {problem}"
    return None


def check_and_reduce(seed, args):
    """As check; a failing program is cut to its shortest failing beginning."""
    problem = check(seed, args, args.ops)
    if not problem:
        return None
    for ops in range(1, args.ops or 12):
        shorter = check(seed, args, ops)
        if shorter:
            return f"with --ops {ops}: {shorter}"
    return problem


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", default="0:1000", help="range A:B of seeds")
    p.add_argument("--ops", type=int, help="operations per program; default: 1 to 12 at random")
    p.add_argument("--only", nargs="*", help="names of generators, or of lists of them, to draw from")
    p.add_argument("--keep", help="folder for failing programs")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--shoal-run", default=str(TOP / "build" / "bin" / "shoal-run"))
    args = p.parse_args()
    lo, hi = map(int, args.seeds.split(":"))
    failed = 0
    with ThreadPoolExecutor(args.jobs) as pool:
        for seed, problem in zip(range(lo, hi), pool.map(lambda s: check_and_reduce(s, args), range(lo, hi))):
            if problem:
                failed += 1
                print(f"seed {seed}: {problem}", flush=True)
            elif sys.stderr.isatty() and seed % 50 == 0:
                print(f"\r{seed - lo} of {hi - lo}", end="", file=sys.stderr)
    print(f"{hi - lo - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
