//===- PtxCalls.h - Calls of shoal_ptx_* functions in MLIR ----------------===//

#ifndef SHOAL_CODEGEN_GPU_PTXCALLS_H
#define SHOAL_CODEGEN_GPU_PTXCALLS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/ValueRange.h"

namespace shoal {

/// Calls `shoal_ptx_NAME` (in the LLVM dialect), declaring it in the module
/// around the insertion point if need be. Returns its results, unpacked. The
/// name must be in the table of PtxInstructions.h and the operands of its
/// types: i16, i32, i64, f32, f64, !llvm.ptr<1>, !llvm.ptr<3>.
llvm::SmallVector<mlir::Value> callPtx(mlir::OpBuilder &builder,
                                       mlir::Location loc, llvm::StringRef name,
                                       mlir::ValueRange operands);

} // namespace shoal

#endif // SHOAL_CODEGEN_GPU_PTXCALLS_H
