// What passes that move communication tell the user, all in one form.
#ifndef SHOAL_ANALYSIS_REMARKS_H
#define SHOAL_ANALYSIS_REMARKS_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Operation.h"

namespace shoal {

/// "all_reduce after the loop instead of in it: 1.20 ms less": a change that
/// saves modelled seconds.
inline void remarkGain(bool wanted, mlir::Operation *at,
                       const llvm::Twine &what, double before, double after) {
  if (!wanted)
    return;
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.2f", before * 1e6) << " -> "
                                 << llvm::format("%.2f", after * 1e6);
  at->emitRemark() << what << " (modelled: " << text << " us)";
}

} // namespace shoal

#endif // SHOAL_ANALYSIS_REMARKS_H
