#!/bin/sh
# What `make demo` runs: a sharded GPT training step (data and tensor parallel,
# AdamW), exported by JAX, on 8 CPU ranks in this process; its results are
# compared with JAX's, and its collectives listed with bytes and reasons.
set -eu
cd "$(dirname "$0")/.."
model=examples/models/gpt_train_dp_tp
report=build/demo-report.json
echo "shoal-run $model.mlir on the 8 devices of its mesh, compared with JAX's results"
build/bin/shoal-run $model.mlir --input=$model.in.npz --check=$model.out.npz \
  --rtol=1e-4 --atol=2e-5 --repeat=5 --report=$report
echo "all results within the tolerances"
echo
.venv/bin/python examples/show_report.py $report
