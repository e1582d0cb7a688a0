// fft: in passes over memory (Stockham's order, several factors of a length at a
// time), all in f64, a thread per element of a pass; of lengths 1, and for other
// ops that need an element, by its definition.
#include "SimtEmitter.h"

#include "lib/Codegen/CPU/Convert.h"
#include "lib/Codegen/CPU/ScalarMath.h"
#include "lib/Codegen/CPU/Special/Special.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::cpu;
using gpu::simt::defaultBlock;
using gpu::simt::OpForms;
using gpu::simt::resultArray;
using gpu::simt::SimtEmitter;
using gpu::simt::SimtKernel;

namespace {
/// The transform, and how its elements are read as complex f64.
struct Fourier {
  explicit Fourier(stablehlo::FftOp op)
      : op(op), lengths(op.getFftLength()),
        f64(Float64Type::get(op->getContext())),
        complex(ComplexType::get(f64)), total(countOf(lengths)) {
    using Kind = stablehlo::FftType;
    inverse = op.getFftType() == Kind::IFFT || op.getFftType() == Kind::IRFFT;
    ArrayRef<int64_t> shape = shapeOfTensor(op->getResult(0));
    outer.assign(shape.begin(), shape.end() - lengths.size());
  }

  /// Element (line, j) of the operand, all `lengths` of it.
  Scalar read(ElementEmitter &e, ArrayRef<IndexExpr> line,
              ArrayRef<IndexExpr> j) const;
  /// exp(-+ 2 pi i number / length), for number in [0, length).
  Scalar root(ElementEmitter &e, llvm::Value *number, int64_t length) const;
  /// A sum as element of the result.
  Scalar finish(ElementEmitter &e, Scalar sum) const;

  mutable stablehlo::FftOp op;
  SmallVector<int64_t> lengths, outer;
  Type f64, complex;
  int64_t total;
  bool inverse;
};

/// One sweep along a dimension: transforms of `length` that lie `stride` apart
/// become `radix` times as many of length / radix.
struct Sweep {
  unsigned dim;
  int64_t radix, length, stride;
};
} // namespace

Scalar Fourier::read(ElementEmitter &e, ArrayRef<IndexExpr> line,
                     ArrayRef<IndexExpr> j) const {
  IRBuilder &ir = e.ir();
  Value operand = op.getOperand();
  ArrayRef<int64_t> shape = shapeOfTensor(operand);
  Type inType = getElementType(operand);
  unsigned rank = lengths.size(), first = line.size();
  Index at(line.begin(), line.end());
  llvm::append_range(at, j);
  if (op.getFftType() != stablehlo::FftType::IRFFT)
    return convertScalar(ir, e.element(operand, at), inType, complex);
  // The second half is the conjugate of the first, mirrored.
  int64_t stored = shape.back();
  llvm::Value *last = e.value(j[rank - 1]);
  llvm::Value *mirrored = ir.CreateICmpSGE(last, ir.getInt64(stored));
  for (unsigned d = 0; d < rank; ++d) {
    llvm::Value *own = e.value(j[d]);
    llvm::Value *other = ir.CreateSub(ir.getInt64(lengths[d]), own);
    if (d + 1 < rank) // modulo the length
      other = ir.CreateSelect(ir.CreateICmpEQ(own, ir.getInt64(0)),
                              ir.getInt64(0), other);
    at[first + d] = e.expr(ir.CreateSelect(mirrored, other, own), 0,
                           shape[first + d] - 1);
  }
  // The imaginary parts of the zeroth and middle term do not count.
  Scalar x = convertScalar(ir, e.element(operand, at), inType, complex);
  x.im = ir.CreateSelect(mirrored, ir.CreateFNeg(x.im), x.im);
  return x;
}

Scalar Fourier::root(ElementEmitter &e, llvm::Value *number,
                     int64_t length) const {
  IRBuilder &ir = e.ir();
  auto constant = [&](double v) {
    return llvm::ConstantFP::get(ir.getDoubleTy(), v);
  };
  llvm::Value *turns =
      ir.CreateFMul(ir.CreateUIToFP(number, ir.getDoubleTy()),
                    constant(1.0 / double(length)));
  llvm::Value *angle = ir.CreateFMul(
      turns, constant((inverse ? 1 : -1) * 6.283185307179586476925));
  return {emitFunction(ir, "cos", f64, {{angle}}).re,
          emitFunction(ir, "sin", f64, {{angle}}).re};
}

Scalar Fourier::finish(ElementEmitter &e, Scalar sum) const {
  IRBuilder &ir = e.ir();
  if (inverse) {
    auto *factor =
        llvm::ConstantFP::get(ir.getDoubleTy(), 1.0 / double(total));
    sum.re = ir.CreateFMul(sum.re, factor);
    sum.im = ir.CreateFMul(sum.im, factor);
  }
  return convertScalar(ir, sum, complex, getElementType(op->getResult(0)));
}

