#include "LibraryCalls.h"

#include "dialects/StableHLO/StableHLO.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace shoal;

/// LAPACK's letter of a type; 0: it has none.
static char letterOf(Type type) {
  bool isComplex = isa<ComplexType>(type);
  if (auto complex = dyn_cast<ComplexType>(type))
    type = complex.getElementType();
  if (type.isF32())
    return isComplex ? 'c' : 's';
  if (type.isF64())
    return isComplex ? 'z' : 'd';
  return 0;
}

static int64_t countOf(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

/// Sizes of the libraries' interfaces are ints; and a call for each matrix
/// takes some 10 us, in which kernels do many small ones side by side.
static bool pays(int64_t n, int64_t lines, int64_t batch) {
  constexpr int64_t most = int64_t(1) << 31;
  return n >= 32 && batch >= 1 && batch <= n && lines >= 1 && n < most / n &&
         lines < most / n;
}

static std::string describe(stablehlo::FftOp op) {
  ArrayRef<int64_t> lengths = op.getFftLength();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (lengths.empty() || lengths.size() > 3 || type.getNumElements() == 0)
    return "";
  std::string text;
  llvm::raw_string_ostream os(text);
  char letter = letterOf(type.getElementType());
  os << "fft kind=" << int(op.getFftType())
     << " double=" << int(letter == 'd' || letter == 'z')
     << " batch=" << countOf(type.getShape().drop_back(lengths.size()))
     << " lengths=";
  llvm::interleave(lengths, os, ",");
  return text;
}

static std::string describe(stablehlo::CholeskyOp op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  int64_t n = type.getShape().back();
  int64_t batch = countOf(type.getShape().drop_back(2));
  char letter = letterOf(type.getElementType());
  if (!letter || !pays(n, n, batch))
    return "";
  return (llvm::Twine("cholesky type=") + llvm::Twine(letter) +
          " batch=" + llvm::Twine(batch) + " n=" + llvm::Twine(n) +
          " lower=" + (op.getLower() ? "1" : "0"))
      .str();
}

static std::string describe(stablehlo::TriangularSolveOp op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  ArrayRef<int64_t> shape = type.getShape();
  int64_t rows = shape[shape.size() - 2], columns = shape.back();
  int64_t batch = countOf(shape.drop_back(2));
  char letter = letterOf(type.getElementType());
  int64_t n = op.getLeftSide() ? rows : columns;
  if (!letter || !pays(n, op.getLeftSide() ? columns : rows, batch))
    return "";
  using stablehlo::Transpose;
  Transpose transpose = op.getTransposeA();
  int how = transpose == Transpose::TRANSPOSE ? 1
            : transpose == Transpose::ADJOINT ? 2
                                              : 0;
  std::string text;
  llvm::raw_string_ostream(text)
      << "triangular_solve type=" << letter << " batch=" << batch
      << " rows=" << rows << " columns=" << columns
      << " left=" << int(op.getLeftSide()) << " lower=" << int(op.getLower())
      << " unit=" << int(op.getUnitDiagonal()) << " transpose=" << how;
  return text;
}

std::string shoal::gpu::describeLibraryCall(const KernelSource &source) {
  Block &body = source.body->front();
  if (body.empty() || !llvm::hasNItems(body, 2))
    return "";
  Operation *op = &body.front();
  // Buffers of the kernel are the op's operands, then its result.
  if (op->getNumResults() != 1 ||
      !llvm::equal(op->getOperands(), body.getArguments()) ||
      !llvm::equal(body.getTerminator()->getOperands(), op->getResults()))
    return "";
  if (auto fft = dyn_cast<stablehlo::FftOp>(op))
    return describe(fft);
  if (auto cholesky = dyn_cast<stablehlo::CholeskyOp>(op))
    return describe(cholesky);
  if (auto solve = dyn_cast<stablehlo::TriangularSolveOp>(op))
    return describe(solve);
  return "";
}
