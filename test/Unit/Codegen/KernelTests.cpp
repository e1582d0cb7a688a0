#include "KernelRunner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

using namespace shoal::test;

static std::vector<float> ramp(size_t n, float scale = 1, float offset = 0) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i)
    values[i] = offset + scale * float(i);
  return values;
}
/// Values without a pattern, small.
static std::vector<float> noise(size_t n) {
  std::vector<float> values(n);
  uint32_t state = 12345;
  for (float &v : values) {
    state = state * 1664525u + 1013904223u;
    v = float(state >> 8) / float(1 << 24) * 2 - 1;
  }
  return values;
}
static void expectNear(const std::vector<float> &got,
                       const std::vector<float> &want, float tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i], tolerance) << "at " << i;
}

TEST(Kernels, Elementwise) {
  auto got = runFloat(R"((%a: tensor<3x5xf32>, %b: tensor<3x5xf32>) -> tensor<3x5xf32> {
    %0 = stablehlo.add %a, %b : tensor<3x5xf32>
    %1 = stablehlo.multiply %0, %a : tensor<3x5xf32>
    return %1 : tensor<3x5xf32>
  })", {ramp(15), ramp(15, 2, 1)});
  std::vector<float> want(15);
  for (int i = 0; i < 15; ++i)
    want[i] = (i + (2 * i + 1)) * float(i);
  EXPECT_EQ(got, want);
}

TEST(Kernels, RankZeroAndEmpty) {
  auto got = runFloat(R"((%a: tensor<f32>) -> tensor<f32> {
    %0 = stablehlo.add %a, %a : tensor<f32>
    return %0 : tensor<f32>
  })", {{3}});
  EXPECT_EQ(got, std::vector<float>{6});
  auto empty = runKernel(R"((%a: tensor<0x4xf32>) -> tensor<0x4xf32> {
    %0 = stablehlo.add %a, %a : tensor<0x4xf32>
    return %0 : tensor<0x4xf32>
  })", {{}});
  EXPECT_EQ(empty.error, "");
  auto sum = runFloat(R"((%a: tensor<0x4xf32>) -> tensor<4xf32> {
    %c = stablehlo.constant dense<7.0> : tensor<f32>
    %0 = stablehlo.reduce(%a init: %c) applies stablehlo.add across dimensions = [0] : (tensor<0x4xf32>, tensor<f32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  })", {{}});
  EXPECT_EQ(sum, (std::vector<float>{7, 7, 7, 7}));
}

TEST(Kernels, BroadcastTransposeReshapeSlice) {
  // out[i, j] = a[j, i] + b[i], then rows 1..2, reversed columns.
  auto got = runFloat(R"((%a: tensor<4x3xf32>, %b: tensor<3xf32>) -> tensor<2x2x2xf32> {
    %0 = stablehlo.transpose %a, dims = [1, 0] : (tensor<4x3xf32>) -> tensor<3x4xf32>
    %1 = stablehlo.broadcast_in_dim %b, dims = [0] : (tensor<3xf32>) -> tensor<3x4xf32>
    %2 = stablehlo.add %0, %1 : tensor<3x4xf32>
    %3 = stablehlo.reverse %2, dims = [1] : tensor<3x4xf32>
    %4 = stablehlo.slice %3 [1:3, 0:4] : (tensor<3x4xf32>) -> tensor<2x4xf32>
    %5 = stablehlo.reshape %4 : (tensor<2x4xf32>) -> tensor<2x2x2xf32>
    return %5 : tensor<2x2x2xf32>
  })", {ramp(12), {100, 200, 300}});
  std::vector<float> want;
  for (int i = 1; i < 3; ++i)
    for (int j = 3; j >= 0; --j)
      want.push_back(j * 3 + i + 100 * (i + 1));
  EXPECT_EQ(got, want);
}

