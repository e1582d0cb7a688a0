// Panels of both operands are packed into the type of the sums, padded with
// zeros to whole tiles; a tile of sums stays in registers over a panel's depth.
#include "host/BlockedProduct.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

namespace shoal::rt {

namespace {

constexpr int64_t kDepth = 256; // of a panel

/// sums[Rows][Vectors * lanes] += a (depth by Rows) * b (depth by columns).
template <typename T, int Bytes, int Rows, int Vectors>
[[gnu::always_inline]] inline void tile(int64_t depth, const T *a, const T *b,
                                        T *sums, int64_t sumStride) {
  typedef T Vector __attribute__((vector_size(Bytes), aligned(sizeof(T))));
  constexpr int lanes = Bytes / int(sizeof(T));
  Vector acc[Rows][Vectors];
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i)
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j)
      acc[i][j] =
          *reinterpret_cast<const Vector *>(sums + i * sumStride + j * lanes);
  for (int64_t p = 0; p < depth; ++p, a += Rows, b += Vectors * lanes) {
    Vector row[Vectors];
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j)
      row[j] = *reinterpret_cast<const Vector *>(b + j * lanes);
#pragma clang loop unroll(full)
    for (int i = 0; i < Rows; ++i) {
      T x = a[i];
#pragma clang loop unroll(full)
      for (int j = 0; j < Vectors; ++j)
        acc[i][j] += x * row[j];
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i)
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j)
      *reinterpret_cast<Vector *>(sums + i * sumStride + j * lanes) = acc[i][j];
}

template <typename T>
struct Tiles {
  int64_t rows, columns;
  void (*run)(int64_t depth, const T *a, const T *b, T *sums, int64_t stride);
};

#if defined(__x86_64__)
template <typename T>
__attribute__((target("arch=x86-64-v4"), min_vector_width(512))) void
tile512(int64_t depth, const T *a, const T *b, T *sums, int64_t stride) {
  tile<T, 64, 8, 3>(depth, a, b, sums, stride);
}
template <typename T>
__attribute__((target("arch=x86-64-v3"))) void
tile256(int64_t depth, const T *a, const T *b, T *sums, int64_t stride) {
  tile<T, 32, 4, 3>(depth, a, b, sums, stride);
}
#endif
template <typename T>
void tile128(int64_t depth, const T *a, const T *b, T *sums, int64_t stride) {
  tile<T, 16, 4, 2>(depth, a, b, sums, stride);
}

template <typename T>
Tiles<T> chooseTiles() {
  constexpr int64_t size = sizeof(T);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4"))
    return {8, 3 * 64 / size, tile512<T>};
  if (__builtin_cpu_supports("x86-64-v3"))
    return {4, 3 * 32 / size, tile256<T>};
#endif
  return {4, 2 * 16 / size, tile128<T>};
}

/// Panels of `wide` indices of the first dimension each, depth-major in them:
/// to[panel][p][i] = from[panel * wide + i][p], zero beyond `count`.
template <typename From, typename T>
void packAs(const std::byte *data, int64_t stride, int64_t depthStride,
            int64_t count, int64_t depth, int64_t wide, T *to) {
  const From *from = reinterpret_cast<const From *>(data);
  for (int64_t first = 0; first < count; first += wide) {
    int64_t have = std::min(wide, count - first);
    const From *panel = from + first * stride;
    if (have < wide)
      std::memset(to, 0, static_cast<size_t>(wide * depth) * sizeof(T));
    if (depthStride == 1 && stride != 1) {
      for (int64_t i = 0; i < have; ++i)
        for (int64_t p = 0; p < depth; ++p)
          to[p * wide + i] = static_cast<T>(panel[i * stride + p]);
    } else {
      for (int64_t p = 0; p < depth; ++p)
        for (int64_t i = 0; i < have; ++i)
          to[p * wide + i] =
              static_cast<T>(panel[i * stride + p * depthStride]);
    }
    to += wide * depth;
  }
}

template <typename T>
void pack(DType type, const std::byte *data, int64_t stride,
          int64_t depthStride, int64_t count, int64_t depth, int64_t wide,
          T *to) {
  auto as = [&]<typename From>(From) {
    packAs<From>(data, stride, depthStride, count, depth, wide, to);
  };
  if constexpr (std::is_same_v<T, double>)
    return as(double{});
  else
    switch (type) {
    case DType::I8:
      return as(int8_t{});
    case DType::UI8:
      return as(uint8_t{});
    case DType::I16:
      return as(int16_t{});
    case DType::UI16:
      return as(uint16_t{});
    case DType::I32:
      return as(int32_t{});
    case DType::UI32:
      return as(uint32_t{});
    default:
      return as(uint64_t{});
    }
}

