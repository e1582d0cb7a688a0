// Products of every kind of element, in all layouts, beside plain sums in a
// wide type; integers at their extremes, where wrong instructions saturate.
#include "host/TypedProduct.h"

#include "shoal/runtime/Tensor.h"

#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace shoal::rt;

namespace {

struct Case {
  DType lhs, rhs, out;
  int64_t m, n, k;
  int lhsLayout, rhsLayout; // rows, columns contiguous; gaps between all
  bool accumulate, transposedOut;
  bool blocked; // what the library does not do, on purpose
};

/// Elements that show what goes wrong: extremes of integers.
void fill(DType type, std::byte *data, int64_t count,
          std::minstd_rand &random) {
  auto uniform = [&] { return random() * 0x1p-30 - 1; };
  for (int64_t i = 0; i < count; ++i) {
    std::byte *to = data + i * byteSize(type);
    if (isComplex(type)) {
      DType part = type == DType::C64 ? DType::F32 : DType::F64;
      fromDouble(part, uniform(), to);
      fromDouble(part, uniform(), to + byteSize(part));
    } else if (isFloat(type)) {
      fromDouble(type, uniform(), to);
    } else {
      bool small = type == DType::I4 || type == DType::UI4;
      uint64_t bits = random() % 3 == 0 ? random() : random() / 2 % 2 - 1ull;
      if (isSignedInt(type) && random() % 3 == 1)
        bits = uint64_t{1} << (small ? 3 : 8 * byteSize(type) - 1);
      if (type == DType::I4) // sign extended to its byte
        bits = static_cast<uint64_t>(static_cast<int8_t>(bits << 4) >> 4);
      else if (small)
        bits &= 15;
      std::memcpy(to, &bits, static_cast<size_t>(byteSize(type)));
    }
  }
}

void check(const Case &c) {
  std::minstd_rand random(5);
  auto layout = [](int which, int64_t rows, int64_t columns) {
    return std::pair<int64_t, int64_t>(
        which == 0   ? std::pair(columns, int64_t{1})
        : which == 1 ? std::pair(int64_t{1}, rows)
        : which == 2 ? std::pair(columns * 3, int64_t{3})
                     : std::pair(columns + 7, int64_t{1}));
  };
  auto [lhsRow, lhsColumn] = layout(c.lhsLayout, c.m, c.k);
  auto [rhsRow, rhsColumn] = layout(c.rhsLayout, c.k, c.n);
  int64_t outRow = c.transposedOut ? 1 : c.n + 3,
          outColumn = c.transposedOut ? c.m : 1;
  int64_t lhsCount = c.m * (c.k + 7) * 3, rhsCount = c.k * (c.n + 7) * 3,
          outCount = (c.m + 1) * (c.n + 3);
  AlignedBuffer lhs(size_t(lhsCount * byteSize(c.lhs))),
      rhs(size_t(rhsCount * byteSize(c.rhs))),
      out(size_t(outCount * byteSize(c.out))),
      before(size_t(outCount * byteSize(c.out)));
  fill(c.lhs, lhs.data(), lhsCount, random);
  fill(c.rhs, rhs.data(), rhsCount, random);
  fill(c.out, out.data(), outCount, random);
  std::memcpy(before.data(), out.data(), out.size());
  ConstMatrix l{lhs.data(), c.lhs, lhsRow, lhsColumn},
      r{rhs.data(), c.rhs, rhsRow, rhsColumn};
  if (c.blocked)
    blockedProduct(c.m, c.n, c.k, l, r, out.data(), c.out, outRow, outColumn,
                   c.accumulate);
  else
    typedProduct({c.m, c.n, c.k, l, r, out.data(), c.out, outRow, outColumn,
                  c.accumulate});
  // The bound of sums in order, and one rounding to a narrower type.
  bool isDouble = c.out == DType::F64 || c.out == DType::C128;
  double precision =
      (isDouble ? 0x1p-53 : 0x1p-24) * static_cast<double>(2 * c.k + 2) +
      (c.out == DType::F16    ? 0x1p-11
       : c.out == DType::BF16 ? 0x1p-8
                              : 0);
  for (int64_t i = 0; i < c.m; ++i)
    for (int64_t j = 0; j < c.n; ++j) {
      auto a = [&](int64_t p) {
        return lhs.data() + (i * lhsRow + p * lhsColumn) * byteSize(c.lhs);
      };
      auto b = [&](int64_t p) {
        return rhs.data() + (p * rhsRow + j * rhsColumn) * byteSize(c.rhs);
      };
      int64_t at = (i * outRow + j * outColumn) * byteSize(c.out);
      if (isInteger(c.out)) {
        uint64_t sum =
            c.accumulate ? uint64_t(toInt64(c.out, before.data() + at)) : 0;
        for (int64_t p = 0; p < c.k; ++p)
          sum +=
              uint64_t(toInt64(c.lhs, a(p))) * uint64_t(toInt64(c.rhs, b(p)));
        uint64_t got = 0;
        std::memcpy(&got, out.data() + at, size_t(byteSize(c.out)));
        uint64_t mask = ~uint64_t{0} >> (64 - 8 * byteSize(c.out));
        ASSERT_EQ(got, sum & mask) << i << "," << j;
        continue;
      }
      std::complex<double> sum = 0;
      double size = 1;
      if (c.accumulate)
        sum = toComplex(c.out, before.data() + at);
      for (int64_t p = 0; p < c.k; ++p) {
        std::complex<double> term =
            toComplex(c.lhs, a(p)) * toComplex(c.rhs, b(p));
        sum += term;
        size += std::abs(term);
      }
      ASSERT_LE(std::abs(toComplex(c.out, out.data() + at) - sum),
                precision * size)
          << i << "," << j;
    }
}

TEST(TypedProduct, AllTypesAndLayouts) {
  using D = DType;
  const D types[][3] = {{D::I8, D::I8, D::I32},
                        {D::UI8, D::UI8, D::I32},
                        {D::I8, D::UI8, D::I32},
                        {D::UI8, D::I8, D::UI32},
                        {D::I8, D::I8, D::I8},
                        {D::UI8, D::UI8, D::UI16},
                        {D::I4, D::I4, D::I32},
                        {D::UI4, D::I8, D::I32},
                        {D::I8, D::I8, D::I64},
                        {D::I16, D::I16, D::I32},
                        {D::I16, D::I8, D::I16},
                        {D::UI16, D::UI16, D::UI32},
                        {D::I32, D::I32, D::I32},
                        {D::I32, D::I32, D::I64},
                        {D::UI64, D::UI64, D::UI64},
                        {D::F64, D::F64, D::F64},
                        {D::F32, D::F32, D::F64},
                        {D::F32, D::F32, D::F32},
                        {D::BF16, D::BF16, D::F32},
                        {D::BF16, D::F32, D::BF16},
                        {D::F16, D::F16, D::F16},
                        {D::F16, D::F16, D::F32},
                        {D::F16, D::BF16, D::F32},
                        {D::F8E4M3FN, D::F8E5M2, D::F32},
                        {D::F8E4M3FN, D::F8E4M3FN, D::BF16},
                        {D::F8E8M0FNU, D::F32, D::F32},
                        {D::C64, D::C64, D::C64},
                        {D::C128, D::C128, D::C128}};
  for (auto [lhs, rhs, out] : types)
    for (auto [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                           {3, 5, 7},
                           {19, 53, 35},
                           {33, 32, 300},
                           {9, 33, 1}})
      for (int form = 0; form < 16; ++form) {
        SCOPED_TRACE(testing::Message()
                     << name(lhs) << " x " << name(rhs) << " -> " << name(out)
                     << " " << m << "x" << n << "x" << k << " form " << form);
        for (bool blocked : {false, true})
          if (!blocked || takesBlockedProduct(lhs, rhs, out))
            check({lhs, rhs, out, m, n, k, form % 4, form / 4, form % 3 == 0,
                   form % 5 == 0, blocked});
        if (HasFatalFailure())
          return;
      }
}

// All products at the largest: sums beyond 31 bits, pairs beyond 16.
TEST(TypedProduct, ExtremesOfBytesAreExact) {
  for (auto [a, b] : {std::pair(255, 255), std::pair(255, -128),
                      std::pair(-128, -128), std::pair(-128, 255)}) {
    int64_t m = 48, n = 32, k = 70001;
    std::vector<int8_t> lhs(size_t(m * k), int8_t(a)),
        rhs(size_t(n * k), int8_t(b));
    std::vector<int32_t> out(size_t(m * n));
    typedProduct({m,
                  n,
                  k,
                  {reinterpret_cast<std::byte *>(lhs.data()),
                   a > 0 ? DType::UI8 : DType::I8, k, 1},
                  {reinterpret_cast<std::byte *>(rhs.data()),
                   b > 0 ? DType::UI8 : DType::I8, n, 1},
                  reinterpret_cast<std::byte *>(out.data()),
                  DType::I32,
                  n,
                  1,
                  false});
    for (int32_t value : out)
      ASSERT_EQ(value, int32_t(uint32_t(a * b) * uint32_t(k)));
  }
}

} // namespace
