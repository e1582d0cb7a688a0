// Special functions of one or two real variables, as polynomials and rational
// functions.
//
// Sources of the coefficients: S. L. Moshier, Cephes (erf, erfc, Bessel); M. B.
// Giles, "Approximating the erfinv function" (GPU Computing Gems, 2012); C.
// Lanczos, "A precision approximation of the gamma function" (g = 7, n = 9); F.
// Johansson, arXiv:1309.2877, formula 5 (Hurwitz zeta). The same ones serve in
// XLA, so results agree within a few units in the last place.
#include "ElementwiseBuilder.h"

#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace shoal;

static bool isF64(Value x) { return getElementTypeOrSelf(x.getType()).isF64(); }

//===----------------------------------------------------------------------===//
// Error functions
//===----------------------------------------------------------------------===//

/// erf(x) = x T(x²) / U(x²) for |x| <= 1; U is 1 in single precision.
static Value buildErfSmall(ElementwiseBuilder &b, Value x) {
  Value square = b.mul(x, x);
  if (!isF64(x))
    return b.mul(
        x, b.polynomial(square, {+7.853861353153693e-5, -8.010193625184903e-4,
                                 +5.188327685732524e-3, -2.685381193529856e-2,
                                 +1.128358514861418e-1, -3.761262582423300e-1,
                                 +1.128379165726710e+0}));
  Value t =
      b.polynomial(square, {9.60497373987051638749e0, 9.00260197203842689217e1,
                            2.23200534594684319226e3, 7.00332514112805075473e3,
                            5.55923013010394962768e4});
  Value u = b.polynomial(square,
                         {1.0, 3.35617141647503099647e1,
                          5.21357949780152679795e2, 4.59432382970980127987e3,
                          2.26290000613890934246e4, 4.92673942608635921086e4});
  return b.div(b.mul(x, t), u);
}

/// erfc(x) for |x| >= 1: exp(-x²) times a function of |x|, and 2 - that for
/// negative x.
static Value buildErfcLarge(ElementwiseBuilder &b, Value x) {
  Value z = b.neg(b.mul(x, x));
  Value magnitude = b.abs(x);
  Value result;
  double underflow;
  if (isF64(x)) {
    Value p = b.polynomial(
        magnitude, {2.46196981473530512524e-10, 5.64189564831068821977e-1,
                    7.46321056442269912687e0, 4.86371970985681366614e1,
                    1.96520832956077098242e2, 5.26445194995477358631e2,
                    9.34528527171957607540e2, 1.02755188689515710272e3,
                    5.57535335369399327526e2});
    Value q = b.polynomial(
        magnitude, {1.0, 1.32281951154744992508e1, 8.67072140885989742329e1,
                    3.54937778887819891062e2, 9.75708501743205489753e2,
                    1.82390916687909736289e3, 2.24633760818710981792e3,
                    1.65666309194161350182e3, 5.57535340817727675546e2});
    Value r = b.polynomial(
        magnitude, {5.64189583547755073984e-1, 1.27536670759978104416e0,
                    5.01905042251180477414e0, 6.16021097993053585195e0,
                    7.40974269950448939160e0, 2.97886665372100240670e0});
    Value s = b.polynomial(
        magnitude, {1.0, 2.26052863220117276590e0, 9.39603524938001434673e0,
                    1.20489539808096656605e1, 1.70814450747565897222e1,
                    9.60896809063285878198e0, 3.36907645100081516050e0});
    Value e = b.exp(z);
    result = b.select(b.lt(magnitude, 8.0), b.div(b.mul(e, p), q),
                      b.div(b.mul(e, r), s));
    underflow = -7.09782712893383996843e2;
  } else {
    Value q = b.div(1.0, b.mul(x, x));
    Value p = b.polynomial(q, {+2.326819970068386e-2, -1.387039388740657e-1,
                               +3.687424674597105e-1, -5.824733027278666e-1,
                               +6.210004621745983e-1, -4.944515323274145e-1,
                               +3.404879937665872e-1, -2.741127028184656e-1,
                               +5.638259427386472e-1});
    Value r = b.polynomial(q, {-1.047766399936249e+1, +1.297719955372516e+1,
                               -7.495518717768503e+0, +2.921019019210786e+0,
                               -1.015265279202700e+0, +4.218463358204948e-1,
                               -2.820767439740514e-1, +5.641895067754075e-1});
    Value scale = b.mul(b.exp(z), b.div(1.0, magnitude));
    result = b.mul(scale, b.select(b.lt(magnitude, 2.0), p, r));
    underflow = -88.72283905206835;
  }
  Value zero = b.constant(0.0, x);
  result = b.select(b.lt(z, underflow), zero, result);
  return b.select(b.lt(x, zero), b.sub(2.0, result), result);
}

