// From a function of kernels and control flow on tensors to the host program on
// buffers. Which memory is whose, the buffer plan has decided.
#include "ProgramBuilder.h"

#include "shoal/Schedule/MemoryNotes.h"

using namespace mlir;
using namespace shoal;
namespace shlo = mlir::stablehlo;

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Builds a declaration at the top of the program.
Value ProgramBuilder::createTop(llvm::function_ref<Value()> create) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(topEnd);
  return create();
}

static plan::BufferType byteBuffer(MLIRContext *context, int64_t bytes) {
  return plan::BufferType::get(context, {bytes}, IntegerType::get(context, 8));
}

/// Large splats are not worth their place in the binary: they are made in the
/// arena in each block that uses them. Null for other constants.
Value ProgramBuilder::getFilled(const Storage &storage) {
  constexpr int64_t kMaxStoredSplat = 4096;
  Value value = storage.members.front();
  auto constant = value.getDefiningOp<shlo::ConstantOp>();
  auto splat = dyn_cast<SplatElementsAttr>(constant.getValue());
  if (storage.bytes <= kMaxStoredSplat || !splat)
    return {};
  auto element = dyn_cast<TypedAttr>(splat.getSplatValue<Attribute>());
  if (!element)
    return {};
  Value &cached = filled[{value, b.getInsertionBlock()}];
  if (cached)
    return cached;
  auto type = plan::BufferType::get(cast<RankedTensorType>(value.getType()));
  cached = createTop([&]() -> Value {
    return plan::AllocOp::create(b, value.getLoc(), type, IntegerAttr());
  });
  plan::FillOp::create(b, value.getLoc(), cached, element);
  return cached;
}

Value ProgramBuilder::rootOf(unsigned id) {
  const Storage &storage = plan.storage(id);
  if (storage.kind == Storage::Handle)
    return (storage.isLoopResult ? resultHandles : argHandles)
        .lookup({storage.loop, storage.index});
  if (storage.kind == Storage::Argument)
    return arguments[storage.index];
  if (storage.kind == Storage::Constant)
    if (Value filled = getFilled(storage))
      return filled;
  if (Value root = roots.lookup(id))
    return root;
  Location loc = storage.members.empty() ? func.getLoc()
                                         : storage.members.front().getLoc();
  plan::BufferType type = storage.members.empty()
                              ? byteBuffer(func.getContext(), storage.bytes)
                              : plan::BufferType::get(cast<RankedTensorType>(
                                    storage.members.front().getType()));
  Value root = createTop([&]() -> Value {
    if (storage.kind == Storage::Result)
      return plan::ResultOp::create(b, loc, type, storage.index, IntegerAttr());
    if (storage.kind == Storage::Constant) {
      auto constant = storage.members.front().getDefiningOp<shlo::ConstantOp>();
      return plan::ConstantOp::create(b, loc, type, constant.getValue(),
                                      Attribute());
    }
    auto alloc = plan::AllocOp::create(b, loc, type, IntegerAttr());
    if (storage.isHost)
      alloc->setAttr(kHostAttr, b.getUnitAttr());
    return alloc;
  });
  return roots[id] = root;
}

Value ProgramBuilder::getView(Location loc, Value root, const Place &place,
                              plan::BufferType type) {
  if (place.isZero() && root.getType() == type)
    return root;
  SmallVector<Value> indices;
  SmallVector<int64_t> strides;
  for (const Place::Term &term : place.terms) {
    Value index = getScalar(term.index);
    Range range = rangeOf(index);
    if (range.low < 0)
      index = binary(loc, plan::ScalarOpKind::Max, index, constant(0));
    if (range.high > term.limit)
      index = binary(loc, plan::ScalarOpKind::Min, index, constant(term.limit));
    indices.push_back(index);
    strides.push_back(term.stride);
  }
  return plan::ViewOp::create(b, loc, type, root, indices, place.offset,
                              strides);
}

