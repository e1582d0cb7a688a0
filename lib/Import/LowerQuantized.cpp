// Replaces quantized types by what they are stored as, and operations on them
// by arithmetic on integers and floats.
#include "shoal/Import/Passes.h"

#include "QuantizedArithmetic.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/TypeUtilities.h"

namespace shoal {
#define GEN_PASS_DEF_LOWERQUANTIZEDPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace mlir::stablehlo;
using namespace shoal;
using quant::QuantizedType;

namespace {

/// An operation that has quantized values, with the types it had. When it is
/// rewritten, all types are those of the storage already.
struct QuantizedOp {
  Operation *op;
  SmallVector<QuantizedType> operands, results;
  /// The arguments of the first block of the last region, the one that
  /// computes (select_and_scatter has one that selects before it).
  SmallVector<QuantizedType> arguments;
};

class Lowering {
public:
  explicit Lowering(const QuantizedOp &quantized)
      : q(quantized), op(quantized.op), builder(op), b(builder, op->getLoc()) {}

  LogicalResult run();

private:
  LogicalResult replace(Value value) {
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
    return success();
  }
  /// All values quantized, and of one type.
  bool isOfOneType() const {
    return !q.results.empty() && q.results[0] &&
           llvm::all_of(q.operands, [&](QuantizedType type) {
             return type == q.results[0];
           });
  }

  LogicalResult viaFloat();
  LogicalResult compare(CompareOp compare);
  LogicalResult contract();
  LogicalResult iota(IotaOp iota);
  LogicalResult promote();
  LogicalResult move();
  LogicalResult constant(ConstantOp constant);
  LogicalResult customCall(CustomCallOp call);

