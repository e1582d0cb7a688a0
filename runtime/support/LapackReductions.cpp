// More of LAPACK's custom calls: reductions to Hessenberg and tridiagonal form,
// Schur form, QR with pivoting, products with Q, tridiagonal systems, and the
// singular values by QR iterations. See Lapack.cpp for conventions.
#include "LapackCall.h"
#include "shoal/runtime/DType.h"

#include <cmath>
#include <limits>

using namespace shoal::lapack;

namespace {

/// x -> Hessenberg form and reflectors, their factors, info.
template <typename T>
int gehrd(Call &c) {
  auto *f =
      c.routine<T, void(const Int *, const Int *, const Int *, T *, const Int *,
                        T *, T *, const Int *, Int *)>("gehrd");
  if (!f || !c.expect(1, 3))
    return c.failed;
  int64_t n = Call::dim(c.in(0), 1);
  Int low = c.integer("low", 1), high = c.integer("high", Int(n));
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * n * n), n, n);
    Int size = Int(n), lead = leading(n);
    T *tau = Call::at<T>(c.out(1), b * std::max<int64_t>(n - 1, 0));
    Int *info = Call::at<Int>(c.out(2), b);
    withWork<T>([&](T *work, Int *workSize) {
      f(&size, &low, &high, a.data(), &lead, tau, work, workSize, info);
    });
    rowMajor(a, n, n, Call::at<T>(c.out(0), b * n * n));
  }
  return 0;
}

/// x -> reflectors, diagonal, off-diagonal, factors, info.
template <typename T>
int sytrd(Call &c) {
  using R = RealOf<T>;
  auto *f = c.routine<T, void(const char *, const Int *, T *, const Int *, R *,
                              R *, T *, T *, const Int *, Int *, size_t)>(
      Precision<T>::isComplex ? "hetrd" : "sytrd");
  if (!f || !c.expect(1, 5))
    return c.failed;
  int64_t n = Call::dim(c.in(0), 1), off = std::max<int64_t>(n - 1, 0);
  char uplo = c.attribute("uplo", 'L');
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * n * n), n, n);
    Int size = Int(n), lead = leading(n);
    R *d = Call::at<R>(c.out(1), b * n), *e = Call::at<R>(c.out(2), b * off);
    T *tau = Call::at<T>(c.out(3), b * off);
    Int *info = Call::at<Int>(c.out(4), b);
    withWork<T>([&](T *work, Int *workSize) {
      f(&uplo, &size, a.data(), &lead, d, e, tau, work, workSize, info, 1);
    });
    rowMajor(a, n, n, Call::at<T>(c.out(0), b * n * n));
  }
  return 0;
}

/// x -> Schur form, Schur vectors, eigenvalues (real types: re and im), number
/// of selected eigenvalues, info.
template <typename T>
int gees(Call &c) {
  using R = RealOf<T>;
  constexpr bool isComplex = Precision<T>::isComplex;
  if (!c.expect(1, isComplex ? 5 : 6))
    return c.failed;
  int64_t n = Call::dim(c.in(0), 1);
  char mode = c.attribute("mode", 'V'), sort = c.attribute("sort", 'N');
  if (sort != 'N')
    return c.fail("sorted eigenvalues of gees are not supported");
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * n * n), n, n);
    std::vector<T> vectors(a.size());
    Int size = Int(n), lead = leading(n);
    std::vector<Int> selected(n + 1);
    if constexpr (isComplex) {
      auto *f =
          c.routine<T, void(const char *, const char *, void *, const Int *,
                            T *, const Int *, Int *, T *, T *, const Int *, T *,
                            const Int *, R *, Int *, Int *, size_t, size_t)>(
              "gees");
      if (!f)
        return c.failed;
      std::vector<R> rwork(n + 1);
      withWork<T>([&](T *work, Int *workSize) {
        f(&mode, &sort, nullptr, &size, a.data(), &lead,
          Call::at<Int>(c.out(3), b), Call::at<T>(c.out(2), b * n),
          vectors.data(), &lead, work, workSize, rwork.data(), selected.data(),
          Call::at<Int>(c.out(4), b), 1, 1);
      });
    } else {
      auto *f =
          c.routine<T, void(const char *, const char *, void *, const Int *,
                            T *, const Int *, Int *, T *, T *, T *, const Int *,
                            T *, const Int *, Int *, Int *, size_t, size_t)>(
              "gees");
      if (!f)
        return c.failed;
      withWork<T>([&](T *work, Int *workSize) {
        f(&mode, &sort, nullptr, &size, a.data(), &lead,
          Call::at<Int>(c.out(4), b), Call::at<T>(c.out(2), b * n),
          Call::at<T>(c.out(3), b * n), vectors.data(), &lead, work, workSize,
          selected.data(), Call::at<Int>(c.out(5), b), 1, 1);
      });
    }
    rowMajor(a, n, n, Call::at<T>(c.out(0), b * n * n));
    rowMajor(vectors, n, n, Call::at<T>(c.out(1), b * n * n));
  }
  return 0;
}

