// The runtime's own kernels. Compiled by clang twice: to PTX, which the runtime
// carries as text, and for the host, for the test suite's stand-in driver.
#include "Kernels.h"
#include "Meet.h"

#include "Formats.h" // of lib/Codegen/KernelMath: one source of narrow floats

using namespace shoal::cuda;
namespace math = shoal::math;

//===----------------------------------------------------------------------===//
// Who does what
//===----------------------------------------------------------------------===//

namespace {
struct Place {
  int64_t thread, threads; ///< of all that share an item of work
  int64_t first, stride;   ///< items: first, first + stride, …
};
} // namespace

#ifdef __NVPTX__
#define SHOAL_KERNEL(name, Params, body)                                       \
  extern "C" __attribute__((device_kernel)) void name(Params p) {              \
    int64_t threads = int64_t(__nvvm_read_ptx_sreg_nctaid_x()) *               \
                      __nvvm_read_ptx_sreg_ntid_x();                           \
    int64_t thread = int64_t(__nvvm_read_ptx_sreg_ctaid_x()) *                 \
                         __nvvm_read_ptx_sreg_ntid_x() +                       \
                     __nvvm_read_ptx_sreg_tid_x();                             \
    body(p, Place{thread, threads, int64_t(__nvvm_read_ptx_sreg_ctaid_y()),    \
                  int64_t(__nvvm_read_ptx_sreg_nctaid_y())});                  \
  }
#else
// The emulator's convention: one call per launch, however many blocks it has.
#define SHOAL_KERNEL(name, Params, body)                                       \
  extern "C" void name(void **params, const void *) {                          \
    body(*static_cast<const Params *>(params[0]), Place{0, 1, 0, 1});          \
  }
#endif

//===----------------------------------------------------------------------===//
// Copy and fill
//===----------------------------------------------------------------------===//

namespace {

struct Unit16 {
  uint64_t low, high;
};

template <typename T>
void copyUnits(const Copy3D &c, const Place &place) {
  int64_t units = c.bytes / int64_t(sizeof(T));
  int64_t total = units * c.rows * c.planes;
  for (int64_t i = place.thread; i < total; i += place.threads) {
    int64_t x = i % units, r = i / units % c.rows, q = i / units / c.rows;
    uint64_t at = uint64_t(x) * sizeof(T);
    *reinterpret_cast<T *>(c.target + uint64_t(q * c.targetPlane) +
                           uint64_t(r * c.targetPitch) + at) =
        *reinterpret_cast<const T *>(c.source + uint64_t(q * c.sourcePlane) +
                                     uint64_t(r * c.sourcePitch) + at);
  }
}

void copyAll(const CopyParams &p, const Place &place) {
  for (int64_t i = place.first; i < p.count; i += place.stride) {
    const Copy3D &c = p.copies[i];
    if (c.unit == 16)
      copyUnits<Unit16>(c, place);
    else if (c.unit == 8)
      copyUnits<uint64_t>(c, place);
    else if (c.unit == 4)
      copyUnits<uint32_t>(c, place);
    else if (c.unit == 2)
      copyUnits<uint16_t>(c, place);
    else
      copyUnits<uint8_t>(c, place);
  }
}

void fill(const FillParams &p, const Place &place) {
  int64_t total = p.bytes * p.rows;
  const uint8_t *pattern = reinterpret_cast<const uint8_t *>(p.from);
  for (int64_t i = place.thread; i < total; i += place.threads) {
    int64_t x = i % p.bytes, at = x % p.width;
    uint64_t word = at < 8 ? p.low : p.high;
    uint8_t byte = pattern ? pattern[at] : uint8_t(word >> (at % 8 * 8));
    *reinterpret_cast<uint8_t *>(p.target + uint64_t(i / p.bytes * p.pitch) +
                                 uint64_t(x)) = byte;
  }
}

} // namespace

