// shoal-export-stablehlo: comm ops as StableHLO collectives over device ids.

#include "shoal/Analysis/ScalarBodies.h"
#include "shoal/Partition/Passes.h"
#include "shoal/Support/TensorTypes.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Axes.h"
#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/ShardingRule.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/MeshModel.h"

namespace shoal {
#define GEN_PASS_DEF_EXPORTSTABLEHLOPASS
#include "shoal/Partition/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

namespace {
class Exporter {
public:
  Exporter(ModuleOp module, int64_t devices)
      : module(module), b(module.getContext()), devices(devices) {}

  LogicalResult run() {
    SmallVector<Operation *> ops;
    module.walk([&](Operation *op) {
      if (op->getDialect() && op->getDialect()->getNamespace() == "comm")
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      b.setInsertionPoint(op);
      loc = op->getLoc();
      Value value = convert(op);
      if (!value)
        return op->emitError("has no form in StableHLO");
      op->getResult(0).replaceAllUsesWith(value);
      op->erase();
    }
    return success();
  }

private:
  ModuleOp module;
  OpBuilder b;
  int64_t devices;
  int64_t channels = 0;
  Location loc = UnknownLoc::get(module.getContext());
  using Groups = SmallVector<SmallVector<int64_t>>;

  sh::ChannelHandleAttr channel() {
    return sh::ChannelHandleAttr::get(b.getContext(), ++channels, 1);
  }
  DenseIntElementsAttr groupsAttr(const Groups &groups) {
    int64_t width = 0;
    for (auto &group : groups)
      width = std::max<int64_t>(width, group.size());
    SmallVector<int64_t> flat;
    for (auto &group : groups) {
      flat.append(group.begin(), group.end());
      flat.append(width - group.size(), -1);
    }
    auto type = RankedTensorType::get(
        {static_cast<int64_t>(groups.size()), width}, b.getI64Type());
    return DenseIntElementsAttr::get(type, flat);
  }
  Value scalar(int64_t value) {
    auto type = RankedTensorType::get({}, b.getI32Type());
    return sh::ConstantOp::create(
        b, loc, type, DenseElementsAttr::get(type, b.getI32IntegerAttr(value)));
  }
  Value zero(Type element) {
    return sh::ConstantOp::create(b, loc, getFiller(element));
  }
  Value padTo(Value value, int64_t dim, int64_t size) {
    auto type = typeOf(value);
    if (type.getDimSize(dim) == size)
      return value;
    SmallVector<int64_t> shape(type.getShape()), low(shape.size(), 0),
        high(shape.size(), 0), interior(shape.size(), 0);
    high[dim] = size - shape[dim];
    shape[dim] = size;
    return sh::PadOp::create(b, loc, type.clone(shape), value,
                             zero(type.getElementType()), low, high, interior);
  }
  Value cutTo(Value value, int64_t dim, int64_t size) {
    auto type = typeOf(value);
    if (type.getDimSize(dim) == size)
      return value;
    SmallVector<int64_t> shape(type.getShape()), start(shape.size(), 0),
        stride(shape.size(), 1);
    shape[dim] = size;
    return sh::SliceOp::create(b, loc, type.clone(shape), value, start, shape,
                               stride);
  }
  /// table[partition id], a scalar i32.
  Value perDevice(ArrayRef<int32_t> table) {
    auto ui32 = RankedTensorType::get({}, b.getIntegerType(32, false));
    auto i32 = RankedTensorType::get({}, b.getI32Type());
    Value id = sh::PartitionIdOp::create(b, loc, ui32);
    id = sh::ConvertOp::create(b, loc, i32, id);
    auto type = RankedTensorType::get({static_cast<int64_t>(table.size())},
                                      b.getI32Type());
    Value values = sh::ConstantOp::create(
        b, loc, type, DenseIntElementsAttr::get(type, table));
    Value one = sh::DynamicSliceOp::create(
        b, loc, RankedTensorType::get({1}, b.getI32Type()), values,
        ValueRange{id}, ArrayRef<int64_t>{1});
    return sh::ReshapeOp::create(b, loc, i32, one);
  }
  Value indexIn(const Groups &groups) {
    SmallVector<int32_t> table(devices, 0);
    for (auto &group : groups)
      for (auto [i, device] : llvm::enumerate(group))
        if (device < devices)
          table[device] = i;
    return perDevice(table);
  }
  Value sliceAt(Value value, int64_t dim, Value start, int64_t size) {
    auto type = typeOf(value);
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] = size;
    SmallVector<Value> starts;
    for (int64_t d = 0; d < type.getRank(); ++d)
      starts.push_back(d == dim ? start : scalar(0));
    return sh::DynamicSliceOp::create(b, loc, type.clone(shape), value, starts,
                                      shape);
  }
  Value times(Value value, int64_t factor) {
    return sh::MulOp::create(b, loc, value.getType(), value, scalar(factor));
  }
  void fillReducer(Region &region, ReductionKind kind, Type element) {
    OpBuilder::InsertionGuard guard(b);
    Block *block = b.createBlock(&region);
    auto type = RankedTensorType::get({}, element);
    Value x = block->addArgument(type, loc), y = block->addArgument(type, loc);
    Value r = createCombine(b, loc, kind, x, y);
    sh::ReturnOp::create(b, loc, ValueRange{r});
  }
  /// XLA's collectives add, multiply and compare; bit by bit they reduce
  /// booleans at most.
  static bool isTakenByXla(ReductionKind kind, Type element) {
    switch (kind) {
    case ReductionKind::And:
    case ReductionKind::Or:
      return element.isInteger(1);
    case ReductionKind::Xor:
      return false;
    default:
      return true;
    }
  }
  /// What the devices of each group have, reduced, on all of them.
  Value reduceOver(Value value, ReductionKind kind, const Groups &groups) {
    auto type = typeOf(value);
    Type element = type.getElementType();
    bool areEven = llvm::all_of(
        groups, [&](auto &group) { return group.size() == groups[0].size(); });
    if (isTakenByXla(kind, element) || !areEven) {
      auto all = sh::AllReduceOp::create(
          b, loc, TypeRange{type}, ValueRange{value}, groupsAttr(groups),
          channel(), /*use_global_device_ids=*/true);
      fillReducer(all->getRegion(0), kind, element);
      return all->getResult(0);
    }
    SmallVector<int64_t> shape(type.getShape());
    shape.insert(shape.begin(), 1);
    Value line = sh::ReshapeOp::create(b, loc, type.clone(shape), value);
    shape[0] = groups[0].size();
    auto all = sh::AllGatherOp::create(
        b, loc, TypeRange{type.clone(shape)}, ValueRange{line}, 0,
        groupsAttr(groups), channel(), /*use_global_device_ids=*/true);
    auto scalar = RankedTensorType::get({}, element);
    Value neutral = sh::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(scalar,
                               Attribute(getNeutralElement(kind, element))));
    auto reduce = sh::ReduceOp::create(
        b, loc, TypeRange{type}, ValueRange{all->getResult(0)},
        ValueRange{neutral}, b.getDenseI64ArrayAttr({0}));
    fillReducer(reduce.getBody(), kind, element);
    return reduce->getResult(0);
  }
  Value permute(Value value, ArrayRef<std::pair<int64_t, int64_t>> pairs) {
    SmallVector<int64_t> flat;
    for (auto [from, to] : pairs) {
      flat.push_back(from);
      flat.push_back(to);
    }
    auto type = RankedTensorType::get({static_cast<int64_t>(pairs.size()), 2},
                                      b.getI64Type());
    return sh::CollectivePermuteOp::create(
        b, loc, value.getType(), value, DenseIntElementsAttr::get(type, flat),
        channel());
  }

