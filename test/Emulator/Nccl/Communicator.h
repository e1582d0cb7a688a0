// The stand-in for libnccl.so.2: ranks are threads, each call a piece of work
// of its stream that meets the other ranks' calls. Ranks of other processes
// leave theirs, with the data, as files in the folder SHOAL_TEST_NCCL_DIR.
#ifndef SHOAL_TEST_EMULATOR_NCCL_COMMUNICATOR_H
#define SHOAL_TEST_EMULATOR_NCCL_COMMUNICATOR_H

#include "../Driver/State.h"
#include "nccl/Nccl.h"

#include <optional>
#include <set>

namespace shoal::standin {

using namespace shoal::nccl;

enum class CallKind {
  AllReduce,
  ReduceScatter,
  AllGather,
  Broadcast,
  Reduce,
  Send,
  Recv
};

/// One call of one rank, as it was issued.
struct Call {
  CallKind kind;
  const void *in;
  void *out;
  size_t count;
  int type, op, peer; ///< peer: the root, or the other side
};

/// A call of a rank of another process, with copies of its memory.
struct RemoteCall {
  Call call;
  std::vector<char> in, out;
};

/// The calls of all ranks that belong together.
struct Meeting {
  std::vector<const Call *> calls; ///< by rank; null: not here yet
  std::map<int, RemoteCall> remote;
  size_t here = 0;
  bool done = false;
};
/// A send and its receive.
struct Transfer {
  const Call *send = nullptr, *recv = nullptr;
  bool done = false;
};

/// A communicator, shared by its ranks.
struct Ring {
  std::mutex lock;
  std::condition_variable changed;
  int size;
  std::string name;              ///< the same in all processes
  std::vector<ncclComm_t> ranks; ///< null: of another process, or not here yet
  std::map<uint64_t, Meeting> meetings;
  std::map<std::tuple<int, int, uint64_t>, Transfer> transfers;
  /// Splits under way, by number: color, key and result of each rank.
  struct Part {
    int color, key;
    ncclComm_t comm;
  };
  std::map<uint64_t, std::map<int, Part>> splits;
  std::set<uint64_t> finishedSplits;

  bool isRemote(int rank) const;
};

// Files between processes (Files.cpp).
/// "": all ranks are of this process.
const std::string &sharedFolder();
/// Appears at once, with all its bytes.
void publish(const std::string &name, const std::vector<char> &bytes);
std::optional<std::vector<char>> tryRead(const std::string &name);

inline size_t typeBytes(int type) {
  static constexpr size_t bytes[] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};
  return type >= 0 && type < 12 ? bytes[type] : 0;
}

/// out = op of all of ins, `count` elements.
void reduce(void *out, const std::vector<const void *> &ins, size_t count,
            int type, int op);
/// Does the collective for all ranks. Its calls agree.
void perform(const std::vector<const Call *> &calls);
/// "" or how the calls differ.
std::string compare(const std::vector<const Call *> &calls);
const char *nameOf(CallKind kind);

} // namespace shoal::standin

struct shoal::nccl::ncclComm {
  std::shared_ptr<shoal::standin::Ring> ring;   ///< null until a split is done
  std::shared_ptr<shoal::standin::Ring> parent; ///< of one that is split off
  int rank = 0;
  std::shared_ptr<char> token; ///< one for all communicators of a rank
  shoal::standin::Device *device = nullptr;
  std::atomic<bool> aborted{false};
  std::atomic<int> error{0};
  std::atomic<int> polls{0}; ///< how often it still says "in progress"
  uint64_t splits = 0;
  std::atomic<int> splitting{0};
  // Counted as calls are executed, so that graphs may repeat them.
  uint64_t collectives = 0;
  std::map<int, uint64_t> sends, receives;
};

#endif // SHOAL_TEST_EMULATOR_NCCL_COMMUNICATOR_H
