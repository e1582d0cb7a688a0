#include "IndexClasses.h"

#include "dialects/Comm/Comm.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {

/// Ops whose rule says how they go along a factor and that are themselves again
/// on a part of their operands.
static bool goesInParts(Operation *op) {
  if (isa<comm::SendOp, comm::RecvOp, comm::RaggedAllToAllOp, comm::AxisIndexOp,
          comm::StartOp, comm::DoneOp>(op))
    return false;
  if (isa<comm::CollectiveOpInterface, comm::AllSliceOp>(op))
    return true;
  if (!isa_and_nonnull<sh::StablehloDialect>(op->getDialect()) ||
      !isMemoryEffectFree(op))
    return false;
  if (auto constant = dyn_cast<sh::ConstantOp>(op))
    return constant.getValue().isSplat();
  if (auto convolution = dyn_cast<sh::ConvolutionOp>(op))
    return convolution.getFeatureGroupCount() == 1 &&
           convolution.getBatchGroupCount() == 1;
  return !isa<sh::CustomCallOp, sh::CompositeOp, sh::RngOp,
              sh::RngBitGeneratorOp, sh::WhileOp, sh::IfOp, sh::CaseOp,
              sh::OptimizationBarrierOp, sh::DynamicBroadcastInDimOp,
              sh::DynamicReshapeOp, sh::DynamicIotaOp, sh::DynamicGatherOp,
              sh::DynamicPadOp, sh::DynamicConvOp, sh::RealDynamicSliceOp,
              sh::GetDimensionSizeOp, sh::SetDimensionSizeOp>(op);
}

/// Whether partial results along a factor that the op reduces can be combined.
static bool combines(Operation *op, const PartFactor &factor) {
  if (isa<sh::DotGeneralOp, sh::DotOp, sh::ConvolutionOp>(op))
    return true;
  if (auto reduce = dyn_cast<sh::ReduceOp>(op))
    return reduce.getInputs().size() == 1 && factor.reduction &&
           getNeutralElement(*factor.reduction,
                             getElementTypeOrSelf(reduce.getType(0)));
  // One after another into the same tensor, if whole updates are cut, not the
  // window of each.
  if (auto scatter = dyn_cast<sh::ScatterOp>(op)) {
    unsigned indices = scatter.getInputs().size();
    return llvm::any_of(factor.operands,
                        [&](auto place) { return place.first == indices; });
  }
  return false;
}

SmallVector<PartFactor> partFactorsOf(Operation *op) {
  SmallVector<PartFactor> list;
  if (!goesInParts(op) || llvm::any_of(op->getOperandTypes(), [](Type type) {
        auto shaped = dyn_cast<RankedTensorType>(type);
        return !shaped || !shaped.hasStaticShape();
      }))
    return list;
  std::optional<ShardingRule> rule = getShardingRule(op);
  if (!rule)
    return list;
  for (int64_t f = 0; f < rule->getNumFactors(); ++f) {
    const Factor &factor = rule->factors[f];
    if (factor.size < 2 || (factor.kind != FactorKind::PassThrough &&
                            factor.kind != FactorKind::Reduction))
      continue;
    PartFactor part{factor.size,
                    factor.kind == FactorKind::Reduction,
                    factor.reduction,
                    {},
                    {}};
    bool isMajor = true;
    auto find = [&](const TensorMapping &tensor, unsigned t, auto &places) {
      for (auto [d, dim] : llvm::enumerate(tensor.dims)) {
        if (!llvm::is_contained(dim.factors, f))
          continue;
        isMajor &= dim.factors.front() == f && !dim.window;
        places.push_back({t, static_cast<unsigned>(d)});
      }
    };
    for (auto [t, tensor] : llvm::enumerate(rule->operands))
      find(tensor, t, part.operands);
    for (auto [t, tensor] : llvm::enumerate(rule->results))
      find(tensor, t, part.results);
    if (auto iota = dyn_cast<sh::IotaOp>(op))
      isMajor &= part.results.front().second != iota.getIotaDimension();
    if (!isMajor || (part.reduces && !combines(op, part)))
      continue;
    // Along a dimension that no operand has (a gather's window, which may begin
    // anywhere), only what is the same everywhere is the op on a part again.
    if (part.operands.empty() &&
        !isa<sh::ConstantOp, sh::IotaOp, sh::BroadcastOp, sh::BroadcastInDimOp>(
            op))
      continue;
    // A result that neither has the factor nor is combined over it.
    if (!part.reduces && part.results.size() != op->getNumResults())
      continue;
    list.push_back(std::move(part));
  }
  return list;
}

//===----------------------------------------------------------------------===//
// IndexClasses
//===----------------------------------------------------------------------===//

