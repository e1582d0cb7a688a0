// Rewrites deprecated operations into current ones.
#include "shoal/Import/Passes.h"
#include "shoal/Support/TensorTypes.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

namespace shoal {
#define GEN_PASS_DEF_MODERNIZEOPSPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace mlir::stablehlo;
using shoal::typeOf;

static SmallVector<int64_t> range(int64_t begin, int64_t end) {
  return llvm::to_vector(llvm::seq<int64_t>(begin, end));
}

static Value modernizeDot(DotOp op, OpBuilder &builder) {
  // The last dimension of lhs (its only one, for a vector) with the first of
  // rhs.
  auto numbers = DotDimensionNumbersAttr::get(
      op.getContext(), {}, {}, {typeOf(op.getLhs()).getRank() - 1}, {0});
  return DotGeneralOp::create(builder, op.getLoc(), op.getType(), op.getLhs(),
                              op.getRhs(), numbers, op.getPrecisionConfigAttr(),
                              DotAlgorithmAttr());
}

static Value modernizeBroadcast(BroadcastOp op, OpBuilder &builder) {
  int64_t added = op.getBroadcastSizes().size();
  return BroadcastInDimOp::create(
      builder, op.getLoc(), op.getType(), op.getOperand(),
      builder.getDenseI64ArrayAttr(
          range(added, added + typeOf(op.getOperand()).getRank())));
}

/// Sums `value` over the dimensions whose letter is not in `keep`.
static Value sumOut(OpBuilder &builder, Location loc, Value value,
                    std::string &letters, StringRef keep) {
  SmallVector<int64_t> dims, shape;
  std::string left;
  auto type = typeOf(value);
  for (auto [index, letter] : llvm::enumerate(letters)) {
    if (keep.contains(letter)) {
      left.push_back(letter);
      shape.push_back(type.getDimSize(index));
    } else {
      dims.push_back(index);
    }
  }
  if (dims.empty())
    return value;
  Type element = type.getElementType();
  auto scalar = RankedTensorType::get({}, element);
  Value zero = ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(scalar, builder.getZeroAttr(element)));
  auto reduce = ReduceOp::create(
      builder, loc, TypeRange{RankedTensorType::get(shape, element)},
      ValueRange{value}, ValueRange{zero}, builder.getDenseI64ArrayAttr(dims));
  buildReduceBody<AddOp>(element, reduce.getBody(), builder);
  letters = left;
  return reduce.getResult(0);
}

/// Dimensions in the order of `wanted`, which has the same letters.
static Value orderLike(OpBuilder &builder, Location loc, Value value,
                       StringRef letters, StringRef wanted) {
  if (letters == wanted)
    return value;
  SmallVector<int64_t> permutation, shape;
  for (char letter : wanted) {
    permutation.push_back(letters.find(letter));
    shape.push_back(typeOf(value).getDimSize(permutation.back()));
  }
  return TransposeOp::create(
      builder, loc,
      RankedTensorType::get(shape, typeOf(value).getElementType()), value,
      builder.getDenseI64ArrayAttr(permutation));
}

/// Letters of "ab,bc->ac"; failure for anything but plain letters that fit.
static bool parseEinsum(StringRef text, unsigned operands,
                        SmallVectorImpl<std::string> &inputs,
                        std::string &output) {
  auto [left, right] = text.split("->");
  SmallVector<StringRef> parts;
  left.split(parts, ',');
  if (parts.size() != operands || !text.contains("->"))
    return false;
  auto isPlain = [](StringRef letters) {
    for (auto [index, letter] : llvm::enumerate(letters))
      if (!llvm::isAlpha(letter) || letters.find(letter) != index)
        return false;
    return true;
  };
  for (StringRef part : parts) {
    inputs.push_back(part.trim().str());
    if (!isPlain(inputs.back()))
      return false;
  }
  output = right.trim().str();
  return isPlain(output);
}

