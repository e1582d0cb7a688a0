// Operations of the `scheduled` level: buffers, collectives, loops.
#include "dialects/Plan/Plan.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace shoal::plan;

LogicalResult ViewOp::verify() {
  if (getIndices().size() != getStrides().size())
    return emitOpError("needs a stride for each index");
  int64_t offset = getOffset(), bytes = getView().getType().getBytes(),
          room = getBase().getType().getBytes();
  if (offset < 0 || bytes < 0 || offset > room - bytes)
    return emitOpError("reaches outside its base: bytes ")
           << offset << " to " << offset + bytes << " of " << room;
  return success();
}

LogicalResult HostStackOp::verify() {
  auto type = cast<RankedTensorType>(getResult().getType());
  if (!isOnHost(type) || !type.hasStaticShape() || type.getRank() == 0)
    return emitOpError("must be a stack of static shape in the memory of the "
                       "host");
  return success();
}

static LogicalResult verifyRow(Operation *op, Type stack, Type row,
                               Type index) {
  auto whole = cast<RankedTensorType>(stack), part = cast<RankedTensorType>(row),
       at = cast<RankedTensorType>(index);
  if (!isOnHost(whole) || isOnHost(part))
    return op->emitOpError(
        "copies between a stack in the memory of the host and a row that is not");
  if (!whole.hasStaticShape() || whole.getRank() == 0 ||
      part.getRank() != whole.getRank() || part.getDimSize(0) != 1 ||
      part.getShape().drop_front() != whole.getShape().drop_front() ||
      part.getElementType() != whole.getElementType())
    return op->emitOpError("has no row of the stack: ") << part << " of "
                                                        << whole;
  if (at.getRank() != 0 || !at.getElementType().isInteger())
    return op->emitOpError("needs an integer as index, not ") << at;
  return success();
}

LogicalResult OffloadRowOp::verify() {
  return verifyRow(*this, getStack().getType(), getRow().getType(),
                   getIndex().getType());
}

LogicalResult FetchRowOp::verify() {
  return verifyRow(*this, getStack().getType(), getRow().getType(),
                   getIndex().getType());
}

LogicalResult CopyOp::verify() {
  if (getSource().getType().getBytes() != getDest().getType().getBytes())
    return emitOpError("needs source and destination of one size");
  return success();
}

LogicalResult ExecOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel =
      symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError("runs unknown kernel ") << getKernelAttr();
  unsigned scalars = 0, buffers = 0;
  for (unsigned i = 0, e = kernel.getArgumentTypes().size(); i != e; ++i) {
    if (kernel.isScalarArg(i)) {
      ++scalars;
      continue;
    }
    if (buffers >= getInputs().size() ||
        getTensorBytes(cast<ShapedType>(kernel.getArgumentTypes()[i])) !=
            cast<BufferType>(getInputs()[buffers].getType()).getBytes())
      return emitOpError("input ") << buffers << " does not fit argument " << i
                                   << " of kernel " << getKernelAttr();
    ++buffers;
  }
  if (buffers != getInputs().size() || scalars != getScalars().size() ||
      getOuts().size() != kernel.getResultTypes().size())
    return emitOpError("operands do not fit kernel ") << getKernelAttr();
  for (auto [out, type] : llvm::zip_equal(getOuts(), kernel.getResultTypes()))
    if (cast<BufferType>(out.getType()).getBytes() !=
        getTensorBytes(cast<ShapedType>(type)))
      return emitOpError("outputs do not fit kernel ") << getKernelAttr();
  return success();
}

