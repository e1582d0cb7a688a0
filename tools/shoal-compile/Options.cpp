#include "Options.h"

#include "shoal/Analysis/Hardware.h"
#include "shoal/Codegen/GPU/Chip.h"

#include <cstdlib>

using namespace shoal;
using rt::CommandLine;
using rt::Result;
using rt::Status;

void shoal::declareOptions(CommandLine &line, Options &o) {
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
  line.text("compile-to", o.compileTo, "PHASE",
            "stop after a phase and print it");
  line.text("compile-from", o.compileFrom, "PHASE", "MODEL is in this phase");
  line.text("dump-phases", o.dumpPhases, "DIR",
            "write the module after each phase");
  line.text("report", o.report, "FILE.json",
            "write what the program moves, computes and needs");
  line.flag("table", o.table, "print the report as a table");
  line.text("chunk-products", o.chunkProducts, "AXES",
            "axes (tp+sp; *: all) over which products with collectives work "
            "chunk by chunk (default: those with which the modelled step is "
            "shortest, where --hardware is given)");
  line.text("split-all-reduces", o.splitAllReduces, "GROUPS",
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
  line.text("quantize-collectives", o.quantizeCollectives, "AXES",
            "axes (data+fsdp; *: all) over which large sums travel as bytes, "
            "each block with a scale, as whole numbers or (data:f8) small "
            "floats: changes results, --remarks says by how much (default: "
            "none)");
  line.text(
      "compress-gradients", o.compressGradients,
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
  line.flag(
      "allow-tf32", o.allowTf32,
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
  line.flag("print-locations", o.printLocations,
            "print locations with the phases");
}

static Result<Phase> phaseOption(const char *option, const std::string &text,
                                 Phase otherwise) {
  if (text.empty())
    return otherwise;
  if (std::optional<Phase> phase = parsePhase(text))
    return *phase;
  return Status::badInput(std::string("--") + option + ": '" + text +
                          "' is no phase; phases are " + phaseList());
}

/// "0,2,5"; false if it is not that.
static bool readNumbers(llvm::StringRef text, std::vector<int64_t> &numbers) {
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
static bool
readStragglers(llvm::StringRef text,
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

static Status checkChip(const std::string &target, const std::string &chip) {
  // CPU names are LLVM's; the code generator knows them.
  if (chip.empty() || target == "cpu" || gpu::findChip(chip))
    return Status::ok();
  return Status::badInput("--chip: '" + chip +
                          "' is unknown for the target 'cuda'; known are " +
                          gpu::chipList());
}

/// What needs no other option but itself.
static Status checkValues(const Options &o) {
  if (o.target != "cpu" && o.target != "cuda")
    return Status::badInput("--target: '" + o.target +
                            "' is unknown; 'cpu' and 'cuda' are");
  if (Status s = checkChip(o.target, o.chip); !s)
    return s;
  if (!o.fatal.empty() && o.fatal != "spills")
    return Status::badInput("--fatal: '" + o.fatal +
                            "' is unknown; 'spills' is");
  if (o.argumentShapes.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyz0123456789:,") != std::string::npos)
    return Status::badInput("--argument-shapes: cannot read '" +
                            o.argumentShapes +
                            "'; write arg0:4x8,arg1:16,arg2:scalar");
  if (o.offload != "auto" && o.offload != "none")
    return Status::badInput("--offload: '" + o.offload +
                            "' is neither auto nor none");
  if (o.overlap != "none" && o.overlap != "blocks" && o.overlap != "loops")
    return Status::badInput("--overlap: '" + o.overlap +
                            "' is unknown; none, blocks and loops are");
  std::string hardwareError;
  if (mlir::failed(getHardware(o.hardware, hardwareError)))
    return Status::badInput("--hardware: " + hardwareError);
  return Status::ok();
}

/// What is written of a phase that may not be reached, or not be the last.
static Status checkOutputs(const Options &o, Phase to) {
  if (to == Phase::Binary && o.output.empty())
    return Status::badInput("no output; give -o model.so, or "
                            "--compile-to=PHASE to print a phase");
  if (!o.report.empty() && to < Phase::Partitioned)
    return Status::badInput("--report needs --compile-to=partitioned or "
                            "a later phase");
  if (!o.trace.empty() && to < Phase::Scheduled)
    return Status::badInput("--trace needs --compile-to=scheduled or a "
                            "later phase");
  if (!o.emit.empty()) {
    bool sdy = o.emit == "sdy", plain = o.emit == "stablehlo";
    if (!sdy && !plain)
      return Status::badInput("--emit: '" + o.emit +
                              "' is unknown; 'sdy' and 'stablehlo' are");
    if (sdy && to != Phase::Sharded)
      return Status::badInput("--emit=sdy needs --compile-to=sharded");
    if (plain && to != Phase::Partitioned && to != Phase::Optimized)
      return Status::badInput("--emit=stablehlo needs "
                              "--compile-to=partitioned or optimized");
  }
  return Status::ok();
}

Result<CompileOptions> shoal::compileOptions(const Options &o) {
  Result<Phase> from = phaseOption("compile-from", o.compileFrom, Phase::Input);
  if (!from)
    return from.status();
  // Without a file to write the report is all there is to do, and needs no
  // code.
  Phase last =
      o.output.empty() && !o.report.empty() ? Phase::Scheduled : Phase::Binary;
  Result<Phase> to = phaseOption("compile-to", o.compileTo, last);
  if (!to)
    return to.status();
  if (*to < *from)
    return Status::badInput("--compile-to=" + o.compileTo +
                            " is before --compile-from=" + o.compileFrom);
  if (*from == Phase::Binary)
    return Status::badInput(
        "--compile-from: a binary cannot be compiled further");
  if (Status s = checkValues(o); !s)
    return s;
  if (Status s = checkOutputs(o, *to); !s)
    return s;

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
    return Status::badInput("--keep: '" + o.keep +
                            "' is no list of numbers like 0,2,5");
  if (!readStragglers(o.straggler, options.stragglers))
    return Status::badInput("--straggler: '" + o.straggler +
                            "' is no list of ranks and factors of at "
                            "least 1 like 3:1.5,7:2");
  options.jitter = o.jitter;
  options.chunkProducts = o.chunkProducts;
  options.quantizeCollectives = o.quantizeCollectives;
  options.compressGradients = o.compressGradients;
  options.splitAllReduces = o.splitAllReduces;
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
  return options;
}
