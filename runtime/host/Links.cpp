#include "host/Links.h"

#include <algorithm>

namespace shoal::rt {

using Kind = program::CollectiveKind;

/// The axes that a group's name lists: "dp,tp:(1)2" is over dp and tp.
static std::vector<std::string> axesOf(std::string_view name) {
  std::vector<std::string> axes;
  while (!name.empty()) {
    size_t comma = name.find(',');
    std::string_view axis = name.substr(0, comma);
    axes.emplace_back(axis.substr(0, axis.find(':')));
    name = comma == std::string_view::npos ? "" : name.substr(comma + 1);
  }
  return axes;
}

Links::Links(const program::View &program,
             const std::vector<EmulatedLink> &links)
    : program(program), links(links) {
  for (const program::Group &group :
       program.section<program::Group>(program::Section::Groups)) {
    int slowest = -1;
    for (const std::string &axis : axesOf(program.str(group.name))) {
      axes.push_back(axis);
      int found = -1;
      for (size_t l = 0; l < links.size(); ++l)
        if (links[l].axis == axis || (found < 0 && links[l].axis == "*"))
          found = static_cast<int>(l);
      if (found >= 0 && (slowest < 0 || links[found].bytesPerSecond <
                                            links[slowest].bytesPerSecond))
        slowest = found;
    }
    linkOf.push_back(slowest);
  }
  thread = std::thread([this] { run(); });
}

Links::~Links() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    ending = true;
  }
  changed.notify_all();
  thread.join();
}

std::string Links::check() const {
  for (const EmulatedLink &link : links) {
    if (link.axis == "*" ||
        std::find(axes.begin(), axes.end(), link.axis) != axes.end())
      continue;
    std::string known;
    for (const std::string &axis : axes)
      if (known.find("'" + axis + "'") == std::string::npos)
        known += (known.empty() ? "'" : ", '") + axis + "'";
    return "no collective is over an axis '" + link.axis + "'" +
           (known.empty() ? "" : "; there are " + known);
  }
  return "";
}

void Links::carry(uint32_t group, int64_t rank, const CollectiveCall &call,
                  Clock::time_point begin, std::function<void()> done) {
  const program::Group &g =
      program.section<program::Group>(program::Section::Groups)[group];
  int link = linkOf[group];
  if (link < 0 || g.groupSize < 2 || call.kind == Kind::Barrier)
    return done();
  double bytes = 0;
  std::vector<int64_t> members;
  for (int64_t p = 0; p < g.groupSize; ++p) {
    bytes = std::max(bytes, bytesSent(call, g.groupSize, p));
    members.push_back(program.member(g, rank, p));
  }
  double steps =
      call.kind == Kind::AllReduce ? 2.0 * (g.groupSize - 1)
      : call.kind == Kind::AllGather || call.kind == Kind::ReduceScatter
          ? static_cast<double>(g.groupSize - 1)
          : 1.0;
  later(members, static_cast<size_t>(link), begin,
        steps * links[link].latency + bytes / links[link].bytesPerSecond,
        std::move(done));
}

void Links::carryMessage(uint32_t group, int64_t from, int64_t to,
                         int64_t bytes, std::function<void()> done) {
  int link = linkOf[group];
  if (link < 0)
    return done();
  later({from}, static_cast<size_t>(link), Clock::now(),
        links[link].latency +
            static_cast<double>(bytes) / links[link].bytesPerSecond,
        std::move(done));
}

void Links::later(const std::vector<int64_t> &members, size_t link,
                  Clock::time_point begin, double seconds,
                  std::function<void()> done) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    for (int64_t member : members)
      begin = std::max(begin, freeAt[{member, link}]);
    Clock::time_point end = begin + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(seconds));
    for (int64_t member : members)
      freeAt[{member, link}] = end;
    arrivals.emplace(end, std::move(done));
  }
  changed.notify_all();
}

void Links::run() {
  std::unique_lock<std::mutex> lock(mutex);
  while (!ending) {
    if (arrivals.empty()) {
      changed.wait(lock);
      continue;
    }
    Clock::time_point next = arrivals.begin()->first;
    if (next > Clock::now()) {
      changed.wait_until(lock, next);
      continue;
    }
    std::function<void()> done = std::move(arrivals.begin()->second);
    arrivals.erase(arrivals.begin());
    lock.unlock();
    done();
    lock.lock();
  }
}

} // namespace shoal::rt
