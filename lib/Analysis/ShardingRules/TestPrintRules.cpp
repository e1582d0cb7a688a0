// shoal-test-print-rules: for tests that read rules.
#include "shoal/Analysis/ShardingRules.h"

#include "dialects/Shoal/Shoal.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

/// Says of which kind the dimensions are of the function's arguments and
/// results that are this op's own.
static void remarkKinds(Operation *op, const shoal::ShardingRule &rule) {
  std::string text;
  llvm::raw_string_ostream os(text);
  auto list = [&](StringRef what, int64_t number, int64_t tensor) {
    os << ' ' << what << number << '=';
    llvm::interleave(
        rule.getTensor(tensor).dims, os,
        [&](const auto &dim) {
          os << (dim.factors.empty() ? "none"
                                     : shoal::stringifyFactorKind(
                                           rule.factors[dim.factors[0]].kind));
        },
        ",");
  };
  for (OpOperand &operand : op->getOpOperands())
    if (auto arg = dyn_cast<BlockArgument>(operand.get());
        arg && isa<FunctionOpInterface>(arg.getOwner()->getParentOp()))
      list("operand", arg.getArgNumber(), operand.getOperandNumber());
  for (OpResult result : op->getResults())
    for (OpOperand &use : result.getUses())
      if (isa<FunctionOpInterface>(use.getOwner()->getParentOp()) &&
          use.getOwner()->hasTrait<OpTrait::IsTerminator>())
        list("result", use.getOperandNumber(),
             op->getNumOperands() + result.getResultNumber());
  op->emitRemark("kinds of ") << op->getName() << ':' << os.str();
}

namespace {
struct TestPrintRules : PassWrapper<TestPrintRules, OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestPrintRules)
  TestPrintRules() = default;
  TestPrintRules(const TestPrintRules &other) : PassWrapper(other) {}
  Option<bool> kinds{
      *this, "kinds",
      llvm::cl::desc("also remark the kinds of the dimensions of "
                     "arguments and results"),
      llvm::cl::init(false)};
  StringRef getArgument() const final { return "shoal-test-print-rules"; }
  StringRef getDescription() const final {
    return "Sets each op's sharding rule as its attribute shoal.sharding_rule";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<shoal::ShoalDialect>();
  }
  void runOnOperation() override {
    bool failed = false;
    getOperation()->walk([&](Operation *op) {
      // A rule of the user's that does not fit has been reported.
      bool hadRule = op->hasAttr(shoal::ShoalDialect::kRuleAttr);
      std::optional<shoal::ShardingRule> rule = shoal::getShardingRule(op);
      if (rule) {
        if (kinds)
          remarkKinds(op, *rule);
        op->setAttr(shoal::ShoalDialect::kRuleAttr,
                    rule->toAttr(&getContext()));
      } else
        failed |= hadRule;
    });
    if (failed)
      signalPassFailure();
  }
};
} // namespace

void shoal::registerTestPrintRulesPass() { PassRegistration<TestPrintRules>(); }
