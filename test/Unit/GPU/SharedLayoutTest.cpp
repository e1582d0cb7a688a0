#include "shoal/Codegen/GPU/SharedLayouts.h"
#include "shoal/Codegen/GPU/TileLayouts.h"

#include <gtest/gtest.h>

using namespace shoal;

namespace {

TEST(SharedLayouts, SwizzledRowsHaveNoConflicts) {
  for (int64_t k : {16, 32, 64, 128})
    for (bool kMinor : {true, false}) {
      llvm::SmallVector<int64_t> shape{128, k};
      llvm::SmallVector<unsigned> order{kMinor ? 1u : 0u, kMinor ? 0u : 1u};
      LinearLayout shared = swizzledSharedLayout(shape, order, 16);
      ASSERT_TRUE(shared.isInvertible());
      LinearLayout copy = coalescedLayout(shape, 8, 4, order);
      SharedAccess access = analyzeSharedAccess(copy, shared, 16);
      EXPECT_EQ(access.vector, 8);
      EXPECT_TRUE(access.conflictFree());

      LinearLayout a = mmaLayout(kMma16, MmaOperand::A, shape, 2, 2);
      auto matrices = matchMatrixAccess(a, shared, 16);
      ASSERT_TRUE(matrices) << k << kMinor;
      EXPECT_EQ(matrices->trans, !kMinor);
      EXPECT_EQ(matrices->count, 4u);
      // Each matrix: eight rows of 16 bytes in different banks.
      for (int64_t matrix = 0; matrix < 4; ++matrix) {
        unsigned banks = 0;
        for (int64_t row = 0; row < 8; ++row) {
          int64_t offset =
              matrices->address.apply({{kLane, matrix * 8 + row}})[0];
          EXPECT_EQ(offset % 8, 0);
          banks |= 1u << (offset / 8 % 8);
        }
        EXPECT_EQ(banks, 0xffu) << k << kMinor << matrix;
      }
    }
}

/// The elements that ldmatrix gives to a thread are those of the fragment.
void checkMatrixAccess(const LinearLayout &regs, const LinearLayout &shared,
                       unsigned bits) {
  auto m = matchMatrixAccess(regs, shared, bits);
  ASSERT_TRUE(m);
  int64_t packed = 32 / bits, row = 16 * 8 / bits;
  for (int64_t inst = 0; inst < 1 << m->instructionBits.size(); ++inst)
    for (int64_t warp = 0; warp < regs.inSize(kWarp); ++warp)
      for (int64_t matrix = 0; matrix < m->count; ++matrix)
        for (int64_t lane = 0; lane < 32; ++lane)
          for (int64_t p = 0; p < packed; ++p) {
            // What the hardware does.
            int64_t r = m->trans ? lane % 4 * 2 + p : lane / 4;
            int64_t c = m->trans ? lane / 4 : lane % 4 * packed + p;
            EXPECT_LT(c, row);
            int64_t offset = m->address.apply({{kRegister, inst},
                                               {kLane, matrix * 8 + r},
                                               {kWarp, warp}})[0] +
                             c;
            // What the layout wants.
            int64_t reg = 0;
            auto set = [&](auto &positions, int64_t value) {
              for (unsigned i = 0; i < positions.size(); ++i)
                reg |= (value >> i & 1) << positions[i];
            };
            set(m->packedBits, p);
            set(m->matrixBits, matrix);
            set(m->instructionBits, inst);
            EXPECT_EQ(
                shared.apply({{kOffset, offset}}),
                regs.apply({{kRegister, reg}, {kLane, lane}, {kWarp, warp}}));
          }
}

TEST(SharedLayouts, MatrixAccessLoadsTheFragment) {
  checkMatrixAccess(mmaLayout(kMma16, MmaOperand::A, {64, 32}, 2, 2),
                    swizzledSharedLayout({64, 32}, {1, 0}, 16), 16);
  checkMatrixAccess(mmaLayout(kMma16, MmaOperand::A, {64, 32}, 2, 2),
                    swizzledSharedLayout({64, 32}, {0, 1}, 16), 16);
  checkMatrixAccess(mmaLayout(kMma16, MmaOperand::B, {32, 64}, 2, 2),
                    swizzledSharedLayout({32, 64}, {1, 0}, 16), 16);
  checkMatrixAccess(mmaLayout(kMma16, MmaOperand::B, {32, 64}, 2, 2),
                    swizzledSharedLayout({32, 64}, {0, 1}, 16), 16);
  checkMatrixAccess(mmaLayout(kMmaTf32, MmaOperand::A, {64, 32}, 2, 2),
                    swizzledSharedLayout({64, 32}, {1, 0}, 32), 32);
  checkMatrixAccess(mmaLayout(kMma8, MmaOperand::B, {64, 64}, 2, 2),
                    swizzledSharedLayout({64, 64}, {0, 1}, 8), 8);
  EXPECT_FALSE(
      matchMatrixAccess(mmaLayout(kMma8, MmaOperand::B, {64, 64}, 2, 2),
                        swizzledSharedLayout({64, 64}, {1, 0}, 8), 8));
}

TEST(SharedLayouts, PlainLayoutsHaveConflicts) {
  LinearLayout shared = plainSharedLayout({64, 64}, {1, 0});
  LinearLayout columns = coalescedLayout({64, 64}, 1, 4, {0, 1});
  SharedAccess access = analyzeSharedAccess(columns, shared, 32);
  EXPECT_EQ(access.vector, 1);
  EXPECT_EQ(access.wavefronts, 32);
  EXPECT_EQ(access.idealWavefronts, 1);
}

TEST(SharedLayouts, OperandsWithoutLdmatrix) {
  struct Case {
    MmaShape mma;
    MmaOperand operand;
    llvm::SmallVector<int64_t> shape;
    llvm::SmallVector<unsigned> order;
  };
  for (const Case &c : {Case{kMmaTf32, MmaOperand::B, {32, 128}, {1, 0}},
                        Case{kMmaTf32, MmaOperand::A, {128, 32}, {0, 1}},
                        Case{kMmaF64, MmaOperand::A, {64, 16}, {1, 0}},
                        Case{kMmaF64, MmaOperand::A, {64, 16}, {0, 1}},
                        Case{kMmaF64, MmaOperand::B, {16, 64}, {1, 0}},
                        Case{kMmaF64, MmaOperand::B, {16, 64}, {0, 1}},
                        Case{kMma8, MmaOperand::B, {64, 128}, {1, 0}}}) {
    LinearLayout read = mmaLayout(c.mma, c.operand, c.shape, 2, 2);
    LinearLayout shared =
        operandSharedLayout(c.shape, c.order, c.mma.bits, read);
    ASSERT_TRUE(shared.isInvertible());
    LinearLayout copy = coalescedLayout(c.shape, 128 / c.mma.bits, 4, c.order);
    SharedAccess store = analyzeSharedAccess(copy, shared, c.mma.bits);
    SharedAccess load = analyzeSharedAccess(read, shared, c.mma.bits);
    EXPECT_EQ(store.vector, 128 / c.mma.bits);
    EXPECT_TRUE(store.conflictFree());
    EXPECT_TRUE(load.conflictFree())
        << shared.str() << read.str() << load.wavefronts;
  }
}

} // namespace
