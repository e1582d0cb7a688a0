// Factorizations as programs for TPUs and GPUs call them.
#ifndef SHOAL_LIB_IMPORT_FACTORIZATIONCALLS_H
#define SHOAL_LIB_IMPORT_FACTORIZATIONCALLS_H

#include "dialects/StableHLO/StableHLO.h"

namespace shoal {

/// The results of a custom call that XLA's TPU compiler knows (Qr, Eigh, …) or
/// that JAX prints for GPUs (cusolver_potrf_ffi, …), by those that it prints
/// for CPUs, which our runtimes have; false if it is none.
bool expandFactorization(mlir::stablehlo::CustomCallOp op,
                         mlir::OpBuilder &builder,
                         llvm::SmallVectorImpl<mlir::Value> &results);

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_FACTORIZATIONCALLS_H