  Value convert(Operation *op) {
    if (auto index = dyn_cast<comm::AxisIndexOp>(op)) {
      Value value = indexIn(index.getGroups().getDeviceGroups(op));
      if (value.getType() != index.getType())
        value = sh::ConvertOp::create(b, loc, index.getType(), value);
      return value;
    }
    if (auto slice = dyn_cast<comm::AllSliceOp>(op)) {
      Groups groups = slice.getGroups().getDeviceGroups(op);
      int64_t dim = slice.getDim();
      auto type = cast<RankedTensorType>(slice.getType());
      int64_t block = type.getDimSize(dim);
      Value whole = padTo(slice.getInput(), dim, block * groups[0].size());
      return sliceAt(whole, dim, times(indexIn(groups), block), block);
    }
    if (auto gather = dyn_cast<comm::AllGatherOp>(op)) {
      Groups groups = gather.getGroups().getDeviceGroups(op);
      int64_t dim = gather.getDim();
      SmallVector<int64_t> shape(typeOf(gather.getInput()).getShape());
      shape[dim] *= groups[0].size();
      auto type = typeOf(gather.getInput()).clone(shape);
      auto all = sh::AllGatherOp::create(
          b, loc, TypeRange{type}, ValueRange{gather.getInput()}, dim,
          groupsAttr(groups), channel(), /*use_global_device_ids=*/true);
      return cutTo(all->getResult(0), dim,
                   cast<RankedTensorType>(gather.getType()).getDimSize(dim));
    }
    if (auto reduce = dyn_cast<comm::AllReduceOp>(op))
      return reduceOver(reduce.getInput(), reduce.getKind(),
                        reduce.getGroups().getDeviceGroups(op));
    if (auto scatter = dyn_cast<comm::ReduceScatterOp>(op)) {
      Groups groups = scatter.getGroups().getDeviceGroups(op);
      int64_t dim = scatter.getDim();
      auto type = cast<RankedTensorType>(scatter.getType());
      Value whole = padTo(scatter.getInput(), dim,
                          type.getDimSize(dim) * groups[0].size());
      if (!isTakenByXla(scatter.getKind(), type.getElementType()))
        return sliceAt(reduceOver(whole, scatter.getKind(), groups), dim,
                       times(indexIn(groups), type.getDimSize(dim)),
                       type.getDimSize(dim));
      auto all = sh::ReduceScatterOp::create(b, loc, type, whole, dim,
                                             groupsAttr(groups), channel(),
                                             /*use_global_device_ids=*/true);
      fillReducer(all->getRegion(0), scatter.getKind(), type.getElementType());
      return all->getResult(0);
    }
    if (auto all = dyn_cast<comm::AllToAllOp>(op)) {
      Groups groups = all.getGroups().getDeviceGroups(op);
      int64_t count = groups[0].size();
      int64_t split = all.getSplitDim(), concat = all.getConcatDim();
      auto type = cast<RankedTensorType>(all.getType());
      Value whole = all.getInput();
      if (split != concat)
        whole = padTo(whole, split, type.getDimSize(split) * count);
      SmallVector<int64_t> shape(typeOf(whole).getShape());
      if (split != concat) {
        shape[split] /= count;
        shape[concat] *= count;
      }
      auto result = sh::AllToAllOp::create(
          b, loc, TypeRange{type.clone(shape)}, ValueRange{whole}, split,
          concat, count, groupsAttr(groups), channel());
      return cutTo(result->getResult(0), concat, type.getDimSize(concat));
    }
    if (auto moved = dyn_cast<comm::PermuteOp>(op)) {
      SmallVector<std::pair<int64_t, int64_t>> pairs;
      for (auto &group : moved.getGroups().getDeviceGroups(op))
        for (auto [from, to] :
             llvm::zip_equal(moved.getSources(), moved.getTargets()))
          pairs.push_back({group[from], group[to]});
      return permute(moved.getInput(), pairs);
    }
    if (auto cast = dyn_cast<comm::BroadcastOp>(op)) {
      Groups groups = cast.getGroups().getDeviceGroups(op);
      Value root = cast.getRootIndex();
      if (!root)
        root = scalar(cast.getRoot().value_or(0));
      auto i32 = RankedTensorType::get({}, b.getI32Type());
      if (root.getType() != i32)
        root = sh::ConvertOp::create(b, loc, i32, root);
      Value mine = sh::CompareOp::create(
          b, loc, RankedTensorType::get({}, b.getI1Type()), indexIn(groups),
          root,
          sh::ComparisonDirectionAttr::get(b.getContext(),
                                           sh::ComparisonDirection::EQ),
          sh::ComparisonTypeAttr());
      auto type = typeOf(cast.getInput());
      Value zeros = sh::BroadcastInDimOp::create(
          b, loc, type, zero(type.getElementType()), ArrayRef<int64_t>{});
      Value masked =
          sh::SelectOp::create(b, loc, type, mine, cast.getInput(), zeros);
      return reduceOver(masked,
                        type.getElementType().isInteger(1) ? ReductionKind::Or
                                                           : ReductionKind::Add,
                        groups);
    }
    if (auto shift = dyn_cast<comm::ReblockOp>(op))
      return window(op, shift.getInput(), shift.getFill(), shift.getDim(),
                    shift.getSize(), shift.getOffset(),
                    shift.getStepOrDefault(),
                    shift.getType().getDimSize(shift.getDim()),
                    shift.getGroups().getDeviceGroups(op));
    if (auto halo = dyn_cast<comm::HaloOp>(op)) {
      if (halo.getWrap())
        return {};
      int64_t dim = halo.getDim();
      int64_t block = typeOf(halo.getInput()).getDimSize(dim);
      return window(op, halo.getInput(), halo.getFill(), dim, halo.getSize(),
                    -static_cast<int64_t>(halo.getLow()), block,
                    cast<RankedTensorType>(halo.getType()).getDimSize(dim),
                    halo.getGroups().getDeviceGroups(op));
    }
    if (auto exchange = dyn_cast<comm::RaggedAllToAllOp>(op))
      return ragged(exchange);
    return {};
  }

