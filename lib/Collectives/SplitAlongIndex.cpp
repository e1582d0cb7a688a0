#include "SplitAlongIndex.h"
#include "PartClones.h"

#include "shoal/Analysis/ScalarBodies.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {
namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Computes everything along one index in parts.
class Splitter {
public:
  Splitter(const IndexClasses &classes, int64_t number,
           llvm::DenseMap<Value, unsigned> dims, int64_t parts)
      : classes(classes), number(number), dims(std::move(dims)), parts(parts),
        small(classes, parts) {}

  void run(func::FuncOp func) {
    // (Before operands are replaced, by which they are found.)
    func.walk([&](Operation *op) {
      if (const PartFactor *factor = classes.factorIn(op, number))
        factors[op] = factor;
    });
    split(func.getBody().front());
    // Users first.
    for (Operation *op : llvm::reverse(done))
      op->erase();
  }

private:
  using Parts = SmallVector<Value, 4>;

  void split(Block &block) {
    SmallVector<Operation *> ops;
    for (Operation &op : block)
      ops.push_back(&op);
    for (Operation *op : ops) {
      if (isa<sh::WhileOp, sh::IfOp, sh::CaseOp>(op))
        splitRegions(op);
      else if (isa<sh::OptimizationBarrierOp>(op))
        splitBarrier(op);
      else if (const PartFactor *factor = factors.lookup(op))
        splitOp(op, *factor);
      else if (!op->hasTrait<OpTrait::IsTerminator>() ||
               isa<func::ReturnOp>(op))
        joinOperands(op);
    }
  }

  bool isSplit(Value value) const { return made.contains(value); }

  /// What the op reads of split values becomes whole.
  void joinOperands(Operation *op) {
    for (OpOperand &operand : op->getOpOperands())
      if (isSplit(operand.get()))
        operand.set(wholeOf(operand.get()));
  }

  Value wholeOf(Value value) {
    Value &whole = wholes[value];
    if (!whole) {
      const Parts &list = made[value];
      OpBuilder b(value.getContext());
      b.setInsertionPointAfter(value.getDefiningOp());
      whole = sh::ConcatenateOp::create(b, value.getLoc(), value.getType(),
                                        list, dims.lookup(value));
    }
    return whole;
  }

  /// The parts of a value along a dimension.
  Parts partsOf(Value value, unsigned dim) {
    if (auto found = made.find(value); found != made.end())
      return found->second;
    if (classes.isFree(value, dim))
      return Parts(parts, small.of(value, dim));
    auto [found, isNew] = cut.try_emplace({value, dim});
    if (isNew) {
      OpBuilder b(value.getContext());
      b.setInsertionPointAfterValue(value);
      RankedTensorType whole = typeOf(value), type = partOf(whole, dim, parts);
      for (int64_t j = 0; j < parts; ++j) {
        SmallVector<int64_t> starts(whole.getRank(), 0),
            limits(whole.getShape()), strides(whole.getRank(), 1);
        starts[dim] = j * type.getDimSize(dim);
        limits[dim] = starts[dim] + type.getDimSize(dim);
        found->second.push_back(sh::SliceOp::create(
            b, value.getLoc(), type, value, starts, limits, strides));
      }
    }
    return found->second;
  }

  void splitOp(Operation *op, const PartFactor &factor) {
    SmallVector<Parts> operands;
    for (Value operand : op->getOperands()) {
      unsigned t = operands.size();
      auto place =
          llvm::find_if(factor.operands, [&](auto p) { return p.first == t; });
      if (place != factor.operands.end())
        operands.push_back(partsOf(operand, place->second));
      else // has the index elsewhere than where the op takes it, or not at all
        operands.push_back(
            Parts(parts, isSplit(operand) ? wholeOf(operand) : operand));
    }
    OpBuilder b(op);
    SmallVector<Operation *> clones;
    for (int64_t j = 0; j < parts; ++j) {
      SmallVector<Value> mine;
      for (const Parts &list : operands)
        mine.push_back(list[j]);
      // One scatter goes on where the one before it ended; one reduction
      // begins with the initial value, the others with nothing.
      if (auto scatter = dyn_cast<sh::ScatterOp>(op);
          scatter && factor.reduces && j > 0)
        for (unsigned i = 0; i < scatter.getInputs().size(); ++i)
          mine[i] = clones.back()->getResult(i);
      if (isa<sh::ReduceOp>(op) && factor.reduces && j > 0)
        mine[1] = sh::ConstantOp::create(
            b, op->getLoc(),
            getNeutralOrFiller(*factor.reduction,
                               typeOf(op->getResult(0)).getElementType()));
      clones.push_back(clonePart(b, op, factor, mine, parts));
    }
    done.push_back(op);
    if (!factor.reduces) {
      for (OpResult result : op->getResults())
        for (Operation *clone : clones)
          made[result].push_back(clone->getResult(result.getResultNumber()));
      return;
    }
    if (isa<sh::ScatterOp>(op))
      op->replaceAllUsesWith(clones.back());
    else
      op->getResult(0).replaceAllUsesWith(sumOf(b, op, factor, clones));
  }

