#include "shoal/Simulate/Simulator.h"

#include "Costs.h"
#include "CriticalPath.h"
#include "Network.h"
#include "core/Instructions.h"
#include "shoal/runtime/Cursor.h"

#include <algorithm>
#include <deque>
#include <map>
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
  double seconds = 0; ///< Work
  uint32_t event = program::kNone;
  uint64_t version = 0; ///< of the event: which of its uses is meant
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
        random(options.seed) {}

  Simulation run();

private:
  bool ranksDiffer() const;
  void issue(uint32_t r);
  bool enqueue(Rank &rank, uint32_t r, const Instruction &i);
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
  std::unique_ptr<CriticalPath> path; ///< of rank 0

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
  /// By group, first member and sequence number.
  std::map<std::tuple<uint32_t, int64_t, uint64_t>, Meeting> meetings;
  /// Messages by group, channel, source, target: those that are there, and the
  /// receivers that wait for one.
  std::map<std::tuple<uint32_t, int64_t, int64_t, int64_t>, int64_t> mail;
};

/// Whether a branch or loop depends on the rank's number. A register that is
/// computed from one that does counts as such wherever it is used.
bool Engine::ranksDiffer() const {
  std::vector<bool> varies(program.header().numRegisters, false);
  bool changed = true;
  auto mark = [&](int64_t r, bool v) {
    if (v && !varies[r])
      varies[r] = changed = true;
  };
  auto isScalar = [](Opcode o) {
    return o >= Opcode::SConst && o <= Opcode::SUCompare;
  };
  while (changed) {
    changed = false;
    for (const Instruction &i : instructions) {
      std::span<const int64_t> ops = program.operands(i);
      if (i.opcode == Opcode::SRank)
        mark(ops[0], true);
      else if (i.opcode == Opcode::SMove)
        for (int64_t j = 0; j < ops[0]; ++j)
          mark(ops[1 + 2 * j], varies[ops[2 + 2 * j]]);
      else if (i.opcode == Opcode::SCompare || i.opcode == Opcode::SUCompare)
        mark(ops[0], varies[ops[2]] || varies[ops[3]]);
      else if (i.opcode == Opcode::SSelect)
        mark(ops[0], varies[ops[1]] || varies[ops[2]] || varies[ops[3]]);
      else if (i.opcode == Opcode::SWrap)
        mark(ops[0], varies[ops[1]]);
      else if (isScalar(i.opcode) && i.opcode != Opcode::SConst &&
               i.opcode != Opcode::SRead && i.opcode != Opcode::SWrite)
        mark(ops[0], varies[ops[1]] || varies[ops[2]]);
      else if (i.opcode == Opcode::For)
        mark(ops[0], varies[ops[1]] || varies[ops[3]]);
    }
  }
  for (const Instruction &i : instructions) {
    std::span<const int64_t> ops = program.operands(i);
    if ((i.opcode == Opcode::Case && varies[ops[0]]) ||
        (i.opcode == Opcode::While && varies[ops[1]]) ||
        (i.opcode == Opcode::For &&
         (varies[ops[1]] || varies[ops[2]] || varies[ops[3]])))
      return true;
  }
  // Messages between two of them.
  for (const Instruction &i : instructions)
    if (i.opcode == Opcode::Collective || i.opcode == Opcode::CollectiveStart) {
      CollectiveKind kind = costs.callOf(i).kind;
      if (kind == CollectiveKind::Send || kind == CollectiveKind::Recv)
        return true;
    }
  // Groups that leave ranks out.
  for (const program::Group &g :
       program.section<program::Group>(program::Section::Groups))
    if (g.groupSize * g.numGroups !=
        static_cast<int64_t>(program.header().numRanks))
      return true;
  return false;
}

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
    item.kind = call.kind == CollectiveKind::Send   ? Item::Kind::Send
                : call.kind == CollectiveKind::Recv ? Item::Kind::Receive
                                                    : Item::Kind::Collective;
    if (i.opcode == Opcode::CollectiveStart) {
      item.event = static_cast<uint32_t>(ops[0]);
      item.version = ++rank.issued[item.event];
    }
    const CollectiveTime &time = costs.collective(i, call, r);
    alone = time.seconds;
    rank.communication += alone;
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
    item.seconds = alone = costs.workSeconds(i);
    if (r < options.slowdown.size())
      item.seconds *= options.slowdown[r];
    if (options.jitter > 0)
      item.seconds *=
          1 + options.jitter * std::uniform_real_distribution<>()(random);
  }
  if (path && r == 0)
    path->add(i, alone);
  bool takesTime = item.kind != Item::Kind::Work || item.seconds > 0;
  if (!takesTime)
    return true;
  uint32_t s = i.stream;
  rank.streams[s].items.push_back(item);
  ++rank.queued;
  if (rank.streams[s].items.size() == 1)
    start(r, s);
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
      ++rank.kernels;
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
    Meeting meeting{
        call, item.instruction, now, {{r, s, item.event, item.version}}};
    return transfer(std::move(meeting), r);
  }
  int64_t position = program.position(group, r);
  uint64_t sequence;
  int64_t wanted = group.groupSize;
  uint32_t key = number;
  int64_t first = program.member(group, r, 0);
  if (item.kind == Item::Kind::Collective) {
    sequence = rank.sequence[number]++;
  } else {
    // The two halves of a message meet; who has no partner goes on.
    auto pairs = rt::pairsOf(call);
    int64_t partner = -1;
    bool sends = item.kind == Item::Kind::Send;
    for (size_t p = 0; p < pairs.size(); p += 2)
      if (pairs[p + (sends ? 0 : 1)] == position)
        partner = program.member(group, r, pairs[p + (sends ? 1 : 0)]);
    if (partner < 0) {
      timers.push({now, order++, r, s});
      return;
    }
    int64_t source = sends ? r : partner, target = sends ? partner : r;
    sequence = static_cast<uint64_t>(
        mail[{number, 2 * call.params[0] + sends, source, target}]++);
    key = number | 0x80000000u;
    first = source * static_cast<int64_t>(ranks.size()) + target;
    call.kind = CollectiveKind::Send;
    wanted = 2;
  }
  Meeting &meeting = meetings[{key, first, sequence}];
  if (meeting.members.empty()) {
    meeting.call = call;
    meeting.instruction = item.instruction;
    meeting.begin = now;
  } else if (item.kind == Item::Kind::Collective && !(meeting.call == call)) {
    return fail("ranks " + std::to_string(meeting.members[0].rank) + " and " +
                std::to_string(r) + " disagree: " + describe(meeting.call) +
                rt::locationOf(program, *meeting.instruction) + " against " +
                describe(call) + rt::locationOf(program, *item.instruction));
  }
  meeting.members.push_back({r, s, item.event, item.version});
  if (static_cast<int64_t>(meeting.members.size()) < wanted)
    return;
  Meeting full = std::move(meeting);
  meetings.erase({key, first, sequence});
  transfer(std::move(full), r);
}

void Engine::transfer(Meeting meeting, int64_t rank) {
  const CollectiveTime &time =
      costs.collective(*meeting.instruction, meeting.call, rank);
  std::vector<uint32_t> members;
  for (const Meeting::Member &m : meeting.members)
    members.push_back(m.rank);
  size_t number = network->begin(now, time, std::move(members));
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
          options.jitter == 0 && !ranksDiffer();
  size_t count = alike ? 1 : static_cast<size_t>(h.numRanks);
  network = std::make_unique<Network>(count, levels);
  path = std::make_unique<CriticalPath>(program);
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
      if (item.kind == Item::Kind::Work) {
        --rank.kernels;
        note(timer.rank, timer.stream, item.instruction, false,
             now - item.seconds);
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
  result.criticalPathSeconds = path->seconds();
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
