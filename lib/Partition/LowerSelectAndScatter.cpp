// stablehlo.select_and_scatter along cut dimensions. The owner of a part of the
// result computes it: it fetches the windows that touch its part (operand and
// source) and scatters; what falls outside its part is another device's to
// compute as well, and is dropped. So nothing is added across devices.
//
// Where no window reaches over the dimension's ends and the initial value is
// neutral, that is the op itself on longer blocks. Else what is padding differs
// from device to device, and the op is taken apart: a window reduction says
// which element each window prefers, a scatter brings the source there.

#include "Partitioner.h"

#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/ScalarBodies.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

namespace {
/// One dimension of the op, as windows over the local operand.
struct Dim {
  bool cut = false;
  int64_t window = 1, stride = 1;
  /// Edge padding where the dimension is not cut.
  int64_t low = 0, high = 0;
  /// Of a cut dimension: first global operand element and first global source
  /// element of part 0, and what the next part adds.
  int64_t operandStart = 0, operandStep = 0;
  int64_t sourceStart = 0, sourceStep = 0;
  int64_t operandSize = 0, sourceSize = 0;
  /// Elements that the part's windows read.
  int64_t width = 0;
  AtomList atoms;
};

class SelectAndScatter {
public:
  SelectAndScatter(sh::SelectAndScatterOp op, SmallVector<Dim> dims,
                   LocalBuilder &b)
      : op(op), dims(std::move(dims)), b(b) {}

  /// The element that a window prefers, as a position in the local operand
  /// (row-major), or -1 if the window has no element of the tensor.
  Value select(Value operand) {
    auto type = typeOf(operand);
    Type i64 = b.getI64Type();
    ArrayRef<int64_t> shape = type.getShape();
    Value place = b.zeros(b.tensorType(shape, i64));
    Value valid;
    for (size_t d = 0; d < dims.size(); ++d) {
      Value at = b.iota(shape, d, i64);
      place = b.add(b.mul(place, splat(shape, shape[d])), at);
      if (!dims[d].cut)
        continue;
      Value global = b.add(at, b.broadcast(start(dims[d].atoms,
                                                 dims[d].operandStart,
                                                 dims[d].operandStep),
                                           shape));
      valid = both(valid, inRange(global, dims[d].operandSize));
    }
    Value none = splat(shape, -1);
    if (valid)
      place = b.select(valid, place, none);

    SmallVector<int64_t> window, stride, padding, out;
    for (auto [d, dim] : llvm::enumerate(dims)) {
      window.push_back(dim.window);
      stride.push_back(dim.stride);
      int64_t low = dim.cut ? 0 : dim.low, high = dim.cut ? 0 : dim.high;
      padding.append({low, high});
      out.push_back((shape[d] + low + high - dim.window) / dim.stride + 1);
    }
    Type element = type.getElementType();
    Value anything = b.zeros(b.tensorType({}, element));
    auto reduce = sh::ReduceWindowOp::create(
        b, b.loc(), TypeRange{b.tensorType(out, element), b.tensorType(out, i64)},
        ValueRange{operand, place}, ValueRange{anything, b.scalarInt(-1, i64)},
        b.getDenseI64ArrayAttr(window), b.getDenseI64ArrayAttr(stride),
        DenseI64ArrayAttr(), DenseI64ArrayAttr(),
        DenseIntElementsAttr::get(
            RankedTensorType::get({int64_t(dims.size()), 2}, i64), padding));
    fillSelect(reduce.getBody(), element);
    return reduce.getResult(1);
  }

  /// Windows that do not exist select nothing.
  Value dropWindows(Value place) {
    ArrayRef<int64_t> shape = typeOf(place).getShape();
    Value valid;
    for (size_t d = 0; d < dims.size(); ++d)
      if (dims[d].cut)
        valid = both(valid, inRange(b.add(b.iota(shape, d, b.getI64Type()),
                                          b.broadcast(start(dims[d].atoms,
                                                            dims[d].sourceStart,
                                                            dims[d].sourceStep),
                                                      shape)),
                                    dims[d].sourceSize));
    return b.select(valid, place, splat(shape, -1));
  }

