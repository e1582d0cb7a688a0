// Factorisations by cuSOLVER, on batches of row-major matrices.
//
// A row-major matrix is the transpose of what the library, which counts by
// columns, sees in its memory. Where that is worth nothing the matrix is
// transposed into the work area and results are transposed back.
#include "cuda/math/MathCall.h"

#include <algorithm>

namespace shoal::cuda {

namespace {
using Handle = void *;
/// The two functions of a routine.
template <typename Size, typename Run>
struct Routine {
  Size *size = nullptr;
  Run *run = nullptr;
};

class FactorCall : public MathCall {
public:
  FactorCall(const MathText &text, Handle handle)
      : name(text.name), handle(handle), letter(text.letter()),
        isComplex(text.isComplex()), isDouble(text.isDouble()),
        batch(text.number("batch")), m(text.number("m")), n(text.number("n")),
        k(text.number("k")), lower(text.number("lower") != 0),
        vectors(text.number("vectors") != 0),
        mode(static_cast<char>(text.number("mode"))),
        left(text.number("left") != 0),
        transpose(text.number("transpose") != 0), rows(text.number("rows")),
        columns(text.number("columns")),
        element(static_cast<size_t>(text.elementBytes())) {
    library = "cuSOLVER";
    if (name == "cholesky")
      m = n;
    setStream = reinterpret_cast<decltype(setStream)>(
        MathLibrary::cusolver().find("cusolverDnSetStream"));
    ready = setStream && batch >= 1 && m >= 1 && n >= 1 && measure();
  }

  std::string issue(const Device &device, CUstream stream, CUdeviceptr work,
                    std::span<const CUdeviceptr> buffers) override {
    if (int status = setStream(handle, stream))
      return mathError(MathLibrary::cusolver(), status);
    at = {&device, stream, work, buffers};
    std::string why = run();
    return why;
  }

  bool ready = false;

private:
  bool measure();
  std::string run();
  std::string cholesky(bool alone);
  std::string lu();
  std::string qr();
  std::string formQ();
  std::string applyQ();
  std::string eigen();
  std::string singular();

  template <typename Fn>
  Fn *find(std::string routine, const char *suffix = "") const {
    return reinterpret_cast<Fn *>(MathLibrary::cusolver().find(
        std::string("cusolverDn") + static_cast<char>(letter - 'a' + 'A') +
        routine + suffix));
  }
  std::string named(const char *real, const char *complex) const {
    return isComplex ? complex : real;
  }
  /// Remembers what the size function said, in elements.
  bool reserveWork(int status, int elements) {
    if (status != 0 || elements < 0)
      return false;
    workElements = elements;
    workArea = reserve(static_cast<size_t>(elements) * element);
    return true;
  }
  void *work(size_t offset) const {
    return reinterpret_cast<void *>(at.work + offset);
  }
  int *infoAt(int64_t b) const { return static_cast<int *>(work(infos)) + b; }
  void *buffer(size_t i, int64_t elements, size_t bytes) const {
    return reinterpret_cast<void *>(at.buffers[i] +
                                    static_cast<size_t>(elements) * bytes);
  }
  CUdeviceptr pointer(const void *p) const {
    return reinterpret_cast<CUdeviceptr>(p);
  }
  /// Transposes `batch` row-major matrices of r x c.
  std::string transposed(CUdeviceptr from, CUdeviceptr to, int64_t r,
                         int64_t c) const {
    std::vector<DeviceCopy> copies;
    int64_t bytes = static_cast<int64_t>(element);
    for (int64_t b = 0; b < batch; ++b) {
      CUdeviceptr offset = static_cast<CUdeviceptr>(b * r * c * bytes);
      copies.push_back({from + offset, to + offset, bytes, r, c, c * bytes,
                        bytes, bytes, r * bytes});
    }
    return said(at.device->copy(copies, at.stream));
  }
  std::string copied(CUdeviceptr from, CUdeviceptr to, size_t bytes) const {
    return from == to ? ""
                      : said(at.device->driver.memcpyDtoDAsync(to, from, bytes,
                                                               at.stream));
  }
  std::string said(CUresult r) const {
    return r ? at.device->driver.describe(r) : "";
  }
  std::string failed(int status) const {
    return mathError(MathLibrary::cusolver(), status);
  }
  size_t matrixBytes() const {
    return static_cast<size_t>(batch * m * n) * element;
  }

