// shoal-import-linalg: linalg on tensors as StableHLO.
//
// Everything that has a sharding rule, a device-local form and a kernel is then
// said once. A linalg op is read through its generic form: each operand is
// broadcast over the iteration space by its indexing map, the body becomes
// elementwise ops there, and reduction iterators become a reduce; the sum of
// products of two operands becomes a dot_general instead.

#include "LinalgBody.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Import/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_IMPORTLINALGPASS
#include "shoal/Import/Passes.h.inc"

namespace {

/// The dimensions of the iteration space that a tensor's dimensions run over;
/// nothing for maps that are more than a selection of dimensions.
std::optional<SmallVector<int64_t>> selectedDims(AffineMap map) {
  SmallVector<int64_t> dims;
  for (AffineExpr result : map.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(result);
    if (!dim || llvm::is_contained(dims, int64_t(dim.getPosition())))
      return std::nullopt;
    dims.push_back(dim.getPosition());
  }
  return dims;
}

class Converter {
public:
  explicit Converter(linalg::GenericOp op) : op(op), builder(op) {}

  LogicalResult run() {
    if (op.getNumDpsInits() != 1)
      return op.emitError("linalg ops with several results are not supported; "
                          "split it into one op per result");
    shape = op.getStaticLoopRanges();
    if (llvm::any_of(shape, ShapedType::isDynamic))
      return op.emitError("linalg on dynamic shapes is not supported");
    for (OpOperand &operand : op->getOpOperands()) {
      auto dims = selectedDims(op.getMatchingIndexingMap(&operand));
      if (!dims)
        return op.emitError("indexing map of operand ")
               << operand.getOperandNumber()
               << " is not a selection of dimensions; write the access as its "
                  "own op (a slice, a pad, a convolution in StableHLO)";
      maps.push_back(std::move(*dims));
    }
    FailureOr<Value> result =
        op.getNumReductionLoops() ? convertReduction() : convertParallel();
    if (failed(result))
      return failure();
    op->getResult(0).replaceAllUsesWith(*result);
    op.erase();
    return success();
  }

private:
  RankedTensorType over(ArrayRef<int64_t> dims, Type element) {
    return RankedTensorType::get(dims, element);
  }

  /// An operand over the dimensions `space` of the iteration space.
  Value spread(OpOperand &operand, ArrayRef<int64_t> space) {
    Value value = asTensor(operand.get(), builder);
    SmallVector<int64_t> dims, sizes;
    for (int64_t d : maps[operand.getOperandNumber()])
      dims.push_back(llvm::find(space, d) - space.begin());
    for (int64_t d : space)
      sizes.push_back(shape[d]);
    auto type = over(sizes, getElementTypeOrSelf(value.getType()));
    bool same = value.getType() == type && llvm::is_sorted(dims) &&
                dims.size() == space.size();
    return same ? value
                : sh::BroadcastInDimOp::create(builder, op.getLoc(), type, value,
                                               builder.getDenseI64ArrayAttr(dims));
  }

  FailureOr<Value> convertParallel() {
    // The result's own order of dimensions is the space everything is put in.
    SmallVector<int64_t> space = maps.back();
    return convertBody(cast<linalg::YieldOp>(op.getBody()->getTerminator()).getOperand(0),
                       space, /*skip=*/nullptr);
  }

  FailureOr<Value> convertReduction() {
    Value yielded = cast<linalg::YieldOp>(op.getBody()->getTerminator()).getOperand(0);
    Operation *combine = yielded.getDefiningOp();
    Value carried = op.getBody()->getArguments().back();
    if (!combine || combine->getNumOperands() != 2 ||
        !llvm::is_contained(combine->getOperands(), carried))
      return op.emitError("a reduction must combine the output with one value "
                          "by a single op");
    Value term = combine->getOperand(combine->getOperand(0) == carried ? 1 : 0);
    OpOperand &init = *op.getDpsInitOperand(0);
    Value start = asTensor(init.get(), builder);
    Location loc = op.getLoc();

    if (Value product = convertContraction(combine, term))
      return Value(createCombine(combine, start, product));

    // The parallel dimensions in the result's order, then the reduced ones.
    SmallVector<int64_t> space = maps.back(), reduced;
    for (auto [d, kind] : llvm::enumerate(op.getIteratorTypesArray()))
      if (kind == utils::IteratorType::reduction) {
        reduced.push_back(space.size());
        space.push_back(d);
      }
    FailureOr<Value> terms = convertBody(term, space, combine);
    if (failed(terms))
      return failure();
    Type element = getElementTypeOrSelf(start.getType());
    TypedAttr neutral = getNeutral(combine, element);
    if (!neutral)
      return combine->emitError("cannot reduce with this op");
    auto scalar = over({}, element);
    Value zero = sh::ConstantOp::create(builder, loc, DenseElementsAttr::get(scalar, Attribute(neutral)));
    auto reduce = sh::ReduceOp::create(builder, loc, TypeRange{start.getType()},
                                       ValueRange{*terms}, ValueRange{zero},
                                       builder.getDenseI64ArrayAttr(reduced));
    OpBuilder::InsertionGuard guard(builder);
    Block *body = builder.createBlock(&reduce.getBody(), {}, {scalar, scalar}, {loc, loc});
    Value both = createCombine(combine, body->getArgument(0), body->getArgument(1));
    sh::ReturnOp::create(builder, loc, both);
    builder.setInsertionPointAfter(reduce);
    return Value(createCombine(combine, start, reduce->getResult(0)));
  }

