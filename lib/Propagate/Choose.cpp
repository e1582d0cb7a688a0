// shoal-choose: one form per op, by modelled cost over the whole function.

#include "FormGraph.h"

#include "dialects/Shoal/Sharding.h"
#include "shoal/Propagate/Passes.h"
#include "llvm/Support/FormatVariadic.h"

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
    auto text = [](double bytes) {
      return llvm::formatv("{0:F1} MB", bytes / 1e6).str();
    };
    InFlightDiagnostic remark = func.emitRemark();
    if (least < before) {
      remark << "to hold about " << text(least) << " a device instead of "
             << text(before) << " (the limit is " << text(limit)
             << "), forms were chosen that cost as much as "
             << text(graph.bytesOf(best) - graph.bytesOf(choice))
             << " more sent";
      choice = best;
    } else {
      remark << "about " << text(before) << " a device are held at once, more "
             << "than the limit of " << text(limit)
             << "; no other choice of forms needs less";
    }
  }

  void runOnOperation() override {
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
      else if (search)
        propagate::improve(graph.problem, choice);
      if (search && memoryLimit)
        keepWithin(func, graph, choice);
      graph.writeBack(choice);
    }
  }
};

} // namespace
} // namespace shoal
