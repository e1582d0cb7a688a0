// One GPU of the run: its context, the code loaded for it, and the operations
// that the runtime itself starts on it.
#ifndef SHOAL_RUNTIME_CUDA_DEVICE_H
#define SHOAL_RUNTIME_CUDA_DEVICE_H

#include "cuda/Driver.h"
#include "cuda/kernels/Kernels.h"
#include "shoal/runtime/Package.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace shoal::cuda {

/// A copy on the device between absolute addresses; see Copy3D.
struct DeviceCopy {
  CUdeviceptr source, target;
  int64_t bytes, rows = 1, planes = 1;
  int64_t sourcePitch = 0, targetPitch = 0, sourcePlane = 0, targetPlane = 0;
};

class Device {
public:
  /// Retains the primary context of GPU number `ordinal` (as
  /// CUDA_VISIBLE_DEVICES counts) and makes it current.
  static rt::Result<std::unique_ptr<Device>> open(const Driver &driver,
                                                  int ordinal);
  ~Device();
  Device(const Device &) = delete;

  /// Loads the package's kernels and the runtime's. The error says what chip
  /// the package is for and what this one is.
  rt::Status load(const rt::Package &package);

  void makeCurrent() const { driver.ctxSetCurrent(context); }
  /// "GPU 0 (NVIDIA H100)".
  std::string describe() const;

  // Work on a stream of this device. All of it may touch memory of peers.
  /// They must not overlap; empty ones are allowed.
  CUresult copy(std::span<const DeviceCopy> copies, CUstream stream) const;
  /// Rows of a pattern of `width` bytes (1 to 16), from the device address
  /// `params.from` or given.
  CUresult fill(const FillParams &params, CUstream stream) const;
  /// Element-wise reduction of any number of inputs into any number of outputs;
  /// the lists in `params` are ignored. Above FoldParams::most of them, sums of
  /// narrow floats are rounded in between.
  CUresult fold(FoldParams params, std::span<const CUdeviceptr> in,
                std::span<const CUdeviceptr> out, CUstream stream) const;
  CUresult convert(const ConvertParams &params, CUstream stream) const;
  CUresult scale(const ScaleParams &params, CUstream stream) const;
  CUresult keepTriangle(const TriangleParams &params, CUstream stream) const;
  /// One rank's part of a collective on the memory of all its group.
  CUresult symmetric(const SymmetricParams &params, CUstream stream) const;
  /// The same by the switch, on multicast memory; where hasMultimem.
  CUresult multimem(const MultimemParams &params, bool scatter,
                    CUstream stream) const;
  bool hasMultimem() const { return multimemKernels[0] != nullptr; }
  CUresult launch(const program::GpuKernel &how, CUfunction function,
                  void **parameters, CUstream stream) const;

  const Driver &driver;
  const int ordinal;
  CUdevice handle = 0;
  CUcontext context = nullptr;
  std::string name;
  int major = 0, minor = 0; ///< compute capability
  size_t totalBytes = 0;
  std::vector<CUfunction> kernels; ///< one for each of the GpuKernels

private:
  Device(const Driver &driver, int ordinal)
      : driver(driver), ordinal(ordinal) {}
  rt::Status loadModule(const void *image, const std::string &what,
                        CUmodule &module);
  CUresult launchOwn(CUfunction function, int64_t work, int64_t items,
                     void *params, CUstream stream) const;

  std::vector<CUmodule> modules;
  CUfunction copyKernel = nullptr, fillKernel = nullptr, foldKernel = nullptr,
             convertKernel = nullptr, symmetricKernel = nullptr,
             scaleKernel = nullptr, triangleKernel = nullptr;
  CUfunction multimemKernels[2] = {}; ///< all_reduce, reduce_scatter
};

/// Whether code compiled for `chip` ("sm_90a") runs on a device of compute
/// capability major.minor. A cubin runs on its own chip and later ones of the
/// same major version; with 'a' on exactly its own, with 'f' on its family. PTX
/// runs on all later chips, with 'a' on its own only, with 'f' on its family.
bool runsOn(std::string_view chip, bool isPtx, int major, int minor);

/// The image to load for those that ask for image `wanted`: it, or its PTX, or
/// an image for the host if nothing else is there; kNone if none runs.
uint32_t chooseImage(const program::View &program, uint32_t wanted, int major,
                     int minor);

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_DEVICE_H
