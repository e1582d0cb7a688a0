// shoal-run: runs a model, compiled or not, on in-process ranks.
#include "Options.h"

#include "shoal/Support/Bytes.h"
#include "shoal/runtime/CommandLine.h"
#include "shoal/runtime/Cuda.h"
#include "shoal/runtime/ReportTable.h"
#include "shoal/runtime/World.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

using namespace shoal::rt;
namespace program = shoal::program;

static int fail(const Status &status) {
  if (!status.message().empty())
    std::fprintf(stderr, "shoal-run: error: %s\n", status.message().c_str());
  return static_cast<int>(status.code());
}

/// After a fault threads may still be busy with a rank: leave without waiting.
[[noreturn]] static void leave(int code) {
  std::fflush(stdout);
  std::fflush(stderr);
  ::_exit(code);
}

/// What a package was made for, then its program.
static std::string describePackage(const program::View &p) {
  const program::Header &h = p.header();
  auto text = [&](program::Str s) { return std::string(p.str(s)); };
  return "made by:  " + text(h.producer) + "\ntarget:   " + text(h.target) +
         ", " + text(h.chip) + "\nneeds:    " +
         (p.str(h.features).empty() ? "any processor of this kind"
                                    : text(h.features)) +
         "\nranks:    " + std::to_string(h.numRanks) +
         "\nmemory:   " + shoal::bytesText(static_cast<double>(h.arenaBytes)) +
         " of temporaries per rank\n\n" + program::print(p);
}

static Status checkOptions(const Options &o, const CommandLine &line) {
  if (o.target != "cpu" && o.target != "cuda")
    return Status::badInput("--target: '" + o.target +
                            "' is unknown; 'cpu' and 'cuda' are");
  if (o.target != "cuda" && (!o.chip.empty()))
    return Status::badInput("--chip needs --target=cuda");
  if (o.check.empty() && (line.given("rtol") || line.given("atol")))
    return Status::badInput("--rtol and --atol need --check=FILE.npz");
  if (::access(o.model.c_str(), R_OK) != 0)
    return readFile(o.model).status();
  return Status::ok();
}

static CudaOptions cudaOptions(const Options &o) {
  CudaOptions cuda;
  cuda.ranksPerDevice = o.ranksPerDevice;
  auto isSet = [](const char *name, bool otherwise) {
    const char *value = std::getenv(name);
    return value && *value ? *value != '0' : otherwise;
  };
  cuda.blocking = isSet("SHOAL_CUDA_BLOCKING", false);
  cuda.graphs = isSet("SHOAL_CUDA_GRAPHS", true);
  if (const char *file = std::getenv("SHOAL_FLIGHT_RECORDER"))
    cuda.flightRecorder = file;
  return cuda;
}

/// Files that appear only if the run succeeds, opened before it.
struct Outputs {
  NpzWriter results;
  AtomicFile report, hardware;

  Status open(const Options &o) {
    if (!o.output.empty()) {
      Result<NpzWriter> opened = NpzWriter::open(o.output);
      if (!opened)
        return opened.status();
      results = std::move(*opened);
    }
    for (auto [file, path] :
         {std::pair(&report, &o.report), std::pair(&hardware, &o.calibrate)}) {
      if (path->empty())
        continue;
      Result<AtomicFile> opened = AtomicFile::open(*path);
      if (!opened)
        return opened.status();
      *file = std::move(*opened);
    }
    return Status::ok();
  }
  void discard() {
    report.discard();
    hardware.discard();
    results = NpzWriter();
  }
};

/// Joins the other processes of the launcher; null where there are none.
static Result<std::unique_ptr<World>> joinWorld(const Options &o) {
  Result<ProcessPlace> place = findPlace();
  if (!place)
    return place.status();
  if (place->size == 1 || o.inspect)
    return std::unique_ptr<World>();
  return World::join(*place);
}

