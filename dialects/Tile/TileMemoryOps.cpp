// Verifiers and effects of the ops on global and shared memory.
#include "dialects/Tile/Tile.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

using Effects =
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>;

static void reads(Effects &effects, OpOperand &view) {
  effects.emplace_back(MemoryEffects::Read::get(), &view, GlobalMemory::get());
}
static void writes(Effects &effects, OpOperand &view) {
  effects.emplace_back(MemoryEffects::Write::get(), &view, GlobalMemory::get());
}

void LoadOp::getEffects(Effects &effects) { reads(effects, getViewMutable()); }
void StoreOp::getEffects(Effects &effects) {
  writes(effects, getViewMutable());
}
void GatherOp::getEffects(Effects &effects) {
  reads(effects, getViewMutable());
}
void ScatterOp::getEffects(Effects &effects) {
  reads(effects, getViewMutable());
  writes(effects, getViewMutable());
}
void ArriveOp::getEffects(Effects &effects) {
  reads(effects, getCounterMutable());
  writes(effects, getCounterMutable());
}
void AsyncCopyOp::getEffects(Effects &effects) {
  reads(effects, getViewMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &getBufferMutable(),
                       SharedMemory::get());
}

/// A tile (or buffer) of `shape` at `offsets` of a view.
static LogicalResult verifyAccess(Operation *op, ViewType view,
                                  ArrayRef<int64_t> shape, Type elementType,
                                  size_t offsets,
                                  std::optional<ArrayRef<bool>> inBounds,
                                  std::optional<ArrayRef<int64_t>> divisible) {
  size_t rank = view.getRank();
  if (shape.size() != rank)
    return op->emitOpError() << "a tile of rank " << shape.size()
                             << " cannot be part of a view of rank " << rank;
  if (elementType != view.getElementType())
    return op->emitOpError() << "element types of tile and view differ";
  if (offsets != rank)
    return op->emitOpError() << "needs one offset per dimension of the view";
  if (inBounds && inBounds->size() != rank)
    return op->emitOpError() << "'in_bounds' needs one value per dimension";
  if (divisible && (divisible->size() != rank ||
                    llvm::any_of(*divisible, [](int64_t d) { return d < 1; })))
    return op->emitOpError() << "'divisible' needs one divisor per dimension";
  return success();
}

static LogicalResult verifyPad(Operation *op, TypedAttr pad, Type elementType) {
  if (pad &&
      (pad.getType() != elementType || !isa<IntegerAttr, FloatAttr>(pad)))
    return op->emitOpError() << "'pad' must be a number of the element type";
  return success();
}

LogicalResult ViewOp::verify() {
  // A workspace of bytes may hold anything.
  Type base = getBase().getType().getElementType();
  if (base != getType().getElementType() && !base.isInteger(8))
    return emitOpError() << "a view cannot change the element type";
  return success();
}

LogicalResult LoadOp::verify() {
  RankedTensorType tile = getType();
  if (failed(verifyPad(*this, getPadAttr(), tile.getElementType())))
    return failure();
  return verifyAccess(*this, getView().getType(), tile.getShape(),
                      tile.getElementType(), getOffsets().size(), getInBounds(),
                      getDivisible());
}

LogicalResult StoreOp::verify() {
  RankedTensorType tile = getValue().getType();
  return verifyAccess(*this, getView().getType(), tile.getShape(),
                      tile.getElementType(), getOffsets().size(), getInBounds(),
                      getDivisible());
}

LogicalResult AsyncCopyOp::verify() {
  SharedType buffer = getBuffer().getType();
  if (buffer.getStages() != 1)
    return emitOpError() << "takes one slot of a ring (tile.slot)";
  if (LayoutAttr layout = getLayoutAttr())
    if (ArrayRef<int64_t>(layout.getMap().outShape()) != buffer.getShape())
      return emitOpError() << "'layout' must be one of the buffer's shape";
  return verifyAccess(*this, getView().getType(), buffer.getShape(),
                      buffer.getElementType(), getOffsets().size(),
                      getInBounds(), getDivisible());
}

