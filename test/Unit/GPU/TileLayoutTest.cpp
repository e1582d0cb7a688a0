#include "shoal/Codegen/GPU/TileLayouts.h"

#include <gtest/gtest.h>

using namespace shoal;
using Shape = llvm::SmallVector<int64_t>;

namespace {

Shape at(const LinearLayout &layout, int64_t reg, int64_t lane,
         int64_t warp = 0) {
  return layout.apply({{kRegister, reg}, {kLane, lane}, {kWarp, warp}});
}

TEST(TileLayouts, Blocked) {
  LinearLayout layout = blockedLayout({64, 32}, {1, 4}, {4, 8}, {4, 1}, {1, 0});
  EXPECT_EQ(layout.outShape(), (Shape{64, 32}));
  EXPECT_EQ(layout.inSize(kRegister), 16);
  EXPECT_EQ(at(layout, 3, 0), (Shape{0, 3}));
  EXPECT_EQ(at(layout, 0, 9), (Shape{1, 4}));
  EXPECT_EQ(at(layout, 0, 0, 1), (Shape{4, 0}));
  EXPECT_EQ(at(layout, 4, 0), (Shape{16, 0}));
  EXPECT_TRUE(layout.isInvertible());
  EXPECT_EQ(vectorWidth(layout, 1, 16), 4);
  EXPECT_EQ(vectorWidth(layout, 0, 16), 1);
}

TEST(TileLayouts, CoalescedCutsAndRepeats) {
  LinearLayout small = coalescedLayout({2, 8}, 4, 4, {1, 0});
  EXPECT_EQ(small.outShape(), (Shape{2, 8}));
  EXPECT_TRUE(small.isSurjective());
  EXPECT_EQ(small.inSize(kLane), 32);
  EXPECT_EQ(small.inSize(kWarp), 4);
  EXPECT_EQ(small.inSize(kRegister), 4);

  LinearLayout big = coalescedLayout({128, 256}, 8, 4, {1, 0});
  EXPECT_TRUE(big.isInvertible());
  EXPECT_EQ(at(big, 0, 31), (Shape{0, 248}));
  EXPECT_EQ(vectorWidth(big, 1, 16), 8);

  LinearLayout scalar = coalescedLayout({}, 4, 4, {});
  EXPECT_EQ(scalar.inSize(kLane), 32);
  EXPECT_EQ(scalar.outs().size(), 0u);
}

TEST(TileLayouts, SliceExpandTranspose) {
  LinearLayout layout = coalescedLayout({16, 64, 4}, 2, 4, {1, 2, 0});
  LinearLayout slice = sliceLayout(layout, 1);
  EXPECT_EQ(slice.outShape(), (Shape{16, 4}));
  EXPECT_EQ(expandDimsLayout(slice, 1).outShape(), (Shape{16, 1, 4}));
  LinearLayout transposed = transposeLayout(layout, {2, 0, 1});
  for (int64_t r = 0; r < layout.inSize(kRegister); ++r) {
    Shape a = at(layout, r, 7, 3), b = at(transposed, r, 7, 3);
    EXPECT_EQ(b, (Shape{a[2], a[0], a[1]}));
  }
  EXPECT_EQ(reshapeLayout(layout, {1024, 4}).outShape(), (Shape{1024, 4}));
}

/// The PTX manual's fragments of m16n8k16 for 16-bit types.
TEST(TileLayouts, Mma16) {
  LinearLayout a = mmaFragment(kMma16, MmaOperand::A);
  LinearLayout b = mmaFragment(kMma16, MmaOperand::B);
  LinearLayout c = mmaFragment(kMma16, MmaOperand::C);
  EXPECT_EQ(a.outShape(), (Shape{16, 16}));
  EXPECT_EQ(b.outShape(), (Shape{16, 8}));
  EXPECT_EQ(c.outShape(), (Shape{16, 8}));
  for (int64_t lane = 0; lane < 32; ++lane) {
    int64_t group = lane >> 2, thread = lane & 3;
    for (int64_t i = 0; i < 8; ++i) {
      int64_t row = group + ((i & 2) ? 8 : 0);
      int64_t column = thread * 2 + (i & 1) + (i >= 4 ? 8 : 0);
      EXPECT_EQ(at(a, i, lane), (Shape{row, column}));
    }
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_EQ(at(b, i, lane),
                (Shape{thread * 2 + (i & 1) + (i >= 2 ? 8 : 0), group}));
      EXPECT_EQ(at(c, i, lane),
                (Shape{group + (i >= 2 ? 8 : 0), thread * 2 + (i & 1)}));
    }
  }
}

