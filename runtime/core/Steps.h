// What a run is on every backend: its steps, and what is told of them.
#ifndef SHOAL_RUNTIME_CORE_STEPS_H
#define SHOAL_RUNTIME_CORE_STEPS_H

#include "shoal/runtime/Run.h"

#include <cstdio>

namespace shoal::rt {

/// Runs the steps, the first of several as a warm-up, and times them.
/// `step(number, begin)` runs one; what fails ends the run.
template <typename Execution, typename Step>
Status runSteps(Execution &execution, const RunOptions &options, Step step,
                RunResult &result) {
  bool measure = options.measure || options.repeat > 1;
  int64_t steps = options.repeat + (options.repeat > 1 ? 1 : 0);
  for (int64_t s = 0; s < steps; ++s) {
    auto begin = std::chrono::steady_clock::now();
    Status status = step(s, begin);
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - begin;
    if (!status)
      return status;
    bool warmUp = options.repeat > 1 && s == 0;
    if (warmUp)
      execution.clearProfile();
    if (measure && !warmUp)
      result.stepSeconds.push_back(time.count());
    if (options.progress && time.count() * static_cast<double>(steps) > 2)
      std::fprintf(stderr, "\rshoal-run: step %lld of %lld, %.2f s%s",
                   static_cast<long long>(s + 1), static_cast<long long>(steps),
                   time.count(), s + 1 == steps ? "\n" : "   ");
  }
  return Status();
}

/// What ranks counted in the last step, the profile, and the results.
template <typename Execution>
Status takeResult(Execution &execution, const Package &package,
                  const RunOptions &options, RunResult &result) {
  double numRanks = static_cast<double>(package.program().header().numRanks);
  for (auto &rank : execution.ranks) {
    result.bytesSentPerDevice += rank->bytesSent / numRanks;
    result.collectivesPerDevice +=
        static_cast<double>(rank->collectives) / numRanks;
  }
  result.bytesSentPerDevice =
      execution.sumOverProcesses(result.bytesSentPerDevice);
  result.collectivesPerDevice =
      execution.sumOverProcesses(result.collectivesPerDevice);
  if (options.profile)
    result.profile = execution.takeProfile(options.repeat);
  Result<std::vector<HostTensor>> values = execution.takeResults();
  if (!values)
    return values.status();
  result.failedChecks = execution.failedChecks;
  result.results = std::move(*values);
  return Status();
}

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_CORE_STEPS_H
