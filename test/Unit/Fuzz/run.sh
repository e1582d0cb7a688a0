#!/bin/sh
# run.sh BUILD SECONDS: each loader's fuzzer for so long, from real files.
set -eu
build=$1; seconds=$2
top=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir "$work/Npz" "$work/Package" "$work/Table"
for model in mlp_tp ring_attention llama_decode; do
  cp "$top/examples/models/$model.in.npz" "$work/Npz"
  "$top/build/bin/shoal-compile" "$top/examples/models/$model.mlir" -o "$work/Package/$model.so"
  llvm-objcopy-22 -O binary --only-section=.shoal.program "$work/Package/$model.so" "$work/Table/$model" 2>/dev/null || true
done
for what in Npz Package Table; do
  echo "Fuzz$what, $seconds s"
  "$build/bin/Fuzz$what" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=4096 \
    -print_final_stats=1 -verbosity=0 -artifact_prefix="$build/" "$work/$what" > "$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
  grep 'stat::number_of_executed_units\|stat::peak_rss_mb' "$work/log"
done
echo "MLIR text and bytecode, $seconds s"
"$top/.venv/bin/python" "$top/test/Unit/Fuzz/modules.py" "$top/build/bin" "$seconds" \
  "$top/test/Dialect/StableHLO/quantized.mlir" "$top/examples/models/mlp_tp.mlir" "$top/examples/models/llama_decode.mlir"
