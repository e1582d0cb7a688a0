// What shoal-run was asked to do.
#ifndef SHOAL_TOOLS_RUN_OPTIONS_H
#define SHOAL_TOOLS_RUN_OPTIONS_H

#include "shoal/runtime/Npz.h"
#include "shoal/runtime/Run.h"

#include <set>
#include <string>
#include <vector>

namespace shoal::rt {

struct Options {
  std::string model;
  std::string entry;
  std::string input, output, check, report;
  std::string target = "cpu";
  std::string chip; ///< of target cuda; empty: this machine's
  int64_t ranksPerDevice = 0;
  /// Shapes of the arrays in `input`, as --argument-shapes takes them.
  std::string argumentShapes;
  /// As parseLinks reads them; empty: none.
  std::string links;
  /// Where the measured rates go, as a hardware description.
  std::string calibrate;
  double rtol = 0, atol = 0, timeLimit = 0;
  int64_t repeat = 1;
  /// Compile with --allow-tf32.
  bool allowTf32 = false;
  bool singleDevice = false, table = false, profile = false, inspect = false;
  std::vector<std::string> customCalls;
  std::optional<std::chrono::steady_clock::time_point> deadline;
};

/// Whether a value of this type stands for a token: it has nothing to say.
inline bool isEmptyToken(DType type, const std::vector<int64_t> &shape) {
  return type == DType::I1 && shape.size() == 1 && shape[0] == 0;
}

/// Where arguments come from: a file, or numbers drawn from a seed.
struct InputSource {
  bool random = false;
  uint64_t seed = 0;
  NpzReader file;
};

/// Opens what --input says: FILE.npz, random, or random:SEED.
Result<InputSource> openInput(const std::string &text);

/// Shapes of the arrays that are arguments, as --argument-shapes of
/// shoal-compile takes them. Those of a program that is polymorphic in its
/// sizes follow from them.
Result<std::string> argumentShapes(const NpzReader &file);

/// The global values of all arguments.
Result<std::vector<HostTensor>> readArguments(const program::View &program,
                                              const Options &options,
                                              const InputSource &source);

/// A compiled model on disk: the file given, or one from the cache, or one just
/// made. `temporary` is to be removed when it has been opened.
struct CompiledModel {
  std::string path;
  bool temporary = false;
  std::string timings; ///< JSON: seconds of each phase when it was compiled
};

/// Compiles options.model with the shoal-compile beside this program, unless
/// the cache has it. Diagnostics have been printed when the status's message is
/// empty.
Result<CompiledModel> compileModel(const Options &options);

/// Compares results with --check; one "check failed:" line per value that
/// differs goes to `failures`. Missing or misshapen expectations are errors.
Status compareWithExpected(const Options &options,
                           const std::vector<HostTensor> &results,
                           std::vector<std::string> &failures,
                           double &largestError);

/// Numbers of the arguments that the compiler added for state of its own, which
/// is zero at first (role in the report).
std::set<size_t> addedArguments(const program::View &program);

/// The compiler's report with the section `measured`.
std::string makeReport(const program::View &program, const RunResult &result,
                       const std::string &compileSeconds);

/// What a profile says about the machine, as --hardware=FILE.json reads it:
/// rates of products by type and of memory traffic, each with the share that is
/// reached by size, and the least time of a kernel. Links are those emulated
/// over all axes, if there are. Empty if nothing was measured that has a rate.
std::string makeHardware(const std::vector<ProfileRow> &profile,
                         const std::vector<EmulatedLink> &links, bool onGpu);

} // namespace shoal::rt

#endif // SHOAL_TOOLS_RUN_OPTIONS_H
