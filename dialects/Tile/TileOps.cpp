// Kernels and the ops on tiles.
#include "dialects/Tile/Tile.h"

#include "shoal/Codegen/GPU/TileLayouts.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

#define GET_OP_CLASSES
#include "dialects/Tile/Tile.cpp.inc"

//===----------------------------------------------------------------------===//
// tile.func
//===----------------------------------------------------------------------===//

void FuncOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                   ArrayRef<Type> arguments, LaunchAttr launch) {
  state.addAttribute(getSymNameAttrName(state.name),
                     builder.getStringAttr(name));
  state.addAttribute(getFunctionTypeAttrName(state.name),
                     TypeAttr::get(builder.getFunctionType(arguments, {})));
  state.addAttribute(getLaunchAttrName(state.name), launch);
  Region *body = state.addRegion();
  Block &block = body->emplaceBlock();
  for (Type type : arguments)
    block.addArgument(type, state.location);
}

ParseResult FuncOp::parse(OpAsmParser &parser, OperationState &result) {
  auto buildType = [](Builder &builder, ArrayRef<Type> inputs,
                      ArrayRef<Type> results,
                      function_interface_impl::VariadicFlag, std::string &) {
    return builder.getFunctionType(inputs, results);
  };
  return function_interface_impl::parseFunctionOp(
      parser, result, /*allowVariadic=*/false,
      getFunctionTypeAttrName(result.name), buildType,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void FuncOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(
      printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
      getArgAttrsAttrName(), getResAttrsAttrName());
}

LogicalResult FuncOp::verify() {
  if (!getResultTypes().empty())
    return emitOpError() << "a kernel returns nothing: it stores";
  // Views of inputs and outputs, host scalars, one workspace.
  bool scalars = false, scratch = false;
  for (auto [i, type] : llvm::enumerate(getArgumentTypes())) {
    bool isScratch = bool(getArgAttr(i, getScratchAttrName()));
    if (scratch)
      return emitOpError() << "the workspace is the last argument";
    if (isa<ViewType>(type)) {
      if (scalars && !isScratch)
        return emitOpError() << "buffers come before host scalars";
      scratch = isScratch;
    } else if (type.isInteger(64)) {
      scalars = true;
    } else {
      return emitOpError() << "arguments are views and i64 host scalars";
    }
    if (Attribute scratchKind = getArgAttr(i, getScratchAttrName())) {
      auto kind = dyn_cast<StringAttr>(scratchKind);
      if (!isa<ViewType>(type) || !kind ||
          (kind.getValue() != "any" && kind.getValue() != "zeroed"))
        return emitOpError() << "'tile.scratch' is \"any\" or \"zeroed\", on a "
                                "view";
    }
  }
  if (getBody().empty())
    return emitOpError() << "needs a body";
  return success();
}

//===----------------------------------------------------------------------===//
// Ops on tiles
//===----------------------------------------------------------------------===//

static LogicalResult verifyNumber(Operation *op, TypedAttr value, Type type) {
  if (value.getType() != type || !isa<IntegerAttr, FloatAttr>(value))
    return op->emitOpError()
           << "the value must be a number of the element type";
  return success();
}

LogicalResult ConstantOp::verify() {
  return verifyNumber(*this, getValue(), getType().getElementType());
}

LogicalResult SplatOp::verify() {
  if (getScalar().getType() != getType().getElementType())
    return emitOpError() << "the tile must have the scalar's type";
  return success();
}

LogicalResult ExtractOp::verify() {
  auto type = cast<RankedTensorType>(getInput().getType());
  if (type.getNumElements() != 1 ||
      type.getElementType() != getResult().getType())
    return emitOpError("takes a tile of one element of the result's type");
  return success();
}

LogicalResult IotaOp::verify() {
  if (!getType().getElementType().isInteger(32))
    return emitOpError() << "gives i32";
  if (int64_t(getDim()) < 0 || int64_t(getDim()) >= getType().getRank())
    return emitOpError() << "has no dimension " << getDim();
  return success();
}

/// Both or neither have a layout, and then `expected` is the result's.
static LogicalResult verifyLayout(Operation *op, LayoutAttr input,
                                  LayoutAttr result,
                                  function_ref<LinearLayout()> expected) {
  if (bool(input) != bool(result))
    return op->emitOpError() << "operand and result have a layout, or neither";
  if (input && expected() != result.getMap())
    return op->emitOpError() << "the result's layout does not follow from the "
                                "operand's: expected "
                             << LayoutAttr::get(op->getContext(), expected());
  return success();
}

LogicalResult BroadcastOp::verify() {
  RankedTensorType from = getInput().getType(), to = getType();
  if (from.getElementType() != to.getElementType() ||
      from.getRank() != to.getRank())
    return emitOpError() << "keeps rank and element type";
  for (auto [a, b] : llvm::zip_equal(from.getShape(), to.getShape()))
    if (a != b && a != 1)
      return emitOpError() << "repeats dimensions of size 1 only";
  LayoutAttr input = tile::getLayout(from), result = tile::getLayout(to);
  if (bool(input) != bool(result))
    return emitOpError() << "operand and result have a layout, or neither";
  if (input && input != result.restrictTo(from.getShape()))
    return emitOpError() << "the operand's layout must be "
                         << result.restrictTo(from.getShape());
  return success();
}

LogicalResult ReshapeOp::verify() {
  RankedTensorType from = getInput().getType(), to = getType();
  if (from.getElementType() != to.getElementType() ||
      from.getNumElements() != to.getNumElements())
    return emitOpError() << "keeps the number and type of elements";
  return verifyLayout(*this, tile::getLayout(from), tile::getLayout(to), [&] {
    return reshapeLayout(tile::getLayout(from).getMap(), to.getShape());
  });
}

LogicalResult TransposeOp::verify() {
  RankedTensorType from = getInput().getType(), to = getType();
  ArrayRef<int64_t> permutation = getPermutation();
  SmallVector<bool> seen(from.getRank());
  if (from.getElementType() != to.getElementType() ||
      int64_t(permutation.size()) != from.getRank() ||
      to.getRank() != from.getRank())
    return emitOpError() << "keeps rank and element type";
  for (auto [i, d] : llvm::enumerate(permutation)) {
    if (d < 0 || d >= from.getRank() || seen[d])
      return emitOpError() << "needs a permutation of the dimensions";
    seen[d] = true;
    if (to.getDimSize(i) != from.getDimSize(d))
      return emitOpError() << "dimension " << i << " of the result has the "
                           << "wrong size";
  }
  return verifyLayout(*this, tile::getLayout(from), tile::getLayout(to), [&] {
    SmallVector<unsigned> order(permutation.begin(), permutation.end());
    return transposeLayout(tile::getLayout(from).getMap(), order);
  });
}

LogicalResult ConvertLayoutOp::verify() {
  RankedTensorType from = getInput().getType(), to = getType();
  if (withLayout(from, {}) != withLayout(to, {}))
    return emitOpError() << "changes the layout only";
  if (!tile::getLayout(from) || !tile::getLayout(to))
    return emitOpError() << "needs layouts on both sides";
  return success();
}

/// A region over rank-0 tensors: arguments of the element types of `arguments`,
/// yielding those of `results`.
static LogicalResult verifyScalarRegion(Operation *op, Region &region,
                                        ArrayRef<Type> arguments,
                                        TypeRange results) {
  auto isScalarOf = [](Type scalar, Type tile) {
    auto tensor = dyn_cast<RankedTensorType>(scalar);
    return tensor && tensor.getRank() == 0 &&
           tensor.getElementType() ==
               cast<RankedTensorType>(tile).getElementType();
  };
  Block &block = region.front();
  if (block.getNumArguments() != arguments.size())
    return op->emitOpError()
           << "the region needs " << arguments.size() << " arguments";
  for (auto [argument, type] : llvm::zip_equal(block.getArguments(), arguments))
    if (!isScalarOf(argument.getType(), type))
      return op->emitOpError() << "arguments of the region are rank-0 tensors "
                                  "of the operands' element types";
  auto yield = cast<YieldOp>(block.getTerminator());
  if (yield.getNumOperands() != results.size())
    return op->emitOpError()
           << "the region must yield " << results.size() << " values";
  for (auto [value, type] : llvm::zip_equal(yield.getOperands(), results))
    if (!isScalarOf(value.getType(), type))
      return op->emitOpError() << "the region yields rank-0 tensors of the "
                                  "results' element types";
  return success();
}

/// All of one shape and layout.
static LogicalResult verifySameTiles(Operation *op, TypeRange types) {
  for (Type type : types)
    if (cast<RankedTensorType>(type).getShape() !=
            cast<RankedTensorType>(types[0]).getShape() ||
        tile::getLayout(type) != tile::getLayout(types[0]))
      return op->emitOpError() << "tiles must have one shape and layout";
  return success();
}

LogicalResult MapOp::verify() {
  SmallVector<Type> types(getOperandTypes());
  llvm::append_range(types, getResultTypes());
  if (getNumResults() == 0)
    return emitOpError() << "needs a result";
  if (failed(verifySameTiles(*this, types)))
    return failure();
  return verifyScalarRegion(
      *this, getBody(), SmallVector<Type>(getOperandTypes()), getResultTypes());
}

/// Operands twice as arguments, results as yielded values.
static LogicalResult verifyCombiner(Operation *op, Region &region,
                                    int64_t axis) {
  if (op->getNumOperands() == 0 || op->getNumOperands() != op->getNumResults())
    return op->emitOpError() << "needs as many results as operands";
  if (failed(verifySameTiles(op, op->getOperandTypes())) ||
      failed(verifySameTiles(op, op->getResultTypes())))
    return failure();
  auto first = cast<RankedTensorType>(op->getOperand(0).getType());
  if (axis < 0 || axis >= first.getRank())
    return op->emitOpError() << "has no axis " << axis;
  SmallVector<Type> arguments(op->getOperandTypes());
  llvm::append_range(arguments, op->getOperandTypes());
  for (auto [a, b] :
       llvm::zip_equal(op->getOperandTypes(), op->getResultTypes()))
    if (cast<RankedTensorType>(a).getElementType() !=
        cast<RankedTensorType>(b).getElementType())
      return op->emitOpError() << "keeps element types";
  return verifyScalarRegion(op, region, arguments, op->getResultTypes());
}

LogicalResult ReduceOp::verify() {
  if (failed(verifyCombiner(*this, getBody(), getAxis())))
    return failure();
  auto from = cast<RankedTensorType>(getOperand(0).getType());
  auto to = cast<RankedTensorType>(getResult(0).getType());
  SmallVector<int64_t> shape(from.getShape());
  shape[getAxis()] = 1;
  if (ArrayRef<int64_t>(shape) != to.getShape())
    return emitOpError() << "results have size 1 in the axis";
  LayoutAttr input = tile::getLayout(from), result = tile::getLayout(to);
  if (bool(input) != bool(result))
    return emitOpError() << "operands and results have a layout, or neither";
  if (input && result != input.restrictTo(shape))
    return emitOpError() << "the results' layout must be "
                         << input.restrictTo(shape);
  return success();
}

LogicalResult ScanOp::verify() {
  if (failed(verifyCombiner(*this, getBody(), getAxis())))
    return failure();
  if (getOperand(0).getType() != getResult(0).getType())
    return emitOpError() << "keeps shape and layout";
  return success();
}

LogicalResult DotOp::verify() {
  RankedTensorType a = getA().getType(), b = getB().getType(),
                   acc = getAcc().getType();
  if (a.getRank() != 2 || b.getRank() != 2 || acc.getRank() != 2 ||
      a.getDimSize(1) != b.getDimSize(0) ||
      a.getDimSize(0) != acc.getDimSize(0) ||
      b.getDimSize(1) != acc.getDimSize(1))
    return emitOpError() << "multiplies M x K by K x N into M x N";
  if (getType() != acc)
    return emitOpError() << "the result has the accumulator's type";
  if (getPrecision() != DotPrecision::IEEE && !a.getElementType().isF32())
    return emitOpError() << "'precision' is for f32 operands";
  return success();
}
