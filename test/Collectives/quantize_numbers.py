"""Sums that travel as bytes are off by what the pass says, not more, and send a quarter of the bytes.

quantize_numbers.py BUILD"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

build, n = Path(sys.argv[1]), 4
MODULE = """
sdy.mesh @m = <["x"=4]>
func.func @main(%a: tensor<256x3001xf32> {sdy.sharding = #sdy.sharding<@m, [{"x"}, {}]>})
    -> (tensor<3001xf32> {sdy.sharding = #sdy.sharding<@m, [{}]>}, tensor<3001xf32> {sdy.sharding = #sdy.sharding<@m, [{"x"}]>}) {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.reduce(%a init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<256x3001xf32>, tensor<f32>) -> tensor<3001xf32>
  %b = stablehlo.multiply %a, %a : tensor<256x3001xf32>
  %1 = stablehlo.reduce(%b init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<256x3001xf32>, tensor<f32>) -> tensor<3001xf32>
  return %0, %1 : tensor<3001xf32>, tensor<3001xf32>
}
"""

with tempfile.TemporaryDirectory() as folder:
    def path(name):
        return Path(folder) / name
    path("m.mlir").write_text(MODULE)
    a = np.random.default_rng(0).standard_normal((256, 3001), np.float32)
    a[3, 2000] = np.inf
    np.savez(path("in.npz"), arg0=a)
    sent = []
    outs = []
    for options in (None, "axes=x min-bytes=64 block=64 always=true", "axes=x:f8 min-bytes=64 block=64 always=true"):
        subprocess.run([build / "bin/shoal-compile", path("m.mlir"), "--compile-to=partitioned", "-o", path("p.mlir")], check=True)
        if options:
            subprocess.run([build / "bin/shoal-opt", path("p.mlir"), f"--shoal-quantize-collectives={options}", "-o", path("q.mlir")], check=True)
        subprocess.run([build / "bin/shoal-compile", path("q.mlir" if options else "p.mlir"), "--compile-from=partitioned", "-o", path("m.so")], check=True)
        subprocess.run([build / "bin/shoal-run", path("m.so"), f"--input={path('in.npz')}", f"--output={path('out.npz')}",
                        f"--report={path('r.json')}"], check=True)
        report = json.loads(path("r.json").read_text())
        sent.append(report["totals"]["bytes_sent_per_device"])
        assert abs(report["measured"]["bytes_sent_per_device"] - sent[-1]) < 1, report["measured"]
        outs.append(dict(np.load(path("out.npz"))))

# What each device adds, and the blocks that share its bytes' scale: 64 from the start of each device's part.
for name, values, both in (("out0", a, 2), ("out1", a * a, 1)):
    summands = values.astype(np.float64).reshape(n, 64, -1).sum(1)
    want = summands.sum(0)
    # Small floats: a sixteenth of each summand, and of the sum where that is gathered; and as much again for the rounding of
    # what was rounded.
    got = outs[2][name].astype(np.float64)
    bad = ~np.isfinite(got)
    assert bad[2000] and bad.sum() <= 64 * (2 if both == 2 else 1), (name, np.flatnonzero(bad))
    each = np.abs(summands) / 16 + np.abs(summands[:, ~bad]).max() * 2.0**-18
    bound = each.sum(0) + (both - 1) * (np.abs(want) + each.sum(0)) / 16
    error = np.abs(got - want)
    print(f"{name} as small floats: off by {error[~bad].max():.4f}, of the bound at most {(error / bound)[~bad].max():.3f}")
    assert 0.1 < (error / bound)[~bad].max() <= 1 + 1e-5, name
    got = outs[1][name].astype(np.float64)
    bad = ~np.isfinite(got)
    assert bad[2000] and bad.sum() <= 64 * (2 if both == 2 else 1), (name, np.flatnonzero(bad))
    bound = both * n / 254 * np.abs(summands[:, ~bad]).max() * (1 + 1e-5)
    error = np.abs(got - want)[~bad].max()
    print(f"{name}: off by {error:.4f}, at most {bound:.4f}")
    assert 0 < error <= bound, name
print(f"bytes sent: {sent[0]} -> {sent[1]}")
sys.exit(not sent[2] == sent[1] < 0.3 * sent[0])
