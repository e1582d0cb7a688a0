// Turns collectives in manual regions into comm operations over mesh axes.
#include "shoal/Import/Passes.h"

#include "IrregularGroups.h"
#include "LoneCollectives.h"
#include "MeshRelations.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/TypeSwitch.h"

#include <set>

namespace shoal {
#define GEN_PASS_DEF_IMPORTCOLLECTIVESPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

/// What JAX prints for ragged_all_to_all.
static bool isRaggedExchange(Operation *op) {
  auto call = dyn_cast<stablehlo::CustomCallOp>(op);
  return call && call.getCallTargetName() == "ragged_all_to_all" &&
         op->getParentOfType<ManualOp>();
}

/// The mesh that a manual region's shardings stand on, and how it is named.
static Attribute getMeshRef(ManualOp manual) {
  for (auto op = manual; op; op = op->getParentOfType<ManualOp>())
    for (ShardingAttr sharding :
         llvm::concat<const ShardingAttr>(op.getInShardings().getShardings(),
                                          op.getOutShardings().getShardings()))
      return sharding.getMeshOrRef();
  return {};
}

/// The kind of a reduction whose body is one op of its two arguments.
static std::optional<ReductionKind> getKind(Region &body) {
  Block &block = body.front();
  auto yield = dyn_cast<stablehlo::ReturnOp>(block.getTerminator());
  if (!yield || yield->getNumOperands() != 1 || block.getNumArguments() != 2)
    return std::nullopt;
  // Annotations on scalars say nothing.
  Value result = yield->getOperand(0);
  Operation *op = result.getDefiningOp();
  if (!op || op->getBlock() != &block || op->getNumOperands() != 2)
    return std::nullopt;
  Value a = op->getOperand(0), b = op->getOperand(1);
  Value x = block.getArgument(0), y = block.getArgument(1);
  if (!(a == x && b == y) && !(a == y && b == x))
    return std::nullopt;
  // Sums of quantized values have a zero point, and saturate.
  if (isa<quant::QuantizedType>(getElementTypeOrSelf(result.getType())))
    return std::nullopt;
  bool isBool = getElementTypeOrSelf(result.getType()).isInteger(1);
  return llvm::TypeSwitch<Operation *, std::optional<ReductionKind>>(op)
      .Case([&](stablehlo::AddOp) {
        return isBool ? ReductionKind::Or : ReductionKind::Add;
      })
      .Case([&](stablehlo::MulOp) {
        return isBool ? ReductionKind::And : ReductionKind::Mul;
      })
      .Case([](stablehlo::MinOp) { return ReductionKind::Min; })
      .Case([](stablehlo::MaxOp) { return ReductionKind::Max; })
      .Case([](stablehlo::AndOp) { return ReductionKind::And; })
      .Case([](stablehlo::OrOp) { return ReductionKind::Or; })
      .Case([](stablehlo::XorOp) { return ReductionKind::Xor; })
      .Default([](Operation *) { return std::nullopt; });
}

namespace {
class Importer {
public:
  Importer(Attribute meshRef, MeshAttr mesh) : meshRef(meshRef), mesh(mesh) {}

  LogicalResult run(Operation *op);

private:
  using Groups = SmallVector<SmallVector<int64_t>>;

  /// Device ids per group as the op writes them; empty groups mean all devices.
  FailureOr<Groups> readGroups(Operation *op, Attribute attr, bool hasChannel,
                               bool global);
  FailureOr<Groups> readMeshAxes(Operation *op,
                                 stablehlo::ReplicaGroupMeshAxesAttr attr);
  comm::GroupsAttr makeGroups(const Groups &groups, MLIRContext *context);
  comm::GroupsAttr allDevices(MLIRContext *context);

