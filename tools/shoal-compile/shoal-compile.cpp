// shoal-compile: from a model to a shared object, or to any phase between.

#include "Options.h"

#include "shoal/Pipelines/Register.h"
#include "shoal/runtime/AtomicFile.h"
#include "shoal/runtime/ReportTable.h"

#include "llvm/Support/FileSystem.h"

#include <cstdio>
#include <unistd.h>

using namespace shoal;
using rt::AtomicFile;
using rt::CommandLine;
using rt::Result;
using rt::Status;

namespace {

int fail(const Status &status) {
  llvm::errs() << "shoal-compile: error: " << status.message() << "\n";
  return static_cast<int>(status.code());
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
  if (o.printLocations)
    flags.enableDebugInfo();
  // What others read.
  if (!o.emit.empty() && hasLongBooleans(module))
    flags.printLargeElementsAttrWithHex(-1);
  module->print(os, flags);
  os << "\n";
}

/// What compiling writes. Files are opened before the work, and appear only if
/// it succeeds.
struct Outputs {
  AtomicFile output, report, trace;

  Status open(const Options &o) {
    std::pair<AtomicFile *, std::string> files[] = {
        {&output, o.writesToStdout() ? "" : o.output},
        {&report, o.report == "-" ? "" : o.report},
        {&trace, o.trace}};
    for (auto &[file, path] : files) {
      if (path.empty())
        continue;
      Result<AtomicFile> opened = AtomicFile::open(path);
      if (!opened)
        return opened.status();
      *file = std::move(*opened);
    }
    if (!o.dumpPhases.empty())
      if (std::error_code code =
              llvm::sys::fs::create_directories(o.dumpPhases))
        return Status::badInput("--dump-phases: cannot make '" + o.dumpPhases +
                                "': " + code.message());
    return Status::ok();
  }

  Status write(const Options &o, const Compiled &compiled, Phase to);

private:
  static Status finish(AtomicFile &file, llvm::StringRef content) {
    if (Status s = file.write(content.data(), content.size()); !s)
      return s;
    return file.commit();
  }
};

Status Outputs::write(const Options &o, const Compiled &compiled, Phase to) {
  std::string text;
  llvm::StringRef content;
  if (to == Phase::Binary) {
    content = {compiled.binary.data(), compiled.binary.size()};
  } else if (!o.writesToStdout() || o.report.empty()) {
    llvm::raw_string_ostream os(text);
    printModule(*compiled.module, os, o);
    content = text;
  }
  if (o.writesToStdout())
    llvm::outs() << content;
  else if (Status s = finish(output, content); !s)
    return s;
  if (o.report == "-")
    llvm::outs() << compiled.report;
  else if (!o.report.empty())
    if (Status s = finish(report, compiled.report); !s)
      return s;
  if (!o.trace.empty())
    if (Status s = finish(trace, compiled.trace); !s)
      return s;
  if (o.table)
    llvm::outs() << rt::reportTable(compiled.report);
  llvm::outs().flush();
  return Status::ok();
}

Status writeText(const std::string &path, llvm::StringRef text) {
  Result<AtomicFile> file = AtomicFile::open(path);
  Status status = file ? file->write(text) : file.status();
  return status ? file->commit() : status;
}

/// --dump-phases: a file for each phase.
mlir::LogicalResult dump(const Options &o, Phase phase, mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  printModule(module, os, o);
  if (Status s = writeText(o.dumpPhases + "/" +
                               std::to_string(static_cast<int>(phase)) + "-" +
                               stringifyPhase(phase).str() + ".mlir",
                           text);
      !s)
    return module.emitError() << s.message();
  return mlir::success();
}

/// --timings: {"imported": 0.01, …}.
Status writeTimings(const Options &o, const Compiled &compiled) {
  std::string times;
  for (auto &[phase, seconds] : compiled.seconds)
    times += (times.empty() ? "{\"" : ", \"") + stringifyPhase(phase).str() +
             "\": " + std::to_string(seconds);
  if (!writeText(o.timings, times + "}\n"))
    return Status::badInput("cannot write '" + o.timings + "'");
  return Status::ok();
}

int compile(const Options &o) {
  Result<CompileOptions> options = compileOptions(o);
  if (!options)
    return fail(options.status());
  std::string error;
  auto source = readSource(o.model, error);
  if (mlir::failed(source))
    return fail(Status::badInput("cannot read '" + o.model + "': " + error));
  Outputs outputs;
  if (Status s = outputs.open(o); !s)
    return fail(s);

  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  registerAllPasses();
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  DiagnosticPrinter printer(context, **source, llvm::errs());
  if (!o.dumpPhases.empty())
    options->onPhase = [&](Phase phase, mlir::ModuleOp module) {
      return dump(o, phase, module);
    };
  mlir::FailureOr<Compiled> compiled =
      compileModule(**source, *options, context);
  if (mlir::failed(compiled)) {
    if (printer.numErrors() == 0)
      llvm::errs() << o.model << ":1:1: error: compilation failed without a "
                   << "diagnostic (internal error)\n";
    return 2;
  }
  if (!o.timings.empty())
    if (Status s = writeTimings(o, *compiled); !s)
      return fail(s);
  if (Status s = outputs.write(o, *compiled, options->to); !s)
    return fail(s);
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
  declareOptions(line, o);
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