  /// What the parts of a product or a reduction come to together.
  Value sumOf(OpBuilder &b, Operation *op, const PartFactor &factor,
              ArrayRef<Operation *> clones) {
    Location loc = op->getLoc();
    RankedTensorType type = typeOf(op->getResult(0)), wide = type;
    bool isProduct = !isa<sh::ReduceOp>(op);
    ReductionKind kind = isProduct ? ReductionKind::Add : *factor.reduction;
    // Sums of narrow floats would be rounded once for each part.
    if (auto real = dyn_cast<FloatType>(type.getElementType());
        isProduct && real && real.getWidth() < 32)
      wide = RankedTensorType::get(type.getShape(), b.getF32Type());
    Value sum;
    for (Operation *clone : clones) {
      clone->getResult(0).setType(wide);
      Value next = clone->getResult(0);
      sum = sum ? createCombine(b, loc, kind, sum, next) : next;
    }
    return wide == type ? sum
                        : sh::ConvertOp::create(b, loc, type, sum).getResult();
  }

  //===--------------------------------------------------------------------===//
  // What passes values on
  //===--------------------------------------------------------------------===//

  /// Split values, of which the first part takes the place of the whole and the
  /// others come last.
  struct Expansion {
    SmallVector<unsigned> which;
    SmallVector<unsigned> dims;
  };

  Expansion expansionOf(ValueRange values) {
    Expansion e;
    for (auto [i, value] : llvm::enumerate(values))
      if (auto found = dims.find(value); found != dims.end()) {
        e.which.push_back(i);
        e.dims.push_back(found->second);
      }
    return e;
  }

  SmallVector<Value> expand(ValueRange values, const Expansion &e) {
    SmallVector<Value> list(values), more;
    for (auto [i, dim] : llvm::zip_equal(e.which, e.dims)) {
      Parts p = partsOf(values[i], dim);
      list[i] = p.front();
      llvm::append_range(more, ArrayRef<Value>(p).drop_front());
    }
    for (unsigned i = 0; i < values.size(); ++i)
      if (!llvm::is_contained(e.which, i) && isSplit(list[i]))
        list[i] = wholeOf(list[i]);
    llvm::append_range(list, more);
    return list;
  }

  /// The parts of what the expanded list stands for.
  SmallVector<Parts> collect(ValueRange expanded, size_t before,
                             const Expansion &e) {
    SmallVector<Parts> lists;
    size_t next = before;
    for (unsigned i : e.which) {
      Parts &p = lists.emplace_back();
      p.push_back(expanded[i]);
      for (int64_t j = 1; j < parts; ++j)
        p.push_back(expanded[next++]);
    }
    return lists;
  }

  void splitRegions(Operation *op) {
    Expansion e = expansionOf(op->getResults());
    bool isLoop = isa<sh::WhileOp>(op);
    if (!isLoop || e.which.empty())
      joinOperandsExcept(op, isLoop ? e : Expansion());
    if (e.which.empty()) {
      for (Region &region : op->getRegions())
        splitBody(region, e, /*yields=*/false);
      return;
    }
    SmallVector<Value> operands(op->getOperands());
    if (isLoop)
      operands = expand(op->getOperands(), e);
    SmallVector<Type> types(op->getResultTypes());
    for (auto [i, dim] : llvm::zip_equal(e.which, e.dims)) {
      RankedTensorType type =
          partOf(cast<RankedTensorType>(types[i]), dim, parts);
      types[i] = type;
      types.append(parts - 1, type);
    }
    OperationState state(op->getLoc(), op->getName(), operands, types,
                         op->getAttrs());
    for (unsigned i = 0; i < op->getNumRegions(); ++i)
      state.addRegion();
    OpBuilder b(op);
    Operation *fresh = b.create(state);
    for (auto [from, to] :
         llvm::zip_equal(op->getRegions(), fresh->getRegions())) {
      to.takeBody(from);
      bool isCondition = isLoop && to.getRegionNumber() == 0;
      splitBody(to, e, !isCondition);
    }
    SmallVector<Parts> lists =
        collect(fresh->getResults(), op->getNumResults(), e);
    for (unsigned i = 0, k = 0; i < op->getNumResults(); ++i) {
      if (k < e.which.size() && e.which[k] == i)
        made[op->getResult(i)] = lists[k++];
      else
        op->getResult(i).replaceAllUsesWith(fresh->getResult(i));
    }
    done.push_back(op);
  }