template <typename To, typename T>
void storeAs(const T *sums, int64_t stride, int64_t m, int64_t n,
             std::byte *data, int64_t outRow, int64_t outColumn,
             bool accumulate) {
  To *out = reinterpret_cast<To *>(data);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      To &to = out[i * outRow + j * outColumn];
      T sum = sums[i * stride + j];
      to = static_cast<To>(accumulate ? static_cast<T>(to) + sum : sum);
    }
}

template <typename T>
void run(int64_t m, int64_t n, int64_t k, const ConstMatrix &lhs,
         const ConstMatrix &rhs, std::byte *out, DType outType, int64_t outRow,
         int64_t outColumn, bool accumulate) {
  static const Tiles<T> tiles = chooseTiles<T>();
  auto roundUp = [](int64_t a, int64_t b) { return (a + b - 1) / b * b; };
  int64_t rows = roundUp(m, tiles.rows), columns = roundUp(n, tiles.columns);
  int64_t depth = std::min(k, kDepth);
  // Packed panels and sums, kept for the next call.
  thread_local std::vector<T> memory;
  size_t needed =
      static_cast<size_t>((rows + columns) * depth + rows * columns);
  if (memory.size() < needed)
    memory.resize(needed);
  T *a = memory.data(), *b = a + rows * depth, *sums = b + columns * depth;
  std::memset(sums, 0, static_cast<size_t>(rows * columns) * sizeof(T));
  int64_t lhsBytes = byteSize(lhs.type), rhsBytes = byteSize(rhs.type);
  for (int64_t p = 0; p < k; p += kDepth) {
    int64_t deep = std::min(kDepth, k - p);
    pack(lhs.type, lhs.data + p * lhs.columnStride * lhsBytes, lhs.rowStride,
         lhs.columnStride, m, deep, tiles.rows, a);
    pack(rhs.type, rhs.data + p * rhs.rowStride * rhsBytes, rhs.columnStride,
         rhs.rowStride, n, deep, tiles.columns, b);
    for (int64_t j = 0; j < columns; j += tiles.columns)
      for (int64_t i = 0; i < rows; i += tiles.rows)
        tiles.run(deep, a + i * deep, b + j * deep, sums + i * columns + j,
                  columns);
  }
  auto store = [&]<typename To>(To) {
    storeAs<To>(sums, columns, m, n, out, outRow, outColumn, accumulate);
  };
  if constexpr (std::is_same_v<T, double>)
    store(double{});
  else if (byteSize(outType) == 1)
    store(uint8_t{});
  else if (byteSize(outType) == 2)
    store(uint16_t{});
  else if (byteSize(outType) == 4)
    store(uint32_t{});
  else
    store(uint64_t{});
  // One large product should not hold memory for ever.
  constexpr size_t most = size_t{1} << 22;
  if (memory.size() > most)
    std::vector<T>().swap(memory);
}

bool isPlainInteger(DType type) {
  switch (type) {
  case DType::I8:
  case DType::UI8:
  case DType::I16:
  case DType::UI16:
  case DType::I32:
  case DType::UI32:
  case DType::I64:
  case DType::UI64:
    return true;
  default:
    return false;
  }
}

} // namespace

bool takesBlockedProduct(DType lhs, DType rhs, DType out) {
  if (out == DType::F64)
    return lhs == DType::F64 && rhs == DType::F64;
  return isPlainInteger(lhs) && isPlainInteger(rhs) && isPlainInteger(out);
}

void blockedProduct(int64_t m, int64_t n, int64_t k, const ConstMatrix &lhs,
                    const ConstMatrix &rhs, std::byte *out, DType outType,
                    int64_t outRow, int64_t outColumn, bool accumulate) {
  auto as = [&]<typename T>(T) {
    run<T>(m, n, k, lhs, rhs, out, outType, outRow, outColumn, accumulate);
  };
  if (outType == DType::F64)
    as(double{});
  else if (byteSize(outType) == 8)
    as(uint64_t{});
  else
    as(uint32_t{});
}

} // namespace shoal::rt