Value ProgramBuilder::getBuffer(Value value) {
  Value root = rootOf(plan.storageOf(value));
  auto type = plan::BufferType::get(cast<RankedTensorType>(value.getType()));
  Place place = plan.placeOf(value);
  if (place.isZero() && root.getType() == type)
    return root;
  Value &cached = viewCache[{value, b.getInsertionBlock()}];
  if (!cached)
    cached = getView(value.getLoc(), root, place, type);
  return cached;
}

Value ProgramBuilder::getOperandBuffer(Location loc, Value value) {
  if (plan.isDevice(value))
    return getBuffer(value);
  auto type = plan::BufferType::get(cast<RankedTensorType>(value.getType()));
  Value buffer = createTop([&]() -> Value {
    return plan::AllocOp::create(b, loc, type, IntegerAttr());
  });
  plan::WriteScalarOp::create(b, loc, getScalar(value), buffer);
  return buffer;
}

/// The value in `dest`, by whatever means is cheapest.
void ProgramBuilder::copyInto(Location loc, Value value, Value dest) {
  auto type = cast<plan::BufferType>(dest.getType());
  if (type.getBytes() == 0)
    return;
  auto wanted = plan::BufferType::get(cast<RankedTensorType>(value.getType()));
  if (!plan.isDevice(value)) {
    plan::WriteScalarOp::create(b, loc, getScalar(value),
                                getView(loc, dest, Place(), wanted));
    return;
  }
  if (auto constant = value.getDefiningOp<shlo::ConstantOp>())
    if (auto splat = dyn_cast<SplatElementsAttr>(constant.getValue()))
      if (auto element =
              dyn_cast<TypedAttr>(splat.getSplatValue<Attribute>())) {
        plan::FillOp::create(b, loc, getView(loc, dest, Place(), wanted),
                             element);
        return;
      }
  copiedBytes += trips * type.getBytes();
  plan::CopyOp::create(b, loc, getBuffer(value), dest, 0);
}

//===----------------------------------------------------------------------===//
// Work
//===----------------------------------------------------------------------===//

LogicalResult ProgramBuilder::emitLaunch(plan::LaunchOp launch) {
  Location loc = launch.getLoc();
  auto kernel = SymbolTable::lookupNearestSymbolFrom<plan::KernelOp>(
      launch, launch.getKernelAttr());
  SmallVector<Value> inputs, scalarInputs, outs;
  for (auto [i, input] : llvm::enumerate(launch.getInputs())) {
    if (!kernel.isScalarArg(i)) {
      inputs.push_back(getOperandBuffer(loc, input));
      continue;
    }
    if (!scalars.contains(input))
      return launch.emitOpError("passes device memory to argument ")
             << i << " of kernel " << launch.getKernelAttr()
             << ", which takes a host scalar there";
    scalarInputs.push_back(getScalar(input));
  }
  for (Value output : launch.getOutputs())
    outs.push_back(getBuffer(output));
  plan::ExecOp::create(b, loc, launch.getKernelAttr(), inputs, scalarInputs,
                       outs, 0);
  return success();
}

