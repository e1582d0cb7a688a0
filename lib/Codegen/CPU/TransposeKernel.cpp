// Kernels around a transpose that moves the minor dimension: tiles of the two
// dimensions that are minor on either side, read in the operand's order into
// a local array, and written in the result's. Either way memory goes by in
// whole cache lines.

#include "KernelEmitter.h"

#include "dialects/StableHLO/StableHLO.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal::cpu;

/// The last dimension of more than one element, or -1.
static int64_t minorDim(ArrayRef<int64_t> shape) {
  for (int64_t d = shape.size() - 1; d >= 0; --d)
    if (shape[d] > 1)
      return d;
  return -1;
}

/// True if the outputs need `value` at their own index only.
static bool isReadAtOutputIndex(Value value, KernelEmitter &e) {
  SmallVector<Value> pending{value};
  llvm::SmallPtrSet<Operation *, 16> seen;
  while (!pending.empty()) {
    for (Operation *user : pending.pop_back_val().getUsers()) {
      if (user->hasTrait<OpTrait::IsTerminator>() || !seen.insert(user).second)
        continue;
      const OpEmitter *emitter = e.getEmitters().lookup(user);
      if (!emitter || emitter->kind != OpEmitter::Kind::Scalar ||
          shapeOf(user->getResult(0)) != shapeOf(value))
        return false;
      pending.push_back(user->getResult(0));
    }
  }
  return true;
}

bool shoal::cpu::emitTransposeKernel(KernelEmitter &e) {
  stablehlo::TransposeOp transpose;
  for (Operation &op : e.getSource().body->front())
    if (auto candidate = dyn_cast<stablehlo::TransposeOp>(op)) {
      ArrayRef<int64_t> from = shapeOf(candidate.getOperand());
      ArrayRef<int64_t> to = shapeOf(candidate.getResult());
      if (minorDim(to) < 0 ||
          candidate.getPermutation()[minorDim(to)] == minorDim(from))
        continue;
      if (transpose)
        return false;
      transpose = candidate;
    }
  if (!transpose || countElements(shapeOf(transpose.getResult())) < 1024 ||
      !isReadAtOutputIndex(transpose.getResult(), e))
    return false;
  ArrayRef<int64_t> shape = shapeOf(transpose.getResult());
  SmallVector<unsigned> which;
  int64_t cost = 0;
  for (auto [i, output] : llvm::enumerate(e.outputValues())) {
    if (shapeOf(output) != shape)
      return false;
    which.push_back(i);
    cost += elementCost(output, e.getEmitters());
  }

  // In the result's dimensions: `across` is the operand's minor one, `along`
  // the result's.
  auto permutation = transpose.getPermutation();
  int64_t along = minorDim(shape), across = -1;
  int64_t operandMinor = minorDim(shapeOf(transpose.getOperand()));
  for (auto [i, d] : llvm::enumerate(permutation))
    if (d == operandMinor)
      across = i;
  Type type = getElementType(transpose.getResult());
  int64_t line = std::max<int64_t>(16, 64 / getElementBytes(type));
  int64_t tileAcross = std::min(line, shape[across]);
  int64_t tileAlong = std::min<int64_t>(32, shape[along]);
  e.getFacts().flops += cost * countElements(shape);

  SmallVector<int64_t> unitShape(shape);
  unitShape[across] = llvm::divideCeil(shape[across], tileAcross);
  unitShape[along] = llvm::divideCeil(shape[along], tileAlong);
  KernelEmitter::Array tile = e.localArray(type, tileAcross * tileAlong);
  IRBuilder &ir = e.ir();
  auto bounds = [&](IndexExpr first, int64_t size, int64_t extent) {
    llvm::Value *lower = e.value(first);
    llvm::Value *upper = ir.CreateAdd(lower, ir.getInt64(size), "", true, true);
    if (extent % size != 0)
      upper = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, upper,
                                       ir.getInt64(extent));
    return std::pair(lower, upper);
  };
  e.parallelUnits(
      countElements(unitShape), 2 * cost * tileAcross * tileAlong,
      [&](IndexVar *unit) {
        Index at = e.splitVar(unit, unitShape);
        IndexExpr firstAcross = at[across] * tileAcross;
        IndexExpr firstAlong = at[along] * tileAlong;
        auto acrossBounds = bounds(firstAcross, tileAcross, shape[across]);
        auto alongBounds = bounds(firstAlong, tileAlong, shape[along]);
        auto overAcross = [&](llvm::function_ref<void(IndexExpr)> body) {
          e.parallelLoop(acrossBounds.first, acrossBounds.second,
                         shape[across], body);
        };
        auto overAlong = [&](llvm::function_ref<void(IndexExpr)> body) {
          e.parallelLoop(alongBounds.first, alongBounds.second, shape[along],
                         body);
        };
        auto slot = [&](IndexExpr i, IndexExpr j) {
          return (j - firstAlong) * tileAcross + (i - firstAcross);
        };
        overAlong([&](IndexExpr j) {
          overAcross([&](IndexExpr i) {
            Index from(permutation.size());
            for (auto [d, source] : llvm::enumerate(permutation))
              from[source] = int64_t(d) == across  ? i
                             : int64_t(d) == along ? j
                                                   : at[d];
            e.storeArray(tile, slot(i, j),
                         e.element(transpose.getOperand(), from));
          });
        });
        overAcross([&](IndexExpr i) {
          overAlong([&](IndexExpr j) {
            Index to = at;
            to[across] = i;
            to[along] = j;
            e.remember(transpose.getResult(), to,
                       e.loadArray(tile, slot(i, j)));
            e.storeOutputs(which, to);
          });
        });
      });
  return true;
}
