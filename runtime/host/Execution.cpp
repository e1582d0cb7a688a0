// Setting up ranks, running a step of all of them, collecting results.
#include "host/Execution.h"

#include "shoal/Support/Bytes.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace shoal::rt {

using program::Section;

Execution::Execution(const Package &package, const RunOptions &options)
    : package(package), program(package.program()), options(options),
      slots(program.slots()),
      groups(program.section<program::Group>(Section::Groups)) {}

Status Execution::checkMemory() const {
  const program::Header &h = program.header();
  double perRank = static_cast<double>(h.arenaBytes + h.hostBytes), global = 0;
  for (const auto &a : program.section<program::Argument>(Section::Arguments)) {
    auto shape = program.shape(a.globalType);
    double bytes = byteSize(program.type(a.globalType).dtype);
    for (int64_t d : shape)
      bytes *= static_cast<double>(d);
    global += bytes;
    // What is only read, and is a piece of the global array, is not copied.
    Block b = blockOf(program, a.sharding, a.globalType, a.localType, 0);
    if (a.donated || contiguousOffset(b) < 0)
      perRank += static_cast<double>(slots[a.slot].bytes);
  }
  for (const auto &r : program.section<program::Result>(Section::Results))
    if (r.aliasArgument == program::kNone)
      perRank += static_cast<double>(slots[r.slot].bytes);
  int64_t numHere = 0;
  for (int64_t r = 0; r < static_cast<int64_t>(h.numRanks); ++r)
    numHere += isHere(r);
  double need = global + perRank * static_cast<double>(numHere);
  double have = static_cast<double>(availableMemory());
  if (need <= have)
    return Status::ok();
  return Status::badInput(
      "the run needs " + bytesText(need) + " of memory (" +
      std::to_string(numHere) + (numHere == 1 ? " rank" : " ranks") +
      " in one process, " + bytesText(perRank) + " each), but there are " +
      bytesText(have) +
      "; use smaller shapes or a smaller mesh, or only compile it");
}

static bool isAligned(const void *p) {
  return reinterpret_cast<uintptr_t>(p) % program::kBufferAlignment == 0;
}

Status Execution::makeRank(int64_t number,
                           const std::vector<HostTensor> &globals) {
  ranks.push_back(std::make_unique<Rank>(*this, number));
  Rank &rank = *ranks.back();
  const program::Header &h = program.header();
  auto argumentRecords = program.section<program::Argument>(Section::Arguments);
  auto constants = program.section<program::Constant>(Section::Constants);
  rank.slots.assign(slots.size(), nullptr);
  rank.events.assign(h.numEvents, 0);
  rank.eventGroups.assign(h.numEvents, 0);
  rank.copyEvents.assign(h.numEvents, {0, 0});
  if (options.profile)
    rank.profile.resize(
        program.section<program::Instruction>(Section::Instructions).size());
  auto noMemory = [] {
    return Status::badInput("not enough memory for the buffers of the ranks");
  };
  auto own = [&](uint64_t bytes) -> std::byte * {
    AlignedBuffer buffer(bytes);
    if (!buffer.isValid())
      return nullptr;
    if (options.poison)
      std::memset(buffer.data(), 0xff, bytes);
    rank.owned.push_back(std::move(buffer));
    return rank.owned.back().data();
  };
  rank.arena = AlignedBuffer(h.arenaBytes);
  rank.host = AlignedBuffer(h.hostBytes);
  if (!rank.arena.isValid() || !rank.host.isValid())
    return noMemory();
  if (options.poison)
    std::memset(rank.arena.data(), 0xff, h.arenaBytes),
        std::memset(rank.host.data(), 0xff, h.hostBytes);

  // Several slots may stand for one argument or result.
  std::vector<std::byte *> argumentMemory(argumentRecords.size()),
      resultMemory(program.section<program::Result>(Section::Results).size());
  for (size_t s = 0; s < slots.size(); ++s) {
    const program::Slot &slot = slots[s];
    std::byte *&p = rank.slots[s];
    switch (slot.kind) {
    case program::SlotKind::Arena:
      p = rank.arena.data() + slot.offset;
      break;
    case program::SlotKind::Host:
      p = rank.host.data() + slot.offset;
      break;
    case program::SlotKind::Argument: {
      const program::Argument &a = argumentRecords[slot.ref];
      if ((p = argumentMemory[slot.ref]))
        break;
      const HostTensor &global = globals[slot.ref];
      Block b = blockOf(program, a.sharding, a.globalType, a.localType, number);
      int64_t size = byteSize(global.type);
      int64_t offset = contiguousOffset(b);
      const std::byte *inPlace = global.data() + offset * size;
      if (!a.donated && offset >= 0 && isAligned(inPlace)) {
        p = const_cast<std::byte *>(inPlace); // nobody writes to it
      } else {
        if (!(p = own(slots[a.slot].bytes)))
          return noMemory();
        cutBlock(b, global.data(), p, size);
      }
      argumentMemory[slot.ref] = p;
      break;
    }
    case program::SlotKind::Result:
      if (!resultMemory[slot.ref])
        resultMemory[slot.ref] = own(slot.bytes);
      if (!(p = resultMemory[slot.ref]))
        return noMemory();
      break;
    case program::SlotKind::Constant: {
      const program::Constant &c = constants[slot.ref];
      const std::byte *global = package.constants() + c.offset;
      Block b = blockOf(program, c.sharding, c.type, slot.type, number);
      int64_t size = byteSize(program.type(c.type).dtype);
      int64_t offset = contiguousOffset(b);
      if (offset >= 0 && isAligned(global + offset * size)) {
        p = const_cast<std::byte *>(global + offset * size);
        break;
      }
      if (!(p = own(slot.bytes)))
        return noMemory();
      cutBlock(b, global, p, size);
      break;
    }
    case program::SlotKind::View:
      p = rank.slots[slot.ref] + slot.offset;
      break;
    case program::SlotKind::Handle:
      break;
    }
  }
  return Status::ok();
}

