#!/bin/sh
# The runtime under ThreadSanitizer: its unit tests, and models on all their
# ranks, in one process and in several. What is compiled comes from build/.
set -eu
cd "$(dirname "$0")/../.."
cmake --preset tsan > /dev/null
ninja -C build-tsan shoal-run RuntimeTests
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
export TSAN_OPTIONS="exitcode=66:halt_on_error=1" SHOAL_NUM_THREADS=4
build-tsan/test/Unit/RuntimeTests --gtest_brief=1
for model in gpt_train_dp_tp ring_attention moe_sort llama_decode fft_conv topk_sampling; do
  build/bin/shoal-compile examples/models/$model.mlir -o "$work/$model.so"
  build-tsan/bin/shoal-run "$work/$model.so" --input=random --repeat=3
  echo "$model: clean"
done
build/bin/shoal-run "$work/gpt_train_dp_tp.so" --input=random:5 --output="$work/out.npz"
.venv/bin/python test/Runtime/processes.py build-tsan/bin/shoal-run "$work/gpt_train_dp_tp.so" "$work/out.npz" equal4
echo "four processes: clean"
