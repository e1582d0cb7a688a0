// shoal-outline-lone-ops: see Passes.td.
#include "BufferPlan.h"
#include "shoal/Schedule/Passes.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/ShardingRule.h"
#include "shoal/Support/Contract.h"

#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
namespace shlo = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_OUTLINELONEOPS
#include "shoal/Schedule/Passes.h.inc"

namespace {
struct OutlineLoneOps : impl::OutlineLoneOpsBase<OutlineLoneOps> {
  void runOnOperation() override;

  bool convertCheck(Operation *op, StringRef target);
  void convertCustomCall(shlo::CustomCallOp call);
  void expandAllSlice(comm::AllSliceOp slice);
  void outline(Operation *op, SymbolTable &symbols);

  /// Text of a kernel before it got its own name, and the kernel.
  llvm::StringMap<plan::KernelOp> kernels;
};
} // namespace
} // namespace shoal

using namespace shoal;

/// `@check.*` custom calls and `check.*` operations, with StableHLO's
/// tolerances (they differ between the two forms).
bool OutlineLoneOps::convertCheck(Operation *op, StringRef target) {
  bool isCall = isa<shlo::CustomCallOp>(op);
  auto kind =
      llvm::StringSwitch<std::optional<plan::CheckKind>>(target)
          .Cases({"check.expect_eq", "check.eq", "check.expect_eq_const"},
                 plan::CheckKind::Eq)
          .Cases({"check.expect_almost_eq", "check.expect_almost_eq_const"},
                 plan::CheckKind::AlmostEq)
          .Case("check.expect_close", plan::CheckKind::Close)
          .Case("check.expect_serialized_eq", plan::CheckKind::SerializedEq)
          .Default(std::nullopt);
  if (!kind || op->getNumOperands() == 0)
    return false;
  OpBuilder b(op);
  Location loc = op->getLoc();
  Value actual = op->getOperand(0), expected;
  if (op->getNumOperands() > 1)
    expected = op->getOperand(1);
  else if (auto value = op->getAttrOfType<ElementsAttr>("value"))
    expected = shlo::ConstantOp::create(b, loc, value);
  if (!expected && *kind != plan::CheckKind::SerializedEq)
    return false;
  Type verdict = op->getNumResults() ? op->getResult(0).getType() : Type();
  auto check =
      plan::CheckOp::create(b, loc, verdict, *kind, actual, expected, Value());
  check.setMessage(target);
  bool isFloat =
      isa<FloatType, ComplexType>(getElementTypeOrSelf(actual.getType()));
  switch (*kind) {
  case plan::CheckKind::Eq:
    if (target == "check.eq" && isFloat)
      check.setTolerance(APFloat(1e-4));
    break;
  case plan::CheckKind::AlmostEq: {
    double tolerance = isCall ? 1e-3 : 1e-4;
    if (auto attr = op->getAttrOfType<FloatAttr>("tolerance"))
      tolerance = attr.getValueAsDouble();
    check.setTolerance(APFloat(tolerance));
    check.setNanEqual(true);
    break;
  }
  case plan::CheckKind::Close: {
    int64_t most = isCall ? 3 : 1, least = 0;
    if (auto attr = op->getAttrOfType<IntegerAttr>("max_ulp_difference"))
      most = attr.getInt();
    if (auto attr = op->getAttrOfType<IntegerAttr>("min_ulp_difference"))
      least = attr.getInt();
    check.setMaxUlp(most);
    check.setMinUlp(least);
    check.setNanEqual(true);
    break;
  }
  case plan::CheckKind::SerializedEq:
    if (auto attr = op->getAttrOfType<StringAttr>("probe_id"))
      check.setExpectedFile(attr.getValue());
    break;
  case plan::CheckKind::True:
    break;
  }
  // Where operands are cut, partitioning left what the check must know.
  if (auto list =
          op->getAttrOfType<ShardingPerValueAttr>("shoal.operand_shardings")) {
    if (list.size() > 0)
      check->setAttr("actual_sharding", list.getShardings()[0]);
    if (list.size() > 1 && expected)
      check->setAttr("expected_sharding", list.getShardings()[1]);
  }
  if (auto types = op->getAttrOfType<ArrayAttr>("shoal.operand_types")) {
    if (types.size() > 0)
      check->setAttr("actual_global_type", types[0]);
    if (types.size() > 1 && expected)
      check->setAttr("expected_global_type", types[1]);
  }
  op->replaceAllUsesWith(check->getResults());
  op->erase();
  return true;
}