/// Compiles the model unless it is compiled. Process 0 does so first: the
/// others find its work in the cache, if they share it.
static Result<CompiledModel> findModel(Options &o, const InputSource &source,
                                       World *world) {
  if (looksLikePackage(o.model) || o.model.ends_with(".so")) {
    if (o.singleDevice)
      return Status::badInput("--single-device: '" + o.model +
                              "' is compiled for its devices; give the .mlir "
                              "file");
    return CompiledModel{o.model, false, ""};
  }
  if (!o.input.empty() && !source.random) {
    Result<std::string> shapes = argumentShapes(source.file);
    if (!shapes)
      return shapes.status();
    o.argumentShapes = *shapes;
  }
  constexpr World::Key ready{100, 0, 0, 0};
  bool isMain = !world || world->rank() == 0;
  if (!isMain && !world->take(0, ready))
    return Status::fault("process 0 could not compile the model");
  Result<CompiledModel> made = compileModel(o);
  if (!made) {
    if (world)
      world->abort("the model does not compile");
    return made;
  }
  for (int i = 1; isMain && world && i < world->size(); ++i)
    world->post(i, ready, {});
  return made;
}

/// Whether the package is what the options ask for.
static Status checkPackage(const program::View &p, const Options &o,
                           const CommandLine &line) {
  const program::Header &h = p.header();
  auto text = [&](program::Str s) { return std::string(p.str(s)); };
  if (!o.entry.empty() && p.str(h.entry) != o.entry)
    return Status::badInput("--entry: '" + o.model + "' was compiled for '" +
                            text(h.entry) + "', not for '" + o.entry + "'");
  if (!o.inspect && line.given("target") &&
      (text(h.target) == "cuda") != (o.target == "cuda"))
    return Status::badInput("--target=" + o.target + ": '" + o.model +
                            "' was compiled for target '" + text(h.target) +
                            "'");
  return Status::ok();
}

static Result<RunOptions> runOptions(const Options &o, bool onGpu) {
  RunOptions run;
  run.repeat = o.repeat;
  run.measure = !o.report.empty();
  run.profile = o.profile || !o.calibrate.empty();
  run.deadline = o.deadline;
  run.timeLimit = o.timeLimit;
  Result<std::vector<EmulatedLink>> links = parseLinks(o.links);
  if (!links)
    return Status::badInput("--emulate-links: " + links.status().message());
  if (onGpu && !links->empty())
    return Status::badInput("--emulate-links is for the target cpu");
  run.links = std::move(*links);
  run.progress = ::isatty(2);
  run.customCallLibraries = o.customCalls;
  if (const char *value = std::getenv("SHOAL_TEST_POISON"))
    run.poison = *value && *value != '0';
  if (const char *value = std::getenv("SHOAL_TEST_FAULT")) {
    run.fault = Fault::parse(value);
    if (!run.fault)
      return Status::badInput("SHOAL_TEST_FAULT: cannot read '" +
                              std::string(value) + "'");
  }
  if (const char *value = std::getenv("SHOAL_TEST_STALL_SECONDS"))
    run.stallSeconds = std::max(0.1, std::strtod(value, nullptr));
  return run;
}

static Status writeResults(NpzWriter &file, RunResult &result) {
  for (size_t i = 0; i < result.results.size(); ++i) {
    HostTensor &t = result.results[i];
    if (t.type == DType::Invalid)
      continue; // a token
    if (Status s =
            file.add("out" + std::to_string(i), t.type, t.shape, t.data());
        !s)
      return s;
  }
  return file.finish();
}

static Status writeText(AtomicFile &file, const std::string &text) {
  if (Status s = file.write(text); !s)
    return s;
  return file.commit();
}