unsigned IndexClasses::numberOf(ValueDim place) {
  auto [number, isNew] = numbers.try_emplace(place, parents.size());
  if (isNew)
    parents.push_back(parents.size());
  return number->second;
}

unsigned IndexClasses::rootOf(unsigned number) const {
  while (parents[number] != number)
    number = parents[number] = parents[parents[number]];
  return number;
}

void IndexClasses::connect(ArrayRef<ValueDim> places) {
  std::optional<unsigned> first;
  for (const ValueDim &place : places) {
    if (free.contains(place))
      continue;
    unsigned root = rootOf(numberOf(place));
    if (!first)
      first = root;
    else
      parents[root] = *first;
  }
}

void IndexClasses::connectValues(ArrayRef<Value> values) {
  auto type = dyn_cast<RankedTensorType>(values.front().getType());
  if (!type)
    return;
  for (unsigned d = 0; d < type.getRank(); ++d)
    connect(
        llvm::map_to_vector(values, [&](Value v) { return ValueDim(v, d); }));
}

void IndexClasses::visit(Operation *op) {
  auto passesOn = [&](unsigned result) {
    return !filter.flow || filter.flow(op, result);
  };
  if (auto loop = dyn_cast<sh::WhileOp>(op)) {
    Block &body = loop.getBody().front(), &cond = loop.getCond().front();
    for (unsigned i = 0; i < loop->getNumResults(); ++i)
      if (passesOn(i))
        connectValues({loop->getResult(i), loop->getOperand(i),
                       body.getArgument(i), cond.getArgument(i),
                       body.getTerminator()->getOperand(i)});
    return;
  }
  if (isa<sh::IfOp, sh::CaseOp>(op)) {
    for (OpResult result : op->getResults()) {
      if (!passesOn(result.getResultNumber()))
        continue;
      SmallVector<Value> values{result};
      for (Region &region : op->getRegions())
        values.push_back(region.front().getTerminator()->getOperand(
            result.getResultNumber()));
      connectValues(values);
    }
    return;
  }
  if (isa<sh::OptimizationBarrierOp>(op)) {
    for (auto [operand, result] :
         llvm::zip_equal(op->getOperands(), op->getResults()))
      if (passesOn(result.getResultNumber()))
        connectValues({result, operand});
    return;
  }
  SmallVector<PartFactor> list = partFactorsOf(op);
  if (filter.factor)
    llvm::erase_if(list, [&](const PartFactor &factor) {
      return !filter.factor(op, factor);
    });
  for (auto [number, factor] : llvm::enumerate(list)) {
    SmallVector<ValueDim> places;
    for (auto [t, d] : factor.operands)
      places.push_back({op->getOperand(t), d});
    bool isMade = !isa_and_nonnull<comm::CommDialect>(op->getDialect()) &&
                  !factor.reduces &&
                  llvm::all_of(places, [&](const ValueDim &place) {
                    return free.contains(place);
                  });
    for (auto [t, d] : factor.results) {
      ValueDim place(op->getResult(t), d);
      places.push_back(place);
      if (isMade)
        free.try_emplace(place, number);
    }
    connect(places);
  }
  if (!list.empty())
    factors[op] = std::move(list);
}

IndexClasses::IndexClasses(func::FuncOp func, Filter filter)
    : filter(std::move(filter)) {
  visit(func.getBody().front());
}

/// In program order, inner ops before what they belong to: what is free is
/// known before it is used or yielded.
void IndexClasses::visit(Block &block) {
  for (Operation &op : block) {
    if (isa<sh::WhileOp, sh::IfOp, sh::CaseOp>(op))
      for (Region &region : op.getRegions())
        visit(region.front());
    visit(&op);
  }
}

int64_t IndexClasses::classOf(Value value, unsigned dim) const {
  auto found = numbers.find({value, dim});
  return found == numbers.end() ? -1 : int64_t(rootOf(found->second));
}

ArrayRef<PartFactor> IndexClasses::factorsOf(Operation *op) const {
  auto found = factors.find(op);
  return found == factors.end() ? ArrayRef<PartFactor>() : found->second;
}

const PartFactor *IndexClasses::factorIn(Operation *op, int64_t number) const {
  for (const PartFactor &factor : factorsOf(op)) {
    for (auto [t, d] : factor.operands)
      if (classOf(op->getOperand(t), d) == number)
        return &factor;
    for (auto [t, d] : factor.results)
      if (classOf(op->getResult(t), d) == number)
        return &factor;
  }
  return nullptr;
}

std::optional<llvm::DenseMap<Value, unsigned>>
IndexClasses::dimsIn(int64_t number) const {
  llvm::DenseMap<Value, unsigned> dims;
  for (auto &[place, mine] : numbers)
    if (int64_t(rootOf(mine)) == number &&
        !dims.try_emplace(place.first, place.second).second)
      return std::nullopt;
  return dims;
}

} // namespace shoal
