// Ops whose elements depend on one another in order, with that dimension cut:
// each device works on its part, little is exchanged, and the rest of the work
// is done on what came.

#include "Partitioner.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/OrderedForms.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

SmallVector<Value> OpLowering::lowerOrdered(ArrayRef<Value> operands,
                                            int64_t f) {
  switch (orderedFormOf(op, model.getRule(), f)) {
  case OrderedForm::TopK:
    return lowerTopK(operands, f);
  case OrderedForm::Scan:
    return lowerScan(operands, f);
  case OrderedForm::Exchange:
    return lowerSort(operands, f);
  case OrderedForm::Transform:
    return lowerFft(operands);
  case OrderedForm::Substitute:
    return lowerSolve(operands, f);
  case OrderedForm::None:
    break;
  }
  return cloneLocal(operands);
}

Value OpLowering::allGather(Value part, int64_t dim, ArrayRef<uint8_t> atoms,
                            StringRef what) {
  SmallVector<int64_t> shape(typeOf(part).getShape());
  shape[dim] *= partCount(atoms, mesh.atoms());
  return comm::AllGatherOp::create(
      b, b.loc(), b.tensorType(shape, b.elementOf(part)), part, dim,
      comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(atoms)),
      b.getStringAttr(what + (" of " + op->getName().getStringRef()).str()),
      b.getArrayAttr({Attribute(LocationAttr(op->getLoc()))}));
}

Value OpLowering::validAlong(int64_t size, int64_t block,
                             ArrayRef<uint8_t> atoms) {
  if (partCount(atoms, mesh.atoms()) * block == size)
    return Value();
  Value offset = b.mul(b.axisIndex(atoms), b.scalarInt(block, b.getI32Type()));
  Value rest = b.sub(b.scalarInt(size, b.getI32Type()), offset);
  return b.compare(LocalBuilder::Compare::LT,
                   b.iota({block}, 0, b.getI32Type()),
                   b.broadcast(rest, {block}));
}

//===----------------------------------------------------------------------===//
// The k best
//===----------------------------------------------------------------------===//

/// The least number of the total order: what is real comes before it, and so
/// does an equal number, its index being lower.
static Value leastNumber(Type element, LocalBuilder &b) {
  if (auto type = dyn_cast<FloatType>(element)) {
    APInt ones = APInt::getAllOnes(type.getWidth());
    return b.splat(
        {}, element,
        FloatAttr::get(type, APFloat(type.getFloatSemantics(), ones)));
  }
  auto type = cast<IntegerType>(element);
  bool isUnsigned = type.isUnsigned() || type.getWidth() == 1;
  APInt least = isUnsigned ? APInt::getZero(type.getWidth())
                           : APInt::getSignedMinValue(type.getWidth());
  return b.splat({}, element, IntegerAttr::get(type, least));
}

SmallVector<Value> OpLowering::lowerTopK(ArrayRef<Value> operands, int64_t f) {
  auto topK = cast<chlo::TopKOp>(op);
  Value input = operands[0];
  int64_t dim = typeOf(input).getRank() - 1;
  int64_t block = blockOf(0, dim), size = model.shape(0)[dim];
  AtomList atoms = atomsOf(0, dim);
  int64_t k = topK.getK(), mine = std::min(k, block);
  Type element = b.elementOf(input), index = b.getI32Type();
  SmallVector<int64_t> shape(typeOf(input).getShape());
  if (Value valid = validAlong(size, block, atoms))
    input = b.select(b.broadcast(valid, shape, {dim}), input,
                     b.broadcast(leastNumber(element, b), shape));
  shape[dim] = mine;
  auto best = chlo::TopKOp::create(b, b.loc(), b.tensorType(shape, element),
                                   b.tensorType(shape, index), input,
                                   b.getI64IntegerAttr(mine));
  Value places = b.add(best.getIndices(), b.broadcast(offsetOf(0, dim), shape));
  SmallVector<Value> all = {
      allGather(best.getValues(), dim, atoms, "the best of each part"),
      allGather(places, dim, atoms, "indices of the best of each part")};
  // Candidates lie in the order of their indices wherever they are equal, so a
  // stable sort keeps the lowest index first.
  auto type = typeOf(all[0]);
  auto sort =
      sh::SortOp::create(b, b.loc(), TypeRange{type, type.clone(index)}, all,
                         b.getI64IntegerAttr(dim), b.getBoolAttr(true));
  {
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&sort.getComparator());
    Type scalar = b.tensorType({}, element), place = b.tensorType({}, index);
    body->addArguments({scalar, scalar, place, place},
                       SmallVector<Location>(4, b.loc()));
    auto kind = isa<FloatType>(element) ? sh::ComparisonType::TOTALORDER
                                        : sh::ComparisonType::NOTYPE;
    Value greater = sh::CompareOp::create(b, b.loc(), body->getArgument(0),
                                          body->getArgument(1),
                                          sh::ComparisonDirection::GT, kind);
    sh::ReturnOp::create(b, b.loc(), greater);
  }
  SmallVector<Value> results;
  for (Value sorted : sort.getResults())
    results.push_back(b.slice(sorted, dim, 0, k));
  return results;
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