Value shoal::buildErf(ElementwiseBuilder &b, Value x) {
  if (!isF64(x)) {
    // XLA's function to the bit, though it is off by up to 5 units near 1: what
    // models were trained with.
    Value y = b.clamp(-3.832506856900711, x, 3.832506856900711);
    Value square = b.mul(y, y);
    Value alpha = b.polynomial(
        square, {0.00022905065861350646, 0.0034082910107109506,
                 0.050955695062380861, 0.18520832239976145, 1.128379143519084});
    Value beta =
        b.polynomial(square, {-1.1791602954361697e-7, 0.000023547966471313185,
                              0.0010179625278914885, 0.014070470171167667,
                              0.11098505178285362, 0.49746925110067538, 1.0});
    return b.div(b.mul(y, alpha), beta);
  }
  return b.select(b.lt(b.abs(x), 1.0), buildErfSmall(b, x),
                  b.sub(1.0, buildErfcLarge(b, x)));
}

Value shoal::buildErfc(ElementwiseBuilder &b, Value x) {
  return b.select(b.lt(b.abs(x), 1.0), b.sub(1.0, buildErfSmall(b, x)),
                  buildErfcLarge(b, x));
}

Value shoal::buildErfInv(ElementwiseBuilder &b, Value x) {
  // x times a polynomial in w = -log(1 - x²), or in its root further out.
  Value w = b.neg(b.log1p(b.neg(b.mul(x, x))));
  Value p;
  if (!isF64(x)) {
    Value center = b.polynomial(b.sub(w, 2.5),
                                {2.81022636e-08, 3.43273939e-07, -3.5233877e-06,
                                 -4.39150654e-06, 0.00021858087, -0.00125372503,
                                 -0.00417768164, 0.246640727, 1.50140941});
    Value tail = b.polynomial(b.sub(b.sqrt(w), 3.0),
                              {-0.000200214257, 0.000100950558, 0.00134934322,
                               -0.00367342844, 0.00573950773, -0.0076224613,
                               0.00943887047, 1.00167406, 2.83297682});
    p = b.select(b.lt(w, 5.0), center, tail);
  } else {
    Value root = b.sqrt(w);
    Value center =
        b.polynomial(b.sub(w, 3.125),
                     {-3.6444120640178196996e-21, -1.685059138182016589e-19,
                      1.2858480715256400167e-18,  1.115787767802518096e-17,
                      -1.333171662854620906e-16,  2.0972767875968561637e-17,
                      6.6376381343583238325e-15,  -4.0545662729752068639e-14,
                      -8.1519341976054721522e-14, 2.6335093153082322977e-12,
                      -1.2975133253453532498e-11, -5.4154120542946279317e-11,
                      1.051212273321532285e-09,   -4.1126339803469836976e-09,
                      -2.9070369957882005086e-08, 4.2347877827932403518e-07,
                      -1.3654692000834678645e-06, -1.3882523362786468719e-05,
                      0.0001867342080340571352,   -0.00074070253416626697512,
                      -0.0060336708714301490533,  0.24015818242558961693,
                      1.6536545626831027356});
    Value middle =
        b.polynomial(b.sub(root, 3.25),
                     {2.2137376921775787049e-09, 9.0756561938885390979e-08,
                      -2.7517406297064545428e-07, 1.8239629214389227755e-08,
                      1.5027403968909827627e-06, -4.013867526981545969e-06,
                      2.9234449089955446044e-06, 1.2475304481671778723e-05,
                      -4.7318229009055733981e-05, 6.8284851459573175448e-05,
                      2.4031110387097893999e-05, -0.0003550375203628474796,
                      0.00095328937973738049703, -0.0016882755560235047313,
                      0.0024914420961078508066, -0.0037512085075692412107,
                      0.005370914553590063617, 1.0052589676941592334,
                      3.0838856104922207635});
    Value tail =
        b.polynomial(b.sub(root, 5.0),
                     {-2.7109920616438573243e-11, -2.5556418169965252055e-10,
                      1.5076572693500548083e-09, -3.7894654401267369937e-09,
                      7.6157012080783393804e-09, -1.4960026627149240478e-08,
                      2.9147953450901080826e-08, -6.7711997758452339498e-08,
                      2.2900482228026654717e-07, -9.9298272942317002539e-07,
                      4.5260625972231537039e-06, -1.9681778105531670567e-05,
                      7.5995277030017761139e-05, -0.00021503011930044477347,
                      -0.00013871931833623122026, 1.0103004648645343977,
                      4.8499064014085844221});
    p = b.select(b.lt(w, 6.25), center, b.select(b.lt(w, 16.0), middle, tail));
  }
  // Infinite at ±1, where the product above says nothing.
  return b.select(b.eq(b.abs(x), 1.0), b.mul(x, b.infinity(x)), b.mul(p, x));
}

