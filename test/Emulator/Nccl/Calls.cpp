// Collectives, sends and receives: issued as work of a stream, executed when
// all ranks' calls are there.
#include "Communicator.h"

#include <cstring>

using namespace shoal::standin;

namespace {
struct Issued {
  ncclComm_t comm;
  void *stream;
  Call call;
};
/// What the calling thread has put into the open group.
struct Group {
  int depth = 0;
  std::vector<Issued> calls;
  std::mt19937_64 random{1};
};
} // namespace

extern "C" ncclResult_t ncclCommGetAsyncError(ncclComm_t comm,
                                              ncclResult_t *error);

static thread_local Group group;

/// Whether the fault "hang" strikes this call.
static bool hangs() {
  static std::atomic<unsigned long long> count{0};
  unsigned long long at;
  return std::string(shoal_standin_fault(&at)) == "hang" && ++count == at;
}

//===--- Ranks of other processes -----------------------------------------===//

static size_t inBytes(const Call &call, int size, bool isRoot) {
  size_t bytes = call.count * typeBytes(call.type);
  if (call.kind == CallKind::Recv ||
      (call.kind == CallKind::Broadcast && !isRoot))
    return 0;
  return call.kind == CallKind::ReduceScatter ? bytes * size : bytes;
}
static size_t outBytes(const Call &call, int size) {
  size_t bytes = call.count * typeBytes(call.type);
  if (call.kind == CallKind::Send)
    return 0;
  return call.kind == CallKind::AllGather ? bytes * size : bytes;
}

static std::string callFile(const Ring &ring, uint64_t number, int rank) {
  return ring.name + ".call" + std::to_string(number) + "." +
         std::to_string(rank);
}
static std::string transferFile(const Ring &ring, int from, int to,
                                uint64_t number) {
  return ring.name + ".send" + std::to_string(number) + "." +
         std::to_string(from) + "." + std::to_string(to);
}

/// The call and its input.
static std::vector<char> pack(const Call &call, int size, int rank) {
  size_t bytes = inBytes(call, size, call.peer == rank);
  std::vector<char> result(sizeof(Call) + bytes);
  std::memcpy(result.data(), &call, sizeof(Call));
  if (bytes)
    std::memcpy(result.data() + sizeof(Call), call.in, bytes);
  return result;
}

/// Calls of other processes that are there by now. True if all are.
static bool lookForCalls(Ring &ring, Meeting &meeting, uint64_t number) {
  bool all = true;
  for (int rank = 0; rank < ring.size; ++rank) {
    if (!meeting.calls[rank] && ring.isRemote(rank))
      if (auto bytes = tryRead(callFile(ring, number, rank))) {
        RemoteCall &remote = meeting.remote[rank];
        std::memcpy(&remote.call, bytes->data(), sizeof(Call));
        remote.in.assign(bytes->begin() + sizeof(Call), bytes->end());
        remote.out.resize(outBytes(remote.call, ring.size));
        remote.call.in = remote.in.data();
        remote.call.out = remote.out.data();
        meeting.calls[rank] = &remote.call;
      }
    all &= meeting.calls[rank] != nullptr;
  }
  return all;
}

//===--- Execution --------------------------------------------------------===//

/// All calls are there.
static void meet(Ring &ring, Meeting &meeting, uint64_t number) {
  std::string difference = compare(meeting.calls);
  if (difference.empty())
    perform(meeting.calls);
  else
    shoal_standin_violation(
        ("call " + std::to_string(number) + " of a communicator: " + difference)
            .c_str());
  meeting.done = true;
  ring.changed.notify_all();
}

static void arrive(ncclComm_t comm, const Call &call, uint64_t number) {
  Ring &ring = *comm->ring;
  std::lock_guard guard(ring.lock);
  if (call.kind == CallKind::Send || call.kind == CallKind::Recv) {
    bool send = call.kind == CallKind::Send;
    if (ring.isRemote(call.peer)) {
      if (send)
        publish(transferFile(ring, comm->rank, call.peer, number),
                pack(call, ring.size, comm->rank));
      return;
    }
    auto key = std::make_tuple(send ? comm->rank : call.peer,
                               send ? call.peer : comm->rank, number);
    Transfer &transfer = ring.transfers[key];
    (send ? transfer.send : transfer.recv) = &call;
    if (!transfer.send || !transfer.recv)
      return;
    if (transfer.send->count != transfer.recv->count ||
        transfer.send->type != transfer.recv->type)
      shoal_standin_violation(
          ("rank " + std::to_string(std::get<0>(key)) + " sends " +
           std::to_string(transfer.send->count) + " elements, rank " +
           std::to_string(std::get<1>(key)) + " receives " +
           std::to_string(transfer.recv->count))
              .c_str());
    else
      std::memmove(transfer.recv->out, transfer.send->in,
                   transfer.send->count * typeBytes(transfer.send->type));
    transfer.done = true;
  } else {
    Meeting &meeting = ring.meetings[number];
    meeting.calls.resize(ring.size);
    meeting.calls[comm->rank] = &call;
    if (!sharedFolder().empty())
      publish(callFile(ring, number, comm->rank),
              pack(call, ring.size, comm->rank));
    if (++meeting.here == size_t(ring.size))
      meet(ring, meeting, number);
    return;
  }
  ring.changed.notify_all();
}

