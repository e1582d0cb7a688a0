#include "ShardCosts.h"

#include "shoal/Analysis/FusionGroups.h"
#include "shoal/Analysis/OpCosts.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {

static double bytesOf(Value value) {
  return static_cast<double>(tensorBytesOf(value.getType()));
}

ShardCosts::ShardCosts(func::FuncOp func, comm::GroupsAttr groups,
                       int64_t parts, Prices &prices, bool inBytes)
    : func(func), groups(groups), parts(static_cast<double>(parts)),
      prices(prices), inBytes(inBytes) {
  if (inBytes)
    return;
  constexpr int64_t kMany = int64_t(1) << 32;
  secondsPerByte =
      prices.of(CollectiveType::AllGather, kMany, groups, func).seconds /
      static_cast<double>(kMany);
  HostScalars scalars(func);
  func.walk([&](Block *block) {
    if (isa<func::FuncOp, sh::WhileOp, sh::IfOp, sh::CaseOp>(
            block->getParentOp()))
      noteTraffic(*block, scalars);
  });
}

/// What kernels write counts for the op that makes it, what they read for the
/// op that reads it.
void ShardCosts::noteTraffic(Block &block, const HostScalars &scalars) {
  FusionGroups fused(block, scalars);
  for (const FusionGroup &group : fused.getGroups()) {
    for (Value output : group.outputs) {
      stored.insert(output);
      traffic[output.getDefiningOp()] += bytesOf(output);
    }
    for (Value input : group.inputs)
      for (Operation *user : input.getUsers())
        if (group.ops.contains(user)) {
          traffic[user] += bytesOf(input);
          break;
        }
  }
}

/// How often the block's ops run.
double ShardCosts::timesOf(Block *block) {
  Operation *parent = block->getParentOp();
  if (isa<func::FuncOp>(parent))
    return 1;
  if (double known = times.lookup(block))
    return known;
  double count = timesOf(parent->getBlock());
  if (auto loop = dyn_cast<sh::WhileOp>(parent)) {
    // An unknown number counts as two: once would be no loop.
    auto counted = matchCountedLoop(loop);
    count *= static_cast<double>(
        std::max<int64_t>(counted ? counted->tripCount.value_or(2) : 2, 1));
  }
  return times[block] = count;
}

double ShardCosts::collective(CollectiveType type, Value whole) {
  int64_t bytes = comm::getTensorBytes(whole.getType());
  double once = inBytes ? (type == CollectiveType::AllReduce ? 2.0 : 1.0) *
                              static_cast<double>(bytes)
                        : prices.of(type, bytes, groups, func).seconds;
  return once * timesOf(whole.getParentBlock());
}

double ShardCosts::bytes(Value whole) {
  return bytesOf(whole) * secondsPerByte * timesOf(whole.getParentBlock());
}

double ShardCosts::slice(Value whole) {
  double bytes = 2 * bytesOf(whole) / parts;
  return (inBytes ? bytes / 1024
                  : bytes / prices.hardware().memoryBytesPerSecond) *
         timesOf(whole.getParentBlock());
}

double ShardCosts::gain(Operation *op) {
  double less = 0;
  if (isa<comm::CollectiveOpInterface>(op)) {
    less = (inBytes ? bytesOf(op->getResult(0)) : prices.of(op).seconds) *
           (1 - 1 / parts);
  } else if (inBytes) {
    for (Value result : op->getResults())
      less += bytesOf(result) / 16;
  } else {
    auto flops = static_cast<double>(flopsOf(op));
    double bytes = traffic.lookup(op);
    ComputeType type = computeTypeOf(op->getResult(0).getType());
    const Hardware &hardware = prices.hardware();
    if (flops || bytes)
      less = hardware.kernelSeconds(flops, type, bytes) -
             hardware.kernelSeconds(flops / parts, type, bytes / parts);
  }
  return std::max(less, 0.0) * timesOf(op->getBlock());
}

} // namespace shoal