  std::string name;
  Handle handle;
  char letter;
  bool isComplex, isDouble;
  int64_t batch, m, n, k;
  bool lower, vectors;
  char mode;
  bool left, transpose;
  int64_t rows, columns; ///< of the reflectors that are applied
  size_t element;        ///< bytes
  int (*setStream)(Handle, CUstream) = nullptr;
  int workElements = 0;
  size_t workArea = 0, infos = 0, matrices = 0, second = 0, third = 0;
  /// Of the call that is being made.
  struct {
    const Device *device;
    CUstream stream;
    CUdeviceptr work;
    std::span<const CUdeviceptr> buffers;
  } at = {};

  // The routines' types, with void for the elements.
  using PotrfSize = int(Handle, int, int, void *, int, int *);
  using Potrf = int(Handle, int, int, void *, int, void *, int, int *);
  using GetrfSize = int(Handle, int, int, void *, int, int *);
  using Getrf = int(Handle, int, int, void *, int, void *, int *, int *);
  using GeqrfSize = int(Handle, int, int, void *, int, int *);
  using Geqrf = int(Handle, int, int, void *, int, void *, void *, int, int *);
  using OrgqrSize = int(Handle, int, int, int, const void *, int, const void *,
                        int *);
  using Orgqr = int(Handle, int, int, int, void *, int, const void *, void *,
                    int, int *);
  using OrmqrSize = int(Handle, int, int, int, int, int, const void *, int,
                        const void *, const void *, int, int *);
  using Ormqr = int(Handle, int, int, int, int, int, const void *, int,
                    const void *, void *, int, void *, int, int *);
  using SyevdSize = int(Handle, int, int, int, const void *, int, const void *,
                        int *);
  using Syevd = int(Handle, int, int, int, void *, int, void *, void *, int,
                    int *);
  using GesvdSize = int(Handle, int, int, int *);
  using Gesvd = int(Handle, signed char, signed char, int, int, void *, int,
                    void *, void *, int, void *, int, void *, int, void *,
                    int *);
  Routine<PotrfSize, Potrf> potrf;
  Routine<GetrfSize, Getrf> getrf;
  Routine<GeqrfSize, Geqrf> geqrf;
  Routine<OrgqrSize, Orgqr> orgqr;
  Routine<OrmqrSize, Ormqr> ormqr;
  Routine<SyevdSize, Syevd> syevd;
  Routine<GesvdSize, Gesvd> gesvd;
  template <typename Size, typename Run>
  bool load(Routine<Size, Run> &routine, const std::string &called) {
    routine.size = find<Size>(called, "_bufferSize");
    routine.run = find<Run>(called);
    return routine.size && routine.run;
  }

