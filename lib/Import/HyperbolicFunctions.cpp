// Trigonometric and hyperbolic functions and their inverses, real and complex.
//
// The complex inverses follow T. E. Hull, T. F. Fairgrieve, P. T. P. Tang,
// "Implementing the complex arcsine and arccosine functions using exception
// handling", ACM TOMS 23 (1997), with the regions merged that need no formula
// of their own when real and imaginary parts are computed apart.
#include "ElementwiseBuilder.h"

#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace shoal;

static bool isComplex(Value x) {
  return isa<ComplexType>(getElementTypeOrSelf(x.getType()));
}

/// `value` with its sign changed where `like` is negative.
static Value withSignOf(ElementwiseBuilder &b, Value value, Value like) {
  return b.select(b.lt(like, 0.0), b.neg(value), value);
}

/// sqrt(x² + y²) of non-negative numbers, without overflow on the way.
static Value buildHypot(ElementwiseBuilder &b, Value x, Value y) {
  Value larger = b.max(x, y), smaller = b.min(x, y);
  Value ratio = b.div(smaller, larger);
  Value square = b.mul(ratio, ratio);
  Value root = b.sqrt(b.add(square, 1.0));
  Value result = b.mul(larger, root);
  // The root may round to 1 where the square still counts.
  Value nearly = b.add(larger, b.div(b.mul(larger, square), 2.0));
  result =
      b.select(b.bitAnd(b.eq(root, 1.0), b.gt(square, 0.0)), nearly, result);
  return b.select(b.eq(larger, smaller), b.mul(larger, std::sqrt(2.0)), result);
}

Value shoal::buildAsinAcosKernel(ElementwiseBuilder &b, Value z) {
  Value x = b.abs(b.real(z)), y = b.abs(b.imag(z));
  Value safeMax = b.div(b.sqrt(b.largest(x)), 8.0);
  Value safeMin = b.mul(b.sqrt(b.smallestNormal(x)), 4.0);
  Value half = b.constant(0.5, x), one = b.constant(1.0, x);

  Value xPlus = b.add(x, 1.0), xMinus = b.sub(x, 1.0);
  Value r = buildHypot(b, xPlus, y), s = buildHypot(b, b.abs(xMinus), y);
  Value a = b.mul(half, b.add(r, s));
  Value rPlus = b.add(r, xPlus), sPlus = b.add(s, xMinus),
        sMinus = b.sub(s, xMinus);
  Value ySquare = b.mul(y, y);
  Value halfSum = b.mul(half, b.add(a, x));

  // sqrt(a² - x²), the second argument of the arc tangent.
  Value inside = b.sqrt(b.mul(halfSum, b.add(b.div(ySquare, rPlus), sMinus)));
  Value outside =
      b.mul(y, b.sqrt(b.add(b.div(halfSum, rPlus), b.div(halfSum, sPlus))));
  Value re = b.select(b.ge(b.max(x, y), safeMax), y,
                      b.select(b.le(x, 1.0), inside, outside));

  // log(a + sqrt(a² - 1)).
  Value yLimit = b.select(b.lt(x, b.mul(safeMax, 1e12)), b.mul(safeMax, 1e-6),
                          b.mul(safeMax, 1e2));
  Value yIsLarge = b.ge(y, yLimit);
  Value largest = b.select(yIsLarge, y, x);
  Value isLarge = b.ge(largest, b.select(yIsLarge, yLimit, safeMax));
  Value ratio = b.select(b.bitAnd(yIsLarge, b.bitNot(b.eq(y, b.infinity(y)))),
                         b.div(x, y), b.constant(0.0, x));
  Value large = b.add(b.add(b.constant(std::log(2.0), x), b.log(largest)),
                      b.mul(half, b.log1p(b.mul(ratio, ratio))));

  Value isTiny = b.bitAnd(b.lt(y, safeMin), b.lt(x, 1.0));
  Value halfSquare = b.mul(half, ySquare);
  Value atLeastOne = b.add(b.div(halfSquare, rPlus), b.mul(half, sPlus));
  Value belowOne = b.select(
      b.le(a, 1.5), b.add(b.div(halfSquare, rPlus), b.div(halfSquare, sMinus)),
      b.sub(a, one));
  Value aMinus =
      b.select(isTiny, b.neg(b.div(b.mul(xPlus, xMinus), b.add(a, 1.0))),
               b.select(b.ge(x, 1.0), atLeastOne, belowOne));
  Value root = b.sqrt(b.mul(aMinus, b.add(a, 1.0)));
  // At x = 1, where s is y, half of y may vanish.
  root = b.select(b.bitAnd(b.eq(x, 1.0), b.lt(y, safeMin)), b.sqrt(y), root);
  Value im =
      b.select(isLarge, large,
               b.select(isTiny, b.div(y, root), b.log1p(b.add(aMinus, root))));
  return b.complex(re, im);
}

Value shoal::buildAsin(ElementwiseBuilder &b, Value x) {
  if (!isComplex(x)) {
    Value root = b.sqrt(b.mul(b.sub(1.0, x), b.add(x, 1.0)));
    return b.mul(b.atan2(x, b.add(root, 1.0)), 2.0);
  }
  Value kernel = buildAsinAcosKernel(b, x);
  return b.complex(b.atan2(b.real(x), b.real(kernel)),
                   withSignOf(b, b.imag(kernel), b.imag(x)));
}

