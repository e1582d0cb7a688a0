// What becomes of a check that has been judged.
#include "host/Execution.h"

namespace shoal::rt {

bool Execution::judge(uint32_t index, const PendingCheck &values) {
  const program::Check &check =
      program.section<program::Check>(program::Section::Checks)[index];
  std::string why;
  if (judgeCheck(program, index, values, why))
    return true;
  // The same check fails in every step of --repeat; once is enough.
  if (values.passed[0] == nullptr && !reported[index]) {
    reported[index] = true;
    failedChecks.push_back(
        "check failed: " + std::string(program.str(check.message)) +
        locationOf(*values.instruction) + ": " + why);
  }
  return false;
}

} // namespace shoal::rt
