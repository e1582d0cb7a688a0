// Collectives by NCCL: one communicator for each group of ranks, split once
// from the world's, all of them non-blocking.
#ifndef SHOAL_RUNTIME_NCCL_NCCLTRANSPORT_H
#define SHOAL_RUNTIME_NCCL_NCCLTRANSPORT_H

#include "cuda/Transport.h"
#include "nccl/Lowering.h"

#include <map>
#include <mutex>
#include <optional>

namespace shoal::cuda {
class Execution;
}

namespace shoal::nccl {

class NcclTransport final : public cuda::Transport {
public:
  NcclTransport(cuda::Execution &run, const Nccl &nccl);
  bool join(cuda::Rank &rank) override;
  size_t workspaceBytes(const rt::CollectiveCall &call, int64_t groupSize,
                        int64_t position) const override;
  bool issue(cuda::Rank &rank, const cuda::Issue &issue) override;
  bool canCapture() const override { return true; }
  void abort() override;
  void leave(cuda::Rank &rank) override;

private:
  /// The communicators of one rank.
  struct Member {
    ncclComm_t world = nullptr;
    std::vector<ncclComm_t> groups; ///< may be the world's
  };
  /// A collective while it is put on the stream.
  struct Work;

  bool getId(cuda::Rank &rank, ncclUniqueId &id);
  Member &memberOf(const cuda::Rank &rank);
  /// Waits until a non-blocking call has done its part on the host.
  bool settle(cuda::Rank &rank, ncclComm_t comm, ncclResult_t result,
              const char *what);
  bool isWorld(const program::Group &g) const;

  bool reduce(Work &work, size_t b);
  bool gather(Work &work, size_t b);
  bool move(Work &work, size_t b);
  bool ragged(Work &work);
  bool send(Work &work, const Exchange &x, cuda::CUdeviceptr in);
  void receive(Work &work, const Exchange &x, cuda::CUdeviceptr target);
  bool flush(Work &work);

  cuda::Execution &run;
  const Nccl &nccl;
  std::vector<Member> members; ///< as run.ranks
  std::vector<bool> usedGroups;
  std::mutex mutex;
  std::optional<ncclUniqueId> sharedId;
  bool idFailed = false, aborted = false;
};

} // namespace shoal::nccl

#endif // SHOAL_RUNTIME_NCCL_NCCLTRANSPORT_H
