// Each kind of element goes to the fastest way that is right for it:
//
//  f32, bf16           oneDNN as they lie
//  narrower floats     widened to bf16 or f32 first; sums rounded afterwards
//  complex             a real product of twice the columns and depth
//  integers of 8 bits  oneDNN, where the processor multiplies them exactly
//  other integers, f64 BlockedProduct
//  anything else       plain loops
#include "host/TypedProduct.h"

#include "host/Gemm.h"
#include "host/NarrowFloats.h"
#include "host/OneDnn.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

namespace shoal::rt {

namespace {

/// Memory of this thread, kept for the next product unless it is large.
template <typename T, int Which>
class Scratch {
public:
  explicit Scratch(int64_t count) {
    if (memory().size() < static_cast<size_t>(count))
      memory().resize(static_cast<size_t>(count));
  }
  ~Scratch() {
    constexpr size_t most = (size_t{8} << 20) / sizeof(T);
    if (memory().size() > most)
      std::vector<T>().swap(memory());
  }
  Scratch(const Scratch &) = delete;
  T *data() { return memory().data(); }

private:
  static std::vector<T> &memory() {
    thread_local std::vector<T> m;
    return m;
  }
};

bool isUpToF32(DType type) { return isFloat(type) && type != DType::F64; }
bool isLibraryFloat(DType type) {
  return type == DType::F32 || type == DType::BF16;
}
int32_t libraryFloat(DType type) {
  return type == DType::BF16 ? ShoalMatmulBF16 : ShoalMatmulF32;
}
bool hasContiguousRows(const ProductBlock &b) {
  return b.n == 1 || b.outColumn == 1;
}

ShoalMatmul libraryShape(const ProductBlock &b) {
  ShoalMatmul s = {};
  s.m = b.m;
  s.n = b.n;
  s.k = b.k;
  s.lhsStrideM = b.lhs.rowStride;
  s.lhsStrideK = b.lhs.columnStride;
  s.rhsStrideK = b.rhs.rowStride;
  s.rhsStrideN = b.rhs.columnStride;
  s.outStrideM = b.outRow;
  return s;
}

//===----------------------------------------------------------------------===//
// Floats of at most 32 bits
//===----------------------------------------------------------------------===//

/// A dense copy as f32 or bf16, in the order in which the elements lie.
ConstMatrix widened(const ConstMatrix &m, int64_t rows, int64_t columns,
                    DType type, float *memory) {
  int64_t bytes = byteSize(m.type);
  bool byColumns = m.rowStride == 1 && m.columnStride != 1;
  int64_t lines = byColumns ? columns : rows,
          length = byColumns ? rows : columns;
  int64_t step = byColumns ? m.columnStride : m.rowStride,
          stride = byColumns ? m.rowStride : m.columnStride;
  for (int64_t i = 0; i < lines; ++i) {
    const std::byte *from = m.data + i * step * bytes;
    if (type == DType::BF16)
      widenToBF16(m.type, from, stride, length,
                  reinterpret_cast<uint16_t *>(memory) + i * length);
    else
      widenFloats(m.type, from, stride, length, memory + i * length);
  }
  return {reinterpret_cast<const std::byte *>(memory), type,
          byColumns ? 1 : length, byColumns ? length : 1};
}

void floatProduct(ProductBlock b) {
  // The library takes two f32 or two bf16.
  DType common = isExactInBF16(b.lhs.type) && isExactInBF16(b.rhs.type)
                     ? DType::BF16
                     : DType::F32;
  bool widenLeft = b.lhs.type != common, widenRight = b.rhs.type != common;
  Scratch<float, 0> left(widenLeft ? b.m * b.k : 0);
  Scratch<float, 1> right(widenRight ? b.k * b.n : 0);
  if (widenLeft)
    b.lhs = widened(b.lhs, b.m, b.k, common, left.data());
  if (widenRight)
    b.rhs = widened(b.rhs, b.k, b.n, common, right.data());
  ShoalMatmul shape = libraryShape(b);
  shape.lhsType = libraryFloat(b.lhs.type);
  shape.rhsType = libraryFloat(b.rhs.type);
  bool direct =
      isLibraryFloat(b.outType) && hasContiguousRows(b) && !b.accumulate;
  if (direct) {
    shape.outType = libraryFloat(b.outType);
    return gemm(shape, b.lhs.data, b.rhs.data, b.out);
  }
  Scratch<float, 2> sums(b.m * b.n);
  Scratch<float, 3> before(b.accumulate ? b.n : 0);
  shape.outType = ShoalMatmulF32;
  shape.outStrideM = b.n;
  gemm(shape, b.lhs.data, b.rhs.data, sums.data());
  int64_t bytes = byteSize(b.outType);
  for (int64_t i = 0; i < b.m; ++i) {
    std::byte *out = b.out + i * b.outRow * bytes;
    float *row = sums.data() + i * b.n;
    if (b.accumulate) {
      widenFloats(b.outType, out, b.outColumn, b.n, before.data());
      for (int64_t j = 0; j < b.n; ++j)
        row[j] += before.data()[j];
    }
    narrowFloats(b.outType, row, b.n, out, b.outColumn);
  }
}

//===----------------------------------------------------------------------===//
// Complex numbers
//===----------------------------------------------------------------------===//

/// With a complex number as a pair of reals (re, im) the product is
///   [.. re im ..] * [ re im ]
///                   [-im re ]
/// so the left operand and the result are real matrices as they lie.
template <typename T>
void complexProduct(const ProductBlock &b) {
  constexpr DType part = std::is_same_v<T, float> ? DType::F32 : DType::F64;
  const T *l = reinterpret_cast<const T *>(b.lhs.data),
          *r = reinterpret_cast<const T *>(b.rhs.data);
  bool copyLeft = b.lhs.columnStride != 1 && b.k > 1;
  Scratch<T, 4> left(copyLeft ? 2 * b.m * b.k : 0);
  Scratch<T, 5> right(4 * b.k * b.n);
  ProductBlock real = {};
  real.m = b.m;
  real.n = 2 * b.n;
  real.k = 2 * b.k;
  real.lhs = {b.lhs.data, part, 2 * b.lhs.rowStride, 1};
  if (copyLeft) {
    for (int64_t i = 0; i < b.m; ++i)
      for (int64_t p = 0; p < b.k; ++p)
        std::memcpy(left.data() + 2 * (i * b.k + p),
                    l + 2 * (i * b.lhs.rowStride + p * b.lhs.columnStride),
                    2 * sizeof(T));
    real.lhs = {reinterpret_cast<const std::byte *>(left.data()), part, 2 * b.k,
                1};
  }
  for (int64_t p = 0; p < b.k; ++p) {
    T *first = right.data() + 4 * p * b.n, *second = first + 2 * b.n;
    for (int64_t j = 0; j < b.n; ++j) {
      const T *x = r + 2 * (p * b.rhs.rowStride + j * b.rhs.columnStride);
      first[2 * j] = x[0];
      first[2 * j + 1] = x[1];
      second[2 * j] = -x[1];
      second[2 * j + 1] = x[0];
    }
  }
  real.rhs = {reinterpret_cast<const std::byte *>(right.data()), part, 2 * b.n,
              1};
  real.outType = part;
  real.outColumn = 1;
  if (hasContiguousRows(b)) {
    real.out = b.out;
    real.outRow = 2 * b.outRow;
    real.accumulate = b.accumulate;
    return typedProduct(real);
  }
  Scratch<T, 6> sums(2 * b.m * b.n);
  real.out = reinterpret_cast<std::byte *>(sums.data());
  real.outRow = 2 * b.n;
  typedProduct(real);
  T *out = reinterpret_cast<T *>(b.out);
  for (int64_t i = 0; i < b.m; ++i)
    for (int64_t j = 0; j < b.n; ++j) {
      T *to = out + 2 * (i * b.outRow + j * b.outColumn);
      const T *from = sums.data() + 2 * (i * b.n + j);
      to[0] = b.accumulate ? to[0] + from[0] : from[0];
      to[1] = b.accumulate ? to[1] + from[1] : from[1];
    }
}

//===----------------------------------------------------------------------===//
// Integers of 8 bits
//===----------------------------------------------------------------------===//

/// True if the library's sums of products of bytes are exact: the instructions
/// of older processors saturate sums of two products at 16 bits.
bool libraryIsExact() {
  static const bool exact = [] {
    const OneDnn *d = OneDnn::get();
    if (!d)
      return false;
    constexpr int wanted = dnnl_cpu_isa_avx512_core_vnni;
    if ((int(d->effectiveIsa()) & wanted) != wanted)
      return false;
    // Seen as well as believed: the largest products, and odd sums beyond what
    // a float holds.
    constexpr int64_t m = 17, n = 48, k = 1029;
    std::vector<uint8_t> a(m * k, 255);
    std::vector<int8_t> b(k * n, 127);
    std::vector<int32_t> sums(m * n);
    for (int64_t j = 0; j < n; j += 2)
      for (int64_t p = 0; p < k; ++p)
        b[p * n + j] = -128;
    ShoalMatmul s = {m, n, k, k, 1, n, 1, n, MatmulU8, MatmulS8, MatmulS32, 0};
    if (!libraryProduct(s, a.data(), b.data(), sums.data()))
      return false;
    for (int64_t i = 0; i < m * n; ++i)
      if (sums[i] != k * 255 * (i % n % 2 ? 127 : -128))
        return false;
    return true;
  }();
  return exact;
}

/// A dense row-major copy; `flip` turns unsigned bytes into signed ones, 128
/// less.
ConstMatrix packedBytes(const ConstMatrix &m, int64_t rows, int64_t columns,
                        uint8_t flip, uint8_t *to) {
  const auto *from = reinterpret_cast<const uint8_t *>(m.data);
  for (int64_t i = 0; i < rows; ++i) {
    const uint8_t *row = from + i * m.rowStride;
    if (m.columnStride == 1)
      for (int64_t j = 0; j < columns; ++j)
        to[i * columns + j] = row[j] ^ flip;
    else
      for (int64_t j = 0; j < columns; ++j)
        to[i * columns + j] = row[j * m.columnStride] ^ flip;
  }
  return {reinterpret_cast<const std::byte *>(to), m.type, columns, 1};
}

template <typename To>
void storeSums(const ProductBlock &b, const uint32_t *sums,
               const uint32_t *corrections) {
  To *out = reinterpret_cast<To *>(b.out);
  for (int64_t i = 0; i < b.m; ++i) {
    uint32_t more = corrections ? corrections[i] : 0;
    To *row = out + i * b.outRow;
    if (b.outColumn == 1 && !b.accumulate) {
      for (int64_t j = 0; j < b.n; ++j)
        row[j] = static_cast<To>(sums[i * b.n + j] + more);
      continue;
    }
    for (int64_t j = 0; j < b.n; ++j) {
      To &to = row[j * b.outColumn];
      uint32_t sum = sums[i * b.n + j] + more;
      to = static_cast<To>(b.accumulate ? to + sum : sum);
    }
  }
}

/// sums[i] += 128 * the sum of row i of the left operand.
template <typename From>
void addRows(const ProductBlock &b, uint32_t *sums) {
  const From *from = reinterpret_cast<const From *>(b.lhs.data);
  int64_t row = b.lhs.rowStride, column = b.lhs.columnStride;
  if (column == 1) {
    for (int64_t i = 0; i < b.m; ++i) {
      uint32_t sum = 0;
      for (int64_t p = 0; p < b.k; ++p)
        sum += static_cast<uint32_t>(from[i * row + p]);
      sums[i] += 128 * sum;
    }
    return;
  }
  for (int64_t p = 0; p < b.k; ++p)
    for (int64_t i = 0; i < b.m; ++i)
      sums[i] += 128 * static_cast<uint32_t>(from[i * row + p * column]);
}

bool byteProduct(ProductBlock b) {
  if (byteSize(b.lhs.type) != 1 || byteSize(b.rhs.type) != 1 ||
      byteSize(b.outType) > 4)
    return false;
  // A call costs some microseconds, its first one some hundreds.
  if (b.m * b.n * b.k < 32 * 32 * 32 || !libraryIsExact())
    return false;
  auto isSignedByte = [](DType t) { return t != DType::UI8; };
  // Only unsigned times signed and signed times signed are known.
  bool flip = !isSignedByte(b.rhs.type);
  Scratch<uint8_t, 0> left(b.m * b.k);
  Scratch<uint8_t, 1> right(b.k * b.n);
  Scratch<uint32_t, 2> sums(b.m * b.n);
  Scratch<uint32_t, 3> corrections(flip ? b.m : 0);
  if (flip) {
    // a * b = a * (b - 128) + 128 * (sum of a's row)
    std::fill_n(corrections.data(), b.m, 0);
    if (isSignedByte(b.lhs.type))
      addRows<int8_t>(b, corrections.data());
    else
      addRows<uint8_t>(b, corrections.data());
  }
  // Its code for matrix units knows matrices without gaps only, and is eight
  // times as fast as the other.
  auto hasGaps = [](const ConstMatrix &m, int64_t rows, int64_t columns) {
    return !(m.columnStride == 1 && m.rowStride == columns) &&
           !(m.rowStride == 1 && m.columnStride == rows);
  };
  if (flip || hasGaps(b.rhs, b.k, b.n))
    b.rhs = packedBytes(b.rhs, b.k, b.n, flip ? 0x80 : 0, right.data());
  if (hasGaps(b.lhs, b.m, b.k))
    b.lhs = packedBytes(b.lhs, b.m, b.k, 0, left.data());
  bool direct = byteSize(b.outType) == 4 && b.outRow == b.n &&
                hasContiguousRows(b) && !b.accumulate && !flip;
  auto run = [&] {
    ShoalMatmul s = libraryShape(b);
    s.lhsType = isSignedByte(b.lhs.type) ? MatmulS8 : MatmulU8;
    s.rhsType = MatmulS8;
    s.outType = MatmulS32;
    if (!direct)
      s.outStrideM = b.n;
    return libraryProduct(s, b.lhs.data, b.rhs.data,
                          direct ? static_cast<void *>(b.out) : sums.data());
  };
  if (!run()) {
    // Not every layout is known to it.
    if (b.lhs.columnStride == 1 && b.rhs.columnStride == 1)
      return false;
    if (b.lhs.columnStride != 1)
      b.lhs = packedBytes(b.lhs, b.m, b.k, 0, left.data());
    if (b.rhs.columnStride != 1)
      b.rhs = packedBytes(b.rhs, b.k, b.n, 0, right.data());
    if (!run())
      return false;
  }
  if (direct)
    return true;
  const uint32_t *more = flip ? corrections.data() : nullptr;
  if (byteSize(b.outType) == 4)
    storeSums<uint32_t>(b, sums.data(), more);
  else if (byteSize(b.outType) == 2)
    storeSums<uint16_t>(b, sums.data(), more);
  else
    storeSums<uint8_t>(b, sums.data(), more);
  return true;
}

//===----------------------------------------------------------------------===//
// Anything
//===----------------------------------------------------------------------===//

template <typename Acc>
Acc loadAs(DType type, const std::byte *p) {
  if constexpr (std::is_same_v<Acc, uint64_t>)
    return static_cast<uint64_t>(toInt64(type, p));
  else if constexpr (std::is_same_v<Acc, double>)
    return toDouble(type, p);
  else
    return toComplex(type, p);
}

void storeAs(DType type, uint64_t value, std::byte *p) {
  std::memcpy(p, &value, static_cast<size_t>(byteSize(type)));
}
void storeAs(DType type, double value, std::byte *p) {
  fromDouble(type, value, p);
}
void storeAs(DType type, std::complex<double> value, std::byte *p) {
  DType part = type == DType::C64 ? DType::F32 : DType::F64;
  fromDouble(part, value.real(), p);
  fromDouble(part, value.imag(), p + byteSize(part));
}

/// Operands are widened once, sums are in the widest type of their kind.
template <typename Acc>
void plainProduct(const ProductBlock &b) {
  std::vector<Acc> wide(static_cast<size_t>(b.k * b.n)),
      sums(static_cast<size_t>(b.n));
  auto element = [](const ConstMatrix &m, int64_t i, int64_t j) {
    return loadAs<Acc>(m.type, m.data + (i * m.rowStride + j * m.columnStride) *
                                            byteSize(m.type));
  };
  for (int64_t i = 0; i < b.k; ++i)
    for (int64_t j = 0; j < b.n; ++j)
      wide[i * b.n + j] = element(b.rhs, i, j);
  for (int64_t i = 0; i < b.m; ++i) {
    std::fill(sums.begin(), sums.end(), Acc{});
    for (int64_t t = 0; t < b.k; ++t) {
      Acc a = element(b.lhs, i, t);
      const Acc *row = &wide[t * b.n];
      for (int64_t j = 0; j < b.n; ++j)
        sums[j] += a * row[j];
    }
    for (int64_t j = 0; j < b.n; ++j) {
      std::byte *to =
          b.out + (i * b.outRow + j * b.outColumn) * byteSize(b.outType);
      storeAs(b.outType,
              b.accumulate ? loadAs<Acc>(b.outType, to) + sums[j] : sums[j],
              to);
    }
  }
}

bool all(const ProductBlock &b, DType type) {
  return b.lhs.type == type && b.rhs.type == type && b.outType == type;
}

} // namespace

bool wantsContiguousRows(DType lhs, DType rhs, DType out, bool accumulate) {
  return !accumulate &&
         ((isUpToF32(lhs) && isUpToF32(rhs) && isLibraryFloat(out)) ||
          isComplex(out));
}

void typedProduct(const ProductBlock &b) {
  if (isUpToF32(b.lhs.type) && isUpToF32(b.rhs.type) && isUpToF32(b.outType))
    return floatProduct(b);
  if (all(b, DType::C64))
    return complexProduct<float>(b);
  if (all(b, DType::C128))
    return complexProduct<double>(b);
  if (takesBlockedProduct(b.lhs.type, b.rhs.type, b.outType)) {
    if (!byteProduct(b))
      blockedProduct(b.m, b.n, b.k, b.lhs, b.rhs, b.out, b.outType, b.outRow,
                     b.outColumn, b.accumulate);
    return;
  }
  if (isInteger(b.outType))
    return plainProduct<uint64_t>(b);
  if (isComplex(b.outType))
    return plainProduct<std::complex<double>>(b);
  plainProduct<double>(b);
}

} // namespace shoal::rt