//===----------------------------------------------------------------------===//
// Gamma and its kin
//===----------------------------------------------------------------------===//

/// A function of single precision by way of double: what is added to it next
/// may cancel, and then its last bit decides several of the result's.
static Value rounded(ElementwiseBuilder &b, Value x,
                     Value (ElementwiseBuilder::*function)(Value)) {
  Type element = getElementTypeOrSelf(x.getType());
  if (!element.isF32())
    return (b.*function)(x);
  Value wide = b.convert(x, b.getBuilder().getF64Type());
  return b.convert((b.*function)(wide), element);
}

static constexpr double kLanczosG = 7;
static constexpr double kLanczosBase = 0.99999999999980993227684700473478;
static constexpr double kLanczos[] = {
    676.520368121885098567009190444019, -1259.13921672240287047156078755283,
    771.3234287776530788486528258894,   -176.61502916214059906584551354,
    12.507343278686904814458936853,     -0.13857109526572011689554707,
    9.984369578019570859563e-6,         1.50563273514931155834e-7};

/// log(z + g + 1/2), by log1p for backends whose log is less exact near 1.
static Value buildLogT(ElementwiseBuilder &b, Value z) {
  return b.add(
      rounded(b, b.div(z, kLanczosG + 0.5), &ElementwiseBuilder::log1p),
      b.constant(std::log(kLanczosG + 0.5), z));
}

Value shoal::buildLgamma(ElementwiseBuilder &b, Value x) {
  // log Γ(z + 1) = log(2π)/2 + (z + 1/2) log t - t + log a(z), t = z + g + 1/2;
  // below 1/2, by Γ(x) Γ(1 - x) = π / sin(πx).
  Value reflect = b.lt(x, 0.5);
  Value z = b.select(reflect, b.neg(x), b.sub(x, 1.0));
  Value a = b.constant(kLanczosBase, x);
  for (auto [index, coefficient] : llvm::enumerate(kLanczos))
    a = b.add(a, b.div(coefficient, b.add(z, double(index + 1))));
  Value t = b.add(b.constant(kLanczosG + 0.5, x), z);
  Value logT =
      b.add(b.constant(std::log(kLanczosG + 0.5), x),
            rounded(b, b.div(z, kLanczosG + 0.5), &ElementwiseBuilder::log1p));
  // (z + 1/2 - t / log t) log t does not overflow before the result does.
  Value r = b.mul(b.sub(b.add(z, 0.5), b.div(t, logT)), logT);
  Value direct =
      b.add(b.add(b.constant((std::log(2) + std::log(M_PI)) / 2, x), r),
            rounded(b, a, &ElementwiseBuilder::log));

  // |sin(πx)| has period 1 and is symmetric about 1/2; reducing x first keeps
  // it exact at the poles.
  Value magnitude = b.abs(x);
  Value fraction = b.sub(magnitude, b.floor(magnitude));
  fraction = b.select(b.gt(fraction, 0.5), b.sub(1.0, fraction), fraction);
  Value logSin = rounded(b,
                         rounded(b, b.mul(b.constant(M_PI, x), fraction),
                                 &ElementwiseBuilder::sin),
                         &ElementwiseBuilder::log);
  Value reflected = b.sub(b.sub(b.constant(std::log(M_PI), x), logSin), direct);
  // At a pole the sine wins.
  reflected = b.select(b.isFinite(logSin), reflected, b.neg(logSin));
  Value result = b.select(reflect, reflected, direct);
  return b.select(b.eq(b.abs(x), b.infinity(x)), b.infinity(x), result);
}

