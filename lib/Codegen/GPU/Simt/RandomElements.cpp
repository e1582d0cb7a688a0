// rng_bit_generator and rng: every element knows its counter. A thread makes all
// elements of a counter, where it has several; fused ones are made one by one. The
// same bits as the CPU's (runtime/support/Random.cpp).
#include "SimtEmitter.h"

#include "lib/Codegen/CPU/Convert.h"
#include "lib/Codegen/CPU/ScalarMath.h"
#include "lib/Codegen/CPU/Special/Special.h"
#include "lib/Codegen/KernelMath/KernelMath.h"

#include "dialects/StableHLO/StableHLO.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::cpu;

namespace {
llvm::Value *callMath(ElementEmitter &e, llvm::StringRef name,
                      ArrayRef<llvm::Value *> arguments) {
  return kernelmath::call(e.ir(), name, e.ir().getInt64Ty(), arguments);
}

/// 64-bit words of the state, whatever integers hold it.
struct State {
  SmallVector<llvm::Value *> words;
  int64_t bytes;
};
State loadState(ElementEmitter &e, Value state) {
  IRBuilder &ir = e.ir();
  int64_t size = getElementBytes(getElementType(state));
  ArrayRef<int64_t> shape = shapeOfTensor(state);
  State result;
  result.bytes = countOf(shape) * size;
  for (int64_t word = 0; word * 8 < result.bytes; ++word) {
    llvm::Value *value = ir.getInt64(0);
    for (int64_t part = 0; part * size < 8; ++part) {
      int64_t number = word * (8 / size) + part;
      Index at = e.delinearize(IndexExpr(number), shape);
      llvm::Value *bits =
          ir.CreateZExt(e.element(state, at).re, ir.getInt64Ty());
      value = ir.CreateOr(value, ir.CreateShl(bits, part * size * 8));
    }
    result.words.push_back(value);
  }
  return result;
}

/// How threefry lays counters over a shape: it is cut in halves along its first
/// even dimension (else its largest), which are interleaved in the result.
struct ThreeFryLayout {
  int64_t length = 1, outer = 1, inner = 1;
  explicit ThreeFryLayout(ArrayRef<int64_t> shape) {
    int64_t rank = shape.size(), split = -1;
    for (int64_t d = 0; d < rank && split < 0; ++d)
      if (shape[d] % 2 == 0)
        split = d;
    if (split < 0)
      for (int64_t d = 0; d < rank; ++d)
        if (split < 0 || shape[d] > shape[split])
          split = d;
    if (rank == 0)
      return;
    length = shape[split];
    outer = countOf(shape.take_front(split));
    inner = countOf(shape.drop_front(split + 1));
  }
  int64_t half() const { return (length + 1) / 2; }
};

llvm::Value *threeFryBits(ElementEmitter &e, const State &state,
                          ArrayRef<IndexExpr> index, ArrayRef<int64_t> shape,
                          int64_t bytes) {
  IRBuilder &ir = e.ir();
  IndexExpr linear = e.linearize(index, shape);
  if (bytes == 8)
    return callMath(e, "shoal_threefry",
                    {state.words[0],
                     ir.CreateAdd(state.words[1], e.value(linear))});
  ThreeFryLayout layout(shape);
  auto [rest, i] = e.divMod(linear, layout.inner);
  auto [o, position] = e.divMod(rest, layout.length);
  auto [h, which] = e.divMod(position, 2);
  IndexExpr counter = (o * layout.half() + h) * layout.inner + i;
  llvm::Value *both = callMath(
      e, "shoal_threefry",
      {state.words[0], ir.CreateAdd(state.words[1], e.value(counter))});
  return ir.CreateLShr(both, ir.CreateMul(e.value(which), ir.getInt64(32)));
}

llvm::Value *philoxBits(ElementEmitter &e, const State &state,
                        ArrayRef<IndexExpr> index, ArrayRef<int64_t> shape,
                        int64_t bytes) {
  IRBuilder &ir = e.ir();
  // A state of 16 bytes has its key as the counter's high half.
  llvm::Value *high = state.words[state.bytes < 24 ? 0 : 2];
  auto [block, word] =
      e.divMod(e.linearize(index, shape), bytes == 8 ? 2 : 4);
  llvm::Value *low = ir.CreateAdd(state.words[1], e.value(block));
  llvm::Value *carry = ir.CreateZExt(ir.CreateICmpULT(low, state.words[1]),
                                     ir.getInt64Ty());
  auto [half, part] = e.divMod(word, bytes == 8 ? 1 : 2);
  llvm::Value *bits =
      callMath(e, "shoal_philox",
               {state.words[0], low, ir.CreateAdd(high, carry), e.value(half)});
  return bytes == 8 ? bits
                    : ir.CreateLShr(bits, ir.CreateMul(e.value(part),
                                                       ir.getInt64(32)));
}

/// The state after the generator has run.
State nextState(ElementEmitter &e, State state, bool isThreeFry,
                ArrayRef<int64_t> shape, int64_t bytes) {
  IRBuilder &ir = e.ir();
  int64_t count = countOf(shape), used;
  if (isThreeFry) {
    ThreeFryLayout layout(shape);
    used = bytes == 8 ? count : layout.outer * layout.half() * layout.inner;
    state.words[1] = ir.CreateAdd(state.words[1], ir.getInt64(used));
    return state;
  }
  used = llvm::divideCeil(count, bytes == 8 ? 2 : 4);
  llvm::Value *low = ir.CreateAdd(state.words[1], ir.getInt64(used));
  if (state.words.size() > 2)
    state.words[2] = ir.CreateAdd(
        state.words[2], ir.CreateZExt(ir.CreateICmpULT(low, state.words[1]),
                                      ir.getInt64Ty()));
  state.words[1] = low;
  return state;
}

Scalar emitRandomBits(stablehlo::RngBitGeneratorOp op, unsigned result,
                      ArrayRef<IndexExpr> index, ElementEmitter &e) {
  IRBuilder &ir = e.ir();
  State state = loadState(e, op->getOperand(0));
  bool isThreeFry = op.getRngAlgorithm() == stablehlo::RngAlgorithm::THREE_FRY;
  if (state.bytes != 16 && (isThreeFry || state.bytes != 24))
    return e.fail(op, "the state of rng_bit_generator must have 16 bytes, or "
                      "24 for PHILOX");
  Type type = getElementType(op->getResult(1));
  ArrayRef<int64_t> shape = shapeOfTensor(op->getResult(1));
  int64_t bytes = getElementBytes(type);
  if (result == 1) {
    llvm::Value *bits = isThreeFry
                            ? threeFryBits(e, state, index, shape, bytes)
                            : philoxBits(e, state, index, shape, bytes);
    return bitsToScalar(
        ir, ir.CreateTrunc(bits, ir.getIntNTy(getLogicalBits(type))), type);
  }
  State next = nextState(e, state, isThreeFry, shape, bytes);
  Type stateType = getElementType(op->getResult(0));
  int64_t size = getElementBytes(stateType), perWord = 8 / size;
  auto [word, part] = e.divMod(
      e.linearize(index, shapeOfTensor(op->getResult(0))), perWord);
  llvm::Value *value = next.words[0], *number = e.value(word);
  for (unsigned w = 1; w < next.words.size(); ++w)
    value = ir.CreateSelect(ir.CreateICmpEQ(number, ir.getInt64(w)),
                            next.words[w], value);
  value = ir.CreateLShr(
      value, ir.CreateMul(e.value(part), ir.getInt64(8 * size)));
  return {ir.CreateTrunc(value, getCarrierType(stateType, ir.getContext()))};
}

/// 53 random bits as a number in [0, 1).
llvm::Value *unitOf(IRBuilder &ir, llvm::Value *words) {
  // The first word is the high one.
  llvm::Value *bits =
      ir.CreateOr(ir.CreateShl(words, 32), ir.CreateLShr(words, 32));
  return ir.CreateFMul(ir.CreateUIToFP(ir.CreateLShr(bits, 11),
                                       ir.getDoubleTy()),
                       llvm::ConstantFP::get(ir.getDoubleTy(), 0x1p-53));
}

Scalar emitRandom(stablehlo::RngOp op, unsigned, ArrayRef<IndexExpr> index,
                  ElementEmitter &e) {
  IRBuilder &ir = e.ir();
  Type type = getElementType(op->getResult(0));
  ArrayRef<int64_t> shape = shapeOfTensor(op->getResult(0));
  // The stream depends on the shape alone: equal on all ranks.
  uint64_t seed = 0x9e3779b97f4a7c15;
  for (int64_t size : shape)
    seed = (seed ^ uint64_t(size)) * 0xd1342543de82ef95 + 1;
  llvm::Value *counter = e.value(e.linearize(index, shape));
  auto words = [&](int64_t half) {
    return callMath(e, "shoal_philox", {ir.getInt64(seed), counter,
                                        ir.getInt64(0), ir.getInt64(half)});
  };
  Scalar a = e.element(op.getA(), {}), b = e.element(op.getB(), {});
  if (isa<IntegerType>(type)) {
    llvm::Value *low = e.toIndex(a, type), *high = e.toIndex(b, type);
    llvm::Value *offset = callMath(e, "shoal_scale_bits",
                                   {words(0), ir.CreateSub(high, low)});
    return {ir.CreateTrunc(ir.CreateAdd(low, offset),
                           getCarrierType(type, ir.getContext()))};
  }
  Type f64 = Float64Type::get(op->getContext());
  Scalar low = convertScalar(ir, a, type, f64);
  Scalar high = convertScalar(ir, b, type, f64);
  llvm::Value *u = unitOf(ir, words(0));
  auto number = [&](double v) {
    return llvm::ConstantFP::get(ir.getDoubleTy(), v);
  };
  if (op.getRngDistribution() == stablehlo::RngDistribution::NORMAL) {
    // Box and Muller; 1 - u is never zero.
    llvm::Value *v = unitOf(ir, words(1));
    Scalar log = emitFunction(ir, "log", f64, {{ir.CreateFSub(number(1), u)}});
    llvm::Value *radius = ir.CreateUnaryIntrinsic(
        llvm::Intrinsic::sqrt, ir.CreateFMul(number(-2), log.re));
    Scalar cosine = emitFunction(
        ir, "cos", f64, {{ir.CreateFMul(number(6.283185307179586), v)}});
    llvm::Value *value = ir.CreateFAdd(
        low.re,
        ir.CreateFMul(high.re, ir.CreateFMul(radius, cosine.re)));
    return convertScalar(ir, {value}, f64, type);
  }
  llvm::Value *value = ir.CreateFAdd(
      low.re, ir.CreateFMul(ir.CreateFSub(high.re, low.re), u));
  Scalar rounded = convertScalar(ir, {value}, f64, type);
  // Rounding must not reach the open end.
  llvm::Value *reached = ir.CreateAnd(ir.CreateFCmpOLT(a.re, b.re),
                                      ir.CreateFCmpOGE(rounded.re, b.re));
  return selectScalar(ir, reached, a, rounded);
}
} // namespace

