// Operations: custom assembly and verifiers.
#include "dialects/SDY/SDY.h"

using namespace mlir;
using namespace mlir::sdy;

//===----------------------------------------------------------------------===//
// Pieces of assembly
//===----------------------------------------------------------------------===//

/// `[<@mesh, …>, …]`: a list of shardings without the outer `<…>`.
static ParseResult parseShardingList(OpAsmParser &parser,
                                     TensorShardingPerValueAttr &shardings) {
  SmallVector<TensorShardingAttr> list;
  auto parseOne = [&]() -> ParseResult {
    auto one = dyn_cast_or_null<TensorShardingAttr>(
        TensorShardingAttr::parse(parser, {}));
    if (!one)
      return failure();
    list.push_back(one);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseOne))
    return failure();
  shardings = TensorShardingPerValueAttr::get(parser.getContext(), list);
  return success();
}

static void printShardingList(OpAsmPrinter &printer, Operation *,
                              TensorShardingPerValueAttr shardings) {
  printer << "[";
  llvm::interleaveComma(shardings.getShardings(), printer,
                        [&](TensorShardingAttr one) { one.print(printer); });
  printer << "]";
}

/// `(%a: type, …) { … }`: a region whose arguments stand before it.
static ParseResult parseBodyWithArguments(OpAsmParser &parser, Region &body) {
  SmallVector<OpAsmParser::Argument> arguments;
  if (parser.parseArgumentList(arguments, AsmParser::Delimiter::Paren,
                               /*allowType=*/true) ||
      parser.parseRegion(body, arguments))
    return failure();
  if (body.empty())
    body.emplaceBlock();
  return success();
}

