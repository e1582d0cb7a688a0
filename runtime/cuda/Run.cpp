// The steps of a run on GPUs, from the outside.
#include "core/Steps.h"
#include "cuda/Execution.h"

namespace shoal::rt {

Result<std::string> chipOfThisMachine() {
  Result<const cuda::Driver *> driver = cuda::Driver::open();
  if (!driver)
    return driver.status();
  cuda::CUdevice device;
  int major = 0, minor = 0;
  if (cuda::CUresult r = (*driver)->deviceGet(&device, 0))
    return Status::badInput("GPU 0 cannot be used: " + (*driver)->describe(r));
  (*driver)->deviceGetAttribute(
      &major, cuda::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device);
  (*driver)->deviceGetAttribute(
      &minor, cuda::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
  if (major < 8)
    return Status::badInput("--target=cuda: GPU 0 is sm_" +
                            std::to_string(major * 10 + minor) +
                            "; Shoal's kernels need sm_80 or later");
  if (major == 9 && minor == 0)
    return std::string("sm_90a");
  if (major == 10 && minor == 0)
    return std::string("sm_100a");
  return std::string("sm_80"); // its PTX is for all later chips
}

Result<RunResult> runPackageOnCuda(const Package &package,
                                   std::vector<HostTensor> arguments,
                                   const RunOptions &options,
                                   const CudaOptions &cuda) {
  auto run = std::make_unique<cuda::Execution>(package, options, cuda);
  World *world = options.world;
  if (world) {
    world->onFailure([&](Status s) { run->fail(std::move(s)); });
    world->onQuestion([&] { return World::Activity{false, run->activity()}; });
  }
  auto leave = [&] {
    if (world) {
      world->onFailure(nullptr);
      world->onQuestion(nullptr);
    }
  };
  auto fail = [&](const Status &s) {
    leave();
    if (world)
      world->abort(s.message());
    if (!run->close())
      run.release(); // threads may still use it
    return s;
  };
  if (Status s = run->prepare(std::move(arguments)); !s)
    return fail(s);
  RunResult result;
  auto step = [&](int64_t number, std::chrono::steady_clock::time_point begin) {
    // The first step of several warms up; then one is captured.
    return run->step(/*graph=*/number == 1, begin);
  };
  if (Status s = runSteps(*run, options, step, result); !s)
    return fail(s);
  if (Status s = takeResult(*run, package, options, result); !s)
    return fail(s);
  leave();
  if (!run->close())
    run.release();
  return result;
}

} // namespace shoal::rt
