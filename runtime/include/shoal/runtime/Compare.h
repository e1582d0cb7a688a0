// Comparing tensors: what --check and the check operations mean by equal.
#ifndef SHOAL_RUNTIME_COMPARE_H
#define SHOAL_RUNTIME_COMPARE_H

#include "shoal/runtime/DType.h"

#include <string>
#include <vector>

namespace shoal::rt {

struct Tolerance {
  enum class Kind {
    Relative, ///< |got - want| <= absolute + relative * |want|
    Ulp,      ///< minUlp <= distance in units in the last place <= maxUlp
  };
  Kind kind = Kind::Relative;
  double relative = 0, absolute = 0;
  /// From what is not finite to any other number it is 2^64 - 1.
  uint64_t minUlp = 0, maxUlp = 0;
  bool nanEqual = true; ///< NaN equals NaN
};

struct Comparison {
  int64_t mismatches = 0;
  int64_t firstMismatch = -1; ///< row-major index
  double largestError = 0; ///< absolute, over all elements; inf if one is NaN
  int64_t largestAt = -1;
  uint64_t largestUlp = 0; ///< only with Tolerance::Kind::Ulp
};

/// Compares `count` elements. Integers and i1 must be equal whatever the
/// tolerance; infinities must be equal; complex numbers agree when both parts
/// do.
Comparison compare(DType type, const void *got, const void *want, int64_t count,
                   const Tolerance &tolerance);

/// "first mismatch at [1, 2]: got 0.5, want 0.25; largest error 0.25 at …; 3 of
/// 12 elements differ".
std::string describe(const Comparison &c, DType type, const void *got,
                     const void *want, const std::vector<int64_t> &shape);

/// One element as text: shortest form that reads back as the same value.
std::string formatElement(DType type, const void *element);
/// "[1, 2]" for a row-major index, "[]" for a scalar.
std::string formatIndex(int64_t index, const std::vector<int64_t> &shape);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_COMPARE_H