LogicalResult CollectiveOp::verify() {
  CollectiveKind kind = getKind();
  size_t ins = getInputs().size(), outs = getOuts().size();
  bool reduces = kind == CollectiveKind::AllReduce ||
                 kind == CollectiveKind::ReduceScatter;
  if (reduces != (getReduction() != Reduction::None))
    return emitOpError(reduces ? "needs a reduction" : "takes no reduction");
  bool paired = ins == outs;
  if (kind == CollectiveKind::Send)
    paired = ins == 1 && outs == 0;
  else if (kind == CollectiveKind::Recv)
    paired = ins == 0 && outs == 1;
  else if (kind == CollectiveKind::RaggedAllToAll)
    paired = ins == 6 && outs == 1;
  if (!paired)
    return emitOpError("needs an output buffer for each input buffer");
  bool needsRoot = kind == CollectiveKind::Broadcast;
  if (needsRoot != !!getRoot())
    return emitOpError(needsRoot ? "needs a root" : "takes no root");
  size_t dims = getDims().size();
  bool fits = true;
  switch (kind) {
  case CollectiveKind::AllGather:
  case CollectiveKind::ReduceScatter:
    fits = dims == 1;
    break;
  case CollectiveKind::AllToAll:
    fits = dims == 2;
    break;
  case CollectiveKind::Permute:
    fits = dims % 2 == 0;
    break;
  case CollectiveKind::Send:
  case CollectiveKind::Recv:
    fits = dims % 2 == 1;
    break;
  case CollectiveKind::Reblock:
    fits = dims == 5;
    break;
  default:
    fits = dims == 0;
  }
  if (!fits)
    return emitOpError("has a wrong number of 'dims'");
  return success();
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// Parses `(%arg = %init, …) : types` after the loop's header; the arguments
/// get types, `args` may hold leading ones already.
static ParseResult
parseCarried(OpAsmParser &parser, OperationState &result,
             SmallVectorImpl<OpAsmParser::Argument> &carried) {
  SmallVector<OpAsmParser::UnresolvedOperand> inits;
  SMLoc loc = parser.getCurrentLocation();
  if (succeeded(parser.parseOptionalKeyword("iter")) &&
      parser.parseAssignmentList(carried, inits))
    return failure();
  SmallVector<Type> types;
  if (!carried.empty() && (parser.parseColon() || parser.parseTypeList(types)))
    return failure();
  if (types.size() != carried.size())
    return parser.emitError(loc, "expected a type for each carried value");
  for (auto [arg, type] : llvm::zip_equal(carried, types))
    arg.type = type;
  result.addTypes(types);
  return parser.resolveOperands(inits, types, loc, result.operands);
}

static void printCarried(OpAsmPrinter &printer, ValueRange args,
                         ValueRange inits) {
  if (inits.empty())
    return;
  printer << " iter(";
  llvm::interleaveComma(llvm::zip_equal(args, inits), printer, [&](auto pair) {
    printer << std::get<0>(pair) << " = " << std::get<1>(pair);
  });
  printer << ") : ";
  llvm::interleaveComma(inits.getTypes(), printer);
}

ParseResult ForOp::parse(OpAsmParser &parser, OperationState &result) {
  Type scalar = ScalarType::get(parser.getContext());
  OpAsmParser::Argument iv;
  OpAsmParser::UnresolvedOperand begin, end, step;
  if (parser.parseArgument(iv) || parser.parseEqual() ||
      parser.parseOperand(begin) || parser.parseKeyword("to") ||
      parser.parseOperand(end) || parser.parseKeyword("step") ||
      parser.parseOperand(step) ||
      parser.resolveOperands({begin, end, step}, scalar, result.operands))
    return failure();
  iv.type = scalar;
  SmallVector<OpAsmParser::Argument> carried, args{iv};
  if (parseCarried(parser, result, carried))
    return failure();
  args.append(carried);
  return failure(parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
                 parser.parseRegion(*result.addRegion(), args));
}

void ForOp::print(OpAsmPrinter &printer) {
  Block &block = getBody().front();
  printer << ' ' << block.getArgument(0) << " = " << getBegin() << " to "
          << getEnd() << " step " << getStep();
  printCarried(printer, block.getArguments().drop_front(), getInits());
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs());
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

static LogicalResult verifyYield(Operation *op, Block &block, TypeRange types) {
  auto yield = dyn_cast<YieldOp>(block.empty() ? nullptr : &block.back());
  if (!yield || yield.getOperandTypes() != types)
    return op->emitOpError("body must yield the carried types");
  return success();
}

LogicalResult ForOp::verify() {
  Block &block = getBody().front();
  if (block.getNumArguments() != getInits().size() + 1 ||
      TypeRange(block.getArgumentTypes()).drop_front() !=
          getInits().getTypes() ||
      getFinals().getTypes() != getInits().getTypes() ||
      !isa<ScalarType>(block.getArgument(0).getType()))
    return emitOpError("block arguments must be the induction variable and the "
                       "carried values");
  return verifyYield(*this, block, getInits().getTypes());
}

ParseResult WhileOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::Argument> args;
  if (parseCarried(parser, result, args) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.parseKeyword("cond") ||
      parser.parseRegion(*result.addRegion(), args) ||
      parser.parseKeyword("do"))
    return failure();
  // The body names its arguments itself: one spelling may stand for two values.
  SmallVector<OpAsmParser::Argument> bodyArgs;
  if (parser.parseArgumentList(bodyArgs, OpAsmParser::Delimiter::Paren))
    return failure();
  if (bodyArgs.size() != args.size())
    return parser.emitError(parser.getCurrentLocation(),
                            "body must name each carried value");
  for (auto [bodyArg, arg] : llvm::zip_equal(bodyArgs, args))
    bodyArg.type = arg.type;
  return parser.parseRegion(*result.addRegion(), bodyArgs);
}

void WhileOp::print(OpAsmPrinter &printer) {
  printCarried(printer, getCond().front().getArguments(), getInits());
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs());
  printer << " cond ";
  printer.printRegion(getCond(), /*printEntryBlockArgs=*/false);
  printer << " do (";
  llvm::interleaveComma(getBody().front().getArguments(), printer);
  printer << ") ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult WhileOp::verify() {
  TypeRange types = getInits().getTypes();
  if (TypeRange(getCond().front().getArgumentTypes()) != types ||
      TypeRange(getBody().front().getArgumentTypes()) != types ||
      getFinals().getTypes() != types)
    return emitOpError(
        "block arguments and results must be the carried values");
  Block &cond = getCond().front();
  if (cond.empty() || !isa<ConditionOp>(cond.back()))
    return emitOpError("condition must end in plan.condition");
  return verifyYield(*this, getBody().front(), types);
}
