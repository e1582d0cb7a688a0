// shoal-fuse: applies the fusion groups. See include/shoal/Fuse/Passes.td.

#include "shoal/Fuse/Passes.h"

#include "Rematerialize.h"
#include "SelectForScatter.h"
#include "SplitLargeWindows.h"
#include "SplitTransforms.h"

#include "dialects/Plan/Plan.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/FusionGroups.h"
#include "shoal/Support/Contract.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/StringSet.h"
#include <functional>

namespace shoal {
#define GEN_PASS_DEF_FUSE
#include "shoal/Fuse/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

static void sinkInto(Block &block);

namespace {
class FusePass : public shoal::impl::FuseBase<FusePass> {
public:
  using FuseBase::FuseBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    // Kernels that are there already keep their names.
    for (Operation &op : module.getBody()->getOperations())
      if (auto kernel = dyn_cast<plan::KernelOp>(op))
        names.insert(kernel.getSymName());
    SmallVector<FunctionOpInterface> functions;
    for (auto function : module.getOps<FunctionOpInterface>())
      if (!isa<plan::KernelOp>(*function) && !function.isExternal())
        functions.push_back(function);
    for (FunctionOpInterface function : functions) {
      sinkConstants(function);
      selectForScatter(function);
      splitLargeWindows(function);
      if (library)
        splitTransforms(function);
      // Inner blocks first: what they take from theirs stays outside of loops.
      function.walk([&](Operation *op) {
        if (isa<sh::WhileOp, sh::IfOp, sh::CaseOp>(op))
          for (Region &region : op->getRegions())
            for (Block &block : region)
              sinkInto(block);
      });
      HostScalars hostScalars(function);
      for (Block &block : function.getFunctionBody())
        fuseBlock(block, hostScalars);
    }
  }

private:
  /// Common subexpression elimination lets the scalar bodies of reductions,
  /// comparators and the like use constants of the function: they get copies of
  /// their own, since a kernel sees nothing outside.
  static void sinkConstants(FunctionOpInterface function) {
    function->walk([](Operation *op) {
      if (isa<FunctionOpInterface, sh::WhileOp, sh::IfOp, sh::CaseOp>(op))
        return;
      for (Region &region : op->getRegions()) {
        llvm::DenseMap<Value, Value> copies;
        region.walk([&](Operation *inner) {
          for (OpOperand &operand : inner->getOpOperands()) {
            auto constant = operand.get().getDefiningOp<sh::ConstantOp>();
            if (!constant || region.isAncestor(constant->getParentRegion()))
              continue;
            Value &copy = copies[operand.get()];
            if (!copy) {
              OpBuilder builder = OpBuilder::atBlockBegin(&region.front());
              copy = builder.clone(*constant)->getResult(0);
            }
            operand.set(copy);
          }
        });
      }
    });
  }

  llvm::StringSet<> names;
  /// Text of a kernel without its name, and the kernel.
  llvm::StringMap<plan::KernelOp> kernels;

  /// What the block being fused has in place of a group's output.
  IRMapping made;

  /// Members of groups keep their operands: some have a copy of the value's
  /// producer of their own. All others use the new value.
  void replace(Value value, Value with) {
    made.map(value, with);
    value.replaceUsesWithIf(with, [&](OpOperand &use) {
      Operation *user = value.getParentBlock()->findAncestorOpInBlock(
          *use.getOwner());
      return user != use.getOwner() || !members.contains(user) ||
             stays.contains(user);
    });
  }
  llvm::DenseSet<Operation *> members, stays;

  void fuseBlock(Block &block, const HostScalars &hostScalars);
  void outline(const FusionGroup &group);
  void makeMatmul(sh::DotGeneralOp dot);
  plan::KernelOp getKernel(plan::KernelOp kernel, StringRef rootName);
};
} // namespace

static StringRef strategyName(FusionGroup::Kind kind) {
  switch (kind) {
  case FusionGroup::Kind::Loop:
    return "loops";
  case FusionGroup::Kind::Rows:
    return "rows";
  case FusionGroup::Kind::Columns:
    return "columns";
  case FusionGroup::Kind::Update:
    return "update";
  case FusionGroup::Kind::Product:
    return "product";
  default:
    return "single";
  }
}

