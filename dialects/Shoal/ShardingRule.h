// The sharding rule of an op: which dimensions of its operands and results are
// one and the same index ("factor"), and what each factor does.
#ifndef DIALECTS_SHOAL_SHARDINGRULE_H
#define DIALECTS_SHOAL_SHARDINGRULE_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>
#include <string>

namespace shoal {
enum class ReductionKind : uint32_t;
class OpRuleAttr;
class FormAttr;
class ShardingAttr;

/// What happens along a factor. The kind picks the lowering.
enum class FactorKind : uint8_t {
  /// Each device computes its part of the index from the same part of inputs.
  PassThrough,
  /// In operands only; results are partial over its axes.
  Reduction,
  /// Operand index = (stride·i + dilation·w + offset) / baseDilation: slices,
  /// padding, reversal, concatenation, convolution and window reductions.
  Window,
  /// The operand's dimension is addressed by data (gather, dynamic_slice), the
  /// result's likewise (scatter, dynamic_update_slice).
  Indexed,
  /// Elements depend on one another in order: sort, scan, FFT, factorisations.
  Ordered,
  /// Everyone needs all of it, and there is no better way.
  NeedReplication,
};
llvm::StringRef stringifyFactorKind(FactorKind kind);

struct Factor {
  int64_t size = 1;
  FactorKind kind = FactorKind::PassThrough;
  /// How partial results combine; for Reduction, and for Indexed factors of
  /// scatter-like ops (nullopt: other bodies than the closed set).
  std::optional<ReductionKind> reduction = std::nullopt;
  /// Shardings do not propagate along this factor (it may still be computed in
  /// parts): sizes differ on its sides, or it is better not to.
  bool blocked = false;
  bool passesThrough() const {
    return kind == FactorKind::PassThrough || kind == FactorKind::Indexed;
  }
};

/// How result index i of a Window factor maps to this tensor's dimension:
/// position p with p·baseDilation = stride·i + dilation·w + offset, 0 <= w <
/// size. Positions that do not exist read as padding.
struct WindowMap {
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t size = 1;
  int64_t offset = 0;
  int64_t baseDilation = 1;
  bool isIdentity() const {
    return stride == 1 && size == 1 && offset == 0 && baseDilation == 1;
  }
};

/// A dimension as factors, major to minor (several: a reshape's compound).
/// Empty: the dimension takes part in no factor (then it stays whole).
struct DimMapping {
  llvm::SmallVector<int64_t, 2> factors;
  std::optional<WindowMap> window;
};

struct TensorMapping {
  llvm::SmallVector<DimMapping, 4> dims;
  /// True if the factor occurs in some dimension.
  bool contains(int64_t factor) const;
  /// The dimension the factor occurs in, or -1.
  int64_t findDim(int64_t factor) const;
};

/// Operands that may be partial of one kind, all at once, all results being so
/// then; the op's other operands must not be partial. An operand of the set
/// that is whole takes the neutral element on all ranks but the first.
struct PartialPass {
  /// Bit k stands for ReductionKind k.
  uint8_t kinds = 0;
  llvm::SmallVector<int64_t, 4> operands;
  bool allows(ReductionKind kind) const {
    return kinds >> static_cast<unsigned>(kind) & 1;
  }
};
constexpr uint8_t kAnyKind = 0x7f;
constexpr uint8_t kindBit(ReductionKind kind) {
  return static_cast<uint8_t>(1u << static_cast<unsigned>(kind));
}

struct ShardingRule {
  llvm::SmallVector<Factor, 8> factors;
  llvm::SmallVector<TensorMapping, 4> operands;
  llvm::SmallVector<TensorMapping, 2> results;
  /// Through which operands a partial state may pass to the results.
  llvm::SmallVector<PartialPass, 2> partial;
  /// Not to be refined: a user wrote it.
  bool custom = false;

  int64_t getNumFactors() const { return factors.size(); }
  bool isReduction(int64_t f) const {
    return factors[f].kind == FactorKind::Reduction;
  }
  /// The pass that lets `operand`, partial of that kind, through; or null.
  const PartialPass *findPartialPass(ReductionKind kind, int64_t operand) const;
  /// All operands and results, operands first.
  const TensorMapping &getTensor(int64_t i) const {
    return i < static_cast<int64_t>(operands.size())
               ? operands[i]
               : results[i - operands.size()];
  }
  int64_t getNumTensors() const { return operands.size() + results.size(); }

