// Turns GSPMD's sharding strings into shoal annotations.
#include "shoal/Import/Passes.h"

#include "GspmdRegions.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace shoal {
#define GEN_PASS_DEF_IMPORTGSPMDPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

namespace {
struct ImportGspmdPass : shoal::impl::ImportGspmdPassBase<ImportGspmdPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    bool any = false;
    module.walk([&](Operation *op) {
      any |= getGspmdCall(op) != GspmdCall::None || op->hasAttr(kName);
      op->getAttrDictionary().walk([&](DictionaryAttr dictionary) {
        any |= dictionary.contains(kName);
      });
    });
    if (!any)
      return;
    GspmdMesh common(module);
    mesh = &common;
    for (auto func : module.getOps<func::FuncOp>())
      if (failed(importFunction(func)))
        return signalPassFailure();
    // Regions first: they look at the calls that bound them.
    llvm::SetVector<Block *> blocks;
    module.walk([&](Operation *op) {
      GspmdCall call = getGspmdCall(op);
      if (call == GspmdCall::FullToShard || call == GspmdCall::ShardToFull)
        blocks.insert(op->getBlock());
    });
    for (Block *block : blocks)
      if (failed(buildGspmdRegions(*block, *mesh)))
        return signalPassFailure();
    SmallVector<Operation *> ops;
    module.walk([&](Operation *op) {
      if (op->hasAttr(kName) || getGspmdCall(op) == GspmdCall::Sharding)
        ops.push_back(op);
    });
    for (Operation *op : ops)
      if (failed(importOp(op)))
        return signalPassFailure();
  }

private:
  static constexpr StringLiteral kName = "mhlo.sharding";

  /// The shardings of a list of values; failure with a diagnostic. No shardings
  /// if the string only says that values are manual, or nothing.
  FailureOr<SmallVector<ShardingAttr>> read(Operation *op, StringAttr text,
                                            TypeRange types) {
    SmallVector<StringRef> parts = splitGspmdTuple(text.getValue());
    SmallVector<ShardingAttr> shardings;
    if (parts.size() == 1 && types.size() > 1)
      parts.resize(types.size(), parts.front());
    if (parts.size() != types.size()) {
      op->emitError("sharding ") << text << " has " << parts.size()
                                 << " parts for " << types.size() << " values";
      return failure();
    }
    for (auto [part, type] : llvm::zip(parts, types)) {
      std::optional<GspmdSharding> parsed = GspmdSharding::parse(part);
      if (!parsed) {
        op->emitError("cannot read sharding ")
            << text << "; expected something like {devices=[2,4]<=[8]}, "
            << "{replicated}, {manual} or {maximal device=0}";
        return failure();
      }
      if (parsed->kind == GspmdSharding::Kind::Manual ||
          parsed->kind == GspmdSharding::Kind::Unknown)
        return SmallVector<ShardingAttr>();
      ShardingAttr sharding =
          mesh->getSharding(*parsed, type, getUnspecifiedDims(op), op);
      if (!sharding)
        return failure();
      shardings.push_back(sharding);
    }
    return shardings;
  }

  LogicalResult importFunction(func::FuncOp func) {
    auto name = StringAttr::get(&getContext(), ShoalDialect::kShardingAttr);
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      if (auto text = func.getArgAttrOfType<StringAttr>(i, kName)) {
        auto shardings = read(func, text, func.getArgumentTypes()[i]);
        if (failed(shardings))
          return failure();
        func.removeArgAttr(i, kName);
        if (!shardings->empty())
          func.setArgAttr(i, name, shardings->front());
      }
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      if (auto text = func.getResultAttrOfType<StringAttr>(i, kName)) {
        auto shardings = read(func, text, func.getResultTypes()[i]);
        if (failed(shardings))
          return failure();
        func.removeResultAttr(i, StringAttr::get(&getContext(), kName));
        if (!shardings->empty())
          func.setResultAttr(i, name, shardings->front());
      }
    return success();
  }

  LogicalResult importOp(Operation *op) {
    auto text = op->getAttrOfType<StringAttr>(kName);
    SmallVector<ShardingAttr> shardings;
    if (text) {
      auto read = this->read(op, text, op->getResultTypes());
      if (failed(read))
        return failure();
      shardings = *read;
    }
    op->removeAttr(kName);
    if (getGspmdCall(op) == GspmdCall::Sharding) {
      // JAX with Shardy writes the sharding of this call as an annotation.
      if (auto list = op->getAttrOfType<ShardingPerValueAttr>(
              ShoalDialect::kShardingsAttr);
          shardings.empty() && list)
        shardings.assign(list.getShardings().begin(),
                         list.getShardings().end());
      Value value = op->getOperand(0);
      // In the scalar body of a reduction a sharding says nothing.
      bool isScalar = !isa<func::FuncOp, stablehlo::WhileOp, stablehlo::IfOp,
                           stablehlo::CaseOp, ManualOp>(op->getParentOp());
      if (!shardings.empty() && !isScalar) {
        OpBuilder builder(op);
        value = ConstraintOp::create(builder, op->getLoc(), value.getType(),
                                     value, shardings.front());
      }
      op->getResult(0).replaceAllUsesWith(value);
      op->erase();
      return success();
    }
    if (!shardings.empty() && op->getNumResults())
      op->setAttr(ShoalDialect::kShardingsAttr,
                  ShardingPerValueAttr::get(&getContext(), shardings));
    return success();
  }

  GspmdMesh *mesh = nullptr;
};
} // namespace
