#!/usr/bin/env python3
"""Runs a module printed by shoal-export-stablehlo on JAX's CPU client, one
partition per device, and compares with expected outputs.

  run_with_jax.py MODULE.mlir --input in.npz [--check out.npz] [--rtol R] [--atol A]

Arguments and results of @main carry `jax.offsets` (devices x rank: where each
device's block starts) and `jax.global_shape`; inputs are cut by these, padding
is filled with NaN or wild numbers, outputs are joined again.
"""
import argparse
import os
import sys

parser = argparse.ArgumentParser()
parser.add_argument("module")
parser.add_argument("--input", required=True)
parser.add_argument("--check")
parser.add_argument("--rtol", type=float, default=1e-4)
parser.add_argument("--atol", type=float, default=1e-4)
options = parser.parse_args()

import re
devices = int(re.search(r"mhlo.num_partitions = (\d+)",
                        open(options.module).read()).group(1))
os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "") +
                           f" --xla_force_host_platform_device_count={devices}")
os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import ml_dtypes
import numpy as np
from jax._src.interpreters import mlir as jmlir
from jaxlib.mlir import ir
from jax._src.lib import xla_client as xc
jax.config.update("jax_enable_x64", True)

RAW = {"bf16": ml_dtypes.bfloat16, "f8E4M3FN": ml_dtypes.float8_e4m3fn,
       "f8E5M2": ml_dtypes.float8_e5m2}


def element_dtype(text):
    table = {"f32": np.float32, "f64": np.float64, "f16": np.float16,
             "i1": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32,
             "i64": np.int64, "ui8": np.uint8, "ui16": np.uint16,
             "ui32": np.uint32, "ui64": np.uint64,
             "complex<f32>": np.complex64, "complex<f64>": np.complex128}
    return np.dtype(RAW.get(text, table.get(text)))


def layout(attrs):
    offsets = np.array(ir.DenseElementsAttr(attrs["jax.offsets"]))
    shape = [int(x) for x in ir.DenseI64ArrayAttr(attrs["jax.global_shape"])]
    return offsets.reshape(devices, len(shape)), shape


def cut(array, offsets, local):
    """This device's block; what lies beyond the array is garbage."""
    garbage = np.full(local, 0, array.dtype)
    if array.dtype.kind in "fc" or array.dtype.name in ("bfloat16",):
        garbage = np.full(local, np.nan, array.dtype)
    elif array.dtype.kind == "i":
        garbage = np.full(local, -77, array.dtype)
    end = [max(o, min(n, o + s)) for n, o, s in zip(array.shape, offsets, local)]
    piece = array[tuple(slice(o, e) for o, e in zip(offsets, end))]
    garbage[tuple(slice(0, s) for s in piece.shape)] = piece
    return garbage


context = jmlir.make_ir_context()
context.allow_unregistered_dialects = True
with context:
    # XLA only takes partitions together with its own partitioner; the same
    # program runs on replicas, whose ids then are the device ids.
    text = open(options.module).read()
    text = text.replace("stablehlo.partition_id", "stablehlo.replica_id")
    text = re.sub(r"channel_handle = #stablehlo.channel_handle<[^>]*>(, )?", "", text)
    text = re.sub(r"(, )?use_global_device_ids", "", text)
    text = re.sub(r"mhlo.num_partitions = \d+", "mhlo.num_partitions = 1", text)
    text = re.sub(r"mhlo.num_replicas = \d+", f"mhlo.num_replicas = {devices}", text)
    text = text.replace(", }", "}").replace("<{, ", "<{").replace(", }>", "}>")
    module = ir.Module.parse(text)
    main = [op for op in module.body.operations
            if op.name.value == "main"][0]
    ftype = main.function_type.value
    args = [layout(a) for a in main.attributes["arg_attrs"]] \
        if "arg_attrs" in main.attributes else []
    results = [layout(a) for a in main.attributes["res_attrs"]]
    in_types = [ir.RankedTensorType(t) for t in ftype.inputs]
    out_types = [ir.RankedTensorType(t) for t in ftype.results]
    in_info = [(list(t.shape), element_dtype(str(t.element_type))) for t in in_types]
    out_info = [(list(t.shape), element_dtype(str(t.element_type))) for t in out_types]
    if "arg_attrs" in main.attributes:
        del main.attributes["arg_attrs"]
    del main.attributes["res_attrs"]
    code = jmlir.module_to_bytecode(module)

client = jax.devices()[0].client
compile_options = xc.CompileOptions()
compile_options.num_replicas = devices
compile_options.num_partitions = 1
build = compile_options.executable_build_options
build.num_replicas = devices
build.num_partitions = 1
build.use_spmd_partitioning = False
build.device_assignment = xc.DeviceAssignment.create(
    np.arange(devices).reshape(devices, 1))
executable = client.compile_and_load(
    code, xc.DeviceList(tuple(jax.devices()[:devices])), compile_options)

given = np.load(options.input)
mesh = jax.sharding.Mesh(np.array(jax.devices()[:devices]), ("d",))
P = jax.sharding.PartitionSpec
arrays = []
for i, ((offsets, shape), (local, dtype)) in enumerate(zip(args, in_info)):
    value = given[f"arg{i}"]
    if value.dtype.kind == "V":
        value = value.view(dtype)
    pieces = [cut(value, offsets[d], local) for d in range(devices)]
    spec = P("d") if local else P()
    whole = ([devices * local[0]] + local[1:]) if local else []
    shards = [jax.device_put(p, jax.devices()[d]) for d, p in enumerate(pieces)]
    arrays.append(jax.make_array_from_single_device_arrays(
        tuple(whole), jax.sharding.NamedSharding(mesh, spec), shards))
output = executable.execute_sharded(arrays)
shards = output.disassemble_into_single_device_arrays()

failed = False
expected = np.load(options.check) if options.check else None
worst = 0.0
for i, ((offsets, shape), (local, dtype)) in enumerate(zip(results, out_info)):
    value = np.zeros(shape, dtype)
    for d in range(devices):
        piece = np.asarray(shards[i][d])
        end = [max(o, min(n, o + s)) for n, o, s in zip(shape, offsets[d], local)]
        if any(e <= o for o, e in zip(offsets[d], end)):
            continue
        value[tuple(slice(o, e) for o, e in zip(offsets[d], end))] = \
            piece[tuple(slice(0, e - o) for o, e in zip(offsets[d], end))]
    if expected is None:
        continue
    want = expected[f"out{i}"]
    if want.dtype.kind == "V":
        want = want.view(dtype)
    if dtype.kind in "biu":
        ok = np.array_equal(value, want)
        error = 0.0 if ok else float("inf")
    else:
        got64 = value.astype(np.complex128 if dtype.kind == "c" else np.float64)
        want64 = want.astype(got64.dtype)
        difference = np.atleast_1d(np.abs(got64 - np.atleast_1d(want64)))
        difference[np.atleast_1d(np.isnan(got64) & np.isnan(want64))] = 0
        ok = bool(np.all(difference <= options.atol + options.rtol * np.atleast_1d(np.abs(want64))))
        error = float(np.max(difference)) if difference.size else 0.0
    if not ok:
        print(f"check failed: out{i} {shape}: largest error {error}")
        failed = True
    else:
        worst = max(worst, error)
print("FAILED" if failed else f"OK (largest error {worst:.3g})")
sys.exit(1 if failed else 0)
