// Along one dimension, with y[k] the combination of 2^k neighbours:
//
//   y[0] = x padded;  y[k + 1][i] = y[k][i] + y[k][i + 2^k]
//
// and a window of n elements is made of one y[k] for each bit of n, or of two
// that overlap where combining twice does not matter (max, min, and, or). The
// order of the elements is kept; sums in pairs round less than sums in a row.
#include "SplitLargeWindows.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/ScalarBodies.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace {

struct Dim {
  int64_t size, window, stride = 1, low = 0, high = 0, baseDilation = 1,
                        dilation = 1;

  int64_t padded() const {
    return low + (size == 0 ? 0 : (size - 1) * baseDilation + 1) + high;
  }
  int64_t outputs() const {
    int64_t reach = (window - 1) * dilation + 1;
    return padded() < reach ? 0 : (padded() - reach) / stride + 1;
  }
  bool isTrivial() const {
    return window == 1 && stride == 1 && low == 0 && high == 0 &&
           baseDilation == 1;
  }
  /// Prefixes or suffixes, each of which is made of the one before it.
  bool isRunning() const {
    int64_t all = window - 1;
    return stride == 1 && baseDilation == 1 && dilation == 1 &&
           window >= size &&
           ((low == all && high == 0) || (low == 0 && high == all));
  }
  double doublingSteps() const {
    return llvm::Log2_64(window) + llvm::popcount(uint64_t(window)) - 1;
  }
};

class Splitter {
public:
  explicit Splitter(sh::ReduceWindowOp op) : op(op), builder(op) {}

  void run() {
    if (!isKnown() || !isWorthwhile())
      return;
    Value value = op.getInputs().front();
    for (auto [d, dim] : llvm::enumerate(dims))
      if (!dim.isTrivial())
        value = byDoubling[d] ? doubled(value, d) : direct(value, d);
    if (!isNeutral) {
      auto type = cast<RankedTensorType>(value.getType());
      Value init = sh::BroadcastInDimOp::create(
          builder, op.getLoc(), type, op.getInitValues().front(),
          builder.getDenseI64ArrayAttr({}));
      value = combine(init, value);
    }
    op->getResult(0).replaceAllUsesWith(value);
    op.erase();
  }

private:
  sh::ReduceWindowOp op;
  OpBuilder builder;
  Operation *combiner = nullptr;
  bool isIdempotent = false, isNeutral = false;
  SmallVector<Dim> dims;
  SmallVector<bool> byDoubling;

  /// One operand, static shapes, and a body that may be applied in any order
  /// and to the initial value as often as one likes.
  bool isKnown() {
    if (op.getInputs().size() != 1)
      return false;
    auto type = dyn_cast<RankedTensorType>(op.getInputs().front().getType());
    Block &body = op.getBody().front();
    combiner = body.getTerminator()->getOperand(0).getDefiningOp();
    if (!type || !type.hasStaticShape() || !combiner ||
        op->getResult(0).getType() !=
            cast<RankedTensorType>(op->getResult(0).getType())
                .clone(type.getElementType()) ||
        !llvm::hasSingleElement(body.without_terminator()) ||
        combiner->getNumOperands() != 2 ||
        !((combiner->getOperand(0) == body.getArgument(0) &&
           combiner->getOperand(1) == body.getArgument(1)) ||
          (combiner->getOperand(0) == body.getArgument(1) &&
           combiner->getOperand(1) == body.getArgument(0))) ||
        !isa<sh::AddOp, sh::MulOp, sh::MaxOp, sh::MinOp, sh::AndOp, sh::OrOp,
             sh::XorOp>(combiner))
      return false;
    isIdempotent = isa<sh::MaxOp, sh::MinOp, sh::AndOp, sh::OrOp>(combiner);
    isNeutral = shoal::isNeutral(op.getBody(),
                                 SmallVector<Value>(op.getInitValues()));
    if (!isIdempotent && !isNeutral)
      return false;
    readDims(type);
    return llvm::all_of(
        dims, [](const Dim &dim) { return dim.size > 0 && dim.outputs() > 0; });
  }

  void readDims(RankedTensorType type) {
    for (auto [size, window] :
         llvm::zip_equal(type.getShape(), op.getWindowDimensions()))
      dims.push_back({size, window});
    auto read = [&](std::optional<ArrayRef<int64_t>> values,
                    int64_t Dim::*field) {
      if (values && !values->empty())
        for (auto [dim, value] : llvm::zip_equal(dims, *values))
          dim.*field = value;
    };
    read(op.getWindowStrides(), &Dim::stride);
    read(op.getBaseDilations(), &Dim::baseDilation);
    read(op.getWindowDilations(), &Dim::dilation);
    if (auto padding = op.getPadding())
      for (auto [i, value] : llvm::enumerate(padding->getValues<APInt>()))
        (i % 2 ? dims[i / 2].high : dims[i / 2].low) = value.getSExtValue();
  }

