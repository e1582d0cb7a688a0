// Operations: custom assembly, verifiers, folders.
#include "dialects/CHLO/CHLO.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::chlo;

//===----------------------------------------------------------------------===//
// Broadcasting
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<int64_t>>
chlo::broadcastShapes(ArrayRef<int64_t> lhs, ArrayRef<int64_t> rhs,
                      std::optional<ArrayRef<int64_t>> dimensions) {
  if (lhs.size() < rhs.size())
    return broadcastShapes(rhs, lhs, dimensions);
  // `rhs` has the lower rank; move its sizes to their place.
  SmallVector<int64_t> placed(lhs.size(), 1);
  if (dimensions) {
    if (dimensions->size() != rhs.size())
      return failure();
    int64_t previous = -1;
    for (auto [dim, size] : llvm::zip(*dimensions, rhs)) {
      if (dim <= previous || dim >= int64_t(lhs.size()))
        return failure();
      placed[dim] = size;
      previous = dim;
    }
  } else {
    llvm::copy(rhs, placed.end() - rhs.size());
  }
  SmallVector<int64_t> result;
  for (auto [a, b] : llvm::zip(lhs, placed)) {
    if (a == 1 || (ShapedType::isDynamic(a) && b != 1))
      result.push_back(b);
    else if (b == 1 || ShapedType::isDynamic(b) || a == b)
      result.push_back(a);
    else
      return failure();
  }
  return result;
}

/// Checks shapes, and element types as far as `sameElementType` says.
template <typename Op>
static LogicalResult verifyBroadcast(Op op, bool sameOperands,
                                     bool sameResult) {
  auto lhs = dyn_cast<RankedTensorType>(op.getLhs().getType());
  auto rhs = dyn_cast<RankedTensorType>(op.getRhs().getType());
  auto result = dyn_cast<RankedTensorType>(op.getType());
  Type lhsElement = getElementTypeOrSelf(op.getLhs().getType());
  if (sameOperands && lhsElement != getElementTypeOrSelf(op.getRhs().getType()))
    return op.emitOpError("takes operands of one element type, not ")
           << op.getLhs().getType() << " and " << op.getRhs().getType();
  if (sameResult && lhsElement != getElementTypeOrSelf(op.getType()))
    return op.emitOpError("gives its operands' element type, not ")
           << getElementTypeOrSelf(op.getType());
  if (!lhs || !rhs || !result)
    return success();
  FailureOr<SmallVector<int64_t>> shape = broadcastShapes(
      lhs.getShape(), rhs.getShape(), op.getBroadcastDimensions());
  if (failed(shape)) {
    InFlightDiagnostic diagnostic = op.emitOpError("cannot broadcast ")
                                    << lhs << " and " << rhs;
    if (op.getBroadcastDimensions())
      diagnostic << " with broadcast_dimensions ["
                 << *op.getBroadcastDimensions() << "]";
    return diagnostic;
  }
  if (failed(verifyCompatibleShape(*shape, result.getShape())))
    return op.emitOpError("operands broadcast to ")
           << RankedTensorType::get(*shape, result.getElementType())
           << ", not to " << result;
  return success();
}

#define SHOAL_BROADCAST_OP(OP)                                                 \
  LogicalResult OP::verify() { return verifyBroadcast(*this, true, true); }
SHOAL_BROADCAST_OP(BroadcastAddOp)
SHOAL_BROADCAST_OP(BroadcastAndOp)
SHOAL_BROADCAST_OP(BroadcastAtan2Op)
SHOAL_BROADCAST_OP(BroadcastDivOp)
SHOAL_BROADCAST_OP(BroadcastMaxOp)
SHOAL_BROADCAST_OP(BroadcastMinOp)
SHOAL_BROADCAST_OP(BroadcastMulOp)
SHOAL_BROADCAST_OP(BroadcastNextAfterOp)
SHOAL_BROADCAST_OP(BroadcastOrOp)
SHOAL_BROADCAST_OP(BroadcastPolygammaOp)
SHOAL_BROADCAST_OP(BroadcastPowOp)
SHOAL_BROADCAST_OP(BroadcastRemOp)
SHOAL_BROADCAST_OP(BroadcastShiftLeftOp)
SHOAL_BROADCAST_OP(BroadcastShiftRightArithmeticOp)
SHOAL_BROADCAST_OP(BroadcastShiftRightLogicalOp)
SHOAL_BROADCAST_OP(BroadcastSubOp)
SHOAL_BROADCAST_OP(BroadcastXorOp)
SHOAL_BROADCAST_OP(BroadcastZetaOp)
#undef SHOAL_BROADCAST_OP

LogicalResult BroadcastComplexOp::verify() {
  auto complex = cast<ComplexType>(getElementTypeOrSelf(getType()));
  if (complex.getElementType() != getElementTypeOrSelf(getLhs().getType()))
    return emitOpError("gives a complex number of ")
           << complex.getElementType() << " from parts of "
           << getElementTypeOrSelf(getLhs().getType());
  return verifyBroadcast(*this, true, false);
}

