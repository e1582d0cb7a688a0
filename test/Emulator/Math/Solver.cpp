// cuSOLVER's functions that the runtime uses.
#include "Work.h"

#include "support/LapackCall.h"

using namespace shoal::standin;
using namespace shoal::lapack;

namespace {
/// A routine of the system's LAPACK.
template <typename T, typename... Arguments>
void call(const char *real, const char *complex, Arguments... arguments) {
  std::string name = Precision<T>::letter +
                     std::string(Precision<T>::isComplex ? complex : real);
  if (auto *f = reinterpret_cast<void (*)(Arguments...)>(lookup(name)))
    f(arguments...);
  else
    misuse(name.c_str(), "not in LAPACK");
}

/// Sizes of work areas, odd on purpose.
int workOf(int m, int n) { return 3 * m + 2 * n + 17; }

int sized(void *handle, bool good, int m, int n, int *size) {
  if (!checkHandle("cuSOLVER", handle))
    return kMathInvalid;
  if (!good)
    return misuse("cuSOLVER", "sizes out of range");
  *size = workOf(m, n);
  return kMathSuccess;
}

MathHandle *begin(const char *what, void *handle, bool good, int m, int n,
                  int given) {
  MathHandle *h = checkHandle(what, handle);
  if (h && !good)
    misuse(what, "arguments out of range");
  if (h && given >= 0 && given < workOf(m, n))
    misuse(what, "the work area is smaller than was asked for");
  return h;
}

template <typename T>
Touched matrix(const void *a, int rows, int columns, int lead, bool write) {
  return {a, matrixBytes(rows, columns, lead, sizeof(T)), write};
}
template <typename T>
Touched vector(const void *a, int count, bool write) {
  return {a, size_t(std::max(count, 0)) * sizeof(T), write};
}
template <typename T>
size_t workBytes(int elements) {
  return size_t(elements) * sizeof(T);
}

template <typename T>
int potrf(void *handle, int fill, int n, T *a, int lda, T *work, int lwork,
          int *info) {
  MathHandle *h =
      begin("potrf", handle, lda >= n && (fill == 0 || fill == 1), n, n, lwork);
  return !h ? kMathInvalid
            : submit(
                  "potrf", h->stream,
                  {matrix<T>(a, n, n, lda, true), vector<int>(info, 1, true)},
                  work, workBytes<T>(lwork), [=] {
                    Int size = n, lead = lda;
                    call<T>("potrf", "potrf", &"LU"[fill], &size, a, &lead,
                            info, size_t(1));
                  });
}

/// The factors have as many pivots as the smaller side.
template <typename T>
int getrf(void *handle, int m, int n, T *a, int lda, T *work, int *pivots,
          int *info) {
  MathHandle *h = begin("getrf", handle, lda >= m, m, n, -1);
  return !h ? kMathInvalid
            : submit("getrf", h->stream,
                     {matrix<T>(a, m, n, lda, true),
                      vector<int>(pivots, std::min(m, n), true),
                      vector<int>(info, 1, true)},
                     work, workBytes<T>(workOf(m, n)), [=] {
                       Int rows = m, columns = n, lead = lda;
                       call<T>("getrf", "getrf", &rows, &columns, a, &lead,
                               pivots, info);
                     });
}

template <typename T>
int geqrf(void *handle, int m, int n, T *a, int lda, T *tau, T *work, int lwork,
          int *info) {
  MathHandle *h = begin("geqrf", handle, lda >= m, m, n, lwork);
  return !h ? kMathInvalid
            : submit("geqrf", h->stream,
                     {matrix<T>(a, m, n, lda, true),
                      vector<T>(tau, std::min(m, n), true),
                      vector<int>(info, 1, true)},
                     work, workBytes<T>(lwork), [=] {
                       Int rows = m, columns = n, lead = lda;
                       withWork<T>([&](T *own, Int *size) {
                         call<T>("geqrf", "geqrf", &rows, &columns, a, &lead,
                                 tau, own, size, info);
                       });
                     });
}

template <typename T>
int orgqr(void *handle, int m, int n, int k, T *a, int lda, const T *tau,
          T *work, int lwork, int *info) {
  MathHandle *h =
      begin("orgqr", handle, lda >= m && m >= n && n >= k, m, n, lwork);
  return !h ? kMathInvalid
            : submit("orgqr", h->stream,
                     {matrix<T>(a, m, n, lda, true), vector<T>(tau, k, false),
                      vector<int>(info, 1, true)},
                     work, workBytes<T>(lwork), [=] {
                       Int rows = m, columns = n, count = k, lead = lda;
                       withWork<T>([&](T *own, Int *size) {
                         call<T>("orgqr", "ungqr", &rows, &columns, &count, a,
                                 &lead, tau, own, size, info);
                       });
                     });
}

template <typename T>
int ormqr(void *handle, int side, int operation, int m, int n, int k,
          const T *a, int lda, const T *tau, T *c, int ldc, T *work, int lwork,
          int *info) {
  int order = side == 0 ? m : n;
  // Complex matrices have no plain transpose here.
  MathHandle *h = begin("ormqr", handle,
                        lda >= order && ldc >= m && k <= order &&
                            operation != (Precision<T>::isComplex ? 1 : 2),
                        m, n, lwork);
  return !h ? kMathInvalid
            : submit(
                  "ormqr", h->stream,
                  {matrix<T>(a, order, k, lda, false), vector<T>(tau, k, false),
                   matrix<T>(c, m, n, ldc, true), vector<int>(info, 1, true)},
                  work, workBytes<T>(lwork), [=] {
                    Int rows = m, columns = n, count = k, leadA = lda,
                        leadC = ldc;
                    withWork<T>([&](T *own, Int *size) {
                      call<T>("ormqr", "unmqr", &"LR"[side], &"NTC"[operation],
                              &rows, &columns, &count, a, &leadA, tau, c,
                              &leadC, own, size, info, size_t(1), size_t(1));
                    });
                  });
}

template <typename T>
int syevd(void *handle, int vectors, int fill, int n, T *a, int lda,
          RealOf<T> *w, T *work, int lwork, int *info) {
  using R = RealOf<T>;
  MathHandle *h = begin(
      "syevd", handle, lda >= n && (vectors == 0 || vectors == 1), n, n, lwork);
  return !h ? kMathInvalid
            : submit("syevd", h->stream,
                     {matrix<T>(a, n, n, lda, true), vector<R>(w, n, true),
                      vector<int>(info, 1, true)},
                     work, workBytes<T>(lwork), [=] {
                       Int size = n, lead = lda;
                       Int lengths[3] = {2 * n * n + 6 * n + 1,
                                         2 * n * n + 5 * n + 1, 5 * n + 3};
                       std::vector<T> own(lengths[0]);
                       std::vector<R> reals(lengths[1]);
                       std::vector<Int> ints(lengths[2]);
                       if constexpr (Precision<T>::isComplex)
                         call<T>("", "heevd", &"NV"[vectors], &"LU"[fill],
                                 &size, a, &lead, w, own.data(), lengths,
                                 reals.data(), lengths + 1, ints.data(),
                                 lengths + 2, info, size_t(1), size_t(1));
                       else
                         call<T>("syevd", "", &"NV"[vectors], &"LU"[fill],
                                 &size, a, &lead, w, own.data(), lengths,
                                 ints.data(), lengths + 2, info, size_t(1),
                                 size_t(1));
                     });
}

template <typename T>
int gesvd(void *handle, signed char jobU, signed char jobV, int m, int n, T *a,
          int lda, RealOf<T> *s, T *u, int ldu, T *v, int ldv, T *work,
          int lwork, int *info) {
  using R = RealOf<T>;
  MathHandle *h =
      begin("gesvd", handle, m >= n && lda >= m && jobU == jobV, m, n, lwork);
  bool wanted = jobU != 'N';
  return !h ? kMathInvalid
            : submit("gesvd", h->stream,
                     {matrix<T>(a, m, n, lda, true), vector<R>(s, n, true),
                      matrix<T>(u, m,
                                !wanted       ? 0
                                : jobU == 'A' ? m
                                              : n,
                                ldu, true),
                      matrix<T>(v, n, wanted ? n : 0, ldv, true),
                      vector<int>(info, 1, true)},
                     work, workBytes<T>(lwork), [=] {
                       Int rows = m, columns = n, lead = lda, leadU = ldu,
                           leadV = ldv;
                       char modes[2] = {char(jobU), char(jobV)};
                       std::vector<R> reals(5 * n + 1);
                       withWork<T>([&](T *own, Int *size) {
                         if constexpr (Precision<T>::isComplex)
                           call<T>("", "gesvd", &modes[0], &modes[1], &rows,
                                   &columns, a, &lead, s, u, &leadU, v, &leadV,
                                   own, size, reals.data(), info, size_t(1),
                                   size_t(1));
                         else
                           call<T>("gesvd", "", &modes[0], &modes[1], &rows,
                                   &columns, a, &lead, s, u, &leadU, v, &leadV,
                                   own, size, info, size_t(1), size_t(1));
                       });
                     });
}
} // namespace

