//===- TileLayouts.cpp - Register layouts of tiles and of mma fragments ---===//

#include "shoal/Codegen/GPU/TileLayouts.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace llvm;

namespace shoal {

/// Empty inputs register, lane, warp, block and outputs dim0…, so that
/// products keep the canonical order of dimensions.
static LinearLayout frame(unsigned rank) {
  LinearLayout result;
  for (StringRef in : {StringRef(kRegister), StringRef(kLane), StringRef(kWarp),
                       StringRef(kBlock)})
    result = result * LinearLayout::identity1D(1, in, tensorDimName(0));
  for (unsigned i = 1; i < rank; ++i)
    result = result * LinearLayout::identity1D(1, kRegister, tensorDimName(i));
  return rank ? result : result.dropOut(tensorDimName(0));
}

LinearLayout fitToShape(const LinearLayout &layout, ArrayRef<int64_t> shape,
                        ArrayRef<unsigned> order) {
  LinearLayout result = layout;
  for (unsigned d : order) {
    std::string name = tensorDimName(d);
    int64_t size = result.outSize(name);
    if (size > shape[d])
      result = result.resizeOut(name, shape[d]);
    else if (size < shape[d])
      result =
          result * LinearLayout::identity1D(shape[d] / size, kRegister, name);
  }
  return result;
}

LinearLayout blockedLayout(ArrayRef<int64_t> shape,
                           ArrayRef<int64_t> sizePerThread,
                           ArrayRef<int64_t> threadsPerWarp,
                           ArrayRef<int64_t> warpsPerBlock,
                           ArrayRef<unsigned> order) {
  LinearLayout result = frame(shape.size());
  auto extend = [&](ArrayRef<int64_t> sizes, StringRef in) {
    for (unsigned d : order)
      result =
          result * LinearLayout::identity1D(sizes[d], in, tensorDimName(d));
  };
  extend(sizePerThread, kRegister);
  extend(threadsPerWarp, kLane);
  extend(warpsPerBlock, kWarp);
  return fitToShape(result, shape, order);
}

LinearLayout coalescedLayout(ArrayRef<int64_t> shape, int64_t vector,
                             int64_t warps, ArrayRef<unsigned> order) {
  unsigned rank = shape.size();
  SmallVector<int64_t> perThread(rank, 1), lanes(rank, 1), warpsOf(rank, 1);
  if (rank == 0) {
    LinearLayout result = frame(0);
    return result.resizeIn(kLane, 32).resizeIn(kWarp, warps);
  }
  SmallVector<int64_t> left(shape);
  perThread[order[0]] = std::min(vector, left[order[0]]);
  left[order[0]] /= perThread[order[0]];
  auto spread = [&](int64_t count, SmallVectorImpl<int64_t> &sizes) {
    for (unsigned d : order) {
      int64_t part = std::min(count, left[d]);
      sizes[d] = part;
      left[d] /= part;
      count /= part;
    }
    // What the tensor cannot use goes to the slowest dimension, where it is
    // cut off (broadcast).
    sizes[order.back()] *= count;
  };
  spread(32, lanes);
  spread(warps, warpsOf);
  return blockedLayout(shape, perThread, lanes, warpsOf, order);
}

LinearLayout sliceLayout(const LinearLayout &layout, unsigned dim) {
  unsigned rank = layout.outs().size();
  LinearLayout result = layout.dropOut(tensorDimName(dim));
  for (unsigned d = dim + 1; d < rank; ++d)
    result = result.renameOut(tensorDimName(d), tensorDimName(d - 1));
  return result;
}

LinearLayout expandDimsLayout(const LinearLayout &layout, unsigned dim) {
  LinearLayout result = layout;
  for (unsigned d = layout.outs().size(); d-- > dim;)
    result = result.renameOut(tensorDimName(d), tensorDimName(d + 1));
  return result.insertUnitOut(dim, tensorDimName(dim));
}

LinearLayout transposeLayout(const LinearLayout &layout,
                             ArrayRef<unsigned> perm) {
  LinearLayout result = layout;
  unsigned rank = perm.size();
  SmallVector<std::string> names;
  for (unsigned d = 0; d < rank; ++d)
    result = result.renameOut(tensorDimName(d), "old" + std::to_string(d));
  for (unsigned i = 0; i < rank; ++i) {
    result =
        result.renameOut("old" + std::to_string(perm[i]), tensorDimName(i));
    names.push_back(tensorDimName(i));
  }
  SmallVector<StringRef> order(names.begin(), names.end());
  return result.transposeOuts(order);
}

LinearLayout reshapeLayout(const LinearLayout &layout,
                           ArrayRef<int64_t> shape) {
  SmallVector<std::pair<std::string, int64_t>> outs;
  for (auto [i, size] : enumerate(shape))
    outs.push_back({tensorDimName(i), size});
  return layout.reshapeOuts(outs);
}

//===----------------------------------------------------------------------===//
// mma.sync
//===----------------------------------------------------------------------===//

LinearLayout mmaFragment(MmaShape mma, MmaOperand operand) {
  std::string rows = tensorDimName(0), columns = tensorDimName(1);
  LinearLayout result = frame(2);
  auto bits = [&](int64_t size, StringRef in, StringRef out) {
    result = result * LinearLayout::identity1D(size, in, out);
  };
  // A group of four lanes shares a row of A or C (a column of B); the lane
  // within it chooses 32 bits (64 for f64) along k (n for C).
  if (operand == MmaOperand::C) {
    bits(2, kRegister, columns);
    bits(4, kLane, columns);
    bits(8, kLane, rows);
    bits(mma.m / 8, kRegister, rows);
    return result;
  }
  bool isA = operand == MmaOperand::A;
  StringRef along = isA ? columns : rows, across = isA ? rows : columns;
  unsigned packed = mma.bits >= 32 ? 1 : 32 / mma.bits;
  bits(packed, kRegister, along);
  bits(4, kLane, along);
  bits(8, kLane, across);
  if (isA)
    bits(mma.m / 8, kRegister, across);
  bits(mma.k / (4 * packed), kRegister, along);
  return result;
}

LinearLayout mmaLayout(MmaShape mma, MmaOperand operand,
                       ArrayRef<int64_t> shape, int64_t warpsM,
                       int64_t warpsN) {
  LinearLayout result = mmaFragment(mma, operand);
  std::string dims[2] = {tensorDimName(0), tensorDimName(1)};
  // Warps: along m for A and C, along n for B and C; the others see the same.
  // A dimension too small for all its warps is shared by them.
  auto warps = [&](int64_t count, unsigned dim, bool spread) {
    int64_t room = std::max<int64_t>(1, shape[dim] / result.outSize(dims[dim]));
    int64_t used = spread ? std::min(count, room) : 1;
    result = result * LinearLayout::identity1D(used, kWarp, dims[dim]);
    result = result * LinearLayout::zeros1D(count / used, kWarp, dims[dim]);
  };
  warps(warpsM, 0, operand != MmaOperand::B);
  warps(warpsN, 1, operand != MmaOperand::A);
  // Repetitions: along k first (n for C), then m or n.
  SmallVector<unsigned> order;
  if (operand == MmaOperand::B)
    order = {0, 1};
  else
    order = {1, 0};
  return fitToShape(result, shape, order);
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

SmallVector<unsigned> vectorRegisterBits(const LinearLayout &layout,
                                         unsigned dim, int64_t maxElements) {
  SmallVector<unsigned> result;
  SmallVector<int64_t> wanted(layout.outs().size(), 0);
  for (int64_t step = 1; step < maxElements; step *= 2) {
    wanted[dim] = step;
    bool found = false;
    for (unsigned b = 0; b < layout.inBits(kRegister) && !found; ++b)
      if (ArrayRef<int64_t>(layout.basis(kRegister, b)) ==
          ArrayRef<int64_t>(wanted)) {
        result.push_back(b);
        found = true;
      }
    if (!found)
      break;
  }
  // Every other input must step over whole vectors, else the vector would not
  // be aligned.
  auto aligned = [&] {
    int64_t mask = (int64_t(1) << result.size()) - 1;
    for (const LinearLayout::Dim &in : layout.ins())
      for (unsigned b = 0; b < in.bits; ++b) {
        if (in.name == kRegister && is_contained(result, b))
          continue;
        if (layout.basis(in.name, b)[dim] & mask)
          return false;
      }
    return true;
  };
  while (!result.empty() && !aligned())
    result.pop_back();
  return result;
}

int64_t vectorWidth(const LinearLayout &layout, unsigned dim,
                    unsigned elementBits, unsigned maxBits) {
  int64_t most = std::max<int64_t>(1, maxBits / elementBits);
  return int64_t(1) << vectorRegisterBits(layout, dim, most).size();
}

} // namespace shoal
