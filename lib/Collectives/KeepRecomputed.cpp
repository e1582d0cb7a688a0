// shoal-keep-recomputed: see Passes.td.
#include "dialects/Comm/Comm.h"
#include "shoal/Analysis/LoopStacks.h"
#include "shoal/Collectives/Passes.h"
#include "shoal/Support/StackValues.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <map>

using namespace mlir;
using stablehlo::WhileOp;

namespace shoal {
#define GEN_PASS_DEF_KEEPRECOMPUTED
#include "shoal/Collectives/Passes.h.inc"

namespace {

/// Something that the second loop computes as the first one did.
struct Recomputed {
  Value first, second;
};

/// Two loops, the second of which walks over what the first one has stacked,
/// and which of its values the first one has computed already.
class LoopPair {
public:
  LoopPair(const StackLoop &first, const StackLoop &second)
      : first(first), second(second) {}

  SmallVector<Recomputed> find() {
    if (first.trips != second.trips || !findOrder())
      return {};
    // What one has from outside, the other may compute itself.
    for (Operation &op : *first.op->getBlock()) {
      if (&op == second.op)
        break;
      number(&op, first, /*isSecond=*/false);
    }
    for (Operation &op : first.body().without_terminator())
      number(&op, first, /*isSecond=*/false);
    for (Operation &op : first.body().without_terminator())
      for (Value result : op.getResults())
        if (auto id = ids.find(result); id != ids.end())
          made.try_emplace(id->second, result);
    SmallVector<Recomputed> found;
    for (Operation &op : second.body().without_terminator()) {
      number(&op, second, /*isSecond=*/true);
      if (!isa<stablehlo::DotGeneralOp, stablehlo::ConvolutionOp>(op))
        continue;
      if (auto before = made.find(ids.lookup(op.getResult(0)));
          before != made.end() &&
          before->second.getType() == op.getResult(0).getType() &&
          isBefore(readIndex, &op))
        found.push_back({before->second, op.getResult(0)});
    }
    return found;
  }

  // Where the first loop writes what it stacks, and the second reads it.
  Value writeIndex, readIndex;

private:
  static bool isBefore(Value value, Operation *op) {
    Operation *def = value.getDefiningOp();
    return !def || def->getBlock() != op->getBlock() ||
           def->isBeforeInBlock(op);
  }

  /// In which iteration of the second loop what an iteration of the first one
  /// has stacked is read.
  bool findOrder() {
    for (auto slice : second.body().getOps<stablehlo::DynamicSliceOp>()) {
      auto row = rowOf(slice, second);
      if (!row)
        continue;
      auto stacked = stackedIn(row->source, first);
      if (!stacked)
        continue;
      // A stack of as many rows as iterations, so that ours can use the same.
      auto read = orderOfReads(*stacked, *row);
      if (!read)
        continue;
      order = std::move(*read);
      writeIndex = stacked->op.getStartIndices()[0];
      readIndex = slice.getStartIndices()[0];
      return true;
    }
    return false;
  }

  int idOf(Value value, const StackLoop &loop) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      if (Value outside = loop.invariant(argument))
        value = outside;
    // An invariant of the first loop is what went in.
    if (auto result = dyn_cast<OpResult>(value);
        result && result.getOwner() == static_cast<Operation *>(first.op))
      if (Value outside = first.invariant(
              first.body().getArgument(result.getResultNumber())))
        value = outside;
    auto [id, isNew] = ids.try_emplace(value, 0);
    if (isNew)
      id->second = ++count;
    return id->second;
  }

  int idOf(const std::string &key) {
    auto [id, isNew] = keys.try_emplace(key, 0);
    if (isNew)
      id->second = ++count;
    return id->second;
  }

