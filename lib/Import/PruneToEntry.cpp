// Keeps the entry function and what it reaches.
#include "shoal/Import/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

namespace shoal {
#define GEN_PASS_DEF_PRUNETOENTRYPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;

/// The function to compile, or null after a diagnostic.
static func::FuncOp findEntry(ModuleOp module, StringRef entry) {
  SmallVector<func::FuncOp> all, visible;
  for (auto func : module.getOps<func::FuncOp>()) {
    all.push_back(func);
    if (func.isPublic())
      visible.push_back(func);
    if (func.getSymName() == (entry.empty() ? "main" : entry))
      return func;
  }
  if (entry.empty()) {
    if (visible.size() == 1)
      return visible.front();
    if (all.size() == 1)
      return all.front();
  }
  InFlightDiagnostic diagnostic = module.emitError();
  if (entry.empty())
    diagnostic << "no function 'main'";
  else
    diagnostic << "no function '" << entry << "'";
  if (all.empty()) {
    diagnostic << ": the module has no functions";
    return {};
  }
  diagnostic << "; choose the entry with --entry, one of: ";
  if (visible.empty())
    visible = all;
  llvm::interleaveComma(
      ArrayRef(visible).take_front(8), diagnostic,
      [&](func::FuncOp func) { diagnostic << func.getSymName(); });
  if (visible.size() > 8)
    diagnostic << ", …";
  return {};
}

LogicalResult shoal::pruneToEntry(ModuleOp module, StringRef entry) {
  func::FuncOp main = findEntry(module, entry);
  if (!main)
    return failure();
  if (main.isExternal())
    return main.emitError("the entry function has no body");
  main.setPublic();

  DenseMap<StringAttr, func::FuncOp> functions;
  for (auto func : module.getOps<func::FuncOp>())
    functions[func.getSymNameAttr()] = func;

  DenseSet<Operation *> reached;
  SmallVector<func::FuncOp> worklist;
  auto reach = [&](func::FuncOp func) {
    if (reached.insert(func).second)
      worklist.push_back(func);
  };
  reach(main);
  while (!worklist.empty()) {
    worklist.pop_back_val()->walk([&](Operation *op) {
      op->getAttrDictionary().walk([&](SymbolRefAttr symbol) {
        if (func::FuncOp func = functions.lookup(symbol.getRootReference()))
          reach(func);
      });
    });
  }
  for (auto [name, func] : functions)
    if (!reached.contains(func))
      func.erase();
    else if (func != main)
      func.setPrivate();
  return success();
}

namespace {
struct PruneToEntryPass : shoal::impl::PruneToEntryPassBase<PruneToEntryPass> {
  using PruneToEntryPassBase::PruneToEntryPassBase;
  void runOnOperation() override {
    if (failed(shoal::pruneToEntry(getOperation(), entry)))
      signalPassFailure();
  }
};
} // namespace
