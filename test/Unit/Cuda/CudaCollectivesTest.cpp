// Every collective, layout, element type and reduction, by copies on one device
// and by NCCL, against the host's.
#include "CudaTest.h"

#include "core/CollectiveCall.h"

#include <dlfcn.h>
#include <random>

using namespace shoal;
using namespace shoal::rt;
using Kind = program::CollectiveKind;
using program::kNone;
using program::Opcode;
using program::Reduction;

namespace {

/// Small whole numbers, so that sums are exact in nearly all formats.
HostTensor someValues(DType type, int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> v;
  for (int64_t i = 0; i < count; ++i)
    v.push_back(type == DType::F8E8M0FNU ? 1 : random() % 3);
  return tensor(type, {count}, v);
}

/// A program of one collective of `counts[0]` elements in and `counts[1]` out
/// per rank.
struct Case {
  TestProgram p;
  uint32_t main;
  std::vector<HostTensor> arguments;

  Case(int64_t ranks, DType type, int64_t inCount, int64_t outCount, Kind kind,
       Reduction reduction, std::vector<int64_t> params) {
    p.mesh(ranks);
    uint32_t in =
        p.argument(p.type(type, {ranks * inCount}), p.type(type, {inCount}),
                   p.cut({ranks * inCount}, inCount));
    uint32_t out =
        p.result(p.type(type, {ranks * outCount}), p.type(type, {outCount}),
                 p.cut({ranks * outCount}, outCount));
    p.add(Opcode::Fill, {out, 1, 0, 0}); // padding is not written
    std::vector<int64_t> ops = {static_cast<int64_t>(kind),
                                0,
                                static_cast<int64_t>(reduction),
                                1,
                                in,
                                out};
    ops.insert(ops.end(), params.begin(), params.end());
    p.add(Opcode::Collective, ops);
    main = p.block(0);
    arguments.push_back(
        someValues(type, ranks * inCount, static_cast<unsigned>(inCount)));
  }
  void check() { expectSameEverywhere(p, main, arguments); }
};

std::vector<DType> allTypes() {
  std::vector<DType> types;
  for (int i = 1; i < numDTypes; ++i)
    types.push_back(static_cast<DType>(i));
  return types;
}

TEST(CudaCollectives, Gather) {
  for (DType type : {DType::I1, DType::BF16, DType::C128}) {
    int64_t s = byteSize(type);
    Case(4, type, 5, 20, Kind::AllGather, Reduction::None, {1, 5 * s, 20 * s})
        .check();
    Case(4, type, 12, 42, Kind::AllGather, Reduction::None, {3, 4 * s, 14 * s})
        .check();
  }
}

TEST(CudaCollectives, Reductions) {
  for (DType type : allTypes())
    for (int64_t r = 1; r <= static_cast<int64_t>(Reduction::Last); ++r) {
      Reduction reduction = static_cast<Reduction>(r);
      if (!canReduce(type, reduction))
        continue;
      SCOPED_TRACE(std::string(name(type)) + " reduction " + std::to_string(r));
      int64_t s = byteSize(type);
      // One program for the three, to be quick.
      TestProgram p;
      p.mesh(4);
      uint32_t in = p.argument(p.type(type, {4 * 12}), p.type(type, {12}),
                               p.cut({4 * 12}, 12));
      uint32_t all =
          p.result(p.type(type, {48}), p.type(type, {12}), p.cut({48}, 12));
      uint32_t dense =
          p.result(p.type(type, {12}), p.type(type, {3}), p.cut({12}, 3));
      // Rows of 6 in parts of 2: the last rank has only padding.
      program::Sharding columns = {};
      columns.firstDim = static_cast<uint32_t>(p.shardDims.size());
      columns.numDims = 2;
      columns.onlyRank = kNone;
      p.shardDims.push_back({1, 2, 0, 0});
      p.shardDims.push_back({4, 2, 0, 1});
      p.shardings.push_back(columns);
      uint32_t rows = p.result(p.type(type, {2, 6}), p.type(type, {2, 2}),
                               static_cast<uint32_t>(p.shardings.size() - 1));
      p.add(Opcode::Collective,
            {static_cast<int64_t>(Kind::AllReduce), 0, r, 1, in, all});
      p.add(Opcode::Collective, {static_cast<int64_t>(Kind::ReduceScatter), 0,
                                 r, 1, in, dense, 1, 12 * s, 3 * s});
      p.add(Opcode::Collective, {static_cast<int64_t>(Kind::ReduceScatter), 0,
                                 r, 1, in, rows, 2, 6 * s, 2 * s});
      expectSameEverywhere(p, p.block(0), [&] {
        std::vector<HostTensor> a;
        a.push_back(someValues(type, 48, 7));
        return a;
      }());
    }
}

/// That the test above means what it says.
TEST(CudaCollectives, SymmetricKernelsRun) {
  useStandIns();
  void *driver = dlopen(std::getenv("SHOAL_CUDA_LIBRARY"), RTLD_NOW);
  ASSERT_NE(driver, nullptr);
  auto launches = reinterpret_cast<uint64_t (*)(const char *)>(
      dlsym(driver, "shoal_standin_launches"));
  ASSERT_NE(launches, nullptr);
  Case c(4, DType::F32, 12, 12, Kind::AllReduce, Reduction::Add, {});
  uint64_t before = launches("shoal_rt_symmetric");
  c.check();
  EXPECT_EQ(launches("shoal_rt_symmetric"), before + 4);
}

/// Sums of f32 on GPUs of their own go through the switch, in shares of which the
/// last ones are shorter or empty; what does not fit goes over peers' memory.
TEST(CudaCollectives, MulticastKernelsRun) {
  useStandIns();
  void *driver = dlopen(std::getenv("SHOAL_CUDA_LIBRARY"), RTLD_NOW);
  ASSERT_NE(driver, nullptr);
  auto launches = reinterpret_cast<uint64_t (*)(const char *)>(
      dlsym(driver, "shoal_standin_launches"));
  ASSERT_NE(launches, nullptr);
  const char *names[] = {"shoal_rt_multimem_all_reduce",
                         "shoal_rt_multimem_reduce_scatter"};
  auto count = [&](Case c, int which, uint64_t more) {
    uint64_t before = launches(names[which]);
    c.check();
    EXPECT_EQ(launches(names[which]), before + more);
  };
  for (int64_t n : {4, 12, 20, 64})
    count(Case(4, DType::F32, n, n, Kind::AllReduce, Reduction::Add, {}), 0, 4);
  count(Case(4, DType::F32, 32, 8, Kind::ReduceScatter, Reduction::Add,
             {1, 128, 32}),
        1, 4);
  count(Case(4, DType::F32, 6, 6, Kind::AllReduce, Reduction::Add, {}), 0, 0);
  count(Case(4, DType::F32, 8, 8, Kind::AllReduce, Reduction::Max, {}), 0, 0);
  count(Case(4, DType::F64, 8, 8, Kind::AllReduce, Reduction::Add, {}), 0, 0);
  ::setenv("SHOAL_TEST_CUDA_MULTICAST", "0", 1);
  count(Case(4, DType::F32, 8, 8, Kind::AllReduce, Reduction::Add, {}), 0, 0);
  ::unsetenv("SHOAL_TEST_CUDA_MULTICAST");
}

TEST(CudaCollectives, MinimumAndMaximumOfSpecialValues) {
  double nan = std::numeric_limits<double>::quiet_NaN(),
         inf = std::numeric_limits<double>::infinity();
  for (DType type : {DType::F64, DType::F32, DType::F16, DType::BF16,
                     DType::F8E5M2, DType::F8E4M3FN})
    for (Reduction r : {Reduction::Min, Reduction::Max}) {
      Case c(2, type, 6, 6, Kind::AllReduce, r, {});
      bool hasInf = type != DType::F8E4M3FN;
      c.arguments.clear();
      c.arguments.push_back(tensor(
          type, {12},
          {0.0, -1.5, -0.0, hasInf ? inf : 3, 1, -2, -0.0, -2, 0.0, 1, 4, -3}));
      c.check();
      // NaN wins; whose bits it has is open.
      c.arguments.clear();
      c.arguments.push_back(
          tensor(type, {12}, {nan, 1, 1, 1, 1, nan, 1, 1, nan, 1, 1, nan}));
      for (Where where : {Where::OneDevice, Where::Nccl}) {
        std::vector<HostTensor> own;
        own.push_back(copyOf(c.arguments[0]));
        Result<RunResult> result = runOn(where, c.p, c.main, std::move(own));
        ASSERT_TRUE(result) << result.status().message();
        std::vector<double> v = values(result->results[0]);
        for (size_t i = 0; i < 12; ++i)
          EXPECT_EQ(std::isnan(v[i]), i % 6 == 0 || i % 6 == 2 || i % 6 == 5);
      }
    }
}

TEST(CudaCollectives, Moves) {
  int64_t s = 4;
  for (std::vector<int64_t> params :
       {std::vector<int64_t>{6, 16 * s, 2 * s, 1, 96 * s, 12 * s},
        {1, 96 * s, 12 * s, 6, 16 * s, 2 * s},
        {4, 24 * s, 3 * s, 4, 24 * s, 3 * s}})
    Case(8, DType::F32, 96, 96, Kind::AllToAll, Reduction::None, params)
        .check();
  // With padding on both sides.
  Case(8, DType::I32, 30, 26, Kind::AllToAll, Reduction::None,
       {2, 60, 8, 1, 104, 16})
      .check();
  Case(4, DType::I16, 5, 5, Kind::Permute, Reduction::None,
       {3, 0, 1, 1, 2, 2, 0})
      .check();
  Case(4, DType::UI8, 7, 7, Kind::Permute, Reduction::None,
       {4, 0, 0, 1, 2, 2, 1, 3, 3})
      .check();
  int64_t nine = 9;
  Case(8, DType::I32, 2 * 4, 2 * 7, Kind::Reblock, Reduction::None,
       {2, 4, 4, 7, 30, -1, 4, 0, 4, nine, 0})
      .check();
  Case(8, DType::I32, 4, 4, Kind::Reblock, Reduction::None,
       {1, 4, 4, 4, 32, 5, 4, 1, 0, 0, 0})
      .check();
}

TEST(CudaCollectives, BroadcastFromAScalarAndFillFromASlot) {
  TestProgram p;
  p.mesh(4);
  uint32_t local = p.type(DType::F32, {3}), global = p.type(DType::F32, {12});
  uint32_t in = p.argument(global, local, p.cut({12}, 3));
  uint32_t value = p.argument(p.type(DType::F32, {}), p.type(DType::F32, {}));
  uint32_t sent = p.result(global, local, p.cut({12}, 3));
  uint32_t halo = p.result(p.type(DType::F32, {20}), p.type(DType::F32, {5}),
                           p.cut({20}, 5));
  p.add(Opcode::SConst, {1, 2});
  p.add(Opcode::Collective,
        {static_cast<int64_t>(Kind::Broadcast), 0, 0, 1, in, sent, 1});
  p.add(Opcode::Collective, {static_cast<int64_t>(Kind::Reblock), 0, 0, 1, in,
                             halo, 1, 4, 3, 5, 12, -1, 3, 0, 4, 0, 0, value});
  uint32_t main = p.block(0);
  std::vector<HostTensor> a;
  a.push_back(someValues(DType::F32, 12, 1));
  a.push_back(tensor(DType::F32, {}, {42}));
  expectSameEverywhere(p, main, a);
}

TEST(CudaCollectives, Ragged) {
  TestProgram p;
  p.mesh(2);
  auto argument = [&](DType type, int64_t n) {
    return p.argument(p.type(type, {2 * n}), p.type(type, {n}),
                      p.cut({2 * n}, n));
  };
  uint32_t in = argument(DType::F32, 4), old = argument(DType::F32, 6);
  uint32_t inOff = argument(DType::I32, 2), send = argument(DType::I32, 2),
           outOff = argument(DType::I32, 2), recv = argument(DType::I32, 2);
  uint32_t out = p.result(p.type(DType::F32, {12}), p.type(DType::F32, {6}),
                          p.cut({12}, 6));
  p.add(Opcode::Collective,
        {static_cast<int64_t>(Kind::RaggedAllToAll), 0, 0, 6, in, old, inOff,
         send, outOff, recv, out, kNone, kNone, kNone, kNone, kNone, 4, 4, 6});
  uint32_t main = p.block(0);
  std::vector<HostTensor> a;
  a.push_back(tensor(DType::F32, {8}, {1, 2, 3, 4, 5, 6, 7, 8}));
  a.push_back(tensor(DType::F32, {12},
                     {-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12}));
  a.push_back(tensor(DType::I32, {4}, {0, 1, 0, 3}));
  a.push_back(tensor(DType::I32, {4}, {1, 3, 3, 1}));
  a.push_back(tensor(DType::I32, {4}, {0, 0, 1, 3}));
  a.push_back(tensor(DType::I32, {4}, {1, 3, 3, 1}));
  expectSameEverywhere(p, main, a);
}

/// Two groups, started and finished crosswise, on two streams.
TEST(CudaCollectives, SubgroupsAndOverlap) {
  TestProgram p;
  p.mesh(8);
  p.groups.clear();
  p.digits = {{8, 1}, {2, 4}, {4, 1}};
  for (uint32_t d : {1u, 2u}) {
    program::Group g = {};
    g.name = p.str(d == 1 ? "a" : "b");
    g.firstDigit = d;
    g.numDigits = 1;
    g.groupSize = p.digits[d].size;
    g.numGroups = 8 / g.groupSize;
    p.groups.push_back(g);
  }
  p.streams = 2;
  uint32_t local = p.type(DType::F32, {16}), global = p.type(DType::F32, {128});
  uint32_t in = p.argument(global, local, p.cut({128}, 16));
  uint32_t sumA = p.temporary(local), sumB = p.temporary(local);
  uint32_t out = p.result(global, local, p.cut({128}, 16));
  uint32_t outB = p.result(global, local, p.cut({128}, 16));
  int64_t add = static_cast<int64_t>(Reduction::Add),
          all = static_cast<int64_t>(Kind::AllReduce);
  p.add(Opcode::CollectiveStart, {0, all, 0, add, 1, in, sumA});
  p.add(Opcode::CollectiveStart, {1, all, 1, add, 1, in, sumB}, "x", 1);
  p.add(Opcode::CollectiveDone, {0});
  p.add(Opcode::Collective, {all, 1, add, 1, sumA, out});
  p.add(Opcode::CollectiveDone, {1}, "x", 1);
  p.add(Opcode::Copy, {outB, sumB}, "x", 1);
  p.add(Opcode::Record, {2}, "x", 1);
  p.add(Opcode::Wait, {2});
  p.add(Opcode::Collective, {all, 0, add, 1, outB, outB});
  uint32_t main = p.block(0);
  std::vector<HostTensor> a;
  a.push_back(someValues(DType::F32, 128, 3));
  RunOptions o;
  o.repeat = 3;
  expectSameEverywhere(p, main, a, o);
}

TEST(CudaCollectives, SendAndReceiveAroundARing) {
  TestProgram p;
  p.mesh(4);
  uint32_t local = p.type(DType::F32, {3}), global = p.type(DType::F32, {12});
  uint32_t in = p.argument(global, local, p.cut({12}, 3));
  uint32_t first = p.result(global, local, p.cut({12}, 3));
  uint32_t second = p.result(global, local, p.cut({12}, 3));
  std::vector<int64_t> ring = {4, 0, 1, 1, 2, 2, 3, 3, 0}, line = {1, 0, 3};
  auto half = [&](Kind kind, int64_t slot, int64_t channel,
                  const std::vector<int64_t> &pairs) {
    std::vector<int64_t> ops = {static_cast<int64_t>(kind), 0, 0, 1};
    ops.push_back(kind == Kind::Send ? slot : int64_t{kNone});
    ops.push_back(kind == Kind::Send ? int64_t{kNone} : slot);
    ops.push_back(channel);
    ops.insert(ops.end(), pairs.begin(), pairs.end());
    p.add(Opcode::Collective, ops);
  };
  half(Kind::Send, in, 1, ring);
  half(Kind::Send, in, 2, line);
  half(Kind::Recv, second, 2, line);
  half(Kind::Recv, first, 1, ring);
  p.add(Opcode::Collective, {static_cast<int64_t>(Kind::Barrier), 0, 0, 0});
  uint32_t main = p.block(0);
  std::vector<HostTensor> a;
  a.push_back(someValues(DType::F32, 12, 5));
  RunOptions o;
  o.repeat = 2;
  expectSameEverywhere(p, main, a, o);
}

} // namespace
