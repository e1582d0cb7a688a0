// shoal-fuse-attention-gradient: see include/shoal/Fuse/Passes.td.
//
// AttentionPattern finds attention with its gradient. If the products that take
// the probabilities and the scores' gradients are all that needs them, they
// become two kernels.

#include "shoal/Fuse/Passes.h"

#include "AttentionPattern.h"
#include "KernelOutline.h"

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

namespace shoal {
#define GEN_PASS_DEF_FUSEATTENTIONGRADIENT
#include "shoal/Fuse/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

namespace {
class FuseAttentionGradientPass
    : public shoal::impl::FuseAttentionGradientBase<FuseAttentionGradientPass> {
public:
  using FuseAttentionGradientBase::FuseAttentionGradientBase;

  void runOnOperation() override {
    SmallVector<sh::ExpOp> exponentials;
    for (auto function : getOperation().getOps<FunctionOpInterface>())
      if (!isa<plan::KernelOp>(*function))
        function.walk([&](sh::ExpOp exp) {
          if (isa<FloatType>(getElementTypeOrSelf(exp.getType())))
            exponentials.push_back(exp);
        });
    for (sh::ExpOp exp : exponentials) {
      if (gone.contains(exp))
        continue;
      if (std::optional<AttentionPattern> pattern = findAttentionGradient(exp))
        fuse(*pattern);
    }
  }

private:
  unsigned count = 0;
  llvm::DenseSet<Operation *> gone;
  /// By their text: layers have equal ones.
  llvm::StringMap<plan::KernelOp> kernels;

  bool leavesNothing(AttentionPattern &pattern,
                     llvm::SetVector<Operation *> &dead);
  bool moveUsers(AttentionPattern &pattern, Operation *last,
                 ArrayRef<Value> inputs);
  plan::KernelOp forward(AttentionPattern &pattern,
                         SmallVectorImpl<Value> &inputs);
  plan::KernelOp backward(AttentionPattern &pattern, bool withMoves,
                          SmallVectorImpl<Value> &inputs,
                          SmallVectorImpl<Value> &replaced);
  Value rowsOfD(AttentionPattern &pattern, OpBuilder &builder, Value output);
  plan::KernelOp unique(plan::KernelOp kernel);
  void fuse(AttentionPattern &pattern);
};
} // namespace

/// What is dead when the products are gone; false if the scores are not.
bool FuseAttentionGradientPass::leavesNothing(
    AttentionPattern &pattern, llvm::SetVector<Operation *> &dead) {
  if (pattern.output)
    dead.insert(pattern.output->dot);
  for (AttentionUse &use : pattern.gradients)
    dead.insert(use.dot);
  Operation *needed = nullptr;
  bool changed = true;
  while (changed) {
    changed = false;
    for (unsigned i = 0; i < dead.size(); ++i)
      for (Value operand : dead[i]->getOperands()) {
        Operation *op = operand.getDefiningOp();
        if (!op || dead.contains(op) ||
            op->getBlock() != pattern.exponential->getBlock() ||
            !isMemoryEffectFree(op))
          continue;
        if (llvm::all_of(op->getUsers(), [&](Operation *user) {
              return dead.contains(user);
            })) {
          dead.insert(op);
          changed = true;
        }
      }
  }
  for (Operation *op : {pattern.scoreProduct.getOperation(),
                        pattern.cotangentProduct.getOperation(),
                        pattern.exponential.getOperation()}) {
    if (dead.contains(op))
      continue;
    for (Operation *user : op->getUsers())
      if (!dead.contains(user))
        needed = user;
    InFlightDiagnostic remark = op->emitRemark(
        "attention's gradient keeps its scores in memory: other ops need them");
    if (needed)
      remark.attachNote(needed->getLoc()) << "such as this one";
    return false;
  }
  return true;
}

plan::KernelOp
FuseAttentionGradientPass::forward(AttentionPattern &pattern,
                                   SmallVectorImpl<Value> &inputs) {
  KernelOutline o(pattern.exponential.getLoc(), &getContext());
  o.product(pattern.scoreProduct);
  Value x = o.convert(o.path(pattern.scores, pattern.scoreProduct),
                      o.builder.getF32Type());
  int64_t dimension = pattern.keyDimension;
  Value max = o.reduce<sh::MaxOp>(x, {dimension},
                                  -std::numeric_limits<double>::infinity());
  Value less =
      sh::SubtractOp::create(o.builder, o.loc, x, o.repeat(max, x, dimension));
  Value exp = sh::ExpOp::create(o.builder, o.loc, less);
  Value sum = o.reduce<sh::AddOp>(exp, {dimension}, 0);
  Value probabilities =
      sh::DivOp::create(o.builder, o.loc, exp, o.repeat(sum, x, dimension));
  Value output;
  if (pattern.output) {
    AttentionUse &use = *pattern.output;
    o.map.map(use.root, o.convert(probabilities,
                                  getElementTypeOrSelf(use.root.getType())));
    o.path(use.weights(), use.root.getDefiningOp());
    output = o.product(use.dot);
  } else {
    output = o.output(probabilities, o.operand(pattern.values), pattern);
  }
  Value inverse =
      sh::DivOp::create(o.builder, o.loc, o.splat(shapeOf(sum), 1), sum);
  inputs = o.inputs;
  return o.finish(getOperation(), ("attention_rows_" + Twine(count)).str(),
                  {output, max, inverse});
}

plan::KernelOp
FuseAttentionGradientPass::backward(AttentionPattern &pattern, bool withMoves,
                                    SmallVectorImpl<Value> &inputs,
                                    SmallVectorImpl<Value> &replaced) {
  KernelOutline o(pattern.gradients.back().dot.getLoc(), &getContext());
  int64_t dimension = pattern.keyDimension;
  SmallVector<int64_t> rows(shapeOf(pattern.scores));
  rows.erase(rows.begin() + dimension);
  // In this order: see fuse().
  Value max = o.argument(o.f32(rows), Value());
  Value inverse = o.argument(o.f32(rows), Value());
  Value d = o.argument(o.f32(rows), Value());
  Type f32 = o.builder.getF32Type();
  o.product(pattern.scoreProduct);
  Value x = o.convert(o.path(pattern.scores, pattern.scoreProduct), f32);
  Value less =
      sh::SubtractOp::create(o.builder, o.loc, x, o.repeat(max, x, dimension));
  Value exp = sh::ExpOp::create(o.builder, o.loc, less);
  Value probabilities =
      sh::MulOp::create(o.builder, o.loc, exp, o.repeat(inverse, x, dimension));
  o.product(pattern.cotangentProduct);
  Value cotangents =
      o.convert(o.path(pattern.cotangentScores, pattern.cotangentProduct), f32);
  Value difference = sh::SubtractOp::create(o.builder, o.loc, cotangents,
                                            o.repeat(d, x, dimension));
  Value gradient =
      sh::MulOp::create(o.builder, o.loc, probabilities, difference);

  SmallVector<Value> results;
  for (auto [use, ofScores] :
       llvm::zip_equal(pattern.gradients, pattern.ofScores)) {
    if (!o.map.contains(use.root)) {
      Value value = ofScores ? gradient : probabilities;
      if (use.factor != 1)
        value = sh::MulOp::create(o.builder, o.loc, value,
                                  o.splat(shapeOf(value), use.factor));
      o.map.map(use.root,
                o.convert(value, getElementTypeOrSelf(use.root.getType())));
    }
    o.path(use.weights(), use.root.getDefiningOp());
    Value result = o.product(use.dot);
    Value original = use.dot.getResult();
    while (withMoves && original.hasOneUse()) {
      Operation *user = *original.user_begin();
      if (!isa<sh::TransposeOp, sh::ReshapeOp, sh::ConvertOp>(user) ||
          user->getBlock() != use.dot->getBlock())
        break;
      result = o.clone(user);
      original = user->getResult(0);
    }
    results.push_back(result);
    replaced.push_back(original);
  }
  inputs = o.inputs;
  return o.finish(getOperation(), ("attention_gradient_" + Twine(count)).str(),
                  results);
}

/// D: the rows' sums of the output times its cotangents, lying like the
/// scores' rows.
Value FuseAttentionGradientPass::rowsOfD(AttentionPattern &pattern,
                                         OpBuilder &builder, Value output) {
  Location loc = pattern.cotangentProduct.getLoc();
  KernelOutline o(loc, &getContext());
  o.builder.setInsertionPoint(builder.getInsertionBlock(),
                              builder.getInsertionPoint());
  Value cotangents = pattern.cotangents;
  SmallVector<int64_t> shape;
  for (int64_t d : pattern.toOutput)
    shape.push_back(shapeOf(cotangents)[d]);
  auto isIdentity = [](ArrayRef<int64_t> order) {
    for (auto [i, d] : llvm::enumerate(order))
      if (int64_t(i) != d)
        return false;
    return true;
  };
  Type f32 = o.builder.getF32Type();
  if (!isIdentity(pattern.toOutput))
    cotangents = sh::TransposeOp::create(
        o.builder, loc,
        RankedTensorType::get(shape,
                              getElementTypeOrSelf(cotangents.getType())),
        cotangents, o.builder.getDenseI64ArrayAttr(pattern.toOutput));
  Value product = sh::MulOp::create(o.builder, loc, o.convert(output, f32),
                                    o.convert(cotangents, f32));
  Value d = o.reduce<sh::AddOp>(product, pattern.summed, 0);
  if (!isIdentity(pattern.outputToRows)) {
    SmallVector<int64_t> rows;
    for (int64_t from : pattern.outputToRows)
      rows.push_back(shapeOf(d)[from]);
    d = sh::TransposeOp::create(
        o.builder, loc, o.f32(rows), d,
        o.builder.getDenseI64ArrayAttr(pattern.outputToRows));
  }
  return d;
}

/// Ops that use a gradient before all are there go behind `last`; false if they
/// cannot.
bool FuseAttentionGradientPass::moveUsers(AttentionPattern &pattern,
                                          Operation *last,
                                          ArrayRef<Value> inputs) {
  Block *block = last->getBlock();
  llvm::SetVector<Operation *> moved;
  llvm::DenseSet<Operation *> ours;
  for (AttentionUse &use : pattern.gradients)
    ours.insert(use.dot);
  for (Operation *op = &block->front(); op != last; op = op->getNextNode()) {
    if (ours.contains(op))
      continue;
    bool needs = false;
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (Operation *def = operand.getDefiningOp())
          needs |= ours.contains(def) || moved.contains(def);
    });
    if (needs)
      moved.insert(op);
  }
  for (Operation *op : moved)
    if (!isMemoryEffectFree(op) && op->getDialect()->getNamespace() != "comm")
      return false;
  for (Value input : inputs)
    if (input && input.getDefiningOp() && moved.contains(input.getDefiningOp()))
      return false;
  Operation *after = last;
  for (Operation *op : moved) {
    op->moveAfter(after);
    after = op;
  }
  return true;
}

