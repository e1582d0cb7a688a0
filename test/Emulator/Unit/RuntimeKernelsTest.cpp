// The runtime's own kernels as threads of a GPU run them, against their host
// versions, which are one loop.
#include "Abi.h"

#include "cuda/kernels/Kernels.h"
#include "shoal/runtime/DType.h"

#include <gtest/gtest.h>

#include <cstring>
#include <dlfcn.h>
#include <random>
#include <thread>
#include <vector>

using namespace shoal::cuda;
using shoal::rt::DType;

extern "C" void *shoal_rt_host_kernel(const char *name);

static void *image() {
  static void *library = dlopen(SHOAL_RUNTIME_KERNELS_IMAGE, RTLD_NOW);
  if (!library)
    std::fprintf(stderr, "%s\n", dlerror());
  return library;
}

/// Runs both on their own copy of `memory`; `params` takes its address.
template <typename MakeParams>
static void compare(const char *name, std::vector<uint64_t> memory,
                    unsigned blocksY, MakeParams makeParams) {
  ASSERT_NE(image(), nullptr);
  std::vector<uint64_t> host = memory, device = memory;
  auto hostParams = makeParams(reinterpret_cast<uint64_t>(host.data()));
  auto deviceParams = makeParams(reinterpret_cast<uint64_t>(device.data()));
  void *hostValues[] = {&hostParams}, *deviceValues[] = {&deviceParams};
  using HostKernel = void (*)(void **, const void *);
  reinterpret_cast<HostKernel>(shoal_rt_host_kernel(name))(hostValues, nullptr);

  shoal_emu_add_memory(device.data(), device.size() * 8, "memory");
  ShoalEmuLaunch launch{};
  launch.grid[0] = 3, launch.grid[1] = blocksY, launch.grid[2] = 1;
  launch.block[0] = kBlockThreads, launch.block[1] = launch.block[2] = 1;
  launch.kernel = name;
  auto kernel = reinterpret_cast<ShoalEmuKernel>(dlsym(image(), name));
  ASSERT_NE(kernel, nullptr);
  kernel(deviceValues, &launch);
  shoal_emu_remove_memory(device.data());
  EXPECT_EQ(launch.failed, 0u);
  EXPECT_EQ(std::memcmp(host.data(), device.data(), host.size() * 8), 0);
  EXPECT_NE(std::memcmp(host.data(), memory.data(), host.size() * 8), 0);
}

static std::vector<uint64_t> randomMemory(size_t words) {
  std::mt19937_64 random(1);
  std::vector<uint64_t> memory(words);
  for (uint64_t &word : memory)
    word = random();
  return memory;
}

TEST(RuntimeKernels, Copy) {
  for (int64_t unit : {1, 2, 4, 8})
    compare("shoal_rt_copy", randomMemory(40000), 2, [&](uint64_t base) {
      CopyParams p{};
      p.count = 3;
      for (int i = 0; i < 3; ++i)
        p.copies[i] = {base + i * 4096,
                       base + 100000 + i * 65536,
                       24 * unit,
                       11,
                       5,
                       32 * unit,
                       24 * unit,
                       400 * unit,
                       300 * unit,
                       unit};
      return p;
    });
}

TEST(RuntimeKernels, Fill) {
  for (int64_t width : {1, 2, 4, 8, 16})
    compare("shoal_rt_fill", randomMemory(4000), 1, [&](uint64_t base) {
      return FillParams{
          base + 64,  0, 0x0123456789abcdef, 0xfedcba9876543210, width,
          width * 37, 5, width * 48};
    });
}

TEST(RuntimeKernels, Fold) {
  for (DType type :
       {DType::F32, DType::BF16, DType::I32, DType::I8, DType::F64, DType::F16})
    for (int reduction : {1, 2, 3, 4})
      compare("shoal_rt_fold", randomMemory(8000), 1, [&](uint64_t base) {
        FoldParams p{};
        p.type = int32_t(type);
        p.reduction = reduction;
        p.numIn = 3, p.numOut = 2;
        p.count = 100, p.rows = 3;
        p.inPitch = p.outPitch = 1024;
        for (int i = 0; i < 3; ++i)
          p.in[i] = base + i * 4096;
        p.out[0] = base, p.out[1] = base + 5 * 4096;
        return p;
      });
}

TEST(RuntimeKernels, Convert) {
  for (auto [type, what] : {std::pair(DType::I8, Convert::ToInt32),
                            std::pair(DType::I1, Convert::FromInt32),
                            std::pair(DType::BF16, Convert::ToFloat),
                            std::pair(DType::F8E4M3FN, Convert::FromFloat),
                            std::pair(DType::F32, Convert::ToOrderLow),
                            std::pair(DType::F64, Convert::ToOrderHigh),
                            std::pair(DType::F16, Convert::FromOrder)})
    compare("shoal_rt_convert", randomMemory(4000), 1,
            [type = type, what = what](uint64_t base) {
              return ConvertParams{base, base + 16000, 777, int32_t(type),
                                   int32_t(what)};
            });
}

