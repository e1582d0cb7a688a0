// What the loop passes are told about the loops of kernels.
#ifndef SHOAL_LIB_CODEGEN_CPU_LOOPHINTS_H
#define SHOAL_LIB_CODEGEN_CPU_LOOPHINTS_H

#include "llvm/IR/PassManager.h"

namespace shoal::cpu {

/// Limits how many iterations the vectorizer interleaves in innermost loops
/// with long bodies. LLVM interleaves up to four of every reduction, to hide
/// the latency of its sum; a long body hides it by itself, and the copies would
/// only cost time to compile.
struct LimitInterleaving : llvm::PassInfoMixin<LimitInterleaving> {
  llvm::PreservedAnalyses run(llvm::Function &function,
                              llvm::FunctionAnalysisManager &analyses);
};

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_LOOPHINTS_H
