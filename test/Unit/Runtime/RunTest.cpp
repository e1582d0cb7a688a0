// Whole programs on several ranks: results, counters, and every way in which
// ranks can fail to meet.
#include "TestProgram.h"

#include <gtest/gtest.h>

#include <thread>

using namespace shoal;
using namespace shoal::rt;
using program::CollectiveKind;
using program::Opcode;
using program::Reduction;

namespace {

extern "C" void doubleIt(const ShoalKernelArgs *args, int64_t begin,
                         int64_t end) {
  const float *in = static_cast<const float *>(args->buffers[0]);
  float *out = static_cast<float *>(args->buffers[1]);
  for (int64_t i = begin; i < end; ++i)
    out[i] = 2 * in[i];
}

/// 13 elements over 8 ranks in blocks of 2: doubled, gathered, summed.
struct Sample {
  TestProgram p;
  uint32_t main;
  explicit Sample(bool async = false) {
    p.mesh(8);
    uint32_t global = p.type(DType::F32, {13}), local = p.type(DType::F32, {2});
    uint32_t cut = p.cut({13}, 2);
    uint32_t in = p.argument(global, local, cut);
    uint32_t cutOut = p.result(global, local, cut),
             whole = p.result(global, global);
    uint32_t sum = p.result(global, global);
    uint32_t k = p.kernel(doubleIt, 1, 1, 2);
    p.add(Opcode::Exec, {k, in, cutOut}, "m.mlir:2:1");
    std::vector<int64_t> gather = {
        static_cast<int64_t>(CollectiveKind::AllGather),
        0,
        0,
        1,
        cutOut,
        whole,
        1,
        8,
        52};
    if (async) {
      gather.insert(gather.begin(), 3);
      p.add(Opcode::CollectiveStart, gather, "m.mlir:3:1");
      p.add(Opcode::CollectiveDone, {3}, "m.mlir:3:9");
    } else {
      p.add(Opcode::Collective, gather, "m.mlir:3:1");
    }
    p.add(Opcode::Collective,
          {static_cast<int64_t>(CollectiveKind::AllReduce), 0,
           static_cast<int64_t>(Reduction::Add), 1, whole, sum},
          "m.mlir:4:1");
    main = p.block(0);
  }
};

std::vector<HostTensor> input() {
  std::vector<double> v;
  for (int i = 0; i < 13; ++i)
    v.push_back(i);
  std::vector<HostTensor> a;
  a.push_back(tensor(DType::F32, {13}, v));
  return a;
}

TEST(Run, EightRanks) {
  for (bool async : {false, true}) {
    Sample s(async);
    Result<Package> package = s.p.package(s.main);
    ASSERT_TRUE(package) << package.status().message();
    RunOptions o;
    o.repeat = 3;
    o.poison = true;
    Result<RunResult> r = runPackage(*package, input(), o);
    ASSERT_TRUE(r) << r.status().message();
    for (int i = 0; i < 13; ++i) {
      EXPECT_EQ(values(r->results[0])[i], 2 * i);
      EXPECT_EQ(values(r->results[1])[i], 2 * i);
      EXPECT_EQ(values(r->results[2])[i], 16 * i);
    }
    EXPECT_EQ(r->stepSeconds.size(), 3u);
    EXPECT_EQ(r->bytesSentPerDevice, 7 * 8 + 2 * 7.0 / 8 * 52);
    EXPECT_EQ(r->collectivesPerDevice, 2);
  }
}

extern "C" void sleepAndDouble(const ShoalKernelArgs *args, int64_t,
                               int64_t) {
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  doubleIt(args, 0, 4); // one chunk
}

/// A collective that is under way does not keep the rank from computing: over a
/// slow link, beside a kernel that takes as long, a step is shorter by that.
TEST(Run, CollectivesGoOnBesideKernels) {
  double seconds[2];
  for (bool async : {false, true}) {
    TestProgram p;
    p.mesh(2);
    p.streams = 2;
    uint32_t t = p.type(DType::F32, {4});
    uint32_t in = p.argument(t, t), other = p.result(t, t),
             doubled = p.result(t, t);
    uint32_t k = p.kernel(sleepAndDouble, 1, 1, 1);
    std::vector<int64_t> reduce = {
        static_cast<int64_t>(CollectiveKind::AllReduce), 0,
        static_cast<int64_t>(Reduction::Add), 1, in, other};
    if (async) {
      reduce.insert(reduce.begin(), 3);
      p.add(Opcode::CollectiveStart, reduce, "m.mlir:1:1", 1);
      p.add(Opcode::Exec, {k, in, doubled}, "m.mlir:2:1");
      p.add(Opcode::CollectiveDone, {3}, "m.mlir:1:9");
    } else {
      p.add(Opcode::Collective, reduce, "m.mlir:1:1");
      p.add(Opcode::Exec, {k, in, doubled}, "m.mlir:2:1");
    }
    Result<Package> package = p.package(p.block(0));
    ASSERT_TRUE(package) << package.status().message();
    RunOptions o;
    o.measure = true;
    // It sends 16 bytes.
    o.links = {{"*", 16 / 0.3, 0}};
    std::vector<HostTensor> a;
    a.push_back(tensor(DType::F32, {4}, {1, 2, 3, 4}));
    Result<RunResult> r = runPackage(*package, std::move(a), o);
    ASSERT_TRUE(r) << r.status().message();
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(values(r->results[0])[i], 2 * (i + 1));
      EXPECT_EQ(values(r->results[1])[i], 2 * (i + 1));
    }
    seconds[async] = r->stepSeconds[0];
  }
  EXPECT_GE(seconds[false], 0.6);
  EXPECT_LE(seconds[true], seconds[false] - 0.2);
}