  static bool isReshape(Operation *op) {
    if (isa<stablehlo::ReshapeOp>(op))
      return true;
    auto broadcast = dyn_cast<stablehlo::BroadcastInDimOp>(op);
    return broadcast &&
           cast<RankedTensorType>(broadcast.getOperand().getType())
                   .getNumElements() ==
               cast<RankedTensorType>(broadcast.getType()).getNumElements() &&
           llvm::is_sorted(broadcast.getBroadcastDimensions());
  }

  void number(Operation *op, const StackLoop &loop, bool isSecond) {
    if (isa<ConstraintOp, stablehlo::OptimizationBarrierOp>(op)) {
      for (auto [operand, result] :
           llvm::zip_equal(op->getOperands(), op->getResults()))
        if (operand.getType() == result.getType())
          ids[result] = idOf(operand, loop);
      return;
    }
    if (isReshape(op)) {
      int id = idOf(op->getOperand(0), loop);
      Type from = op->getOperand(0).getType();
      if (auto root = roots.find(id); root != roots.end())
        std::tie(id, from) = root->second;
      if (from != op->getResult(0).getType()) {
        int made = idOf("reshape " + std::to_string(id) + textOf(op));
        roots[made] = {id, from};
        id = made;
      }
      ids[op->getResult(0)] = id;
      return;
    }
    if (auto slice = dyn_cast<stablehlo::DynamicSliceOp>(op))
      if (auto row = rowOf(slice, loop)) {
        SmallVector<int64_t> at(row->at.size());
        for (size_t trip = 0; trip < at.size(); ++trip)
          at[trip] = row->at[isSecond ? order[trip] : trip];
        if (isSecond)
          if (auto stacked = stackedIn(row->source, first);
              stacked && stacked->at == at &&
              stacked->op.getUpdate().getType() == slice.getType()) {
            ids[slice.getResult()] = idOf(stacked->op.getUpdate(), first);
            return;
          }
        std::string key = "row " + std::to_string(idOf(row->source, loop));
        for (int64_t i : at)
          key += " " + std::to_string(i);
        ids[slice.getResult()] = idOf(key);
        return;
      }
    if (!isMemoryEffectFree(op) || op->getNumResults() == 0)
      return;
    // Regions that see more than their arguments are left out.
    bool closed = true;
    op->walk([&](Operation *inner) {
      if (inner == op)
        return;
      for (Value operand : inner->getOperands())
        closed &= op->isAncestor(operand.getParentBlock()->getParentOp());
    });
    if (!closed || isa<WhileOp, stablehlo::IfOp, stablehlo::CaseOp>(op))
      return;
    std::string key = textOf(op);
    for (Value operand : op->getOperands())
      key += " " + std::to_string(idOf(operand, loop));
    for (auto [i, result] : llvm::enumerate(op->getResults()))
      ids[result] = idOf(key + "#" + std::to_string(i));
  }

  /// Name, attributes (not those that phases left), types and regions.
  static std::string textOf(Operation *op) {
    std::string text;
    llvm::raw_string_ostream os(text);
    os << op->getName();
    for (NamedAttribute attribute : op->getAttrs())
      if (!attribute.getName().getValue().contains('.'))
        os << " " << attribute.getName().getValue() << "="
           << attribute.getValue();
    for (Type type : op->getResultTypes())
      os << " " << type;
    for (Region &region : op->getRegions()) {
      // Regions are closed: values in them are told by their place.
      DenseMap<Value, size_t> places;
      for (Block &block : region) {
        for (Value argument : block.getArguments())
          places.try_emplace(argument, places.size());
        for (Operation &inner : block) {
          os << "{" << textOf(&inner);
          for (Value operand : inner.getOperands())
            os << " " << places.lookup(operand);
          os << "}";
          for (Value result : inner.getResults())
            places.try_emplace(result, places.size());
        }
      }
    }
    return text;
  }

