// Scalar bodies take everything they use as arguments or hold it themselves.
#include "shoal/Import/Passes.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

namespace shoal {
#define GEN_PASS_DEF_ISOLATEBODIESPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace mlir::stablehlo;

/// Whether the regions of `op` compute with scalars, element by element.
static bool hasScalarBodies(Operation *op) {
  return isa<ReduceOp, ReduceWindowOp, SelectAndScatterOp, ScatterOp, SortOp,
             MapOp, AllReduceOp, ReduceScatterOp>(op);
}

static void findCaptures(Operation *op, SetVector<Value> &captures) {
  op->walk([&](Operation *nested) {
    if (nested == op)
      return;
    for (Value operand : nested->getOperands())
      if (!op->isAncestor(operand.getParentBlock()->getParentOp()))
        captures.insert(operand);
  });
}

static void replaceInside(Operation *op, Value value, Value inner) {
  value.replaceUsesWithIf(inner, [&](OpOperand &use) {
    return use.getOwner() != op && op->isAncestor(use.getOwner());
  });
}

/// Whether `value` follows from constants by a few operations, which are added
/// to `ops` in order.
static bool isComputedFromConstants(Value value, SetVector<Operation *> &ops) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumRegions() || !isPure(op) || ops.size() > 32)
    return false;
  if (ops.contains(op))
    return true;
  for (Value operand : op->getOperands())
    if (!isComputedFromConstants(operand, ops))
      return false;
  ops.insert(op);
  return true;
}

/// Repeats what a captured constant is made of at the beginning of each region.
static void sinkConstants(Operation *op, ArrayRef<Operation *> ops) {
  for (Region &region : op->getRegions()) {
    OpBuilder builder(&region.front(), region.front().begin());
    IRMapping mapping;
    for (Operation *constant : ops) {
      Operation *copy = builder.clone(*constant, mapping);
      for (auto [from, to] :
           llvm::zip(constant->getResults(), copy->getResults()))
        from.replaceUsesWithIf(to, [&](OpOperand &use) {
          return use.getOwner() != copy &&
                 region.isAncestor(use.getOwner()->getParentRegion());
        });
    }
    for (Operation *constant : llvm::reverse(ops))
      if (Operation *copy =
              mapping.lookup(constant->getResult(0)).getDefiningOp();
          copy->use_empty())
        copy->erase();
  }
}

/// Moves out what a body computes from captured tensors alone: the same for
/// all elements, it comes back as scalars, if it is used as such.
static void hoistFromTensors(Operation *op) {
  auto isOutside = [&](Value value) {
    return !op->isAncestor(value.getParentBlock()->getParentOp());
  };
  auto isTensor = [](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return !type || type.getRank() > 0;
  };
  for (Region &region : op->getRegions())
    for (Operation &inner :
         llvm::make_early_inc_range(region.front().without_terminator())) {
      SmallVector<Value> used(inner.getOperands());
      inner.walk([&](Operation *nested) {
        for (Value operand : nested->getOperands())
          if (!inner.isAncestor(operand.getParentBlock()->getParentOp()))
            used.push_back(operand);
      });
      // (Constants among the operands may stand inside: they follow.)
      if (!isPure(&inner) || llvm::none_of(used, [&](Value value) {
            return isOutside(value) && isTensor(value);
          }))
        continue;
      SetVector<Operation *> moved;
      if (llvm::all_of(used, [&](Value value) {
            return isOutside(value) || isComputedFromConstants(value, moved);
          })) {
        for (Operation *constant : moved)
          if (op->isProperAncestor(constant))
            constant->moveBefore(op);
        inner.moveBefore(op);
      }
    }
}

static Value repeat(OpBuilder &builder, Location loc, Value scalar,
                    Type likeType) {
  auto type = RankedTensorType::get(
      cast<RankedTensorType>(likeType).getShape(),
      cast<RankedTensorType>(scalar.getType()).getElementType());
  if (type == scalar.getType())
    return scalar;
  return BroadcastInDimOp::create(builder, loc, type, scalar,
                                  builder.getDenseI64ArrayAttr({}));
}