static FailureOr<Value> modernizeEinsum(EinsumOp op, OpBuilder &builder) {
  SmallVector<std::string> inputs;
  std::string output;
  if (!parseEinsum(op.getEinsumConfig(), 2, inputs, output) ||
      int64_t(inputs[0].size()) != typeOf(op.getLhs()).getRank() ||
      int64_t(inputs[1].size()) != typeOf(op.getRhs()).getRank()) {
    op.emitError("cannot express einsum '") << op.getEinsumConfig() << "'";
    return failure();
  }
  Location loc = op.getLoc();
  std::string &l = inputs[0], &r = inputs[1];
  Value lhs = sumOut(builder, loc, op.getLhs(), l, r + output);
  Value rhs = sumOut(builder, loc, op.getRhs(), r, l + output);
  SmallVector<int64_t> lhsBatch, rhsBatch, lhsContract, rhsContract, shape;
  std::string batch, lhsFree, rhsFree;
  for (auto [index, letter] : llvm::enumerate(l)) {
    size_t other = r.find(letter);
    if (other == std::string::npos) {
      lhsFree.push_back(letter);
    } else if (output.find(letter) != std::string::npos) {
      batch.push_back(letter);
      lhsBatch.push_back(index);
      rhsBatch.push_back(other);
    } else {
      lhsContract.push_back(index);
      rhsContract.push_back(other);
    }
  }
  for (char letter : r)
    if (l.find(letter) == std::string::npos)
      rhsFree.push_back(letter);
  std::string letters = batch + lhsFree + rhsFree;
  for (char letter : letters) {
    size_t index = l.find(letter);
    shape.push_back(index != std::string::npos
                        ? typeOf(lhs).getDimSize(index)
                        : typeOf(rhs).getDimSize(r.find(letter)));
  }
  if (std::string(letters.begin(), letters.end()).size() != output.size()) {
    op.emitError("cannot express einsum '") << op.getEinsumConfig() << "'";
    return failure();
  }
  Value dot = DotGeneralOp::create(
      builder, loc,
      RankedTensorType::get(shape, typeOf(op.getResult()).getElementType()),
      lhs, rhs,
      DotDimensionNumbersAttr::get(op.getContext(), lhsBatch, rhsBatch,
                                   lhsContract, rhsContract),
      ArrayAttr(), DotAlgorithmAttr());
  return orderLike(builder, loc, dot, letters, output);
}

static FailureOr<Value> modernizeUnaryEinsum(UnaryEinsumOp op,
                                             OpBuilder &builder) {
  SmallVector<std::string> inputs;
  std::string output;
  if (!parseEinsum(op.getEinsumConfig(), 1, inputs, output) ||
      int64_t(inputs[0].size()) != typeOf(op.getOperand()).getRank()) {
    op.emitError("cannot express einsum '") << op.getEinsumConfig() << "'";
    return failure();
  }
  Value value =
      sumOut(builder, op.getLoc(), op.getOperand(), inputs[0], output);
  return orderLike(builder, op.getLoc(), value, inputs[0], output);
}

/// Puts the body of a map in line, on whole tensors instead of scalars. Null,
/// and the map stays one, if the body is not made of elementwise operations.
static FailureOr<Value> modernizeMap(MapOp op, OpBuilder &builder) {
  Block &body = op.getComputation().front();
  ArrayRef<int64_t> shape = typeOf(op.getResult()).getShape();
  auto lift = [&](Type type) -> Type {
    return RankedTensorType::get(shape,
                                 cast<RankedTensorType>(type).getElementType());
  };
  IRMapping mapping;
  for (auto [argument, input] : llvm::zip(body.getArguments(), op.getInputs()))
    mapping.map(argument, input);
  // Scalars from outside the body, and constants in it, are repeated.
  auto get = [&](Value value) -> Value {
    if (Value mapped = mapping.lookupOrNull(value))
      return mapped;
    Value repeated =
        BroadcastInDimOp::create(builder, op.getLoc(), lift(value.getType()),
                                 value, builder.getDenseI64ArrayAttr({}));
    mapping.map(value, repeated);
    return repeated;
  };
  for (Operation &inner : body.without_terminator()) {
    bool isScalar = llvm::all_of(
        llvm::concat<const Type>(SmallVector<Type>(inner.getOperandTypes()),
                                 SmallVector<Type>(inner.getResultTypes())),
        [](Type type) {
          auto tensor = dyn_cast<RankedTensorType>(type);
          return tensor && tensor.getRank() == 0;
        });
    if (!isScalar || (!inner.hasTrait<OpTrait::Elementwise>() &&
                      !isa<ClampOp, SelectOp, ConstantOp>(inner)))
      return Value();
  }
  for (Operation &inner : body.without_terminator()) {
    if (isa<ConstantOp>(inner)) {
      Value copy = builder.clone(inner)->getResult(0);
      mapping.map(inner.getResult(0),
                  BroadcastInDimOp::create(builder, op.getLoc(),
                                           lift(copy.getType()), copy,
                                           builder.getDenseI64ArrayAttr({})));
      continue;
    }
    OperationState state(inner.getLoc(), inner.getName());
    for (Value operand : inner.getOperands())
      state.operands.push_back(get(operand));
    for (Type type : inner.getResultTypes())
      state.types.push_back(lift(type));
    state.addAttributes(inner.getDiscardableAttrDictionary().getValue());
    Operation *lifted = Operation::create(state);
    lifted->copyProperties(inner.getPropertiesStorage());
    builder.insert(lifted);
    mapping.map(inner.getResults(), lifted->getResults());
  }
  return get(body.getTerminator()->getOperand(0));
}

