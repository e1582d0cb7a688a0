// Panels of both operands are packed into the type of the sums, padded with
// zeros to whole tiles; a tile of sums stays in registers over a panel's depth.
//
// Integers of at most 16 bits are packed two to a 32-bit word, neighbours in
// depth: processors multiply such pairs and add the two products at once,
// exactly modulo 2^32.
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
#define SHOAL_V4 "arch=x86-64-v4"
template <typename T>
__attribute__((target(SHOAL_V4), min_vector_width(512))) void
tile512(int64_t depth, const T *a, const T *b, T *sums, int64_t stride) {
  tile<T, 64, 8, 3>(depth, a, b, sums, stride);
}
template <typename T>
__attribute__((target("arch=x86-64-v3"))) void
tile256(int64_t depth, const T *a, const T *b, T *sums, int64_t stride) {
  tile<T, 32, 4, 3>(depth, a, b, sums, stride);
}

// The same of pairs. A macro, since a function that calls such a builtin must
// itself be of the target that has it.
#define SHOAL_FULLY _Pragma("clang loop unroll(full)")
#define SHOAL_PAIRS(name, machine, width, rows, vectors, multiplyAdd)          \
  __attribute__((target(machine), min_vector_width(8 * width))) void name(     \
      int64_t depth, const uint32_t *a, const uint32_t *b, uint32_t *sums,     \
      int64_t stride) {                                                        \
    typedef uint32_t Vector                                                    \
        __attribute__((vector_size(width), aligned(4)));                       \
    typedef short Pairs __attribute__((vector_size(width)));                   \
    constexpr int lanes = width / 4;                                           \
    Vector acc[rows][vectors];                                                 \
    SHOAL_FULLY for (int i = 0; i < rows; ++i) SHOAL_FULLY for (               \
        int j = 0; j < vectors; ++j) acc[i][j] =                               \
        *reinterpret_cast<const Vector *>(sums + i * stride + j * lanes);      \
    for (; depth > 0; --depth, a += rows, b += vectors * lanes) {              \
      Vector row[vectors];                                                     \
      SHOAL_FULLY for (int j = 0; j < vectors; ++j) row[j] =                   \
          *reinterpret_cast<const Vector *>(b + j * lanes);                    \
      SHOAL_FULLY for (int i = 0; i < rows; ++i) {                             \
        Vector x = Vector{} + a[i];                                            \
        SHOAL_FULLY for (int j = 0; j < vectors; ++j) acc[i][j] +=             \
            reinterpret_cast<Vector>(                                          \
                multiplyAdd(reinterpret_cast<Pairs>(x),                        \
                            reinterpret_cast<Pairs>(row[j])));                 \
      }                                                                        \
    }                                                                          \
    SHOAL_FULLY for (int i = 0; i < rows; ++i) SHOAL_FULLY for (               \
        int j = 0; j < vectors; ++j) *                                         \
        reinterpret_cast<Vector *>(sums + i * stride + j * lanes) = acc[i][j]; \
  }
SHOAL_PAIRS(pairs512Vnni, SHOAL_V4 ",avx512vnni", 64, 8, 3,
            __builtin_ia32_pmaddwd512)
SHOAL_PAIRS(pairs512, SHOAL_V4, 64, 8, 3, __builtin_ia32_pmaddwd512)
SHOAL_PAIRS(pairs256, "arch=x86-64-v3", 32, 4, 3, __builtin_ia32_pmaddwd256)
SHOAL_PAIRS(pairs128, "sse2", 16, 4, 2, __builtin_ia32_pmaddwd128)
#undef SHOAL_PAIRS
#undef SHOAL_FULLY
#undef SHOAL_V4
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

/// Tiles of pairs; none where the machine has no such instruction.
Tiles<uint32_t> choosePairTiles() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4"))
    return {8, 48,
            __builtin_cpu_supports("avx512vnni") ? pairs512Vnni : pairs512};
  if (__builtin_cpu_supports("x86-64-v3"))
    return {4, 24, pairs256};
  return {4, 8, pairs128};
#else
  return {};
#endif
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

