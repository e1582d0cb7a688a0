// Which products are calls of the runtime.
#include "shoal/Analysis/FusionGroups.h"
#include "shoal/Analysis/OpTraits.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

/// f64, complex numbers and integers: the runtime's own blocked products, or
/// several of the library's.
static bool isBlockedProduct(Type lhs, Type rhs, Type result) {
  if (result.isF64() || isa<ComplexType>(result))
    return lhs == result && rhs == result;
  auto isInteger = [](Type type) {
    return isa<IntegerType>(type) && !type.isInteger(1);
  };
  return isInteger(lhs) && isInteger(rhs) && isInteger(result) &&
         result.getIntOrFloatBitWidth() >= 8;
}

/// Floats of at most 32 bits: f32 and bf16 as they are, others widened to f32.
static bool isFloatProduct(Type lhs, Type rhs, Type result) {
  return llvm::all_of(ArrayRef<Type>{lhs, rhs, result}, [](Type type) {
    return isa<FloatType>(type) && type.getIntOrFloatBitWidth() <= 32;
  });
}

bool shoal::isLibraryProduct(sh::DotGeneralOp dot,
                             const FusionOptions &options) {
  if (!options.library)
    return false;
  Type lhs = getElementTypeOrSelf(dot.getLhs().getType()),
       rhs = getElementTypeOrSelf(dot.getRhs().getType()),
       result = getElementTypeOrSelf(dot.getResult().getType());
  auto isNative = [](Type type) { return type.isF32() || type.isBF16(); };
  int64_t least = options.smallProduct;
  if (isBlockedProduct(lhs, rhs, result) ||
      (isFloatProduct(lhs, rhs, result) &&
       !(isNative(lhs) && lhs == rhs && isNative(result))))
    least *= 4; // operands are packed first
  else if (!isNative(lhs) || lhs != rhs || !isNative(result))
    return false;
  int64_t work = elementsOf(dot.getResult());
  for (int64_t d : dot.getDotDimensionNumbers().getLhsContractingDimensions())
    work *= shapeOf(dot.getLhs())[d];
  return work >= least;
}
