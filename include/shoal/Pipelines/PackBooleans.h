// Boolean constants as newer versions of MLIR print them.
#ifndef SHOAL_PIPELINES_PACKBOOLEANS_H
#define SHOAL_PIPELINES_PACKBOOLEANS_H

#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace shoal {

/// JAX 0.10 prints an i1 constant of over 100 elements with a byte for each,
/// `dense<"0x010001…"> : tensor<3x41xi1>`; MLIR 22 reads a bit for each.
/// Returns the text as MLIR 22 reads it, with everything else in its place
/// (what is shorter is followed by spaces), or null if it is that already.
std::unique_ptr<llvm::MemoryBuffer>
packBooleans(llvm::MemoryBufferRef source);

} // namespace shoal

#endif // SHOAL_PIPELINES_PACKBOOLEANS_H
