#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

STABLEHLO_INFER_TYPES(CholeskyOp) {
  auto a = getTensor(op.getA());
  if (!a || a.getRank() < 2)
    return emitOptionalError(location, "argument 'a' must have rank >= 2, got ",
                             op.getA().getType());
  if (!isCompatibleDimSize(a.getDimSize(a.getRank() - 1),
                           a.getDimSize(a.getRank() - 2)))
    return emitOptionalError(
        location, "minor dimensions of 'a' must have equal size, got shape ",
        a);
  inferred.push_back(a);
  return success();
}

STABLEHLO_INFER_TYPES(TriangularSolveOp) {
  auto a = getTensor(op.getA()), b = getTensor(op.getB());
  if (!a || !b || a.getRank() < 2)
    return emitOptionalError(location, "operand 'a' must have rank >= 2, got ",
                             op.getA().getType());
  int64_t rank = a.getRank();
  if (!isCompatibleDimSize(a.getDimSize(rank - 2), a.getDimSize(rank - 1)))
    return emitOptionalError(location,
                             "two minor dimensions of operand 'a' must be "
                             "compatible, got ",
                             a);
  if (b.getRank() != rank)
    return emitOptionalError(location, "operands must have equal rank, got ", a,
                             " and ", b);
  int64_t shared = op.getLeftSide() ? rank - 2 : rank - 1;
  if (!isCompatibleDimSize(a.getDimSize(rank - 1), b.getDimSize(shared)))
    return emitOptionalError(location,
                             "shared dimension of operands 'a' and 'b' does "
                             "not match, got ",
                             a, " and ", b);
  if (!areCompatibleShapes(a.getShape().drop_back(2),
                           b.getShape().drop_back(2)))
    return emitOptionalError(location,
                             "leading batch dimensions of the operands must "
                             "be compatible, got ",
                             a, " and ", b);
  if (op.getTransposeA() == Transpose::TRANSPOSE_INVALID)
    return emitOptionalError(location,
                             "Invalid transpose option value for triangular "
                             "solve");
  inferred.push_back(b);
  return success();
}

STABLEHLO_INFER_TYPES(FftOp) {
  auto operand = getTensor(op.getOperand());
  if (!operand)
    return emitOptionalError(location, "expected a ranked operand");
  ArrayRef<int64_t> lengths = op.getFftLength();
  int64_t rank = lengths.size();
  if (rank < 1 || rank > 3)
    return emitOptionalError(location, "rank must be between 1 and 3, but got ",
                             rank);
  if (operand.getRank() < rank)
    return emitOptionalError(location,
                             "operand rank must not be less than fft rank of ",
                             rank, " for operand of type ", operand);
  for (int64_t length : lengths)
    if (length < 0)
      return emitOptionalError(location,
                               "fft_length must not be negative, got ", length);
  Type element = operand.getElementType();
  FftType kind = op.getFftType();
  bool toComplex = kind == FftType::RFFT, toReal = kind == FftType::IRFFT;
  if (toComplex ? !element.isF32() && !element.isF64()
                : !isa<ComplexType>(element))
    return emitOptionalError(location, stringifyFftType(kind), " takes ",
                             toComplex ? "real" : "complex",
                             " operands, but got ", operand);
  SmallVector<int64_t> shape(operand.getShape());
  // Half of the spectrum of real numbers says all of it.
  for (int64_t i = 0; i < rank; ++i) {
    int64_t &size = shape[shape.size() - rank + i];
    bool last = i == rank - 1;
    // Between complex numbers the lengths say nothing new.
    if (!toReal && !toComplex)
      continue;
    int64_t expected =
        toReal && last && lengths[i] != 0 ? lengths[i] / 2 + 1 : lengths[i];
    if (isStaticDimSize(size) && size != expected)
      return emitOptionalError(
          location, stringifyFftType(kind),
          " requires innermost dimensions to match fft_length, got: ", operand,
          " but wanted size ", expected);
    if (toReal && last)
      size = lengths[i];
    else if (toComplex && last)
      size = lengths[i] == 0 ? 0 : lengths[i] / 2 + 1;
  }
  Type result = toComplex ? ComplexType::get(element)
                : toReal  ? getComplexElementOrSelf(element)
                          : element;
  ArrayRef<int64_t> bounds = encodingToBounds(operand.getEncoding());
  SmallVector<int64_t> resultBounds;
  if (!bounds.empty())
    for (size_t dim = 0; dim < shape.size(); ++dim)
      resultBounds.push_back(isStaticDimSize(shape[dim]) ? ShapedType::kDynamic
                                                         : bounds[dim]);
  inferred.push_back(getBoundedTensor(shape, result, resultBounds));
  return success();
}
