// The steps of a run on GPUs, from the outside.
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
  bool measure = options.measure || options.repeat > 1;
  int64_t steps = options.repeat + (options.repeat > 1 ? 1 : 0);
  for (int64_t s = 0; s < steps; ++s) {
    auto begin = std::chrono::steady_clock::now();
    // The first step of several warms up; then one is captured.
    Status status = run->step(/*graph=*/s == 1, begin);
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - begin;
    if (!status)
      return fail(status);
    bool warmUp = options.repeat > 1 && s == 0;
    if (warmUp)
      run->clearProfile();
    if (measure && !warmUp)
      result.stepSeconds.push_back(time.count());
    if (options.progress && time.count() * static_cast<double>(steps) > 2)
      std::fprintf(stderr, "\rshoal-run: step %lld of %lld, %.2f s%s",
                   static_cast<long long>(s + 1), static_cast<long long>(steps),
                   time.count(), s + 1 == steps ? "\n" : "   ");
  }
  double numRanks = static_cast<double>(package.program().header().numRanks);
  for (auto &rank : run->ranks) {
    result.bytesSentPerDevice += rank->bytesSent / numRanks;
    result.collectivesPerDevice +=
        static_cast<double>(rank->collectives) / numRanks;
  }
  result.bytesSentPerDevice = run->sumOverProcesses(result.bytesSentPerDevice);
  result.collectivesPerDevice =
      run->sumOverProcesses(result.collectivesPerDevice);
  if (options.profile)
    result.profile = run->takeProfile(options.repeat);
  Result<std::vector<HostTensor>> values = run->takeResults();
  if (!values)
    return fail(values.status());
  result.failedChecks = run->failedChecks;
  result.results = std::move(*values);
  leave();
  if (!run->close())
    run.release();
  return result;
}

} // namespace shoal::rt
