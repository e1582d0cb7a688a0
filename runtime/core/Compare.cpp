#include "shoal/runtime/Compare.h"

#include "shoal/runtime/Tensor.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace shoal::rt {

namespace {

struct Verdict {
  bool equal;
  double error;
  uint64_t ulp;
};

/// Judges one real number; `a` and `b` point at elements of real type `type`.
/// For units in the last place only measures.
Verdict judge(DType type, const void *a, const void *b, const Tolerance &t) {
  double got = toDouble(type, a), want = toDouble(type, b);
  bool gotNaN = std::isnan(got), wantNaN = std::isnan(want);
  // Zeros of either sign are the same number.
  bool same = gotNaN || wantNaN ? gotNaN && wantNaN && t.nanEqual : got == want;
  double error = same                ? 0
                 : gotNaN || wantNaN ? std::numeric_limits<double>::infinity()
                                     : std::fabs(got - want);
  if (t.kind == Tolerance::Kind::Ulp) {
    // What is not finite is as far from any other number as can be.
    constexpr uint64_t furthest = std::numeric_limits<uint64_t>::max();
    uint64_t ulp = same ? 0
                   : std::isfinite(got) && std::isfinite(want)
                       ? static_cast<uint64_t>(ulpDistance(type, a, b))
                       : furthest;
    return {true, error, ulp};
  }
  if (gotNaN || wantNaN)
    return {same, error, 0};
  if (std::isinf(got) || std::isinf(want))
    return {same, error, 0};
  return {same || error <= t.absolute + t.relative * std::fabs(want), error, 0};
}

} // namespace

Comparison compare(DType type, const void *got, const void *want, int64_t count,
                   const Tolerance &tolerance) {
  Comparison result;
  int64_t size = byteSize(type);
  DType part = type == DType::C64    ? DType::F32
               : type == DType::C128 ? DType::F64
                                     : type;
  int parts = isComplex(type) ? 2 : 1;
  const char *a = static_cast<const char *>(got),
             *b = static_cast<const char *>(want);
  for (int64_t i = 0; i < count; ++i, a += size, b += size) {
    bool equal = true;
    double error = 0;
    uint64_t ulp = 0;
    if (isInteger(type)) {
      int64_t x = toInt64(type, a), y = toInt64(type, b);
      equal = x == y;
      if (!equal)
        error = std::fabs(toDouble(type, a) - toDouble(type, b));
    } else {
      for (int p = 0; p < parts; ++p) {
        Verdict v = judge(part, a + p * (size / parts), b + p * (size / parts),
                          tolerance);
        equal &= v.equal;
        error = std::max(error, v.error);
        ulp = std::max(ulp, v.ulp);
      }
      // A complex number is as far off as its worse part.
      if (tolerance.kind == Tolerance::Kind::Ulp)
        equal = ulp >= tolerance.minUlp && ulp <= tolerance.maxUlp;
    }
    if (!equal && result.mismatches++ == 0)
      result.firstMismatch = i;
    if (error > result.largestError) {
      result.largestError = error;
      result.largestAt = i;
    }
    result.largestUlp = std::max(result.largestUlp, ulp);
  }
  return result;
}

static std::string formatDouble(double value, bool single) {
  char text[64];
  auto end = single ? std::to_chars(text, text + 64, static_cast<float>(value))
                    : std::to_chars(text, text + 64, value);
  return std::string(text, end.ptr);
}

std::string formatElement(DType type, const void *p) {
  if (type == DType::I1)
    return toInt64(type, p) ? "true" : "false";
  if (type == DType::UI64)
    return std::to_string(static_cast<uint64_t>(toInt64(type, p)));
  if (isInteger(type))
    return std::to_string(toInt64(type, p));
  bool single = type != DType::F64 && type != DType::C128;
  if (isComplex(type)) {
    std::complex<double> c = toComplex(type, p);
    return "(" + formatDouble(c.real(), single) + ", " +
           formatDouble(c.imag(), single) + ")";
  }
  return formatDouble(toDouble(type, p), single);
}

std::string formatIndex(int64_t index, const std::vector<int64_t> &shape) {
  std::string text;
  for (size_t d = shape.size(); d-- > 0;) {
    int64_t n = shape[d] > 0 ? shape[d] : 1;
    text = std::to_string(index % n) + (text.empty() ? "" : ", ") + text;
    index /= n;
  }
  return "[" + text + "]";
}

std::string describe(const Comparison &c, DType type, const void *got,
                     const void *want, const std::vector<int64_t> &shape) {
  int64_t size = byteSize(type);
  auto at = [&](const void *base, int64_t i) {
    return formatElement(type, static_cast<const char *>(base) + i * size);
  };
  std::string text =
      "first mismatch at " + formatIndex(c.firstMismatch, shape) + ": got " +
      at(got, c.firstMismatch) + ", want " + at(want, c.firstMismatch) +
      "; largest error " + formatDouble(c.largestError, false);
  if (c.largestAt >= 0)
    text += " at " + formatIndex(c.largestAt, shape);
  if (c.largestUlp > 0 && c.largestUlp < std::numeric_limits<uint64_t>::max())
    text += " (at most " + std::to_string(c.largestUlp) + " ulp)";
  return text + "; " + std::to_string(c.mismatches) + " of " +
         std::to_string(numElements(shape)) + " elements differ";
}

} // namespace shoal::rt