/// x, columns to keep in front -> r and reflectors, columns chosen, factors.
template <typename T>
int geqp3(Call &c) {
  using R = RealOf<T>;
  if (!c.expect(2, 3))
    return c.failed;
  int64_t m = Call::dim(c.in(0), 2), n = Call::dim(c.in(0), 1);
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * m * n), m, n);
    Int rows = Int(m), columns = Int(n), lead = leading(m), info = 0;
    Int *chosen = Call::at<Int>(c.out(1), b * n);
    std::copy_n(Call::at<Int>(c.in(1), b * n), n, chosen);
    T *tau = Call::at<T>(c.out(2), b * std::min(m, n));
    if constexpr (Precision<T>::isComplex) {
      auto *f =
          c.routine<T, void(const Int *, const Int *, T *, const Int *, Int *,
                            T *, T *, const Int *, R *, Int *)>("geqp3");
      if (!f)
        return c.failed;
      std::vector<R> rwork(2 * n + 1);
      withWork<T>([&](T *work, Int *size) {
        f(&rows, &columns, a.data(), &lead, chosen, tau, work, size,
          rwork.data(), &info);
      });
    } else {
      auto *f =
          c.routine<T, void(const Int *, const Int *, T *, const Int *, Int *,
                            T *, T *, const Int *, Int *)>("geqp3");
      if (!f)
        return c.failed;
      withWork<T>([&](T *work, Int *size) {
        f(&rows, &columns, a.data(), &lead, chosen, tau, work, size, &info);
      });
    }
    rowMajor(a, m, n, Call::at<T>(c.out(0), b * m * n));
  }
  return 0;
}

/// Reflectors, their factors, x -> q x, x q, or with q's adjoint.
template <typename T>
int ormqr(Call &c) {
  constexpr bool isComplex = Precision<T>::isComplex;
  auto *f =
      c.routine<T, void(const char *, const char *, const Int *, const Int *,
                        const Int *, T *, const Int *, const T *, T *,
                        const Int *, T *, const Int *, Int *, size_t, size_t)>(
          isComplex ? "unmqr" : "ormqr");
  if (!f || !c.expect(3, 1))
    return c.failed;
  bool left = c.attribute("left", 1), transpose = c.attribute("transpose", 0);
  char side = left ? 'L' : 'R';
  char trans = !transpose ? 'N' : isComplex ? 'C' : 'T';
  int64_t aRows = Call::dim(c.in(0), 2), aColumns = Call::dim(c.in(0), 1);
  int64_t k = Call::dim(c.in(1), 1);
  int64_t m = Call::dim(c.in(2), 2), n = Call::dim(c.in(2), 1);
  for (int64_t b = 0; b < Call::batch(c.in(2), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * aRows * aColumns), aRows,
                         aColumns);
    auto x = columnMajor(Call::at<T>(c.in(2), b * m * n), m, n);
    const T *tau = Call::at<T>(c.in(1), b * k);
    Int rows = Int(m), columns = Int(n), count = Int(k), leadA = leading(aRows),
        leadX = leading(m), info = 0;
    withWork<T>([&](T *work, Int *size) {
      f(&side, &trans, &rows, &columns, &count, a.data(), &leadA, tau, x.data(),
        &leadX, work, size, &info, 1, 1);
    });
    rowMajor(x, m, n, Call::at<T>(c.out(0), b * m * n));
  }
  return 0;
}

