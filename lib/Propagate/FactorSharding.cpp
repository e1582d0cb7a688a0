#include "FactorSharding.h"

#include <numeric>

namespace shoal::propagate {

std::optional<Axis> getPrefixWithoutOverlap(Axis axis, AxesRef others) {
  for (const Axis &other : others) {
    if (!axis.overlaps(other))
      continue;
    if (other.pre <= axis.pre || other.pre % axis.pre != 0)
      return std::nullopt;
    axis.size = other.pre / axis.pre;
  }
  return axis;
}

void appendAxis(Axes &axes, Axis axis) {
  if (!axes.empty() && axes.back().index == axis.index &&
      axes.back().next() == axis.pre) {
    axes.back().size *= axis.size;
    return;
  }
  axes.push_back(axis);
}

Prefix comparePrefix(AxesRef a, AxesRef b) {
  if (a.empty())
    return b.empty() ? Prefix::Equal : Prefix::Strict;
  if (a.size() > b.size())
    return Prefix::No;
  if (a.drop_back() != b.take_front(a.size() - 1))
    return Prefix::No;
  Axis last = b[a.size() - 1];
  if (a.back() == last)
    return a.size() == b.size() ? Prefix::Equal : Prefix::Strict;
  return a.back().isPrefixOf(last) ? Prefix::Strict : Prefix::No;
}

int64_t getSize(AxesRef axes) {
  int64_t size = 1;
  for (const Axis &axis : axes)
    size *= axis.size;
  return size;
}

bool TensorState::hasAxes() const {
  return llvm::any_of(dims, [](const DimState &d) { return !d.axes.empty(); });
}

/// Distributes the axes of one dimension over its factors.
static void projectDim(const DimState &dim, const DimMapping &mapping,
                       llvm::ArrayRef<Factor> factors, TensorFactors &result) {
  llvm::SmallVector<Axis, 4> rest(dim.axes.begin(), dim.axes.end());
  size_t at = 0;
  bool blocked = false;
  for (size_t i = 0, e = mapping.factors.size(); i < e; ++i) {
    FactorState &factor = result.factors[mapping.factors[i]];
    factor.present = true;
    factor.minorMost = i + 1 == e;
    // Behind a factor with overflow nothing can be cut.
    factor.closed = dim.closed || blocked;
    if (blocked)
      continue;
    if (factor.minorMost) {
      // May be cut unevenly: the block is padded.
      for (; at < rest.size(); ++at)
        appendAxis(factor.axes, rest[at]);
      continue;
    }
    int64_t size = factors[mapping.factors[i]].size;
    while (at < rest.size()) {
      int64_t common = std::gcd(size, rest[at].size);
      if (common == 1 && rest[at].size != 1)
        break;
      if (common < rest[at].size) {
        factor.axes.push_back({rest[at].index, rest[at].pre, common});
        rest[at] = {rest[at].index, rest[at].pre * common,
                    rest[at].size / common};
      } else {
        factor.axes.push_back(rest[at++]);
      }
      size /= common;
    }
    if (size > 1 && at < rest.size()) {
      blocked = true;
      for (; at < rest.size(); ++at)
        appendAxis(factor.overflow, rest[at]);
    }
  }
}

TensorFactors project(const TensorState &state, const TensorMapping &mapping,
                      llvm::ArrayRef<Factor> factors) {
  TensorFactors result;
  result.factors.resize(factors.size());
  result.replicated = state.replicated;
  result.partial = state.partial;
  static const DimState open;
  for (size_t d = 0; d < mapping.dims.size(); ++d)
    projectDim(d < state.dims.size() ? state.dims[d] : open, mapping.dims[d],
               factors, result);
  return result;
}

TensorState unproject(const TensorFactors &tensor, const TensorMapping &mapping,
                      llvm::ArrayRef<Factor> factors) {
  TensorState result;
  result.known = true;
  result.replicated = tensor.replicated;
  result.partial = tensor.partial;
  for (const DimMapping &dimMapping : mapping.dims) {
    DimState &dim = result.dims.emplace_back();
    bool ended = false;
    for (int64_t f : dimMapping.factors) {
      const FactorState &factor = tensor.factors[f];
      dim.closed |= factor.closed && !ended;
      if (ended)
        continue;
      for (const Axis &axis : factor.axes)
        appendAxis(dim.axes, axis);
      for (const Axis &axis : factor.overflow)
        appendAxis(dim.axes, axis);
      ended = !factor.overflow.empty() || getSize(factor.axes) < factors[f].size;
    }
  }
  return result;
}

} // namespace shoal::propagate