Status runWith(const std::string &fault) {
  Sample s;
  Result<Package> package = s.p.package(s.main);
  RunOptions o;
  o.fault = Fault::parse(fault);
  Result<RunResult> r = runPackage(*package, input(), o);
  return r ? Status::ok() : r.status();
}

bool contains(const Status &s, const std::string &text) {
  return s.message().find(text) != std::string::npos;
}

/// A stack of rows in the memory of the host: written in one order, on a stream
/// beside the others, and read in the other.
struct HostRows {
  TestProgram p;
  uint32_t main;
  explicit HostRows(std::vector<int64_t> part = {0, 1, 1, 8}) {
    p.mesh(2);
    p.streams = 3;
    p.registers = 8;
    uint32_t all = p.type(DType::F32, {5, 2}), row = p.type(DType::F32, {1, 2});
    uint32_t in = p.argument(all, all), out = p.result(all, all);
    uint32_t stack = p.hostMemory(all), here = p.temporary(row),
             there = p.temporary(row);
    uint32_t from = p.slot(program::SlotKind::Handle, row),
             to = p.slot(program::SlotKind::Handle, row);
    auto with = [&](std::vector<int64_t> slots) {
      slots.insert(slots.end(), part.begin(), part.end());
      return slots;
    };
    p.add(Opcode::View, {from, in, 0, 1, 1, 8});
    p.add(Opcode::Wait, {1}); // for the copy before
    p.add(Opcode::Copy, {here, from});
    p.add(Opcode::Copy, with({stack, here}), "m.mlir:1:1", 1);
    p.add(Opcode::Record, {1}, "m.mlir:1:1", 1);
    uint32_t writes = p.block(0);
    size_t first = p.instructions.size();
    p.add(Opcode::Copy, with({there, stack}), "m.mlir:2:1", 2);
    p.add(Opcode::Record, {2}, "m.mlir:2:1", 2);
    p.add(Opcode::SSub, {5, 4, 1});
    p.add(Opcode::View, {to, out, 0, 1, 5, 8});
    p.add(Opcode::Wait, {2});
    p.add(Opcode::Copy, {to, there});
    uint32_t reads = p.block(first);
    first = p.instructions.size();
    p.add(Opcode::SConst, {0, 0});
    p.add(Opcode::SConst, {2, 1});
    p.add(Opcode::SConst, {3, 5});
    p.add(Opcode::SConst, {4, 4});
    p.add(Opcode::Record, {1}, "m.mlir:1:1", 1);
    p.add(Opcode::For, {1, 0, 3, 2, writes});
    p.add(Opcode::Wait, {1});
    p.add(Opcode::For, {1, 0, 3, 2, reads});
    main = p.block(first);
  }
  std::vector<HostTensor> rows() const {
    std::vector<HostTensor> a;
    a.push_back(tensor(DType::F32, {5, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
    return a;
  }
};

TEST(Run, RowsInTheMemoryOfTheHost) {
  HostRows h;
  Result<Package> package = h.p.package(h.main);
  ASSERT_TRUE(package) << package.status().message();
  for (const char *links : {"", "@host:0.001:100"}) {
    RunOptions o;
    o.repeat = 2;
    o.poison = true;
    if (*links)
      o.links = std::move(*parseLinks(links));
    Result<RunResult> r = runPackage(*package, h.rows(), o);
    ASSERT_TRUE(r) << r.status().message();
    EXPECT_EQ(values(r->results[0]),
              (std::vector<double>{8, 9, 6, 7, 4, 5, 2, 3, 0, 1}));
  }
}

TEST(Run, RowsStayInTheMemoryOfTheHost) {
  // Of unknown place: found when it runs.
  HostRows late({8, 1, 1, 8});
  Result<Package> package = late.p.package(late.main);
  ASSERT_TRUE(package) << package.status().message();
  Result<RunResult> r = runPackage(*package, late.rows(), {});
  ASSERT_FALSE(r);
  EXPECT_NE(r.status().message().find("reaches outside its buffer"),
            std::string::npos)
      << r.status().message();
  // Known before.
  for (std::vector<int64_t> part :
       {std::vector<int64_t>{40, 0}, {-8, 0}, {36, 1, 1, 8}, {0, 2, 1, 8},
        {0, 1, 99, 8}, {0}}) {
    HostRows bad(part);
    EXPECT_FALSE(bad.p.package(bad.main));
  }
}

TEST(Run, DelaysChangeNothing) {
  EXPECT_TRUE(runWith("delay:1"));
  EXPECT_TRUE(runWith("delay:2"));
}

TEST(Run, DeadRankIsNamed) {
  Status s = runWith("die:3:1"); // before the gather
  EXPECT_EQ(s.code(), ExitCode::RuntimeFault);
  EXPECT_TRUE(contains(s, "rank 3 died")) << s.message();
  EXPECT_TRUE(contains(s, "all_gather over \"x\" (m.mlir:3:1)")) << s.message();
}

TEST(Run, SkippedCollectiveIsNamed) {
  // Rank 2 passes over the gather, and meets the others with a reduction.
  Sample s;
  RunOptions o;
  o.fault = Fault::parse("skip:2:1");
  Result<Package> package = s.p.package(s.main);
  Result<RunResult> r = runPackage(*package, input(), o);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.status().code(), ExitCode::RuntimeFault);
  EXPECT_TRUE(contains(r.status(), "all_gather")) << r.status().message();
  EXPECT_TRUE(contains(r.status(), "2")) << r.status().message();
}

TEST(RunDeathTest, HungRankEndsTheRun) {
  // In a child: its thread hangs for ever, so the package must stay.
  EXPECT_EXIT(
      {
        Sample s;
        Result<Package> package = s.p.package(s.main);
        RunOptions o;
        o.fault = Fault::parse("hang:5:1");
        o.stallSeconds = 0.3;
        Result<RunResult> r = runPackage(*package, input(), o);
        std::fprintf(stderr, "%s\n", r.status().message().c_str());
        ::_exit(static_cast<int>(r.status().code()));
      },
      ::testing::ExitedWithCode(3),
      "no progress.*rank 5 hangs in all_gather over \"x\".*m.mlir:3:1");
}

TEST(Run, DivergingRanksAreNamed) {
  // Odd ranks reduce two floats, even ones one.
  TestProgram p;
  p.mesh(4);
  uint32_t one = p.type(DType::F32, {1}), two = p.type(DType::F32, {2});
  uint32_t a = p.temporary(one), b = p.temporary(two);
  auto reduce = [&](uint32_t slot, const char *loc) {
    size_t first = p.instructions.size();
    p.add(Opcode::Collective,
          {static_cast<int64_t>(CollectiveKind::AllReduce), 0,
           static_cast<int64_t>(Reduction::Add), 1, slot, slot},
          loc);
    return p.block(first);
  };
  int64_t even = reduce(a, "m.mlir:5:1"), odd = reduce(b, "m.mlir:6:1");
  size_t first = p.instructions.size();
  p.add(Opcode::SRank, {0});
  p.add(Opcode::SConst, {1, 2});
  p.add(Opcode::SRem, {0, 0, 1});
  p.add(Opcode::Case, {0, 2, even, odd});
  Result<Package> package = p.package(p.block(first));
  ASSERT_TRUE(package) << package.status().message();
  Result<RunResult> r = runPackage(*package, {}, {});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.status().code(), ExitCode::RuntimeFault);
  EXPECT_TRUE(contains(r.status(), "ranks disagree")) << r.status().message();
  EXPECT_TRUE(contains(r.status(), "m.mlir:5:1")) << r.status().message();
  EXPECT_TRUE(contains(r.status(), "m.mlir:6:1")) << r.status().message();
}

TEST(Run, SendAndReceiveInARing) {
  TestProgram p;
  p.mesh(4);
  uint32_t i64 = p.type(DType::I64, {}), all = p.type(DType::I64, {4});
  uint32_t mine = p.temporary(i64), theirs = p.temporary(i64);
  uint32_t out = p.result(all, all);
  int64_t none = program::kNone;
  std::vector<int64_t> pairs = {7, 4, 0, 1, 1, 2, 2, 3, 3, 0};
  auto half = [&](CollectiveKind kind, int64_t in, int64_t to) {
    std::vector<int64_t> ops = {static_cast<int64_t>(kind), 0, 0, 1, in, to};
    ops.insert(ops.end(), pairs.begin(), pairs.end());
    p.add(Opcode::Collective, ops);
  };
  p.add(Opcode::SRank, {0});
  p.add(Opcode::SWrite, {mine, 0});
  half(CollectiveKind::Send, mine, none);
  half(CollectiveKind::Recv, none, theirs);
  p.add(Opcode::Collective, {static_cast<int64_t>(CollectiveKind::AllGather), 0,
                             0, 1, theirs, out, 1, 8, 32});
  Result<Package> package = p.package(p.block(0));
  ASSERT_TRUE(package) << package.status().message();
  Result<RunResult> r = runPackage(*package, {}, {});
  ASSERT_TRUE(r) << r.status().message();
  EXPECT_EQ(values(r->results[0]), (std::vector<double>{3, 0, 1, 2}));
}

TEST(Run, LoopsBranchesAndScalars) {
  // sum = 0; for i in 0..10 { if (i == 5) skip else sum += i };
  // then while (sum > 30) sum -= 7.
  TestProgram p;
  uint32_t i64 = p.type(DType::I64, {});
  uint32_t out = p.result(i64, i64);
  size_t at = p.instructions.size();
  p.add(Opcode::SAdd, {0, 0, 1});
  int64_t plus = p.block(at);
  at = p.instructions.size();
  int64_t nothing = p.block(at);
  p.add(Opcode::SCompare, {5, 0, 1, 6}); // i == 5
  p.add(Opcode::Case, {5, 2, plus, nothing});
  int64_t body = p.block(at);
  at = p.instructions.size();
  p.add(Opcode::SCompare, {5, 4, 0, 7}); // sum > 30
  int64_t condition = p.block(at);
  at = p.instructions.size();
  p.add(Opcode::SSub, {0, 0, 6});
  int64_t less = p.block(at);
  at = p.instructions.size();
  p.add(Opcode::SConst, {0, 0});
  p.add(Opcode::SConst, {2, 0});
  p.add(Opcode::SConst, {3, 10});
  p.add(Opcode::SConst, {4, 1});
  p.add(Opcode::SConst, {6, 5});
  p.add(Opcode::For, {1, 2, 3, 4, body});
  p.add(Opcode::SConst, {6, 7});
  p.add(Opcode::SConst, {7, 30});
  p.add(Opcode::While, {condition, 5, less});
  p.add(Opcode::SWrite, {out, 0});
  Result<Package> package = p.package(p.block(at));
  ASSERT_TRUE(package) << package.status().message();
  Result<RunResult> r = runPackage(*package, {}, {});
  ASSERT_TRUE(r) << r.status().message();
  EXPECT_EQ(values(r->results[0])[0], 26); // 45 - 5 = 40; 33; 26
}

TEST(Run, EndlessLoopMeetsTheTimeLimit) {
  TestProgram p;
  p.add(Opcode::SConst, {0, 1});
  int64_t condition = p.block(0);
  int64_t body = p.block(1);
  p.add(Opcode::While, {condition, 0, body});
  Result<Package> package = p.package(p.block(1));
  ASSERT_TRUE(package) << package.status().message();
  RunOptions o;
  o.timeLimit = 0.2;
  o.deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
  Result<RunResult> r = runPackage(*package, {}, o);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.status().code(), ExitCode::RuntimeFault);
  EXPECT_TRUE(contains(r.status(), "time limit of 0.2 s"))
      << r.status().message();
}