SHOAL_KERNEL(shoal_rt_copy, CopyParams, copyAll)
SHOAL_KERNEL(shoal_rt_fill, FillParams, fill)

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

namespace {

/// rt::DType
enum Type {
  I1 = 1,
  I2,
  I4,
  I8,
  I16,
  I32,
  I64,
  UI2,
  UI4,
  UI8,
  UI16,
  UI32,
  UI64,
  F4E2M1FN,
  F6E2M3FN,
  F6E3M2FN,
  F8E3M4,
  F8E4M3,
  F8E4M3FN,
  F8E4M3FNUZ,
  F8E4M3B11FNUZ,
  F8E5M2,
  F8E5M2FNUZ,
  F8E8M0FNU,
  BF16,
  F16,
  F32,
  F64,
  C64,
  C128
};
/// program::Reduction
enum Op { None = 0, Add, Mul, Min, Max, And, Or, Xor };

/// Elements as they lie, and as they are computed with.
template <typename T>
struct Plain {
  using Stored = T;
  using Value = T;
  static T get(T x) { return x; }
  static T put(T x) { return x; }
};
template <typename T, int bits>
struct SubByte {
  using Stored = T;
  using Value = T;
  static T get(T x) { return x; }
  // Shifts extend by the sign of T.
  static T put(T x) { return T(T(x << (8 - bits)) >> (8 - bits)); }
};
struct Bool : Plain<uint8_t> {
  static uint8_t put(uint8_t x) { return x & 1; }
};
template <typename F>
struct Narrow {
  using Stored = uint8_t;
  using Value = float;
  static float get(uint8_t x) { return math::decode<F>(x); }
  static uint8_t put(float x) { return math::encode<F>(math::roundTo<F>(x)); }
};
struct BFloat {
  using Stored = uint16_t;
  using Value = float;
  static float get(uint16_t x) {
    return __builtin_bit_cast(float, uint32_t(x) << 16);
  }
  static uint16_t put(float x) {
    return uint16_t(__builtin_bit_cast(uint32_t, math::roundToBFloat16(x)) >>
                    16);
  }
};
struct Half {
  using Stored = _Float16;
  using Value = float;
  static float get(_Float16 x) { return float(x); }
  static _Float16 put(float x) { return _Float16(x); }
};
template <typename T>
struct Complex {
  T re, im;
};

/// Calls visit with the element type's description; false if it is none.
template <typename Visit>
bool withInteger(int type, const Visit &visit) {
  switch (type) {
  case I1:
    return visit(Bool()), true;
  case I2:
    return visit(SubByte<int8_t, 2>()), true;
  case I4:
    return visit(SubByte<int8_t, 4>()), true;
  case I8:
    return visit(Plain<int8_t>()), true;
  case I16:
    return visit(Plain<int16_t>()), true;
  case UI2:
    return visit(SubByte<uint8_t, 2>()), true;
  case UI4:
    return visit(SubByte<uint8_t, 4>()), true;
  case UI8:
    return visit(Plain<uint8_t>()), true;
  case UI16:
    return visit(Plain<uint16_t>()), true;
  default:
    return false;
  }
}
template <typename Visit>
bool withSmallFloat(int type, const Visit &visit) {
  switch (type) {
  case F4E2M1FN:
    return visit(Narrow<math::F4E2M1FN>()), true;
  case F6E2M3FN:
    return visit(Narrow<math::F6E2M3FN>()), true;
  case F6E3M2FN:
    return visit(Narrow<math::F6E3M2FN>()), true;
  case F8E3M4:
    return visit(Narrow<math::F8E3M4>()), true;
  case F8E4M3:
    return visit(Narrow<math::F8E4M3>()), true;
  case F8E4M3FN:
    return visit(Narrow<math::F8E4M3FN>()), true;
  case F8E4M3FNUZ:
    return visit(Narrow<math::F8E4M3FNUZ>()), true;
  case F8E4M3B11FNUZ:
    return visit(Narrow<math::F8E4M3B11FNUZ>()), true;
  case F8E5M2:
    return visit(Narrow<math::F8E5M2>()), true;
  case F8E5M2FNUZ:
    return visit(Narrow<math::F8E5M2FNUZ>()), true;
  case F8E8M0FNU:
    return visit(Narrow<math::F8E8M0FNU>()), true;
  case BF16:
    return visit(BFloat()), true;
  case F16:
    return visit(Half()), true;
  default:
    return false;
  }
}
template <typename Visit>
void withType(int type, const Visit &visit) {
  switch (type) {
  case I32:
    return visit(Plain<int32_t>());
  case I64:
    return visit(Plain<int64_t>());
  case UI32:
    return visit(Plain<uint32_t>());
  case UI64:
    return visit(Plain<uint64_t>());
  case F32:
    return visit(Plain<float>());
  case F64:
    return visit(Plain<double>());
  case C64:
    return visit(Plain<Complex<float>>());
  case C128:
    return visit(Plain<Complex<double>>());
  default:
    if (!withInteger(type, visit))
      withSmallFloat(type, visit);
  }
}

//===----------------------------------------------------------------------===//
// Fold
//===----------------------------------------------------------------------===//

template <typename T>
T applyInteger(int op, T a, T b) {
  switch (op) {
  case Mul:
    return T(uint64_t(a) * uint64_t(b));
  case Min:
    return a < b ? a : b;
  case Max:
    return a > b ? a : b;
  case And:
    return T(a & b);
  case Or:
    return T(a | b);
  case Xor:
    return T(a ^ b);
  default:
    return T(uint64_t(a) + uint64_t(b));
  }
}
template <typename T>
T applyFloat(int op, T a, T b) {
  bool nan = a != a || b != b;
  switch (op) {
  case Mul:
    return a * b;
  case Min:
    return nan      ? a + b
           : a == b ? (__builtin_signbit(a) ? a : b)
           : a < b  ? a
                    : b;
  case Max:
    return nan      ? a + b
           : a == b ? (__builtin_signbit(a) ? b : a)
           : a > b  ? a
                    : b;
  default:
    return a + b;
  }
}
float apply(int op, float a, float b) { return applyFloat(op, a, b); }
double apply(int op, double a, double b) { return applyFloat(op, a, b); }
template <typename T>
Complex<T> apply(int op, Complex<T> a, Complex<T> b) {
  auto less = [](Complex<T> x, Complex<T> y) {
    return x.re != y.re ? x.re < y.re : x.im < y.im;
  };
  switch (op) {
  case Mul:
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  case Min:
    return less(b, a) ? b : a;
  case Max:
    return less(a, b) ? b : a;
  default:
    return {a.re + b.re, a.im + b.im};
  }
}
template <typename T>
T apply(int op, T a, T b) {
  return applyInteger(op, a, b);
}

void fold(const FoldParams &p, const Place &place) {
  int op = p.reduction;
  if (p.type == I1) // on 0 and 1
    op = op == Add ? Or : op == Mul ? And : op;
  withType(p.type, [&](auto type) {
    using Type = decltype(type);
    using Stored = typename Type::Stored;
    int64_t total = p.count * p.rows;
    for (int64_t i = place.thread; i < total; i += place.threads) {
      int64_t x = i % p.count, r = i / p.count;
      auto read = [&](int64_t m) {
        return Type::get(reinterpret_cast<const Stored *>(
            p.in[m] + uint64_t(r * p.inPitch))[x]);
      };
      typename Type::Value acc = read(0);
      for (int64_t m = 1; m < p.numIn; ++m)
        acc = apply(op, acc, read(m));
      Stored result = Type::put(acc);
      for (int64_t m = 0; m < p.numOut; ++m)
        reinterpret_cast<Stored *>(p.out[m] + uint64_t(r * p.outPitch))[x] =
            result;
    }
  });
}

//===----------------------------------------------------------------------===//
// Convert
//===----------------------------------------------------------------------===//

/// Negative numbers upside down, so that integers order as the floats do.
template <typename Int, typename Float>
Int toOrder(Float x, bool nanHigh) {
  constexpr Int highest = Int((uint64_t(1) << (sizeof(Int) * 8 - 1)) - 1);
  if (x != x)
    return nanHigh ? highest : Int(~highest);
  Int bits = __builtin_bit_cast(Int, x);
  return bits < 0 ? Int(bits ^ highest) : bits;
}
template <typename Int, typename Float>
Float fromOrder(Int x) {
  constexpr Int highest = Int((uint64_t(1) << (sizeof(Int) * 8 - 1)) - 1);
  if (x == highest || x == Int(~highest))
    return sizeof(Int) == 4 ? Float(__builtin_nanf(""))
                            : Float(__builtin_nan(""));
  return __builtin_bit_cast(Float, x < 0 ? Int(x ^ highest) : x);
}

template <typename From, typename To, typename Body>
void map(const ConvertParams &p, const Place &place, const Body &body) {
  const From *in = reinterpret_cast<const From *>(p.in);
  To *out = reinterpret_cast<To *>(p.out);
  for (int64_t i = place.thread; i < p.count; i += place.threads)
    out[i] = body(in[i]);
}

void convert(const ConvertParams &p, const Place &place) {
  Convert what = static_cast<Convert>(p.what);
  bool high = what == Convert::ToOrderHigh;
  switch (what) {
  case Convert::ToInt32:
    withInteger(p.type, [&](auto type) {
      using Type = decltype(type);
      map<typename Type::Stored, int32_t>(p, place,
                                          [](auto x) { return int32_t(x); });
    });
    return;
  case Convert::FromInt32:
    withInteger(p.type, [&](auto type) {
      using Type = decltype(type);
      using Stored = typename Type::Stored;
      map<int32_t, Stored>(p, place,
                           [](int32_t x) { return Type::put(Stored(x)); });
    });
    return;
  case Convert::ToFloat:
    withSmallFloat(p.type, [&](auto type) {
      using Type = decltype(type);
      map<typename Type::Stored, float>(p, place,
                                        [](auto x) { return Type::get(x); });
    });
    return;
  case Convert::FromFloat:
    withSmallFloat(p.type, [&](auto type) {
      using Type = decltype(type);
      map<float, typename Type::Stored>(p, place,
                                        [](float x) { return Type::put(x); });
    });
    return;
  case Convert::ToOrderLow:
  case Convert::ToOrderHigh:
    if (p.type == F64)
      return map<double, int64_t>(
          p, place, [=](double x) { return toOrder<int64_t>(x, high); });
    if (p.type == F32)
      return map<float, int32_t>(
          p, place, [=](float x) { return toOrder<int32_t>(x, high); });
    withSmallFloat(p.type, [&](auto type) {
      using Type = decltype(type);
      map<typename Type::Stored, int32_t>(p, place, [=](auto x) {
        return toOrder<int32_t>(Type::get(x), high);
      });
    });
    return;
  case Convert::FromOrder:
    if (p.type == F64)
      return map<int64_t, double>(
          p, place, [](int64_t x) { return fromOrder<int64_t, double>(x); });
    if (p.type == F32)
      return map<int32_t, float>(
          p, place, [](int32_t x) { return fromOrder<int32_t, float>(x); });
    withSmallFloat(p.type, [&](auto type) {
      using Type = decltype(type);
      map<int32_t, typename Type::Stored>(p, place, [](int32_t x) {
        return Type::put(fromOrder<int32_t, float>(x));
      });
    });
    return;
  }
}

//===----------------------------------------------------------------------===//
// After calls of libraries
//===----------------------------------------------------------------------===//

template <typename T>
void scaleReals(const ScaleParams &p, const Place &place) {
  T *data = reinterpret_cast<T *>(p.data);
  for (int64_t i = place.thread; i < p.count; i += place.threads)
    data[i] *= T(p.factor);
}
void scale(const ScaleParams &p, const Place &place) {
  p.isDouble ? scaleReals<double>(p, place) : scaleReals<float>(p, place);
}

template <typename T>
void keepTriangle(const TriangleParams &p, const Place &place) {
  T *data = reinterpret_cast<T *>(p.matrices);
  const int32_t *info = reinterpret_cast<const int32_t *>(p.info);
  int64_t parts = p.isComplex ? 2 : 1;
  for (int64_t i = place.thread; i < p.batch * p.n * p.n; i += place.threads) {
    int64_t column = i % p.n, row = i / p.n % p.n;
    bool kept = p.lower ? column <= row : column >= row;
    if (kept && info[i / p.n / p.n] == 0)
      continue;
    for (int64_t part = 0; part < parts; ++part)
      data[i * parts + part] = kept ? T(__builtin_nanf("")) : T(0);
  }
}
void triangle(const TriangleParams &p, const Place &place) {
  p.isDouble ? keepTriangle<double>(p, place) : keepTriangle<float>(p, place);
}

} // namespace