  /// StableHLO has no such exchange: everything is gathered, and each row
  /// looked up. Row k of `table` is what device k says of its piece for this
  /// one: where it lies, how long it is, where it goes.
  Value ragged(comm::RaggedAllToAllOp op) {
    Groups groups = op.getGroups().getDeviceGroups(op);
    auto type = typeOf(op.getInput());
    int64_t n = groups[0].size(), rows = type.getDimSize(0);
    SmallVector<int64_t> shape(type.getShape());
    shape[0] = n * rows;
    Value all = sh::AllGatherOp::create(b, loc, TypeRange{type.clone(shape)},
                                        ValueRange{op.getInput()}, 0,
                                        groupsAttr(groups), channel(),
                                        /*use_global_device_ids=*/true)
                    ->getResult(0);
    Type i32 = b.getI32Type();
    SmallVector<Value> columns;
    for (Value list :
         {op.getInputOffsets(), op.getSendSizes(), op.getOutputOffsets()}) {
      Value column =
          sh::ConvertOp::create(b, loc, RankedTensorType::get({n}, i32), list);
      columns.push_back(sh::ReshapeOp::create(
          b, loc, RankedTensorType::get({n, 1}, i32), column));
    }
    auto tableType = RankedTensorType::get({n, 3}, i32);
    Value table = sh::ConcatenateOp::create(b, loc, tableType, columns, 1);
    table =
        sh::AllToAllOp::create(b, loc, TypeRange{tableType}, ValueRange{table},
                               0, 0, n, groupsAttr(groups), channel())
            ->getResult(0);
    Value result = op.getOutput();
    auto outType = typeOf(result);
    int64_t outRows = outType.getDimSize(0);
    auto line = RankedTensorType::get({outRows}, i32);
    auto bits = RankedTensorType::get({outRows}, b.getI1Type());
    Value place = sh::IotaOp::create(b, loc, line, 0);
    SmallVector<int64_t> sizes(type.getShape()), offsets;
    sizes[0] = 1;
    for (int64_t d = 1; d < type.getRank(); ++d)
      offsets.push_back(d);
    auto compare = [&](Value x, Value y, sh::ComparisonDirection how) -> Value {
      return sh::CompareOp::create(
          b, loc, bits, x, y,
          sh::ComparisonDirectionAttr::get(b.getContext(), how),
          sh::ComparisonTypeAttr());
    };
    for (int64_t k = 0; k < n; ++k) {
      auto entry = [&](int64_t column) -> Value {
        Value one = sh::SliceOp::create(
            b, loc, RankedTensorType::get({1, 1}, i32), table,
            ArrayRef<int64_t>{k, column}, ArrayRef<int64_t>{k + 1, column + 1},
            ArrayRef<int64_t>{1, 1});
        one =
            sh::ReshapeOp::create(b, loc, RankedTensorType::get({}, i32), one);
        return sh::BroadcastInDimOp::create(b, loc, line, one,
                                            ArrayRef<int64_t>{});
      };
      Value within = sh::SubtractOp::create(b, loc, line, place, entry(2));
      Value zeros = sh::SubtractOp::create(b, loc, line, place, place);
      Value mine = sh::AndOp::create(
          b, loc, bits, compare(within, zeros, sh::ComparisonDirection::GE),
          compare(within, entry(1), sh::ComparisonDirection::LT));
      Value from = sh::AddOp::create(b, loc, line, within, entry(0));
      Value base = sh::BroadcastInDimOp::create(b, loc, line, scalar(k * rows),
                                                ArrayRef<int64_t>{});
      from = sh::AddOp::create(b, loc, line, from, base);
      from = sh::ReshapeOp::create(
          b, loc, RankedTensorType::get({outRows, 1}, i32), from);
      auto numbers = sh::GatherDimensionNumbersAttr::get(
          b.getContext(), offsets, {0}, {}, {}, {0}, 1);
      Value piece = sh::GatherOp::create(b, loc, outType, all, from, numbers,
                                         sizes, false);
      Value wide = sh::BroadcastInDimOp::create(
          b, loc, RankedTensorType::get(outType.getShape(), b.getI1Type()),
          mine, ArrayRef<int64_t>{0});
      result = sh::SelectOp::create(b, loc, outType, wide, piece, result);
    }
    return result;
  }

