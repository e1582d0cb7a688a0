// Puts called functions and named computations in line.
#include "shoal/Import/Passes.h"

#include "dialects/SDY/SDY.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"

namespace shoal {
#define GEN_PASS_DEF_INLINECALLSPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;

namespace {
class Inliner {
public:
  explicit Inliner(ModuleOp module) : symbols(module) {}

  /// Puts everything in line that `func` calls, its callees first.
  LogicalResult run(func::FuncOp func) {
    if (done.contains(func))
      return success();
    path.push_back(func);
    SmallVector<Operation *> calls;
    func.walk([&](Operation *op) {
      if (isa<func::CallOp, sdy::NamedComputationOp>(op))
        calls.push_back(op);
    });
    // Post-order: a call inside a named computation comes before it.
    for (Operation *op : calls) {
      LogicalResult result = success();
      if (auto call = dyn_cast<func::CallOp>(op))
        result = inlineCall(call);
      else
        inlineNamed(cast<sdy::NamedComputationOp>(op));
      if (failed(result))
        return failure();
    }
    done.insert(func);
    path.pop_back();
    return success();
  }

private:
  LogicalResult inlineCall(func::CallOp call) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    if (!callee)
      return call.emitError("calls unknown function @") << call.getCallee();
    if (callee.isExternal()) {
      InFlightDiagnostic diagnostic = call.emitError("calls @")
                                      << call.getCallee()
                                      << ", which has no body";
      diagnostic.attachNote(callee.getLoc()) << "declared here";
      return diagnostic;
    }
    if (llvm::is_contained(path, callee))
      return call.emitError("recursion: @")
             << call.getCallee()
             << " calls itself, directly or through others; programs must "
                "have bounded depth";
    if (!callee.getBody().hasOneBlock())
      return callee.emitError("functions must have a single block");
    if (failed(run(callee)))
      return failure();

    OpBuilder builder(call);
    IRMapping mapping;
    for (auto [index, argument] : llvm::enumerate(callee.getArguments()))
      mapping.map(argument,
                  constrain(builder, call.getLoc(), call.getOperand(index),
                            callee.getArgAttr(index, sdy::kShardingAttr)));
    Block &body = callee.getBody().front();
    for (Operation &op : body.without_terminator()) {
      Operation *copy = builder.clone(op, mapping);
      copy->walk([&](Operation *nested) {
        nested->setLoc(CallSiteLoc::get(nested->getLoc(), call.getLoc()));
      });
    }
    SmallVector<Value> results;
    for (auto [index, value] :
         llvm::enumerate(body.getTerminator()->getOperands()))
      results.push_back(
          constrain(builder, call.getLoc(), mapping.lookupOrDefault(value),
                    callee.getResultAttr(index, sdy::kShardingAttr)));
    call.replaceAllUsesWith(results);
    call.erase();
    return success();
  }

  void inlineNamed(sdy::NamedComputationOp op) {
    OpBuilder builder(op);
    Block &body = op.getBody().front();
    auto sharding = [](std::optional<sdy::TensorShardingPerValueAttr> list,
                       unsigned index) -> Attribute {
      return list ? Attribute(list->getShardings()[index]) : Attribute();
    };
    for (auto [index, argument] : llvm::enumerate(body.getArguments()))
      argument.replaceAllUsesWith(
          constrain(builder, op.getLoc(), op.getOperand(index),
                    sharding(op.getInShardings(), index)));
    Operation *terminator = body.getTerminator();
    SmallVector<Value> results(terminator->getOperands());
    terminator->erase();
    op->getBlock()->getOperations().splice(Block::iterator(op),
                                           body.getOperations());
    for (auto [index, result] : llvm::enumerate(results))
      result = constrain(builder, op.getLoc(), result,
                         sharding(op.getOutShardings(), index));
    op.replaceAllUsesWith(results);
    op.erase();
  }

  /// What an annotation on a callee's argument or result asks of the value.
  Value constrain(OpBuilder &builder, Location loc, Value value,
                  Attribute sharding) {
    auto tensor = dyn_cast_if_present<sdy::TensorShardingAttr>(sharding);
    if (!tensor)
      return value;
    return sdy::ShardingConstraintOp::create(builder, loc, value.getType(),
                                             value, tensor);
  }

  SymbolTable symbols;
  DenseSet<Operation *> done;
  SmallVector<func::FuncOp> path;
};

struct InlineCallsPass : shoal::impl::InlineCallsPassBase<InlineCallsPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    Inliner inliner(module);
    for (auto func : module.getOps<func::FuncOp>())
      if (!func.isExternal() && failed(inliner.run(func)))
        return signalPassFailure();
    // What is left may be referred to by composites and custom calls only.
    for (bool changed = true; changed;) {
      changed = false;
      for (auto func :
           llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
        if (func.isPrivate() &&
            SymbolTable::symbolKnownUseEmpty(func, module)) {
          func.erase();
          changed = true;
        }
    }
  }
};
} // namespace
