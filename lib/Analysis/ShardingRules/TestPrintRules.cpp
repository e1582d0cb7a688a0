// shoal-test-print-rules: for tests that read rules.
#include "shoal/Analysis/ShardingRules.h"

#include "dialects/Shoal/Shoal.h"

#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace {
struct TestPrintRules : PassWrapper<TestPrintRules, OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestPrintRules)
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
      if (rule)
        op->setAttr(shoal::ShoalDialect::kRuleAttr, rule->toAttr(&getContext()));
      else
        failed |= hadRule;
    });
    if (failed)
      signalPassFailure();
  }
};
} // namespace

void shoal::registerTestPrintRulesPass() { PassRegistration<TestPrintRules>(); }
