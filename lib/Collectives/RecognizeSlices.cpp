// shoal-recognize-slices: see Passes.td.
#include "GroupAxes.h"
#include "UniformValues.h"
#include "shoal/Collectives/Passes.h"

#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
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

/// The integer that a scalar is on a device at given positions in groups.
class Evaluator {
public:
  llvm::MapVector<Attribute, int64_t> positions; ///< by groups

  /// Finds the groups on which the value depends. False if it depends on
  /// anything else.
  bool visit(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || !isInteger(value) || ++visited > 64)
      return false;
    if (auto index = dyn_cast<AxisIndexOp>(op)) {
      positions.insert({index.getGroups(), 0});
      return !index.getGroups().isTable();
    }
    if (isa<sh::ConstantOp>(op))
      return true;
    if (!isa<sh::ConvertOp, sh::AddOp, sh::SubtractOp, sh::MulOp, sh::DivOp,
             sh::RemOp, sh::MinOp, sh::MaxOp, sh::CompareOp, sh::SelectOp,
             sh::ClampOp, sh::NegOp, sh::ReshapeOp>(op))
      return false;
    return llvm::all_of(op->getOperands(),
                        [&](Value operand) { return visit(operand); });
  }

  /// Of a value that was visited.
  std::optional<APInt> evaluate(Value value) const {
    Operation *op = value.getDefiningOp();
    Type element = getElementTypeOrSelf(value.getType());
    unsigned width = element.getIntOrFloatBitWidth();
    if (auto index = dyn_cast<AxisIndexOp>(op))
      return APInt(width, positions.lookup(index.getGroups()),
                   /*isSigned=*/false, /*implicitTrunc=*/true);
    if (isa<sh::ConstantOp>(op)) {
      DenseIntElementsAttr elements;
      if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat())
        return std::nullopt;
      return elements.getSplatValue<APInt>();
    }
    SmallVector<APInt> in;
    for (Value operand : op->getOperands()) {
      std::optional<APInt> number = evaluate(operand);
      if (!number)
        return std::nullopt;
      in.push_back(*number);
    }
    Type from = getElementTypeOrSelf(op->getOperand(0).getType());
    bool isUnsigned = from.isUnsignedInteger() || from.isInteger(1);
    auto pick = [&](bool first) { return first ? in[0] : in[1]; };
    auto less = [&](const APInt &a, const APInt &b) {
      return isUnsigned ? a.ult(b) : a.slt(b);
    };
    if (isa<sh::ConvertOp>(op))
      return isUnsigned ? in[0].zextOrTrunc(width) : in[0].sextOrTrunc(width);
    if (isa<sh::ReshapeOp>(op))
      return in[0];
    if (isa<sh::AddOp>(op))
      return in[0] + in[1];
    if (isa<sh::SubtractOp>(op))
      return in[0] - in[1];
    if (isa<sh::MulOp>(op))
      return in[0] * in[1];
    if (isa<sh::NegOp>(op))
      return -in[0];
    if (isa<sh::DivOp, sh::RemOp>(op)) {
      if (in[1].isZero() || (!isUnsigned && in[1].isAllOnes()))
        return std::nullopt;
      if (isa<sh::DivOp>(op))
        return isUnsigned ? in[0].udiv(in[1]) : in[0].sdiv(in[1]);
      return isUnsigned ? in[0].urem(in[1]) : in[0].srem(in[1]);
    }
    if (isa<sh::MinOp>(op))
      return pick(less(in[0], in[1]));
    if (isa<sh::MaxOp>(op))
      return pick(less(in[1], in[0]));
    if (isa<sh::ClampOp>(op)) { // low, value, high
      Type type = getElementTypeOrSelf(op->getOperand(1).getType());
      isUnsigned = type.isUnsignedInteger();
      APInt atLeast = less(in[1], in[0]) ? in[0] : in[1];
      return less(in[2], atLeast) ? in[2] : atLeast;
    }
    if (isa<sh::SelectOp>(op))
      return in[0].isZero() ? in[2] : in[1];
    if (auto compare = dyn_cast<sh::CompareOp>(op)) {
      bool result = false;
      switch (compare.getComparisonDirection()) {
      case sh::ComparisonDirection::EQ:
        result = in[0] == in[1];
        break;
      case sh::ComparisonDirection::NE:
        result = in[0] != in[1];
        break;
      case sh::ComparisonDirection::LT:
        result = less(in[0], in[1]);
        break;
      case sh::ComparisonDirection::LE:
        result = !less(in[1], in[0]);
        break;
      case sh::ComparisonDirection::GT:
        result = less(in[1], in[0]);
        break;
      case sh::ComparisonDirection::GE:
        result = !less(in[0], in[1]);
        break;
      }
      return APInt(1, result);
    }
    return std::nullopt;
  }

private:
  static bool isInteger(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getNumElements() == 1 &&
           type.getElementType().isIntOrIndex() &&
           !type.getElementType().isIndex();
  }

  int visited = 0;
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
    Evaluator evaluator;
    if (size == 0 || whole % size || !evaluator.visit(start) ||
        evaluator.positions.empty() || evaluator.positions.size() > 3)
      return std::nullopt;
    SmallVector<GroupsAttr> order;
    for (auto &[groups, position] : evaluator.positions)
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
          evaluator.positions[groups] = rest % members;
          rest /= members;
        }
        std::optional<APInt> at = evaluator.evaluate(start);
        bool isUnsigned =
            getElementTypeOrSelf(start.getType()).isUnsignedInteger();
        isOwn = at && (isUnsigned ? at->getLimitedValue() ==
                                        static_cast<uint64_t>(p * size)
                                  : at->trySExtValue() == p * size);
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
