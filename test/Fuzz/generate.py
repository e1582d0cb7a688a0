"""Random StableHLO programs with random shardings.

A program (program.py) is a list of values, each made by one operation from
earlier ones; generators/ has them by subject. To add an operation, write one
generator and put its name in GENERATORS.

Floats hold small integers wherever the operations so far allow it ("exact"
values), so that sums in any order agree to the last bit and a wrong shard
cannot hide in a tolerance. `err` bounds the relative error of the others.

Lines are text, or a pair where one device computes the same in another way
(manual regions): the program with shardings, and the one for the judge.
"""
import random
import re
from typing import NamedTuple

from generators.contraction import dot_general, reduce
from generators.control import conditional, counted_loop
from generators.elementwise import binary, compare_select, convert, smooth, unary
from generators.indexed import dynamic_slice, dynamic_update_slice, gather, scatter_add
from generators.ordered import arg_extreme, cumulative, own_reduce, random_bits, sort, sort_pairs, top_k
from generators.shape import broadcast, concatenate, iota, pad, reshape, reverse, slice_, transpose
from generators.transforms import cholesky, fft, long_fft, long_sort, triangular_solve
from generators.windows import convolution, reduce_window, select_and_scatter
from program import _product, BITS, EXACT, FLOATS, INTS, MESHES, MORE_FLOATS, MORE_INTS, MORE_MESHES, Program, range_of, Value

GENERATORS = [binary, binary, unary, smooth, compare_select, convert, broadcast, broadcast, reshape, reshape, transpose,
              slice_, pad, concatenate, reverse, iota, reduce, reduce, dot_general, dot_general, dynamic_slice,
              dynamic_update_slice, gather, scatter_add, reduce_window, select_and_scatter, convolution, sort, cumulative,
              arg_extreme, own_reduce, sort_pairs, top_k, random_bits, fft, long_sort, long_fft, cholesky, triangular_solve,
              counted_loop, conditional]


# Ops that read their operands through windows.
WINDOWS = [slice_, pad, concatenate, reverse, reduce_window, reduce_window, select_and_scatter, select_and_scatter,
           convolution, convolution, convolution, reshape, unary, binary]


def constrain(p):
    v = p.pick(lambda v: len(v.shape) >= 1)
    if v is not None:
        p.emit(f"sdy.sharding_constraint {v.name} {p.sharding(v.shape, p.rng.random() < 0.3)} : {v.type}", v.dtype, v.shape, v.exact, v.bound, v.err)


def settle(v):
    """Bounds a new value by its type; False where it could not be judged."""
    if v.dtype in ("bf16", "f16"):   # What is rounded depends on who keeps more digits between operations.
        return v.exact and v.bound <= EXACT[v.dtype]
    if v.dtype in BITS and v.dtype != "i32":   # They wrap.
        v.bound = range_of(v.dtype)[1] + 1 if v.dtype.startswith("u") else min(v.bound, -range_of(v.dtype)[0])
    return True


class Made(NamedTuple):
    text: str       # the program with its shardings
    plain: str      # the same for one device, as JAX's compiler takes it
    args: list
    results: list
    mesh: list


def make(seed, ops=None, generators=None):
    """The program of a seed: a wider one from seed 1,000,000 on."""
    rng = random.Random(seed)
    wide = seed >= 1_000_000
    p = Program(rng, rng.choice(MORE_MESHES if wide else MESHES), wide=wide)
    devices = _product(s for _, s in p.mesh)
    if wide:
        import structure
        generators = generators or GENERATORS + structure.GENERATORS
        p.floats = [rng.choice(MORE_FLOATS) for _ in range(2)] + ["f32"]
        p.ints = [rng.choice(MORE_INTS)] + ["i32"]
        if devices in (4, 8) and rng.random() < 0.3:
            p.other = rng.choice([m for m in ([("m", devices)], [("m", 2), ("n", devices // 2)], [("n", devices // 2), ("m", 2)]) if _product(s for _, s in m) == devices])
    # Groups of collectives in manual regions are device ids: these stay in order there.
    p.ordered = rng.random() < 0.75 if wide else False
    for i in range(rng.randint(1, 4)):
        dtype = rng.choice(FLOATS + FLOATS + INTS if not wide else p.floats + p.ints)
        v = Value(f"%arg{i}", dtype, p.shape(rng.randint(0, 4) if i else None), True, 4.0)
        settle(v)
        p.args.append(v)
        p.values.append(v)
    wanted = ops if ops is not None else rng.randint(1, 12)
    tries = 0
    while wanted > 0 and tries < 200:
        tries += 1
        before, lines, functions, counter = len(p.values), len(p.lines), len(p.functions), p.counter
        made = rng.choice(generators or GENERATORS)(p)
        if not all(settle(v) for v in p.values[before:]):
            del p.values[before:], p.lines[lines:], p.functions[functions:]
            p.counter = counter
            continue
        if made is not False or len(p.values) > before:
            wanted -= 1
            if rng.random() < 0.2:
                constrain(p)
    local = [v for v in p.values if v not in p.args] or p.args
    results = local[-min(len(local), rng.randint(1, 3)):]
    args = [(f"{v.name}: {v.type}", f" {{sdy.sharding = #sdy.sharding{p.sharding(v.shape)}}}" if rng.random() < 0.8 else "") for v in p.args]
    outs = [(v.type, f" {{sdy.sharding = #sdy.sharding{p.sharding(v.shape)}}}" if rng.random() < 0.6 else "") for v in results]
    shuffled = ""
    if rng.random() < 0.25 and not p.ordered:
        order = list(range(devices))
        rng.shuffle(order)
        shuffled = f", device_ids={order}"

    def declare(name, axes):
        return f"  sdy.mesh @{name} = <[{', '.join(f'{chr(34)}{n}{chr(34)}={s}' for n, s in axes)}]{shuffled}>\n"
    meshes = declare("mesh", p.mesh) + (declare("other", p.other) if p.other else "")

    def write(i, count, meshes):
        body, functions = "\n    ".join(line if isinstance(line, str) else line[i] for line in p.lines), "".join(p.functions)
        for _ in range(i):
            body, functions = (re.sub(r"(%\w+) = sdy\.sharding_constraint (\S+) <[^>]*> : (\S+)", r"\1 = stablehlo.reshape \2 : (\3) -> \3", x) for x in (body, functions))
        head, tail = (", ".join(a if i else a + b for a, b in xs) for xs in (args, outs))
        return (f"module @fuzz_{seed} attributes {{mhlo.num_partitions = {count} : i32, mhlo.num_replicas = 1 : i32}} {{\n{meshes}"
                f"  func.func public @main({head}) -> ({tail}) {{\n    {body}\n"
                f"    return {', '.join(v.name for v in results)} : {', '.join(v.type for v in results)}\n  }}\n{functions}}}\n")
    text = write(0, devices, meshes)
    if wide and seed % 6 == 5 and not p.other and "sdy.manual" not in text:   # As GSPMD's strings.
        import gspmd
        text = gspmd.convert(text, p.mesh)
    return Made(text, write(1, 1, ""), p.args, results, p.mesh)
