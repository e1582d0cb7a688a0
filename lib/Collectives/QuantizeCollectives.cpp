// shoal-quantize-collectives: see Passes.td.
#include "Prices.h"
#include "TensorEmitter.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Analysis/Remarks.h"
#include "shoal/Collectives/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using shoal::comm::AllReduceOp;
using shoal::comm::GroupsAttr;
using shoal::comm::ReduceScatterOp;
namespace sh = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_QUANTIZECOLLECTIVES
#include "shoal/Collectives/Passes.h.inc"

namespace {

/// Bytes for numbers, in blocks.
class Emitter : public TensorEmitter {
public:
  Emitter(Operation *at, int64_t block, bool isFloat)
      : TensorEmitter(at), block(block),
        byte(isFloat ? Type(Float8E4M3FNType::get(b.getContext()))
                     : Type(b.getI8Type())),
        most(isFloat ? 448 : 127) {}

  /// Blocks along the last dimension as bytes, and the size of a step of each.
  /// A block with something infinite or undefined has an undefined step.
  std::pair<Value, Value> quantize(Value x) {
    ArrayRef<int64_t> shape = typeOf(x).getShape(), rows = shape.drop_back();
    SmallVector<int64_t> dims =
        llvm::to_vector(llvm::seq<int64_t>(0, rows.size()));
    Value largest = fold(sh::AbsOp::create(b, loc, x), rows.size(), true);
    Value step = sh::DivOp::create(b, loc, largest, splat(rows, most));
    // 0 / 0 where all is zero, but not where something is infinite.
    Value steps = sh::CompareOp::create(b, loc, largest, splat(rows, 0),
                                        sh::ComparisonDirection::EQ);
    Value divisor = sh::SelectOp::create(b, loc, steps, splat(rows, 1), step);
    Value scaled = sh::DivOp::create(b, loc, x, spread(divisor, shape, dims));
    // (Conversion to a float rounds by itself.)
    Value whole = isa<FloatType>(byte)
                      ? scaled
                      : sh::RoundNearestEvenOp::create(b, loc, scaled);
    // (Of what is no number, any byte: its step says it.)
    Value finite = sh::IsFiniteOp::create(b, loc, whole);
    whole = sh::SelectOp::create(b, loc, finite, whole, splat(shape, 0));
    Value known = sh::IsFiniteOp::create(b, loc, step);
    step = sh::SelectOp::create(
        b, loc, known, step,
        splat(rows, std::numeric_limits<float>::quiet_NaN()));
    return {convert(whole, byte), step};
  }

  Value dequantize(Value bytes, Value step) {
    ArrayRef<int64_t> shape = typeOf(bytes).getShape();
    SmallVector<int64_t> dims =
        llvm::to_vector(llvm::seq<int64_t>(0, shape.size() - 1));
    return sh::MulOp::create(b, loc, convert(bytes, b.getF32Type()),
                             spread(step, shape, dims));
  }

  /// [n, rows, block], row i for device i, to this device's sum [rows, block].
  Value exchangeAndSum(Value parts, GroupsAttr groups) {
    auto collective = cast<comm::CollectiveOpInterface>(at);
    auto exchange = [&](Value value) -> Value {
      return comm::AllToAllOp::create(b, loc, value.getType(), value, 0, 0,
                                      groups, collective.getReasonAttr(),
                                      collective.getProvenanceAttr());
    };
    auto [bytes, step] = quantize(parts);
    return fold(dequantize(exchange(bytes), exchange(step)), 0, false);
  }

  /// [rows, block] of every device, one after another.
  Value gather(Value mine, GroupsAttr groups, int64_t n) {
    auto collective = cast<comm::CollectiveOpInterface>(at);
    auto all = [&](Value value) -> Value {
      SmallVector<int64_t> shape(typeOf(value).getShape());
      shape[0] *= n;
      return comm::AllGatherOp::create(
          b, loc, tensor(shape, typeOf(value).getElementType()), value, 0,
          groups, collective.getReasonAttr(), collective.getProvenanceAttr());
    };
    auto [bytes, step] = quantize(mine);
    return dequantize(all(bytes), all(step));
  }

  void allReduce(AllReduceOp op, int64_t n) {
    RankedTensorType type = op.getType();
    int64_t count = type.getNumElements(),
            rows = llvm::divideCeil(count, n * block);
    Value flat = padTo(reshape(convert(op.getInput(), b.getF32Type()), {count}),
                       0, n * rows * block);
    Value sum = exchangeAndSum(reshape(flat, {n, rows, block}), op.getGroups());
    Value all = reshape(gather(sum, op.getGroups(), n), {n * rows * block});
    op.getResult().replaceAllUsesWith(convert(
        reshape(firstOf(all, count), type.getShape()), type.getElementType()));
  }