Status Execution::prepare(std::vector<HostTensor> args) {
  arguments = std::move(args);
  if (Status s = checkMemory(); !s)
    return s;
  auto calls = loadCustomCalls(program, options.customCallLibraries);
  if (!calls)
    return calls.status();
  customCalls = std::move(*calls);
  int64_t numRanks = static_cast<int64_t>(program.header().numRanks);
  size_t numChecks = program.section<program::Check>(Section::Checks).size();
  if (options.world && options.world->size() > numRanks)
    return Status::badInput("the model has " + std::to_string(numRanks) +
                            (numRanks == 1 ? " rank" : " ranks") +
                            ", but was started as " +
                            std::to_string(options.world->size()) +
                            " processes; start at most one for each rank");
  for (int64_t r = 0; r < numRanks; ++r)
    if (isHere(r))
      if (Status s = makeRank(r, arguments); !s)
        return s;
  meetings.resize(groups.size());
  for (size_t g = 0; g < groups.size(); ++g) {
    meetings[g].resize(static_cast<size_t>(numRanks));
    for (int64_t r = 0; r < numRanks; ++r)
      if (program.position(groups[g], r) == 0) {
        meetings[g][r] = std::make_unique<Rendezvous>();
        for (int64_t m = 0; m < groups[g].groupSize; ++m)
          meetings[g][r]->numHere += isHere(program.member(groups[g], r, m));
      }
  }
  if (!options.links.empty()) {
    if (options.world)
      return Status::badInput("emulated links need all ranks in one process");
    // What copies to the host's memory go over is no axis.
    std::vector<EmulatedLink> axes;
    for (const EmulatedLink &link : options.links)
      if (link.axis == kHostLink)
        hostLink = link;
      else
        axes.push_back(link);
    links = std::make_unique<Links>(program, axes);
    if (std::string wrong = links->check(); !wrong.empty())
      return Status::badInput("emulated links: " + wrong);
  }
  if (program.header().hostBytes)
    copies = std::make_unique<HostCopies>(hostLink ? &*hostLink : nullptr);
  checkCount.assign(static_cast<size_t>(numRanks),
                    std::vector<uint64_t>(numChecks));
  reported.assign(numChecks, false);
  return Status::ok();
}

/// A run may overwrite donated arguments; each step begins with fresh ones.
void Execution::fillDonated() {
  auto records = program.section<program::Argument>(Section::Arguments);
  for (size_t a = 0; a < records.size(); ++a) {
    if (!records[a].donated)
      continue;
    for (auto &rank : ranks) {
      Block b = blockOf(program, records[a].sharding, records[a].globalType,
                        records[a].localType, rank->number);
      cutBlock(b, arguments[a].data(), rank->slots[records[a].slot],
               byteSize(arguments[a].type));
    }
  }
}

