#include "shoal/Codegen/GPU/LinearLayout.h"

#include <gtest/gtest.h>

using namespace shoal;
using Shape = llvm::SmallVector<int64_t>;

namespace {

LinearLayout parse(llvm::StringRef text) {
  std::string error;
  auto layout = LinearLayout::parse(text, &error);
  EXPECT_TRUE(layout) << error;
  return layout.value_or(LinearLayout());
}

TEST(LinearLayout, OneDimensional) {
  LinearLayout id = LinearLayout::identity1D(8, "lane", "dim0");
  LinearLayout strided = LinearLayout::strided1D(4, 2, "lane", "dim0");
  LinearLayout zeros = LinearLayout::zeros1D(4, "lane", "dim0", 8);
  for (int64_t i = 0; i < 8; ++i)
    EXPECT_EQ(id.apply({{"lane", i}}), Shape{i});
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(strided.apply({{"lane", i}}), Shape{2 * i});
    EXPECT_EQ(zeros.apply({{"lane", i}}), Shape{0});
  }
  EXPECT_EQ(strided.outSize("dim0"), 8);
  EXPECT_FALSE(strided.isSurjective());
  EXPECT_TRUE(strided.isInjective());
  EXPECT_TRUE(zeros.isZero());
}

TEST(LinearLayout, TextRoundTrip) {
  llvm::StringRef text = "{register = [[0, 1], [4, 0]], lane = [[0, 2], [1, 3]"
                         "], warp = []} -> {dim0 = 8, dim1 = 4}";
  EXPECT_EQ(parse(text).str(), text);
  EXPECT_EQ(parse("{} -> {}").str(), "{} -> {}");
  std::string error;
  for (llvm::StringRef bad :
       {"{lane = [[2]]} -> {dim0 = 2}", "{lane = [[1]]} -> {dim0 = 3}",
        "{lane = [[1, 1]]} -> {dim0 = 2}", "{lane = [[1]} -> {dim0 = 2}",
        "{lane = []", "{a = [], a = []} -> {}", "{} -> {} x",
        "{lane = [[-1]]} -> {dim0 = 2}"})
    EXPECT_FALSE(LinearLayout::parse(bad, &error)) << bad.str();
}

TEST(LinearLayout, ProductPutsTheSecondAbove) {
  LinearLayout tile = LinearLayout::identity1D(2, "register", "dim1") *
                      LinearLayout::identity1D(4, "lane", "dim1") *
                      LinearLayout::identity1D(8, "lane", "dim0") *
                      LinearLayout::identity1D(2, "register", "dim0");
  EXPECT_EQ(tile.str(),
            "{register = [[1, 0], [0, 8]], lane = [[2, 0], [4, 0], [0, 1], "
            "[0, 2], [0, 4]]} -> {dim1 = 8, dim0 = 16}");
  EXPECT_TRUE(tile.isInvertible());
  auto quotient =
      tile.divideLeft(LinearLayout::identity1D(2, "register", "dim1"));
  ASSERT_TRUE(quotient);
  EXPECT_EQ(LinearLayout::identity1D(2, "register", "dim1") * *quotient, tile);
  EXPECT_FALSE(tile.divideLeft(LinearLayout::identity1D(2, "lane", "dim0")));
}

TEST(LinearLayout, ComposeAndInvert) {
  LinearLayout layout = parse("{register = [[1, 1], [0, 2]], lane = [[3, 0], "
                              "[0, 1]]} -> {dim0 = 4, dim1 = 4}");
  auto inverse = layout.invert();
  ASSERT_TRUE(inverse);
  LinearLayout identity = layout.compose(*inverse);
  for (int64_t r = 0; r < 4; ++r)
    for (int64_t l = 0; l < 4; ++l)
      EXPECT_EQ(identity.apply({{"register", r}, {"lane", l}}), (Shape{l, r}));
  for (uint64_t i = 0; i < 16; ++i)
    EXPECT_EQ(layout.applyFlat(inverse->applyFlat(i)), i);
}

TEST(LinearLayout, FreeVariablesAndPseudoInverse) {
  LinearLayout layout = parse("{register = [[1], [0]], lane = [[1], [2]], warp "
                              "= [[3]]} -> {dim0 = 4}");
  auto masks = layout.freeVariableMasks();
  ASSERT_EQ(masks.size(), 3u);
  EXPECT_EQ(masks[0].second, 2u);
  EXPECT_EQ(masks[1].second, 1u);
  EXPECT_EQ(masks[2].second, 1u);
  for (uint64_t k : layout.kernel())
    EXPECT_EQ(layout.applyFlat(k), 0u);
  EXPECT_EQ(layout.kernel().size(), 3u);
  auto inverse = layout.pseudoInvert();
  ASSERT_TRUE(inverse);
  for (uint64_t i = 0; i < 4; ++i)
    EXPECT_EQ(layout.applyFlat(inverse->applyFlat(i)), i);
  EXPECT_FALSE(layout.invert());
  EXPECT_TRUE(layout.removeZeroBits("register")
                  .equalModuloBroadcast(layout.selectInBits("register", {0})));
}

TEST(LinearLayout, Reshapes) {
  LinearLayout layout = parse("{register = [[0, 1], [2, 0]], lane = [[1, 0], "
                              "[0, 2]]} -> {dim0 = 4, dim1 = 4}");
  LinearLayout flat = layout.flattenOuts("i");
  for (uint64_t i = 0; i < 16; ++i)
    EXPECT_EQ(flat.applyFlat(i), layout.applyFlat(i));
  EXPECT_EQ(flat.reshapeOuts({{"dim0", 4}, {"dim1", 4}}), layout);
  EXPECT_EQ(layout.transposeOuts({"dim1", "dim0"}).flattenOuts("i").str(),
            "{register = [[4], [2]], lane = [[1], [8]]} -> {i = 16}");
  EXPECT_EQ(layout.dropOut("dim0").str(),
            "{register = [[1], [0]], lane = [[0], [2]]} -> {dim1 = 4}");
  EXPECT_EQ(layout.resizeOut("dim0", 2).str(),
            "{register = [[0, 1], [0, 0]], lane = [[1, 0], [0, 2]]} -> {dim0 "
            "= 2, dim1 = 4}");
  EXPECT_EQ(layout.resizeIn("lane", 2).resizeIn("lane", 4).basis("lane", 1),
            (Shape{0, 0}));
}

} // namespace