SmallVector<Value> OpLowering::lowerScan(ArrayRef<Value> operands, int64_t f) {
  auto reduce = cast<sh::ReduceWindowOp>(op);
  ScanDim scan = *getScanDim(op);
  int64_t dim = scan.dim, block = blockOf(0, dim);
  AtomList atoms = atomsOf(0, dim);
  int64_t parts = partCount(ArrayRef<uint8_t>(atoms), mesh.atoms());
  size_t count = reduce.getInputs().size();
  SmallVector<Value> inputs(operands);
  // From the front, what follows padding is padding as well. From the back it
  // comes first, and must not count.
  if (scan.reverse)
    if (Value valid = validAlong(model.shape(0)[dim], block, atoms))
      for (size_t i = 0; i < count; ++i) {
        ArrayRef<int64_t> shape = typeOf(inputs[i]).getShape();
        inputs[i] = b.select(b.broadcast(valid, shape, {dim}), inputs[i],
                             b.broadcast(inputs[count + i], shape));
      }
  SmallVector<Value> local = cloneLocal(inputs);
  auto clone = cast<sh::ReduceWindowOp>(local[0].getDefiningOp());
  SmallVector<int64_t> window(clone.getWindowDimensions());
  window[dim] = block;
  clone.setWindowDimensions(window);
  SmallVector<int64_t> padding(2 * window.size(), 0);
  padding[2 * dim + (scan.reverse ? 1 : 0)] = block - 1;
  clone.setPaddingAttr(DenseIntElementsAttr::get(
      b.tensorType({int64_t(window.size()), 2}, b.getI64Type()), padding));

  // Everyone's totals; those of the parts before this one count.
  int64_t last = scan.reverse ? 0 : block - 1;
  Value position = b.iota({parts}, 0, b.getI32Type());
  Value me = b.broadcast(b.axisIndex(atoms), {parts});
  Value before = scan.reverse
                     ? b.compare(LocalBuilder::Compare::LT, me, position)
                     : b.compare(LocalBuilder::Compare::LT, position, me);
  SmallVector<Value> totals;
  for (size_t i = 0; i < count; ++i) {
    Value all = allGather(b.slice(local[i], dim, last, last + 1), dim, atoms,
                          "totals of the parts");
    ArrayRef<int64_t> shape = typeOf(all).getShape();
    Value init = b.convert(operands[count + i], b.elementOf(all));
    totals.push_back(b.select(b.broadcast(before, shape, {dim}), all,
                              b.broadcast(init, shape)));
  }
  for (size_t i = 0; i < count; ++i)
    totals.push_back(b.convert(operands[count + i], b.elementOf(totals[i])));
  SmallVector<Type> types;
  SmallVector<int64_t> rest, kept;
  for (int64_t d = 0; d < int64_t(window.size()); ++d)
    if (d != dim) {
      kept.push_back(d);
      rest.push_back(typeOf(local[0]).getDimSize(d));
    }
  for (size_t i = 0; i < count; ++i)
    types.push_back(b.tensorType(rest, b.elementOf(local[i])));
  OperationState state(b.loc(), sh::ReduceOp::getOperationName());
  state.addOperands(totals);
  state.addTypes(types);
  state.addAttribute("dimensions", b.getDenseI64ArrayAttr({dim}));
  IRMapping mapping;
  reduce.getBody().cloneInto(state.addRegion(), mapping);
  Operation *carry = b.create(state);

  SmallVector<Value> args;
  for (size_t i = 0; i < count; ++i)
    args.push_back(
        b.broadcast(carry->getResult(i), typeOf(local[i]).getShape(), kept));
  if (scan.reverse)
    args.insert(args.begin(), local.begin(), local.end());
  else
    args.append(local);
  SmallVector<Value> results = inlineBody(reduce.getBody(), args, b);
  for (auto [result, type] : llvm::zip_equal(results, localResultTypes()))
    result = b.convert(result, getElementTypeOrSelf(type));
  return results;
}