/// result[k] = sum over j of x[j] * exp(-+ 2 pi i sum_d j_d k_d / n_d), divided by
/// the number of elements for the inverse ones.
static Scalar emitFft(stablehlo::FftOp op, unsigned, ArrayRef<IndexExpr> index,
                      ElementEmitter &e) {
  IRBuilder &ir = e.ir();
  Fourier fourier(op);
  unsigned outer = fourier.outer.size();
  Variable sum = e.variable(fourier.complex);
  e.set(sum, zeroScalar(ir, fourier.complex));
  e.forShape(fourier.lengths, [&](ArrayRef<IndexExpr> j) {
    Scalar term = fourier.read(e, index.take_front(outer), j);
    for (auto [d, length] : llvm::enumerate(fourier.lengths)) {
      // Modulo the length, which is exact.
      llvm::Value *product =
          ir.CreateMul(e.value(j[d]), e.value(index[outer + d]));
      product = ir.CreateURem(product, ir.getInt64(length));
      term = emitMultiply(ir, fourier.complex, term,
                          fourier.root(e, product, length));
    }
    e.set(sum, emitAdd(ir, fourier.complex, e.get(sum), term));
  });
  return fourier.finish(e, e.get(sum));
}

/// Factors of a length, those of small primes together up to 8.
static SmallVector<int64_t> radices(int64_t length) {
  constexpr int64_t most = 8;
  SmallVector<int64_t> result;
  int64_t open = 1;
  for (int64_t prime = 2; length > 1;) {
    if (length % prime != 0) {
      prime = prime * prime > length ? length : prime + 1;
      continue;
    }
    length /= prime;
    if (open * prime > most && open > 1) {
      result.push_back(open);
      open = 1;
    }
    open *= prime;
  }
  if (open > 1)
    result.push_back(open);
  return result;
}

/// Of the elements x[q + s (p + b m)], b < radix, with m = length / radix, the
/// element y[q + s (radix p + c)] is the sum of x w^(c (p + b m)), w being the
/// root of unity of `length`.
static void emitSweep(SimtEmitter &e, const Fourier &fourier, const Sweep &pass,
                     std::optional<int64_t> from, std::optional<int64_t> to) {
  IRBuilder &ir = e.ir();
  SmallVector<int64_t> space(fourier.outer);
  llvm::append_range(space, fourier.lengths);
  unsigned outer = fourier.outer.size(), dim = outer + pass.dim;
  int64_t rows = pass.length / pass.radix;
  ArrayRef<int64_t> result = shapeOfTensor(fourier.op->getResult(0));
  // Of a real transform, the result has half.
  SmallVector<int64_t> written(space);
  if (!to)
    written.assign(result.begin(), result.end());
  e.gridLoop(countOf(written), [&](IndexVar *unit) {
    Index at = e.delinearize(IndexExpr(unit), written);
    auto [high, q] = e.divMod(at[dim], pass.stride);
    auto [p, c] = e.divMod(high, pass.radix);
    llvm::Value *factor = e.value(c);
    Variable sum = e.variable(fourier.complex),
             weight = e.variable(fourier.complex);
    e.set(sum, zeroScalar(ir, fourier.complex));
    e.set(weight,
          fourier.root(e, ir.CreateMul(factor, e.value(p)), pass.length));
    Scalar turn = fourier.root(e, factor, pass.radix);
    Index source(at);
    e.forLoop(ir.getInt64(0), ir.getInt64(pass.radix), pass.radix,
              [&](IndexExpr b) {
                source[dim] = q + (p + b * rows) * pass.stride;
                ArrayRef<IndexExpr> index(source);
                Scalar x =
                    from ? cpu::loadElement(ir, fourier.complex,
                                            e.scratch(*from),
                                            e.value(e.linearize(source, space)))
                         : fourier.read(e, index.take_front(outer),
                                        index.drop_front(outer));
                Scalar term =
                    emitMultiply(ir, fourier.complex, x, e.get(weight));
                e.set(sum, emitAdd(ir, fourier.complex, e.get(sum), term));
                e.set(weight, emitMultiply(ir, fourier.complex, e.get(weight),
                                           turn));
              });
    if (to) {
      cpu::storeElement(ir, fourier.complex, e.get(sum), e.scratch(*to),
                        e.value(e.linearize(at, space)));
    } else if (const KernelEmitter::Array *array =
                   resultArray(e, fourier.op, 0)) {
      e.storeArray(*array, e.linearize(at, result),
                   fourier.finish(e, e.get(sum)));
    }
  });
}

static void makeFourier(stablehlo::FftOp op, const KernelSource &,
                        SimtKernel &kernel) {
  Fourier fourier(op);
  SmallVector<Sweep> passes;
  for (unsigned d = 0; d < fourier.lengths.size(); ++d) {
    int64_t length = fourier.lengths[d], stride = 1;
    for (int64_t radix : radices(length)) {
      passes.push_back({d, radix, length, stride});
      length /= radix;
      stride *= radix;
    }
  }
  int64_t elements = countOf(fourier.outer) * fourier.total;
  if (passes.empty() || elements == 0)
    return;
  kernel.form = "fft";
  kernel.flops = 0;
  int64_t places[2] = {0, 0};
  for (size_t i = 0; i < 2 && i + 1 < passes.size(); ++i)
    places[i] = kernel.reserve(elements * 16);
  for (auto [i, pass] : llvm::enumerate(passes)) {
    kernel.flops += elements * pass.radix * 14;
    std::optional<int64_t> from, to;
    if (i > 0)
      from = places[(i - 1) % 2];
    if (i + 1 < passes.size())
      to = places[i % 2];
    kernel.steps.push_back({defaultBlock, [=](SimtEmitter &e) {
                              emitSweep(e, fourier, pass, from, to);
                            }});
  }
}

void shoal::gpu::simt::addFourierForm(OpForms &forms) {
  forms.add<stablehlo::FftOp>(makeFourier);
}

void shoal::gpu::simt::registerFourierElements(OpEmitters &emitters) {
  emitters.element<stablehlo::FftOp>(emitFft);
}