Value shoal::buildDigamma(ElementwiseBuilder &b, Value x) {
  // The derivative of the same: log t + a'(z) / a(z) - g / t.
  Value reflect = b.lt(x, 0.5);
  Value z = b.select(reflect, b.neg(x), b.sub(x, 1.0));
  Value a = b.constant(kLanczosBase, x);
  Value slope = b.constant(0.0, x);
  for (auto [index, coefficient] : llvm::enumerate(kLanczos)) {
    Value term = b.add(z, double(index + 1));
    slope = b.sub(slope, b.div(coefficient, b.mul(term, term)));
    a = b.add(a, b.div(coefficient, term));
  }
  Value t = b.add(b.constant(kLanczosG + 0.5, x), z);
  Value direct =
      b.sub(b.add(buildLogT(b, z), b.div(slope, a)), b.div(kLanczosG, t));

  // ψ(x) = ψ(1 - x) - π cot(πx); x moved next to 0 first.
  Value reduced = b.add(x, b.abs(b.floor(b.add(x, 0.5))));
  Value pi = b.constant(M_PI, x);
  Value angle = b.mul(pi, reduced);
  Value reflected = b.sub(
      direct, b.div(b.mul(pi, rounded(b, angle, &ElementwiseBuilder::cos)),
                    rounded(b, angle, &ElementwiseBuilder::sin)));
  Value result = b.select(reflect, reflected, direct);

  // A pole at every integer up to 0.
  Value pole = b.bitAnd(b.le(x, 0.0), b.eq(x, b.floor(x)));
  return b.select(pole, b.nan(x), result);
}

Value shoal::buildZeta(ElementwiseBuilder &b, Value x, Value q) {
  // Ten terms of the sum, then Euler-Maclaurin with twelve Bernoulli terms:
  // the denominators are (2k)! / B_2k.
  static constexpr double kDenominators[] = {-7.1661652561756670113e18,
                                             1.8152105401943546773e17,
                                             -4.5979787224074726105e15,
                                             1.1646782814350067249e14,
                                             -2.950130727918164224e12,
                                             7.47242496e10,
                                             -1.8924375803183791606e9,
                                             47900160.0,
                                             -1209600.0,
                                             30240.0,
                                             -720.0,
                                             12.0};
  constexpr int kTerms = 12, kSummands = 9;

  Value exponent = b.neg(x);
  Value base = q;
  Value sum = b.pow(q, exponent);
  for (int i = 0; i < kSummands; ++i) {
    base = b.add(base, 1.0);
    sum = b.add(sum, b.pow(base, exponent));
  }
  base = b.add(base, 1.0);
  Value power = b.pow(base, exponent);
  Value integral = b.div(b.mul(power, base), b.sub(x, 1.0));

  Value inverseSquare = b.div(1.0, b.mul(base, base));
  Value horner = b.constant(0.0, q);
  for (int i = 0; i < kTerms - 1; ++i) {
    Value factor = b.mul(b.add(x, double(2 * kTerms - 2 - 2 * i)),
                         b.add(x, double(2 * kTerms - 3 - 2 * i)));
    horner = b.mul(factor,
                   b.mul(inverseSquare, b.add(horner, 1.0 / kDenominators[i])));
  }
  Value tail = b.add(
      b.constant(0.5, q),
      b.mul(b.div(x, base),
            b.add(b.constant(1.0 / kDenominators[kTerms - 1], q), horner)));
  Value corrected = b.add(b.add(sum, integral), b.mul(power, tail));
  // What is left may underflow altogether: then the sum is the result.
  auto type = cast<FloatType>(getElementTypeOrSelf(q.getType()));
  Value smallest = b.constant(
      APFloat::getSmallest(type.getFloatSemantics()).convertToDouble(), q);
  Value result =
      b.select(b.lt(b.abs(power), b.mul(b.abs(sum), smallest)), sum, corrected);

  Value nan = b.nan(x), infinity = b.infinity(x);
  Value xIsInt = b.eq(x, b.floor(x));
  Value qNotPositive = b.le(q, 0.0);
  result = b.select(b.lt(x, 1.0), nan, result);
  result = b.select(b.bitAnd(qNotPositive, b.ne(x, b.floor(x))), nan, result);
  // A pole at every integer q <= 0, with a limit only for even x.
  Value pole = b.bitAnd(qNotPositive, b.eq(q, b.floor(q)));
  Value even = b.bitAnd(xIsInt, b.eq(b.rem(x, b.constant(2.0, x)), 0.0));
  result = b.select(pole, b.select(even, infinity, nan), result);
  return b.select(b.eq(x, 1.0), infinity, result);
}

