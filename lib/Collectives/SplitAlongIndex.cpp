#include "SplitAlongIndex.h"
#include "IndexRewriter.h"

#include "shoal/Analysis/ScalarBodies.h"
#include "shoal/Support/TensorTypes.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {
namespace {

/// Computes everything along one index in parts, all of them here.
class Splitter : public IndexRewriter {
public:
  Splitter(func::FuncOp func, const IndexClasses &classes, int64_t number,
           llvm::DenseMap<Value, unsigned> dims, int64_t parts)
      : IndexRewriter(classes, parts, parts), dims(std::move(dims)) {
    // (Before operands are replaced, by which they are found.)
    func.walk([&](Operation *op) {
      if (const PartFactor *factor = classes.factorIn(op, number))
        factors[op] = factor;
    });
  }

private:
  std::optional<unsigned> dimPassedOn(OpResult result) override {
    auto found = dims.find(result);
    return found == dims.end() ? std::nullopt : std::optional(found->second);
  }

  Value join(Value value, const InParts &from) override {
    OpBuilder b(value.getContext());
    b.setInsertionPointAfterValue(value);
    return sh::ConcatenateOp::create(b, value.getLoc(), value.getType(),
                                     from.parts, from.dim);
  }

  Parts cut(Value value, unsigned dim) override {
    OpBuilder b(value.getContext());
    b.setInsertionPointAfterValue(value);
    RankedTensorType whole = typeOf(value), type = partOf(whole, dim, parts);
    Parts list;
    for (int64_t j = 0; j < parts; ++j) {
      SmallVector<int64_t> starts(whole.getRank(), 0), limits(whole.getShape()),
          strides(whole.getRank(), 1);
      starts[dim] = j * type.getDimSize(dim);
      limits[dim] = starts[dim] + type.getDimSize(dim);
      list.push_back(sh::SliceOp::create(b, value.getLoc(), type, value, starts,
                                         limits, strides));
    }
    return list;
  }

  void visitOp(Operation *op) override {
    const PartFactor *found = factors.lookup(op);
    if (!found)
      return;
    const PartFactor &factor = *found;
    SmallVector<Parts> operands = operandsAlong(op, factor);
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
    finish(op);
    if (!factor.reduces) {
      for (auto [r, d] : factor.results)
        setParts(op->getResult(r),
                 llvm::map_to_vector<4>(clones,
                                        [r = r](Operation *clone) -> Value {
                                          return clone->getResult(r);
                                        }),
                 d);
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

  /// Of each value with a dimension that is the index, that dimension.
  llvm::DenseMap<Value, unsigned> dims;
  llvm::DenseMap<Operation *, const PartFactor *> factors;
};

} // namespace

void splitAlongIndex(func::FuncOp func, const IndexClasses &classes,
                     int64_t number, llvm::DenseMap<Value, unsigned> dims,
                     int64_t parts) {
  Splitter(func, classes, number, std::move(dims), parts).run(func);
}

} // namespace shoal
