// Complex functions against the C library in a wider type: the error of the
// result as a whole, in units in the last place of its modulus; and the points
// where branch cuts, overflow or infinities decide.
#include "JitLibrary.h"

#include "gtest/gtest.h"

#include <cmath>
#include <complex>
#include <limits>
#include <random>
#include <string>

namespace {

template <typename T>
struct Wide;
template <>
struct Wide<float> {
  using Type = double;
  static constexpr const char *suffix = "_c64";
};
template <>
struct Wide<double> {
  using Type = long double;
  static constexpr const char *suffix = "_c128";
};

template <typename T>
class ComplexMath : public testing::Test {
protected:
  using C = std::complex<T>;
  using W = std::complex<typename Wide<T>::Type>;
  static constexpr T inf = std::numeric_limits<T>::infinity();
  static constexpr T nan = std::numeric_limits<T>::quiet_NaN();
  static constexpr T max = std::numeric_limits<T>::max();

  static std::string full(const char *name) {
    return std::string("shoal_") + name + Wide<T>::suffix;
  }
  static C call(const char *name, C x) {
    T re, im;
    math<void(T, T, T *, T *)>(full(name).c_str())(x.real(), x.imag(), &re,
                                                   &im);
    return {re, im};
  }
  static C call(const char *name, C x, C y) {
    T re, im;
    math<void(T, T, T, T, T *, T *)>(full(name).c_str())(
        x.real(), x.imag(), y.real(), y.imag(), &re, &im);
    return {re, im};
  }

  static double error(C got, W want) {
    auto size = std::abs(want);
    if (!(size < std::numeric_limits<T>::max() / 4))
      return 0; // overflow has its own tests
    auto unit = std::max<typename Wide<T>::Type>(
        size * std::numeric_limits<T>::epsilon(),
        std::numeric_limits<T>::denorm_min());
    return double(std::abs(W(got) - want) / unit);
  }

  std::vector<C> samples(T range) {
    std::mt19937_64 random(3);
    auto unit = [&] {
      return T(std::ldexp(double(random() >> 11), -53) * 2 - 1);
    };
    std::vector<C> result;
    for (int i = 0; i < 5000; ++i) {
      result.push_back({unit() * range, unit() * range});
      result.push_back({unit() * T(1e-3), unit()});
      result.push_back({unit(), unit() * T(1e-3)});
      T angle = unit() * T(3.14159), radius = 1 + unit() * T(1e-3);
      result.push_back({radius * std::cos(angle), radius * std::sin(angle)});
      result.push_back({unit() * T(1e-6), unit() * T(1e-6)});
    }
    return result;
  }

