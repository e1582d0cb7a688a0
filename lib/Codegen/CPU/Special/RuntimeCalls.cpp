// Ops that are one call of the runtime per batch element (Support.h): fft,
// cholesky, triangular_solve, rng, rng_bit_generator, top_k.
#include "Special.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/runtime/DType.h"
#include "shoal/runtime/Support.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace shoal::cpu {

namespace {

/// A constant array of i64 in the module.
llvm::Value *constantArray(ElementEmitter &e, ArrayRef<int64_t> values) {
  llvm::Constant *data = llvm::ConstantDataArray::get(
      e.ir().getContext(),
      ArrayRef<uint64_t>(reinterpret_cast<const uint64_t *>(values.data()),
                         values.size()));
  return new llvm::GlobalVariable(e.module(), data->getType(),
                                  /*isConstant=*/true,
                                  llvm::GlobalValue::PrivateLinkage, data);
}

rt::DType dtypeOf(Type elementType) {
  std::string name;
  llvm::raw_string_ostream(name) << elementType;
  return rt::parseDType(name);
}

llvm::Value *dtypeValue(ElementEmitter &e, Type elementType) {
  return e.ir().getInt32(int32_t(dtypeOf(elementType)));
}

/// A tensor cut into parts: its last `rank` dimensions are one part.
struct Parts {
  Parts(Value tensor, int64_t rank) : tensor(tensor) {
    ArrayRef<int64_t> shape = shapeOfTensor(tensor);
    inner = shape.take_back(rank);
    outer = shape.drop_back(rank);
    elements = countOf(inner);
    count = countOf(outer);
  }
  Value tensor;
  ArrayRef<int64_t> inner, outer;
  int64_t elements, count;
};

llvm::Value *partAt(ElementEmitter &e, llvm::Value *base, const Parts &parts,
                    IndexExpr number) {
  int64_t bytes =
      parts.elements * getElementBytes(getElementType(parts.tensor));
  return e.ir().CreateInBoundsGEP(e.ir().getInt8Ty(), base,
                                  e.value(number * bytes));
}

/// Address of part `number` of an operand; what the kernel computes (a
/// constant, a fused producer) is put into memory first.
llvm::Value *operandPart(BufferEmitter &b, const Parts &parts,
                         IndexExpr number = IndexExpr()) {
  ElementEmitter &e = b.e;
  if (llvm::Value *base = b.pointer(parts.tensor))
    return partAt(e, base, parts, number);
  Type type = getElementType(parts.tensor);
  llvm::Value *memory = e.localBuffer(parts.elements * getElementBytes(type));
  Index outer = e.delinearize(number, parts.outer);
  e.forShape(parts.inner, [&](ArrayRef<IndexExpr> at) {
    Index index(outer);
    llvm::append_range(index, at);
    storeElement(e.ir(), type, e.element(parts.tensor, index), memory,
                 e.value(e.linearize(at, parts.inner)));
  });
  return memory;
}
/// The whole operand.
llvm::Value *operandAddress(BufferEmitter &b, Value operand) {
  return operandPart(b, Parts(operand, shapeOfTensor(operand).size()));
}
llvm::Value *resultPart(BufferEmitter &b, unsigned result, const Parts &parts,
                        IndexExpr number) {
  return partAt(b.e, b.result(result), parts, number);
}

bool isLinearAlgebraType(Type elementType) {
  Type part = getComponentType(elementType);
  return part.isF32() || part.isF64();
}

//===----------------------------------------------------------------------===//

void emitFft(stablehlo::FftOp op, BufferEmitter &b) {
  ElementEmitter &e = b.e;
  IRBuilder &ir = e.ir();
  ArrayRef<int64_t> lengths = op.getFftLength();
  Type outType = getElementType(op->getResult(0));
  int64_t rank = lengths.size();
  Parts in(op.getOperand(), rank), out(op->getResult(0), rank);
  if (in.count == 0 || out.elements == 0)
    return;
  llvm::Value *sizes = constantArray(e, lengths);
  bool isDouble = getComponentType(outType).isF64();
  auto run = [&](IndexExpr first, llvm::Value *count) {
    e.call("shoal_rt_ffts", ir.getVoidTy(),
           {ir.getInt32(int32_t(op.getFftType())), ir.getInt32(isDouble),
            ir.getInt32(rank), sizes, count, operandPart(b, in, first),
            resultPart(b, 0, out, first)});
  };
  if (b.pointer(op.getOperand()))
    return run(e.expr(b.chunkBegin, 0, in.count),
               ir.CreateSub(b.chunkEnd, b.chunkBegin));
  e.forLoop(b.chunkBegin, b.chunkEnd, in.count,
            [&](IndexExpr i) { run(i, ir.getInt64(1)); });
}

void emitCholesky(stablehlo::CholeskyOp op, BufferEmitter &b) {
  ElementEmitter &e = b.e;
  IRBuilder &ir = e.ir();
  Type type = getElementType(op->getResult(0));
  if (!isLinearAlgebraType(type)) {
    e.fail(op, "cholesky of this element type is not supported on the CPU; "
               "convert to f32 first");
    return;
  }
  Parts parts(op->getOperand(0), 2);
  if (parts.count == 0 || parts.elements == 0)
    return;
  int64_t n = shapeOfTensor(op->getOperand(0)).back();
  e.forLoop(b.chunkBegin, b.chunkEnd, parts.count, [&](IndexExpr i) {
    e.call("shoal_rt_cholesky", ir.getVoidTy(),
           {dtypeValue(e, type), ir.getInt32(op.getLower()), ir.getInt64(n),
            operandPart(b, parts, i),
            resultPart(b, 0, Parts(op->getResult(0), 2), i)});
  });
}

void emitTriangularSolve(stablehlo::TriangularSolveOp op, BufferEmitter &b) {
  ElementEmitter &e = b.e;
  IRBuilder &ir = e.ir();
  Type type = getElementType(op->getResult(0));
  if (!isLinearAlgebraType(type)) {
    e.fail(op, "triangular_solve of this element type is not supported on the "
               "CPU; convert to f32 first");
    return;
  }
  Parts a(op.getA(), 2), x(op.getB(), 2);
  if (x.count == 0 || x.elements == 0)
    return;
  int32_t transpose = ShoalNoTranspose;
  if (op.getTransposeA() == stablehlo::Transpose::TRANSPOSE)
    transpose = ShoalTransposed;
  else if (op.getTransposeA() == stablehlo::Transpose::ADJOINT)
    transpose = ShoalAdjoint;
  ArrayRef<int64_t> shape = shapeOfTensor(op.getB());
  e.forLoop(b.chunkBegin, b.chunkEnd, x.count, [&](IndexExpr i) {
    e.call("shoal_rt_triangular_solve", ir.getVoidTy(),
           {dtypeValue(e, type), ir.getInt32(op.getLeftSide()),
            ir.getInt32(op.getLower()), ir.getInt32(op.getUnitDiagonal()),
            ir.getInt32(transpose), ir.getInt64(shape[shape.size() - 2]),
            ir.getInt64(shape.back()), operandPart(b, a, i),
            operandPart(b, x, i), resultPart(b, 0, x, i)});
  });
}

/// Algorithm DEFAULT is philox, as in XLA's CPU and GPU back ends.
void emitRandomBits(stablehlo::RngBitGeneratorOp op, BufferEmitter &b) {
  ElementEmitter &e = b.e;
  IRBuilder &ir = e.ir();
  Value state = op->getOperand(0);
  int64_t stateBytes =
      countOf(shapeOfTensor(state)) * getElementBytes(getElementType(state));
  bool threeFry = op.getRngAlgorithm() == stablehlo::RngAlgorithm::THREE_FRY;
  if (stateBytes != 16 && (threeFry || stateBytes != 24)) {
    e.fail(op, "the state of rng_bit_generator must have 16 bytes, or 24 for "
               "PHILOX");
    return;
  }
  Type type = getElementType(op->getResult(1));
  ArrayRef<int64_t> shape = shapeOfTensor(op->getResult(1));
  llvm::Value *dims =
      constantArray(e, shape.empty() ? ArrayRef<int64_t>{1} : shape);
  e.call("shoal_rt_random_bits", ir.getVoidTy(),
         {ir.getInt32(threeFry ? ShoalThreeFry : ShoalPhilox),
          operandAddress(b, state), ir.getInt64(stateBytes), b.result(0),
          ir.getInt64(getElementBytes(type)), ir.getInt64(shape.size()), dims,
          b.result(1)});
  // Of narrower types the low bits count, extended as they are stored.
  int64_t spare = 8 - static_cast<int64_t>(type.getIntOrFloatBitWidth());
  if (spare <= 0)
    return;
  e.forLoop(countOf(shape), [&](IndexExpr i) {
    llvm::Value *at =
        ir.CreateInBoundsGEP(ir.getInt8Ty(), b.result(1), e.value(i));
    llvm::Value *bits =
        ir.CreateShl(ir.CreateLoad(ir.getInt8Ty(), at), spare);
    bits = type.isSignlessInteger() ? ir.CreateAShr(bits, spare)
                                    : ir.CreateLShr(bits, spare);
    ir.CreateStore(bits, at);
  });
}

void emitRandom(stablehlo::RngOp op, BufferEmitter &b) {
  ElementEmitter &e = b.e;
  IRBuilder &ir = e.ir();
  Type type = getElementType(op->getResult(0));
  ArrayRef<int64_t> shape = shapeOfTensor(op->getResult(0));
  bool normal = op.getRngDistribution() == stablehlo::RngDistribution::NORMAL;
  // The stream depends on the shape alone: equal on all ranks.
  uint64_t seed = 0x9e3779b97f4a7c15;
  for (int64_t size : shape)
    seed = (seed ^ uint64_t(size)) * 0xd1342543de82ef95 + 1;
  e.call("shoal_rt_random", ir.getVoidTy(),
         {ir.getInt32(normal ? ShoalNormal : ShoalUniform), dtypeValue(e, type),
          operandAddress(b, op.getA()), operandAddress(b, op.getB()),
          ir.getInt64(seed), ir.getInt64(countOf(shape)), b.result(0)});
}

void emitTopK(chlo::TopKOp op, BufferEmitter &b) {
  ElementEmitter &e = b.e;
  IRBuilder &ir = e.ir();
  Value operand = op.getOperand();
  Type type = getElementType(operand);
  Type indexType = getElementType(op->getResult(1));
  if (isComplex(type) || !indexType.isSignlessInteger(32)) {
    e.fail(op, "top_k on the CPU takes integers or real floats and gives i32 "
               "indices");
    return;
  }
  Parts in(operand, 1), out(op->getResult(0), 1);
  if (in.count == 0 || out.elements == 0)
    return;
  e.forLoop(b.chunkBegin, b.chunkEnd, in.count, [&](IndexExpr i) {
    e.call("shoal_rt_top_k", ir.getVoidTy(),
           {dtypeValue(e, type), ir.getInt64(in.elements),
            ir.getInt64(out.elements), operandPart(b, in, i),
            resultPart(b, 0, out, i),
            resultPart(b, 1, Parts(op->getResult(1), 1), i)});
  });
}

} // namespace

void registerRuntimeCallOps(OpEmitters &emitters) {
  auto batched = [](OpEmitter &emitter, int64_t rank) {
    emitter.chunks = [rank](Operation *op) {
      return std::max<int64_t>(Parts(op->getOperand(0), rank).count, 1);
    };
    emitter.flops = [](Operation *op) {
      int64_t elements = countOf(shapeOfTensor(op->getOperand(0)));
      return elements * 32;
    };
  };
  OpEmitter &fft = emitters.buffer<stablehlo::FftOp>(emitFft);
  fft.chunks = [](Operation *op) {
    int64_t rank = cast<stablehlo::FftOp>(op).getFftLength().size();
    return std::max<int64_t>(Parts(op->getOperand(0), rank).count, 1);
  };
  batched(emitters.buffer<stablehlo::CholeskyOp>(emitCholesky), 2);
  batched(emitters.buffer<stablehlo::TriangularSolveOp>(emitTriangularSolve),
          2);
  batched(emitters.buffer<chlo::TopKOp>(emitTopK), 1);
  emitters.buffer<stablehlo::RngBitGeneratorOp>(emitRandomBits);
  emitters.buffer<stablehlo::RngOp>(emitRandom);
}

} // namespace shoal::cpu
