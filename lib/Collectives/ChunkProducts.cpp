// shoal-chunk-products: see Passes.td.
#include "GroupAxes.h"
#include "Prices.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Analysis/Remarks.h"
#include "shoal/Collectives/Passes.h"
#include "shoal/Support/TensorTypes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using shoal::comm::AllGatherOp;
using shoal::comm::GroupsAttr;
using shoal::comm::PermuteOp;
using shoal::comm::ReduceScatterOp;
using stablehlo::DotGeneralOp;

namespace shoal {
#define GEN_PASS_DEF_CHUNKPRODUCTS
#include "shoal/Collectives/Passes.h.inc"

namespace {

/// Steps are written out: beyond so many the program would get too long.
constexpr int64_t kMaxGroup = 16;

RankedTensorType withDim(RankedTensorType type, int64_t dim, int64_t size) {
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = size;
  return RankedTensorType::get(shape, type.getElementType());
}

/// What a dimension of an operand is in the product.
struct Role {
  enum Kind { Free, Batch, Contracting } kind = Free;
  int64_t other = -1;  ///< the other operand's dimension (not Free)
  int64_t result = -1; ///< the result's (not Contracting)
};

Role roleOf(DotGeneralOp dot, unsigned operand, int64_t dim) {
  auto numbers = dot.getDotDimensionNumbers();
  ArrayRef<int64_t> batch[] = {numbers.getLhsBatchingDimensions(),
                               numbers.getRhsBatchingDimensions()};
  ArrayRef<int64_t> contract[] = {numbers.getLhsContractingDimensions(),
                                  numbers.getRhsContractingDimensions()};
  auto indexIn = [&](ArrayRef<int64_t> list) {
    auto *found = llvm::find(list, dim);
    return found == list.end() ? int64_t(-1) : found - list.begin();
  };
  if (int64_t i = indexIn(batch[operand]); i >= 0)
    return {Role::Batch, batch[1 - operand][i], i};
  if (int64_t i = indexIn(contract[operand]); i >= 0)
    return {Role::Contracting, contract[1 - operand][i], -1};
  int64_t result = batch[0].size();
  auto freeBefore = [&](unsigned o, int64_t end) {
    int64_t count = 0;
    for (int64_t d = 0; d < end; ++d)
      count += !llvm::is_contained(batch[o], d) &&
               !llvm::is_contained(contract[o], d);
    return count;
  };
  if (operand == 1)
    result += freeBefore(0, typeOf(dot.getLhs()).getRank());
  return {Role::Free, -1, result + freeBefore(operand, dim)};
}

/// The operand and its dimension that make a dimension of the result; of a
/// batch dimension the lhs's.
std::pair<unsigned, int64_t> sourceOf(DotGeneralOp dot, int64_t resultDim) {
  for (unsigned operand : {0u, 1u})
    for (int64_t d = 0; d < typeOf(dot->getOperand(operand)).getRank(); ++d)
      if (Role role = roleOf(dot, operand, d);
          role.kind != Role::Contracting && role.result == resultDim)
        return {operand, d};
  return {0, -1};
}

/// The products that read a gathered tensor, if nothing else does.
SmallVector<DotGeneralOp> productsOf(AllGatherOp gather) {
  llvm::SmallSetVector<Operation *, 4> users(gather->user_begin(),
                                             gather->user_end());
  SmallVector<DotGeneralOp> dots;
  for (Operation *user : users) {
    auto dot = dyn_cast<DotGeneralOp>(user);
    if (!dot || dot->getBlock() != gather->getBlock() ||
        dot.getLhs() == dot.getRhs())
      return {};
    dots.push_back(dot);
  }
  llvm::sort(dots, [](DotGeneralOp a, DotGeneralOp b) {
    return a->isBeforeInBlock(b);
  });
  return dots;
}

DotGeneralOp productOf(ReduceScatterOp scatter) {
  auto dot = scatter.getInput().getDefiningOp<DotGeneralOp>();
  return dot && dot->hasOneUse() && dot->getBlock() == scatter->getBlock()
             ? dot
             : DotGeneralOp();
}

class Chunker {
public:
  Chunker(Prices &prices, StringRef axes, bool always, bool remarks)
      : prices(prices), axes(axes), always(always), remarks(remarks) {}