  LogicalResult importReduction(Operation *op, ValueRange operands,
                                Region &body, comm::GroupsAttr groups,
                                int64_t groupSize,
                                function_ref<Value(Value, Type)> reduce,
                                function_ref<Value(Value, Type)> finish);
  /// Whether nothing but devices alone, all of them, takes part: a gather of
  /// everything is possible.
  bool isFullyManual(Operation *op) const {
    size_t count = 0;
    for (auto manual = op->getParentOfType<ManualOp>(); manual;
         manual = manual->getParentOfType<ManualOp>())
      count += manual.getManualAxes().size();
    return count == mesh.getAxes().size();
  }
  LogicalResult importPermute(stablehlo::CollectivePermuteOp op);
  LogicalResult importRagged(stablehlo::CustomCallOp op);
  LogicalResult importPartitionId(stablehlo::PartitionIdOp op);

  Attribute meshRef;
  MeshAttr mesh;
};
} // namespace

FailureOr<Importer::Groups> Importer::readGroups(Operation *op, Attribute attr,
                                                 bool hasChannel, bool global) {
  Groups groups;
  if (auto axes =
          dyn_cast_if_present<stablehlo::ReplicaGroupMeshAxesAttr>(attr))
    return readMeshAxes(op, axes);
  auto table = dyn_cast_if_present<DenseIntElementsAttr>(attr);
  if (!table) {
    op->emitError("expected a table of device ids, or mesh axes, as groups");
    return failure();
  }
  auto type = cast<ShapedType>(table.getType());
  if (type.getRank() == 2) {
    int64_t width = type.getDimSize(1), index = 0;
    for (const APInt &id : table.getValues<APInt>()) {
      if (index++ % width == 0)
        groups.emplace_back();
      // Short groups are filled up with -1.
      if (!id.isNegative())
        groups.back().push_back(id.getSExtValue());
    }
  }
  // Without a channel groups name replicas, and there is one replica: unless
  // they name more, nothing is exchanged.
  bool single =
      llvm::all_of(groups, [](auto &group) { return group.size() < 2; });
  if (!hasChannel && !global && single && !groups.empty()) {
    groups.clear();
    for (int64_t id = 0; id < mesh.getNumDevices(); ++id)
      groups.push_back({id});
  }
  // With a channel but without global ids, reductions and gathers name replicas
  // as well, and take all partitions of each.
  if (hasChannel && !global && single && groups.size() == 1 &&
      isa<stablehlo::AllReduceOp, stablehlo::ReduceScatterOp,
          stablehlo::AllGatherOp>(op))
    groups.clear();
  if (groups.empty()) {
    groups.emplace_back();
    for (int64_t id = 0; id < mesh.getNumDevices(); ++id)
      groups.back().push_back(id);
  }
  for (ArrayRef<int64_t> group : groups)
    for (int64_t id : group)
      if (mesh.getPosition(id) < 0) {
        op->emitError("names device ")
            << id << "; the mesh has " << mesh.getNumDevices() << " devices";
        return failure();
      }
  return groups;
}

FailureOr<Importer::Groups>
Importer::readMeshAxes(Operation *op,
                       stablehlo::ReplicaGroupMeshAxesAttr attr) {
  MLIRContext *context = op->getContext();
  MeshAttr own;
  if (auto written = dyn_cast<stablehlo::MeshAttr>(attr.getMesh())) {
    SmallVector<MeshAxisAttr> axes;
    for (Attribute each : written.getAxes()) {
      auto axis = cast<stablehlo::MeshAxisAttr>(each);
      axes.push_back(
          MeshAxisAttr::get(context, axis.getName(), axis.getSize()));
    }
    SmallVector<int64_t> ids;
    if (DenseIntElementsAttr list = written.getDeviceIds())
      for (const APInt &id : list.getValues<APInt>())
        ids.push_back(id.getSExtValue());
    own = MeshAttr::get(context, axes, ids);
  } else {
    own = lookupMesh(attr.getMesh(), op);
  }
  AxisList axes;
  for (Attribute each : attr.getAxes()) {
    auto axis = cast<stablehlo::AxisRefAttr>(each);
    stablehlo::SubAxisInfoAttr part = axis.getSubAxisInfo();
    axes.push_back(part ? AxisRefAttr::get(context, axis.getName(),
                                           part.getPreSize(), part.getSize())
                        : AxisRefAttr::get(context, axis.getName()));
  }
  if (!own ||
      failed(verifyAxisList(axes, own, [&] { return op->emitError(); }))) {
    if (!own)
      op->emitError("its groups name an unknown mesh ") << attr.getMesh();
    return failure();
  }
  Groups groups = getGroups(axes, own);
  for (auto &group : groups)
    for (int64_t &member : group) {
      member = own.getDeviceId(member);
      if (mesh.getPosition(member) < 0) {
        op->emitError("names device ") << member << "; the mesh has "
                                       << mesh.getNumDevices() << " devices";
        return failure();
      }
    }
  return groups;
}

comm::GroupsAttr Importer::makeGroups(const Groups &groups,
                                      MLIRContext *context) {
  if (std::optional<AxisList> axes = findGroupAxes(groups, mesh))
    return comm::GroupsAttr::get(meshRef, *axes);
  return comm::GroupsAttr::getFromTable(context, groups);
}

comm::GroupsAttr Importer::allDevices(MLIRContext *context) {
  AxisList axes;
  for (MeshAxisAttr axis : mesh.getAxes())
    axes.push_back(AxisRefAttr::get(context, axis.getName()));
  return comm::GroupsAttr::get(meshRef, axes);
}

LogicalResult
Importer::importReduction(Operation *op, ValueRange operands, Region &body,
                          comm::GroupsAttr groups, int64_t groupSize,
                          function_ref<Value(Value, Type)> reduce,
                          function_ref<Value(Value, Type)> finish) {
  OpBuilder builder(op);
  // A body of two arguments folds each operand by itself.
  std::optional<ReductionKind> kind = getKind(body);
  if (!kind && body.getNumArguments() != 2)
    return op->emitError("a reduction of several values by one body is not "
                         "supported in a manual region");
  SmallVector<Value> results;
  for (auto [operand, result] : llvm::zip(operands, op->getResults())) {
    Value value;
    if (kind) {
      value = reduce(operand, result.getType());
    } else {
      Value folded =
          foldGathered(builder, op->getLoc(), operand, body, groups, groupSize);
      value = finish(folded, result.getType());
    }
    results.push_back(value);
  }
  op->replaceAllUsesWith(results);
  op->erase();
  return success();
}

/// Pairs of device ids as pairs of positions in groups along `axes`; nullopt if
/// groups differ in their pairs or a pair leaves its group.
static std::optional<SmallVector<std::pair<int64_t, int64_t>>>
getPairsAlong(ArrayRef<std::pair<int64_t, int64_t>> pairs, AxisListRef axes,
              MeshAttr mesh) {
  SmallVector<SmallVector<int64_t>> groups = getGroups(axes, mesh);
  DenseMap<int64_t, std::pair<int64_t, int64_t>> place;
  for (auto [index, group] : llvm::enumerate(groups))
    for (auto [rank, position] : llvm::enumerate(group))
      place[position] = {int64_t(index), int64_t(rank)};
  SmallVector<SmallVector<std::pair<int64_t, int64_t>>> perGroup(groups.size());
  for (auto [source, target] : pairs) {
    auto [sourceGroup, sourceRank] = place.lookup(mesh.getPosition(source));
    auto [targetGroup, targetRank] = place.lookup(mesh.getPosition(target));
    if (sourceGroup != targetGroup)
      return std::nullopt;
    perGroup[sourceGroup].push_back({sourceRank, targetRank});
  }
  for (auto &list : perGroup)
    llvm::sort(list);
  if (!llvm::all_equal(perGroup))
    return std::nullopt;
  return perGroup.front();
}

LogicalResult Importer::importPermute(stablehlo::CollectivePermuteOp op) {
  OpBuilder builder(op);
  SmallVector<std::pair<int64_t, int64_t>> pairs;
  SmallVector<int64_t> ids;
  for (const APInt &id : op.getSourceTargetPairs().getValues<APInt>()) {
    ids.push_back(id.getSExtValue());
    if (mesh.getPosition(ids.back()) < 0)
      return op.emitError("names device ")
             << ids.back() << "; the mesh has " << mesh.getNumDevices()
             << " devices";
  }
  for (size_t i = 0; i + 1 < ids.size(); i += 2)
    pairs.push_back({ids[i], ids[i + 1]});

  // The axes along which some source and target differ, and those along which
  // not every place does the same (who is in no pair gets zeros).
  std::set<std::pair<int64_t, int64_t>> places;
  for (auto [source, target] : pairs)
    places.insert({mesh.getPosition(source), mesh.getPosition(target)});
  AxisList axes;
  int64_t stride = mesh.getNumDevices();
  for (MeshAxisAttr axis : mesh.getAxes()) {
    int64_t size = axis.getSize();
    stride /= size;
    if (!llvm::all_of(places, [&](std::pair<int64_t, int64_t> pair) {
          int64_t at = pair.first / stride % size;
          bool alike = pair.second / stride % size == at;
          for (int64_t other = 0; alike && other < size; ++other) {
            int64_t shift = (other - at) * stride;
            alike = places.count({pair.first + shift, pair.second + shift});
          }
          return alike;
        }))
      axes.push_back(AxisRefAttr::get(op.getContext(), axis.getName()));
  }
  auto relative = getPairsAlong(pairs, axes, mesh);
  assert(relative && "groups differ only along axes that count");
  SmallVector<int64_t> sources, targets;
  for (auto [source, target] : *relative) {
    sources.push_back(source);
    targets.push_back(target);
  }
  auto permute = comm::PermuteOp::create(
      builder, op.getLoc(), op.getType(), op.getOperand(),
      builder.getDenseI64ArrayAttr(sources),
      builder.getDenseI64ArrayAttr(targets),
      comm::GroupsAttr::get(meshRef, axes), StringAttr(), ArrayAttr());
  op.replaceAllUsesWith(permute.getResult());
  op.erase();
  return success();
}

/// The integer of a scalar or splat constant.
static std::optional<int64_t> getConstant(Value value) {
  DenseIntElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat())
    return std::nullopt;
  return elements.getSplatValue<APInt>().getZExtValue();
}

