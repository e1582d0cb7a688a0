// What a machine can do: rates of a device, and the links between devices as a
// hierarchy. The one description that form choices, resharding, scheduling,
// the simulator and reports compute times from.
#ifndef SHOAL_ANALYSIS_HARDWARE_H
#define SHOAL_ANALYSIS_HARDWARE_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mlir {
class Operation;
} // namespace mlir

namespace shoal {

/// Types of matrix products that devices have different rates for.
enum class ComputeType { F64, F32, TF32, BF16, F16, F8, I8 };
inline constexpr unsigned kNumComputeTypes = 7;
llvm::StringRef stringifyComputeType(ComputeType type);

/// One level of the hierarchy of links, the innermost first. Devices are
/// numbered so that `devices` consecutive ones make a unit of the level: the
/// GPUs of a node, the nodes of a cluster. Within a unit every device can send
/// to any other at `bytesPerSecond`, all at once (a switch); what leaves a unit
/// goes over the next level.
struct LinkLevel {
  std::string name;
  /// Devices in a unit; 0: all there are (the outermost level only).
  int64_t devices = 0;
  /// A device sends, in one direction; achieved, not on the data sheet.
  double bytesPerSecond = 0;
  /// Seconds for a message to arrive, besides its bytes.
  double latency = 0;
  /// The switches reduce and multicast (NVLink SHARP).
  bool multicast = false;
};

/// A measured curve: at `size` the share of the rate that is reached. Between
/// points linear in log(size), constant outside.
struct EfficiencyCurve {
  std::vector<std::pair<double, double>> points;
  /// 1 without points.
  double at(double size) const;
};

struct Hardware {
  std::string name;
  /// Flops per second of matrix products, by type; achieved.
  double flops[kNumComputeTypes] = {};
  double memoryBytesPerSecond = 0;
  /// Of a device; 0: not stated.
  double memoryBytes = 0;
  /// Seconds from the end of a kernel to the start of the next.
  double kernelLatency = 0;
  /// Seconds to start a collective.
  double collectiveLatency = 0;
  /// What a collective takes of the device's own compute besides the time on
  /// the links, where that is the device's part to move and add up (a CPU's):
  /// seconds each, and bytes sent per second, where they are only moved and
  /// where they are reduced; 0: nothing for bytes.
  double collectiveWorkLatency = 0, movedBytesPerSecond = 0,
         reducedBytesPerSecond = 0;
  llvm::SmallVector<LinkLevel, 2> links;
  /// To and from the memory of the host, in each direction and of each device
  /// beside the others; 0: there is none. Seconds of a copy besides its bytes.
  double hostBytesPerSecond = 0;
  double hostLatency = 0;
  /// Of products by flops, and by the bytes of operands and result, which
  /// caches hold or not: the share is that of both. Of kernels by bytes.
  EfficiencyCurve productEfficiency, productBytesEfficiency, memoryEfficiency;

  /// Seconds of a kernel by the roofline: the slower of its arithmetic and its
  /// memory traffic, after the launch.
  double kernelSeconds(double flopCount, ComputeType type, double bytes) const;
  /// Seconds that a device computes for a collective of which it sends so many
  /// bytes.
  double collectiveWorkSeconds(double bytesSent, bool reduces) const {
    double rate = reduces ? reducedBytesPerSecond : movedBytesPerSecond;
    return collectiveWorkLatency + (rate > 0 ? bytesSent / rate : 0);
  }
  /// Seconds of a copy to the host's memory, or from there.
  double hostCopySeconds(double bytes) const {
    return hostBytesPerSecond > 0 ? hostLatency + bytes / hostBytesPerSecond
                                  : 0;
  }
};

/// Names of the presets, for messages and help.
llvm::ArrayRef<llvm::StringRef> hardwarePresets();

/// A preset ("dgx-h100", "dgx-h200", "dgx-a100", "gb200-nvl72", "pcie-l40s",
/// "cpu"; empty: dgx-h100), or a JSON file:
///
///   {"name": "box", "flops_per_second": {"bf16": 7e14, "f32": 5e13},
///    "memory_bytes_per_second": 3e12, "memory_bytes": 8e10,
///    "kernel_latency": 2e-6, "collective_latency": 4e-6,
///    "collective_work": {"latency": 1e-6, "moved_bytes_per_second": 5e9,
///                        "reduced_bytes_per_second": 2e9},
///    "links": [{"name": "nvlink", "devices": 8, "bytes_per_second": 4e11,
///               "latency": 1e-6, "multicast": true},
///              {"name": "infiniband", "bytes_per_second": 9e10,
///               "shared_by": 2, "latency": 3e-6}],
///    "host_link": {"bytes_per_second": 5e10, "latency": 1e-5},
///    "efficiency": {"product": [[1e8, 0.3], [1e11, 0.9]],
///                   "product_bytes": […], "memory": […]}}
///
/// "shared_by": as many devices share one link, each with its part of the
/// bytes per second, since in a program all devices send at once.
/// A preset's name under "base" gives everything that is not stated. Products
/// of a type without a rate get that of the next wider one. The message says
/// what is wrong.
mlir::FailureOr<Hardware> getHardware(llvm::StringRef nameOrFile,
                                      std::string &error);
/// The same for the option --hardware; what is wrong is an error at the op.
mlir::FailureOr<Hardware> getHardware(llvm::StringRef nameOrFile,
                                      mlir::Operation *at);

} // namespace shoal

#endif // SHOAL_ANALYSIS_HARDWARE_H
