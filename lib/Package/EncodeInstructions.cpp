// Instructions of the program table; operands as Program.h documents them.
#include "ProgramEncoder.h"

#include "Constants.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cstring>

using namespace mlir;
using namespace shoal;
using program::kNone;
using program::Opcode;
using program::SlotKind;

int64_t ProgramEncoder::reg(Value scalar) {
  return registers.try_emplace(scalar, registers.size()).first->second;
}

int64_t ProgramEncoder::event(Value value) {
  return events.try_emplace(value, events.size()).first->second;
}

static SmallVector<int64_t> elementStrides(plan::BufferType type) {
  SmallVector<int64_t> strides(type.getShape().size());
  int64_t stride = 1;
  for (size_t i = strides.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= type.getShape()[i];
  }
  return strides;
}

static plan::BufferType bufferType(Value value) {
  return cast<plan::BufferType>(value.getType());
}

//===----------------------------------------------------------------------===//
// Memory and library calls
//===----------------------------------------------------------------------===//

/// A view of something that never moves, at a fixed offset, is a slot; others
/// are set when the program comes by.
LogicalResult ProgramEncoder::encodeView(plan::ViewOp op) {
  uint32_t base = slot(op.getBase());
  // Copies alone know what is in the memory of the host.
  if (table.slots[base].kind == SlotKind::Host)
    return success();
  bool isFixed =
      op.getIndices().empty() && table.slots[base].kind != SlotKind::Handle;
  auto index = addSlot(op, op.getView().getType(),
                       isFixed ? SlotKind::View : SlotKind::Handle,
                       isFixed ? base : 0, isFixed ? op.getOffset() : 0);
  if (failed(index))
    return failure();
  slots[op.getView()] = *index;
  if (isFixed)
    return success();
  SmallVector<int64_t> operands{*index, base, (int64_t)op.getOffset(),
                                (int64_t)op.getIndices().size()};
  for (auto [i, stride] : llvm::zip_equal(op.getIndices(), op.getStrides()))
    operands.append({reg(i), stride});
  table.emit(Opcode::View, operands, loc(op.getLoc()));
  return success();
}

void ProgramEncoder::encodeCopy(plan::CopyOp op) {
  SmallVector<int64_t> operands, place;
  for (Value buffer : {op.getDest(), op.getSource()}) {
    auto view = buffer.getDefiningOp<plan::ViewOp>();
    if (!view || table.slots[slot(view.getBase())].kind != SlotKind::Host) {
      operands.push_back(slot(buffer));
      continue;
    }
    operands.push_back(slot(view.getBase()));
    place = {(int64_t)view.getOffset(), (int64_t)view.getIndices().size()};
    for (auto [i, stride] :
         llvm::zip_equal(view.getIndices(), view.getStrides()))
      place.append({reg(i), stride});
  }
  operands.append(place);
  numStreams = std::max<uint32_t>(numStreams, op.getStream() + 1);
  table.emit(Opcode::Copy, operands, loc(op.getLoc()), op.getStream());
}

LogicalResult ProgramEncoder::encodeMatmul(plan::MatmulOp op) {
  Type out = bufferType(op.getOut()).getElementType();
  Type sums = op.getAccumulationType().value_or(out);
  if (!op.getAccumulationType() && isa<FloatType>(out) &&
      out.getIntOrFloatBitWidth() < 32)
    sums = Float32Type::get(op.getContext());
  program::DType dtype = getDType(sums);
  if (dtype == program::DType::Invalid)
    return op.emitOpError("cannot accumulate in ") << sums;
  SmallVector<plan::MatmulOp::Dim> batch, m, n, k;
  op.getDims(batch, m, n, k);
  SmallVector<int64_t> operands{slot(op.getLhs()),
                                slot(op.getRhs()),
                                slot(op.getOut()),
                                op.getHighestPrecision() ? 4 : 0,
                                static_cast<int64_t>(dtype),
                                (int64_t)batch.size(),
                                (int64_t)m.size(),
                                (int64_t)n.size(),
                                (int64_t)k.size()};
  auto lhs = elementStrides(bufferType(op.getLhs())),
       rhs = elementStrides(bufferType(op.getRhs())),
       result = elementStrides(bufferType(op.getOut()));
  auto stride = [](ArrayRef<int64_t> strides, int64_t dim) {
    return dim < 0 ? 0 : strides[dim];
  };
  for (auto *dims : {&batch, &m, &n, &k})
    for (const plan::MatmulOp::Dim &dim : *dims)
      operands.append({dim.size, stride(lhs, dim.lhs), stride(rhs, dim.rhs),
                       stride(result, dim.out)});
  table.emit(Opcode::Matmul, operands, loc(op.getLoc()));
  return success();
}