void OutlineLoneOps::convertCustomCall(shlo::CustomCallOp call) {
  if (convertCheck(call, call.getCallTargetName()))
    return;
  // With tokens, or before shapes are known, it stays and is refused later.
  auto isStatic = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.hasStaticShape();
  };
  if (!llvm::all_of(call->getOperandTypes(), isStatic) ||
      !llvm::all_of(call->getResultTypes(), isStatic))
    return;
  OpBuilder b(call);
  std::string config;
  // JAX leaves the old attribute empty and writes this one.
  Attribute attr = call->getAttr("mhlo.backend_config");
  if (!attr)
    attr = call->getAttr("backend_config");
  if (attr) {
    if (auto text = dyn_cast<StringAttr>(attr)) {
      config = text.str();
    } else {
      llvm::raw_string_ostream os(config);
      attr.print(os);
    }
  }
  int64_t version = 1;
  if (auto attr = call->getAttrOfType<IntegerAttr>("api_version"))
    version = attr.getInt();
  auto created = plan::CustomCallOp::create(
      b, call.getLoc(), call.getResultTypes(), call.getCallTargetName(),
      call->getOperands(), ValueRange(), config, version,
      call.getHasSideEffect(), DenseI64ArrayAttr());
  call->replaceAllUsesWith(created.getResults());
  call.erase();
}

/// The own block of a tensor that every device holds whole: a dynamic_slice at
/// position times block, which is a view if it is contiguous.
void OutlineLoneOps::expandAllSlice(comm::AllSliceOp slice) {
  OpBuilder b(slice);
  Location loc = slice.getLoc();
  auto from = cast<RankedTensorType>(slice.getInput().getType());
  auto to = cast<RankedTensorType>(slice.getResult().getType());
  int64_t dim = slice.getDim(), block = to.getDimSize(dim);
  int64_t parts = slice.getGroups().getGroupSize(slice);
  auto i64 = RankedTensorType::get({}, b.getI64Type());
  auto constant = [&](int64_t value) -> Value {
    return shlo::ConstantOp::create(b, loc, DenseElementsAttr::get(i64, value));
  };
  Value input = slice.getInput();
  if (parts * block > from.getDimSize(dim)) {
    // The last blocks reach past the end: pad, or the slice would be moved
    // back.
    SmallVector<int64_t> low(from.getRank(), 0), high(low), interior(low),
        shape(from.getShape());
    high[dim] = parts * block - from.getDimSize(dim);
    shape[dim] = parts * block;
    auto zero =
        shlo::ConstantOp::create(b, loc, getFiller(from.getElementType()));
    input = shlo::PadOp::create(b, loc, from.clone(shape), input, zero, low,
                                high, interior);
  }
  Value index = comm::AxisIndexOp::create(b, loc, i64, slice.getGroups());
  index = shlo::MulOp::create(b, loc, index, constant(block));
  SmallVector<Value> starts(from.getRank(), constant(0));
  starts[dim] = index;
  Value result =
      shlo::DynamicSliceOp::create(b, loc, to, input, starts, to.getShape());
  slice.replaceAllUsesWith(result);
  slice.erase();
}

