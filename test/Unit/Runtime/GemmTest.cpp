#include "host/Gemm.h"

#include "shoal/runtime/DType.h"
#include "shoal/runtime/Tensor.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace shoal::rt;

namespace {

/// Compares with sums in double, for all layouts and types.
void check(int64_t m, int64_t n, int64_t k, int lhsLayout, int rhsLayout,
           DType lhsType, DType rhsType, DType outType) {
  auto code = [](DType t) {
    return t == DType::BF16 ? ShoalMatmulBF16 : ShoalMatmulF32;
  };
  ShoalMatmul s = {};
  s.m = m;
  s.n = n;
  s.k = k;
  // Row-major, column-major, or with a gap between all elements.
  auto layout = [](int which, int64_t rows, int64_t columns, int64_t &r,
                   int64_t &c) {
    r = which == 0 ? columns : which == 1 ? 1 : columns * 3;
    c = which == 0 ? 1 : which == 1 ? rows : 3;
  };
  layout(lhsLayout, m, k, s.lhsStrideM, s.lhsStrideK);
  layout(rhsLayout, k, n, s.rhsStrideK, s.rhsStrideN);
  s.outStrideM = n + 5;
  s.lhsType = code(lhsType);
  s.rhsType = code(rhsType);
  s.outType = code(outType);
  AlignedBuffer lhs(static_cast<size_t>(m * k * 12)),
      rhs(static_cast<size_t>(n * k * 12)),
      out(static_cast<size_t>(m * (n + 5) * 4));
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  for (int64_t i = 0; i < 3 * m * k; ++i)
    fromDouble(lhsType, normal(random), lhs.data() + i * byteSize(lhsType));
  for (int64_t i = 0; i < 3 * n * k; ++i)
    fromDouble(rhsType, normal(random), rhs.data() + i * byteSize(rhsType));
  gemm(s, lhs.data(), rhs.data(), out.data());
  double bound = (outType == DType::BF16 ? 0x1p-8 : 1e-6) * std::sqrt(k) * 8;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += toDouble(lhsType,
                        lhs.data() + (i * s.lhsStrideM + l * s.lhsStrideK) *
                                         byteSize(lhsType)) *
               toDouble(rhsType,
                        rhs.data() + (l * s.rhsStrideK + j * s.rhsStrideN) *
                                         byteSize(rhsType));
      double got = toDouble(outType, out.data() + (i * s.outStrideM + j) *
                                                      byteSize(outType));
      ASSERT_NEAR(got, sum, bound)
          << m << "x" << n << "x" << k << " layouts " << lhsLayout << rhsLayout
          << " at " << i << "," << j;
    }
}

TEST(Gemm, AllLayoutsAndTypes) {
  DType f32 = DType::F32, bf16 = DType::BF16;
  for (auto [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                         {3, 5, 7},
                         {1, 40, 600},
                         {40, 1, 600},
                         {33, 65, 17},
                         {130, 64, 1},
                         {64, 96, 128}})
    for (int l = 0; l < 3; ++l)
      for (int r = 0; r < 3; ++r) {
        check(m, n, k, l, r, f32, f32, f32);
        check(m, n, k, l, r, bf16, bf16, f32);
        check(m, n, k, l, r, bf16, bf16, bf16);
        check(m, n, k, l, r, bf16, f32, f32);
        check(m, n, k, l, r, f32, f32, bf16);
      }
}

} // namespace
