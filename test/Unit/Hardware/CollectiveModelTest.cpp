// Times of collectives against closed forms, and what must hold for any of
// them.
#include "shoal/Analysis/CollectiveModel.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

using namespace shoal;

namespace {

/// Two levels: 8 devices at 100 B/s and 1 s, nodes at 10 B/s and 5 s.
Hardware twoLevels(bool multicast = false) {
  Hardware h;
  std::fill(std::begin(h.flops), std::end(h.flops), 1e3);
  h.memoryBytesPerSecond = 1e3;
  h.links.push_back({"fast", 8, 100, 1, multicast});
  h.links.push_back({"slow", 0, 10, 5, false});
  return h;
}

double seconds(CollectiveType type, int64_t sent, GroupShape group,
               const Hardware &h) {
  return timeOfCollective(type, sent, group, h).seconds;
}

TEST(GroupShape, FollowsTheHierarchy) {
  Hardware h = twoLevels();
  auto shape = [&](std::vector<int64_t> devices) {
    GroupShape s = shapeOfGroup(devices, h);
    return std::vector<int64_t>(s.members.begin(), s.members.end());
  };
  EXPECT_EQ(shape({0, 1, 2, 3}), (std::vector<int64_t>{4, 1}));
  EXPECT_EQ(shape({0, 8, 16, 24}), (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(shape({0, 1, 8, 9}), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(shape({5}), (std::vector<int64_t>{1, 1}));
  // Three of one node and one of another: the fuller node decides.
  EXPECT_EQ(shape({0, 1, 2, 8}), (std::vector<int64_t>{2, 2}));
}

TEST(CollectiveModel, RingWithinANode) {
  Hardware h = twoLevels();
  // 800 bytes among 8: 7 steps of 100 bytes.
  EXPECT_DOUBLE_EQ(seconds(CollectiveType::AllGather, 700, {{8, 1}}, h),
                   7 * (1 + 100 / 100.0));
  EXPECT_DOUBLE_EQ(seconds(CollectiveType::ReduceScatter, 700, {{8, 1}}, h),
                   14.0);
}

TEST(CollectiveModel, SmallAllReduceTakesTheTree) {
  Hardware h = twoLevels();
  CollectiveTime t =
      timeOfCollective(CollectiveType::AllReduce, 14, {{8, 1}}, h);
  EXPECT_EQ(t.algorithm, "tree"); // 8 bytes: 2 * (3 hops + 0.08)
  EXPECT_DOUBLE_EQ(t.seconds, 2 * (3 + 0.08));
  t = timeOfCollective(CollectiveType::AllReduce, 14000000, {{8, 1}}, h);
  EXPECT_EQ(t.algorithm, "ring");
  EXPECT_NEAR(t.seconds, 14000000 / 100.0, 20);
}

TEST(CollectiveModel, MulticastHalvesALargeAllReduce) {
  double ring =
      seconds(CollectiveType::AllReduce, 14000000, {{8, 1}}, twoLevels(false));
  double nvls =
      seconds(CollectiveType::AllReduce, 14000000, {{8, 1}}, twoLevels(true));
  // 2 * 7/8 against 9/8 of the bytes.
  EXPECT_NEAR(ring / nvls, 14.0 / 9, 0.01);
}

TEST(CollectiveModel, MulticastGathersInTwoHops) {
  for (auto type : {CollectiveType::AllGather, CollectiveType::ReduceScatter}) {
    CollectiveTime t = timeOfCollective(type, 700, {{8, 1}}, twoLevels(true));
    EXPECT_EQ(t.algorithm, "multicast");
    EXPECT_DOUBLE_EQ(t.seconds, 2 * 1 + 700 / 100.0);
    EXPECT_DOUBLE_EQ(t.busy[0], 7);
    // Two devices have one hop between them.
    EXPECT_DOUBLE_EQ(seconds(type, 100, {{2, 1}}, twoLevels(true)), 1 + 1.0);
  }
}

TEST(CollectiveModel, AcrossNodesEveryAdapterIsUsed) {
  Hardware h = twoLevels();
  // 8 devices in each of 4 nodes gather 3.2 MB: a node takes in 3/4 of it over
  // 8 adapters of 10 B/s, which is 30,000 s; within the node everything passes
  // at 100 B/s, another 31,000 or less.
  CollectiveTime t = timeOfCollective(CollectiveType::AllGather,
                                      3200000 / 32 * 31, {{8, 4}}, h);
  EXPECT_LT(t.seconds, 62000);
  EXPECT_GT(t.seconds, 30000);
  // One device of each node instead: its one adapter carries it all.
  double alone =
      seconds(CollectiveType::AllGather, 3200000 / 4 * 3, {{1, 4}}, h);
  EXPECT_NEAR(alone, 240000, 100);
}

TEST(CollectiveModel, DirectMessagesShareTheOuterLink) {
  Hardware h = twoLevels();
  // To 7 near and 8 far members of 15, 10 bytes each.
  CollectiveTime t =
      timeOfCollective(CollectiveType::AllToAll, 150, {{8, 2}}, h);
  EXPECT_DOUBLE_EQ(t.busy[0], 70 / 100.0);
  EXPECT_DOUBLE_EQ(t.busy[1], 80 / 10.0);
  EXPECT_DOUBLE_EQ(t.seconds, 5 + 8.0);
  EXPECT_DOUBLE_EQ(seconds(CollectiveType::Permute, 100, {{4, 1}}, h), 2.0);
  EXPECT_DOUBLE_EQ(seconds(CollectiveType::Permute, 100, {{4, 2}}, h), 15.0);
}

TEST(CollectiveModel, MoreBytesNeverTakeLess) {
  for (bool multicast : {false, true})
    for (auto type : {CollectiveType::AllGather, CollectiveType::ReduceScatter,
                      CollectiveType::AllReduce, CollectiveType::AllToAll,
                      CollectiveType::Permute, CollectiveType::Broadcast})
      for (GroupShape group : {GroupShape{{2, 1}}, GroupShape{{8, 1}},
                               GroupShape{{1, 8}}, GroupShape{{8, 16}}}) {
        double last = 0;
        for (int64_t bytes = 1; bytes < (int64_t(1) << 40); bytes *= 4) {
          CollectiveTime t =
              timeOfCollective(type, bytes, group, twoLevels(multicast));
          EXPECT_GE(t.seconds, last);
          // No link is busy for longer than the collective takes.
          for (double busy : t.busy)
            EXPECT_LE(busy, t.seconds * (1 + 1e-12));
          last = t.seconds;
        }
      }
}

TEST(CollectiveModel, AGroupOfOneCostsNothing) {
  EXPECT_EQ(seconds(CollectiveType::AllReduce, 0, {{1, 1}}, twoLevels()), 0);
}

TEST(Hardware, EveryPresetIsWhole) {
  for (llvm::StringRef name : hardwarePresets()) {
    std::string error;
    auto h = getHardware(name, error);
    ASSERT_TRUE(mlir::succeeded(h)) << error;
    for (double rate : h->flops)
      EXPECT_GT(rate, 0);
    EXPECT_GT(h->memoryBytesPerSecond, 0);
    ASSERT_FALSE(h->links.empty());
    // From the inside out links get slower, and units larger.
    for (size_t i = 1; i < h->links.size(); ++i)
      EXPECT_LE(h->links[i].bytesPerSecond, h->links[i - 1].bytesPerSecond);
  }
}

mlir::FailureOr<Hardware> fromText(llvm::StringRef text, std::string &error) {
  llvm::SmallString<64> path;
  int fd;
  EXPECT_FALSE(
      llvm::sys::fs::createTemporaryFile("hardware", "json", fd, path));
  llvm::raw_fd_ostream(fd, /*shouldClose=*/true) << text;
  auto h = getHardware(path, error);
  llvm::sys::fs::remove(path);
  return h;
}

TEST(Hardware, ReadsAFile) {
  std::string error;
  auto h = fromText(R"({"base": "dgx-a100", "name": "mine",
      "flops_per_second": {"bf16": 1e12},
      "links": [{"devices": 4, "bytes_per_second": 1e9, "latency": 0},
                {"bytes_per_second": 4e8, "shared_by": 4, "latency": 1e-6}],
      "efficiency": {"product": [[1e6, 0.1], [1e8, 0.5]]}})",
                    error);
  ASSERT_TRUE(mlir::succeeded(h)) << error;
  EXPECT_EQ(h->name, "mine");
  EXPECT_EQ(h->flops[unsigned(ComputeType::F64)], 1e12);
  EXPECT_EQ(h->flops[unsigned(ComputeType::F8)], 1e12);
  EXPECT_EQ(h->memoryBytes, 80e9);
  EXPECT_EQ(h->links[1].bytesPerSecond, 1e8);
  EXPECT_DOUBLE_EQ(h->productEfficiency.at(1e7), 0.3);
  EXPECT_DOUBLE_EQ(h->productEfficiency.at(1), 0.1);
  EXPECT_DOUBLE_EQ(h->productEfficiency.at(1e12), 0.5);
}

TEST(Hardware, SaysWhatIsWrong) {
  std::pair<const char *, const char *> cases[] = {
      {"[1]", "not a JSON object"},
      {"{", "Expected object key"},
      {R"({"speed": 1})", "unknown key 'speed'"},
      {R"({"base": "abacus"})", "names no preset"},
      {R"({"memory_bytes_per_second": 0})", "above 0"},
      {R"({"flops_per_second": {"f12": 1}})", "no type 'f12'"},
      {R"({"flops_per_second": {}})", "states no rate"},
      {R"({"links": []})", "must be a list"},
      {R"({"links": [{"bytes_per_second": 1, "shared_by": 0.5}]})",
       "whole number of at least 1"},
      {R"({"links": [{"latency": 1}]})", "without 'bytes_per_second'"},
      {R"({"links": [{"bytes_per_second": 1, "devices": 3},
                     {"bytes_per_second": 1, "devices": 4}]})",
       "a multiple"},
      {R"({"efficiency": {"product": [[2, 1], [1, 1]]}})", "must increase"},
  };
  for (auto &[text, expected] : cases) {
    std::string error;
    EXPECT_TRUE(mlir::failed(fromText(text, error))) << text;
    EXPECT_NE(error.find(expected), std::string::npos) << error;
  }
}

} // namespace
