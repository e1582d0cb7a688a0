//===- LinearLayout.cpp - Construction, shape and values of layouts -------===//

#include "shoal/Codegen/GPU/LinearLayout.h"

#include "F2.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace shoal {

std::string tensorDimName(unsigned i) { return "dim" + std::to_string(i); }

std::optional<LinearLayout>
LinearLayout::create(const Bases &bases,
                     ArrayRef<std::pair<std::string, int64_t>> outs) {
  LinearLayout result;
  StringSet<> names;
  unsigned outTotal = 0, inTotal = 0;
  for (auto &[name, size] : outs) {
    if (size <= 0 || !isPowerOf2_64(size) || !names.insert(name).second)
      return std::nullopt;
    unsigned bits = Log2_64(size);
    outTotal += bits;
    if (outTotal > 63)
      return std::nullopt;
    result.outDims.push_back({name, bits});
  }
  names.clear();
  for (auto &[name, vectors] : bases) {
    inTotal += vectors.size();
    if (!names.insert(name).second || inTotal > 63)
      return std::nullopt;
    result.inDims.push_back({name, unsigned(vectors.size())});
    for (const std::vector<int64_t> &vector : vectors) {
      if (vector.size() != outs.size())
        return std::nullopt;
      uint64_t column = 0;
      for (auto [i, coordinate] : enumerate(vector)) {
        if (coordinate < 0 || coordinate >= outs[i].second)
          return std::nullopt;
        column |= uint64_t(coordinate) << result.outShift(i);
      }
      result.columns.push_back(column);
    }
  }
  return result;
}

LinearLayout LinearLayout::identity1D(int64_t size, StringRef in,
                                      StringRef out) {
  return strided1D(size, 1, in, out);
}

LinearLayout LinearLayout::strided1D(int64_t size, int64_t stride, StringRef in,
                                     StringRef out) {
  LinearLayout result;
  unsigned bits = Log2_64(size), shift = Log2_64(stride);
  result.inDims.push_back({in.str(), bits});
  result.outDims.push_back({out.str(), bits + shift});
  for (unsigned i = 0; i < bits; ++i)
    result.columns.push_back(uint64_t(1) << (i + shift));
  return result;
}

LinearLayout LinearLayout::zeros1D(int64_t size, StringRef in, StringRef out,
                                   int64_t outSize) {
  LinearLayout result;
  result.inDims.push_back({in.str(), Log2_64(size)});
  result.outDims.push_back({out.str(), Log2_64(outSize)});
  result.columns.assign(Log2_64(size), 0);
  return result;
}

//===----------------------------------------------------------------------===//
// Shape
//===----------------------------------------------------------------------===//

static int findDim(ArrayRef<LinearLayout::Dim> dims, StringRef name) {
  for (auto [i, dim] : enumerate(dims))
    if (dim.name == name)
      return i;
  return -1;
}

int LinearLayout::findIn(StringRef name) const { return findDim(inDims, name); }
int LinearLayout::findOut(StringRef name) const {
  return findDim(outDims, name);
}
bool LinearLayout::hasIn(StringRef name) const { return findIn(name) >= 0; }
bool LinearLayout::hasOut(StringRef name) const { return findOut(name) >= 0; }

unsigned LinearLayout::inBits(StringRef name) const {
  int i = findIn(name);
  return i < 0 ? 0 : inDims[i].bits;
}

unsigned LinearLayout::outBits(StringRef name) const {
  int i = findOut(name);
  return i < 0 ? 0 : outDims[i].bits;
}

unsigned LinearLayout::totalInBits() const { return columns.size(); }

unsigned LinearLayout::totalOutBits() const {
  unsigned bits = 0;
  for (const Dim &dim : outDims)
    bits += dim.bits;
  return bits;
}

SmallVector<int64_t> LinearLayout::outShape() const {
  SmallVector<int64_t> shape;
  for (const Dim &dim : outDims)
    shape.push_back(dim.size());
  return shape;
}

unsigned LinearLayout::inShift(unsigned i) const {
  unsigned shift = 0;
  for (unsigned j = 0; j < i; ++j)
    shift += inDims[j].bits;
  return shift;
}

