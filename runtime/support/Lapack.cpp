// The LAPACK custom calls that JAX prints for CPUs (lapack_spotrf_ffi and so
// on), by the system's LAPACK, opened when the first of them runs.
//
// JAX asks for matrices in column-major layout; here tensors are row-major, so
// each is transposed on the way in and out. All take batches: every dimension
// but the last two (or one, for vectors) counts matrices. Attributes are single
// characters, printed as numbers: {uplo = 76 : ui8} is 'L'.
#include "LapackCall.h"

using namespace shoal::lapack;

namespace {

//===----------------------------------------------------------------------===//
// The routines. Trailing size_t: Fortran's hidden lengths of characters.
//===----------------------------------------------------------------------===//

/// x -> factor, info.
template <typename T>
int potrf(Call &c) {
  auto *f = c.routine<T, void(const char *, const Int *, T *, const Int *,
                              Int *, size_t)>("potrf");
  if (!f || !c.expect(1, 2))
    return c.failed;
  int64_t n = Call::dim(c.in(0), 1);
  char uplo = c.attribute("uplo", 'L');
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * n * n), n, n);
    Int size = Int(n), lead = leading(n);
    f(&uplo, &size, a.data(), &lead, Call::at<Int>(c.out(1), b), 1);
    rowMajor(a, n, n, Call::at<T>(c.out(0), b * n * n));
  }
  return 0;
}

/// a, b -> x with op(a) x = b or x op(a) = b.
template <typename T>
int trsm(Call &c) {
  auto *f = c.routine<T, void(const char *, const char *, const char *,
                              const char *, const Int *, const Int *, const T *,
                              const T *, const Int *, T *, const Int *, size_t,
                              size_t, size_t, size_t)>("trsm");
  if (!f || !c.expect(2, 1))
    return c.failed;
  int64_t n = Call::dim(c.in(0), 1);
  int64_t rows = Call::dim(c.in(1), 2), columns = Call::dim(c.in(1), 1);
  char side = c.attribute("side", 'L'), uplo = c.attribute("uplo", 'L');
  char trans = c.attribute("trans_x", 'N'), diag = c.attribute("diag", 'N');
  for (int64_t k = 0; k < Call::batch(c.in(1), 2); ++k) {
    auto a = columnMajor(Call::at<T>(c.in(0), k * n * n), n, n);
    auto b =
        columnMajor(Call::at<T>(c.in(1), k * rows * columns), rows, columns);
    Int m = Int(rows), count = Int(columns), leadA = leading(n),
        leadB = leading(rows);
    T one(1);
    f(&side, &uplo, &trans, &diag, &m, &count, &one, a.data(), &leadA, b.data(),
      &leadB, 1, 1, 1, 1);
    rowMajor(b, rows, columns, Call::at<T>(c.out(0), k * rows * columns));
  }
  return 0;
}

/// x -> factors, pivots (from 1), info.
template <typename T>
int getrf(Call &c) {
  auto *f = c.routine<T, void(const Int *, const Int *, T *, const Int *, Int *,
                              Int *)>("getrf");
  if (!f || !c.expect(1, 3))
    return c.failed;
  int64_t m = Call::dim(c.in(0), 2), n = Call::dim(c.in(0), 1);
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * m * n), m, n);
    Int rows = Int(m), columns = Int(n), lead = leading(m);
    f(&rows, &columns, a.data(), &lead,
      Call::at<Int>(c.out(1), b * std::min(m, n)), Call::at<Int>(c.out(2), b));
    rowMajor(a, m, n, Call::at<T>(c.out(0), b * m * n));
  }
  return 0;
}

/// x -> r and reflectors, their factors.
template <typename T>
int geqrf(Call &c) {
  auto *f = c.routine<T, void(const Int *, const Int *, T *, const Int *, T *,
                              T *, const Int *, Int *)>("geqrf");
  if (!f || !c.expect(1, 2))
    return c.failed;
  int64_t m = Call::dim(c.in(0), 2), n = Call::dim(c.in(0), 1);
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * m * n), m, n);
    Int rows = Int(m), columns = Int(n), lead = leading(m), info = 0;
    T *tau = Call::at<T>(c.out(1), b * std::min(m, n));
    withWork<T>([&](T *work, Int *size) {
      f(&rows, &columns, a.data(), &lead, tau, work, size, &info);
    });
    rowMajor(a, m, n, Call::at<T>(c.out(0), b * m * n));
  }
  return 0;
}

