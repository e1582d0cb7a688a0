// emulate-tool IN.ll OUT.so [-O0] [--unchecked]: LLVM IR made for NVPTX as an
// image of the emulator, for tests that write their kernels by hand.

#include "shoal/Codegen/GPU/Emulate.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

int main(int argc, char **argv) {
  shoal::gpu::EmulateOptions options;
  SmallVector<StringRef> paths;
  for (StringRef argument : ArrayRef<char *>(argv + 1, argc - 1)) {
    if (argument == "-O0")
      options.optLevel = 0;
    else if (argument == "--unchecked")
      options.checkAccesses = false;
    else
      paths.push_back(argument);
  }
  if (paths.size() != 2) {
    errs() << "usage: emulate-tool IN.ll OUT.so [-O0] [--unchecked]\n";
    return 2;
  }
  LLVMContext context;
  SMDiagnostic problem;
  std::unique_ptr<Module> module = parseIRFile(paths[0], problem, context);
  if (!module) {
    problem.print(argv[0], errs());
    return 1;
  }
  auto image = shoal::gpu::emulateKernels(*module, options);
  if (!image) {
    errs() << toString(image.takeError()) << "\n";
    return 1;
  }
  std::error_code code;
  raw_fd_ostream file(paths[1], code);
  if (code) {
    errs() << "cannot write '" << paths[1] << "': " << code.message() << "\n";
    return 1;
  }
  file.write(image->data(), image->size());
  return 0;
}