SHOAL_KERNEL(shoal_rt_fold, FoldParams, fold)
SHOAL_KERNEL(shoal_rt_convert, ConvertParams, convert)
SHOAL_KERNEL(shoal_rt_scale, ScaleParams, scale)
SHOAL_KERNEL(shoal_rt_triangle, TriangleParams, triangle)

//===----------------------------------------------------------------------===//
// On the memory of peers
//===----------------------------------------------------------------------===//

#ifdef __NVPTX__
extern "C" __attribute__((device_kernel)) void
shoal_rt_symmetric(SymmetricParams p) {
  int64_t threads = int64_t(__nvvm_read_ptx_sreg_nctaid_x()) *
                    __nvvm_read_ptx_sreg_ntid_x();
  int64_t thread = int64_t(__nvvm_read_ptx_sreg_ctaid_x()) *
                       __nvvm_read_ptx_sreg_ntid_x() +
                   __nvvm_read_ptx_sreg_tid_x();
  meet(p, 2 * p.number + 1);
  fold(p.fold, Place{thread, threads, 0, 1});
  meet(p, 2 * p.number + 2);
}
#else
extern "C" void shoal_rt_symmetric(void **params, const void *) {
  auto &p = *static_cast<const SymmetricParams *>(params[0]);
  meet(p, 2 * p.number + 1);
  fold(p.fold, Place{0, 1, 0, 1});
  meet(p, 2 * p.number + 2);
}
#endif