static LogicalResult verifyIndices(Operation *op, ViewType view,
                                   RankedTensorType tile,
                                   OperandRange indices) {
  if (int64_t(indices.size()) != view.getRank())
    return op->emitOpError() << "needs one tile of indices per dimension";
  if (tile.getElementType() != view.getElementType())
    return op->emitOpError() << "element types of tile and view differ";
  for (Value index : indices) {
    auto type = cast<RankedTensorType>(index.getType());
    Type element = type.getElementType();
    if (!element.isInteger(32) && !element.isInteger(64))
      return op->emitOpError() << "indices are i32 or i64";
    if (type.getShape() != tile.getShape() ||
        type.getEncoding() != tile.getEncoding())
      return op->emitOpError() << "indices have the tile's shape and layout";
  }
  return success();
}

LogicalResult GatherOp::verify() {
  if (failed(verifyPad(*this, getPadAttr(), getType().getElementType())))
    return failure();
  return verifyIndices(*this, getView().getType(), getType(), getIndices());
}

LogicalResult ScatterOp::verify() {
  return verifyIndices(*this, getView().getType(), getValue().getType(),
                       getIndices());
}

LogicalResult ArriveOp::verify() {
  ViewType counter = getCounter().getType();
  if (counter.getRank() != 1 || !counter.getElementType().isInteger(32))
    return emitOpError() << "counters are a view of rank 1 with i32 elements";
  return success();
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

LogicalResult SlotOp::verify() {
  SharedType ring = getRing().getType(), slot = getBuffer().getType();
  if (slot.getStages() != 1 || slot.getShape() != ring.getShape() ||
      slot.getElementType() != ring.getElementType() ||
      slot.getLayout() != ring.getLayout())
    return emitOpError() << "gives one stage of the ring, of the same type";
  return success();
}

static LogicalResult verifyOneStage(Operation *op, SharedType buffer,
                                    RankedTensorType tile) {
  if (buffer.getStages() != 1)
    return op->emitOpError() << "takes one slot of a ring (tile.slot)";
  if (buffer.getElementType() != tile.getElementType())
    return op->emitOpError() << "element types of tile and buffer differ";
  if (buffer.getRank() != tile.getRank())
    return op->emitOpError() << "ranks of tile and buffer differ";
  return success();
}

LogicalResult LocalLoadOp::verify() {
  SharedType buffer = getBuffer().getType();
  RankedTensorType tile = getType();
  if (failed(verifyOneStage(*this, buffer, tile)))
    return failure();
  SmallVector<int64_t> dims =
      llvm::to_vector(llvm::seq<int64_t>(0, tile.getRank()));
  if (auto permutation = getPermutation()) {
    if (!std::is_permutation(permutation->begin(), permutation->end(),
                             dims.begin(), dims.end()))
      return emitOpError() << "needs a permutation of the dimensions";
    dims.assign(permutation->begin(), permutation->end());
  }
  auto offsets = getOffsets();
  if (offsets && int64_t(offsets->size()) != tile.getRank())
    return emitOpError() << "needs one offset per dimension of the buffer";
  for (auto [i, d] : llvm::enumerate(dims)) {
    int64_t size = tile.getDimSize(i), offset = offsets ? (*offsets)[d] : 0;
    if (offset < 0 || offset % size != 0 ||
        offset + size > buffer.getShape()[d])
      return emitOpError() << "reads a part of the buffer that starts at a "
                              "multiple of its size";
  }
  return success();
}

LogicalResult LocalStoreOp::verify() {
  if (failed(
          verifyOneStage(*this, getBuffer().getType(), getValue().getType())))
    return failure();
  if (getBuffer().getType().getShape() != getValue().getType().getShape())
    return emitOpError() << "fills the whole buffer";
  return success();
}