LogicalResult BroadcastCompareOp::verify() {
  return verifyBroadcast(*this, true, false);
}

LogicalResult BroadcastSelectOp::verify() {
  Type element = getElementTypeOrSelf(getType());
  if (getElementTypeOrSelf(getOnTrue().getType()) != element ||
      getElementTypeOrSelf(getOnFalse().getType()) != element)
    return emitOpError("chooses between values of its result's element type");
  auto pred = dyn_cast<RankedTensorType>(getPred().getType());
  auto onTrue = dyn_cast<RankedTensorType>(getOnTrue().getType());
  auto onFalse = dyn_cast<RankedTensorType>(getOnFalse().getType());
  auto result = dyn_cast<RankedTensorType>(getType());
  if (!pred || !onTrue || !onFalse || !result)
    return success();
  auto shape = broadcastShapes(onTrue.getShape(), onFalse.getShape(), {});
  if (succeeded(shape))
    shape = broadcastShapes(*shape, pred.getShape(), {});
  if (failed(shape) || failed(verifyCompatibleShape(*shape, result.getShape())))
    return emitOpError("cannot broadcast ")
           << pred << ", " << onTrue << " and " << onFalse << " to " << result;
  return success();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

ParseResult ConstantOp::parse(OpAsmParser &parser, OperationState &result) {
  Attribute value;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseOptionalAttrDict(result.attributes) ||
      parser.parseAttribute(value, "value", result.attributes))
    return failure();
  auto typed = dyn_cast<ElementsAttr>(value);
  if (!typed)
    return parser.emitError(loc, "expected a tensor constant");
  result.addTypes(typed.getType());
  return success();
}

void ConstantOp::print(OpAsmPrinter &printer) {
  printer.printOptionalAttrDict((*this)->getAttrs(), {"value"});
  printer << " " << getValue();
}

LogicalResult ConstantOp::verify() {
  if (getValue().getShapedType() != getType())
    return emitOpError("result type must be the type of its value");
  return success();
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult ConstantLikeOp::verify() {
  if (getValue().getType() != getElementTypeOrSelf(getType()))
    return emitOpError("value ")
           << getValue() << " is not an element of " << getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Composites
//===----------------------------------------------------------------------===//

LogicalResult TopKOp::verify() {
  if (static_cast<int64_t>(getK()) < 0)
    return emitOpError("k must not be negative");
  auto operand = dyn_cast<RankedTensorType>(getOperand().getType());
  if (!operand)
    return success();
  if (operand.getRank() < 1)
    return emitOpError("needs an operand of rank at least 1");
  int64_t last = operand.getShape().back();
  int64_t k = getK();
  if (!ShapedType::isDynamic(last) && last < k)
    return emitOpError("asks for ") << k << " of " << last << " elements";
  SmallVector<int64_t> shape(operand.getShape());
  shape.back() = k;
  for (Value result : getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (type && failed(verifyCompatibleShape(shape, type.getShape())))
      return emitOpError("gives results of shape ")
             << RankedTensorType::get(shape, type.getElementType()) << ", not "
             << type;
  }
  if (getElementTypeOrSelf(getValues().getType()) != operand.getElementType())
    return emitOpError("values must have the operand's element type");
  if (!getElementTypeOrSelf(getIndices().getType()).isSignlessInteger(32))
    return emitOpError("indices must be i32");
  return success();
}

LogicalResult RaggedDotOp::verify() {
  auto lhs = dyn_cast<RankedTensorType>(getLhs().getType());
  auto rhs = dyn_cast<RankedTensorType>(getRhs().getType());
  if (!lhs || !rhs)
    return success();
  RaggedDotDimensionNumbersAttr numbers = getRaggedDotDimensionNumbers();
  auto check = [&](ArrayRef<int64_t> dims, RankedTensorType type,
                   StringRef what) -> LogicalResult {
    llvm::SmallDenseSet<int64_t> seen;
    for (int64_t dim : dims)
      if (dim < 0 || dim >= type.getRank() || !seen.insert(dim).second)
        return emitOpError() << what << " dimension " << dim << " of " << type
                             << " does not exist or stands twice";
    return success();
  };
  if (failed(check(numbers.getLhsBatchingDimensions(), lhs, "batching")) ||
      failed(check(numbers.getRhsBatchingDimensions(), rhs, "batching")) ||
      failed(
          check(numbers.getLhsContractingDimensions(), lhs, "contracting")) ||
      failed(
          check(numbers.getRhsContractingDimensions(), rhs, "contracting")) ||
      failed(check(numbers.getLhsRaggedDimensions(), lhs, "ragged")) ||
      failed(check(numbers.getRhsGroupDimensions(), rhs, "group")))
    return failure();
  if (numbers.getLhsRaggedDimensions().size() != 1)
    return emitOpError("needs exactly one ragged dimension");
  auto checkPair = [&](ArrayRef<int64_t> left, ArrayRef<int64_t> right,
                       StringRef what) -> LogicalResult {
    if (left.size() != right.size())
      return emitOpError() << "has " << left.size() << " and " << right.size()
                           << " " << what << " dimensions";
    for (auto [l, r] : llvm::zip(left, right))
      if (failed(
              verifyCompatibleShape({lhs.getDimSize(l)}, {rhs.getDimSize(r)})))
        return emitOpError()
               << what << " dimensions differ in size: " << lhs.getDimSize(l)
               << " and " << rhs.getDimSize(r);
    return success();
  };
  if (failed(checkPair(numbers.getLhsBatchingDimensions(),
                       numbers.getRhsBatchingDimensions(), "batching")) ||
      failed(checkPair(numbers.getLhsContractingDimensions(),
                       numbers.getRhsContractingDimensions(), "contracting")))
    return failure();
  int64_t ragged = numbers.getLhsRaggedDimensions().front();
  bool inBatch = llvm::is_contained(numbers.getLhsBatchingDimensions(), ragged);
  bool contracted =
      llvm::is_contained(numbers.getLhsContractingDimensions(), ragged);
  if ((inBatch || contracted) && !numbers.getRhsGroupDimensions().empty())
    return emitOpError("has a group dimension only if the ragged dimension is "
                       "kept");
  if (!inBatch && !contracted && numbers.getRhsGroupDimensions().size() != 1)
    return emitOpError("needs exactly one group dimension");
  return success();
}

ParseResult ScanOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::UnresolvedOperand> inputs, inits;
  FunctionType type;
  int64_t dimension;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseOperandList(inputs, AsmParser::Delimiter::Paren) ||
      parser.parseKeyword("inits") ||
      parser.parseOperandList(inits, AsmParser::Delimiter::Paren) ||
      parser.parseKeyword("dimension") || parser.parseEqual() ||
      parser.parseInteger(dimension) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.parseRegion(*result.addRegion()) || parser.parseColonType(type))
    return failure();
  Builder &builder = parser.getBuilder();
  result.addAttribute("dimension", builder.getI64IntegerAttr(dimension));
  if (type.getNumInputs() != inputs.size() + inits.size())
    return parser.emitError(loc, "expected ")
           << inputs.size() + inits.size() << " operand types";
  if (type.getNumResults() < inits.size())
    return parser.emitError(loc, "expected a result for each of the ")
           << inits.size() << " carries";
  result.addTypes(type.getResults());
  SmallVector<OpAsmParser::UnresolvedOperand> operands(inputs);
  operands.append(inits);
  int32_t numInits = inits.size();
  int32_t numOutputs = type.getNumResults() - numInits;
  auto &properties = result.getOrAddProperties<Properties>();
  properties.operandSegmentSizes = {int32_t(inputs.size()), numInits};
  properties.resultSegmentSizes = {numOutputs, numInits};
  return parser.resolveOperands(operands, type.getInputs(), loc,
                                result.operands);
}

