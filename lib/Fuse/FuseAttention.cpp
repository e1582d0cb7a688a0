// shoal-fuse-attention: see include/shoal/Fuse/Passes.td.

#include "shoal/Fuse/Passes.h"

#include "dialects/Plan/Plan.h"
#include "dialects/StableHLO/StableHLO.h"
#include "dialects/Tile/Tile.h"
#include "shoal/Analysis/OpTraits.h"
#include "shoal/Codegen/GPU/Contraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/SetVector.h"

namespace shoal {
#define GEN_PASS_DEF_FUSEATTENTION
#include "shoal/Fuse/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

namespace {
/// Ops that change elements one by one or move them.
bool isMove(Operation *op) {
  return isa<sh::TransposeOp, sh::ReshapeOp, sh::BroadcastInDimOp,
             sh::ConvertOp>(op);
}
bool isElementwise(Operation *op) {
  return classify(op) == OpClass::Elementwise;
}
bool isOnTheWay(Operation *op) {
  return isMove(op) || isElementwise(op) || isa<sh::ReduceOp>(op);
}

/// Two products with a softmax between them, in one block.
class Candidate {
public:
  explicit Candidate(sh::DotGeneralOp last)
      : last(last), block(last->getBlock()) {}

  /// Finds the ops; false if there is no such pattern, or others need what it
  /// would no longer put into memory.
  bool find();
  /// All ops in program order; the values that they need.
  SmallVector<Operation *> ops;
  llvm::SetVector<Value> inputs;

private:
  bool findFirst(Value value);
  bool dependsOnFirst(Operation *op);
  bool addCheap(Value value, unsigned depth);

  sh::DotGeneralOp last, first;
  Block *block;
  llvm::SetVector<Operation *> path;  // from the first product to the last
  llvm::SetVector<Operation *> extra; // cheap ones beside it, copied
  llvm::DenseMap<Operation *, bool> depends;
  static constexpr unsigned mostOps = 64;
};
} // namespace

/// Walks back from an operand of the last product to the first one.
bool Candidate::findFirst(Value value) {
  SmallVector<Value> work{value};
  llvm::DenseSet<Operation *> seen;
  while (!work.empty()) {
    Operation *op = work.pop_back_val().getDefiningOp();
    if (!op || op->getBlock() != block || !seen.insert(op).second)
      continue;
    if (seen.size() > mostOps)
      return false;
    if (auto dot = dyn_cast<sh::DotGeneralOp>(op)) {
      if (first && first != dot)
        return false;
      first = dot;
      continue;
    }
    if (isOnTheWay(op))
      llvm::append_range(work, op->getOperands());
  }
  return first != nullptr;
}

bool Candidate::dependsOnFirst(Operation *op) {
  if (op == first)
    return true;
  if (!op || op->getBlock() != block || !isOnTheWay(op) ||
      op->isBeforeInBlock(first))
    return false;
  auto [it, isNew] = depends.try_emplace(op, false);
  if (!isNew)
    return it->second;
  bool result = llvm::any_of(op->getOperands(), [&](Value operand) {
    return dependsOnFirst(operand.getDefiningOp());
  });
  return depends[op] = result;
}

/// Copies what is computed from little (masks, scales) into the kernel. True if
/// the value needs no input.
bool Candidate::addCheap(Value value, unsigned depth) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != block || depth > 12)
    return false;
  if (extra.contains(op))
    return true;
  if (auto constant = dyn_cast<sh::ConstantOp>(op)) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (!dense || !dense.isSplat())
      return false;
    extra.insert(op);
    return true;
  }
  bool small = isa<sh::IotaOp>(op) || isa<sh::BroadcastInDimOp>(op) ||
               (isElementwise(op) && op->getNumOperands() > 0);
  // Elementwise ops only of values that need no memory themselves; a broadcast
  // of anything.
  if (!small)
    return false;
  if (!isa<sh::BroadcastInDimOp>(op)) {
    auto before = extra;
    for (Value operand : op->getOperands())
      if (!addCheap(operand, depth + 1)) {
        extra = before;
        return false;
      }
  } else if (!addCheap(op->getOperand(0), depth + 1)) {
    inputs.insert(op->getOperand(0));
  }
  extra.insert(op);
  return true;
}