  const QuantizedOp &q;
  Operation *op;
  OpBuilder builder;
  QuantizedBuilder b;
};

} // namespace

/// Dequantize, compute, quantize.
LogicalResult Lowering::viaFloat() {
  Operation *made = builder.clone(*op);
  builder.setInsertionPoint(made);
  for (auto [index, type] : llvm::enumerate(q.operands))
    if (type)
      made->setOperand(index, b.dequantize(op->getOperand(index), type));
  builder.setInsertionPointAfter(made);
  for (auto [index, type] : llvm::enumerate(q.results)) {
    Value result = made->getResult(index);
    if (type) {
      result.setType(cast<RankedTensorType>(result.getType())
                         .clone(type.getExpressedType()));
      result = b.quantize(result, type);
    }
    op->getResult(index).replaceAllUsesWith(result);
  }
  op->erase();
  return success();
}

LogicalResult Lowering::compare(CompareOp compare) {
  QuantizedType lhs = q.operands[0], rhs = q.operands[1];
  if (lhs == rhs && QuantizationParameters(lhs).isOrderPreserving()) {
    compare.setCompareType(lhs.isSigned() ? ComparisonType::SIGNED
                                          : ComparisonType::UNSIGNED);
    return success();
  }
  compare.setCompareType(ComparisonType::FLOAT);
  return viaFloat();
}

/// How many products each result element of a dot_general or convolution sums.
static double getContractionSize(Operation *op) {
  auto rhs = cast<RankedTensorType>(op->getOperand(1).getType());
  double size = 1;
  if (auto dot = dyn_cast<DotGeneralOp>(op)) {
    for (int64_t d :
         dot.getDotDimensionNumbers().getRhsContractingDimensions())
      size *= rhs.getDimSize(d);
    return size;
  }
  auto numbers = cast<ConvolutionOp>(op).getDimensionNumbers();
  for (int64_t d : numbers.getKernelSpatialDimensions())
    size *= rhs.getDimSize(d);
  return size * rhs.getDimSize(numbers.getKernelInputFeatureDimension());
}

/// dot_general and convolution. Where the result's scale is the product of the
/// operands' (an accumulator, as quantizers write it), its integers are sums of
/// products of integers, and exact as such.
LogicalResult Lowering::contract() {
  if (!isa<DotGeneralOp, ConvolutionOp>(op) || !q.operands[0] ||
      !q.operands[1] || !q.results[0])
    return viaFloat();
  QuantizationParameters lhs(q.operands[0]), rhs(q.operands[1]),
      result(q.results[0]);
  if (lhs.isPerAxis() || rhs.isPerAxis() != result.isPerAxis() ||
      rhs.scales.size() != result.scales.size())
    return viaFloat();
  for (auto [mine, its] : llvm::zip(rhs.scales, result.scales))
    if (std::abs(lhs.scales[0] * mine / its - 1) > 1e-6)
      return viaFloat();
  double largest =
      getContractionSize(op) * lhs.getLargestOffset() * rhs.getLargestOffset();
  for (int64_t zero : result.zeroPoints)
    largest = std::max(largest, largest + std::abs(double(zero)));
  if (largest >= 0x1p62)
    return viaFloat();
  // The narrowest type in which no sum can overflow.
  Type element = builder.getIntegerType(largest < 0x1p31 ? 32 : 64);
  Type computed = element;
  if (largest <= 0x1p24 && lhs.expressed.isF32())
    computed = builder.getF32Type();
  Value left = b.offset(op->getOperand(0), q.operands[0], computed);
  Value right = b.offset(op->getOperand(1), q.operands[1], computed);
  Operation *made = builder.clone(*op);
  made->setOperands({left, right});
  Value sum = made->getResult(0);
  auto type = cast<RankedTensorType>(sum.getType());
  sum.setType(type.clone(computed));
  if (computed != element)
    sum = ConvertOp::create(
        builder, op->getLoc(),
        RoundNearestEvenOp::create(builder, op->getLoc(), sum), element);
  return replace(b.store(sum, q.results[0]));
}

/// Numbers 0, 1, …, not storage values.
LogicalResult Lowering::iota(IotaOp iota) {
  auto type = cast<RankedTensorType>(iota.getType());
  Value numbers =
      IotaOp::create(builder, op->getLoc(),
                     type.clone(q.results[0].getExpressedType()),
                     iota.getIotaDimension());
  return replace(b.quantize(numbers, q.results[0]));
}

/// Operations with a body: operands are brought to the types that the body
/// computes in, which may be wider.
LogicalResult Lowering::promote() {
  if (isa<MapOp, SortOp>(op))
    return success();
  for (auto [index, argument] : llvm::enumerate(q.arguments)) {
    // A scatter's operands are inputs, indices, updates; a
    // select_and_scatter's body adds up sources, the operand is only compared.
    unsigned operand = index;
    if (auto scatter = dyn_cast<ScatterOp>(op))
      operand += index < scatter.getInputs().size() ? 0 : 1;
    if (isa<SelectAndScatterOp>(op))
      operand += 1;
    if (operand >= q.operands.size() || !q.operands[operand] || !argument ||
        q.operands[operand] == argument ||
        isa<quant::UniformQuantizedPerAxisType>(q.operands[operand]))
      continue;
    op->setOperand(operand, b.requantize(op->getOperand(operand),
                                         q.operands[operand], argument));
  }
  return success();
}

/// Storage is moved as it is, so it must stand for the same numbers before and
/// after.
LogicalResult Lowering::move() {
  if (q.results.empty() || !q.results[0])
    return success();
  QuantizationParameters result(q.results[0]);
  for (QuantizedType type : q.operands) {
    if (!type)
      continue;
    QuantizationParameters operand(type);
    // Where the operand's dimension goes; a reshape may renumber it.
    int64_t axis = operand.axis;
    if (auto transpose = dyn_cast<TransposeOp>(op); transpose && axis >= 0)
      axis = llvm::find(transpose.getPermutation(), axis) -
             transpose.getPermutation().begin();
    if (auto broadcast = dyn_cast<BroadcastInDimOp>(op); broadcast && axis >= 0)
      axis = broadcast.getBroadcastDimensions()[axis];
    if (isa<ReshapeOp, DynamicReshapeOp, DynamicBroadcastInDimOp>(op) &&
        result.isPerAxis())
      axis = result.axis;
    // One element may be repeated; a part of the dimension may be cut out.
    bool sameNumbers = operand.scales.size() != result.scales.size() ||
                       (operand.scales == result.scales &&
                        operand.zeroPoints == result.zeroPoints);
    if (axis != result.axis || operand.isPerAxis() != result.isPerAxis() ||
        !sameNumbers)
      return op->emitError("moves values from ")
             << type << " to " << q.results[0]
             << ", which does not stand for the same numbers; requantize with "
                "uniform_quantize";
  }
  return success();
}

/// The values are storage values, of a type that may differ in sign.
LogicalResult Lowering::constant(ConstantOp constant) {
  auto type = cast<RankedTensorType>(constant.getType());
  ElementsAttr value = constant.getValue();
  if (value.getType() == type)
    return success();
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    if (dense.getElementType().getIntOrFloatBitWidth() !=
        type.getElementTypeBitWidth())
      return op->emitError("the value's type is not the storage type");
    constant.setValueAttr(dense.bitcast(type.getElementType()));
    return success();
  }
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    constant.setValueAttr(
        DenseResourceElementsAttr::get(type, resource.getRawHandle()));
    return success();
  }
  return op->emitError("cannot read the values of a quantized constant");
}