/// The kernel, or an equal one that the module has already.
plan::KernelOp FusePass::getKernel(plan::KernelOp kernel, StringRef rootName) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  OpPrintingFlags flags;
  flags.printGenericOpForm().useLocalScope();
  kernel->print(stream, flags);
  auto [it, isNew] = kernels.try_emplace(text, kernel);
  if (!isNew) {
    kernel->erase();
    return it->second;
  }
  std::string name;
  for (unsigned i = kernels.size() - 1;; ++i) {
    name = ("kernel_" + Twine(i) + "_" + rootName).str();
    if (names.insert(name).second)
      break;
  }
  kernel.setSymName(name);
  return kernel;
}

void FusePass::outline(const FusionGroup &group) {
  llvm::SetVector<Value> inputs;
  IRMapping mapping;
  for (Operation *op : group.ops)
    for (Value operand : op->getOperands())
      if (!operand.getDefiningOp() ||
          !group.ops.contains(operand.getDefiningOp()))
        inputs.insert(made.lookupOrDefault(operand));

  SmallVector<Type> inputTypes, outputTypes;
  for (Value input : inputs)
    inputTypes.push_back(input.getType());
  for (Value output : group.outputs)
    outputTypes.push_back(output.getType());
  MLIRContext *context = &getContext();
  Location loc = group.root->getLoc();
  OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
  auto kernel = plan::KernelOp::create(
      builder, loc, "kernel", builder.getFunctionType(inputTypes, outputTypes));
  Region &region = kernel.getBody();
  if (region.empty())
    region.emplaceBlock();
  Block &body = region.front();
  if (body.getNumArguments() == 0)
    for (Value input : inputs)
      body.addArgument(input.getType(), loc);
  body.clear();

  for (Operation *op : group.ops)
    for (Value operand : op->getOperands()) {
      auto it = llvm::find(inputs, made.lookupOrDefault(operand));
      if (it != inputs.end())
        mapping.map(operand, body.getArgument(it - inputs.begin()));
    }
  builder.setInsertionPointToEnd(&body);
  for (Operation *op : group.ops) {
    Operation *copy = builder.clone(*op, mapping);
    // What earlier phases noted on the op has done its work, and would keep
    // equal kernels apart.
    SmallVector<StringAttr> notes;
    for (NamedAttribute attribute : copy->getDiscardableAttrs())
      if (attribute.getName() != kContractAttr)
        notes.push_back(attribute.getName());
    for (StringAttr note : notes)
      copy->removeDiscardableAttr(note);
  }
  SmallVector<Value> results;
  for (Value output : group.outputs)
    results.push_back(mapping.lookup(output));
  plan::YieldOp::create(builder, loc, results);
  kernel.setStrategy(strategyName(group.kind));
  if (!group.mayOverwrite.empty()) {
    SmallVector<int64_t> pairs;
    for (auto [output, input] : group.mayOverwrite) {
      auto it =
          llvm::find(inputs, made.lookupOrDefault(group.inputs[input]));
      if (it == inputs.end())
        continue;
      pairs.push_back(output);
      pairs.push_back(it - inputs.begin());
    }
    kernel.setMayOverwrite(ArrayRef<int64_t>(pairs));
  }
  kernel = getKernel(kernel, group.root->getName().stripDialect());

  builder.setInsertionPoint(group.root);
  auto launch = plan::LaunchOp::create(
      builder, loc, outputTypes,
      FlatSymbolRefAttr::get(context, kernel.getSymName()),
      inputs.getArrayRef());
  for (auto [i, result] : llvm::enumerate(launch.getResults())) {
    Value output = group.outputs[i];
    replace(output, result);
  }
}

/// A dimension of a transposed value as one of the value itself.
static Value lookThroughTransposes(Value value, SmallVectorImpl<int64_t> &a,
                                   SmallVectorImpl<int64_t> &b) {
  while (auto transpose = value.getDefiningOp<sh::TransposeOp>()) {
    for (SmallVectorImpl<int64_t> *dims : {&a, &b})
      for (int64_t &d : *dims)
        d = transpose.getPermutation()[d];
    value = transpose.getOperand();
  }
  return value;
}

/// The free dimensions of an operand, in the order in which they come.
static SmallVector<int64_t> freeDims(Value value, ArrayRef<int64_t> batch,
                                     ArrayRef<int64_t> contract) {
  SmallVector<int64_t> dims;
  int64_t rank = cast<ShapedType>(value.getType()).getRank();
  for (int64_t d = 0; d < rank; ++d)
    if (!llvm::is_contained(batch, d) && !llvm::is_contained(contract, d))
      dims.push_back(d);
  return dims;
}

