// shoal-overlap: see Passes.td.
#include "BlockGraph.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Analysis/OpSeconds.h"
#include "shoal/Schedule/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
namespace shlo = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_OVERLAP
#include "shoal/Schedule/Passes.h.inc"

namespace {

/// Seconds of each op of a function on a machine.
class OpTimes {
public:
  OpTimes(ModuleOp module, const Hardware &hardware, const HostScalars &scalars)
      : hardware(hardware), scalars(scalars), symbols(module),
        collectives(hardware) {}

  struct Time {
    double seconds = 0;
    /// 0 for what the device computes, else the links' number plus one.
    unsigned resource = 0;
  };
  Time of(Operation *op) {
    if (auto collective = dyn_cast<comm::CollectiveOpInterface>(op))
      return {collectives.of(collective).seconds,
              collectives.shapeOf(collective).top() + 1};
    if (auto launch = dyn_cast<plan::LaunchOp>(op)) {
      auto [seconds, isNew] = kernels.try_emplace(launch.getKernelAttr(), 0);
      if (isNew)
        if (auto kernel = symbols.lookup<plan::KernelOp>(launch.getKernel()))
          seconds->second = kernelSeconds(kernel, hardware);
      return {seconds->second, 0};
    }
    double inner = librarySeconds(op, hardware);
    for (Region &region : op->getRegions())
      for (Operation &nested : region.getOps())
        inner += of(&nested).seconds;
    if (auto loop = dyn_cast<shlo::WhileOp>(op))
      if (auto counted = scalars.getCountedLoop(loop))
        inner *= static_cast<double>(
            std::max<int64_t>(counted->tripCount.value_or(1), 1));
    return {inner, 0};
  }

private:
  const Hardware &hardware;
  const HostScalars &scalars;
  SymbolTable symbols;
  CollectiveTimes collectives;
  llvm::DenseMap<Attribute, double> kernels;
};

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

  /// List scheduling: whatever can start first, of those collectives, of those
  /// what has the longest way to go, among the ops that leave no more than
  /// `limit` bytes held. Empty if the limit cannot be kept.
  SmallVector<unsigned> list(int64_t limit) const {
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
          return std::make_tuple(at, times[id].resource == 0, -rest[id], id);
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

private:
  /// A collective also waits for what was issued to the device before it:
  /// that is how SplitCollectives orders the streams.
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

struct Overlap : impl::OverlapBase<Overlap> {
  using OverlapBase::OverlapBase;

  void runOnOperation() override {
    std::string error;
    FailureOr<Hardware> machine = getHardware(hardware, error);
    if (failed(machine)) {
      getOperation().emitError() << "--hardware: " << error;
      return signalPassFailure();
    }
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

  /// Orders a block, then those nested in its ops. `budget`: bytes that the
  /// block may hold; where it needs more as it is, that much.
  void improve(Block &block, const HostScalars &scalars, OpTimes &times,
               int64_t budget) {
    BlockGraph graph(block, scalars);
    size_t count = graph.getNodes().size();
    SmallVector<unsigned> order =
        llvm::to_vector(llvm::seq<unsigned>(0, count));
    if (count >= 3 && count <= kMaxOps) {
      BlockSchedule schedule(graph, times);
      if (schedule.hasBoth()) {
        SmallVector<unsigned> better =
            schedule.list(std::max(graph.peakOf(order), budget));
        if (better.size() == count &&
            schedule.makespan(better) < schedule.makespan(order)) {
          graph.apply(better);
          order = std::move(better);
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
};

} // namespace
} // namespace shoal
