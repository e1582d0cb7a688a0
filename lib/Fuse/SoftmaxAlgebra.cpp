// What a value is of a softmax and its gradient, as a polynomial.

#include "SoftmaxAlgebra.h"

#include <cmath>

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

using Result = std::optional<SoftmaxPolynomial>;

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

//===----------------------------------------------------------------------===//
// Polynomials
//===----------------------------------------------------------------------===//

static SoftmaxPowers times(const SoftmaxPowers &a, const SoftmaxPowers &b,
                           int sign = 1) {
  return {a.e + sign * b.e, a.g + sign * b.g, a.r + sign * b.r,
          a.t + sign * b.t};
}

/// Factors that cancel do so up to rounding.
static void addTo(SoftmaxPolynomial &sum, const SoftmaxPowers &powers,
                  double factor) {
  double &place = sum[powers];
  double before = std::abs(place) + std::abs(factor);
  place += factor;
  if (std::abs(place) <= 1e-6 * before)
    sum.erase(powers);
}

static SoftmaxPolynomial add(const SoftmaxPolynomial &a,
                             const SoftmaxPolynomial &b, double sign) {
  SoftmaxPolynomial sum = a;
  for (auto &[powers, factor] : b)
    addTo(sum, powers, sign * factor);
  return sum;
}

static SoftmaxPolynomial multiply(const SoftmaxPolynomial &a,
                                  const SoftmaxPolynomial &b) {
  SoftmaxPolynomial product;
  for (auto &[pa, fa] : a)
    for (auto &[pb, fb] : b)
      addTo(product, times(pa, pb), fa * fb);
  return product;
}

/// By one term only.
static Result divide(const SoftmaxPolynomial &a, const SoftmaxPolynomial &b) {
  if (b.size() != 1)
    return std::nullopt;
  SoftmaxPolynomial quotient;
  for (auto &[powers, factor] : a)
    addTo(quotient, times(powers, b.begin()->first, -1),
          factor / b.begin()->second);
  return quotient;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

static std::optional<double> splatOf(Operation *op) {
  auto constant = dyn_cast<sh::ConstantOp>(op);
  auto dense =
      constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : nullptr;
  if (!dense || !dense.isSplat() || !isa<FloatType>(dense.getElementType()))
    return std::nullopt;
  APFloat value = dense.getSplatValue<APFloat>();
  bool ignored;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &ignored);
  return value.convertToDouble();
}

static bool isMove(Operation *op) {
  return isa<sh::TransposeOp, sh::ReshapeOp, sh::BroadcastInDimOp>(op);
}

static bool isFloatConvert(Operation *op) {
  auto convert = dyn_cast<sh::ConvertOp>(op);
  return convert &&
         isa<FloatType>(getElementTypeOrSelf(convert.getOperand().getType())) &&
         isa<FloatType>(getElementTypeOrSelf(convert.getType()));
}

Result SoftmaxAlgebra::ofProduct(sh::DotGeneralOp dot, const Access &at) {
  if (dot == scores)
    return std::nullopt;
  if (!product) {
    // It must have an element for each of the scores.
    llvm::SmallDenseSet<unsigned> mine, wanted;
    for (auto [indices, atoms] :
         {std::pair<const Access *, decltype(mine) *>(&at, &mine),
          {&access, &wanted}})
      for (const DimIndex &index : *indices)
        for (const Term &term : index.terms)
          atoms->insert(term.atom);
    if (mine != wanted)
      return std::nullopt;
    product = dot;
    productAccess = at;
  }
  if (product != dot || productAccess != at)
    return std::nullopt;
  return SoftmaxPolynomial{{{.g = 1}, 1.0}};
}

Result SoftmaxAlgebra::ofReduce(sh::ReduceOp reduce, const Access &at) {
  if (reduce.getInputs().size() != 1)
    return std::nullopt;
  Block &body = reduce.getBody().front();
  Operation *combine = body.getTerminator()->getOperand(0).getDefiningOp();
  std::optional<double> init;
  if (Operation *op = reduce.getInitValues()[0].getDefiningOp())
    init = splatOf(op);
  if (!isa_and_nonnull<sh::AddOp>(combine) || combine->getBlock() != &body ||
      &body.front() != combine || init != 0.0)
    return std::nullopt;
  // Nothing of what is summed over may be in the place of the sum.
  for (const DimIndex &index : at)
    for (const Term &term : index.terms)
      if (llvm::is_contained(keys, term.atom))
        return std::nullopt;
  Value input = reduce.getInputs()[0];
  Access inside(shapeOf(input).size());
  bool sums = false;
  unsigned next = 0;
  for (unsigned d = 0; d < inside.size(); ++d) {
    if (!llvm::is_contained(reduce.getDimensions(), int64_t(d))) {
      inside[d] = at[next++];
      continue;
    }
    if (shapeOf(input)[d] == 1)
      continue;
    if (sums || shapeOf(input)[d] != keyCount)
      return std::nullopt;
    sums = true;
    inside[d] = rowMajor(keys, space);
  }
  Result terms = evaluate(input, inside);
  if (!terms || !sums)
    return terms;
  SoftmaxPolynomial sum;
  for (auto &[powers, factor] : *terms) {
    SoftmaxPowers row = powers;
    row.e = row.g = 0;
    if (powers.e == 1 && powers.g == 1)
      addTo(sum, times(row, {.t = 1}), factor);
    else if (powers.e == 1 && powers.g == 0)
      addTo(sum, times(row, {.r = -1}), factor);
    else if (powers.e == 0 && powers.g == 0)
      addTo(sum, row, factor * keyCount);
    else
      return std::nullopt;
  }
  return sum;
}

