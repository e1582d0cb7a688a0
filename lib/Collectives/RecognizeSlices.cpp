// shoal-recognize-slices: see Passes.td.
#include "GroupAxes.h"
#include "UniformValues.h"
#include "shoal/Analysis/IntegerScalars.h"
#include "shoal/Collectives/Passes.h"

#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using shoal::comm::AllSliceOp;
using shoal::comm::AxisIndexOp;
using shoal::comm::GroupsAttr;
namespace sh = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_RECOGNIZESLICES
#include "shoal/Collectives/Passes.h.inc"

namespace {

/// Positions beyond that are not tried out.
constexpr int64_t kMaxPositions = 4096;

/// A device's positions in groups, by which its slice begins.
struct Positions {
  llvm::MapVector<Attribute, int64_t> byGroups;

  /// Where a slice begins at these positions; groups that are not there yet are
  /// added, with position 0.
  std::optional<int64_t> evaluate(Value start) {
    Type element = getElementTypeOrSelf(start.getType());
    auto number = evaluateInteger(start, [&](Value value) {
      auto index = value.getDefiningOp<AxisIndexOp>();
      if (!index || index.getGroups().isTable())
        return std::optional<APInt>();
      int64_t at = byGroups.try_emplace(index.getGroups(), 0).first->second;
      unsigned width =
          getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
      return std::optional<APInt>(
          APInt(width, at, /*isSigned=*/false, /*implicitTrunc=*/true));
    });
    return number ? asInt64(*number, element) : std::nullopt;
  }
};

struct RecognizeSlices : impl::RecognizeSlicesBase<RecognizeSlices> {
  void runOnOperation() override {
    SmallVector<sh::DynamicSliceOp> ops;
    getOperation().walk([&](sh::DynamicSliceOp op) {
      if (op->getParentOfType<func::FuncOp>())
        ops.push_back(op);
    });
    // An all_slice is of what the group's devices hold alike: gathered again it
    // would be what it was. That is said of the module as it came.
    llvm::DenseMap<std::pair<Operation *, Attribute>,
                   std::unique_ptr<UniformValues>>
        uniform;
    SmallVector<std::pair<sh::DynamicSliceOp, OwnSlice>> found;
    for (sh::DynamicSliceOp op : ops)
      if (std::optional<OwnSlice> own = recognize(op)) {
        auto func = op->getParentOfType<func::FuncOp>();
        auto &values = uniform[{func, own->groups}];
        if (!values)
          values = std::make_unique<UniformValues>(func, own->groups);
        if (values->contains(op.getOperand()) && values->isReachedTogether(op))
          found.push_back({op, *own});
      }
    for (auto [op, own] : found) {
      OpBuilder b(op);
      op.replaceAllUsesWith(
          AllSliceOp::create(b, op.getLoc(), op.getType(), op.getOperand(),
                             b.getI64IntegerAttr(own.dim), own.groups)
              .getResult());
      op.erase();
    }
  }

private:
  struct OwnSlice {
    int64_t dim;
    GroupsAttr groups;
  };

  /// Where a slice begins at the device's own position times its size.
  static std::optional<OwnSlice> recognize(sh::DynamicSliceOp op) {
    auto type = cast<RankedTensorType>(op.getOperand().getType());
    // One dimension is cut.
    int64_t dim = -1;
    for (auto [d, size] : llvm::enumerate(op.getSliceSizes()))
      if (size != type.getDimSize(d)) {
        if (dim >= 0)
          return std::nullopt;
        dim = d;
      }
    if (dim < 0)
      return std::nullopt;
    int64_t size = op.getSliceSizes()[dim], whole = type.getDimSize(dim);
    Value start = op.getStartIndices()[dim];
    Positions positions;
    if (size == 0 || whole % size || !positions.evaluate(start) ||
        positions.byGroups.empty() || positions.byGroups.size() > 3)
      return std::nullopt;
    SmallVector<GroupsAttr> order;
    for (auto &[groups, position] : positions.byGroups)
      order.push_back(cast<GroupsAttr>(groups));
    auto before = [](GroupsAttr a, GroupsAttr b) {
      return a.getAsOpaquePointer() < b.getAsOpaquePointer();
    };
    llvm::sort(order, before);
    // Which of several axes is major only the numbers say.
    do {
      GroupsAttr all = order.front();
      for (GroupsAttr next : llvm::drop_begin(order))
        if (all)
          all = joinGroups(all, next);
      if (!all)
        return std::nullopt;
      int64_t n = all.getGroupSize(op);
      if (n * size != whole || n > kMaxPositions)
        return std::nullopt;
      bool isOwn = true;
      for (int64_t p = 0; isOwn && p < n; ++p) {
        int64_t rest = p;
        for (GroupsAttr groups : llvm::reverse(order)) {
          int64_t members = groups.getGroupSize(op);
          positions.byGroups[groups] = rest % members;
          rest /= members;
        }
        isOwn = positions.evaluate(start) == p * size;
      }
      if (!isOwn)
        continue;
      return OwnSlice{dim, all};
    } while (std::next_permutation(order.begin(), order.end(), before));
    return std::nullopt;
  }
};

} // namespace
} // namespace shoal