  /// Device i of each group gets [offset + i*step, + width) of a dimension of
  /// `size` elements that lies in blocks: neighbours send whole blocks.
  Value window(Operation *op, Value input, Value fill, int64_t dim,
               int64_t size, int64_t offset, int64_t step, int64_t width,
               const Groups &groups) {
    auto type = typeOf(input);
    int64_t block = type.getDimSize(dim), n = groups[0].size();
    auto floorDiv = [](int64_t a, int64_t c) {
      return a >= 0 ? a / c : -((-a + c - 1) / c);
    };
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (int64_t i = 0; i < n; ++i) {
      low = std::min(low, floorDiv(offset + i * step, block) - i);
      high = std::max(high, floorDiv(offset + i * step + width - 1, block) - i);
    }
    SmallVector<Value> pieces;
    for (int64_t k = low; k <= high; ++k) {
      if (k == 0) {
        pieces.push_back(input);
        continue;
      }
      SmallVector<std::pair<int64_t, int64_t>> pairs;
      for (auto &group : groups)
        for (int64_t i = 0; i < n; ++i)
          if (i + k >= 0 && i + k < n)
            pairs.push_back({group[i + k], group[i]});
      if (pairs.empty()) {
        pieces.push_back(sh::BroadcastInDimOp::create(
            b, loc, type, zero(type.getElementType()), ArrayRef<int64_t>{}));
        continue;
      }
      pieces.push_back(permute(input, pairs));
    }
    Value joined = pieces[0];
    if (pieces.size() > 1) {
      SmallVector<int64_t> shape(type.getShape());
      shape[dim] = block * pieces.size();
      joined =
          sh::ConcatenateOp::create(b, loc, type.clone(shape), pieces, dim);
    }
    joined =
        padTo(joined, dim, std::max(typeOf(joined).getDimSize(dim), width));
    // Where the window starts in the joined blocks, per device.
    SmallVector<int32_t> starts(devices, 0), globals(devices, 0);
    for (auto &group : groups)
      for (int64_t i = 0; i < n; ++i) {
        starts[group[i]] = offset + i * step - (i + low) * block;
        globals[group[i]] = offset + i * step;
      }
    Value result = sliceAt(joined, dim, perDevice(starts), width);
    if (!fill)
      return result;
    auto resultType = typeOf(result);
    auto index = RankedTensorType::get({width}, b.getI32Type());
    Value position = sh::IotaOp::create(b, loc, index, 0);
    position = sh::AddOp::create(
        b, loc, index, position,
        sh::BroadcastInDimOp::create(b, loc, index, perDevice(globals),
                                     ArrayRef<int64_t>{}));
    auto compare = [&](sh::ComparisonDirection how, int64_t bound) -> Value {
      Value limit = sh::BroadcastInDimOp::create(b, loc, index, scalar(bound),
                                                 ArrayRef<int64_t>{});
      return sh::CompareOp::create(
          b, loc, RankedTensorType::get({width}, b.getI1Type()), position,
          limit, sh::ComparisonDirectionAttr::get(b.getContext(), how),
          sh::ComparisonTypeAttr());
    };
    Value inside = compare(sh::ComparisonDirection::GE, 0);
    inside = sh::AndOp::create(b, loc, inside.getType(), inside,
                               compare(sh::ComparisonDirection::LT, size));
    inside =
        sh::BroadcastInDimOp::create(b, loc, resultType.clone(b.getI1Type()),
                                     inside, ArrayRef<int64_t>{dim});
    Value filled = sh::BroadcastInDimOp::create(b, loc, resultType, fill,
                                                ArrayRef<int64_t>{});
    return sh::SelectOp::create(b, loc, resultType, inside, result, filled);
  }
};

struct ExportStableHLOPass
    : public shoal::impl::ExportStableHLOPassBase<ExportStableHLOPass> {
  void runOnOperation() override {
    if (failed(exportToStableHLO(getOperation())))
      signalPassFailure();
  }
};
} // namespace

