// cuBLAS's functions that the runtime uses.
#include "Work.h"

#include "support/LapackCall.h"

using namespace shoal::standin;
using shoal::lapack::Int;

template <typename T>
static int trsm(void *handle, int side, int fill, int operation, int diagonal,
                int m, int n, const void *alpha, const void *a, int lda,
                void *b, int ldb) {
  MathHandle *h = checkHandle("cublas trsm", handle);
  int order = side == 0 ? m : n;
  if (!h)
    return kMathInvalid;
  if (lda < order || ldb < m || side < 0 || side > 1 || fill < 0 || fill > 1 ||
      operation < 0 || operation > 2 || diagonal < 0 || diagonal > 1)
    return misuse("cublas trsm", "arguments out of range");
  T factor = *static_cast<const T *>(alpha); // on the host, read now
  return submit(
      "cublas trsm", h->stream,
      {{a, matrixBytes(order, order, lda, sizeof(T)), false},
       {b, matrixBytes(m, n, ldb, sizeof(T)), true}},
      nullptr, 0, [=] {
        auto *f = reinterpret_cast<void (*)(
            const char *, const char *, const char *, const char *, const Int *,
            const Int *, const T *, const T *, const Int *, T *, const Int *,
            size_t, size_t, size_t, size_t)>(
            shoal::lapack::lookup(shoal::lapack::Precision<T>::letter +
                                  std::string("trsm")));
        f(&"LR"[side], &"LU"[fill], &"NTC"[operation], &"NU"[diagonal], &m, &n,
          &factor, static_cast<const T *>(a), &lda, static_cast<T *>(b), &ldb,
          1, 1, 1, 1);
      });
}

extern "C" {
int cublasCreate_v2(void **handle) {
  *handle = new MathHandle;
  return kMathSuccess;
}
int cublasDestroy_v2(void *handle) {
  MathHandle *h = checkHandle("cublasDestroy", handle);
  if (!h)
    return kMathInvalid;
  h->mark = 0;
  delete h;
  return kMathSuccess;
}
int cublasSetStream_v2(void *handle, void *stream) {
  return setHandleStream("cublasSetStream", handle, stream);
}
#define TRSM(L, T)                                                             \
  int cublas##L##trsm_v2(void *handle, int side, int fill, int operation,      \
                         int diagonal, int m, int n, const void *alpha,        \
                         const void *a, int lda, void *b, int ldb) {           \
    return trsm<T>(handle, side, fill, operation, diagonal, m, n, alpha, a,    \
                   lda, b, ldb);                                               \
  }
TRSM(S, float)
TRSM(D, double)
TRSM(C, std::complex<float>)
TRSM(Z, std::complex<double>)
}
