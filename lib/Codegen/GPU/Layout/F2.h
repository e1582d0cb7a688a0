//===- F2.h - Linear algebra over GF(2) on 64-bit columns -----------------===//

#ifndef SHOAL_LIB_CODEGEN_GPU_LAYOUT_F2_H
#define SHOAL_LIB_CODEGEN_GPU_LAYOUT_F2_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <bit>
#include <cstdint>
#include <optional>

namespace shoal::f2 {

/// A set of independent vectors, each known as a combination (a bit set) of
/// the columns that were added.
class Span {
public:
  Span() = default;
  explicit Span(llvm::ArrayRef<uint64_t> columns) {
    for (uint64_t column : columns)
      add(column);
  }

  /// Adds the next column; true if it was independent of the ones before.
  bool add(uint64_t column) {
    uint64_t combination = uint64_t(1) << added++;
    uint64_t rest = reduce(column, combination);
    if (!rest) {
      dependencies.push_back(combination);
      return false;
    }
    pivots |= uint64_t(1) << (added - 1);
    rows.push_back({rest, combination});
    return true;
  }

  bool contains(uint64_t value) const {
    uint64_t ignored = 0;
    return reduce(value, ignored) == 0;
  }
  /// The combination of pivot columns that gives `value`.
  std::optional<uint64_t> solve(uint64_t value) const {
    uint64_t combination = 0;
    if (reduce(value, combination))
      return std::nullopt;
    return combination;
  }
  unsigned rank() const { return rows.size(); }
  /// Which columns were independent of the ones before them.
  uint64_t pivotMask() const { return pivots; }
  /// For each other column, the combination (with it) that is 0.
  llvm::ArrayRef<uint64_t> kernel() const { return dependencies; }

private:
  struct Row {
    uint64_t value, combination;
  };
  /// Subtracts rows until no leading bit of one is left.
  uint64_t reduce(uint64_t value, uint64_t &combination) const {
    for (const Row &row : rows)
      if (value & std::bit_floor(row.value)) {
        value ^= row.value;
        combination ^= row.combination;
      }
    return value;
  }

  llvm::SmallVector<Row> rows;
  llvm::SmallVector<uint64_t> dependencies;
  uint64_t pivots = 0;
  unsigned added = 0;
};

/// The product of a matrix (its columns) and a vector.
inline uint64_t multiply(llvm::ArrayRef<uint64_t> columns, uint64_t x) {
  uint64_t result = 0;
  for (; x; x &= x - 1)
    result ^= columns[std::countr_zero(x)];
  return result;
}

} // namespace shoal::f2

#endif // SHOAL_LIB_CODEGEN_GPU_LAYOUT_F2_H
