#include "LoopHints.h"

#include "llvm/Analysis/LoopInfo.h"
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

PreservedAnalyses
shoal::cpu::LimitInterleaving::run(Function &function,
                                   FunctionAnalysisManager &analyses) {
  // Two are as fast as four from here on, one from there on (measured with
  // sums of exponentials).
  constexpr unsigned mediumBody = 12, longBody = 64;
  for (Loop *loop :
       analyses.getResult<LoopAnalysis>(function).getLoopsInPreorder()) {
    if (!loop->isInnermost() ||
        findStringMetadataForLoop(loop, "llvm.loop.interleave.count"))
      continue;
    unsigned size = bodySize(*loop);
    if (size >= mediumBody)
      addStringMetadataToLoop(loop, "llvm.loop.interleave.count",
                              size >= longBody ? 1 : 2);
  }
  return PreservedAnalyses::all();
}
