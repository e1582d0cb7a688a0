// i32 arithmetic of a kernel's index computations, folded where it is known.
#ifndef SHOAL_LIB_CODEGEN_GPU_CONTRACTION_INDEX32_H
#define SHOAL_LIB_CODEGEN_GPU_CONTRACTION_INDEX32_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

#include <numeric>

namespace shoal::contraction {

/// A constant, or a value and a number that is known to divide it.
struct Index32 {
  mlir::Value value;
  int64_t constant = 0; // if there is no value
  int64_t divisor = 0;  // if there is one

  Index32(int64_t constant = 0) : constant(constant) {}
  Index32(mlir::Value value, int64_t divisor = 1)
      : value(value), divisor(divisor) {}
  bool isConstant() const { return !value; }
  int64_t divisible() const { return value ? divisor : std::abs(constant); }
};

/// Builds index arithmetic at the builder's insertion point.
class IndexBuilder {
public:
  IndexBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  mlir::Value get(Index32 index) {
    if (index.value)
      return index.value;
    return mlir::arith::ConstantOp::create(
        builder, loc, builder.getI32IntegerAttr(index.constant));
  }
  Index32 add(Index32 a, Index32 b) {
    if (a.isConstant() && b.isConstant())
      return a.constant + b.constant;
    if (a.isConstant() && a.constant == 0)
      return b;
    if (b.isConstant() && b.constant == 0)
      return a;
    return {mlir::arith::AddIOp::create(builder, loc, get(a), get(b)),
            std::gcd(a.divisible(), b.divisible())};
  }
  Index32 mul(Index32 a, int64_t factor) {
    if (a.isConstant())
      return a.constant * factor;
    if (factor == 0)
      return 0;
    if (factor == 1)
      return a;
    return {mlir::arith::MulIOp::create(builder, loc, a.value, get(factor)),
            a.divisor * std::abs(factor)};
  }
  Index32 mul(Index32 a, Index32 b) {
    if (b.isConstant())
      return mul(a, b.constant);
    if (a.isConstant())
      return mul(b, a.constant);
    return {mlir::arith::MulIOp::create(builder, loc, a.value, b.value),
            a.divisor * b.divisor};
  }
  Index32 sub(Index32 a, Index32 b) { return add(a, mul(b, -1)); }
  Index32 div(Index32 a, Index32 b) {
    if (b.isConstant() && b.constant == 1)
      return a;
    if (a.isConstant() && b.isConstant())
      return a.constant / b.constant;
    return mlir::arith::DivUIOp::create(builder, loc, get(a), get(b))
        .getResult();
  }
  Index32 rem(Index32 a, Index32 b) {
    if (b.isConstant() && b.constant == 1)
      return 0;
    if (a.isConstant() && b.isConstant())
      return a.constant % b.constant;
    return mlir::arith::RemUIOp::create(builder, loc, get(a), get(b))
        .getResult();
  }
  Index32 min(Index32 a, Index32 b) {
    if (a.isConstant() && b.isConstant())
      return std::min(a.constant, b.constant);
    return mlir::arith::MinSIOp::create(builder, loc, get(a), get(b))
        .getResult();
  }
  Index32 max(Index32 a, Index32 b) {
    if (a.isConstant() && b.isConstant())
      return std::max(a.constant, b.constant);
    return mlir::arith::MaxSIOp::create(builder, loc, get(a), get(b))
        .getResult();
  }

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace shoal::contraction

#endif // SHOAL_LIB_CODEGEN_GPU_CONTRACTION_INDEX32_H
