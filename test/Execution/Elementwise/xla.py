"""StableHLO text run by XLA on one CPU device."""
import io
import os

# What XLA computes is wanted, not fast code: it compiles in half the time.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"
import jax
import numpy as np
from jax._src import xla_bridge
from jax._src.interpreters import mlir as jax_mlir
from jaxlib import xla_client
from jaxlib.mlir import ir

jax.config.update("jax_enable_x64", True)


def run(text, inputs):
    backend = xla_bridge.get_backend("cpu")
    with jax_mlir.make_ir_context():
        module = ir.Module.parse(text)
        buffer = io.BytesIO()
        module.operation.write_bytecode(buffer)
    devices = xla_client.DeviceList(tuple(backend.local_devices()[:1]))
    executable = backend.compile_and_load(buffer.getvalue(), devices, xla_client.CompileOptions())
    outputs = executable.execute_sharded([jax.device_put(x) for x in inputs])
    return [np.asarray(x[0]) for x in outputs.disassemble_into_single_device_arrays()]
