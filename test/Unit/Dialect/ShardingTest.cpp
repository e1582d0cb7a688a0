// Axis algebra, blocks and offsets of shardings, bytes of collectives.
#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Sharding.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace shoal;

namespace {

class ShardingTest : public testing::Test {
protected:
  ShardingTest() {
    context.loadDialect<ShoalDialect, comm::CommDialect, func::FuncDialect>();
    mesh = cast<MeshAttr>(parse("#shoal.mesh<[\"x\"=2, \"y\"=8]>"));
  }
  Attribute parse(StringRef text) { return parseAttribute(text, &context); }
  AxisRefAttr axis(StringRef text) {
    return cast<AxisRefAttr>(parse(("#shoal.axis<" + text + ">").str()));
  }
  AxisList axes(std::initializer_list<StringRef> list) {
    AxisList result;
    for (StringRef text : list)
      result.push_back(axis(text));
    return result;
  }
  ShardingAttr sharding(StringRef dims) {
    return cast<ShardingAttr>(parse(
        ("#shoal.sharding<mesh<[\"x\"=2, \"y\"=8]>, " + dims + ">").str()));
  }

  MLIRContext context;
  MeshAttr mesh;
};

TEST_F(ShardingTest, ConsecutivePartsOfAnAxisMerge) {
  EXPECT_EQ(normalizeAxes(axes({"\"y\":(1)2", "\"y\":(2)4"}), mesh),
            axes({"\"y\""}));
  EXPECT_EQ(normalizeAxes(axes({"\"y\":(2)2", "\"y\":(4)2", "\"x\""}), mesh),
            axes({"\"y\":(2)4", "\"x\""}));
}

TEST_F(ShardingTest, Prefixes) {
  EXPECT_TRUE(isAxesPrefix(axes({"\"y\":(1)2"}), axes({"\"y\"", "\"x\""}), mesh));
  EXPECT_FALSE(isAxesPrefix(axes({"\"y\":(2)2"}), axes({"\"y\""}), mesh));
  EXPECT_EQ(getCommonPrefix(axes({"\"x\"", "\"y\":(1)4"}),
                            axes({"\"x\"", "\"y\""}), mesh),
            axes({"\"x\"", "\"y\":(1)4"}));
  EXPECT_EQ(*dropAxesPrefix(axes({"\"x\"", "\"y\""}),
                            axes({"\"x\"", "\"y\":(1)2"}), mesh),
            axes({"\"y\":(2)4"}));
}

TEST_F(ShardingTest, AtomsAreTheCommonRefinement) {
  AxisList a = axes({"\"y\":(1)4"}), b = axes({"\"y\":(2)4", "\"x\""});
  std::optional<AxisList> atoms = getAtoms({a, b}, mesh);
  ASSERT_TRUE(atoms);
  EXPECT_EQ(*atoms, axes({"\"x\"", "\"y\":(1)2", "\"y\":(2)2", "\"y\":(4)2"}));
  EXPECT_EQ(expandToAtoms(b, *atoms, mesh),
            axes({"\"y\":(2)2", "\"y\":(4)2", "\"x\""}));
  EXPECT_EQ(*getUnusedAxes(a, mesh), axes({"\"x\"", "\"y\":(4)2"}));
}

TEST_F(ShardingTest, GroupsFollowTheOrderOfAxes) {
  // Position = 8·x + y; of y = 4·a + b, the sub-axis (1)2 is a.
  auto groups = getGroups(axes({"\"y\":(1)2", "\"x\""}), mesh);
  ASSERT_EQ(groups.size(), 4u);
  EXPECT_EQ(groups[1], (SmallVector<int64_t>{1, 9, 5, 13}));
  EXPECT_EQ(getIndexAlong(axes({"\"y\":(1)2", "\"x\""}), 5, mesh), 2);
}

TEST_F(ShardingTest, UnevenBlocks) {
  ShardingAttr s = sharding("[{\"y\"}, {\"x\"}]");
  EXPECT_EQ(getLocalShape({10, 4}, s, mesh), (SmallVector<int64_t>{2, 2}));
  // Part 5 of 8 blocks of 2 is past the end of 10.
  EXPECT_EQ(getBlockOffset({10, 4}, s, mesh, 8 + 5),
            (SmallVector<int64_t>{10, 2}));
  EXPECT_EQ(getValidSize({10, 4}, s, mesh, 8 + 5),
            (SmallVector<int64_t>{0, 2}));
  EXPECT_FALSE(isEvenlySharded({10, 4}, s, mesh));
  EXPECT_TRUE(isEvenlySharded({16, 4}, s, mesh));
  EXPECT_EQ(getLocalShape({10, 4}, sharding("[{\"x\"} block 6, {}]"), mesh),
            (SmallVector<int64_t>{6, 4}));
}

TEST_F(ShardingTest, LayoutsCompareByWhatTheyDo) {
  EXPECT_TRUE(isSameLayout(sharding("[{\"y\":(1)2, \"y\":(2)4}]"),
                           sharding("[{\"y\", ?}p1]"), {16}, mesh));
  EXPECT_TRUE(isSameLayout(sharding("[{}], partial = add {\"x\", \"y\"}"),
                           sharding("[{}], partial = add {\"y\", \"x\"}"), {16},
                           mesh));
  EXPECT_FALSE(isSameLayout(sharding("[{\"x\"}]"),
                            sharding("[{\"x\"} block 9]"), {16}, mesh));
  EXPECT_TRUE(isSameLayout(ShardingAttr(), sharding("[{?}]"), {16}, mesh));
}

TEST_F(ShardingTest, NeutralElements) {
  Type f32 = Float32Type::get(&context), i8 = IntegerType::get(&context, 8);
  auto neutral = [](ReductionKind kind, Type type) {
    return getNeutralElement(kind, type);
  };
  EXPECT_TRUE(cast<FloatAttr>(neutral(ReductionKind::Add, f32))
                  .getValue()
                  .isNegZero());
  EXPECT_TRUE(
      cast<FloatAttr>(neutral(ReductionKind::Min, f32)).getValue().isInfinity());
  EXPECT_EQ(cast<IntegerAttr>(neutral(ReductionKind::Max, i8)).getInt(), -128);
  EXPECT_FALSE(neutral(ReductionKind::Xor, f32));
}

TEST_F(ShardingTest, RingBytes) {
  auto module = parseSourceString<ModuleOp>(R"(
    shoal.mesh @m <["x"=2, "y"=8]>
    func.func @f(%a: tensor<4x8xf32>) {
      %0 = comm.all_gather %a dim = 1 over <@m, {"y"}> : (tensor<4x8xf32>) -> tensor<4x64xf32>
      %1 = comm.all_reduce add %a over <@m, {"y"}> : tensor<4x8xf32>
      %2 = comm.reduce_scatter add %0 dim = 1 over <@m, {"y"}> : (tensor<4x64xf32>) -> tensor<4x8xf32>
      %3 = comm.permute %a pairs = [[0, 1]] over <@m, {"x"}> : tensor<4x8xf32>
      %4 = comm.halo %a dim = 1 size = 64 low = 1 high = 0 over <@m, {"y"}> : (tensor<4x8xf32>) -> tensor<4x9xf32>
      %5 = comm.reblock %a dim = 1 size = 12 over <@m, {"x"}> : (tensor<4x8xf32>) -> tensor<4x6xf32>
      return
    })", &context);
  ASSERT_TRUE(module);
  SmallVector<int64_t> bytes;
  module->walk([&](comm::CollectiveOpInterface op) {
    bytes.push_back(op.getBytesSentPerDevice());
  });
  // A block is 128 bytes, a column of it 16. The halo's first device gets
  // nothing; of 12 elements in blocks of 8 the first device has 8, the second
  // wants 6 to 11 and misses two columns.
  EXPECT_EQ(bytes, (SmallVector<int64_t>{7 * 128, 2 * 128 / 8 * 7, 7 * 128, 64,
                                         7 * 16 / 8, 16}));
}

} // namespace