namespace {
/// Windows and flags of three ranks, whose kernels run in a thread each.
struct Ranks {
  static constexpr int64_t ranks = 3, count = 1008, each = count / ranks;
  std::vector<std::vector<float>> memory;
  std::vector<std::vector<uint64_t>> flags;
  std::vector<float> sums;

  Ranks()
      : memory(ranks, std::vector<float>(count)),
        flags(ranks, std::vector<uint64_t>(Meeting::flagWords, 0)),
        sums(count, 0) {
    for (int64_t r = 0; r < ranks; ++r) {
      for (int64_t i = 0; i < count; ++i)
        sums[i] += memory[r][i] = float((r + 1) * (i % 17));
      shoal_emu_add_memory(memory[r].data(), count * 4, "a window");
      shoal_emu_add_memory(flags[r].data(), flags[r].size() * 8, "flags");
    }
  }
  ~Ranks() {
    for (int64_t r = 0; r < ranks; ++r) {
      shoal_emu_remove_memory(memory[r].data());
      shoal_emu_remove_memory(flags[r].data());
    }
  }

  /// One launch by every rank; `fill` sets what is the kernel's own.
  template <typename Params, typename Fill>
  void run(void *library, const char *name, uint64_t number, Fill fill) {
    ASSERT_NE(library, nullptr);
    auto kernel = reinterpret_cast<ShoalEmuKernel>(dlsym(library, name));
    ASSERT_NE(kernel, nullptr);
    std::vector<std::thread> threads;
    std::vector<uint32_t> failed(ranks, 0);
    for (int64_t r = 0; r < ranks; ++r)
      threads.emplace_back([&, r] {
        Params p{};
        p.rank = r, p.ranks = ranks, p.number = number;
        for (int64_t i = 0; i < ranks; ++i)
          p.flags[i] = reinterpret_cast<uint64_t>(flags[i].data());
        fill(p, r);
        ShoalEmuLaunch launch{};
        launch.grid[0] = Meeting::blocks;
        launch.grid[1] = launch.grid[2] = 1;
        launch.block[0] = kBlockThreads, launch.block[1] = launch.block[2] = 1;
        launch.kernel = name;
        void *values[] = {&p};
        kernel(values, &launch);
        failed[r] = launch.failed;
      });
    for (std::thread &thread : threads)
      thread.join();
    EXPECT_EQ(failed, std::vector<uint32_t>(ranks, 0));
  }
};
} // namespace

/// all_reduce in slices, again and again over the same flags.
TEST(RuntimeKernels, Symmetric) {
  Ranks all;
  for (uint64_t number = 0; number < 3; ++number) {
    all.run<SymmetricParams>(
        image(), "shoal_rt_symmetric", number,
        [&](SymmetricParams &p, int64_t r) {
          p.fold.type = int32_t(DType::F32);
          p.fold.reduction = number == 0 ? 1 : 4; // a sum, then maxima
          p.fold.numIn = p.fold.numOut = Ranks::ranks;
          p.fold.count = Ranks::each;
          p.fold.rows = 1;
          for (int64_t i = 0; i < Ranks::ranks; ++i)
            p.fold.in[i] = p.fold.out[i] = reinterpret_cast<uint64_t>(
                all.memory[i].data() + r * Ranks::each);
        });
    for (auto &memory : all.memory)
      EXPECT_EQ(memory, all.sums);
  }
}

/// The same by the switch: reduce_scatter, then all_reduce.
TEST(RuntimeKernels, Multimem) {
  void *library = dlopen(SHOAL_MULTIMEM_KERNELS_IMAGE, RTLD_NOW);
  Ranks all;
  std::vector<void *> members;
  for (auto &memory : all.memory)
    members.push_back(memory.data());
  alignas(256) static char window[Ranks::count * 4]; // stands for all of them
  shoal_emu_add_multicast(window, sizeof(window), members.data(),
                          members.size());
  std::vector<float> parts(Ranks::count, -1);
  shoal_emu_add_memory(parts.data(), parts.size() * 4, "parts");
  auto fill = [&](MultimemParams &p, int64_t r) {
    p.window = reinterpret_cast<uint64_t>(window);
    p.first = r * Ranks::each;
    p.count = Ranks::each;
    p.out = reinterpret_cast<uint64_t>(parts.data() + p.first);
  };
  all.run<MultimemParams>(library, "shoal_rt_multimem_reduce_scatter", 0, fill);
  EXPECT_EQ(parts, all.sums);
  all.run<MultimemParams>(library, "shoal_rt_multimem_all_reduce", 1, fill);
  for (auto &memory : all.memory)
    EXPECT_EQ(memory, all.sums);
  shoal_emu_remove_memory(parts.data());
  shoal_emu_remove_multicast(window);
}
