// shoal-choose: one form per op, by modelled cost over the whole function.

#include "FormGraph.h"

#include "dialects/Shoal/Sharding.h"
#include "shoal/Propagate/Passes.h"

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
      graph.writeBack(choice);
    }
  }
};

} // namespace
} // namespace shoal
