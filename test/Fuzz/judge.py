"""JAX on one CPU device as judge, in a process of its own.

XLA aborts on some programs it does not know; the process is then started anew.
The second judge is StableHLO's reference interpreter, which jaxlib carries: it
knows fewer operations (and aborts on the others), but follows the specification.
"""
import multiprocessing
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "Partition"))


def _interpret(module, arrays):
    """Results of StableHLO's reference interpreter."""
    import numpy as np
    from jaxlib.mlir import ir
    from jaxlib.mlir._mlir_libs import _stablehlo
    from jaxlib.mlir.dialects import stablehlo
    from jaxlib.mlir.passmanager import PassManager
    main = [op for op in module.body.operations if op.name.value == "main"][0]
    for op in reversed(list(main.body.blocks[0].operations)[:-1]):   # What is not used may be unknown.
        if all(not list(r.uses) for r in op.results):
            op.operation.erase()
    stablehlo.register_stablehlo_passes()
    PassManager.parse("builtin.module(func.func(chlo-legalize-to-stablehlo))").run(module.operation)
    args = [ir.DenseElementsAttr.get(np.ascontiguousarray(a), type=t) for a, t in zip(arrays, main.function_type.value.inputs)]
    return [np.array(x) for x in _stablehlo.eval_module(module, args)]


def _serve(pipe, devices, without):
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)   # XLA tells of its failures at length
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false --xla_backend_optimization_level=0 "
                          "--xla_disable_hlo_passes=" + ",".join(["tree_reduction_rewriter", *without]))   # It counts initial values several times.
    os.environ["XLA_FLAGS"] += f" --xla_force_host_platform_device_count={devices}"
    import jax
    import numpy as np
    from jax._src.interpreters import mlir as jmlir
    from jax._src.lib import xla_client as xc
    from jaxlib.mlir import ir
    jax.config.update("jax_enable_x64", True)
    device = jax.devices("cpu")[0]
    while True:
        try:
            task, text, arrays = pipe.recv()
        except EOFError:
            return
        try:
            if task == "partitioned":
                import run_with_jax
                pipe.send((True, run_with_jax.run(text, arrays)))
                continue
            with jmlir.make_ir_context(), ir.Location.unknown():
                module = ir.Module.parse(text)
                if task == "print":
                    pipe.send((True, str(module)))
                    continue
                if task == "interpret":
                    pipe.send((True, _interpret(module, arrays)))
                    continue
                exe = device.client.compile_and_load(module, executable_devices=xc.DeviceList((device,)), compile_options=xc.CompileOptions())
            buffers = [jax.device_put(a, device) for a in arrays]
            pipe.send((True, [np.asarray(o[0]) for o in exe.execute_sharded(buffers).disassemble_into_single_device_arrays()]))
        except Exception as e:  # noqa: BLE001: what XLA refuses is reported, whatever it is
            pipe.send((False, str(e)[:500]))


class Judge:
    """ask(task, text, arrays) -> (whether it went well, result or message).

    Tasks: "run" by XLA, "interpret" by the reference interpreter, "print" as jaxlib prints it,
    "partitioned": a module that Shoal printed by --emit=stablehlo, on as many devices.
    `without`: passes of XLA to leave out.
    """

    def __init__(self, limit=60, devices=1, without=()):
        self.process, self.limit, self.devices, self.without = None, limit, devices, without

    def ask(self, task, text, arrays=()):
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, theirs = context.Pipe()
            self.process = context.Process(target=_serve, args=(theirs, self.devices, self.without), daemon=True)
            self.process.start()
            theirs.close()
        try:
            self.pipe.send((task, text, list(arrays)))
            if self.pipe.poll(self.limit):
                return self.pipe.recv()
            message = "the judge takes too long"
        except (EOFError, OSError):
            message = "the judge died"
        self.process.kill()
        self.process.join()
        self.process = None
        return False, message
