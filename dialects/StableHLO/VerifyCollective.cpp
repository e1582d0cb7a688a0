#include "dialects/StableHLO/InferTypes.h"

#include <set>

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

namespace {
/// What a table of replica groups, or a list of mesh axes, says.
struct Groups {
  /// Devices per group; kDynamic where that is not known, or groups differ.
  int64_t size = ShapedType::kDynamic;
};
} // namespace

/// A table has a row per group; rows may be filled up with -1 unless all groups
/// must be of one size. Each device from 0 on is in exactly one group.
static FailureOr<Groups> verifyTable(Operation *op, DenseIntElementsAttr table,
                                     bool sameSize) {
  auto type = cast<ShapedType>(table.getType());
  if (type.getRank() != 2)
    return op->emitOpError()
           << "replica groups should be a rank 2 tensor, got " << type;
  if (type.getNumElements() == 0)
    // One group of all devices.
    return Groups{};
  SmallVector<int64_t> ids;
  bool padded = false;
  for (APInt value : table.getValues<APInt>()) {
    int64_t id = value.getSExtValue();
    if (id == -1 && !sameSize) {
      padded = true;
      continue;
    }
    if (id < 0)
      return op->emitOpError()
             << "Invalid replica id " << id << " in replica groups";
    ids.push_back(id);
  }
  llvm::sort(ids);
  for (auto [i, id] : llvm::enumerate(ids)) {
    if (i > 0 && ids[i - 1] == id)
      return op->emitOpError()
             << "replica id #" << id << " seen more than once";
    if (id != static_cast<int64_t>(i))
      return op->emitOpError()
             << "replica id #" << i << " not seen in replica groups";
  }
  Groups groups;
  if (!padded)
    groups.size = type.getDimSize(1);
  return groups;
}

/// Groups by axes of a mesh; a mesh that is only named is found in the module.
static FailureOr<Groups> verifyMeshAxes(Operation *op,
                                        ReplicaGroupMeshAxesAttr axes) {
  auto mesh = dyn_cast<MeshAttr>(axes.getMesh());
  if (!mesh) {
    auto symbol = dyn_cast<FlatSymbolRefAttr>(axes.getMesh());
    if (!symbol || !SymbolTable::lookupNearestSymbolFrom(op, symbol))
      return op->emitOpError()
             << "replica_groups: mesh symbol '"
             << (symbol ? symbol.getValue() : "") << "' not found";
    return Groups{};
  }
  Groups groups{1};
  for (Attribute attr : axes.getAxes()) {
    auto axis = cast<AxisRefAttr>(attr);
    int64_t size = 1;
    if (axis.getSubAxisInfo())
      size = axis.getSubAxisInfo().getSize();
    else
      for (Attribute each : mesh.getAxes())
        if (cast<MeshAxisAttr>(each).getName() == axis.getName())
          size = cast<MeshAxisAttr>(each).getSize();
    if (llvm::MulOverflow(groups.size, size, groups.size))
      return op->emitOpError() << "replica_groups: too many devices";
  }
  return groups;
}

static FailureOr<Groups> verifyGroups(Operation *op, Attribute groups,
                                      bool sameSize) {
  if (auto axes = dyn_cast<ReplicaGroupMeshAxesAttr>(groups))
    return verifyMeshAxes(op, axes);
  return verifyTable(op, cast<DenseIntElementsAttr>(groups), sameSize);
}

/// How many devices there are in a group, as far as the op says: with a channel
/// but without global ids a group also takes in all partitions.
static int64_t getGroupSize(Groups groups, bool useGlobalDeviceIds,
                            std::optional<ChannelHandleAttr> channel) {
  bool crossPartitions =
      !useGlobalDeviceIds && channel && channel->getHandle() > 0;
  return crossPartitions ? ShapedType::kDynamic : groups.size;
}

/// In a table, global ids are only meant together with a channel.
static LogicalResult verifyGlobalIds(Operation *op, Attribute groups,
                                     bool useGlobalDeviceIds,
                                     std::optional<ChannelHandleAttr> channel) {
  if (!useGlobalDeviceIds || isa<ReplicaGroupMeshAxesAttr>(groups))
    return success();
  if (!channel || channel->getHandle() <= 0)
    return op->emitOpError()
           << "channel_id must be positive when useGlobalDeviceIds is "
              "set but got: "
           << (channel ? channel->getHandle() : 0);
  return success();
}