TEST(TileLayouts, MmaOthers) {
  // tf32: a0 (g, t), a1 (g + 8, t), a2 (g, t + 4), a3 (g + 8, t + 4).
  LinearLayout a = mmaFragment(kMmaTf32, MmaOperand::A);
  EXPECT_EQ(a.outShape(), (Shape{16, 8}));
  EXPECT_EQ(at(a, 1, 5), (Shape{9, 1}));
  EXPECT_EQ(at(a, 2, 5), (Shape{1, 5}));
  EXPECT_EQ(at(mmaFragment(kMmaTf32, MmaOperand::B), 1, 6), (Shape{6, 1}));
  // 8 bits: a4..a7 are row g + 8, a8.. column + 16.
  LinearLayout a8 = mmaFragment(kMma8, MmaOperand::A);
  EXPECT_EQ(a8.outShape(), (Shape{16, 32}));
  EXPECT_EQ(at(a8, 5, 6), (Shape{9, 9}));
  EXPECT_EQ(at(a8, 8, 6), (Shape{1, 24}));
  EXPECT_EQ(at(mmaFragment(kMma8, MmaOperand::B), 5, 6), (Shape{25, 1}));
  // f64: one element of A and B, two of C.
  EXPECT_EQ(at(mmaFragment(kMmaF64, MmaOperand::A), 0, 6), (Shape{1, 2}));
  EXPECT_EQ(at(mmaFragment(kMmaF64, MmaOperand::B), 0, 6), (Shape{2, 1}));
  EXPECT_EQ(at(mmaFragment(kMmaF64, MmaOperand::C), 1, 6), (Shape{1, 5}));
}

TEST(TileLayouts, MmaTile) {
  LinearLayout a = mmaLayout(kMma16, MmaOperand::A, {128, 32}, 2, 4);
  LinearLayout b = mmaLayout(kMma16, MmaOperand::B, {32, 128}, 2, 4);
  LinearLayout c = mmaLayout(kMma16, MmaOperand::C, {128, 128}, 2, 4);
  EXPECT_TRUE(a.isSurjective());
  EXPECT_TRUE(b.isSurjective());
  EXPECT_TRUE(c.isInvertible());
  EXPECT_EQ(a.inSize(kWarp), 8);
  EXPECT_EQ(a.inSize(kRegister), 8 * 2 * 4);
  EXPECT_EQ(b.inSize(kRegister), 4 * 2 * 4);
  EXPECT_EQ(c.inSize(kRegister), 4 * 4 * 4);
  // Warp m fastest: warp 1 is the next 16 rows, warp 2 the next 8 columns.
  EXPECT_EQ(at(c, 0, 0, 1), (Shape{16, 0}));
  EXPECT_EQ(at(c, 0, 0, 2), (Shape{0, 8}));
  EXPECT_EQ(at(a, 0, 0, 2), (Shape{0, 0}));
  EXPECT_EQ(at(a, 8, 0), (Shape{0, 16}));
  EXPECT_EQ(at(a, 16, 0), (Shape{32, 0}));
  // A tile too small for its warps: they share it.
  EXPECT_TRUE(mmaLayout(kMma16, MmaOperand::C, {16, 16}, 2, 4).isSurjective());
}

} // namespace