/// Writes what was asked for, and prints the tables.
static Status writeOutputs(Outputs &outputs, const Options &o,
                           const program::View &p, RunResult &result,
                           const RunOptions &run, const std::string &timings) {
  if (!o.output.empty())
    if (Status s = writeResults(outputs.results, result); !s)
      return s;
  std::string report = o.report.empty() && !o.table && !o.profile
                           ? ""
                           : makeReport(p, result, timings);
  if (!o.report.empty())
    if (Status s = writeText(outputs.report, report); !s)
      return s;
  if (!o.calibrate.empty()) {
    std::string hardware = makeHardware(result.profile, run.links,
                                        p.str(p.header().target) == "cuda");
    if (hardware.empty())
      return Status::badInput(
          "--calibrate: the program has no kernels to measure");
    if (Status s = writeText(outputs.hardware, hardware); !s)
      return s;
  }
  if (o.table)
    std::fputs(reportTable(report).c_str(), stdout);
  if (o.profile)
    std::fputs(profileTable(report).c_str(), stdout);
  return Status::ok();
}

/// The exit code that the program's own checks and --check lead to.
static int judge(const Options &o, const RunResult &result) {
  std::vector<std::string> failures = result.failedChecks;
  if (!o.check.empty()) {
    std::vector<std::string> differences;
    double largest = 0;
    if (Status s = compareWithExpected(o, result.results, differences, largest);
        !s)
      return fail(s);
    if (differences.empty())
      std::printf("%zu results match '%s' (largest difference %.3g)\n",
                  result.results.size(), o.check.c_str(), largest);
    failures.insert(failures.end(), differences.begin(), differences.end());
  }
  for (const std::string &failure : failures)
    std::fprintf(stderr, "%s\n", failure.c_str());
  return failures.empty() ? 0 : 1;
}

static int runModel(Options &o, const CommandLine &line) {
  auto begin = std::chrono::steady_clock::now();
  if (o.timeLimit > 0)
    o.deadline =
        begin + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                    std::chrono::duration<double>(o.timeLimit));
  // Everything that can be known to be wrong is found before the work starts.
  if (Status s = checkOptions(o, line); !s)
    return fail(s);
  InputSource source;
  if (!o.input.empty()) {
    Result<InputSource> opened = openInput(o.input);
    if (!opened)
      return fail(opened.status());
    source = std::move(*opened);
  }
  if (!o.check.empty())
    if (Result<NpzReader> expected = NpzReader::open(o.check); !expected)
      return fail(expected.status());
  Outputs outputs;
  if (Status s = outputs.open(o); !s)
    return fail(s);
  Result<std::unique_ptr<World>> world = joinWorld(o);
  if (!world)
    return fail(world.status());
  // Before a model is compiled that could not run.
  if (o.target == "cuda" && !o.inspect) {
    Result<std::string> chip = chipOfThisMachine();
    if (!chip)
      return fail(chip.status());
    if (o.chip.empty())
      o.chip = *chip;
  }
  Result<CompiledModel> model = findModel(o, source, world->get());
  if (!model)
    return fail(model.status());
  Result<Package> package = Package::open(model->path);
  if (model->temporary)
    ::unlink(model->path.c_str());
  if (!package)
    return fail(package.status());
  const program::View &p = package->program();
  if (Status s = checkPackage(p, o, line); !s)
    return fail(s);
  if (o.inspect) {
    std::fputs(describePackage(p).c_str(), stdout);
    return 0;
  }
  Result<std::vector<HostTensor>> arguments = readArguments(p, o, source);
  if (!arguments)
    return fail(arguments.status());

  bool onGpu = p.str(p.header().target) == "cuda";
  Result<RunOptions> run = runOptions(o, onGpu);
  if (!run)
    return fail(run.status());
  run->world = world->get();
  installCrashHandler();
  Result<RunResult> result =
      onGpu ? runPackageOnCuda(*package, std::move(*arguments), *run,
                               cudaOptions(o))
            : runPackage(*package, std::move(*arguments), *run);
  if (!result) {
    int code = fail(result.status());
    outputs.discard();
    leave(code);
  }
  if (World *others = world->get()) {
    if (!others->meetAtEnd())
      return fail(others->status());
    if (others->rank() != 0) {
      outputs.discard();
      return 0;
    }
  }
  if (Status s = writeOutputs(outputs, o, p, *result, *run, model->timings); !s)
    return fail(s);
  return judge(o, *result);
}

