// Replaces composites that have no sharding rule by their decomposition.
#include "shoal/Import/Passes.h"

#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/StringSet.h"

namespace shoal {
#define GEN_PASS_DEF_EXPANDCOMPOSITESPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

namespace {
struct ExpandCompositesPass
    : shoal::impl::ExpandCompositesPassBase<ExpandCompositesPass> {
  using ExpandCompositesPassBase::ExpandCompositesPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    llvm::StringSet<> ruled;
    module.walk([&](RuleOp rule) { ruled.insert(rule.getTarget()); });

    // A decomposition may hold composites itself: deeper than there are
    // functions, it must be recursive.
    unsigned rounds = 0, limit = 1;
    for (auto func : module.getOps<func::FuncOp>())
      (void)func, ++limit;
    for (bool again = true; again; ++rounds) {
      again = false;
      SmallVector<stablehlo::CompositeOp> ops;
      // (In decompositions that are kept as well: they are partitioned later.)
      for (auto func : module.getOps<func::FuncOp>())
        func.walk([&](stablehlo::CompositeOp op) {
          bool kept = op->hasAttr(ShoalDialect::kRuleAttr) ||
                      ruled.contains(op.getName());
          if (all || !func.isPublic() || !kept)
            ops.push_back(op);
        });
      for (stablehlo::CompositeOp op : ops) {
        if (rounds > limit) {
          op.emitError("composite '")
              << op.getName() << "' is part of its own decomposition";
          return signalPassFailure();
        }
        again = true;
        if (failed(expand(op, symbols)))
          return signalPassFailure();
      }
    }
    for (auto func : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
      if (func.isPrivate() && SymbolTable::symbolKnownUseEmpty(func, module))
        func.erase();
  }

  LogicalResult expand(stablehlo::CompositeOp op, SymbolTable &symbols) {
    auto callee = symbols.lookup<func::FuncOp>(op.getDecomposition());
    if (!callee || callee.isExternal())
      return op.emitError("composite '")
             << op.getName() << "' has neither a sharding rule nor a "
             << "decomposition";
    if (callee.getArgumentTypes() != op->getOperandTypes() ||
        callee.getResultTypes() != op->getResultTypes())
      return op.emitError("composite '")
             << op.getName() << "' differs in type from its decomposition @"
             << op.getDecomposition();
    OpBuilder builder(op);
    IRMapping mapping;
    mapping.map(callee.getArguments(), op->getOperands());
    Block &body = callee.getBody().front();
    for (Operation &inner : body.without_terminator())
      builder.clone(inner, mapping)->walk([&](Operation *nested) {
        nested->setLoc(CallSiteLoc::get(nested->getLoc(), op.getLoc()));
      });
    SmallVector<Value> results;
    for (Value value : body.getTerminator()->getOperands())
      results.push_back(mapping.lookupOrDefault(value));
    op->replaceAllUsesWith(results);
    op->erase();
    return success();
  }
};
} // namespace
