#include "shoal/Analysis/CollectiveModel.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace shoal {

int64_t GroupShape::size() const {
  int64_t n = 1;
  for (int64_t m : members)
    n *= m;
  return n;
}

unsigned GroupShape::top() const {
  for (unsigned l = members.size(); l-- > 0;)
    if (members[l] > 1)
      return l;
  return 0;
}

GroupShape shapeOfGroup(ArrayRef<int64_t> devices, const Hardware &hardware) {
  // Units that the group touches at each level; in a group that lies unevenly
  // the fullest unit decides what the next level has to carry, so the ratio
  // is rounded up.
  GroupShape shape;
  int64_t inner = devices.size();
  for (const LinkLevel &level : hardware.links) {
    DenseSet<int64_t> units;
    for (int64_t device : devices)
      units.insert(level.devices ? device / level.devices : 0);
    int64_t n = std::max<int64_t>(1, units.size());
    shape.members.push_back(divideCeil(inner, n));
    inner = n;
  }
  // More units than the outermost level says it joins: all the same its links.
  if (!shape.members.empty())
    shape.members.back() *= inner;
  return shape;
}

namespace {

/// One collective over one group, by each algorithm.
struct Estimator {
  const Hardware &hw;
  const GroupShape &group;
  int64_t n = group.size();
  unsigned levels = group.members.size();
  CollectiveTime best;

  Estimator(const Hardware &hw, const GroupShape &group)
      : hw(hw), group(group) {}

  void offer(StringRef algorithm, double seconds, SmallVector<double, 2> busy) {
    seconds += hw.collectiveLatency;
    if (!best.algorithm.empty() && best.seconds <= seconds)
      return;
    best = {seconds, algorithm, std::move(busy)};
  }

  /// Members of a unit of level `l - 1`: as many devices share the load that
  /// crosses level l.
  int64_t below(unsigned l) const {
    int64_t m = 1;
    for (unsigned i = 0; i < l; ++i)
      m *= group.members[i];
    return m;
  }

  /// `rounds` times around the ring with a message of `bytes` a step. Where
  /// the ring crosses a level, as many rings run side by side, each with its
  /// part, as the unit has members.
  void ring(int64_t rounds, double bytes) {
    double step = 0;
    SmallVector<double, 2> busy(levels, 0.0);
    for (unsigned l = 0; l < levels; ++l) {
      if (group.members[l] == 1)
        continue;
      double sent = bytes / below(l) / hw.links[l].bytesPerSecond;
      step = std::max(step, hw.links[l].latency + sent);
      busy[l] = rounds * (n - 1) * sent;
    }
    offer("ring", rounds * (n - 1) * step, std::move(busy));
  }

  /// Hops of a gather or scatter on a level: around the ring, or to the switch
  /// and from it to all (or the mirror image, where it adds up).
  double hops(unsigned l) const {
    double around = static_cast<double>(group.members[l] - 1);
    return hw.links[l].multicast ? std::min(2.0, around) : around;
  }

  /// Gather (or scatter, the mirror image) level by level, outermost first on
  /// pieces of `bytes` / n.
  double phases(double bytes, SmallVectorImpl<double> &busy) {
    double seconds = 0, piece = bytes / n;
    for (unsigned l = levels; l-- > 0;) {
      int64_t m = group.members[l];
      double sent = (m - 1) * piece / hw.links[l].bytesPerSecond;
      seconds += hops(l) * hw.links[l].latency + sent;
      busy[l] += sent;
      piece *= m;
    }
    return seconds;
  }

  /// A gather or scatter by the switch: the bytes are a ring's, the hops two.
  void multicastOnce(double bytes) {
    int64_t m = group.members[0];
    if (!hw.links[0].multicast || m < 3 || group.top() != 0)
      return;
    SmallVector<double, 2> busy(levels, 0.0);
    double seconds = phases(bytes, busy);
    offer("multicast", seconds, std::move(busy));
  }

  void hierarchical(int64_t rounds, double bytes) {
    if (group.top() == 0 || below(group.top()) == 1)
      return;
    SmallVector<double, 2> busy(levels, 0.0);
    double seconds = 0;
    for (int64_t i = 0; i < rounds; ++i)
      seconds += phases(bytes, busy);
    offer("hierarchical", seconds, std::move(busy));
  }