  Value createCombine(Operation *combine, Value a, Value b) {
    return createElementwise(combine, {a, b}, builder);
  }

  /// sum(lhs * rhs) over two operands as they are.
  Value convertContraction(Operation *combine, Value term) {
    Operation *product = term.getDefiningOp();
    if (!isa<arith::AddFOp, arith::AddIOp>(combine) || !product ||
        !isa<arith::MulFOp, arith::MulIOp>(product) || op.getNumDpsInputs() != 2)
      return {};
    auto lhs = dyn_cast<BlockArgument>(product->getOperand(0));
    auto rhs = dyn_cast<BlockArgument>(product->getOperand(1));
    if (!lhs || !rhs || lhs.getOwner() != op.getBody() || rhs.getOwner() != op.getBody() ||
        lhs == rhs || lhs.getArgNumber() > 1 || rhs.getArgNumber() > 1)
      return {};
    ArrayRef<int64_t> l = maps[lhs.getArgNumber()], r = maps[rhs.getArgNumber()];
    SmallVector<int64_t> lb, rb, lc, rc, lf, rf;
    auto kinds = op.getIteratorTypesArray();
    for (auto [i, d] : llvm::enumerate(l)) {
      auto it = llvm::find(r, d);
      if (it == r.end()) {
        if (kinds[d] == utils::IteratorType::reduction)
          return {};
        lf.push_back(d);
        continue;
      }
      bool reduced = kinds[d] == utils::IteratorType::reduction;
      (reduced ? lc : lb).push_back(i);
      (reduced ? rc : rb).push_back(it - r.begin());
    }
    for (int64_t d : r)
      if (!llvm::is_contained(l, d)) {
        if (kinds[d] == utils::IteratorType::reduction)
          return {};
        rf.push_back(d);
      }
    SmallVector<int64_t> order;
    for (int64_t i : lb)
      order.push_back(l[i]);
    llvm::append_range(order, lf);
    llvm::append_range(order, rf);
    ArrayRef<int64_t> out = maps.back();
    if (order.size() != out.size())
      return {};
    SmallVector<int64_t> sizes, permutation;
    for (int64_t d : order)
      sizes.push_back(shape[d]);
    for (int64_t d : out)
      permutation.push_back(llvm::find(order, d) - order.begin());
    Location loc = op.getLoc();
    Type element = getElementTypeOrSelf(op->getResult(0).getType());
    auto numbers = sh::DotDimensionNumbersAttr::get(op.getContext(), lb, rb, lc, rc);
    Value dot = sh::DotGeneralOp::create(
        builder, loc, over(sizes, element), op.getDpsInputs()[lhs.getArgNumber()],
        op.getDpsInputs()[rhs.getArgNumber()], numbers, /*precision=*/ArrayAttr(),
        sh::DotAlgorithmAttr());
    if (llvm::is_sorted(permutation))
      return dot;
    return sh::TransposeOp::create(builder, loc, op->getResult(0).getType(), dot,
                                   builder.getDenseI64ArrayAttr(permutation));
  }

