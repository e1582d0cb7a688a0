// Communicators: made, split, given up; errors.
#include "Communicator.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <unistd.h>

using namespace shoal::standin;

static std::mutex registryLock;
static std::map<std::string, std::shared_ptr<Ring>> &registry() {
  static auto *all = new std::map<std::string, std::shared_ptr<Ring>>;
  return *all;
}

static void finishSplit(Ring &parent, uint64_t number,
                        std::map<int, Ring::Part> &parts);

static std::string splitFile(const Ring &ring, uint64_t number, int rank) {
  return ring.name + ".split" + std::to_string(number) + "." +
         std::to_string(rank);
}

/// Splits that ranks of other processes have asked for meanwhile.
static void lookForSplits(Ring &ring) {
  std::lock_guard guard(ring.lock);
  for (auto &[number, parts] : ring.splits) {
    if (ring.finishedSplits.count(number))
      continue;
    for (int rank = 0; rank < ring.size; ++rank)
      if (ring.isRemote(rank) && !parts.count(rank))
        if (auto bytes = tryRead(splitFile(ring, number, rank))) {
          Ring::Part part = {0, 0, nullptr};
          std::memcpy(&part.color, bytes->data(), sizeof(int));
          std::memcpy(&part.key, bytes->data() + sizeof(int), sizeof(int));
          parts[rank] = part;
        }
    if (parts.size() == size_t(ring.size))
      finishSplit(ring, number, parts);
  }
}

static bool isReady(ncclComm_t comm) {
  if (comm->aborted)
    return true;
  if (!sharedFolder().empty()) {
    if (comm->parent)
      lookForSplits(*comm->parent);
    if (comm->ring && comm->splitting)
      lookForSplits(*comm->ring);
  }
  if (!comm->ring || comm->splitting)
    return false;
  std::lock_guard guard(comm->ring->lock);
  Ring &ring = *comm->ring;
  for (int rank = 0; rank < ring.size && !comm->parent; ++rank)
    if (ring.isRemote(rank) &&
        tryRead(ring.name + ".join." + std::to_string(rank)))
      continue;
    else if (!ring.ranks[rank])
      return false;
  return true;
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
static void finishSplit(Ring &parent, uint64_t number,
                        std::map<int, Ring::Part> &parts) {
  parent.finishedSplits.insert(number);
  std::map<int, std::vector<std::tuple<int, int, ncclComm_t>>> colors;
  for (auto &[rank, part] : parts)
    if (part.color != NCCL_SPLIT_NOCOLOR)
      colors[part.color].push_back({part.key, rank, part.comm});
  for (auto &[color, members] : colors) {
    std::sort(members.begin(), members.end());
    auto ring = std::make_shared<Ring>();
    ring->size = members.size();
    ring->name = parent.name + "-" + std::to_string(number) + "-" +
                 std::to_string(color);
    for (size_t i = 0; i < members.size(); ++i) {
      ncclComm_t comm = std::get<2>(members[i]);
      ring->ranks.push_back(comm);
      if (!comm) // of another process
        continue;
      comm->rank = i;
      comm->ring = ring;
    }
    for (auto &member : members)
      if (ncclComm_t comm = std::get<2>(member))
        comm->splitting = 0;
  }
  for (auto &[rank, part] : parts)
    if (parent.ranks[rank])
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
  std::snprintf(id->internal, sizeof id->internal, "stand-in-%d-%llu",
                int(getpid()), (unsigned long long)++count);
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
      ring->name = id.internal;
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
    if (!sharedFolder().empty())
      publish(ring->name + ".join." + std::to_string(rank), {});
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
    comm->parent = parent->ring;
    comm->splitting = 1;
  }
  Ring &ring = *parent->ring;
  {
    std::lock_guard guard(ring.lock);
    ++parent->splitting;
    uint64_t number = parent->splits++;
    auto &parts = ring.splits[number];
    parts[parent->rank] = {color, key, comm};
    if (!sharedFolder().empty()) {
      std::vector<char> bytes(2 * sizeof(int));
      std::memcpy(bytes.data(), &color, sizeof(int));
      std::memcpy(bytes.data() + sizeof(int), &key, sizeof(int));
      publish(splitFile(ring, number, parent->rank), bytes);
    }
    if (parts.size() == size_t(ring.size))
      finishSplit(ring, number, parts);
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