Value shoal::buildPolygamma(ElementwiseBuilder &b, Value n, Value x) {
  // (-1)^(n+1) n! ζ(n + 1, x); digamma for n = 0.
  Value sign = b.sub(b.mul(b.rem(n, b.constant(2.0, n)), 2.0), 1.0);
  Value next = b.add(n, 1.0);
  Value factorial = b.exp(buildLgamma(b, next));
  Value result = b.mul(b.mul(sign, factorial), buildZeta(b, next, x));
  result = b.select(b.eq(n, 0.0), buildDigamma(b, x), result);
  Value notNatural = b.bitOr(b.ne(n, b.floor(n)), b.lt(n, 0.0));
  return b.select(notNatural, b.nan(x), result);
}

Value shoal::buildBesselI1e(ElementwiseBuilder &b, Value x) {
  // Chebyshev series in |x|/2 - 2 up to 8, in 32/|x| - 2 beyond.
  static constexpr double kSmall[] = {
      2.77791411276104639959e-18, -2.11142121435816608115e-17,
      1.55363195773620046921e-16, -1.10559694773538630805e-15,
      7.60068429473540693410e-15, -5.04218550472791168711e-14,
      3.22379336594557470981e-13, -1.98397439776494371520e-12,
      1.17361862988909016308e-11, -6.66348972350202774223e-11,
      3.62559028155211703701e-10, -1.88724975172282928790e-9,
      9.38153738649577178388e-9,  -4.44505912879632808065e-8,
      2.00329475355213526229e-7,  -8.56872026469545474066e-7,
      3.47025130813767847674e-6,  -1.32731636560394358279e-5,
      4.78156510755005422638e-5,  -1.61760815825896745588e-4,
      5.12285956168575772895e-4,  -1.51357245063125314899e-3,
      4.15642294431288815669e-3,  -1.05640848946261981558e-2,
      2.47264490306265168283e-2,  -5.29459812080949914269e-2,
      1.02643658689847095384e-1,  -1.76416518357834055153e-1,
      2.52587186443633654823e-1};
  static constexpr double kLarge[] = {
      7.51729631084210481353e-18,  4.41434832307170791151e-18,
      -4.65030536848935832153e-17, -3.20952592199342395980e-17,
      2.96262899764595013876e-16,  3.30820231092092828324e-16,
      -1.88035477551078244854e-15, -3.81440307243700780478e-15,
      1.04202769841288027642e-14,  4.27244001671195135429e-14,
      -2.10154184277266431302e-14, -4.08355111109219731823e-13,
      -7.19855177624590851209e-13, 2.03562854414708950722e-12,
      1.41258074366137813316e-11,  3.25260358301548823856e-11,
      -1.89749581235054123450e-11, -5.58974346219658380687e-10,
      -3.83538038596423702205e-9,  -2.63146884688951950684e-8,
      -2.51223623787020892529e-7,  -3.88256480887769039346e-6,
      -1.10588938762623716291e-4,  -9.76109749136146840777e-3,
      7.78576235018280120474e-1};
  // In single precision the leading terms vanish.
  ArrayRef<double> small(kSmall), large(kLarge);
  if (!isF64(x)) {
    small = small.take_back(17);
    large = large.take_back(7);
  }
  Value z = b.abs(x);
  Value below = b.mul(z, b.chebyshev(b.sub(b.mul(z, 0.5), 2.0), small));
  Value above =
      b.div(b.chebyshev(b.sub(b.div(32.0, z), 2.0), large), b.sqrt(z));
  return b.mul(b.sign(x), b.select(b.le(z, 8.0), below, above));
}