unsigned LinearLayout::outShift(unsigned i) const {
  unsigned shift = 0;
  for (unsigned j = i + 1; j < outDims.size(); ++j)
    shift += outDims[j].bits;
  return shift;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

uint64_t LinearLayout::flatBasis(StringRef in, unsigned bit) const {
  int i = findIn(in);
  if (i < 0 || bit >= inDims[i].bits)
    return 0;
  return columns[inShift(i) + bit];
}

SmallVector<int64_t> LinearLayout::unflattenOut(uint64_t value) const {
  SmallVector<int64_t> result(outDims.size());
  for (unsigned i = outDims.size(); i-- > 0;) {
    result[i] = value & (outDims[i].size() - 1);
    value >>= outDims[i].bits;
  }
  return result;
}

SmallVector<int64_t> LinearLayout::basis(StringRef in, unsigned bit) const {
  return unflattenOut(flatBasis(in, bit));
}

int64_t LinearLayout::basisOut(StringRef in, unsigned bit,
                               StringRef out) const {
  int i = findOut(out);
  return i < 0 ? 0 : basis(in, bit)[i];
}

SmallVector<int64_t>
LinearLayout::apply(ArrayRef<std::pair<StringRef, int64_t>> indices) const {
  uint64_t flat = 0;
  for (auto &[name, value] : indices)
    if (int i = findIn(name); i >= 0)
      flat |= (uint64_t(value) & (inDims[i].size() - 1)) << inShift(i);
  return unflattenOut(applyFlat(flat));
}

uint64_t LinearLayout::applyFlat(uint64_t index) const {
  return f2::multiply(columns, index);
}

//===----------------------------------------------------------------------===//
// Properties
//===----------------------------------------------------------------------===//

unsigned LinearLayout::rank() const { return f2::Span(columns).rank(); }

bool LinearLayout::isZero() const {
  return all_of(columns, [](uint64_t column) { return column == 0; });
}

SmallVector<std::pair<std::string, uint64_t>>
LinearLayout::freeVariableMasks() const {
  uint64_t free = ~f2::Span(columns).pivotMask();
  SmallVector<std::pair<std::string, uint64_t>> result;
  for (auto [i, dim] : enumerate(inDims))
    result.push_back({dim.name, (free >> inShift(i)) & (dim.size() - 1)});
  return result;
}

SmallVector<uint64_t> LinearLayout::kernel() const {
  f2::Span span(columns);
  return SmallVector<uint64_t>(span.kernel());
}

bool LinearLayout::equalModuloBroadcast(const LinearLayout &other) const {
  if (outDims.size() != other.outDims.size())
    return false;
  for (const Dim &dim : outDims)
    if (!other.hasOut(dim.name))
      return false;
  for (const Dim &dim : inDims)
    for (unsigned b = 0, e = std::max(dim.bits, other.inBits(dim.name)); b < e;
         ++b)
      if (flatBasis(dim.name, b) !=
          other.remapOut(other.flatBasis(dim.name, b), *this))
        return false;
  for (const Dim &dim : other.inDims)
    if (!hasIn(dim.name))
      for (unsigned b = 0; b < dim.bits; ++b)
        if (other.flatBasis(dim.name, b))
          return false;
  return true;
}

uint64_t LinearLayout::remapOut(uint64_t value, const LinearLayout &to) const {
  uint64_t result = 0;
  for (auto [i, dim] : enumerate(outDims))
    if (int j = to.findOut(dim.name); j >= 0) {
      uint64_t coordinate = (value >> outShift(i)) & (dim.size() - 1);
      result |= (coordinate & (to.outDims[j].size() - 1)) << to.outShift(j);
    }
  return result;
}

hash_code hash_value(const LinearLayout &layout) {
  hash_code hash = hash_combine_range(layout.columns);
  for (const auto *dims : {&layout.inDims, &layout.outDims})
    for (const LinearLayout::Dim &dim : *dims)
      hash = hash_combine(hash, StringRef(dim.name), dim.bits);
  return hash;
}

} // namespace shoal
