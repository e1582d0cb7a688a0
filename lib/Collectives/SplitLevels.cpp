// shoal-split-levels: see Passes.td.
#include "Prices.h"
#include "shoal/Analysis/Remarks.h"
#include "shoal/Collectives/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using shoal::comm::AllReduceOp;
using shoal::comm::GroupsAttr;

namespace shoal {
#define GEN_PASS_DEF_SPLITLEVELS
#include "shoal/Collectives/Passes.h.inc"

namespace {

/// The share of a reduction's time that parts must save: they are more
/// collectives to start, and kernels to put them together.
constexpr double kWorthSplitting = 0.02;

class Splitter {
public:
  Splitter(Prices &prices, bool remarks) : prices(prices), remarks(remarks) {}

  void split(AllReduceOp op) {
    GroupsAttr fast, slow;
    if (!splitGroups(op, fast, slow))
      return;
    double before = prices.of(op).seconds,
           after = before * (1 - kWorthSplitting);
    int64_t parts = 0;
    for (int64_t count : {1, 2, 4, 8, 16})
      if (double seconds = inParts(op, fast, slow, count);
          count <= op.getType().getNumElements() && seconds < after) {
        after = seconds;
        parts = count;
      }
    if (!parts)
      return;
    remarkGain(remarks, op,
               "in " + Twine(parts) +
                   " parts, over fast links, slow ones and fast ones",
               before, after);
    rewrite(op, fast, slow, parts);
  }

private:
  /// The group's axes, or parts of them, whose groups lie within a unit of the
  /// innermost level of links, and the others.
  bool splitGroups(AllReduceOp op, GroupsAttr &fast, GroupsAttr &slow) {
    GroupsAttr groups = op.getGroups();
    MeshAttr mesh = groups.getMesh(op);
    if (groups.isTable() || !mesh || prices.shapeOf(groups, op).top() == 0)
      return false;
    auto over = [&](ArrayRef<AxisRefAttr> axes) {
      return GroupsAttr::get(groups.getMeshOrRef(), axes);
    };
    SmallVector<AxisRefAttr> inner, outer;
    for (AxisRefAttr axis : groups.getAxes()) {
      const GroupShape shape = prices.shapeOf(over(axis), op);
      int64_t size = axis.getSize(mesh), within = shape.members.front();
      if (shape.top() == 0) {
        inner.push_back(axis);
      } else if (within == 1) {
        outer.push_back(axis);
      } else if (size % within == 0) {
        // Neighbours along the axis are neighbours in the unit.
        outer.push_back(AxisRefAttr::getNormalized(
            axis.getName(), axis.getPre(), size / within, mesh));
        inner.push_back(AxisRefAttr::getNormalized(
            axis.getName(), axis.getPre() * (size / within), within, mesh));
      } else {
        return false;
      }
    }
    if (inner.empty() || outer.empty())
      return false;
    fast = over(inner);
    slow = over(outer);
    return prices.shapeOf(fast, op).top() == 0;
  }

  int64_t partBytes(AllReduceOp op, int64_t parts) {
    return llvm::divideCeil(comm::getTensorBytes(op.getType()), parts);
  }

  /// Parts follow each other over both kinds of links at once.
  double inParts(AllReduceOp op, GroupsAttr fast, GroupsAttr slow,
                 int64_t parts) {
    int64_t bytes = partBytes(op, parts),
            share = llvm::divideCeil(bytes, fast.getGroupSize(op));
    double scatter =
        prices.of(CollectiveType::ReduceScatter, bytes, fast, op).seconds;
    double reduce =
        prices.of(CollectiveType::AllReduce, share, slow, op).seconds;
    double gather =
        prices.of(CollectiveType::AllGather, bytes, fast, op).seconds;
    double fastFree = 0, slowFree = 0;
    SmallVector<double> ready;
    size_t gathered = 0;
    while (gathered < static_cast<size_t>(parts)) {
      if (gathered < ready.size() &&
          (ready[gathered] <= fastFree ||
           ready.size() == static_cast<size_t>(parts))) {
        fastFree = std::max(fastFree, ready[gathered++]) + gather;
        continue;
      }
      fastFree += scatter;
      slowFree = std::max(slowFree, fastFree) + reduce;
      ready.push_back(slowFree);
    }
    if (parts > 1) // they are put together
      fastFree += prices.hardware().kernelSeconds(
          0, ComputeType::F32,
          2.0 * static_cast<double>(comm::getTensorBytes(op.getType())));
    return fastFree;
  }

  void rewrite(AllReduceOp op, GroupsAttr fast, GroupsAttr slow,
               int64_t parts) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    RankedTensorType type = op.getType();
    Type element = type.getElementType();
    int64_t count = type.getNumElements(), n = fast.getGroupSize(op);
    auto vector = [&](int64_t size) {
      return RankedTensorType::get({size}, element);
    };
    Value flat =
        stablehlo::ReshapeOp::create(b, loc, vector(count), op.getInput());
    int64_t each = llvm::divideCeil(count, parts);
    SmallVector<Value> done;
    for (int64_t begin = 0; begin < count; begin += each) {
      int64_t size = std::min(each, count - begin);
      Value part = flat;
      if (size != count)
        part = stablehlo::SliceOp::create(
            b, loc, vector(size), flat, ArrayRef<int64_t>{begin},
            ArrayRef<int64_t>{begin + size}, ArrayRef<int64_t>{1});
      Value share = comm::ReduceScatterOp::create(
          b, loc, vector(llvm::divideCeil(size, n)), op.getKind(), part, 0,
          fast, op.getReasonAttr(), op.getProvenanceAttr());
      share =
          AllReduceOp::create(b, loc, share.getType(), op.getKind(), share,
                              slow, op.getReasonAttr(), op.getProvenanceAttr());
      done.push_back(comm::AllGatherOp::create(b, loc, vector(size), share, 0,
                                               fast, op.getReasonAttr(),
                                               op.getProvenanceAttr()));
    }
    Value whole = done.size() == 1 ? done.front()
                                   : Value(stablehlo::ConcatenateOp::create(
                                         b, loc, vector(count), done, 0));
    op.getResult().replaceAllUsesWith(
        stablehlo::ReshapeOp::create(b, loc, type, whole).getResult());
    op.erase();
  }

  Prices &prices;
  bool remarks;
};

struct SplitLevels : impl::SplitLevelsBase<SplitLevels> {
  using SplitLevelsBase::SplitLevelsBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    Prices prices(*machine);
    Splitter splitter(prices, remarks);
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      SmallVector<AllReduceOp> ops;
      func.walk([&](AllReduceOp op) { ops.push_back(op); });
      for (AllReduceOp op : ops)
        splitter.split(op);
    }
  }
};

} // namespace
} // namespace shoal