  void joinOperandsExcept(Operation *op, const Expansion &e) {
    for (OpOperand &operand : op->getOpOperands())
      if (!llvm::is_contained(e.which, operand.getOperandNumber()) &&
          isSplit(operand.get()))
        operand.set(wholeOf(operand.get()));
  }

  /// A region whose arguments (a loop's) and yielded values are expanded.
  void splitBody(Region &region, const Expansion &e, bool yields) {
    Block &block = region.front();
    if (block.getNumArguments() > 0 && !e.which.empty()) {
      size_t before = block.getNumArguments();
      SmallVector<Operation *> stands;
      OpBuilder b = OpBuilder::atBlockBegin(&block);
      for (auto [i, dim] : llvm::zip_equal(e.which, e.dims)) {
        BlockArgument argument = block.getArgument(i);
        RankedTensorType whole = typeOf(argument),
                         type = partOf(whole, dim, parts);
        // Stands for the whole until all its users are done.
        auto stand = UnrealizedConversionCastOp::create(
            b, argument.getLoc(), TypeRange(whole), ValueRange());
        argument.replaceAllUsesWith(stand.getResult(0));
        argument.setType(type);
        for (int64_t j = 1; j < parts; ++j)
          block.addArgument(type, argument.getLoc());
        dims[stand.getResult(0)] = dim;
        stands.push_back(stand);
        done.push_back(stand);
      }
      for (auto [stand, list] :
           llvm::zip_equal(stands, collect(block.getArguments(), before, e)))
        made[stand->getResult(0)] = list;
    }
    split(block);
    Operation *end = block.getTerminator();
    if (yields)
      end->setOperands(expand(end->getOperands(), e));
    else
      joinOperands(end);
  }

  /// Each part has a barrier of its own; what is whole goes with the first.
  void splitBarrier(Operation *op) {
    Expansion e = expansionOf(op->getResults());
    joinOperandsExcept(op, e);
    if (e.which.empty())
      return;
    OpBuilder b(op);
    SmallVector<Value> first(op->getOperands());
    SmallVector<Parts> operands, results(e.which.size());
    for (auto [i, dim] : llvm::zip_equal(e.which, e.dims)) {
      operands.push_back(partsOf(op->getOperand(i), dim));
      first[i] = operands.back().front();
    }
    Operation *barrier = sh::OptimizationBarrierOp::create(
        b, op->getLoc(), TypeRange(ValueRange(first)), first);
    for (OpResult result : op->getResults())
      if (!llvm::is_contained(e.which, result.getResultNumber()))
        result.replaceAllUsesWith(barrier->getResult(result.getResultNumber()));
    for (auto [list, i] : llvm::zip_equal(results, e.which))
      list.push_back(barrier->getResult(i));
    for (int64_t j = 1; j < parts; ++j) {
      SmallVector<Value> mine;
      for (const Parts &list : operands)
        mine.push_back(list[j]);
      auto next = sh::OptimizationBarrierOp::create(
          b, op->getLoc(), TypeRange(ValueRange(mine)), mine);
      for (auto [list, result] : llvm::zip_equal(results, next.getResults()))
        list.push_back(result);
    }
    for (auto [list, i] : llvm::zip_equal(results, e.which))
      made[op->getResult(i)] = list;
    done.push_back(op);
  }

  const IndexClasses &classes;
  int64_t number;
  llvm::DenseMap<Value, unsigned> dims;
  int64_t parts;
  llvm::DenseMap<Operation *, const PartFactor *> factors;
  /// Of values computed in parts: these, and joined, where that is needed.
  llvm::DenseMap<Value, Parts> made;
  llvm::DenseMap<Value, Value> wholes;
  /// Slices of other values along a dimension, and free ones made smaller.
  llvm::DenseMap<std::pair<Value, unsigned>, Parts> cut;
  FreeParts small;
  SmallVector<Operation *> done;
};

} // namespace

void splitAlongIndex(func::FuncOp func, const IndexClasses &classes,
                     int64_t number, llvm::DenseMap<Value, unsigned> dims,
                     int64_t parts) {
  Splitter(classes, number, std::move(dims), parts).run(func);
}

} // namespace shoal
