#!/usr/bin/env python3
"""Compares Shoal with StableHLO's reference interpreter on quantized tensors.

    quantized_against_reference.py path/to/shoal-run

The interpreter comes with jaxlib. It knows some operations only, and types with
signed storage and f32. Storage values must be the same, floats within the
tolerance of the case's judge; cases that the interpreter cannot run are counted
and passed over, and an operation of which it can run none is an error, so that
this does not come to test nothing. Two kinds are left out, where it does not do
what it should: integer convolutions, which it adds up in i8, and dots whose
result is no accumulator, which it truncates.
"""
import collections
import os
import sys
from pathlib import Path

os.environ["PLAIN"] = "1"
os.environ.setdefault("COUNT", "2")

import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir._mlir_libs import _stablehlo

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from jaxlib_context import make_context  # noqa: E402
from quantized_cases import Quantized, complaints, generate, program
import quantized_against_numpy as shoal

KINDS = """abs add_mixed add_per_axis add_same atan2 bitcast_convert
broadcast_in_dim cbrt ceil clamp compare concatenate constant convolution_hybrid
cosine divide dot dot_bias_requantize dot_general dot_hybrid dynamic_slice
exponential exponential_minus_one floor gather log log_plus_one logistic maximum
minimum multiply negate pad power reduce_precision reduce_window remainder
requantize reshape round_nearest_afz round_nearest_even rsqrt select sign sine
slice sqrt subtract tan tanh transpose uniform_dequantize
uniform_quantize""".split()


def to_attribute(value, element):
    value = np.asarray(value)
    element = element.plain if isinstance(element, Quantized) else element
    type = ir.RankedTensorType.get(value.shape, ir.Type.parse(element))
    if value.dtype == np.bool_ or element == "i4":
        return ir.Attribute.parse(f"dense<{str(value.tolist()).lower()}> : {type}")
    return ir.DenseElementsAttr.get(np.ascontiguousarray(value), type=type)


def to_array(attribute, shape):
    try:
        array = np.array(attribute)
    except Exception:  # i4
        text = str(attribute)
        text = text[text.index("<") + 1:text.rindex("> :")]
        array = np.array(eval(text, {"true": True, "false": False}))
    size = int(np.prod(shape))
    return (array if array.size == size else np.full(size, array.flat[0])).reshape(shape)


def interpret(context, case):
    """The interpreter's results, or None."""
    text, values = program([case])
    with context, ir.Location.unknown():
        try:
            module = ir.Module.parse(text)
            arguments = [to_attribute(v, e) for v, (_, e) in zip(values, case.inputs)]
            outputs = _stablehlo.eval_module(module, arguments)
        except Exception:
            return None
        return [to_array(o, shape) for o, (shape, _) in zip(outputs, case.results)]


def main():
    # What it says of operations that it does not know.
    errors = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    context = make_context()
    known, missing = [], collections.Counter()
    for case in generate():
        if case.name not in KINDS:
            continue
        # Only accumulators, whose scale is the product of the operands'.
        if case.name == "dot_general" and case.results[0][1].bits != 32:
            continue
        results = interpret(context, case)
        missing[case.name] += 1
        if results is not None:
            missing[case.name] = -10**6
            known.append((case, results))
    os.dup2(errors, 2)
    failed = 0
    for case, results in known:
        exact = isinstance(case.results[0][1], Quantized)
        case.judges = [r if exact else ("close", np.asarray(r, np.float64)) for r in results]
        if case.results[0][1] == "i1":
            case.judges = results
    for kind in KINDS:
        if missing[kind] >= 0:
            failed += 1
            print(f"FAILED {kind}: the interpreter runs none of {missing[kind]} cases")
    cases = [case for case, _ in known]
    failed += shoal.compare(cases)
    print(f"{len(cases)} cases, {failed} disagree")
    sys.exit(1 if failed else 0)


main()