TEST(Kernels, ReshapeAcrossDimensions) {
  auto got = runFloat(R"((%a: tensor<6x4xf32>) -> tensor<3x8xf32> {
    %0 = stablehlo.transpose %a, dims = [1, 0] : (tensor<6x4xf32>) -> tensor<4x6xf32>
    %1 = stablehlo.reshape %0 : (tensor<4x6xf32>) -> tensor<3x8xf32>
    return %1 : tensor<3x8xf32>
  })", {ramp(24)});
  std::vector<float> want;
  for (int j = 0; j < 4; ++j)
    for (int i = 0; i < 6; ++i)
      want.push_back(i * 4 + j);
  EXPECT_EQ(got, want);
}

TEST(Kernels, PadConcatenateIota) {
  auto got = runFloat(R"((%a: tensor<3xf32>, %b: tensor<2xf32>) -> tensor<12xf32> {
    %c = stablehlo.constant dense<-1.0> : tensor<f32>
    %0 = stablehlo.pad %a, %c, low = [1], high = [-1], interior = [1] : (tensor<3xf32>, tensor<f32>) -> tensor<5xf32>
    %1 = stablehlo.iota dim = 0 : tensor<5xf32>
    %2 = stablehlo.concatenate %0, %b, %1, dim = 0 : (tensor<5xf32>, tensor<2xf32>, tensor<5xf32>) -> tensor<12xf32>
    return %2 : tensor<12xf32>
  })", {{10, 20, 30}, {7, 8}});
  EXPECT_EQ(got, (std::vector<float>{-1, 10, -1, 20, -1, 7, 8, 0, 1, 2, 3, 4}));
}

static const char *softmax = R"((%a: tensor<64x200xf32>) -> tensor<64x200xf32> {
  %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %m = stablehlo.reduce(%a init: %ninf) applies stablehlo.maximum across dimensions = [1] : (tensor<64x200xf32>, tensor<f32>) -> tensor<64xf32>
  %m2 = stablehlo.reshape %m : (tensor<64xf32>) -> tensor<64x1xf32>
  %mb = stablehlo.broadcast_in_dim %m2, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x200xf32>
  %s = stablehlo.subtract %a, %mb : tensor<64x200xf32>
  %e = stablehlo.exponential %s : tensor<64x200xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<64x200xf32>, tensor<f32>) -> tensor<64xf32>
  %tb = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<64xf32>) -> tensor<64x200xf32>
  %r = stablehlo.divide %e, %tb : tensor<64x200xf32>
  return %r : tensor<64x200xf32>
})";

TEST(Kernels, Softmax) {
  auto a = noise(64 * 200);
  auto got = runFloat(softmax, {a});
  std::vector<float> want(a.size());
  for (int i = 0; i < 64; ++i) {
    double sum = 0;
    for (int j = 0; j < 200; ++j)
      sum += std::exp(double(a[i * 200 + j]));
    for (int j = 0; j < 200; ++j)
      want[i * 200 + j] = std::exp(double(a[i * 200 + j])) / sum;
  }
  expectNear(got, want, 1e-6);
}

TEST(Kernels, RowAndColumnSums) {
  auto a = noise(300 * 130);
  auto rows = runFloat(R"((%a: tensor<300x130xf32>) -> tensor<300xf32> {
    %zero = stablehlo.constant dense<1.0> : tensor<f32>
    %0 = stablehlo.reduce(%a init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<300x130xf32>, tensor<f32>) -> tensor<300xf32>
    return %0 : tensor<300xf32>
  })", {a});
  std::vector<float> wantRows(300, 1), wantColumns(130, 1);
  for (int i = 0; i < 300; ++i)
    for (int j = 0; j < 130; ++j) {
      wantRows[i] += a[i * 130 + j];
      wantColumns[j] += a[i * 130 + j] * 2;
    }
  expectNear(rows, wantRows, 1e-4);
  auto columns = runFloat(R"((%a: tensor<300x130xf32>) -> tensor<130xf32> {
    %zero = stablehlo.constant dense<1.0> : tensor<f32>
    %d = stablehlo.add %a, %a : tensor<300x130xf32>
    %0 = stablehlo.reduce(%d init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<300x130xf32>, tensor<f32>) -> tensor<130xf32>
    return %0 : tensor<130xf32>
  })", {a});
  expectNear(columns, wantColumns, 1e-3);
}

