// The matmul instruction with dimensions in random orders against plain sums.
#include "TestProgram.h"

#include <gtest/gtest.h>
#include <numeric>
#include <random>

using namespace shoal;
using namespace shoal::rt;

namespace {

struct Place {
  int64_t size;
  std::vector<int> in; // which of lhs (0), rhs (1), out (2)
};

TEST(Matmul, RandomDimensionOrders) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    // Roles: batch, m, n, k; up to three dimensions each.
    std::vector<Place> dims;
    int counts[4];
    for (int role = 0; role < 4; ++role) {
      counts[role] = static_cast<int>(random() % 4);
      static const std::vector<int> uses[4] = {
          {0, 1, 2}, {0, 2}, {1, 2}, {0, 1}};
      for (int c = 0; c < counts[role]; ++c)
        dims.push_back({static_cast<int64_t>(1 + random() % 5), uses[role]});
    }
    // Each tensor has its dimensions in an order of its own.
    std::vector<std::vector<int64_t>> strides(
        3, std::vector<int64_t>(dims.size(), 0));
    std::vector<std::vector<int64_t>> shapes(3);
    int64_t sizes[3];
    for (int tensor = 0; tensor < 3; ++tensor) {
      std::vector<size_t> order;
      for (size_t d = 0; d < dims.size(); ++d)
        if (std::count(dims[d].in.begin(), dims[d].in.end(), tensor))
          order.push_back(d);
      std::shuffle(order.begin(), order.end(), random);
      int64_t step = 1;
      for (size_t i = order.size(); i-- > 0;) {
        strides[tensor][order[i]] = step;
        step *= dims[order[i]].size;
      }
      for (size_t d : order)
        shapes[tensor].push_back(dims[d].size);
      sizes[tensor] = step;
    }
    static const DType types[] = {DType::F32, DType::BF16, DType::F64,
                                  DType::I32, DType::F16,  DType::C64};
    DType type = types[random() % 6];
    int64_t flags = random() % 5 == 0;
    TestProgram p;
    uint32_t lhs = p.argument(p.type(type, shapes[0]), p.type(type, shapes[0]));
    uint32_t rhs = p.argument(p.type(type, shapes[1]), p.type(type, shapes[1]));
    uint32_t start =
        p.argument(p.type(type, shapes[2]), p.type(type, shapes[2]));
    uint32_t out = p.result(p.type(type, shapes[2]), p.type(type, shapes[2]));
    p.add(program::Opcode::Copy, {out, start});
    std::vector<int64_t> ops = {
        lhs,       rhs,       out,       flags,    static_cast<int64_t>(type),
        counts[0], counts[1], counts[2], counts[3]};
    for (size_t d = 0; d < dims.size(); ++d) {
      ops.push_back(dims[d].size);
      for (int tensor = 0; tensor < 3; ++tensor)
        ops.push_back(strides[tensor][d]);
    }
    p.add(program::Opcode::Matmul, ops);
    Result<Package> package = p.package(p.block(0));
    ASSERT_TRUE(package) << package.status().message();
    std::vector<HostTensor> arguments;
    std::vector<std::vector<double>> data(3);
    for (int tensor = 0; tensor < 3; ++tensor) {
      for (int64_t i = 0; i < sizes[tensor]; ++i)
        data[tensor].push_back(static_cast<double>(random() % 4));
      arguments.push_back(rt::tensor(type, shapes[tensor], data[tensor]));
    }
    Result<RunResult> r = runPackage(*package, std::move(arguments), {});
    ASSERT_TRUE(r) << r.status().message();
    // Integers this small are exact in every type but the narrow floats, whose
    // single rounding the conversion below repeats.
    std::vector<double> want(static_cast<size_t>(sizes[2]), 0.0);
    if (flags)
      want = data[2];
    std::vector<int64_t> index(dims.size(), 0);
    for (;;) {
      int64_t at[3] = {0, 0, 0};
      for (size_t d = 0; d < dims.size(); ++d)
        for (int tensor = 0; tensor < 3; ++tensor)
          at[tensor] += index[d] * strides[tensor][d];
      want[at[2]] += data[0][at[0]] * data[1][at[1]];
      size_t d = 0;
      while (d < dims.size() && ++index[d] == dims[d].size)
        index[d++] = 0;
      if (d == dims.size())
        break;
    }
    std::vector<double> got = values(r->results[0]);
    for (size_t i = 0; i < want.size(); ++i) {
      std::byte element[16];
      fromDouble(type, want[i], element);
      ASSERT_EQ(got[i], toDouble(type, element)) << "round " << round;
    }
  }
}

TEST(Matmul, LargeOnesAreCutIntoBlocks) {
  // Ones times ones; sizes that no block divides.
  int64_t m = 515, n = 1027, k = 260;
  for (bool transposed : {false, true}) {
    TestProgram p;
    uint32_t lhs =
        p.argument(p.type(DType::F32, {m, k}), p.type(DType::F32, {m, k}));
    uint32_t rhs =
        p.argument(p.type(DType::F32, {k, n}), p.type(DType::F32, {k, n}));
    std::vector<int64_t> shape =
        transposed ? std::vector<int64_t>{n, m} : std::vector<int64_t>{m, n};
    uint32_t out =
        p.result(p.type(DType::F32, shape), p.type(DType::F32, shape));
    p.add(program::Opcode::Matmul, {lhs,
                                    rhs,
                                    out,
                                    0,
                                    static_cast<int64_t>(DType::F32),
                                    0,
                                    1,
                                    1,
                                    1,
                                    m,
                                    k,
                                    0,
                                    transposed ? 1 : n,
                                    n,
                                    0,
                                    1,
                                    transposed ? m : 1,
                                    k,
                                    1,
                                    n,
                                    0});
    Result<Package> package = p.package(p.block(0));
    ASSERT_TRUE(package) << package.status().message();
    std::vector<HostTensor> arguments;
    std::vector<double> a, b;
    for (int64_t i = 0; i < m * k; ++i)
      a.push_back(static_cast<double>(i % k == 0 ? i / k : 1));
    for (int64_t i = 0; i < k * n; ++i)
      b.push_back(1);
    arguments.push_back(tensor(DType::F32, {m, k}, a));
    arguments.push_back(tensor(DType::F32, {k, n}, b));
    Result<RunResult> r = runPackage(*package, std::move(arguments), {});
    ASSERT_TRUE(r) << r.status().message();
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j)
        ASSERT_EQ(
            toDouble(DType::F32, r->results[0].data() +
                                     4 * (transposed ? j * m + i : i * n + j)),
            static_cast<double>(k - 1 + i));
  }
}

} // namespace
