"""What shoal-run --calibrate measures of this machine, --hardware reads.

calibrate.py BUILD: fails if the file is not complete, or if a machine of half the rates that were measured is not
modelled to take twice as long. Says how far the modelled time of a model's kernels is from the measured one; a machine
that others use may be any time off, so nothing depends on it."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

build = Path(sys.argv[1])
MODULE = """
sdy.mesh @m = <["d"=2]>
func.func @main(%x: tensor<256x512xf32> {sdy.sharding = #sdy.sharding<@m, [{"d"}, {}]>}, %w: tensor<512x1024xf32>, %v: tensor<1024x512xf32>) -> (tensor<256x512xf32>, tensor<512xf32>) {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<256x512xf32>, tensor<512x1024xf32>) -> tensor<256x1024xf32>
  %1 = stablehlo.tanh %0 : tensor<256x1024xf32>
  %2 = stablehlo.dot_general %1, %v, contracting_dims = [1] x [0] : (tensor<256x1024xf32>, tensor<1024x512xf32>) -> tensor<256x512xf32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %3 = stablehlo.reduce(%2 init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<256x512xf32>, tensor<f32>) -> tensor<512xf32>
  %4 = stablehlo.broadcast_in_dim %3, dims = [1] : (tensor<512xf32>) -> tensor<256x512xf32>
  %5 = stablehlo.subtract %2, %4 : tensor<256x512xf32>
  %6 = stablehlo.tanh %3 : tensor<512xf32>
  return %5, %6 : tensor<256x512xf32>, tensor<512xf32>
}
"""

with tempfile.TemporaryDirectory() as folder:
    model, hardware, report = (Path(folder) / n for n in ("m.mlir", "hardware.json", "report.json"))
    model.write_text(MODULE)
    # --profile=FILE.json writes the same, beside the table.
    table = subprocess.run([build / "bin/shoal-run", model, "--input=random", f"--profile={hardware}"], check=True, capture_output=True,
                           text=True).stdout
    assert "a matrix product of 128x512 by 512x1024" in table and "flops_per_second" in json.loads(hardware.read_text()), table
    subprocess.run([build / "bin/shoal-run", model, "--input=random", "--repeat=5", f"--calibrate={hardware}",
                    f"--report={report}"], check=True, stdout=subprocess.DEVNULL)
    measured = sum(r["seconds"] for r in json.loads(report.read_text())["profile"] if r["bytes"] > 0)
    made = json.loads(hardware.read_text())
    assert set(made) >= {"flops_per_second", "memory_bytes_per_second", "kernel_latency", "efficiency", "collective_work"}, made
    assert set(made["efficiency"]) == {"product", "product_bytes", "memory"}, made
    for curve in made["efficiency"].values():
        assert curve == sorted(curve) and abs(max(e for _, e in curve) - 1) < 1e-9 and min(e for _, e in curve) > 0, made
    def modelled():
        subprocess.run([build / "bin/shoal-compile", model, "--compile-to=scheduled", "-o", Path(folder) / "s.mlir",
                        f"--hardware={hardware}", f"--report={report}"], check=True)
        return json.loads(report.read_text())["modelled"]["compute_s"]

    seconds = modelled()
    print(f"measured {measured * 1e3:.3f} ms, modelled {seconds * 1e3:.3f} ms")
    work = made["collective_work"]
    assert min(work.values()) > 0, work
    slow = dict(made, memory_bytes_per_second=made["memory_bytes_per_second"] / 2,
                collective_work={what: x * 2 if what == "latency" else x / 2 for what, x in work.items()},
                kernel_latency=made["kernel_latency"] * 2,
                flops_per_second={t: rate / 2 for t, rate in made["flops_per_second"].items()})
    hardware.write_text(json.dumps(slow))
    twice = modelled()
    assert abs(twice / seconds - 2) < 0.01, (seconds, twice)
