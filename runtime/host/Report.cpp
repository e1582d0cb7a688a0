// What a run says about ranks that are stuck.
#include "core/Instructions.h"
#include "host/Execution.h"

#include <map>

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
    std::fill(rank->profile.begin(), rank->profile.end(), Timing());
}

std::vector<ProfileRow> Execution::takeProfile(int64_t steps) const {
  std::vector<const Timings *> timings;
  for (auto &rank : ranks)
    timings.push_back(&rank->profile);
  return makeProfile(
      program, timings, steps,
      [&](const program::Instruction &i) { return ranks.front()->nameOf(i); });
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
