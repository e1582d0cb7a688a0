// Compiles and runs many small programs, each in a forked process.
//
//   shoal-run-server
//
// For the fuzzers: what shoal-run does for one program, without starting and
// loading the compiler for each. A request is one line of tab-separated words
//
//   SECONDS  LOG  MODEL  OUTPUT  MODE  VARIABLE=VALUE…  --OPTION…  --  [RUN…]
//
// The model is compiled to OUTPUT, by MODE for all ranks (`ranks`), for one
// (`single`), or only partitioned and printed as plain StableHLO (`stablehlo`),
// with options of shoal-compile, and some of the pipelines' that only its
// search for the best program sets (`setOption`);
// then the command RUN, if any (shoal-run and its arguments), replaces the
// process. Messages go to LOG.
// The answer is a line with the exit code, or with minus the signal's number
// (SIGALRM where SECONDS have passed).
#include "shoal/Pipelines/Compile.h"
#include "shoal/Pipelines/Register.h"

#include "dialects/Plan/Plan.h"

#include "llvm/Support/FileSystem.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <sys/wait.h>
#include <unistd.h>

using namespace shoal;

namespace {

/// One of the options that docs/overlap.md is about; false if it is none.
bool setOption(llvm::StringRef text, CompileOptions &o) {
  auto [name, value] = text.drop_front(2).split('=');
  if (name == "hardware")
    o.hardware = value;
  else if (name == "chunk-products")
    o.chunkProducts = value;
  else if (name == "overlap")
    o.overlap = value == "none"     ? Overlap::None
                : value == "blocks" ? Overlap::Blocks
                                    : Overlap::Loops;
  else if (name == "as-given")
    o.choose = false;
  else if (name == "no-combining")
    o.combine = false;
  else if (name == "axis-times")
    o.axisTimes = true;
  else if (name == "split-all-reduces")
    o.splitAllReduces = value;
  else if (name == "split-levels")
    o.splitLevels = true;
  else if (name == "remarks")
    o.remarks = true;
  else if (name == "memory-limit")
    return !value.getAsInteger(10, o.memoryLimit);
  else if (name == "fit-target")
    return !value.getAsInteger(10, o.fitTarget);
  else if (name == "offload")
    o.offload = true;
  else if (name == "offload-stacks")
    o.offloadStacks = true;
  else if (name == "save-stacks")
    return !value.getAsInteger(10, o.saveStacks);
  else if (name == "split-batch")
    return !value.getAsInteger(10, o.splitBatch);
  else if (name == "split-exchanges")
    return !value.getAsInteger(10, o.splitExchanges);
  else if (name == "keep") {
    int64_t &number = o.keep.emplace_back();
    return !value.getAsInteger(10, number);
  } else {
    return false;
  }
  return true;
}

/// Compiles as shoal-compile does; the exit code.
int compile(const std::string &model, const std::string &binary,
            const std::string &mode, llvm::ArrayRef<std::string> flags,
            mlir::MLIRContext &context) {
  std::string error;
  auto source = readSource(model, error);
  if (mlir::failed(source)) {
    llvm::errs() << "cannot read '" << model << "': " << error << "\n";
    return 2;
  }
  DiagnosticPrinter printer(context, **source, llvm::errs());
  CompileOptions options;
  options.singleDevice = mode == "single";
  if (mode == "stablehlo") {
    options.to = Phase::Partitioned;
    options.emit = mode;
  }
  for (const std::string &flag : flags)
    if (!setOption(flag, options)) {
      llvm::errs() << "shoal-run-server: bad option '" << flag << "'\n";
      return 2;
    }
  mlir::FailureOr<Compiled> compiled =
      compileModule(**source, options, context);
  if (mlir::failed(compiled))
    return 2;
  if (options.remarks) {
    // What else the fuzzers count.
    int64_t started = 0;
    compiled->module->walk([&](plan::CollectiveStartOp) { ++started; });
    if (started)
      llvm::errs() << "remark: " << started << " collectives are started\n";
  }
  std::error_code code;
  llvm::raw_fd_ostream os(binary, code);
  if (code)
    return 2;
  if (options.to == Phase::Binary)
    os.write(compiled->binary.data(), compiled->binary.size());
  else
    os << *compiled->module << "\n";
  return 0;
}

/// What the forked process does; never returns.
[[noreturn]] void serve(std::vector<std::string> words,
                        mlir::MLIRContext &context) {
  ::alarm(static_cast<unsigned>(std::atoi(words[0].c_str())));
  int log = ::open(words[1].c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, 0);
  ::dup2(log, 1);
  ::dup2(log, 2);
  size_t i = 5;
  std::vector<std::string> flags;
  for (; i < words.size() && words[i] != "--"; ++i)
    if (words[i].starts_with("--"))
      flags.push_back(words[i]);
    else
      ::putenv(words[i].data());
  if (int code = compile(words[2], words[3], words[4], flags, context))
    ::_exit(code);
  std::vector<char *> argv;
  for (++i; i < words.size(); ++i)
    argv.push_back(words[i].data());
  if (argv.empty())
    ::_exit(0);
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

} // namespace

int main() {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  registerAllPasses();
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  for (std::string line; std::getline(std::cin, line);) {
    std::vector<std::string> words(1);
    for (char c : line) {
      if (c == '\t')
        words.emplace_back();
      else
        words.back() += c;
    }
    if (words.size() < 6) {
      std::fprintf(stderr,
                   "shoal-run-server: a request has at least 6 words\n");
      return 2;
    }
    pid_t child = ::fork();
    if (child == 0)
      serve(std::move(words), context);
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) < 0)
      return 2;
    std::printf("%d\n",
                WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
    std::fflush(stdout);
  }
  return 0;
}