  void run(func::FuncOp func) {
    SmallVector<Operation *> found;
    func.walk([&](Operation *op) {
      if (isa<AllGatherOp, ReduceScatterOp>(op))
        found.push_back(op);
    });
    for (Operation *op : found) {
      if (auto gather = dyn_cast<AllGatherOp>(op))
        afterGather(gather);
      else
        beforeScatter(cast<ReduceScatterOp>(op));
    }
  }

private:
  bool isWanted(GroupsAttr groups, Operation *op) {
    int64_t n = groups.getGroupSize(op);
    return n > 1 && n <= kMaxGroup && !groups.isTable() &&
           (axes == "*" || axes == nameOfGroups(groups));
  }

  //===--------------------------------------------------------------------===//
  // Prices
  //===--------------------------------------------------------------------===//

  /// One product of `parts` equal ones that are cut along a dimension;
  /// `shared`: bytes of the operand that all of them read, `added`: of a result
  /// that each adds to.
  double secondsOf(DotGeneralOp dot, int64_t parts, double shared,
                   double added) {
    double bytes = 0;
    for (Value value : {dot.getLhs(), dot.getRhs(), dot.getResult()})
      bytes += static_cast<double>(tensorBytesOf(value.getType()));
    bytes = (bytes - shared - added) / static_cast<double>(parts) + shared +
            added * 2;
    return prices.hardware().kernelSeconds(
        static_cast<double>(flopsOf(dot)) / static_cast<double>(parts),
        computeTypeOf(dot.getLhs().getType()), bytes);
  }

  double copySeconds(double bytes) {
    return prices.hardware().kernelSeconds(0, ComputeType::F32, bytes);
  }

  /// Blocks that travel for the longest: n - 1 permutes, two at a time.
  double travel(double compute, double permute, int64_t n) {
    int64_t steps = n / 2;
    double time = compute;
    for (int64_t step = 1; step <= steps; ++step) {
      int64_t ways = 2 * step < n ? 2 : 1;
      time += std::max(static_cast<double>(ways) * compute,
                       static_cast<double>(ways) * permute);
    }
    return time;
  }

  bool isFaster(Operation *op, StringRef what, double before, double after) {
    if (after >= before && !always)
      return false;
    remarkGain(remarks, op, what, before, after);
    return true;
  }

  //===--------------------------------------------------------------------===//
  // Pieces
  //===--------------------------------------------------------------------===//

  Value integer(OpBuilder &b, Location loc, int64_t value) {
    return stablehlo::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(RankedTensorType::get({}, b.getI32Type()),
                               b.getI32IntegerAttr(value)));
  }

  /// (position + shift) mod n, for 0 <= shift < n, as the first row of a block.
  Value rowOf(OpBuilder &b, Location loc, Value position, int64_t shift,
              int64_t n, int64_t rows) {
    Value index = position;
    if (shift)
      index = stablehlo::RemOp::create(
          b, loc,
          stablehlo::AddOp::create(b, loc, position, integer(b, loc, shift)),
          integer(b, loc, n));
    return stablehlo::MulOp::create(b, loc, index, integer(b, loc, rows));
  }

  SmallVector<Value> startsAt(OpBuilder &b, Location loc, int64_t rank,
                              int64_t dim, Value row) {
    Value zero = integer(b, loc, 0);
    SmallVector<Value> starts(rank, zero);
    starts[dim] = row;
    return starts;
  }

  Value cut(OpBuilder &b, Location loc, Value whole, int64_t dim, Value row,
            int64_t rows) {
    RankedTensorType type = withDim(typeOf(whole), dim, rows);
    return stablehlo::DynamicSliceOp::create(
        b, loc, type, whole, startsAt(b, loc, type.getRank(), dim, row),
        type.getShape());
  }

  /// Everyone's block to the next (or the one before) around the ring.
  Value pass(OpBuilder &b, comm::CollectiveOpInterface like, Value block,
             int64_t by, int64_t n) {
    SmallVector<int64_t> sources, targets;
    for (int64_t i = 0; i < n; ++i) {
      sources.push_back(i);
      targets.push_back((i + by + n) % n);
    }
    return PermuteOp::create(b, like->getLoc(), block.getType(), block, sources,
                             targets, like.getCollectiveGroups(),
                             like.getReasonAttr(), like.getProvenanceAttr());
  }

  Value multiply(OpBuilder &b, DotGeneralOp like, Value lhs, Value rhs,
                 RankedTensorType type) {
    auto dot = cast<DotGeneralOp>(b.clone(*like));
    dot->setOperands({lhs, rhs});
    dot.getResult().setType(type);
    return dot;
  }

  //===--------------------------------------------------------------------===//
  // all_gather, product
  //===--------------------------------------------------------------------===//

