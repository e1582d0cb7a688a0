// fft by its definition, an element at a time, summed in f64: for sizes where
// the library is not worth a call, and for runs without it.
#include "SimtEmitter.h"

#include "lib/Codegen/CPU/Convert.h"
#include "lib/Codegen/CPU/ScalarMath.h"
#include "lib/Codegen/CPU/Special/Special.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::cpu;

/// result[k] = sum over j of x[j] * exp(-+ 2 pi i sum_d j_d k_d / n_d), divided by
/// the number of elements for the inverse ones.
static Scalar emitFft(stablehlo::FftOp op, unsigned, ArrayRef<IndexExpr> index,
                      ElementEmitter &e) {
  IRBuilder &ir = e.ir();
  using Kind = stablehlo::FftType;
  Kind kind = op.getFftType();
  bool inverse = kind == Kind::IFFT || kind == Kind::IRFFT;
  SmallVector<int64_t> lengths(op.getFftLength());
  unsigned rank = lengths.size(), outer = index.size() - rank;
  Value operand = op.getOperand();
  ArrayRef<int64_t> shape = shapeOfTensor(operand);
  Type inType = getElementType(operand);
  Type outType = getElementType(op->getResult(0));
  MLIRContext *context = op->getContext();
  Type f64 = Float64Type::get(context), complex = ComplexType::get(f64);
  auto number = [&](double v) {
    return llvm::ConstantFP::get(ir.getDoubleTy(), v);
  };
  int64_t total = countOf(lengths);
  Variable sum = e.variable(complex);
  e.set(sum, zeroScalar(ir, complex));
  e.forShape(lengths, [&](ArrayRef<IndexExpr> j) {
    // The angle in turns; each product modulo its length, which is exact.
    llvm::Value *turns = number(0);
    for (unsigned d = 0; d < rank; ++d) {
      llvm::Value *product =
          ir.CreateMul(e.value(j[d]), e.value(index[outer + d]));
      product = ir.CreateURem(product, ir.getInt64(lengths[d]));
      turns = ir.CreateFAdd(
          turns, ir.CreateFMul(ir.CreateUIToFP(product, ir.getDoubleTy()),
                               number(1.0 / double(lengths[d]))));
    }
    llvm::Value *angle = ir.CreateFMul(
        turns, number((inverse ? 1 : -1) * 6.283185307179586476925));
    llvm::Value *re = emitFunction(ir, "cos", f64, {{angle}}).re;
    llvm::Value *im = emitFunction(ir, "sin", f64, {{angle}}).re;
    Index at(index.begin(), index.begin() + outer);
    llvm::append_range(at, j);
    Scalar x;
    if (kind == Kind::IRFFT) {
      // The second half is the conjugate of the first, mirrored.
      int64_t stored = shape.back();
      llvm::Value *last = e.value(j[rank - 1]);
      llvm::Value *mirrored = ir.CreateICmpSGE(last, ir.getInt64(stored));
      Index from(at);
      for (unsigned d = 0; d < rank; ++d) {
        llvm::Value *own = e.value(j[d]);
        llvm::Value *other = ir.CreateSub(ir.getInt64(lengths[d]), own);
        if (d + 1 < rank) // modulo the length
          other = ir.CreateSelect(ir.CreateICmpEQ(own, ir.getInt64(0)),
                                  ir.getInt64(0), other);
        from[outer + d] = e.expr(ir.CreateSelect(mirrored, other, own), 0,
                                 shape[outer + d] - 1);
      }
      x = convertScalar(ir, e.element(operand, from), inType, complex);
      // The imaginary parts of the zeroth and middle term do not count.
      x.im = ir.CreateSelect(mirrored, ir.CreateFNeg(x.im), x.im);
    } else {
      x = convertScalar(ir, e.element(operand, at), inType, complex);
    }
    Scalar term = emitMultiply(ir, complex, x, {re, im});
    e.set(sum, emitAdd(ir, complex, e.get(sum), term));
  });
  Scalar result = e.get(sum);
  if (inverse) {
    result.re = ir.CreateFMul(result.re, number(1.0 / double(total)));
    result.im = ir.CreateFMul(result.im, number(1.0 / double(total)));
  }
  return convertScalar(ir, result, complex, outType);
}

void shoal::gpu::simt::registerFourierElements(OpEmitters &emitters) {
  emitters.element<stablehlo::FftOp>(emitFft);
}
