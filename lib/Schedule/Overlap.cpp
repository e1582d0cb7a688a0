// shoal-overlap: see Passes.td.
#include "BlockGraph.h"
#include "OpTimes.h"
#include "OrderSearch.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Analysis/Remarks.h"
#include "shoal/Schedule/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <array>
#include <cstdlib>
#include <random>

using namespace mlir;
namespace shlo = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_OVERLAP
#include "shoal/Schedule/Passes.h.inc"

namespace {

/// The block's ops on one stream of computation and one per level of links.
class BlockSchedule {
public:
  BlockSchedule(const BlockGraph &graph, OpTimes &times) : graph(graph) {
    for (const BlockGraph::Node &node : graph.getNodes())
      this->times.push_back(times.of(node.op));
    // To the end of the block, over the longest chain of users.
    rest.assign(graph.getNodes().size(), 0);
    for (size_t id = rest.size(); id-- > 0;) {
      for (unsigned user : graph.getNodes()[id].users)
        rest[id] = std::max(rest[id], rest[user]);
      rest[id] += this->times[id].seconds;
    }
  }

  /// What goes first in list scheduling: what can start first; what has the
  /// longest way to go; the same of what does not let the device wait; of that,
  /// what the program has first.
  enum class Rule { Earliest, LongestChain, NoIdling, InOrder };

  bool hasBoth() const {
    bool compute = false, links = false;
    for (const OpTimes::Time &t : times)
      (t.resource ? links : compute) |= t.seconds > 0;
    return compute && links;
  }

  /// When the last op ends if each stream takes its ops in this order.
  double makespan(ArrayRef<unsigned> order) const {
    SmallVector<double> ready(times.size(), 0), free;
    double end = 0;
    for (unsigned id : order)
      end = std::max(end, place(id, ready, free));
    return end;
  }

  /// List scheduling by a rule (collectives before computation, where that says
  /// nothing) among the ops that leave no more than `limit` bytes held. Empty
  /// if the limit cannot be kept.
  SmallVector<unsigned> list(int64_t limit, Rule rule) const {
    ArrayRef<BlockGraph::Node> nodes = graph.getNodes();
    SmallVector<unsigned> order, deps, open, readers(graph.getNumReaders());
    SmallVector<double> ready(times.size(), 0), free;
    int64_t held = 0;
    for (auto [id, node] : llvm::enumerate(nodes)) {
      deps.push_back(node.numDeps);
      if (node.numDeps == 0)
        open.push_back(id);
    }
    while (!open.empty()) {
      auto best = open.end();
      double bestStart = 0;
      for (auto it = open.begin(); it != open.end(); ++it) {
        int64_t filled = 0;
        for (unsigned owner : nodes[*it].defines)
          filled += graph.bytesOf(owner);
        if (held + filled + nodes[*it].inner > limit)
          continue;
        double start = startOf(*it, ready, free);
        // At the same time a collective goes first, or it would wait for
        // what it could have run beside.
        auto rank = [&](unsigned id, double at) {
          double computes = times[id].resource == 0;
          double idles = !free.empty() && ready[id] > free[0];
          return rule == Rule::Earliest
                     ? std::array{at, computes, -rest[id], double(id)}
                 : rule == Rule::LongestChain
                     ? std::array{-rest[id], computes, at, double(id)}
                 : rule == Rule::NoIdling
                     ? std::array{idles, idles ? at : 0, -rest[id], double(id)}
                     : std::array{idles, idles ? at : 0, computes, double(id)};
        };
        if (best == open.end() || rank(*it, start) < rank(*best, bestStart)) {
          best = it;
          bestStart = start;
        }
      }
      if (best == open.end())
        return {};
      unsigned id = *best;
      open.erase(best);
      order.push_back(id);
      place(id, ready, free);
      held += graph.growth(nodes[id], readers);
      for (unsigned owner : nodes[id].reads)
        --readers[owner];
      for (unsigned user : nodes[id].users)
        if (--deps[user] == 0)
          open.push_back(user);
    }
    return order;
  }

