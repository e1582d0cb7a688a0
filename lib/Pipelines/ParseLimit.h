// A bound on the memory that reading a file may take.
#ifndef SHOAL_LIB_PIPELINES_PARSELIMIT_H
#define SHOAL_LIB_PIPELINES_PARSELIMIT_H

#include "mlir/Support/LLVM.h"
#include "llvm/Support/MemoryBufferRef.h"

#include <new>
#include <sys/resource.h>

namespace shoal {

/// While this lives, the process may map only so much more memory as a file of
/// the source's size can need; what does not fit ends it with exit code 2 and a
/// message, where it would be killed or abort. MLIR's readers allocate what a
/// number in the file says, without a look at how large the file is: a damaged
/// length in bytecode, or `%f#2147483648` in text.
class ParseLimit {
public:
  explicit ParseLimit(llvm::MemoryBufferRef source);
  ~ParseLimit();
  ParseLimit(const ParseLimit &) = delete;
  ParseLimit &operator=(const ParseLimit &) = delete;

private:
  rlimit before;
  std::new_handler newHandler;
};

/// Calls `read` in a child process, without its output, and says whether it
/// came back. MLIR's bytecode reader corrupts its memory on some damaged files;
/// this is asked before such a file is read for good. With `exitIsFailure`, it
/// did not come back if a ParseLimit ended it.
bool survivesReading(llvm::function_ref<void()> read,
                     bool exitIsFailure = false);

} // namespace shoal

#endif // SHOAL_LIB_PIPELINES_PARSELIMIT_H
