#!/usr/bin/env python3
"""Runs a module printed by shoal-export-stablehlo on JAX's CPU client, one
partition per device, and compares with expected outputs.

  run_with_jax.py MODULE.mlir --input in.npz [--check out.npz] [--rtol R] [--atol A]

Arguments and results of @main carry `jax.offsets` (devices x rank: where each
device's block starts) and `jax.global_shape`; inputs are cut by these, padding
is filled with wild numbers, outputs are joined again.
"""
import argparse
import os
import re
import sys


def device_count(text):
    return int(re.search(r"mhlo.num_partitions = (\d+)", text).group(1))


def element_dtype(text):
    import ml_dtypes
    import numpy as np
    table = {"i1": "bool", "bf16": "bfloat16", "i2": "int2", "i4": "int4", "ui2": "uint2", "ui4": "uint4", "complex<f32>": "complex64", "complex<f64>": "complex128"}
    short = re.fullmatch(r"(ui|i|f)(\d+)", text)
    if text in table:
        name = table[text]
    elif short:
        name = {"ui": "uint", "i": "int", "f": "float"}[short[1]] + short[2]
    else:   # f8E4M3FN: float8_e4m3fn
        name = re.sub(r"^f(\d+)", r"float\1_", text).lower()
    return np.dtype(getattr(ml_dtypes, name) if hasattr(ml_dtypes, name) else name)


def cut(array, offsets, local):
    """This device's block; what lies beyond the array is garbage."""
    import numpy as np
    # (No NaN: XLA makes one convolution of a grouped one, with zeros between.)
    garbage = np.full(local, -77 if array.dtype.kind in "ifc" or array.dtype.name == "bfloat16" else 0, array.dtype)
    end = [max(o, min(n, o + s)) for n, o, s in zip(array.shape, offsets, local)]
    piece = array[tuple(slice(o, e) for o, e in zip(offsets, end))]
    garbage[tuple(slice(0, s) for s in piece.shape)] = piece
    return garbage


def join(shards, offsets, shape, dtype):
    """The whole array from the devices' blocks."""
    import numpy as np
    value = np.zeros(shape, dtype)
    for piece, start in zip(shards, offsets):
        end = [max(o, min(n, o + s)) for n, o, s in zip(shape, start, piece.shape)]
        if not any(e <= o for o, e in zip(start, end)):
            value[tuple(slice(o, e) for o, e in zip(start, end))] = piece[tuple(slice(0, e - o) for o, e in zip(start, end))]
    return value


