// Compiles a kernel from its text and runs it, for tests.
#ifndef SHOAL_TEST_UNIT_CODEGEN_KERNELRUNNER_H
#define SHOAL_TEST_UNIT_CODEGEN_KERNELRUNNER_H

#include "shoal/Codegen/CPU/KernelCompiler.h"

#include <cstdint>
#include <string>
#include <vector>

namespace shoal::test {

/// Bytes of a tensor in memory.
using Bytes = std::vector<uint8_t>;

template <typename T> Bytes toBytes(const std::vector<T> &values) {
  const auto *data = reinterpret_cast<const uint8_t *>(values.data());
  return Bytes(data, data + values.size() * sizeof(T));
}
template <typename T> std::vector<T> fromBytes(const Bytes &bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::copy(bytes.begin(), bytes.end(),
            reinterpret_cast<uint8_t *>(values.data()));
  return values;
}

struct RunResult {
  std::vector<Bytes> outputs;
  ShoalKernelInfo info = {};
  /// Machine code's LLVM IR after optimisation.
  std::string ir;
  std::string error;
};

/// `body` is a function's text: "(%a: tensor<4xf32>) -> tensor<4xf32> { … }",
/// ending in func.return. Chunks run one by one, last first. An input of the
/// scalarInputs list is passed by value. With inPlace, output 0 is given the
/// memory of input 0.
RunResult runKernel(const std::string &body, const std::vector<Bytes> &inputs,
                    const std::vector<unsigned> &scalarInputs = {},
                    bool inPlace = false);

/// One input and output type: floats in, floats out.
std::vector<float> runFloat(const std::string &body,
                            const std::vector<std::vector<float>> &inputs);

} // namespace shoal::test

#endif // SHOAL_TEST_UNIT_CODEGEN_KERNELRUNNER_H