TEST(Run, ChecksJudgeGlobalValues) {
  // The cut value is right but for global element 9; padding is garbage.
  TestProgram p;
  p.mesh(4);
  uint32_t global = p.type(DType::F32, {10}), local = p.type(DType::F32, {3});
  uint32_t cut = p.cut({10}, 3);
  uint32_t got = p.argument(global, local, cut),
           want = p.argument(global, global);
  program::Check c = {};
  c.kind = program::CheckKind::AlmostEq;
  c.tolerance = 1e-3;
  c.nanEqual = 1;
  c.actualSharding = cut;
  c.expectedSharding = program::kNone;
  c.actualGlobalType = c.expectedGlobalType = global;
  c.message = p.str("value %7");
  p.checks.push_back(c);
  p.add(Opcode::Check, {0, got, want, program::kNone});
  Result<Package> package = p.package(p.block(0));
  ASSERT_TRUE(package) << package.status().message();
  auto run = [&](double last) {
    std::vector<HostTensor> a;
    a.push_back(tensor(DType::F32, {10}, {0, 1, 2, 3, 4, 5, 6, 7, 8, last}));
    a.push_back(tensor(DType::F32, {10}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
    RunOptions o;
    o.poison = true;
    return runPackage(*package, std::move(a), o);
  };
  EXPECT_TRUE(run(9)->failedChecks.empty());
  Result<RunResult> r = run(9.5);
  ASSERT_EQ(r->failedChecks.size(), 1u);
  EXPECT_EQ(r->failedChecks[0],
            "check failed: value %7 (test.mlir:1:1): first mismatch at [9]: "
            "got 9.5, want 9; "
            "largest error 0.5 at [9]; 1 of 10 elements differ");
}

TEST(Run, ManyRanks) {
  TestProgram p;
  p.mesh(1000);
  uint32_t f32 = p.type(DType::F32, {});
  uint32_t a = p.temporary(f32), out = p.result(f32, f32);
  p.add(Opcode::Fill, {a, 4, 0x3f800000, 0}); // 1.0
  p.add(Opcode::Collective, {static_cast<int64_t>(CollectiveKind::AllReduce), 0,
                             static_cast<int64_t>(Reduction::Add), 1, a, out});
  Result<Package> package = p.package(p.block(0));
  ASSERT_TRUE(package) << package.status().message();
  Result<RunResult> r = runPackage(*package, {}, {});
  ASSERT_TRUE(r) << r.status().message();
  EXPECT_EQ(values(r->results[0])[0], 1000);
}

TEST(Run, TooMuchMemoryIsRefused) {
  TestProgram p;
  p.arena = uint64_t{1} << 50;
  Result<Package> package = p.package(p.block(0));
  ASSERT_TRUE(package) << package.status().message();
  Result<RunResult> r = runPackage(*package, {}, {});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.status().code(), ExitCode::BadInput);
}

} // namespace