extern "C" {
int cusolverDnCreate(void **handle) {
  *handle = new MathHandle;
  return kMathSuccess;
}
int cusolverDnDestroy(void *handle) {
  MathHandle *h = checkHandle("cusolverDnDestroy", handle);
  if (!h)
    return kMathInvalid;
  h->mark = 0;
  delete h;
  return kMathSuccess;
}
int cusolverDnSetStream(void *handle, void *stream) {
  return setHandleStream("cusolverDnSetStream", handle, stream);
}

#define SOLVER(L, T, org, orm, sye)                                            \
  int cusolverDn##L##potrf_bufferSize(void *h, int, int n, T *, int lda,       \
                                      int *size) {                             \
    return sized(h, lda >= n, n, n, size);                                     \
  }                                                                            \
  int cusolverDn##L##potrf(void *h, int fill, int n, T *a, int lda, T *work,   \
                           int lwork, int *info) {                             \
    return potrf<T>(h, fill, n, a, lda, work, lwork, info);                    \
  }                                                                            \
  int cusolverDn##L##getrf_bufferSize(void *h, int m, int n, T *, int lda,     \
                                      int *size) {                             \
    return sized(h, lda >= m, m, n, size);                                     \
  }                                                                            \
  int cusolverDn##L##getrf(void *h, int m, int n, T *a, int lda, T *work,      \
                           int *pivots, int *info) {                           \
    return getrf<T>(h, m, n, a, lda, work, pivots, info);                      \
  }                                                                            \
  int cusolverDn##L##geqrf_bufferSize(void *h, int m, int n, T *, int lda,     \
                                      int *size) {                             \
    return sized(h, lda >= m, m, n, size);                                     \
  }                                                                            \
  int cusolverDn##L##geqrf(void *h, int m, int n, T *a, int lda, T *tau,       \
                           T *work, int lwork, int *info) {                    \
    return geqrf<T>(h, m, n, a, lda, tau, work, lwork, info);                  \
  }                                                                            \
  int cusolverDn##L##org##_bufferSize(void *h, int m, int n, int k, const T *, \
                                      int lda, const T *, int *size) {         \
    return sized(h, lda >= m && m >= n && n >= k, m, n, size);                 \
  }                                                                            \
  int cusolverDn##L##org(void *h, int m, int n, int k, T *a, int lda,          \
                         const T *tau, T *work, int lwork, int *info) {        \
    return orgqr<T>(h, m, n, k, a, lda, tau, work, lwork, info);               \
  }                                                                            \
  int cusolverDn##L##orm##_bufferSize(void *h, int, int, int m, int n, int,    \
                                      const T *, int, const T *, const T *,    \
                                      int ldc, int *size) {                    \
    return sized(h, ldc >= m, m, n, size);                                     \
  }                                                                            \
  int cusolverDn##L##orm(void *h, int side, int operation, int m, int n,       \
                         int k, const T *a, int lda, const T *tau, T *c,       \
                         int ldc, T *work, int lwork, int *info) {             \
    return ormqr<T>(h, side, operation, m, n, k, a, lda, tau, c, ldc, work,    \
                    lwork, info);                                              \
  }                                                                            \
  int cusolverDn##L##sye##_bufferSize(void *h, int, int, int n, const T *,     \
                                      int lda, const RealOf<T> *, int *size) { \
    return sized(h, lda >= n, n, n, size);                                     \
  }                                                                            \
  int cusolverDn##L##sye(void *h, int vectors, int fill, int n, T *a, int lda, \
                         RealOf<T> *w, T *work, int lwork, int *info) {        \
    return syevd<T>(h, vectors, fill, n, a, lda, w, work, lwork, info);        \
  }                                                                            \
  int cusolverDn##L##gesvd_bufferSize(void *h, int m, int n, int *size) {      \
    return sized(h, m >= n, m, n, size);                                       \
  }                                                                            \
  int cusolverDn##L##gesvd(void *h, signed char jobU, signed char jobV, int m, \
                           int n, T *a, int lda, RealOf<T> *s, T *u, int ldu,  \
                           T *v, int ldv, T *work, int lwork, RealOf<T> *,     \
                           int *info) {                                        \
    return gesvd<T>(h, jobU, jobV, m, n, a, lda, s, u, ldu, v, ldv, work,      \
                    lwork, info);                                              \
  }
SOLVER(S, float, orgqr, ormqr, syevd)
SOLVER(D, double, orgqr, ormqr, syevd)
SOLVER(C, std::complex<float>, ungqr, unmqr, heevd)
SOLVER(Z, std::complex<double>, ungqr, unmqr, heevd)
}
