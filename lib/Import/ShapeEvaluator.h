// What integer values of a program are, where they follow from constants and
// from sizes of tensors.
#ifndef SHOAL_LIB_IMPORT_SHAPEEVALUATOR_H
#define SHOAL_LIB_IMPORT_SHAPEEVALUATOR_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"

#include <optional>

namespace shoal {

/// A tensor of integers, row-major. Elements have the width of their type
/// (an index 64 bits).
struct IntTensor {
  llvm::SmallVector<int64_t> shape;
  llvm::SmallVector<llvm::APInt> values;
  bool isUnsigned = false; ///< of an unsigned type, or i1

  int64_t getRank() const { return shape.size(); }
  /// Element `i` as a number; saturated where 64 bits do not hold it.
  int64_t getInt(int64_t i) const;

  bool operator==(const IntTensor &other) const {
    return shape == other.shape && values == other.values;
  }

  /// Reads a constant's value; nullopt if these are no integers.
  static std::optional<IntTensor> get(mlir::Attribute attr);
  /// The attribute that a constant of `type` has; null if it cannot be one.
  mlir::Attribute getAttribute(mlir::Type type) const;
};

/// Calls `body` with the multi-dimensional index of every element of `shape`.
void forEachIndex(llvm::ArrayRef<int64_t> shape,
                  llvm::function_ref<void(llvm::ArrayRef<int64_t>)> body);
/// Row-major position of `index` in `shape`.
int64_t getPosition(llvm::ArrayRef<int64_t> shape,
                    llvm::ArrayRef<int64_t> index);

/// Computes values on demand and remembers them. Exact in any width, with the
/// semantics of StableHLO. Knows nothing about floats.
class ShapeEvaluator {
public:
  /// Largest tensor that is looked at.
  static constexpr int64_t kMaxElements = 1 << 16;

  explicit ShapeEvaluator(const ShapeEvaluator *outer = nullptr)
      : outer(outer) {}

  /// The value, or null if it is not known. Stays valid as long as nothing
  /// else is evaluated.
  const IntTensor *evaluate(mlir::Value value);
  /// The elements as numbers.
  std::optional<llvm::SmallVector<int64_t>> evaluateInts(mlir::Value value);

  /// Says what a value is, such as a block argument.
  void bind(mlir::Value value, IntTensor known);
  /// Forgets what `op`, which is about to be erased, defines.
  void forget(mlir::Operation *op);

  /// Binds the arguments of a loop's regions that hold the same known value
  /// in all iterations.
  void bindInvariants(mlir::Operation *loop);

private:
  const std::optional<IntTensor> *lookup(mlir::Value value) const;
  void evaluateDefinition(mlir::Operation *op);
  /// What the terminator of a block passes on, given its arguments.
  std::optional<llvm::SmallVector<IntTensor>>
  evaluateBlock(mlir::Block &block, llvm::ArrayRef<IntTensor> arguments) const;
  bool evaluateRegions(mlir::Operation *op,
                       llvm::ArrayRef<const IntTensor *> operands,
                       llvm::SmallVectorImpl<std::optional<IntTensor>> &out);

  const ShapeEvaluator *outer;
  /// Empty where it is known that the value cannot be computed.
  llvm::DenseMap<mlir::Value, std::optional<IntTensor>> known;
};

/// Evaluates an op without regions. `operands` holds null where an operand is
/// not known. Leaves results empty that it cannot compute. ShapeOperations.cpp.
void evaluateOperation(mlir::Operation *op,
                       llvm::ArrayRef<const IntTensor *> operands,
                       llvm::SmallVectorImpl<std::optional<IntTensor>> &results);

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_SHAPEEVALUATOR_H
