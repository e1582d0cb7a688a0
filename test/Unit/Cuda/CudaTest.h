// Programs that run both on the host and on the stand-in for CUDA.
#ifndef SHOAL_TEST_UNIT_CUDA_CUDATEST_H
#define SHOAL_TEST_UNIT_CUDA_CUDATEST_H

#include "TestProgram.h"

#include "shoal/runtime/Cuda.h"

#include <cstdlib>
#include <gtest/gtest.h>

namespace shoal::rt {

/// How the ranks of a program are put on devices.
/// Symmetric: on one device, sums by kernels on the memory of peers.
enum class Where { Host, OneDevice, Nccl, Symmetric, Multicast };

inline void useStandIns() {
  ::setenv("SHOAL_CUDA_LIBRARY", STANDIN_FOLDER "/libcuda.so.1", 0);
  ::setenv("SHOAL_NCCL_LIBRARY", STANDIN_FOLDER "/libnccl.so.2", 0);
}

inline Result<RunResult> runOn(Where where, TestProgram &p, uint32_t main,
                               std::vector<HostTensor> arguments,
                               const RunOptions &options = {},
                               CudaOptions cuda = {}) {
  Result<Package> package = p.package(main);
  if (!package)
    return package.status();
  if (where == Where::Host)
    return runPackage(*package, std::move(arguments), options);
  useStandIns();
  if (where == Where::OneDevice || where == Where::Symmetric)
    cuda.ranksPerDevice = p.ranks;
  ::setenv("SHOAL_CUDA_SYMMETRIC", where == Where::Symmetric || where == Where::Multicast ? "1" : "0", 1);
  Result<RunResult> result =
      runPackageOnCuda(*package, std::move(arguments), options, cuda);
  ::unsetenv("SHOAL_CUDA_SYMMETRIC");
  return result;
}

inline HostTensor copyOf(const HostTensor &t) {
  HostTensor c{t.type, t.shape, AlignedBuffer(t.buffer.size())};
  std::memcpy(c.data(), t.data(), t.buffer.size());
  return c;
}

/// The same results, bit by bit, as on the host.
inline void expectSameEverywhere(TestProgram &p, uint32_t main,
                                 const std::vector<HostTensor> &arguments,
                                 const RunOptions &options = {}) {
  std::vector<RunResult> all;
  for (Where where : {Where::Host, Where::OneDevice, Where::Nccl, Where::Symmetric,
                      Where::Multicast}) {
    std::vector<HostTensor> own;
    for (const HostTensor &t : arguments)
      own.push_back(copyOf(t));
    Result<RunResult> r = runOn(where, p, main, std::move(own), options);
    ASSERT_TRUE(r) << static_cast<int>(where) << ": " << r.status().message();
    all.push_back(std::move(*r));
  }
  constexpr const char *names[] = {"host", "one device", "NCCL", "symmetric",
                                   "multicast"};
  for (size_t w : {1, 2, 3, 4}) {
    ASSERT_EQ(all[w].results.size(), all[0].results.size());
    EXPECT_EQ(all[w].bytesSentPerDevice, all[0].bytesSentPerDevice);
    EXPECT_EQ(all[w].collectivesPerDevice, all[0].collectivesPerDevice);
    EXPECT_EQ(all[w].failedChecks, all[0].failedChecks);
    for (size_t i = 0; i < all[0].results.size(); ++i) {
      HostTensor &got = all[w].results[i], &want = all[0].results[i];
      for (size_t b = 0; b < want.buffer.size(); ++b)
        ASSERT_EQ(got.data()[b], want.data()[b])
            << names[w] << ", result " << i << ", byte "
            << b << ": " << ::testing::PrintToString(values(got)) << " not "
            << ::testing::PrintToString(values(want));
    }
  }
}

} // namespace shoal::rt

#endif // SHOAL_TEST_UNIT_CUDA_CUDATEST_H