/// Makes a captured scalar one more operand, the same for all elements. The
/// body hands it on where operands have results.
static LogicalResult addOperand(Operation *op, Value capture) {
  auto scalar = dyn_cast<RankedTensorType>(capture.getType());
  if (!scalar || scalar.getRank() != 0 ||
      !isa<ReduceOp, ReduceWindowOp, ScatterOp, SortOp, MapOp>(op)) {
    InFlightDiagnostic diagnostic =
        op->emitError("its body uses a value from outside that is not a ")
        << (scalar && scalar.getRank() == 0 ? "constant; compute it inside"
                                            : "scalar; pass its elements as "
                                              "operands");
    diagnostic.attachNote(capture.getLoc()) << "the value is made here";
    return diagnostic;
  }
  OpBuilder builder(op);
  Location loc = op->getLoc();
  Block &body = op->getRegion(0).front();
  Operation *yield = body.getTerminator();
  // Operands and body arguments come in groups: (accumulators, elements),
  // (inputs, updates), or one only. Sort has pairs of arguments.
  SmallVector<Value> operands;
  SmallVector<Type> types(op->getResultTypes());
  Type element = scalar.getElementType();
  auto reduced = [&](Type like) {
    return RankedTensorType::get(cast<RankedTensorType>(like).getShape(),
                                 element);
  };
  Value inner;
  llvm::TypeSwitch<Operation *>(op)
      .Case<ReduceOp, ReduceWindowOp>([&](auto reduce) {
        unsigned n = reduce.getInputs().size();
        llvm::append_range(operands, reduce.getInputs());
        operands.push_back(
            repeat(builder, loc, capture, reduce.getInputs()[0].getType()));
        llvm::append_range(operands, reduce.getInitValues());
        operands.push_back(capture);
        types.push_back(reduced(types.front()));
        inner = body.insertArgument(n, scalar, loc);
        body.addArgument(scalar, loc);
      })
      .Case([&](ScatterOp scatter) {
        unsigned n = scatter.getInputs().size();
        llvm::append_range(operands, scatter.getInputs());
        operands.push_back(
            repeat(builder, loc, capture, scatter.getInputs()[0].getType()));
        operands.push_back(scatter.getScatterIndices());
        llvm::append_range(operands, scatter.getUpdates());
        operands.push_back(
            repeat(builder, loc, capture, scatter.getUpdates()[0].getType()));
        types.push_back(reduced(types.front()));
        inner = body.insertArgument(n, scalar, loc);
        body.addArgument(scalar, loc);
      })
      .Case([&](SortOp sort) {
        llvm::append_range(operands, sort.getInputs());
        operands.push_back(
            repeat(builder, loc, capture, sort.getInputs()[0].getType()));
        types.push_back(reduced(types.front()));
        inner = body.addArgument(scalar, loc);
        body.addArgument(scalar, loc);
      })
      .Case([&](MapOp map) {
        llvm::append_range(operands, map.getInputs());
        operands.push_back(
            repeat(builder, loc, capture, map.getInputs()[0].getType()));
        inner = body.addArgument(scalar, loc);
      });
  OperationState state(loc, op->getName(), operands, types,
                       op->getDiscardableAttrDictionary().getValue());
  for (Region &region : op->getRegions())
    state.addRegion()->takeBody(region);
  Operation *made = Operation::create(state);
  made->copyProperties(op->getPropertiesStorage());
  builder.insert(made);
  replaceInside(made, capture, inner);
  if (made->getNumResults() > op->getNumResults() && !isa<SortOp>(made))
    yield->insertOperands(yield->getNumOperands(), inner);
  op->replaceAllUsesWith(made->getResults().take_front(op->getNumResults()));
  op->erase();
  return success();
}

/// Handles one capture of `op`; sets `found` if there was one. `op` may be
/// replaced.
static LogicalResult isolate(Operation *op) {
  hoistFromTensors(op);
  while (true) {
    SetVector<Value> captures;
    findCaptures(op, captures);
    if (captures.empty())
      return success();
    SetVector<Operation *> constants;
    Value capture = captures.front();
    if (isComputedFromConstants(capture, constants)) {
      sinkConstants(op, constants.getArrayRef());
      continue;
    }
    Operation *previous = op->getNextNode();
    if (failed(addOperand(op, capture)))
      return failure();
    op = previous->getPrevNode();
  }
}

namespace {
struct IsolateBodiesPass
    : shoal::impl::IsolateBodiesPassBase<IsolateBodiesPass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (!hasScalarBodies(op))
        return WalkResult::advance();
      ops.push_back(op);
      return WalkResult::skip(); // What is inside takes part in its scope.
    });
    for (Operation *op : ops)
      if (failed(isolate(op)))
        return signalPassFailure();
  }
};
} // namespace
