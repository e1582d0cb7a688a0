// chlo's composites in StableHLO: top_k, ragged_dot, scan, dynamic_reshape.
#include "DecomposeChlo.h"

#include "dialects/CHLO/CHLO.h"
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

static Value zeroTensor(OpBuilder &builder, Location loc,
                        RankedTensorType type) {
  Type element = type.getElementType();
  DenseElementsAttr zero;
  if (auto complex = dyn_cast<ComplexType>(element)) {
    APFloat part = APFloat::getZero(
        cast<FloatType>(complex.getElementType()).getFloatSemantics());
    zero = DenseElementsAttr::get(type, std::complex<APFloat>(part, part));
  } else {
    zero = DenseElementsAttr::get(type, builder.getZeroAttr(element));
  }
  return stablehlo::ConstantOp::create(builder, loc, zero);
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

static Value createDot(chlo::RaggedDotOp op, OpBuilder &builder, Type type,
                       Value lhs, Value rhs, ArrayRef<int64_t> rhsBatching,
                       ArrayRef<int64_t> rhsContracting) {
  chlo::RaggedDotDimensionNumbersAttr numbers =
      op.getRaggedDotDimensionNumbers();
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
  return stablehlo::DotGeneralOp::create(
      builder, op.getLoc(), type, lhs, rhs,
      stablehlo::DotDimensionNumbersAttr::get(
          op.getContext(), numbers.getLhsBatchingDimensions(), rhsBatching,
          numbers.getLhsContractingDimensions(), rhsContracting),
      precision, stablehlo::DotAlgorithmAttr());
}

static LogicalResult decomposeRaggedDot(chlo::RaggedDotOp op,
                                        OpBuilder &builder,
                                        SmallVectorImpl<Value> &results) {
  Location loc = op.getLoc();
  chlo::RaggedDotDimensionNumbersAttr numbers =
      op.getRaggedDotDimensionNumbers();
  auto lhsType = cast<RankedTensorType>(op.getLhs().getType());
  auto resultType = cast<RankedTensorType>(op.getType());
  int64_t ragged = numbers.getLhsRaggedDimensions().front();
  SmallVector<int64_t> rhsBatching(numbers.getRhsBatchingDimensions()),
      rhsContracting(numbers.getRhsContractingDimensions());
  // Batches are computed one by one anyway, whatever group they are in.
  if (llvm::is_contained(numbers.getLhsBatchingDimensions(), ragged)) {
    results.push_back(createDot(op, builder, resultType, op.getLhs(),
                                op.getRhs(), rhsBatching, rhsContracting));
    return success();
  }
  auto sizesType = cast<RankedTensorType>(op.getGroupSizes().getType());
  int64_t last = sizesType.getRank() - 1;
  int64_t groups = sizesType.getDimSize(last);
  bool contracted =
      llvm::is_contained(numbers.getLhsContractingDimensions(), ragged);

  // Sizes may be given per index of the dimensions before the ragged one:
  // batches first, then those of its own kind.
  SmallVector<int64_t> prefix, rhsPrefix;
  if (last > 0) {
    llvm::append_range(prefix, numbers.getLhsBatchingDimensions());
    llvm::append_range(rhsPrefix, rhsBatching);
    if (contracted) {
      for (auto [lhs, rhs] :
           llvm::zip(numbers.getLhsContractingDimensions(), rhsContracting)) {
        if (lhs == ragged)
          break;
        prefix.push_back(lhs);
        rhsPrefix.push_back(rhs);
      }
    } else {
      for (int64_t dim = 0; dim < ragged; ++dim)
        if (!llvm::is_contained(numbers.getLhsBatchingDimensions(), dim) &&
            !llvm::is_contained(numbers.getLhsContractingDimensions(), dim))
          prefix.push_back(dim);
    }
  }
  SmallVector<int64_t> prefixShape;
  for (int64_t dim : prefix)
    prefixShape.push_back(lhsType.getDimSize(dim));
  if (ArrayRef(prefixShape) != sizesType.getShape().drop_back())
    return op.emitError("group sizes must be of one dimension, or have those "
                        "of the left operand before the ragged one");

  int64_t groupDim = -1;
  if (!contracted) {
    groupDim = numbers.getRhsGroupDimensions().front();
    for (int64_t &dim : rhsBatching)
      dim -= dim > groupDim;
    for (int64_t &dim : rhsContracting)
      dim -= dim > groupDim;
  }

  // Rows [start, start + size) of group g count, the others are zeros.
  Type index = sizesType.getElementType();
  struct Masked {
    Value operand, row, zeros;
    ArrayRef<int64_t> prefix;
  };
  auto prepare = [&](Value operand, int64_t dim, ArrayRef<int64_t> prefix) {
    auto type = cast<RankedTensorType>(operand.getType());
    Value row = stablehlo::IotaOp::create(builder, loc, type.clone(index),
                                          builder.getI64IntegerAttr(dim));
    return Masked{operand, row, zeroTensor(builder, loc, type), prefix};
  };
  auto mask = [&](const Masked &m, Value start, Value end) -> Value {
    auto spread = [&](Value bound) -> Value {
      return stablehlo::BroadcastInDimOp::create(
          builder, loc, m.row.getType(), bound,
          builder.getDenseI64ArrayAttr(m.prefix));
    };
    Value inside = stablehlo::AndOp::create(
        builder, loc,
        stablehlo::CompareOp::create(builder, loc, m.row, spread(start),
                                     stablehlo::ComparisonDirection::GE),
        stablehlo::CompareOp::create(builder, loc, m.row, spread(end),
                                     stablehlo::ComparisonDirection::LT));
    return stablehlo::SelectOp::create(builder, loc, m.operand.getType(),
                                       inside, m.operand, m.zeros);
  };
  Masked lhsRows = prepare(op.getLhs(), ragged, prefix), rhsRows;
  if (contracted) {
    auto at = llvm::find(numbers.getLhsContractingDimensions(), ragged);
    int64_t rhsRagged =
        rhsContracting[at - numbers.getLhsContractingDimensions().begin()];
    rhsRows = prepare(op.getRhs(), rhsRagged, rhsPrefix);
  }
  Value start = intSplat(builder, loc, prefixShape, index, 0);
  SmallVector<Value> parts;
  Value sum;
  for (int64_t group = 0; group < groups; ++group) {
    Value size = dropDim(
        builder, loc,
        sliceDim(builder, loc, op.getGroupSizes(), last, group, 1), last);
    Value end = stablehlo::AddOp::create(builder, loc, start, size);
    Value masked = mask(lhsRows, start, end);
    Value maskedRhs = contracted ? mask(rhsRows, start, end) : Value();
    start = end;
    if (contracted) {
      SmallVector<int64_t> shape(resultType.getShape().drop_front());
      Value dot =
          createDot(op, builder,
                    RankedTensorType::get(shape, resultType.getElementType()),
                    masked, maskedRhs, rhsBatching, rhsContracting);
      parts.push_back(addDim(builder, loc, dot, 0));
      continue;
    }
    Value rhs = dropDim(builder, loc,
                        sliceDim(builder, loc, op.getRhs(), groupDim, group, 1),
                        groupDim);
    Value dot = createDot(op, builder, resultType, masked, rhs, rhsBatching,
                          rhsContracting);
    sum = sum ? stablehlo::AddOp::create(builder, loc, sum, dot).getResult()
              : dot;
  }
  if (contracted)
    sum =
        parts.size() == 1
            ? parts.front()
            : stablehlo::ConcatenateOp::create(builder, loc, resultType, parts,
                                               builder.getI64IntegerAttr(0))
                  .getResult();
  if (!sum)
    sum = zeroTensor(builder, loc, resultType);
  results.push_back(sum);
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
  for (Type type : op.getOutputs().getTypes())
    operands.push_back(zeroTensor(builder, loc, cast<RankedTensorType>(type)));
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
