#!/usr/bin/env python3
"""The example models on the stand-ins of CUDA and NCCL, on all ranks.

  models.py [--kernels=gpu|cpu] [--seed=N] [--ranks-per-device=N] [MODEL…]

Each is compiled for the GPU with its kernels emulated (or, with
--kernels=cpu, replaced by the CPU's: the path alone is tested then) and
compared with the expected outputs. Prints a line a model; exit status 1 if one
fails.
"""
import json
import os
import subprocess
import sys
import time

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MODELS = os.path.join(SOURCE, "examples", "models")
BUILD = os.environ.get("SHOAL_BUILD") or os.path.join(SOURCE, "build")
STANDINS = os.path.join(BUILD, "test", "Emulator")


def environment(kernels="gpu", seed=0):
    return os.environ | {
        "SHOAL_CUDA_LIBRARY": os.path.join(STANDINS, "libcuda.so.1"),
        "SHOAL_NCCL_LIBRARY": os.path.join(STANDINS, "libnccl.so.2"),
        "SHOAL_TEST_EMULATE": "cpu" if kernels == "cpu" else "1",
        "SHOAL_TEST_CUDA_SEED": str(seed)}


def main():
    options = dict((a[2:].split("=", 1) + [""])[:2] for a in sys.argv[1:]
                   if a.startswith("--"))
    names = [a for a in sys.argv[1:] if not a.startswith("--")]
    kernels, seed = options.get("kernels", "gpu"), options.get("seed", "0")
    failed = 0
    for model in json.load(open(os.path.join(MODELS, "manifest.json"))):
        name = model["name"]
        path = os.path.join(MODELS, name)
        if (names and name not in names) or not os.path.exists(path + ".in.npz"):
            continue
        command = [os.path.join(BUILD, "bin", "shoal-run"), path + ".mlir",
                   "--target=cuda", f"--input={path}.in.npz",
                   f"--check={path}.out.npz", f"--rtol={model['rtol']}",
                   f"--atol={model['atol']}"]
        if "ranks-per-device" in options:
            command.append(f"--ranks-per-device={options['ranks-per-device']}")
        start = time.time()
        result = subprocess.run(command, capture_output=True, text=True,
                                # Emulated convolutions take minutes while
                                # other ranks wait.
                                env=environment(kernels, seed) |
                                {"SHOAL_TEST_STALL_SECONDS": "900"})
        good = result.returncode == 0 and "misuse" not in result.stderr
        failed += not good
        print(f"{name}: {'ok' if good else 'FAILED'} ({time.time() - start:.1f} s)",
              flush=True)
        if not good:
            print(f"  exit status {result.returncode}\n  " + "\n  ".join(
                (result.stderr + result.stdout).splitlines()[:12]), flush=True)
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
