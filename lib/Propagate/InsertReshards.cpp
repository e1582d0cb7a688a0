// shoal-insert-reshards: a shoal.reshard wherever a value's sharding differs
// from what the form of a use wants.

#include "FormGraph.h"
#include "PropagationGraph.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/ShardedView.h"
#include "shoal/Propagate/Passes.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_INSERTRESHARDS
#include "shoal/Propagate/Passes.h.inc"

namespace {

using propagate::isCheapToCopy;

class Inserter {
public:
  Inserter(func::FuncOp func, MeshModel &mesh)
      : func(func), mesh(mesh), view(mesh) {}

  void run() {
    // Uses before makers: a copy of a cheap op wants its own operands so.
    SmallVector<Operation *> cheap;
    func.walk<WalkOrder::PostOrder>([&](Operation *op) {
      // Scalar bodies of reductions, comparators and the like have no shardings.
      if (op->getNumResults() == 1 && isCheapToCopy(op->getResult(0)) &&
          descends(op->getParentOp()))
        cheap.push_back(op);
    });
    for (Operation *op : llvm::reverse(cheap))
      copyPerUse(op);

    SmallVector<Value> values;
    for (BlockArgument arg : func.getArguments())
      values.push_back(arg);
    func.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op == func)
        return WalkResult::advance();
      if (!descends(op))
        for (Region &region : op->getRegions())
          (void)region; // scalar bodies of reductions and the like
      values.append(op->result_begin(), op->result_end());
      if (op->getNumRegions() && !descends(op))
        return WalkResult::skip();
      for (Region &region : op->getRegions())
        for (BlockArgument arg : region.getArguments())
          values.push_back(arg);
      return WalkResult::advance();
    });
    for (Value value : values)
      if (isa<RankedTensorType>(value.getType()))
        insertFor(value);
  }

