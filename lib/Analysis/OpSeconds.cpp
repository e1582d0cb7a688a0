#include "shoal/Analysis/OpSeconds.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/OpCosts.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace shoal {

/// Bytes of `value` that its users read.
static double bytesRead(Value value) {
  double whole = static_cast<double>(tensorBytesOf(value.getType()));
  double parts = 0;
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    unsigned number = use.getOperandNumber();
    if (isa<stablehlo::SliceOp, stablehlo::DynamicSliceOp, stablehlo::GatherOp>(
            user) &&
        number == 0)
      parts += static_cast<double>(tensorBytesOf(user->getResult(0).getType()));
    else if (isa<stablehlo::DynamicUpdateSliceOp, stablehlo::ScatterOp>(user) &&
             number == 0)
      continue; // counted with what is written
    else
      return whole;
  }
  return std::min(whole, parts);
}

/// Bytes that are written where the kernel yields `value`.
static double bytesWritten(Value value, bool inPlace) {
  if (inPlace) {
    if (auto update = value.getDefiningOp<stablehlo::DynamicUpdateSliceOp>())
      return static_cast<double>(tensorBytesOf(update.getUpdate().getType()));
    if (auto scatter = value.getDefiningOp<stablehlo::ScatterOp>())
      return 2 * static_cast<double>(
                     tensorBytesOf(scatter.getUpdates().front().getType()));
  }
  return static_cast<double>(tensorBytesOf(value.getType()));
}

KernelWork workOf(plan::KernelOp kernel) {
  KernelWork work;
  Block &body = kernel.getBody().front();
  for (auto [i, argument] : llvm::enumerate(body.getArguments()))
    if (!kernel.isScalarArg(i))
      work.bytes += bytesRead(argument);
  for (auto [i, value] : llvm::enumerate(body.getTerminator()->getOperands()))
    work.bytes += bytesWritten(value, !kernel.getOverwritable(i).empty());
  kernel.getBody().walk([&](Operation *op) {
    if (int64_t count = flopsOf(op)) {
      work.flops += static_cast<double>(count);
      work.type = computeTypeOf(op->getOperand(0).getType());
    }
  });
  return work;
}

double kernelSeconds(plan::KernelOp kernel, const Hardware &hardware) {
  KernelWork work = workOf(kernel);
  return hardware.kernelSeconds(work.flops, work.type, work.bytes);
}

/// Of a tensor, or of the memory of one.
static RankedTensorType tensorOf(Type type) {
  if (auto buffer = dyn_cast<plan::BufferType>(type))
    return buffer.getTensorType();
  return dyn_cast<RankedTensorType>(type);
}

double librarySeconds(Operation *op, const Hardware &hardware) {
  if (!isa<plan::MatmulOp, plan::ConvolutionOp, plan::CustomCallOp>(op))
    return 0;
  double bytes = 0, flops = 0;
  for (ValueRange values :
       {ValueRange(op->getOperands()), ValueRange(op->getResults())})
    for (Value value : values)
      if (RankedTensorType type = tensorOf(value.getType()))
        bytes += static_cast<double>(tensorBytesOf(type));
  if (auto product = dyn_cast<plan::MatmulOp>(op)) {
    SmallVector<plan::MatmulOp::Dim> batch, m, n, k;
    product.getDims(batch, m, n, k);
    flops = 2;
    for (auto *dims : {&batch, &m, &n, &k})
      for (const plan::MatmulOp::Dim &dim : *dims)
        flops *= static_cast<double>(dim.size);
  } else if (auto convolution = dyn_cast<plan::ConvolutionOp>(op)) {
    RankedTensorType kernel = tensorOf(convolution.getRhs().getType());
    flops = 2;
    Value result = convolution.getResult() ? Value(convolution.getResult())
                                           : Value(convolution.getOut());
    flops *= static_cast<double>(tensorOf(result.getType()).getNumElements());
    // rhs dims: input feature, output feature, spatial.
    for (auto [i, dim] : llvm::enumerate(convolution.getRhsDims()))
      if (i != 1)
        flops *= static_cast<double>(kernel.getDimSize(dim));
  }
  RankedTensorType type = op->getNumOperands()
                              ? tensorOf(op->getOperand(0).getType())
                              : RankedTensorType();
  return hardware.kernelSeconds(
      flops, type ? computeTypeOf(type) : ComputeType::F32, bytes);
}

CollectiveType collectiveTypeOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, CollectiveType>(op)
      .Case<comm::AllGatherOp>([](auto) { return CollectiveType::AllGather; })
      .Case<comm::ReduceScatterOp>(
          [](auto) { return CollectiveType::ReduceScatter; })
      .Case<comm::AllReduceOp>([](auto) { return CollectiveType::AllReduce; })
      .Case<comm::AllToAllOp, comm::RaggedAllToAllOp>(
          [](auto) { return CollectiveType::AllToAll; })
      .Case<comm::BroadcastOp>([](auto) { return CollectiveType::Broadcast; })
      .Default([](auto) { return CollectiveType::Permute; });
}

const GroupShape &CollectiveTimes::shapeOf(comm::CollectiveOpInterface op) {
  comm::GroupsAttr groups = op.getCollectiveGroups();
  auto [shape, isNew] = shapes.try_emplace(groups);
  if (isNew)
    if (auto members = groups.getDeviceGroups(op); !members.empty())
      shape->second = shapeOfGroup(members.front(), hardware);
  return shape->second;
}

CollectiveTime CollectiveTimes::of(comm::CollectiveOpInterface op) {
  return timeOfCollective(collectiveTypeOf(op), op.getBytesSentPerDevice(),
                          shapeOf(op), hardware);
}

} // namespace shoal
