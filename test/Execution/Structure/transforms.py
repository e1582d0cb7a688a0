"""Fourier transforms of several dimensions against numpy: transforms.py SHOAL_RUN"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

rng = np.random.default_rng(4)
F, C = "f64", "complex<f64>"
CASES = [  # kind, shape, type, result's, lengths, numpy's
    ("FFT", (256, 96), C, (256, 96), C, (256, 96), lambda x: np.fft.fft2(x)),
    ("IFFT", (3, 128, 60), C, (3, 128, 60), C, (128, 60), lambda x: np.fft.ifft2(x)),
    ("FFT", (2, 20, 24, 37), C, (2, 20, 24, 37), C, (20, 24, 37), lambda x: np.fft.fftn(x, axes=(1, 2, 3))),
    ("RFFT", (160, 128), F, (160, 65), C, (160, 128), lambda x: np.fft.rfft2(x)),
    ("IRFFT", (2, 90, 101), C, (2, 90, 200), F, (90, 200), lambda x: np.fft.irfft2(x)),
    ("IRFFT", (40, 16, 34), C, (40, 16, 67), F, (40, 16, 67), lambda x: np.fft.irfftn(x, s=(40, 16, 67), axes=(0, 1, 2)))]


def tensor(shape, t):
    return "tensor<" + "".join(f"{d}x" for d in shape) + t + ">"


arguments, results, lines = {}, {}, []
for i, (kind, shape, t, out, o, lengths, fn) in enumerate(CASES):
    x = rng.normal(size=shape) if t == F else rng.normal(size=shape) + 1j * rng.normal(size=shape)
    arguments[f"arg{i}"], results[f"out{i}"] = x, fn(x)
    lines.append(f"  %r{i} = stablehlo.fft %x{i}, type = {kind}, length = [{', '.join(map(str, lengths))}] : "
                 f"({tensor(shape, t)}) -> {tensor(out, o)}")
types = ", ".join(tensor(c[3], c[4]) for c in CASES)
text = (f"func.func @main({', '.join(f'%x{i}: {tensor(c[1], c[2])}' for i, c in enumerate(CASES))}) -> ({types}) {{\n"
        + "\n".join(lines) + f"\n  return {', '.join(f'%r{i}' for i in range(len(CASES)))} : {types}\n}}\n")
with tempfile.TemporaryDirectory() as tmp:
    tmp = Path(tmp)
    (tmp / "t.mlir").write_text(text)
    np.savez(tmp / "in.npz", **arguments)
    np.savez(tmp / "want.npz", **results)
    subprocess.run([sys.argv[1], str(tmp / "t.mlir"), f"--input={tmp / 'in.npz'}", f"--check={tmp / 'want.npz'}",
                    "--rtol=1e-11", "--atol=1e-11"], check=True)
    fused = subprocess.run([str(Path(sys.argv[1]).parent / "shoal-compile"), str(tmp / "t.mlir"), "--compile-to=fused",
                            "-o", "-"], check=True, capture_output=True, text=True).stdout
    # Every one of them was taken apart.
    lengths = [line.split("length = [")[1].split("]")[0] for line in fused.splitlines() if "stablehlo.fft" in line]
    assert lengths and not any("," in x for x in lengths), lengths
print(f"{len(CASES)} transforms agree")