/// Waits for the call; its record goes when the last rank has seen it.
static void await(ncclComm_t comm, const Call &call, uint64_t number) {
  Ring &ring = *comm->ring;
  std::unique_lock guard(ring.lock);
  auto pause = [&] {
    ring.changed.wait_for(guard, std::chrono::milliseconds(1));
  };
  if (call.kind == CallKind::Send || call.kind == CallKind::Recv) {
    bool send = call.kind == CallKind::Send;
    if (ring.isRemote(call.peer)) {
      std::string file = transferFile(ring, call.peer, comm->rank, number);
      while (!send && !comm->aborted) {
        auto bytes = tryRead(file);
        if (!bytes) {
          pause();
          continue;
        }
        if (bytes->size() != sizeof(Call) + call.count * typeBytes(call.type))
          shoal_standin_violation("a send and its receive differ in size");
        else
          std::memcpy(call.out, bytes->data() + sizeof(Call),
                      bytes->size() - sizeof(Call));
        break;
      }
      return;
    }
    auto key = std::make_tuple(send ? comm->rank : call.peer,
                               send ? call.peer : comm->rank, number);
    ring.changed.wait(
        guard, [&] { return ring.transfers[key].done || comm->aborted; });
    Transfer &transfer = ring.transfers[key];
    (send ? transfer.send : transfer.recv) = nullptr;
    if (!transfer.send && !transfer.recv)
      ring.transfers.erase(key);
    return;
  }
  while (!sharedFolder().empty() && !ring.meetings[number].done &&
         !comm->aborted) {
    if (lookForCalls(ring, ring.meetings[number], number))
      meet(ring, ring.meetings[number], number);
    else
      pause();
  }
  ring.changed.wait(
      guard, [&] { return ring.meetings[number].done || comm->aborted; });
  Meeting &meeting = ring.meetings[number];
  if (!meeting.done) // given up: nobody may look at this call any more
    meeting.calls[comm->rank] = nullptr;
  if (--meeting.here == 0)
    ring.meetings.erase(number);
}

/// All calls of a group on one stream: they arrive together, so that sends
/// and receives of several ranks cannot block each other.
static CUresult execute(const std::vector<Issued> &calls, bool hang) {
  std::vector<uint64_t> numbers;
  for (const Issued &issued : calls) {
    ncclComm_t comm = issued.comm;
    const Call &call = issued.call;
    if (comm->aborted)
      return CUDA_SUCCESS;
    numbers.push_back(call.kind == CallKind::Send ? comm->sends[call.peer]++
                      : call.kind == CallKind::Recv
                          ? comm->receives[call.peer]++
                          : comm->collectives++);
  }
  if (hang) {
    ncclComm_t comm = calls[0].comm;
    std::unique_lock guard(comm->ring->lock);
    comm->ring->changed.wait(guard, [&] { return comm->aborted.load(); });
    return CUDA_SUCCESS;
  }
  for (size_t i = 0; i < calls.size(); ++i)
    arrive(calls[i].comm, calls[i].call, numbers[i]);
  for (size_t i = 0; i < calls.size(); ++i)
    await(calls[i].comm, calls[i].call, numbers[i]);
  return CUDA_SUCCESS;
}

//===--- Issue ------------------------------------------------------------===//

static size_t inBytes(const Issued &issued) {
  return inBytes(issued.call, issued.comm->ring->size,
                 issued.call.peer == issued.comm->rank);
}
static size_t outBytes(const Issued &issued) {
  return outBytes(issued.call, issued.comm->ring->size);
}

static ncclResult_t check(const Issued &issued) {
  const Call &call = issued.call;
  ncclResult_t state;
  ncclCommGetAsyncError(issued.comm, &state);
  if (state == ncclInProgress) {
    shoal_standin_violation("a communicator is used while it is in progress");
    return ncclInvalidUsage;
  }
  if (state != ncclSuccess)
    return state;
  if (!typeBytes(call.type) || call.op < 0 || call.op > ncclMin)
    return ncclInvalidArgument;
  bool toPeer = call.kind == CallKind::Send || call.kind == CallKind::Recv;
  if (call.peer < 0 || call.peer >= issued.comm->ring->size)
    return ncclInvalidArgument;
  if (toPeer && !group.depth) {
    shoal_standin_violation("a send or receive outside a group");
    return ncclInvalidUsage;
  }
  size_t in = inBytes(issued), out = outBytes(issued);
  const char *what = nameOf(call.kind);
  if ((in && shoal_standin_check_memory(issued.stream, call.in, in, what)) ||
      (out && shoal_standin_check_memory(issued.stream, call.out, out, what)))
    return ncclUnhandledCudaError;
  auto from = reinterpret_cast<uintptr_t>(call.in),
       to = reinterpret_cast<uintptr_t>(call.out);
  bool inPlace = call.kind == CallKind::AllReduce ||
                 call.kind == CallKind::Broadcast ||
                 call.kind == CallKind::Reduce;
  if (in && out && from < to + out && to < from + in &&
      !(inPlace && from == to)) {
    shoal_standin_violation(
        (std::string(what) + ": input and output overlap").c_str());
    return ncclInvalidUsage;
  }
  return ncclSuccess;
}

