#include "OrderSearch.h"

#include "llvm/ADT/STLExtras.h"

#include <map>

using namespace mlir;

namespace shoal {
namespace {

/// Some of the ops, in some order.
struct Way {
  uint64_t done = 0;
  /// When streams are free, and when the operands of each op that is not done
  /// are there; the end of the last op.
  SmallVector<double, 3> free;
  SmallVector<double> ready;
  double end = 0;
  /// No order that begins like this ends before.
  double bound = 0;
  int64_t held = 0;
  SmallVector<unsigned> readers; ///< still to come, by memory
  unsigned parent = 0, node = 0;
};

class Search {
public:
  Search(const BlockGraph &graph, ArrayRef<OpTimes::Time> times, int64_t limit,
         double best)
      : nodes(graph.getNodes()), graph(graph), times(times), limit(limit),
        best(best) {
    unsigned streams = 1;
    for (const OpTimes::Time &t : times)
      streams = std::max(streams, t.resource + 1);
    rest.assign(nodes.size(), 0);
    for (size_t id = nodes.size(); id-- > 0;) {
      for (unsigned user : nodes[id].users)
        rest[id] = std::max(rest[id], rest[user]);
      rest[id] += times[id].seconds;
    }
    needs.assign(nodes.size(), 0);
    for (auto [id, node] : llvm::enumerate(nodes))
      for (unsigned user : node.users)
        needs[user] |= uint64_t(1) << id;
    start.free.assign(streams, 0.0);
    start.ready.assign(nodes.size(), 0.0);
    start.readers.assign(graph.getNumReaders().begin(),
                         graph.getNumReaders().end());
  }

  SmallVector<unsigned> run() {
    std::vector<std::vector<std::pair<unsigned, unsigned>>> trail;
    std::vector<Way> ways{start};
    size_t width = nodes.size() <= 20 ? 4096 : 256;
    for (size_t length = 0; length < nodes.size(); ++length) {
      std::vector<Way> next;
      for (auto [i, way] : llvm::enumerate(ways))
        extend(way, i, next);
      ways = prune(std::move(next), width);
      if (ways.empty())
        return {};
      auto &steps = trail.emplace_back();
      for (const Way &way : ways)
        steps.push_back({way.parent, way.node});
    }
    unsigned at = 0; // the first one is the shortest
    SmallVector<unsigned> order(nodes.size());
    for (size_t length = nodes.size(); length-- > 0;) {
      auto [parent, node] = trail[length][at];
      order[length] = node;
      at = parent;
    }
    return order;
  }

private:
  void extend(const Way &way, unsigned index, std::vector<Way> &next) const {
    SmallVector<unsigned> open;
    for (unsigned id = 0; id < nodes.size(); ++id) {
      if ((way.done >> id & 1) || (needs[id] & ~way.done))
        continue;
      int64_t filled = 0;
      for (unsigned owner : nodes[id].defines)
        filled += graph.bytesOf(owner);
      if (way.held + filled + nodes[id].inner > limit)
        continue;
      // What takes no time keeps nothing from being best.
      if (times[id].seconds == 0) {
        open.assign(1, id);
        break;
      }
      open.push_back(id);
    }
    for (unsigned id : open) {
      Way more = way;
      more.done |= uint64_t(1) << id;
      more.parent = index;
      more.node = id;
      unsigned stream = times[id].resource;
      double end = std::max({way.ready[id], way.free[0], way.free[stream]}) +
                   times[id].seconds;
      if (times[id].seconds > 0) {
        more.free[0] = std::max(way.free[0], way.ready[id]);
        more.free[stream] = end;
      } else {
        end = std::max(way.ready[id], way.free[0]);
      }
      more.end = std::max(way.end, end);
      for (unsigned user : nodes[id].users)
        more.ready[user] = std::max(more.ready[user], end);
      more.held += graph.growth(nodes[id], way.readers);
      for (unsigned owner : nodes[id].reads)
        --more.readers[owner];
      more.bound = boundOf(more);
      if (more.bound < best * (1 - 1e-9))
        next.push_back(std::move(more));
    }
  }

  double boundOf(const Way &way) const {
    double bound = way.end;
    SmallVector<double, 3> streams(way.free);
    for (unsigned id = 0; id < nodes.size(); ++id)
      if (!(way.done >> id & 1)) {
        bound =
            std::max(bound, std::max(way.ready[id], way.free[0]) + rest[id]);
        streams[times[id].resource] += times[id].seconds;
      }
    for (double end : streams)
      bound = std::max(bound, end);
    return bound;
  }

  /// Whether one way is nowhere later than another with the same ops.
  bool covers(const Way &a, const Way &b) const {
    if (a.end > b.end)
      return false;
    for (auto [x, y] : llvm::zip_equal(a.free, b.free))
      if (x > y)
        return false;
    for (unsigned id = 0; id < nodes.size(); ++id)
      if (!(a.done >> id & 1) && a.ready[id] > b.ready[id])
        return false;
    return true;
  }

  std::vector<Way> prune(std::vector<Way> ways, size_t width) const {
    llvm::stable_sort(ways, [](const Way &a, const Way &b) {
      return std::tie(a.bound, a.end) < std::tie(b.bound, b.end);
    });
    std::map<uint64_t, SmallVector<size_t>> same;
    std::vector<Way> kept;
    for (Way &way : ways) {
      if (kept.size() == width)
        break;
      SmallVector<size_t> &others = same[way.done];
      if (llvm::any_of(others, [&](size_t i) { return covers(kept[i], way); }))
        continue;
      others.push_back(kept.size());
      kept.push_back(std::move(way));
    }
    return kept;
  }

  ArrayRef<BlockGraph::Node> nodes;
  const BlockGraph &graph;
  ArrayRef<OpTimes::Time> times;
  int64_t limit;
  double best;
  Way start;
  SmallVector<double> rest; ///< to the end, over the longest chain of users
  SmallVector<uint64_t> needs;
};

} // namespace

SmallVector<unsigned> searchOrder(const BlockGraph &graph,
                                  ArrayRef<OpTimes::Time> times, int64_t limit,
                                  double best) {
  if (graph.getNodes().size() > kMaxSearched)
    return {};
  return Search(graph, times, limit, best).run();
}

} // namespace shoal
