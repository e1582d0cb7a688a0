// Propagation of one step, on the tables of Shardy's documentation.

#include "../../../lib/Propagate/FactorPropagation.h"

#include "gtest/gtest.h"

using namespace shoal;
using namespace shoal::propagate;

namespace {

constexpr int kA = 0, kB = 1, kC = 2, kD = 3, kE = 4, kF = 5, kG = 6;
Axis whole(int index) { return {index, 1, 2}; }

FactorState cell(std::initializer_list<int> axes, bool closed = false) {
  FactorState state;
  state.present = true;
  state.closed = closed;
  for (int axis : axes)
    state.axes.push_back(whole(axis));
  return state;
}

TensorFactors row(std::initializer_list<FactorState> cells) {
  TensorFactors tensor;
  tensor.factors.assign(cells);
  return tensor;
}

Axes axesOf(std::initializer_list<int> axes) { return cell(axes).axes; }

llvm::SmallVector<Factor> factors(size_t n) {
  llvm::SmallVector<Factor> result(n);
  for (Factor &f : result)
    f.size = 64;
  return result;
}

auto both = [](int64_t) { return Direction::Both; };

TEST(FactorPropagation, TakesTheLongestCompatibleAxes) {
  Projection p;
  p.operands = {row({cell({kA}), cell({}), cell({kF})}),
                row({cell({kA, kB}), cell({kC, kD}), cell({kG})})};
  p.results = {row({cell({}), cell({kC, kE}), cell({})})};
  auto fs = factors(3);
  propagateFactors(p, fs, both, false);
  EXPECT_EQ(p.operands[0].factors[0].axes, axesOf({kA, kB}));
  EXPECT_EQ(p.operands[0].factors[1].axes, axesOf({kC}));
  EXPECT_EQ(p.results[0].factors[0].axes, axesOf({kA, kB}));
  EXPECT_EQ(p.results[0].factors[1].axes, axesOf({kC, kE}));
  EXPECT_TRUE(p.results[0].factors[2].axes.empty()) << "f and g conflict";
}

TEST(FactorPropagation, ClosedAndReplicatedAreKept) {
  Projection p;
  p.operands = {row({cell({kA})})};
  p.results = {row({cell({}, /*closed=*/true)})};
  auto fs = factors(1);
  EXPECT_TRUE(propagateFactors(p, fs, both, false).none());
  p.results = {row({cell({})})};
  p.results[0].replicated = axesOf({kA});
  EXPECT_TRUE(propagateFactors(p, fs, both, false).none());
}

TEST(FactorPropagation, DirectionLimitsWhoAddsAxes) {
  Projection p;
  p.operands = {row({cell({})})};
  p.results = {row({cell({kA})})};
  auto fs = factors(1);
  auto forward = [](int64_t) { return Direction::Forward; };
  EXPECT_TRUE(propagateFactors(p, fs, forward, false).none());
  auto backward = [](int64_t) { return Direction::Backward; };
  EXPECT_TRUE(propagateFactors(p, fs, backward, false).test(0));
}

TEST(FactorPropagation, ConflictsGoToTheLargerTensor) {
  // T0 (i, k) holds "a" on i, T1 (j) holds "a" on j; the result has i and j.
  FactorState absent;
  Projection p;
  p.operands = {row({cell({kA}), absent, cell({})}),
                row({absent, cell({kA}), absent})};
  p.results = {row({cell({}), cell({}), absent})};
  auto fs = factors(3);
  propagateFactors(p, fs, both, false);
  EXPECT_EQ(p.results[0].factors[0].axes, axesOf({kA}));
  EXPECT_TRUE(p.results[0].factors[1].axes.empty());
}

TEST(FactorSharding, ProjectionSplitsAxesAtFactors) {
  // A dimension of 8 = 2 × 4 cut by an axis of 4: two parts of 2.
  llvm::SmallVector<Factor> fs(2);
  fs[0].size = 2;
  fs[1].size = 4;
  TensorMapping mapping;
  mapping.dims.push_back({{0, 1}, {}});
  TensorState state;
  state.known = true;
  state.dims.push_back({{Axis{0, 1, 4}}, false});
  TensorFactors projected = project(state, mapping, fs);
  EXPECT_EQ(projected.factors[0].axes, (Axes{Axis{0, 1, 2}}));
  EXPECT_EQ(projected.factors[1].axes, (Axes{Axis{0, 2, 2}}));
  EXPECT_EQ(unproject(projected, mapping, fs).dims[0].axes,
            (Axes{Axis{0, 1, 4}}));
}

TEST(FactorSharding, WhatDoesNotDivideOverflows) {
  llvm::SmallVector<Factor> fs(2);
  fs[0].size = 3;
  fs[1].size = 4;
  TensorMapping mapping;
  mapping.dims.push_back({{0, 1}, {}});
  TensorState state;
  state.known = true;
  state.dims.push_back({{Axis{0, 1, 2}}, false});
  TensorFactors projected = project(state, mapping, fs);
  EXPECT_TRUE(projected.factors[0].axes.empty());
  EXPECT_EQ(projected.factors[0].overflow, (Axes{Axis{0, 1, 2}}));
  EXPECT_TRUE(projected.factors[1].closed);
  EXPECT_EQ(unproject(projected, mapping, fs).dims[0].axes,
            (Axes{Axis{0, 1, 2}}));
}

} // namespace
