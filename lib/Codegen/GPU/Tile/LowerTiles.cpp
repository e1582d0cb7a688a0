// Ops that neither move elements between threads nor touch memory.

#include "TileLowering.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

LogicalResult tile::lowerMap(Lowering &l, MapOp op) {
  llvm::Function *body = l.body(op.getBody());
  if (!body)
    return failure();
  unsigned count = tile::getLayout(op.getResult(0)).getNumRegisters();
  SmallVector<Registers> results(op.getNumResults());
  for (unsigned reg = 0; reg < count; ++reg) {
    SmallVector<llvm::Value *> arguments;
    for (Value input : op.getInputs())
      arguments.push_back(l.registers(input)[reg]);
    Registers values = l.callBody(body, arguments);
    for (auto [list, value] : llvm::zip_equal(results, values))
      list.push_back(value);
  }
  for (auto [result, values] : llvm::zip_equal(op.getResults(), results))
    l.setRegisters(result, std::move(values));
  return success();
}

LogicalResult tile::lowerBroadcast(Lowering &l, BroadcastOp op) {
  LayoutAttr from = tile::getLayout(op.getInput()), to = tile::getLayout(op);
  // A register of the result is the operand's register that keeps the bits
  // whose basis does not vanish in the smaller shape.
  ArrayRef<int64_t> small = op.getInput().getType().getShape();
  const LinearLayout &map = to.getMap();
  SmallVector<int> position;
  int kept = 0;
  for (unsigned bit = 0; bit < map.inBits(kRegister); ++bit) {
    bool stays = false;
    for (auto [d, size] : llvm::enumerate(small))
      stays |= (map.basisOut(kRegister, bit, tensorDimName(d)) & (size - 1)) != 0;
    position.push_back(stays ? kept++ : -1);
  }
  if (int64_t(1) << kept != from.getNumRegisters())
    return op.emitOpError() << "has an operand layout that is not the result's "
                               "restricted";
  const Registers &input = l.registers(op.getInput());
  Registers values;
  for (unsigned reg = 0, n = to.getNumRegisters(); reg < n; ++reg) {
    unsigned source = 0;
    for (auto [bit, place] : llvm::enumerate(position))
      if (place >= 0 && (reg >> bit & 1))
        source |= 1u << place;
    values.push_back(input[source]);
  }
  l.setRegisters(op, std::move(values));
  return success();
}

LogicalResult tile::lowerIota(Lowering &l, IotaOp op) {
  LayoutAttr layout = tile::getLayout(op);
  Registers values;
  for (unsigned reg = 0, n = layout.getNumRegisters(); reg < n; ++reg) {
    llvm::Value *value = l.coordinate(layout, op.getDim(), reg);
    if (Value offset = op.getOffset())
      value = l.ir.CreateAdd(value, l.scalar(offset));
    values.push_back(value);
  }
  l.setRegisters(op, std::move(values));
  return success();
}

/// A number as it lies in a register.
static llvm::Constant *registerConstant(llvm::Type *type, TypedAttr value) {
  APInt bits = isa<FloatAttr>(value)
                   ? cast<FloatAttr>(value).getValue().bitcastToAPInt()
                   : cast<IntegerAttr>(value).getValue();
  if (type->isFloatingPointTy())
    return llvm::ConstantFP::get(
        type, APFloat(type->getFltSemantics(), bits));
  return llvm::ConstantInt::get(type,
                                bits.zextOrTrunc(type->getIntegerBitWidth()));
}

llvm::Constant *tile::makeRegisterConstant(Lowering &l, TypedAttr value) {
  return registerConstant(
      getRegisterType(value.getType(), l.ir.getContext()), value);
}

LogicalResult tile::lowerConstant(Lowering &l, ConstantOp op) {
  l.setRegisters(op, Registers(tile::getLayout(op).getNumRegisters(),
                               makeRegisterConstant(l, op.getValue())));
  return success();
}
