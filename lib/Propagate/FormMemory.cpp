// What a choice of forms needs in memory: lifetimes of values, the largest sum
// of what lives at once, and a price on holding bytes.
#include "FormGraph.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/ShardedView.h"

using namespace mlir;

namespace shoal::propagate {

namespace {

/// Program order, and how much of a step has passed. As a position a loop body
/// is run through once; as time, as often as it runs.
struct Clock {
  struct Span {
    double begin = 0, end = 0;   ///< as positions
    double since = 0, until = 0; ///< as time, in one run of the block around
    double runs = 1;             ///< of the block around
  };
  llvm::DenseMap<Operation *, Span> ops;
  llvm::DenseMap<Block *, Span> blocks;
  double position = 0;

  double visit(Block &block, double runs) {
    double begin = position, time = 0;
    for (Operation &op : block) {
      Span span;
      span.begin = position++;
      span.since = time;
      span.runs = runs;
      time += 1;
      double inner = 1;
      if (isa<stablehlo::WhileOp>(op))
        inner = std::max<double>(double(getTripCount(&op).value_or(8)), 1);
      for (Region &region : op.getRegions())
        if (!region.empty())
          time += inner * visit(region.front(), runs * inner);
      span.end = position;
      span.until = time;
      ops[&op] = span;
    }
    blocks[&block] = {begin, position, 0, time, runs};
    return time;
  }
};

/// The op in the value's own block around a user of it.
Operation *atHome(Value value, Operation *user) {
  Block *home = value.getParentBlock();
  while (user && user->getBlock() != home)
    user = user->getParentOp();
  return user;
}

} // namespace

void FormGraph::setMemoryPrice(double price) {
  Clock clock;
  Block &body = func.getBody().front();
  double total = std::max(1.0, clock.visit(body, 1));
  double perByte = mesh.planner().meshCosts().fastestSecondsPerByte();
  for (auto [v, value] : llvm::enumerate(valueOf)) {
    Block *home = value.getParentBlock();
    const Clock::Span block = clock.blocks[home];
    double since = 0, until = 0;
    if (Operation *def = value.getDefiningOp())
      since = until = clock.ops[def].until;
    for (Operation *user : value.getUsers())
      if (Operation *op = atHome(value, user)) {
        const Clock::Span span = clock.ops[op];
        // What a loop starts from becomes its carried value.
        bool starts = isa<stablehlo::WhileOp>(op) && op == user;
        until = std::max(until, starts ? span.since : span.until);
      }
    // Carried values stay for the whole iteration.
    if (isa<BlockArgument>(value) && home != &body)
      until = block.until;
    double share = (until - since) * block.runs / total;
    problem.values[v].hold = float(price * perByte * std::max(0.0, share));
  }
}

double FormGraph::peakBytes(llvm::ArrayRef<uint8_t> choice) const {
  Clock clock;
  Block &body = func::FuncOp(func).getBody().front();
  clock.visit(body, 1);
  // Changes of what is held, at positions in program order.
  std::vector<std::pair<double, double>> changes;
  auto hold = [&](double from, double to, double bytes) {
    changes.push_back({from, bytes});
    changes.push_back({to, -bytes});
  };
  auto candidate = [&](const FormProblem::Slot &slot) -> auto & {
    return problem.nodes[slot.node].candidates[choice[slot.node]];
  };
  for (size_t v = 0; v < valueOf.size(); ++v) {
    Value value = valueOf[v];
    const FormProblem::ValueInfo &info = problem.values[v];
    if (!info.costs || info.def.node < 0)
      continue;
    Block *home = value.getParentBlock();
    const Clock::Span block = clock.blocks[home];
    Operation *def = value.getDefiningOp();
    double from = def ? clock.ops[def].end : block.begin;
    // Arguments and carried values stay.
    double to = def ? from : block.end;
    uint8_t have = candidate(info.def).defs[info.def.index];
    llvm::SmallDenseMap<unsigned, std::pair<double, double>, 4> copies;
    for (const FormProblem::Slot &use : info.uses) {
      Operation *op = atHome(value, infos[use.node].op);
      if (!op)
        continue;
      const Clock::Span span = clock.ops[op];
      bool starts = isa<stablehlo::WhileOp>(op) && op == infos[use.node].op;
      double last = starts ? span.begin : span.end;
      uint8_t want = candidate(use).uses[use.index];
      to = std::max(to, want == have ? last : span.begin);
      if (want == have)
        continue;
      auto [it, isNew] = copies.try_emplace(want, span.begin, last);
      if (!isNew)
        it->second = {std::min(it->second.first, span.begin),
                      std::max(it->second.second, last)};
    }
    hold(from, to, info.costs->bytes[have]);
    for (auto &[want, span] : copies)
      hold(span.first, span.second, info.costs->bytes[want]);
  }
  // At equal positions what ends goes first.
  llvm::sort(changes);
  double now = 0, peak = 0;
  for (auto [at, bytes] : changes)
    peak = std::max(peak, now += bytes);
  return peak;
}

double FormGraph::bytesOf(llvm::ArrayRef<uint8_t> choice) {
  std::vector<float> prices;
  for (FormProblem::ValueInfo &value : problem.values) {
    prices.push_back(value.hold);
    value.hold = 0;
  }
  double cost = getCost(problem, choice);
  for (auto [value, price] : llvm::zip(problem.values, prices))
    value.hold = price;
  return cost / mesh.planner().meshCosts().fastestSecondsPerByte();
}

} // namespace shoal::propagate
