//===- LinearLayoutAlgebra.cpp - Products, composition, inverses ----------===//

#include "shoal/Codegen/GPU/LinearLayout.h"

#include "F2.h"

#include <cassert>

using namespace llvm;

namespace shoal {

LinearLayout LinearLayout::operator*(const LinearLayout &outer) const {
  LinearLayout result;
  auto join = [](std::vector<Dim> dims, ArrayRef<Dim> more) {
    for (const Dim &dim : more) {
      auto it = find_if(dims, [&](const Dim &d) { return d.name == dim.name; });
      if (it == dims.end())
        dims.push_back(dim);
      else
        it->bits += dim.bits;
    }
    return dims;
  };
  result.inDims = join(inDims, outer.inDims);
  result.outDims = join(outDims, outer.outDims);
  for (const Dim &dim : result.inDims) {
    for (unsigned b = 0; b < inBits(dim.name); ++b)
      result.columns.push_back(remapOut(flatBasis(dim.name, b), result));
    for (unsigned b = 0; b < outer.inBits(dim.name); ++b) {
      SmallVector<int64_t> coordinates = outer.basis(dim.name, b);
      uint64_t column = 0;
      for (auto [i, out] : enumerate(outer.outDims))
        column |=
            uint64_t(coordinates[i])
            << (outBits(out.name) + result.outShift(result.findOut(out.name)));
      result.columns.push_back(column);
    }
  }
  return result;
}

LinearLayout LinearLayout::compose(const LinearLayout &outer) const {
  LinearLayout result;
  result.inDims = inDims;
  result.outDims = outer.outDims;
  for (uint64_t column : columns) {
    SmallVector<int64_t> coordinates = unflattenOut(column);
    uint64_t index = 0;
    for (auto [i, out] : enumerate(outDims)) {
      int j = outer.findIn(out.name);
      assert((j >= 0 || coordinates[i] == 0) && "no such input");
      if (j < 0)
        continue;
      assert(coordinates[i] < outer.inDims[j].size() && "input too small");
      index |= uint64_t(coordinates[i]) << outer.inShift(j);
    }
    result.columns.push_back(outer.applyFlat(index));
  }
  return result;
}

std::optional<LinearLayout> LinearLayout::invert() const {
  if (!isInvertible())
    return std::nullopt;
  return pseudoInvert();
}

std::optional<LinearLayout> LinearLayout::pseudoInvert() const {
  if (!isSurjective())
    return std::nullopt;
  f2::Span span(columns);
  LinearLayout result;
  result.inDims.assign(outDims.rbegin(), outDims.rend());
  result.outDims.assign(inDims.rbegin(), inDims.rend());
  for (unsigned b = 0, e = totalOutBits(); b < e; ++b)
    result.columns.push_back(*span.solve(uint64_t(1) << b));
  return result;
}

std::optional<LinearLayout>
LinearLayout::indexIn(const LinearLayout &other) const {
  f2::Span span(other.columns);
  LinearLayout result;
  result.inDims = inDims;
  result.outDims.assign(other.inDims.rbegin(), other.inDims.rend());
  for (uint64_t column : columns) {
    std::optional<uint64_t> index = span.solve(remapOut(column, other));
    if (!index)
      return std::nullopt;
    result.columns.push_back(*index);
  }
  return result;
}

LinearLayout LinearLayout::sublayout(ArrayRef<StringRef> ins,
                                     ArrayRef<StringRef> outs) const {
  LinearLayout result;
  for (StringRef name : outs)
    result.outDims.push_back({name.str(), outBits(name)});
  for (StringRef name : ins) {
    result.inDims.push_back({name.str(), inBits(name)});
    for (unsigned b = 0; b < inBits(name); ++b)
      result.columns.push_back(remapOut(flatBasis(name, b), result));
  }
  return result;
}

std::optional<LinearLayout>
LinearLayout::divideLeft(const LinearLayout &tile) const {
  for (const Dim &dim : tile.inDims)
    if (dim.bits > inBits(dim.name))
      return std::nullopt;
  for (const Dim &dim : tile.outDims)
    if (dim.bits > outBits(dim.name))
      return std::nullopt;

  LinearLayout result;
  for (const Dim &dim : outDims)
    result.outDims.push_back({dim.name, dim.bits - tile.outBits(dim.name)});
  for (const Dim &dim : inDims) {
    unsigned low = tile.inBits(dim.name);
    result.inDims.push_back({dim.name, dim.bits - low});
    for (unsigned b = 0; b < dim.bits; ++b) {
      uint64_t column = flatBasis(dim.name, b);
      if (b < low) {
        if (tile.remapOut(tile.flatBasis(dim.name, b), *this) != column)
          return std::nullopt;
        continue;
      }
      uint64_t quotient = 0;
      for (auto [i, coordinate] : enumerate(unflattenOut(column))) {
        unsigned bits = tile.outBits(outDims[i].name);
        if (coordinate & ((int64_t(1) << bits) - 1))
          return std::nullopt;
        quotient |= uint64_t(coordinate >> bits) << result.outShift(i);
      }
      result.columns.push_back(quotient);
    }
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Reshaping
//===----------------------------------------------------------------------===//

LinearLayout LinearLayout::flattenOuts(StringRef name) const {
  LinearLayout result = *this;
  result.outDims = {{name.str(), totalOutBits()}};
  return result;
}

LinearLayout LinearLayout::flattenIns(StringRef name) const {
  LinearLayout result = *this;
  result.inDims = {{name.str(), totalInBits()}};
  return result;
}

LinearLayout LinearLayout::reshapeOuts(
    ArrayRef<std::pair<std::string, int64_t>> outs) const {
  LinearLayout result = *this;
  result.outDims.clear();
  for (auto &[name, size] : outs)
    result.outDims.push_back(
        {name, unsigned(std::countr_zero(uint64_t(size)))});
  assert(result.totalOutBits() == totalOutBits() && "sizes differ");
  return result;
}

LinearLayout LinearLayout::transposeOuts(ArrayRef<StringRef> order) const {
  SmallVector<StringRef> ins;
  for (const Dim &dim : inDims)
    ins.push_back(dim.name);
  return sublayout(ins, order);
}

LinearLayout LinearLayout::transposeIns(ArrayRef<StringRef> order) const {
  SmallVector<StringRef> outs;
  for (const Dim &dim : outDims)
    outs.push_back(dim.name);
  return sublayout(order, outs);
}

LinearLayout LinearLayout::renameIn(StringRef from, StringRef to) const {
  LinearLayout result = *this;
  if (int i = findIn(from); i >= 0)
    result.inDims[i].name = to.str();
  return result;
}

LinearLayout LinearLayout::renameOut(StringRef from, StringRef to) const {
  LinearLayout result = *this;
  if (int i = findOut(from); i >= 0)
    result.outDims[i].name = to.str();
  return result;
}

LinearLayout LinearLayout::dropOut(StringRef name) const {
  LinearLayout result = *this;
  erase_if(result.outDims, [&](const Dim &dim) { return dim.name == name; });
  for (uint64_t &column : result.columns)
    column = remapOut(column, result);
  return result;
}

LinearLayout LinearLayout::insertUnitOut(unsigned pos, StringRef name) const {
  LinearLayout result = *this;
  result.outDims.insert(result.outDims.begin() + pos, {name.str(), 0});
  return result;
}

LinearLayout LinearLayout::resizeOut(StringRef name, int64_t size) const {
  LinearLayout result = *this;
  int i = findOut(name);
  assert(i >= 0 && "no such output");
  result.outDims[i].bits = std::countr_zero(uint64_t(size));
  for (uint64_t &column : result.columns)
    column = remapOut(column, result);
  return result;
}

LinearLayout LinearLayout::resizeIn(StringRef name, int64_t size) const {
  int i = findIn(name);
  assert(i >= 0 && "no such input");
  LinearLayout result = *this;
  unsigned bits = std::countr_zero(uint64_t(size)), old = inDims[i].bits;
  auto end = result.columns.begin() + inShift(i) + old;
  if (bits < old)
    result.columns.erase(end - (old - bits), end);
  else
    result.columns.insert(end, bits - old, 0);
  result.inDims[i].bits = bits;
  return result;
}

LinearLayout LinearLayout::selectInBits(StringRef name,
                                        ArrayRef<unsigned> order) const {
  int i = findIn(name);
  assert(i >= 0 && "no such input");
  LinearLayout result = *this;
  auto begin = result.columns.begin() + inShift(i);
  auto at = result.columns.erase(begin, begin + inDims[i].bits);
  SmallVector<uint64_t> chosen;
  for (unsigned bit : order)
    chosen.push_back(columns[inShift(i) + bit]);
  result.columns.insert(at, chosen.begin(), chosen.end());
  result.inDims[i].bits = order.size();
  return result;
}

LinearLayout LinearLayout::removeZeroBits(StringRef name) const {
  SmallVector<unsigned> kept;
  for (unsigned b = 0; b < inBits(name); ++b)
    if (flatBasis(name, b))
      kept.push_back(b);
  return hasIn(name) ? selectInBits(name, kept) : *this;
}

} // namespace shoal
