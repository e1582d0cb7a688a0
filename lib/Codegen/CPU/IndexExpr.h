// Indices as linear expressions over variables of known range, so that
// reshapes, slices, pads and transposes between a loop and an array fold into
// one address, and divisions appear only where the shapes force them.
#ifndef SHOAL_LIB_CODEGEN_CPU_INDEXEXPR_H
#define SHOAL_LIB_CODEGEN_CPU_INDEXEXPR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Value.h"

#include <cstdint>

namespace shoal::cpu {

/// A loop variable or a computed integer, known to lie in [lower, upper].
struct IndexVar {
  /// i64; null while a part of a merged loop has not been needed by itself.
  llvm::Value *value = nullptr;
  int64_t lower = 0;
  int64_t upper = 0;
  /// Creation number: the order of terms, so that output is deterministic.
  unsigned id = 0;
  /// Part of a merged loop variable: this = (merged / stride) mod range.
  IndexVar *merged = nullptr;
  int64_t mergedStride = 1;
  /// The place in the emitter whose loop this is (see forSpace), or null.
  const void *site = nullptr;
};

/// constant + sum of coeff * var.
class IndexExpr {
public:
  struct Term {
    IndexVar *var;
    int64_t coeff;
    bool operator==(const Term &o) const {
      return var == o.var && coeff == o.coeff;
    }
  };

  IndexExpr() = default;
  IndexExpr(int64_t constant) : constant(constant) {}
  IndexExpr(int constant) : constant(constant) {}
  explicit IndexExpr(IndexVar *var);

  int64_t getConstant() const { return constant; }
  llvm::ArrayRef<Term> getTerms() const { return terms; }
  bool isConstant() const { return terms.empty(); }
  /// Bounds that hold whatever the variables are.
  int64_t getLower() const;
  int64_t getUpper() const;

  IndexExpr operator+(const IndexExpr &o) const;
  IndexExpr operator-(const IndexExpr &o) const { return *this + o * -1; }
  IndexExpr operator*(int64_t factor) const;
  bool operator==(const IndexExpr &o) const {
    return constant == o.constant && terms == o.terms;
  }
  bool operator!=(const IndexExpr &o) const { return !(*this == o); }

  /// If *this = quotient * divisor + remainder with 0 <= remainder < divisor
  /// can be read off the terms, gives the two and returns true.
  bool splitBy(int64_t divisor, IndexExpr &quotient,
               IndexExpr &remainder) const;

private:
  friend llvm::hash_code hash_value(const IndexExpr &e);
  int64_t constant = 0;
  llvm::SmallVector<Term, 2> terms;
};

llvm::hash_code hash_value(const IndexExpr &e);

/// One index per dimension of a tensor.
using Index = llvm::SmallVector<IndexExpr, 4>;

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_INDEXEXPR_H
