// Scalars, loops, copies, checks, donated arguments, graphs; ranks that die,
// hang or disagree.
#include "CudaTest.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unistd.h>

using namespace shoal;
using namespace shoal::rt;
using Kind = program::CollectiveKind;
using program::kNone;
using program::Opcode;
using program::Reduction;

namespace {

/// A loop over rows: each is doubled by an all-reduce over the two ranks and
/// written into the donated argument, whose rows are also counted.
struct Loop {
  TestProgram p;
  uint32_t main;
  explicit Loop(bool readsBack) {
    p.mesh(2);
    uint32_t table = p.type(DType::F32, {4, 3}), row = p.type(DType::F32, {3}),
             number = p.type(DType::I32, {});
    uint32_t in = p.argument(table, table);
    p.arguments[0].donated = 1;
    p.arguments[0].aliasResult = 0;
    program::Result r = {};
    r.name = p.str("out0");
    r.globalType = r.localType = table;
    r.sharding = kNone;
    r.slot = in;
    r.aliasArgument = 0;
    p.results.push_back(r);
    uint32_t count = p.result(number, number);
    uint32_t padded =
        p.result(p.type(DType::F32, {4, 5}), p.type(DType::F32, {4, 5}));
    uint32_t wide = p.result(p.type(DType::I64, {2}), p.type(DType::I64, {2}));
    uint32_t at = p.slot(program::SlotKind::Handle, row);
    uint32_t sum = p.temporary(row);

    p.add(Opcode::View, {at, in, 0, 1, 0, 12});
    p.add(Opcode::Collective,
          {static_cast<int64_t>(Kind::AllReduce), 0,
           static_cast<int64_t>(Reduction::Add), 1, at, sum});
    p.add(Opcode::Copy, {at, sum});
    p.add(Opcode::SAdd, {4, 4, 3});
    uint32_t body = p.block(0);
    size_t first = p.instructions.size();
    p.add(Opcode::SConst, {1, 0});
    p.add(Opcode::SConst, {2, 4});
    p.add(Opcode::SConst, {3, 1});
    p.add(Opcode::SConst, {4, 10});
    p.add(Opcode::For, {0, 1, 2, 3, body});
    p.add(Opcode::SWrite, {count, 4});
    if (readsBack) {
      p.add(Opcode::SRead, {4, count});
      p.add(Opcode::SAdd, {4, 4, 4});
      p.add(Opcode::SWrite, {count, 4});
    }
    p.add(Opcode::Fill, {padded, 4, 0x3f800000, 0});
    p.add(Opcode::Fill, {wide, 8, 0x123456789abcdef, 0});
    // Columns 0 and 1 of each row to columns 2 and 3.
    p.add(Opcode::Copy2D, {padded, 8, 20, in, 0, 12, 8, 4, kNone, 0});
    main = p.block(first);
  }
};

std::vector<HostTensor> rows() {
  std::vector<HostTensor> a;
  a.push_back(
      tensor(DType::F32, {4, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  return a;
}

TEST(CudaRun, LoopsScalarsCopies) {
  for (bool readsBack : {false, true}) {
    Loop l(readsBack);
    RunOptions o;
    expectSameEverywhere(l.p, l.main, rows(), o);
    // Each step starts with fresh arguments, as a graph or not.
    o.repeat = 4;
    o.poison = true;
    expectSameEverywhere(l.p, l.main, rows(), o);
    o.profile = true;
    expectSameEverywhere(l.p, l.main, rows(), o);
  }
}

TEST(CudaRun, RowsInTheMemoryOfTheHost) {
  TestProgram p;
  p.mesh(2);
  p.streams = 2;
  uint32_t all = p.type(DType::F32, {4, 3}), row = p.type(DType::F32, {1, 3});
  uint32_t in = p.argument(all, all), out = p.result(all, all);
  uint32_t stack = p.hostMemory(all), here = p.temporary(row);
  p.add(Opcode::SConst, {1, 2});
  p.add(Opcode::Copy, {stack, in});
  p.add(Opcode::Copy, {here, stack, 12, 1, 1, 12}, "m.mlir:1:1", 0);
  p.add(Opcode::Copy, {stack, here, 0, 0});
  p.add(Opcode::Copy, {out, stack});
  uint32_t main = p.block(0);
  RunOptions o;
  o.repeat = 3;
  expectSameEverywhere(p, main, rows(), o);
}

TEST(CudaRun, Checks) {
  TestProgram p;
  p.mesh(2);
  uint32_t global = p.type(DType::F32, {4}), local = p.type(DType::F32, {2});
  uint32_t cut = p.cut({4}, 2);
  uint32_t in = p.argument(global, local, cut);
  uint32_t good = p.result(p.type(DType::I1, {}), p.type(DType::I1, {}));
  uint32_t other = p.temporary(local);
  program::Check c = {};
  c.actualSharding = c.expectedSharding = cut;
  c.actualGlobalType = c.expectedGlobalType = global;
  c.message = p.str("a check");
  c.expectedFile = p.str("");
  p.checks.push_back(c);
  p.add(Opcode::Copy, {other, in});
  p.add(Opcode::Check, {0, in, other, good});
  p.add(Opcode::Fill, {other, 4, 0x40000000, 0});
  p.add(Opcode::Check, {0, in, other, kNone});
  uint32_t main = p.block(0);
  std::vector<HostTensor> a;
  a.push_back(tensor(DType::F32, {4}, {2, 2, 2, 3}));
  RunOptions o;
  o.repeat = 2;
  expectSameEverywhere(p, main, a, o);
}

/// Two all-reduces on four ranks.
struct Two {
  TestProgram p;
  uint32_t main;
  Two() {
    p.mesh(4);
    uint32_t t = p.type(DType::F32, {3});
    uint32_t in = p.argument(t, t);
    uint32_t out = p.result(t, t);
    int64_t all = static_cast<int64_t>(Kind::AllReduce);
    p.add(Opcode::Collective, {all, 0, 1, 1, in, out}, "m.mlir:2:3");
    p.add(Opcode::Collective, {all, 0, 1, 1, out, out}, "m.mlir:3:3");
    main = p.block(0);
  }
  Status run(Where where, const std::string &fault, double stall = 30,
             const std::string &flights = "") {
    RunOptions o;
    o.fault = Fault::parse(fault);
    o.stallSeconds = stall;
    CudaOptions c;
    c.flightRecorder = flights;
    std::vector<HostTensor> a;
    a.push_back(tensor(DType::F32, {3}, {1, 2, 3}));
    Result<RunResult> r = runOn(where, p, main, std::move(a), o, c);
    return r ? Status::ok() : r.status();
  }
};

TEST(CudaRun, ARankThatDies) {
  for (Where where : {Where::OneDevice, Where::Nccl}) {
    Status s = Two().run(where, "die:2:1");
    EXPECT_EQ(s.code(), ExitCode::RuntimeFault);
    EXPECT_NE(s.message().find("rank 2 died at all_reduce over \"x\" "
                               "(m.mlir:3:3)"),
              std::string::npos)
        << s.message();
  }
}

TEST(CudaRun, ARankThatHangs) {
  for (Where where : {Where::OneDevice, Where::Nccl}) {
    std::string file = ::testing::TempDir() + "/flights-" +
                       std::to_string(::getpid()) + ".json";
    Status s = Two().run(where, "hang:1:1", /*stall=*/1, file);
    EXPECT_EQ(s.code(), ExitCode::RuntimeFault);
    EXPECT_NE(s.message().find("no progress for"), std::string::npos)
        << s.message();
    EXPECT_NE(s.message().find("rank 1 is in all_reduce"), std::string::npos)
        << s.message();
    EXPECT_NE(s.message().find("collective number 1 over \"x\", "
                               "all_reduce(add, 12 bytes) (m.mlir:3:3), "
                               "misses ranks 1"),
              std::string::npos)
        << s.message();
    std::ifstream in(file);
    nlohmann::json j = nlohmann::json::parse(in, nullptr, false);
    ASSERT_FALSE(j.is_discarded());
    EXPECT_EQ(j["hangs"]["sequence"], 1);
    EXPECT_EQ(j["hangs"]["missing"], "1");
    EXPECT_EQ(j["ranks"][0]["collectives"].size(), 2u);
    EXPECT_EQ(j["ranks"][1]["collectives"].size(), 1u);
    ::unlink(file.c_str());
  }
}

TEST(CudaRun, ARankThatSkips) {
  Status s = Two().run(Where::OneDevice, "skip:3:0");
  EXPECT_EQ(s.code(), ExitCode::RuntimeFault);
  EXPECT_NE(s.message().find("the ranks wait for each other for ever: rank 3 "
                             "has finished; ranks 0, 1, 2 wait in"),
            std::string::npos)
      << s.message();
  s = Two().run(Where::Nccl, "skip:3:0", /*stall=*/1);
  EXPECT_NE(s.message().find("misses ranks 3"), std::string::npos)
      << s.message();
}

TEST(CudaRun, RanksThatDisagree) {
  TestProgram p;
  p.mesh(2);
  uint32_t t = p.type(DType::F32, {3});
  uint32_t in = p.argument(t, t), out = p.result(t, t);
  int64_t all = static_cast<int64_t>(Kind::AllReduce);
  p.add(Opcode::Collective, {all, 0, 1, 1, in, out}, "m.mlir:2:3");
  uint32_t first = p.block(0);
  size_t begin = p.instructions.size();
  p.add(Opcode::Collective, {all, 0, 4, 1, in, out}, "m.mlir:3:3");
  uint32_t second = p.block(begin);
  begin = p.instructions.size();
  p.add(Opcode::SRank, {0});
  p.add(Opcode::Case, {0, 2, first, second});
  uint32_t main = p.block(begin);
  std::vector<HostTensor> a;
  a.push_back(tensor(DType::F32, {3}, {1, 2, 3}));
  Result<RunResult> r = runOn(Where::OneDevice, p, main, std::move(a));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.status().code(), ExitCode::RuntimeFault);
  EXPECT_NE(
      r.status().message().find("ranks disagree about collective number 0"),
      std::string::npos)
      << r.status().message();
}

TEST(CudaRun, TimeLimit) {
  Two two;
  RunOptions o;
  o.fault = Fault::parse("hang:0:0");
  o.timeLimit = 0.5;
  o.deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  std::vector<HostTensor> a;
  a.push_back(tensor(DType::F32, {3}, {1, 2, 3}));
  Result<RunResult> r = runOn(Where::Nccl, two.p, two.main, std::move(a), o);
  ASSERT_FALSE(r);
  EXPECT_NE(r.status().message().find("time limit of 0.5 s exceeded"),
            std::string::npos);
}

} // namespace
