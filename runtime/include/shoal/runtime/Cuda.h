// Running a package of target "cuda" on the GPUs of this machine, or one process
// per GPU. CUDA and NCCL are opened when this is called; nothing links them.
#ifndef SHOAL_RUNTIME_CUDA_H
#define SHOAL_RUNTIME_CUDA_H

#include "shoal/runtime/Run.h"

namespace shoal::rt {

struct CudaOptions {
  /// Ranks that share a GPU. Above 1 their collectives are copies and kernels of
  /// this process, and all ranks must be in it. 0: one, or as many as the model
  /// has if that is one GPU's.
  int64_t ranksPerDevice = 0;
  /// Wait for the device after each instruction, so that an error of the device
  /// names the instruction that made it.
  bool blocking = false;
  /// Repeated steps run as one captured graph where nothing in them needs the
  /// host.
  bool graphs = true;
  /// Where the flight recorder is written when a run hangs or fails: a file;
  /// empty: one in the directory for temporary files.
  std::string flightRecorder;
};

/// As runPackage, for a package whose target is "cuda". Errors with exit code 2
/// where the run cannot start: no driver, one too old, fewer GPUs than ranks, a
/// chip the package is not for, not enough device memory, no NCCL.
Result<RunResult> runPackageOnCuda(const Package &package,
                                   std::vector<HostTensor> arguments,
                                   const RunOptions &options,
                                   const CudaOptions &cuda);

/// The chip to compile for so that code runs on the first GPU of this machine:
/// "sm_80", "sm_90a", "sm_100a". The error says what of CUDA is missing.
Result<std::string> chipOfThisMachine();

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_CUDA_H
