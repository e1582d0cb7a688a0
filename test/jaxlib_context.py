"""A context of jaxlib's MLIR with all it knows of StableHLO, for tests that ask it."""
from jaxlib.mlir import ir, passmanager
from jaxlib.mlir._mlir_libs import _jax_mlir_ext, _stablehlo
from jaxlib.mlir.dialects import chlo, sdy, stablehlo

_stablehlo.register_stablehlo_passes()


def make_context():
    context = ir.Context()
    registry = ir.DialectRegistry()
    _jax_mlir_ext.register_dialects(registry)
    context.append_dialect_registry(registry)
    context.load_all_available_dialects()
    for dialect in (stablehlo, chlo, sdy):
        dialect.register_dialect(context)
    # The Python package has no way to register the quant dialect, but this pass
    # depends on it.
    with context, ir.Location.unknown():
        passes = passmanager.PassManager.parse("builtin.module(vhlo-legalize-to-stablehlo)")
        passes.run(ir.Module.parse("module {}").operation)
    return context
