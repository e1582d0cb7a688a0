// shoal-order: see Passes.td.
#include "BlockGraph.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Schedule/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
namespace shlo = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_ORDER
#include "shoal/Schedule/Passes.h.inc"

namespace {

/// Beyond this, the order as written is taken: the search is quadratic.
constexpr size_t kMaxOps = 20000;

/// What frees memory or costs none first, then what adds least.
SmallVector<unsigned> greedy(const BlockGraph &graph) {
  SmallVector<unsigned> order, readers(graph.getNumReaders()), deps;
  SmallVector<unsigned> ready;
  for (auto [id, node] : llvm::enumerate(graph.getNodes())) {
    deps.push_back(node.numDeps);
    if (node.numDeps == 0)
      ready.push_back(id);
  }
  while (!ready.empty()) {
    auto best = ready.begin();
    int64_t bestGrowth = INT64_MAX;
    for (auto it = ready.begin(); it != ready.end(); ++it) {
      int64_t change = graph.growth(graph.getNodes()[*it], readers);
      // What frees memory or costs none goes first; else as written.
      change = std::max<int64_t>(change, 0) == 0 ? std::min<int64_t>(change, 0)
                                                 : change;
      if (change < bestGrowth || (change == bestGrowth && *it < *best)) {
        best = it;
        bestGrowth = change;
      }
    }
    unsigned id = *best;
    ready.erase(best);
    order.push_back(id);
    for (unsigned owner : graph.getNodes()[id].reads)
      --readers[owner];
    for (unsigned user : graph.getNodes()[id].users)
      if (--deps[user] == 0)
        ready.push_back(user);
  }
  return order;
}

/// Reorders the block if that lowers the modelled peak.
void improve(Block &block, const HostScalars &scalars) {
  BlockGraph graph(block, scalars);
  size_t count = graph.getNodes().size();
  if (count < 3 || count > kMaxOps)
    return;
  SmallVector<unsigned> written =
      llvm::to_vector(llvm::seq<unsigned>(0, count));
  SmallVector<unsigned> candidate = greedy(graph);
  if (candidate.size() == count &&
      graph.peakOf(candidate) < graph.peakOf(written))
    graph.apply(candidate);
}

struct Order : impl::OrderBase<Order> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      HostScalars scalars(func);
      SmallVector<Block *> blocks;
      func.walk([&](Block *block) { blocks.push_back(block); });
      for (Block *block : blocks) {
        Operation *parent = block->getParentOp();
        if (isa<func::FuncOp, shlo::WhileOp, shlo::IfOp, shlo::CaseOp>(parent))
          improve(*block, scalars);
      }
    }
  }
};
} // namespace
} // namespace shoal
