// What a run says about ranks that are stuck.
#include "core/Instructions.h"
#include "host/Execution.h"

#include <map>
#include <tuple>

namespace shoal::rt {

using program::Opcode;

std::string Rank::whereabouts() const {
  const program::Instruction *i = current.load();
  if (!i)
    return "at the start of the program";
  return nameOf(*i) + run_.locationOf(*i);
}

std::string Rank::nameOf(const program::Instruction &i) const {
  return rt::nameOf(run_.program, i, eventGroups);
}

void Execution::clearProfile() {
  for (auto &rank : ranks)
    std::fill(rank->profile.begin(), rank->profile.end(), Rank::Timing());
}

std::vector<ProfileRow> Execution::takeProfile(int64_t steps) const {
  auto instructions =
      program.section<program::Instruction>(program::Section::Instructions);
  double share =
      1.0 / static_cast<double>(
                std::max<int64_t>(1, steps) *
                static_cast<int64_t>(std::max<size_t>(1, ranks.size())));
  // One line of the user's may have become several equal instructions.
  std::map<std::pair<std::string, std::string>, ProfileRow> rows;
  for (size_t i = 0; i < instructions.size(); ++i) {
    Rank::Timing all;
    for (auto &rank : ranks) {
      const Rank::Timing &timing = rank->profile[i];
      all.calls += timing.calls;
      all.seconds += timing.seconds;
      all.bytesSent += timing.bytesSent;
    }
    if (!all.calls)
      continue;
    double calls = static_cast<double>(all.calls) * share;
    std::string what = ranks.front()->nameOf(instructions[i]);
    std::string where(program.str(instructions[i].loc));
    ProfileRow &row = rows[{what, where}];
    row.what = what;
    row.where = where;
    row.calls += calls;
    row.seconds += all.seconds * share;
    row.bytesSent += all.bytesSent * share;
    Work work = workOf(program, instructions[i]);
    row.bytes += work.bytes * calls;
    row.flops += work.flops * calls;
    row.type = work.type;
    row.product = work.product;
  }
  std::vector<ProfileRow> list;
  for (auto &[key, row] : rows)
    list.push_back(std::move(row));
  std::sort(list.begin(), list.end(),
            [](const ProfileRow &a, const ProfileRow &b) {
              return std::tie(b.seconds, a.what, a.where) <
                     std::tie(a.seconds, b.what, b.where);
            });
  return list;
}

/// "ranks 0, 1 and 5 wait in X; rank 3 …": ranks in the same place together.
World::Activity Execution::activity() const {
  World::Activity a{true, ""};
  for (auto &rank : ranks)
    if (!rank->waiting) {
      a.waits = false;
      a.text +=
          (a.text.empty() ? "rank " : ", rank ") +
          std::to_string(rank->number) +
          (rank->finished ? " has finished" : " is in " + rank->whereabouts());
    }
  return a;
}

std::string Execution::waitingList(bool waitingOnly) const {
  // Verb for one rank, verb for several, place.
  std::map<std::array<std::string, 3>, std::vector<int64_t>> places;
  for (auto &rank : ranks) {
    if (rank->finished) {
      if (waitingOnly)
        places[{"has", "have", "finished"}].push_back(rank->number);
    } else if (rank->waiting) {
      places[{"waits", "wait", "in " + rank->whereabouts()}].push_back(
          rank->number);
    } else {
      places[{"is", "are", "in " + rank->whereabouts()}].push_back(
          rank->number);
    }
  }
  std::string text;
  for (auto &[place, who] : places) {
    text += text.empty() ? "" : "; ";
    text += who.size() == 1 ? "rank " : "ranks ";
    for (size_t i = 0; i < who.size(); ++i) {
      if (i == 8 && who.size() > 9) {
        text += " and " + std::to_string(who.size() - i) + " more";
        break;
      }
      text += (i ? ", " : "") + std::to_string(who[i]);
    }
    text += " " + place[who.size() == 1 ? 0 : 1] + " " + place[2];
  }
  return text;
}

Status Execution::deadlock() const {
  std::string dead;
  for (auto &rank : ranks)
    if (!rank->finished && !rank->waiting)
      dead += "rank " + std::to_string(rank->number) + " died at " +
              rank->whereabouts() + "; ";
  if (dead.empty())
    dead = "the ranks wait for each other for ever: ";
  return Status::fault(dead + waitingList(true));
}

Status Execution::stalled(double seconds) const {
  std::string hung;
  for (auto &rank : ranks)
    if (!rank->finished && !rank->waiting)
      hung += (hung.empty() ? "rank " : ", rank ") +
              std::to_string(rank->number) + " hangs in " + rank->whereabouts();
  // Whoever does not just wait for others is to blame.
  if (options.world) {
    std::vector<World::Activity> others = options.world->survey(1);
    for (int i = 0; i < options.world->size(); ++i)
      if (i != options.world->rank() && !others[i].waits)
        hung += (hung.empty() ? "" : "; ") + options.world->name(i) +
                (others[i].text.empty() ? " does not answer"
                                        : ": " + others[i].text);
  }
  char text[32];
  std::snprintf(text, sizeof(text), "%.0f", seconds);
  return Status::fault("no progress for " + std::string(text) + " s: " + hung +
                       "; " + waitingList(true));
}

} // namespace shoal::rt
