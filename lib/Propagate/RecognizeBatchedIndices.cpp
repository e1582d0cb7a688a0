// shoal-recognize-batched-indices: see Passes.td.
#include "shoal/Propagate/Passes.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_RECOGNIZEBATCHEDINDICES
#include "shoal/Propagate/Passes.h.inc"
} // namespace shoal

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

/// What a loop carries along unchanged is what it starts with.
static Value outsideLoops(Value value) {
  while (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<sh::WhileOp>(argument.getOwner()->getParentOp());
    if (!loop)
      break;
    Block &body = loop.getBody().front();
    unsigned number = argument.getArgNumber();
    if (body.getTerminator()->getOperand(number) != body.getArgument(number))
      break;
    value = loop.getOperand()[number];
  }
  return value;
}

/// The integer that all elements of a value are, if one constant is.
static std::optional<int64_t> getSplat(Value value) {
  value = outsideLoops(value);
  while (auto broadcast = value.getDefiningOp<sh::BroadcastInDimOp>())
    value = outsideLoops(broadcast.getOperand());
  DenseIntElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat())
    return std::nullopt;
  APInt bits = elements.getSplatValue<APInt>();
  bool isUnsigned = elements.getElementType().isUnsignedInteger();
  if (bits.getBitWidth() > 64 || (isUnsigned && bits.getActiveBits() > 63))
    return std::nullopt;
  return isUnsigned ? int64_t(bits.getZExtValue()) : bits.getSExtValue();
}

/// Whether the integer type holds 0 to size - 1.
static bool holdsPositions(Type element, int64_t size) {
  auto type = dyn_cast<IntegerType>(element);
  if (!type || type.getWidth() == 1)
    return false;
  unsigned bits = type.getWidth() - !type.isUnsigned();
  return bits >= 63 || size <= int64_t(1) << bits;
}

/// Whether every element of the constant is its position along `dim`.
static bool countsAlong(DenseIntElementsAttr elements, int64_t dim) {
  ArrayRef<int64_t> shape = elements.getType().getShape();
  int64_t minor = 1, i = 0;
  for (int64_t size : shape.drop_front(dim + 1))
    minor *= size;
  for (const APInt &element : elements.getValues<APInt>())
    if (element.getActiveBits() > 63 ||
        int64_t(element.getZExtValue()) != i++ / minor % shape[dim])
      return false;
  return true;
}