TEST(Kernels, ArgMax) {
  auto a = noise(7 * 33);
  auto result = runKernel(R"((%a: tensor<7x33xf32>) -> (tensor<7xf32>, tensor<7xi32>) {
    %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %i = stablehlo.iota dim = 1 : tensor<7x33xi32>
    %0:2 = stablehlo.reduce(%a init: %ninf), (%i init: %zero) across dimensions = [1] : (tensor<7x33xf32>, tensor<7x33xi32>, tensor<f32>, tensor<i32>) -> (tensor<7xf32>, tensor<7xi32>)
     reducer(%x: tensor<f32>, %y: tensor<f32>) (%p: tensor<i32>, %q: tensor<i32>) {
      %1 = stablehlo.compare GT, %x, %y, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %2 = stablehlo.select %1, %x, %y : tensor<i1>, tensor<f32>
      %3 = stablehlo.select %1, %p, %q : tensor<i1>, tensor<i32>
      stablehlo.return %2, %3 : tensor<f32>, tensor<i32>
    }
    return %0#0, %0#1 : tensor<7xf32>, tensor<7xi32>
  })", {toBytes(a)});
  ASSERT_EQ(result.error, "");
  auto index = fromBytes<int32_t>(result.outputs[1]);
  for (int i = 0; i < 7; ++i) {
    auto row = a.begin() + i * 33;
    EXPECT_EQ(index[i], std::max_element(row, row + 33) - row);
  }
}

TEST(Kernels, Dot) {
  auto a = noise(10 * 19), b = noise(19 * 13);
  auto got = runFloat(R"((%a: tensor<10x19xf32>, %b: tensor<19x13xf32>) -> tensor<10x13xf32> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<10x19xf32>, tensor<19x13xf32>) -> tensor<10x13xf32>
    return %0 : tensor<10x13xf32>
  })", {a, b});
  std::vector<float> want(130);
  for (int i = 0; i < 10; ++i)
    for (int j = 0; j < 13; ++j)
      for (int k = 0; k < 19; ++k)
        want[i * 13 + j] += a[i * 19 + k] * b[k * 13 + j];
  expectNear(got, want, 1e-5);
  // Batched, right operand transposed.
  auto c = noise(2 * 10 * 19), d = noise(2 * 13 * 19);
  auto batched = runFloat(R"((%a: tensor<2x10x19xf32>, %b: tensor<2x13x19xf32>) -> tensor<2x10x13xf32> {
    %0 = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x10x19xf32>, tensor<2x13x19xf32>) -> tensor<2x10x13xf32>
    return %0 : tensor<2x10x13xf32>
  })", {c, d});
  std::vector<float> wantBatched(260);
  for (int n = 0; n < 2; ++n)
    for (int i = 0; i < 10; ++i)
      for (int j = 0; j < 13; ++j)
        for (int k = 0; k < 19; ++k)
          wantBatched[(n * 10 + i) * 13 + j] +=
              c[(n * 10 + i) * 19 + k] * d[(n * 13 + j) * 19 + k];
  expectNear(batched, wantBatched, 1e-5);
}

TEST(Kernels, DynamicSliceClamps) {
  for (int32_t start : {-5, 0, 2, 100}) {
    auto result = runKernel(R"((%a: tensor<6xf32>, %i: tensor<i32>) -> tensor<3xf32> {
      %0 = stablehlo.dynamic_slice %a, %i, sizes = [3] : (tensor<6xf32>, tensor<i32>) -> tensor<3xf32>
      return %0 : tensor<3xf32>
    })", {toBytes(ramp(6)), toBytes(std::vector<int32_t>{start})}, {1});
    ASSERT_EQ(result.error, "");
    int at = std::clamp(start, 0, 3);
    EXPECT_EQ(fromBytes<float>(result.outputs[0])[0], at);
  }
}

