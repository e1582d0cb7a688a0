// Fourier transforms, factorisations and solves by cuFFT, cuSOLVER and cuBLAS.
//
// A call is a line of text, a name and numbers:
//   fft kind=K double=D batch=B lengths=N,N      kind: StableHLO's FFT, IFFT,
//                                                RFFT, IRFFT in this order
//   cholesky type=T batch=B n=N lower=L
//   triangular_solve type=T batch=B rows=M columns=N left=1 lower=1 unit=0
//                    transpose=0                 0, 1 transposed, 2 adjoint
//   potrf, getrf, geqrf, orgqr, ormqr, syevd, gesvd: LAPACK's, on batches
// type is LAPACK's letter. Kernels carry such a line
// (program::Kernel::library); JAX's custom calls of LAPACK are turned into one.
// Matrices are row-major, as everywhere in Shoal; results are those of the
// kernel or the custom call.
#ifndef SHOAL_RUNTIME_CUDA_MATHCALL_H
#define SHOAL_RUNTIME_CUDA_MATHCALL_H

#include "cuda/Device.h"
#include "cuda/math/MathLibraries.h"

#include <map>
#include <memory>
#include <span>
#include <string>

namespace shoal::cuda {

/// The words of such a line.
class MathText {
public:
  explicit MathText(std::string_view text);
  std::string name;
  int64_t number(const char *key) const;
  std::vector<int64_t> numbers(const char *key) const;
  char letter() const; ///< of `type`
  bool isComplex() const { return letter() == 'c' || letter() == 'z'; }
  bool isDouble() const { return letter() == 'd' || letter() == 'z'; }
  int64_t elementBytes() const {
    return (isDouble() ? 8 : 4) * (isComplex() ? 2 : 1);
  }

private:
  std::map<std::string, std::string, std::less<>> words;
};

class MathHandles;

/// A call that is ready to be made any number of times, on one stream.
class MathCall {
public:
  virtual ~MathCall() = default;
  /// Puts it on the stream, with `work` of workBytes of device memory, which
  /// is its own while it runs. "" or why that failed.
  virtual std::string issue(const Device &device, CUstream stream,
                            CUdeviceptr work,
                            std::span<const CUdeviceptr> buffers) = 0;
  size_t workBytes = 0;
  std::string library; ///< "cuFFT"

protected:
  /// Reserves part of the work; parts are 256-byte aligned.
  size_t reserve(size_t bytes) {
    size_t at = workBytes;
    workBytes += (bytes + 255) / 256 * 256;
    return at;
  }
};

/// Handles of a rank: of each library one for each of its streams.
class MathHandles {
public:
  explicit MathHandles(const Device &device) : device(device) {}
  ~MathHandles(); ///< the device's context is current
  MathHandles(const MathHandles &) = delete;

  /// The call for stream number `stream`, or null where its library, or a
  /// function of it, is not there or refuses. Equal calls share plans.
  std::shared_ptr<MathCall> prepare(const std::string &text, size_t stream);

  /// Handles, made when first asked for; null if that fails.
  void *solver(size_t stream);
  void *blas(size_t stream);
  const Device &device;

private:
  std::map<size_t, void *> solvers, blases;
  std::map<std::pair<std::string, size_t>, std::shared_ptr<MathCall>> calls;
};

// By subject; null as MathHandles::prepare.
std::shared_ptr<MathCall> makeFourierCall(const MathText &text);
std::shared_ptr<MathCall> makeFactorCall(const MathText &text,
                                         MathHandles &handles, size_t stream);
std::shared_ptr<MathCall> makeSolveCall(const MathText &text,
                                        MathHandles &handles, size_t stream);

/// The line for a CustomCall instruction, or "": JAX's names for LAPACK on CPUs
/// (lapack_sgetrf_ffi).
std::string describeCustomCall(const program::View &program,
                               const program::Instruction &instruction);

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_MATHCALL_H
