// tile-assign-layouts: one layout per family of tiles.

#include "shoal/Codegen/GPU/TileCompiler.h"
#include "shoal/Codegen/GPU/TileLayouts.h"
#include "shoal/Codegen/Tile/Passes.h"

#include "TileLowering.h"

#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

namespace shoal {
#define GEN_PASS_DEF_TILEASSIGNLAYOUTS
#include "shoal/Codegen/Tile/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

namespace {
/// A load or store of a family.
struct Boundary {
  Operation *op;
  Value tile;
  ViewType view;
};

struct Family {
  SmallVector<Value> members;
  SmallVector<Boundary> boundaries;
  /// Sizes of the largest tiles, by dimension.
  SmallVector<int64_t> shape;
  /// Dimensions that a reduction or scan runs along.
  SmallVector<bool> combined;
  LayoutAttr given;
};

class Assignment {
public:
  explicit Assignment(FuncOp func) : func(func) {}
  LogicalResult run();

private:
  void collect();
  LogicalResult choose(Family &family);
  LayoutAttr layoutFor(ArrayRef<int64_t> shape, ArrayRef<bool> combined,
                       ArrayRef<unsigned> order, int64_t vector);
  void join(Value a, Value b) { classes.unionSets(key(a), key(b)); }
  unsigned key(Value value) {
    auto [it, isNew] = keys.try_emplace(value, values.size());
    if (isNew) {
      values.push_back(value);
      classes.insert(it->second);
    }
    return it->second;
  }

  FuncOp func;
  SmallVector<Value> values;
  llvm::DenseMap<Value, unsigned> keys;
  llvm::EquivalenceClasses<unsigned> classes;
};
} // namespace

static bool isTile(Value value) {
  return isa<RankedTensorType>(value.getType()) && isTileType(value.getType());
}

/// Dimensions of a view from the fastest in memory, among those where the tile
/// moves.
static SmallVector<unsigned> memoryOrder(ViewType view,
                                         ArrayRef<int64_t> shape) {
  SmallVector<unsigned> order;
  for (unsigned d = shape.size(); d-- > 0;)
    order.push_back(d);
  auto rank = [&](unsigned d) {
    int64_t stride = std::abs(view.getStrides()[d]);
    bool moves = stride != 0 && shape[d] > 1;
    return std::pair<bool, int64_t>(!moves, moves ? stride : 0);
  };
  llvm::stable_sort(order,
                    [&](unsigned a, unsigned b) { return rank(a) < rank(b); });
  return order;
}

void Assignment::collect() {
  func.walk([&](Operation *op) {
    // Values inside scalar regions are no tiles.
    if (op->getParentOfType<MapOp>() || op->getParentOfType<ReduceOp>() ||
        op->getParentOfType<ScanOp>())
      return;
    for (Value result : op->getResults())
      if (isTile(result))
        key(result);
    if (isa<MapOp, BroadcastOp, ReduceOp, ScanOp>(op)) {
      for (Value operand : op->getOperands())
        join(operand, op->getResult(0));
      for (Value result : op->getResults())
        join(result, op->getResult(0));
    } else if (auto gather = dyn_cast<GatherOp>(op)) {
      for (Value index : gather.getIndices())
        join(index, gather);
    } else if (auto scatter = dyn_cast<ScatterOp>(op)) {
      for (Value index : scatter.getIndices())
        join(index, scatter.getValue());
    } else if (auto dot = dyn_cast<DotOp>(op)) {
      join(dot.getAcc(), dot);
    } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
      for (auto [init, argument, yielded, result] : llvm::zip_equal(
               loop.getInitArgs(), loop.getRegionIterArgs(),
               loop.getBody()->getTerminator()->getOperands(),
               loop.getResults()))
        if (isTile(init)) {
          join(init, argument);
          join(init, yielded);
          join(init, result);
        }
    } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
      for (Region *region : {&branch.getThenRegion(), &branch.getElseRegion()})
        if (!region->empty())
          for (auto [yielded, result] :
               llvm::zip_equal(region->front().getTerminator()->getOperands(),
                               branch.getResults()))
            if (isTile(result))
              join(yielded, result);
    }
  });
}