#if defined(__x86_64__)
/// to[p][i] = from[i * stride + p] for 8 by 8 doubles: blocks off the diagonal
/// change places, of 1, 2 and 4 a side.
[[gnu::always_inline]] inline void transpose8(const double *from,
                                              int64_t stride, double *to,
                                              int64_t toStride) {
  typedef double Vector __attribute__((vector_size(64), aligned(8)));
  Vector r[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; ++i)
    r[i] = *reinterpret_cast<const Vector *>(from + i * stride);
#define SHOAL_SWAP(step, ...)                                                  \
  for (int i = 0; i < 8; ++i)                                                  \
    if (!(i & step)) {                                                         \
      Vector a = r[i], b = r[i + step];                                        \
      r[i] = __builtin_shufflevector(a, b, __VA_ARGS__);                       \
      r[i + step] = __builtin_shufflevector(b, a, SHOAL_OTHER_##step);         \
    }
#define SHOAL_OTHER_1 9, 1, 11, 3, 13, 5, 15, 7
#define SHOAL_OTHER_2 10, 11, 2, 3, 14, 15, 6, 7
#define SHOAL_OTHER_4 12, 13, 14, 15, 4, 5, 6, 7
#pragma clang loop unroll(full)
  SHOAL_SWAP(1, 0, 8, 2, 10, 4, 12, 6, 14)
#pragma clang loop unroll(full)
  SHOAL_SWAP(2, 0, 1, 8, 9, 4, 5, 12, 13)
#pragma clang loop unroll(full)
  SHOAL_SWAP(4, 0, 1, 2, 3, 8, 9, 10, 11)
#undef SHOAL_SWAP
#undef SHOAL_OTHER_1
#undef SHOAL_OTHER_2
#undef SHOAL_OTHER_4
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; ++i)
    *reinterpret_cast<Vector *>(to + i * toStride) = r[i];
}

/// A panel of `wide` (a multiple of 8) rows that are contiguous in depth.
__attribute__((target("arch=x86-64-v4"), min_vector_width(512))) void
packRows512(const double *from, int64_t stride, int64_t depth, int64_t wide,
            double *to) {
  int64_t p = 0;
  for (; p + 8 <= depth; p += 8)
    for (int64_t i = 0; i < wide; i += 8)
      transpose8(from + i * stride + p, stride, to + p * wide + i, wide);
  for (; p < depth; ++p)
    for (int64_t i = 0; i < wide; ++i)
      to[p * wide + i] = from[i * stride + p];
}
#endif

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
    bool done = false;
#if defined(__x86_64__)
    if constexpr (std::is_same_v<From, double>)
      if (depthStride == 1 && have == wide && wide % 8 == 0 &&
          __builtin_cpu_supports("x86-64-v4")) {
        packRows512(panel, stride, depth, wide, to);
        done = true;
      }
