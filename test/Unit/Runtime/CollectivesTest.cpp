// Every collective on 8 members against a direct formulation, for all element
// types and reductions.
#include "core/CollectiveMoves.h"
#include "host/Collectives.h"
#include "host/Reduce.h"

#include "shoal/runtime/DType.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace shoal;
using namespace shoal::rt;
using Kind = program::CollectiveKind;
using program::Reduction;

namespace {

constexpr int64_t p = 8;

struct Group {
  std::vector<std::vector<std::byte>> in, out;
  CollectiveCall call;
  std::vector<MemberBuffers> members;

  Group(Kind kind, DType type, int64_t inCount, int64_t outCount,
        std::vector<int64_t> params, Reduction reduction = Reduction::None) {
    int64_t size = byteSize(type);
    call = {kind,
            reduction,
            std::move(params),
            {{type, inCount * size, outCount * size}}};
    std::mt19937 random(static_cast<unsigned>(inCount * 31 + outCount));
    for (int64_t m = 0; m < p; ++m) {
      in.emplace_back(static_cast<size_t>(inCount * size));
      out.emplace_back(static_cast<size_t>(outCount * size), std::byte{0x55});
      for (int64_t i = 0; i < inCount; ++i) {
        // Small integers: sums are exact in nearly all formats.
        double v = static_cast<double>(random() % 4);
        fromDouble(type, type == DType::F8E8M0FNU ? 1 : v,
                   in.back().data() + i * size);
      }
      members.push_back({{in.back().data()}, {out.back().data()}});
    }
    EXPECT_EQ(checkCall(call, p), "");
    executeCollective(call, members);
    checkMoves();
  }
  /// The strided copies that stand for the collective do the same.
  void checkMoves() {
    if (call.reduction != Reduction::None || call.kind == Kind::RaggedAllToAll)
      return;
    for (int64_t m = 0; m < p; ++m) {
      std::vector<std::byte> made(out[m].size(), std::byte{0x55});
      Moves all = movesTo(call, p, m, 0);
      for (const Move &v : all.moves)
        for (int64_t q = 0; q < v.planes; ++q)
          for (int64_t r = 0; r < v.rows; ++r)
            std::memcpy(made.data() + v.target.offset + q * v.target.plane +
                            r * v.target.pitch,
                        in[v.from].data() + v.source.offset +
                            q * v.source.plane + r * v.source.pitch,
                        static_cast<size_t>(v.bytes));
      for (const FillRows &f : all.fills)
        for (int64_t r = 0; r < f.rows; ++r)
          for (int64_t x = 0; x < f.bytes; ++x)
            made[f.target.offset + r * f.target.pitch + x] =
                call.kind == Kind::Reblock
                    ? reinterpret_cast<const std::byte *>(
                          &call.params[9])[x % call.params[8]]
                    : std::byte{0};
      ASSERT_EQ(made, out[m]) << describe(call) << " to " << m;
    }
  }
  const std::byte *at(const std::vector<std::byte> &v, int64_t i) const {
    return v.data() + i * byteSize(call.buffers[0].type);
  }
};

std::vector<DType> allTypes() {
  std::vector<DType> types;
  for (int i = 1; i < numDTypes; ++i)
    types.push_back(static_cast<DType>(i));
  return types;
}

bool same(DType type, const std::byte *a, const std::byte *b) {
  return std::memcmp(a, b, static_cast<size_t>(byteSize(type))) == 0;
}

TEST(Collectives, AllGatherDropsPadding) {
  for (DType type : allTypes()) {
    int64_t s = byteSize(type);
    // 3 rows; blocks of 4, 30 of 32 kept.
    Group g(Kind::AllGather, type, 3 * 4, 3 * 30, {3, 4 * s, 30 * s});
    for (int64_t m = 0; m < p; ++m)
      for (int64_t o = 0; o < 3; ++o)
        for (int64_t i = 0; i < 30; ++i)
          ASSERT_TRUE(same(type, g.at(g.out[m], o * 30 + i),
                           g.at(g.in[i / 4], o * 4 + i % 4)));
    EXPECT_EQ(bytesSent(g.call, p, 0), 7.0 * 12 * static_cast<double>(s));
  }
}

double foldOf(Reduction r, double a, double b) {
  switch (r) {
  case Reduction::Mul:
    return a * b;
  case Reduction::Min:
    return std::min(a, b);
  case Reduction::Max:
    return std::max(a, b);
  case Reduction::And:
    return static_cast<double>(static_cast<int64_t>(a) &
                               static_cast<int64_t>(b));
  case Reduction::Or:
    return static_cast<double>(static_cast<int64_t>(a) |
                               static_cast<int64_t>(b));
  case Reduction::Xor:
    return static_cast<double>(static_cast<int64_t>(a) ^
                               static_cast<int64_t>(b));
  default:
    return a + b;
  }
}

/// What folding the members' elements gives, in the element type.
double expected(const Group &g, DType type, Reduction r, int64_t index) {
  double value = toDouble(type, g.at(g.in[0], index));
  for (int64_t m = 1; m < p; ++m)
    value = foldOf(r, value, toDouble(type, g.at(g.in[m], index)));
  if (type == DType::I1)
    return r == Reduction::Xor ? value : value != 0;
  std::byte element[16] = {};
  int bits = type == DType::I2 || type == DType::UI2   ? 2
             : type == DType::I4 || type == DType::UI4 ? 4
                                                       : 0;
  if (bits) {
    int64_t low = static_cast<int64_t>(value) & ((1 << bits) - 1);
    if (isSignedInt(type) && low >> (bits - 1))
      low -= 1 << bits;
    return static_cast<double>(low);
  }
  fromDouble(type, value, element);
  return toDouble(type, element);
}

TEST(Collectives, AllReduceAndReduceScatter) {
  for (DType type : allTypes())
    for (int r = 1; r <= static_cast<int>(Reduction::Last); ++r) {
      Reduction reduction = static_cast<Reduction>(r);
      if (!canReduce(type, reduction)) {
        EXPECT_FALSE(isInteger(type));
        continue;
      }
      int64_t s = byteSize(type);
      Group all(Kind::AllReduce, type, 5000, 5000, {}, reduction);
      for (int64_t m = 0; m < p; ++m)
        for (int64_t i = 0; i < 5000; i += 7)
          ASSERT_EQ(toDouble(type, all.at(all.out[m], i)),
                    expected(all, type, reduction, i))
              << name(type) << " " << r << " at " << i;
      // 2 rows of 30, blocks of 4: the last has 2 elements of padding.
      Group scatter(Kind::ReduceScatter, type, 60, 8, {2, 30 * s, 4 * s},
                    reduction);
      for (int64_t m = 0; m < p; ++m)
        for (int64_t o = 0; o < 2; ++o)
          for (int64_t i = 0; i < 4 && m * 4 + i < 30; ++i)
            ASSERT_EQ(toDouble(type, scatter.at(scatter.out[m], o * 4 + i)),
                      expected(scatter, type, reduction, o * 30 + m * 4 + i));
    }
}

TEST(Collectives, AllReduceInPlace) {
  std::vector<std::vector<float>> data(p, std::vector<float>(10000));
  std::vector<MemberBuffers> members;
  for (int64_t m = 0; m < p; ++m) {
    for (size_t i = 0; i < data[m].size(); ++i)
      data[m][i] = static_cast<float>(m + 1);
    auto *bytes = reinterpret_cast<std::byte *>(data[m].data());
    members.push_back({{bytes}, {bytes}});
  }
  CollectiveCall call{
      Kind::AllReduce, Reduction::Add, {}, {{DType::F32, 40000, 40000}}};
  executeCollective(call, members);
  for (auto &d : data)
    for (float v : d)
      ASSERT_EQ(v, 36);
  EXPECT_EQ(bytesSent(call, p, 3), 2 * 7.0 / 8 * 40000);
}

TEST(Collectives, SmallFloatsAreSummedInF32) {
  // 256 + 1 + 1 … rounds every 1 away in bf16, but not in f32.
  std::vector<uint16_t> in(p), out(p);
  std::vector<MemberBuffers> members;
  for (int64_t m = 0; m < p; ++m) {
    fromDouble(DType::BF16, m == 0 ? 256 : 1, &in[m]);
    members.push_back({{reinterpret_cast<std::byte *>(&in[m])},
                       {reinterpret_cast<std::byte *>(&out[m])}});
  }
  executeCollective(
      {Kind::AllReduce, Reduction::Add, {}, {{DType::BF16, 2, 2}}}, members);
  EXPECT_EQ(toDouble(DType::BF16, &out[0]), 264); // 263 rounds to 264
}

TEST(Collectives, AllToAll) {
  // [6, 16] cut along 1, joined along 0: [48, 2].
  for (DType type : allTypes()) {
    int64_t s = byteSize(type);
    Group g(Kind::AllToAll, type, 96, 96,
            {6, 16 * s, 2 * s, 1, 96 * s, 12 * s});
    for (int64_t m = 0; m < p; ++m)
      for (int64_t row = 0; row < 48; ++row)
        for (int64_t c = 0; c < 2; ++c)
          ASSERT_TRUE(same(type, g.at(g.out[m], row * 2 + c),
                           g.at(g.in[row / 6], row % 6 * 16 + m * 2 + c)));
    EXPECT_EQ(bytesSent(g.call, p, 0), 7.0 / 8 * 96 * static_cast<double>(s));
  }
}

TEST(Collectives, AllToAllWithPadding) {
  // [2, 15] in blocks of 2 along 1 (the last half padding), joined along 0 to
  // 13 of 16 rows.
  Group g(Kind::AllToAll, DType::I32, 30, 26, {2, 60, 8, 1, 104, 16});
  for (int64_t m = 0; m < p; ++m)
    for (int64_t row = 0; row < 13; ++row)
      for (int64_t c = 0; c < 2 && m * 2 + c < 15; ++c)
        ASSERT_TRUE(same(DType::I32, g.at(g.out[m], row * 2 + c),
                         g.at(g.in[row / 2], row % 2 * 15 + m * 2 + c)));
}

TEST(Collectives, PermuteBroadcast) {
  Group g(Kind::Permute, DType::F32, 10, 10, {2, 0, 1, 3, 0});
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_TRUE(same(DType::F32, g.at(g.out[1], i), g.at(g.in[0], i)));
    EXPECT_TRUE(same(DType::F32, g.at(g.out[0], i), g.at(g.in[3], i)));
    EXPECT_EQ(toDouble(DType::F32, g.at(g.out[2], i)), 0);
  }
  EXPECT_EQ(bytesSent(g.call, p, 0), 40);
  EXPECT_EQ(bytesSent(g.call, p, 1), 0);
  Group b(Kind::Broadcast, DType::I64, 10, 10, {5});
  for (int64_t m = 0; m < p; ++m)
    EXPECT_EQ(b.out[m], b.in[5]);
}

