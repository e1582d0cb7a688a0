// Kernel objects, table and constants as one shared object.
#ifndef SHOAL_LIB_PACKAGE_LINK_H
#define SHOAL_LIB_PACKAGE_LINK_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <string>
#include <vector>

namespace shoal {

/// An ELF relocatable object for this machine that holds the program table and
/// the constants in their sections, with their symbols; and device code, where
/// there is any.
std::vector<char> makeDataObject(llvm::ArrayRef<char> table,
                                 llvm::ArrayRef<char> constants,
                                 llvm::ArrayRef<char> images = {});

/// Links the objects into a shared object. Returns an empty vector and sets
/// `error` on failure.
std::vector<char> linkShared(llvm::ArrayRef<llvm::ArrayRef<char>> objects,
                             std::string &error);

} // namespace shoal

#endif // SHOAL_LIB_PACKAGE_LINK_H
