// Work of different streams that touches the same memory, with no event
// between. Decided when work is issued, not by how it happens to run.
#include "State.h"

using namespace shoal::standin;

void History::add(size_t stream, const Clock &now, const WorkPtr &work) {
  for (const Access &access : work->accesses) {
    bool replaced = false;
    for (Past &before : past) {
      if (before.access.end <= access.begin ||
          access.end <= before.access.begin)
        continue;
      if (before.stream == stream) {
        // The later of two equal accesses of a stream stands for both.
        if (before.access.begin == access.begin &&
            before.access.end == access.end &&
            before.access.write == access.write) {
          before.clock = now.of(stream);
          before.work = work;
          replaced = true;
        }
        continue;
      }
      if ((before.access.write || access.write) &&
          now.of(before.stream) < before.clock)
        violation("%s on stream %zu %s %zu bytes at %p, which %s on stream %zu "
                  "%s, and no event orders the two",
                  work->what.c_str(), stream, access.write ? "writes" : "reads",
                  size_t(access.end - access.begin), (void *)access.begin,
                  before.work->what.c_str(), before.stream,
                  before.access.write ? "writes" : "reads");
    }
    if (!replaced)
      past.push_back({access, stream, now.of(stream), work});
  }
  if (past.size() > 20000) // of a long run: what is done long ago
    std::erase_if(past, [](const Past &p) { return p.work->done.load(); });
}

WorkPtr History::pending(uintptr_t begin, uintptr_t end) const {
  for (const Past &p : past)
    if (p.access.begin < end && begin < p.access.end && !p.work->done.load())
      return p.work;
  return nullptr;
}