void FusePass::makeMatmul(sh::DotGeneralOp dot) {
  auto numbers = dot.getDotDimensionNumbers();
  SmallVector<int64_t> lhsBatch(numbers.getLhsBatchingDimensions());
  SmallVector<int64_t> rhsBatch(numbers.getRhsBatchingDimensions());
  SmallVector<int64_t> lhsContract(numbers.getLhsContractingDimensions());
  SmallVector<int64_t> rhsContract(numbers.getRhsContractingDimensions());
  // plan.matmul lists free dimensions in their order in memory; the result's
  // permutation says where each went.
  SmallVector<int64_t> lhsFree =
      freeDims(dot.getLhs(), lhsBatch, lhsContract);
  SmallVector<int64_t> rhsFree =
      freeDims(dot.getRhs(), rhsBatch, rhsContract);
  auto fold = [](Value value, SmallVector<int64_t> &batch,
                 SmallVector<int64_t> &contract, SmallVector<int64_t> &free) {
    SmallVector<int64_t> both(batch);
    llvm::append_range(both, contract);
    value = lookThroughTransposes(value, both, free);
    for (auto [i, d] : llvm::enumerate(both))
      (i < batch.size() ? batch[i] : contract[i - batch.size()]) = d;
    return value;
  };
  Value lhs = fold(dot.getLhs(), lhsBatch, lhsContract, lhsFree);
  Value rhs = fold(dot.getRhs(), rhsBatch, rhsContract, rhsFree);
  SmallVector<int64_t> permutation;
  for (unsigned i = 0; i < lhsBatch.size(); ++i)
    permutation.push_back(i);
  auto appendPositions = [&](ArrayRef<int64_t> dims) {
    SmallVector<int64_t> sorted(dims);
    llvm::sort(sorted);
    int64_t base = permutation.size();
    SmallVector<int64_t> positions;
    for (int64_t d : dims)
      positions.push_back(base + (llvm::find(sorted, d) - sorted.begin()));
    llvm::append_range(permutation, positions);
  };
  appendPositions(lhsFree);
  appendPositions(rhsFree);

  Value replaced = dot.getResult();
  Operation *at = dot;
  while (replaced.hasOneUse()) {
    auto transpose = dyn_cast<sh::TransposeOp>(*replaced.user_begin());
    if (!transpose || transpose->getBlock() != dot->getBlock() ||
        members.contains(transpose))
      break;
    SmallVector<int64_t> next;
    for (int64_t d : transpose.getPermutation())
      next.push_back(permutation[d]);
    permutation = next;
    replaced = transpose.getResult();
  }
  OpBuilder builder(at);
  auto identity = llvm::to_vector(llvm::seq<int64_t>(0, permutation.size()));
  bool highest = false;
  if (auto precision = dot.getPrecisionConfig())
    highest = llvm::all_of(*precision, [](Attribute a) {
      auto value = dyn_cast<sh::PrecisionAttr>(a);
      return value && value.getValue() == sh::Precision::HIGHEST;
    });
  OperationState state(dot.getLoc(), plan::MatmulOp::getOperationName());
  state.addOperands({lhs, rhs});
  state.addTypes(replaced.getType());
  auto addDims = [&](StringRef name, ArrayRef<int64_t> dims) {
    state.addAttribute(name, builder.getDenseI64ArrayAttr(dims));
  };
  addDims("lhs_batch", lhsBatch);
  addDims("rhs_batch", rhsBatch);
  addDims("lhs_contract", lhsContract);
  addDims("rhs_contract", rhsContract);
  if (permutation != identity)
    addDims("permutation", permutation);
  if (highest)
    state.addAttribute("highest_precision", builder.getUnitAttr());
  Operation *matmul = builder.create(state);
  replace(replaced, matmul->getResult(0));
}

/// Constants, counters and broadcasts of them: copied rather than passed.
static bool isSinkable(Operation *op) {
  if (auto constant = dyn_cast<sh::ConstantOp>(op)) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    return dense && (dense.isSplat() || dense.getNumElements() <= 64);
  }
  if (isa<sh::IotaOp>(op))
    return true;
  auto broadcast = dyn_cast<sh::BroadcastInDimOp>(op);
  Operation *source =
      broadcast ? broadcast.getOperand().getDefiningOp() : nullptr;
  return source && isSinkable(source);
}

