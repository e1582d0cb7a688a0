// cuFFT, cuBLAS and cuSOLVER, opened at run time; none of them is needed to
// build Shoal. Types and values are those of their public documentation (CUDA
// 12 and 13); the routines of the four precisions have the same parameters but
// for the types behind pointers, and are found by name.
//
// What the runtime relies on, and a stand-in has to keep:
//   - A handle belongs to one stream of one device: it is made with the
//   device's
//     context current, and its stream is set before its first call.
//   - cuFFT: a plan gets its work area from its user
//     (cufftSetAutoAllocation(plan, 0) before it is made, cufftSetWorkArea
//     after). Transforms are not divided by their length; complex to real ones
//     may destroy their input.
//   - cuSOLVER: the size of a work area, in elements, is asked for with the
//   same
//     sizes; matrices are column-major; info is an int on the device. gesvd
//     takes at least as many rows as columns.
//   - cuBLAS: scalars (alpha) are on the host.
#ifndef SHOAL_RUNTIME_CUDA_MATHLIBRARIES_H
#define SHOAL_RUNTIME_CUDA_MATHLIBRARIES_H

#include "cuda/Driver.h"

#include <string>

namespace shoal::cuda {

using cufftHandle = int;
enum cufftType : int {
  CUFFT_R2C = 0x2a,
  CUFFT_C2R = 0x2c,
  CUFFT_C2C = 0x29,
  CUFFT_D2Z = 0x6a,
  CUFFT_Z2D = 0x6c,
  CUFFT_Z2Z = 0x69,
};
inline constexpr int CUFFT_FORWARD = -1, CUFFT_INVERSE = 1;
inline constexpr int CUBLAS_FILL_MODE_LOWER = 0, CUBLAS_FILL_MODE_UPPER = 1;
inline constexpr int CUBLAS_DIAG_NON_UNIT = 0, CUBLAS_DIAG_UNIT = 1;
inline constexpr int CUBLAS_SIDE_LEFT = 0, CUBLAS_SIDE_RIGHT = 1;
inline constexpr int CUBLAS_OP_N = 0, CUBLAS_OP_T = 1, CUBLAS_OP_C = 2;
inline constexpr int CUSOLVER_EIG_MODE_NOVECTOR = 0,
                     CUSOLVER_EIG_MODE_VECTOR = 1;

/// A library and how to ask it for functions.
struct MathLibrary {
  const char *name; ///< "cuFFT"
  void *handle = nullptr;
  std::string path; ///< of the file
  std::string why;  ///< it is missing

  /// A function, or null (also where the library is missing).
  void *find(const std::string &symbol) const;

  /// Opened once each: the file of SHOAL_CUFFT_LIBRARY, SHOAL_CUSOLVER_LIBRARY,
  /// SHOAL_CUBLAS_LIBRARY ("none": not at all), else the system's, else that of
  /// NVIDIA's Python packages.
  static const MathLibrary &cufft();
  static const MathLibrary &cusolver();
  static const MathLibrary &cublas();
};

/// A status of one of them as text.
std::string mathError(const MathLibrary &library, int status);

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_MATHLIBRARIES_H