  /// Chooses how each dimension is done; true if it is at most half the work.
  bool isWorthwhile() {
    auto active = [](const Dim &dim) { return !dim.isTrivial(); };
    if (llvm::count_if(dims, active) == 1 &&
        llvm::find_if(dims, active)->isRunning())
      return false;
    // In combinations; a step of doubling is a pass over memory of its own.
    constexpr double passCost = 3;
    double size = 1, whole = 1, parts = 0;
    for (const Dim &dim : dims) {
      size *= double(dim.size);
      whole *= double(dim.outputs()) * double(dim.window);
    }
    for (const Dim &dim : dims) {
      double lines = size / double(dim.size);
      double doubling = lines * double(dim.padded()) *
                        (dim.doublingSteps() + 1) * passCost;
      size = lines * double(dim.outputs());
      double direct = dim.isRunning() ? size : size * double(dim.window);
      byDoubling.push_back(dim.window > 1 && doubling < direct);
      if (!dim.isTrivial())
        parts += byDoubling.back() ? doubling : direct;
    }
    return 2 * parts < whole;
  }

  Value combine(Value a, Value b) {
    OperationState state(op.getLoc(), combiner->getName());
    state.addOperands({a, b});
    state.addTypes(a.getType());
    return builder.create(state)->getResult(0);
  }

  Value pad(Value value, unsigned d) {
    const Dim &dim = dims[d];
    if (dim.low == 0 && dim.high == 0 && dim.baseDilation == 1)
      return value;
    SmallVector<int64_t> low(dims.size(), 0), high(low), interior(low);
    low[d] = dim.low;
    high[d] = dim.high;
    interior[d] = dim.baseDilation - 1;
    return sh::PadOp::create(builder, op.getLoc(), value,
                             op.getInitValues().front(),
                             builder.getDenseI64ArrayAttr(low),
                             builder.getDenseI64ArrayAttr(high),
                             builder.getDenseI64ArrayAttr(interior));
  }

  /// `count` elements of dimension d from `first` on, `stride` apart.
  Value slice(Value value, unsigned d, int64_t first, int64_t count,
              int64_t stride = 1) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> start(dims.size(), 0), limit(type.getShape()),
        strides(dims.size(), 1);
    start[d] = first;
    limit[d] = first + (count - 1) * stride + 1;
    strides[d] = stride;
    return sh::SliceOp::create(builder, op.getLoc(), value,
                               builder.getDenseI64ArrayAttr(start),
                               builder.getDenseI64ArrayAttr(limit),
                               builder.getDenseI64ArrayAttr(strides));
  }

  Value doubled(Value value, unsigned d) {
    const Dim &dim = dims[d];
    SmallVector<Value> powers{pad(value, d)};
    int64_t length = dim.padded();
    for (int64_t w = 1; 2 * w <= dim.window; w *= 2) {
      length -= w * dim.dilation;
      powers.push_back(
          combine(slice(powers.back(), d, 0, length),
                  slice(powers.back(), d, w * dim.dilation, length)));
    }
    auto outputs = [&](Value from, int64_t offset) {
      return slice(from, d, offset * dim.dilation, dim.outputs(), dim.stride);
    };
    Value result = outputs(powers.back(), 0);
    int64_t covered = int64_t(1) << (powers.size() - 1);
    if (isIdempotent && covered < dim.window)
      return combine(result, outputs(powers.back(), dim.window - covered));
    for (unsigned k = powers.size() - 1; k-- > 0;)
      if (dim.window >> k & 1) {
        result = combine(result, outputs(powers[k], covered));
        covered += int64_t(1) << k;
      }
    return result;
  }

  /// A reduce_window along one dimension.
  Value direct(Value value, unsigned d) {
    const Dim &dim = dims[d];
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape()), ones(dims.size(), 1);
    shape[d] = dim.outputs();
    auto only = [&](int64_t number) {
      SmallVector<int64_t> values(ones);
      values[d] = number;
      return builder.getDenseI64ArrayAttr(values);
    };
    SmallVector<int64_t> padding(2 * dims.size(), 0);
    padding[2 * d] = dim.low;
    padding[2 * d + 1] = dim.high;
    auto paddingType = RankedTensorType::get({int64_t(dims.size()), 2},
                                             builder.getI64Type());
    auto window = sh::ReduceWindowOp::create(
        builder, op.getLoc(), TypeRange{type.clone(shape)}, value,
        op.getInitValues().front(), only(dim.window), only(dim.stride),
        only(dim.baseDilation), only(dim.dilation),
        DenseIntElementsAttr::get(paddingType, ArrayRef<int64_t>(padding)));
    IRMapping mapping;
    op.getBody().cloneInto(&window.getBody(), mapping);
    return window->getResult(0);
  }
};
} // namespace

void shoal::splitLargeWindows(Operation *function) {
  SmallVector<sh::ReduceWindowOp> windows;
  function->walk([&](sh::ReduceWindowOp op) { windows.push_back(op); });
  for (sh::ReduceWindowOp op : windows)
    Splitter(op).run();
}