LogicalResult Lowering::customCall(CustomCallOp call) {
  StringRef target = call.getCallTargetName();
  if (!target.starts_with("check."))
    return op->emitError("a custom call on quantized values has no meaning "
                         "here; pass their storage, by bitcast_convert");
  // Storage values are compared exactly; the others have tolerances.
  if (target == "check.eq" || target == "check.expect_eq")
    return success();
  return viaFloat();
}

LogicalResult Lowering::run() {
  for (Type type : llvm::concat<const Type>(
           SmallVector<Type>(op->getOperandTypes()),
           SmallVector<Type>(op->getResultTypes()))) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor && !tensor.hasStaticShape())
      return op->emitError("quantized values of dynamic shape are not "
                           "supported; give the shapes as constants");
  }
  if (isa<UniformQuantizeOp>(op)) {
    if (!q.operands[0])
      return replace(b.quantize(op->getOperand(0), q.results[0]));
    return replace(
        b.requantize(op->getOperand(0), q.operands[0], q.results[0]));
  }
  if (isa<UniformDequantizeOp, quant::DequantizeCastOp>(op))
    return replace(b.dequantize(op->getOperand(0), q.operands[0]));
  if (isa<quant::QuantizeCastOp>(op))
    return replace(b.quantize(op->getOperand(0), q.results[0]));
  if (isa<quant::StorageCastOp>(op))
    return replace(BitcastConvertOp::create(
        builder, op->getLoc(), op->getResult(0).getType(), op->getOperand(0)));
  if (isa<AddOp>(op) && q.operands[0] && q.operands[1] && q.results[0]) {
    if (Value sum = b.add(op->getOperand(0), q.operands[0], op->getOperand(1),
                          q.operands[1], q.results[0]))
      return replace(sum);
    return viaFloat();
  }
  // Order is the same for storage values.
  if (isa<MaxOp, MinOp, ClampOp>(op) && isOfOneType() &&
      QuantizationParameters(q.results[0]).isOrderPreserving())
    return success();
  if (isa<SelectOp>(op)) {
    if (q.operands[1] == q.results[0] && q.operands[2] == q.results[0])
      return success();
    return viaFloat();
  }
  if (auto cmp = dyn_cast<CompareOp>(op))
    return compare(cmp);
  if (isa<DotOp, DotGeneralOp, ConvolutionOp, DynamicConvOp>(op))
    return contract();
  if (auto i = dyn_cast<IotaOp>(op))
    return iota(i);
  if (auto c = dyn_cast<ConstantOp>(op))
    return constant(c);
  if (auto call = dyn_cast<CustomCallOp>(op))
    return customCall(call);
  // What only moves values moves storage.
  if (isa<BroadcastInDimOp, BroadcastOp, ConcatenateOp, DynamicBroadcastInDimOp,
          DynamicGatherOp, DynamicPadOp, DynamicReshapeOp, DynamicSliceOp,
          DynamicUpdateSliceOp, GatherOp, PadOp, RealDynamicSliceOp, ReshapeOp,
          ReverseOp, SliceOp, TransposeOp, TorchIndexSelectOp>(op))
    return move();
  if (isa<BitcastConvertOp, GetDimensionSizeOp, SetDimensionSizeOp, ReturnOp,
          IfOp, CaseOp, WhileOp, OptimizationBarrierOp, CompositeOp,
          AllGatherOp, AllToAllOp, CollectiveBroadcastOp, CollectivePermuteOp,
          AsyncStartOp, AsyncDoneOp, SendOp, RecvOp, InfeedOp, OutfeedOp>(op))
    return success();
  if (isa<ReduceOp, ReduceWindowOp, ScatterOp, SelectAndScatterOp, SortOp,
          AllReduceOp, ReduceScatterOp, MapOp>(op))
    return promote();
  if (op->hasTrait<OpTrait::Elementwise>() ||
      isa<BatchNormGradOp, BatchNormInferenceOp, BatchNormTrainingOp,
          CholeskyOp, ClampOp, TriangularSolveOp, CrossReplicaSumOp,
          EinsumOp, UnaryEinsumOp>(op))
    return viaFloat();
  // Functions' terminators, annotations and checks say nothing about numbers;
  // collectives that combine quantized values have been folds since import.
  if (Dialect *dialect = op->getDialect();
      dialect && llvm::is_contained({"func", "shoal", "check", "comm"},
                                    dialect->getNamespace()))
    return success();
  return op->emitError("has no meaning on quantized values");
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