Value shoal::buildAcos(ElementwiseBuilder &b, Value x) {
  if (!isComplex(x))
    return b.atan2(b.sqrt(b.mul(b.sub(1.0, x), b.add(x, 1.0))), x);
  Value kernel = buildAsinAcosKernel(b, x);
  Value im = b.imag(kernel);
  return b.complex(b.atan2(b.real(kernel), b.real(x)),
                   b.select(b.lt(b.imag(x), 0.0), im, b.neg(im)));
}

Value shoal::buildAcosh(ElementwiseBuilder &b, Value x) {
  if (!isComplex(x)) {
    Value minus = b.sqrt(b.sub(x, 1.0));
    Value near = b.log1p(b.mul(minus, b.add(b.sqrt(b.add(x, 1.0)), minus)));
    Value far = b.add(b.log(x), b.constant(std::log(2.0), x));
    return b.select(b.ge(x, b.mul(b.largest(x), 0.5)), far, near);
  }
  Value kernel = buildAsinAcosKernel(b, x);
  return b.complex(
      b.imag(kernel),
      withSignOf(b, b.atan2(b.real(kernel), b.real(x)), b.imag(x)));
}

Value shoal::buildAsinh(ElementwiseBuilder &b, Value x) {
  if (!isComplex(x)) {
    Value magnitude = b.abs(x), square = b.mul(x, x);
    Value near = b.log1p(b.add(
        magnitude, b.div(square, b.add(b.sqrt(b.add(square, 1.0)), 1.0))));
    Value far = b.add(b.constant(std::log(2.0), x), b.log(magnitude));
    Value result = b.select(b.ge(magnitude, b.sqrt(b.largest(x))), far, near);
    return b.mul(b.sign(x), result);
  }
  // asinh(z) = -i asin(iz), and asin's kernel knows magnitudes only.
  Value re = b.real(x), im = b.imag(x);
  Value kernel = buildAsinAcosKernel(b, b.complex(im, re));
  return b.complex(withSignOf(b, b.imag(kernel), re),
                   b.atan2(im, b.real(kernel)));
}

/// Parts of atanh(x + iy).
static std::pair<Value, Value> buildAtanhParts(ElementwiseBuilder &b, Value x,
                                               Value y) {
  Value ax = b.abs(x), ay = b.abs(y);
  Value larger = b.max(ax, ay);
  Value isLarge = b.ge(larger, b.sqrt(b.div(b.largest(x), 8.0)));
  // log1p(4x / ((1 - x)² + y²)) / 4, and x / (x² + y²) far out.
  Value minus = b.sub(1.0, ax);
  Value near = b.mul(
      b.log1p(b.div(b.mul(ax, 4.0), b.add(b.mul(minus, minus), b.mul(ay, ay)))),
      0.25);
  // Beside ±1 the square of y may vanish: log(2 / y) / 2.
  Value beside = b.mul(b.sub(b.constant(std::log(2.0), x), b.log(ay)), 0.5);
  near =
      b.select(b.bitAnd(b.eq(ax, 1.0), b.lt(ay, b.sqrt(b.smallestNormal(x)))),
               beside, near);
  Value xRatio = b.div(ax, larger), yRatio = b.div(ay, larger);
  Value far =
      b.div(b.div(xRatio, b.add(b.mul(xRatio, xRatio), b.mul(yRatio, yRatio))),
            larger);
  far = b.select(b.eq(larger, b.infinity(x)), b.constant(0.0, x), far);
  Value re = withSignOf(b, b.select(isLarge, far, near), x);
  Value angle =
      b.atan2(b.mul(y, 2.0), b.sub(b.mul(minus, b.add(ax, 1.0)), b.mul(y, y)));
  Value right = withSignOf(b, b.constant(M_PI, y), y);
  Value im = b.mul(b.select(isLarge, right, angle), 0.5);
  return {re, im};
}

Value shoal::buildAtanh(ElementwiseBuilder &b, Value x) {
  if (!isComplex(x)) {
    Value result = b.mul(b.sub(b.log1p(x), b.log1p(b.neg(x))), 0.5);
    return b.select(b.gt(b.abs(x), 1.0), b.nan(x), result);
  }
  auto [re, im] = buildAtanhParts(b, b.real(x), b.imag(x));
  return b.complex(re, im);
}

Value shoal::buildAtan(ElementwiseBuilder &b, Value x) {
  if (!isComplex(x))
    return b.atan2(x, b.constant(1.0, x));
  // atan(z) = -i atanh(iz)
  auto [re, im] = buildAtanhParts(b, b.neg(b.imag(x)), b.real(x));
  return b.complex(im, b.neg(re));
}

Value shoal::buildCosh(ElementwiseBuilder &b, Value x) {
  // (eˣ + e⁻ˣ) / 2 with the half inside, so that it overflows as late as cosh.
  Value logHalf = b.constant(std::log(0.5), x);
  return b.add(b.exp(b.add(x, logHalf)), b.exp(b.sub(logHalf, x)));
}

Value shoal::buildSinh(ElementwiseBuilder &b, Value x) {
  Value logHalf = b.constant(std::log(0.5), x);
  Value large = b.sub(b.exp(b.add(x, logHalf)), b.exp(b.sub(logHalf, x)));
  if (isComplex(x))
    return large;
  // Below 1 the difference would cancel: with e = eˣ - 1 it is e + e / (e + 1).
  Value e = b.expm1(x);
  Value small = b.mul(b.add(e, b.div(e, b.add(e, 1.0))), 0.5);
  return b.select(b.lt(b.abs(x), 1.0), small, large);
}