#ifndef __NVPTX__
// MultimemKernels.cpp
extern "C" void shoal_rt_multimem_all_reduce(void **params, const void *);
extern "C" void shoal_rt_multimem_reduce_scatter(void **params, const void *);

/// Where the stand-in driver finds them by name.
extern "C" void *shoal_rt_host_kernel(const char *name) {
  struct Entry {
    const char *name;
    void (*kernel)(void **, const void *);
  };
  static const Entry entries[] = {{"shoal_rt_copy", shoal_rt_copy},
                                  {"shoal_rt_fill", shoal_rt_fill},
                                  {"shoal_rt_fold", shoal_rt_fold},
                                  {"shoal_rt_convert", shoal_rt_convert},
                                  {"shoal_rt_scale", shoal_rt_scale},
                                  {"shoal_rt_triangle", shoal_rt_triangle},
                                  {"shoal_rt_symmetric", shoal_rt_symmetric},
                                  {"shoal_rt_multimem_all_reduce",
                                   shoal_rt_multimem_all_reduce},
                                  {"shoal_rt_multimem_reduce_scatter",
                                   shoal_rt_multimem_reduce_scatter}};
  for (const Entry &e : entries)
    if (__builtin_strcmp(e.name, name) == 0)
      return reinterpret_cast<void *>(e.kernel);
  return nullptr;
}
#endif
