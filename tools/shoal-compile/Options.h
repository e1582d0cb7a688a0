// What shoal-compile was asked to do.
#ifndef SHOAL_TOOLS_COMPILE_OPTIONS_H
#define SHOAL_TOOLS_COMPILE_OPTIONS_H

#include "shoal/Pipelines/Compile.h"
#include "shoal/runtime/CommandLine.h"

namespace shoal {

/// As it stands on the command line; most are named as there.
struct Options {
  std::string model, output, entry, target = "cpu", chip;
  std::string compileFrom, compileTo, emit; ///< phases; syntax of one
  std::string report, trace, timings, dumpPhases, dumpCode; ///< where to
  std::string argumentShapes, hardware, straggler, fatal;
  std::string overlap = "loops", offload = "auto", chunkProducts,
              splitAllReduces, keep, quantizeCollectives, compressGradients;
  int64_t memoryLimit = 0, splitBatch = 0, splitExchanges = 0;
  double jitter = 0;
  bool singleDevice = false, table = false, printLocations = false,
       kernelTimes = false, emulate = false, remarks = false, allowTf32 = false;

  bool writesToStdout() const { return output.empty() || output == "-"; }
};

/// Declares the options, to be parsed into `o`.
void declareOptions(rt::CommandLine &line, Options &o);

/// The options as the compiler takes them, or what is wrong with them. Reads no
/// file but that of --hardware.
rt::Result<CompileOptions> compileOptions(const Options &o);

} // namespace shoal

#endif // SHOAL_TOOLS_COMPILE_OPTIONS_H
