#include "shoal/Codegen/GPU/SharedLayouts.h"
#include "shoal/Codegen/GPU/TileLayouts.h"

#include <gtest/gtest.h>

#include <random>

using namespace shoal;
using Kind = ConversionPlan::Kind;

namespace {

/// Executes a plan that stays within a warp and compares with the result's
/// layout; elements are flattened tensor indices.
void runPlan(const ConversionPlan &plan, const LinearLayout &src,
             const LinearLayout &dst) {
  using Registers = std::vector<std::vector<uint64_t>>; // [lane][register]
  auto fill = [](const LinearLayout &layout, int64_t warp) {
    LinearLayout flat = layout.flattenOuts("i");
    Registers regs(32);
    for (int64_t lane = 0; lane < 32; ++lane)
      for (int64_t r = 0; r < layout.inSize(kRegister); ++r)
        regs[lane].push_back(
            flat.apply({{kRegister, r}, {kLane, lane}, {kWarp, warp}})[0]);
    return regs;
  };
  for (int64_t warp = 0; warp < src.inSize(kWarp); ++warp) {
    Registers from = fill(src, warp), want = fill(dst, warp), got(32);
    if (plan.kind == Kind::None)
      got = from;
    if (plan.kind == Kind::Registers)
      for (int64_t lane = 0; lane < 32; ++lane)
        for (unsigned source : plan.sources)
          got[lane].push_back(from[lane][source]);
    if (plan.kind == Kind::Shuffle) {
      size_t n = plan.sendOrder.size();
      Registers a(32, std::vector<uint64_t>(n)), t = a;
      auto permute = [&](Registers &regs, const unsigned *xors) {
        for (int64_t lane = 0; lane < 32; ++lane)
          for (unsigned b = 0; b < 5; ++b)
            if (xors[b] && (lane >> b & 1)) {
              auto old = regs[lane];
              for (size_t i = 0; i < n; ++i)
                regs[lane][i] = old[i ^ xors[b]];
            }
      };
      for (int64_t lane = 0; lane < 32; ++lane)
        for (size_t i = 0; i < n; ++i)
          a[lane][i] = from[lane][plan.sendOrder[i]];
      permute(a, plan.sendXor);
      for (unsigned lane = 0; lane < 32; ++lane) {
        unsigned source = 0;
        for (unsigned b = 0; b < 5; ++b)
          if (lane >> b & 1)
            source ^= plan.laneFrom[b];
        for (size_t i = 0; i < n; ++i) {
          unsigned s = source ^ plan.roundLane[i];
          EXPECT_TRUE(plan.lanesMove || s == lane);
          t[lane][i] = a[s][plan.sendRegister[i]];
        }
      }
      permute(t, plan.receiveXor);
      for (int64_t lane = 0; lane < 32; ++lane)
        for (unsigned i : plan.receiveOrder)
          got[lane].push_back(t[lane][i]);
    }
    ASSERT_EQ(got, want);
  }
}

TEST(ConversionPlan, KindsOfCommonConversions) {
  auto kind = [](const LinearLayout &a, const LinearLayout &b, unsigned bits) {
    auto plan = planConversion(a, b, bits);
    EXPECT_TRUE(plan);
    if (!plan)
      return Kind::Shared;
    if (plan->kind != Kind::Shared)
      runPlan(*plan, a, b);
    return plan->kind;
  };
  LinearLayout rows = coalescedLayout({64, 64}, 4, 4, {1, 0});
  EXPECT_EQ(kind(rows, rows, 32), Kind::None);
  EXPECT_EQ(kind(rows, rows.selectInBits(kRegister, {1, 0, 2, 3, 4}), 32),
            Kind::Registers);
  EXPECT_EQ(kind(rows, rows.resizeIn(kRegister, 64), 32), Kind::Registers);
  EXPECT_EQ(kind(rows, coalescedLayout({64, 64}, 4, 4, {0, 1}), 32),
            Kind::Shared);
  // Attention: the accumulator of Q·K as an operand of P·V stays in place.
  LinearLayout c = mmaLayout(kMma16, MmaOperand::C, {64, 64}, 4, 1);
  LinearLayout a = mmaLayout(kMma16, MmaOperand::A, {64, 64}, 4, 1);
  EXPECT_EQ(kind(c, a, 16), Kind::None);
  // 8-bit operands need more.
  EXPECT_GE(kind(c, mmaLayout(kMma8, MmaOperand::A, {64, 64}, 4, 1), 8),
            Kind::Shuffle);
  // The tensor's minor dimension moves from lanes to registers and back.
  EXPECT_EQ(kind(coalescedLayout({32, 4}, 1, 1, {1, 0}),
                 coalescedLayout({32, 4}, 4, 1, {1, 0}), 32),
            Kind::Shuffle);
  // A row's statistics, held by many lanes, to another order of registers.
  LinearLayout slice = sliceLayout(c, 1);
  EXPECT_EQ(kind(slice, sliceLayout(a, 1), 32), Kind::None);
}

TEST(ConversionPlan, RandomLayouts) {
  std::mt19937 random(1);
  unsigned shuffles = 0, shared = 0, conflicts = 0;
  for (int round = 0; round < 400; ++round) {
    unsigned registers = 1 + random() % 4, warps = random() % 3;
    // A random basis of the tensor, dealt to registers and lanes; sometimes
    // with copies.
    unsigned total = registers + 5 + warps;
    auto deal = [&](unsigned copies) {
      std::vector<uint64_t> basis;
      for (unsigned i = 0; i < registers + 5; ++i)
        basis.push_back(uint64_t(1) << i);
      for (int i = 0; i < 40; ++i) {
        unsigned x = random() % basis.size(), y = random() % basis.size();
        if (x != y && random() % 3 == 0)
          basis[x] ^= basis[y];
      }
      for (unsigned i = 0; i < copies; ++i)
        basis.push_back(random() % 2 ? 0 : basis[random() % basis.size()]);
      std::shuffle(basis.begin(), basis.end(), random);
      LinearLayout::Bases bases{
          {"register", {}}, {"lane", {}}, {"warp", {}}, {"block", {}}};
      for (size_t i = 0; i < basis.size(); ++i)
        bases[i < 5 ? 1 : 0].second.push_back({int64_t(basis[i])});
      for (unsigned i = 0; i < warps; ++i)
        bases[2].second.push_back({int64_t(1) << (registers + 5 + i)});
      return *LinearLayout::create(bases, {{"dim0", int64_t(1) << total}});
    };
    LinearLayout a = deal(random() % 3), b = deal(random() % 3);
    auto plan = planConversion(a, b, 32);
    ASSERT_TRUE(plan);
    if (plan->kind == Kind::Shared) {
      EXPECT_TRUE(plan->shared.isInvertible());
      ++shared;
      // A copy of a vector's element in a lane can break the vector up.
      conflicts += !plan->store.conflictFree() || !plan->load.conflictFree();
    } else {
      shuffles += plan->kind == Kind::Shuffle;
      runPlan(*plan, a, b);
    }
  }
  EXPECT_GT(shuffles, 50u);
  EXPECT_LT(conflicts * 5, shared);
}

} // namespace