/// Copies such ops from outside a loop's or branch's block into it, so that
/// kernels inside see them.
static void sinkInto(Block &block) {
  IRMapping copies;
  OpBuilder builder = OpBuilder::atBlockBegin(&block);
  std::function<Value(Value)> copy = [&](Value value) -> Value {
    if (Value known = copies.lookupOrNull(value))
      return known;
    Operation *op = value.getDefiningOp();
    for (Value operand : op->getOperands())
      copy(operand);
    builder.clone(*op, copies);
    return copies.lookup(value);
  };
  SmallVector<Operation *> ops;
  for (Operation &op : block)
    ops.push_back(&op);
  for (Operation *op : ops)
    for (OpOperand &operand : op->getOpOperands()) {
      Operation *source = operand.get().getDefiningOp();
      if (source && source->getBlock() != &block && isSinkable(source))
        operand.set(copy(operand.get()));
    }
}

/// Rows that a mask spreads over groups (ragged_dot: a copy for each group, zero
/// outside it) are larger than what they are made of: every product that takes
/// them makes its own, which code generation turns into bounds of its loops.
static void ownSelections(Block &block) {
  auto elements = [](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.hasStaticShape() ? type.getNumElements() : 0;
  };
  auto isSpread = [&](Value value) {
    auto select = value.getDefiningOp<sh::SelectOp>();
    auto spread =
        select ? select.getOnTrue().getDefiningOp<sh::BroadcastInDimOp>()
               : nullptr;
    return spread && select->getBlock() == &block &&
           elements(spread) >= 2 * elements(spread.getOperand());
  };
  // A repeated iota is an iota, which fuses where a repetition may not.
  for (auto repeat :
       llvm::make_early_inc_range(block.getOps<sh::BroadcastInDimOp>())) {
    auto iota = repeat.getOperand().getDefiningOp<sh::IotaOp>();
    if (!iota)
      continue;
    uint64_t from = iota.getIotaDimension();
    int64_t to = repeat.getBroadcastDimensions()[from];
    auto type = cast<RankedTensorType>(repeat.getType());
    if (cast<RankedTensorType>(iota.getType()).getDimSize(from) !=
        type.getDimSize(to))
      continue;
    OpBuilder builder(repeat);
    Value whole = sh::IotaOp::create(builder, repeat.getLoc(), type,
                                     builder.getI64IntegerAttr(to));
    repeat.replaceAllUsesWith(whole);
    repeat.erase();
  }
  for (auto dot : llvm::make_early_inc_range(block.getOps<sh::DotGeneralOp>()))
    for (OpOperand &operand : dot->getOpOperands()) {
      if (!isSpread(operand.get()) || operand.get().hasOneUse())
        continue;
      OpBuilder builder(dot);
      IRMapping copies;
      // What has the size of the copies is made again too.
      std::function<void(Value)> copy = [&](Value value) {
        Operation *op = value.getDefiningOp();
        if (!op || op->getBlock() != &block || copies.contains(value) ||
            !isa<sh::SelectOp, sh::BroadcastInDimOp, sh::CompareOp, sh::AndOp,
                 sh::IotaOp, sh::ConstantOp>(op))
          return;
        for (Value from : op->getOperands())
          copy(from);
        builder.clone(*op, copies);
      };
      copy(operand.get());
      operand.set(copies.lookup(operand.get()));
    }
}

/// Products that are kernels of our own run along the right operand's minor
/// dimension, which has to be a free one: transposes it where it is not.
static void transposeRightOperands(Block &block, const FusionOptions &options) {
  for (auto dot : llvm::make_early_inc_range(block.getOps<sh::DotGeneralOp>())) {
    auto numbers = dot.getDotDimensionNumbers();
    auto type = cast<RankedTensorType>(dot.getRhs().getType());
    SmallVector<int64_t> batch(numbers.getRhsBatchingDimensions());
    SmallVector<int64_t> contract(numbers.getRhsContractingDimensions());
    SmallVector<int64_t> free = freeDims(dot.getRhs(), batch, contract);
    constexpr int64_t worthwhile = 4096;
    if (!options.library || isLibraryProduct(dot, options) || free.empty() ||
        free.back() == type.getRank() - 1 ||
        type.getNumElements() < worthwhile || type.getDimSize(free.back()) < 4)
      continue;
    SmallVector<int64_t> permutation;
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (d != free.back())
        permutation.push_back(d);
    permutation.push_back(free.back());
    SmallVector<int64_t> shape;
    for (int64_t d : permutation)
      shape.push_back(type.getDimSize(d));
    OpBuilder builder(dot);
    auto transpose = sh::TransposeOp::create(
        builder, dot.getLoc(), type.clone(shape), dot.getRhs(),
        builder.getDenseI64ArrayAttr(permutation));
    for (SmallVectorImpl<int64_t> *dims :
         {static_cast<SmallVectorImpl<int64_t> *>(&batch),
          static_cast<SmallVectorImpl<int64_t> *>(&contract)})
      for (int64_t &d : *dims)
        d = llvm::find(permutation, d) - permutation.begin();
    dot.getRhsMutable().assign(transpose);
    dot.setDotDimensionNumbersAttr(sh::DotDimensionNumbersAttr::get(
        dot.getContext(), numbers.getLhsBatchingDimensions(), batch,
        numbers.getLhsContractingDimensions(), contract));
  }
}

