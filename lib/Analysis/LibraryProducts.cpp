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

/// f64, and integers of whole bytes: the runtime's own blocked products.
static bool isBlockedProduct(Type lhs, Type rhs, Type result) {
  if (result.isF64())
    return lhs.isF64() && rhs.isF64();
  auto isPlain = [](Type type) {
    auto integer = dyn_cast<IntegerType>(type);
    return integer &&
           llvm::is_contained({8u, 16u, 32u, 64u}, integer.getWidth());
  };
  return isPlain(lhs) && isPlain(rhs) && isPlain(result);
}

bool shoal::isLibraryProduct(sh::DotGeneralOp dot,
                             const FusionOptions &options) {
  if (!options.library)
    return false;
  Type lhs = getElementTypeOrSelf(dot.getLhs().getType()),
       rhs = getElementTypeOrSelf(dot.getRhs().getType()),
       result = getElementTypeOrSelf(dot.getResult().getType());
  auto isFloat = [](Type type) { return type.isF32() || type.isBF16(); };
  int64_t least = options.smallProduct;
  if (isBlockedProduct(lhs, rhs, result))
    least *= 4; // no library, only better blocks than a kernel's
  else if (!isFloat(lhs) || lhs != rhs || !isFloat(result))
    return false;
  int64_t work = elementsOf(dot.getResult());
  for (int64_t d : dot.getDotDimensionNumbers().getLhsContractingDimensions())
    work *= shapeOf(dot.getLhs())[d];
  return work >= least;
}
