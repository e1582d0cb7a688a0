// Communicators: making them, waiting for them, giving them back.
#include "nccl/NcclTransport.h"

#include "core/Instructions.h"
#include "cuda/Execution.h"

#include <cstring>

namespace shoal::nccl {

using program::Section;

NcclTransport::NcclTransport(cuda::Execution &run, const Nccl &nccl)
    : run(run), nccl(nccl), members(run.ranks.size()) {
  usedGroups.assign(run.groups.size(), false);
  for (const auto &i :
       run.program.section<program::Instruction>(Section::Instructions)) {
    auto ops = run.program.operands(i);
    if (i.opcode == program::Opcode::Collective)
      usedGroups[ops[1]] = true;
    if (i.opcode == program::Opcode::CollectiveStart)
      usedGroups[ops[2]] = true;
  }
}

NcclTransport::Member &NcclTransport::memberOf(const cuda::Rank &rank) {
  size_t i = 0;
  while (run.ranks[i].get() != &rank)
    ++i;
  return members[i];
}

bool NcclTransport::settle(cuda::Rank &rank, ncclComm_t comm,
                           ncclResult_t result, const char *what) {
  rank.waiting = true;
  for (int turn = 0; result == ncclInProgress; ++turn) {
    if (run.hasFailed())
      return false;
    if (turn > 100)
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    else
      std::this_thread::yield();
    if (ncclResult_t r = nccl.commGetAsyncError(comm, &result))
      result = r;
  }
  rank.waiting = false;
  if (result == ncclSuccess)
    return true;
  std::string text =
      std::string("NCCL, ") + what + ": " + nccl.describe(result, comm);
  // An error of the device stays with it: any call of the driver names it.
  size_t free = 0, total = 0;
  if (result == ncclUnhandledCudaError)
    if (cuda::CUresult device = run.driver->memGetInfo(&free, &total))
      text += ": " + run.driver->describe(device);
  return rank.fail(text);
}

/// Made by process 0, the same for all ranks of all processes.
bool NcclTransport::getId(cuda::Rank &rank, ncclUniqueId &id) {
  constexpr rt::World::Key key{uint64_t{305} << 32, 0, 0, 0};
  std::lock_guard<std::mutex> lock(mutex);
  if (!sharedId && !idFailed) {
    ncclUniqueId fresh = {};
    rt::World *world = run.options.world;
    if (run.process() == 0) {
      if (ncclResult_t r = nccl.getUniqueId(&fresh)) {
        idFailed = true;
        return rank.fail("NCCL gives no id: " + nccl.describe(r));
      }
      for (int i = 1; world && i < world->size(); ++i)
        world->post(i, key, std::as_bytes(std::span(&fresh, 1)));
    } else {
      auto data = world->take(0, key);
      if (!data || data->size() != sizeof(fresh)) {
        idFailed = true;
        return false;
      }
      std::memcpy(&fresh, data->data(), sizeof(fresh));
    }
    sharedId = fresh;
  }
  if (!sharedId)
    return false;
  id = *sharedId;
  return true;
}

bool NcclTransport::isWorld(const program::Group &g) const {
  int64_t numRanks = static_cast<int64_t>(run.program.header().numRanks);
  if (g.groupSize != numRanks)
    return false;
  for (int64_t r = 0; r < numRanks; ++r)
    if (run.program.position(g, r) != r)
      return false;
  return true;
}

bool NcclTransport::join(cuda::Rank &rank) {
  Member &m = memberOf(rank);
  ncclUniqueId id;
  if (!getId(rank, id))
    return false;
  ncclConfig_t config;
  int numRanks = static_cast<int>(run.program.header().numRanks);
  ncclResult_t r = nccl.commInitRank(&m.world, numRanks, id,
                                     static_cast<int>(rank.number), &config);
  if (!settle(rank, m.world, r, "connecting the ranks"))
    return false;
  m.groups.assign(run.groups.size(), nullptr);
  for (size_t g = 0; g < run.groups.size(); ++g) {
    const program::Group &group = run.groups[g];
    if (!usedGroups[g] || group.groupSize < 2)
      continue;
    if (isWorld(group)) {
      m.groups[g] = m.world;
      continue;
    }
    int64_t position = run.program.position(group, rank.number);
    int color = NCCL_SPLIT_NOCOLOR, key = 0;
    if (position >= 0) {
      color = static_cast<int>(run.program.member(group, rank.number, 0));
      key = static_cast<int>(position);
    }
    ncclConfig_t own;
    r = nccl.commSplit(m.world, color, key, &m.groups[g], &own);
    // The parent is busy until the child is there, then the child.
    if (!settle(rank, m.world, r, "making a communicator"))
      return false;
    ncclResult_t state = ncclSuccess;
    if (m.groups[g] && nccl.commGetAsyncError(m.groups[g], &state) == 0 &&
        !settle(rank, m.groups[g], state, "making a communicator"))
      return false;
  }
  return true;
}

void NcclTransport::abort() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (aborted)
      return;
    aborted = true;
  }
  for (Member &m : members) {
    for (ncclComm_t c : m.groups)
      if (c && c != m.world)
        nccl.commAbort(c);
    if (m.world)
      nccl.commAbort(m.world);
  }
}

void NcclTransport::leave(cuda::Rank &rank) {
  Member &m = memberOf(rank);
  auto destroy = [&](ncclComm_t c) {
    if (settle(rank, c, nccl.commFinalize(c), "ending a communicator"))
      nccl.commDestroy(c);
  };
  for (ncclComm_t &c : m.groups)
    if (c && c != m.world)
      destroy(c);
  if (m.world)
    destroy(m.world);
  m = {};
}

} // namespace shoal::nccl
