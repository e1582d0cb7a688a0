// shoal-move-reductions: see Passes.td.
#include "GroupAxes.h"
#include "Prices.h"
#include "shoal/Analysis/Remarks.h"
#include "shoal/Collectives/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using shoal::comm::AllGatherOp;
using shoal::comm::AllReduceOp;
using shoal::comm::AllSliceOp;
using shoal::comm::GroupsAttr;
using shoal::comm::ReduceScatterOp;
namespace sh = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_MOVEREDUCTIONS
#include "shoal/Collectives/Passes.h.inc"

namespace {

int64_t bytesOf(Value value) { return comm::getTensorBytes(value.getType()); }

/// An all_reduce, and the linear ops between it and a value, the last one
/// first, none of which anything else needs.
struct Reduction {
  AllReduceOp op;
  SmallVector<Operation *> chain;

  explicit operator bool() const { return op != nullptr; }
  /// The value without the reduction: what one device adds to it.
  Value removed(Value value) {
    Value input = op.getInput();
    op.getResult().replaceAllUsesWith(input);
    return chain.empty() ? input : value;
  }
};

/// The magnitude of a float that all elements of the value are.
std::optional<double> magnitudeOf(Value value) {
  while (auto spread = value.getDefiningOp<sh::BroadcastInDimOp>())
    value = spread.getOperand();
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat() ||
      !isa<FloatType>(elements.getElementType()))
    return std::nullopt;
  APFloat number = elements.getSplatValue<APFloat>();
  bool inexact;
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
  return std::abs(number.convertToDouble());
}

/// The operand along which a reduction may pass the op; -1: none.
int64_t linearOperand(Operation *op, ReductionKind kind) {
  if (isa<sh::ReshapeOp, sh::TransposeOp>(op))
    return 0;
  if (kind != ReductionKind::Add)
    return -1;
  if (isa<sh::NegOp>(op))
    return 0;
  if (isa<sh::MulOp>(op))
    for (int64_t i : {0, 1})
      if (auto factor = magnitudeOf(op->getOperand(1 - i));
          factor && *factor <= 1)
        return i;
  if (isa<sh::DivOp>(op))
    if (auto divisor = magnitudeOf(op->getOperand(1));
        divisor && *divisor >= 1 && std::isfinite(*divisor))
      return 0;
  return -1;
}

/// The reduction that a value, which `user` alone reads, is a linear function
/// of.
Reduction reductionOf(Value value, Operation *user) {
  Reduction found;
  SmallVector<int64_t> operands;
  for (Operation *next = user;;) {
    Operation *def = value.getDefiningOp();
    if (!def || def->getBlock() != next->getBlock() || !value.hasOneUse())
      return {};
    if (auto reduce = dyn_cast<AllReduceOp>(def)) {
      found.op = reduce;
      break;
    }
    // Which operand leads on depends on the kind; sums pass most.
    int64_t operand = linearOperand(def, ReductionKind::Add);
    if (operand < 0)
      return {};
    found.chain.push_back(def);
    value = def->getOperand(operand);
    next = def;
  }
  for (Operation *op : found.chain)
    if (linearOperand(op, found.op.getKind()) < 0)
      return {};
  return found;
}

class Mover {
public:
  Mover(Prices &prices, bool remarks) : prices(prices), remarks(remarks) {}

  void run(func::FuncOp func) {
    SmallVector<Operation *> ops;
    func.walk([&](Operation *op) {
      if (isa<AllReduceOp, ReduceScatterOp, AllSliceOp, sh::ReduceOp, sh::AddOp,
              sh::SubtractOp>(op))
        ops.push_back(op);
    });
    // Sums first; what they leave may meet what comes after them.
    for (Operation *op : ops)
      if (isRoot(op))
        sumOnce(op);
    for (Operation *op : ops)
      if (!erased.contains(op))
        meet(op);
  }

private:
  static bool isSum(Operation *op) {
    return isa<sh::AddOp, sh::SubtractOp>(op);
  }

  /// A sum that is no term of another one.
  bool isRoot(Operation *op) {
    if (erased.contains(op) || !isSum(op))
      return false;
    Operation *user = op->hasOneUse() ? *op->user_begin() : nullptr;
    return !user || !isSum(user) || user->getBlock() != op->getBlock();
  }

  struct Term {
    Value value;
    bool negative;
    Operation *user;
  };