/// Reflectors, their factors -> q.
template <typename T>
int orgqr(Call &c) {
  auto *f = c.routine<T, void(const Int *, const Int *, const Int *, T *,
                              const Int *, const T *, T *, const Int *, Int *)>(
      Precision<T>::isComplex ? "ungqr" : "orgqr");
  if (!f || !c.expect(2, 1))
    return c.failed;
  int64_t m = Call::dim(c.in(0), 2), n = Call::dim(c.in(0), 1);
  int64_t k = Call::dim(c.in(1), 1);
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * m * n), m, n);
    Int rows = Int(m), columns = Int(n), count = Int(k), lead = leading(m),
        info = 0;
    const T *tau = Call::at<T>(c.in(1), b * k);
    withWork<T>([&](T *work, Int *size) {
      f(&rows, &columns, &count, a.data(), &lead, tau, work, size, &info);
    });
    rowMajor(a, m, n, Call::at<T>(c.out(0), b * m * n));
  }
  return 0;
}

/// x -> eigenvectors, eigenvalues, info.
template <typename T>
int syevd(Call &c) {
  using R = RealOf<T>;
  if (!c.expect(1, 3))
    return c.failed;
  int64_t n = Call::dim(c.in(0), 1);
  char mode = c.attribute("mode", 'V'), uplo = c.attribute("uplo", 'L');
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * n * n), n, n);
    Int size = Int(n), lead = leading(n);
    R *w = Call::at<R>(c.out(1), b * n);
    Int *info = Call::at<Int>(c.out(2), b);
    // Sizes as LAPACK's documentation gives them for any mode.
    int64_t lwork =
        Precision<T>::isComplex ? 2 * n + n * n + 1 : 1 + 6 * n + 2 * n * n;
    std::vector<T> work(lwork);
    std::vector<Int> iwork(3 + 5 * n);
    Int workSize = Int(lwork), iworkSize = Int(iwork.size());
    if constexpr (Precision<T>::isComplex) {
      auto *f = c.routine<T, void(const char *, const char *, const Int *, T *,
                                  const Int *, R *, T *, const Int *, R *,
                                  const Int *, Int *, const Int *, Int *,
                                  size_t, size_t)>("heevd");
      if (!f)
        return c.failed;
      std::vector<R> rwork(1 + 5 * n + 2 * n * n);
      Int rworkSize = Int(rwork.size());
      f(&mode, &uplo, &size, a.data(), &lead, w, work.data(), &workSize,
        rwork.data(), &rworkSize, iwork.data(), &iworkSize, info, 1, 1);
    } else {
      auto *f = c.routine<T, void(const char *, const char *, const Int *, T *,
                                  const Int *, R *, T *, const Int *, Int *,
                                  const Int *, Int *, size_t, size_t)>("syevd");
      if (!f)
        return c.failed;
      f(&mode, &uplo, &size, a.data(), &lead, w, work.data(), &workSize,
        iwork.data(), &iworkSize, info, 1, 1);
    }
    rowMajor(a, n, n, Call::at<T>(c.out(0), b * n * n));
  }
  return 0;
}

/// x -> scratch, singular values, u, v^H, info.
template <typename T>
int gesdd(Call &c) {
  using R = RealOf<T>;
  if (!c.expect(1, 5))
    return c.failed;
  int64_t m = Call::dim(c.in(0), 2), n = Call::dim(c.in(0), 1);
  int64_t k = std::min(m, n);
  char mode = c.attribute("mode", 'S');
  int64_t uColumns = mode == 'A' ? m : k, vRows = mode == 'A' ? n : k;
  bool vectors = mode != 'N';
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * m * n), m, n);
    std::vector<T> u(std::max<int64_t>(m * uColumns, 1)),
        v(std::max<int64_t>(vRows * n, 1));
    R *s = Call::at<R>(c.out(1), b * k);
    Int rows = Int(m), columns = Int(n), lead = leading(m),
        leadV = leading(vRows);
    Int *info = Call::at<Int>(c.out(4), b);
    std::vector<Int> iwork(8 * k + 1);
    if constexpr (Precision<T>::isComplex) {
      auto *f = c.routine<T, void(const char *, const Int *, const Int *, T *,
                                  const Int *, R *, T *, const Int *, T *,
                                  const Int *, T *, const Int *, R *, Int *,
                                  Int *, size_t)>("gesdd");
      if (!f)
        return c.failed;
      int64_t large = std::max(m, n);
      std::vector<R> rwork(
          std::max(5 * k * k + 7 * k, 2 * large * k + 2 * k * k + k) + 1);
      withWork<T>([&](T *work, Int *size) {
        f(&mode, &rows, &columns, a.data(), &lead, s, u.data(), &lead, v.data(),
          &leadV, work, size, rwork.data(), iwork.data(), info, 1);
      });
    } else {
      auto *f = c.routine<T, void(const char *, const Int *, const Int *, T *,
                                  const Int *, R *, T *, const Int *, T *,
                                  const Int *, T *, const Int *, Int *, Int *,
                                  size_t)>("gesdd");
      if (!f)
        return c.failed;
      withWork<T>([&](T *work, Int *size) {
        f(&mode, &rows, &columns, a.data(), &lead, s, u.data(), &lead, v.data(),
          &leadV, work, size, iwork.data(), info, 1);
      });
    }
    rowMajor(a, m, n, Call::at<T>(c.out(0), b * m * n));
    if (vectors) {
      rowMajor(u, m, uColumns, Call::at<T>(c.out(2), b * m * uColumns));
      rowMajor(v, vRows, n, Call::at<T>(c.out(3), b * vRows * n));
    }
  }
  return 0;
}

