#include "shoal/runtime/Compare.h"

#include "shoal/runtime/Random.h"
#include "shoal/runtime/Tensor.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>

using namespace shoal::rt;

namespace {

TEST(DTypes, EveryValueOfSmallFloatsSurvives) {
  for (int i = 1; i < numDTypes; ++i) {
    DType type = static_cast<DType>(i);
    if (!isFloat(type) || byteSize(type) > 2)
      continue;
    FloatFormat f = floatFormat(type);
    for (uint32_t bits = 0; bits < 1u << f.bits; ++bits) {
      uint16_t in = static_cast<uint16_t>(bits), out = 0;
      double value = toDouble(type, &in);
      fromDouble(type, value, &out);
      if (std::isnan(value))
        EXPECT_TRUE(std::isnan(toDouble(type, &out))) << name(type);
      else
        EXPECT_EQ(in, out) << name(type) << " " << value;
    }
  }
}

TEST(DTypes, KnownValues) {
  uint8_t b;
  fromDouble(DType::F8E4M3FN, 448, &b);
  EXPECT_EQ(b, 0x7e);
  fromDouble(DType::F8E5M2, 1e9, &b);
  EXPECT_EQ(b, 0x7c); // infinity
  fromDouble(DType::F8E4M3FNUZ, -0.0, &b);
  EXPECT_EQ(b, 0);
  fromDouble(DType::F4E2M1FN, 2.5, &b); // a tie goes to even
  EXPECT_EQ(toDouble(DType::F4E2M1FN, &b), 2);
  EXPECT_EQ(parseDType("complex<f64>"), DType::C128);
  EXPECT_EQ(parseDType("f31"), DType::Invalid);
}

Comparison one(float got, float want, const Tolerance &t) {
  return compare(DType::F32, &got, &want, 1, t);
}

TEST(Compare, Tolerances) {
  float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  Tolerance exact;
  EXPECT_EQ(one(1, 1, exact).mismatches, 0);
  EXPECT_EQ(one(0.0f, -0.0f, exact).mismatches, 0);
  EXPECT_EQ(one(nan, nan, exact).mismatches, 0);
  EXPECT_EQ(one(nan, 1, exact).mismatches, 1);
  Tolerance close;
  close.relative = 0.1;
  close.absolute = 0.01;
  EXPECT_EQ(one(1.1f, 1, close).mismatches, 0);
  EXPECT_EQ(one(1.2f, 1, close).mismatches, 1);
  EXPECT_EQ(one(inf, inf, close).mismatches, 0);
  EXPECT_EQ(one(inf, -inf, close).mismatches, 1);
  EXPECT_EQ(one(3e38f, inf, close).mismatches, 1);
  close.nanEqual = false;
  EXPECT_EQ(one(nan, nan, close).mismatches, 1);
}

TEST(Compare, UnitsInTheLastPlace) {
  Tolerance t;
  t.kind = Tolerance::Kind::Ulp;
  t.maxUlp = 3;
  float x = 1, y = x;
  for (int i = 0; i < 3; ++i)
    y = std::nextafterf(y, 2);
  EXPECT_EQ(one(y, x, t).mismatches, 0);
  EXPECT_EQ(one(std::nextafterf(y, 2), x, t).mismatches, 1);
  t.minUlp = 1;
  EXPECT_EQ(one(x, x, t).mismatches, 1);
  // Across zero, by way of the subnormals.
  float tiny = std::numeric_limits<float>::denorm_min();
  t.minUlp = 0;
  EXPECT_EQ(one(tiny, -tiny, t).mismatches, 0);
  EXPECT_EQ(ulpDistance(DType::F32, &tiny, &y) > 1000, true);
  // What is not finite is furthest from everything else.
  float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(one(inf, 3e38f, t).mismatches, 1);
  t.minUlp = t.maxUlp = std::numeric_limits<uint64_t>::max();
  for (auto [a, b] : {std::pair(nan, 1.0f),
                      {1.0f, nan},
                      {inf, 3e38f},
                      {-inf, inf},
                      {nan, inf}})
    EXPECT_EQ(one(a, b, t).mismatches, 0);
  for (auto [a, b] : {std::pair(nan, nan), {inf, inf}, {1.0f, 2.0f}})
    EXPECT_EQ(one(a, b, t).mismatches, 1);
  // A complex number is as far off as its worse part.
  float complex[] = {1, y}, other[] = {1, x};
  t.minUlp = t.maxUlp = 3;
  EXPECT_EQ(compare(DType::C64, complex, other, 1, t).mismatches, 0);
}

TEST(Compare, IntegersExactlyWhateverTheTolerance) {
  int32_t a = 5, b = 6;
  Tolerance t;
  t.absolute = 100;
  Comparison c = compare(DType::I32, &a, &b, 1, t);
  EXPECT_EQ(c.mismatches, 1);
  EXPECT_EQ(
      describe(c, DType::I32, &a, &b, {}),
      "first mismatch at []: got 5, want 6; largest error 1 at []; 1 of 1 "
      "elements differ");
}

TEST(Random, IsDeterministic) {
  auto make = [](uint64_t seed, DType type) {
    HostTensor t{type, {64}, AlignedBuffer(64 * byteSize(type))};
    fillRandom(t, seed, 0);
    return std::string(reinterpret_cast<char *>(t.data()), t.buffer.size());
  };
  EXPECT_EQ(make(1, DType::F32), make(1, DType::F32));
  EXPECT_NE(make(1, DType::F32), make(2, DType::F32));
  std::string ints = make(3, DType::I32);
  for (int i = 0; i < 64; ++i) {
    int64_t v = toInt64(DType::I32, ints.data() + 4 * i);
    EXPECT_TRUE(v >= 0 && v < 8);
  }
}

} // namespace
