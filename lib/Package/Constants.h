// Constants as the bytes that kernels and the runtime read.
#ifndef SHOAL_LIB_PACKAGE_CONSTANTS_H
#define SHOAL_LIB_PACKAGE_CONSTANTS_H

#include "shoal/runtime/Program.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/Support/LLVM.h"

#include <vector>

namespace shoal {

/// The element type of the table, Invalid if it has none. A quantized type
/// gives its storage type.
program::DType getDType(mlir::Type elementType);

/// Appends the elements in the kernel ABI's storage. Fails (without a
/// diagnostic) on attributes that hold no elements, such as a resource that was
/// elided.
mlir::LogicalResult appendElements(mlir::ElementsAttr value,
                                   std::vector<char> &bytes);

/// One element (of a splat, or the value of a scalar attribute) as
/// `getElementBytes` bytes; empty if the attribute is no number.
llvm::SmallVector<char> getElement(mlir::Attribute value,
                                   mlir::Type elementType);

} // namespace shoal

#endif // SHOAL_LIB_PACKAGE_CONSTANTS_H
