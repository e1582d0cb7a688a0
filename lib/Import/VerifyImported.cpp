// Checks what the phase `imported` promises.
#include "shoal/Import/Passes.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/SDY/SDY.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/TypeUtilities.h"

namespace shoal {
#define GEN_PASS_DEF_VERIFYIMPORTEDPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;

/// The first thing about `op` that may not be there, for a message.
static std::string findForeign(Operation *op) {
  if (isa<func::CallOp>(op))
    return "a call";
  if (isa_and_nonnull<sdy::SdyDialect, chlo::ChloDialect>(op->getDialect()) &&
      !isa<chlo::TopKOp>(op))
    return "an operation of another dialect";
  auto isForeign = [](NamedAttribute attr) {
    return attr.getName() == "mhlo.sharding" ||
           isa<sdy::SdyDialect>(attr.getValue().getDialect());
  };
  for (NamedAttribute attr : op->getAttrs())
    if (isForeign(attr))
      return ("attribute '" + attr.getName().strref() + "'").str();
  if (auto func = dyn_cast<FunctionOpInterface>(op)) {
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      for (NamedAttribute attr : func.getArgAttrs(i))
        if (isForeign(attr))
          return ("argument attribute '" + attr.getName().strref() + "'").str();
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      for (NamedAttribute attr : func.getResultAttrs(i))
        if (isForeign(attr))
          return ("result attribute '" + attr.getName().strref() + "'").str();
  }
  for (Type type :
       llvm::concat<const Type>(SmallVector<Type>(op->getOperandTypes()),
                                SmallVector<Type>(op->getResultTypes())))
    if (isa<TupleType>(type))
      return "a tuple";
    else if (isa<quant::QuantizedType>(getElementTypeOrSelf(type)))
      return "a quantized type";
  return "";
}

/// Why `op` cannot be run, for operations that need somebody outside.
static StringRef findOutside(Operation *op) {
  if (isa<stablehlo::InfeedOp>(op))
    return "reads from a queue that the host fills, and there is none here; "
           "make the values arguments of the function";
  if (isa<stablehlo::OutfeedOp>(op))
    return "writes to a queue that the host empties, and there is none here; "
           "make the values results of the function";
  if (isa<stablehlo::SendOp, stablehlo::RecvOp>(op))
    return "needs a partner at the other end of its channel, and there is none "
           "here; between devices use collective_permute in an "
           "sdy.manual_computation, for the host arguments and results";
  return "";
}

namespace {
struct VerifyImportedPass
    : shoal::impl::VerifyImportedPassBase<VerifyImportedPass> {
  void runOnOperation() override {
    func::FuncOp entry;
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (!func.isPublic())
        continue;
      if (entry) {
        func.emitError("is a second public function beside '")
            << entry.getSymName() << "' after import";
        return signalPassFailure();
      }
      entry = func;
    }
    bool failed = false;
    getOperation().walk([&](Operation *op) {
      std::string found = findForeign(op);
      StringRef outside = findOutside(op);
      if (found.empty() && outside.empty())
        return WalkResult::advance();
      if (!outside.empty())
        op->emitError(outside);
      else
        op->emitError("after import there is still ") << found;
      failed = true;
      return WalkResult::interrupt();
    });
    if (failed)
      signalPassFailure();
  }
};
} // namespace