/// The kernel, or an equal one that there was before.
plan::KernelOp FuseAttentionGradientPass::unique(plan::KernelOp kernel) {
  std::string name = kernel.getSymName().str(), text;
  llvm::raw_string_ostream stream(text);
  kernel.setSymName("attention");
  kernel->print(stream, OpPrintingFlags().printGenericOpForm().useLocalScope());
  kernel.setSymName(name);
  auto [it, isNew] = kernels.try_emplace(text, kernel);
  if (!isNew)
    kernel.erase();
  return it->second;
}

void FuseAttentionGradientPass::fuse(AttentionPattern &pattern) {
  llvm::SetVector<Operation *> dead;
  if (!leavesNothing(pattern, dead))
    return;
  SmallVector<Value> forwardInputs, backwardInputs, replaced;
  plan::KernelOp rows = forward(pattern, forwardInputs);
  if (!rows)
    return;
  plan::KernelOp gradient =
      backward(pattern, /*withMoves=*/true, backwardInputs, replaced);
  if (!gradient) {
    replaced.clear();
    gradient = backward(pattern, /*withMoves=*/false, backwardInputs, replaced);
  }
  Operation *last = pattern.gradients.back().dot;
  if (!gradient || !moveUsers(pattern, last, backwardInputs)) {
    rows.erase();
    if (gradient)
      gradient.erase();
    return;
  }
  rows = unique(rows);
  gradient = unique(gradient);
  ++count;
  Operation *output = pattern.output ? pattern.output->dot : last;
  OpBuilder builder(output);
  auto first = plan::LaunchOp::create(
      builder, output->getLoc(), rows.getResultTypes(),
      FlatSymbolRefAttr::get(&getContext(), rows.getSymName()), forwardInputs);
  if (pattern.output)
    output->getResult(0).replaceAllUsesWith(first.getResult(0));
  builder.setInsertionPoint(last);
  backwardInputs[0] = first.getResult(1);
  backwardInputs[1] = first.getResult(2);
  backwardInputs[2] = rowsOfD(pattern, builder, first.getResult(0));
  builder.setInsertionPoint(last);
  auto second = plan::LaunchOp::create(
      builder, last->getLoc(), gradient.getResultTypes(),
      FlatSymbolRefAttr::get(&getContext(), gradient.getSymName()),
      backwardInputs);
  for (auto [from, to] : llvm::zip_equal(replaced, second.getResults()))
    from.replaceAllUsesWith(to);
  // The moves that the kernel makes, then all that nothing needs now.
  for (Value from : replaced)
    for (Operation *op = from.getDefiningOp(); op && !dead.contains(op);) {
      Operation *before = op->getOperand(0).getDefiningOp();
      if (!op->use_empty())
        break;
      gone.insert(op);
      op->erase();
      op = before;
    }
  bool changed = true;
  while (changed) {
    changed = false;
    for (Operation *op : llvm::to_vector(dead))
      if (op->use_empty()) {
        dead.remove(op);
        gone.insert(op);
        op->erase();
        changed = true;
      }
  }
}
