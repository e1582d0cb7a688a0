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

/// Address of part `number` of an array cut into parts of `elements`.
llvm::Value *part(ElementEmitter &e, llvm::Value *base, IndexExpr number,
                  int64_t elements, Type elementType) {
  return e.ir().CreateInBoundsGEP(
      e.ir().getInt8Ty(), base,
      e.value(number * (elements * getElementBytes(elementType))));
}

/// Sizes of a tensor: elements of its last `rank` dimensions, and how many
/// such parts there are.
struct Parts {
  Parts(Value tensor, int64_t rank) {
    ArrayRef<int64_t> shape = shapeOfTensor(tensor);
    elements = countOf(shape.take_back(rank));
    count = countOf(shape.drop_back(rank));
  }
  int64_t elements, count;
};

bool isLinearAlgebraType(Type elementType) {
  Type part = getComponentType(elementType);
  return part.isF32() || part.isF64();
}

//===----------------------------------------------------------------------===//

void emitFft(stablehlo::FftOp op, BufferEmitter &b) {
  ElementEmitter &e = b.e;
  IRBuilder &ir = e.ir();
  ArrayRef<int64_t> lengths = op.getFftLength();
  Type inType = getElementType(op.getOperand());
  Type outType = getElementType(op->getResult(0));
  int64_t rank = lengths.size();
  Parts in(op.getOperand(), rank), out(op->getResult(0), rank);
  if (in.count == 0 || out.elements == 0)
    return;
  llvm::Value *sizes = constantArray(e, lengths);
  bool isDouble = getComponentType(outType).isF64();
  e.forLoop(b.chunkBegin, b.chunkEnd, in.count, [&](IndexExpr i) {
    e.call("shoal_rt_fft", ir.getVoidTy(),
           {ir.getInt32(int32_t(op.getFftType())), ir.getInt32(isDouble),
            ir.getInt32(rank), sizes,
            part(e, b.pointer(op.getOperand()), i, in.elements, inType),
            part(e, b.result(0), i, out.elements, outType)});
  });
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
            part(e, b.pointer(op->getOperand(0)), i, parts.elements, type),
            part(e, b.result(0), i, parts.elements, type)});
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
            ir.getInt64(shape.back()),
            part(e, b.pointer(op.getA()), i, a.elements, type),
            part(e, b.pointer(op.getB()), i, x.elements, type),
            part(e, b.result(0), i, x.elements, type)});
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
         {ir.getInt32(threeFry ? ShoalThreeFry : ShoalPhilox), b.pointer(state),
          ir.getInt64(stateBytes), b.result(0),
          ir.getInt64(getElementBytes(type)), ir.getInt64(shape.size()), dims,
          b.result(1)});
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
          b.pointer(op.getA()), b.pointer(op.getB()), ir.getInt64(seed),
          ir.getInt64(countOf(shape)), b.result(0)});
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
            ir.getInt64(out.elements),
            part(e, b.pointer(operand), i, in.elements, type),
            part(e, b.result(0), i, out.elements, type),
            part(e, b.result(1), i, out.elements, indexType)});
  });
}

} // namespace

void registerRuntimeCallOps(OpEmitters &emitters) {
  auto inMemory = [](OpEmitter &emitter, int64_t rank) {
    emitter.operandsInMemory = true;
    emitter.chunks = [rank](Operation *op) {
      return std::max<int64_t>(Parts(op->getOperand(0), rank).count, 1);
    };
    emitter.flops = [](Operation *op) {
      int64_t elements = countOf(shapeOfTensor(op->getOperand(0)));
      return elements * 32;
    };
  };
  OpEmitter &fft = emitters.buffer<stablehlo::FftOp>(emitFft);
  fft.operandsInMemory = true;
  fft.chunks = [](Operation *op) {
    int64_t rank = cast<stablehlo::FftOp>(op).getFftLength().size();
    return std::max<int64_t>(Parts(op->getOperand(0), rank).count, 1);
  };
  inMemory(emitters.buffer<stablehlo::CholeskyOp>(emitCholesky), 2);
  inMemory(emitters.buffer<stablehlo::TriangularSolveOp>(emitTriangularSolve),
           2);
  inMemory(emitters.buffer<chlo::TopKOp>(emitTopK), 1);
  emitters.buffer<stablehlo::RngBitGeneratorOp>(emitRandomBits)
      .operandsInMemory = true;
  emitters.buffer<stablehlo::RngOp>(emitRandom).operandsInMemory = true;
}

} // namespace shoal::cpu
