#!/usr/bin/env python3
"""The partitioned modules of examples/models as plain StableHLO, run by JAX.

  exported.py [NAME…] [--ci] [--shoal-compile PATH]

Prints each model that has inputs by `--compile-to=partitioned --emit=stablehlo`,
runs it on as many CPU devices of JAX and compares with the expected outputs: a
judgement of import, propagation and partitioning without our code generator.
`run_models.py --stablehlo` does the same for the models of this folder.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
SAMPLE = ["mlp_tp", "embedding_vocab_parallel", "fft_conv", "moe_sort", "pipeline_shmap", "rng_bits", "topk_sampling", "uneven"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("names", nargs="*")
    p.add_argument("--ci", action="store_true", help="the sample of the test suite")
    p.add_argument("--models", default=str(TOP / "examples" / "models"))
    p.add_argument("--shoal-compile", default=str(TOP / "build" / "bin" / "shoal-compile"))
    options = p.parse_args()
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    import numpy as np
    sys.path.insert(0, str(HERE.parent / "Partition"))
    import run_with_jax
    folder = Path(options.models)
    entries = {m["name"]: m for m in json.loads((folder / "manifest.json").read_text())}
    names = options.names or (SAMPLE if options.ci else sorted(n for n in entries if (folder / f"{n}.in.npz").exists()))
    wrong = []
    for name in names:
        with tempfile.TemporaryDirectory() as tmp:
            module = Path(tmp) / "module.mlir"
            made = subprocess.run([options.shoal_compile, str(folder / f"{name}.mlir"), "--compile-to=partitioned", "--emit=stablehlo", "-o", str(module)], capture_output=True, text=True)
            trouble = made.stderr[-400:] if made.returncode else None
            if not trouble:
                with np.load(folder / f"{name}.in.npz") as given, np.load(folder / f"{name}.out.npz") as expected:
                    values = run_with_jax.run(module.read_text(), [given[f"arg{i}"] for i in range(len(given.files))])
                    for i, value in enumerate(values):
                        # (XLA at its lowest effort rounds elsewhere than where the outputs come from.)
                        error, ok = run_with_jax.compare(value, expected[f"out{i}"], max(1e-3, entries[name]["rtol"]), max(1e-3, entries[name]["atol"]))
                        if not ok:
                            trouble = f"out{i} {list(value.shape)}: largest error {error}"
        print(f"{'FAIL' if trouble else 'ok  '} {name}{': ' + trouble if trouble else ''}", flush=True)
        wrong += [name] if trouble else []
    print(f"{len(names) - len(wrong)} of {len(names)} right")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
