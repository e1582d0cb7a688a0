// A program table on a machine of plain numbers, to simulate.
#ifndef SHOAL_TEST_UNIT_SIMULATE_MACHINE_H
#define SHOAL_TEST_UNIT_SIMULATE_MACHINE_H

#include "TestProgram.h"
#include "shoal/Simulate/Simulator.h"

#include <gtest/gtest.h>

namespace shoal {

using program::CollectiveKind;
using program::Opcode;
using rt::DType;

/// Kernels take what the test says; a link sends a byte a second, at once.
inline Hardware plain() {
  Hardware h;
  std::fill(std::begin(h.flops), std::end(h.flops), 1.0);
  h.memoryBytesPerSecond = 1;
  h.links.push_back({"link", 0, 1.0, 0.0, false});
  return h;
}

/// Ranks on one axis, buffers of `bytes`, kernels of one input and output.
struct Machine : rt::TestProgram {
  Hardware hardware = plain();
  std::vector<double> seconds;
  uint32_t buffer, a, b, c, d;

  explicit Machine(int64_t ranks, int64_t bytes = 8) {
    streams = 2;
    mesh(ranks);
    buffer = type(DType::UI8, {bytes});
    a = temporary(buffer);
    b = temporary(buffer);
    c = temporary(buffer);
    d = temporary(buffer);
  }
  uint32_t timed(double t) {
    seconds.push_back(t);
    return kernel(nullptr, 1, 1, 1);
  }
  void exec(uint32_t k, uint32_t in, uint32_t out) {
    add(Opcode::Exec, {k, in, out});
  }
  static std::vector<int64_t> permute(int64_t n, uint32_t in, uint32_t out) {
    std::vector<int64_t> ops{int64_t(CollectiveKind::Permute),
                             0,
                             0,
                             1,
                             int64_t(in),
                             int64_t(out),
                             n};
    for (int64_t i = 0; i < n; ++i)
      ops.insert(ops.end(), {i, (i + 1) % n});
    return ops;
  }
  void start(uint32_t event, std::vector<int64_t> collective) {
    collective.insert(collective.begin(), event);
    add(Opcode::CollectiveStart, collective, "start.mlir:1:1", 1);
  }
  void done(uint32_t event) { add(Opcode::CollectiveDone, {event}); }

  Simulation run(SimulationOptions options = {}) {
    std::vector<uint64_t> t = table(block(mainFirst));
    std::string wrong = program::validate(t.data(), t.size() * 8);
    EXPECT_EQ(wrong, "");
    options.hardware = &hardware;
    options.kernelSeconds = seconds;
    return simulate(program::View(t.data()), options);
  }
  size_t mainFirst = 0;
};

} // namespace shoal

#endif // SHOAL_TEST_UNIT_SIMULATE_MACHINE_H