LogicalResult AllGatherOp::verify() {
  auto groups = verifyGroups(*this, getReplicaGroups(), /*sameSize=*/true);
  if (failed(groups) ||
      failed(verifyGlobalIds(*this, getReplicaGroups(), getUseGlobalDeviceIds(),
                             getChannelHandle())))
    return failure();
  if (getNumOperands() != getNumResults())
    return emitOpError() << "expected as many results as operands";
  int64_t dim = static_cast<int64_t>(getAllGatherDim());
  int64_t groupSize =
      getGroupSize(*groups, getUseGlobalDeviceIds(), getChannelHandle());
  for (auto [operandType, resultType] :
       llvm::zip(getOperandTypes(), getResultTypes())) {
    auto operand = cast<RankedTensorType>(operandType);
    auto result = cast<RankedTensorType>(resultType);
    if (!isDimInRange(dim, operand.getRank()))
      return emitOpError()
             << "all_gather_dim must be a valid index of operand, got " << dim
             << " and " << operand;
    if (operand.getRank() != result.getRank())
      return emitOpError() << "operand and result must have the same rank, got "
                           << operand << " and " << result;
    if (!isCompatibleElementTypeForHloTypeInference(operand.getElementType(),
                                                    result.getElementType()))
      return emitOpError()
             << "operand and result must have one element type, got " << operand
             << " and " << result;
    for (int64_t i = 0; i < operand.getRank(); ++i) {
      int64_t from = operand.getDimSize(i), to = result.getDimSize(i);
      if (i != dim) {
        if (!isCompatibleDimSize(from, to))
          return emitOpError()
                 << "operand and result should have the same shape except for "
                    "the dimension size at all_gather_dim, got "
                 << operand << " and " << result;
        continue;
      }
      if (isDynamicDimSize(from) || isDynamicDimSize(to))
        continue;
      bool divides = from == 0 ? to == 0 : to % from == 0;
      if (!divides)
        return emitOpError()
               << "result gather dimension has size " << to
               << ", expected to be a multiple of operand gather dimension "
                  "size "
               << from;
      if (from != 0 && isStaticDimSize(groupSize) && to / from != groupSize)
        return emitOpError() << "result gather dimension has size " << to
                             << ", expected " << groupSize << " times " << from
                             << ", as many as devices in a group";
    }
  }
  return success();
}

LogicalResult AllReduceOp::verify() {
  if (failed(verifyGroups(*this, getReplicaGroups(), /*sameSize=*/false)))
    return failure();
  return verifyGlobalIds(*this, getReplicaGroups(), getUseGlobalDeviceIds(),
                         getChannelHandle());
}

LogicalResult ReduceScatterOp::verify() {
  auto groups = verifyGroups(*this, getReplicaGroups(), /*sameSize=*/true);
  if (failed(groups) ||
      failed(verifyGlobalIds(*this, getReplicaGroups(), getUseGlobalDeviceIds(),
                             getChannelHandle())))
    return failure();
  auto operand = cast<RankedTensorType>(getOperand().getType());
  auto result = cast<RankedTensorType>(getType());
  SmallVector<Type> elements;
  if (failed(verifyReducer(getLoc(), getComputation(), {operand}, {operand},
                           elements)))
    return failure();
  if (!isCompatibleElementTypeForHloTypeInference(elements.front(),
                                                  result.getElementType()))
    return emitOpError() << "expected a result of " << elements.front()
                         << ", got " << result;
  int64_t dim = static_cast<int64_t>(getScatterDimension());
  int64_t groupSize =
      getGroupSize(*groups, getUseGlobalDeviceIds(), getChannelHandle());
  if (operand.getRank() != result.getRank() ||
      !isDimInRange(dim, operand.getRank()))
    return emitOpError()
           << "expects scatter_dimension to be a dimension of operand and "
              "result, got "
           << dim << ", " << operand << " and " << result;
  for (int64_t i = 0; i < operand.getRank(); ++i) {
    int64_t from = operand.getDimSize(i), to = result.getDimSize(i);
    if (i != dim) {
      if (!isCompatibleDimSize(from, to))
        return emitOpError()
               << "operand and result should have the same shape except for "
                  "the dimension size at scatter_dimension, got "
               << operand << " and " << result;
      continue;
    }
    if (isDynamicDimSize(from) || isDynamicDimSize(to))
      continue;
    if (to == 0 ? from != 0 : from % to != 0)
      return emitOpError()
             << "operand scatter dimension has size " << from
             << ", expected to be a multiple of result scatter dimension size "
             << to;
    if (to != 0 && isStaticDimSize(groupSize) && from / to != groupSize)
      return emitOpError() << "operand scatter dimension has size " << from
                           << ", expected " << groupSize << " times " << to
                           << ", as many as devices in a group";
  }
  return success();
}

LogicalResult AllToAllOp::verify() {
  auto groups = verifyGroups(*this, getReplicaGroups(), /*sameSize=*/true);
  if (failed(groups))
    return failure();
  int64_t count = static_cast<int64_t>(getSplitCount());
  if (isStaticDimSize(groups->size) && groups->size != count)
    return emitOpError() << "group size of replica_groups must be " << count
                         << ", got " << groups->size;
  return success();
}

/// Groups here need not name all devices: the others get zeros.
LogicalResult CollectiveBroadcastOp::verify() {
  auto table = dyn_cast<DenseIntElementsAttr>(getReplicaGroups());
  if (!table)
    return verifyGroups(*this, getReplicaGroups(), /*sameSize=*/false);
  auto type = cast<ShapedType>(table.getType());
  if (type.getRank() != 2)
    return emitOpError() << "replica groups should be a rank 2 tensor, got "
                         << type;
  llvm::SmallDenseSet<int64_t> seen;
  for (APInt value : table.getValues<APInt>()) {
    int64_t id = value.getSExtValue();
    if (id < 0)
      return emitOpError()
             << "replica_groups values must be positive, but was given " << id;
    if (!seen.insert(id).second)
      return emitOpError() << "replica id #" << id << " seen more than once";
  }
  return success();
}