/// The dimension along which every element of an integer tensor is its own
/// position, if there is one: an iota, however it was shaped, and made safe
/// against being negative, as front ends write `x[arange(n), i]`.
static std::optional<int64_t> getPositionDim(Value value) {
  value = outsideLoops(value);
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape() || !value.getDefiningOp())
    return std::nullopt;
  DenseIntElementsAttr elements;
  if (matchPattern(value, m_Constant(&elements))) {
    for (auto [dim, size] : llvm::enumerate(type.getShape()))
      if (size > 1 && holdsPositions(type.getElementType(), size) &&
          countsAlong(elements, dim))
        return dim;
    return std::nullopt;
  }
  using Result = std::optional<int64_t>;
  return llvm::TypeSwitch<Operation *, Result>(value.getDefiningOp())
      .Case([&](sh::IotaOp iota) -> Result {
        int64_t dim = iota.getIotaDimension();
        if (!holdsPositions(type.getElementType(), type.getDimSize(dim)))
          return std::nullopt;
        return dim;
      })
      .Case([&](sh::ConvertOp convert) -> Result {
        Result dim = getPositionDim(convert.getOperand());
        if (!dim ||
            !holdsPositions(type.getElementType(), type.getDimSize(*dim)))
          return std::nullopt;
        return dim;
      })
      .Case([&](sh::BroadcastInDimOp broadcast) -> Result {
        Result dim = getPositionDim(broadcast.getOperand());
        if (!dim)
          return std::nullopt;
        int64_t to = broadcast.getBroadcastDimensions()[*dim];
        if (shapeOf(broadcast.getOperand())[*dim] != type.getDimSize(to))
          return std::nullopt;
        return to;
      })
      .Case([&](sh::TransposeOp transpose) -> Result {
        Result dim = getPositionDim(transpose.getOperand());
        if (!dim)
          return std::nullopt;
        return llvm::find(transpose.getPermutation(), *dim) -
               transpose.getPermutation().begin();
      })
      .Case([&](sh::ReshapeOp reshape) -> Result {
        Result dim = getPositionDim(reshape.getOperand());
        if (!dim)
          return std::nullopt;
        // The dimension of as many elements, as far apart.
        ArrayRef<int64_t> from = shapeOf(reshape.getOperand());
        auto minorOf = [](ArrayRef<int64_t> shape, int64_t d) {
          int64_t minor = 1;
          for (int64_t size : shape.drop_front(d + 1))
            minor *= size;
          return minor;
        };
        for (auto [to, size] : llvm::enumerate(type.getShape()))
          if (size == from[*dim] &&
              minorOf(type.getShape(), to) == minorOf(from, *dim))
            return to;
        return std::nullopt;
      })
      // x < 0 ? x + n : x
      .Case([&](sh::SelectOp select) -> Result {
        auto compare = select.getPred().getDefiningOp<sh::CompareOp>();
        if (!compare ||
            compare.getComparisonDirection() != sh::ComparisonDirection::LT ||
            compare.getLhs() != select.getOnFalse() ||
            getSplat(compare.getRhs()) != 0)
          return std::nullopt;
        return getPositionDim(select.getOnFalse());
      })
      .Case([&](sh::ClampOp clamp) -> Result {
        Result dim = getPositionDim(clamp.getOperand());
        auto low = getSplat(clamp.getMin()), high = getSplat(clamp.getMax());
        if (!dim || low.value_or(1) > 0 ||
            high.value_or(-1) < type.getDimSize(*dim) - 1)
          return std::nullopt;
        return dim;
      })
      .Default(std::nullopt);
}

namespace {
/// Indices of a gather or scatter, and what of them says where an input's
/// dimension is addressed.
struct Indices {
  Value value;
  int64_t vectorDim;
  SmallVector<int64_t> startMap, collapsed, batch, indicesBatch;

  bool takeOutPositions(ArrayRef<int64_t> input);
};
} // namespace

/// The sharding without a cut of `dim`, of which less is left.
static ShardingAttr uncut(ShardingAttr sharding, int64_t dim) {
  if (!sharding)
    return sharding;
  return sharding.withDim(dim, sharding.getDim(dim).withAxes({}).withBlock(0));
}

