// The form of an op in terms of atoms: which atoms cut each factor of its
// sharding rule, and over which atoms its linear operands come in as partial
// values. Operand and result placements follow from it.
#ifndef SHOAL_ANALYSIS_OPFORM_H
#define SHOAL_ANALYSIS_OPFORM_H

#include "dialects/Shoal/ShardingRule.h"
#include "shoal/Analysis/MeshModel.h"
#include "shoal/Analysis/WindowStretch.h"

namespace shoal {

struct OpForm {
  llvm::SmallVector<AtomList, 8> factors;
  /// Elements per part of each factor (its size where it is not cut).
  llvm::SmallVector<int64_t, 8> blocks;
  /// The operands in `partialOperands` (a bit each) are partial over these
  /// atoms, and so are the results.
  AtomSet partialIn = 0;
  unsigned partialKind = 0;
  uint64_t partialOperands = 0;

  bool operator==(const OpForm &o) const {
    return factors == o.factors && blocks == o.blocks &&
           partialIn == o.partialIn && partialOperands == o.partialOperands &&
           (!partialIn || partialKind == o.partialKind);
  }
  AtomSet cut() const {
    AtomSet set = 0;
    for (const AtomList &list : factors)
      for (uint8_t atom : list)
        set |= atomBit(atom);
    return set;
  }
};

/// An op's rule together with what partitioning can do with each factor.
class OpModel {
public:
  /// Nothing for ops without a rule.
  static std::optional<OpModel> get(mlir::Operation *op, MeshModel &mesh);

  const ShardingRule &getRule() const { return rule; }
  size_t numOperands() const { return rule.operands.size(); }
  size_t numResults() const { return rule.results.size(); }
  /// Tensors are numbered operands first, then results.
  llvm::ArrayRef<int64_t> shape(size_t tensor) const { return shapes[tensor]; }

  /// Whether devices may share the factor in a way partitioning implements.
  bool canCut(int64_t factor) const { return cuttable[factor]; }

  OpForm replicated() const;
  /// Adds to `form` what `tensor` placed as `state` says about its factors,
  /// as far as that fits with what the form has already (and is cuttable).
  /// Partial states are taken over by `takePartial`. False if something of the
  /// state had to be left out.
  bool extend(OpForm &form, size_t tensor, const PlacementState &state) const;
  /// Forms for `tensor` placed as `state` in which atoms that cut it along
  /// factors that must stay whole, or are costly to cut (ordered ones), cut
  /// another dimension instead, so that an all-to-all does what would be a
  /// gather. A few, best first.
  llvm::SmallVector<OpForm, 2> displaced(size_t tensor,
                                         const PlacementState &state) const;
  /// Forms for two operands of a contraction that are cut by the same atoms
  /// along different factors: these atoms cut a factor that both have instead
  /// (heads, say, where queries and keys are both cut along the sequence), so
  /// that neither is gathered.
  llvm::SmallVector<OpForm, 2> reconciled(size_t one,
                                          const PlacementState &oneState,
                                          size_t other,
                                          const PlacementState &otherState) const;
  /// Lets `operand` come in partial as `state` says, if the op is linear there
  /// and the atoms are free. False if not possible.
  bool takePartial(OpForm &form, size_t operand,
                   const PlacementState &state) const;
  /// The placement the form demands of an operand or gives to a result.
  PlacementState placement(const OpForm &form, size_t tensor) const;
  /// Atoms over which results are partial because a cut factor ends in the op.
  AtomSet reducedAtoms(const OpForm &form, size_t result) const;
  /// How the results of cut reduction factors combine; nothing if kinds mix.
  std::optional<unsigned> reductionKind(const OpForm &form) const;
  /// Whether everything about the form can be done.
  bool isValid(const OpForm &form) const;

  /// Bytes each device sends inside the op's own lowering: stretches that
  /// windows fetch from neighbours, parts of a reduction that are merged.
  int64_t innerBytes(const OpForm &form) const;

  /// What part i of the op reads of an operand's dimension that is cut and
  /// read through windows; nothing for other dimensions. Elements that the
  /// device's own block lacks are fetched from its neighbours.
  std::optional<WindowStretch> stretch(const OpForm &form, size_t operand,
                                       int64_t dim) const;
  /// Some devices share the windows of the dimension, others their taps: the
  /// stretch is that of the windows with all taps.
  bool sharesWindowsAndTaps(const OpForm &form, const DimMapping &dim) const;
  /// Windows scatter into the result along the factor (select_and_scatter).
  bool scattersAlong(int64_t factor) const;

  FormAttr toAttr(const OpForm &form) const;
  /// Reads a form from its attribute and the partial states of the operands.
  OpForm fromAttr(FormAttr attr, mlir::Operation *op) const;

private:
  /// The factor ends in the op: results are combined over its devices.
  bool isSummedOver(int64_t factor) const;
  /// The operand is a summand of the same sum as one that has the factor.
  bool joinsSum(int64_t operand, int64_t factor) const;

  MeshModel *mesh = nullptr;
  mlir::Operation *op = nullptr;
  ShardingRule rule;
  llvm::SmallVector<llvm::SmallVector<int64_t, 4>, 4> shapes;
  llvm::SmallVector<bool, 8> cuttable;
  /// Blocks of a factor are multiples of this.
  llvm::SmallVector<int64_t, 8> granules;

  void findGranules();
  int64_t defaultBlock(int64_t factor, int64_t parts) const;
  bool isWindowed(const DimMapping &dim) const;
  bool hasValidWindows(const OpForm &form) const;
  int64_t fetchedBytes(const OpForm &form, size_t operand) const;
  void addToDim(OpForm &form, const DimMapping &dim,
                llvm::ArrayRef<uint8_t> list, int64_t block, int64_t size,
                bool &complete) const;
};

} // namespace shoal

#endif // SHOAL_ANALYSIS_OPFORM_H