/// A thread for each counter: two elements of threefry, two or four of philox.
static void makeRandomBits(stablehlo::RngBitGeneratorOp op,
                           gpu::simt::SimtKernel &kernel) {
  using gpu::simt::SimtEmitter;
  Type type = getElementType(op->getResult(1));
  SmallVector<int64_t> shape(shapeOfTensor(op->getResult(1)));
  int64_t bytes = getElementBytes(type), count = countOf(shape);
  int64_t stateBytes = countOf(shapeOfTensor(op->getOperand(0))) *
                       getElementBytes(getElementType(op->getOperand(0)));
  bool isThreeFry = op.getRngAlgorithm() == stablehlo::RngAlgorithm::THREE_FRY;
  // The others are made, or refused, an element at a time.
  if (count == 0 || (isThreeFry && bytes == 8) ||
      (stateBytes != 16 && (isThreeFry || stateBytes != 24)))
    return;
  kernel.form = "random bits";
  kernel.flops = 0;
  kernel.steps.push_back({gpu::simt::defaultBlock, [=](SimtEmitter &e) mutable {
    IRBuilder &ir = e.ir();
    SmallVector<int64_t> newState(shapeOfTensor(op->getResult(0)));
    if (auto *array = gpu::simt::resultArray(e, op, 0))
      e.gridSpace(newState, [&](ArrayRef<IndexExpr> index) {
        e.storeArray(*array, e.linearize(index, newState),
                     emitRandomBits(op, 0, index, e));
      });
    const auto *array = gpu::simt::resultArray(e, op, 1);
    if (!array)
      return;
    auto store = [&](IndexExpr at, llvm::Value *bits) {
      llvm::Value *cut =
          ir.CreateTrunc(bits, ir.getIntNTy(getLogicalBits(type)));
      e.storeArray(*array, at, bitsToScalar(ir, cut, type));
    };
    State state = loadState(e, op->getOperand(0));
    if (isThreeFry) {
      ThreeFryLayout layout(shape);
      int64_t counters = layout.outer * layout.half() * layout.inner;
      e.gridLoop(counters, [&](gpu::simt::IndexVar *counter) {
        auto [rest, i] = e.divMod(IndexExpr(counter), layout.inner);
        auto [o, h] = e.divMod(rest, layout.half());
        llvm::Value *both = callMath(
            e, "shoal_threefry",
            {state.words[0],
             ir.CreateAdd(state.words[1], e.value(IndexExpr(counter)))});
        IndexExpr first =
            (o * layout.length + h * 2) * layout.inner + i;
        store(first, both);
        llvm::Value *inside =
            ir.CreateICmpSLT(e.value(h * 2 + IndexExpr(1)),
                             ir.getInt64(layout.length));
        e.ifThenElse(inside, [&] {
          store(first + IndexExpr(layout.inner), ir.CreateLShr(both, 32));
        });
      });
      return;
    }
    int64_t each = bytes == 8 ? 2 : 4;
    llvm::Value *high = state.words[state.bytes < 24 ? 0 : 2];
    e.gridLoop(llvm::divideCeil(count, each), [&](gpu::simt::IndexVar *block) {
      llvm::Value *low =
          ir.CreateAdd(state.words[1], e.value(IndexExpr(block)));
      llvm::Value *carry = ir.CreateZExt(
          ir.CreateICmpULT(low, state.words[1]), ir.getInt64Ty());
      llvm::Value *top = ir.CreateAdd(high, carry);
      for (int64_t j = 0; j < each; ++j) {
        IndexExpr at = IndexExpr(block) * each + IndexExpr(j);
        llvm::Value *bits = callMath(
            e, "shoal_philox",
            {state.words[0], low, top, ir.getInt64(bytes == 8 ? j : j / 2)});
        if (bytes < 8 && j % 2)
          bits = ir.CreateLShr(bits, 32);
        llvm::Value *inside =
            ir.CreateICmpSLT(e.value(at), ir.getInt64(count));
        e.ifThenElse(inside, [&] { store(at, bits); });
      }
    });
  }});
}

void shoal::gpu::simt::addRandomForm(OpForms &forms) {
  forms.add<stablehlo::RngBitGeneratorOp>(
      [](stablehlo::RngBitGeneratorOp op, const KernelSource &source,
         SimtKernel &kernel) {
        if (gpu::simt::isAlone(op, source))
          makeRandomBits(op, kernel);
      });
}

void shoal::gpu::simt::registerRandomElements(OpEmitters &emitters) {
  emitters.element<stablehlo::RngBitGeneratorOp>(emitRandomBits);
  emitters.element<stablehlo::RngOp>(emitRandom);
}
