#include "FactorPropagation.h"

#include <numeric>
#include <tuple>

namespace shoal::propagate {

namespace {

/// Longest list compatible with all those added so far. Once two lists differ,
/// or where adding is not allowed, it can only shrink.
class CompatibleAxes {
public:
  void add(AxesRef next, bool mayExpand) {
    expandable &= mayExpand;
    Axes merged;
    size_t i = 0;
    for (; i < axes.size() && i < next.size(); ++i) {
      Axis a = axes[i], b = next[i];
      if (a == b) {
        merged.push_back(a);
        continue;
      }
      // One may end within an axis and the other go on, but only at its end:
      // what follows a partly used axis always conflicts.
      if (b.isPrefixOf(a)) {
        bool last = i + 1 == next.size();
        merged.push_back(last ? a : b);
        if (last)
          continue;
      } else if (a.isPrefixOf(b)) {
        bool last = expandable && i + 1 == axes.size();
        merged.push_back(last ? b : a);
        if (last)
          continue;
      }
      axes = std::move(merged);
      expandable = false;
      return;
    }
    for (size_t k = i; k < axes.size(); ++k)
      merged.push_back(axes[k]);
    if (expandable)
      for (size_t k = i; k < next.size(); ++k)
        merged.push_back(next[k]);
    axes = std::move(merged);
  }
  Axes take() { return std::move(axes); }

private:
  Axes axes;
  bool expandable = true;
};

Axes getCompatibleAxes(const Projection &p, int64_t factor, Direction direction) {
  if (direction == Direction::None)
    return {};
  CompatibleAxes result;
  auto addAll = [&](llvm::ArrayRef<TensorFactors> tensors, bool mayExpand) {
    for (const TensorFactors &tensor : tensors)
      if (tensor.factors[factor].present)
        result.add(tensor.factors[factor].axes, mayExpand);
  };
  if (direction == Direction::Backward) {
    addAll(p.results, true);
    addAll(p.operands, false);
  } else {
    addAll(p.operands, true);
    addAll(p.results, direction == Direction::Both);
  }
  return result.take();
}

/// Cuts `axes` at the first one that `fit` shortens or refuses. `fit` gets an
/// axis and the number of devices along those before it.
void truncate(Axes &axes, llvm::function_ref<std::optional<Axis>(Axis, int64_t)> fit) {
  int64_t before = 1;
  for (size_t i = 0; i < axes.size(); ++i) {
    std::optional<Axis> fitted = fit(axes[i], before);
    if (!fitted) {
      axes.truncate(i);
      return;
    }
    if (*fitted != axes[i]) {
      axes[i] = *fitted;
      axes.truncate(i + 1);
      return;
    }
    before *= axes[i].size;
  }
}

/// What of `axis` the factor may take within its own tensor.
std::optional<Axis> fitWithinFactor(Axis axis, const TensorFactors &tensor,
                                    const FactorState &factor, int64_t before,
                                    int64_t factorSize) {
  std::optional<Axis> fitted = getPrefixWithoutOverlap(axis, tensor.replicated);
  if (fitted)
    fitted = getPrefixWithoutOverlap(*fitted, tensor.partial);
  if (!fitted)
    return std::nullopt;
  if (llvm::any_of(factor.axes, [&](const Axis &a) { return a.contains(*fitted); }))
    return fitted;
  // To grow it must be open, and what is minor to it must stay reachable: the
  // factor takes the part of the axis that divides it.
  if (!factor.closed && factor.overflow.empty()) {
    if (factor.minorMost)
      return fitted;
    if (factorSize % before == 0)
      if (int64_t common = std::gcd(factorSize / before, fitted->size);
          common == fitted->size || common != 1)
        return Axis{fitted->index, fitted->pre, common};
  }
  if (!factor.axes.empty() && factor.axes.back().isPrefixOf(*fitted))
    return factor.axes.back();
  return std::nullopt;
}

/// What of `axis` no other factor of the tensor uses.
std::optional<Axis> fitAcrossFactors(Axis axis, const TensorFactors &tensor,
                                     size_t factor) {
  std::optional<Axis> fitted = axis;
  for (size_t f = 0; f < tensor.factors.size() && fitted; ++f) {
    if (f == factor || !tensor.factors[f].present)
      continue;
    fitted = getPrefixWithoutOverlap(*fitted, tensor.factors[f].overflow);
    if (fitted)
      fitted = getPrefixWithoutOverlap(*fitted, tensor.factors[f].axes);
  }
  return fitted;
}

/// The axes `tensor` would take along `factor`; empty if none are new.
Axes getNewAxes(const TensorFactors &tensor, size_t factor, const Axes &axes,
                int64_t factorSize) {
  const FactorState &state = tensor.factors[factor];
  if (!state.present || axes.empty())
    return {};
  Axes result = axes;
  truncate(result, [&](Axis axis, int64_t before) {
    return fitWithinFactor(axis, tensor, state, before, factorSize);
  });
  if (comparePrefix(state.axes, result) != Prefix::Strict)
    return {};
  truncate(result, [&](Axis axis, int64_t) {
    return fitAcrossFactors(axis, tensor, factor);
  });
  return result;
}

bool expand(TensorFactors &tensor, size_t factor, AxesRef axes) {
  FactorState &state = tensor.factors[factor];
  if (comparePrefix(state.axes, axes) != Prefix::Strict)
    return false;
  state.axes.assign(axes.begin(), axes.end());
  return true;
}

/// Factors in the order in which they are served.
llvm::SmallVector<size_t> orderFactors(const Projection &p,
                                       llvm::ArrayRef<Factor> factors,
                                       llvm::ArrayRef<Axes> axes,
                                       bool elementwise) {
  // The largest tensor that has all the axes already is the factor's source.
  struct Source {
    double size = -1; // Sizes may multiply to more than 63 bits.
    int64_t index = -1;
  };
  llvm::SmallVector<Source> sources(factors.size());
  int64_t index = 0;
  auto visit = [&](const TensorFactors &tensor) {
    double size = 1;
    for (size_t f = 0; f < factors.size(); ++f)
      if (tensor.factors[f].present)
        size *= std::max<int64_t>(factors[f].size, 1);
    for (size_t f = 0; f < factors.size(); ++f)
      if (tensor.factors[f].present && !axes[f].empty() &&
          size > sources[f].size &&
          comparePrefix(axes[f], tensor.factors[f].axes) != Prefix::No)
        sources[f] = {size, index};
    ++index;
  };
  llvm::for_each(p.operands, visit);
  llvm::for_each(p.results, visit);

  llvm::SmallVector<size_t> order(factors.size());
  for (size_t f = 0; f < factors.size(); ++f)
    order[f] = f;
  auto key = [&](size_t f) {
    return std::tuple(-sources[f].size, elementwise ? -getSize(axes[f]) : 0,
                      sources[f].index, f);
  };
  llvm::sort(order, [&](size_t a, size_t b) { return key(a) < key(b); });
  return order;
}

} // namespace

llvm::BitVector
propagateFactors(Projection &p, llvm::ArrayRef<Factor> factors,
                 llvm::function_ref<Direction(int64_t)> direction,
                 bool elementwise) {
  llvm::BitVector changed(p.operands.size() + p.results.size());
  llvm::SmallVector<Axes> axes(factors.size());
  bool any = false;
  for (size_t f = 0; f < factors.size(); ++f) {
    axes[f] = getCompatibleAxes(p, f, direction(f));
    any |= !axes[f].empty();
  }
  if (!any)
    return changed;

  llvm::SmallVector<size_t> order = orderFactors(p, factors, axes, elementwise);
  for (auto [i, tensor] : llvm::enumerate(p.results))
    for (size_t f : order)
      if (Axes next = getNewAxes(tensor, f, axes[f], factors[f].size);
          !next.empty() && expand(tensor, f, next))
        changed.set(p.operands.size() + i);

  for (auto [i, tensor] : llvm::enumerate(p.operands)) {
    for (size_t f : order) {
      Axes next = getNewAxes(tensor, f, axes[f], factors[f].size);
      if (next.empty())
        continue;
      // Operands of an elementwise op do not pass each other axes that its
      // result could not take: that would only make it gather both.
      if (elementwise)
        for (const TensorFactors &result : p.results)
          if (result.factors[f].present &&
              comparePrefix(result.factors[f].axes, next) == Prefix::Strict)
            next = result.factors[f].axes;
      if (!next.empty() && expand(tensor, f, next))
        changed.set(i);
    }
  }
  return changed;
}

} // namespace shoal::propagate
