// Makes sizes static that follow from constants and from the arguments' shapes.
#include "shoal/Import/Passes.h"

#include "RefineShapes.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/SDY/SDY.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shape/IR/Shape.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"

namespace shoal {
#define GEN_PASS_DEF_REFINESHAPESPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

//===----------------------------------------------------------------------===//
// What is dynamic
//===----------------------------------------------------------------------===//

bool shoal::isDynamic(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  return shaped && isa<TensorType>(type) && !shaped.hasStaticShape();
}

/// Operations that are only about shapes, of MLIR's own dialects.
static bool isShapeArithmetic(Operation *op) {
  return isa_and_nonnull<shape::ShapeDialect>(op->getDialect()) ||
         isa<tensor::DimOp, tensor::FromElementsOp, tensor::ExtractOp,
             tensor::CastOp, tensor::RankOp>(op) ||
         (isa_and_nonnull<arith::ArithDialect>(op->getDialect()) &&
          llvm::any_of(op->getOperandTypes(), [](Type type) {
            return type.isIndex() || getElementTypeOrSelf(type).isIndex();
          }));
}

static bool isDynamicForm(Operation *op) {
  return isa<stablehlo::DynamicBroadcastInDimOp, stablehlo::DynamicIotaOp,
             stablehlo::DynamicReshapeOp, stablehlo::DynamicPadOp,
             stablehlo::DynamicGatherOp, stablehlo::DynamicConvOp,
             stablehlo::RealDynamicSliceOp, stablehlo::GetDimensionSizeOp,
             stablehlo::SetDimensionSizeOp, chlo::DynamicReshapeOp>(op) ||
         (isa<stablehlo::RngOp>(op) &&
          !op->getOperand(2).getDefiningOp<stablehlo::ConstantOp>()) ||
         isShapeCall(op) || isShapeArithmetic(op);
}

/// Whether there is anything to refine under `root`, itself included.
static bool isDynamicProgram(Operation *root) {
  return root
      ->walk([](Operation *op) {
        bool found =
            isDynamicForm(op) || llvm::any_of(op->getResultTypes(), isDynamic);
        for (Region &region : op->getRegions())
          for (Block &block : region)
            found |= llvm::any_of(block.getArgumentTypes(), isDynamic);
        return found ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

FailureOr<Type> shoal::meetTypes(Operation *op, Type declared, Type inferred) {
  auto to = dyn_cast<RankedTensorType>(inferred);
  if (!to || !isa<TensorType>(declared))
    return declared;
  Type element = cast<TensorType>(declared).getElementType();
  auto from = dyn_cast<RankedTensorType>(declared);
  if (!from)
    return Type(
        RankedTensorType::get(to.getShape(), element, to.getEncoding()));
  if (from.getRank() != to.getRank())
    return op->emitError("gives ") << to << " where its type says " << from;
  SmallVector<int64_t> shape(from.getShape());
  ArrayRef<int64_t> bounds = hlo::encodingToBounds(from.getEncoding());
  for (int64_t dim = 0; dim < from.getRank(); ++dim) {
    int64_t size = to.getDimSize(dim);
    if (ShapedType::isDynamic(size))
      continue;
    if (!ShapedType::isDynamic(shape[dim]) && shape[dim] != size)
      return op->emitError("has size ")
             << size << " in dimension " << dim << " where its type, " << from
             << ", says " << shape[dim];
    if (!bounds.empty() && !ShapedType::isDynamic(bounds[dim]) &&
        size > bounds[dim])
      return op->emitError("has size ") << size << " in dimension " << dim
                                        << ", more than the bound in " << from;
    shape[dim] = size;
  }
  bool isStatic = !ShapedType::isDynamicShape(shape);
  return Type(RankedTensorType::get(
      shape, element, isStatic ? Attribute() : from.getEncoding()));
}

LogicalResult shoal::emitNotConstant(Operation *op, Value operand,
                                     StringRef what) {
  InFlightDiagnostic diagnostic = op->emitError()
                                  << what
                                  << " must be known when compiling, but it is "
                                     "computed from the program's data; sizes "
                                     "may depend on constants and on the "
                                     "shapes of arguments only";
  if (Operation *producer = operand.getDefiningOp())
    diagnostic.attachNote(producer->getLoc()) << "computed here";
  return diagnostic;
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

namespace {
class Refiner {
public:
  explicit Refiner(ModuleOp module) : module(module), symbols(module) {}

  LogicalResult refineFunction(func::FuncOp func);

private:
  LogicalResult refineBlock(Block &block);
  /// Sets `resume` to where the walk goes on, if that is not after `op`.
  LogicalResult refineOp(Operation *op, Operation *&resume);
  LogicalResult refineLoop(stablehlo::WhileOp loop);
  LogicalResult refineManual(sdy::ManualComputationOp op);
  /// A conditional whose predicate is known becomes the branch it takes.
  bool takeBranch(Operation *op, Operation *&resume);
  LogicalResult expandComposite(stablehlo::CompositeOp op, Operation *&resume);
  void replace(Operation *op, ValueRange values);
  /// Erases what only served to compute shapes.
  void eraseDead();

  ModuleOp module;
  SymbolTable symbols;
  ShapeEvaluator evaluator;
  /// Operations whose results something used that is gone.
  SetVector<Operation *> maybeDead;
  unsigned expansions = 0;
};
} // namespace

void Refiner::replace(Operation *op, ValueRange values) {
  for (Value operand : op->getOperands())
    if (Operation *producer = operand.getDefiningOp())
      maybeDead.insert(producer);
  if (!values.empty())
    op->replaceAllUsesWith(values);
  op->walk([&](Operation *nested) { maybeDead.remove(nested); });
  evaluator.forget(op);
  op->erase();
}

void Refiner::eraseDead() {
  while (!maybeDead.empty()) {
    Operation *op = maybeDead.pop_back_val();
    if (op->use_empty() && isMemoryEffectFree(op) && op->getNumRegions() == 0)
      replace(op, {});
  }
}

LogicalResult Refiner::refineBlock(Block &block) {
  for (auto it = block.begin(); it != block.end();) {
    Operation *op = &*it;
    Operation *resume = nullptr;
    ++it; // `op` may be erased.
    if (failed(refineOp(op, resume)))
      return failure();
    if (resume)
      it = Block::iterator(resume);
  }
  return success();
}

LogicalResult Refiner::refineLoop(stablehlo::WhileOp loop) {
  evaluator.bindInvariants(loop);
  Block &cond = loop.getCond().front(), &body = loop.getBody().front();
  for (auto [i, operand] : llvm::enumerate(loop.getOperand()))
    for (Value value : {Value(cond.getArgument(i)), Value(body.getArgument(i)),
                        Value(loop.getResult(i))}) {
      FailureOr<Type> type =
          meetTypes(loop, value.getType(), operand.getType());
      if (failed(type))
        return failure();
      value.setType(*type);
    }
  if (failed(refineBlock(cond)) || failed(refineBlock(body)))
    return failure();
  for (auto [i, yielded] : llvm::enumerate(body.getTerminator()->getOperands()))
    if (!isDynamic(yielded.getType()) &&
        yielded.getType() != body.getArgument(i).getType() &&
        isa<RankedTensorType>(yielded.getType()))
      return loop.emitError("carried value #")
             << i << " is " << body.getArgument(i).getType()
             << " before an iteration and " << yielded.getType()
             << " after it; a loop cannot change the sizes it carries";
  return success();
}

LogicalResult Refiner::refineManual(sdy::ManualComputationOp op) {
  // The body sees its own shard of each operand.
  Block &body = op.getBody().front();
  for (auto [i, argument] : llvm::enumerate(body.getArguments())) {
    auto local = dyn_cast<RankedTensorType>(argument.getType());
    auto global = dyn_cast<RankedTensorType>(op->getOperand(i).getType());
    sdy::TensorShardingAttr sharding = op.getInShardings().getShardings()[i];
    // What all shards hold alike is as well known inside.
    bool isWhole = llvm::all_of(sharding.getDimShardings(),
                                [](auto dim) { return dim.getAxes().empty(); });
    if (const IntTensor *value =
            isWhole ? evaluator.evaluate(op->getOperand(i)) : nullptr)
      evaluator.bind(argument, IntTensor(*value));
    if (!isDynamic(argument.getType()) || !local || !global)
      continue;
    sdy::MeshAttr mesh = sharding.getMesh(op);
    SmallVector<int64_t> shape(global.getShape());
    for (auto [dim, dimSharding] :
         llvm::enumerate(sharding.getDimShardings())) {
      for (sdy::AxisRefAttr axis : dimSharding.getAxes()) {
        if (!mesh || dim >= shape.size() ||
            !op.getManualAxes().contains(axis.getName()))
          continue;
        int64_t size = axis.getSize(mesh);
        if (size > 0 && !ShapedType::isDynamic(shape[dim])) {
          if (shape[dim] % size)
            return op.emitError("dimension ")
                   << dim << " of " << global << " does not divide into "
                   << size << " parts for a manual region";
          shape[dim] /= size;
        }
      }
    }
    FailureOr<Type> type = meetTypes(
        op, local, RankedTensorType::get(shape, local.getElementType()));
    if (failed(type))
      return failure();
    argument.setType(*type);
  }
  if (failed(refineBlock(body)))
    return failure();
  for (auto [i, result] : llvm::enumerate(op.getResults())) {
    auto local = dyn_cast<RankedTensorType>(
        body.getTerminator()->getOperand(i).getType());
    if (!isDynamic(result.getType()) || !local)
      continue;
    sdy::TensorShardingAttr sharding = op.getOutShardings().getShardings()[i];
    sdy::MeshAttr mesh = sharding.getMesh(op);
    SmallVector<int64_t> shape(local.getShape());
    for (auto [dim, dimSharding] : llvm::enumerate(sharding.getDimShardings()))
      for (sdy::AxisRefAttr axis : dimSharding.getAxes())
        if (mesh && dim < shape.size() && !ShapedType::isDynamic(shape[dim]) &&
            op.getManualAxes().contains(axis.getName()))
          shape[dim] *= axis.getSize(mesh);
    FailureOr<Type> type =
        meetTypes(op, result.getType(),
                  RankedTensorType::get(shape, local.getElementType()));
    if (failed(type))
      return failure();
    result.setType(*type);
  }
  return success();
}

bool Refiner::takeBranch(Operation *op, Operation *&resume) {
  const IntTensor *predicate = evaluator.evaluate(op->getOperand(0));
  if (!predicate || !isDynamicProgram(op))
    return false;
  int64_t index = predicate->getInt(0);
  if (isa<stablehlo::IfOp>(op))
    index = index ? 0 : 1;
  if (index < 0 || index >= op->getNumRegions())
    index = op->getNumRegions() - 1;
  Block &branch = op->getRegion(index).front();
  Operation *terminator = branch.getTerminator();
  SmallVector<Value> results(terminator->getOperands());
  bool isEmpty = &branch.front() == terminator;
  Operation *first = isEmpty ? op->getNextNode() : &branch.front();
  terminator->erase();
  op->getBlock()->getOperations().splice(Block::iterator(op),
                                         branch.getOperations());
  replace(op, results);
  resume = first;
  return true;
}

LogicalResult Refiner::expandComposite(stablehlo::CompositeOp op,
                                       Operation *&resume) {
  auto callee = symbols.lookup<func::FuncOp>(op.getDecomposition());
  if (!callee || callee.isExternal() || !isDynamicProgram(callee)) {
    for (Value result : op->getResults())
      if (callee && !callee.isExternal() && isDynamic(result.getType())) {
        FailureOr<Type> type = meetTypes(
            op, result.getType(),
            callee.getResultTypes()[cast<OpResult>(result).getResultNumber()]);
        if (failed(type))
          return failure();
        result.setType(*type);
      }
    return success();
  }
  if (++expansions > 10000)
    return op.emitError("composite '")
           << op.getName() << "' is part of its own decomposition";
  OpBuilder builder(op);
  IRMapping mapping;
  mapping.map(callee.getArguments(), op->getOperands());
  Block &body = callee.getBody().front();
  Operation *first = nullptr;
  for (Operation &inner : body.without_terminator()) {
    Operation *copy = builder.clone(inner, mapping);
    first = first ? first : copy;
    copy->walk([&](Operation *nested) {
      nested->setLoc(CallSiteLoc::get(nested->getLoc(), op.getLoc()));
    });
  }
  SmallVector<Value> results;
  for (Value value : body.getTerminator()->getOperands())
    results.push_back(mapping.lookupOrDefault(value));
  resume = first ? first : op->getNextNode();
  replace(op, results);
  return success();
}

LogicalResult Refiner::refineOp(Operation *op, Operation *&resume) {
  OpBuilder builder(op);
  if (auto composite = dyn_cast<stablehlo::CompositeOp>(op))
    return expandComposite(composite, resume);
  if (isa<stablehlo::IfOp, stablehlo::CaseOp>(op) && takeBranch(op, resume))
    return success();
  if (auto loop = dyn_cast<stablehlo::WhileOp>(op))
    return refineLoop(loop);
  if (auto manual = dyn_cast<sdy::ManualComputationOp>(op))
    return refineManual(manual);

  if (auto scan = dyn_cast<chlo::ScanOp>(op)) {
    // The body sees one slice of each input.
    for (auto [i, argument] :
         llvm::enumerate(scan.getBody().front().getArguments())) {
      auto type = dyn_cast<RankedTensorType>(op->getOperand(i).getType());
      if (!type)
        continue;
      SmallVector<int64_t> shape(type.getShape());
      if (i < scan.getInputs().size())
        shape.erase(shape.begin() + scan.getDimension());
      FailureOr<Type> met =
          meetTypes(op, argument.getType(),
                    RankedTensorType::get(shape, type.getElementType()));
      if (failed(met))
        return failure();
      argument.setType(*met);
    }
  }

  // Bodies of reductions and the like have scalars only, branches do not.
  for (Region &region : op->getRegions())
    for (Block &block : region)
      if (failed(refineBlock(block)))
        return failure();

  FailureOr<ShapeCallResult> call =
      refineShapeCall(op, evaluator, symbols, builder);
  if (failed(call))
    return failure();
  if (call->handled) {
    Operation *before = op->getPrevNode();
    Operation *next = op->getNextNode();
    bool isNew = !call->values.empty() && before &&
                 before == call->values.front().getDefiningOp();
    replace(op, call->values);
    resume = isNew ? before : next;
    return success();
  }
  if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    if (!isDynamic(cast.getSource().getType()))
      replace(op, cast.getSource());
    return success();
  }
  if (isShapeArithmetic(op)) {
    // What is used as data must be known; shapes go away with their users.
    if (op->getNumResults() != 1)
      return success();
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    const IntTensor *value = type && type.getElementType().isInteger()
                                 ? evaluator.evaluate(op->getResult(0))
                                 : nullptr;
    if (!value)
      return success();
    auto attr = value->getAttribute(type);
    Value constant = stablehlo::ConstantOp::create(builder, op->getLoc(),
                                                   cast<ElementsAttr>(attr));
    replace(op, constant);
    return success();
  }

  FailureOr<SmallVector<Value>> values = makeStatic(op, evaluator, builder);
  if (failed(values))
    return failure();
  if (!values->empty()) {
    for (auto [value, result] : llvm::zip(*values, op->getResults())) {
      FailureOr<Type> type = meetTypes(op, result.getType(), value.getType());
      if (failed(type))
        return failure();
      if (Operation *made = value.getDefiningOp();
          made && made->getBlock() == op->getBlock() &&
          failed(verify(made, /*verifyRecursively=*/false)))
        return failure();
    }
    replace(op, *values);
    return success();
  }

  if (op->hasTrait<OpTrait::IsTerminator>() || op->getNumResults() == 0)
    return success();
  FailureOr<SmallVector<Type>> types = inferResultTypes(op);
  if (failed(types))
    return failure();
  for (auto [result, inferred] : llvm::zip(op->getResults(), *types)) {
    FailureOr<Type> type = meetTypes(op, result.getType(), inferred);
    if (failed(type))
      return failure();
    result.setType(*type);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// What stays
//===----------------------------------------------------------------------===//

/// Reports the first value whose shape is not known.
static LogicalResult verifyStatic(func::FuncOp func) {
  WalkResult walk = func.walk<WalkOrder::PreOrder>([](Operation *op) {
    if (isShapeArithmetic(op)) {
      op->emitError(
          "this value must be known when compiling, but it depends on "
          "the program's data");
      return WalkResult::interrupt();
    }
    for (Value result : op->getResults()) {
      if (!isDynamic(result.getType()))
        continue;
      InFlightDiagnostic diagnostic =
          op->emitError("the shape of its result, ")
          << result.getType()
          << ", stays unknown: sizes may depend on constants and on the shapes "
             "of arguments only";
      for (Value operand : op->getOperands())
        if (Operation *producer = operand.getDefiningOp();
            producer && isDynamic(operand.getType()))
          diagnostic.attachNote(producer->getLoc())
              << "so does that of its operand";
      return WalkResult::interrupt();
    }
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Type type : block.getArgumentTypes())
          if (isDynamic(type)) {
            op->emitError("a value of type ")
                << type << " in its region stays of unknown shape";
            return WalkResult::interrupt();
          }
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

LogicalResult Refiner::refineFunction(func::FuncOp func) {
  for (BlockArgument argument : func.getArguments())
    if (isDynamic(argument.getType()))
      return func.emitError("argument #")
             << argument.getArgNumber() << " of type " << argument.getType()
             << " needs a shape: run with --input=FILE.npz that has an array "
                "'arg"
             << argument.getArgNumber()
             << "', or compile with --argument-shapes=arg"
             << argument.getArgNumber() << ":4x8";
  Block &body = func.getBody().front();
  if (failed(refineBlock(body)))
    return failure();
  eraseDead();
  // Results may be declared with fewer sizes, but not with other ones.
  SmallVector<Type> results;
  for (auto [i, value] : llvm::enumerate(body.getTerminator()->getOperands())) {
    FailureOr<Type> type = meetTypes(body.getTerminator(),
                                     func.getResultTypes()[i], value.getType());
    if (failed(type))
      return failure();
    results.push_back(value.getType());
  }
  func.setFunctionType(
      FunctionType::get(func.getContext(), body.getArgumentTypes(), results));
  return verifyStatic(func);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Reads "arg0:4x8,arg2:scalar"; shapes of other arguments are left alone.
static LogicalResult setArgumentShapes(func::FuncOp func, StringRef text) {
  auto error = [&](StringRef item) {
    return func.emitError("--argument-shapes: cannot read '")
           << item << "'; write arg0:4x8,arg1:16,arg2:scalar";
  };
  SmallVector<StringRef> items;
  text.split(items, ',', -1, /*KeepEmpty=*/false);
  for (StringRef item : items) {
    auto [name, sizes] = item.trim().split(':');
    unsigned index;
    if (!name.consume_front("arg") || name.getAsInteger(10, index))
      return error(item);
    SmallVector<int64_t> shape;
    SmallVector<StringRef> parts;
    if (sizes != "scalar" && !sizes.empty())
      sizes.split(parts, 'x');
    for (StringRef part : parts)
      if (part.getAsInteger(10, shape.emplace_back()) || shape.back() < 0)
        return error(item);
    // A file may hold more arrays than the program has arguments.
    if (index >= func.getNumArguments() ||
        !isDynamic(func.getArgument(index).getType()))
      continue;
    BlockArgument argument = func.getArgument(index);
    auto type = cast<TensorType>(argument.getType());
    auto given = RankedTensorType::get(shape, type.getElementType());
    if (type.hasRank() && failed(verifyCompatibleShape(type.getShape(), shape)))
      return func.emitError("argument #")
             << index << " is " << type << ", but it is given as " << given;
    if (ShapedType::getNumElements(shape) < 0)
      return func.emitError("argument #")
             << index << " is too large: " << given;
    FailureOr<Type> met = meetTypes(func, type, given);
    if (failed(met))
      return failure();
    argument.setType(*met);
  }
  return success();
}

namespace {
struct RefineShapesPass : shoal::impl::RefineShapesPassBase<RefineShapesPass> {
  using RefineShapesPassBase::RefineShapesPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!isDynamicProgram(module))
      return;
    for (auto func : module.getOps<func::FuncOp>()) {
      if (!func.isPublic() || func.isExternal())
        continue;
      if (!func.getBody().hasOneBlock()) {
        func.emitError("functions must have a single block");
        return signalPassFailure();
      }
      if (failed(setArgumentShapes(func, argumentShapes)) ||
          failed(Refiner(module).refineFunction(func)))
        return signalPassFailure();
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (auto func :
           llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
        if (func.isPrivate() && isDynamicProgram(func) &&
            SymbolTable::symbolKnownUseEmpty(func, module)) {
          func.erase();
          changed = true;
        }
    }
  }
};
} // namespace
