#include "LoopHints.h"

#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ScalarEvolutionExpressions.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Operator.h"
#include "llvm/Transforms/Scalar/LoopUnrollPass.h"
#include "llvm/Transforms/Utils/LoopUtils.h"

using namespace llvm;

/// Instructions of the body that will be vector instructions, about.
static unsigned bodySize(const Loop &loop) {
  unsigned size = 0;
  for (BasicBlock *block : loop.blocks())
    for (Instruction &instruction : *block)
      size += !isa<PHINode, GetElementPtrInst, BranchInst>(instruction);
  return size;
}

/// Instructions that combine the loop's own values in any order.
static bool isReassociable(PHINode &phi, const Loop &loop) {
  auto *next = dyn_cast_or_null<FPMathOperator>(
      phi.getIncomingValueForBlock(loop.getLoopLatch()));
  return next && next->hasAllowReassoc() &&
         is_contained(next->operands(), &phi);
}

/// The width of vectors, where there is only one to choose: the trip count is a
/// multiple of it, memory is read and written in order. 0 for other loops, of
/// which the vectorizer prices all widths; that takes longer than the rest of
/// its work. With a width given it also reorders sums that may not be, so loops
/// that carry such sums get none.
static unsigned onlyWidth(Loop &loop, ScalarEvolution &evolution,
                          const TargetTransformInfo &target) {
  BasicBlock *header = loop.getHeader();
  unsigned count = evolution.getSmallConstantTripCount(&loop);
  if (count == 0 || !loop.getLoopLatch())
    return 0;
  unsigned widest = 0;
  const DataLayout &layout = header->getDataLayout();
  auto see = [&](Type *type) {
    widest = std::max<unsigned>(widest, layout.getTypeSizeInBits(type));
  };
  for (PHINode &phi : header->phis()) {
    if (phi.getType()->isIntegerTy())
      continue; // the counter, or a sum in any order
    if (!phi.getType()->isFloatingPointTy() || !isReassociable(phi, loop))
      return 0;
    see(phi.getType());
  }
  for (BasicBlock *block : loop.blocks())
    for (Instruction &instruction : *block) {
      if (Value *pointer = getLoadStorePointerOperand(&instruction)) {
        Type *type = getLoadStoreType(&instruction);
        if (!type->isIntOrPtrTy() && !type->isFloatingPointTy())
          return 0;
        see(type);
        const SCEV *address = evolution.getSCEV(pointer);
        if (isa<LoadInst>(instruction) &&
            evolution.isLoopInvariant(address, &loop))
          continue;
        auto *recurrence = dyn_cast<SCEVAddRecExpr>(address);
        auto *step = recurrence && recurrence->getLoop() == &loop
                         ? dyn_cast<SCEVConstant>(
                               recurrence->getStepRecurrence(evolution))
                         : nullptr;
        if (!step ||
            step->getAPInt() != layout.getTypeStoreSize(type).getFixedValue())
          return 0;
      } else if (isa<CallBase>(instruction) &&
                 !isa<IntrinsicInst>(instruction)) {
        return 0;
      }
    }
  if (widest < 8)
    return 0;
  unsigned width =
      target.getRegisterBitWidth(TargetTransformInfo::RGK_FixedWidthVector)
          .getFixedValue() /
      widest;
  return width > 1 && count % width == 0 ? width : 0;
}

PreservedAnalyses
shoal::cpu::HintVectors::run(Function &function,
                             FunctionAnalysisManager &analyses) {
  // Two are as fast as four from here on, one from there on (measured with
  // sums of exponentials).
  constexpr unsigned mediumBody = 12, longBody = 32;
  auto &evolution = analyses.getResult<ScalarEvolutionAnalysis>(function);
  const auto &target = analyses.getResult<TargetIRAnalysis>(function);
  for (Loop *loop :
       analyses.getResult<LoopAnalysis>(function).getLoopsInPreorder()) {
    if (!loop->isInnermost())
      continue;
    unsigned width = onlyWidth(*loop, evolution, target);
    if (width && !findStringMetadataForLoop(loop, "llvm.loop.vectorize.width"))
      addStringMetadataToLoop(loop, "llvm.loop.vectorize.width", width);
    if (findStringMetadataForLoop(loop, "llvm.loop.interleave.count"))
      continue;
    unsigned size = bodySize(*loop);
    if (size >= mediumBody)
      addStringMetadataToLoop(loop, "llvm.loop.interleave.count",
                              size >= longBody ? 1 : 2);
  }
  return PreservedAnalyses::all();
}

PreservedAnalyses
shoal::cpu::UnrollShortLoops::run(Function &function,
                                  FunctionAnalysisManager &analyses) {
  auto &evolution = analyses.getResult<ScalarEvolutionAnalysis>(function);
  auto loops = analyses.getResult<LoopAnalysis>(function).getLoopsInPreorder();
  if (none_of(loops, [&](Loop *loop) {
        unsigned count = evolution.getSmallConstantTripCount(loop);
        return count && count <= most;
      }))
    return PreservedAnalyses::all();
  return LoopUnrollPass(LoopUnrollOptions(2)
                            .setPartial(false)
                            .setRuntime(false)
                            .setFullUnrollMaxCount(most))
      .run(function, analyses);
}
