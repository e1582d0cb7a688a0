// shoal-recompute-stacks: see Passes.td.
#include "LoopPair.h"
#include "OffloadStacks.h"
#include "Repeatable.h"
#include "shoal/Schedule/MemoryNotes.h"
#include "shoal/Schedule/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using stablehlo::WhileOp;

namespace shoal {
#define GEN_PASS_DEF_RECOMPUTESTACKS
#include "shoal/Schedule/Passes.h.inc"

namespace {

struct RecomputeStacks : impl::RecomputeStacksBase<RecomputeStacks> {
  using RecomputeStacksBase::RecomputeStacksBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    int64_t left = save;
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      removeBarriers(func);
      SmallVector<Block *> blocks;
      func.walk([&](WhileOp loop) {
        if (!llvm::is_contained(blocks, loop->getBlock()))
          blocks.push_back(loop->getBlock());
      });
      StackOffload host(func, *machine, remarks);
      for (Block *block : blocks) {
        if (offload)
          left -= host.mark(*block, left);
        while (left > 0 && runOnPair(func, *block, *machine, left)) {
        }
        if (!offload)
          continue;
        // What is carried may have been stacked instead of what is made of it.
        left -= host.mark(*block, left);
        host.move(*block);
      }
    }
  }

  /// Finds the best pair of loops in the block and does as much there as is to
  /// be saved. False if there was nothing to do.
  bool runOnPair(func::FuncOp func, Block &block, const Hardware &machine,
                 int64_t &left) {
    HostScalars scalars(func);
    OpTimes times(getOperation(), machine, scalars);
    SmallVector<StackLoop> loops;
    for (auto op : block.getOps<WhileOp>())
      if (auto loop = getStackLoop(op, scalars))
        loops.push_back(*loop);
    struct Choice {
      std::unique_ptr<LoopPair> pair;
      SmallVector<bool> dropped;
      LoopPair::Price price;
      int64_t saved = 0;
      bool enough = false;
    };
    std::optional<Choice> best;
    for (size_t i = 0; i < loops.size(); ++i)
      for (size_t j = i + 1; j < loops.size(); ++j)
        for (bool mayAdd : {false, true}) {
          auto pair = std::make_unique<LoopPair>(loops[i], loops[j], times);
          if (!pair->find())
            continue;
          Choice choice{std::move(pair), {}, {}, 0, false};
          if (!choose(*choice.pair, mayAdd, left, choice.dropped, choice.price,
                      choice.saved))
            continue;
          choice.enough = choice.saved >= left;
          bool better = !best || (choice.enough != best->enough ? choice.enough
                                  : choice.enough ? choice.price.weighed <
                                                        best->price.weighed
                                                  : choice.saved > best->saved);
          if (better)
            best = std::move(choice);
        }
    if (!best)
      return false;
    if (remarks)
      best->pair->second.op->emitRemark()
          << llvm::count(best->dropped, true)
          << " stacks are computed again row by row instead of being held: "
          << bytesText(best->saved)
          << llvm::formatv(" less, in {0:f3} ms more",
                           best->price.seconds * 1e3)
                 .str();
    best->pair->rewrite(best->dropped, best->price);
    left -= best->saved;
    return true;
  }

  /// Of the pair's stacks those that save most for their price, until `wanted`
  /// bytes are saved.
  static bool choose(LoopPair &pair, bool mayAdd, int64_t wanted,
                     SmallVectorImpl<bool> &dropped, LoopPair::Price &price,
                     int64_t &saved) {
    size_t count = pair.stacks.size();
    dropped.assign(count, false);
    int64_t freed = 0;
    if (mayAdd) {
      // New stacks are paid for by all that they make superfluous.
      for (size_t i = 0; i < count; ++i)
        dropped[i] = pair.stacks[i].canGo;
      for (size_t i = 0; i < count; ++i) {
        SmallVector<bool> alone(count, false);
        alone[i] = true;
        if (dropped[i] && !pair.priceOf(alone, true))
          dropped[i] = false;
      }
      auto all = pair.priceOf(dropped, true);
      if (!all || all->added.empty())
        return false;
      dropped.assign(count, false);
      freed = -all->newBytes;
    }
    saved = freed;
    std::optional<LoopPair::Price> now = LoopPair::Price();
    while (saved < wanted) {
      int best = -1;
      std::optional<LoopPair::Price> bestPrice;
      double bestScore = 0;
      for (size_t i = 0; i < count; ++i) {
        const Stack &stack = pair.stacks[i];
        if (dropped[i] || !stack.canGo)
          continue;
        dropped[i] = true;
        auto with = pair.priceOf(dropped, mayAdd);
        dropped[i] = false;
        if (!with)
          continue;
        double score = (with->weighed - now->weighed) / double(stack.bytes);
        if (best < 0 || score < bestScore) {
          best = static_cast<int>(i);
          bestScore = score;
          bestPrice = std::move(with);
        }
      }
      if (best < 0)
        break;
      dropped[best] = true;
      freed += pair.stacks[best].bytes;
      now = std::move(bestPrice);
      saved = freed;
    }
    price = *now;
    saved = -price.newBytes;
    for (size_t i = 0; i < count; ++i)
      saved += dropped[i] ? pair.stacks[i].bytes : 0;
    return saved > 0 && llvm::is_contained(dropped, true);
  }
};

} // namespace
} // namespace shoal
