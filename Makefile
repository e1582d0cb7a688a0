# A thin front: the work is done by CMake, ninja and lit. `make help` lists it.
BUILD := build
NINJA := ninja -C $(BUILD)

.PHONY: all setup configure build demo check check-fast accept bench bench-gpu bench-overlap fuzz models docs format clean help asan ubsan asan-runtime tsan fuzz-loaders

all: build

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .setup-done ## install what is missing (apt, pip)

.setup-done: cmake/setup.sh cmake/packages.txt cmake/requirements.txt cmake/requirements-cuda.txt
	cmake/setup.sh
	@touch $@

configure: $(BUILD)/build.ninja

$(BUILD)/build.ninja: .setup-done CMakePresets.json
	cmake --preset default

build: configure ## set up and build everything
	$(NINJA)

demo: build ## compile and run a sharded GPT training step on 8 CPU ranks
	examples/demo.sh

check: build ## all tests
	$(NINJA) check

check-fast: build ## the tests that need no more than three minutes
	$(NINJA) check-fast

accept: build ## pass, fail or the figure for every promise with a number
	.venv/bin/python benchmarks/accept.py

bench: build ## compile time, step time, bytes and memory beside XLA:CPU (some minutes)
	.venv/bin/python benchmarks/bench.py

bench-gpu: build ## on a GPU: the models, then products, attention, norms and a training step, beside cuBLAS and PyTorch
	.venv/bin/python benchmarks/bench_gpu.py

bench-overlap: build ## what hiding communication brings: modelled on DGX H100, measured over emulated links
	.venv/bin/python benchmarks/bench_overlap.py

fuzz: build ## random programs in random shardings, N ranks against one and JAX
	.venv/bin/python test/Fuzz/fuzz.py --stablehlo 10
	.venv/bin/python test/Fuzz/fuzz.py --seeds 1000000:1001000 --stablehlo 10
	.venv/bin/python test/Fuzz/sharded_ops.py
	.venv/bin/python test/Fuzz/assembled.py --stablehlo 10

models: build ## some hundred models exported from JAX, on all ranks, on one device, and partitioned under JAX
	.venv/bin/python test/Models/run_models.py --stablehlo
	.venv/bin/python test/Models/exported.py

asan ubsan: build ## all tests under AddressSanitizer and UBSan (build-asan; the first build takes long)
	cmake --preset asan
	ninja -C build-asan check

tsan: build ## the runtime's tests and six models on their ranks, in one process and in four, under ThreadSanitizer (build-tsan)
	test/Runtime/sanitized.sh tsan

asan-runtime: build ## the same under AddressSanitizer and UBSan (build-asan; some minutes)
	test/Runtime/sanitized.sh asan

fuzz-loaders: build ## npz files, packages and program tables under libFuzzer, damaged MLIR text and bytecode; a minute each
	cmake --preset asan
	ninja -C build-asan FuzzNpz FuzzPackage FuzzTable
	test/Unit/Fuzz/run.sh build-asan 60

docs: configure ## pass and dialect reference under build/docs, from TableGen
	$(NINJA) shoal-docs

format: ## clang-format everything
	git ls-files '*.cpp' '*.h' | xargs clang-format-22 -i

clean:
	rm -rf build build-*
