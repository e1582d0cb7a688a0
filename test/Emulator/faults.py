"""Faults of the device and of NCCL: the run ends with a message, not with a
hang or a crash."""
import os
import subprocess
import sys

from models import BUILD, MODELS, environment

CASES = [
    # Fault, exit status, part of the message.
    ("lost@5", 3, "CUDA_ERROR_DEVICE_UNAVAILABLE"),
    ("oom@1", 2, "memory"),
    ("hang@9", 3, ""),
]


def main():
    path = os.path.join(MODELS, "gpt_tp_fwd")
    for fault, status, message in CASES:
        env = environment("cpu") | {"SHOAL_TEST_CUDA_FAULT": fault}
        result = subprocess.run(
            [os.path.join(BUILD, "bin", "shoal-run"), path + ".mlir",
             "--target=cuda", f"--input={path}.in.npz", "--time-limit=20"],
            capture_output=True, text=True, env=env, timeout=100)
        text = result.stderr + result.stdout
        assert result.returncode == status, (fault, result.returncode, text)
        assert message in text, (fault, text)
        print(f"{fault}: {text.strip().splitlines()[0][:200]}")
    print("faults: ok")


if __name__ == "__main__":
    main()
