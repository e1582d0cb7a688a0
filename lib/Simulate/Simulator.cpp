#include "shoal/Simulate/Simulator.h"

#include "Costs.h"
#include "CriticalPath.h"
#include "MemoryTimeline.h"
#include "Network.h"
#include "RanksDiffer.h"
#include "core/Instructions.h"
#include "shoal/runtime/Cursor.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <set>

using namespace shoal::simulation;

namespace shoal {

using program::CollectiveKind;
using program::Instruction;
using program::Opcode;
using rt::CollectiveCall;
using rt::Cursor;

namespace {

/// As a device's queue of launches: how far the host runs ahead.
constexpr size_t kMaxQueued = 1024;
/// A program that executes more than that does not end.
constexpr int64_t kMaxInstructions = int64_t(1) << 31;

/// Something that a stream has to do.
struct Item {
  enum class Kind { Work, Collective, Record, Wait, Send, Receive } kind;
  const Instruction *instruction;
  double seconds = 0;   ///< Work
  int64_t partner = -1; ///< Send, Receive: the rank at the other end
  uint32_t event = program::kNone;
  uint64_t version = 0; ///< of the event: which of its uses is meant
  uint32_t memory = MemoryTimeline::kNothing; ///< its number there
};

/// A meeting of a group: the n-th collective of each member.
struct Meeting {
  CollectiveCall call;
  const Instruction *instruction = nullptr;
  double begin = 0; ///< when the first one came
  struct Member {
    uint32_t rank, stream;
    uint32_t event;
    uint64_t version;
    uint32_t memory;
  };
  std::vector<Member> members;
};

struct Rank {
  explicit Rank(Cursor cursor) : cursor(std::move(cursor)) {}

  Cursor cursor;
  struct Stream {
    std::deque<Item> items;
    bool busy = false; ///< its first item is under way
  };
  std::vector<Stream> streams;
  /// How often an event has been issued, and up to which time it has happened:
  /// the host may use it anew before a stream has waited for it.
  std::vector<uint64_t> issued, happened;
  std::map<uint32_t, uint64_t> sequence;        ///< collectives, by group
  std::map<const Instruction *, int64_t> reads; ///< how often
  size_t queued = 0;
  const Instruction *held = nullptr; ///< fetched, but the host has to wait
  bool ended = false;

  // What the rank is doing, and for how long it did.
  int kernels = 0, transfers = 0;
  double since = 0, compute = 0, exposed = 0, communication = 0;
  std::vector<double> links;
};

class Engine {
public:
  Engine(const program::View &program, const SimulationOptions &options)
      : program(program), options(options), costs(program, options),
        instructions(
            program.section<Instruction>(program::Section::Instructions)),
        random(options.seed), flow(program), path(program, flow) {
    if (options.trace)
      memory.emplace(program, flow);
  }

  Simulation run();

private:
  int64_t partnerOf(const CollectiveCall &call, const program::Group &group,
                    uint32_t r) const;
  void issue(uint32_t r);
  bool enqueue(Rank &rank, uint32_t r, const Instruction &i);
  void push(Rank &rank, uint32_t r, uint32_t s, const Item &item);
  void compute(Rank &rank, uint32_t r, const Instruction &i, double seconds);
  double asOnRank(uint32_t r, double seconds);
  void start(uint32_t r, uint32_t s);
  void meet(uint32_t r, uint32_t s, const Item &item);
  void transfer(Meeting meeting, int64_t rank);
  void finish(uint32_t r, uint32_t s);
  void complete(uint32_t r, uint32_t event, uint64_t version);
  void account(Rank &rank);
  void note(uint32_t r, uint32_t s, const Instruction *i, bool communication,
            double begin);
  std::string waiting() const;
  void fail(const std::string &why) {
    if (result.error.empty())
      result.error = why;
  }

  const program::View &program;
  const SimulationOptions &options;
  Costs costs;
  std::span<const Instruction> instructions;
  std::mt19937_64 random;
  Simulation result;

  double now = 0;
  bool alike = false; ///< rank 0 stands for all
  std::vector<Rank> ranks;
  int64_t executed = 0;
  // Of rank 0.
  SlotFlow flow;
  CriticalPath path;
  std::optional<MemoryTimeline> memory;