LogicalResult CrossReplicaSumOp::verify() {
  return verifyTable(*this, getReplicaGroups(), /*sameSize=*/true);
}

/// Pairs of devices, in which none is twice a source or twice a target.
static LogicalResult verifyPairs(Operation *op, DenseIntElementsAttr pairs) {
  auto type = cast<ShapedType>(pairs.getType());
  if (type.getRank() != 2 ||
      (type.getDimSize(1) != 2 && type.getNumElements() != 0))
    return op->emitOpError()
           << "expect source_target_pairs attribute to be of shape (N, 2), "
              "but got "
           << type;
  std::set<int64_t> sources,
      targets; // any number: DenseSet keeps two for itself
  for (auto [i, value] : llvm::enumerate(pairs.getValues<APInt>())) {
    int64_t id = value.getSExtValue();
    if (id < 0)
      return op->emitOpError()
             << "replica ids in source_target_pairs must be >= 0, got " << id;
    if (!(i % 2 == 0 ? sources : targets).insert(id).second)
      return op->emitOpError()
             << "duplicate " << (i % 2 == 0 ? "sources" : "targets")
             << " not allowed, got " << id << " twice";
  }
  return success();
}

LogicalResult CollectivePermuteOp::verify() {
  return verifyPairs(*this, getSourceTargetPairs());
}

//===----------------------------------------------------------------------===//
// Host transfers
//===----------------------------------------------------------------------===//

/// Channel types: 1 between devices, 2 to the host, 3 from the host.
static LogicalResult verifyChannel(Operation *op, bool isHostTransfer,
                                   int64_t hostType, ChannelHandleAttr channel,
                                   std::optional<DenseIntElementsAttr> pairs) {
  int64_t expected = isHostTransfer ? hostType : 1;
  if (channel.getType() != expected)
    return op->emitOpError() << "channel_type should be " << expected
                             << " when " << (isHostTransfer ? "" : "not ")
                             << "is_host_transfer, got " << channel.getType();
  if (pairs && *pairs)
    return verifyPairs(op, *pairs);
  return success();
}

LogicalResult SendOp::verify() {
  return verifyChannel(*this, getIsHostTransfer(), /*hostType=*/2,
                       getChannelHandle(), getSourceTargetPairs());
}

/// Tensors, then a token.
static LogicalResult verifyResultsAndToken(Operation *op) {
  if (op->getNumResults() == 0)
    return op->emitOpError() << "result is expected to be at least of size 1";
  for (Type type : TypeRange(op->getResultTypes()).drop_back())
    if (!isa<RankedTensorType>(type))
      return op->emitOpError()
             << "everything but the last element of result types is "
                "expected to be of tensor type, but got "
             << type;
  if (!isa<TokenType>(op->getResult(op->getNumResults() - 1).getType()))
    return op->emitOpError()
           << "last element of result types is expected to be of token "
              "type, but got "
           << op->getResult(op->getNumResults() - 1).getType();
  return success();
}

LogicalResult RecvOp::verify() {
  if (failed(verifyChannel(*this, getIsHostTransfer(), /*hostType=*/3,
                           getChannelHandle(), getSourceTargetPairs())))
    return failure();
  return verifyResultsAndToken(*this);
}

LogicalResult InfeedOp::verify() {
  if (failed(verifyResultsAndToken(*this)))
    return failure();
  std::optional<ArrayAttr> layout = getLayout();
  if (!layout)
    return success();
  if (layout->size() != getNumResults() - 1)
    return emitOpError() << "layout size must be " << getNumResults() - 1
                         << ", one per tensor, but got " << layout->size();
  for (Attribute attr : *layout) {
    auto dims = dyn_cast<ArrayAttr>(attr);
    if (!dims || !llvm::all_of(dims, llvm::IsaPred<IntegerAttr>))
      return emitOpError()
             << "layout-attribute's leaf elements are expected to be of type "
                "integer array, but got "
             << attr;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Asynchronous collectives
//===----------------------------------------------------------------------===//

LogicalResult AsyncStartOp::verify() {
  Block &block = getBody().front();
  if (block.getNumArguments() != getNumOperands())
    return emitOpError()
           << "expected a body with as many arguments as operands, got "
           << block.getNumArguments() << " and " << getNumOperands();
  for (auto [arg, type] :
       llvm::zip(block.getArgumentTypes(), getOperandTypes()))
    if (!isCompatibleForHloTypeInference(arg, type))
      return emitOpError() << "body argument " << arg
                           << " does not fit operand " << type;
  ReturnOp ret = getRegionReturn(getBody());
  auto future = cast<FutureType>(getType());
  if (!ret || !isCompatibleForHloTypeInference(ret->getOperandTypes(),
                                               TypeRange(future.getTypes())))
    return emitOpError() << "expected a future of what the body returns, got "
                         << future;
  return success();
}
