// shoal-split-all-reduces: see Passes.td.
#include "GroupAxes.h"
#include "ShardAlongIndex.h"
#include "UniformValues.h"
#include "shoal/Analysis/HostScalars.h"
#include "shoal/Analysis/Remarks.h"
#include "shoal/Collectives/Passes.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using shoal::comm::AllReduceOp;
using shoal::comm::GroupsAttr;

namespace shoal {
#define GEN_PASS_DEF_SPLITALLREDUCES
#include "shoal/Collectives/Passes.h.inc"

namespace {

struct SplitAllReduces : impl::SplitAllReducesBase<SplitAllReduces> {
  using SplitAllReducesBase::SplitAllReducesBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    Prices prices(*machine);
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      llvm::SetVector<Attribute> groups;
      func.walk([&](AllReduceOp op) {
        if (!op.getGroups().isTable() && op.getGroups().getGroupSize(op) > 1)
          groups.insert(op.getGroups());
      });
      SmallVector<StringRef> wanted;
      StringRef(this->groups).split(wanted, ',');
      for (Attribute group : groups)
        if (auto attr = cast<GroupsAttr>(group);
            this->groups == "*" ||
            llvm::is_contained(wanted, nameOfGroups(attr)))
          split(func, attr, prices);
    }
  }

  void split(func::FuncOp func, GroupsAttr groups, Prices &prices) {
    UniformValues uniform(func, groups);
    IndexClasses classes = shardableClasses(func, groups, uniform);
    ShardPlan plan = choosePlan(func, groups, classes, uniform, prices, always);
    if (plan.sources.empty())
      return;
    Operation *first = plan.sources.front().first;
    unsigned halves = 0;
    for (auto [op, dim] : plan.sources)
      halves += isa<AllReduceOp>(op);
    remarkGain(remarks, first,
               Twine(halves) +
                   " all_reduces leave shards, which are gathered where they "
                   "are needed whole: what is between is computed on shards",
               plan.before, plan.after);
    shardAlongIndex(func, plan, classes);
  }
};

} // namespace

SmallVector<std::string> allReduceGroups(ModuleOp module) {
  llvm::MapVector<StringAttr, int64_t> bytes;
  module.walk([&](AllReduceOp op) {
    int64_t n = op.getGroups().getGroupSize(op);
    if (op.getGroups().isTable() || n < 2 ||
        llvm::none_of(op.getType().getShape(),
                      [&](int64_t size) { return size >= n; }))
      return;
    int64_t times = 1;
    for (Operation *parent = op->getParentOp(); parent;
         parent = parent->getParentOp())
      if (auto loop = dyn_cast<stablehlo::WhileOp>(parent))
        if (auto counted = matchCountedLoop(loop))
          times *= std::max<int64_t>(counted->tripCount.value_or(1), 1);
    bytes[StringAttr::get(op.getContext(), nameOfGroups(op.getGroups()))] +=
        times * op.getBytesSentPerDevice();
  });
  SmallVector<std::pair<int64_t, StringAttr>> list;
  for (auto [name, sent] : bytes)
    list.push_back({sent, name});
  llvm::stable_sort(
      list, [](const auto &a, const auto &b) { return a.first > b.first; });
  return llvm::map_to_vector(
      list, [](const auto &each) { return each.second.str(); });
}

} // namespace shoal
