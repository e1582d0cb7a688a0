// How the ranks of a group exchange data: NCCL, or copies by this process.
#ifndef SHOAL_RUNTIME_CUDA_TRANSPORT_H
#define SHOAL_RUNTIME_CUDA_TRANSPORT_H

#include "core/CollectiveMoves.h"
#include "cuda/Device.h"

namespace shoal::cuda {

class Rank;

/// A collective as one rank issues it on one of its streams.
struct Issue {
  const program::Instruction *instruction = nullptr;
  rt::CollectiveCall call;
  uint32_t group = 0;
  uint64_t sequence = 0; ///< of the collectives over the group in this step
  int64_t position = 0;
  std::vector<CUdeviceptr> in, out; ///< out: 0 where there is none
  CUdeviceptr fillFrom = 0;         ///< where a Reblock's fill is, if in a slot
  CUstream stream = nullptr;
  /// Device memory of `workspaceBytes`, free for use in order of the stream.
  CUdeviceptr workspace = 0;
};

/// A move between two buffers of the device.
DeviceCopy deviceCopy(const rt::Move &move, CUdeviceptr source,
                      CUdeviceptr target);
/// Fills rows of output `b` of the issue's rank, on its stream.
CUresult fillRows(const Device &device, const Issue &issue,
                  std::span<const rt::FillRows> fills, size_t b);

class Transport {
public:
  virtual ~Transport() = default;
  /// Called once by each rank's thread, by all of them at about the same time.
  virtual bool join(Rank &rank) = 0;
  /// Device memory that a collective needs besides its buffers, at a position
  /// of its group.
  virtual size_t workspaceBytes(const rt::CollectiveCall &call,
                                int64_t groupSize, int64_t position) const = 0;
  /// Puts the collective on the stream; it is done when the stream is past it.
  /// Of groups of one only RaggedAllToAll comes here. False: the run has
  /// failed.
  virtual bool issue(Rank &rank, const Issue &issue) = 0;
  /// Whether the devices' memory should be such that multicast objects can
  /// bind it.
  virtual bool wantsMulticast() const { return false; }
  /// Whether steps that use it can be captured into a graph per rank.
  virtual bool canCapture() const = 0;
  /// Makes all that waits on the device or in `issue` end. Any thread, once.
  virtual void abort() = 0;
  /// Before the devices are closed; called by each rank's thread.
  virtual void leave(Rank &rank) = 0;
};

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_TRANSPORT_H
