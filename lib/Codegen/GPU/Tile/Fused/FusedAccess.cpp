#include "FusedAccess.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal::fused;

namespace sh = mlir::stablehlo;

uint64_t Form::mask() const {
  uint64_t bits = 0;
  for (auto [i, c] : llvm::enumerate(coefficients))
    if (c != 0)
      bits |= uint64_t(1) << i;
  return bits;
}

void Form::add(const Form &other, int64_t factor) {
  offset += other.offset * factor;
  for (auto [mine, theirs] :
       llvm::zip_equal(coefficients, other.coefficients))
    mine += theirs * factor;
}

Form shoal::fused::address(const Access &access, ArrayRef<int64_t> shape,
                           size_t loops) {
  Form form(loops);
  int64_t stride = 1;
  for (int64_t d = int64_t(shape.size()) - 1; d >= 0; --d) {
    if (shape[d] != 1)
      form.add(access[d], stride);
    stride *= shape[d];
  }
  return form;
}

/// The loops, from minor to major, that an index walks when it runs through a
/// whole dimension of `size`; none if it is another kind of index.
static std::optional<SmallVector<unsigned>>
wholeDimension(const Form &form, int64_t size, const Loops &loops) {
  SmallVector<unsigned> found;
  if (form.offset != 0)
    return std::nullopt;
  int64_t stride = 1;
  while (stride < size) {
    bool next = false;
    for (auto [i, c] : llvm::enumerate(form.coefficients))
      if (c == stride && !llvm::is_contained(found, i) && loops[i].size > 1) {
        found.push_back(i);
        stride *= loops[i].size;
        next = true;
        break;
      }
    if (!next)
      return std::nullopt;
  }
  unsigned used = llvm::count_if(form.coefficients,
                                 [](int64_t c) { return c != 0; });
  if (stride != size || used != found.size())
    return std::nullopt;
  return found;
}

std::optional<Access> shoal::fused::reshape(const Access &access,
                                            ArrayRef<int64_t> from,
                                            ArrayRef<int64_t> to,
                                            const Loops &loops,
                                            std::optional<Split> &split) {
  Access result(to.size(), Form(loops.size()));
  size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    // The smallest groups of dimensions with as many elements on both sides.
    size_t firstFrom = i, firstTo = j;
    int64_t a = i < from.size() ? from[i++] : 1;
    int64_t b = j < to.size() ? to[j++] : 1;
    while (a != b) {
      if (a < b) {
        if (i == from.size())
          return std::nullopt;
        a *= from[i++];
      } else {
        if (j == to.size())
          return std::nullopt;
        b *= to[j++];
      }
    }
    SmallVector<size_t> wideFrom, wideTo;
    for (size_t d = firstFrom; d < i; ++d)
      if (from[d] != 1)
        wideFrom.push_back(d);
    for (size_t d = firstTo; d < j; ++d)
      if (to[d] != 1)
        wideTo.push_back(d);
    if (wideFrom.empty())
      continue;
    if (wideFrom.size() == 1 && wideTo.size() == 1) {
      result[wideTo[0]] = access[wideFrom[0]];
      continue;
    }
    if (wideTo.size() == 1) {
      // Several become one: any indices can be joined.
      int64_t stride = 1;
      for (size_t d : llvm::reverse(wideFrom)) {
        result[wideTo[0]].add(access[d], stride);
        stride *= from[d];
      }
      continue;
    }
    // One or several become several: only loops that walk whole dimensions can
    // be dealt out anew. From minor to major.
    SmallVector<unsigned> walked;
    for (size_t d : llvm::reverse(wideFrom)) {
      auto whole = wholeDimension(access[d], from[d], loops);
      if (!whole)
        return std::nullopt;
      walked.append(whole->begin(), whole->end());
    }
    size_t next = 0;
    for (size_t d : llvm::reverse(wideTo)) {
      int64_t stride = 1;
      while (stride < to[d]) {
        if (next == walked.size())
          return std::nullopt;
        unsigned loop = walked[next++];
        int64_t left = to[d] / stride;
        if (to[d] % stride != 0 || left % loops[loop].size != 0) {
          if (to[d] % stride == 0 && loops[loop].size % left == 0)
            split = Split{loop, left};
          return std::nullopt;
        }
        result[d].coefficients[loop] = stride;
        stride *= loops[loop].size;
      }
    }
  }
  return result;
}

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

std::optional<Access>
shoal::fused::operandAccess(Operation *op, const Access &result,
                            const Loops &loops, std::optional<Split> &split) {
  if (auto transpose = dyn_cast<sh::TransposeOp>(op)) {
    Access access(result.size());
    for (auto [i, d] : llvm::enumerate(transpose.getPermutation()))
      access[d] = result[i];
    return access;
  }
  if (isa<sh::ReshapeOp>(op))
    return reshape(result, shapeOf(op->getResult(0)),
                   shapeOf(op->getOperand(0)), loops, split);
  if (auto broadcast = dyn_cast<sh::BroadcastInDimOp>(op)) {
    ArrayRef<int64_t> shape = shapeOf(broadcast.getOperand());
    Access access(shape.size(), Form(loops.size()));
    for (auto [i, d] : llvm::enumerate(broadcast.getBroadcastDimensions()))
      if (shape[i] != 1)
        access[i] = result[d];
    return access;
  }
  if (auto slice = dyn_cast<sh::SliceOp>(op)) {
    Access access(result.size(), Form(loops.size()));
    for (size_t i = 0; i < access.size(); ++i) {
      access[i].offset = slice.getStartIndices()[i];
      access[i].add(result[i], slice.getStrides()[i]);
    }
    return access;
  }
  if (auto reverse = dyn_cast<sh::ReverseOp>(op)) {
    Access access = result;
    for (int64_t d : reverse.getDimensions()) {
      access[d] = Form(loops.size());
      access[d].offset = shapeOf(reverse.getOperand())[d] - 1;
      access[d].add(result[d], -1);
    }
    return access;
  }
  return std::nullopt;
}
