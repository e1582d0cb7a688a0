// chlo's composites in StableHLO: top_k, ragged_dot, scan, dynamic_reshape.
#include "DecomposeChlo.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/Shoal/ShardingRule.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace shoal;

/// Elements [start, start + size) along `dim`.
static Value sliceDim(OpBuilder &builder, Location loc, Value value,
                      int64_t dim, int64_t start, int64_t size) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> starts(type.getRank(), 0), limits(type.getShape()),
      strides(type.getRank(), 1), shape(type.getShape());
  starts[dim] = start;
  limits[dim] = start + size;
  shape[dim] = size;
  return stablehlo::SliceOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), value,
      builder.getDenseI64ArrayAttr(starts),
      builder.getDenseI64ArrayAttr(limits),
      builder.getDenseI64ArrayAttr(strides));
}

/// The shape of `value` without, or with a leading-one, dimension `dim`.
static Value dropDim(OpBuilder &builder, Location loc, Value value,
                     int64_t dim) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + dim);
  return stablehlo::ReshapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), value);
}

static Value addDim(OpBuilder &builder, Location loc, Value value,
                    int64_t dim) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin() + dim, 1);
  return stablehlo::ReshapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), value);
}

static Value intSplat(OpBuilder &builder, Location loc, ArrayRef<int64_t> shape,
                      Type element, int64_t value) {
  auto type = RankedTensorType::get(shape, element);
  return stablehlo::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(type, builder.getIntegerAttr(element, value)));
}

//===----------------------------------------------------------------------===//
// top_k
//===----------------------------------------------------------------------===//

/// Sorts values and indices, descending and stably, and keeps the first k.
static void decomposeTopK(chlo::TopKOp op, OpBuilder &builder,
                          SmallVectorImpl<Value> &results) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getOperand().getType());
  int64_t last = type.getRank() - 1;
  Type element = type.getElementType(), i32 = builder.getI32Type();
  Value index = stablehlo::IotaOp::create(builder, loc, type.clone(i32),
                                          builder.getI64IntegerAttr(last));
  auto sort = stablehlo::SortOp::create(
      builder, loc, TypeRange{type, type.clone(i32)},
      ValueRange{op.getOperand(), index}, builder.getI64IntegerAttr(last),
      builder.getBoolAttr(true));
  {
    OpBuilder::InsertionGuard guard(builder);
    Block *body = builder.createBlock(&sort.getComparator());
    Type scalar = RankedTensorType::get({}, element);
    Type indexScalar = RankedTensorType::get({}, i32);
    body->addArguments({scalar, scalar, indexScalar, indexScalar},
                       {loc, loc, loc, loc});
    // In the total order NaN comes before all numbers.
    auto kind = isa<FloatType>(element) ? stablehlo::ComparisonType::TOTALORDER
                                        : stablehlo::ComparisonType::NOTYPE;
    Value greater = stablehlo::CompareOp::create(
        builder, loc, body->getArgument(0), body->getArgument(1),
        stablehlo::ComparisonDirection::GT, kind);
    stablehlo::ReturnOp::create(builder, loc, greater);
  }
  for (Value sorted : sort.getResults())
    results.push_back(sliceDim(builder, loc, sorted, last, 0, op.getK()));
}

//===----------------------------------------------------------------------===//
// ragged_dot
//===----------------------------------------------------------------------===//

