// shoal-recognize-top-k: see Passes.td.
#include "shoal/Propagate/Passes.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/Shoal/Sharding.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_RECOGNIZETOPK
#include "shoal/Propagate/Passes.h.inc"
} // namespace shoal

/// Whether the comparator says that the first operand's left element is
/// greater, floats by the total order.
static bool comparesGreater(sh::SortOp sort, Type element) {
  Block &body = sort.getComparator().front();
  auto compare =
      body.getTerminator()->getOperand(0).getDefiningOp<sh::CompareOp>();
  if (!compare || compare->getBlock() != &body ||
      compare.getLhs() != body.getArgument(0) ||
      compare.getRhs() != body.getArgument(1) ||
      compare.getComparisonDirection() != sh::ComparisonDirection::GT)
    return false;
  bool isTotal = compare.getCompareType() == sh::ComparisonType::TOTALORDER;
  return isa<IntegerType>(element) ? !isTotal : isTotal;
}

/// How many elements the slice takes off the beginning of the last dimension,
/// all of every other; 0 if it is another slice.
static int64_t beginningOf(sh::SliceOp slice) {
  auto in = cast<RankedTensorType>(slice.getOperand().getType());
  auto out = cast<RankedTensorType>(slice.getType());
  for (int64_t start : slice.getStartIndices())
    if (start)
      return 0;
  for (int64_t stride : slice.getStrides())
    if (stride != 1)
      return 0;
  if (in.getShape().drop_back() != out.getShape().drop_back())
    return 0;
  return out.getShape().back();
}

static void recognize(sh::SortOp sort) {
  auto type = dyn_cast<RankedTensorType>(sort->getOperand(0).getType());
  if (sort->getNumOperands() != 2 || !sort.getIsStable() || !type ||
      !type.hasStaticShape() ||
      !isa<IntegerType, FloatType>(type.getElementType()) ||
      !comparesGreater(sort, type.getElementType()))
    return;
  int64_t last = type.getRank() - 1, dim = sort.getDimension();
  auto iota = sort->getOperand(1).getDefiningOp<sh::IotaOp>();
  if (!iota || int64_t(iota.getIotaDimension()) != last ||
      (dim != last && dim != -1) ||
      !getElementTypeOrSelf(iota.getType()).isSignlessInteger(32))
    return;
  int64_t k = 0;
  for (Operation *user : sort->getUsers()) {
    auto slice = dyn_cast<sh::SliceOp>(user);
    int64_t size = slice ? beginningOf(slice) : 0;
    if (size == 0 || (k && size != k))
      return;
    k = size;
  }
  // Where most is kept, sorting all of it is no loss.
  if (k == 0 || k > type.getShape().back() / 4)
    return;
  OpBuilder builder(sort);
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = k;
  auto topK =
      chlo::TopKOp::create(builder, sort.getLoc(), type.clone(shape),
                           type.clone(shape, builder.getI32Type()),
                           sort->getOperand(0), builder.getI64IntegerAttr(k));
  topK->setDiscardableAttrs(sort->getDiscardableAttrDictionary());
  // What is kept is sharded as the slices are.
  SmallVector<ShardingAttr> shardings;
  for (Value sorted : sort.getResults())
    for (Operation *user : sorted.getUsers())
      if (ShardingAttr sharding = getResultSharding(user, 0)) {
        shardings.push_back(sharding);
        break;
      }
  topK->removeDiscardableAttr(ShoalDialect::kShardingsAttr);
  if (shardings.size() == 1)
    shardings.push_back(shardings[0]);
  if (!shardings.empty())
    setShardings(topK, shardings);
  for (auto [sorted, best] : llvm::zip(sort.getResults(), topK->getResults()))
    for (Operation *user : llvm::make_early_inc_range(sorted.getUsers())) {
      user->getResult(0).replaceAllUsesWith(best);
      user->erase();
    }
  sort.erase();
  if (iota.use_empty())
    iota.erase();
}

namespace {
struct RecognizeTopK : shoal::impl::RecognizeTopKBase<RecognizeTopK> {
  void runOnOperation() override {
    SmallVector<sh::SortOp> sorts;
    getOperation().walk([&](sh::SortOp sort) { sorts.push_back(sort); });
    for (sh::SortOp sort : sorts)
      recognize(sort);
  }
};
} // namespace
