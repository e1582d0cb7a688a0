// Accesses through data movement ops.

#include "Access.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

DimIndex contraction::rowMajor(ArrayRef<unsigned> atoms, ArrayRef<Atom> space) {
  DimIndex index;
  int64_t stride = 1;
  for (unsigned atom : llvm::reverse(atoms)) {
    if (space[atom].size > 1)
      index.terms.insert(index.terms.begin(), {atom, stride});
    stride *= space[atom].size;
  }
  return index;
}

std::optional<SmallVector<unsigned>>
contraction::wholeDimension(const DimIndex &index, int64_t size,
                            ArrayRef<Atom> space) {
  if (index.offset != 0)
    return std::nullopt;
  SmallVector<unsigned> atoms;
  int64_t stride = 1;
  for (const Term &term : llvm::reverse(index.terms)) {
    if (term.coefficient != stride)
      return std::nullopt;
    atoms.insert(atoms.begin(), term.atom);
    stride *= space[term.atom].size;
  }
  if (stride != size)
    return std::nullopt;
  return atoms;
}

std::optional<Access> contraction::reshapeAccess(const Access &from,
                                                 ArrayRef<int64_t> fromShape,
                                                 ArrayRef<int64_t> shape,
                                                 ArrayRef<Atom> space,
                                                 std::optional<Split> &split) {
  Access result(shape.size());
  unsigned i = 0, j = 0;
  while (i < fromShape.size() || j < shape.size()) {
    // The smallest groups of dimensions with equal numbers of elements.
    unsigned i0 = i, j0 = j;
    int64_t a = i < fromShape.size() ? fromShape[i++] : 1;
    int64_t b = j < shape.size() ? shape[j++] : 1;
    while (a != b)
      if (a < b) {
        if (i == fromShape.size())
          return std::nullopt;
        a *= fromShape[i++];
      } else {
        if (j == shape.size())
          return std::nullopt;
        b *= shape[j++];
      }
    if (i - i0 == 1 && j - j0 == 1) {
      result[j0] = from[i0];
      continue;
    }
    if (a == 1)
      continue;
    // One dimension that only gains or loses units keeps any index.
    auto onlyOne = [](ArrayRef<int64_t> sizes) -> int {
      int found = -1;
      for (auto [k, size] : llvm::enumerate(sizes))
        if (size != 1) {
          if (found >= 0)
            return -1;
          found = k;
        }
      return found;
    };
    int one = onlyOne(fromShape.slice(i0, i - i0));
    int other = onlyOne(shape.slice(j0, j - j0));
    if (one >= 0 && other >= 0) {
      result[j0 + other] = from[i0 + one];
      continue;
    }
    SmallVector<unsigned> atoms;
    for (unsigned k = i0; k < i; ++k) {
      auto whole = wholeDimension(from[k], fromShape[k], space);
      if (!whole)
        return std::nullopt;
      atoms.append(*whole);
    }
    for (unsigned k = j; k-- > j0;) {
      int64_t left = shape[k];
      SmallVector<unsigned> mine;
      while (left > 1) {
        if (atoms.empty())
          return std::nullopt;
        unsigned atom = atoms.back();
        int64_t size = space[atom].size;
        if (left % size != 0) {
          if (size % left == 0)
            split = Split{atom, left};
          return std::nullopt;
        }
        left /= size;
        atoms.pop_back();
        mine.insert(mine.begin(), atom);
      }
      result[k] = rowMajor(mine, space);
    }
  }
  return result;
}

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

std::optional<Access> contraction::operandAccess(Operation *op,
                                                 const Access &result,
                                                 ArrayRef<Atom> space,
                                                 std::optional<Split> &split) {
  if (auto transpose = dyn_cast<sh::TransposeOp>(op)) {
    Access access(result.size());
    for (auto [i, d] : llvm::enumerate(transpose.getPermutation()))
      access[d] = result[i];
    return access;
  }
  if (isa<sh::ReshapeOp>(op))
    return reshapeAccess(result, shapeOf(op->getResult(0)),
                         shapeOf(op->getOperand(0)), space, split);
  if (auto broadcast = dyn_cast<sh::BroadcastInDimOp>(op)) {
    ArrayRef<int64_t> shape = shapeOf(broadcast.getOperand());
    Access access(shape.size());
    for (auto [i, d] : llvm::enumerate(broadcast.getBroadcastDimensions()))
      if (shape[i] != 1)
        access[i] = result[d];
    return access;
  }
  if (auto slice = dyn_cast<sh::SliceOp>(op)) {
    Access access = result;
    for (auto [i, index] : llvm::enumerate(access)) {
      int64_t stride = slice.getStrides()[i];
      index.offset = index.offset * stride + slice.getStartIndices()[i];
      for (Term &term : index.terms)
        term.coefficient *= stride;
    }
    return access;
  }
  if (auto reverse = dyn_cast<sh::ReverseOp>(op)) {
    Access access = result;
    for (int64_t d : reverse.getDimensions()) {
      access[d].offset =
          shapeOf(reverse.getOperand())[d] - 1 - access[d].offset;
      for (Term &term : access[d].terms)
        term.coefficient = -term.coefficient;
    }
    return access;
  }
  return std::nullopt;
}

std::optional<Access> contraction::resultAccess(Operation *op,
                                                const Access &operand,
                                                ArrayRef<Atom> space,
                                                std::optional<Split> &split) {
  if (auto transpose = dyn_cast<sh::TransposeOp>(op)) {
    Access access;
    for (int64_t d : transpose.getPermutation())
      access.push_back(operand[d]);
    return access;
  }
  if (isa<sh::ReshapeOp>(op))
    return reshapeAccess(operand, shapeOf(op->getOperand(0)),
                         shapeOf(op->getResult(0)), space, split);
  if (auto broadcast = dyn_cast<sh::BroadcastInDimOp>(op)) {
    ArrayRef<int64_t> from = shapeOf(broadcast.getOperand());
    ArrayRef<int64_t> to = shapeOf(broadcast.getResult());
    Access access(to.size());
    int64_t elements = 1;
    for (auto [i, d] : llvm::enumerate(broadcast.getBroadcastDimensions()))
      if (from[i] == to[d]) {
        access[d] = operand[i];
        elements *= to[d];
      }
    if (elements != cast<ShapedType>(broadcast.getType()).getNumElements())
      return std::nullopt;
    return access;
  }
  return std::nullopt;
}

bool contraction::isElementwise(Operation *op) {
  if (op->getNumRegions() != 0 || op->getNumResults() != 1)
    return false;
  if (isa<sh::SelectOp, sh::ClampOp>(op))
    return true;
  if (!op->hasTrait<OpTrait::Elementwise>())
    return false;
  ArrayRef<int64_t> shape = shapeOf(op->getResult(0));
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    return shapeOf(operand) == shape || shapeOf(operand).empty();
  });
}