/// Which of the groups, a new leading dimension, each element of `x` is in:
/// `x` where it is, zero elsewhere. Along dimension `ragged` groups follow one
/// another, in sizes given per index of the dimensions `prefix`.
static Value expandGroups(OpBuilder &builder, Location loc, Value x,
                          int64_t ragged, Value sizes,
                          ArrayRef<int64_t> prefix) {
  auto type = cast<RankedTensorType>(x.getType());
  auto sizesType = cast<RankedTensorType>(sizes.getType());
  Type index = sizesType.getElementType();
  int64_t rank = sizesType.getRank(), groups = sizesType.getShape().back();
  auto broadcast = [&](Value value, RankedTensorType to,
                       ArrayRef<int64_t> dims) -> Value {
    return stablehlo::BroadcastInDimOp::create(
        builder, loc, to, value, builder.getDenseI64ArrayAttr(dims));
  };
  auto iota = [&](RankedTensorType of, int64_t dim) -> Value {
    return stablehlo::IotaOp::create(builder, loc, of,
                                     builder.getI64IntegerAttr(dim));
  };

  // Where each group ends: the sum of the sizes up to its own.
  SmallVector<int64_t> square(sizesType.getShape()), spread;
  square.push_back(groups);
  for (int64_t d = 0; d < rank - 1; ++d)
    spread.push_back(d);
  spread.push_back(rank);
  auto squareType = RankedTensorType::get(square, index);
  Value before = stablehlo::CompareOp::create(
      builder, loc, iota(squareType, rank), iota(squareType, rank - 1),
      stablehlo::ComparisonDirection::LE);
  Value summands = stablehlo::SelectOp::create(
      builder, loc, before, broadcast(sizes, squareType, spread),
      intSplat(builder, loc, square, index, 0));
  auto sum = stablehlo::ReduceOp::create(
      builder, loc, TypeRange{sizesType}, ValueRange{summands},
      ValueRange{intSplat(builder, loc, {}, index, 0)},
      builder.getDenseI64ArrayAttr({rank}));
  {
    OpBuilder::InsertionGuard guard(builder);
    Type scalar = RankedTensorType::get({}, index);
    Block *body =
        builder.createBlock(&sum.getBody(), {}, {scalar, scalar}, {loc, loc});
    Value add = stablehlo::AddOp::create(builder, loc, body->getArgument(0),
                                         body->getArgument(1));
    stablehlo::ReturnOp::create(builder, loc, add);
  }
  Value ends = sum->getResult(0);
  Value starts = stablehlo::SubtractOp::create(builder, loc, ends, sizes);

  SmallVector<int64_t> shape(type.getShape()), bounds, own;
  shape.insert(shape.begin(), groups);
  for (int64_t d : prefix)
    bounds.push_back(d + 1);
  bounds.push_back(0);
  for (int64_t d = 0; d < type.getRank(); ++d)
    own.push_back(d + 1);
  auto to = RankedTensorType::get(shape, type.getElementType());
  auto places = RankedTensorType::get(shape, index);
  Value place = iota(places, ragged + 1);
  Value inside = stablehlo::AndOp::create(
      builder, loc,
      stablehlo::CompareOp::create(builder, loc, place,
                                   broadcast(starts, places, bounds),
                                   stablehlo::ComparisonDirection::GE),
      stablehlo::CompareOp::create(builder, loc, place,
                                   broadcast(ends, places, bounds),
                                   stablehlo::ComparisonDirection::LT));
  DenseElementsAttr zero = getFiller(type.getElementType()).resizeSplat(to);
  return stablehlo::SelectOp::create(
      builder, loc, inside, broadcast(x, to, own),
      stablehlo::ConstantOp::create(builder, loc, zero));
}