/// LAPACK's eigenvectors of a real matrix as complex ones: a pair of conjugate
/// eigenvalues has the real and the imaginary part in adjacent columns.
template <typename R>
std::vector<std::complex<R>> unpackVectors(int64_t n, const R *wi,
                                           const std::vector<R> &packed) {
  std::vector<std::complex<R>> result(packed.size());
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < n; ++i) {
      if (wi[j] > 0 && j + 1 < n)
        result[j * n + i] = {packed[j * n + i], packed[(j + 1) * n + i]};
      else if (wi[j] < 0 && j > 0)
        result[j * n + i] = {packed[(j - 1) * n + i], -packed[j * n + i]};
      else
        result[j * n + i] = packed[j * n + i];
    }
  return result;
}

/// Real x -> re and im of eigenvalues, left and right vectors, info;
/// complex x -> eigenvalues, left and right vectors, info.
template <typename T>
int geev(Call &c) {
  using R = RealOf<T>;
  constexpr bool isComplex = Precision<T>::isComplex;
  if (!c.expect(1, isComplex ? 4 : 5))
    return c.failed;
  int64_t n = Call::dim(c.in(0), 1);
  char left = c.attribute("compute_left", 'N');
  char right = c.attribute("compute_right", 'V');
  for (int64_t b = 0; b < Call::batch(c.in(0), 2); ++b) {
    auto a = columnMajor(Call::at<T>(c.in(0), b * n * n), n, n);
    std::vector<T> vl(a.size()), vr(a.size());
    Int size = Int(n), lead = leading(n);
    if constexpr (isComplex) {
      auto *f = c.routine<T, void(const char *, const char *, const Int *, T *,
                                  const Int *, T *, T *, const Int *, T *,
                                  const Int *, T *, const Int *, R *, Int *,
                                  size_t, size_t)>("geev");
      if (!f)
        return c.failed;
      std::vector<R> rwork(2 * n + 1);
      withWork<T>([&](T *work, Int *workSize) {
        f(&left, &right, &size, a.data(), &lead, Call::at<T>(c.out(0), b * n),
          vl.data(), &lead, vr.data(), &lead, work, workSize, rwork.data(),
          Call::at<Int>(c.out(3), b), 1, 1);
      });
      rowMajor(vl, n, n, Call::at<T>(c.out(1), b * n * n));
      rowMajor(vr, n, n, Call::at<T>(c.out(2), b * n * n));
    } else {
      auto *f = c.routine<T, void(const char *, const char *, const Int *, T *,
                                  const Int *, T *, T *, T *, const Int *, T *,
                                  const Int *, T *, const Int *, Int *, size_t,
                                  size_t)>("geev");
      if (!f)
        return c.failed;
      T *wi = Call::at<T>(c.out(1), b * n);
      withWork<T>([&](T *work, Int *workSize) {
        f(&left, &right, &size, a.data(), &lead, Call::at<T>(c.out(0), b * n),
          wi, vl.data(), &lead, vr.data(), &lead, work, workSize,
          Call::at<Int>(c.out(4), b), 1, 1);
      });
      using C = std::complex<T>;
      rowMajor(unpackVectors(n, wi, vl), n, n,
               Call::at<C>(c.out(2), b * n * n));
      rowMajor(unpackVectors(n, wi, vr), n, n,
               Call::at<C>(c.out(3), b * n * n));
    }
  }
  return 0;
}

} // namespace

LAPACK_CALLS(potrf, potrf)
LAPACK_CALLS(trsm, trsm)
LAPACK_CALLS(getrf, getrf)
LAPACK_CALLS(geqrf, geqrf)
LAPACK_CALLS(gesdd, gesdd)
LAPACK_CALLS(geev, geev)
LAPACK_CALL(sorgqr, orgqr, float)
LAPACK_CALL(dorgqr, orgqr, double)
LAPACK_CALL(cungqr, orgqr, std::complex<float>)
LAPACK_CALL(zungqr, orgqr, std::complex<double>)
LAPACK_CALL(ssyevd, syevd, float)
LAPACK_CALL(dsyevd, syevd, double)
LAPACK_CALL(cheevd, syevd, std::complex<float>)
LAPACK_CALL(zheevd, syevd, std::complex<double>)
