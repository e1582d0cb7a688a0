// Triangular solves by cuBLAS.
#include "cuda/math/MathCall.h"

namespace shoal::cuda {

namespace {
/// op(a) x = b or x op(a) = b. In the library's eyes all three are transposed:
/// the same operation, from the other side, with the other triangle.
class SolveCall : public MathCall {
public:
  SolveCall(const MathText &text, void *handle)
      : handle(handle), batch(text.number("batch")), rows(text.number("rows")),
        columns(text.number("columns")), left(text.number("left") != 0),
        lower(text.number("lower") != 0), unit(text.number("unit") != 0),
        isDouble(text.isDouble()), transpose(text.number("transpose")),
        element(static_cast<size_t>(text.elementBytes())) {
    library = "cuBLAS";
    const MathLibrary &blas = MathLibrary::cublas();
    char letter = static_cast<char>(text.letter() - 'a' + 'A');
    setStream =
        reinterpret_cast<decltype(setStream)>(blas.find("cublasSetStream_v2"));
    trsm = reinterpret_cast<decltype(trsm)>(
        blas.find(std::string("cublas") + letter + "trsm_v2"));
    ready = setStream && trsm && batch >= 1 && rows >= 1 && columns >= 1;
  }

  std::string issue(const Device &device, CUstream stream, CUdeviceptr,
                    std::span<const CUdeviceptr> buffers) override {
    size_t bytes = static_cast<size_t>(batch * rows * columns) * element;
    if (buffers[1] != buffers[2])
      if (CUresult r = device.driver.memcpyDtoDAsync(buffers[2], buffers[1],
                                                     bytes, stream))
        return device.driver.describe(r);
    int status = setStream(handle, stream);
    int n = static_cast<int>(left ? rows : columns);
    static constexpr double one[2] = {1, 0};
    static constexpr float oneSingle[2] = {1, 0};
    const void *alpha = isDouble ? static_cast<const void *>(one) : oneSingle;
    for (int64_t b = 0; status == 0 && b < batch; ++b)
      status = trsm(
          handle, left ? CUBLAS_SIDE_RIGHT : CUBLAS_SIDE_LEFT,
          lower ? CUBLAS_FILL_MODE_UPPER : CUBLAS_FILL_MODE_LOWER,
          transpose == 0   ? CUBLAS_OP_N
          : transpose == 1 ? CUBLAS_OP_T
                           : CUBLAS_OP_C,
          unit ? CUBLAS_DIAG_UNIT : CUBLAS_DIAG_NON_UNIT,
          static_cast<int>(columns), static_cast<int>(rows), alpha,
          reinterpret_cast<const void *>(
              buffers[0] + static_cast<size_t>(b * n * n) * element),
          n,
          reinterpret_cast<void *>(
              buffers[2] + static_cast<size_t>(b * rows * columns) * element),
          static_cast<int>(columns));
    return status ? mathError(MathLibrary::cublas(), status) : "";
  }

  bool ready = false;

private:
  void *handle;
  int64_t batch, rows, columns;
  bool left, lower, unit, isDouble;
  int64_t transpose;
  size_t element;
  int (*setStream)(void *handle, CUstream stream);
  int (*trsm)(void *handle, int side, int fill, int operation, int diagonal,
              int m, int n, const void *alpha, const void *a, int lda, void *b,
              int ldb);
};
} // namespace

std::shared_ptr<MathCall> makeSolveCall(const MathText &text,
                                        MathHandles &handles, size_t stream) {
  void *handle = handles.blas(stream);
  if (!handle)
    return nullptr;
  auto call = std::make_shared<SolveCall>(text, handle);
  return call->ready ? call : nullptr;
}

} // namespace shoal::cuda