  /// Moves single ops to where the makespan is shorter, as long as one is
  /// found, for as many placements of ops as `budget` says.
  void climb(SmallVectorImpl<unsigned> &order, int64_t limit,
             int64_t budget) const {
    ArrayRef<BlockGraph::Node> nodes = graph.getNodes();
    SmallVector<SmallVector<unsigned>> deps(nodes.size());
    for (auto [id, node] : llvm::enumerate(nodes))
      for (unsigned user : node.users)
        deps[user].push_back(id);
    SmallVector<size_t> at(nodes.size());
    auto number = [&] {
      for (auto [i, id] : llvm::enumerate(order))
        at[id] = i;
    };
    double best = makespan(order);
    number();
    auto tryAt = [&](size_t from, size_t to) {
      SmallVector<unsigned> next(order.begin(), order.end());
      if (to < from)
        std::rotate(next.begin() + to, next.begin() + from,
                    next.begin() + from + 1);
      else
        std::rotate(next.begin() + from, next.begin() + from + 1,
                    next.begin() + to + 1);
      budget -= static_cast<int64_t>(next.size());
      double time = makespan(next);
      if (time >= best * (1 - 1e-9) || graph.peakOf(next) > limit)
        return false;
      best = time;
      order.assign(next.begin(), next.end());
      number();
      return true;
    };
    auto firstPlace = [&](unsigned id) {
      size_t first = 0;
      for (unsigned dep : deps[id])
        first = std::max(first, at[dep] + 1);
      return first;
    };
    // Where the device waits, something from later on that could run.
    auto fillGap = [&] {
      SmallVector<double> ready(times.size(), 0), free;
      SmallVector<std::pair<double, size_t>> gaps;
      for (auto [i, id] : llvm::enumerate(order)) {
        double before = free.empty() ? 0 : free[0];
        if (times[id].seconds > 0 && ready[id] > before)
          gaps.push_back({before - ready[id], i});
        place(id, ready, free);
      }
      llvm::sort(gaps);
      for (auto [length, gap] : gaps)
        for (size_t later = gap + 1; later < order.size() && budget > 0;
             ++later) {
          unsigned id = order[later];
          if (times[id].resource == 0 && times[id].seconds > 0 &&
              firstPlace(id) <= gap && tryAt(later, gap))
            return true;
        }
      return false;
    };
    while (budget > 0 && fillGap()) {
    }
    for (bool changed = true; changed && budget > 0;) {
      changed = false;
      for (unsigned id = 0; id + 1 < nodes.size() && budget > 0; ++id) {
        if (times[id].seconds == 0)
          continue;
        size_t first = firstPlace(id), last = nodes.size() - 1;
        for (unsigned user : nodes[id].users)
          last = std::min(last, at[user] - 1);
        // Near ones all, far ones ever more sparsely, and the ends.
        SmallVector<size_t> places{first, last};
        for (size_t step = 1; step < nodes.size();
             step += std::max<size_t>(1, step / 4)) {
          if (at[id] >= first + step)
            places.push_back(at[id] - step);
          if (at[id] + step <= last)
            places.push_back(at[id] + step);
        }
        for (size_t place : places)
          if (place != at[id] && tryAt(at[id], place)) {
            changed = true;
            break;
          }
      }
    }
  }

  /// A shorter order of all there are, for small blocks; empty if there is none.
  SmallVector<unsigned> search(int64_t limit, double best) const {
    return searchOrder(graph, times, limit, best);
  }

private:
  /// A collective also waits for what was issued to the device before it, and
  /// the device for the collectives that what it issues needs: that is how
  /// SplitCollectives orders the streams.
  double startOf(unsigned id, ArrayRef<double> ready,
                 ArrayRef<double> free) const {
    unsigned resource = times[id].resource;
    double at = ready[id];
    if (!free.empty())
      at = std::max(at, free[0]);
    return resource < free.size() ? std::max(at, free[resource]) : at;
  }
  double place(unsigned id, MutableArrayRef<double> ready,
               SmallVectorImpl<double> &free) const {
    double end = startOf(id, ready, free) + times[id].seconds;
    if (times[id].seconds > 0) {
      if (free.size() <= times[id].resource)
        free.resize(times[id].resource + 1, 0);
      // The device awaits what the op needs, be it to issue a collective.
      free[0] = std::max(free[0], ready[id]);
      free[times[id].resource] = end;
    }
    for (unsigned user : graph.getNodes()[id].users)
      ready[user] = std::max(ready[user], end);
    return end;
  }