LayoutAttr Assignment::layoutFor(ArrayRef<int64_t> shape,
                                 ArrayRef<bool> combined,
                                 ArrayRef<unsigned> order, int64_t vector) {
  size_t rank = shape.size();
  if (rank == 0)
    return LayoutAttr::get(func.getContext(),
                           coalescedLayout({}, 1, func.getLaunch().getWarps(), {}));
  // What is left of each dimension after vectors, then lanes, then warps.
  SmallVector<int64_t> left(shape), size(rank, 1), lanes(rank, 1),
      warps(rank, 1);
  size[order[0]] = std::min(left[order[0]], vector);
  left[order[0]] /= size[order[0]];
  auto spread = [&](int64_t count, ArrayRef<unsigned> dims,
                    SmallVectorImpl<int64_t> &parts) {
    for (unsigned d : dims) {
      int64_t part = std::min(left[d], count);
      parts[d] *= part;
      left[d] /= part;
      count /= part;
    }
    return count;
  };
  int64_t rest = spread(32, order, lanes);
  lanes[order[0]] *= rest; // copies
  SmallVector<unsigned> first, second;
  for (unsigned d : order)
    (combined[d] ? second : first).push_back(d);
  rest = spread(func.getLaunch().getWarps(), first, warps);
  rest = spread(rest, second, warps);
  warps[order[0]] *= rest;
  return LayoutAttr::get(func.getContext(),
                         blockedLayout(shape, size, lanes, warps, order));
}

LogicalResult Assignment::choose(Family &family) {
  ArrayRef<int64_t> shape = family.shape;
  LayoutAttr layout = family.given;
  int64_t threads = func.getNumThreads(), elements = 1;
  for (int64_t size : shape)
    elements *= size;
  /// Elements of a vector, given what it costs to be narrow.
  auto vectorOf = [&](int64_t bytes) {
    int64_t most = std::max<int64_t>(1, 16 / bytes);
    return std::max<int64_t>(1, std::min(most, elements / threads));
  };
  auto bytesOf = [](Value tile) {
    return tile::getElementBytes(
        cast<RankedTensorType>(tile.getType()).getElementType());
  };

  if (!layout) {
    // Orders by the bytes that move along them; a store counts for more, since
    // its value has no other consumer to convert for.
    llvm::MapVector<SmallVector<unsigned>, double> votes;
    int64_t narrowest = 16;
    for (const Boundary &boundary : family.boundaries) {
      ArrayRef<int64_t> tile = getTileShape(boundary.tile);
      if (tile.size() != shape.size())
        continue;
      int64_t count = 1;
      for (int64_t size : tile)
        count *= size;
      double bytes = double(count) * bytesOf(boundary.tile);
      if (isa<StoreOp>(boundary.op))
        bytes *= 1.5;
      votes[memoryOrder(boundary.view, tile)] += bytes;
      if (count == elements)
        narrowest = std::min(narrowest, bytesOf(boundary.tile));
    }
    SmallVector<unsigned> order;
    double best = -1;
    for (auto &[candidate, bytes] : votes)
      if (bytes > best) {
        best = bytes;
        order = candidate;
      }
    if (order.empty())
      for (unsigned d = shape.size(); d-- > 0;)
        order.push_back(d);
    layout = layoutFor(shape, family.combined, order,
                       vectorOf(std::max<int64_t>(narrowest, 2)));
  }

  // Loads and stores along another dimension, where it matters: whole tiles.
  OpBuilder builder(func.getContext());
  llvm::DenseMap<Value, bool> separate;
  for (const Boundary &boundary : family.boundaries) {
    ArrayRef<int64_t> tile = getTileShape(boundary.tile);
    if (tile != shape || shape.empty() || elements < threads ||
        tile::getLayout(boundary.tile))
      continue;
    SmallVector<unsigned> order = memoryOrder(boundary.view, tile);
    int64_t stride = boundary.view.getStrides()[order[0]];
    if (stride != 1 || tile[order[0]] < 8)
      continue;
    // The layout walks along the contiguous dimension already?
    const LinearLayout &map = layout.getMap();
    std::string name = tensorDimName(order[0]);
    int64_t walked = 1;
    for (bool more = true; more;) {
      more = false;
      for (StringRef in : {StringRef(kRegister), StringRef(kLane)})
        for (unsigned bit = 0; bit < map.inBits(in); ++bit)
          if (map.basisOut(in, bit, name) == walked) {
            walked *= 2;
            more = true;
          }
    }
    if (walked * bytesOf(boundary.tile) >= 32 || walked == tile[order[0]])
      continue;
    LayoutAttr own = layoutFor(shape, SmallVector<bool>(shape.size()), order,
                               vectorOf(bytesOf(boundary.tile)));
    if (auto load = dyn_cast<LoadOp>(boundary.op)) {
      RankedTensorType type = load.getType();
      builder.setInsertionPointAfter(load);
      load.getResult().setType(withLayout(type, own));
      auto convert = ConvertLayoutOp::create(builder, load.getLoc(),
                                             withLayout(type, layout), load);
      load.getResult().replaceAllUsesExcept(convert, convert);
      separate[load] = true;
    } else if (auto store = dyn_cast<StoreOp>(boundary.op)) {
      builder.setInsertionPoint(store);
      RankedTensorType type = store.getValue().getType();
      // The operand gets its layout with the family, just below.
      store.getValue().setType(withLayout(type, layout));
      auto convert = ConvertLayoutOp::create(
          builder, store.getLoc(), withLayout(type, own), store.getValue());
      store.getValueMutable().assign(convert);
    }
  }

  for (Value member : family.members) {
    if (separate.count(member) || tile::getLayout(member))
      continue;
    ArrayRef<int64_t> tile = getTileShape(member);
    member.setType(withLayout(member.getType(), layout.restrictTo(tile)));
  }
  return success();
}

