// The ranks' threads, and what is noticed while they run: failures, ranks that
// do not come, time limits.
#include "core/Instructions.h"
#include "cuda/Execution.h"

#include <algorithm>

namespace shoal::cuda {

using rt::Status;

void Execution::threadMain(Rank &rank) {
  uint64_t done = 0;
  for (;;) {
    std::function<bool(Rank &)> work;
    {
      std::unique_lock<std::mutex> lock(mutex);
      begin.wait(lock, [&] { return closing || generation != done; });
      if (closing)
        return;
      done = generation;
      work = job;
    }
    rank.device.makeCurrent();
    rank.idle = false;
    if (!work(rank) && !hasFailed())
      rank.dead = true;
    rank.idle = true;
    std::lock_guard<std::mutex> lock(mutex);
    --busy;
    ended.notify_all();
  }
}

void Execution::fail(Status status) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (failed.load())
      return;
    failure = std::move(status);
    failed = true;
    if (options.world)
      options.world->interrupt();
    ended.notify_all();
  }
}

/// A number that changes while anything moves. Devices are asked only when the
/// host has been still for a while.
uint64_t Execution::progress(bool askDevices, bool &inCollective) {
  uint64_t sum = 0, onDevices = 0;
  inCollective = false;
  for (auto &rank : ranks) {
    sum += rank->steps.load(std::memory_order_relaxed);
    if (!askDevices || !rank->waiting.load())
      continue;
    for (const Flight &f : rank->flights.read(now())) {
      onDevices += 2 * f.number + (f.started >= 0) + (f.completed >= 0);
      // Not yet on the stream, or on it and not done.
      inCollective |= f.completed < 0 && (f.started >= 0 || rank->capturing);
    }
    const program::Instruction *i = rank->current.load();
    inCollective |= i && (i->opcode == program::Opcode::Collective ||
                          i->opcode == program::Opcode::CollectiveStart ||
                          i->opcode == program::Opcode::Check);
  }
  if (askDevices)
    deviceProgress = onDevices;
  return sum + deviceProgress;
}

Status Execution::everyRank(std::function<bool(Rank &)> work) {
  using Clock = std::chrono::steady_clock;
  std::unique_lock<std::mutex> lock(mutex);
  if (failed)
    return failure;
  job = std::move(work);
  busy = static_cast<int64_t>(threads.size());
  ++generation;
  begin.notify_all();
  auto lastChange = Clock::now();
  uint64_t lastProgress = 0;
  while (busy != 0 && !failed) {
    ended.wait_for(lock, std::chrono::milliseconds(100),
                   [&] { return busy == 0 || failed; });
    if (busy == 0 || failed)
      break;
    lock.unlock();
    auto time = Clock::now();
    std::chrono::duration<double> quiet = time - lastChange;
    bool inCollective;
    uint64_t current = progress(quiet.count() > 0.5, inCollective);
    if (current != lastProgress) {
      lastProgress = current;
      lastChange = time;
    }
    bool someDead = false, someMeet = false, allStand = true;
    for (auto &rank : ranks) {
      someDead |= rank->dead.load();
      someMeet |= rank->meets.load();
      allStand &= rank->idle.load() || rank->meets.load();
    }
    bool stall = inCollective && quiet.count() > options.stallSeconds;
    if (options.deadline && time > *options.deadline) {
      char limit[32];
      std::snprintf(limit, sizeof(limit), "%g", options.timeLimit);
      fail(Status::fault("time limit of " + std::string(limit) +
                         " s exceeded: " + places(false) + flightReport()));
    } else if (someDead && quiet.count() > 0.3) {
      fail(died());
    } else if (someMeet && allStand && quiet.count() > 0.3) {
      fail(Status::fault("the ranks wait for each other for ever: " +
                         places(false) + flightReport()));
    } else if (stall) {
      char seconds[32];
      std::snprintf(seconds, sizeof(seconds), "%.0f", quiet.count());
      std::string others;
      if (options.world) {
        std::vector<rt::World::Activity> all = options.world->survey(1);
        for (int i = 0; i < options.world->size(); ++i)
          if (i != options.world->rank())
            others +=
                "; " + options.world->name(i) +
                (all[i].text.empty() ? " does not answer" : ": " + all[i].text);
      }
      fail(Status::fault("no progress for " + std::string(seconds) +
                         " s: " + places(false) + others + flightReport()));
    }
    lock.lock();
  }
  if (failed) {
    lock.unlock();
    transport->abort();
    lock.lock();
    // Those that still compute stop at their next instruction.
    ended.wait_for(lock, std::chrono::seconds(5), [&] { return busy == 0; });
    return failure;
  }
  lock.unlock();
  for (auto &rank : ranks)
    if (rank->dead) {
      fail(died());
      return failure;
    }
  return Status::ok();
}

