"""Compressed sums of gradients, on ranks: the identity of error feedback, bytes as reported, and training that converges.

compress_gradients_numbers.py BUILD"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

build, D, T = Path(sys.argv[1]), 4, 2
rng = np.random.default_rng(0)
N, I, O = 256, 192, 192
MODULE = f"""
sdy.mesh @m = <["data"={D}, "model"={T}]>
func.func @main(%x: tensor<{N}x{I}xf32> {{sdy.sharding = #sdy.sharding<@m, [{{"data"}}, {{}}]>}},
                %y: tensor<{N}x{O}xf32> {{sdy.sharding = #sdy.sharding<@m, [{{"data"}}, {{"model"}}]>}},
                %w: tensor<{I}x{O}xf32> {{sdy.sharding = #sdy.sharding<@m, [{{}}, {{"model"}}]>}})
    -> (tensor<{I}x{O}xf32> {{sdy.sharding = #sdy.sharding<@m, [{{}}, {{"model"}}]>}}) {{
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<{N}x{I}xf32>, tensor<{I}x{O}xf32>) -> tensor<{N}x{O}xf32>
  %1 = stablehlo.subtract %0, %y : tensor<{N}x{O}xf32>
  %2 = stablehlo.dot_general %x, %1, contracting_dims = [0] x [0] : (tensor<{N}x{I}xf32>, tensor<{N}x{O}xf32>) -> tensor<{I}x{O}xf32>
  %rate = stablehlo.constant dense<0.001> : tensor<{I}x{O}xf32>
  %3 = stablehlo.multiply %2, %rate : tensor<{I}x{O}xf32>
  %4 = stablehlo.subtract %w, %3 : tensor<{I}x{O}xf32>
  return %4 : tensor<{I}x{O}xf32>
}}
"""
x = rng.standard_normal((N, I), np.float32)
target = rng.standard_normal((I, 3), np.float32) @ rng.standard_normal((3, O), np.float32)
y = x @ target


def gradients(w):
    """Of each device, data major: its block's."""
    r = (x @ w - y).astype(np.float32)
    rows, cols = N // D, O // T
    return np.stack([x[d * rows:(d + 1) * rows].T @ r[d * rows:(d + 1) * rows, t * cols:(t + 1) * cols] for d in range(D) for t in range(T)])


def assemble(parts):
    """The whole of what the columns' owners have."""
    return np.concatenate(list(parts), 1)


def loss(w):
    return float(((x @ w - y) ** 2).mean())


with tempfile.TemporaryDirectory() as folder:
    def path(name):
        return Path(folder) / name

    def build_as(name, *options):
        run = subprocess.run([build / "bin/shoal-compile", path("m.mlir"), "-o", path(f"{name}.so"), f"--report={path('r.json')}", "--remarks",
                              *options], check=True, capture_output=True, text=True)
        return json.loads(path("r.json").read_text()), run.stderr

    def step(name, *arrays):
        np.savez(path("in.npz"), **{f"arg{i}": a for i, a in enumerate(arrays)})
        subprocess.run([build / "bin/shoal-run", path(f"{name}.so"), f"--input={path('in.npz')}", f"--output={path('out.npz')}",
                        f"--report={path('run.json')}"], check=True, env=dict(os.environ, SHOAL_TEST_POISON="1"))
        out = np.load(path("out.npz"))
        made = json.loads(path("run.json").read_text())
        assert abs(made["measured"]["bytes_sent_per_device"] - made["totals"]["bytes_sent_per_device"]) < 1, made
        return [out[f"out{i}"] for i in range(len(out.files))]

    path("m.mlir").write_text(MODULE)
    plain, _ = build_as("plain")
    top, said = build_as("top", "--compress-gradients=topk:0.02@data")
    assert "what is left out is result 1, which is argument 3 of the next step" in said, said
    low, _ = build_as("low", "--compress-gradients=lowrank:2@*")
    other, said = build_as("other", "--compress-gradients=topk:0.02@model")
    assert "no sum over 'model'" in said and len(other["arguments"]) == 3, said
    for report, states in ((top, 1), (low, 2)):
        added = report["arguments"][3:]
        assert len(added) == states == len(report["results"]) - 1, report
        assert added[0]["shape"] == [D * T, I, O // T] and added[0]["local_shape"] == [1, I, O // T], added
        assert all(a["role"].startswith(("error of the compressed sum", "basis of the compressed sum")) for a in added), added
    sent = [r["totals"]["bytes_sent_per_device"] for r in (plain, top, low)]
    print("bytes sent: plain, topk, lowrank", *sent)
    count, kept = I * O // T, -(-1024 * 2 // 100)
    assert sent[0] == 2 * (D - 1) / D * count * 4, sent
    assert sent[1] == (D - 1) * -(-count // 1024) * kept * 6, sent
    assert sent[2] == 2 * (D - 1) / D * 2 * (I + O // T) * 4, sent

    # The first step may leave it out.
    assert all(np.array_equal(a, b) for a, b in zip(step("top", x, y, np.zeros((I, O), np.float32)),
                                                    step("top", x, y, np.zeros((I, O), np.float32), np.zeros((D * T, I, O // T), np.float32))))

    # One step after another, each with what the last one left out.
    w0 = np.zeros((I, O), np.float32)
    for name, shapes in (("top", [(D * T, I, O // T)]), ("low", [(D * T, I, O // T), (D * T, O // T, 2)])):
        w, states = w0, [np.zeros(s, np.float32) for s in shapes]
        for _ in range(3):
            want = gradients(w).astype(np.float64) + states[0]
            new, *states = step(name, x, y, w, *states)
            took = (w.astype(np.float64) - new) / np.float32(0.001)  # the sum over data that was applied
            # What was applied and what every device kept is what there was.
            total = assemble(want.reshape(D, T, I, -1).sum(0))
            again = took + assemble(states[0].astype(np.float64).reshape(D, T, I, -1).sum(0))
            scale = np.abs(want).max()
            print(f"{name}: identity holds to {np.abs(again - total).max() / scale:.1e}; applied {np.abs(took).sum() / np.abs(total).sum():.2f} of it")
            assert np.abs(again - total).max() < 2e-4 * scale  # w is of f32
            assert 0.01 < np.abs(took).sum() / np.abs(total).sum() < 2
            if name == "top":
                # Elements are sent whole or kept whole, the largest of each 1024.
                for mine, rest in zip(want.reshape(D * T, -1), states[0].reshape(D * T, -1)):
                    gone = rest == 0
                    assert np.allclose(rest[~gone], mine[~gone], rtol=1e-4, atol=1e-4 * scale)
                    for b in range(0, count, 1024):
                        part, out = np.abs(mine[b:b + 1024]), gone[b:b + 1024]
                        assert out.sum() == kept and part[out].min() >= part[~out].max() * (1 - 1e-5)
            w = new

    # Training gets where it gets without compression: with factors in as many steps, with a fiftieth of the elements in some
    # more, and further than where what is left out is lost.
    def train(name, shapes, steps, feedback=True):
        w, states = w0, [np.zeros(s, np.float32) for s in shapes]
        for _ in range(steps):
            w, *new = step(name, x, y, w, *states)
            states = new if feedback else [np.zeros(s, np.float32) for s in shapes]
        return loss(w)

    steps, more = 24, 160
    start, full = loss(w0), train("plain", [], steps)
    flat = train("low", [(D * T, I, O // T), (D * T, O // T, 2)], steps)
    sparse, without = (train("top", [(D * T, I, O // T)], more, feedback) for feedback in (True, False))
    print(f"loss {start:.3f} at first; after {steps} steps {full:.4f}, lowrank {flat:.4f}; after {more} topk {sparse:.4f}, without feedback {without:.4f}")
    assert full < 0.01 * start and flat < 1.1 * full and sparse < 0.04 * start and sparse < 0.4 * without
