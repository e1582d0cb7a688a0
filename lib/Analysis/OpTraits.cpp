#include "shoal/Analysis/OpTraits.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

int64_t shoal::elementsOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() ? type.getNumElements() : 0;
}

OpClass shoal::classify(Operation *op) {
  StringRef dialect = op->getName().getDialectNamespace();
  if (dialect != "stablehlo" && dialect != "chlo")
    return OpClass::Opaque;
  for (Type type : op->getResultTypes()) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || !tensor.hasStaticShape())
      return OpClass::Opaque;
  }
  for (Type type : op->getOperandTypes())
    if (!isa<RankedTensorType>(type))
      return OpClass::Opaque;
  if (auto constant = dyn_cast<sh::ConstantOp>(op)) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    return dense && (dense.isSplat() || dense.getNumElements() <= 64)
               ? OpClass::Constant
               : OpClass::Opaque;
  }
  if (isa<sh::IotaOp>(op))
    return OpClass::Iota;
  if (isa<sh::BroadcastInDimOp, sh::ReshapeOp, sh::TransposeOp, sh::SliceOp,
          sh::ReverseOp, sh::PadOp, sh::ConcatenateOp, sh::DynamicSliceOp,
          sh::GatherOp>(op))
    return OpClass::IndexMap;
  if (isa<sh::ReduceOp>(op))
    return OpClass::Reduce;
  if (isa<sh::DotGeneralOp>(op))
    return OpClass::Dot;
  if (isa<sh::DynamicUpdateSliceOp, sh::ScatterOp>(op))
    return OpClass::Update;
  if (isa<sh::WhileOp, sh::IfOp, sh::CaseOp, sh::CustomCallOp, sh::CompositeOp,
          sh::PartitionIdOp, sh::ReplicaIdOp, sh::OptimizationBarrierOp>(op) ||
      op->hasTrait<OpTrait::IsTerminator>() || op->getNumResults() == 0)
    return OpClass::Opaque;
  if (op->hasTrait<OpTrait::Elementwise>() && op->getNumRegions() == 0 &&
      op->getNumResults() == 1) {
    auto shape = cast<ShapedType>(op->getResult(0).getType()).getShape();
    bool same = llvm::all_of(op->getOperands(), [&](Value v) {
      ArrayRef<int64_t> from = cast<ShapedType>(v.getType()).getShape();
      return from == shape || from.empty();
    });
    if (same)
      return OpClass::Elementwise;
  }
  // select and clamp take predicates and bounds of rank 0.
  if (isa<sh::SelectOp, sh::ClampOp>(op))
    return OpClass::Elementwise;
  if (!isMemoryEffectFree(op) &&
      !isa<sh::ReduceWindowOp, sh::SelectAndScatterOp, sh::SortOp, sh::MapOp>(
          op))
    return OpClass::Opaque;
  return OpClass::Single;
}

int shoal::elementCostOf(Operation *op) {
  switch (classify(op)) {
  case OpClass::Constant:
    return 0;
  case OpClass::Iota:
    return 1;
  case OpClass::IndexMap:
    return isa<sh::GatherOp>(op)                   ? 4
           : isa<sh::PadOp, sh::ConcatenateOp>(op) ? 1
                                                   : 0;
  case OpClass::Elementwise:
    break;
  default:
    return 64;
  }
  if (isa<sh::AddOp, sh::SubtractOp, sh::MulOp, sh::MaxOp, sh::MinOp, sh::NegOp,
          sh::AbsOp, sh::AndOp, sh::OrOp, sh::XorOp, sh::NotOp, sh::CompareOp,
          sh::SelectOp, sh::ConvertOp, sh::ClampOp, sh::BitcastConvertOp,
          sh::IsFiniteOp, sh::SignOp, sh::ComplexOp, sh::RealOp, sh::ImagOp,
          sh::ShiftLeftOp, sh::ShiftRightArithmeticOp, sh::ShiftRightLogicalOp,
          sh::FloorOp, sh::CeilOp>(op) ||
      op->getName().getStringRef() == "chlo.square")
    return 1;
  if (isa<sh::DivOp, sh::SqrtOp, sh::RsqrtOp, sh::RemOp>(op))
    return 4;
  return 16;
}

bool shoal::keepsMinorDimension(Operation *op) {
  auto transpose = dyn_cast<sh::TransposeOp>(op);
  if (!transpose)
    return true;
  ArrayRef<int64_t> from =
      cast<ShapedType>(transpose.getOperand().getType()).getShape();
  int64_t minor = -1;
  for (int64_t d = from.size() - 1; d >= 0 && minor < 0; --d)
    if (from[d] > 1)
      minor = d;
  if (minor < 0)
    return true;
  auto permutation = transpose.getPermutation();
  for (int64_t i = permutation.size() - 1; i >= 0; --i)
    if (from[permutation[i]] > 1)
      return permutation[i] == minor;
  return true;
}
