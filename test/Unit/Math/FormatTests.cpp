// Narrow float formats: every code against ml_dtypes, and rounding against a
// search for the nearest value.
#include "JitLibrary.h"

#include "gtest/gtest.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace {

struct Golden {
  std::string name;
  std::vector<uint32_t> values;   // float bits of each code
  std::vector<uint32_t> overflow; // of inf, -inf, 3e38, -3e38
};
const Golden goldens[] = {
#include "FormatGolden.inc"
};

bool same(float a, float b) {
  return std::isnan(a)
             ? std::isnan(b)
             : std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

class Formats : public testing::TestWithParam<Golden> {
protected:
  std::string function(const char *verb) const {
    return std::string("shoal_") + verb + "_f" + GetParam().name;
  }
};

TEST_P(Formats, DecodesAndEncodesEveryCode) {
  auto *decode = math<float(uint8_t)>(function("decode").c_str());
  auto *encode = math<uint8_t(float)>(function("encode").c_str());
  const std::vector<uint32_t> &values = GetParam().values;
  for (size_t code = 0; code < values.size(); ++code) {
    float want = std::bit_cast<float>(values[code]);
    EXPECT_TRUE(same(decode(uint8_t(code)), want)) << code << ": " << want;
    if (!std::isnan(want))
      EXPECT_EQ(encode(want), code) << want;
    else
      EXPECT_TRUE(std::isnan(decode(encode(want)))) << code;
  }
}

TEST_P(Formats, RoundsToNearestEven) {
  auto *round = math<float(float)>(function("round").c_str());
  std::vector<float> finite;
  for (uint32_t bits : GetParam().values)
    if (std::isfinite(std::bit_cast<float>(bits)) &&
        std::bit_cast<float>(bits) >= 0 && !(bits >> 31))
      finite.push_back(std::bit_cast<float>(bits));
  bool isScale = GetParam().name == "8E8M0FNU";
  auto check = [&](float x) {
    if (std::isnan(x))
      return;
    auto above = std::lower_bound(finite.begin(), finite.end(), x);
    if (above == finite.end() || x < finite.front())
      return; // overflow is tested below
    float want = *above;
    if (above != finite.begin()) {
      double low = above[-1], high = above[0];
      double toLow = x - low, toHigh = high - x;
      // Codes rise with values: the even one of two neighbours is the one at
      // an even place.
      bool even = (above - finite.begin()) % 2 == 0;
      if (toLow < toHigh || (toLow == toHigh && !even && !isScale))
        want = float(low);
    }
    EXPECT_TRUE(same(round(x), want))
        << x << ": " << round(x) << " not " << want;
    bool hasMinusZero = GetParam().name.find("UZ") == std::string::npos;
    if (!isScale) {
      float minus = want == 0 && !hasMinusZero ? 0.0f : -want;
      EXPECT_TRUE(same(round(-x), minus)) << -x;
    }
  };
  for (size_t i = 0; i + 1 < finite.size(); ++i) {
    float middle = (double(finite[i]) + finite[i + 1]) / 2;
    for (float x : {finite[i], middle, std::nextafter(middle, 0.0f),
                    std::nextafter(middle, INFINITY)})
      check(x);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i)
    check(std::abs(std::bit_cast<float>(uint32_t(random()) & 0x7fffffff)));
}

TEST_P(Formats, Overflows) {
  auto *round = math<float(float)>(function("round").c_str());
  const float inputs[] = {INFINITY, -INFINITY, 3e38f, -3e38f};
  for (int i = 0; i < 4; ++i)
    EXPECT_TRUE(
        same(round(inputs[i]), std::bit_cast<float>(GetParam().overflow[i])))
        << inputs[i] << ": " << round(inputs[i]);
}

INSTANTIATE_TEST_SUITE_P(All, Formats, testing::ValuesIn(goldens),
                         [](const auto &info) { return info.param.name; });

TEST(RoundToOdd, RoundsOnceThroughFloat) {
  auto *toOdd = math<float(double)>("shoal_toodd_f64");
  auto *toBF16 = math<float(float)>("shoal_round_bf16");
  // A tie of bf16 but for a bit that float does not hold.
  EXPECT_EQ(toBF16(toOdd(1 + 0x1p-8 + 0x1p-40)), 1 + 0x1p-7f);
  EXPECT_EQ(toBF16(toOdd(1 + 0x1p-8 - 0x1p-40)), 1.0f);
  EXPECT_EQ(toBF16(toOdd(1 + 0x1p-8)), 1.0f);
  EXPECT_EQ(toBF16(toOdd(-1e300)), -INFINITY);
  auto *fromInt = math<float(int64_t)>("shoal_toodd_i64");
  int64_t tie = (int64_t(1) << 60) + (int64_t(1) << 52);
  EXPECT_EQ(toBF16(fromInt(tie)), 0x1p60f);
  EXPECT_EQ(toBF16(fromInt(tie + 1)), 0x1.02p60f);
  EXPECT_EQ(toBF16(fromInt(-tie - 1)), -0x1.02p60f);
}

TEST(BFloat16, KeepsSubnormals) {
  auto *round = math<float(float)>("shoal_round_bf16");
  EXPECT_EQ(round(0x1p-133f), 0x1p-133f);
  EXPECT_EQ(round(0x1p-134f), 0.0f);
  EXPECT_EQ(round(0x1.8p-134f), 0x1p-133f);
  EXPECT_TRUE(std::isnan(round(std::bit_cast<float>(0x7f800001u))));
}

TEST(ReducePrecision, AsHalf) {
  auto *reduceAs = math<float(float, int, int, int, int)>(
      "shoal_reduce_precision_f32");
  auto reduce = [&](float x, int e, int m) { return reduceAs(x, e, m, 8, 23); };
  EXPECT_EQ(reduce(65519, 5, 10), 65504);
  EXPECT_EQ(reduce(65520, 5, 10), INFINITY);
  EXPECT_EQ(reduce(-6e-5f, 5, 10), 0);
  EXPECT_EQ(reduce(1 + 0x1p-11f, 5, 10), 1);
  EXPECT_EQ(reduce(1 + 0x1.8p-11f, 5, 10), 1 + 0x1p-10f);
  EXPECT_EQ(reduce(1e-40f, 8, 23), 1e-40f);
  // A subnormal of f16 is rounded where its bits are.
  EXPECT_EQ(reduceAs(0x1p-24f, 5, 10, 5, 10), 0x1p-24f);
  EXPECT_EQ(reduceAs(0x1.4p-22f, 8, 7, 5, 10), 0x1p-21f);
  EXPECT_TRUE(std::isnan(reduce(NAN, 5, 2)));
}

} // namespace
