// Cholesky factorisation and triangular solves of one matrix.
#include "shoal/runtime/DType.h"
#include "shoal/runtime/Support.h"

#include <cmath>
#include <complex>
#include <limits>
#include <type_traits>
#include <vector>

namespace {

template <typename T>
T conjugate(T x) {
  return x;
}
template <typename T>
std::complex<T> conjugate(std::complex<T> x) {
  return std::conj(x);
}
template <typename T>
T times(T a, T b) {
  return a * b;
}
template <typename T>
std::complex<T> times(std::complex<T> a, std::complex<T> b) {
  return {a.real() * b.real() - a.imag() * b.imag(),
          a.real() * b.imag() + a.imag() * b.real()};
}

/// sum of a[k] conj(b[k]), eight partial sums in a fixed order.
template <typename T>
T dot(const T *a, const T *b, int64_t n) {
  T sums[8] = {};
  int64_t k = 0;
  for (; k + 8 <= n; k += 8)
    for (int j = 0; j < 8; ++j)
      sums[j] += times(a[k + j], conjugate(b[k + j]));
  for (int j = 0; k < n; ++k, ++j)
    sums[j] += times(a[k], conjugate(b[k]));
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) +
         ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

template <typename T>
void cholesky(bool lower, int64_t n, const T *in, T *out) {
  std::vector<T> factor(n * n);
  T *l = factor.data();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      T a = lower ? in[i * n + j] : conjugate(in[j * n + i]);
      T rest = a - dot(l + i * n, l + j * n, j);
      if (i != j) {
        l[i * n + j] = rest / l[j * n + j];
        continue;
      }
      auto square = std::real(rest);
      using R = decltype(square);
      l[i * n + i] =
          square > 0 ? std::sqrt(square) : std::numeric_limits<R>::quiet_NaN();
    }
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      out[i * n + j] = lower ? (j <= i ? l[i * n + j] : T(0))
                             : (j >= i ? conjugate(l[j * n + i]) : T(0));
}

template <typename T>
void triangularSolve(bool leftSide, bool lower, bool unitDiagonal,
                     int transpose, int64_t rows, int64_t columns, const T *a,
                     const T *b, T *x) {
  int64_t n = leftSide ? rows : columns;
  // op(a) with zeros in its other triangle; for x op(a) = b transposed again,
  // so that row i always says how unknown i depends on the others.
  bool flip = (transpose != ShoalNoTranspose) != !leftSide;
  std::vector<T> m(n * n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      if (lower ? j > i : j < i)
        continue;
      T value = i == j && unitDiagonal ? T(1) : a[i * n + j];
      if (transpose == ShoalAdjoint)
        value = conjugate(value);
      m[flip ? j * n + i : i * n + j] = value;
    }
  bool forward = lower != flip;
  for (int64_t k = 0; k < rows * columns; ++k)
    x[k] = b[k];
  if (leftSide) {
    for (int64_t step = 0; step < n; ++step) {
      int64_t i = forward ? step : n - 1 - step;
      T *row = x + i * columns;
      int64_t begin = forward ? 0 : i + 1, end = forward ? i : n;
      for (int64_t k = begin; k < end; ++k) {
        T factor = m[i * n + k];
        const T *other = x + k * columns;
        for (int64_t c = 0; c < columns; ++c)
          row[c] -= times(factor, other[c]);
      }
      if (!unitDiagonal)
        for (int64_t c = 0; c < columns; ++c)
          row[c] /= m[i * n + i];
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    T *row = x + r * columns;
    for (int64_t step = 0; step < n; ++step) {
      int64_t i = forward ? step : n - 1 - step;
      T sum = row[i];
      int64_t begin = forward ? 0 : i + 1, end = forward ? i : n;
      for (int64_t k = begin; k < end; ++k)
        sum -= times(m[i * n + k], row[k]);
      row[i] = unitDiagonal ? sum : sum / m[i * n + i];
    }
  }
}

/// Calls fn with a null pointer of the element type.
template <typename Fn>
void withType(int32_t dtype, Fn fn) {
  switch (static_cast<shoal::rt::DType>(dtype)) {
  case shoal::rt::DType::F32:
    return fn(static_cast<float *>(nullptr));
  case shoal::rt::DType::F64:
    return fn(static_cast<double *>(nullptr));
  case shoal::rt::DType::C64:
    return fn(static_cast<std::complex<float> *>(nullptr));
  case shoal::rt::DType::C128:
    return fn(static_cast<std::complex<double> *>(nullptr));
  default:
    return; // the compiler emits calls for these only
  }
}

} // namespace

extern "C" __attribute__((visibility("default"))) void
shoal_rt_cholesky(int32_t dtype, int32_t lower, int64_t n, const void *in,
                  void *out) {
  withType(dtype, [&](auto *type) {
    using T = std::remove_pointer_t<decltype(type)>;
    cholesky(lower != 0, n, static_cast<const T *>(in), static_cast<T *>(out));
  });
}

extern "C" __attribute__((visibility("default"))) void
shoal_rt_triangular_solve(int32_t dtype, int32_t leftSide, int32_t lower,
                          int32_t unitDiagonal, int32_t transpose, int64_t rows,
                          int64_t columns, const void *a, const void *b,
                          void *x) {
  withType(dtype, [&](auto *type) {
    using T = std::remove_pointer_t<decltype(type)>;
    triangularSolve(leftSide != 0, lower != 0, unitDiagonal != 0, transpose,
                    rows, columns, static_cast<const T *>(a),
                    static_cast<const T *>(b), static_cast<T *>(x));
  });
}
