"""shoal-run where the machine does not play along: no memory, no disk, a cache
that cannot be written, signals, fifty processes on one cache.

  resources.py DIR BIN [any-memory]

With any-memory, none is made scarce: AddressSanitizer needs more address space
than there would be.
"""
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

d = Path(sys.argv[1])
os.environ["PATH"] = sys.argv[2] + ":" + os.environ["PATH"]
failures = []
small = d / "small.mlir"
small.write_text("""func.func @main(%a: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = stablehlo.tanh %a : tensor<64x64xf32>
  return %0 : tensor<64x64xf32>
}
""")
large = d / "large.mlir"
large.write_text("""func.func @main(%a: tensor<64xf32>) -> tensor<f32> {
  %b = stablehlo.broadcast_in_dim %a, dims = [0] : (tensor<64xf32>) -> tensor<64x8388608xf32>
  %s = "stablehlo.sort"(%b) <{dimension = 0 : i64}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %c = stablehlo.compare LT, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }) : (tensor<64x8388608xf32>) -> tensor<64x8388608xf32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %r = stablehlo.reduce(%s init: %z) applies stablehlo.add across dimensions = [0, 1] : (tensor<64x8388608xf32>, tensor<f32>) -> tensor<f32>
  return %r : tensor<f32>
}
""")


def run(*args, limits=None, cache=None):
    def prepare():
        for which, amount in (limits or {}).items():
            resource.setrlimit(which, (amount, amount))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    env = dict(os.environ, SHOAL_CACHE_DIR=str(cache or d / "cache"))
    p = subprocess.run(list(map(str, args)), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       preexec_fn=prepare, restore_signals=False, env=env, timeout=300)
    return p.returncode, p.stdout


def expect(what, good, seen):
    if not good:
        failures.append(f"{what}: {seen}")


# No memory: refused with what it needs.
if sys.argv[3:] != ["any-memory"]:
    so = d / "large.so"
    seen = run("shoal-compile", large, "-o", so)
    expect("compile", seen[0] == 0, seen)
    seen = run("shoal-run", so, "--input=random", limits={resource.RLIMIT_AS: 1 << 30})
    expect("no memory", seen[0] == 2 and "memory" in seen[1], seen)

# No disk: an error that says so, and no file that is not whole.
out = d / "out.npz"
seen = run("shoal-run", small, "--input=random", f"--output={out}")
expect("enough disk", seen[0] == 0 and out.exists(), seen)
out.unlink()
seen = run("shoal-run", small, "--input=random", f"--output={out}", limits={resource.RLIMIT_FSIZE: 4096})
expect("no disk", seen[0] == 2 and "cannot write" in seen[1] and not out.exists() and not list(d.glob("out*")), seen)
so = d / "small.so"
seen = run("shoal-compile", small, "-o", so, limits={resource.RLIMIT_FSIZE: 512})
expect("no disk for a package", seen[0] == 2 and "cannot write" in seen[1] and not so.exists(), seen)

# A cache that is none: it is only a cache.
blocked = d / "blocked"
blocked.write_text("a file, not a folder")
seen = run("shoal-run", small, "--input=random", cache=blocked)
expect("no cache", seen[0] == 0, seen)

# Signals: gone at once, nothing left behind.
endless = d / "endless.mlir"
endless.write_text("""func.func @main(%a: tensor<f32>) -> tensor<f32> {
  %0 = stablehlo.while(%x = %a) : tensor<f32>
    cond {
      %t = stablehlo.constant dense<true> : tensor<i1>
      stablehlo.return %t : tensor<i1>
    } do {
      %n = stablehlo.negate %x : tensor<f32>
      stablehlo.return %n : tensor<f32>
    }
  return %0 : tensor<f32>
}
""")
for s in (signal.SIGINT, signal.SIGTERM):
    # A shell may have passed on that it ignores SIGINT.
    p = subprocess.Popen(["shoal-run", str(endless), "--input=random", f"--output={out}"], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=dict(os.environ, SHOAL_CACHE_DIR=str(d / "cache")),
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    time.sleep(1.5)
    p.send_signal(s)
    p.communicate(timeout=20)
    expect(f"signal {s}", p.returncode in (-s, 128 + s) and not list(d.glob("out*")), (p.returncode, list(d.glob("out*"))))

# Fifty at once on a fresh cache.
cache = d / "shared"
processes = [subprocess.Popen(["shoal-run", str(small), "--input=random:1", f"--output={d}/p{i}.npz"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=dict(os.environ, SHOAL_CACHE_DIR=str(cache), SHOAL_NUM_THREADS="1")) for i in range(50)]
codes = [(p.communicate(timeout=300)[0], p.returncode) for p in processes]
expect("fifty processes", all(code == 0 for _, code in codes), [c for c in codes if c[1]])
first = (d / "p0.npz").read_bytes()
expect("fifty equal results", all((d / f"p{i}.npz").read_bytes() == first for i in range(50)), "")

if failures:
    sys.exit("\n".join(failures))
