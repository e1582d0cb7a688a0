// Cubins by the PTX that they were made from, in the folder of Shoal's cache.
#ifndef SHOAL_LIB_CODEGEN_GPU_CUBINCACHE_H
#define SHOAL_LIB_CODEGEN_GPU_CUBINCACHE_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace shoal::gpu {

/// One entry. Its name is a hash of all that it depends on, so it is never
/// wrong, only unused; it appears by rename and disappears by unlink, so any
/// number of processes may share the folder.
class CubinCache {
public:
  CubinCache(llvm::StringRef options, llvm::StringRef ptx);

  bool lookup(llvm::SmallVectorImpl<char> &cubin, std::string &log) const;
  void insert(llvm::ArrayRef<char> cubin, llvm::StringRef log) const;

private:
  std::string folder, path; // empty: no cache
};

} // namespace shoal::gpu

#endif // SHOAL_LIB_CODEGEN_GPU_CUBINCACHE_H