  /// The rule as an attribute, whose syntax is Shardy's op_sharding_rule with a
  /// few more lists.
  OpRuleAttr toAttr(mlir::MLIRContext *context) const;
  /// Reads an attribute against the shapes of an op. Fails with a diagnostic
  /// on `op` if ranks or sizes do not fit.
  static std::optional<ShardingRule> fromAttr(OpRuleAttr attr,
                                              mlir::Operation *op);
};

/// The sharding rule of any op: its interface's, or a user's rule; nullopt for
/// ops that have none (terminators, ops with regions that pass by data flow).
std::optional<ShardingRule> getShardingRule(mlir::Operation *op);

/// True if a user's rule applies to the op: as an attribute, or by its name.
bool hasUserRule(mlir::Operation *op);

/// The shardings that a form demands of the op's operands and gives to its
/// results: dimensions get the axes of their factors, results are partial over
/// the axes of reduction factors they lack. Compound dimensions put the axes
/// of their factors one after another.
ShardingAttr getOperandSharding(const ShardingRule &rule, FormAttr form,
                                int64_t operand);
ShardingAttr getResultSharding(const ShardingRule &rule, FormAttr form,
                               int64_t result);

/// The element that changes nothing under `kind`, as an attribute of the
/// scalar type (floats, integers, complex for add and mul); null if none.
mlir::TypedAttr getNeutralElement(ReductionKind kind, mlir::Type elementType);

/// Zero, or of a float type without zero (f8E8M0FNU) its smallest number: fills
/// what nobody reads. A DenseElementsAttr of rank 0.
mlir::DenseElementsAttr getFiller(mlir::Type elementType);

/// The neutral element, or the filler of a type that has none: what devices hold
/// that have no part in a value. A DenseElementsAttr of rank 0.
mlir::DenseElementsAttr getNeutralOrFiller(ReductionKind kind,
                                           mlir::Type elementType);

/// Assembles rules. Factors are numbered in the order of their creation;
/// a dimension that is never mapped gets a factor of its own at build().
class RuleBuilder {
public:
  RuleBuilder(mlir::TypeRange operands, mlir::TypeRange results);
  explicit RuleBuilder(mlir::Operation *op);

  static constexpr int64_t kNone = -1;
  /// One factor over one dimension of each tensor (kNone: not in that tensor).
  RuleBuilder &add(llvm::ArrayRef<int64_t> operandDims,
                   llvm::ArrayRef<int64_t> resultDims, int64_t size,
                   FactorKind kind = FactorKind::PassThrough);
  /// The same dimension of all tensors but scalars.
  RuleBuilder &addEverywhere(int64_t dim, int64_t size,
                             FactorKind kind = FactorKind::PassThrough);
  /// Dimension d of all tensors but scalars is one factor, for each d of shape.
  RuleBuilder &addPointwise(llvm::ArrayRef<int64_t> shape);
  RuleBuilder &addPointwise(llvm::ArrayRef<int64_t> shape,
                            llvm::function_ref<FactorKind(int64_t dim)> kindOf);
  /// Creates a factor and returns its number; map it with mapOperand/Result.
  int64_t createFactor(int64_t size, FactorKind kind = FactorKind::PassThrough);
  RuleBuilder &mapOperand(int64_t operand, int64_t dim, int64_t factor);
  RuleBuilder &mapResult(int64_t result, int64_t dim, int64_t factor);
  RuleBuilder &setWindow(int64_t operand, int64_t dim, WindowMap window);
  RuleBuilder &setResultWindow(int64_t result, int64_t dim, WindowMap window);
  Factor &last() { return rule.factors.back(); }
  Factor &factor(int64_t f) { return rule.factors[f]; }
  /// A partial state of these kinds passes through these operands together.
  RuleBuilder &passPartial(uint8_t kinds, llvm::ArrayRef<int64_t> operands);
  /// Elements are moved, not computed with: every kind passes.
  RuleBuilder &movesData(llvm::ArrayRef<int64_t> operands) {
    return passPartial(kAnyKind, operands);
  }
  ShardingRule build();

private:
  llvm::SmallVector<mlir::Type> operandTypes, resultTypes;
  ShardingRule rule;
};

} // namespace shoal

#endif // DIALECTS_SHOAL_SHARDINGRULE_H
