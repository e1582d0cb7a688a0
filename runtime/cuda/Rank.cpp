// A rank's life: setting up, uploading, steps, graphs, results.
#include "cuda/Rank.h"

#include "core/Instructions.h"
#include "cuda/Execution.h"

#include <cstring>

namespace shoal::cuda {

using program::Section;

Rank::Rank(Execution &run, int64_t number, Device &device)
    : run(run), number(number), device(device), cursor(run.program, number),
      flights(device.driver),
      staging(device, [this](CUevent e) { return wait(e); }) {}

Rank::~Rank() {
  const Driver &d = device.driver;
  device.makeCurrent();
  if (graph)
    d.graphExecDestroy(graph);
  mathCalls.clear();
  math.reset();
  for (CUevent e : events)
    if (e)
      d.eventDestroy(e);
  for (CUevent e : {hostEvent, orderEvent, readyEvent, doneEvent})
    if (e)
      d.eventDestroy(e);
  for (auto &[key, messages] : mail)
    for (Mail &m : messages)
      for (CUdeviceptr p : m.buffers)
        if (p)
          d.memFree(p);
  for (auto &[bytes, p] : freeMail)
    d.memFree(p);
  for (CUstream s : streams)
    d.streamDestroy(s);
  if (mailbox)
    d.memFreeHost(mailbox);
  if (hostMemory)
    d.memFreeHost(hostMemory);
}

std::string Rank::whereabouts() const {
  const program::Instruction *i = current.load();
  if (!i)
    return "at the start of the program";
  return rt::nameOf(run.program, *i, eventGroups) +
         rt::locationOf(run.program, *i);
}

bool Rank::fail(const std::string &why) {
  const program::Instruction *i = current.load();
  run.fail(rt::Status::fault("rank " + std::to_string(number) + ": " + why +
                             (i ? rt::locationOf(run.program, *i) : "")));
  return false;
}

bool Rank::ok(CUresult result, const char *what) {
  if (result == CUDA_SUCCESS)
    return true;
  if (run.hasFailed())
    return false;
  std::string where;
  if (const program::Instruction *i = current.load())
    where = " at " + rt::nameOf(run.program, *i, eventGroups);
  // Kernels run behind the host's back: the first call after it reports.
  bool isLate = result >= 700 && !run.cuda.blocking && !where.empty();
  return fail(device.describe() + ": " + what + where + ": " +
              device.driver.describe(result) +
              (isLate ? "; an earlier kernel may be to blame: "
                        "SHOAL_CUDA_BLOCKING=1 tells which"
                      : ""));
}

bool Rank::wait(CUevent event) {
  waiting = true;
  for (int turn = 0;; ++turn) {
    CUresult r = device.driver.eventQuery(event);
    if (r != CUDA_ERROR_NOT_READY) {
      waiting = false;
      return ok(r, "waiting for the device");
    }
    if (run.hasFailed())
      return false;
    // Short waits on the processor, long ones asleep.
    if (turn > 2000)
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    else if (turn > 100)
      std::this_thread::yield();
  }
}

bool Rank::prepare() {
  const Driver &d = device.driver;
  const program::Header &h = run.program.header();
  device.makeCurrent();
  for (uint32_t s = 0; s <= h.numStreams; ++s) {
    CUstream stream;
    if (!ok(d.streamCreate(&stream, CU_STREAM_NON_BLOCKING),
            "creating a stream"))
      return false;
    streams.push_back(stream);
  }
  for (CUevent *e : {&hostEvent, &orderEvent, &readyEvent, &doneEvent})
    if (!ok(d.eventCreate(e, CU_EVENT_DISABLE_TIMING), "creating an event"))
      return false;
  events.assign(h.numEvents, nullptr);
  eventSet.assign(h.numEvents, false);
  eventGroups.assign(h.numEvents, 0);
  void *pinned;
  if (!ok(staging.allocate(memory.largestTransfer),
          "allocating pinned host memory") ||
      !ok(d.memHostAlloc(&pinned, 4096, CU_MEMHOSTALLOC_PORTABLE),
          "allocating pinned host memory"))
    return false;
  mailbox = static_cast<std::byte *>(pinned);
  if (uint64_t bytes = run.program.header().hostBytes) {
    if (!ok(d.memHostAlloc(&pinned, bytes, CU_MEMHOSTALLOC_PORTABLE),
            "allocating pinned host memory for what is offloaded"))
      return false;
    hostMemory = static_cast<std::byte *>(pinned);
    if (run.options.poison)
      std::memset(hostMemory, 0xff, bytes);
    std::span<const program::Slot> all = run.program.slots();
    for (size_t s = 0; s < all.size(); ++s)
      if (all[s].kind == program::SlotKind::Host)
        slots[s] = hostMemory + all[s].offset;
  }
  if (run.options.profile)
    profile.assign(
        run.program.section<program::Instruction>(Section::Instructions).size(),
        {});
  if (run.options.poison) {
    auto spoil = [&](CUdeviceptr at, size_t bytes) {
      return bytes == 0 || ok(d.memsetD8Async(at, 0xff, bytes, streams[0]),
                              "filling fresh memory");
    };
    if (!spoil(memory.arena, memory.arenaBytes) ||
        !spoil(memory.workspace, memory.workspaceBytes))
      return false;
    for (size_t s = 0; s < memory.scratch.size(); ++s)
      if (!spoil(memory.scratch[s], memory.scratchBytes[s]))
        return false;
    for (const auto &r : run.program.section<program::Result>(Section::Results))
      if (r.aliasArgument == program::kNone &&
          !spoil(address(r.slot), run.program.slots()[r.slot].bytes))
        return false;
  }
  return uploadConstants() && uploadArguments(/*onlyDonated=*/false) &&
         ok(d.eventRecord(hostEvent, streams[0]), "recording an event") &&
         wait(hostEvent);
}

bool Rank::join() { return run.transport->join(*this); }
bool Rank::leave() {
  run.transport->leave(*this);
  return true;
}

/// Uploads this rank's block of a global array.
static bool uploadBlock(Rank &rank, Staging &staging, const rt::Block &b,
                        const std::byte *global, int64_t elementBytes,
                        CUdeviceptr to, size_t bytes, CUstream stream) {
  if (bytes == 0 || !b.held)
    return true;
  const std::byte *from = global;
  rt::AlignedBuffer cut;
  if (int64_t offset = rt::contiguousOffset(b); offset >= 0) {
    from += offset * elementBytes;
  } else {
    cut = rt::AlignedBuffer(bytes);
    if (!cut.isValid())
      return rank.fail("there is not enough host memory to cut an argument");
    std::memset(cut.data(), rank.run.options.poison ? 0xff : 0, bytes);
    rt::cutBlock(b, global, cut.data(), elementBytes);
    from = cut.data();
  }
  return rank.ok(staging.upload(to, from, bytes, stream), "uploading a value");
}

bool Rank::uploadConstants() {
  const program::View &program = run.program;
  auto constants = program.section<program::Constant>(Section::Constants);
  size_t at = 0;
  while (run.devices[at].get() != &device)
    ++at;
  DeviceArena &arena = run.arenas[at];
  std::span<const program::Slot> all = program.slots();
  std::vector<bool> done(constants.size(), false);
  for (size_t s = 0; s < all.size(); ++s) {
    if (all[s].kind != program::SlotKind::Constant || done[all[s].ref])
      continue;
    done[all[s].ref] = true;
    const program::Constant &c = constants[all[s].ref];
    rt::Block b = rt::blockOf(program, c.sharding, c.type, all[s].type, number);
    if (arena.constants.at({all[s].ref, b.start}).owner != number)
      continue;
    if (!uploadBlock(*this, staging, b, run.package.constants() + c.offset,
                     rt::byteSize(program.type(c.type).dtype),
                     address(static_cast<int64_t>(s)), all[s].bytes,
                     streams[0]))
      return false;
  }
  return true;
}

bool Rank::uploadArguments(bool onlyDonated) {
  const program::View &program = run.program;
  auto records = program.section<program::Argument>(Section::Arguments);
  device.makeCurrent();
  for (size_t a = 0; a < records.size(); ++a) {
    if (onlyDonated && !records[a].donated)
      continue;
    rt::Block b =
        rt::blockOf(program, records[a].sharding, records[a].globalType,
                    records[a].localType, number);
    if (!uploadBlock(*this, staging, b, run.arguments[a].data(),
                     rt::byteSize(run.arguments[a].type),
                     address(records[a].slot),
                     program.slots()[records[a].slot].bytes, streams[0]))
      return false;
  }
  return !onlyDonated || (ok(device.driver.eventRecord(hostEvent, streams[0]),
                             "recording an event") &&
                          wait(hostEvent));
}

/// Puts the whole program on the streams. All of them begin behind what stream
/// 0 holds and end in it.
bool Rank::runProgram() {
  cursor.restart();
  bytesSent = 0;
  collectives = 0;
  outstanding = 0;
  lastCollective = nullptr;
  sequence.assign(run.groups.size(), 0);
  current = nullptr;
  if (!signal(hostEvent, streams[0]))
    return false;
  for (size_t s = 1; s < streams.size(); ++s)
    if (!follow(streams[s], hostEvent))
      return false;
  while (const Instruction *i = cursor.fetch()) {
    if (run.hasFailed())
      return false;
    current.store(i, std::memory_order_relaxed);
    steps.fetch_add(1, std::memory_order_relaxed);
    auto begin = std::chrono::steady_clock::now();
    if (!execute(*i))
      return false;
    if (profile.empty() && !run.cuda.blocking)
      continue;
    if (!signal(hostEvent, streams[i->stream]) || !wait(hostEvent))
      return false;
    if (profile.empty())
      continue;
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - begin;
    rt::Timing &timing =
        profile[i -
                run.program.section<program::Instruction>(Section::Instructions)
                    .data()];
    ++timing.calls;
    timing.seconds += time.count();
  }
  current = nullptr;
  for (size_t s = 1; s < streams.size(); ++s)
    if (!signal(orderEvent, streams[s]) || !follow(streams[0], orderEvent))
      return false;
  return true;
}

bool Rank::step() {
  if (graph) {
    if (!ok(device.driver.graphLaunch(graph, streams[0]), "starting a step"))
      return false;
    steps.fetch_add(1, std::memory_order_relaxed);
  } else if (!runProgram()) {
    return false;
  }
  return signal(hostEvent, streams[0]) && wait(hostEvent);
}

bool Rank::capture() {
  const Driver &d = device.driver;
  if (!ok(d.streamBeginCapture(streams[0], CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
          "beginning to capture a step"))
    return false;
  capturing = true;
  bool good = runProgram();
  capturing = false;
  CUgraph captured = nullptr;
  CUresult r = d.streamEndCapture(streams[0], &captured);
  if (!good || !ok(r, "capturing a step"))
    return false;
  r = d.graphInstantiate(&graph, captured, 0);
  d.graphDestroy(captured);
  return ok(r, "making a graph of a step");
}

bool Rank::downloadResults() {
  const program::View &program = run.program;
  auto records = program.section<program::Result>(Section::Results);
  results.resize(records.size());
  for (size_t r = 0; r < records.size(); ++r) {
    rt::Block b =
        rt::blockOf(program, records[r].sharding, records[r].globalType,
                    records[r].localType, number);
    size_t bytes = program.slots()[records[r].slot].bytes;
    if (!b.first)
      continue;
    results[r] = rt::AlignedBuffer(bytes);
    if (!results[r].isValid())
      return fail("there is not enough host memory for the results");
    if (!ok(staging.download(results[r].data(), address(records[r].slot), bytes,
                             streams[0]),
            "downloading a result"))
      return false;
  }
  return true;
}

} // namespace shoal::cuda
