// Cheap elementwise values that are needed again much later are computed again
// there, where all they are made of is in memory then anyway: a training step
// would keep them from its forward to its backward half.
//
// Between a value and a use of it that gets a copy lies an op that keeps them out
// of one kernel; the copy becomes part of the use's kernel.
#include "Rematerialize.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace {

class Rematerializer {
public:
  explicit Rematerializer(Block &block) : block(block) {}

  void run() {
    // Later values first: copies of them use earlier ones.
    SmallVector<Operation *> ops;
    for (Operation &op : block) {
      position[&op] = ops.size();
      ops.push_back(&op);
      barriersBefore.push_back(barriers);
      barriers += isBarrier(&op);
    }
    for (Operation *op : llvm::reverse(ops))
      if (isCheap(op))
        visit(op);
  }

private:
  /// Never in one kernel with what comes before and after.
  static bool isBarrier(Operation *op) {
    return isa<sh::DotGeneralOp, sh::ConvolutionOp, sh::WhileOp, sh::IfOp,
               sh::CaseOp, sh::SortOp, sh::CustomCallOp>(op) ||
           op->getName().getDialectNamespace() == "comm";
  }
  static int64_t elements(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.hasStaticShape() ? type.getNumElements() : 0;
  }
  /// One instruction per element.
  static bool isCheap(Operation *op) {
    constexpr int64_t worthwhile = 1024;
    return isa<sh::AddOp, sh::SubtractOp, sh::MulOp, sh::MaxOp, sh::MinOp,
               sh::NegOp, sh::AbsOp, sh::AndOp, sh::OrOp, sh::NotOp,
               sh::CompareOp, sh::SelectOp, sh::ConvertOp>(op) &&
           elements(op->getResult(0)) >= worthwhile;
  }
  /// An op that its operands' copies can be computed in.
  static bool isFusible(Operation *op) {
    return isCheap(op) || isa<sh::DivOp, sh::ReduceOp, sh::BroadcastInDimOp,
                              sh::ExpOp, sh::TanhOp, sh::RsqrtOp, sh::SqrtOp,
                              sh::LogOp, sh::LogisticOp>(op);
  }
  /// What a broadcast reads; a constant, if that is it.
  static Value source(Value value) {
    while (auto broadcast = value.getDefiningOp<sh::BroadcastInDimOp>())
      value = broadcast.getOperand();
    return value;
  }
  int64_t lastUse(Value value) {
    int64_t last = -1;
    for (Operation *user : value.getUsers())
      if (Operation *top = block.findAncestorOpInBlock(*user))
        if (auto it = position.find(top); it != position.end())
          last = std::max(last, it->second);
    return last;
  }

  /// True if the operand costs no memory at that position: constant, small, or
  /// there anyway.
  bool isThere(Operation *op, Value operand, int64_t when) {
    Value from = source(operand);
    if (from.getDefiningOp<sh::ConstantOp>())
      return true;
    if (from.getParentBlock() != &block)
      return false;
    if (elements(from) <= elements(op->getResult(0)) / 16)
      return true;
    return lastUse(from) >= when;
  }

  void visit(Operation *op) {
    Value value = op->getResult(0);
    int64_t home = position.lookup(op);
    // Uses that need it in memory: until the last of them it is there.
    int64_t inMemory = -1;
    SmallVector<OpOperand *> far;
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      auto it = position.find(user);
      bool isFar = it != position.end() &&
                   barriersBefore[it->second] > barriersBefore[home];
      if (isFar && isFusible(user)) {
        far.push_back(&use);
        continue;
      }
      Operation *top = block.findAncestorOpInBlock(*user);
      auto at = top ? position.find(top) : position.end();
      // A copy that was made for a later value.
      if (it == position.end() && at == position.end())
        return;
      if (at != position.end())
        inMemory = std::max(inMemory, at->second);
    }
    llvm::DenseMap<Operation *, Value> copies;
    for (OpOperand *use : far) {
      Operation *user = use->getOwner();
      int64_t when = position.lookup(user);
      if (when <= inMemory ||
          !llvm::all_of(op->getOperands(), [&](Value operand) {
            return isThere(op, operand, when);
          }))
        continue;
      Value &copy = copies[user];
      if (!copy) {
        OpBuilder builder(user);
        IRMapping mapping;
        // Broadcasts of small values go along.
        for (Value operand : op->getOperands())
          cloneBroadcasts(operand, builder, mapping);
        Operation *clone = builder.clone(*op, mapping);
        copy = clone->getResult(0);
      }
      use->set(copy);
    }
  }

  static void cloneBroadcasts(Value value, OpBuilder &builder,
                              IRMapping &mapping) {
    auto broadcast = value.getDefiningOp<sh::BroadcastInDimOp>();
    if (!broadcast || mapping.contains(value))
      return;
    cloneBroadcasts(broadcast.getOperand(), builder, mapping);
    builder.clone(*broadcast, mapping);
  }

  Block &block;
  llvm::DenseMap<Operation *, int64_t> position;
  SmallVector<int64_t> barriersBefore;
  int64_t barriers = 0;
};

} // namespace

void shoal::rematerialize(Block &block) { Rematerializer(block).run(); }
