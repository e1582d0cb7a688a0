// shoal-run: runs a model, compiled or not, on in-process ranks.
#include "Options.h"

#include "shoal/runtime/CommandLine.h"
#include "shoal/runtime/Cuda.h"
#include "shoal/runtime/Npz.h"
#include "shoal/runtime/Random.h"
#include "shoal/runtime/ReportTable.h"
#include "shoal/runtime/World.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
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

struct InputSource {
  bool random = false;
  uint64_t seed = 0;
  NpzReader file;
};

static Result<InputSource> openInput(const std::string &text) {
  InputSource source;
  if (text != "random" && text.rfind("random:", 0) != 0) {
    Result<NpzReader> file = NpzReader::open(text);
    if (!file)
      return file.status();
    source.file = std::move(*file);
    return source;
  }
  source.random = true;
  if (text.size() > 7) {
    char *end;
    source.seed = std::strtoull(text.c_str() + 7, &end, 10);
    if (*end || text[7] == '-')
      return Status::badInput("--input: '" + text +
                              "' has no number after 'random:'");
  } else if (text.size() == 7) {
    return Status::badInput("--input: 'random:' needs a number after it");
  }
  return source;
}

/// Shapes of the arrays that are arguments. Those of a program that is
/// polymorphic in its sizes follow from them.
static Result<std::string> argumentShapes(const NpzReader &file) {
  std::string text;
  for (const std::string &name : file.names()) {
    if (name.size() < 4 || name.compare(0, 3, "arg") != 0 ||
        name.find_first_not_of("0123456789", 3) != std::string::npos)
      continue;
    Result<std::vector<int64_t>> shape = file.shape(name);
    if (!shape)
      return shape.status();
    text += (text.empty() ? "" : ",") + name + ":";
    if (shape->empty())
      text += "scalar";
    for (size_t i = 0; i < shape->size(); ++i)
      text += (i ? "x" : "") + std::to_string((*shape)[i]);
  }
  return text;
}