def run(text, arrays):
    """Results, as whole arrays, of the module for whole arguments. JAX must
    have as many CPU devices as the module has partitions."""
    import jax
    import numpy as np
    from jax._src.interpreters import mlir as jmlir
    from jax._src.lib import xla_client as xc
    from jaxlib import lapack
    from jaxlib.mlir import ir
    jax.config.update("jax_enable_x64", True)
    lapack._lapack.initialize()
    devices = device_count(text)
    context = jmlir.make_ir_context()
    context.allow_unregistered_dialects = True
    with context:
        # XLA only takes partitions together with its own partitioner; the same
        # program runs on replicas, whose ids then are the device ids.
        text = text.replace("stablehlo.partition_id", "stablehlo.replica_id")
        text = re.sub(r"channel_handle = #stablehlo.channel_handle<[^>]*>(, )?", "", text)
        text = re.sub(r"(, )?use_global_device_ids", "", text)
        text = re.sub(r"mhlo.num_partitions = \d+", "mhlo.num_partitions = 1", text)
        text = re.sub(r"mhlo.num_replicas = \d+", f"mhlo.num_replicas = {devices}", text)
        text = text.replace(", }", "}").replace("<{, ", "<{").replace(", }>", "}>")
        module = ir.Module.parse(text)
        main = [op for op in module.body.operations if op.name.value == "main"][0]

        def layouts(name, types):
            """Per value: offsets, whole shape, local shape, element type."""
            result = []
            for attrs, t in zip(main.attributes[name] if name in main.attributes else [], types):
                t = ir.RankedTensorType(t)
                shape = [int(x) for x in ir.DenseI64ArrayAttr(attrs["jax.global_shape"])]
                offsets = np.array(ir.DenseElementsAttr(attrs["jax.offsets"])).reshape(devices, len(shape))
                result.append((offsets, shape, list(t.shape), element_dtype(str(t.element_type))))
            if name in main.attributes:
                del main.attributes[name]
            return result
        types = main.function_type.value
        arguments, results = layouts("arg_attrs", types.inputs), layouts("res_attrs", types.results)
        code = jmlir.module_to_bytecode(module)

    options = xc.CompileOptions()
    options.num_replicas, options.num_partitions = devices, 1
    build = options.executable_build_options
    build.num_replicas, build.num_partitions, build.use_spmd_partitioning = devices, 1, False
    build.device_assignment = xc.DeviceAssignment.create(np.arange(devices).reshape(devices, 1))
    used = jax.devices()[:devices]
    executable = used[0].client.compile_and_load(code, xc.DeviceList(tuple(used)), options)
    mesh, P = jax.sharding.Mesh(np.array(used), ("d",)), jax.sharding.PartitionSpec
    shards = []
    for value, (offsets, _, local, dtype) in zip(arrays, arguments, strict=True):
        if value.dtype != dtype:
            value = value.view(dtype) if value.dtype.kind == "V" else value.astype(dtype)
        pieces = [jax.device_put(cut(value, offsets[d], local), used[d]) for d in range(devices)]
        whole = tuple([devices * local[0]] + local[1:]) if local else ()
        shards.append(jax.make_array_from_single_device_arrays(whole, jax.sharding.NamedSharding(mesh, P("d") if local else P()), pieces))
    output = executable.execute_sharded(shards).disassemble_into_single_device_arrays()
    return [join([np.asarray(x) for x in output[i][:devices]], offsets, shape, dtype) for i, (offsets, shape, _, dtype) in enumerate(results)]


def compare(value, want, rtol, atol):
    """(largest difference, whether it is within the bounds)."""
    import numpy as np
    want = want.view(value.dtype) if want.dtype.kind == "V" else want.astype(value.dtype)
    if value.dtype.kind in "biu" or value.dtype.name.lstrip("u").startswith("int"):
        same = np.array_equal(value, want)
        return (0.0 if same else float("inf")), same
    got64 = np.atleast_1d(value.astype(np.complex128 if value.dtype.kind == "c" else np.float64))
    want64 = np.atleast_1d(want.astype(got64.dtype))
    difference = np.abs(got64 - want64)
    difference[(np.isnan(got64) & np.isnan(want64)) | (got64 == want64)] = 0
    return float(np.max(difference, initial=0.0)), bool(np.all(difference <= atol + rtol * np.abs(want64)))


def main():
    import numpy as np
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module")
    parser.add_argument("--input", required=True)
    parser.add_argument("--check")
    parser.add_argument("--rtol", type=float, default=1e-4)
    parser.add_argument("--atol", type=float, default=1e-4)
    options = parser.parse_args()
    with open(options.module) as file:
        text = file.read()
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + f" --xla_force_host_platform_device_count={device_count(text)}"
    os.environ["JAX_PLATFORMS"] = "cpu"
    given = np.load(options.input)
    values = run(text, [given[f"arg{i}"] for i in range(len(given.files))])
    failed, worst = False, 0.0
    expected = np.load(options.check) if options.check else {}
    for i, value in enumerate(values):
        if not options.check:
            continue
        error, ok = compare(value, expected[f"out{i}"], options.rtol, options.atol)
        if not ok:
            print(f"check failed: out{i} {list(value.shape)}: largest error {error}")
            failed = True
        else:
            worst = max(worst, error)
    print("FAILED" if failed else f"OK (largest error {worst:.3g})")
    return failed


if __name__ == "__main__":
    sys.exit(main())
