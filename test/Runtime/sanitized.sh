#!/bin/sh
# sanitized.sh tsan|asan: the runtime under ThreadSanitizer, or AddressSanitizer
# and UBSan: its unit tests, and models on all their ranks, in one process and in
# several. What is compiled comes from build/: the runtime links no LLVM, so this
# builds in a few minutes.
set -eu
kind=$1
cd "$(dirname "$0")/../.."
cmake --preset "$kind" > /dev/null
ninja -C "build-$kind" shoal-run RuntimeTests
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
export TSAN_OPTIONS="exitcode=66:halt_on_error=1" ASAN_OPTIONS="exitcode=66:detect_stack_use_after_return=1" SHOAL_NUM_THREADS=4
"build-$kind/test/Unit/RuntimeTests" --gtest_brief=1
for model in gpt_train_dp_tp ring_attention moe_sort llama_decode fft_conv topk_sampling; do
  build/bin/shoal-compile examples/models/$model.mlir -o "$work/$model.so"
  "build-$kind/bin/shoal-run" "$work/$model.so" --input=random --repeat=3
  echo "$model: clean"
done
# Values that go to the memory of the host and back, on a thread of their own.
echo '{"name": "box", "base": "dgx-h100", "host_link": {"bytes_per_second": 1e13, "latency": 1e-9}}' > "$work/box.json"
build/bin/shoal-compile examples/models/gpt_train_dp_tp.mlir --hardware="$work/box.json" --memory-limit=220000 \
  -o "$work/host.so"
build/bin/shoal-run "$work/host.so" --inspect | grep "host memory"
"build-$kind/bin/shoal-run" "$work/host.so" --input=random --repeat=3
echo "host copies: clean"
build/bin/shoal-run "$work/gpt_train_dp_tp.so" --input=random:5 --output="$work/out.npz"
.venv/bin/python test/Runtime/processes.py "build-$kind/bin/shoal-run" "$work/gpt_train_dp_tp.so" "$work/out.npz" equal4
echo "four processes: clean"