TEST(Kernels, DynamicUpdateSlice) {
  for (bool inPlace : {false, true})
    for (int32_t start : {-5, 1, 100}) {
      auto result = runKernel(R"((%a: tensor<4x6xf32>, %u: tensor<2x6xf32>, %i: tensor<i32>) -> tensor<4x6xf32> {
        %z = stablehlo.constant dense<0> : tensor<i32>
        %n = stablehlo.negate %u : tensor<2x6xf32>
        %0 = stablehlo.dynamic_update_slice %a, %n, %i, %z : (tensor<4x6xf32>, tensor<2x6xf32>, tensor<i32>, tensor<i32>) -> tensor<4x6xf32>
        return %0 : tensor<4x6xf32>
      })", {toBytes(ramp(24)), toBytes(ramp(12, 1, 100)),
            toBytes(std::vector<int32_t>{start})}, {}, inPlace);
      ASSERT_EQ(result.error, "");
      auto want = ramp(24);
      int at = std::clamp(start, 0, 2);
      for (int i = 0; i < 12; ++i)
        want[at * 6 + i] = -(100.f + i);
      EXPECT_EQ(fromBytes<float>(result.outputs[0]), want);
    }
}

TEST(Kernels, GatherRows) {
  auto result = runKernel(R"((%a: tensor<5x3xf32>, %i: tensor<4xi32>) -> tensor<4x3xf32> {
    %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 3>}> : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<4x3xf32>
    return %0 : tensor<4x3xf32>
  })", {toBytes(ramp(15)), toBytes(std::vector<int32_t>{2, -1, 4, 99})});
  ASSERT_EQ(result.error, "");
  std::vector<float> want;
  for (int row : {2, 0, 4, 4})
    for (int j = 0; j < 3; ++j)
      want.push_back(row * 3 + j);
  EXPECT_EQ(fromBytes<float>(result.outputs[0]), want);
}

TEST(Kernels, ScatterAddSkipsOutOfBounds) {
  auto result = runKernel(R"((%i: tensor<4xi32>, %u: tensor<4x3xf32>) -> tensor<5x3xf32> {
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %a = stablehlo.broadcast_in_dim %z, dims = [] : (tensor<f32>) -> tensor<5x3xf32>
    %0 = "stablehlo.scatter"(%a, %i, %u) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %1 = stablehlo.add %x, %y : tensor<f32>
      stablehlo.return %1 : tensor<f32>
    }) : (tensor<5x3xf32>, tensor<4xi32>, tensor<4x3xf32>) -> tensor<5x3xf32>
    return %0 : tensor<5x3xf32>
  })", {toBytes(std::vector<int32_t>{2, -1, 2, 5}), toBytes(ramp(12))});
  ASSERT_EQ(result.error, "");
  std::vector<float> want(15);
  for (int j = 0; j < 3; ++j)
    want[6 + j] = j + (6 + j);
  EXPECT_EQ(fromBytes<float>(result.outputs[0]), want);
}

TEST(Kernels, Vectorized) {
  // The point of the loops' shape: LLVM finds vectors, and no run-time checks.
  auto result = runKernel(softmax, {toBytes(noise(64 * 200))});
  std::string after = result.ir.substr(result.ir.find("; after"));
  EXPECT_NE(after.find("<16 x float>"), std::string::npos);
  EXPECT_EQ(after.find("vector.memcheck"), std::string::npos);
}

TEST(Kernels, InPlaceElementwise) {
  auto result = runKernel(R"((%a: tensor<1000xf32>, %b: tensor<1000xf32>) -> tensor<1000xf32> {
    %0 = stablehlo.add %a, %b : tensor<1000xf32>
    return %0 : tensor<1000xf32>
  })", {toBytes(ramp(1000)), toBytes(ramp(1000, 2))}, {}, true);
  EXPECT_EQ(fromBytes<float>(result.outputs[0]), ramp(1000, 3));
}

