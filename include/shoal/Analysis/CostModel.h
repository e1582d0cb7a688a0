// What moving data costs: the ring byte accounting that reports, planner and
// runtime share, and an alpha-beta time on top of it.
#ifndef SHOAL_ANALYSIS_COSTMODEL_H
#define SHOAL_ANALYSIS_COSTMODEL_H

#include "shoal/Analysis/Placement.h"

namespace shoal {

/// Bandwidth and latency of the links along one mesh axis.
struct AxisCost {
  /// Seconds per byte sent (1 / bandwidth).
  double secondsPerByte = 1.0;
  /// Seconds per collective.
  double latency = 0.0;
  bool operator==(const AxisCost &o) const {
    return secondsPerByte == o.secondsPerByte && latency == o.latency;
  }
};

/// Costs per mesh axis. Without a topology, time is counted in bytes and a
/// collective's latency is worth a few of them: plans then minimise bytes
/// first and the number of collectives second.
struct MeshCosts {
  std::vector<AxisCost> axes;
  /// Local bytes touched cost this much each; breaks ties between plans.
  double localSecondsPerByte = 1.0e-4;

  static MeshCosts bytesOnly(size_t axisCount);
  /// Of the fastest axis: what local work is measured by.
  double fastestSecondsPerByte() const;
};

/// Bytes each device sends, by DESIGN.md section 4. `n` is the group size.
/// all_gather of pieces into `fullBytes`; reduce_scatter of `fullBytes`.
inline int64_t gatherBytes(int64_t n, int64_t fullBytes) {
  return (n - 1) * fullBytes / n;
}
inline int64_t allReduceBytes(int64_t n, int64_t bytes) {
  return 2 * (n - 1) * bytes / n;
}
inline int64_t allToAllBytes(int64_t n, int64_t localBytes) {
  return (n - 1) * localBytes / n;
}
inline int64_t broadcastBytes(int64_t n, int64_t bytes) {
  return (n - 1) * bytes / n;
}

/// Time of one collective over `list` in which each device sends `bytes`:
/// the slowest axis decides.
double collectiveTime(AtomSet atomsUsed, int64_t bytes,
                      llvm::ArrayRef<MeshAtom> atoms, const MeshCosts &costs);

/// Bytes each device sends, on average, when a dimension of `size` cut into
/// `parts` changes its block: what a part's new interval has beyond its old
/// one, times `rowBytes` (the bytes of one index of that dimension).
int64_t reblockBytes(int64_t size, int64_t parts, int64_t oldBlock,
                     int64_t newBlock, int64_t rowBytes);

/// Bytes each device sends, on average, when part i of a dimension of `size`
/// in blocks of `block` is to hold [offset + i*step, + width) instead.
int64_t windowBytes(int64_t size, int64_t parts, int64_t block, int64_t offset,
                    int64_t step, int64_t width, int64_t rowBytes);

} // namespace shoal

#endif // SHOAL_ANALYSIS_COSTMODEL_H
