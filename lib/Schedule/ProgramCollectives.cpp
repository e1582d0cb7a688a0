// Collectives: mesh axes become digits of the rank, tensors become buffers.
#include "ProgramBuilder.h"

#include "dialects/Comm/Comm.h"
#include "shoal/Schedule/Groups.h"

using namespace mlir;
using namespace shoal;
using plan::CollectiveKind;
using plan::ScalarOpKind;

FailureOr<plan::GroupAttr> ProgramBuilder::getGroup(Operation *op) {
  auto groups = op->getAttrOfType<comm::GroupsAttr>("groups");
  if (!groups) {
    op->emitOpError("has no groups");
    return failure();
  }
  return getPlanGroup(op, groups);
}

/// The rank's position in its group, as a host scalar.
Value ProgramBuilder::position(Location loc, plan::GroupAttr group) {
  Value &cached = positions[{group, b.getInsertionBlock()}];
  if (cached)
    return cached;
  Value rank = plan::RankOp::create(b, loc, scalarType());
  Value number = constant(0);
  if (group.getTableSize() == 0) {
    ArrayRef<int64_t> digits = group.getDigits();
    for (size_t i = 0; i + 1 < digits.size(); i += 2) {
      Value digit =
          binary(loc, ScalarOpKind::Rem,
                 binary(loc, ScalarOpKind::Div, rank, constant(digits[i + 1])),
                 constant(digits[i]));
      number = binary(
          loc, ScalarOpKind::Add,
          binary(loc, ScalarOpKind::Mul, number, constant(digits[i])), digit);
    }
  } else {
    // A table: compare with every entry. Only small imported groups have one.
    for (auto [i, member] : llvm::enumerate(group.getTable())) {
      Value here =
          plan::CompareOp::create(b, loc, scalarType(), plan::Predicate::EQ,
                                  rank, constant(member), false);
      number =
          plan::SelectOp::create(b, loc, scalarType(), here,
                                 constant(i % group.getTableSize()), number);
    }
  }
  return cached = number;
}

static plan::Reduction getReduction(ReductionKind kind) {
  switch (kind) {
  case ReductionKind::Add:
    return plan::Reduction::Add;
  case ReductionKind::Mul:
    return plan::Reduction::Mul;
  case ReductionKind::Min:
    return plan::Reduction::Min;
  case ReductionKind::Max:
    return plan::Reduction::Max;
  case ReductionKind::And:
    return plan::Reduction::And;
  case ReductionKind::Or:
    return plan::Reduction::Or;
  case ReductionKind::Xor:
    return plan::Reduction::Xor;
  }
  return plan::Reduction::None;
}

LogicalResult ProgramBuilder::emitCollective(Operation *op) {
  Location loc = op->getLoc();
  FailureOr<plan::GroupAttr> group = getGroup(op);
  if (failed(group))
    return failure();
  CollectiveKind kind;
  auto reduction = plan::Reduction::None;
  SmallVector<int64_t> dims;
  Value root, fillValue;
  unsigned numInputs = op->getNumOperands();

  auto addPairs = [&](ArrayRef<int64_t> sources, ArrayRef<int64_t> targets) {
    for (auto [source, target] : llvm::zip_equal(sources, targets))
      dims.append({source, target});
  };
  if (auto gather = dyn_cast<comm::AllGatherOp>(op)) {
    kind = CollectiveKind::AllGather;
    dims.push_back(gather.getDim());
  } else if (auto scatter = dyn_cast<comm::ReduceScatterOp>(op)) {
    kind = CollectiveKind::ReduceScatter;
    reduction = getReduction(scatter.getKind());
    dims.push_back(scatter.getDim());
  } else if (auto reduce = dyn_cast<comm::AllReduceOp>(op)) {
    kind = CollectiveKind::AllReduce;
    reduction = getReduction(reduce.getKind());
  } else if (auto exchange = dyn_cast<comm::AllToAllOp>(op)) {
    kind = CollectiveKind::AllToAll;
    dims.append(
        {(int64_t)exchange.getSplitDim(), (int64_t)exchange.getConcatDim()});
  } else if (auto permute = dyn_cast<comm::PermuteOp>(op)) {
    kind = CollectiveKind::Permute;
    addPairs(permute.getSources(), permute.getTargets());
  } else if (auto broadcast = dyn_cast<comm::BroadcastOp>(op)) {
    kind = CollectiveKind::Broadcast;
    root = broadcast.getRootIndex() ? readScalar(loc, broadcast.getRootIndex())
                                    : constant(broadcast.getRoot().value_or(0));
    numInputs = 1;
  } else if (auto send = dyn_cast<comm::SendOp>(op)) {
    kind = CollectiveKind::Send;
    dims.push_back(send.getChannel());
    addPairs(send.getSources(), send.getTargets());
  } else if (auto recv = dyn_cast<comm::RecvOp>(op)) {
    kind = CollectiveKind::Recv;
    dims.push_back(recv.getChannel());
    addPairs(recv.getSources(), recv.getTargets());
  } else if (auto halo = dyn_cast<comm::HaloOp>(op)) {
    kind = CollectiveKind::Reblock;
    int64_t block = cast<RankedTensorType>(halo.getInput().getType())
                        .getDimSize(halo.getDim());
    dims.append({(int64_t)halo.getDim(), (int64_t)halo.getSize(),
                 -(int64_t)halo.getLow(), block, halo.getWrap() ? 1 : 0});
    fillValue = halo.getFill();
    numInputs = 1;
  } else if (auto reblock = dyn_cast<comm::ReblockOp>(op)) {
    kind = CollectiveKind::Reblock;
    dims.append({(int64_t)reblock.getDim(), (int64_t)reblock.getSize(),
                 (int64_t)reblock.getOffset(), reblock.getStepOrDefault(), 0});
    fillValue = reblock.getFill();
    numInputs = 1;
  } else if (isa<comm::RaggedAllToAllOp>(op)) {
    kind = CollectiveKind::RaggedAllToAll;
  } else {
    return op->emitOpError("cannot be scheduled");
  }

  TypedAttr fill;
  Value fillBuffer;
  if (fillValue) {
    DenseElementsAttr elements;
    if (matchPattern(fillValue, m_Constant(&elements)) && elements.isSplat())
      fill = dyn_cast<TypedAttr>(elements.getSplatValue<Attribute>());
    if (!fill)
      fillBuffer = getOperandBuffer(loc, fillValue);
  }
  SmallVector<Value> inputs, outs;
  for (Value input : op->getOperands().take_front(numInputs))
    inputs.push_back(getOperandBuffer(loc, input));
  for (Value result : op->getResults())
    outs.push_back(plan.isDevice(result) ? getBuffer(result) : Value());
  if (llvm::is_contained(outs, Value()))
    return op->emitOpError("has a host scalar for a result");
  plan::CollectiveOp::create(b, loc, kind, *group, inputs, outs, root,
                             fillBuffer, reduction, dims, fill,
                             op->getAttrOfType<StringAttr>("reason"), 0);
  return success();
}
