# -*- Python -*-
# Substitutions and features for all lit tests of Shoal.
import glob
import os
import shutil
import subprocess
import sys

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst

config.name = "Shoal"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".mlir", ".test"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.shoal_obj_root, "test")
config.excludes = ["Inputs", "Unit", "CMakeLists.txt", "README.md", "models"]

# The Python that has JAX: the set-up's environment where there is one.
python = os.path.join(config.shoal_src_root, ".venv", "bin", "python")
if not os.path.exists(python):
    python = sys.executable
config.substitutions.append(("%python", python))
# Tests that compare with JAX say `REQUIRES: jax`; those that use what JAX tests
# itself with, `absl` too.
found = subprocess.run([python, "-c", "import jax, importlib.util; print(importlib.util.find_spec('absl') and 'absl')"],
                       capture_output=True, text=True)
if not found.returncode:
    config.available_features.add("jax")
    if "absl" in found.stdout:
        config.available_features.add("absl")

# Tests that make GPU code say `REQUIRES: ptxas`.
ptxas = glob.glob(os.path.join(config.shoal_src_root, ".venv", "lib", "python3*",
                               "site-packages", "nvidia", "cu13", "bin", "ptxas"))
if ptxas or shutil.which("ptxas") or os.environ.get("SHOAL_PTXAS"):
    config.available_features.add("ptxas")
    config.substitutions.append(("%ptxas", os.environ.get("SHOAL_PTXAS") or
                                 (ptxas or [shutil.which("ptxas")])[0]))

# NCCL's device side.
bitcode = glob.glob(os.path.join(config.shoal_src_root, ".venv", "lib", "python3*", "site-packages",
                                 "nvidia", "nccl", "lib", "libnccl_device.bc"))
if bitcode:
    config.available_features.add("nccl-bitcode")
    config.substitutions.append(("%nccl_bitcode", bitcode[0]))

if shutil.which("mpirun"):
    config.available_features.add("mpirun")
config.substitutions.append(("%models", os.path.join(config.shoal_src_root, "examples", "models")))
config.substitutions.append(("%build", config.shoal_obj_root))
config.substitutions.append(("%mlir_dir", config.mlir_dir))
config.substitutions.append(("%src", config.shoal_src_root))

# For scripts beside the tests: this build, not the one that is there by default.
config.environment["SHOAL_BUILD"] = config.shoal_obj_root

# Tests that take long say `REQUIRES: slow`; `make check-fast` leaves them out.
if "fast" not in lit_config.params:
    config.available_features.add("slow")

# Test runs must not read or fill the user's cache.
config.environment["SHOAL_CACHE_DIR"] = os.path.join(config.test_exec_root, "cache")

# Under AddressSanitizer: LLVM's headers mark memory as poisoned that its library,
# which is not instrumented, hands out; and compilers leave memory to the end.
if "address" in config.shoal_sanitizers:
    config.available_features.add("asan")
config.environment["ASAN_OPTIONS"] = os.environ.get(
    "ASAN_OPTIONS", "allow_user_poisoning=0:detect_leaks=0")

llvm_config.with_environment("PATH", config.llvm_tools_dir, append_path=True)
llvm_config.add_tool_substitutions(
    [ToolSubst(t, unresolved="ignore") for t in
     ["shoal-opt", "shoal-compile", "shoal-run", "shoal-reduce", "shoal-lsp-server",
      "FileCheck", "not", "split-file", "count"]],
    [config.shoal_tools_dir, config.llvm_tools_dir])
