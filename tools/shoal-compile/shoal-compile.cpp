// shoal-compile: from a model to a shared object, or to any phase between.

#include "shoal/Codegen/GPU/Chip.h"
#include "shoal/Pipelines/Compile.h"
#include "shoal/Pipelines/Register.h"
#include "shoal/Report/Report.h"
#include "shoal/runtime/AtomicFile.h"
#include "shoal/runtime/CommandLine.h"
#include "shoal/runtime/ReportTable.h"

#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/PrettyStackTrace.h"
#include "llvm/Support/Signals.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

using namespace shoal;
using rt::AtomicFile;
using rt::CommandLine;
using rt::Result;
using rt::Status;

namespace {

struct Options {
  std::string model, output, target = "cpu", chip, report, trace, to, from,
                             dump, hardware, overlap = "loops",
                             offload = "auto", chunks, halves, keep, quantize,
                             compress, straggler, emit, entry, timings,
                             argumentShapes, fatal,
                             dumpCode;
  int64_t memoryLimit = 0, splitBatch = 0, splitExchanges = 0;
  double jitter = 0;
  bool singleDevice = false, table = false, debugInfo = false,
       kernelTimes = false, emulate = false, remarks = false,
       allowTf32 = false;
};

int fail(const Status &status) {
  llvm::errs() << "shoal-compile: error: " << status.message() << "\n";
  return static_cast<int>(status.code());
}

Result<Phase> phaseOption(const char *option, const std::string &text,
                          Phase otherwise) {
  if (text.empty())
    return otherwise;
  if (std::optional<Phase> phase = parsePhase(text))
    return *phase;
  return Status::badInput(std::string("--") + option + ": '" + text +
                          "' is no phase; phases are " + phaseList());
}

/// "0,2,5"; false if it is not that.
bool readNumbers(llvm::StringRef text, std::vector<int64_t> &numbers) {
  llvm::SmallVector<llvm::StringRef> parts;
  text.split(parts, ',', -1, /*KeepEmpty=*/!text.empty());
  for (llvm::StringRef part : parts)
    if (unsigned number; !part.getAsInteger(10, number))
      numbers.push_back(number);
    else
      return false;
  return true;
}

/// "3:1.5,7:2"; false if it is not that.
bool readStragglers(llvm::StringRef text,
                    std::vector<std::pair<int64_t, double>> &stragglers) {
  llvm::SmallVector<llvm::StringRef> parts;
  text.split(parts, ',', -1, /*KeepEmpty=*/!text.empty());
  for (llvm::StringRef part : parts) {
    auto [rank, factor] = part.split(':');
    unsigned number;
    double times;
    if (rank.getAsInteger(10, number) || factor.getAsDouble(times) ||
        !(times >= 1) || times > 1e6)
      return false;
    stragglers.push_back({number, times});
  }
  return true;
}

Status checkChip(const std::string &target, const std::string &chip) {
  if (chip.empty())
    return Status::ok();
  if (target == "cpu") {
    // CPU names are LLVM's; the code generator knows them.
    return Status::ok();
  }
  if (gpu::findChip(chip))
    return Status::ok();
  return Status::badInput("--chip: '" + chip +
                          "' is unknown for the target 'cuda'; known are " +
                          gpu::chipList());
}

/// Boolean constants that would be printed in hexadecimal: in which other
/// versions of MLIR read something else (PackBooleans.h).
bool hasLongBooleans(mlir::ModuleOp module) {
  constexpr int64_t longest = 100; // of what is printed one by one anyway
  auto result = module.walk([&](mlir::Operation *op) {
    for (mlir::NamedAttribute attribute : op->getAttrDictionary())
      if (auto dense =
              mlir::dyn_cast<mlir::DenseElementsAttr>(attribute.getValue());
          dense && !dense.isSplat() && dense.getElementType().isInteger(1) &&
          dense.getNumElements() > longest)
        return mlir::WalkResult::interrupt();
    return mlir::WalkResult::advance();
  });
  return result.wasInterrupted();
}

void printModule(mlir::ModuleOp module, llvm::raw_ostream &os,
                 const Options &o) {
  mlir::OpPrintingFlags flags;
  if (o.debugInfo)
    flags.enableDebugInfo();
  // What others read.
  if (!o.emit.empty() && hasLongBooleans(module))
    flags.printLargeElementsAttrWithHex(-1);
  module->print(os, flags);
  os << "\n";
}

int compile(const Options &o) {
  Result<Phase> from = phaseOption("compile-from", o.from, Phase::Input);
  if (!from)
    return fail(from.status());
  // Without a file to write the report is all there is to do, and needs no
  // code.
  Phase last =
      o.output.empty() && !o.report.empty() ? Phase::Scheduled : Phase::Binary;
  Result<Phase> to = phaseOption("compile-to", o.to, last);
  if (!to)
    return fail(to.status());
  if (*to < *from)
    return fail(Status::badInput("--compile-to=" + o.to +
                                 " is before --compile-from=" + o.from));
  if (*from == Phase::Binary)
    return fail(Status::badInput(
        "--compile-from: a binary cannot be compiled further"));
  if (o.target != "cpu" && o.target != "cuda")
    return fail(Status::badInput("--target: '" + o.target +
                                 "' is unknown; 'cpu' and 'cuda' are"));
  if (Status s = checkChip(o.target, o.chip); !s)
    return fail(s);
  if (!o.fatal.empty() && o.fatal != "spills")
    return fail(
        Status::badInput("--fatal: '" + o.fatal + "' is unknown; 'spills' is"));
  if (*to == Phase::Binary && o.output.empty())
    return fail(Status::badInput("no output; give -o model.so, or "
                                 "--compile-to=PHASE to print a phase"));
  if (!o.report.empty() && *to < Phase::Partitioned)
    return fail(Status::badInput("--report needs --compile-to=partitioned or "
                                 "a later phase"));
  if (!o.trace.empty() && *to < Phase::Scheduled)
    return fail(Status::badInput("--trace needs --compile-to=scheduled or a "
                                 "later phase"));
  if (!o.emit.empty()) {
    bool sdy = o.emit == "sdy", plain = o.emit == "stablehlo";
    if (!sdy && !plain)
      return fail(Status::badInput("--emit: '" + o.emit +
                                   "' is unknown; 'sdy' and 'stablehlo' are"));
    if (sdy && *to != Phase::Sharded)
      return fail(Status::badInput("--emit=sdy needs --compile-to=sharded"));
    if (plain && *to != Phase::Partitioned && *to != Phase::Optimized)
      return fail(Status::badInput("--emit=stablehlo needs "
                                   "--compile-to=partitioned or optimized"));
  }
  if (o.argumentShapes.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyz0123456789:,") != std::string::npos)
    return fail(Status::badInput("--argument-shapes: cannot read '" +
                                 o.argumentShapes +
                                 "'; write arg0:4x8,arg1:16,arg2:scalar"));
  if (o.offload != "auto" && o.offload != "none")
    return fail(Status::badInput("--offload: '" + o.offload +
                                 "' is neither auto nor none"));
  if (o.overlap != "none" && o.overlap != "blocks" && o.overlap != "loops")
    return fail(Status::badInput("--overlap: '" + o.overlap +
                                 "' is unknown; none, blocks and loops are"));
  std::string hardwareError;
  if (mlir::failed(getHardware(o.hardware, hardwareError)))
    return fail(Status::badInput("--hardware: " + hardwareError));

  std::string error;
  auto source = readSource(o.model, error);
  if (mlir::failed(source))
    return fail(Status::badInput("cannot read '" + o.model + "': " + error));

  // Outputs are opened before the work, and appear only if it succeeds.
  AtomicFile output, report, trace;
  bool toStdout = o.output.empty() || o.output == "-";
  if (!toStdout) {
    Result<AtomicFile> file = AtomicFile::open(o.output);
    if (!file)
      return fail(file.status());
    output = std::move(*file);
  }
  if (!o.report.empty() && o.report != "-") {
    Result<AtomicFile> file = AtomicFile::open(o.report);
    if (!file)
      return fail(file.status());
    report = std::move(*file);
  }
  if (!o.trace.empty()) {
    Result<AtomicFile> file = AtomicFile::open(o.trace);
    if (!file)
      return fail(file.status());
    trace = std::move(*file);
  }
  if (!o.dump.empty())
    if (std::error_code code = llvm::sys::fs::create_directories(o.dump))
      return fail(Status::badInput("--dump-phases: cannot make '" + o.dump +
                                   "': " + code.message()));

  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  registerAllPasses();
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  DiagnosticPrinter printer(context, **source, llvm::errs());

  CompileOptions options;
  options.entry = o.entry;
  options.singleDevice = o.singleDevice;
  options.argumentShapes = o.argumentShapes;
  options.hardware = o.hardware;
  options.memoryLimit = o.memoryLimit;
  options.mayOffload = o.offload != "none";
  options.overlap = o.overlap == "none"     ? Overlap::None
                    : o.overlap == "blocks" ? Overlap::Blocks
                                            : Overlap::Loops;
  if (!readNumbers(o.keep, options.keep))
    return fail(Status::badInput("--keep: '" + o.keep +
                                 "' is no list of numbers like 0,2,5"));
  if (!readStragglers(o.straggler, options.stragglers))
    return fail(Status::badInput("--straggler: '" + o.straggler +
                                 "' is no list of ranks and factors of at "
                                 "least 1 like 3:1.5,7:2"));
  options.jitter = o.jitter;
  options.chunkProducts = o.chunks;
  options.quantizeCollectives = o.quantize;
  options.compressGradients = o.compress;
  options.splitAllReduces = o.halves;
  options.splitBatch = o.splitBatch;
  options.splitExchanges = o.splitExchanges;
  options.remarks = o.remarks;
  options.from = *from;
  options.to = *to;
  options.target = o.target;
  options.chip = o.chip;
  options.emit = o.emit;
  options.fatalSpills = o.fatal == "spills";
  options.allowTf32 = o.allowTf32;
  const char *emulate = std::getenv("SHOAL_TEST_EMULATE");
  options.emulate = o.emulate || (emulate && *emulate);
  options.dumpCode = o.dumpCode;
  options.kernelTimes = o.kernelTimes;
  options.report = !o.report.empty() || o.table;
  options.trace = !o.trace.empty();
  if (!o.dump.empty())
    options.onPhase = [&](Phase phase, mlir::ModuleOp module) {
      std::string path = o.dump + "/" +
                         std::to_string(static_cast<int>(phase)) + "-" +
                         stringifyPhase(phase).str() + ".mlir";
      std::string text;
      llvm::raw_string_ostream os(text);
      printModule(module, os, o);
      Result<AtomicFile> file = AtomicFile::open(path);
      Status status = file ? file->write(text) : file.status();
      if (status)
        status = file->commit();
      if (!status)
        return mlir::LogicalResult(module.emitError() << status.message());
      return mlir::success();
    };
  mlir::FailureOr<Compiled> compiled =
      compileModule(**source, options, context);
  if (mlir::failed(compiled)) {
    if (printer.numErrors() == 0)
      llvm::errs() << o.model << ":1:1: error: compilation failed without a "
                   << "diagnostic (internal error)\n";
    return 2;
  }

  if (!o.timings.empty()) {
    std::string times;
    for (auto &[phase, seconds] : compiled->seconds)
      times += (times.empty() ? "{\"" : ", \"") + stringifyPhase(phase).str() +
               "\": " + std::to_string(seconds);
    Result<AtomicFile> file = AtomicFile::open(o.timings);
    if (!file || !file->write(times + "}\n") || !file->commit())
      return fail(Status::badInput("cannot write '" + o.timings + "'"));
  }
  std::string text;
  llvm::StringRef content;
  if (*to == Phase::Binary) {
    content = {compiled->binary.data(), compiled->binary.size()};
  } else if (!toStdout || o.report.empty()) {
    llvm::raw_string_ostream os(text);
    printModule(*compiled->module, os, o);
    content = text;
  }
  if (!content.empty()) {
    if (toStdout)
      llvm::outs() << content;
    else {
      if (Status s = output.write(content.data(), content.size()); !s)
        return fail(s);
      if (Status s = output.commit(); !s)
        return fail(s);
    }
  }
  if (o.report == "-")
    llvm::outs() << compiled->report;
  else if (!o.report.empty()) {
    if (Status s = report.write(compiled->report); !s)
      return fail(s);
    if (Status s = report.commit(); !s)
      return fail(s);
  }
  if (!o.trace.empty()) {
    if (Status s = trace.write(compiled->trace); !s)
      return fail(s);
    if (Status s = trace.commit(); !s)
      return fail(s);
  }
  if (o.table)
    llvm::outs() << rt::reportTable(compiled->report);
  llvm::outs().flush();
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  Options o;
  CommandLine line("shoal-compile", "shoal-compile MODEL -o model.so [options]",
                   "Compiles a model (StableHLO as .mlir, .mlir.gz or MLIR "
                   "bytecode) for the "
                   "devices\nof its mesh. Phases: " +
                       phaseList() + ".\nExits with 2 on bad input.");
  line.text("o", o.output, "FILE",
            "the shared object, or the text of another phase");
  line.text("target", o.target, "cpu|cuda", "what to make code for");
  line.text("chip", o.chip, "NAME",
            "processor: sm_90a, …, or a CPU of LLVM (default: this machine's)");
  line.text("cpu", o.chip, "NAME",
            "the same as --chip for the target cpu: x86-64-v3, skylake, …");
  line.text("entry", o.entry, "NAME", "the function to compile (main)");
  line.text("argument-shapes", o.argumentShapes, "arg0:4x8,arg1:16,…",
            "sizes of arguments whose types leave them open");
  line.text("compile-to", o.to, "PHASE", "stop after a phase and print it");
  line.text("compile-from", o.from, "PHASE", "MODEL is in this phase");
  line.text("dump-phases", o.dump, "DIR", "write the module after each phase");
  line.text("report", o.report, "FILE.json",
            "write what the program moves, computes and needs");
  line.flag("table", o.table, "print the report as a table");
  line.text("chunk-products", o.chunks, "AXES",
            "axes (tp+sp; *: all) over which products with collectives work "
            "chunk by chunk (default: those with which the modelled step is "
            "shortest, where --hardware is given)");
  line.text("split-all-reduces", o.halves, "GROUPS",
            "axes (tp,dp+tp; *: all) whose all_reduces go in halves, and what "
            "can be between them is computed on shards (default: those with "
            "which the modelled step is shortest, where --hardware is given)");
  line.integer("split-batch", o.splitBatch, 0,
               "parts of a batch, of which one computes while another "
               "communicates (default: as many as make the modelled step "
               "shortest, where --hardware is given)");
  line.integer("split-exchanges", o.splitExchanges, 0,
               "the same for the rows that experts exchange");
  line.text("keep", o.keep, "0,2,5",
            "products that a checkpointed loop would compute again and that "
            "are kept instead, by number (default: those that make the "
            "modelled step shorter, where --hardware is given)");
  line.text("quantize-collectives", o.quantize, "AXES",
            "axes (data+fsdp; *: all) over which large sums travel as bytes, "
            "each block with a scale, as whole numbers or (data:f8) small "
            "floats: changes results, --remarks says by how much (default: "
            "none)");
  line.text("compress-gradients", o.compress,
            "topk:RATIO@AXES|lowrank:RANK@AXES",
            "sums of gradients over axes (data+fsdp; *: all) send their largest "
            "elements, or factors of low rank; what is left out is added to the "
            "next step's, in arguments and results that the program has more "
            "then (report: role): changes results (default: none)");
  line.flag("remarks", o.remarks,
            "say what was changed about collectives, and the modelled gain");
  line.text("trace", o.trace, "FILE.json",
            "write the modelled timeline of a step on --hardware, for "
            "chrome://tracing or Perfetto");
  line.text("straggler", o.straggler, "RANK:FACTOR,…",
            "in the modelled step of report and trace, kernels of a rank take "
            "so many times as long");
  line.number("jitter", o.jitter,
              "in the modelled step of report and trace, each kernel takes "
              "longer by a random share of at most this");
  line.text("hardware", o.hardware, "NAME|FILE.json",
            "machine for modelled times: dgx-h100, dgx-h200, dgx-a100, "
            "gb200-nvl72, pcie-l40s, cpu, or a .json file");
  line.text("overlap", o.overlap, "none|blocks|loops",
            "how far collectives are hidden: not at all, behind what stands "
            "around them, or behind other iterations of a loop as well where "
            "that is faster (default: loops)");
  line.integer("memory-limit", o.memoryLimit, 0,
               "bytes a device should hold at most; values are computed again "
               "instead of held where that makes a program fit (default: the "
               "memory of --hardware, else no limit)");
  line.text("offload", o.offload, "auto|none",
            "whether values may go to the memory of the host and back where "
            "the memory limit requires something (default: auto, if that is "
            "modelled to be faster than to compute them again)");
  line.text(
      "emit", o.emit, "sdy|stablehlo",
      "print shardings in Shardy's syntax (with --compile-to=sharded), or "
      "plain StableHLO (with --compile-to=partitioned|optimized)");
  line.text("timings", o.timings, "FILE.json",
            "write the seconds that each phase took", /*hidden=*/true);
  line.text(
      "fatal", o.fatal, "spills",
      "what is an error rather than a warning: registers that performance "
      "kernels spill (target cuda)");
  line.flag("allow-tf32", o.allowTf32,
            "let products and convolutions of f32 with precision DEFAULT run in "
            "tf32\n(10 bits of mantissa) on the target cuda; else all bits "
            "count");
  line.text("dump-code", o.dumpCode, "DIR",
            "write the LLVM IR and PTX of kernels (target cuda)");
  line.flag("kernel-times", o.kernelTimes,
            "print how long kernels took to compile");
  line.flag("emulate", o.emulate, "kernels for the emulator of the tests",
            /*hidden=*/true);
  line.flag("single-device", o.singleDevice, "ignore all shardings");
  line.flag("print-locations", o.debugInfo, "print locations with the phases");
  std::vector<std::string> files;
  Result<CommandLine::Action> action = line.parse(argc, argv, files);
  if (!action)
    return fail(action.status());
  if (*action == CommandLine::Action::Help) {
    std::fputs(line.help().c_str(), stdout);
    return 0;
  }
  if (*action == CommandLine::Action::Version) {
    std::fputs(rt::versionText("shoal-compile").c_str(), stdout);
    return 0;
  }
  if (files.size() != 1)
    return fail(Status::badInput(
        files.empty() ? "no model given; usage: shoal-compile MODEL -o model.so"
                      : "more than one model given: '" + files[0] + "', '" +
                            files[1] + "'"));
  o.model = files[0];
  int code = compile(o);
  // Tearing down a large module takes longer than it is worth.
  llvm::outs().flush();
  std::fflush(stdout);
  ::_exit(code);
}
