// What a user reads when a machine cannot run a package. The libraries are
// opened once in a process, so each case is a process of its own.
#include "CudaTest.h"

#include <array>
#include <cstdio>

using namespace shoal;
using namespace shoal::rt;
using program::Opcode;

namespace {

/// Four ranks that meet once; 64 MB each.
Status runSample() {
  TestProgram p;
  p.mesh(4);
  uint32_t t = p.type(DType::F32, {4});
  uint32_t in = p.argument(t, t), out = p.result(t, t);
  p.temporary(p.type(DType::F32, {1 << 24}));
  if (const char *chip = std::getenv("SAMPLE_CHIP"))
    p.gpuKernel("k", p.image(program::ImageKind::Cubin, chip, "none"), 0, 0);
  p.add(Opcode::Collective,
        {static_cast<int64_t>(program::CollectiveKind::AllReduce), 0, 1, 1, in,
         out});
  CudaOptions cuda;
  if (const char *n = std::getenv("SAMPLE_RANKS_PER_DEVICE"))
    cuda.ranksPerDevice = std::atoi(n);
  std::vector<HostTensor> a;
  a.push_back(tensor(DType::F32, {4}, {1, 2, 3, 4}));
  uint32_t main = p.block(0);
  Result<Package> package = p.package(main);
  useStandIns();
  Result<RunResult> r =
      runPackageOnCuda(*package, std::move(a), RunOptions(), cuda);
  return r ? Status::ok() : r.status();
}

/// Not a test of its own: what the others start.
TEST(CudaMessages, DISABLED_Child) {
  Status s = runSample();
  std::printf("code %d: %s\n", static_cast<int>(s.code()), s.message().c_str());
}

std::string runWith(const std::string &environment) {
  // The test runner spreads tests over processes by shards; the child has one.
  std::string command =
      environment + " env -u GTEST_TOTAL_SHARDS -u GTEST_SHARD_INDEX /proc/" +
      std::to_string(::getpid()) +
      "/exe --gtest_also_run_disabled_tests "
      "--gtest_filter=CudaMessages.DISABLED_Child 2>&1";
  std::string text;
  std::FILE *pipe = ::popen(command.c_str(), "r");
  std::array<char, 512> buffer;
  while (pipe && std::fgets(buffer.data(), buffer.size(), pipe))
    text += buffer.data();
  if (pipe)
    ::pclose(pipe);
  return text;
}

void expectMessage(const std::string &environment,
                   std::initializer_list<const char *> parts) {
  std::string text = runWith(environment);
  for (const char *part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
}

TEST(CudaMessages, ItRuns) { expectMessage("", {"code 0"}); }

TEST(CudaMessages, NoDriver) {
  expectMessage("SHOAL_CUDA_LIBRARY=/nowhere/libcuda.so.1",
                {"code 2", "there is no CUDA driver", "SHOAL_CUDA_LIBRARY"});
}

TEST(CudaMessages, OldDriver) {
  expectMessage("SHOAL_TEST_CUDA_VERSION=11040",
                {"code 2", "too old: it is of CUDA 11.4", "12.0 or later"});
}

TEST(CudaMessages, NoNccl) {
  // Copies between the GPUs are enough where they reach each other.
  expectMessage("SHOAL_NCCL_LIBRARY=/nowhere/libnccl.so.2",
                {"NCCL is missing", "pip install nvidia-nccl-cu13"});
}

TEST(CudaMessages, FewerDevicesThanRanks) {
  expectMessage("SHOAL_TEST_CUDA_DEVICES=2",
                {"code 2", "needs 4 GPUs (4 ranks), but there are 2",
                 "--ranks-per-device=2"});
  expectMessage("SHOAL_TEST_CUDA_DEVICES=2 SAMPLE_RANKS_PER_DEVICE=2",
                {"code 0"});
}

TEST(CudaMessages, NotEnoughMemory) {
  expectMessage("SHOAL_TEST_CUDA_MEMORY=134217728 SAMPLE_RANKS_PER_DEVICE=4",
                {"code 2", "needs 268 MB of memory on GPU 0", "4 ranks",
                 "67.1 MB", "are free"});
}

TEST(CudaMessages, WrongChip) {
  expectMessage(
      "SAMPLE_CHIP=sm_90a SHOAL_TEST_CUDA_CHIP=80",
      {"code 2", "was compiled for sm_90a", "is sm_80", "--chip=sm_80"});
  expectMessage("SAMPLE_CHIP=sm_80 SHOAL_TEST_CUDA_CHIP=90",
                {"was compiled for sm_80", "--chip=sm_90a"});
}

} // namespace
