// Meeting ranks of other processes. What waits for the network does so on a
// thread of its own, so that the pool's threads always have ranks to run.
#include "host/Execution.h"

#include <cstring>
#include <thread>

namespace shoal::rt {

/// First words of message keys.
enum Topic : uint64_t {
  Collective = 1,
  MessageTopic = 2,
  ResultTopic = 3,
  CheckTopic = 4,
  VerdictTopic = 5,
  FigureTopic = 6,
};

int Execution::homeOf(int64_t rank) const {
  if (!options.world)
    return 0;
  return static_cast<int>(rank * options.world->size() /
                          static_cast<int64_t>(program.header().numRanks));
}

bool Execution::isHere(int64_t rank) const {
  return !options.world || homeOf(rank) == options.world->rank();
}

void Execution::runAside(std::function<void()> work) {
  active.fetch_add(1);
  std::thread([this, work = std::move(work)] {
    work();
    left();
  }).detach();
}

std::function<void()> Execution::aside(std::function<void()> work) {
  active.fetch_add(1);
  return [this, work = std::move(work)] {
    work();
    left();
  };
}

void Execution::exchange(Rendezvous &place, Rendezvous::Pending &p,
                         uint32_t group, int64_t rank, uint64_t sequence) {
  const program::Group &g = groups[group];
  auto e = std::make_shared<Exchange>(
      Exchange{*options.world, p.call, p.members, {}, {}, 0});
  for (int64_t m = 0; m < g.groupSize; ++m)
    e->homes.push_back(homeOf(program.member(g, rank, m)));
  uint64_t leader = static_cast<uint64_t>(program.member(g, rank, 0));
  e->key = {static_cast<uint64_t>(Collective) << 32 | stepNumber,
            static_cast<uint64_t>(group) << 32 | leader, sequence, 0};
  auto instructions =
      program.section<program::Instruction>(program::Section::Instructions);
  std::string what = describe(p.call) + " " +
                     std::to_string(p.instruction - instructions.data());
  e->fingerprint = program::checksum(what.data(), what.size());
  const program::Instruction *instruction = p.instruction;
  runAside([this, e, &place, &p, group, sequence, instruction] {
    bool interrupted = false;
    std::string wrong = e->run(interrupted);
    if (!wrong.empty())
      fail(Status::fault("collective number " + std::to_string(sequence) +
                         " over " + groupName(group) + ", " +
                         describe(e->call) + locationOf(*instruction) + ": " +
                         wrong));
    else if (!interrupted)
      finish(place, p);
    else if (Status s = options.world->status(); !s)
      fail(std::move(s));
  });
}

World::Key Execution::resultKey(uint64_t result, int64_t rank) const {
  return {static_cast<uint64_t>(ResultTopic) << 32, result,
          static_cast<uint64_t>(rank), 0};
}

World::Key Execution::messageKey(const Channel &channel,
                                 uint64_t number) const {
  return {static_cast<uint64_t>(MessageTopic) << 32 | stepNumber,
          static_cast<uint64_t>(channel[0]) << 32 |
              static_cast<uint64_t>(channel[1]),
          static_cast<uint64_t>(channel[2]) << 32 |
              static_cast<uint64_t>(channel[3]),
          number};
}

/// Brings the next messages of a channel into its mailbox. The mailbox's mutex
/// is held.
void Execution::takeMessages(const Channel &channel, size_t count) {
  Mailbox &box = mail[channel];
  uint64_t first = box.numTaken;
  box.numTaken += count;
  runAside([this, channel, &box, first, count] {
    std::vector<std::vector<std::byte>> data;
    for (size_t i = 0; i < count; ++i) {
      auto message = options.world->take(homeOf(channel[2]),
                                         messageKey(channel, first + i));
      if (!message)
        return;
      data.push_back(std::move(*message));
    }
    {
      std::lock_guard<std::mutex> lock(mailMutex);
      box.isTaking = false;
      // All but the last: its delivery wakes the receiver.
      for (size_t i = 0; i + 1 < count; ++i)
        box.messages.push_back(std::move(data[i]));
    }
    deliver(channel, std::move(data.back()));
  });
}

/// Process 0 judges a check on the blocks of all ranks.
void Execution::judgeTogether(uint32_t check, uint64_t turn, PendingCheck &p) {
  runAside([this, check, turn, &p] {
    World &world = *options.world;
    auto key = [&](Topic topic, size_t rank, uint64_t what) {
      return World::Key{static_cast<uint64_t>(topic) << 32 | check, turn, rank,
                        what};
    };
    int64_t numRanks = static_cast<int64_t>(p.actual.size());
    bool good = false;
    if (isMain()) {
      std::deque<std::vector<std::byte>> received;
      for (int64_t r = 0; r < numRanks; ++r) {
        if (isHere(r))
          continue;
        for (uint64_t what = 0; what < 2; ++what) {
          auto data = world.take(homeOf(r), key(CheckTopic, r, what));
          if (!data)
            return;
          received.push_back(std::move(*data));
          if (!received.back().empty())
            (what ? p.expected : p.actual)[r] = received.back().data();
        }
      }
      good = judge(check, p);
      std::byte verdict{good};
      for (int i = 1; i < world.size(); ++i)
        world.post(i, key(VerdictTopic, 0, 0), {&verdict, 1});
    } else {
      const program::Instruction &i = *p.instruction;
      std::span<const int64_t> ops = program.operands(i);
      for (auto &rank : ranks) {
        int64_t r = rank->number;
        world.post(0, key(CheckTopic, r, 0),
                   {p.actual[r], slots[ops[1]].bytes});
        world.post(0, key(CheckTopic, r, 1),
                   p.expected[r] ? std::span<const std::byte>(
                                       p.expected[r], slots[ops[2]].bytes)
                                 : std::span<const std::byte>());
      }
      auto verdict = world.take(0, key(VerdictTopic, 0, 0));
      if (!verdict || verdict->empty())
        return;
      good = (*verdict)[0] != std::byte{0};
    }
    std::vector<Rank *> waiting;
    {
      std::lock_guard<std::mutex> lock(checkMutex);
      for (std::byte *out : p.passed)
        if (out)
          *out = std::byte{good};
      waiting = std::move(p.waiting);
      checks.erase({check, turn});
    }
    for (Rank *r : waiting)
      resume(r);
  });
}

double Execution::sumOverProcesses(double here) {
  World *world = options.world;
  if (!world)
    return here;
  World::Key key{static_cast<uint64_t>(FigureTopic) << 32, figures++, 0, 0};
  if (!isMain()) {
    world->post(0, key, std::as_bytes(std::span(&here, 1)));
    return here;
  }
  for (int i = 1; i < world->size(); ++i)
    if (auto data = world->take(i, key);
        data && data->size() == sizeof(double)) {
      double theirs;
      std::memcpy(&theirs, data->data(), sizeof(double));
      here += theirs;
    }
  return here;
}

} // namespace shoal::rt
