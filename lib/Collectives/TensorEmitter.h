// StableHLO on f32 tensors, written at one place of a function.
#ifndef SHOAL_COLLECTIVES_TENSOREMITTER_H
#define SHOAL_COLLECTIVES_TENSOREMITTER_H

#include "dialects/Comm/Comm.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Support/TensorTypes.h"

namespace shoal {

class TensorEmitter {
public:
  explicit TensorEmitter(mlir::Operation *at)
      : b(at), at(at), loc(at->getLoc()) {}

  mlir::RankedTensorType tensor(mlir::ArrayRef<int64_t> shape,
                                mlir::Type element = {}) {
    return mlir::RankedTensorType::get(shape,
                                       element ? element : b.getF32Type());
  }
  mlir::Value splat(mlir::ArrayRef<int64_t> shape, float value) {
    return mlir::stablehlo::ConstantOp::create(
        b, loc,
        mlir::DenseElementsAttr::get(tensor(shape), b.getF32FloatAttr(value)));
  }
  mlir::Value reshape(mlir::Value value, mlir::ArrayRef<int64_t> shape) {
    return mlir::stablehlo::ReshapeOp::create(
        b, loc, tensor(shape, typeOf(value).getElementType()), value);
  }
  mlir::Value convert(mlir::Value value, mlir::Type element) {
    if (typeOf(value).getElementType() == element)
      return value;
    return mlir::stablehlo::ConvertOp::create(
        b, loc, tensor(typeOf(value).getShape(), element), value);
  }
  mlir::Value spread(mlir::Value value, mlir::ArrayRef<int64_t> shape,
                     mlir::ArrayRef<int64_t> dims) {
    return mlir::stablehlo::BroadcastInDimOp::create(
        b, loc, tensor(shape, typeOf(value).getElementType()), value, dims);
  }
  /// Zeros at the end of a dimension.
  mlir::Value padTo(mlir::Value value, int64_t dim, int64_t size) {
    mlir::SmallVector<int64_t> shape(typeOf(value).getShape());
    if (shape[dim] == size)
      return value;
    mlir::SmallVector<int64_t> none(shape.size(), 0), high(none);
    high[dim] = size - shape[dim];
    shape[dim] = size;
    return mlir::stablehlo::PadOp::create(b, loc, tensor(shape), value,
                                          splat({}, 0), none, high, none);
  }
  /// The first elements of a vector.
  mlir::Value firstOf(mlir::Value value, int64_t count) {
    if (typeOf(value).getDimSize(0) == count)
      return value;
    return mlir::stablehlo::SliceOp::create(
        b, loc, tensor({count}), value, mlir::ArrayRef<int64_t>{0},
        mlir::ArrayRef<int64_t>{count}, mlir::ArrayRef<int64_t>{1});
  }
  mlir::Value fold(mlir::Value value, int64_t dim, bool isMax) {
    mlir::SmallVector<int64_t> shape(typeOf(value).getShape());
    shape.erase(shape.begin() + dim);
    // The largest magnitude is at least 0.
    auto reduce = mlir::stablehlo::ReduceOp::create(
        b, loc, mlir::TypeRange(tensor(shape)), mlir::ValueRange(value),
        mlir::ValueRange(splat({}, 0)), b.getDenseI64ArrayAttr(dim));
    mlir::OpBuilder::InsertionGuard guard(b);
    mlir::Block *body = b.createBlock(&reduce.getBody());
    mlir::Value x = body->addArgument(tensor({}), loc),
                y = body->addArgument(tensor({}), loc);
    mlir::Value result =
        isMax ? mlir::Value(mlir::stablehlo::MaxOp::create(b, loc, x, y))
              : mlir::Value(mlir::stablehlo::AddOp::create(b, loc, x, y));
    mlir::stablehlo::ReturnOp::create(b, loc, result);
    return reduce.getResult(0);
  }

  mlir::OpBuilder b;
  mlir::Operation *at;
  mlir::Location loc;
};

} // namespace shoal

#endif // SHOAL_COLLECTIVES_TENSOREMITTER_H
