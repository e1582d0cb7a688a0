// Which element of a tensor belongs to a point of the kernel's loops.
#ifndef SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDACCESS_H
#define SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDACCESS_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace shoal::fused {

/// The loops of a kernel, from major to minor: the dimensions of its full shape,
/// cut where a reshape needs it.
struct Loop {
  int64_t size;
  bool reduced;
  bool operator==(const Loop &) const = default;
};
using Loops = llvm::SmallVector<Loop>;

/// offset + sum of coefficients[i] * counter of loop i.
struct Form {
  int64_t offset = 0;
  llvm::SmallVector<int64_t> coefficients;

  explicit Form(size_t loops = 0) : coefficients(loops, 0) {}
  bool operator==(const Form &) const = default;
  bool isConstant() const {
    return llvm::all_of(coefficients, [](int64_t c) { return c == 0; });
  }
  /// Bit i: it depends on loop i.
  uint64_t mask() const;
  void add(const Form &other, int64_t factor);
};
/// One form per dimension.
using Access = llvm::SmallVector<Form>;

/// A loop that must become two, the minor one of `inner` iterations, before a
/// reshape can be followed.
struct Split {
  unsigned loop;
  int64_t inner;
};

/// The access to a tensor of `to` that is one of `from`, accessed by `access`,
/// reshaped. None if it cannot be said; `split`, if set then, makes it possible.
std::optional<Access> reshape(const Access &access,
                              llvm::ArrayRef<int64_t> from,
                              llvm::ArrayRef<int64_t> to,
                              const Loops &loops, std::optional<Split> &split);

/// The access to operand 0 of a data movement op whose result is accessed by
/// `result`: transpose, reshape, broadcast_in_dim, slice, reverse.
std::optional<Access> operandAccess(mlir::Operation *op, const Access &result,
                                    const Loops &loops,
                                    std::optional<Split> &split);

/// The address (in elements) of a dense tensor's element.
Form address(const Access &access, llvm::ArrayRef<int64_t> shape,
             size_t loops);

} // namespace shoal::fused

#endif // SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDACCESS_H