/// x -> scratch, singular values, u, v^H, info; as gesdd, by QR iterations.
template <typename T>
int gesvd(Call &c) {
  using R = RealOf<T>;
  if (!c.expect(1, 5))
    return c.failed;
  int64_t m = Call::dim(c.in(0), 2), n = Call::dim(c.in(0), 1);
  int64_t k = std::min(m, n);
  char mode = c.attribute("mode", 'S');
  int64_t uColumns = mode == 'A' ? m : k, vRows = mode == 'A' ? n : k;
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * m * n), m, n);
    std::vector<T> u(std::max<int64_t>(m * uColumns, 1)),
        v(std::max<int64_t>(vRows * n, 1));
    R *s = Call::at<R>(c.out(1), b * k);
    Int rows = Int(m), columns = Int(n), lead = leading(m),
        leadV = leading(vRows);
    Int *info = Call::at<Int>(c.out(4), b);
    if constexpr (Precision<T>::isComplex) {
      auto *f =
          c.routine<T, void(const char *, const char *, const Int *,
                            const Int *, T *, const Int *, R *, T *,
                            const Int *, T *, const Int *, T *, const Int *,
                            R *, Int *, size_t, size_t)>("gesvd");
      if (!f)
        return c.failed;
      std::vector<R> rwork(5 * k + 1);
      withWork<T>([&](T *work, Int *size) {
        f(&mode, &mode, &rows, &columns, a.data(), &lead, s, u.data(), &lead,
          v.data(), &leadV, work, size, rwork.data(), info, 1, 1);
      });
    } else {
      auto *f = c.routine<T, void(const char *, const char *, const Int *,
                                  const Int *, T *, const Int *, R *, T *,
                                  const Int *, T *, const Int *, T *,
                                  const Int *, Int *, size_t, size_t)>("gesvd");
      if (!f)
        return c.failed;
      withWork<T>([&](T *work, Int *size) {
        f(&mode, &mode, &rows, &columns, a.data(), &lead, s, u.data(), &lead,
          v.data(), &leadV, work, size, info, 1, 1);
      });
    }
    rowMajor(a, m, n, Call::at<T>(c.out(0), b * m * n));
    if (mode != 'N') {
      rowMajor(u, m, uColumns, Call::at<T>(c.out(2), b * m * uColumns));
      rowMajor(v, vRows, n, Call::at<T>(c.out(3), b * vRows * n));
    }
  }
  return 0;
}

/// Lower, main and upper diagonal (n each; the first of the lower and the last
/// of the upper one do not count), right sides -> the factors, x, info.
template <typename T>
int gtsv(Call &c) {
  auto *f = c.routine<T, void(const Int *, const Int *, T *, T *, T *, T *,
                              const Int *, Int *)>("gtsv");
  if (!f || !c.expect(4, 5))
    return c.failed;
  int64_t n = Call::dim(c.in(3), 2), columns = Call::dim(c.in(3), 1);
  for (int64_t b = 0; b < Call::batch(c.in(3), 2); ++b) {
    T *diagonals[3];
    for (int i = 0; i < 3; ++i) {
      diagonals[i] = Call::at<T>(c.out(i), b * n);
      std::copy_n(Call::at<T>(c.in(i), b * n), n, diagonals[i]);
    }
    auto x = columnMajor(Call::at<T>(c.in(3), b * n * columns), n, columns);
    Int size = Int(n), count = Int(columns), lead = leading(n);
    f(&size, &count, diagonals[0] + 1, diagonals[1], diagonals[2], x.data(),
      &lead, Call::at<Int>(c.out(4), b));
    rowMajor(x, n, columns, Call::at<T>(c.out(3), b * n * columns));
  }
  return 0;
}

