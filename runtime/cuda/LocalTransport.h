// Collectives without NCCL: ranks of one process, on one GPU or on GPUs that
// reach each other's memory. The last member of a group to arrive puts the
// copies and reductions of all on its stream, behind what the others' streams
// hold; then the others go on behind them. With SHOAL_CUDA_SYMMETRIC=1 sums and
// the like are one kernel per rank on its own stream instead, which reads and
// writes the others' memory and meets the others in flags there.
#ifndef SHOAL_RUNTIME_CUDA_LOCALTRANSPORT_H
#define SHOAL_RUNTIME_CUDA_LOCALTRANSPORT_H

#include "cuda/Transport.h"

#include <condition_variable>
#include <map>
#include <memory>
#include "cuda/Multicast.h"

#include <mutex>

namespace shoal::cuda {

class Execution;

class LocalTransport final : public Transport {
public:
  explicit LocalTransport(Execution &run);
  /// The user asks for reductions on peer windows (SHOAL_CUDA_SYMMETRIC=1).
  static bool isWanted();
  bool wantsMulticast() const override { return isSymmetric; }
  bool join(Rank &) override { return true; }
  size_t workspaceBytes(const rt::CollectiveCall &, int64_t,
                        int64_t) const override {
    return 0;
  }
  bool issue(Rank &rank, const Issue &issue) override;
  /// A step's graph would span all ranks.
  bool canCapture() const override { return false; }
  void abort() override {}
  void leave(Rank &rank) override;

private:
  struct Meeting {
    std::mutex mutex;
    std::condition_variable changed;
    uint64_t round = 0; ///< how many collectives are done
    int64_t arrived = 0;
    std::vector<Rank *> ranks; ///< by position
    std::vector<const Issue *> issues;
    const Issue *first = nullptr;
    /// For kernels that meet: each rank's flags, and launches so far.
    std::vector<CUdeviceptr> flags;
    uint64_t launches = 0;
    /// The arenas of the group under one address; tried once.
    std::unique_ptr<MulticastWindow> window;
    bool triedWindow = false;
  };
  Meeting &meeting(uint32_t group, int64_t leader);
  bool perform(Rank &rank, Meeting &meeting);
  bool reduce(Rank &rank, const Meeting &meeting, size_t b);
  bool canMeet(const Meeting &meeting) const;
  bool makeFlags(Rank &rank, Meeting &meeting);
  bool reduceSymmetric(Rank &rank, Meeting &meeting);
  bool canMulticast(Meeting &meeting, size_t b) const;
  bool reduceMulticast(Rank &rank, Meeting &meeting, size_t b);
  void makeWindow(Meeting &meeting);
  /// Where a buffer of member i lies in its arena.
  CUdeviceptr offsetOf(const Meeting &meeting, size_t i,
                       CUdeviceptr address) const;
  bool ragged(Rank &rank, const Meeting &meeting);

  Execution &run;
  bool isSymmetric = false;
  std::mutex mutex;
  int64_t left = 0;
  std::map<std::pair<uint32_t, int64_t>, std::unique_ptr<Meeting>> meetings;
};

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_LOCALTRANSPORT_H