  int I(int64_t value) const { return static_cast<int>(value); }
  int fill(bool isLower) const {
    return isLower ? CUBLAS_FILL_MODE_LOWER : CUBLAS_FILL_MODE_UPPER;
  }
  int side() const { return left ? CUBLAS_SIDE_LEFT : CUBLAS_SIDE_RIGHT; }
  int operation() const {
    return !transpose ? CUBLAS_OP_N : isComplex ? CUBLAS_OP_C : CUBLAS_OP_T;
  }
};

/// Finds the routine and lays out the work.
bool FactorCall::measure() {
  int size = 0;
  infos = reserve(static_cast<size_t>(batch) * sizeof(int));
  if (name == "cholesky" || name == "potrf")
    return load(potrf, "potrf") &&
           reserveWork(
               potrf.size(handle, fill(!lower), I(n), nullptr, I(n), &size),
               size);
  if (name == "getrf") {
    matrices = reserve(matrixBytes());
    return load(getrf, "getrf") &&
           reserveWork(getrf.size(handle, I(m), I(n), nullptr, I(m), &size),
                       size);
  }
  if (name == "geqrf") {
    matrices = reserve(matrixBytes());
    return load(geqrf, "geqrf") &&
           reserveWork(geqrf.size(handle, I(m), I(n), nullptr, I(m), &size),
                       size);
  }
  if (name == "orgqr") {
    matrices = reserve(matrixBytes());
    return k <= n && load(orgqr, named("orgqr", "ungqr")) &&
           reserveWork(orgqr.size(handle, I(m), I(n), I(k), nullptr, I(m),
                                  nullptr, &size),
                       size);
  }
  if (name == "ormqr") {
    matrices = reserve(static_cast<size_t>(batch * rows * columns) * element);
    second = reserve(matrixBytes());
    return rows == (left ? m : n) && k <= columns &&
           load(ormqr, named("ormqr", "unmqr")) &&
           reserveWork(ormqr.size(handle, side(), operation(), I(m), I(n), I(k),
                                  nullptr, I(rows), nullptr, nullptr, I(m),
                                  &size),
                       size);
  }
  if (name == "syevd") {
    matrices = reserve(matrixBytes());
    return load(syevd, named("syevd", "heevd")) &&
           reserveWork(syevd.size(handle, vectors, fill(lower), I(n), nullptr,
                                  I(n), nullptr, &size),
                       size);
  }
  if (name == "gesvd") {
    matrices = reserve(matrixBytes());
    int64_t large = std::max(m, n), small = std::min(m, n);
    if (m >= n && mode != 'N') {
      second = reserve(static_cast<size_t>(batch * m * (mode == 'A' ? m : n)) *
                       element);
      third = reserve(static_cast<size_t>(batch * n * n) * element);
    }
    return load(gesvd, "gesvd") &&
           reserveWork(gesvd.size(handle, I(large), I(small), &size), size);
  }
  return false;
}

std::string FactorCall::run() {
  if (name == "cholesky" || name == "potrf")
    return cholesky(name == "cholesky");
  if (name == "getrf")
    return lu();
  if (name == "geqrf")
    return qr();
  if (name == "orgqr")
    return formQ();
  if (name == "ormqr")
    return applyQ();
  if (name == "syevd")
    return eigen();
  return singular();
}

/// x -> factor (, info). In the library's eyes the matrix is conj(x), and its
/// upper factor u, with u^H u = conj(x), is the lower factor of x in the same
/// memory; so nothing is transposed. Alone it is stablehlo.cholesky, whose
/// other triangle is zero, and NaN where there is no factor.
std::string FactorCall::cholesky(bool alone) {
  std::string why = copied(at.buffers[0], at.buffers[1], matrixBytes());
  int *info = alone ? infoAt(0) : static_cast<int *>(buffer(2, 0, sizeof(int)));
  for (int64_t b = 0; why.empty() && b < batch; ++b)
    if (int status =
            potrf.run(handle, fill(!lower), I(n), buffer(1, b * n * n, element),
                      I(n), work(workArea), workElements, info + b))
      return failed(status);
  if (!why.empty() || !alone)
    return why;
  TriangleParams p = {at.buffers[1], pointer(info), n,    batch,
                      isDouble,      isComplex,     lower};
  return said(at.device->keepTriangle(p, at.stream));
}

/// x -> factors, pivots from 1, info.
std::string FactorCall::lu() {
  std::string why = transposed(at.buffers[0], pointer(work(matrices)), m, n);
  auto *a = static_cast<char *>(work(matrices));
  for (int64_t b = 0; why.empty() && b < batch; ++b)
    if (int status = getrf.run(
            handle, I(m), I(n), a + static_cast<size_t>(b * m * n) * element,
            I(m), work(workArea),
            static_cast<int *>(buffer(2, b * std::min(m, n), sizeof(int))),
            static_cast<int *>(buffer(3, b, sizeof(int)))))
      return failed(status);
  return why.empty() ? transposed(pointer(a), at.buffers[1], n, m) : why;
}

/// x -> r and reflectors, their factors.
std::string FactorCall::qr() {
  std::string why = transposed(at.buffers[0], pointer(work(matrices)), m, n);
  auto *a = static_cast<char *>(work(matrices));
  for (int64_t b = 0; why.empty() && b < batch; ++b)
    if (int status = geqrf.run(handle, I(m), I(n),
                               a + static_cast<size_t>(b * m * n) * element,
                               I(m), buffer(2, b * std::min(m, n), element),
                               work(workArea), workElements, infoAt(b)))
      return failed(status);
  return why.empty() ? transposed(pointer(a), at.buffers[1], n, m) : why;
}

/// Reflectors, their factors -> q.
std::string FactorCall::formQ() {
  std::string why = transposed(at.buffers[0], pointer(work(matrices)), m, n);
  auto *a = static_cast<char *>(work(matrices));
  for (int64_t b = 0; why.empty() && b < batch; ++b)
    if (int status = orgqr.run(handle, I(m), I(n), I(k),
                               a + static_cast<size_t>(b * m * n) * element,
                               I(m), buffer(1, b * k, element), work(workArea),
                               workElements, infoAt(b)))
      return failed(status);
  return why.empty() ? transposed(pointer(a), at.buffers[2], n, m) : why;
}

/// Reflectors, their factors, x -> q x, x q, or with q's adjoint.
std::string FactorCall::applyQ() {
  auto *a = static_cast<char *>(work(matrices));
  auto *x = static_cast<char *>(work(second));
  std::string why = transposed(at.buffers[0], pointer(a), rows, columns);
  if (why.empty())
    why = transposed(at.buffers[2], pointer(x), m, n);
  for (int64_t b = 0; why.empty() && b < batch; ++b)
    if (int status =
            ormqr.run(handle, side(), operation(), I(m), I(n), I(k),
                      a + static_cast<size_t>(b * rows * columns) * element,
                      I(rows), buffer(1, b * k, element),
                      x + static_cast<size_t>(b * m * n) * element, I(m),
                      work(workArea), workElements, infoAt(b)))
      return failed(status);
  return why.empty() ? transposed(pointer(x), at.buffers[3], n, m) : why;
}

/// x -> eigenvectors, eigenvalues, info.
std::string FactorCall::eigen() {
  std::string why = transposed(at.buffers[0], pointer(work(matrices)), n, n);
  auto *a = static_cast<char *>(work(matrices));
  for (int64_t b = 0; why.empty() && b < batch; ++b)
    if (int status = syevd.run(handle, vectors, fill(lower), I(n),
                               a + static_cast<size_t>(b * n * n) * element,
                               I(n), buffer(2, b * n, isDouble ? 8 : 4),
                               work(workArea), workElements,
                               static_cast<int *>(buffer(3, b, sizeof(int)))))
      return failed(status);
  return why.empty() ? transposed(pointer(a), at.buffers[1], n, n) : why;
}

/// x -> (scratch), singular values, u, v^H, info. The library wants at least as
/// many rows as columns. A wide x is, in its eyes, the tall x^T = u1 s v1, and
/// u = v1^T and v^H = u1^T lie in memory as they are to be.
std::string FactorCall::singular() {
  bool wide = m < n;
  int64_t large = std::max(m, n), small = std::min(m, n);
  int64_t uColumns = mode == 'A' ? large : small; // of the library's u
  auto *a = static_cast<char *>(work(matrices));
  std::string why = wide ? copied(at.buffers[0], pointer(a), matrixBytes())
                         : transposed(at.buffers[0], pointer(a), m, n);
  if (why.empty()) // defined, though nobody needs it
    why = copied(at.buffers[0], at.buffers[1], matrixBytes());
  for (int64_t b = 0; why.empty() && b < batch; ++b) {
    void *u = nullptr, *v = nullptr;
    if (mode != 'N') {
      int64_t uAt = b * large * uColumns, vAt = b * small * small;
      u = wide ? buffer(4, uAt, element)
               : static_cast<char *>(work(second)) +
                     static_cast<size_t>(uAt) * element;
      v = wide ? buffer(3, vAt, element)
               : static_cast<char *>(work(third)) +
                     static_cast<size_t>(vAt) * element;
    }
    if (int status =
            gesvd.run(handle, static_cast<signed char>(mode),
                      static_cast<signed char>(mode), I(large), I(small),
                      a + static_cast<size_t>(b * m * n) * element, I(large),
                      buffer(2, b * small, isDouble ? 8 : 4), u, I(large), v,
                      I(small), work(workArea), workElements, nullptr,
                      static_cast<int *>(buffer(5, b, sizeof(int)))))
      return failed(status);
  }
  if (!why.empty() || wide || mode == 'N')
    return why;
  why = transposed(pointer(work(second)), at.buffers[3], uColumns, m);
  return why.empty() ? transposed(pointer(work(third)), at.buffers[4], n, n)
                     : why;
}
} // namespace

std::shared_ptr<MathCall> makeFactorCall(const MathText &text,
                                         MathHandles &handles, size_t stream) {
  void *handle = handles.solver(stream);
  if (!handle)
    return nullptr;
  auto call = std::make_shared<FactorCall>(text, handle);
  return call->ready ? call : nullptr;
}

} // namespace shoal::cuda
