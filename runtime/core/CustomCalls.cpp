#include "core/CustomCalls.h"

#include "core/Instructions.h"

#include <dlfcn.h>

namespace shoal::rt {

/// " (model.mlir:3:8)" of the first instruction that calls entry `call`.
static std::string whereCalled(const program::View &program, int64_t call) {
  for (const program::Instruction &i :
       program.section<program::Instruction>(program::Section::Instructions))
    if (i.opcode == program::Opcode::CustomCall &&
        program.operands(i)[0] == call)
      return locationOf(program, i);
  return "";
}

Result<std::vector<ShoalCustomCallFn>>
loadCustomCalls(const program::View &program,
                const std::vector<std::string> &names) {
  std::vector<void *> libraries;
  for (const std::string &name : names) {
    void *library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      const char *why = ::dlerror();
      return Status::badInput("--custom-calls: cannot load '" + name +
                              "': " + (why ? why : "unknown"));
    }
    libraries.push_back(library);
  }
  std::vector<ShoalCustomCallFn> functions;
  for (const program::CustomCall &c :
       program.section<program::CustomCall>(program::Section::CustomCalls)) {
    std::string target(program.str(c.target));
    void *f = nullptr;
    for (size_t l = 0; l < libraries.size() && !f; ++l)
      f = ::dlsym(libraries[l], target.c_str());
    if (!f) // those that the runtime itself has
      f = ::dlsym(RTLD_DEFAULT, ("shoal_custom_call_" + target).c_str());
    if (!f)
      return Status::badInput(
          "no implementation of custom call '" + target + "'" +
          whereCalled(program, static_cast<int64_t>(functions.size())) +
          "; give a library that has a function of this name with "
          "--custom-calls=lib.so");
    functions.push_back(reinterpret_cast<ShoalCustomCallFn>(f));
  }
  return functions;
}

std::string runCustomCall(const program::View &program, ShoalCustomCallFn f,
                          const program::Instruction &instruction, int64_t rank,
                          const std::vector<std::byte *> &data) {
  std::span<const int64_t> ops = program.operands(instruction);
  const program::CustomCall &call = program.section<program::CustomCall>(
      program::Section::CustomCalls)[ops[0]];
  size_t inputs = static_cast<size_t>(ops[1]),
         outputs = static_cast<size_t>(ops[2]);
  std::vector<ShoalCustomCallBuffer> buffers;
  for (size_t b = 0; b < inputs + outputs; ++b) {
    const program::Type &type = program.type(program.slots()[ops[3 + b]].type);
    std::span<const int64_t> shape = program.ints(type.shape);
    buffers.push_back({data[b], shape.data(),
                       static_cast<int32_t>(shape.size()),
                       static_cast<int32_t>(type.dtype)});
  }
  // The pool keeps a NUL after each string.
  ShoalCustomCall args{program.str(call.target).data(),
                       program.str(call.config).data(),
                       call.apiVersion,
                       rank,
                       static_cast<int64_t>(inputs),
                       static_cast<int64_t>(outputs),
                       buffers.data(),
                       buffers.data() + inputs};
  char error[512] = "";
  if (f(&args, error, sizeof(error)) == 0)
    return "";
  error[sizeof(error) - 1] = 0;
  return std::string("custom call '") + args.target +
         "' failed: " + (*error ? error : "no reason given");
}

} // namespace shoal::rt