Result SoftmaxAlgebra::compute(Value value, const Access &at) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (std::optional<double> splat = splatOf(op)) {
    SoftmaxPolynomial constant;
    if (!std::isfinite(*splat))
      return std::nullopt;
    if (*splat != 0)
      constant[{}] = *splat;
    return constant;
  }
  if (op == exponential) {
    if (at != access)
      return std::nullopt;
    return SoftmaxPolynomial{{{.e = 1}, 1.0}};
  }
  if (auto dot = dyn_cast<sh::DotGeneralOp>(op))
    return ofProduct(dot, at);
  if (auto reduce = dyn_cast<sh::ReduceOp>(op))
    return ofReduce(reduce, at);
  if (isFloatConvert(op))
    return evaluate(op->getOperand(0), at);
  if (isMove(op)) {
    std::optional<Split> split;
    auto operand = operandAccess(op, at, space, split);
    return operand ? evaluate(op->getOperand(0), *operand) : std::nullopt;
  }
  if (isa<sh::NegOp>(op)) {
    Result operand = evaluate(op->getOperand(0), at);
    if (operand)
      operand = add({}, *operand, -1);
    return operand;
  }
  if (!isa<sh::AddOp, sh::SubtractOp, sh::MulOp, sh::DivOp>(op))
    return std::nullopt;
  Result a = evaluate(op->getOperand(0), at);
  Result b = evaluate(op->getOperand(1), at);
  // Zero times something that nobody knows: what differentiating a row's
  // maximum gives, which does not matter to a softmax.
  if ((a && a->empty() && isa<sh::MulOp, sh::DivOp>(op)) ||
      (b && b->empty() && isa<sh::MulOp>(op)))
    return SoftmaxPolynomial();
  if (!a || !b)
    return std::nullopt;
  if (isa<sh::MulOp>(op))
    return multiply(*a, *b);
  if (isa<sh::DivOp>(op))
    return divide(*a, *b);
  return add(*a, *b, isa<sh::AddOp>(op) ? 1 : -1);
}

Result SoftmaxAlgebra::evaluate(Value value, const Access &at) {
  constexpr unsigned most = 1000;
  for (auto &[known, result] : done[value])
    if (known == at)
      return result;
  if (++visits > most)
    return std::nullopt;
  Result result = compute(value, at);
  done[value].push_back({at, result});
  // The value nearest to its users comes last.
  if (product && at == access &&
      shapeOf(value) == shapeOf(exponential.getResult())) {
    Value from = value;
    while (isa_and_nonnull<sh::ConvertOp, sh::TransposeOp, sh::ReshapeOp>(
        from.getDefiningOp()))
      from = from.getDefiningOp()->getOperand(0);
    if (from.getDefiningOp() == product && result)
      productInPlace = value;
  }
  return result;
}

std::optional<double> SoftmaxAlgebra::isProbabilities(Value value,
                                                      const Access &at) {
  Result result = evaluate(value, at);
  if (!result || result->size() != 1)
    return std::nullopt;
  auto &[powers, factor] = *result->begin();
  if (powers != SoftmaxPowers{.e = 1, .r = 1})
    return std::nullopt;
  return factor;
}

std::optional<double> SoftmaxAlgebra::isScoreGradient(Value value,
                                                      const Access &at) {
  Result result = evaluate(value, at);
  if (!result || result->size() != 2)
    return std::nullopt;
  auto first = result->find({.e = 1, .g = 1, .r = 1});
  auto second = result->find({.e = 1, .r = 2, .t = 1});
  if (first == result->end() || second == result->end() ||
      std::abs(first->second + second->second) > 1e-6 * std::abs(first->second))
    return std::nullopt;
  return first->second;
}