TEST(Kernels, TransposeByTiles) {
  // Sizes that no tile divides; an elementwise op after the transpose and one
  // before it.
  auto a = noise(3 * 70 * 45), b = noise(3 * 45 * 70);
  auto got = runFloat(R"((%a: tensor<3x70x45xf32>, %b: tensor<3x45x70xf32>) -> tensor<3x45x70xf32> {
    %n = stablehlo.negate %a : tensor<3x70x45xf32>
    %t = stablehlo.transpose %n, dims = [0, 2, 1] : (tensor<3x70x45xf32>) -> tensor<3x45x70xf32>
    %0 = stablehlo.add %t, %b : tensor<3x45x70xf32>
    return %0 : tensor<3x45x70xf32>
  })", {a, b});
  std::vector<float> want(b);
  for (int n = 0; n < 3; ++n)
    for (int i = 0; i < 70; ++i)
      for (int j = 0; j < 45; ++j)
        want[(n * 45 + j) * 70 + i] -= a[(n * 70 + i) * 45 + j];
  EXPECT_EQ(got, want);
}

TEST(Kernels, IntegerDotWraps) {
  // i8 into i32, a depth that the unrolling does not divide, rows likewise.
  std::vector<int8_t> a(7 * 21), b(21 * 6);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = int8_t(i * 37);
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = int8_t(i * 91);
  auto result = runKernel(R"((%a: tensor<7x21xi8>, %b: tensor<21x6xi8>) -> tensor<7x6xi32> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<7x21xi8>, tensor<21x6xi8>) -> tensor<7x6xi32>
    return %0 : tensor<7x6xi32>
  })", {toBytes(a), toBytes(b)});
  ASSERT_EQ(result.error, "");
  std::vector<int32_t> want(42);
  for (int i = 0; i < 7; ++i)
    for (int j = 0; j < 6; ++j)
      for (int k = 0; k < 21; ++k)
        want[i * 6 + j] += a[i * 21 + k] * b[k * 6 + j];
  EXPECT_EQ(fromBytes<int32_t>(result.outputs[0]), want);
}

TEST(Kernels, RowsAndFullOutputsTogether) {
  // Row sums and the normalised rows in one kernel, in the input's memory.
  auto a = noise(33 * 50);
  for (float &v : a)
    v = std::abs(v) + 0.5f;
  auto result = runKernel(R"((%a: tensor<33x50xf32>) -> (tensor<33x50xf32>, tensor<33xf32>) {
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %s = stablehlo.reduce(%a init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<33x50xf32>, tensor<f32>) -> tensor<33xf32>
    %b = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<33xf32>) -> tensor<33x50xf32>
    %0 = stablehlo.divide %a, %b : tensor<33x50xf32>
    return %0, %s : tensor<33x50xf32>, tensor<33xf32>
  })", {toBytes(a)}, {}, /*inPlace=*/true);
  ASSERT_EQ(result.error, "");
  std::vector<float> normalised(a), sums(33);
  for (int i = 0; i < 33; ++i) {
    for (int j = 0; j < 50; ++j)
      sums[i] += a[i * 50 + j];
    for (int j = 0; j < 50; ++j)
      normalised[i * 50 + j] /= sums[i];
  }
  expectNear(fromBytes<float>(result.outputs[0]), normalised, 1e-6);
  expectNear(fromBytes<float>(result.outputs[1]), sums, 1e-4);
}

TEST(Kernels, UnsupportedOpIsAnError) {
  auto result = runKernel(R"((%a: tensor<4xf32>) -> tensor<4xf32> {
    %0 = "stablehlo.custom_call"(%a) {call_target_name = "f"} : (tensor<4xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  })", {toBytes(ramp(4))});
  EXPECT_NE(result.error.find("no CPU code for this op"), std::string::npos);
}