  const BlockGraph &graph;
  SmallVector<OpTimes::Time> times;
  SmallVector<double> rest;
};

/// Beyond this the search, which is quadratic in what is ready, is left out.
constexpr size_t kMaxOps = 20000;
/// Placements of ops in local search: about a second; or a millisecond and
/// some microseconds per op for programs that are just to be compiled.
constexpr int64_t kThoroughSteps = 10'000'000, kFewSteps = 20'000,
                  kStepsPerOp = 20;

struct Overlap : impl::OverlapBase<Overlap> {
  using OverlapBase::OverlapBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    // For tests: the numbers must be the same in every order.
    if (const char *seed = std::getenv("SHOAL_TEST_SCHEDULE"))
      random.emplace(static_cast<uint64_t>(std::atoll(seed)));
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      HostScalars scalars(func);
      OpTimes times(getOperation(), *machine, scalars);
      int64_t arguments = 0;
      for (Value argument : func.getArguments())
        arguments += tensorBytesOf(argument.getType());
      improve(func.getBody().front(), scalars, times, memoryLimit - arguments);
    }
  }

  /// Time is spent where somebody asked for it: a machine's memory is given.
  bool isThorough() const { return memoryLimit > 0; }
  int64_t searchSteps(size_t count) const {
    return isThorough() ? kThoroughSteps
                        : kFewSteps + kStepsPerOp * static_cast<int64_t>(count);
  }

  /// Any order that the block's dependences allow.
  SmallVector<unsigned> shuffled(const BlockGraph &graph) {
    SmallVector<unsigned> order, deps, open;
    for (auto [id, node] : llvm::enumerate(graph.getNodes())) {
      deps.push_back(node.numDeps);
      if (node.numDeps == 0)
        open.push_back(id);
    }
    while (!open.empty()) {
      std::swap(open[(*random)() % open.size()], open.back());
      unsigned id = open.pop_back_val();
      order.push_back(id);
      for (unsigned user : graph.getNodes()[id].users)
        if (--deps[user] == 0)
          open.push_back(user);
    }
    return order;
  }

  /// Orders a block, then those nested in its ops. `budget`: bytes that the
  /// block may hold; where it needs more as it is, that much.
  void improve(Block &block, const HostScalars &scalars, OpTimes &times,
               int64_t budget) {
    BlockGraph graph(block, scalars);
    size_t count = graph.getNodes().size();
    SmallVector<unsigned> order =
        llvm::to_vector(llvm::seq<unsigned>(0, count));
    if (random) {
      order = shuffled(graph);
      graph.apply(order);
    } else if (count >= 3 && count <= kMaxOps) {
      BlockSchedule schedule(graph, times);
      if (schedule.hasBoth()) {
        int64_t limit = std::max(graph.peakOf(order), budget);
        double time = schedule.makespan(order);
        SmallVector<unsigned> written = order;
        for (auto rule :
             {BlockSchedule::Rule::Earliest, BlockSchedule::Rule::LongestChain,
              BlockSchedule::Rule::NoIdling, BlockSchedule::Rule::InOrder}) {
          if (rule != BlockSchedule::Rule::Earliest && !isThorough())
            continue;
          SmallVector<unsigned> other = schedule.list(limit, rule);
          if (other.size() != count)
            continue;
          double otherTime = schedule.makespan(other);
          if (otherTime < time) {
            time = otherTime;
            order = std::move(other);
          }
        }
        schedule.climb(order, limit, searchSteps(count));
        if (isThorough())
          if (auto best = schedule.search(limit, schedule.makespan(order));
              !best.empty())
            order = std::move(best);
        if (order != written) {
          remarkGain(remarks, block.getParentOp(), "a block's order changed",
                     schedule.makespan(written), schedule.makespan(order));
          graph.apply(order);
        }
      }
    }
    SmallVector<int64_t> held = graph.heldAt(order);
    for (auto [id, node] : llvm::enumerate(graph.getNodes()))
      if (isa<shlo::WhileOp, shlo::IfOp, shlo::CaseOp>(node.op))
        for (Region &region : node.op->getRegions())
          if (!region.empty())
            improve(region.front(), scalars, times, budget - held[id]);
  }

  std::optional<std::mt19937_64> random;
};

} // namespace
} // namespace shoal
