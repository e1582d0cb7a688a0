"""Windows of many elements, which are made by doubling or one dimension after
the other, against numpy: python large_windows.py SHOAL_RUN

Random sizes, strides, padding and dilations; sums and products of integers are
exact modulo 2^n, so any element counted twice or not at all shows.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

rng = np.random.default_rng(3)
BODIES = {  # op: numpy's, type, initial value, values from, below
    "add": (np.add, "i32", 0, -1000, 1000), "multiply": (np.multiply, "i32", 1, -9, 10),
    "maximum": (np.maximum, "f32", "0xFF800000", -1000, 1000), "minimum": (np.minimum, "i32", 5, -1000, 1000),
    "and": (np.bitwise_and, "ui8", 255, 200, 256), "or": (np.bitwise_or, "i32", 0, 0, 3),
    "xor": (np.bitwise_xor, "i32", 0, -1000, 1000)}
NUMPY = {"i32": np.int32, "f32": np.float32, "ui8": np.uint8}
BITS = {"0xFF800000": -np.inf}


def expected(x, fn, init, window, stride, low, high, base, dilation):
    for d in range(x.ndim):
        size = (x.shape[d] - 1) * base[d] + 1
        shape = list(x.shape)
        shape[d] = low[d] + size + high[d]
        padded = np.full(shape, init, x.dtype)
        at = [slice(None)] * x.ndim
        at[d] = slice(low[d], low[d] + size, base[d])
        padded[tuple(at)] = x
        out = (shape[d] - (window[d] - 1) * dilation[d] - 1) // stride[d] + 1
        total = None
        for w in range(window[d]):
            at[d] = slice(w * dilation[d], w * dilation[d] + (out - 1) * stride[d] + 1, stride[d])
            part = padded[tuple(at)]
            total = part if total is None else fn(total, part, dtype=x.dtype)
        x = total
    return fn(x, np.asarray(init, x.dtype), dtype=x.dtype)


def case(number):
    op = list(BODIES)[number % len(BODIES)]
    fn, type_, text, least, bound = BODIES[op]
    init = BITS.get(text, text)
    rank = int(rng.integers(1, 4))
    active = rng.permutation(rank)[:2]  # dimensions with large windows
    shape, window, stride, low, high, base, dilation = ([] for _ in range(7))
    for d in range(rank):
        large = d in active
        shape.append(int(rng.integers(40, 90) if large else rng.integers(1, 5)))
        window.append(int(rng.integers(2, 40) if large else 1))
        stride.append(int(rng.integers(1, 4)) if large else 1)
        base.append(int(rng.integers(1, 3)) if large else 1)
        dilation.append(int(rng.integers(1, 3)) if large else 1)
        if rng.integers(6) == 0 and large:  # prefixes
            window[d], stride[d], base[d], dilation[d] = shape[d], 1, 1, 1
            low.append(shape[d] - 1)
            high.append(0)
            continue
        low.append(int(rng.integers(0, 30)) if large else 0)
        missing = (window[d] - 1) * dilation[d] + 1 - low[d] - (shape[d] - 1) * base[d] - 1
        high.append(max(int(rng.integers(0, 30)) if large else 0, missing))
    x = rng.integers(least, bound, shape).astype(NUMPY[type_])
    with np.errstate(over="ignore"):
        want = expected(x, fn, init, window, stride, low, high, base, dilation)
    dims = "x".join(map(str, shape)) + "x"
    results = "x".join(map(str, want.shape)) + "x"
    array = lambda v: "array<i64: " + ", ".join(map(str, v)) + ">"
    code = f"""
func.func @main(%x: tensor<{dims}{type_}>) -> tensor<{results}{type_}> {{
  %init = stablehlo.constant dense<{text}> : tensor<{type_}>
  %r = "stablehlo.reduce_window"(%x, %init) <{{window_dimensions = {array(window)}, window_strides = {array(stride)},
      base_dilations = {array(base)}, window_dilations = {array(dilation)},
      padding = dense<[{", ".join(f"[{a}, {b}]" for a, b in zip(low, high))}]> : tensor<{rank}x2xi64>}}> ({{
    ^bb0(%a: tensor<{type_}>, %b: tensor<{type_}>):
      %c = stablehlo.{op} %a, %b : tensor<{type_}>
      stablehlo.return %c : tensor<{type_}>
  }}) : (tensor<{dims}{type_}>, tensor<{type_}>) -> tensor<{results}{type_}>
  return %r : tensor<{results}{type_}>
}}
"""
    return code, x, want


def main():
    programs, arguments, results = [], {}, {}
    for i in range(42):
        code, x, want = case(i)
        programs.append(code.replace("@main", f"@case{i}"))
        arguments[f"arg{i}"], results[f"out{i}"] = x, want
    signature = [p[p.index("(%x: ") + 5:p.index(" {\n")].split(") -> ") for p in programs]
    calls = "\n".join(f"  %r{i} = call @case{i}(%x{i}) : ({a}) -> {r}" for i, (a, r) in enumerate(signature))
    main_ = (f"func.func @main({', '.join(f'%x{i}: {a}' for i, (a, _) in enumerate(signature))}) -> "
             f"({', '.join(r for _, r in signature)}) {{\n{calls}\n"
             f"  return {', '.join(f'%r{i}' for i in range(len(signature)))} : {', '.join(r for _, r in signature)}\n}}\n")
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        (tmp / "w.mlir").write_text(main_ + "".join(p.replace("func.func @", "func.func private @") for p in programs))
        np.savez(tmp / "in.npz", **arguments)
        np.savez(tmp / "want.npz", **results)
        subprocess.run([sys.argv[1], str(tmp / "w.mlir"), f"--input={tmp / 'in.npz'}",
                        f"--check={tmp / 'want.npz'}", "--rtol=0", "--atol=0"], check=True)
    print(f"{len(programs)} windows agree")


main()
