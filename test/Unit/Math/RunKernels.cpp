// run-kernels DIR: compiles and runs DIR/<n>.mlir for n = 0, 1, … on the inputs
// DIR/<n>.in<k> (raw bytes) and writes DIR/<n>.out<k>, or DIR/<n>.error. A
// file holds "(%a: tensor<4xf32>) -> tensor<4xf32> { … func.return … }".
// What test/Codegen/CPU/ops_against_jax.py drives.
#include "../Codegen/KernelRunner.h"

#include <fstream>
#include <iterator>
#include <string>

using namespace shoal::test;

static bool read(const std::string &path, Bytes &bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return false;
  bytes.assign(std::istreambuf_iterator<char>(file), {});
  return true;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  std::string dir = argv[1];
  for (int n = 0;; ++n) {
    std::string base = dir + "/" + std::to_string(n);
    Bytes text;
    if (!read(base + ".mlir", text))
      return 0;
    std::vector<Bytes> inputs;
    Bytes input;
    while (read(base + ".in" + std::to_string(inputs.size()), input))
      inputs.push_back(input);
    RunResult result =
        runKernel(std::string(text.begin(), text.end()), inputs);
    if (!result.error.empty())
      std::ofstream(base + ".error") << result.error;
    for (size_t k = 0; k < result.outputs.size(); ++k)
      std::ofstream(base + ".out" + std::to_string(k), std::ios::binary)
          .write(reinterpret_cast<const char *>(result.outputs[k].data()),
                 result.outputs[k].size());
  }
}
