// Sharding rules: building, conversion to attributes, what a form implies.
#include "dialects/Shoal/ShardingRule.h"
#include "dialects/Shoal/Shoal.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace shoal {

llvm::StringRef stringifyFactorKind(FactorKind kind) {
  switch (kind) {
  case FactorKind::PassThrough:
    return "pass-through";
  case FactorKind::Reduction:
    return "reduction";
  case FactorKind::Window:
    return "window";
  case FactorKind::Indexed:
    return "indexed";
  case FactorKind::Ordered:
    return "ordered";
  case FactorKind::NeedReplication:
    return "need-replication";
  }
  return "";
}

bool TensorMapping::contains(int64_t factor) const {
  return findDim(factor) >= 0;
}

int64_t TensorMapping::findDim(int64_t factor) const {
  for (auto [d, dim] : llvm::enumerate(dims))
    if (llvm::is_contained(dim.factors, factor))
      return d;
  return -1;
}

const PartialPass *ShardingRule::findPartialPass(ReductionKind kind,
                                                 int64_t operand) const {
  for (const PartialPass &pass : partial)
    if (pass.allows(kind) && llvm::is_contained(pass.operands, operand))
      return &pass;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

OpRuleAttr ShardingRule::toAttr(MLIRContext *context) const {
  SmallVector<int64_t> sizes, reduction, needReplication, permutation, blocked;
  SmallVector<ReductionKind> kinds;
  bool otherThanAdd = false;
  for (auto [i, factor] : llvm::enumerate(factors)) {
    sizes.push_back(factor.size);
    switch (factor.kind) {
    case FactorKind::PassThrough:
    case FactorKind::Indexed:
      break;
    case FactorKind::Reduction:
      reduction.push_back(i);
      kinds.push_back(factor.reduction.value_or(ReductionKind::Add));
      otherThanAdd |= kinds.back() != ReductionKind::Add;
      break;
    case FactorKind::Window:
      permutation.push_back(i);
      break;
    case FactorKind::Ordered:
    case FactorKind::NeedReplication:
      needReplication.push_back(i);
      break;
    }
    if (factor.blocked)
      blocked.push_back(i);
  }
  if (!otherThanAdd)
    kinds.clear();
  auto convert = [&](const TensorMapping &tensor) {
    SmallVector<DimFactorsAttr> dims;
    for (const DimMapping &dim : tensor.dims)
      dims.push_back(DimFactorsAttr::get(context, dim.factors));
    return TensorFactorsAttr::get(context, dims);
  };
  SmallVector<int64_t> linear;
  for (const PartialPass &pass : partial)
    if (pass.allows(ReductionKind::Add))
      for (int64_t operand : pass.operands)
        if (!llvm::is_contained(linear, operand))
          linear.push_back(operand);
  return OpRuleAttr::get(context, sizes, llvm::map_to_vector(operands, convert),
                         llvm::map_to_vector(results, convert), reduction,
                         kinds, needReplication, permutation, blocked, linear,
                         custom);
}

std::optional<ShardingRule> ShardingRule::fromAttr(OpRuleAttr attr,
                                                   Operation *op) {
  auto fail = [&](const Twine &message) {
    op->emitOpError() << "does not fit its sharding rule: " << message;
    return std::nullopt;
  };
  ShardingRule rule;
  rule.custom = attr.getCustom();
  for (int64_t size : attr.getFactorSizes())
    rule.factors.push_back(Factor{size, FactorKind::PassThrough});
  for (auto [i, f] : llvm::enumerate(attr.getReduction())) {
    rule.factors[f].kind = FactorKind::Reduction;
    rule.factors[f].reduction = i < attr.getReductionKinds().size()
                                    ? attr.getReductionKinds()[i]
                                    : ReductionKind::Add;
  }
  for (int64_t f : attr.getNeedReplication())
    rule.factors[f].kind = FactorKind::NeedReplication;
  for (int64_t f : attr.getPermutation())
    rule.factors[f].kind = FactorKind::Window;
  for (int64_t f : attr.getBlocked())
    rule.factors[f].blocked = true;
  // Factors whose size a dimension says, which may be 0.
  llvm::BitVector known(rule.factors.size());

  auto read = [&](ArrayRef<TensorFactorsAttr> list, TypeRange types,
                  SmallVectorImpl<TensorMapping> &into) -> std::string {
    if (list.size() != types.size())
      return (Twine("it lists ") + Twine(list.size()) +
              " tensors, the op has " + Twine(types.size()))
          .str();
    for (auto [i, tensor] : llvm::enumerate(list)) {
      TensorMapping &mapping = into.emplace_back();
      auto type = dyn_cast<ShapedType>(types[i]);
      int64_t rank = type && type.hasRank() ? type.getRank() : 0;
      if (static_cast<int64_t>(tensor.getDims().size()) != rank)
        return (Twine("tensor ") + Twine(i) + " has rank " + Twine(rank) +
                ", the rule " + Twine(tensor.getDims().size()))
            .str();
      for (auto [d, dim] : llvm::enumerate(tensor.getDims())) {
        mapping.dims.emplace_back().factors.assign(dim.getFactors().begin(),
                                                   dim.getFactors().end());
        // A size left open is what remains of a dimension once the other
        // factors of it are known; with several open ones, none is.
        if (dim.getFactors().size() != 1)
          continue;
        int64_t factor = dim.getFactors()[0];
        known.set(factor);
        if (rule.factors[factor].size == 0)
          rule.factors[factor].size = type.getDimSize(d);
      }
    }
    return "";
  };
  std::string problem =
      read(attr.getOperands(), op->getOperandTypes(), rule.operands);
  if (problem.empty())
    problem = read(attr.getResults(), op->getResultTypes(), rule.results);
  if (!problem.empty())
    return fail(problem);
  for (auto [i, factor] : llvm::enumerate(rule.factors))
    if (factor.size < 0 || (factor.size == 0 && !known[i]))
      return fail("the size of factor " + Twine(i) + " is not known");
  for (int64_t operand : attr.getLinear()) {
    if (operand < 0 || operand >= static_cast<int64_t>(op->getNumOperands()))
      return fail("there is no operand " + Twine(operand));
    rule.partial.push_back(PartialPass{kindBit(ReductionKind::Add), {operand}});
  }
  return rule;
}

/// The rule of the op's name, for custom calls and composites.
static OpRuleAttr lookupRuleOp(Operation *op) {
  StringRef mnemonic = op->getName().stripDialect();
  StringAttr target;
  if (mnemonic == "custom_call")
    target = op->getAttrOfType<StringAttr>("call_target_name");
  else if (mnemonic == "composite")
    target = op->getAttrOfType<StringAttr>("name");
  Operation *module =
      target ? op->getParentWithTrait<OpTrait::SymbolTable>() : nullptr;
  if (!module)
    return {};
  for (RuleOp rule : module->getRegion(0).getOps<RuleOp>())
    if (rule.getTargetAttr() == target)
      return rule.getRule();
  return {};
}

bool hasUserRule(Operation *op) {
  return op->hasAttrOfType<OpRuleAttr>(ShoalDialect::kRuleAttr) ||
         lookupRuleOp(op);
}

std::optional<ShardingRule> getShardingRule(Operation *op) {
  auto attr = op->getAttrOfType<OpRuleAttr>(ShoalDialect::kRuleAttr);
  if (!attr)
    attr = lookupRuleOp(op);
  if (attr)
    return ShardingRule::fromAttr(attr, op);
  // The op's own statement of a sharding is an identity.
  if (isa<ConstraintOp, ReshardOp>(op)) {
    auto type = dyn_cast<ShapedType>(op->getResult(0).getType());
    RuleBuilder builder(op);
    if (type && type.hasRank())
      builder.addPointwise(type.getShape());
    return builder.movesData({0}).build();
  }
  if (auto shardable = dyn_cast<ShardableOpInterface>(op)) {
    ShardingRule rule = shardable.getShardingRule();
    if (rule.operands.empty() && rule.results.empty())
      return std::nullopt;
    return rule;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

static ShardingAttr getTensorSharding(const ShardingRule &rule,
                                      const TensorMapping &tensor,
                                      FormAttr form) {
  MLIRContext *context = form.getContext();
  SmallVector<DimShardingAttr> dims;
  for (const DimMapping &dim : tensor.dims) {
    SmallVector<AxisRefAttr> axes;
    int64_t block = 0;
    for (auto [k, f] : llvm::enumerate(dim.factors)) {
      DimShardingAttr factor = form.getFactors()[f];
      llvm::append_range(axes, factor.getAxes());
      // A block of a factor is a block of the dimension times what is minor
      // to it, which then is whole.
      if (factor.getBlock()) {
        block = factor.getBlock();
        for (int64_t minor : ArrayRef(dim.factors).drop_front(k + 1))
          block *= rule.factors[minor].size;
      }
    }
    dims.push_back(DimShardingAttr::get(context, axes, false, -1, block));
  }
  return ShardingAttr::get(form.getMeshOrRef(), dims);
}

ShardingAttr getOperandSharding(const ShardingRule &rule, FormAttr form,
                                int64_t operand) {
  return getTensorSharding(rule, rule.operands[operand], form);
}

ShardingAttr getResultSharding(const ShardingRule &rule, FormAttr form,
                               int64_t result) {
  const TensorMapping &tensor = rule.results[result];
  ShardingAttr sharding = getTensorSharding(rule, tensor, form);
  SmallVector<AxisRefAttr> partial;
  ReductionKind kind = ReductionKind::Add;
  for (auto [f, factor] : llvm::enumerate(rule.factors)) {
    if (factor.kind != FactorKind::Reduction || tensor.contains(f) ||
        form.getFactorAxes(f).empty())
      continue;
    llvm::append_range(partial, form.getFactorAxes(f));
    kind = factor.reduction.value_or(ReductionKind::Add);
  }
  return partial.empty() ? sharding : sharding.withPartial(kind, partial);
}

DenseElementsAttr getFiller(Type type) {
  auto tensor = RankedTensorType::get({}, type);
  auto zeroOf = [](Type element) {
    const llvm::fltSemantics &semantics =
        cast<FloatType>(element).getFloatSemantics();
    return APFloat::semanticsHasZero(semantics)
               ? APFloat::getZero(semantics)
               : APFloat::getSmallest(semantics);
  };
  if (auto complex = dyn_cast<ComplexType>(type)) {
    APFloat zero = zeroOf(complex.getElementType());
    return DenseElementsAttr::get(tensor, std::complex<APFloat>(zero, zero));
  }
  if (isa<FloatType>(type))
    return DenseElementsAttr::get(tensor, zeroOf(type));
  return DenseElementsAttr::get(
      tensor, APInt::getZero(cast<IntegerType>(type).getWidth()));
}

DenseElementsAttr getNeutralOrFiller(ReductionKind kind, Type type) {
  TypedAttr neutral = getNeutralElement(kind, type);
  if (!neutral)
    return getFiller(type);
  if (auto dense = dyn_cast<DenseElementsAttr>(neutral))
    return dense;
  return DenseElementsAttr::get(RankedTensorType::get({}, type),
                                Attribute(neutral));
}

TypedAttr getNeutralElement(ReductionKind kind, Type type) {
  Builder b(type.getContext());
  if (auto complex = dyn_cast<ComplexType>(type)) {
    auto element = dyn_cast<FloatType>(complex.getElementType());
    if (!element || (kind != ReductionKind::Add && kind != ReductionKind::Mul))
      return {};
    // Complex scalars have no attribute of their own: a splat of rank 0. (-0 +
    // x is x for every x.)
    APFloat zero = APFloat::getZero(
        element.getFloatSemantics(),
        /*Negative=*/kind == ReductionKind::Add &&
            APFloat::semanticsHasSignedRepr(element.getFloatSemantics()));
    APFloat one = APFloat::getOne(element.getFloatSemantics());
    return DenseElementsAttr::get(
        RankedTensorType::get({}, type),
        std::complex<APFloat>(kind == ReductionKind::Mul ? one : zero, zero));
  }
  if (auto floating = dyn_cast<FloatType>(type)) {
    const llvm::fltSemantics &semantics = floating.getFloatSemantics();
    bool hasInf = APFloat::semanticsHasInf(semantics);
    auto extreme = [&](bool negative) {
      return b.getFloatAttr(type,
                            hasInf ? APFloat::getInf(semantics, negative)
                                   : APFloat::getLargest(semantics, negative));
    };
    switch (kind) {
    case ReductionKind::Add:
      // -0 + x is x for every x, 0 + -0 is not -0.
      return APFloat::semanticsHasZero(semantics)
                 ? b.getFloatAttr(
                       type, APFloat::getZero(
                                 semantics,
                                 APFloat::semanticsHasSignedRepr(semantics)))
                 : TypedAttr();
    case ReductionKind::Mul:
      return b.getFloatAttr(type, APFloat::getOne(semantics));
    case ReductionKind::Min:
      return extreme(/*negative=*/false);
    case ReductionKind::Max:
      return extreme(/*negative=*/true);
    default:
      return {};
    }
  }
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer)
    return {};
  unsigned width = integer.getWidth();
  // Booleans order as unsigned numbers.
  bool isUnsigned = integer.isUnsigned() || width == 1;
  switch (kind) {
  case ReductionKind::Add:
  case ReductionKind::Or:
  case ReductionKind::Xor:
    return b.getIntegerAttr(type, APInt::getZero(width));
  case ReductionKind::Mul:
    return b.getIntegerAttr(type, APInt(width, 1));
  case ReductionKind::And:
    return b.getIntegerAttr(type, APInt::getAllOnes(width));
  case ReductionKind::Min:
    return b.getIntegerAttr(type, isUnsigned ? APInt::getMaxValue(width)
                                             : APInt::getSignedMaxValue(width));
  case ReductionKind::Max:
    return b.getIntegerAttr(type, isUnsigned ? APInt::getMinValue(width)
                                             : APInt::getSignedMinValue(width));
  }
  return {};
}

//===----------------------------------------------------------------------===//
// RuleBuilder
//===----------------------------------------------------------------------===//

static void initMappings(TypeRange types,
                         SmallVectorImpl<TensorMapping> &mappings) {
  for (Type type : types) {
    auto shaped = dyn_cast<ShapedType>(type);
    mappings.emplace_back().dims.resize(
        shaped && shaped.hasRank() ? shaped.getRank() : 0);
  }
}

RuleBuilder::RuleBuilder(TypeRange operands, TypeRange results)
    : operandTypes(operands.begin(), operands.end()),
      resultTypes(results.begin(), results.end()) {
  initMappings(operands, rule.operands);
  initMappings(results, rule.results);
}

RuleBuilder::RuleBuilder(Operation *op)
    : RuleBuilder(TypeRange(op->getOperandTypes()),
                  TypeRange(op->getResultTypes())) {}

int64_t RuleBuilder::createFactor(int64_t size, FactorKind kind) {
  rule.factors.push_back(Factor{size, kind});
  return rule.factors.size() - 1;
}

static void mapDim(TensorMapping &tensor, int64_t dim, int64_t factor) {
  if (dim != RuleBuilder::kNone)
    tensor.dims[dim].factors.push_back(factor);
}

RuleBuilder &RuleBuilder::add(ArrayRef<int64_t> operandDims,
                              ArrayRef<int64_t> resultDims, int64_t size,
                              FactorKind kind) {
  int64_t factor = createFactor(size, kind);
  for (auto [i, dim] : llvm::enumerate(operandDims))
    mapDim(rule.operands[i], dim, factor);
  for (auto [i, dim] : llvm::enumerate(resultDims))
    mapDim(rule.results[i], dim, factor);
  return *this;
}

RuleBuilder &RuleBuilder::addPointwise(ArrayRef<int64_t> shape) {
  return addPointwise(shape, [](int64_t) { return FactorKind::PassThrough; });
}

RuleBuilder &
RuleBuilder::addPointwise(ArrayRef<int64_t> shape,
                          llvm::function_ref<FactorKind(int64_t)> kindOf) {
  for (auto [d, size] : llvm::enumerate(shape))
    addEverywhere(d, size, kindOf(d));
  return *this;
}

RuleBuilder &RuleBuilder::addEverywhere(int64_t dim, int64_t size,
                                        FactorKind kind) {
  int64_t factor = createFactor(size, kind);
  for (TensorMapping &tensor : rule.operands)
    mapDim(tensor, tensor.dims.empty() ? kNone : dim, factor);
  for (TensorMapping &tensor : rule.results)
    mapDim(tensor, tensor.dims.empty() ? kNone : dim, factor);
  return *this;
}

RuleBuilder &RuleBuilder::mapOperand(int64_t operand, int64_t dim,
                                     int64_t factor) {
  rule.operands[operand].dims[dim].factors.push_back(factor);
  return *this;
}
RuleBuilder &RuleBuilder::mapResult(int64_t result, int64_t dim,
                                    int64_t factor) {
  rule.results[result].dims[dim].factors.push_back(factor);
  return *this;
}
RuleBuilder &RuleBuilder::setWindow(int64_t operand, int64_t dim,
                                    WindowMap window) {
  rule.operands[operand].dims[dim].window = window;
  return *this;
}
RuleBuilder &RuleBuilder::setResultWindow(int64_t result, int64_t dim,
                                          WindowMap window) {
  rule.results[result].dims[dim].window = window;
  return *this;
}

RuleBuilder &RuleBuilder::passPartial(uint8_t kinds,
                                      ArrayRef<int64_t> operands) {
  rule.partial.push_back(PartialPass{kinds, SmallVector<int64_t, 4>(operands)});
  return *this;
}

ShardingRule RuleBuilder::build() {
  auto fill = [&](SmallVectorImpl<TensorMapping> &tensors,
                  ArrayRef<Type> types) {
    for (auto [tensor, type] : llvm::zip(tensors, types))
      for (auto [d, dim] : llvm::enumerate(tensor.dims)) {
        if (!dim.factors.empty())
          continue;
        // A factor of its own. Of another size than 1, nothing carries a
        // sharding across the op, but the op may still be computed in parts
        // if its lowering knows how.
        int64_t size = cast<ShapedType>(type).getDimSize(d);
        dim.factors.push_back(createFactor(size));
      }
  };
  fill(rule.operands, operandTypes);
  fill(rule.results, resultTypes);
  return std::move(rule);
}

} // namespace shoal