  void reduceScatter(ReduceScatterOp op, int64_t n) {
    int64_t dim = op.getDim();
    RankedTensorType type = typeOf(op.getResult());
    int64_t own = type.getDimSize(dim), count = type.getNumElements(),
            rows = llvm::divideCeil(count, block);
    Value x = padTo(convert(op.getInput(), b.getF32Type()), dim, n * own);
    // Whose part it is comes first.
    SmallVector<int64_t> cut(type.getShape()), order;
    cut.insert(cut.begin() + dim, n);
    order.push_back(dim);
    for (int64_t d = 0; d < static_cast<int64_t>(cut.size()); ++d)
      if (d != dim)
        order.push_back(d);
    SmallVector<int64_t> moved =
        llvm::map_to_vector(order, [&](int64_t d) { return cut[d]; });
    Value parts =
        sh::TransposeOp::create(b, loc, tensor(moved), reshape(x, cut), order);
    parts = padTo(reshape(parts, {n, count}), 1, rows * block);
    Value sum =
        exchangeAndSum(reshape(parts, {n, rows, block}), op.getGroups());
    Value mine = firstOf(reshape(sum, {rows * block}), count);
    op.getResult().replaceAllUsesWith(
        convert(reshape(mine, type.getShape()), type.getElementType()));
  }

private:
  int64_t block;
  Type byte;  ///< of what is sent
  float most; ///< its largest number that is used
};

struct QuantizeCollectives
    : impl::QuantizeCollectivesBase<QuantizeCollectives> {
  using QuantizeCollectivesBase::QuantizeCollectivesBase;

  void runOnOperation() override {
    auto [names, format] = StringRef(axes).split(':');
    if (names.empty())
      return;
    isFloat = format == "f8";
    if (!format.empty() && !isFloat && format != "i8")
      return (void)(getOperation().emitError("--quantize-collectives: '")
                        << format << "' is no format; i8 and f8 are",
                    signalPassFailure());
    wanted = names.str();
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    if (block < 2)
      return (void)(getOperation().emitError("blocks of ")
                        << block << " elements are no blocks",
                    signalPassFailure());
    Prices prices(*machine);
    SmallVector<Operation *> ops;
    for (auto func : getOperation().getOps<func::FuncOp>())
      func.walk([&](Operation *op) {
        if (isa<AllReduceOp, ReduceScatterOp>(op))
          ops.push_back(op);
      });
    for (Operation *op : ops)
      quantize(op, prices);
  }

  bool isWanted(GroupsAttr groups) {
    std::string name;
    if (groups.isTable())
      return false;
    for (AxisRefAttr axis : groups.getAxes())
      name += (name.empty() ? "" : "+") + axis.getName().str();
    return wanted == "*" || wanted == name;
  }

  void quantize(Operation *op, Prices &prices) {
    auto reduce = dyn_cast<AllReduceOp>(op);
    auto scatter = dyn_cast<ReduceScatterOp>(op);
    ReductionKind kind = reduce ? reduce.getKind() : scatter.getKind();
    GroupsAttr groups = reduce ? reduce.getGroups() : scatter.getGroups();
    RankedTensorType type = typeOf(op->getOperand(0));
    auto real = dyn_cast<FloatType>(type.getElementType());
    int64_t n = groups.getGroupSize(op), bytes = tensorBytesOf(type);
    if (kind != ReductionKind::Add || !real || real.getWidth() < 16 ||
        real.getWidth() > 32 || n < 2 || bytes < minBytes || !isWanted(groups))
      return;
    int64_t count = type.getNumElements(), steps = 4 * count / block;
    double before = prices.of(op).seconds;
    auto kernel = [&](double moved) {
      return prices.hardware().kernelSeconds(0, ComputeType::F32, moved);
    };
    auto both = [&](CollectiveType how) {
      return prices.of(how, count, groups, op).seconds +
             prices.of(how, steps, groups, op).seconds;
    };
    // Each block is read for its largest element, then made into bytes, which
    // are read again where they arrive.
    double size = static_cast<double>(bytes),
           small = static_cast<double>(count);
    double after = both(CollectiveType::AllToAll) + kernel(2 * size + small) +
                   kernel(small + size / static_cast<double>(n));
    if (reduce)
      after += both(CollectiveType::AllGather) + kernel(small + size);
    if (after >= before && !always)
      return;
    std::string what;
    llvm::raw_string_ostream(what)
        << "sent in blocks of " << block << " bytes with a scale: ";
    if (isFloat)
      llvm::raw_string_ostream(what)
          << "each summand" << (reduce ? " and the sum" : "")
          << " off by at most 6.3 % of itself";
    else
      llvm::raw_string_ostream(what)
          << "off by at most "
          << llvm::format("%.1f",
                          (static_cast<double>(n) + (reduce ? n : 0)) / 2.54)
          << " % of the largest summand in the block";
    remarkGain(remarks, op, what, before, after);
    Emitter emitter(op, block, isFloat);
    if (reduce)
      emitter.allReduce(reduce, n);
    else
      emitter.reduceScatter(scatter, n);
    op->erase();
  }

  std::string wanted; ///< axes
  bool isFloat = false;
};

} // namespace
} // namespace shoal
