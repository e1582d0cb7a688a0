// The part of a program table that only target cuda has: images and launches.
#include "TestProgram.h"

#include <functional>
#include <gtest/gtest.h>

using namespace shoal;
using namespace shoal::rt;

namespace {

/// A program with one kernel that runs on a GPU.
struct GpuProgram : TestProgram {
  GpuProgram() {
    chip = "sm_90a";
    uint32_t cubin = image(program::ImageKind::Cubin, "sm_90a", "cubin");
    images[cubin].fallback =
        image(program::ImageKind::Ptx, "sm_90a", "// PTX");
    uint32_t f32 = type(DType::F32, {4});
    uint32_t a = argument(f32, f32), r = result(f32, f32);
    uint32_t k = gpuKernel("shoal_neg", cubin, 1, 1);
    add(program::Opcode::Exec, {k, a, r});
  }
  std::string check() {
    std::vector<uint64_t> t = table(block(0));
    return program::validate(t.data(), t.size() * 8);
  }
};

TEST(GpuTable, IsValidAndPrints) {
  GpuProgram p;
  p.gpuKernels[0].grid[1] = 3;
  p.gpuKernels[0].block = 256;
  p.gpuKernels[0].sharedBytes = 4096;
  p.gpuKernels[0].registers = 40;
  std::vector<uint64_t> t = p.table(p.block(0));
  ASSERT_EQ(program::validate(t.data(), t.size() * 8), "");
  std::string text = program::print(program::View(t.data()));
  EXPECT_NE(text.find("target cuda sm_90a"), std::string::npos);
  EXPECT_NE(text.find("image 0: cubin for sm_90a, 5 bytes, newer chips: image "
                      "1\nimage 1: ptx for sm_90a, 6 bytes\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("kernel shoal_neg: image 0, grid 1x3, block 256, shared "
                      "4096 bytes, 40 registers, symbol shoal_neg\n"),
            std::string::npos)
      << text;
}

TEST(GpuTable, RefusesWhatCannotBeLaunched) {
  auto expect = [](const char *what,
                   const std::function<void(GpuProgram &)> &damage) {
    GpuProgram p;
    damage(p);
    EXPECT_NE(p.check().find(what), std::string::npos)
        << what << ": " << p.check();
  };
  expect("a grid", [](auto &p) { p.gpuKernels[0].grid[0] = 0; });
  expect("a grid", [](auto &p) { p.gpuKernels[0].grid[2] = 65536; });
  expect("threads", [](auto &p) { p.gpuKernels[0].block = 1025; });
  expect("threads", [](auto &p) { p.gpuKernels[0].block = 0; });
  expect("clusters", [](auto &p) { p.gpuKernels[0].cluster[0] = 2; });
  expect("shared", [](auto &p) { p.gpuKernels[0].sharedBytes = 1 << 20; });
  expect("image", [](auto &p) { p.gpuKernels[0].image = 2; });
  expect("malformed", [](auto &p) { p.gpuKernels[0].flags = 64; });
  expect("fallback", [](auto &p) { p.images[0].fallback = 0; });
  expect("outside", [](auto &p) { p.images[1].bytes = 100; });
  expect("not every kernel", [](auto &p) {
    p.kernels.push_back(p.kernels[0]);
  });
  expect("next launch", [](auto &p) { p.gpuKernels[0].next = 0; });
  expect("next launch", [](auto &p) { p.gpuKernels[0].next = 1; });
}

TEST(GpuTable, TakesSeveralLaunchesOfAKernel) {
  GpuProgram p;
  p.gpuKernels.push_back(p.gpuKernels[0]);
  p.gpuKernels[0].next = 1;
  EXPECT_EQ(p.check(), "");
}

TEST(GpuTable, OpensFromMemoryWithItsImages) {
  GpuProgram p;
  Result<Package> package = p.package(p.block(0));
  ASSERT_TRUE(static_cast<bool>(package)) << package.status().message();
  EXPECT_EQ(std::memcmp(package->images(), "cubin", 5), 0);
  EXPECT_EQ(package->program().section<program::GpuKernel>(
                                  program::Section::GpuKernels).size(), 1u);
}

} // namespace