TEST(Collectives, Reblock) {
  // 30 rows in blocks of 4; windows [m*4 - 1, m*4 + 6) filled with 9: a halo.
  int32_t nine = 9;
  Group g(Kind::Reblock, DType::I32, 2 * 4, 2 * 7,
          {2, 4, 4, 7, 30, -1, 4, 0, 4, nine, 0});
  for (int64_t m = 0; m < p; ++m)
    for (int64_t o = 0; o < 2; ++o)
      for (int64_t r = 0; r < 7; ++r) {
        int64_t row = m * 4 - 1 + r;
        int64_t want =
            row < 0 || row >= 30
                ? 9
                : toInt64(DType::I32, g.at(g.in[row / 4], o * 4 + row % 4));
        ASSERT_EQ(toInt64(DType::I32, g.at(g.out[m], o * 7 + r)), want);
      }
  // With wrap it is a rotation.
  Group w(Kind::Reblock, DType::I32, 4, 4, {1, 4, 4, 4, 32, 5, 4, 1, 0, 0, 0});
  for (int64_t m = 0; m < p; ++m)
    for (int64_t r = 0; r < 4; ++r) {
      int64_t row = (m * 4 + 5 + r) % 32;
      ASSERT_TRUE(
          same(DType::I32, w.at(w.out[m], r), w.at(w.in[row / 4], row % 4)));
    }
}

TEST(Collectives, WrongCallsAreRefused) {
  CollectiveCall call{
      Kind::AllGather, Reduction::None, {1, 4, 64}, {{DType::F32, 4, 64}}};
  EXPECT_NE(checkCall(call, p), ""); // 64 > 8 * 4
  call.params = {1, 4, 32};
  call.buffers[0].outBytes = 32;
  EXPECT_EQ(checkCall(call, p), "");
  call = {Kind::Broadcast, Reduction::None, {8}, {{DType::F32, 4, 4}}};
  EXPECT_NE(checkCall(call, p), "");
  call = {Kind::AllReduce, Reduction::Xor, {}, {{DType::F32, 4, 4}}};
  EXPECT_NE(checkCall(call, p), "");
  call = {
      Kind::Permute, Reduction::None, {2, 0, 1, 2, 1}, {{DType::F32, 4, 4}}};
  EXPECT_NE(checkCall(call, p), "");
}

} // namespace