LogicalResult Assignment::run() {
  collect();
  llvm::MapVector<unsigned, Family> families;
  for (auto [number, value] : llvm::enumerate(values)) {
    Family &family = families[classes.getLeaderValue(number)];
    family.members.push_back(value);
    ArrayRef<int64_t> shape = getTileShape(value);
    if (family.shape.empty() && !shape.empty()) {
      family.shape.assign(shape.size(), 1);
      family.combined.assign(shape.size(), false);
    }
    if (family.shape.size() != shape.size())
      return func.emitOpError()
             << "joins tiles of different ranks element by element";
    for (auto [size, mine] : llvm::zip_equal(family.shape, shape))
      size = std::max(size, mine);
  }
  for (auto [number, value] : llvm::enumerate(values)) {
    Family &family = families[classes.getLeaderValue(number)];
    if (LayoutAttr layout = tile::getLayout(value);
        layout && getTileShape(value) == ArrayRef<int64_t>(family.shape) &&
        !family.given)
      family.given = layout;
    if (auto load = value.getDefiningOp<LoadOp>())
      family.boundaries.push_back({load, value, load.getView().getType()});
    for (Operation *user : value.getUsers()) {
      if (auto store = dyn_cast<StoreOp>(user))
        family.boundaries.push_back({store, value, store.getView().getType()});
      if (auto reduce = dyn_cast<ReduceOp>(user))
        family.combined[reduce.getAxis()] = true;
      if (auto scan = dyn_cast<ScanOp>(user))
        family.combined[scan.getAxis()] = true;
    }
  }
  for (auto &[leader, family] : families) {
    // A layout on a smaller tile alone says nothing of the family's.
    if (!family.given &&
        llvm::any_of(family.members,
                     [](Value member) { return bool(tile::getLayout(member)); }))
      if (llvm::any_of(family.members, [](Value member) {
            return !tile::getLayout(member);
          }))
        return func.emitOpError() << "has layouts on small tiles of a family "
                                     "without one on its largest";
    if (failed(choose(family)))
      return failure();
  }
  // Ops that rename coordinates: what follows from their operands.
  WalkResult result = func.walk([&](Operation *op) {
    if (auto reshape = dyn_cast<ReshapeOp>(op)) {
      LinearLayout map = reshapeLayout(
          tile::getLayout(reshape.getInput()).getMap(),
          reshape.getType().getShape());
      auto wanted = LayoutAttr::get(op->getContext(), map);
      LayoutAttr layout = tile::getLayout(reshape);
      if (layout == wanted)
        return WalkResult::advance();
      OpBuilder builder(op->getContext());
      builder.setInsertionPointAfter(op);
      RankedTensorType type = reshape.getType();
      reshape.getResult().setType(withLayout(type, wanted));
      auto convert =
          ConvertLayoutOp::create(builder, op->getLoc(), type, reshape);
      reshape.getResult().replaceAllUsesExcept(convert, convert);
    } else if (auto transpose = dyn_cast<TransposeOp>(op)) {
      SmallVector<unsigned> order(transpose.getPermutation().begin(),
                                  transpose.getPermutation().end());
      auto wanted = LayoutAttr::get(
          op->getContext(),
          transposeLayout(tile::getLayout(transpose.getInput()).getMap(),
                          order));
      if (tile::getLayout(transpose) == wanted)
        return WalkResult::advance();
      OpBuilder builder(op->getContext());
      builder.setInsertionPointAfter(op);
      RankedTensorType type = transpose.getType();
      transpose.getResult().setType(withLayout(type, wanted));
      auto convert =
          ConvertLayoutOp::create(builder, op->getLoc(), type, transpose);
      transpose.getResult().replaceAllUsesExcept(convert, convert);
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult shoal::assignTileLayouts(FuncOp func) {
  return Assignment(func).run();
}

namespace {
struct TileAssignLayoutsPass
    : shoal::impl::TileAssignLayoutsBase<TileAssignLayoutsPass> {
  void runOnOperation() override {
    for (FuncOp func : getOperation().getOps<FuncOp>())
      if (failed(assignTileLayouts(func)))
        return signalPassFailure();
  }
};
} // namespace