  /// The op itself on the stretches, then the device's own part. `operand` has
  /// the part's elements as well as those of all windows.
  Value asOne(Value operand, Value source, Value init, RankedTensorType result) {
    auto type = typeOf(operand);
    SmallVector<int64_t> padding, window, stride, starts, limits;
    for (auto [d, dim] : llvm::enumerate(dims)) {
      window.push_back(dim.window);
      stride.push_back(dim.stride);
      int64_t first = dim.cut ? std::min<int64_t>(dim.operandStart, 0) : 0;
      int64_t low = dim.cut ? first - dim.operandStart : dim.low;
      int64_t high = dim.high;
      if (dim.cut)
        high = dim.operandStart + dim.width - (first + type.getDimSize(d));
      padding.append({low, high});
      starts.push_back(-first);
      limits.push_back(-first + result.getDimSize(d));
    }
    auto local = sh::SelectAndScatterOp::create(
        b, b.loc(), type, operand, source, init, b.getDenseI64ArrayAttr(window),
        b.getDenseI64ArrayAttr(stride),
        DenseIntElementsAttr::get(
            RankedTensorType::get({int64_t(dims.size()), 2}, b.getI64Type()),
            padding));
    IRMapping map;
    op.getSelect().cloneInto(&local.getSelect(), map);
    op.getScatter().cloneInto(&local.getScatter(), map);
    Value made = local.getResult();
    for (size_t d = 0; d < dims.size(); ++d)
      made = b.slice(made, d, starts[d], limits[d]);
    return made;
  }

  /// The source's elements scattered to where their windows point.
  Value scatter(Value place, ArrayRef<int64_t> operandShape, Value source,
                Value init, RankedTensorType result) {
    ArrayRef<int64_t> shape = typeOf(place).getShape();
    Type i64 = b.getI64Type();
    int64_t rank = dims.size();
    SmallVector<int64_t> column(shape);
    column.push_back(1);
    SmallVector<Value> columns(rank);
    Value nowhere = b.compare(LocalBuilder::Compare::LT, place, splat(shape, 0));
    Value rest = place;
    for (int64_t d = rank - 1; d >= 0; --d) {
      Value size = splat(shape, operandShape[d]);
      Value at = sh::RemOp::create(b, b.loc(), rest.getType(), rest, size);
      rest = sh::DivOp::create(b, b.loc(), rest.getType(), rest, size);
      // From the stretch to the part of the result.
      if (dims[d].cut && dims[d].operandStart)
        at = b.add(at, splat(shape, dims[d].operandStart));
      at = b.select(nowhere, splat(shape, -1), at);
      columns[d] =
          sh::ReshapeOp::create(b, b.loc(), b.tensorType(column, i64), at);
    }
    column.back() = rank;
    Value index = columns.size() == 1
                      ? columns[0]
                      : sh::ConcatenateOp::create(b, b.loc(),
                                                  b.tensorType(column, i64),
                                                  columns, rank)
                            .getResult();
    SmallVector<int64_t> all(rank);
    for (int64_t d = 0; d < rank; ++d)
      all[d] = d;
    Value into = b.broadcast(init, result.getShape());
    auto numbers = sh::ScatterDimensionNumbersAttr::get(
        b.getContext(), {}, all, {}, {}, all, rank);
    auto made = sh::ScatterOp::create(b, b.loc(), TypeRange{result},
                                      ValueRange{into}, index,
                                      ValueRange{source}, numbers, false, false);
    IRMapping map;
    op.getScatter().cloneInto(&made.getUpdateComputation(), map);
    return made.getResult(0);
  }

private:
  sh::SelectAndScatterOp op;
  SmallVector<Dim> dims;
  LocalBuilder &b;

  Value splat(ArrayRef<int64_t> shape, int64_t value) {
    return b.splat(shape, b.getI64Type(), b.getI64IntegerAttr(value));
  }
  Value both(Value x, Value y) { return x ? b.logicalAnd(x, y) : y; }
  Value inRange(Value at, int64_t size) {
    ArrayRef<int64_t> shape = typeOf(at).getShape();
    return b.logicalAnd(
        b.compare(LocalBuilder::Compare::GE, at, splat(shape, 0)),
        b.compare(LocalBuilder::Compare::LT, at, splat(shape, size)));
  }
  Value start(const AtomList &atoms, int64_t first, int64_t step) {
    Type i64 = b.getI64Type();
    return b.add(b.mul(b.convert(b.axisIndex(atoms), i64),
                       b.scalarInt(step, i64)),
                 b.scalarInt(first, i64));
  }