/// One piece of work for each stream of the calls.
static ncclResult_t issueAll(std::vector<Issued> calls) {
  while (!calls.empty()) {
    void *stream = calls[0].stream;
    std::vector<Issued> mine, others;
    for (Issued &issued : calls)
      (issued.stream == stream ? mine : others).push_back(issued);
    auto work = std::make_shared<Work>();
    work->what = nameOf(mine[0].call.kind);
    for (const Issued &issued : mine) {
      auto add = [&](const void *at, size_t bytes, bool write) {
        auto begin = reinterpret_cast<uintptr_t>(at);
        if (bytes)
          work->accesses.push_back({begin, begin + bytes, write});
      };
      add(issued.call.in, inBytes(issued), false);
      add(issued.call.out, outBytes(issued), true);
      // A rank's calls must be ordered among each other.
      if (&issued == &mine[0])
        add(issued.comm->token.get(), 1, true);
    }
    bool hang = hangs();
    work->run = [mine, hang] { return execute(mine, hang); };
    if (shoal_standin_issue(stream, &work))
      return ncclUnhandledCudaError;
    calls = std::move(others);
  }
  return ncclSuccess;
}

/// With a seed, a call may say that it is not done yet.
static ncclResult_t finish(const std::vector<Issued> &calls) {
  if (!shoal_standin_seed() || group.random() % 4)
    return ncclSuccess;
  for (const Issued &issued : calls)
    issued.comm->polls = 1 + group.random() % 3;
  return ncclInProgress;
}

static ncclResult_t issueCall(ncclComm_t comm, void *stream, Call call) {
  Issued issued{comm, stream, call};
  if (ncclResult_t error = check(issued))
    return error;
  if (group.depth) {
    group.calls.push_back(issued);
    return ncclSuccess;
  }
  if (ncclResult_t error = issueAll({issued}))
    return error;
  return finish({issued});
}

extern "C" {

ncclResult_t ncclGroupStart() {
  ++group.depth;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (group.depth == 0)
    return ncclInvalidUsage;
  if (--group.depth)
    return ncclSuccess;
  std::vector<Issued> calls = std::move(group.calls);
  group.calls.clear();
  if (calls.empty())
    return ncclSuccess;
  if (ncclResult_t error = issueAll(calls))
    return error;
  return finish(calls);
}

ncclResult_t ncclAllReduce(const void *in, void *out, size_t count,
                           ncclDataType_t type, ncclRedOp_t op, ncclComm_t comm,
                           CUstream stream) {
  return issueCall(comm, stream,
                   {CallKind::AllReduce, in, out, count, type, op, 0});
}
ncclResult_t ncclReduceScatter(const void *in, void *out, size_t count,
                               ncclDataType_t type, ncclRedOp_t op,
                               ncclComm_t comm, CUstream stream) {
  return issueCall(comm, stream,
                   {CallKind::ReduceScatter, in, out, count, type, op, 0});
}
ncclResult_t ncclAllGather(const void *in, void *out, size_t count,
                           ncclDataType_t type, ncclComm_t comm,
                           CUstream stream) {
  return issueCall(comm, stream,
                   {CallKind::AllGather, in, out, count, type, 0, 0});
}
ncclResult_t ncclBroadcast(const void *in, void *out, size_t count,
                           ncclDataType_t type, int root, ncclComm_t comm,
                           CUstream stream) {
  return issueCall(comm, stream,
                   {CallKind::Broadcast, in, out, count, type, 0, root});
}
ncclResult_t ncclReduce(const void *in, void *out, size_t count,
                        ncclDataType_t type, ncclRedOp_t op, int root,
                        ncclComm_t comm, CUstream stream) {
  return issueCall(comm, stream,
                   {CallKind::Reduce, in, out, count, type, op, root});
}
ncclResult_t ncclSend(const void *in, size_t count, ncclDataType_t type,
                      int peer, ncclComm_t comm, CUstream stream) {
  return issueCall(comm, stream,
                   {CallKind::Send, in, nullptr, count, type, 0, peer});
}
ncclResult_t ncclRecv(void *out, size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, CUstream stream) {
  return issueCall(comm, stream,
                   {CallKind::Recv, nullptr, out, count, type, 0, peer});
}
}
