"""Random programs of loops, branches, in-place updates and donated arguments,
judged by JAX on one device. What is under test is lib/Schedule: which values
share memory, what is copied, which buffers change places.

  control_flow.py [--tools build/bin] [--seed 0] [--count 100] [--keep DIR]

Prints a line for each program whose results differ and keeps its files; exits 1
if there is any.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import warnings

os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

SHAPE = (4, 8)


def compute(x, y, kind):
    """One step of arithmetic; several kinds of access pattern."""
    return [
        lambda: x + y,
        lambda: x * 0.5 - y,
        lambda: jnp.tanh(x),
        lambda: jnp.maximum(x, y),
        lambda: x @ (y.T @ y) * 0.01,
        lambda: jnp.roll(x, 1, 0) + 0 * y,
        lambda: x.T.reshape(SHAPE),
        lambda: jnp.flip(x, 1) * 0.9,
        lambda: jnp.cumsum(x, 0) * 0.3,
    ][kind]()


def make_plan(r, depth, length):
    """A list of steps; loops and branches hold lists of their own."""
    plan = []
    for _ in range(length):
        c = r.random()
        if depth < 3 and c < 0.35:
            kind = r.choice(["for", "for", "scan", "scan", "while", "cond"])
            sub, carry = make_plan(r, depth + 1, r.randint(1, 5)), r.randint(1, 3)
            if kind == "for":
                plan.append((kind, r.randint(0, 4), sub, carry))
            elif kind == "scan":
                plan.append((kind, r.randint(1, 4), sub, carry, r.random() < 0.4))
            elif kind == "while":
                plan.append((kind, r.choice(["never", "data", "kernel", "count"]), sub, carry))
            else:
                other = make_plan(r, depth + 1, r.randint(0, 4))
                plan.append((kind, r.randint(0, 9), sub, other, carry))
        elif c < 0.55:
            plan.append(("update", r.randint(0, 9), r.randint(0, 9), r.randint(0, 9)))
        elif c < 0.65:
            plan.append(("swap", r.randint(0, 9), r.randint(0, 9)))
        else:
            plan.append(("compute", r.randint(0, 9), r.randint(0, 9), r.randint(0, 8),
                         r.choice([None, 0, 1, 2])))
    return plan


def run_plan(vals, index, plan):
    """Traces the steps on a list of arrays; `index` is the loop's counter."""
    vals = list(vals)
    for kind, *step in plan:
        if kind == "compute":
            a, b, how, dest = step
            v = compute(vals[a % len(vals)], vals[b % len(vals)], how)
            if dest is None or dest >= len(vals):
                vals.append(v)
            else:
                vals[dest] = v
        elif kind == "update":
            a, b, row = step
            i = index % 4 if index is not None else jnp.int32(row % 4)
            source = i if row % 3 else 3 - i
            y = vals[b % len(vals)]
            part = lax.dynamic_slice(y, (source, 0), (1, 8)) * 1.5 if row % 2 else y[:1]
            vals[a % len(vals)] = lax.dynamic_update_slice(vals[a % len(vals)], part, (i, 0))
        elif kind == "swap":
            a, b = (s % len(vals) for s in step)
            vals[a], vals[b] = vals[b], vals[a]
        elif kind == "for":
            n, sub, carry = step
            rest = vals[carry:]
            vals[:carry] = lax.fori_loop(
                0, n, lambda i, c: tuple(run_plan(list(c) + rest, i, sub)[:carry]),
                tuple(vals[:carry]))
        elif kind == "scan":
            n, sub, carry, backward = step
            rest = vals[carry:]
            xs = jnp.stack([vals[-1] * (0.1 * j) for j in range(n)])

            def body(c, x):
                out = run_plan(list(c) + [x] + rest, None, sub)
                return tuple(out[:carry]), (out[0], out[-1])

            final, (ys, zs) = lax.scan(body, tuple(vals[:carry]), xs, reverse=backward)
            vals[:carry] = final
            vals += [ys[n // 2], zs.sum(0) * 0.1]
        elif kind == "while":
            when, sub, carry = step
            rest = vals[carry:]

            def condition(c):
                more = c[0] < 3
                if when == "never":
                    return more & (jnp.abs(c[1]).sum() < 0)
                if when == "data":
                    return more & (jnp.abs(c[1]).sum() < 50)
                if when == "kernel":
                    return more & ((jnp.tanh(c[1]) * 2 + c[-1] * 0.1).max() < 1.5)
                return more

            def step_body(c):
                out = run_plan(list(c[1:]) + rest, c[0], sub)
                return (c[0] + 1,) + tuple(out[:carry])

            vals[:carry] = lax.while_loop(
                condition, step_body, (jnp.int32(0),) + tuple(vals[:carry]))[1:]
        elif kind == "cond":
            select, first, second, carry = step
            rest = vals[carry:]
            p = (vals[select % len(vals)].sum() > 0 if index is None or select % 2
                 else index % 2 == 0)
            vals[:carry] = lax.cond(
                p, lambda c: tuple(run_plan(list(c) + rest, index, first)[:carry]),
                lambda c: tuple(run_plan(list(c) + rest, index, second)[:carry]),
                tuple(vals[:carry]))
    return vals


def make_program(seed):
    """A function, its arguments, and which of them are donated."""
    r = random.Random(seed)
    plan = make_plan(r, 0, r.randint(3, 9))
    n = r.randint(3, 4)
    donated = tuple(i for i in range(n) if r.random() < 0.5)
    num_results = r.randint(1, 4)
    g = np.random.RandomState(seed)
    args = [g.uniform(-1, 1, SHAPE).astype(np.float32) for _ in range(n)]
    return (lambda *a: tuple(run_plan(list(a), None, plan)[:num_results])), args, donated


def check(seed, tools, directory):
    """Returns "" or what went wrong."""
    function, args, donated = make_program(seed)
    compiled = jax.jit(function, donate_argnums=donated, keep_unused=True)
    base = os.path.join(directory, str(seed))
    with open(base + ".mlir", "w") as f:
        f.write(compiled.lower(*args).as_text())
    results = compiled(*[jnp.array(a) for a in args])
    np.savez(base + ".in.npz", **{f"arg{i}": a for i, a in enumerate(args)})
    np.savez(base + ".out.npz", **{f"out{i}": np.asarray(r) for i, r in enumerate(results)})
    run = subprocess.run(
        [os.path.join(tools, "shoal-run"), base + ".mlir", "--single-device",
         f"--input={base}.in.npz", f"--check={base}.out.npz", "--rtol=1e-3", "--atol=1e-4"],
        capture_output=True, text=True, timeout=120,
        env=dict(os.environ, SHOAL_CACHE_DIR=os.path.join(directory, "cache")))
    if run.returncode == 0:
        for suffix in (".mlir", ".in.npz", ".out.npz"):
            os.remove(base + suffix)
        return ""
    return f"exit {run.returncode}: {(run.stderr + run.stdout).strip()[:300]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    root = os.path.join(os.path.dirname(__file__), "..", "..")
    parser.add_argument("--tools", default=os.path.join(root, "build", "bin"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--keep", help="directory for the programs that fail")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    directory = options.keep or tempfile.mkdtemp(prefix="shoal-fuzz-")
    os.makedirs(directory, exist_ok=True)
    bad = 0
    for seed in range(options.seed, options.seed + options.count):
        problem = check(seed, options.tools, directory)
        if problem:
            bad += 1
            print(f"seed {seed} ({directory}/{seed}.mlir): {problem}", flush=True)
    print(f"{options.count} programs, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