void ProgramEncoder::encodeConvolution(plan::ConvolutionOp op) {
  int64_t n = op.getStrides().size();
  SmallVector<int64_t> operands{slot(op.getLhs()), slot(op.getRhs()),
                                slot(op.getOut()),
                                op.getHighestPrecision() ? 4 : 0, n};
  operands.append(op.getLhsDims().begin(), op.getLhsDims().end());
  operands.append(op.getRhsDims().begin(), op.getRhsDims().end());
  operands.append(op.getOutDims().begin(), op.getOutDims().end());
  operands.append(
      {(int64_t)op.getFeatureGroups(), (int64_t)op.getBatchGroups()});
  for (int64_t i = 0; i < n; ++i)
    operands.append({op.getStrides()[i], op.getPadding()[2 * i],
                     op.getPadding()[2 * i + 1], op.getLhsDilation()[i],
                     op.getRhsDilation()[i], op.getReversal()[i] ? 1 : 0});
  table.emit(Opcode::Convolution, operands, loc(op.getLoc()));
}

LogicalResult ProgramEncoder::encodeCheck(plan::CheckOp op) {
  program::Check record = {};
  record.kind = static_cast<program::CheckKind>(op.getKind());
  record.nanEqual = op.getNanEqual();
  record.tolerance = op.getTolerance().convertToDouble();
  record.minUlp = op.getMinUlp();
  record.maxUlp = op.getMaxUlp();
  record.message = table.str(op.getMessage());
  record.expectedFile = table.str(op.getExpectedFile());
  record.actualSharding = record.expectedSharding = kNone;
  record.actualGlobalType = record.expectedGlobalType = kNone;
  auto layout = [&](Value value, std::optional<Attribute> sharding,
                    std::optional<Type> global, uint32_t &shardingIndex,
                    uint32_t &typeIndex) -> LogicalResult {
    plan::BufferType local = bufferType(value);
    auto type =
        global ? cast<RankedTensorType>(*global) : local.getTensorType();
    auto encoded = encodeType(op, type.getElementType(), type.getShape());
    if (failed(encoded))
      return failure();
    typeIndex = *encoded;
    if (sharding)
      if (auto attr = dyn_cast<ShardingAttr>(*sharding)) {
        auto index = encodeSharding(op, attr, type, local.getShape());
        if (failed(index))
          return failure();
        shardingIndex = *index;
      }
    return success();
  };
  if (failed(layout(op.getActual(), op.getActualSharding(),
                    op.getActualGlobalType(), record.actualSharding,
                    record.actualGlobalType)))
    return failure();
  if (op.getExpected() &&
      failed(layout(op.getExpected(), op.getExpectedSharding(),
                    op.getExpectedGlobalType(), record.expectedSharding,
                    record.expectedGlobalType)))
    return failure();
  int64_t index = table.checks.size();
  table.checks.push_back(record);
  table.emit(Opcode::Check,
             {index, slot(op.getActual()),
              op.getExpected() ? slot(op.getExpected()) : int64_t(kNone),
              op.getPassed() ? slot(op.getPassed()) : int64_t(kNone)},
             loc(op.getLoc()));
  return success();
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

/// Rows and their bytes before and from dimension `dim` on.
static std::pair<int64_t, int64_t> rowsAt(plan::BufferType type, int64_t dim) {
  int64_t outer = 1, bytes = plan::getElementBytes(type.getElementType());
  for (auto [i, size] : llvm::enumerate(type.getShape()))
    (static_cast<int64_t>(i) < dim ? outer : bytes) *= size;
  return {outer, bytes};
}

LogicalResult ProgramEncoder::encodeCollective(Operation *op) {
  auto encode = [&](auto collective) -> LogicalResult {
    using plan::CollectiveKind;
    CollectiveKind kind = collective.getKind();
    ArrayRef<int64_t> dims = collective.getDims();
    ValueRange inputs = collective.getInputs(), outs = collective.getOuts();
    size_t n = std::max(inputs.size(), outs.size());
    SmallVector<int64_t> operands;
    if (auto start = dyn_cast<plan::CollectiveStartOp>(op))
      operands.push_back(event(start.getEvent()));
    uint32_t group = encodeGroup(collective.getGroup());
    int64_t p = table.groups[group].groupSize;
    operands.append({static_cast<int64_t>(kind), group,
                     static_cast<int64_t>(collective.getReduction()),
                     static_cast<int64_t>(n)});
    for (size_t i = 0; i < n; ++i)
      operands.push_back(i < inputs.size() ? slot(inputs[i]) : int64_t(kNone));
    for (size_t i = 0; i < n; ++i)
      operands.push_back(i < outs.size() ? slot(outs[i]) : int64_t(kNone));
    switch (kind) {
    case CollectiveKind::AllGather:
    case CollectiveKind::ReduceScatter: {
      auto [outer, inBytes] = rowsAt(bufferType(inputs[0]), dims[0]);
      int64_t outBytes = rowsAt(bufferType(outs[0]), dims[0]).second;
      operands.append({outer, inBytes, outBytes});
      break;
    }
    case CollectiveKind::AllToAll: {
      plan::BufferType in = bufferType(inputs[0]), out = bufferType(outs[0]);
      int64_t split = dims[0], concat = dims[1];
      // The piece: its split dimension is the out's, its concat one the in's.
      auto [splitOuter, splitRow] = rowsAt(in, split);
      auto [concatOuter, concatRow] = rowsAt(out, concat);
      int64_t splitSize = in.getShape()[split],
              concatSize = out.getShape()[concat];
      int64_t part = split == concat ? llvm::divideCeil(splitSize, p)
                                     : out.getShape()[split];
      int64_t joined = split == concat ? part : in.getShape()[concat];
      operands.append({splitOuter, splitRow,
                       splitSize ? splitRow / splitSize * part : 0, concatOuter,
                       concatRow,
                       concatSize ? concatRow / concatSize * joined : 0});
      break;
    }
    case CollectiveKind::Permute:
      operands.push_back(dims.size() / 2);
      operands.append(dims.begin(), dims.end());
      break;
    case CollectiveKind::Send:
    case CollectiveKind::Recv:
      operands.append({dims[0], static_cast<int64_t>(dims.size() / 2)});
      operands.append(dims.begin() + 1, dims.end());
      break;
    case CollectiveKind::Broadcast:
      operands.push_back(reg(collective.getRoot()));
      break;
    case CollectiveKind::Reblock: {
      plan::BufferType in = bufferType(inputs[0]), out = bufferType(outs[0]);
      int64_t dim = dims[0];
      auto [outer, bytes] = rowsAt(in, dim + 1);
      int64_t inRows = in.getShape()[dim], outRows = out.getShape()[dim];
      outer = inRows ? outer / inRows : rowsAt(in, dim).first;
      int64_t fillBytes = 0, low = 0, high = 0;
      if (auto fill = collective.getFill()) {
        SmallVector<char> element = getElement(*fill, in.getElementType());
        if (element.empty() || element.size() > 16)
          return op->emitOpError("cannot fill with ") << *fill;
        element.resize(16, 0);
        std::memcpy(&low, element.data(), 8);
        std::memcpy(&high, element.data() + 8, 8);
        fillBytes = plan::getElementBytes(in.getElementType());
      }
      int64_t fillSlot = kNone;
      if (Value fill = collective.getFillBuffer()) {
        fillBytes = plan::getElementBytes(in.getElementType());
        fillSlot = slot(fill);
      }
      operands.append({outer, bytes, inRows, outRows, dims[1], dims[2], dims[3],
                       dims[4], fillBytes, low, high, fillSlot});
      break;
    }
    case CollectiveKind::RaggedAllToAll: {
      plan::BufferType in = bufferType(inputs[0]), out = bufferType(outs[0]);
      operands.append({rowsAt(in, 1).second,
                       in.getShape().empty() ? 1 : in.getShape()[0],
                       out.getShape().empty() ? 1 : out.getShape()[0]});
      break;
    }
    case CollectiveKind::AllReduce:
    case CollectiveKind::Barrier:
      break;
    }
    uint32_t stream = collective.getStream();
    numStreams = std::max(numStreams, stream + 1);
    table.emit(isa<plan::CollectiveStartOp>(op) ? Opcode::CollectiveStart
                                                : Opcode::Collective,
               operands, loc(op->getLoc()), stream);
    return success();
  };
  if (auto start = dyn_cast<plan::CollectiveStartOp>(op))
    return encode(start);
  return encode(cast<plan::CollectiveOp>(op));
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

/// Gives carried arguments a handle or a register each; the loop's results
/// share them, since a loop is not entered again while its results are in use.
LogicalResult ProgramEncoder::bindCarried(Operation *op, ValueRange args) {
  for (auto [arg, result] : llvm::zip_equal(args, op->getResults())) {
    if (isa<plan::ScalarType>(arg.getType())) {
      uint32_t index = reg(arg);
      registers[result] = index;
      continue;
    }
    auto index = addSlot(op, bufferType(arg), SlotKind::Handle, 0, 0);
    if (failed(index))
      return failure();
    slots[arg] = slots[result] = *index;
  }
  return success();
}

/// Parallel assignment of carried values.
void ProgramEncoder::emitMoves(ValueRange to, ValueRange from,
                               program::Str loc) {
  SmallVector<int64_t> moves{0}, handles{0};
  for (auto [dest, source] : llvm::zip_equal(to, from)) {
    if (isa<plan::ScalarType>(dest.getType())) {
      if (reg(dest) == reg(source))
        continue;
      moves.append({reg(dest), reg(source)});
      ++moves[0];
    } else if (slot(dest) != slot(source)) {
      handles.append({slot(dest), slot(source)});
      ++handles[0];
    }
  }
  if (moves[0])
    table.emit(Opcode::SMove, moves, loc);
  if (handles[0])
    table.emit(Opcode::Handles, handles, loc);
}

LogicalResult ProgramEncoder::encodeFor(plan::ForOp op) {
  Block &body = op.getBody().front();
  program::Str where = loc(op.getLoc());
  ValueRange args = body.getArguments().drop_front();
  if (failed(bindCarried(op, args)))
    return failure();
  emitMoves(args, op.getInits(), where);
  table.beginBlock();
  if (failed(encodeBlock(body)))
    return failure();
  emitMoves(args, body.getTerminator()->getOperands(), where);
  int64_t block = table.endBlock();
  table.emit(Opcode::For,
             {reg(body.getArgument(0)), reg(op.getBegin()), reg(op.getEnd()),
              reg(op.getStep()), block},
             where);
  return success();
}

LogicalResult ProgramEncoder::encodeWhile(plan::WhileOp op) {
  Block &cond = op.getCond().front(), &body = op.getBody().front();
  program::Str where = loc(op.getLoc());
  if (failed(bindCarried(op, body.getArguments())))
    return failure();
  // Condition and body see the same slots and registers.
  for (auto [inCond, inBody] :
       llvm::zip_equal(cond.getArguments(), body.getArguments())) {
    if (isa<plan::ScalarType>(inCond.getType())) {
      uint32_t index = reg(inBody);
      registers[inCond] = index;
    } else {
      uint32_t index = slot(inBody);
      slots[inCond] = index;
    }
  }
  emitMoves(body.getArguments(), op.getInits(), where);
  table.beginBlock();
  if (failed(encodeBlock(cond)))
    return failure();
  int64_t condition =
      reg(cast<plan::ConditionOp>(cond.getTerminator()).getCondition());
  int64_t condBlock = table.endBlock();
  table.beginBlock();
  if (failed(encodeBlock(body)))
    return failure();
  emitMoves(body.getArguments(), body.getTerminator()->getOperands(), where);
  int64_t bodyBlock = table.endBlock();
  table.emit(Opcode::While, {condBlock, condition, bodyBlock}, where);
  return success();
}

LogicalResult ProgramEncoder::encodeCase(plan::CaseOp op) {
  SmallVector<int64_t> operands{reg(op.getIndex()),
                                (int64_t)op.getBranches().size()};
  for (Region &branch : op.getBranches()) {
    table.beginBlock();
    if (failed(encodeBlock(branch.front())))
      return failure();
    operands.push_back(table.endBlock());
  }
  table.emit(Opcode::Case, operands, loc(op.getLoc()));
  return success();
}

//===----------------------------------------------------------------------===//
// All ops
//===----------------------------------------------------------------------===//

LogicalResult ProgramEncoder::encodeBlock(Block &block) {
  for (Operation &op : block)
    if (failed(encodeOp(&op)))
      return failure();
  return success();
}

LogicalResult ProgramEncoder::encodeOp(Operation *op) {
  program::Str where = loc(op->getLoc());
  auto emit = [&](Opcode opcode, ArrayRef<int64_t> operands,
                  uint16_t stream = 0) {
    table.emit(opcode, operands, where, stream);
    numStreams = std::max<uint32_t>(numStreams, stream + 1);
    return success();
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<plan::AllocOp, plan::ArgumentOp, plan::ResultOp>(
          [&](auto) { return declare(op); })
      .Case([&](plan::ConstantOp op) { return encodeConstant(op); })
      .Case([&](plan::ViewOp op) { return encodeView(op); })
      .Case([&](plan::ConstOp op) {
        return emit(Opcode::SConst,
                    {reg(op.getScalar()), (int64_t)op.getValue()});
      })
      .Case([&](plan::ScalarOp op) {
        return emit(static_cast<Opcode>(op.getKind()),
                    {reg(op.getScalar()), reg(op.getLhs()), reg(op.getRhs())});
      })
      .Case([&](plan::CompareOp op) {
        return emit(op.getIsUnsigned() ? Opcode::SUCompare : Opcode::SCompare,
                    {reg(op.getScalar()),
                     static_cast<int64_t>(op.getPredicate()), reg(op.getLhs()),
                     reg(op.getRhs())});
      })
      .Case([&](plan::SelectOp op) {
        return emit(Opcode::SSelect,
                    {reg(op.getScalar()), reg(op.getCondition()),
                     reg(op.getIfTrue()), reg(op.getIfFalse())});
      })
      .Case([&](plan::WrapOp op) {
        return emit(Opcode::SWrap,
                    {reg(op.getScalar()), reg(op.getValue()),
                     (int64_t)op.getBits(), op.getIsUnsigned() ? 0 : 1});
      })
      .Case([&](plan::RankOp op) {
        return emit(Opcode::SRank, {reg(op.getScalar())});
      })
      .Case([&](plan::ReadScalarOp op) {
        return emit(Opcode::SRead, {reg(op.getScalar()), slot(op.getBuffer())});
      })
      .Case([&](plan::WriteScalarOp op) {
        return emit(Opcode::SWrite,
                    {slot(op.getBuffer()), reg(op.getScalar())});
      })
      .Case([&](plan::ExecOp op) -> LogicalResult {
        auto it = kernelIndices.find(op.getKernel());
        if (it == kernelIndices.end())
          return op.emitOpError("runs unknown kernel ") << op.getKernelAttr();
        SmallVector<int64_t> operands{it->second};
        for (Value input : op.getInputs())
          operands.push_back(slot(input));
        for (Value out : op.getOuts())
          operands.push_back(slot(out));
        for (Value scalar : op.getScalars())
          operands.push_back(reg(scalar));
        return emit(Opcode::Exec, operands, op.getStream());
      })
      .Case([&](plan::CopyOp op) {
        encodeCopy(op);
        return success();
      })
      .Case([&](plan::FillOp op) -> LogicalResult {
        SmallVector<char> element =
            getElement(op.getValue(), op.getDest().getType().getElementType());
        int64_t bytes = element.size();
        if (bytes == 0 || bytes > 16)
          return op.emitOpError("cannot fill with ") << op.getValue();
        int64_t halves[2] = {0, 0};
        std::memcpy(halves, element.data(), bytes);
        return emit(Opcode::Fill,
                    {slot(op.getDest()), bytes, halves[0], halves[1]});
      })
      .Case([&](plan::MatmulOp op) { return encodeMatmul(op); })
      .Case([&](plan::ConvolutionOp op) {
        encodeConvolution(op);
        return success();
      })
      .Case([&](plan::CustomCallOp op) {
        program::CustomCall record = {};
        record.target = table.str(op.getTarget());
        record.config = table.str(op.getConfig());
        record.apiVersion = op.getApiVersion();
        record.hasSideEffect = op.getHasSideEffect();
        SmallVector<int64_t> operands{(int64_t)table.customCalls.size(),
                                      (int64_t)op.getInputs().size(),
                                      (int64_t)op.getOuts().size()};
        table.customCalls.push_back(record);
        for (Value input : op.getInputs())
          operands.push_back(slot(input));
        for (Value out : op.getOuts())
          operands.push_back(slot(out));
        return emit(Opcode::CustomCall, operands);
      })
      .Case([&](plan::CheckOp op) { return encodeCheck(op); })
      .Case<plan::CollectiveOp, plan::CollectiveStartOp>(
          [&](auto) { return encodeCollective(op); })
      .Case([&](plan::CollectiveDoneOp op) {
        return emit(Opcode::CollectiveDone, {event(op.getEvent())});
      })
      .Case([&](plan::RecordOp op) {
        return emit(Opcode::Record, {event(op.getEvent())}, op.getStream());
      })
      .Case([&](plan::WaitOp op) {
        return emit(Opcode::Wait, {event(op.getEvent())}, op.getStream());
      })
      .Case([&](plan::ForOp op) { return encodeFor(op); })
      .Case([&](plan::WhileOp op) { return encodeWhile(op); })
      .Case([&](plan::CaseOp op) { return encodeCase(op); })
      .Case<plan::YieldOp, plan::ConditionOp>([&](auto) { return success(); })
      .Default([&](Operation *) {
        return op->emitOpError("has no instruction in the program table");
      });
}
