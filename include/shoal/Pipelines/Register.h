// Registration of every dialect, pass and pipeline of the project, for tools.
#ifndef SHOAL_PIPELINES_REGISTER_H
#define SHOAL_PIPELINES_REGISTER_H

#include "llvm/ADT/StringRef.h"

namespace mlir {
class DialectRegistry;
}

namespace shoal {

/// Adds all dialects that a Shoal module may hold in any phase, and the
/// external interface models that give input dialects their sharding rules.
void registerAllDialects(mlir::DialectRegistry &registry);

/// Registers every pass and every phase pipeline with MLIR's global registry.
/// To be called once per process, by tools that parse pass names.
void registerAllPasses();

/// False, with a message, if MLIR's readers do not survive the file: some
/// damaged ones make them abort or ask for all memory. Tried in a child process.
/// True for files that only hold errors, and for standard input ("-").
bool isReadable(llvm::StringRef file, const mlir::DialectRegistry &registry);

} // namespace shoal

#endif // SHOAL_PIPELINES_REGISTER_H
