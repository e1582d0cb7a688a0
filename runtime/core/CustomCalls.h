// Finding and calling the implementations of custom calls.
#ifndef SHOAL_RUNTIME_CORE_CUSTOMCALLS_H
#define SHOAL_RUNTIME_CORE_CUSTOMCALLS_H

#include "shoal/runtime/CustomCall.h"
#include "shoal/runtime/Program.h"
#include "shoal/runtime/Status.h"

#include <string>
#include <vector>

namespace shoal::rt {

/// The functions for the program's custom calls, by index: from the given
/// libraries, or the runtime's own (shoal_custom_call_NAME). Libraries stay
/// open.
Result<std::vector<ShoalCustomCallFn>>
loadCustomCalls(const program::View &program,
                const std::vector<std::string> &libraries);

/// Executes a CustomCall instruction on buffers in host memory, given in the
/// order of its slots: "" or why it failed.
std::string runCustomCall(const program::View &program, ShoalCustomCallFn call,
                          const program::Instruction &instruction,
                          int64_t rank, const std::vector<std::byte *> &data);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_CORE_CUSTOMCALLS_H
