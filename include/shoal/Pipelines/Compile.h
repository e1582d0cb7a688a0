// From a model's text or bytecode to any phase.
#ifndef SHOAL_PIPELINES_COMPILE_H
#define SHOAL_PIPELINES_COMPILE_H

#include "shoal/Pipelines/Phases.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/MemoryBuffer.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace shoal {

struct CompileOptions : PipelineOptions {
  Phase from = Phase::Input; ///< the phase that the source is in
  Phase to = Phase::Binary;
  /// Target cuda: spilled registers in performance kernels are errors.
  bool fatalSpills = false;
  /// Target cuda: products of f32 with precision DEFAULT may run in tf32.
  bool allowTf32 = false;
  /// Target cuda, tests only: kernels for the emulator instead of a GPU.
  bool emulate = false;
  /// Target cuda: folder for LLVM IR and PTX; empty: none.
  std::string dumpCode;
  /// Target cuda: print compile times and strategies of kernels to stderr.
  bool kernelTimes = false;
  bool report = false;        ///< make Compiled::report
  bool trace = false;         ///< make Compiled::trace
  /// Of the modelled step in report and trace (not of what is compiled): how
  /// much longer than modelled a kernel takes, at random up to this share; and
  /// by what all kernels of a rank take longer.
  double jitter = 0;
  std::vector<std::pair<int64_t, double>> stragglers;
  /// Options of the pipelines that were not given are those that make the
  /// modelled step shortest, where times are modelled; false: all as given.
  bool choose = true;
  /// Print shardings in Shardy's syntax ("sdy", phase sharded) or the module as
  /// plain StableHLO ("stablehlo", phases partitioned and optimized).
  std::string emit;
  /// Called after each phase, `from` included.
  std::function<mlir::LogicalResult(Phase, mlir::ModuleOp)> onPhase;
};

struct Compiled {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// The shared object; only for Phase::Binary.
  std::vector<char> binary;
  /// report.json; empty if it was not asked for.
  std::string report;
  /// The modelled timeline of a step, in Chrome's format; empty if it was not
  /// asked for or phase `scheduled` is not reached.
  std::string trace;
  std::vector<std::pair<Phase, double>> seconds;
};

/// Compiles a source, whose buffer's name is the file's. All errors are
/// diagnostics of the context with a location in the source, for each of which
/// a file, line and column can be given (see DiagnosticPrinter).
mlir::FailureOr<Compiled> compileModule(llvm::MemoryBufferRef source,
                                        const CompileOptions &options,
                                        mlir::MLIRContext &context);

/// Reads a file, gunzipping it if need be. The message says what is wrong.
mlir::FailureOr<std::unique_ptr<llvm::MemoryBuffer>>
readSource(llvm::StringRef path, std::string &error);

/// Prints diagnostics as `file:line:col: error: text`, with the line of the
/// source where it is short enough to help. While it lives, it is the
/// context's handler.
class DiagnosticPrinter {
public:
  DiagnosticPrinter(mlir::MLIRContext &context, llvm::MemoryBufferRef source,
                    llvm::raw_ostream &os);
  ~DiagnosticPrinter();
  unsigned numErrors() const { return errors; }

private:
  void print(mlir::Location loc, llvm::StringRef kind, llvm::StringRef text);

  mlir::MLIRContext &context;
  llvm::MemoryBufferRef source;
  llvm::raw_ostream &os;
  unsigned errors = 0;
  mlir::DiagnosticEngine::HandlerID handler;
};

} // namespace shoal

#endif // SHOAL_PIPELINES_COMPILE_H