LogicalResult shoal::exportToStableHLO(ModuleOp module) {
  int64_t devices = 1;
  for (MeshOp mesh : module.getOps<MeshOp>())
    devices = std::max(devices, mesh.getMesh().getNumDevices());
  if (failed(Exporter(module, devices).run()))
    return failure();
  // The shardings go. What a caller needs to cut and join arrays stays: where
  // each device's block starts, and the global shape.
  module.walk([&](func::FuncOp func) {
    auto rewrite = [&](DictionaryAttr attrs, Type local) {
      NamedAttrList kept;
      auto global =
          attrs ? attrs.getAs<TypeAttr>("shoal.global_type") : TypeAttr();
      auto sharding =
          attrs ? attrs.getAs<ShardingAttr>(ShoalDialect::kShardingAttr)
                : ShardingAttr();
      if (auto tensor = global ? dyn_cast<RankedTensorType>(global.getValue())
                               : RankedTensorType()) {
        SmallVector<int64_t> offsets;
        MeshAttr mesh = sharding ? sharding.getMesh(func) : MeshAttr();
        for (int64_t device = 0; device < devices; ++device) {
          if (mesh && mesh.getPosition(device) >= 0)
            llvm::append_range(offsets,
                               getBlockOffset(tensor.getShape(), sharding, mesh,
                                              mesh.getPosition(device)));
          else
            offsets.append(tensor.getRank(), 0);
        }
        Builder b(func.getContext());
        kept.append("jax.offsets",
                    DenseIntElementsAttr::get(
                        RankedTensorType::get({devices, tensor.getRank()},
                                              b.getI64Type()),
                        offsets));
        kept.append("jax.global_shape",
                    b.getDenseI64ArrayAttr(tensor.getShape()));
      }
      return kept.getDictionary(func.getContext());
    };
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      func.setArgAttrs(
          i, rewrite(func.getArgAttrDict(i), func.getArgumentTypes()[i]));
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      func.setResultAttrs(
          i, rewrite(func.getResultAttrDict(i), func.getResultTypes()[i]));
  });
  for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
    if (isa<MeshOp, RuleOp>(op))
      op.erase();
  Builder b(module.getContext());
  module->setAttr("mhlo.num_partitions",
                  b.getI32IntegerAttr(static_cast<int32_t>(devices)));
  module->setAttr("mhlo.num_replicas", b.getI32IntegerAttr(1));
  return success();
}
