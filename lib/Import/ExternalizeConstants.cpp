// Moves large constants into resources.
#include "shoal/Import/Passes.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace shoal {
#define GEN_PASS_DEF_EXTERNALIZECONSTANTSPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;

/// The elements as the runtime lays them out: little-endian, row-major, one
/// byte for elements of fewer than 8 bits (sign-extended if signless).
static AsmResourceBlob makeBlob(DenseElementsAttr attr) {
  Type element = attr.getElementType();
  auto integer = dyn_cast<IntegerType>(element);
  if (integer && integer.getWidth() < 8) {
    SmallVector<char> bytes;
    bool isSigned = !integer.isUnsigned() && integer.getWidth() > 1;
    for (const APInt &value : attr.getValues<APInt>())
      bytes.push_back(static_cast<char>(isSigned ? value.getSExtValue()
                                                 : value.getZExtValue()));
    return HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, 64);
  }
  return HeapAsmResourceBlob::allocateAndCopyWithAlign(attr.getRawData(), 64);
}

namespace {
struct ExternalizeConstantsPass
    : shoal::impl::ExternalizeConstantsPassBase<ExternalizeConstantsPass> {
  using ExternalizeConstantsPassBase::ExternalizeConstantsPassBase;
  void runOnOperation() override {
    unsigned number = 0;
    // Equal constants share one resource.
    DenseMap<Attribute, DenseResourceElementsAttr> done;
    getOperation().walk([&](stablehlo::ConstantOp op) {
      auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
      if (!dense || dense.isSplat())
        return;
      auto integer = dyn_cast<IntegerType>(dense.getElementType());
      int64_t bytes = integer && integer.getWidth() < 8
                          ? dense.getNumElements()
                          : int64_t(dense.getRawData().size());
      if (bytes <= threshold)
        return;
      DenseResourceElementsAttr &resource = done[dense];
      if (!resource)
        resource = DenseResourceElementsAttr::get(
            dense.getType(), "shoal_constant_" + std::to_string(number++),
            makeBlob(dense));
      op.setValueAttr(resource);
    });
  }
};
} // namespace
