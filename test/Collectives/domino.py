"""A tensor parallel model whose sums are on the critical path, compiled for a machine where they take 0.35 of the products'
time: the search over whole programs splits the batch, and the step is what the simulator's reproduction of Domino says
(test/Unit/Simulate): L C + M/2 instead of L (C + M).

domino.py BUILD"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

build, layers, ranks, rows, width = Path(sys.argv[1]), 12, 4, 64, 1024
RATE = 1e12
C = 2 * 2 * rows * width * width / ranks / RATE
sent = 2 * (ranks - 1) / ranks * rows * width * 4
M = 0.35 * C
HARDWARE = {"name": "plain", "flops_per_second": RATE, "memory_bytes_per_second": 1e15, "memory_bytes": 1e12, "kernel_latency": 0,
            "collective_latency": 0, "links": [{"name": "link", "bytes_per_second": sent / M, "latency": 0}]}

weights = "".join(f', %w{i}: tensor<{width}x{width}xf32> {{sdy.sharding = #sdy.sharding<@m, [{{}}, {{"tp"}}]>}}'
                  f', %v{i}: tensor<{width}x{width}xf32> {{sdy.sharding = #sdy.sharding<@m, [{{"tp"}}, {{}}]>}}' for i in range(layers))
x, w = f"tensor<{rows}x{width}xf32>", f"tensor<{width}x{width}xf32>"
body, last = "", "%x"
for i in range(layers):
    body += f"""  %a{i} = stablehlo.dot_general {last}, %w{i}, contracting_dims = [1] x [0] : ({x}, {w}) -> {x}
  %b{i} = stablehlo.tanh %a{i} : {x}
  %c{i} = stablehlo.dot_general %b{i}, %v{i}, contracting_dims = [1] x [0] : ({x}, {w}) -> {x}
  %d{i} = sdy.sharding_constraint %c{i} <@m, [{{}}, {{}}]> : {x}
  %e{i} = stablehlo.tanh %d{i} : {x}
"""
    last = f"%e{i}"
whole = f'{x} {{sdy.sharding = #sdy.sharding<@m, [{{}}, {{}}]>}}'
MODULE = f"""sdy.mesh @m = <["tp"={ranks}]>
func.func @main(%x: {whole}{weights}) -> ({whole}) {{
{body}  return {last} : {x}
}}
"""

with tempfile.TemporaryDirectory() as folder:
    def modelled(*options):
        subprocess.run([build / "bin/shoal-compile", Path(folder) / "m.mlir", f"--hardware={folder}/h.json", "--compile-to=scheduled",
                        "-o", Path(folder) / "s.mlir", f"--report={folder}/r.json", *options], check=True)
        report = json.loads((Path(folder) / "r.json").read_text())
        return report["modelled"]["step_s"], report["totals"]["bytes_sent_per_device"]
    (Path(folder) / "m.mlir").write_text(MODULE)
    (Path(folder) / "h.json").write_text(json.dumps(HARDWARE))
    none, before = modelled("--overlap=none")
    best, after = modelled()
print(f"none {none * 1e6:.1f} us, L (C + M) {layers * (C + M) * 1e6:.1f}; best {best * 1e6:.1f}, L C + M/2 "
      f"{(layers * C + M / 2) * 1e6:.1f}; {none / best:.2f} times faster")
assert abs(none / (layers * (C + M)) - 1) < 0.02
assert best < (layers * C + M / 2) * 1.02
assert before == after
