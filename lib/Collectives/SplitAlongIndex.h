// A function's ops along one index, each as several on contiguous parts of it.
#ifndef SHOAL_COLLECTIVES_SPLITALONGINDEX_H
#define SHOAL_COLLECTIVES_SPLITALONGINDEX_H

#include "IndexClasses.h"

namespace shoal {

/// Computes everything along class `number` in `parts` parts, which divide the
/// size of each of its factors. `dims`: what IndexClasses::dimsIn says of it.
/// Loops carry parts, branches yield them, barriers stand around each; products
/// and reductions over the index are sums of the parts' (narrow floats in f32);
/// ops that are not computed along it read the parts joined. Values that
/// nothing needs any more are left for CSE.
void splitAlongIndex(mlir::func::FuncOp func, const IndexClasses &classes,
                     int64_t number, llvm::DenseMap<mlir::Value, unsigned> dims,
                     int64_t parts);

} // namespace shoal

#endif // SHOAL_COLLECTIVES_SPLITALONGINDEX_H
