// A reducer's or comparator's body on whole tensors.

#include "Partitioner.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

SmallVector<Value> shoal::inlineBody(Region &body, ArrayRef<Value> args,
                                     LocalBuilder &b) {
  Block &block = body.front();
  IRMapping mapping;
  SmallVector<int64_t> shape;
  for (auto [arg, value] : llvm::zip_equal(block.getArguments(), args)) {
    if (!value)
      continue; // Not used.
    shape.assign(typeOf(value).getShape().begin(),
                 typeOf(value).getShape().end());
    mapping.map(arg, b.convert(value, b.elementOf(arg)));
  }
  for (Operation &op : block.without_terminator()) {
    Value result = op.getResult(0);
    if (auto constant = dyn_cast<sh::ConstantOp>(op)) {
      auto dense = cast<DenseElementsAttr>(constant.getValue());
      auto type = b.tensorType(shape, b.elementOf(result));
      mapping.map(result, sh::ConstantOp::create(b, b.loc(), type,
                                                 dense.resizeSplat(type)));
      continue;
    }
    if (isa<sh::BroadcastInDimOp, sh::ReshapeOp>(op)) {
      mapping.map(result, mapping.lookup(op.getOperand(0)));
      continue;
    }
    Operation *clone = op.clone(mapping);
    clone->getResult(0).setType(b.tensorType(shape, b.elementOf(result)));
    b.insert(clone);
    mapping.map(result, clone->getResult(0));
  }
  SmallVector<Value> results;
  for (Value value : block.getTerminator()->getOperands())
    results.push_back(mapping.lookup(value));
  return results;
}
