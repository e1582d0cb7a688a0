// Seconds that ops of the phases from `partitioned` to `fused` take on a
// machine, each alone.
#ifndef SHOAL_ANALYSIS_OPSECONDS_H
#define SHOAL_ANALYSIS_OPSECONDS_H

#include "shoal/Analysis/CollectiveModel.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Plan/Plan.h"

#include "llvm/ADT/DenseMap.h"

namespace shoal {

/// What a kernel does each time: the bytes it reads and writes, the flops of
/// the products in it and their type. Of an operand that is only sliced or
/// looked up in the parts that are taken count, of a buffer that is updated in
/// place the update.
struct KernelWork {
  double bytes = 0, flops = 0;
  ComputeType type = ComputeType::F32;
};
KernelWork workOf(plan::KernelOp kernel);

/// Seconds of a kernel by the roofline: its products' arithmetic against the
/// bytes it reads and writes.
double kernelSeconds(plan::KernelOp kernel, const Hardware &hardware);

/// Seconds of plan.matmul, plan.convolution and plan.custom_call on tensors; 0
/// for other ops.
double librarySeconds(mlir::Operation *op, const Hardware &hardware);

/// What the collective does to the links.
CollectiveType collectiveTypeOf(mlir::Operation *collective);

/// Collectives of one machine; remembers the shapes of groups.
class CollectiveTimes {
public:
  explicit CollectiveTimes(const Hardware &hardware) : hardware(hardware) {}
  /// Of the first group; `comm` ops name groups of one shape.
  CollectiveTime of(comm::CollectiveOpInterface op);
  const GroupShape &shapeOf(comm::CollectiveOpInterface op);

private:
  const Hardware &hardware;
  llvm::DenseMap<mlir::Attribute, GroupShape> shapes;
};

} // namespace shoal

#endif // SHOAL_ANALYSIS_OPSECONDS_H
