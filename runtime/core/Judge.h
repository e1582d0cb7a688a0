// Judging a check operation of a module, on global values.
#ifndef SHOAL_RUNTIME_CORE_JUDGE_H
#define SHOAL_RUNTIME_CORE_JUDGE_H

#include "shoal/runtime/Program.h"

#include <string>
#include <vector>

namespace shoal::rt {

/// The operands of a check: each rank's block, in host memory, or null.
struct CheckedValues {
  uint32_t actualType = 0, expectedType = 0; // of the ranks' blocks
  std::vector<const std::byte *> actual, expected;
};

/// Whether check number `index` holds; if not, `why` says what differs.
bool judgeCheck(const program::View &program, uint32_t index,
                const CheckedValues &values, std::string &why);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_CORE_JUDGE_H