static void printBodyWithArguments(OpAsmPrinter &printer, Operation *,
                                   Region &body) {
  printer << "(";
  llvm::interleaveComma(
      body.getArguments(), printer,
      [&](BlockArgument argument) { printer.printRegionArgument(argument); });
  printer << ") ";
  printer.printRegion(body, /*printEntryBlockArgs=*/false);
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

/// True if an enclosing manual computation has taken the axis.
static bool isTakenByParent(Operation *op, StringRef axis) {
  for (auto parent = op->getParentOfType<ManualComputationOp>(); parent;
       parent = parent->getParentOfType<ManualComputationOp>())
    if (parent.getManualAxes().contains(axis))
      return true;
  return false;
}

static LogicalResult verifyUse(Operation *op, TensorShardingAttr sharding,
                               Type type, StringRef what = "") {
  if (failed(verifySharding(sharding, type, op, what)))
    return failure();
  for (DimensionShardingAttr dim : sharding.getDimShardings())
    for (AxisRefAttr axis : dim.getAxes())
      if (isTakenByParent(op, axis.getName()))
        return op->emitOpError("cuts along axis ")
               << axis.toString()
               << ", on which an enclosing manual computation is manual";
  return success();
}

LogicalResult ShardingConstraintOp::verify() {
  return verifyUse(*this, getSharding(), getType());
}

LogicalResult ReshardOp::verify() {
  return verifyUse(*this, getSharding(), getType());
}

LogicalResult PropagationBarrierOp::verify() {
  if (getAllowedDirection() == PropagationDirection::BOTH)
    return emitOpError("that allows both directions is no barrier");
  return success();
}

LogicalResult DataFlowEdgeOp::verify() {
  if (getSharding())
    return verifySharding(*getSharding(), getType(), *this, "");
  return success();
}

ParseResult ConstantOp::parse(OpAsmParser &parser, OperationState &result) {
  Attribute value;
  if (parser.parseOptionalAttrDict(result.attributes) ||
      parser.parseAttribute(value, "value", result.attributes))
    return failure();
  auto typed = dyn_cast<TypedAttr>(value);
  if (!typed)
    return parser.emitError(parser.getCurrentLocation(),
                            "expected a value with a type");
  result.addTypes(typed.getType());
  return success();
}

void ConstantOp::print(OpAsmPrinter &printer) {
  printer.printOptionalAttrDict((*this)->getAttrs(), {"value"});
  printer << " " << getValue();
}

LogicalResult ConstantOp::verify() {
  if (getValue().getType() != getType())
    return emitOpError("result type must be the type of its value");
  return success();
}

/// One side of a manual computation: shardings against the types outside and
/// inside.
static LogicalResult verifyManualSide(ManualComputationOp op,
                                      TensorShardingPerValueAttr shardings,
                                      TypeRange globals, TypeRange locals,
                                      StringRef side) {
  if (shardings.size() != int64_t(globals.size()))
    return op.emitOpError("has ") << globals.size() << " " << side << "s, but "
                                  << shardings.size() << " shardings for them";
  if (locals.size() != globals.size())
    return op.emitOpError("has ") << globals.size() << " " << side
                                  << "s, but its body has " << locals.size();
  ManualAxesAttr manual = op.getManualAxes();
  for (auto [index, sharding] : llvm::enumerate(shardings.getShardings())) {
    std::string what = (side + " " + Twine(index)).str();
    if (failed(verifyUse(op, sharding, globals[index], what)))
      return failure();
    MeshAttr mesh = sharding.getMesh(op);
    for (StringAttr axis : manual.getValue())
      if (!mesh.hasAxis(axis.getValue()))
        return op.emitOpError() << what << ": manual axis " << axis
                                << " is not an axis of the sharding's mesh";
    for (DimensionShardingAttr dim : sharding.getDimShardings()) {
      bool sawFree = false;
      for (AxisRefAttr axis : dim.getAxes()) {
        if (!manual.contains(axis.getName())) {
          sawFree = true;
          continue;
        }
        if (sawFree)
          return op.emitOpError() << what << ": manual axis " << axis.toString()
                                  << " must stand before the free axes of its "
                                     "dimension";
        if (axis.getSubAxisInfo())
          return op.emitOpError() << what << ": manual axis " << axis.toString()
                                  << " must not be split";
      }
    }
    auto global = dyn_cast<RankedTensorType>(globals[index]);
    if (!global)
      continue;
    FailureOr<SmallVector<int64_t>> shape =
        sharding.getLocalShape(global.getShape(), mesh, [&](StringRef axis) {
          return manual.contains(axis);
        });
    if (failed(shape))
      return op.emitOpError() << what << ": shape of " << global
                              << " does not divide along the manual axes";
    Type expected = global.clone(*shape);
    if (locals[index] != expected)
      return op.emitOpError() << what << ": " << global << " is " << expected
                              << " inside the region, not " << locals[index];
  }
  return success();
}

LogicalResult ManualComputationOp::verify() {
  llvm::SmallDenseSet<StringRef> names;
  for (StringAttr axis : getManualAxes().getValue()) {
    if (!names.insert(axis.getValue()).second)
      return emitOpError("names manual axis ") << axis << " twice";
    if (isTakenByParent(*this, axis.getValue()))
      return emitOpError("is manual on axis ")
             << axis << ", as an enclosing manual computation already is";
  }
  return success();
}

LogicalResult ManualComputationOp::verifyRegions() {
  if (failed(verifyManualSide(*this, getInShardings(), getTensors().getTypes(),
                              getBody().getArgumentTypes(), "operand")))
    return failure();
  return verifyManualSide(*this, getOutShardings(), getResultTypes(),
                          getBody().front().getTerminator()->getOperandTypes(),
                          "result");
}

static LogicalResult
verifyNamedSide(NamedComputationOp op,
                std::optional<TensorShardingPerValueAttr> shardings,
                TypeRange types, StringRef side) {
  if (!shardings)
    return success();
  if (shardings->size() != int64_t(types.size()))
    return op.emitOpError("has ") << types.size() << " " << side << "s, but "
                                  << shardings->size() << " shardings for them";
  for (auto [index, sharding] : llvm::enumerate(shardings->getShardings()))
    if (failed(verifySharding(sharding, types[index], op,
                              (side + " " + Twine(index)).str())))
      return failure();
  return success();
}

LogicalResult NamedComputationOp::verify() {
  if (failed(verifyNamedSide(*this, getInShardings(), getOperandTypes(),
                             "operand")) ||
      failed(verifyNamedSide(*this, getOutShardings(), getResultTypes(),
                             "result")))
    return failure();
  return success();
}

LogicalResult NamedComputationOp::verifyRegions() {
  if (getBody().getArgumentTypes() != getOperandTypes())
    return emitOpError("body must take the operands' types");
  if (getBody().front().getTerminator()->getOperandTypes() != getResultTypes())
    return emitOpError("body must return the results' types");
  return success();
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

/// What all of them require: a good result sharding, and as many lists of axes
/// as dimensions.
template <typename Op>
static LogicalResult verifyCollective(Op op) {
  return verifyUse(op, op.getOutSharding(), op.getType());
}

static LogicalResult verifyPerDim(Operation *op, ListOfAxisRefListsAttr axes,
                                  Type type) {
  if (int64_t(axes.getValue().size()) != cast<RankedTensorType>(type).getRank())
    return op->emitOpError("lists axes for ")
           << axes.getValue().size() << " dimensions of " << type;
  return success();
}

LogicalResult AllGatherOp::verify() {
  return success(
      succeeded(verifyPerDim(*this, getGatheringAxes(), getType())) &&
      succeeded(verifyCollective(*this)));
}

LogicalResult AllSliceOp::verify() {
  return success(succeeded(verifyPerDim(*this, getSlicingAxes(), getType())) &&
                 succeeded(verifyCollective(*this)));
}

LogicalResult AllToAllOp::verify() {
  int64_t rank = cast<RankedTensorType>(getType()).getRank();
  if (getParams().getValue().empty())
    return emitOpError("moves nothing");
  llvm::SmallDenseSet<int64_t> seen;
  for (AllToAllParamAttr param : getParams().getValue())
    for (int64_t dim : {param.getSrcDim(), param.getTgtDim()}) {
      if (dim < 0 || dim >= rank)
        return emitOpError("names dimension ") << dim << " of " << getType();
      if (!seen.insert(dim).second)
        return emitOpError("names dimension ") << dim << " twice";
    }
  return verifyCollective(*this);
}

LogicalResult AllReduceOp::verify() { return verifyCollective(*this); }

LogicalResult ReduceScatterOp::verify() {
  return success(
      succeeded(verifyPerDim(*this, getReduceScatterAxes(), getType())) &&
      succeeded(verifyCollective(*this)));
}

LogicalResult CollectivePermuteOp::verify() { return verifyCollective(*this); }

LogicalResult ReplicatedToUnreducedOp::verify() {
  return verifyCollective(*this);
}

LogicalResult ShardedToUnreducedOp::verify() {
  return success(succeeded(verifyPerDim(*this, getAxes(), getType())) &&
                 succeeded(verifyCollective(*this)));
}

#define GET_OP_CLASSES
#include "dialects/SDY/SDY.cpp.inc"
