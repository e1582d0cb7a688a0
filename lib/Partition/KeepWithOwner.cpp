// shoal-keep-with-owner: a broadcast of what one device has is dropped where
// everything made from it ends in a product with what only that device has.

#include "shoal/Partition/Passes.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/ShardingRule.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

namespace shoal {
#define GEN_PASS_DEF_KEEPWITHOWNERPASS
#include "shoal/Partition/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

namespace {

/// One member of each group.
struct Owner {
  comm::GroupsAttr groups;
  int64_t root;
};

bool isSplatZero(Value value) {
  DenseElementsAttr constant;
  return matchPattern(value, m_Constant(&constant)) && constant.isSplat() &&
         (matchPattern(value, m_AnyZeroFloat()) ||
          matchPattern(value, m_Zero()));
}

/// A predicate that is true on the owner alone.
bool isOwnersMask(Value pred, const Owner &owner) {
  auto compare = pred.getDefiningOp<sh::CompareOp>();
  if (!compare ||
      compare.getComparisonDirection() != sh::ComparisonDirection::EQ)
    return false;
  auto index = compare.getLhs().getDefiningOp<comm::AxisIndexOp>();
  APInt root;
  DenseElementsAttr constant;
  return index && index.getGroups() == owner.groups &&
         matchPattern(compare.getRhs(), m_Constant(&constant)) &&
         constant.isSplat() &&
         constant.getSplatValue<APInt>() == uint64_t(owner.root);
}

/// The predicate that masked `value`: it is zero but on the owner. Null if it
/// is not known to be.
Value findMask(Value value, const Owner &owner) {
  for (Operation *op = value.getDefiningOp(); op; op = value.getDefiningOp()) {
    if (auto select = dyn_cast<sh::SelectOp>(op))
      return isOwnersMask(select.getPred(), owner) &&
                     isSplatZero(select.getOnFalse())
                 ? select.getPred()
                 : Value();
    if (!isa<sh::ReshapeOp, sh::TransposeOp, sh::SliceOp, sh::BroadcastInDimOp,
             sh::ConvertOp, sh::NegOp, sh::AbsOp>(op))
      return {};
    value = op->getOperand(0);
  }
  return {};
}

/// Computes on the device alone, whatever it is given.
bool isLocal(Operation *op) {
  return isMemoryEffectFree(op) && !op->hasTrait<OpTrait::IsTerminator>() &&
         !isa<comm::CollectiveOpInterface, sh::WhileOp, sh::IfOp, sh::CaseOp,
              sh::CustomCallOp, sh::OptimizationBarrierOp>(op) &&
         isa_and_nonnull<sh::StablehloDialect>(op->getDialect());
}

/// Whether only the owner needs what is broadcast. `products` are the last ops
/// that see it, with the masks of their other factors.
bool onlyOwnerNeeds(comm::BroadcastOp broadcast, const Owner &owner,
                    SmallVectorImpl<std::pair<Operation *, Value>> &products) {
  constexpr size_t kLimit = 64;
  llvm::SmallSetVector<Value, 16> seen;
  seen.insert(broadcast.getResult());
  for (size_t i = 0; i < seen.size(); ++i) {
    for (Operation *user : seen[i].getUsers()) {
      if (user->getBlock() != broadcast->getBlock() || !isLocal(user))
        return false;
      if (auto select = dyn_cast<sh::SelectOp>(user))
        if (isOwnersMask(select.getPred(), owner) &&
            select.getOnFalse() != seen[i])
          continue;
      if (auto product = dyn_cast<sh::MulOp>(user)) {
        Value other =
            product.getLhs() == seen[i] ? product.getRhs() : product.getLhs();
        if (Value mask = findMask(other, owner)) {
          products.push_back({user, mask});
          continue;
        }
      }
      if (user->getNumResults() == 0)
        return false;
      seen.insert_range(user->getResults());
    }
    if (seen.size() > kLimit)
      return false;
  }
  return true;
}

struct KeepWithOwnerPass
    : public shoal::impl::KeepWithOwnerPassBase<KeepWithOwnerPass> {
  void runOnOperation() override {
    SmallVector<comm::BroadcastOp> broadcasts;
    getOperation().walk([&](comm::BroadcastOp op) {
      if (op.getRoot() && !op.getGroups().isTable() &&
          op.getInput().getType() == op.getType())
        broadcasts.push_back(op);
    });
    for (comm::BroadcastOp broadcast : broadcasts) {
      Owner owner{broadcast.getGroups(),
                  static_cast<int64_t>(*broadcast.getRoot())};
      SmallVector<std::pair<Operation *, Value>> products;
      if (!onlyOwnerNeeds(broadcast, owner, products))
        continue;
      broadcast.getResult().replaceAllUsesWith(broadcast.getInput());
      broadcast.erase();
      for (auto [product, mask] : products)
        maskResult(product, mask);
    }
  }

  /// The other devices' factor may be anything now, infinite too.
  void maskResult(Operation *product, Value mask) {
    OpBuilder b(product->getContext());
    b.setInsertionPointAfter(product);
    auto type = cast<RankedTensorType>(product->getResult(0).getType());
    Value zero = sh::ConstantOp::create(
        b, product->getLoc(),
        getNeutralOrFiller(ReductionKind::Add, type.getElementType())
            .resizeSplat(type));
    auto select = sh::SelectOp::create(b, product->getLoc(), type, mask,
                                       product->getResult(0), zero);
    product->getResult(0).replaceAllUsesExcept(select, select);
  }
};
} // namespace