LogicalResult Importer::importPartitionId(stablehlo::PartitionIdOp op) {
  // Ids are positions only if the mesh numbers its devices in order.
  if (!mesh.getDeviceIds().empty())
    return success();
  int64_t count = mesh.getNumDevices();
  // JAX writes (id / minor devices) mod (devices of the axis).
  auto replace = [&](Operation *root, int64_t stride, int64_t size) {
    std::optional<AxisList> axes = findRun(mesh, stride, size);
    if (!axes)
      return;
    OpBuilder builder(root);
    auto index = comm::AxisIndexOp::create(
        builder, root->getLoc(), root->getResult(0).getType(),
        comm::GroupsAttr::get(meshRef, *axes));
    root->getResult(0).replaceAllUsesWith(index.getResult());
    root->erase();
  };
  auto replaceRemainders = [&](Value value, int64_t stride) {
    for (Operation *user : llvm::make_early_inc_range(value.getUsers()))
      if (auto rem = dyn_cast<stablehlo::RemOp>(user);
          rem && rem.getLhs() == value)
        if (std::optional<int64_t> size = getConstant(rem.getRhs());
            size && *size > 0)
          replace(rem, stride, *size);
  };
  Value id = op.getResult();
  for (Operation *user : llvm::make_early_inc_range(id.getUsers())) {
    auto div = dyn_cast<stablehlo::DivOp>(user);
    if (!div || div.getLhs() != id)
      continue;
    std::optional<int64_t> stride = getConstant(div.getRhs());
    if (!stride || *stride < 1 || count % *stride)
      continue;
    replaceRemainders(div.getResult(), *stride);
    // A quotient alone is the index along all major axes.
    if (div.use_empty())
      div.erase();
    else
      replace(div, *stride, count / *stride);
  }
  replaceRemainders(id, 1);
  if (!id.use_empty()) {
    OpBuilder builder(op);
    auto index = comm::AxisIndexOp::create(builder, op.getLoc(), id.getType(),
                                           allDevices(op.getContext()));
    id.replaceAllUsesWith(index.getResult());
  }
  op.erase();
  return success();
}

