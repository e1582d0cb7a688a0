// report.json: what a compiled program moves, computes and needs.
#ifndef SHOAL_REPORT_REPORT_H
#define SHOAL_REPORT_REPORT_H

#include "shoal/Analysis/Hardware.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace shoal {

struct CollectiveReport {
  std::string kind;              ///< "all_gather"
  std::vector<std::string> axes; ///< of the mesh; empty for explicit groups
  int64_t groupSize = 0;
  int64_t bytesSentPerDevice = 0; ///< in ring accounting, times count
  int64_t count = 1;              ///< executions per step
  bool dynamic = false;           ///< in a loop or branch of unknown count
  std::string reason, loc;
};

struct ValueReport {
  std::string name, type, sharding;
  std::string role; ///< of what the compiler added, else empty
  std::vector<int64_t> shape, localShape;
  int64_t bytesPerDevice = 0;
};

/// Made from a module in phase `partitioned` or `optimized` (device-local
/// tensors); fields as DESIGN.md section 4 describes them.
struct Report {
  std::vector<std::pair<std::string, int64_t>> meshAxes;
  int64_t devices = 1;
  std::vector<ValueReport> arguments, results;
  std::vector<CollectiveReport> collectives;
  int64_t bytesSentPerDevice = 0, collectiveCount = 0;
  int64_t flopsPerDevice = 0;
  int64_t peakBytesPerDevice = 0;
  /// Of the memory of the host, by what is offloaded.
  int64_t peakHostBytesPerDevice = 0;
  /// Of those, temporaries; and the largest that are alive at the peak.
  struct Temporary {
    int64_t bytes;
    std::string type, loc;
  };
  int64_t temporaryBytesPerDevice = 0;
  std::vector<Temporary> liveAtPeak;
  /// Seconds on the hardware. Until the program is scheduled, everything one
  /// after the other; then what the simulator found.
  double modelledStep = 0, modelledExposed = 0;
  /// The terms of the lower bound of any schedule (Simulation::lowerBound).
  double modelledCompute = 0, modelledCommunication = 0, modelledPath = 0;
  std::string hardware;
  /// What the simulator found besides: of each level of links, how long a
  /// device's link sends; the bytes that a device holds at most; how many ranks
  /// were simulated. Without links until the program is scheduled.
  std::vector<std::pair<std::string, double>> modelledLinks;
  int64_t modelledPeakBytes = 0, ranksSimulated = 0;

  /// Walks the function `entry` and what it calls.
  static Report of(mlir::ModuleOp module, llvm::StringRef entry,
                   const Hardware &hardware);
  /// Takes memory from a module in phase `scheduled`.
  void addSchedule(mlir::ModuleOp module);
  /// With the seconds that each phase took.
  std::string
  json(llvm::ArrayRef<std::pair<std::string, double>> compileSeconds) const;
};

/// Where the report travels from `optimized` to the package: a string attribute
/// of the module, "shoal.report".
inline constexpr llvm::StringLiteral reportAttrName = "shoal.report";

} // namespace shoal

#endif // SHOAL_REPORT_REPORT_H