/// True if combining `init` with a value gives the value.
static bool isNeutral(Operation *combine, Value init) {
  DenseElementsAttr constant;
  if (!matchPattern(init, m_Constant(&constant)) || !constant.isSplat())
    return false;
  if (isa<FloatType>(constant.getElementType())) {
    APFloat value = constant.getSplatValue<APFloat>();
    if (isa<sh::AddOp>(combine))
      return value.isZero();
    if (isa<sh::MulOp>(combine))
      return value.isExactlyValue(1.0);
    if (isa<sh::MaxOp>(combine))
      return value.isInfinity() && value.isNegative();
    if (isa<sh::MinOp>(combine))
      return value.isInfinity() && !value.isNegative();
    return false;
  }
  auto type = dyn_cast<IntegerType>(constant.getElementType());
  if (!type || type.getWidth() == 1)
    return false;
  APInt value = constant.getSplatValue<APInt>();
  if (isa<sh::AddOp, sh::OrOp, sh::XorOp>(combine))
    return value.isZero();
  if (isa<sh::MulOp>(combine))
    return value.isOne();
  return false;
}

/// Reductions over one element (JAX makes them of sums over broadcast
/// dimensions) are reshapes, and do not keep other reductions apart then.
static void simplifyUnitReductions(Block &block) {
  for (auto reduce : llvm::make_early_inc_range(block.getOps<sh::ReduceOp>())) {
    if (reduce.getInputs().size() != 1)
      continue;
    Value input = reduce.getInputs().front();
    Value result = reduce->getResult(0);
    auto from = cast<RankedTensorType>(input.getType());
    auto to = cast<RankedTensorType>(result.getType());
    Block &body = reduce.getBody().front();
    Operation *combine = body.getTerminator()->getOperand(0).getDefiningOp();
    if (!from.hasStaticShape() || from.getElementType() != to.getElementType() ||
        from.getNumElements() != to.getNumElements() || to.getNumElements() == 0 ||
        !combine || combine->getBlock() != &body ||
        combine->getNumOperands() != 2 ||
        !llvm::is_contained(combine->getOperands(), body.getArgument(0)) ||
        !llvm::is_contained(combine->getOperands(), body.getArgument(1)) ||
        !isNeutral(combine, reduce.getInitValues().front()))
      continue;
    OpBuilder builder(reduce);
    auto reshape =
        sh::ReshapeOp::create(builder, reduce.getLoc(), to, input);
    result.replaceAllUsesWith(reshape.getResult());
    reduce.erase();
  }
}

void FusePass::fuseBlock(Block &block, const HostScalars &hostScalars) {
  for (Operation &op : block)
    if (isa<sh::WhileOp, sh::IfOp, sh::CaseOp>(op))
      for (Region &region : op.getRegions())
        for (Block &inner : region)
          fuseBlock(inner, hostScalars);

  FusionOptions options;
  options.maxOps = maxOps;
  options.maxInputs = maxInputs;
  options.library = library;
  simplifyUnitReductions(block);
  transposeRightOperands(block, options);
  if (!options.library)
    ownSelections(block);
  rematerialize(block);
  FusionGroups groups(block, hostScalars, options);
  made.clear();
  members.clear();
  for (const FusionGroup &group : groups.getGroups())
    if (group.kind != FusionGroup::Kind::Matmul)
      members.insert(group.ops.begin(), group.ops.end());
  stays = groups.getStayingOps();
  for (const FusionGroup &group : groups.getGroups()) {
    if (group.kind == FusionGroup::Kind::Matmul)
      makeMatmul(cast<sh::DotGeneralOp>(group.root));
    else
      outline(group);
  }
  // What nobody needs any more: outlined ops, and views that were folded.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (op.use_empty() && !op.hasTrait<OpTrait::IsTerminator>() &&
        (members.contains(&op) || isMemoryEffectFree(&op)) &&
        !isa<plan::LaunchOp>(op))
      op.erase();
}
