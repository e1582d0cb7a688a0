#include "SplitTransforms.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

/// A transform along dimension `d` only; `type` is the whole result's.
static Value along(OpBuilder &builder, sh::FftOp op, Value value, int64_t d,
                   sh::FftType kind, int64_t length) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t last = type.getRank() - 1;
  auto swapped = [&](Value from) -> Value {
    if (d == last)
      return from;
    auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, last + 1));
    std::swap(permutation[d], permutation[last]);
    return sh::TransposeOp::create(builder, op.getLoc(), from,
                                   builder.getDenseI64ArrayAttr(permutation));
  };
  Value lines = swapped(value);
  auto lineType = cast<RankedTensorType>(lines.getType());
  SmallVector<int64_t> shape(lineType.getShape());
  Type element = lineType.getElementType();
  if (kind == sh::FftType::RFFT) {
    shape.back() = length / 2 + 1;
    element = ComplexType::get(element);
  } else if (kind == sh::FftType::IRFFT) {
    shape.back() = length;
    element = cast<ComplexType>(element).getElementType();
  }
  return swapped(sh::FftOp::create(
      builder, op.getLoc(), RankedTensorType::get(shape, element), lines, kind,
      builder.getDenseI64ArrayAttr({length})));
}

static void split(sh::FftOp op) {
  ArrayRef<int64_t> lengths = op.getFftLength();
  auto type = dyn_cast<RankedTensorType>(op.getOperand().getType());
  if (lengths.size() < 2 || !type || !type.hasStaticShape())
    return;
  // Enough of them keep all cores busy as they are; small ones one.
  constexpr int64_t fewTransforms = 16, smallSize = 1 << 14;
  int64_t rank = type.getRank(), first = rank - int64_t(lengths.size());
  int64_t count = 1;
  for (int64_t size : type.getShape().take_front(first))
    count *= size;
  if (count >= fewTransforms || type.getNumElements() < smallSize)
    return;
  OpBuilder builder(op);
  sh::FftType kind = op.getFftType();
  bool inverse = kind == sh::FftType::IFFT || kind == sh::FftType::IRFFT;
  Value value = op.getOperand();
  auto others = [&] {
    for (int64_t d = rank - 2; d >= first; --d)
      value = along(builder, op, value, d,
                    inverse ? sh::FftType::IFFT : sh::FftType::FFT,
                    lengths[d - first]);
  };
  // The real side comes first or last.
  if (kind == sh::FftType::IRFFT)
    others();
  value = along(builder, op, value, rank - 1, kind, lengths.back());
  if (kind != sh::FftType::IRFFT)
    others();
  op.replaceAllUsesWith(value);
  op.erase();
}

void shoal::splitTransforms(Operation *function) {
  SmallVector<sh::FftOp> transforms;
  function->walk([&](sh::FftOp op) { transforms.push_back(op); });
  for (sh::FftOp op : transforms)
    split(op);
}