static SmallVector<QuantizedType> getQuantized(TypeRange types) {
  return llvm::map_to_vector(types,
                             [](Type type) { return getQuantized(type); });
}

/// Uniform types per tensor and per axis are the specification's.
static bool isSupported(Type type) {
  QuantizedType quantized = getQuantized(type);
  return !quantized ||
         (isa<quant::UniformQuantizedType, quant::UniformQuantizedPerAxisType>(
              quantized) &&
          isa_and_present<FloatType>(quantized.getExpressedType()));
}

namespace {
struct LowerQuantizedPass
    : shoal::impl::LowerQuantizedPassBase<LowerQuantizedPass> {
  void runOnOperation() override {
    SmallVector<QuantizedOp> ops;
    bool found = false, failed = false;
    auto check = [&](Operation *op, TypeRange types) {
      for (Type type : types) {
        found |= !!getQuantized(type);
        if (isSupported(type) || failed)
          continue;
        op->emitError("quantized type ")
            << getElementTypeOrSelf(type)
            << " is not supported; StableHLO has uniform types, per tensor "
               "and per axis, with a float as expressed type";
        failed = true;
      }
    };
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      QuantizedOp entry{op, getQuantized(op->getOperandTypes()),
                        getQuantized(op->getResultTypes()),
                        {}};
      check(op, op->getOperandTypes());
      check(op, op->getResultTypes());
      for (Region &region : op->getRegions())
        for (Block &block : region)
          check(op, block.getArgumentTypes());
      if (op->getNumRegions() != 0 && !op->getRegions().back().empty())
        entry.arguments =
            getQuantized(op->getRegions().back().front().getArgumentTypes());
      auto any = [](ArrayRef<QuantizedType> types) {
        return llvm::any_of(types, [](QuantizedType type) { return !!type; });
      };
      if (any(entry.operands) || any(entry.results) ||
          (any(entry.arguments) && !isa<FunctionOpInterface>(op)))
        ops.push_back(std::move(entry));
    });
    if (failed)
      return signalPassFailure();
    if (!found)
      return;
    AttrTypeReplacer replacer;
    replacer.addReplacement([](QuantizedType type) -> std::optional<Type> {
      return getStorageElement(type);
    });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
    for (const QuantizedOp &op : ops)
      if (::failed(Lowering(op).run()))
        return signalPassFailure();
  }
};
} // namespace