private:
  static bool descends(Operation *op) {
    return isa<func::FuncOp, stablehlo::WhileOp, stablehlo::IfOp,
               stablehlo::CaseOp, ManualOp>(op);
  }

  const OpModel *getModel(Operation *op) {
    auto [it, isNew] = models.try_emplace(op, nullptr);
    if (isNew)
      if (std::optional<OpModel> model = OpModel::get(op, mesh))
        it->second = std::make_unique<OpModel>(std::move(*model));
    return it->second.get();
  }

  PlacementState have(Value value) const { return view.stateOf(value); }
  PlacementState want(OpOperand &use) const {
    std::optional<PlacementState> state = view.required(use);
    return state ? *state : have(use.get());
  }

  /// Gives a cheap op the form that makes its result as `state`.
  bool adopt(Operation *op, const PlacementState &state) {
    const OpModel *model = getModel(op);
    if (!model)
      return false;
    OpForm form = model->replicated();
    model->extend(form, op->getNumOperands(), state);
    if (!model->isValid(form) || model->placement(form, op->getNumOperands()) != state)
      return false;
    op->setAttr(ShoalDialect::kFormAttr, model->toAttr(form));
    setShardings(op, mesh.toSharding(state, shapeOf(op->getResult(0).getType())));
    return true;
  }

  void copyPerUse(Operation *op) {
    SmallVector<std::pair<PlacementState, Operation *>> copies;
    bool ownTaken = false;
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      PlacementState state = want(use);
      auto it = llvm::find_if(copies, [&](auto &c) { return c.first == state; });
      if (it == copies.end()) {
        Operation *copy = op;
        if (ownTaken) {
          copy = op->clone();
          op->getBlock()->getOperations().insert(std::next(op->getIterator()), copy);
        }
        if (!adopt(copy, state)) {
          // No form of the op gives this; it is made whole and cut.
          PlacementState whole =
              PlacementState::replicated(shapeOf(op->getResult(0).getType()));
          adopt(copy, whole);
        }
        ownTaken = true;
        copies.push_back({state, copy});
        it = std::prev(copies.end());
      }
      use.set(it->second->getResult(0));
    }
    if (!ownTaken)
      adopt(op, PlacementState::replicated(shapeOf(op->getResult(0).getType())));
  }

  void insertFor(Value value) {
    struct Copy {
      PlacementState state;
      SmallVector<OpOperand *> uses;
      Value made;
      Operation *before = nullptr;
    };
    PlacementState own = have(value);
    std::vector<Copy> copies;
    copies.push_back({own, {}, value, nullptr});
    for (OpOperand &use : value.getUses()) {
      PlacementState state = want(use);
      auto it = llvm::find_if(copies, [&](Copy &c) { return c.state == state; });
      if (it == copies.end()) {
        copies.push_back({state, {}, {}, nullptr});
        it = std::prev(copies.end());
      }
      it->uses.push_back(&use);
    }
    if (copies.size() == 1)
      return;

    auto type = cast<RankedTensorType>(value.getType());
    propagate::MoveCosts costs;
    costs.size = copies.size();
    costs.table.assign(costs.size * costs.size, -1.0f);
    costs.compute = [&](size_t from, size_t to) {
      return float(mesh.planner()
                       .plan(copies[from].state, copies[to].state,
                             type.getShape(), elementBytesOf(type))
                       .time);
    };
    SmallVector<uint8_t> wanted;
    for (size_t i = 1; i < copies.size(); ++i) {
      wanted.push_back(i);
      for (OpOperand *use : copies[i].uses) {
        Operation *at = value.getParentBlock()->findAncestorOpInBlock(*use->getOwner());
        if (!copies[i].before || at->isBeforeInBlock(copies[i].before))
          copies[i].before = at;
      }
    }
    propagate::CopyTree tree = propagate::planCopies(costs, 0, wanted);
    // A copy is made before whatever is made from it.
    for (auto [from, to] : llvm::reverse(tree.moves))
      if (from != 0 && copies[to].before->isBeforeInBlock(copies[from].before))
        copies[from].before = copies[to].before;
    for (auto [from, to] : tree.moves) {
      Copy &copy = copies[to];
      OpBuilder builder(copy.before);
      Operation *user = copy.uses.front()->getOwner();
      auto reshard = ReshardOp::create(
          builder, user->getLoc(), copies[from].made,
          mesh.toSharding(copy.state, type.getShape()));
      reshard->setAttr("shoal.reason", builder.getStringAttr(
                           getReason(*copy.uses.front(), value, copies[from].state,
                                     copy.state)));
      copy.made = reshard.getResult();
      for (OpOperand *use : copy.uses)
        use->set(copy.made);
    }
  }

  /// For people: what made the value as it is, and who wants it otherwise.
  std::string getReason(OpOperand &use, Value value, const PlacementState &from,
                        const PlacementState &to) {
    std::string reason;
    if (AtomSet reduced = from.partial & ~to.partial) {
      Operation *maker = value.getDefiningOp();
      reason = "partial over " + axesToString(mesh.toAxes(reduced)) + ", made by " +
               (maker ? maker->getName().getStringRef().str() : "a region argument") +
               "; wanted whole by ";
    } else {
      reason = "wanted in another sharding by ";
    }
    Operation *op = use.getOwner();
    std::string i = std::to_string(use.getOperandNumber());
    if (isa<ConstraintOp>(op))
      return reason + "a sharding constraint";
    if (isa<func::ReturnOp>(op))
      return reason + "the function's result " + i;
    if (op->hasTrait<OpTrait::IsTerminator>())
      return reason + "carried value " + i + " of " +
             op->getParentOp()->getName().getStringRef().str();
    return reason + op->getName().getStringRef().str() + ", operand " + i;
  }

  func::FuncOp func;
  MeshModel &mesh;
  ShardedView view;
  DenseMap<Operation *, std::unique_ptr<OpModel>> models;
};

struct InsertReshardsPass : impl::InsertReshardsBase<InsertReshardsPass> {
  void runOnOperation() override {
    std::unique_ptr<MeshModel> mesh = MeshModel::create(getOperation());
    if (!mesh)
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal())
        Inserter(func, *mesh).run();
  }
};

} // namespace
} // namespace shoal