#endif
    if constexpr (sizeof(From) == sizeof(T))
      if (!done && stride == 1) {
        for (int64_t p = 0; p < depth; ++p)
          std::memcpy(to + p * wide, panel + p * depthStride,
                      static_cast<size_t>(have) * sizeof(T));
        done = true;
      }
    if (done) {
    } else if (depthStride == 1 && stride != 1) {
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

/// The same of pairs: to[panel][q][i] holds elements 2q and 2q + 1 in depth.
template <typename From>
void packPairs(const std::byte *data, int64_t stride, int64_t depthStride,
               int64_t count, int64_t depth, int64_t wide, uint32_t *to) {
  const From *from = reinterpret_cast<const From *>(data);
  auto word = [](From low, From high) {
    return static_cast<uint32_t>(static_cast<uint16_t>(low)) |
           static_cast<uint32_t>(static_cast<uint16_t>(high)) << 16;
  };
  int64_t pairs = (depth + 1) / 2, whole = depth / 2;
  for (int64_t first = 0; first < count; first += wide) {
    int64_t have = std::min(wide, count - first);
    const From *panel = from + first * stride;
    if (have < wide)
      std::memset(to, 0, static_cast<size_t>(wide * pairs) * sizeof(*to));
    if (depthStride == 1 && stride != 1) {
      for (int64_t i = 0; i < have; ++i) {
        const From *row = panel + i * stride;
        for (int64_t q = 0; q < whole; ++q)
          to[q * wide + i] = word(row[2 * q], row[2 * q + 1]);
      }
    } else {
      for (int64_t q = 0; q < whole; ++q) {
        const From *low = panel + 2 * q * depthStride, *high = low + depthStride;
        for (int64_t i = 0; i < have; ++i)
          to[q * wide + i] = word(low[i * stride], high[i * stride]);
      }
    }
    if (whole < pairs)
      for (int64_t i = 0; i < have; ++i)
        to[whole * wide + i] =
            word(panel[i * stride + (depth - 1) * depthStride], From{});
    to += wide * pairs;
  }
}

void packPairs(DType type, const std::byte *data, int64_t stride,
               int64_t depthStride, int64_t count, int64_t depth, int64_t wide,
               uint32_t *to) {
  auto as = [&]<typename From>(From) {
    packPairs<From>(data, stride, depthStride, count, depth, wide, to);
  };
  if (byteSize(type) == 2)
    as(int16_t{});
  else if (isUnsignedInt(type))
    as(uint8_t{});
  else
    as(int8_t{});
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
    case DType::I2:
    case DType::I4:
    case DType::I8:
      return as(int8_t{});
    case DType::UI2:
    case DType::UI4:
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

/// `Pairs`: what lies in a packed element.
template <typename T, bool Pairs>
void run(int64_t m, int64_t n, int64_t k, const ConstMatrix &lhs,
         const ConstMatrix &rhs, std::byte *out, DType outType, int64_t outRow,
         int64_t outColumn, bool accumulate) {
  static const Tiles<T> tiles = [] {
    if constexpr (Pairs)
      return choosePairTiles();
    else
      return chooseTiles<T>();
  }();
  auto roundUp = [](int64_t a, int64_t b) { return (a + b - 1) / b * b; };
  int64_t rows = roundUp(m, tiles.rows), columns = roundUp(n, tiles.columns);
  // Depth in elements, and in what is packed of them.
  constexpr int64_t panel = Pairs ? 2 * kDepth : kDepth;
  auto packed = [](int64_t elements) {
    return Pairs ? (elements + 1) / 2 : elements;
  };
  int64_t depth = packed(std::min(k, panel));
  // Packed panels and sums, kept for the next call.
  thread_local std::vector<T> memory;
  size_t needed =
      static_cast<size_t>((rows + columns) * depth + rows * columns);
  if (memory.size() < needed)
    memory.resize(needed);
  T *a = memory.data(), *b = a + rows * depth, *sums = b + columns * depth;
  std::memset(sums, 0, static_cast<size_t>(rows * columns) * sizeof(T));
  int64_t lhsBytes = byteSize(lhs.type), rhsBytes = byteSize(rhs.type);
  for (int64_t p = 0; p < k; p += panel) {
    int64_t deep = std::min(panel, k - p), step = packed(deep);
    const std::byte *l = lhs.data + p * lhs.columnStride * lhsBytes,
                    *r = rhs.data + p * rhs.rowStride * rhsBytes;
    if constexpr (Pairs) {
      packPairs(lhs.type, l, lhs.rowStride, lhs.columnStride, m, deep,
                tiles.rows, a);
      packPairs(rhs.type, r, rhs.columnStride, rhs.rowStride, n, deep,
                tiles.columns, b);
    } else {
      pack(lhs.type, l, lhs.rowStride, lhs.columnStride, m, deep, tiles.rows,
           a);
      pack(rhs.type, r, rhs.columnStride, rhs.rowStride, n, deep,
           tiles.columns, b);
    }
    for (int64_t j = 0; j < columns; j += tiles.columns)
      for (int64_t i = 0; i < rows; i += tiles.rows)
        tiles.run(step, a + i * step, b + j * step, sums + i * columns + j,
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

bool isWhole(DType type) { return isInteger(type) && type != DType::I1; }

/// Operands that fit in 16 bits with their sign.
bool fitsPairs(DType type) {
  return byteSize(type) == 1 || type == DType::I16;
}

} // namespace

bool takesBlockedProduct(DType lhs, DType rhs, DType out) {
  if (out == DType::F64)
    return lhs == DType::F64 && rhs == DType::F64;
  auto isWholeBytes = [](DType type) {
    return type != DType::I2 && type != DType::I4 && type != DType::UI2 &&
           type != DType::UI4;
  };
  return isWhole(lhs) && isWhole(rhs) && isWhole(out) && isWholeBytes(out);
}

void blockedProduct(int64_t m, int64_t n, int64_t k, const ConstMatrix &lhs,
                    const ConstMatrix &rhs, std::byte *out, DType outType,
                    int64_t outRow, int64_t outColumn, bool accumulate) {
  auto as = [&]<typename T, bool Pairs>() {
    run<T, Pairs>(m, n, k, lhs, rhs, out, outType, outRow, outColumn,
                  accumulate);
  };
  static const bool hasPairs = choosePairTiles().run != nullptr;
  if (outType == DType::F64)
    as.template operator()<double, false>();
  else if (byteSize(outType) == 8)
    as.template operator()<uint64_t, false>();
  else if (hasPairs && fitsPairs(lhs.type) && fitsPairs(rhs.type))
    as.template operator()<uint32_t, true>();
  else
    as.template operator()<uint32_t, false>();
}

} // namespace shoal::rt