/// The global values of all arguments.
static Result<std::vector<HostTensor>>
readArguments(const program::View &p, const Options &options,
              const InputSource &source) {
  std::vector<HostTensor> arguments;
  std::set<std::string> known;
  std::set<size_t> added = addedArguments(p);
  auto records = p.section<program::Argument>(program::Section::Arguments);
  for (size_t i = 0; i < records.size(); ++i) {
    DType type = p.type(records[i].globalType).dtype;
    auto dims = p.shape(records[i].globalType);
    std::vector<int64_t> shape(dims.begin(), dims.end());
    std::string key = "arg" + std::to_string(i);
    known.insert(key);
    // A token needs no value.
    bool isToken = isEmptyToken(type, shape) && !source.file.contains(key);
    // State that the compiler added is zero at first.
    bool isFirst = !source.file.contains(key) && added.count(i);
    if (source.random || type == DType::Invalid || isToken || isFirst) {
      HostTensor t{type, shape, {}};
      int64_t bytes = numBytes(type, shape);
      t.buffer =
          AlignedBuffer(static_cast<size_t>(std::max<int64_t>(bytes, 0)));
      if (bytes < 0 || !t.buffer.isValid())
        return Status::badInput("not enough memory for argument " + key + ", " +
                                describe(type, shape));
      if (isFirst)
        std::memset(t.buffer.data(), 0, static_cast<size_t>(bytes));
      else if (type != DType::Invalid)
        fillRandom(t, source.seed, i);
      arguments.push_back(std::move(t));
      continue;
    }
    if (options.input.empty())
      return Status::badInput("argument '" + key + "', " +
                              describe(type, shape) +
                              ", has no value; give --input=FILE.npz with '" +
                              key + "' in it, or --input=random");
    if (!source.file.contains(key))
      return Status::badInput("'" + options.input + "' has no array '" + key +
                              "' for the argument " + describe(type, shape));
    Result<HostTensor> t = source.file.read(key, type, shape);
    if (!t)
      return t.status();
    arguments.push_back(std::move(*t));
  }
  if (!source.random && !options.input.empty())
    for (const std::string &name : source.file.names())
      if (!known.count(name))
        std::fprintf(stderr,
                     "shoal-run: warning: '%s': array '%s' is not an argument "
                     "of the model and is ignored\n",
                     options.input.c_str(), name.c_str());
  return arguments;
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
         "\nmemory:   " + bytesText(static_cast<double>(h.arenaBytes)) +
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

static int runModel(Options &o, const CommandLine &line) {
  auto begin = std::chrono::steady_clock::now();
  if (o.timeLimit > 0)
    o.deadline =
        begin + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                    std::chrono::duration<double>(o.timeLimit));
  if (Status s = checkOptions(o, line); !s)
    return fail(s);
  // Everything that can be known to be wrong is found before the work starts.
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
  NpzWriter output;
  if (!o.output.empty()) {
    Result<NpzWriter> opened = NpzWriter::open(o.output);
    if (!opened)
      return fail(opened.status());
    output = std::move(*opened);
  }
  AtomicFile reportFile, hardwareFile;
  for (auto [file, path] : {std::pair(&reportFile, &o.report),
                            std::pair(&hardwareFile, &o.calibrate)}) {
    if (path->empty())
      continue;
    Result<AtomicFile> opened = AtomicFile::open(*path);
    if (!opened)
      return fail(opened.status());
    *file = std::move(*opened);
  }

  Result<ProcessPlace> place = findPlace();
  if (!place)
    return fail(place.status());
  std::unique_ptr<World> world;
  if (place->size > 1 && !o.inspect) {
    Result<std::unique_ptr<World>> joined = World::join(*place);
    if (!joined)
      return fail(joined.status());
    world = std::move(*joined);
  }
  bool isMain = !world || world->rank() == 0;

  // Before a model is compiled that could not run.
  if (o.target == "cuda" && !o.inspect) {
    Result<std::string> chip = chipOfThisMachine();
    if (!chip)
      return fail(chip.status());
    if (o.chip.empty())
      o.chip = *chip;
  }
  bool compiled = looksLikePackage(o.model) || o.model.ends_with(".so");
  CompiledModel model{o.model, false, ""};
  if (!compiled) {
    if (!o.input.empty() && !source.random) {
      Result<std::string> shapes = argumentShapes(source.file);
      if (!shapes)
        return fail(shapes.status());
      o.argumentShapes = *shapes;
    }
    // Process 0 first: the others find its work in the cache, if they share it.
    constexpr World::Key ready{100, 0, 0, 0};
    if (!isMain && !world->take(0, ready))
      return fail(Status::fault("process 0 could not compile the model"));
    Result<CompiledModel> made = compileModel(o);
    if (!made) {
      if (world)
        world->abort("the model does not compile");
      return fail(made.status());
    }
    model = *made;
    for (int i = 1; isMain && world && i < world->size(); ++i)
      world->post(i, ready, {});
  } else if (o.singleDevice) {
    return fail(Status::badInput("--single-device: '" + o.model +
                                 "' is compiled for its devices; give "
                                 "the .mlir file"));
  }
  Result<Package> package = Package::open(model.path);
  if (model.temporary)
    ::unlink(model.path.c_str());
  if (!package)
    return fail(package.status());
  const program::View &p = package->program();
  if (compiled && !o.entry.empty() && p.str(p.header().entry) != o.entry)
    return fail(Status::badInput(
        "--entry: '" + o.model + "' was compiled for '" +
        std::string(p.str(p.header().entry)) + "', not for '" + o.entry + "'"));

  if (o.inspect) {
    std::fputs(describePackage(p).c_str(), stdout);
    return 0;
  }
  bool onGpu = p.str(p.header().target) == "cuda";
  if (line.given("target") && onGpu != (o.target == "cuda"))
    return fail(Status::badInput("--target=" + o.target + ": '" + o.model +
                                 "' was compiled for target '" +
                                 std::string(p.str(p.header().target)) + "'"));
  Result<std::vector<HostTensor>> arguments = readArguments(p, o, source);
  if (!arguments)
    return fail(arguments.status());

  RunOptions run;
  run.repeat = o.repeat;
  run.measure = !o.report.empty();
  run.profile = o.profile || !o.calibrate.empty();
  run.world = world.get();
  run.deadline = o.deadline;
  run.timeLimit = o.timeLimit;
  Result<std::vector<EmulatedLink>> links = parseLinks(o.links);
  if (!links)
    return fail(
        Status::badInput("--emulate-links: " + links.status().message()));
  if (onGpu && !links->empty())
    return fail(Status::badInput("--emulate-links is for the target cpu"));
  run.links = std::move(*links);
  run.progress = ::isatty(2);
  run.customCallLibraries = o.customCalls;
  if (const char *value = std::getenv("SHOAL_TEST_POISON"))
    run.poison = *value && *value != '0';
  if (const char *value = std::getenv("SHOAL_TEST_FAULT")) {
    run.fault = Fault::parse(value);
    if (!run.fault)
      return fail(Status::badInput("SHOAL_TEST_FAULT: cannot read '" +
                                   std::string(value) + "'"));
  }
  if (const char *value = std::getenv("SHOAL_TEST_STALL_SECONDS"))
    run.stallSeconds = std::max(0.1, std::strtod(value, nullptr));
  installCrashHandler();
  Result<RunResult> result =
      onGpu ? runPackageOnCuda(*package, std::move(*arguments), run,
                               cudaOptions(o))
            : runPackage(*package, std::move(*arguments), run);
  if (!result) {
    int code = fail(result.status());
    reportFile.discard();
    hardwareFile.discard();
    output = NpzWriter();
    leave(code);
  }
  if (world && !world->meetAtEnd())
    return fail(world->status());
  if (!isMain) {
    reportFile.discard();
    hardwareFile.discard();
    output = NpzWriter();
    return 0;
  }

  int code = 0;
  for (const std::string &failure : result->failedChecks) {
    std::fprintf(stderr, "%s\n", failure.c_str());
    code = 1;
  }
  if (!o.output.empty()) {
    for (size_t i = 0; i < result->results.size(); ++i) {
      HostTensor &t = result->results[i];
      if (t.type == DType::Invalid)
        continue; // a token
      if (Status s =
              output.add("out" + std::to_string(i), t.type, t.shape, t.data());
          !s)
        return fail(s);
    }
    if (Status s = output.finish(); !s)
      return fail(s);
  }
  std::string report = o.report.empty() && !o.table && !o.profile
                           ? ""
                           : makeReport(p, *result, model.timings);
  if (!o.report.empty()) {
    if (Status s = reportFile.write(report); !s)
      return fail(s);
    if (Status s = reportFile.commit(); !s)
      return fail(s);
  }
  if (!o.calibrate.empty()) {
    std::string hardware = makeHardware(result->profile, run.links, onGpu);
    if (hardware.empty())
      return fail(Status::badInput(
          "--calibrate: the program has no kernels to measure"));
    if (Status s = hardwareFile.write(hardware); !s)
      return fail(s);
    if (Status s = hardwareFile.commit(); !s)
      return fail(s);
  }
  if (o.table)
    std::fputs(reportTable(report).c_str(), stdout);
  if (o.profile)
    std::fputs(profileTable(report).c_str(), stdout);
  if (!o.check.empty()) {
    std::vector<std::string> failures;
    double largest = 0;
    if (Status s = compareWithExpected(o, result->results, failures, largest);
        !s)
      return fail(s);
    for (const std::string &failure : failures) {
      std::fprintf(stderr, "%s\n", failure.c_str());
      code = 1;
    }
    if (failures.empty())
      std::printf("%zu results match '%s' (largest difference %.3g)\n",
                  result->results.size(), o.check.c_str(), largest);
  }
  return code;
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
  line.text("emulate-links", o.links, "AXIS:GB/s:us,…",
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
