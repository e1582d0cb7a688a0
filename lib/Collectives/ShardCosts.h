// What computing on shards costs and saves.
#ifndef SHOAL_COLLECTIVES_SHARDCOSTS_H
#define SHOAL_COLLECTIVES_SHARDCOSTS_H

#include "Prices.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"

namespace shoal {
class HostScalars;

/// Seconds of the step, loops' bodies as often as they run; or for tests bytes.
class ShardCosts {
public:
  /// `parts`: devices of a group.
  ShardCosts(mlir::func::FuncOp func, comm::GroupsAttr groups, int64_t parts,
             Prices &prices, bool inBytes);

  /// A collective where the value (the whole one) is made.
  double collective(CollectiveType type, mlir::Value whole);
  /// What gathering a value sends, as time without latencies.
  double bytes(mlir::Value whole);
  double slice(mlir::Value whole);
  /// What an op takes less on a shard: flops, its share of the traffic of the
  /// kernel that it is fused into, bytes that it sends.
  double gain(mlir::Operation *op);

  bool areBytes() const { return inBytes; }
  /// What kernels of the program as it is write to memory.
  const llvm::DenseSet<mlir::Value> &storedValues() const { return stored; }

private:
  double timesOf(mlir::Block *block);
  void noteTraffic(mlir::Block &block, const HostScalars &scalars);

  mlir::func::FuncOp func;
  comm::GroupsAttr groups;
  double parts;
  Prices &prices;
  bool inBytes;
  double secondsPerByte = 1;
  llvm::DenseMap<mlir::Block *, double> times;
  llvm::DenseMap<mlir::Operation *, double> traffic;
  llvm::DenseSet<mlir::Value> stored;
};

} // namespace shoal

#endif // SHOAL_COLLECTIVES_SHARDCOSTS_H
