// Shardings as propagation sees them: mesh axes as numbers instead of
// attributes, tensors projected to the factors of a sharding rule and back.
// Semantics follow Shardy's documentation (docs/propagation.md of
// openxla/shardy).
#ifndef SHOAL_LIB_PROPAGATE_FACTORSHARDING_H
#define SHOAL_LIB_PROPAGATE_FACTORSHARDING_H

#include "dialects/Shoal/ShardingRule.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace shoal::propagate {

/// The part of a mesh axis that takes `size` devices after a part of `pre`
/// devices, major to minor. A whole axis has pre 1 and the axis' size.
struct Axis {
  int32_t index = 0;
  int64_t pre = 1;
  int64_t size = 1;

  int64_t next() const { return pre * size; }
  bool operator==(const Axis &o) const {
    return index == o.index && pre == o.pre && size == o.size;
  }
  bool operator!=(const Axis &o) const { return !(*this == o); }
  /// True if this is a leading part of `o`, or `o` itself.
  bool isPrefixOf(const Axis &o) const {
    return index == o.index && pre == o.pre && o.size % size == 0;
  }
  bool contains(const Axis &o) const {
    return index == o.index && pre <= o.pre && o.next() <= next();
  }
  bool overlaps(const Axis &o) const {
    return index == o.index && pre < o.next() && o.pre < next();
  }
};

using Axes = llvm::SmallVector<Axis, 2>;
using AxesRef = llvm::ArrayRef<Axis>;

/// The leading part of `axis` that overlaps none of `others`; nullopt if that
/// is nothing.
std::optional<Axis> getPrefixWithoutOverlap(Axis axis, AxesRef others);

/// Appends `axis`, merging it with the last one where they are consecutive
/// parts of the same mesh axis.
void appendAxis(Axes &axes, Axis axis);

enum class Prefix { No, Strict, Equal };
/// Whether `a` is a leading part of `b`; the last axis of `a` may be a leading
/// part of its counterpart.
Prefix comparePrefix(AxesRef a, AxesRef b);

int64_t getSize(AxesRef axes);

struct DimState {
  Axes axes;
  bool closed = false;
  bool operator==(const DimState &o) const {
    return axes == o.axes && closed == o.closed;
  }
};

/// The sharding of one tensor. Without one (`known` false) all dimensions are
/// open and empty.
struct TensorState {
  llvm::SmallVector<DimState, 4> dims;
  Axes replicated;
  Axes partial;
  bool known = false;
  bool hasAxes() const;
};

/// What one factor of a rule has in one tensor.
struct FactorState {
  Axes axes;
  /// Axes that follow in the same dimension but cannot belong to the next
  /// factor, since this one is not fully cut.
  Axes overflow;
  bool closed = false;
  bool minorMost = true;
  bool present = false;
};

/// A tensor projected to factors: one entry per factor of the rule.
struct TensorFactors {
  llvm::SmallVector<FactorState, 4> factors;
  Axes replicated;
  Axes partial;
};

/// Projects `state` to the factors of the rule. Axes go to the factors of a
/// dimension major to minor, an axis being split where a factor ends within it.
TensorFactors project(const TensorState &state, const TensorMapping &mapping,
                      llvm::ArrayRef<Factor> factors);

/// The inverse: factors after the first that is not fully cut are dropped,
/// since they would need strided blocks.
TensorState unproject(const TensorFactors &tensor, const TensorMapping &mapping,
                      llvm::ArrayRef<Factor> factors);

} // namespace shoal::propagate

#endif // SHOAL_LIB_PROPAGATE_FACTORSHARDING_H
