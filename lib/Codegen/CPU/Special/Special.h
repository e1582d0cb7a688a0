// Ops that make their whole result at once: one file each, registered here.
#ifndef SHOAL_LIB_CODEGEN_CPU_SPECIAL_SPECIAL_H
#define SHOAL_LIB_CODEGEN_CPU_SPECIAL_SPECIAL_H

#include "lib/Codegen/CPU/OpEmitter.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

namespace shoal::cpu {

void registerSortOps(OpEmitters &emitters);             // Sort.cpp
void registerReduceWindowOps(OpEmitters &emitters);     // ReduceWindow.cpp
void registerSelectAndScatterOps(OpEmitters &emitters); // SelectAndScatter.cpp
void registerConvolutionOps(OpEmitters &emitters);      // Convolution.cpp
/// fft, cholesky, triangular_solve, rng, rng_bit_generator, top_k: calls of the
/// runtime's functions.
void registerRuntimeCallOps(OpEmitters &emitters); // RuntimeCalls.cpp

inline llvm::ArrayRef<int64_t> shapeOfTensor(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType()).getShape();
}
inline int64_t countOf(llvm::ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_SPECIAL_SPECIAL_H