Status Execution::step(bool &stuck,
                       std::chrono::steady_clock::time_point &begun) {
  stuck = false;
  ++stepNumber;
  fillDonated();
  for (auto &rank : ranks) {
    rank->cursor.restart();
    rank->finished = false;
    rank->waiting = false;
    rank->progress = 0;
    rank->bytesSent = 0;
    rank->collectives = 0;
    rank->sequence.assign(groups.size(), 0);
    rank->current = nullptr;
  }
  for (auto &places : meetings)
    for (auto &place : places)
      if (place)
        place->first = 0;
  begun = std::chrono::steady_clock::now();
  active = static_cast<int64_t>(ranks.size());
  for (auto &rank : ranks)
    Pool::get().submit(rank.get());

  using Clock = std::chrono::steady_clock;
  auto lastChange = begun;
  uint64_t lastProgress = 0;
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    allLeft.wait_for(lock, std::chrono::milliseconds(100),
                     [&] { return active.load() == 0; });
    if (active.load() == 0)
      break;
    auto now = Clock::now();
    if (failed.load() && !failure.isOk()) {
      // Another process has failed, or a rank: the others stop at their next
      // instruction, unless they never reach it.
      allLeft.wait_for(lock, std::chrono::seconds(2),
                       [&] { return active.load() == 0; });
      stuck = active.load() != 0;
      return failure;
    }
    bool late = options.deadline && now > *options.deadline;
    uint64_t progress = 0;
    bool someWait = false;
    for (auto &rank : ranks) {
      progress += rank->steps.load(std::memory_order_relaxed);
      someWait |= rank->waiting.load();
    }
    if (progress != lastProgress) {
      lastProgress = progress;
      lastChange = now;
    }
    std::chrono::duration<double> quiet = now - lastChange;
    bool stall = someWait && quiet.count() > options.stallSeconds;
    if (!late && !stall)
      continue;
    // Other processes are asked; one of them may be asking this one.
    lock.unlock();
    char limit[32];
    std::snprintf(limit, sizeof(limit), "%g", options.timeLimit);
    Status why = stall ? stalled(quiet.count())
                       : Status::fault("time limit of " + std::string(limit) +
                                       " s exceeded: " + waitingList(false));
    lock.lock();
    if (failure.isOk())
      failure = std::move(why);
    failed = true;
    if (options.world)
      options.world->interrupt();
    // Those that still compute stop at their next instruction.
    allLeft.wait_for(lock, std::chrono::seconds(1),
                     [&] { return active.load() == 0; });
    stuck = active.load() != 0;
    return failure;
  }
  if (!failure.isOk())
    return failure;
  for (auto &rank : ranks)
    if (!rank->finished)
      return failure = deadlock();
  return Status::ok();
}

Result<std::vector<HostTensor>> Execution::takeResults() {
  std::vector<HostTensor> results;
  for (const auto &r : program.section<program::Result>(Section::Results)) {
    HostTensor t;
    t.type = static_cast<DType>(program.type(r.globalType).dtype);
    auto shape = program.shape(r.globalType);
    t.shape.assign(shape.begin(), shape.end());
    int64_t bytes = numBytes(t.type, t.shape);
    t.buffer = AlignedBuffer(static_cast<size_t>(std::max<int64_t>(bytes, 0)));
    if (bytes < 0 || !t.buffer.isValid())
      return Status::badInput("not enough memory for the results");
    uint64_t index = static_cast<uint64_t>(
        &r - program.section<program::Result>(Section::Results).data());
    for (int64_t n = 0; n < static_cast<int64_t>(program.header().numRanks);
         ++n) {
      Block b = blockOf(program, r.sharding, r.globalType, r.localType, n);
      if (!b.first)
        continue;
      World::Key key = resultKey(index, n);
      const std::byte *block = nullptr;
      std::optional<std::vector<std::byte>> received;
      for (auto &rank : ranks)
        if (rank->number == n)
          block = rank->slots[r.slot];
      if (!isMain()) {
        if (block)
          options.world->post(0, key, {block, slots[r.slot].bytes});
        continue;
      }
      if (!block) {
        received = options.world->take(homeOf(n), key);
        if (!received || received->size() != slots[r.slot].bytes)
          return Status::fault("the results of rank " + std::to_string(n) +
                               " did not arrive");
        block = received->data();
      }
      placeBlock(b, block, t.data(), byteSize(t.type));
    }
    results.push_back(std::move(t));
  }
  if (!isMain())
    results.clear();
  return results;
}

} // namespace shoal::rt