  /// The op's select on values, with places beside them: what has no place
  /// never stays.
  void fillSelect(Region &body, Type element) {
    OpBuilder::InsertionGuard guard(b);
    Type value = b.tensorType({}, element);
    Type place = b.tensorType({}, b.getI64Type());
    Location loc = b.loc();
    Block *block = b.createBlock(&body, {}, {value, place, value, place},
                                 {loc, loc, loc, loc});
    Value zero = b.scalarInt(0, b.getI64Type());
    Value have =
        b.compare(LocalBuilder::Compare::GE, block->getArgument(1), zero);
    Value no = b.compare(LocalBuilder::Compare::LT, block->getArgument(3), zero);
    Block &given = op.getSelect().front();
    IRMapping map;
    map.map(given.getArgument(0), block->getArgument(0));
    map.map(given.getArgument(1), block->getArgument(2));
    for (Operation &inner : given.without_terminator())
      b.clone(inner, map);
    Value keep = map.lookupOrDefault(given.getTerminator()->getOperand(0));
    keep = b.logicalAnd(have, keep);
    keep = sh::OrOp::create(b, loc, keep.getType(), no, keep);
    sh::ReturnOp::create(
        b, loc,
        ValueRange{b.select(keep, block->getArgument(0), block->getArgument(2)),
                   b.select(keep, block->getArgument(1), block->getArgument(3))});
  }
};
} // namespace

SmallVector<Value>
OpLowering::lowerSelectAndScatter(ArrayRef<Value> operands) {
  auto scatter = cast<sh::SelectAndScatterOp>(op);
  Value operand = operands[0], source = operands[1];
  const ShardingRule &rule = model.getRule();
  auto result = cast<RankedTensorType>(localResultTypes()[0]);
  SmallVector<Dim> dims(result.getRank());
  bool any = false;
  bool asOne =
      isNeutral(scatter.getScatter(), SmallVector<Value>{op->getOperand(2)});
  for (auto [d, dim] : llvm::enumerate(dims)) {
    if (auto window = scatter.getWindowDimensions(); window && !window->empty())
      dim.window = (*window)[d];
    if (auto stride = scatter.getWindowStrides(); stride && !stride->empty())
      dim.stride = (*stride)[d];
    if (auto padding = scatter.getPadding()) {
      dim.low = *(padding->value_begin<int64_t>() + 2 * d);
      dim.high = *(padding->value_begin<int64_t>() + 2 * d + 1);
    }
    dim.cut = rule.operands[0].dims[d].window && isCut(3, d);
    if (!dim.cut)
      continue;
    any = true;
    dim.operandSize = model.shape(0)[d];
    dim.sourceSize = model.shape(1)[d];
    asOne &= dim.low <= 0 && (dim.sourceSize - 1) * dim.stride - dim.low +
                                     dim.window <=
                                 dim.operandSize;
    WindowStretch at = *model.stretch(form, 0, d);
    WindowStretch from = *model.stretch(form, 1, d);
    dim.atoms = atomsOf(3, d);
    dim.operandStart = at.offset;
    dim.operandStep = at.step;
    dim.width = at.width;
    dim.sourceStart = from.offset;
    dim.sourceStep = from.step;
  }
  if (!any)
    return cloneLocal(operands);
  // What lies outside the tensors is in windows that do not exist: they scatter
  // the initial value, or nothing.
  for (auto [d, dim] : llvm::enumerate(dims)) {
    if (!dim.cut)
      continue;
    int64_t first = dim.operandStart, end = first + dim.width;
    if (asOne) {
      first = std::min<int64_t>(first, 0);
      end = std::max(end, result.getDimSize(d));
    }
    operand = fetch(operand, 0, d, first, dim.operandStep, end - first, Value());
    TouchingWindows windows{dim.sourceStart,
                            (dim.width - dim.window) / dim.stride + 1};
    source = fetch(source, 1, d, windows.first, dim.sourceStep, windows.count,
                   asOne ? operands[2] : Value());
  }
  SelectAndScatter local(scatter, dims, b);
  if (asOne)
    return {local.asOne(operand, source, operands[2], result)};
  Value place = local.dropWindows(local.select(operand));
  return {local.scatter(place, typeOf(operand).getShape(), source, operands[2],
                        result)};
}
