// Communicators: made, split, given up; errors.
#include "Communicator.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

using namespace shoal::standin;

static std::mutex registryLock;
static std::map<std::string, std::shared_ptr<Ring>> &registry() {
  static auto *all = new std::map<std::string, std::shared_ptr<Ring>>;
  return *all;
}

static bool isReady(ncclComm_t comm) {
  if (comm->aborted)
    return true;
  if (!comm->ring || comm->splitting)
    return false;
  std::lock_guard guard(comm->ring->lock);
  return comm->ring->joined == comm->ring->size;
}

static ncclResult_t waitIfBlocking(ncclComm_t comm,
                                   const ncclConfig_t *config) {
  if (config && config->blocking == 0)
    return ncclInProgress;
  while (!isReady(comm))
    std::this_thread::yield();
  return ncclSuccess;
}

/// Called with the parent's lock when its last rank has asked for the split.
static void finishSplit(Ring &parent, std::map<int, Ring::Part> &parts) {
  std::map<int, std::vector<std::tuple<int, int, ncclComm_t>>> colors;
  for (auto &[rank, part] : parts)
    if (part.color != NCCL_SPLIT_NOCOLOR)
      colors[part.color].push_back({part.key, rank, part.comm});
  for (auto &[color, members] : colors) {
    std::sort(members.begin(), members.end());
    auto ring = std::make_shared<Ring>();
    ring->size = ring->joined = members.size();
    for (size_t i = 0; i < members.size(); ++i) {
      ncclComm_t comm = std::get<2>(members[i]);
      comm->rank = i;
      comm->ring = ring;
      ring->ranks.push_back(comm);
    }
    for (auto &member : members)
      std::get<2>(member)->splitting = 0;
  }
  for (auto &[rank, part] : parts)
    --parent.ranks[rank]->splitting;
}

extern "C" {

ncclResult_t ncclGetVersion(int *version) {
  *version = 22809;
  return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t error) {
  static constexpr const char *texts[] = {
      "no error",       "unhandled cuda error", "unhandled system error",
      "internal error", "invalid argument",     "invalid usage",
      "remote error",   "operation in progress"};
  return error >= 0 && error < 8 ? texts[error] : "unknown result code";
}
const char *ncclGetLastError(ncclComm_t) { return ""; }

ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
  static std::atomic<uint64_t> count{0};
  std::memset(id->internal, 0, sizeof id->internal);
  std::snprintf(id->internal, sizeof id->internal, "stand-in %llu",
                (unsigned long long)++count);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *result, int numRanks,
                                    ncclUniqueId id, int rank,
                                    ncclConfig_t *config) {
  if (numRanks < 1 || rank < 0 || rank >= numRanks)
    return ncclInvalidArgument;
  if (config && (config->magic != 0xcafebeef || config->size < 48))
    return ncclInvalidArgument;
  auto *comm = new ncclComm;
  comm->rank = rank;
  comm->token = std::make_shared<char>();
  {
    std::lock_guard guard(registryLock);
    auto &ring = registry()[std::string(id.internal, sizeof id.internal)];
    if (!ring) {
      ring = std::make_shared<Ring>();
      ring->size = numRanks;
      ring->ranks.assign(numRanks, nullptr);
    }
    comm->ring = ring;
    std::lock_guard ringGuard(ring->lock);
    if (ring->size != numRanks || ring->ranks[rank]) {
      shoal_standin_violation("two ranks of one number in a communicator, or "
                              "different sizes");
      return ncclInvalidUsage;
    }
    ring->ranks[rank] = comm;
    ++ring->joined;
  }
  *result = comm;
  return waitIfBlocking(comm, config);
}

ncclResult_t ncclCommInitRank(ncclComm_t *result, int numRanks, ncclUniqueId id,
                              int rank) {
  return ncclCommInitRankConfig(result, numRanks, id, rank, nullptr);
}

ncclResult_t ncclCommSplit(ncclComm_t parent, int color, int key,
                           ncclComm_t *result, ncclConfig_t *config) {
  *result = nullptr;
  if (!isReady(parent)) {
    shoal_standin_violation(
        "ncclCommSplit of a communicator that is not ready");
    return ncclInvalidUsage;
  }
  ncclComm_t comm = nullptr;
  if (color != NCCL_SPLIT_NOCOLOR) {
    comm = new ncclComm;
    comm->token = parent->token;
    comm->splitting = 1;
  }
  Ring &ring = *parent->ring;
  {
    std::lock_guard guard(ring.lock);
    ++parent->splitting;
    auto &parts = ring.splits[parent->splits++];
    parts[parent->rank] = {color, key, comm};
    if (parts.size() == size_t(ring.size))
      finishSplit(ring, parts);
  }
  *result = comm;
  return waitIfBlocking(parent, config);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *error) {
  *error = comm->error         ? comm->error.load()
           : !isReady(comm)    ? ncclInProgress
           : comm->polls-- > 0 ? ncclInProgress
                               : ncclSuccess;
  if (comm->polls < 0)
    comm->polls = 0;
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t) { return ncclSuccess; }

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  comm->aborted = true;
  comm->error = ncclInvalidUsage;
  if (comm->ring) {
    std::lock_guard guard(comm->ring->lock);
    comm->ring->changed.notify_all();
  }
  return ncclSuccess; // kept: works of streams may still look at it
}

ncclResult_t ncclCommDestroy(ncclComm_t) { return ncclSuccess; }

ncclResult_t ncclCommCount(const ncclComm_t comm, int *count) {
  *count = comm->ring->size;
  return ncclSuccess;
}
ncclResult_t ncclCommUserRank(const ncclComm_t comm, int *rank) {
  *rank = comm->rank;
  return ncclSuccess;
}
}