/// Factorisations and solves of narrow floats, computed in f32.
static Value widenToF32(Operation *op, OpBuilder &builder) {
  auto element = dyn_cast<FloatType>(typeOf(op->getResult(0)).getElementType());
  if (!element || element.getWidth() >= 32)
    return Value();
  Operation *wide = op->clone();
  for (OpOperand &operand : wide->getOpOperands())
    operand.set(ConvertOp::create(
        builder, op->getLoc(),
        typeOf(operand.get()).clone(builder.getF32Type()), operand.get()));
  Value result = wide->getResult(0);
  result.setType(typeOf(result).clone(builder.getF32Type()));
  builder.insert(wide);
  return ConvertOp::create(builder, op->getLoc(), op->getResult(0).getType(),
                           result);
}

static Value modernizeTorchIndexSelect(TorchIndexSelectOp op,
                                       OpBuilder &builder) {
  // One gather: batch dimensions of operand and index go together; along `dim`
  // the index chooses.
  auto operand = typeOf(op.getOperand()), index = typeOf(op.getIndex());
  int64_t dim = op.getDim(), batch = op.getBatchDims();
  int64_t rank = operand.getRank(), indexRank = index.getRank();
  SmallVector<int64_t> offset, sizes(operand.getShape());
  // Result: operand[0 … dim), index[batch … ), operand(dim … ).
  for (int64_t i = 0; i < batch; ++i)
    sizes[i] = 1;
  sizes[dim] = 1;
  for (int64_t i = batch; i < dim; ++i)
    offset.push_back(i);
  for (int64_t i = dim + 1; i < rank; ++i)
    offset.push_back(i - 1 + indexRank - batch);
  auto numbers = GatherDimensionNumbersAttr::get(
      op.getContext(), offset, /*collapsed=*/{dim},
      /*operandBatching=*/range(0, batch), /*indicesBatching=*/range(0, batch),
      /*startIndexMap=*/{dim}, /*indexVectorDim=*/indexRank);
  return GatherOp::create(
      builder, op.getLoc(), op.getType(), op.getOperand(), op.getIndex(),
      numbers, builder.getDenseI64ArrayAttr(sizes), builder.getBoolAttr(false));
}

namespace {
struct ModernizeOpsPass : shoal::impl::ModernizeOpsPassBase<ModernizeOpsPass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa_and_nonnull<StablehloDialect>(op->getDialect()) &&
          op->getNumResults() == 1)
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      OpBuilder builder(op);
      FailureOr<Value> result =
          llvm::TypeSwitch<Operation *, FailureOr<Value>>(op)
              .Case([&](DotOp dot) { return modernizeDot(dot, builder); })
              .Case([&](BroadcastOp broadcast) {
                return modernizeBroadcast(broadcast, builder);
              })
              .Case([&](EinsumOp einsum) {
                return modernizeEinsum(einsum, builder);
              })
              .Case([&](UnaryEinsumOp einsum) {
                return modernizeUnaryEinsum(einsum, builder);
              })
              .Case([&](MapOp map) { return modernizeMap(map, builder); })
              // Of a scalar there is one slice.
              .Case([&](DynamicSliceOp slice) -> Value {
                return slice.getStartIndices().empty() ? slice.getOperand()
                                                       : Value();
              })
              .Case([&](DynamicUpdateSliceOp update) -> Value {
                return update.getStartIndices().empty() ? update.getUpdate()
                                                        : Value();
              })
              .Case([&](TorchIndexSelectOp select) {
                return modernizeTorchIndexSelect(select, builder);
              })
              .Case<CholeskyOp, TriangularSolveOp>([&](Operation *solver) {
                return widenToF32(solver, builder);
              })
              .Default([](Operation *) { return Value(); });
      if (failed(result))
        return signalPassFailure();
      if (!*result)
        continue;
      // The result may be known by a less static type.
      if ((*result).getType() != op->getResult(0).getType())
        continue;
      Operation *made = (*result).getDefiningOp();
      if (made && made->getDiscardableAttrs().empty())
        made->setDiscardableAttrs(op->getDiscardableAttrDictionary());
      op->getResult(0).replaceAllUsesWith(*result);
      op->erase();
    }
  }
};
} // namespace
