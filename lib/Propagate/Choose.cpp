// shoal-choose: one form per op, by modelled cost over the whole function.

#include "FormGraph.h"
#include "SubAxes.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/Shoal.h"
#include "shoal/Propagate/Passes.h"
#include "shoal/Support/Bytes.h"

#include <cstdlib>
#include <random>

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_CHOOSE
#include "shoal/Propagate/Passes.h.inc"

namespace {

/// For tests: some candidate of every node, whatever it costs. All are right.
void takeAnyForms(propagate::FormProblem &problem, std::vector<uint8_t> &choice,
                  uint32_t seed) {
  std::mt19937 random(seed);
  for (size_t n = 0; n < problem.nodes.size(); ++n)
    if (problem.nodes[n].free() && random() % 4)
      choice[n] = random() % problem.nodes[n].candidates.size();
}

/// Blocks inside a manual region lie in the region's part of a dimension, those
/// outside in the whole of it. Where free axes do not divide that part these
/// are different blocks, so such axes do not cross the boundary.
void keepBlocksAcross(ManualOp manual) {
  auto keep = [&](ShardingPerValueAttr all, ValueRange inside) {
    SmallVector<ShardingAttr> shardings(all.getShardings());
    for (auto [sharding, value] : llvm::zip_equal(shardings, inside)) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      MeshAttr mesh = sharding.getMesh(manual);
      if (!type || !mesh || sharding.getRank() != type.getRank())
        continue;
      SmallVector<DimShardingAttr> dims(sharding.getDims());
      for (auto [dim, size] : llvm::zip_equal(dims, type.getShape())) {
        AxisList axes(dim.getAxes());
        bool cut = llvm::any_of(axes, [&](AxisRefAttr axis) {
          return manual.isManualAxis(axis.getName());
        });
        auto parts = [&] {
          int64_t n = 1;
          for (AxisRefAttr axis : axes)
            if (!manual.isManualAxis(axis.getName()))
              n *= axis.getSize(mesh);
          return n;
        };
        while (cut && size % parts())
          axes.pop_back(); // (Manual axes are major.)
        if (axes.size() != dim.getAxes().size())
          dim = dim.withAxes(axes);
      }
      sharding = ShardingAttr::get(
          sharding.getMeshOrRef(), dims, sharding.getReplicated(),
          sharding.getPartialKind(), sharding.getPartialAxes());
    }
    return ShardingPerValueAttr::get(manual.getContext(), shardings);
  };
  manual.setInShardingsAttr(
      keep(manual.getInShardings(), manual.getBody().getArguments()));
  manual.setOutShardingsAttr(
      keep(manual.getOutShardings(), manual.getReturn()->getOperands()));
}

struct ChoosePass : impl::ChooseBase<ChoosePass> {
  using ChooseBase::ChooseBase;

  /// Raises the price of memory until the choice keeps the limit; says what
  /// that costs, or that nothing does it.
  void keepWithin(func::FuncOp func, propagate::FormGraph &graph,
                  std::vector<uint8_t> &choice) {
    double before = graph.peakBytes(choice), limit = double(memoryLimit);
    if (before <= limit)
      return;
    std::vector<uint8_t> best = choice, now = choice;
    double least = before;
    // From a fraction of a byte sent per byte held to a few hundred: as many
    // as the iterations of a loop that would move it every time.
    for (double price : {0.25, 1.0, 4.0, 16.0, 256.0}) {
      graph.setMemoryPrice(price);
      propagate::improve(graph.problem, now);
      double peak = graph.peakBytes(now);
      if (peak < least) {
        least = peak;
        best = now;
      }
      if (peak <= limit)
        break;
    }
    InFlightDiagnostic remark = func.emitRemark();
    if (least < before) {
      remark << "to hold about " << bytesText(least) << " a device instead of "
             << bytesText(before) << " (the limit is " << bytesText(limit)
             << "), forms were chosen that cost as much as "
             << bytesText(graph.bytesOf(best) - graph.bytesOf(choice))
             << " more sent";
      choice = best;
    } else {
      remark << "about " << bytesText(before)
             << " a device are held at once, more "
             << "than the limit of " << bytesText(limit)
             << "; no other choice of forms needs less";
    }
  }

  /// Without a limit, what propagation's own forms would hold is the measure:
  /// who sharded weights to save memory did not ask for all of them to be
  /// gathered at once. A choice that holds more is searched again at prices at
  /// which gathering a second time, for the backward pass, pays; from the
  /// choice and from propagation's forms. Taken is what saves a larger part of
  /// the memory than it adds to the cost.
  static void holdNoMore(propagate::FormGraph &graph,
                         std::vector<uint8_t> &choice) {
    double peak = graph.peakBytes(choice), cost = graph.bytesOf(choice);
    const double enough = graph.peakBytes(graph.initial);
    const std::vector<uint8_t> first = choice;
    for (auto [start, price] :
         {std::pair(&first, 0.5), {&graph.initial, 0.7}}) {
      if (peak <= enough)
        break;
      std::vector<uint8_t> now = *start;
      graph.setMemoryPrice(price);
      propagate::improve(graph.problem, now);
      double newPeak = graph.peakBytes(now), newCost = graph.bytesOf(now);
      if (newPeak >= peak || newPeak * newCost >= peak * cost)
        continue;
      peak = newPeak;
      cost = newCost;
      choice = now;
    }
    graph.setMemoryPrice(0);
  }

  void runOnOperation() override {
    propagate::settleSubAxes(getOperation());
    getOperation().walk(keepBlocksAcross);
    std::unique_ptr<MeshModel> mesh = MeshModel::create(getOperation());
    if (!mesh)
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      propagate::FormGraph graph(func, *mesh);
      std::vector<uint8_t> choice = graph.initial;
      if (const char *seed = std::getenv("SHOAL_TEST_FORMS"))
        takeAnyForms(graph.problem, choice, std::strtoul(seed, nullptr, 10));
      else if (search) {
        propagate::improve(graph.problem, choice);
        holdNoMore(graph, choice);
      }
      if (search && memoryLimit)
        keepWithin(func, graph, choice);
      graph.writeBack(choice);
    }
  }
};

} // namespace
} // namespace shoal
