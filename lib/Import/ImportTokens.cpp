// Tokens that the entry takes and gives become empty tensors.
#include "shoal/Import/Passes.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace shoal {
#define GEN_PASS_DEF_IMPORTTOKENSPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace mlir::stablehlo;

namespace {
struct ImportTokensPass : shoal::impl::ImportTokensPassBase<ImportTokensPass> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func.isPublic() && !func.isExternal())
        convert(func);
  }

  void convert(func::FuncOp func) {
    FunctionType type = func.getFunctionType();
    auto isToken = [](Type type) { return isa<TokenType>(type); };
    if (llvm::none_of(type.getInputs(), isToken) &&
        llvm::none_of(type.getResults(), isToken))
      return;
    // What JAX's runtime passes for a token.
    auto empty = RankedTensorType::get({0}, IntegerType::get(&getContext(), 1));
    Block &body = func.getBody().front();
    OpBuilder builder = OpBuilder::atBlockBegin(&body);
    for (BlockArgument argument : body.getArguments()) {
      if (!isToken(argument.getType()))
        continue;
      Value token =
          CreateTokenOp::create(builder, argument.getLoc(), argument.getType());
      argument.replaceAllUsesWith(token);
      argument.setType(empty);
    }
    Operation *terminator = body.getTerminator();
    builder.setInsertionPoint(terminator);
    for (OpOperand &operand : terminator->getOpOperands())
      if (isToken(operand.get().getType()))
        operand.set(ConstantOp::create(
            builder, terminator->getLoc(),
            DenseElementsAttr::get(empty, ArrayRef<bool>())));
    func.setFunctionType(FunctionType::get(
        &getContext(), body.getArgumentTypes(), terminator->getOperandTypes()));
  }
};
} // namespace
