// What ranks note of a profiled run, and the rows that it becomes.
#ifndef SHOAL_RUNTIME_CORE_PROFILE_H
#define SHOAL_RUNTIME_CORE_PROFILE_H

#include "shoal/runtime/Program.h"
#include "shoal/runtime/Run.h"

#include <functional>
#include <string>
#include <vector>

namespace shoal::rt {

/// Of one instruction on one rank, in all steps. `seconds` without the wait for
/// other ranks.
struct Timing {
  int64_t calls = 0;
  double seconds = 0, bytesSent = 0;
};
/// Of each instruction of the program; empty: the run is not profiled.
using Timings = std::vector<Timing>;

/// Per step and rank, the longest first. Instructions of one name that came
/// from one line of the user's are one row.
std::vector<ProfileRow> makeProfile(
    const program::View &program, const std::vector<const Timings *> &ranks,
    int64_t steps,
    const std::function<std::string(const program::Instruction &)> &name);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_CORE_PROFILE_H