/// The same system by elimination with row exchanges, a pivot of zero replaced
/// by a tiny one, so that there always is a result.
template <typename T>
int tridiagonalPerturbed(Call &c) {
  using R = RealOf<T>;
  if (!c.expect(4, 1))
    return c.failed;
  int64_t n = Call::dim(c.in(3), 2), columns = Call::dim(c.in(3), 1);
  for (int64_t b = 0; n && b < Call::batch(c.in(3), 2); ++b) {
    const T *lower = Call::at<T>(c.in(0), b * n),
            *upperIn = Call::at<T>(c.in(2), b * n),
            *mainIn = Call::at<T>(c.in(1), b * n);
    std::vector<T> main(mainIn, mainIn + n), upper(upperIn, upperIn + n),
        second(n);
    T *x = Call::at<T>(c.out(0), b * n * columns);
    std::copy_n(Call::at<T>(c.in(3), b * n * columns), n * columns, x);
    R least = std::max(std::numeric_limits<R>::min(),
                       std::numeric_limits<R>::epsilon() *
                           std::max(std::abs(main[0]), std::abs(main[n - 1])));
    upper[n - 1] = T(0);
    auto guard = [&](T &pivot) {
      if (std::abs(pivot) < std::numeric_limits<R>::min())
        pivot = T(least);
    };
    for (int64_t i = 0; i + 1 < n; ++i) {
      T below = lower[i + 1];
      if (std::abs(below) > std::abs(main[i])) {
        // Rows i and i + 1 change places.
        T diagonal = main[i], right = upper[i];
        main[i] = below;
        upper[i] = main[i + 1];
        second[i] = upper[i + 1];
        T factor = diagonal / below;
        main[i + 1] = right - factor * upper[i];
        upper[i + 1] = -factor * second[i];
        for (int64_t j = 0; j < columns; ++j) {
          T above = x[i * columns + j];
          x[i * columns + j] = x[(i + 1) * columns + j];
          x[(i + 1) * columns + j] = above - factor * x[i * columns + j];
        }
        continue;
      }
      guard(main[i]);
      T factor = below / main[i];
      main[i + 1] -= factor * upper[i];
      for (int64_t j = 0; j < columns; ++j)
        x[(i + 1) * columns + j] -= factor * x[i * columns + j];
    }
    guard(main[n - 1]);
    for (int64_t i = n - 1; i >= 0; --i)
      for (int64_t j = 0; j < columns; ++j) {
        T value = x[i * columns + j];
        if (i + 1 < n)
          value -= upper[i] * x[(i + 1) * columns + j];
        if (i + 2 < n)
          value -= second[i] * x[(i + 2) * columns + j];
        x[i * columns + j] = value / main[i];
      }
  }
  return 0;
}

} // namespace

LAPACK_CALLS(gehrd, gehrd)
LAPACK_CALLS(gees, gees)
LAPACK_CALLS(geqp3, geqp3)
LAPACK_CALLS(gesvd, gesvd)
LAPACK_CALLS(gtsv, gtsv)
LAPACK_CALL(ssytrd, sytrd, float)
LAPACK_CALL(dsytrd, sytrd, double)
LAPACK_CALL(chetrd, sytrd, std::complex<float>)
LAPACK_CALL(zhetrd, sytrd, std::complex<double>)
LAPACK_CALL(sormqr, ormqr, float)
LAPACK_CALL(dormqr, ormqr, double)
LAPACK_CALL(cunmqr, ormqr, std::complex<float>)
LAPACK_CALL(zunmqr, ormqr, std::complex<double>)

extern "C" __attribute__((visibility("default"))) int
shoal_custom_call_tridiagonal_solve_perturbed_ffi(const ShoalCustomCall *call,
                                                  char *error,
                                                  size_t errorSize) {
  Call c(call, error, errorSize);
  if (call->numInputs != 4)
    return c.fail("tridiagonal_solve_perturbed takes four operands");
  switch (static_cast<shoal::rt::DType>(c.in(3).dtype)) {
  case shoal::rt::DType::F32:
    return tridiagonalPerturbed<float>(c);
  case shoal::rt::DType::F64:
    return tridiagonalPerturbed<double>(c);
  case shoal::rt::DType::C64:
    return tridiagonalPerturbed<std::complex<float>>(c);
  case shoal::rt::DType::C128:
    return tridiagonalPerturbed<std::complex<double>>(c);
  default:
    return c.fail("tridiagonal_solve_perturbed takes f32, f64, complex<f32> or "
                  "complex<f64>");
  }
}