/// Moves one op into a kernel of its own and launches that.
void OutlineLoneOps::outline(Operation *op, SymbolTable &symbols) {
  llvm::SetVector<Value> captured(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  // Small constants go along.
  SmallVector<Value> operands;
  SmallVector<Operation *> constants;
  for (Value value : captured) {
    auto constant = value.getDefiningOp<shlo::ConstantOp>();
    if (constant && (isa<SplatElementsAttr>(constant.getValue()) ||
                     constant.getValue().getNumElements() <= 64))
      constants.push_back(constant);
    else
      operands.push_back(value);
  }
  OpBuilder b(getOperation().getBodyRegion());
  std::string name = op->getName().stripDialect().str();
  auto type =
      b.getFunctionType(ValueRange(operands).getTypes(), op->getResultTypes());
  auto kernel = plan::KernelOp::create(b, op->getLoc(), name, type);
  Block &body = kernel.getBody().front();
  b.setInsertionPointToStart(&body);
  IRMapping map;
  map.map(operands, body.getArguments());
  for (Operation *constant : constants)
    b.clone(*constant, map);
  Operation *inside = b.clone(*op, map);
  // What earlier phases noted on it would keep equal kernels apart.
  SmallVector<StringAttr> notes;
  for (NamedAttribute attribute : inside->getDiscardableAttrs())
    if (attribute.getName() != kContractAttr)
      notes.push_back(attribute.getName());
  for (StringAttr note : notes)
    inside->removeDiscardableAttr(note);
  plan::YieldOp::create(b, op->getLoc(), inside->getResults());
  if (isa<shlo::DynamicUpdateSliceOp>(op) && !operands.empty() &&
      operands[0] == op->getOperand(0))
    kernel.setMayOverwrite(ArrayRef<int64_t>{0, 0});
  // Equal ones are compiled once.
  std::string text;
  llvm::raw_string_ostream stream(text);
  kernel->print(stream, OpPrintingFlags().printGenericOpForm().useLocalScope());
  auto [known, isNew] = kernels.try_emplace(text, kernel);
  if (isNew) {
    symbols.insert(kernel);
  } else {
    kernel->erase();
    kernel = known->second;
  }

  b.setInsertionPoint(op);
  auto launch = plan::LaunchOp::create(b, op->getLoc(), op->getResultTypes(),
                                       kernel.getSymName(), operands);
  op->replaceAllUsesWith(launch.getResults());
  op->erase();
}

void OutlineLoneOps::runOnOperation() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  kernels.clear();
  for (auto func : module.getOps<func::FuncOp>()) {
    func.walk([&](Operation *op) {
      if (auto slice = dyn_cast<comm::AllSliceOp>(op))
        expandAllSlice(slice);
      else if (auto call = dyn_cast<shlo::CustomCallOp>(op))
        convertCustomCall(call);
      else if (op->getName().getDialectNamespace() == "check")
        convertCheck(op, op->getName().getStringRef());
    });
    HostScalars scalars(func);
    SmallVector<Operation *> lone;
    func.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op == func)
        return WalkResult::advance();
      if (isa<shlo::WhileOp, shlo::IfOp, shlo::CaseOp>(op))
        return WalkResult::advance();
      StringRef dialect = op->getName().getDialectNamespace();
      bool stays =
          dialect == "plan" || dialect == "comm" ||
          op->hasTrait<OpTrait::IsTerminator>() ||
          isa<shlo::ConstantOp, shlo::OptimizationBarrierOp, CallOpInterface>(
              op) ||
          scalars.isHostOp(op) || getView(op, scalars) ||
          scalars.isHostView(op);
      // Kernels take and give tensors of static shape.
      auto isStatic = [](Type type) {
        auto tensor = dyn_cast<RankedTensorType>(type);
        return tensor && tensor.hasStaticShape();
      };
      if (!stays && op->getNumResults() > 0 &&
          llvm::all_of(op->getResultTypes(), isStatic) &&
          llvm::all_of(op->getOperandTypes(), isStatic))
        lone.push_back(op);
      return WalkResult::skip();
    });
    for (Operation *op : lone)
      outline(op, symbols);
  }
}