Status Execution::died() const {
  std::string text;
  for (auto &rank : ranks)
    if (rank->dead)
      text += "rank " + std::to_string(rank->number) + " died at " +
              rank->whereabouts() + "; ";
  return Status::fault(text + places(true));
}

/// "ranks 0, 1 and 5 wait in X; rank 3 is in …": ranks in one place together.
std::string Execution::places(bool onlyWaiting) const {
  std::map<std::string, std::vector<int64_t>> where;
  for (auto &rank : ranks) {
    if (rank->dead || (onlyWaiting && !rank->waiting))
      continue;
    if (rank->idle)
      where["has finished"].push_back(rank->number);
    else if (!rank->current.load())
      where["waits for the device at the end of the step"].push_back(
          rank->number);
    else
      where[(rank->waiting ? "waits in " : "is in ") + rank->whereabouts()]
          .push_back(rank->number);
  }
  std::string text;
  for (auto &[place, who] : where) {
    text += text.empty() ? "" : "; ";
    text += who.size() == 1 ? "rank " : "ranks ";
    for (size_t i = 0; i < who.size(); ++i) {
      if (i == 8 && who.size() > 9) {
        text += " and " + std::to_string(who.size() - i) + " more";
        break;
      }
      text += (i ? ", " : "") + std::to_string(who[i]);
    }
    std::string state = place;
    if (who.size() > 1) // "has", "waits", "is"
      state = place[0] == 'h'   ? "have" + place.substr(3)
              : place[0] == 'w' ? "wait" + place.substr(5)
                                : "are" + place.substr(2);
    text += " " + state;
  }
  return text;
}

std::string Execution::activity() {
  std::string text = places(false);
  for (auto &rank : ranks) {
    std::vector<Flight> flights = rank->flights.read(now());
    if (!flights.empty())
      text += "; rank " + std::to_string(rank->number) +
              "'s last collective: " + "number " +
              std::to_string(flights.back().sequence) + " over " +
              rt::groupName(program, flights.back().group);
  }
  return text;
}

bool Execution::close() {
  if (!failed)
    if (Status s = everyRank([](Rank &r) { return r.leave(); }); !s)
      return false;
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (busy != 0)
      return false;
    closing = true;
    begin.notify_all();
  }
  for (std::thread &t : threads)
    t.join();
  threads.clear();
  // After a failure the device may still be at work: nothing it uses is freed.
  auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  for (auto &rank : ranks) {
    rank->device.makeCurrent();
    for (CUstream stream : rank->streams)
      while (driver->streamQuery(stream) == CUDA_ERROR_NOT_READY) {
        if (std::chrono::steady_clock::now() > limit)
          return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
  }
  ranks.clear();
  transport.reset();
  return true;
}

void Execution::clearProfile() {
  for (auto &rank : ranks)
    std::fill(rank->profile.begin(), rank->profile.end(), rt::Timing());
}

std::vector<rt::ProfileRow> Execution::takeProfile(int64_t steps) const {
  std::vector<const rt::Timings *> timings;
  for (auto &rank : ranks)
    timings.push_back(&rank->profile);
  std::vector<uint32_t> eventGroups(program.header().numEvents, 0);
  return rt::makeProfile(
      program, timings, steps, [&](const program::Instruction &i) {
        std::string what = rt::nameOf(program, i, eventGroups);
        if (const MathCall *call = ranks.front()->mathCall(i))
          what += " by " + call->library;
        else if (i.opcode == program::Opcode::CustomCall)
          what += " on the host";
        return what;
      });
}

} // namespace shoal::cuda
