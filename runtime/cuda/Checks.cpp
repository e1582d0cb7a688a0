// Check operations: all ranks bring their blocks, the last one judges.
#include "core/Instructions.h"
#include "cuda/Execution.h"

namespace shoal::cuda {

/// Process 0 judges on the blocks of all ranks; the others send theirs.
bool Execution::judge(uint32_t index, uint64_t turn,
                      const program::Instruction &instruction,
                      std::span<const int64_t> ops, PendingCheck &values) {
  constexpr uint64_t blocks = uint64_t{303} << 32,
                     verdicts = uint64_t{304} << 32;
  rt::World *world = options.world;
  auto key = [&](uint64_t topic, int64_t rank, uint64_t what) {
    return rt::World::Key{topic | index, turn, static_cast<uint64_t>(rank),
                          what};
  };
  auto bytesOf = [&](int64_t slot) { return program.slots()[slot].bytes; };
  if (process() != 0) {
    for (auto &rank : ranks) {
      int64_t r = rank->number;
      world->post(0, key(blocks, r, 0), {values.actual[r], bytesOf(ops[1])});
      world->post(0, key(blocks, r, 1),
                  values.expected[r] ? std::span<const std::byte>(
                                           values.expected[r], bytesOf(ops[2]))
                                     : std::span<const std::byte>());
    }
    auto verdict = world->take(0, key(verdicts, 0, 0));
    return verdict && !verdict->empty() && (*verdict)[0] != std::byte{0};
  }
  std::deque<std::vector<std::byte>> received;
  if (world)
    for (int64_t r = 0; r < static_cast<int64_t>(values.actual.size()); ++r)
      for (uint64_t what = 0; what < 2 && !isHere(r); ++what) {
        auto data = world->take(homeOf(r), key(blocks, r, what));
        if (!data)
          return false;
        received.push_back(std::move(*data));
        if (!received.back().empty())
          (what ? values.expected : values.actual)[r] = received.back().data();
      }
  std::string why;
  bool good = rt::judgeCheck(program, index, values, why);
  if (world)
    for (int i = 1; i < world->size(); ++i) {
      std::byte verdict{good};
      world->post(i, key(verdicts, 0, 0), {&verdict, 1});
    }
  // The same check fails in every step of --repeat; once is enough.
  if (!good && static_cast<uint32_t>(ops[3]) == program::kNone &&
      !reported[index]) {
    reported[index] = true;
    const program::Check &check =
        program.section<program::Check>(program::Section::Checks)[index];
    failedChecks.push_back(
        "check failed: " + std::string(program.str(check.message)) +
        rt::locationOf(program, instruction) + ": " + why);
  }
  return good;
}

bool Execution::meetCheck(Rank &rank, uint32_t index,
                          const program::Instruction &instruction,
                          std::span<const int64_t> ops, const std::byte *actual,
                          const std::byte *expected, bool &good) {
  std::unique_lock<std::mutex> lock(checkMutex);
  uint64_t turn = checkTurns[rank.number][index]++;
  auto it = checks.try_emplace({index, turn}).first;
  PendingCheck &p = it->second;
  if (p.arrived == 0) {
    p.actual.resize(checkTurns.size());
    p.expected.resize(checkTurns.size());
    p.actualType = program.slots()[ops[1]].type;
    if (static_cast<uint32_t>(ops[2]) != program::kNone)
      p.expectedType = program.slots()[ops[2]].type;
  }
  p.actual[rank.number] = actual;
  p.expected[rank.number] = expected;
  if (++p.arrived == static_cast<int64_t>(ranks.size())) {
    p.good = judge(index, turn, instruction, ops, p);
    p.done = true;
    checkChanged.notify_all();
  } else if (!waitUntil(lock, checkChanged, rank, [&] { return p.done; })) {
    return false;
  }
  good = p.good;
  if (++p.left == p.arrived)
    checks.erase(it);
  return !hasFailed();
}

} // namespace shoal::cuda