  const StackLoop &first, &second;
  /// By iteration of the first loop, the second's.
  SmallVector<int64_t> order;
  DenseMap<Value, int> ids;
  std::map<std::string, int> keys;
  DenseMap<int, Value> made;
  DenseMap<int, std::pair<int, Type>> roots;
  int count = 0;
};

/// Pairs of loops in a function, with what is recomputed; numbers of what can
/// be kept count through all of them.
template <typename Visit>
void forEachPair(ModuleOp module, Visit visit) {
  for (auto func : module.getOps<func::FuncOp>()) {
    if (func.isExternal())
      continue;
    HostScalars scalars(func);
    SmallVector<StackLoop> loops;
    for (auto op : func.getBody().front().getOps<WhileOp>()) {
      if (auto loop = getStackLoop(op, scalars);
          loop && !op->hasAttr("shoal.shardings"))
        loops.push_back(*loop);
    }
    for (size_t i = 0; i < loops.size(); ++i)
      for (size_t j = i + 1; j < loops.size(); ++j) {
        LoopPair pair(loops[i], loops[j]);
        SmallVector<Recomputed> found = pair.find();
        if (!found.empty())
          visit(loops[i], loops[j], pair, found);
      }
  }
}

struct KeepRecomputed : impl::KeepRecomputedBase<KeepRecomputed> {
  using KeepRecomputedBase::KeepRecomputedBase;

  void runOnOperation() override {
    DenseSet<int64_t> wanted(keep.begin(), keep.end());
    int64_t next = 0;
    struct Work {
      StackLoop first, second;
      Value writeIndex, readIndex;
      SmallVector<Recomputed> values;
    };
    // The loop that is extended is another one afterwards.
    SmallVector<Work> work;
    forEachPair(getOperation(),
                [&](const StackLoop &first, const StackLoop &second,
                    LoopPair &pair, ArrayRef<Recomputed> found) {
                  Work w{first, second, pair.writeIndex, pair.readIndex, {}};
                  for (const Recomputed &r : found)
                    if (int64_t i = next++; all || wanted.contains(i))
                      w.values.push_back(r);
                  if (!w.values.empty())
                    work.push_back(std::move(w));
                });
    for (size_t i = 0; i < work.size(); ++i) {
      Work &w = work[i];
      WhileOp old = w.first.op;
      WhileOp fresh =
          rewrite(w.first, w.second, w.writeIndex, w.readIndex, w.values);
      for (Work &later : MutableArrayRef(work).drop_front(i + 1))
        for (StackLoop *loop : {&later.first, &later.second})
          if (loop->op == old)
            loop->op = fresh;
    }
  }

  WhileOp rewrite(const StackLoop &first, const StackLoop &second,
                  Value writeIndex, Value readIndex,
                  ArrayRef<Recomputed> values) {
    unsigned before = first.op->getNumResults();
    WhileOp fresh = stackValues(
        first.op,
        llvm::map_to_vector(
            values, [](const Recomputed &r) -> Value { return r.first; }),
        writeIndex, first.trips);
    for (auto [i, r] : llvm::enumerate(values)) {
      Operation *again = r.second.getDefiningOp();
      OpBuilder b(again);
      Value(r.second).replaceAllUsesWith(
          readRow(b, again->getLoc(), fresh->getResult(before + i), readIndex,
                  r.second.getType()));
    }
    // What led to it is computed for nothing.
    WhileOp reader = second.op;
    SmallVector<Operation *> ops;
    for (Operation &op : reader->getRegion(1).front().without_terminator())
      ops.push_back(&op);
    for (Operation *op : llvm::reverse(ops))
      if (op->use_empty() && isMemoryEffectFree(op))
        op->erase();
    return fresh;
  }
};

} // namespace

int64_t countRecomputed(ModuleOp module) {
  int64_t count = 0;
  forEachPair(module, [&](const StackLoop &, const StackLoop &, LoopPair &,
                          ArrayRef<Recomputed> found) {
    count += static_cast<int64_t>(found.size());
  });
  return count;
}

} // namespace shoal
