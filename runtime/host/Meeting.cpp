// How ranks meet: collectives, messages and checks. The last to arrive does
// the work for all and lets the others go on; nobody blocks a thread.
#include "core/Instructions.h"
#include "host/Execution.h"

#include <cstring>
#include <random>
#include <thread>

namespace shoal::rt {

bool Rank::collective(const program::Instruction &i,
                      std::span<const int64_t> ops, bool start) {
  uint32_t event = 0;
  if (start) {
    event = static_cast<uint32_t>(ops[0]);
    events[event] = 0;
    ops = ops.subspan(1);
  }
  CollectiveOperands operands = readCollective(run_.program, cursor, ops);
  CollectiveCall &call = operands.call;
  uint32_t group = operands.group;
  std::span<const int64_t> in = operands.in, out = operands.out;
  const program::Group &g = run_.groups[group];
  int64_t position = run_.program.position(g, number);
  if (position < 0)
    return true;
  size_t n = call.buffers.size();
  bool hasIn = !in.empty() || n == 0, hasOut = !out.empty() || n == 0;
  if (hasFillSlot(call))
    std::memcpy(&call.params[9], slots[call.params[11]],
                static_cast<size_t>(call.params[8]));
  MemberBuffers buffers;
  for (size_t b = 0; b < n; ++b) {
    if (hasIn)
      buffers.in.push_back(slots[in[b]]);
    if (!hasOut || static_cast<uint32_t>(out[b]) == program::kNone) {
      buffers.out.push_back(nullptr);
      continue;
    }
    if (run_.options.poison && hasIn)
      poison(static_cast<uint32_t>(out[b]), in);
    buffers.out.push_back(slots[out[b]]);
  }
  std::string wrong = checkCall(call, g.groupSize);
  if (!wrong.empty())
    return fail(i, describe(call) + " over " + run_.groupName(group) + ": " +
                       wrong);
  if (run_.options.fault && run_.options.fault->kind == Fault::Kind::Delay) {
    std::minstd_rand random(static_cast<unsigned>(
        run_.options.fault->rank * 7919 + number * 104729 +
        static_cast<int64_t>(steps.load())));
    random.discard(3);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
  }

  if (!hasOut) {
    std::span<const int64_t> pairs = pairsOf(call);
    for (size_t p = 0; p < pairs.size(); p += 2)
      if (pairs[p] == position)
        for (size_t b = 0; b < n; ++b)
          run_.send({group, call.params[0], number,
                     run_.program.member(g, number, pairs[p + 1])},
                    buffers.in[b], call.buffers[b].inBytes);
    bytesSent += shoal::rt::bytesSent(call, g.groupSize, position);
    ++collectives;
    return true;
  }
  if (!hasIn) {
    std::span<const int64_t> pairs = pairsOf(call);
    for (size_t p = 0; p < pairs.size(); p += 2)
      if (pairs[p + 1] == position)
        return run_.receive(*this,
                            {group, call.params[0],
                             run_.program.member(g, number, pairs[p]), number},
                            call, buffers, i);
    for (size_t b = 0; b < n; ++b)
      std::memset(buffers.out[b], 0,
                  static_cast<size_t>(call.buffers[b].outBytes));
    return true;
  }
  if (g.groupSize > 1 && call.kind != program::CollectiveKind::Barrier) {
    bytesSent += shoal::rt::bytesSent(call, g.groupSize, position);
    // As many as before some were combined.
    collectives += call.kind == program::CollectiveKind::RaggedAllToAll
                       ? 1
                       : static_cast<int64_t>(n);
  }
  if (start) {
    events[event] = sequence[group] + 1;
    eventGroups[event] = group;
  }
  bool goesOn =
      run_.meet(*this, group, std::move(call), std::move(buffers), i, !start);
  if (start && run_.carriesSlowly()) {
    // With more ranks than cores those that have not come yet should come
    // before this one computes: only then are the bytes under way meanwhile.
    run_.resume(this);
    return false;
  }
  return goesOn || start;
}

void Execution::fail(Status status) {
  std::lock_guard<std::mutex> lock(mutex);
  if (failure.isOk())
    failure = std::move(status);
  failed.store(true);
  if (options.world)
    options.world->interrupt();
}

void Execution::left() {
  // Under the lock: when the main thread sees zero, it may end the run, and
  // nobody must touch it after that.
  std::lock_guard<std::mutex> lock(mutex);
  if (active.fetch_sub(1) == 1)
    allLeft.notify_all();
}

void Execution::resume(Rank *rank) {
  rank->waiting = false;
  active.fetch_add(1);
  Pool::get().submit(rank, rank->progress);
}

std::string Execution::groupName(uint32_t group) const {
  return rt::groupName(program, group);
}

std::string Execution::locationOf(const program::Instruction &i) const {
  return rt::locationOf(program, i);
}

Rendezvous &Execution::rendezvous(uint32_t group, int64_t rank) {
  return *meetings[group][program.member(groups[group], rank, 0)];
}

bool Execution::meet(Rank &rank, uint32_t group, CollectiveCall call,
                     MemberBuffers buffers, const program::Instruction &i,
                     bool wait) {
  const program::Group &g = groups[group];
  Rendezvous &place = rendezvous(group, rank.number);
  int64_t position = program.position(g, rank.number);
  uint64_t sequence = rank.sequence[group]++;

  std::unique_lock<std::mutex> lock(place.mutex);
  size_t index = sequence - place.first;
  while (place.pending.size() <= index)
    place.pending.push_back(std::make_unique<Rendezvous::Pending>());
  Rendezvous::Pending &p = *place.pending[index];
  if (p.arrived == 0) {
    p.call = std::move(call);
    p.instruction = &i;
    p.firstRank = rank.number;
    p.members.resize(static_cast<size_t>(g.groupSize));
  } else if (p.instruction != &i || !(p.call == call)) {
    fail(Status::fault("ranks disagree about collective number " +
                       std::to_string(sequence) + " over " + groupName(group) +
                       ": rank " + std::to_string(rank.number) + " issues " +
                       describe(call) + locationOf(i) + ", but rank " +
                       std::to_string(p.firstRank) + " issued " +
                       describe(p.call) + locationOf(*p.instruction)));
    return false;
  }
  p.members[position] = std::move(buffers);
  bool isLast = ++p.arrived == place.numHere;
  bool isRemote = place.numHere < g.groupSize;
  bool goesOn = isLast && !isRemote && !links;
  if (wait && !goesOn) {
    rank.waiting = true;
    p.waiting.push_back(&rank);
  }
  if (!isLast)
    return !wait;
  lock.unlock();
  if (isRemote) {
    exchange(place, p, group, rank.number, sequence);
    return !wait;
  }
  Links::Clock::time_point begin = Links::Clock::now();
  executeCollective(p.call, p.members);
  if (links) {
    links->carry(group, rank.number, p.call, begin,
                 aside([this, &place, &p] { finish(place, p); }));
    return !wait;
  }
  finish(place, p);
  return true;
}

/// A collective is done: those who wait for it go on.
void Execution::finish(Rendezvous &place, Rendezvous::Pending &p) {
  std::vector<Rank *> waiting;
  {
    std::lock_guard<std::mutex> lock(place.mutex);
    p.done = true;
    waiting = std::move(p.waiting);
    while (!place.pending.empty() && place.pending.front()->done) {
      place.pending.pop_front();
      ++place.first;
    }
  }
  for (Rank *r : waiting)
    resume(r);
}

bool Execution::await(Rank &rank, uint32_t group, uint64_t sequence) {
  Rendezvous &place = rendezvous(group, rank.number);
  std::lock_guard<std::mutex> lock(place.mutex);
  if (sequence < place.first)
    return true;
  Rendezvous::Pending &p = *place.pending[sequence - place.first];
  if (p.done)
    return true;
  rank.waiting = true;
  p.waiting.push_back(&rank);
  return false;
}

void Execution::send(const Channel &channel, const std::byte *data,
                     int64_t bytes) {
  if (!isHere(channel[3])) {
    uint64_t number;
    {
      std::lock_guard<std::mutex> lock(mailMutex);
      number = mail[channel].numPosted++;
    }
    options.world->post(homeOf(channel[3]), messageKey(channel, number),
                        {data, static_cast<size_t>(bytes)});
    return;
  }
  std::vector<std::byte> message(data, data + bytes);
  if (!links)
    return deliver(channel, std::move(message));
  auto shared = std::make_shared<std::vector<std::byte>>(std::move(message));
  links->carryMessage(
      static_cast<uint32_t>(channel[0]), channel[2], channel[3], bytes,
      aside([this, channel, shared] { deliver(channel, std::move(*shared)); }));
}

void Execution::deliver(const Channel &channel, std::vector<std::byte> data) {
  Rank *receiver;
  {
    std::lock_guard<std::mutex> lock(mailMutex);
    Mailbox &box = mail[channel];
    box.messages.push_back(std::move(data));
    receiver = std::exchange(box.receiver, nullptr);
  }
  if (receiver)
    resume(receiver);
}

bool Execution::receive(Rank &rank, const Channel &channel,
                        const CollectiveCall &call,
                        const MemberBuffers &buffers,
                        const program::Instruction &i) {
  std::lock_guard<std::mutex> lock(mailMutex);
  Mailbox &box = mail[channel];
  if (box.messages.size() < call.buffers.size()) {
    rank.cursor.stepBack(); // come back to this instruction
    rank.waiting = true;
    box.receiver = &rank;
    if (!isHere(channel[2]) && !box.isTaking) {
      box.isTaking = true;
      takeMessages(channel, call.buffers.size());
    }
    return false;
  }
  for (size_t b = 0; b < call.buffers.size(); ++b) {
    const std::vector<std::byte> &message = box.messages.front();
    if (static_cast<int64_t>(message.size()) != call.buffers[b].outBytes)
      return rank.fail(i, "recv of " +
                              std::to_string(call.buffers[b].outBytes) +
                              " bytes, but rank " + std::to_string(channel[2]) +
                              " sent " + std::to_string(message.size()));
    std::memcpy(buffers.out[b], message.data(), message.size());
    box.messages.pop_front();
  }
  return true;
}

bool Rank::check(const program::Instruction &i, std::span<const int64_t> ops) {
  return run_.meetCheck(*this, i, ops);
}

bool Execution::meetCheck(Rank &rank, const program::Instruction &i,
                          std::span<const int64_t> ops) {
  uint32_t check = static_cast<uint32_t>(ops[0]);
  auto slot = [&](int64_t operand) { return static_cast<uint32_t>(operand); };
  std::vector<Rank *> waiting;
  {
    std::unique_lock<std::mutex> lock(checkMutex);
    uint64_t turn = checkCount[rank.number][check]++;
    auto it = checks.try_emplace({check, turn}).first;
    PendingCheck &p = it->second;
    if (p.arrived == 0) {
      p.actual.resize(checkCount.size());
      p.expected.resize(checkCount.size());
      p.passed.resize(checkCount.size());
      p.actualType = slots[ops[1]].type;
      p.instruction = &i;
    }
    p.actual[rank.number] = rank.slots[ops[1]];
    if (slot(ops[2]) != program::kNone) {
      p.expectedType = slots[ops[2]].type;
      p.expected[rank.number] = rank.slots[ops[2]];
    }
    if (slot(ops[3]) != program::kNone)
      p.passed[rank.number] = rank.slots[ops[3]];
    if (++p.arrived < static_cast<int64_t>(ranks.size())) {
      rank.waiting = true;
      p.waiting.push_back(&rank);
      return false;
    }
    if (options.world) {
      rank.waiting = true;
      p.waiting.push_back(&rank);
      judgeTogether(check, turn, p);
      return false;
    }
    bool good = judge(check, p);
    for (std::byte *out : p.passed)
      if (out)
        *out = std::byte{good};
    waiting = std::move(p.waiting);
    checks.erase(it);
  }
  for (Rank *r : waiting)
    resume(r);
  return true;
}

} // namespace shoal::rt