  /// The value of a scalar of the body at all points of `space`.
  FailureOr<Value> convertBody(Value scalar, ArrayRef<int64_t> space, Operation *skip) {
    IRMapping mapping;
    SmallVector<int64_t> sizes;
    for (int64_t d : space)
      sizes.push_back(shape[d]);
    for (OpOperand &operand : op->getOpOperands()) {
      BlockArgument arg = op.getBody()->getArgument(operand.getOperandNumber());
      if (!arg.use_empty() && !(skip && arg == op.getBody()->getArguments().back()))
        mapping.map(arg, spread(operand, space));
    }
    for (Operation &inner : op.getBody()->without_terminator()) {
      if (&inner == skip)
        continue;
      Value result;
      if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
        int64_t d = llvm::find(space, int64_t(index.getDim())) - space.begin();
        result = sh::IotaOp::create(builder, inner.getLoc(),
                                    over(sizes, builder.getI64Type()),
                                    builder.getI64IntegerAttr(d));
      } else {
        SmallVector<Value> operands;
        for (Value operand : inner.getOperands()) {
          Value mapped = mapping.lookupOrNull(operand);
          if (!mapped) {
            // A constant from outside the body.
            mapped = asTensor(operand, builder);
            if (mapped && cast<RankedTensorType>(mapped.getType()).getRank() == 0)
              mapped = broadcastScalar(mapped, sizes, builder);
          }
          if (!mapped)
            return inner.emitError("operand is neither an input nor a constant");
          operands.push_back(mapped);
        }
        result = createElementwise(&inner, operands, builder, sizes);
      }
      if (!result)
        return inner.emitError("no StableHLO counterpart for this op in the body "
                               "of a linalg op");
      mapping.map(inner.getResult(0), result);
    }
    if (Value mapped = mapping.lookupOrNull(scalar))
      return mapped;
    Value constant = asTensor(scalar, builder);
    if (!constant)
      return op.emitError("yields a value that is neither computed nor constant");
    return broadcastScalar(constant, sizes, builder);
  }

  linalg::GenericOp op;
  OpBuilder builder;
  SmallVector<int64_t> shape;
  SmallVector<SmallVector<int64_t>> maps;
};

struct ImportLinalgPass : impl::ImportLinalgPassBase<ImportLinalgPass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<linalg::LinalgOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
              tensor::ExtractSliceOp>(op))
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (Operation *op : ops) {
      if (failed(convert(op, rewriter)))
        return signalPassFailure();
    }
    // What only fed the converted ops goes; what is left has no counterpart.
    SmallVector<Operation *> rest;
    getOperation().walk<WalkOrder::PostOrder>([&](Operation *op) {
      if (isa<tensor::EmptyOp, arith::ConstantOp>(op))
        rest.push_back(op);
    });
    for (Operation *op : llvm::reverse(rest)) {
      if (!op->use_empty() && isa<RankedTensorType>(op->getResult(0).getType())) {
        OpBuilder builder(op);
        op->getResult(0).replaceAllUsesWith(asTensor(op->getResult(0), builder));
      }
      if (op->use_empty())
        op->erase();
    }
  }

  LogicalResult convert(Operation *op, IRRewriter &rewriter) {
    rewriter.setInsertionPoint(op);
    Location loc = op->getLoc();
    if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op)) {
      rewriter.replaceOpWithNewOp<sh::ReshapeOp>(op, op->getResult(0).getType(),
                                                 op->getOperand(0));
      return success();
    }
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
      auto isStatic = [](ArrayRef<int64_t> values) {
        return llvm::none_of(values, ShapedType::isDynamic);
      };
      if (!isStatic(slice.getStaticOffsets()) || !isStatic(slice.getStaticSizes()) ||
          !isStatic(slice.getStaticStrides()))
        return op->emitError("only slices at constant offsets are supported");
      SmallVector<int64_t> limits;
      for (auto [o, n, s] : llvm::zip(slice.getStaticOffsets(), slice.getStaticSizes(),
                                      slice.getStaticStrides()))
        limits.push_back(o + (n - 1) * s + 1);
      SmallVector<int64_t> sizes(slice.getStaticSizes());
      auto type = slice.getResultType();
      Value full = sh::SliceOp::create(
          rewriter, loc, RankedTensorType::get(sizes, type.getElementType()), slice.getSource(),
          rewriter.getDenseI64ArrayAttr(slice.getStaticOffsets()),
          rewriter.getDenseI64ArrayAttr(limits),
          rewriter.getDenseI64ArrayAttr(slice.getStaticStrides()));
      if (full.getType() != type)
        full = sh::ReshapeOp::create(rewriter, loc, type, full);
      rewriter.replaceOp(op, full);
      return success();
    }
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic) {
      FailureOr<linalg::GenericOp> made =
          linalg::generalizeNamedOp(rewriter, cast<linalg::LinalgOp>(op));
      if (failed(made))
        return op->emitError("cannot be read as a linalg.generic");
      generic = *made;
    }
    return Converter(generic).run();
  }
};

} // namespace
} // namespace shoal
