// shoal-choose: one form per op, by modelled cost over the whole function.

#include "FormGraph.h"

#include "dialects/Shoal/Sharding.h"
#include "shoal/Propagate/Passes.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_CHOOSE
#include "shoal/Propagate/Passes.h.inc"

namespace {

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
      if (search)
        propagate::improve(graph.problem, choice);
      graph.writeBack(choice);
    }
  }
};

} // namespace
} // namespace shoal