  void afterGather(AllGatherOp op) {
    GroupsAttr groups = op.getGroups();
    if (!isWanted(groups, op))
      return;
    int64_t n = groups.getGroupSize(op), dim = op.getDim();
    int64_t rows = typeOf(op.getInput()).getDimSize(dim);
    SmallVector<DotGeneralOp> dots = productsOf(op);
    if (dots.empty() || rows * n != typeOf(op.getResult()).getDimSize(dim))
      return;
    double before = prices.of(op).seconds, chunk = 0;
    for (DotGeneralOp dot : dots) {
      unsigned operand = dot.getLhs() == op.getResult() ? 0 : 1;
      Role role = roleOf(dot, operand, dim);
      double other = static_cast<double>(
                 tensorBytesOf(dot->getOperand(1 - operand).getType())),
             result = static_cast<double>(tensorBytesOf(dot.getType()));
      before += secondsOf(dot, 1, 0, 0);
      chunk += secondsOf(dot, n, role.kind == Role::Free ? other : 0,
                         role.kind == Role::Contracting ? result : 0);
      // Blocks of the result go to their place; the other operand's are cut
      // out.
      chunk +=
          copySeconds(2 * (role.kind == Role::Contracting ? other : result) /
                      static_cast<double>(n));
    }
    double permute =
        prices
            .of(CollectiveType::Permute,
                comm::getTensorBytes(op.getInput().getType()), groups, op)
            .seconds;
    if (!isFaster(op, "products begin while blocks are gathered", before,
                  travel(chunk, permute, n)))
      return;

    // Where all that the products read is there.
    Operation *last = op;
    for (DotGeneralOp dot : dots)
      for (Value operand : dot->getOperands())
        if (Operation *def = operand.getDefiningOp();
            def && def->getBlock() == op->getBlock() &&
            last->isBeforeInBlock(def))
          last = def;
    if (llvm::any_of(dots, [&](DotGeneralOp dot) {
          return dot->isBeforeInBlock(last) || dot.getOperation() == last;
        }))
      return; // one product needs another's result
    OpBuilder b(op->getContext());
    b.setInsertionPointAfter(last);
    Location loc = op.getLoc();
    Value position = comm::AxisIndexOp::create(
        b, loc, RankedTensorType::get({}, b.getI32Type()), groups);
    SmallVector<Value> results(dots.size());
    auto use = [&](Value block, int64_t shift) {
      Value row = rowOf(b, loc, position, shift, n, rows);
      for (auto [dot, result] : llvm::zip_equal(dots, results))
        add(b, op, dot, block, row, rows, result);
    };
    Value up = op.getInput(), down = op.getInput();
    use(up, 0);
    for (int64_t step = 1; 2 * step <= n; ++step) {
      up = pass(b, op, up, -1, n); // block p + step
      if (2 * step < n)
        down = pass(b, op, down, 1, n); // block p - step
      use(up, step);
      if (2 * step < n)
        use(down, n - step);
    }
    for (auto [dot, result] : llvm::zip_equal(dots, results)) {
      if (result.getType() != dot.getType())
        result = stablehlo::ConvertOp::create(b, dot.getLoc(), dot.getType(),
                                              result);
      dot.getResult().replaceAllUsesWith(result);
    }
    // (Not before: ops are inserted where one of them may stand.)
    for (DotGeneralOp dot : dots)
      dot->erase();
    op->erase();
  }

  /// One block's part of a product joins the others.
  void add(OpBuilder &b, AllGatherOp gather, DotGeneralOp dot, Value block,
           Value row, int64_t rows, Value &result) {
    Location loc = dot.getLoc();
    unsigned operand = dot.getLhs() == gather.getResult() ? 0 : 1;
    Role role = roleOf(dot, operand, gather.getDim());
    Value both[2];
    both[operand] = block;
    both[1 - operand] = dot->getOperand(1 - operand);
    if (role.kind != Role::Free)
      both[1 - operand] = cut(b, loc, both[1 - operand], role.other, row, rows);
    RankedTensorType whole = typeOf(dot.getResult());
    if (role.kind == Role::Contracting) {
      RankedTensorType type = sumType(whole);
      Value part = multiply(b, dot, both[0], both[1], type);
      result = result ? stablehlo::AddOp::create(b, loc, result, part) : part;
      return;
    }
    Value part =
        multiply(b, dot, both[0], both[1], withDim(whole, role.result, rows));
    if (!result)
      result = stablehlo::ConstantOp::create(
          b, loc, cast<ElementsAttr>(b.getZeroAttr(whole)));
    result = stablehlo::DynamicUpdateSliceOp::create(
        b, loc, whole, result, part,
        startsAt(b, loc, whole.getRank(), role.result, row));
  }

