// Running a package: all ranks of it in this process.
#ifndef SHOAL_RUNTIME_RUN_H
#define SHOAL_RUNTIME_RUN_H

#include "shoal/runtime/Package.h"
#include "shoal/runtime/Status.h"
#include "shoal/runtime/Tensor.h"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace shoal::rt {

class World;

/// For tests: makes one rank misbehave when it reaches its n-th instruction.
struct Fault {
  enum class Kind { Die, Hang, Skip, Delay } kind = Kind::Die;
  int64_t rank = 0;
  int64_t instruction = 0;
  /// Parses "die:RANK:N", "hang:RANK:N", "skip:RANK:N" (it passes over a
  /// collective), "delay:SEED" (random delays in all ranks).
  static std::optional<Fault> parse(const std::string &text);
};

/// A link that is only emulated: what a rank sends over a mesh axis.
struct EmulatedLink {
  std::string axis; ///< "*": every axis that has none of its own; kHostLink
  double bytesPerSecond = 0;
  double latency = 0; ///< seconds for a message
};
/// Not an axis: between a device and the memory of its host, each way.
inline constexpr char kHostLink[] = "@host";
/// Parses "AXIS:GB/s:us,…"; the error says what is wrong.
Result<std::vector<EmulatedLink>> parseLinks(const std::string &text);

struct RunOptions {
  int64_t repeat = 1;   ///< measured steps; above 1, one more before them
  bool measure = false; ///< time the steps even if there is one
  /// When the run must have ended.
  std::optional<std::chrono::steady_clock::time_point> deadline;
  double timeLimit = 0;     ///< what the deadline came from, for the message
  double stallSeconds = 30; ///< a rank waits and nobody makes progress
  bool poison = false;      ///< fill padding and fresh buffers with NaN (-1)
  bool profile = false;     ///< time every instruction of every rank
  bool progress = false;    ///< say on stderr how far a long run is
  std::optional<Fault> fault;
  std::vector<std::string> customCallLibraries;
  /// Collectives take as long as over these (target cpu, one process).
  std::vector<EmulatedLink> links;
  /// The processes among which the ranks are divided, in order; null: all ranks
  /// are here.
  World *world = nullptr;
};

/// One instruction of the program, over the measured steps.
/// Sizes of a matrix product: batch, m, n, k. All 0: it is none.
using ProductShape = std::array<int64_t, 4>;

struct ProfileRow {
  std::string what;   ///< "kernel 'add_tanh'", "all_reduce over …"
  std::string where;  ///< the user's line that it came from, or ""
  double calls = 0;   ///< per step and rank
  double seconds = 0; ///< per step and rank; without waiting for other ranks
  /// What all these calls do, by their shapes; 0: not known. Bytes that kernels
  /// and products read and write, flops of products, and of which type.
  double bytes = 0, flops = 0;
  std::string type;
  /// By collectives; as the report counts them. (Not on GPUs, whose devices
  /// compute while bytes are sent.)
  double bytesSent = 0;
  bool reduces = false; ///< the collectives add up what they send
  ProductShape product = {}; ///< of each call
};

struct RunResult {
  std::vector<HostTensor> results;       ///< global values
  std::vector<std::string> failedChecks; ///< one line each, "check failed: …"
  std::vector<double> stepSeconds;       ///< of the measured steps
  double bytesSentPerDevice = 0;         ///< per step, averaged over ranks
  double collectivesPerDevice = 0;
  std::vector<ProfileRow> profile; ///< the longest first
};

/// Runs the package on `arguments` (global values, one per argument of the
/// program, of its types). With several processes all of them call this;
/// results are complete in process 0 and empty in the others. Errors: exit code
/// 2 if it cannot start (memory, a missing custom call), 3 for a fault, with a
/// message that names the rank and what it was doing. After a fault of a rank
/// that does not return, threads may still be busy with the package: the caller
/// should leave by _exit, without destroying it.
Result<RunResult> runPackage(const Package &package,
                             std::vector<HostTensor> arguments,
                             const RunOptions &options);

/// Bytes of memory that the process may use: the machine's, or its cgroup's.
uint64_t availableMemory();

/// From here on a crash (in a kernel, say) prints the rank and the instruction
/// it was at, and exits with code 3.
void installCrashHandler();

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_RUN_H