LogicalResult ProgramBuilder::emitOp(Operation *op) {
  Location loc = op->getLoc();
  if (shoal::getView(op, scalars) || isa<shlo::ConstantOp>(op))
    return success();
  if (auto launch = dyn_cast<plan::LaunchOp>(op))
    return emitLaunch(launch);
  if (auto loop = dyn_cast<shlo::WhileOp>(op))
    return emitLoop(loop);
  if (auto branch = dyn_cast<shlo::IfOp>(op)) {
    Value condition = readScalar(loc, branch.getPred());
    return emitBranches(
        op, binary(loc, plan::ScalarOpKind::Sub, constant(1), condition));
  }
  if (auto branch = dyn_cast<shlo::CaseOp>(op))
    return emitBranches(op, readScalar(loc, branch.getIndex()));
  if (auto update = dyn_cast<shlo::DynamicUpdateSliceOp>(op);
      update && scalars.isHostView(op)) {
    if (plan.needsCopy(op, 0))
      copyInto(loc, update.getOperand(), getBuffer(update.getResult()));
    if (plan.needsCopy(op, 1)) {
      Place place =
          plan.placeOf(update.getResult()).plus(getUpdatePlace(update));
      Value dest =
          getView(loc, rootOf(plan.storageOf(update.getResult())), place,
                  plan::BufferType::get(
                      cast<RankedTensorType>(update.getUpdate().getType())));
      copyInto(loc, update.getUpdate(), dest);
    }
    return success();
  }
  if (isa<func::ReturnOp>(op))
    return emitReturn(op);
  if (op->getDialect() && op->getDialect()->getNamespace() == "comm")
    return emitCollective(op);

  if (isa<plan::OffloadOp, plan::FetchOp>(op)) {
    plan::CopyOp::create(b, loc, getOperandBuffer(loc, op->getOperand(0)),
                         getBuffer(op->getResult(0)), /*stream=*/0);
    return success();
  }
  if (isa<plan::HostStackOp>(op))
    return success();
  auto hostRow = [&](Value stack, Value index, Value row) {
    return getView(
        loc, rootOf(plan.storageOf(stack)),
        plan.placeOf(stack).plus(getRowPlace(stack, index)),
        plan::BufferType::get(cast<RankedTensorType>(row.getType())));
  };
  if (auto row = dyn_cast<plan::OffloadRowOp>(op)) {
    Value from = getOperandBuffer(loc, row.getRow());
    plan::CopyOp::create(b, loc, from,
                         hostRow(row.getResult(), row.getIndex(), row.getRow()),
                         /*stream=*/0);
    return success();
  }
  if (auto row = dyn_cast<plan::FetchRowOp>(op)) {
    if (!row.getRow().use_empty())
      plan::CopyOp::create(
          b, loc, hostRow(row.getStack(), row.getIndex(), row.getRow()),
          getBuffer(row.getRow()), /*stream=*/0);
    return success();
  }

  // Library calls keep their attributes and get output buffers.
  SmallVector<Value> operands, outs;
  if (isa<plan::MatmulOp, plan::ConvolutionOp, plan::CustomCallOp,
          plan::CheckOp>(op)) {
    for (Value operand : op->getOperands())
      operands.push_back(getOperandBuffer(loc, operand));
    for (Value result : op->getResults())
      outs.push_back(plan.isDevice(result) ? getBuffer(result) : Value());
  }
  if (isa<plan::MatmulOp, plan::ConvolutionOp>(op)) {
    OperationState state(loc, op->getName());
    state.addOperands(operands);
    state.addOperands(outs);
    state.addAttributes(op->getAttrs());
    b.create(state);
    return success();
  }
  if (auto call = dyn_cast<plan::CustomCallOp>(op)) {
    plan::CustomCallOp::create(
        b, loc, TypeRange(), call.getTargetAttr(), operands, outs,
        call.getConfigAttr(), call.getApiVersionAttr(),
        call.getHasSideEffectAttr(), call.getMayOverwriteAttr());
    return success();
  }
  if (auto check = dyn_cast<plan::CheckOp>(op)) {
    auto created =
        plan::CheckOp::create(b, loc, Type(), check.getKind(), operands[0],
                              check.getExpected() ? operands[1] : Value(),
                              outs.empty() ? Value() : outs[0]);
    for (NamedAttribute attr : op->getAttrs())
      if (attr.getName() != check.getOperandSegmentSizesAttrName())
        created->setAttr(attr.getName(), attr.getValue());
    return success();
  }
  if (isa<shlo::AfterAllOp, shlo::CreateTokenOp>(op))
    return success(); // The order is the program's.
  return op->emitOpError("cannot be scheduled: it is not in a kernel, and not "
                         "an operation of the host program");
}

