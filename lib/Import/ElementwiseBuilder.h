// Writes formulas over tensors as StableHLO, element by element.
#ifndef SHOAL_LIB_IMPORT_ELEMENTWISEBUILDER_H
#define SHOAL_LIB_IMPORT_ELEMENTWISEBUILDER_H

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Builders.h"

namespace shoal {

/// All values are tensors of one shape; constants take the type of a value they
/// are written beside. Sums and products of f32 and f64 may be contracted
/// (shoal/Support/Contract.h).
class ElementwiseBuilder {
public:
  using Value = mlir::Value;
  using Values = llvm::ArrayRef<double>;

  ElementwiseBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  mlir::OpBuilder &getBuilder() { return builder; }
  mlir::Location getLoc() const { return loc; }

  /// A splat of `like`'s shape and element type (rounded to it).
  Value constant(double value, Value like);
  Value infinity(Value like, bool negative = false);
  Value nan(Value like);
  /// Limits of the float type: largest finite, smallest normal number.
  Value largest(Value like);
  Value smallestNormal(Value like);
  /// Splat of an integer type, from the low bits of `bits`.
  Value bits(uint64_t bits, Value like);

  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b);
  Value rem(Value a, Value b);
  Value pow(Value a, Value b);
  Value max(Value a, Value b);
  Value min(Value a, Value b);
  Value atan2(Value y, Value x);
  Value add(Value a, double b) { return add(a, constant(b, a)); }
  Value sub(Value a, double b) { return sub(a, constant(b, a)); }
  Value sub(double a, Value b) { return sub(constant(a, b), b); }
  Value mul(Value a, double b) { return mul(a, constant(b, a)); }
  Value div(Value a, double b) { return div(a, constant(b, a)); }
  Value div(double a, Value b) { return div(constant(a, b), b); }

  Value neg(Value a);
  Value abs(Value a);
  Value sqrt(Value a);
  Value exp(Value a);
  Value expm1(Value a);
  Value log(Value a);
  Value log1p(Value a);
  Value sin(Value a);
  Value cos(Value a);
  Value tan(Value a);
  Value tanh(Value a);
  Value floor(Value a);
  Value sign(Value a);
  Value isFinite(Value a);

  Value eq(Value a, Value b);
  Value ne(Value a, Value b);
  Value lt(Value a, Value b);
  Value le(Value a, Value b);
  Value gt(Value a, Value b);
  Value ge(Value a, Value b);
  Value eq(Value a, double b) { return eq(a, constant(b, a)); }
  Value lt(Value a, double b) { return lt(a, constant(b, a)); }
  Value le(Value a, double b) { return le(a, constant(b, a)); }
  Value gt(Value a, double b) { return gt(a, constant(b, a)); }
  Value ge(Value a, double b) { return ge(a, constant(b, a)); }

  Value bitAnd(Value a, Value b);
  Value bitOr(Value a, Value b);
  Value bitNot(Value a);
  Value select(Value pred, Value yes, Value no);
  Value clamp(double low, Value a, double high);

  Value convert(Value a, mlir::Type element);
  Value bitcast(Value a, mlir::Type element);
  Value complex(Value re, Value im);
  Value real(Value z);
  Value imag(Value z);

  /// Horner's rule, highest coefficient first.
  Value polynomial(Value x, Values coefficients);
  /// Clenshaw's rule for a Chebyshev series, as Cephes writes it.
  Value chebyshev(Value x, Values coefficients);

private:
  template <typename Op>
  Value arithmetic(Value a, Value b);
  Value compare(mlir::stablehlo::ComparisonDirection direction, Value a,
                Value b);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

/// Real special functions; `x` has element type f32 or f64.
mlir::Value buildErf(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildErfc(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildErfInv(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildLgamma(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildDigamma(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildZeta(ElementwiseBuilder &b, mlir::Value x, mlir::Value q);
mlir::Value buildPolygamma(ElementwiseBuilder &b, mlir::Value n, mlir::Value x);
mlir::Value buildBesselI1e(ElementwiseBuilder &b, mlir::Value x);

/// Trigonometric and hyperbolic functions, real or complex.
mlir::Value buildAcos(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildAcosh(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildAsin(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildAsinh(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildAtan(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildAtanh(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildCosh(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildSinh(ElementwiseBuilder &b, mlir::Value x);
mlir::Value buildAsinAcosKernel(ElementwiseBuilder &b, mlir::Value z);

/// The value of any float type after `x` towards `y`.
mlir::Value buildNextAfter(ElementwiseBuilder &b, mlir::Value x, mlir::Value y);

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_ELEMENTWISEBUILDER_H
