"""Runs a model in JAX/XLA on CPU, on request; `bench.py` starts one per model
and number of devices and interleaves its steps with Shoal's.

  python xla_worker.py NAME RANKS     (RANKS: `all`, the model's mesh, or 1)

Reads a line `steps N` per request from standard input; each answer is a line
of JSON. The first line it prints says what compiling took and needs.
"""
import json
import os
import resource
import sys
import time

name, ranks = sys.argv[1:3]
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={8 if ranks == 'all' else 1}"
import medium
import generate as g
import jax
import numpy as np



def cpu():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


case = {**g.MODELS, **medium.MEDIUM}[name]()
if ranks == "all":
    with g.sharded(case, donate=False) as lowered:
        start, start_cpu = time.monotonic(), cpu()
        step = lowered.compile()
else:
    lowered = jax.jit(case.ref or case.fn, keep_unused=True).lower(*case.args)
    start, start_cpu = time.monotonic(), cpu()
    step = lowered.compile()
seconds, cpu_seconds = time.monotonic() - start, cpu() - start_cpu
memory = step.memory_analysis()
args = jax.tree.unflatten(jax.tree.structure(case.args), [
    jax.device_put(x, s) for x, s in zip(jax.tree.leaves(case.args), jax.tree.leaves(step.input_shardings[0]))])
print(json.dumps(dict(compile_s=seconds, compile_cpu_s=cpu_seconds, memory=memory.argument_size_in_bytes + memory.output_size_in_bytes +
                      memory.temp_size_in_bytes - memory.alias_size_in_bytes)), flush=True)
for line in sys.stdin:
    times = []
    for _ in range(int(line.split()[1])):
        start = time.monotonic()
        jax.block_until_ready(step(*args))
        times.append(time.monotonic() - start)
    print(json.dumps(times), flush=True)
