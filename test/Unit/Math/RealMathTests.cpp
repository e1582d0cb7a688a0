// Real scalar functions against the C library in a wider type: at most 2 ulp
// everywhere, special values exactly.
#include "JitLibrary.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace {

template <typename T>
struct Wide;
template <>
struct Wide<float> {
  using Type = double;
  using Bits = uint32_t;
  static constexpr const char *suffix = "_f32";
};
template <>
struct Wide<double> {
  using Type = long double;
  using Bits = uint64_t;
  static constexpr const char *suffix = "_f64";
};

/// Distance of got from the true value, in units in the last place of T there.
template <typename T>
double ulps(T got, typename Wide<T>::Type want) {
  using W = typename Wide<T>::Type;
  if (std::isnan(want) || std::isnan(got))
    return std::isnan(want) && std::isnan(got) ? 0 : INFINITY;
  if (std::isinf(T(want)) || want == 0) // overflow included
    return T(want) == got && std::signbit(T(want)) == std::signbit(got)
               ? 0
               : (want == 0 ? double(std::abs(W(got)) /
                                     std::numeric_limits<T>::denorm_min())
                            : INFINITY);
  int exponent =
      std::max(std::ilogb(want), std::numeric_limits<T>::min_exponent - 1);
  W unit = std::ldexp(W(1), exponent - (std::numeric_limits<T>::digits - 1));
  W value =
      std::isinf(got)
          ? std::copysign(
                std::ldexp(W(1), std::numeric_limits<T>::max_exponent), W(got))
          : W(got);
  return double(std::abs(value - want) / unit);
}

template <typename T>
std::vector<T> samples(int count) {
  using Bits = typename Wide<T>::Bits;
  std::mt19937_64 random(42);
  std::vector<T> result;
  using L = std::numeric_limits<T>;
  for (T x : {T(0),
              L::denorm_min(),
              L::min(),
              L::max(),
              L::infinity(),
              L::quiet_NaN(),
              T(1),
              std::nextafter(T(1), T(2)),
              std::nextafter(T(1), T(0)),
              T(0.5),
              T(2),
              T(3),
              T(88.72),
              T(103.97),
              T(709.78),
              T(745.13),
              T(0.625),
              T(0.41421356237309503),
              T(3.14159265358979),
              T(1.5707963267948966),
              T(16367173 * 0x1p72),
              T(6381956970095103.0 * 0x1p797),
              T(1e22)})
    result.insert(result.end(), {x, -x});
  for (int i = 0; i < count; ++i) {
    Bits bits = random();
    T x;
    std::memcpy(&x, &bits, sizeof(T));
    result.push_back(x); // any exponent
    double unit = std::ldexp(double(random() >> 11), -53) * 2 - 1;
    result.push_back(T(unit));
    result.push_back(T(unit * 10));
    result.push_back(T(unit * 120));
    result.push_back(T(unit * 800));
    result.push_back(T(1 + unit * 0.6));
    result.push_back(T(1 + unit * 1e-4));
    result.push_back(T(unit * 1e6));
    result.push_back(T(unit * 1e12));
  }
  return result;
}

template <typename T>
class RealMath : public testing::Test {
protected:
  using W = typename Wide<T>::Type;
  static constexpr int count = sizeof(T) == 4 ? 40000 : 12000;

  void unary(const char *name, W (*reference)(W), double limit = 2) {
    auto *function =
        math<T(T)>((std::string("shoal_") + name + Wide<T>::suffix).c_str());
    double worst = 0;
    T at = 0;
    for (T x : samples<T>(count)) {
      double error = ulps<T>(function(x), reference(W(x)));
      if (error > worst) {
        worst = error;
        at = x;
      }
    }
    std::printf("%-10s%s  %.3f ulp at %a\n", name, Wide<T>::suffix, worst,
                double(at));
    EXPECT_LE(worst, limit) << name << " at " << at << ": got " << function(at)
                            << ", want " << reference(W(at));
  }
  void binary(const char *name, W (*reference)(W, W), double limit = 2) {
    auto *function =
        math<T(T, T)>((std::string("shoal_") + name + Wide<T>::suffix).c_str());
    double worst = 0;
    T atX = 0, atY = 0;
    std::vector<T> xs = samples<T>(count);
    std::mt19937_64 random(7);
    auto check = [&](T x, T y) {
      double error = ulps<T>(function(x, y), reference(W(x), W(y)));
      if (error > worst) {
        worst = error;
        atX = x;
        atY = y;
      }
    };
    for (size_t i = 0; i < xs.size(); ++i) {
      check(xs[i], xs[random() % xs.size()]);
      // A result of moderate size for pow: x^y in the range of exponents.
      T x = std::abs(xs[i]);
      double range = std::ldexp(double(random() >> 11), -53) * 2 - 1;
      if (x > 0 && x != 1 && std::isfinite(x))
        check(x, T(range * (sizeof(T) == 4 ? 100 : 740) / std::log(double(x))));
    }
    for (size_t i = 0; i < 46; ++i)
      for (size_t j = 0; j < 46; ++j)
        check(xs[i], xs[j]);
    std::printf("%-10s%s  %.3f ulp at %a, %a\n", name, Wide<T>::suffix, worst,
                double(atX), double(atY));
    EXPECT_LE(worst, limit)
        << name << " at " << atX << ", " << atY << ": got "
        << function(atX, atY) << ", want " << reference(W(atX), W(atY));
  }
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(RealMath, Types);

#define UNARY_TEST(Name, name, reference)                                      \
  TYPED_TEST(RealMath, Name) {                                                 \
    using W = typename TestFixture::W;                                         \
    this->unary(#name, [](W x) -> W { return reference; });                    \
  }
UNARY_TEST(Exp, exp, std::exp(x))
UNARY_TEST(Expm1, expm1, std::expm1(x))
UNARY_TEST(Log, log, std::log(x))
UNARY_TEST(Log1p, log1p, std::log1p(x))
UNARY_TEST(Tanh, tanh, std::tanh(x))
UNARY_TEST(Logistic, logistic,
           x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)))
UNARY_TEST(Sin, sin, std::sin(x))
UNARY_TEST(Cos, cos, std::cos(x))
UNARY_TEST(Tan, tan, std::tan(x))
UNARY_TEST(Cbrt, cbrt, std::cbrt(x))
UNARY_TEST(Rsqrt, rsqrt, 1 / std::sqrt(x))

#define BINARY_TEST(Name, name, reference)                                     \
  TYPED_TEST(RealMath, Name) {                                                 \
    using W = typename TestFixture::W;                                         \
    this->binary(#name, [](W x, W y) -> W { return reference; });              \
  }
BINARY_TEST(Pow, pow, std::pow(x, y))
BINARY_TEST(Atan2, atan2, std::atan2(x, y))
BINARY_TEST(Hypot, hypot, std::hypot(x, y))

} // namespace