  /// The terms of a sum of sums, in order, and the sums, users first. (Without
  /// recursion: sums may be as long as programs.)
  static void collect(Operation *root, SmallVector<Term> &terms,
                      SmallVector<Operation *> &sums) {
    SmallVector<Term> todo{{root->getResult(0), false, nullptr}};
    while (!todo.empty()) {
      Term term = todo.pop_back_val();
      Operation *def = term.value.getDefiningOp();
      if (term.user && (!def || !isSum(def) || !term.value.hasOneUse() ||
                        def->getBlock() != root->getBlock())) {
        terms.push_back(term);
        continue;
      }
      sums.push_back(def);
      bool minus = term.negative != isa<sh::SubtractOp>(def);
      todo.push_back({def->getOperand(1), minus, def});
      todo.push_back({def->getOperand(0), term.negative, def});
    }
  }

  void sumOnce(Operation *root) {
    SmallVector<Term> terms;
    SmallVector<Operation *> sums;
    collect(root, terms, sums);
    llvm::MapVector<Attribute, SmallVector<unsigned>> byGroups;
    SmallVector<Reduction> reductions;
    for (auto [i, term] : llvm::enumerate(terms)) {
      Reduction reduction = reductionOf(term.value, term.user);
      if (reduction && reduction.op.getKind() != ReductionKind::Add)
        reduction = {};
      if (reduction)
        byGroups[reduction.op.getGroups()].push_back(i);
      reductions.push_back(std::move(reduction));
    }
    if (llvm::none_of(byGroups,
                      [](auto &entry) { return entry.second.size() > 1; }))
      return;
    OpBuilder b(root);
    Location loc = root->getLoc();
    std::optional<Term> all;
    auto add = [&](std::optional<Term> sum, const Term &term) -> Term {
      if (!sum)
        return term;
      // a - b and b - a rather than signs.
      if (sum->negative == term.negative)
        return {sh::AddOp::create(b, loc, sum->value, term.value),
                sum->negative, root};
      if (sum->negative)
        return {sh::SubtractOp::create(b, loc, term.value, sum->value), false,
                root};
      return {sh::SubtractOp::create(b, loc, sum->value, term.value), false,
              root};
    };
    SmallVector<bool> taken(terms.size(), false);
    for (auto &[groups, members] : byGroups) {
      if (members.size() < 2)
        continue;
      double before = 0;
      std::optional<Term> local;
      AllReduceOp last = reductions[members.back()].op;
      for (unsigned i : members) {
        taken[i] = true;
        before += prices.of(reductions[i].op).seconds;
        Value mine = reductions[i].removed(terms[i].value);
        local = add(local, {mine, terms[i].negative, root});
      }
      auto fresh = AllReduceOp::create(b, last.getLoc(), local->value.getType(),
                                       ReductionKind::Add, local->value,
                                       last.getGroups(), last.getReasonAttr(),
                                       last.getProvenanceAttr());
      remarkGain(remarks, fresh,
                 Twine(members.size()) +
                     " all_reduces in a sum are one of the sum of their "
                     "operands",
                 before, prices.of(fresh).seconds);
      for (unsigned i : members) {
        erased.insert(reductions[i].op);
        reductions[i].op.erase();
      }
      all = add(all, {fresh.getResult(), local->negative, root});
    }
    for (auto [i, term] : llvm::enumerate(terms))
      if (!taken[i])
        all = add(all, term);
    Value result = all->value;
    if (all->negative)
      result = sh::NegOp::create(b, loc, result);
    root->getResult(0).replaceAllUsesWith(result);
    for (Operation *sum : sums) { // users first
      erased.insert(sum);
      sum->erase();
    }
  }

  /// Moves the reduction to right before `target`, whose first operand it
  /// leads to.
  AllReduceOp sink(Reduction &reduction, Operation *target) {
    OpBuilder b(target);
    AllReduceOp old = reduction.op;
    Value local = reduction.removed(target->getOperand(0));
    auto fresh = AllReduceOp::create(
        b, old.getLoc(), local.getType(), old.getKind(), local, old.getGroups(),
        old.getReasonAttr(), old.getProvenanceAttr());
    target->setOperand(0, fresh.getResult());
    erased.insert(old);
    old.erase();
    return fresh;
  }