bool Candidate::find() {
  for (Value operand : {last.getLhs(), last.getRhs()}) {
    first = nullptr;
    if (!findFirst(operand))
      continue;
    break;
  }
  if (!first)
    return false;
  // Everything between the two, in order, with no other users.
  bool hasExponential = false, hasReduce = false;
  path.insert(first);
  for (Operation *op = first->getNextNode(); op && op != last;
       op = op->getNextNode())
    if (dependsOnFirst(op)) {
      path.insert(op);
      hasExponential |= isa<sh::ExpOp>(op);
      hasReduce |= isa<sh::ReduceOp>(op);
    }
  if (!hasExponential || !hasReduce || path.size() > mostOps)
    return false;
  for (Operation *op : path)
    for (Operation *user : op->getUsers()) {
      Operation *top = block->findAncestorOpInBlock(*user);
      if (top != user || (user != last && !path.contains(user)))
        return false;
    }
  // Operands of the products, as they were before they were moved.
  auto addMoves = [&](Value value) {
    SmallVector<Operation *> moves;
    while (Operation *op = value.getDefiningOp()) {
      if (op->getBlock() != block || !isMove(op) || path.contains(op))
        break;
      moves.push_back(op);
      value = op->getOperand(0);
    }
    for (Operation *op : llvm::reverse(moves))
      extra.insert(op);
    if (!value.getDefiningOp() || !path.contains(value.getDefiningOp()))
      inputs.insert(value);
  };
  addMoves(first.getLhs());
  addMoves(first.getRhs());
  for (Value operand : {last.getLhs(), last.getRhs()})
    if (!path.contains(operand.getDefiningOp()))
      addMoves(operand);
  for (Operation *op : path) {
    if (op == first)
      continue;
    for (Value operand : op->getOperands())
      if (!path.contains(operand.getDefiningOp()) && !addCheap(operand, 0))
        inputs.insert(operand);
  }
  path.insert(last);
  ops.append(extra.begin(), extra.end());
  llvm::append_range(ops, path);
  llvm::sort(ops,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  ops.erase(std::unique(ops.begin(), ops.end()), ops.end());
  // Inputs that turned out to be copied later.
  SmallVector<Value> outside;
  for (Value input : inputs)
    if (!input.getDefiningOp() ||
        !llvm::is_contained(ops, input.getDefiningOp()))
      outside.push_back(input);
  inputs = llvm::SetVector<Value>(outside.begin(), outside.end());
  constexpr size_t mostInputs = 16;
  return inputs.size() <= mostInputs;
}

namespace {
class FuseAttentionPass
    : public shoal::impl::FuseAttentionBase<FuseAttentionPass> {
public:
  using FuseAttentionBase::FuseAttentionBase;

  void runOnOperation() override {
    SmallVector<sh::DotGeneralOp> products;
    for (auto function : getOperation().getOps<FunctionOpInterface>())
      if (!isa<plan::KernelOp>(*function))
        function.walk([&](sh::DotGeneralOp dot) { products.push_back(dot); });
    // The last first: a product in between belongs to the pattern after it.
    llvm::DenseSet<Operation *> gone;
    for (sh::DotGeneralOp dot : llvm::reverse(products)) {
      if (gone.contains(dot))
        continue;
      Candidate candidate(dot);
      if (!candidate.find())
        continue;
      if (plan::KernelOp kernel = outline(candidate, dot))
        replace(candidate, dot, kernel, gone);
    }
  }

private:
  unsigned count = 0;

  /// The kernel, if code can be made for it.
  plan::KernelOp outline(Candidate &candidate, sh::DotGeneralOp last) {
    ModuleOp module = getOperation();
    SmallVector<Type> inputTypes;
    for (Value input : candidate.inputs)
      inputTypes.push_back(input.getType());
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto kernel = plan::KernelOp::create(
        builder, last.getLoc(), ("attention_" + Twine(count)).str(),
        builder.getFunctionType(inputTypes, last.getType()));
    Block &body = kernel.getBody().front();
    IRMapping map;
    map.map(candidate.inputs.getArrayRef(), body.getArguments());
    builder.setInsertionPointToStart(&body);
    for (Operation *op : candidate.ops) {
      Operation *copy = builder.clone(*op, map);
      // Notes of earlier phases would keep equal kernels apart.
      for (NamedAttribute note : llvm::to_vector(copy->getDiscardableAttrs()))
        copy->removeDiscardableAttr(note.getName());
    }
    plan::YieldOp::create(builder, last.getLoc(), map.lookup(last.getResult()));
    kernel.setStrategy("attention");

    OwningOpRef<ModuleOp> trial = ModuleOp::create(last.getLoc());
    TileSource source;
    source.symbol = "trial";
    source.body = &kernel.getBody();
    if (makeAttentionFuncs(source, TileTarget(), *trial).empty()) {
      kernel.erase();
      return {};
    }
    ++count;
    return kernel;
  }

  void replace(Candidate &candidate, sh::DotGeneralOp last,
               plan::KernelOp kernel, llvm::DenseSet<Operation *> &gone) {
    OpBuilder builder(last);
    auto launch = plan::LaunchOp::create(
        builder, last.getLoc(), last->getResultTypes(),
        FlatSymbolRefAttr::get(&getContext(), kernel.getSymName()),
        candidate.inputs.getArrayRef());
    last->replaceAllUsesWith(launch.getResults());
    for (Operation *op : llvm::reverse(candidate.ops))
      if (op->use_empty()) {
        gone.insert(op);
        op->erase();
      }
  }
};
} // namespace