  void unary(const char *name, W (*reference)(W), double limit, T range = 10) {
    double worst = 0;
    C at;
    for (C x : samples(range)) {
      double e = error(call(name, x), reference(W(x)));
      if (!(e <= worst)) {
        worst = e;
        at = x;
      }
    }
    std::printf("%-10s%-6s %.2f at %g%+gi\n", name, Wide<T>::suffix, worst,
                double(at.real()), double(at.imag()));
    EXPECT_LE(worst, limit)
        << name << at << ": " << call(name, at) << " not " << reference(W(at));
  }
  void binary(const char *name, W (*reference)(W, W), double limit) {
    double worst = 0;
    C atX, atY;
    std::vector<C> xs = samples(4), ys = samples(4);
    std::shuffle(ys.begin(), ys.end(), std::mt19937(5));
    for (size_t i = 0; i < xs.size(); ++i) {
      double e = error(call(name, xs[i], ys[i]), reference(W(xs[i]), W(ys[i])));
      if (!(e <= worst)) {
        worst = e;
        atX = xs[i];
        atY = ys[i];
      }
    }
    std::printf("%-10s%-6s %.2f\n", name, Wide<T>::suffix, worst);
    EXPECT_LE(worst, limit)
        << name << atX << atY << ": " << call(name, atX, atY) << " not "
        << reference(W(atX), W(atY));
  }
  static void expectSame(C got, C want) {
    auto same = [](T a, T b) {
      return std::isnan(a) ? std::isnan(b)
                           : a == b && std::signbit(a) == std::signbit(b);
    };
    EXPECT_TRUE(same(got.real(), want.real()) && same(got.imag(), want.imag()))
        << got << " not " << want;
  }
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ComplexMath, Types);

#define UNARY_TEST(Name, name, reference, limit, range)                        \
  TYPED_TEST(ComplexMath, Name) {                                              \
    using W = typename TestFixture::W;                                         \
    this->unary(#name, [](W x) -> W { return reference; }, limit, range);      \
  }
UNARY_TEST(Exp, exp, std::exp(x), 4, 80)
UNARY_TEST(Log, log, std::log(x), 4, 1e6)
UNARY_TEST(Sqrt, sqrt, std::sqrt(x), 4, 1e6)
UNARY_TEST(Rsqrt, rsqrt, W(1) / std::sqrt(x), 6, 1e6)
UNARY_TEST(Sin, sin, std::sin(x), 5, 80)
UNARY_TEST(Cos, cos, std::cos(x), 5, 80)
UNARY_TEST(Tan, tan, std::tan(x), 8, 80)
UNARY_TEST(Tanh, tanh, std::tanh(x), 8, 80)
UNARY_TEST(Sign, sign, x == W(0) ? x : x / std::abs(x), 3, 1e6)

TYPED_TEST(ComplexMath, Logistic) {
  using W = typename TestFixture::W;
  this->unary(
      "logistic", [](W x) { return W(1) / (W(1) + std::exp(-x)); }, 8, 40);
}
TYPED_TEST(ComplexMath, Log1p) {
  using W = typename TestFixture::W;
  // log|1 + x| by |1 + x|^2 - 1 = 2 re + re^2 + im^2, good in a wider type.
  this->unary(
      "log1p",
      [](W x) {
        auto a = x.real(), b = x.imag();
        auto re = std::abs(x) < 0.5 ? std::log1p(2 * a + a * a + b * b) / 2
                                    : std::log(std::abs(W(1) + x));
        return W(re, std::atan2(b, 1 + a));
      },
      6, 4);
}
TYPED_TEST(ComplexMath, Expm1) {
  using W = typename TestFixture::W;
  this->unary(
      "expm1",
      [](W x) {
        auto s = std::sin(x.imag() / 2);
        return W(std::expm1(x.real()) * std::cos(x.imag()) - 2 * s * s,
                 std::exp(x.real()) * std::sin(x.imag()));
      },
      6, 40);
}
TYPED_TEST(ComplexMath, Divide) {
  using W = typename TestFixture::W;
  this->binary("divide", [](W x, W y) { return x / y; }, 4);
}
TYPED_TEST(ComplexMath, Pow) {
  using W = typename TestFixture::W;
  this->binary("pow", [](W x, W y) { return std::pow(x, y); }, 60);
}

TYPED_TEST(ComplexMath, BranchCuts) {
  using C = typename TestFixture::C;
  using T = typename C::value_type;
  T pi = T(3.14159265358979323846L);
  this->expectSame(this->call("log", C(-1, T(0))), C(0, pi));
  this->expectSame(this->call("log", C(-1, -T(0))), C(0, -pi));
  this->expectSame(this->call("sqrt", C(-4, T(0))), C(0, 2));
  this->expectSame(this->call("sqrt", C(-4, -T(0))), C(0, -2));
  this->expectSame(this->call("log1p", C(-2, -T(0))), C(0, -pi));
}

TYPED_TEST(ComplexMath, OverflowAndInfinities) {
  using C = typename TestFixture::C;
  using T = typename C::value_type;
  T inf = this->inf, max = this->max, nan = this->nan;
  this->expectSame(this->call("divide", C(max, max), C(max, max)), C(1, 0));
  this->expectSame(this->call("divide", C(1, 0), C(inf, 1)), C(0, 0));
  this->expectSame(this->call("exp", C(-inf, nan)), C(0, 0));
  this->expectSame(this->call("exp", C(inf, 0)), C(inf, 0));
  this->expectSame(this->call("sqrt", C(inf, nan)), C(inf, nan));
  EXPECT_EQ(this->call("log", C(0, 0)).real(), -inf);
  EXPECT_EQ(this->call("divide", C(1, 0), C(0, 0)).real(), inf);
  // The modulus overflows, the root does not.
  C root = this->call("sqrt", C(max, max));
  EXPECT_TRUE(std::isfinite(root.real()) && std::isfinite(root.imag()));
  this->expectSame(this->call("tanh", C(inf, 1)), C(1, 0));
  this->expectSame(this->call("pow", C(0, 0), C(0, 0)), C(1, 0));
  this->expectSame(this->call("pow", C(0, 0), C(2, 0)), C(0, 0));
}

} // namespace