  void meet(Operation *op) {
    if (isSum(op))
      return;
    if (auto reduce = dyn_cast<AllReduceOp>(op))
      if (gatherLater(reduce))
        return;
    Reduction reduction = reductionOf(op->getOperand(0), op);
    if (!reduction)
      return;
    GroupsAttr groups = reduction.op.getGroups();
    ReductionKind kind = reduction.op.getKind();
    if (auto scatter = dyn_cast<ReduceScatterOp>(op)) {
      if (scatter.getKind() == kind && joinGroups(groups, scatter.getGroups()))
        scatterFirst(reduction, scatter);
      return;
    }
    if (auto reduce = dyn_cast<AllReduceOp>(op)) {
      if (reduce.getKind() == kind && joinGroups(groups, reduce.getGroups()))
        merge(reduction, reduce);
      return;
    }
    // Without ops between them shoal-simplify-collectives sees it.
    if (reduction.chain.empty())
      return;
    if (auto slice = dyn_cast<AllSliceOp>(op)) {
      if (groups == slice.getGroups() ||
          withoutGroups(groups, slice.getGroups()))
        sink(reduction, op);
    } else if (auto fold = dyn_cast<sh::ReduceOp>(op)) {
      if (fold.getInputs().size() == 1 && kind == ReductionKind::Add)
        sink(reduction, op);
    }
  }

  /// One reduction over the axes of both.
  void merge(Reduction &reduction, AllReduceOp reduce) {
    AllReduceOp old = reduction.op;
    GroupsAttr both = joinGroups(reduce.getGroups(), old.getGroups());
    double before = prices.of(old).seconds + prices.of(reduce).seconds,
           after = prices
                       .of(CollectiveType::AllReduce,
                           bytesOf(reduce.getResult()), both, reduce)
                       .seconds;
    if (after > before)
      return;
    remarkGain(remarks, reduce, "two all_reduces are one", before, after);
    reduce->setOperand(0, reduction.removed(reduce.getInput()));
    reduce.setGroupsAttr(both);
    erased.insert(old);
    old.erase();
  }

  /// reduce_scatter(all_reduce(x)), over other axes: the other way round.
  void scatterFirst(Reduction &reduction, ReduceScatterOp scatter) {
    AllReduceOp old = reduction.op;
    int64_t small = bytesOf(scatter.getResult());
    double before = prices.of(old).seconds,
           after = prices
                       .of(CollectiveType::AllReduce, small, old.getGroups(),
                           scatter)
                       .seconds;
    if (after >= before)
      return;
    remarkGain(remarks, old, "after the reduce_scatter, which leaves less",
               before, after);
    Value local = reduction.removed(scatter.getInput());
    scatter->setOperand(0, local);
    OpBuilder b(scatter->getContext());
    b.setInsertionPointAfter(scatter);
    auto fresh =
        AllReduceOp::create(b, old.getLoc(), scatter.getResult().getType(),
                            old.getKind(), scatter.getResult(), old.getGroups(),
                            old.getReasonAttr(), old.getProvenanceAttr());
    scatter.getResult().replaceAllUsesExcept(fresh.getResult(), fresh);
    erased.insert(old);
    old.erase();
  }

  /// all_reduce(all_gather(x)), over other axes: the other way round.
  bool gatherLater(AllReduceOp reduce) {
    auto gather = reduce.getInput().getDefiningOp<AllGatherOp>();
    if (!gather || !gather->hasOneUse() ||
        gather->getBlock() != reduce->getBlock() ||
        !joinGroups(reduce.getGroups(), gather.getGroups()))
      return false;
    double before = prices.of(reduce).seconds,
           after =
               prices
                   .of(CollectiveType::AllReduce, bytesOf(gather.getInput()),
                       reduce.getGroups(), reduce)
                   .seconds;
    if (after >= before)
      return false;
    remarkGain(remarks, reduce, "before the all_gather, on less", before,
               after);
    OpBuilder b(gather);
    auto fresh = AllReduceOp::create(
        b, reduce.getLoc(), gather.getInput().getType(), reduce.getKind(),
        gather.getInput(), reduce.getGroups(), reduce.getReasonAttr(),
        reduce.getProvenanceAttr());
    gather->setOperand(0, fresh.getResult());
    reduce.getResult().replaceAllUsesWith(gather.getResult());
    erased.insert(reduce);
    reduce.erase();
    return true;
  }

  Prices &prices;
  bool remarks;
  llvm::SmallPtrSet<Operation *, 16> erased;
};

struct MoveReductions : impl::MoveReductionsBase<MoveReductions> {
  using MoveReductionsBase::MoveReductionsBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    Prices prices(*machine);
    for (auto func : getOperation().getOps<func::FuncOp>())
      Mover(prices, remarks).run(func);
  }
};

} // namespace
} // namespace shoal
