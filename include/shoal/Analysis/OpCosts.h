// Arithmetic of single ops, for reports and modelled times.
#ifndef SHOAL_ANALYSIS_OPCOSTS_H
#define SHOAL_ANALYSIS_OPCOSTS_H

#include "shoal/Analysis/Hardware.h"

#include "mlir/IR/Operation.h"

namespace shoal {

/// Two per multiply-add of matrix products and convolutions, 0 for all other
/// ops; saturates.
int64_t flopsOf(mlir::Operation *op);

/// At which of the hardware's rates a product of values of this type runs.
ComputeType computeTypeOf(mlir::Type type);

/// Bytes of a tensor in a device's memory (sub-byte elements take one); 0 for
/// what is none, is kept by the host or has no static shape; saturates.
int64_t tensorBytesOf(mlir::Type type);

/// The most bytes of values alive at once in a region, as its ops stand, without
/// reuse of memory within an op: what a schedule will need at most.
int64_t peakBytesOf(mlir::Region &region);

} // namespace shoal

#endif // SHOAL_ANALYSIS_OPCOSTS_H