void ScanOp::print(OpAsmPrinter &printer) {
  printer << "(" << getInputs() << ") inits (" << getInits()
          << ") dimension=" << getDimension();
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(),
      {"dimension", getOperandSegmentSizeAttr(), getResultSegmentSizeAttr()});
  printer << " ";
  printer.printRegion(getBody());
  printer << " : ";
  printer.printFunctionalType(*this);
}

/// Type of one slice of a scanned tensor.
static Type sliceType(Type type, int64_t dimension) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || dimension >= tensor.getRank())
    return type;
  SmallVector<int64_t> shape(tensor.getShape());
  shape.erase(shape.begin() + dimension);
  return RankedTensorType::get(shape, tensor.getElementType());
}

LogicalResult ScanOp::verify() {
  int64_t dimension = getDimension();
  std::optional<int64_t> size;
  if (getScanDimSize())
    size = *getScanDimSize();
  for (Value value : llvm::concat<Value>(SmallVector<Value>(getInputs()),
                                         SmallVector<Value>(getOutputs()))) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      continue;
    if (dimension < 0 || dimension >= type.getRank())
      return emitOpError("scans dimension ") << dimension << " of " << type;
    int64_t actual = type.getDimSize(dimension);
    if (ShapedType::isDynamic(actual))
      continue;
    if (size && *size != actual)
      return emitOpError("scanned dimensions differ in size: ")
             << *size << " and " << actual;
    size = actual;
  }
  if (getInits().getTypes() != getCarries().getTypes())
    return emitOpError("gives carries of the types of their initial values");
  return success();
}

LogicalResult ScanOp::verifyRegions() {
  Block &block = getBody().front();
  SmallVector<Type> arguments, results;
  for (Value input : getInputs())
    arguments.push_back(sliceType(input.getType(), getDimension()));
  llvm::append_range(arguments, getInits().getTypes());
  for (Value output : getOutputs())
    results.push_back(sliceType(output.getType(), getDimension()));
  llvm::append_range(results, getCarries().getTypes());
  if (TypeRange(arguments) != block.getArgumentTypes())
    return emitOpError("body must take slices of the inputs, then the carries");
  if (block.empty() || block.back().getOperandTypes() != TypeRange(results))
    return emitOpError("body must return slices of the outputs, then the "
                       "carries");
  return success();
}

#define GET_OP_CLASSES
#include "dialects/CHLO/CHLO.cpp.inc"