/// Makes batch dimensions of components that are positions. The others stay
/// components, and one at least has to.
bool Indices::takeOutPositions(ArrayRef<int64_t> input) {
  auto concat = value.getDefiningOp<sh::ConcatenateOp>();
  if (!concat || int64_t(concat.getDimension()) != vectorDim)
    return false;
  SmallVector<std::pair<int64_t, int64_t>>
      pairs; // Input's, indices' dimension.
  for (auto [d, i] : llvm::zip_equal(batch, indicesBatch))
    pairs.push_back({d, i});
  SmallVector<Value> kept;
  SmallVector<int64_t> keptMap;
  int64_t component = 0, left = startMap.size();
  for (Value part : concat.getInputs()) {
    int64_t width = shapeOf(part)[vectorDim];
    ArrayRef<int64_t> dims = ArrayRef(startMap).slice(component, width);
    component += width;
    std::optional<int64_t> at;
    if (width == 1 && left > 1 && llvm::is_contained(collapsed, dims[0]))
      at = getPositionDim(part);
    bool isTaken = llvm::any_of(pairs, [&](auto p) { return p.second == at; });
    if (at && *at != vectorDim && !isTaken &&
        shapeOf(part)[*at] == input[dims[0]]) {
      pairs.push_back({dims[0], *at});
      llvm::erase(collapsed, dims[0]);
      --left;
      continue;
    }
    kept.push_back(part);
    keptMap.append(dims.begin(), dims.end());
  }
  if (keptMap.size() == startMap.size())
    return false;
  llvm::sort(pairs);
  batch.clear(), indicesBatch.clear();
  for (auto [d, i] : pairs) {
    batch.push_back(d);
    indicesBatch.push_back(i);
  }
  startMap = keptMap;
  value = kept[0];
  if (kept.size() > 1) {
    OpBuilder builder(concat);
    auto type = cast<RankedTensorType>(concat.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[vectorDim] = startMap.size();
    auto less = sh::ConcatenateOp::create(builder, concat.getLoc(),
                                          type.clone(shape), kept, vectorDim);
    less->setDiscardableAttrs(concat->getDiscardableAttrDictionary());
    if (ShardingAttr sharding = getResultSharding(concat, 0))
      setShardings(less, uncut(sharding, vectorDim));
    value = less;
  }
  return true;
}

static void recognize(sh::GatherOp gather) {
  auto numbers = gather.getDimensionNumbers();
  ArrayRef<int64_t> input = shapeOf(gather.getOperand());
  Indices indices{gather.getStartIndices(),
                  numbers.getIndexVectorDim(),
                  llvm::to_vector(numbers.getStartIndexMap()),
                  llvm::to_vector(numbers.getCollapsedSliceDims()),
                  llvm::to_vector(numbers.getOperandBatchingDims()),
                  llvm::to_vector(numbers.getStartIndicesBatchingDims())};
  // (A slice of no elements is collapsed as well.)
  if (llvm::is_contained(gather.getSliceSizes(), 0) ||
      !indices.takeOutPositions(input))
    return;
  gather.getStartIndicesMutable().assign(indices.value);
  gather.setDimensionNumbersAttr(sh::GatherDimensionNumbersAttr::get(
      gather.getContext(), numbers.getOffsetDims(), indices.collapsed,
      indices.batch, indices.indicesBatch, indices.startMap,
      indices.vectorDim));
  gather.setIndicesAreSorted(false);
}

static void recognize(sh::ScatterOp scatter) {
  auto numbers = scatter.getScatterDimensionNumbers();
  Indices indices{scatter.getScatterIndices(),
                  numbers.getIndexVectorDim(),
                  llvm::to_vector(numbers.getScatterDimsToOperandDims()),
                  llvm::to_vector(numbers.getInsertedWindowDims()),
                  llvm::to_vector(numbers.getInputBatchingDims()),
                  llvm::to_vector(numbers.getScatterIndicesBatchingDims())};
  if (!indices.takeOutPositions(shapeOf(scatter.getInputs()[0])))
    return;
  scatter.getScatterIndicesMutable().assign(indices.value);
  scatter.setScatterDimensionNumbersAttr(sh::ScatterDimensionNumbersAttr::get(
      scatter.getContext(), numbers.getUpdateWindowDims(), indices.collapsed,
      indices.batch, indices.indicesBatch, indices.startMap,
      indices.vectorDim));
  scatter.setIndicesAreSorted(false);
}

namespace {
struct RecognizeBatchedIndices
    : shoal::impl::RecognizeBatchedIndicesBase<RecognizeBatchedIndices> {
  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      Operation *made = nullptr;
      if (auto gather = dyn_cast<sh::GatherOp>(op)) {
        made = gather.getStartIndices().getDefiningOp();
        recognize(gather);
      } else if (auto scatter = dyn_cast<sh::ScatterOp>(op)) {
        made = scatter.getScatterIndices().getDefiningOp();
        recognize(scatter);
      }
      // What only made the positions is not needed any more.
      llvm::SetVector<Operation *> unused;
      if (made)
        unused.insert(made);
      while (!unused.empty()) {
        Operation *dead = unused.pop_back_val();
        if (!isOpTriviallyDead(dead))
          continue;
        for (Value operand : dead->getOperands())
          if (Operation *definition = operand.getDefiningOp())
            unused.insert(definition);
        dead->erase();
      }
    });
  }
};
} // namespace