int main(int argc, char **argv) {
  Options o;
  CommandLine line(
      "shoal-run", "shoal-run MODEL.mlir|model.so [options]",
      "Runs a model, on the CPU with one rank in this process for each device "
      "of "
      "its\nmesh, or on GPUs. A model that is not compiled is compiled first. "
      "Exits "
      "with "
      "0 when all checks\nhold, 1 when one fails, 2 on bad input, 3 when a "
      "rank "
      "fails or the time is up.");
  line.text("entry", o.entry, "NAME", "the function to run (default: main)");
  line.text("input", o.input, "FILE.npz",
            "values of the arguments: arrays arg0, arg1, …; or random[:SEED]");
  line.text("output", o.output, "FILE.npz", "write the results: out0, out1, …");
  line.text("check", o.check, "FILE.npz", "compare the results with out0, …");
  line.number("rtol", o.rtol, "relative tolerance of --check (default 0)");
  line.number("atol", o.atol, "absolute tolerance of --check (default 0)");
  line.text("report", o.report, "FILE.json",
            "write the compiler's report with measured times and bytes");
  line.flag("table", o.table, "print the report as a table");
  line.flag(
      "profile", o.profile, o.calibrate, "FILE.json",
      "print where a step's time goes, by kernel and the op it came from; to "
      "the file, what --calibrate writes");
  line.text("calibrate", o.calibrate, "FILE.json",
            "write how fast this machine was, by size of kernels and products, "
            "for shoal-compile --hardware=FILE.json");
  line.flag("inspect", o.inspect,
            "print what is in the package instead of running it");
  line.integer("repeat", o.repeat, 1,
               "measure N steps on the same inputs, after one more to warm up");
  line.flag("single-device", o.singleDevice,
            "ignore all shardings and run on one rank");
  line.text("target", o.target, "cpu|cuda", "where to run (default: cpu)");
  line.text("chip", o.chip, "sm_90a",
            "what to compile for with --target=cuda (default: this machine's)");
  line.flag(
      "allow-tf32", o.allowTf32,
      "let products and convolutions of f32 with precision DEFAULT run in "
      "tf32\n(10 bits of mantissa) on the target cuda; else all bits "
      "count");
  line.integer("ranks-per-device", o.ranksPerDevice, 1,
               "put N ranks on each GPU (default: one)");
  line.text(
      "emulate-links", o.links, "AXIS:GB/s:us,…",
      "let collectives over a mesh axis take as long as over a link of "
      "this\nbandwidth and latency (tp:10:2; '*' for all other axes, @host for "
      "copies to\nand from the memory of the host), to measure overlap");
  line.list("custom-calls", o.customCalls, "LIB.so",
            "library with functions for the model's custom calls");
  line.number("time-limit", o.timeLimit,
              "end with exit code 3 after so many seconds (default: none)");
  std::vector<std::string> files;
  Result<CommandLine::Action> action = line.parse(argc, argv, files);
  if (!action)
    return fail(action.status());
  if (*action == CommandLine::Action::Help) {
    std::fputs(line.help().c_str(), stdout);
    return 0;
  }
  if (*action == CommandLine::Action::Version) {
    std::fputs(versionText("shoal-run").c_str(), stdout);
    return 0;
  }
  if (files.size() != 1)
    return fail(Status::badInput(
        files.empty() ? "no model given; usage: shoal-run MODEL.mlir|model.so"
                      : "more than one model given: '" + files[0] + "', '" +
                            files[1] + "'"));
  o.model = files[0];
  int code = runModel(o, line);
  // The pool's threads are never joined.
  leave(code);
}