  /// Sums of narrow floats would be rounded once for each block.
  static RankedTensorType sumType(RankedTensorType type) {
    auto real = dyn_cast<FloatType>(type.getElementType());
    if (!real || real.getWidth() >= 32)
      return type;
    return RankedTensorType::get(type.getShape(),
                                 Float32Type::get(type.getContext()));
  }

  //===--------------------------------------------------------------------===//
  // product, reduce_scatter
  //===--------------------------------------------------------------------===//

  void beforeScatter(ReduceScatterOp op) {
    GroupsAttr groups = op.getGroups();
    DotGeneralOp dot = productOf(op);
    if (!dot || !isWanted(groups, op) || op.getKind() != ReductionKind::Add)
      return;
    int64_t n = groups.getGroupSize(op), dim = op.getDim();
    auto block = typeOf(op.getResult());
    int64_t rows = block.getDimSize(dim);
    auto [operand, source] = sourceOf(dot, dim);
    if (source < 0 || rows * n != typeOf(dot.getResult()).getDimSize(dim))
      return;
    Role role = roleOf(dot, operand, source);
    double other = static_cast<double>(
               tensorBytesOf(dot->getOperand(1 - operand).getType())),
           sum = static_cast<double>(tensorBytesOf(block));
    double before = prices.of(op).seconds + secondsOf(dot, 1, 0, 0);
    // The operand's block is cut out, and what comes by is added.
    double cutBytes =
        static_cast<double>(tensorBytesOf(dot->getOperand(operand).getType())) /
        static_cast<double>(n);
    double chunk = secondsOf(dot, n, role.kind == Role::Free ? other : 0, 0) +
                   copySeconds(2 * cutBytes) + copySeconds(3 * sum);
    double permute = prices
                         .of(CollectiveType::Permute,
                             comm::getTensorBytes(block), groups, op)
                         .seconds;
    if (!isFaster(op, "sums are sent while the product goes on", before,
                  travel(chunk, permute, n)))
      return;
    OpBuilder b(op);
    Location loc = op.getLoc();
    Value position = comm::AxisIndexOp::create(
        b, loc, RankedTensorType::get({}, b.getI32Type()), groups);
    auto part = [&, operand = operand, source = source](int64_t shift) {
      Value row = rowOf(b, loc, position, shift, n, rows);
      Value both[2] = {dot.getLhs(), dot.getRhs()};
      both[operand] = cut(b, loc, both[operand], source, row, rows);
      if (role.kind == Role::Batch)
        both[1 - operand] =
            cut(b, loc, both[1 - operand], role.other, row, rows);
      return multiply(b, dot, both[0], both[1], block);
    };
    // Going up, a sum starts `ups` places below where it belongs.
    int64_t ups = n / 2, downs = n - 1 - ups;
    Value up, down;
    auto join = [&](Value sum, Value more) -> Value {
      return sum ? stablehlo::AddOp::create(b, loc, sum, more) : more;
    };
    for (int64_t step = ups; step > 0; --step) {
      up = pass(b, op, join(up, part(step)), 1, n);
      if (step <= downs)
        down = pass(b, op, join(down, part(n - step)), -1, n);
    }
    Value own = join(up, part(0));
    if (down)
      own = join(own, down);
    op.getResult().replaceAllUsesWith(own);
    op->erase();
    dot->erase();
  }

  Prices &prices;
  StringRef axes;
  bool always, remarks;
};

struct ChunkProducts : impl::ChunkProductsBase<ChunkProducts> {
  using ChunkProductsBase::ChunkProductsBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    Prices prices(*machine);
    for (auto func : getOperation().getOps<func::FuncOp>())
      Chunker(prices, axes, always, remarks).run(func);
  }
};

} // namespace

SmallVector<std::string> chunkableAxes(ModuleOp module) {
  SmallVector<std::string> names;
  auto note = [&](GroupsAttr groups) {
    std::string name = nameOfGroups(groups);
    if (!name.empty() && !llvm::is_contained(names, name))
      names.push_back(std::move(name));
  };
  module.walk([&](Operation *op) {
    if (auto gather = dyn_cast<AllGatherOp>(op)) {
      if (!productsOf(gather).empty())
        note(gather.getGroups());
    } else if (auto scatter = dyn_cast<ReduceScatterOp>(op)) {
      if (productOf(scatter))
        note(scatter.getGroups());
    }
  });
  return names;
}

} // namespace shoal
