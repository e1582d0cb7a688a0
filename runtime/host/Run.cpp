#include "shoal/runtime/Run.h"

#include "core/Steps.h"
#include "host/Execution.h"

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <unistd.h>

namespace shoal::rt {

std::optional<Fault> Fault::parse(const std::string &text) {
  Fault fault;
  size_t colon = text.find(':');
  std::string kind = text.substr(0, colon);
  if (colon == std::string::npos)
    return std::nullopt;
  char *end;
  fault.rank = std::strtoll(text.c_str() + colon + 1, &end, 10);
  if (*end == ':')
    fault.instruction = std::strtoll(end + 1, &end, 10);
  if (kind == "die")
    fault.kind = Kind::Die;
  else if (kind == "hang")
    fault.kind = Kind::Hang;
  else if (kind == "skip")
    fault.kind = Kind::Skip;
  else if (kind == "delay")
    fault.kind = Kind::Delay;
  else
    return std::nullopt;
  return *end == 0 ? std::optional<Fault>(fault) : std::nullopt;
}

Result<std::vector<EmulatedLink>> parseLinks(const std::string &text) {
  std::vector<EmulatedLink> links;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find(',', at), text.size());
    std::string entry = text.substr(at, end - at);
    at = end + 1;
    // An axis may hold colons; the numbers do not.
    size_t second = entry.rfind(':');
    size_t first = second == std::string::npos || second == 0
                       ? std::string::npos
                       : entry.rfind(':', second - 1);
    char *endA = nullptr, *endB = nullptr;
    EmulatedLink link;
    if (first != std::string::npos && first > 0) {
      link.axis = entry.substr(0, first);
      link.bytesPerSecond = std::strtod(entry.c_str() + first + 1, &endA) * 1e9;
      link.latency = std::strtod(entry.c_str() + second + 1, &endB) * 1e-6;
    }
    if (!endA || endA != entry.c_str() + second || *endB != 0 ||
        endB == entry.c_str() + second + 1 || !(link.bytesPerSecond > 0) ||
        !(link.latency >= 0) || !std::isfinite(link.bytesPerSecond) ||
        link.latency > 60)
      return Status::badInput(
          "'" + entry + "' is no link; write AXIS:GB/s:us, as in tp:10:2");
    links.push_back(std::move(link));
  }
  return links;
}

uint64_t availableMemory() {
  uint64_t bytes = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                   static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  for (const char *path : {"/sys/fs/cgroup/memory.max",
                           "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    uint64_t limit;
    if (file >> limit && limit < bytes)
      bytes = limit;
  }
  return bytes;
}

Result<RunResult> runPackage(const Package &package,
                             std::vector<HostTensor> arguments,
                             const RunOptions &options) {
  auto execution = std::make_unique<Execution>(package, options);
  World *world = options.world;
  if (Status s = execution->prepare(std::move(arguments)); !s) {
    if (world)
      world->abort(s.message());
    return s;
  }
  if (world) {
    world->onFailure([&](Status s) { execution->fail(std::move(s)); });
    world->onQuestion([&] { return execution->activity(); });
  }
  auto leave = [&] {
    if (world) {
      world->onFailure(nullptr);
      world->onQuestion(nullptr);
    }
  };
  RunResult result;
  bool stuck = false;
  auto step = [&](int64_t, std::chrono::steady_clock::time_point begin) {
    return execution->step(stuck, begin);
  };
  if (Status s = runSteps(*execution, options, step, result); !s) {
    leave();
    if (world)
      world->abort(s.message());
    if (stuck)
      execution.release(); // threads may still use it
    return s;
  }
  Status taken = takeResult(*execution, package, options, result);
  leave();
  if (!taken)
    return taken;
  return result;
}

/// Only async-signal-safe calls from here on, but for `whereabouts`, which
/// allocates: the alarm ends the process if that hangs.
static void onCrash(int signal) {
  struct sigaction plain = {};
  plain.sa_handler = [](int) { ::_exit(3); };
  ::sigaction(SIGALRM, &plain, nullptr);
  for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT})
    ::sigaction(s, &plain, nullptr);
  ::alarm(2);
  const char *what = signal == SIGSEGV  ? "invalid memory access"
                     : signal == SIGBUS ? "bus error"
                     : signal == SIGFPE ? "arithmetic exception"
                     : signal == SIGILL ? "illegal instruction"
                                        : "abort";
  auto print = [](const char *text) {
    if (::write(2, text, std::strlen(text)) < 0)
      ::_exit(3);
  };
  print("error: ");
  if (const Rank *rank = currentRank) {
    char number[24];
    int at = 23;
    number[at] = 0;
    int64_t n = rank->index();
    do
      number[--at] = static_cast<char>('0' + n % 10);
    while (n /= 10);
    print("rank ");
    print(number + at);
    print(" died: ");
    print(what);
    print(" in ");
    print(rank->whereabouts().c_str());
  } else {
    print("internal error: ");
    print(what);
  }
  print("\n");
  ::_exit(3);
}

void installCrashHandler() {
  // A stack of its own, so that an overflown one is reported as well; only the
  // main thread gets it, workers have theirs from the system.
  static char stack[1 << 16];
  stack_t alternative = {};
  alternative.ss_sp = stack;
  alternative.ss_size = sizeof(stack);
  ::sigaltstack(&alternative, nullptr);
  struct sigaction action = {};
  action.sa_handler = onCrash;
  action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT})
    ::sigaction(s, &action, nullptr);
}

} // namespace shoal::rt
