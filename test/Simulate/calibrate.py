"""What shoal-run --calibrate measures of this machine, --hardware reads: the modelled time of the kernels is then about
the measured one.

calibrate.py BUILD: fails if a model's kernels are modelled more than three times faster or slower than they ran."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

build = Path(sys.argv[1])
MODULE = """
func.func @main(%x: tensor<256x512xf32>, %w: tensor<512x1024xf32>, %v: tensor<1024x512xf32>) -> tensor<256x512xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<256x512xf32>, tensor<512x1024xf32>) -> tensor<256x1024xf32>
  %1 = stablehlo.tanh %0 : tensor<256x1024xf32>
  %2 = stablehlo.dot_general %1, %v, contracting_dims = [1] x [0] : (tensor<256x1024xf32>, tensor<1024x512xf32>) -> tensor<256x512xf32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %3 = stablehlo.reduce(%2 init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<256x512xf32>, tensor<f32>) -> tensor<512xf32>
  %4 = stablehlo.broadcast_in_dim %3, dims = [1] : (tensor<512xf32>) -> tensor<256x512xf32>
  %5 = stablehlo.subtract %2, %4 : tensor<256x512xf32>
  return %5 : tensor<256x512xf32>
}
"""

with tempfile.TemporaryDirectory() as folder:
    model, hardware, report = (Path(folder) / n for n in ("m.mlir", "hardware.json", "report.json"))
    model.write_text(MODULE)
    subprocess.run([build / "bin/shoal-run", model, "--input=random", "--repeat=5", f"--calibrate={hardware}",
                    f"--report={report}"], check=True, stdout=subprocess.DEVNULL)
    measured = sum(r["seconds"] for r in json.loads(report.read_text())["profile"] if r["bytes"] > 0)
    made = json.loads(hardware.read_text())
    assert set(made) >= {"flops_per_second", "memory_bytes_per_second", "kernel_latency", "efficiency"}, made
    for curve in made["efficiency"].values():
        assert curve == sorted(curve) and max(e for _, e in curve) == 1 and min(e for _, e in curve) > 0, made
    subprocess.run([build / "bin/shoal-compile", model, "--compile-to=scheduled", "-o", Path(folder) / "s.mlir",
                    f"--hardware={hardware}", f"--report={report}"], check=True)
    modelled = json.loads(report.read_text())["modelled"]["compute_s"]
    print(f"measured {measured * 1e3:.3f} ms, modelled {modelled * 1e3:.3f} ms")
    sys.exit(not measured / 3 < modelled < measured * 3)