/// Dense over the groups: their dimension is contracted (rows in groups), or a
/// batch dimension (a contraction in groups). Shardings pass as through any
/// dot_general; with groups cut each device has the partial sum of its own.
static LogicalResult decomposeRaggedDot(chlo::RaggedDotOp op,
                                        OpBuilder &builder,
                                        SmallVectorImpl<Value> &results) {
  Location loc = op.getLoc();
  chlo::RaggedDotDimensionNumbersAttr numbers =
      op.getRaggedDotDimensionNumbers();
  using Dims = SmallVector<int64_t>;
  Dims lhsBatch(numbers.getLhsBatchingDimensions()),
      rhsBatch(numbers.getRhsBatchingDimensions()),
      lhsContract(numbers.getLhsContractingDimensions()),
      rhsContract(numbers.getRhsContractingDimensions());
  int64_t ragged = numbers.getLhsRaggedDimensions().front();
  Value lhs = op.getLhs(), rhs = op.getRhs(), sizes = op.getGroupSizes();
  auto lhsType = cast<RankedTensorType>(lhs.getType());
  // With sizes for each index of some dimensions, those are the batch and what
  // comes before the ragged dimension among the dimensions of its kind.
  auto getPrefix = [&](ArrayRef<int64_t> batch, ArrayRef<int64_t> kind,
                       int64_t raggedDim) {
    Dims prefix(batch);
    for (int64_t d : kind) {
      if (d == raggedDim)
        break;
      prefix.push_back(d);
    }
    return prefix;
  };
  auto expand = [&](Value x, int64_t raggedDim,
                    const Dims &prefix) -> FailureOr<Value> {
    auto sizesType = cast<RankedTensorType>(sizes.getType());
    if (sizesType.getRank() == 1)
      return expandGroups(builder, loc, x, raggedDim, sizes, {});
    Dims shape;
    for (int64_t d : prefix)
      shape.push_back(cast<RankedTensorType>(x.getType()).getDimSize(d));
    if (ArrayRef<int64_t>(shape) != sizesType.getShape().drop_back())
      return op.emitError("group sizes of type ")
             << sizesType << " are neither one list nor one for each index of "
             << "the dimensions before the ragged one";
    return expandGroups(builder, loc, x, raggedDim, sizes, prefix);
  };
  auto shift = [](Dims dims) {
    for (int64_t &d : dims)
      ++d;
    return dims;
  };

  if (llvm::is_contained(lhsContract, ragged)) {
    int64_t at = llvm::find(lhsContract, ragged) - lhsContract.begin();
    FailureOr<Value> left =
        expand(lhs, ragged, getPrefix(lhsBatch, lhsContract, ragged));
    if (failed(left))
      return failure();
    FailureOr<Value> right =
        expand(rhs, rhsContract[at],
               getPrefix(rhsBatch, rhsContract, rhsContract[at]));
    if (failed(right))
      return failure();
    lhs = *left;
    rhs = *right;
    lhsBatch = shift(lhsBatch);
    rhsBatch = shift(rhsBatch);
    lhsBatch.insert(lhsBatch.begin(), 0);
    rhsBatch.insert(rhsBatch.begin(), 0);
    lhsContract = shift(lhsContract);
    rhsContract = shift(rhsContract);
  } else if (!llvm::is_contained(lhsBatch, ragged)) {
    Dims free;
    for (int64_t d = 0; d < lhsType.getRank(); ++d)
      if (!llvm::is_contained(lhsBatch, d) &&
          !llvm::is_contained(lhsContract, d))
        free.push_back(d);
    FailureOr<Value> left =
        expand(lhs, ragged, getPrefix(lhsBatch, free, ragged));
    if (failed(left))
      return failure();
    lhs = *left;
    lhsBatch = shift(lhsBatch);
    lhsContract = shift(lhsContract);
    lhsContract.push_back(0);
    rhsContract.push_back(numbers.getRhsGroupDimensions().front());
  }
  // (A ragged batch is computed batch by batch, whatever the groups are.)

  ArrayAttr precision;
  if (std::optional<ArrayAttr> config = op.getPrecisionConfig()) {
    SmallVector<Attribute> list;
    for (Attribute entry : *config) {
      auto value = cast<chlo::PrecisionAttr>(entry).getValue();
      list.push_back(stablehlo::PrecisionAttr::get(
          op.getContext(),
          value == chlo::Precision::HIGHEST ? stablehlo::Precision::HIGHEST
          : value == chlo::Precision::HIGH  ? stablehlo::Precision::HIGH
                                            : stablehlo::Precision::DEFAULT));
    }
    precision = builder.getArrayAttr(list);
  }
  results.push_back(stablehlo::DotGeneralOp::create(
      builder, loc, op.getType(), lhs, rhs,
      stablehlo::DotDimensionNumbersAttr::get(
          op.getContext(), lhsBatch, rhsBatch, lhsContract, rhsContract),
      precision, stablehlo::DotAlgorithmAttr()));
  return success();
}

//===----------------------------------------------------------------------===//
// scan
//===----------------------------------------------------------------------===//