//===----------------------------------------------------------------------===//
// Bits
//===----------------------------------------------------------------------===//

/// For formats that integers have no counterpart of: found among all values, in
/// f32, which has them all.
static Value findNextAfter(ElementwiseBuilder &b, Value x, Value y,
                           FloatType element) {
  const llvm::fltSemantics &format = element.getFloatSemantics();
  Type f32 = Float32Type::get(x.getContext());
  SmallVector<double> values; // of at least 0, ascending
  for (unsigned code = 0; code < 1u << (element.getWidth() - 1); ++code) {
    APFloat value(format, APInt(element.getWidth(), code));
    if (value.isFinite())
      values.push_back(value.convertToDouble());
  }
  Value wideX = b.convert(x, f32), wideY = b.convert(y, f32);
  auto nextAbove = [&](Value from) {
    Value next = b.constant(values.back(), from);
    auto take = [&](double value) {
      next = b.select(b.lt(from, value), b.constant(value, from), next);
    };
    for (double value : llvm::reverse(values))
      take(value);
    for (double value : values)
      take(-value);
    return next;
  };
  Value up = nextAbove(wideX), down = b.neg(nextAbove(b.neg(wideX)));
  Value next = b.select(b.gt(wideY, wideX), up, down);
  return b.convert(b.select(b.eq(wideX, wideY), wideY, next), element);
}

Value shoal::buildNextAfter(ElementwiseBuilder &b, Value x, Value y) {
  // Floats are signed magnitudes: the next one is one step of the magnitude.
  auto element = cast<FloatType>(getElementTypeOrSelf(x.getType()));
  unsigned width = element.getWidth();
  if (width == 6)
    return findNextAfter(b, x, y, element);
  Type integer = IntegerType::get(x.getContext(), width);
  Value xi = b.bitcast(x, integer), yi = b.bitcast(y, integer);
  if (isa<Float8E8M0FNUType>(element)) {
    // Exponents alone: no sign, and NaN is all ones.
    Value one = b.bits(1, xi), nan = b.bits(0xff, xi);
    Value result = b.select(b.gt(y, x), b.add(xi, one), b.sub(xi, one));
    result = b.select(b.eq(x, y), yi, result);
    result = b.select(b.bitOr(b.ne(x, x), b.ne(y, y)), nan, result);
    return b.bitcast(result, element);
  }
  uint64_t signBit = uint64_t(1) << (width - 1);
  Value sign = b.bits(signBit, xi), magnitude = b.bits(~signBit, xi);
  Value zero = b.bits(0, xi), one = b.bits(1, xi), minusOne = b.bits(~0ull, xi);
  Value xMagnitude = b.bitAnd(xi, magnitude),
        yMagnitude = b.bitAnd(yi, magnitude);
  Value xSign = b.bitAnd(xi, sign), ySign = b.bitAnd(yi, sign);

  Value smaller = b.bitOr(b.gt(xMagnitude, yMagnitude), b.ne(xSign, ySign));
  Value result = b.add(xi, b.select(smaller, minusOne, one));
  // From zero, to the smallest number of y's sign.
  result = b.select(b.eq(xMagnitude, zero),
                    b.select(b.eq(yMagnitude, zero), yi, b.bitOr(ySign, one)),
                    result);
  result = b.select(b.eq(x, y), yi, result);
  // Where that would be a negative zero, NaN has its bits.
  if (isa<Float8E4M3FNUZType, Float8E5M2FNUZType, Float8E4M3B11FNUZType>(
          element))
    result = b.select(b.eq(result, sign), zero, result);
  Value anyNan = b.bitOr(b.ne(x, x), b.ne(y, y));
  result = b.select(anyNan, b.bitcast(b.nan(x), integer), result);
  return b.bitcast(result, element);
}