  struct Timer {
    double at;
    uint64_t order;
    uint32_t rank, stream;
    bool operator>(const Timer &o) const {
      return std::tie(at, order) > std::tie(o.at, o.order);
    }
  };
  std::priority_queue<Timer, std::vector<Timer>, std::greater<Timer>> timers;
  uint64_t order = 0;
  std::unique_ptr<Network> network;
  std::map<size_t, Meeting> underWay; ///< by the network's number
  /// By group, channel of a message, who meets, and sequence number.
  std::map<std::tuple<uint32_t, int64_t, int64_t, uint64_t>, Meeting> meetings;
  /// Halves of messages so far: by group, channel, which half, and both ends.
  std::map<std::tuple<uint32_t, int64_t, bool, int64_t>, uint64_t> mail;
};

void Engine::account(Rank &rank) {
  double passed = now - rank.since;
  if (rank.kernels > 0)
    rank.compute += passed;
  else if (rank.transfers > 0)
    rank.exposed += passed;
  rank.since = now;
}

void Engine::note(uint32_t r, uint32_t s, const Instruction *i,
                  bool communication, double begin) {
  if (options.trace)
    result.events.push_back({static_cast<int64_t>(r), s,
                             static_cast<uint32_t>(i - instructions.data()),
                             communication, begin, now});
}

/// Lets the host of a rank go on as far as it gets.
void Engine::issue(uint32_t r) {
  Rank &rank = ranks[r];
  while (!rank.ended && result.error.empty()) {
    const Instruction *i = rank.held ? rank.held : rank.cursor.fetch();
    if (!i) {
      rank.ended = true;
      return;
    }
    if (!rank.held && ++executed > kMaxInstructions)
      return fail("the program does not end");
    rank.held = nullptr;
    if (!enqueue(rank, r, *i)) {
      rank.held = i;
      return;
    }
  }
}

/// The rank that a half of a message is for or from; -1: nobody.
int64_t Engine::partnerOf(const CollectiveCall &call,
                          const program::Group &group, uint32_t r) const {
  bool sends = call.kind == CollectiveKind::Send;
  int64_t position = program.position(group, r);
  std::span<const int64_t> pairs = rt::pairsOf(call);
  for (size_t p = 0; p < pairs.size(); p += 2)
    if (pairs[p + (sends ? 0 : 1)] == position)
      return program.member(group, r, pairs[p + (sends ? 1 : 0)]);
  return -1;
}

/// Seconds as this rank takes them.
double Engine::asOnRank(uint32_t r, double seconds) {
  if (r < options.slowdown.size())
    seconds *= options.slowdown[r];
  if (options.jitter > 0)
    seconds *= 1 + options.jitter * std::uniform_real_distribution<>()(random);
  return seconds;
}

/// What a collective needs of the device's compute, before what comes next on
/// the stream that computes.
void Engine::compute(Rank &rank, uint32_t r, const Instruction &i,
                     double seconds) {
  if (seconds <= 0)
    return;
  Item item{Item::Kind::Work, &i};
  item.seconds = asOnRank(r, seconds);
  push(rank, r, /*stream=*/0, item);
}

/// To the end of a stream.
void Engine::push(Rank &rank, uint32_t r, uint32_t s, const Item &item) {
  rank.streams[s].items.push_back(item);
  ++rank.queued;
  if (rank.streams[s].items.size() == 1)
    start(r, s);
}

/// False: the host has to wait before it can issue this one.
bool Engine::enqueue(Rank &rank, uint32_t r, const Instruction &i) {
  switch (rank.cursor.execute(i)) {
  case Cursor::Done:
    return true;
  case Cursor::ZeroStep:
    fail("a loop with step 0 would not end");
    return true;
  case Cursor::NotMine:
    break;
  }
  std::span<const int64_t> ops = program.operands(i);
  bool isRead = i.opcode == Opcode::SRead;
  if (isRead ? rank.queued > 0 : rank.queued >= kMaxQueued)
    return false;
  Item item{Item::Kind::Work, &i};
  double alone = 0;
  switch (i.opcode) {
  case Opcode::SRead: {
    int64_t times = rank.reads[&i]++;
    bool isBool =
        program.type(program.slots()[ops[1]].type).dtype == program::DType::I1;
    rank.cursor.setReg(ops[0], isBool && times % 2 == 0 ? 1 : 0);
    break;
  }
  case Opcode::Collective:
  case Opcode::CollectiveStart: {
    const program::Group &group = costs.groupOf(i);
    if (program.position(group, r) < 0)
      return true;
    CollectiveCall call = costs.callOf(i);
    if (i.opcode == Opcode::CollectiveStart) {
      item.event = static_cast<uint32_t>(ops[0]);
      item.version = ++rank.issued[item.event];
    }
    item.kind = Item::Kind::Collective;
    if (call.kind == CollectiveKind::Send ||
        call.kind == CollectiveKind::Recv) {
      bool sends = call.kind == CollectiveKind::Send;
      item.kind = sends ? Item::Kind::Send : Item::Kind::Receive;
      item.partner = partnerOf(call, group, r);
      if (item.partner < 0) { // goes on
        if (item.event == program::kNone)
          return true;
        item.kind = Item::Kind::Record;
        break;
      }
      if (!sends)
        break;
    }
    const CollectiveTime &time =
        item.kind == Item::Kind::Send
            ? costs.message(call.buffers[0].inBytes, r, item.partner)
            : costs.collective(i, call, r);
    alone = time.seconds;
    rank.communication += alone;
    if (item.kind == Item::Kind::Collective)
      compute(rank, r, i, costs.collectiveWorkSeconds(call, group));
    for (size_t l = 0; l < time.busy.size(); ++l)
      rank.links[l] += time.busy[l];
    break;
  }
  case Opcode::CollectiveDone:
  case Opcode::Wait:
    item.kind = Item::Kind::Wait;
    item.event = static_cast<uint32_t>(ops[0]);
    item.version = rank.issued[item.event];
    break;
  case Opcode::Record:
    item.kind = Item::Kind::Record;
    item.event = static_cast<uint32_t>(ops[0]);
    item.version = ++rank.issued[item.event];
    break;
  default:
    alone = costs.workSeconds(i);
    item.seconds = asOnRank(r, alone);
  }
  if (r == 0) {
    Accesses accesses = flow.next(i);
    path.add(i, accesses, alone);
    if (memory && i.opcode != Opcode::SRead)
      item.memory = memory->add(accesses);
  }
  bool takesTime = item.kind != Item::Kind::Work || item.seconds > 0;
  if (!takesTime)
    return true;
  push(rank, r, i.stream, item);
  return true;
}

/// Begins the first item of an idle stream.
void Engine::start(uint32_t r, uint32_t s) {
  Rank &rank = ranks[r];
  Rank::Stream &stream = rank.streams[s];
  while (!stream.busy && !stream.items.empty()) {
    Item &item = stream.items.front();
    switch (item.kind) {
    case Item::Kind::Work:
      account(rank);
      if (item.memory != MemoryTimeline::kNothing)
        memory->begin(item.memory, now);
      ++(costs.isHostCopy(*item.instruction) ? rank.transfers : rank.kernels);
      stream.busy = true;
      timers.push({now + item.seconds, order++, r, s});
      return;
    case Item::Kind::Wait:
      if (rank.happened[item.event] < item.version)
        return;
      stream.items.pop_front();
      --rank.queued;
      break;
    case Item::Kind::Record: {
      uint32_t event = item.event;
      uint64_t version = item.version;
      stream.items.pop_front();
      --rank.queued;
      complete(r, event, version);
      break;
    }
    case Item::Kind::Collective:
    case Item::Kind::Send:
    case Item::Kind::Receive:
      stream.busy = true;
      account(rank);
      if (item.memory != MemoryTimeline::kNothing)
        memory->begin(item.memory, now);
      ++rank.transfers;
      meet(r, s, item);
      return;
    }
  }
}

/// A rank has come to a collective; the last one to come begins the transfer.
void Engine::meet(uint32_t r, uint32_t s, const Item &item) {
  Rank &rank = ranks[r];
  uint32_t number = Costs::groupNumber(program, *item.instruction);
  const program::Group &group = costs.groupOf(*item.instruction);
  CollectiveCall call = costs.callOf(*item.instruction);
  if (alike) {
    Meeting meeting{call,
                    item.instruction,
                    now,
                    {{r, s, item.event, item.version, item.memory}}};
    return transfer(std::move(meeting), r);
  }
  uint64_t sequence;
  int64_t wanted = group.groupSize;
  int64_t channel = -1; // of a message
  int64_t first = program.member(group, r, 0);
  if (item.kind == Item::Kind::Collective) {
    sequence = rank.sequence[number]++;
  } else {
    // The two halves of a message meet.
    bool sends = item.kind == Item::Kind::Send;
    int64_t source = sends ? r : item.partner,
            target = sends ? item.partner : r;
    channel = call.params[0];
    first = source * static_cast<int64_t>(ranks.size()) + target;
    sequence = mail[{number, channel, sends, first}]++;
    wanted = 2;
  }
  Meeting &meeting = meetings[{number, channel, first, sequence}];
  auto disagree = [&](const std::string &one, const std::string &other) {
    fail("ranks " + std::to_string(meeting.members[0].rank) + " and " +
         std::to_string(r) + " disagree: " + one +
         rt::locationOf(program, *meeting.instruction) + " against " + other +
         rt::locationOf(program, *item.instruction));
  };
  auto bytesOf = [](const CollectiveCall &half) {
    return half.buffers[0].inBytes + half.buffers[0].outBytes;
  };
  if (meeting.members.empty()) {
    meeting.call = call;
    meeting.instruction = item.instruction;
    meeting.begin = now;
  } else if (item.kind == Item::Kind::Collective) {
    if (!(meeting.call == call))
      return disagree(describe(meeting.call), describe(call));
  } else if (bytesOf(meeting.call) != bytesOf(call)) {
    return disagree("a message of " + std::to_string(bytesOf(meeting.call)) +
                        " bytes",
                    std::to_string(bytesOf(call)));
  }
  meeting.members.push_back({r, s, item.event, item.version, item.memory});
  if (static_cast<int64_t>(meeting.members.size()) < wanted)
    return;
  Meeting full = std::move(meeting);
  meetings.erase({number, channel, first, sequence});
  transfer(std::move(full), r);
}

void Engine::transfer(Meeting meeting, int64_t rank) {
  const CollectiveCall &call = meeting.call;
  std::vector<uint32_t> senders, receivers;
  const CollectiveTime *time;
  if (call.kind == CollectiveKind::Send || call.kind == CollectiveKind::Recv) {
    Meeting::Member sender = meeting.members[0], receiver = meeting.members[1];
    if (call.kind == CollectiveKind::Recv) // who came first
      std::swap(sender, receiver);
    senders = {sender.rank};
    receivers = {receiver.rank};
    time = &costs.message(call.buffers[0].inBytes + call.buffers[0].outBytes,
                          sender.rank, receiver.rank);
  } else {
    for (const Meeting::Member &m : meeting.members)
      senders.push_back(m.rank);
    receivers = senders;
    time = &costs.collective(*meeting.instruction, call, rank);
  }
  size_t number =
      network->begin(now, *time, std::move(senders), std::move(receivers));
  underWay[number] = std::move(meeting);
}

/// The first item of a stream is done.
void Engine::finish(uint32_t r, uint32_t s) {
  Rank::Stream &stream = ranks[r].streams[s];
  stream.items.pop_front();
  --ranks[r].queued;
  stream.busy = false;
  start(r, s);
  issue(r);
}

void Engine::complete(uint32_t r, uint32_t event, uint64_t version) {
  Rank &rank = ranks[r];
  rank.happened[event] = std::max(rank.happened[event], version);
  for (uint32_t s = 0; s < rank.streams.size(); ++s) {
    Rank::Stream &stream = rank.streams[s];
    if (!stream.busy && !stream.items.empty() &&
        stream.items.front().kind == Item::Kind::Wait &&
        stream.items.front().event == event)
      start(r, s);
  }
}

std::string Engine::waiting() const {
  std::string text = "deadlock:";
  int named = 0;
  for (size_t r = 0; r < ranks.size(); ++r)
    for (const Rank::Stream &stream : ranks[r].streams)
      if (!stream.items.empty() && named++ < 4) {
        const Instruction &i = *stream.items.front().instruction;
        std::vector<uint32_t> groups(program.header().numEvents, 0);
        text += " rank " + std::to_string(r) + " waits in " +
                rt::nameOf(program, i, groups) + rt::locationOf(program, i) +
                ";";
      }
  text.pop_back();
  return text;
}

Simulation Engine::run() {
  const program::Header &h = program.header();
  size_t levels = options.hardware->links.size();
  alike = !options.allRanks && options.slowdown.empty() &&
          options.jitter == 0 && !ranksDiffer(program);
  size_t count = alike ? 1 : static_cast<size_t>(h.numRanks);
  network = std::make_unique<Network>(count, levels);
  for (size_t r = 0; r < count; ++r) {
    Rank rank(Cursor(program, static_cast<int64_t>(r)));
    rank.streams.resize(h.numStreams);
    rank.issued.assign(h.numEvents, 0);
    rank.happened.assign(h.numEvents, 0);
    rank.links.assign(levels, 0.0);
    rank.cursor.restart();
    ranks.push_back(std::move(rank));
  }
  for (uint32_t r = 0; r < count; ++r)
    issue(r);
  while (result.error.empty() && (!timers.empty() || !network->empty())) {
    double next = network->nextEnd();
    if (!timers.empty() && timers.top().at <= next) {
      Timer timer = timers.top();
      timers.pop();
      now = timer.at;
      Rank &rank = ranks[timer.rank];
      const Item &item = rank.streams[timer.stream].items.front();
      account(rank);
      if (item.memory != MemoryTimeline::kNothing)
        memory->end(item.memory, now);
      if (item.kind == Item::Kind::Work) {
        --(costs.isHostCopy(*item.instruction) ? rank.transfers : rank.kernels);
        note(timer.rank, timer.stream, item.instruction,
             costs.isHostCopy(*item.instruction), now - item.seconds);
      } else {
        --rank.transfers;
      }
      finish(timer.rank, timer.stream);
      continue;
    }
    now = next;
    for (size_t number : network->advance(now)) {
      Meeting meeting = std::move(underWay[number]);
      underWay.erase(number);
      for (const Meeting::Member &m : meeting.members) {
        account(ranks[m.rank]);
        --ranks[m.rank].transfers;
        if (m.memory != MemoryTimeline::kNothing)
          memory->end(m.memory, now);
        note(m.rank, m.stream, meeting.instruction, true, meeting.begin);
      }
      for (const Meeting::Member &m : meeting.members) {
        if (m.event != program::kNone)
          complete(m.rank, m.event, m.version);
        finish(m.rank, m.stream);
      }
    }
  }
  if (result.error.empty())
    for (const Rank &rank : ranks)
      if (!rank.ended || rank.queued > 0) {
        fail(waiting());
        break;
      }
  result.stepSeconds = now;
  result.ranksSimulated = static_cast<int64_t>(count);
  result.linkSeconds.assign(levels, 0.0);
  double share = 1.0 / static_cast<double>(count);
  for (Rank &rank : ranks) {
    account(rank);
    result.computeSeconds += share * rank.compute;
    result.exposedSeconds += share * rank.exposed;
    result.communicationSeconds += share * rank.communication;
    for (size_t l = 0; l < levels; ++l)
      result.linkSeconds[l] += share * rank.links[l];
  }
  result.criticalPathSeconds = path.seconds();
  if (memory)
    result.memory = memory->timeline();
  return std::move(result);
}

} // namespace

double Simulation::lowerBound() const {
  double bound = std::max(computeSeconds, criticalPathSeconds);
  for (double seconds : linkSeconds)
    bound = std::max(bound, seconds);
  return bound;
}

Simulation simulate(const program::View &program,
                    const SimulationOptions &options) {
  return Engine(program, options).run();
}

} // namespace shoal