LogicalResult ProgramBuilder::emitBlock(Block &block) {
  // Host scalars as early as possible, so that memory can be addressed before
  // the op that needs the address: at the start of the block, or after the loop
  // or branch that they come from (BufferPlan relies on it).
  auto emitKnown = [&](Block::iterator from) -> LogicalResult {
    for (Operation &op : llvm::make_range(from, block.end()))
      if (scalars.isHostOp(&op) && !scalarValues.contains(op.getResult(0)) &&
          llvm::all_of(op.getOperands(),
                       [&](Value v) { return isAvailable(v); }) &&
          failed(emitHostOp(&op)))
        return failure();
    return success();
  };
  if (failed(emitKnown(block.begin())))
    return failure();
  for (Operation &op : block) {
    if (scalars.isHostOp(&op)) {
      if (!scalarValues.contains(op.getResult(0)) && failed(emitHostOp(&op)))
        return failure();
      continue;
    }
    if (isa<shlo::ReturnOp>(op))
      continue; // The parent's affair.
    if (failed(emitOp(&op)))
      return failure();
    if (llvm::any_of(op.getResults(),
                     [&](Value v) { return scalarValues.contains(v); }) &&
        failed(emitKnown(std::next(op.getIterator()))))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The program
//===----------------------------------------------------------------------===//

LogicalResult ProgramBuilder::emitReturn(Operation *ret) {
  for (auto [i, value] : llvm::enumerate(ret->getOperands())) {
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    auto type = plan::BufferType::get(cast<RankedTensorType>(value.getType()));
    Location loc = ret->getLoc();
    if (plan.resultStorage(i) < 0) {
      Value result = createTop([&]() -> Value {
        return plan::ResultOp::create(b, loc, type, i, IntegerAttr());
      });
      copyInto(loc, value, result);
    } else if (plan.resultArgument(i) >= 0) {
      createTop([&]() -> Value {
        return plan::ResultOp::create(
            b, loc, type, i, b.getI64IntegerAttr(plan.resultArgument(i)));
      });
    }
  }
  plan::YieldOp::create(b, ret->getLoc(), ValueRange());
  return success();
}

/// Erases pure ops that nobody uses: host scalars, views, constants.
static void eraseDead(plan::ProgramOp program) {
  SmallVector<Operation *> ops;
  program.walk([&](Operation *op) { ops.push_back(op); });
  // Users come after what they use, or around it.
  for (Operation *op : llvm::reverse(ops)) {
    if (isa<plan::ProgramOp, plan::ArgumentOp, plan::ResultOp>(op))
      continue;
    if (isOpTriviallyDead(op) || (isa<plan::AllocOp>(op) && op->use_empty()))
      op->erase();
  }
}

plan::ProgramOp ProgramBuilder::build() {
  b.setInsertionPoint(func);
  FunctionType type = func.getFunctionType();
  auto typeArray = [&](TypeRange types) { return b.getTypeArrayAttr(types); };
  program = plan::ProgramOp::create(
      b, func.getLoc(), func.getSymName(), typeArray(type.getInputs()),
      typeArray(type.getResults()), func.getArgAttrsAttr(),
      func.getResAttrsAttr(), IntegerAttr(), IntegerAttr());
  b.setInsertionPointToStart(&program.getBody().emplaceBlock());
  // A mark to put declarations before; erased at the end.
  topEnd = plan::ConstOp::create(b, func.getLoc(), scalarType(), 0);
  for (BlockArgument arg : func.getArguments()) {
    auto tensor = dyn_cast<RankedTensorType>(arg.getType());
    arguments.push_back(tensor ? createTop([&]() -> Value {
      return plan::ArgumentOp::create(
          b, arg.getLoc(), plan::BufferType::get(tensor), arg.getArgNumber());
    })
                               : Value());
  }
  if (failed(emitBlock(func.getBody().front()))) {
    program.erase();
    return {};
  }
  topEnd->erase();
  eraseDead(program);
  program.setCopiedBytes(copiedBytes);
  return program;
}