/// A counted loop over (index, carries…, outputs…); inputs are read from
/// outside.
static LogicalResult decomposeScan(chlo::ScanOp op, OpBuilder &builder,
                                   SmallVectorImpl<Value> &results) {
  Location loc = op.getLoc();
  int64_t dim = op.getDimension();
  std::optional<int64_t> length;
  if (op.getScanDimSize())
    length = *op.getScanDimSize();
  for (Type type :
       llvm::concat<const Type>(SmallVector<Type>(op.getInputs().getTypes()),
                                SmallVector<Type>(op.getOutputs().getTypes())))
    length = cast<RankedTensorType>(type).getDimSize(dim);
  if (!length)
    return op.emitError("needs scan_dim_size without inputs and outputs");
  bool reverse = op.getIsReverse().value_or(false);

  Type i32 = builder.getI32Type();
  SmallVector<Value> operands = {intSplat(builder, loc, {}, i32, 0)};
  llvm::append_range(operands, op.getInits());
  for (Type type : op.getOutputs().getTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    operands.push_back(stablehlo::ConstantOp::create(
        builder, loc, getFiller(tensor.getElementType()).resizeSplat(tensor)));
  }
  SmallVector<Type> types(ValueRange(operands).getTypes());
  SmallVector<Location> locs(types.size(), loc);
  auto loop = stablehlo::WhileOp::create(builder, loc, types, operands);
  unsigned numCarries = op.getInits().size();
  OpBuilder::InsertionGuard guard(builder);

  Block *cond = builder.createBlock(&loop.getCond(), {}, types, locs);
  Value less =
      stablehlo::CompareOp::create(builder, loc, cond->getArgument(0),
                                   intSplat(builder, loc, {}, i32, *length),
                                   stablehlo::ComparisonDirection::LT);
  stablehlo::ReturnOp::create(builder, loc, less);

  Block *body = builder.createBlock(&loop.getBody(), {}, types, locs);
  Value step = body->getArgument(0), place = step;
  if (reverse)
    place = stablehlo::SubtractOp::create(
        builder, loc, intSplat(builder, loc, {}, i32, *length - 1), step);
  Value zero = intSplat(builder, loc, {}, i32, 0);
  auto starts = [&](int64_t rank) {
    SmallVector<Value> list(rank, zero);
    list[dim] = place;
    return list;
  };
  IRMapping mapping;
  Block &scanBody = op.getBody().front();
  for (auto [index, input] : llvm::enumerate(op.getInputs())) {
    auto type = cast<RankedTensorType>(input.getType());
    SmallVector<int64_t> sizes(type.getShape());
    sizes[dim] = 1;
    Value slice = stablehlo::DynamicSliceOp::create(
        builder, loc, RankedTensorType::get(sizes, type.getElementType()),
        input, starts(type.getRank()), builder.getDenseI64ArrayAttr(sizes));
    mapping.map(scanBody.getArgument(index), dropDim(builder, loc, slice, dim));
  }
  for (unsigned i = 0; i < numCarries; ++i)
    mapping.map(scanBody.getArgument(op.getInputs().size() + i),
                body->getArgument(1 + i));
  for (Operation &inner : scanBody.without_terminator())
    builder.clone(inner, mapping);
  SmallVector<Value> yielded;
  for (Value value : scanBody.getTerminator()->getOperands())
    yielded.push_back(mapping.lookupOrDefault(value));
  unsigned numOutputs = op.getOutputs().size();
  SmallVector<Value> next = {stablehlo::AddOp::create(
      builder, loc, step, intSplat(builder, loc, {}, i32, 1))};
  next.append(yielded.begin() + numOutputs, yielded.end());
  for (unsigned i = 0; i < numOutputs; ++i) {
    Value buffer = body->getArgument(1 + numCarries + i);
    auto type = cast<RankedTensorType>(buffer.getType());
    next.push_back(stablehlo::DynamicUpdateSliceOp::create(
        builder, loc, type, buffer, addDim(builder, loc, yielded[i], dim),
        starts(type.getRank())));
  }
  stablehlo::ReturnOp::create(builder, loc, next);

  // Outputs first, then carries.
  ValueRange all = loop.getResults();
  llvm::append_range(results, all.drop_front(1 + numCarries));
  llvm::append_range(results, all.slice(1, numCarries));
  return success();
}

LogicalResult shoal::decomposeComposite(Operation *op, OpBuilder &builder,
                                        SmallVectorImpl<Value> &results) {
  if (auto topK = dyn_cast<chlo::TopKOp>(op)) {
    decomposeTopK(topK, builder, results);
    return success();
  }
  if (auto dot = dyn_cast<chlo::RaggedDotOp>(op))
    return decomposeRaggedDot(dot, builder, results);
  if (auto scan = dyn_cast<chlo::ScanOp>(op))
    return decomposeScan(scan, builder, results);
  if (auto reshape = dyn_cast<chlo::DynamicReshapeOp>(op))
    // With a static result the shape operand says nothing new.
    results.push_back(stablehlo::ReshapeOp::create(
        builder, op->getLoc(), reshape.getType(), reshape.getOperand()));
  return success();
}
