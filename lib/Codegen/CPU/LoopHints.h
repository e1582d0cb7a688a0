// What the loop passes are told about the loops of kernels.
#ifndef SHOAL_LIB_CODEGEN_CPU_LOOPHINTS_H
#define SHOAL_LIB_CODEGEN_CPU_LOOPHINTS_H

#include "llvm/IR/PassManager.h"

namespace shoal::cpu {

/// Tells the vectorizer what it would find out at length, for innermost loops:
/// the width where only one makes sense, and how many iterations to interleave
/// in long bodies. LLVM interleaves up to four of every reduction, to hide the
/// latency of its sum; a long body hides it by itself, and the copies would
/// only cost time to compile.
struct HintVectors : llvm::PassInfoMixin<HintVectors> {
  llvm::PreservedAnalyses run(llvm::Function &function,
                              llvm::FunctionAnalysisManager &analyses);
};

/// Loops of at most `most` iterations become straight code. The same as LLVM's
/// pass, which measures the body of every loop before it looks at its count.
struct UnrollShortLoops : llvm::PassInfoMixin<UnrollShortLoops> {
  explicit UnrollShortLoops(unsigned most) : most(most) {}
  llvm::PreservedAnalyses run(llvm::Function &function,
                              llvm::FunctionAnalysisManager &analyses);
  unsigned most;
};

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_LOOPHINTS_H