LogicalResult Importer::importRagged(stablehlo::CustomCallOp op) {
  auto config = dyn_cast_if_present<DictionaryAttr>(
      op.getBackendConfig().value_or(Attribute()));
  if (op->getNumOperands() != 6 || op->getNumResults() != 1 || !config ||
      !config.get("replica_groups"))
    return op.emitError("takes input, output, input offsets, send sizes, "
                        "output offsets and receive sizes, and needs replica "
                        "groups in its backend_config");
  auto groups = readGroups(op, config.get("replica_groups"),
                           /*hasChannel=*/config.contains("channel_id"),
                           /*global=*/false);
  if (failed(groups))
    return failure();
  OpBuilder builder(op);
  auto exchange = comm::RaggedAllToAllOp::create(
      builder, op.getLoc(), op->getResult(0).getType(), op->getOperand(0),
      op->getOperand(1), op->getOperand(2), op->getOperand(3),
      op->getOperand(4), op->getOperand(5),
      makeGroups(*groups, op.getContext()), StringAttr(), ArrayAttr());
  op->replaceAllUsesWith(exchange);
  op.erase();
  return success();
}

LogicalResult Importer::run(Operation *op) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  MLIRContext *context = op->getContext();
  auto read = [&](auto collective, bool global) {
    auto channel = collective.getChannelHandle();
    return readGroups(op, collective.getReplicaGroups(),
                      channel && channel->getHandle() > 0, global);
  };
  StringAttr noReason;
  ArrayAttr noProvenance;
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](stablehlo::AllReduceOp reduce) -> LogicalResult {
        auto groups = read(reduce, reduce.getUseGlobalDeviceIds());
        if (failed(groups))
          return failure();
        std::optional<ReductionKind> kind = getKind(reduce.getComputation());
        bool even = llvm::all_of(*groups, [&](auto &group) {
          return group.size() == groups->front().size();
        });
        if (!even && isFullyManual(op)) {
          IrregularGroups irregular(meshRef, mesh, *groups);
          SmallVector<Value> results;
          for (Value operand : reduce.getOperands())
            results.push_back(irregular.reduce(builder, loc, operand,
                                               reduce.getComputation()));
          op->replaceAllUsesWith(results);
          op->erase();
          return success();
        }
        comm::GroupsAttr attr = makeGroups(*groups, context);
        return importReduction(
            op, reduce.getOperands(), reduce.getComputation(), attr,
            groups->front().size(),
            [&](Value operand, Type type) -> Value {
              return comm::AllReduceOp::create(
                  builder, loc, type, ReductionKindAttr::get(context, *kind),
                  operand, attr, noReason, noProvenance);
            },
            [&](Value folded, Type) { return folded; });
      })
      .Case([&](stablehlo::ReduceScatterOp scatter) -> LogicalResult {
        auto groups = read(scatter, scatter.getUseGlobalDeviceIds());
        if (failed(groups))
          return failure();
        comm::GroupsAttr attr = makeGroups(*groups, context);
        IntegerAttr dim = scatter.getScatterDimensionAttr();
        std::optional<ReductionKind> kind = getKind(scatter.getComputation());
        return importReduction(
            op, scatter->getOperands(), scatter.getComputation(), attr,
            groups->front().size(),
            [&](Value operand, Type type) -> Value {
              return comm::ReduceScatterOp::create(
                  builder, loc, type, ReductionKindAttr::get(context, *kind),
                  operand, dim, attr, noReason, noProvenance);
            },
            [&](Value folded, Type type) -> Value {
              return comm::AllSliceOp::create(builder, loc, type, folded, dim,
                                              attr);
            });
      })
      .Case([&](stablehlo::AllGatherOp gather) -> LogicalResult {
        auto groups = read(gather, gather.getUseGlobalDeviceIds());
        if (failed(groups))
          return failure();
        comm::GroupsAttr attr = makeGroups(*groups, context);
        SmallVector<Value> results;
        for (auto [operand, result] :
             llvm::zip(gather.getOperands(), gather.getResults()))
          results.push_back(comm::AllGatherOp::create(
              builder, loc, result.getType(), operand,
              gather.getAllGatherDimAttr(), attr, noReason, noProvenance));
        op->replaceAllUsesWith(results);
        op->erase();
        return success();
      })
      .Case([&](stablehlo::AllToAllOp exchange) -> LogicalResult {
        auto groups = read(exchange, false);
        if (failed(groups))
          return failure();
        if (int64_t(groups->front().size()) !=
            int64_t(exchange.getSplitCount()))
          return op->emitError("splits into ")
                 << exchange.getSplitCount() << " parts in groups of "
                 << groups->front().size();
        comm::GroupsAttr attr = makeGroups(*groups, context);
        SmallVector<Value> results;
        for (auto [operand, result] :
             llvm::zip(exchange.getOperands(), exchange.getResults()))
          results.push_back(comm::AllToAllOp::create(
              builder, loc, result.getType(), operand,
              exchange.getSplitDimensionAttr(),
              exchange.getConcatDimensionAttr(), attr, noReason, noProvenance));
        op->replaceAllUsesWith(results);
        op->erase();
        return success();
      })
      .Case([&](stablehlo::CollectiveBroadcastOp broadcast) -> LogicalResult {
        auto groups = read(broadcast, false);
        if (failed(groups))
          return failure();
        if (!findGroupAxes(*groups, mesh) && isFullyManual(op)) {
          Value result = IrregularGroups(meshRef, mesh, *groups)
                             .broadcast(builder, loc, broadcast.getOperand());
          if (!result)
            return op->emitError("has no zero for devices in no group");
          op->replaceAllUsesWith(ValueRange(result));
          op->erase();
          return success();
        }
        auto imported = comm::BroadcastOp::create(
            builder, loc, broadcast.getType(), broadcast.getOperand(),
            /*root_index=*/Value(), builder.getI64IntegerAttr(0),
            makeGroups(*groups, context), noReason, noProvenance);
        op->replaceAllUsesWith(imported);
        op->erase();
        return success();
      })
      .Case([&](stablehlo::CollectivePermuteOp permute) {
        return importPermute(permute);
      })
      .Case([&](stablehlo::CustomCallOp call) { return importRagged(call); })
      .Case([&](stablehlo::PartitionIdOp id) { return importPartitionId(id); })
      .Case([&](stablehlo::ReplicaIdOp id) {
        // One replica.
        auto zero = stablehlo::ConstantOp::create(
            builder, loc,
            DenseElementsAttr::get(
                cast<ShapedType>(id.getType()),
                builder.getIntegerAttr(
                    cast<ShapedType>(id.getType()).getElementType(), 0)));
        id.getResult().replaceAllUsesWith(zero.getResult());
        id.erase();
        return success();
      })
      .Default([](Operation *) { return success(); });
}