  /// Up and (or) down a tree in a pipeline of small chunks.
  void tree(int64_t passes, double bytes) {
    double latency = 0, slowest = 0;
    SmallVector<double, 2> busy(levels, 0.0);
    for (unsigned l = 0; l < levels; ++l) {
      if (group.members[l] == 1)
        continue;
      latency += Log2_64_Ceil(group.members[l]) * hw.links[l].latency;
      double sent = bytes / below(l) / hw.links[l].bytesPerSecond;
      busy[l] = passes * sent;
      slowest = std::max(slowest, sent);
    }
    offer("tree", passes * (latency + slowest), std::move(busy));
  }

  /// The inner switch reduces and multicasts; what is left of the sum goes
  /// around between the units, each device with its share.
  void multicast(double bytes) {
    int64_t m = group.members[0];
    if (!hw.links[0].multicast || m < 3)
      return;
    SmallVector<double, 2> busy(levels, 0.0);
    busy[0] = bytes * (m + 1) / m / hw.links[0].bytesPerSecond;
    double seconds = 2 * hw.links[0].latency + busy[0];
    double share = bytes / m;
    for (unsigned l = 1; l < levels; ++l) {
      int64_t units = group.members[l];
      double sent =
          2.0 * (units - 1) / units * share / hw.links[l].bytesPerSecond;
      double hops =
          std::min<double>(2.0 * (units - 1), 4.0 * Log2_64_Ceil(units));
      seconds += hops * hw.links[l].latency + sent;
      busy[l] = sent;
      share /= units;
    }
    offer("multicast", seconds, std::move(busy));
  }

  /// Each device sends `bytes` in all, spread evenly over the other members.
  void direct(double bytes) {
    SmallVector<double, 2> busy(levels, 0.0);
    double seconds = 0, latency = 0;
    int64_t reached = 1;
    for (unsigned l = 0; l < levels; ++l) {
      int64_t unit = reached * group.members[l];
      double sent = bytes * (unit - reached) / std::max<int64_t>(1, n - 1);
      busy[l] = sent / hw.links[l].bytesPerSecond;
      seconds = std::max(seconds, busy[l]);
      if (unit > reached)
        latency = std::max(latency, hw.links[l].latency);
      reached = unit;
    }
    offer("direct", latency + seconds, std::move(busy));
  }

  /// One message per device, over the outermost level that the group crosses:
  /// some pair lies that far apart, and the others wait for it.
  void permute(double bytes) {
    SmallVector<double, 2> busy(levels, 0.0);
    unsigned l = group.top();
    busy[l] = bytes / hw.links[l].bytesPerSecond;
    offer("direct", hw.links[l].latency + busy[l], std::move(busy));
  }
};

} // namespace

CollectiveTime timeOfCollective(CollectiveType type, int64_t bytesSent,
                                const GroupShape &group,
                                const Hardware &hardware) {
  int64_t n = group.size();
  CollectiveTime none;
  none.busy.assign(group.members.size(), 0.0);
  none.algorithm = "none";
  if (n <= 1 || hardware.links.empty())
    return none;
  Estimator e(hardware, group);
  double sent = static_cast<double>(bytesSent);
  double whole = sent * n / (n - 1);
  switch (type) {
  case CollectiveType::AllGather:
  case CollectiveType::ReduceScatter:
    e.ring(1, whole / n);
    e.multicastOnce(whole);
    e.hierarchical(1, whole);
    break;
  case CollectiveType::AllReduce:
    whole /= 2;
    e.ring(2, whole / n);
    e.hierarchical(2, whole);
    e.tree(2, whole);
    e.multicast(whole);
    break;
  case CollectiveType::Broadcast:
    e.ring(1, whole / n);
    e.tree(1, whole);
    break;
  case CollectiveType::AllToAll:
    e.direct(sent);
    break;
  case CollectiveType::Permute:
    e.permute(sent);
    break;
  }
  return e.best;
}

} // namespace shoal
