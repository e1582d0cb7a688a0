#include "host/Reduce.h"

#include "shoal/runtime/DType.h"

#include <bit>
#include <cmath>
#include <complex>
#include <cstring>
#include <type_traits>

namespace shoal::rt {

using program::Reduction;
using PType = program::DType;

namespace {

constexpr int64_t tile = 512;

template <typename T>
T foldFloat(Reduction r, T a, T b) {
  switch (r) {
  case Reduction::Mul:
    return a * b;
  case Reduction::Min:
    if (std::isnan(a) || std::isnan(b))
      return a + b;
    return a == b ? (std::signbit(a) ? a : b) : (a < b ? a : b);
  case Reduction::Max:
    if (std::isnan(a) || std::isnan(b))
      return a + b;
    return a == b ? (std::signbit(a) ? b : a) : (a > b ? a : b);
  default:
    return a + b;
  }
}

template <typename T>
std::complex<T> foldComplex(Reduction r, std::complex<T> a, std::complex<T> b) {
  auto less = [](std::complex<T> x, std::complex<T> y) {
    return x.real() != y.real() ? x.real() < y.real() : x.imag() < y.imag();
  };
  switch (r) {
  case Reduction::Mul: // without the library's repair of infinities
    return {a.real() * b.real() - a.imag() * b.imag(),
            a.real() * b.imag() + a.imag() * b.real()};
  case Reduction::Min:
    return less(b, a) ? b : a;
  case Reduction::Max:
    return less(a, b) ? b : a;
  default:
    return a + b;
  }
}

template <typename T>
T foldInt(Reduction r, T a, T b) {
  using U = std::make_unsigned_t<T>;
  switch (r) {
  case Reduction::Mul:
    // 16-bit operands would be promoted to int, whose product may overflow.
    return static_cast<T>(static_cast<uint64_t>(static_cast<U>(a)) *
                          static_cast<uint64_t>(static_cast<U>(b)));
  case Reduction::Min:
    return a < b ? a : b;
  case Reduction::Max:
    return a > b ? a : b;
  case Reduction::And:
    return static_cast<T>(a & b);
  case Reduction::Or:
    return static_cast<T>(a | b);
  case Reduction::Xor:
    return static_cast<T>(a ^ b);
  default:
    return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  }
}

template <typename T>
T fold(Reduction r, T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return foldInt(r, a, b);
  else if constexpr (std::is_floating_point_v<T>)
    return foldFloat(r, a, b);
  else
    return foldComplex(r, a, b);
}

/// Folds tile by tile in an accumulator of type Acc; `load` and `store` move
/// `n` elements between a buffer and the accumulator.
template <typename Acc, typename Load, typename Store>
void run(Reduction r, std::span<const std::byte *const> in, std::byte *out,
         int64_t count, int64_t size, const Load &load, const Store &store) {
  Acc acc[tile], next[tile];
  for (int64_t begin = 0; begin < count; begin += tile) {
    int64_t n = std::min(tile, count - begin);
    load(in[0] + begin * size, acc, n);
    for (size_t m = 1; m < in.size(); ++m) {
      load(in[m] + begin * size, next, n);
      if (r == Reduction::Add)
        for (int64_t i = 0; i < n; ++i)
          acc[i] = fold(Reduction::Add, acc[i], next[i]);
      else
        for (int64_t i = 0; i < n; ++i)
          acc[i] = fold(r, acc[i], next[i]);
    }
    store(acc, out + begin * size, n);
  }
}

template <typename T>
void runPlain(Reduction r, std::span<const std::byte *const> in, std::byte *out,
              int64_t count) {
  run<T>(
      r, in, out, count, sizeof(T),
      [](const std::byte *p, T *acc, int64_t n) {
        std::memcpy(static_cast<void *>(acc), p,
                    static_cast<size_t>(n) * sizeof(T));
      },
      [](const T *acc, std::byte *p, int64_t n) {
        std::memcpy(p, acc, static_cast<size_t>(n) * sizeof(T));
      });
}

void runBF16(Reduction r, std::span<const std::byte *const> in, std::byte *out,
             int64_t count) {
  run<float>(
      r, in, out, count, 2,
      [](const std::byte *p, float *acc, int64_t n) {
        for (int64_t i = 0; i < n; ++i) {
          uint16_t bits;
          std::memcpy(&bits, p + 2 * i, 2);
          acc[i] = std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
        }
      },
      [](const float *acc, std::byte *p, int64_t n) {
        for (int64_t i = 0; i < n; ++i) {
          uint32_t bits = std::bit_cast<uint32_t>(acc[i]);
          uint16_t high = static_cast<uint16_t>(
              std::isnan(acc[i]) ? bits >> 16 | 0x40
                                 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
          std::memcpy(p + 2 * i, &high, 2);
        }
      });
}

/// All other small floats, through double: exact, and rounded once.
void runSmallFloat(DType type, Reduction r,
                   std::span<const std::byte *const> in, std::byte *out,
                   int64_t count) {
  int64_t size = byteSize(type);
  run<float>(
      r, in, out, count, size,
      [=](const std::byte *p, float *acc, int64_t n) {
        for (int64_t i = 0; i < n; ++i)
          acc[i] = static_cast<float>(toDouble(type, p + i * size));
      },
      [=](const float *acc, std::byte *p, int64_t n) {
        for (int64_t i = 0; i < n; ++i)
          fromDouble(type, acc[i], p + i * size);
      });
}

/// Integers below 8 bits: computed in 8, then cut to their width.
template <typename T>
void runSubByte(int bits, Reduction r, std::span<const std::byte *const> in,
                std::byte *out, int64_t count) {
  run<T>(
      r, in, out, count, 1,
      [](const std::byte *p, T *acc, int64_t n) {
        std::memcpy(acc, p, static_cast<size_t>(n));
      },
      [=](const T *acc, std::byte *p, int64_t n) {
        for (int64_t i = 0; i < n; ++i) // shifts extend by the sign of T
          p[i] = static_cast<std::byte>(static_cast<T>(
              static_cast<T>(acc[i] << (8 - bits)) >> (8 - bits)));
      });
}

} // namespace

void reduceElements(PType type, Reduction r,
                    std::span<const std::byte *const> in, std::byte *out,
                    int64_t count) {
  switch (type) {
  case PType::Invalid:
    return;
  case PType::I1:
    // On 0 and 1: a sum is "or", a product "and".
    if (r == Reduction::Add)
      r = Reduction::Or;
    if (r == Reduction::Mul)
      r = Reduction::And;
    return runPlain<uint8_t>(r, in, out, count);
  case PType::I2:
    return runSubByte<int8_t>(2, r, in, out, count);
  case PType::I4:
    return runSubByte<int8_t>(4, r, in, out, count);
  case PType::UI2:
    return runSubByte<uint8_t>(2, r, in, out, count);
  case PType::UI4:
    return runSubByte<uint8_t>(4, r, in, out, count);
  case PType::I8:
    return runPlain<int8_t>(r, in, out, count);
  case PType::I16:
    return runPlain<int16_t>(r, in, out, count);
  case PType::I32:
    return runPlain<int32_t>(r, in, out, count);
  case PType::I64:
    return runPlain<int64_t>(r, in, out, count);
  case PType::UI8:
    return runPlain<uint8_t>(r, in, out, count);
  case PType::UI16:
    return runPlain<uint16_t>(r, in, out, count);
  case PType::UI32:
    return runPlain<uint32_t>(r, in, out, count);
  case PType::UI64:
    return runPlain<uint64_t>(r, in, out, count);
  case PType::BF16:
    return runBF16(r, in, out, count);
  case PType::F32:
    return runPlain<float>(r, in, out, count);
  case PType::F64:
    return runPlain<double>(r, in, out, count);
  case PType::C64:
    return runPlain<std::complex<float>>(r, in, out, count);
  case PType::C128:
    return runPlain<std::complex<double>>(r, in, out, count);
  default:
    return runSmallFloat(static_cast<DType>(type), r, in, out, count);
  }
}

} // namespace shoal::rt