namespace {
struct ImportCollectivesPass
    : shoal::impl::ImportCollectivesPassBase<ImportCollectivesPass> {
  void runOnOperation() override {
    if (failed(inlineAsyncOps(getOperation())))
      return signalPassFailure();
    SmallVector<std::pair<Operation *, ManualOp>> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<stablehlo::AllReduceOp, stablehlo::ReduceScatterOp,
              stablehlo::AllGatherOp, stablehlo::AllToAllOp,
              stablehlo::CollectiveBroadcastOp, stablehlo::CollectivePermuteOp,
              stablehlo::CrossReplicaSumOp, stablehlo::PartitionIdOp,
              stablehlo::ReplicaIdOp>(op) ||
          isRaggedExchange(op))
        ops.push_back({op, op->getParentOfType<ManualOp>()});
    });
    for (auto [op, manual] : ops) {
      if (!manual) {
        if (failed(importLoneCollective(op)))
          return signalPassFailure();
        continue;
      }
      Attribute ref = getMeshRef(manual);
      MeshAttr mesh = ref ? lookupMesh(ref, manual) : MeshAttr();
      if (!mesh) {
        op->emitError("stands in a manual region without a mesh");
        return signalPassFailure();
      }
      if (failed(Importer(ref, mesh).run(op)))
        return signalPassFailure();
    }
  }
};
} // namespace
