// A bound on the memory that reading a file may take.
#include "ParseLimit.h"

#include "shoal/Pipelines/Register.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace shoal;

/// Kept for the handlers, which can allocate nothing.
static char sourceName[256];

[[noreturn]] static void giveUp(const char *reason) {
  char message[640];
  int length = std::snprintf(message, sizeof(message),
                             "%s: error: the file cannot be read: %s; it is "
                             "damaged, or has a number in it that is far too "
                             "large\n",
                             sourceName, reason);
  if (length > 0)
    length = write(STDERR_FILENO, message,
                   std::min<size_t>(length, sizeof(message) - 1));
  _exit(2);
}

static void onNewFailure() { giveUp("it takes too much memory"); }

static void onBadAlloc(void *, const char *, bool) { onNewFailure(); }

static void onFatalError(void *, const char *reason, bool) { giveUp(reason); }

/// How many bytes of addresses the process has mapped; 0 if not known.
static rlim_t getMappedBytes() {
  std::FILE *file = std::fopen("/proc/self/statm", "r");
  if (!file)
    return 0;
  unsigned long pages = 0;
  int read = std::fscanf(file, "%lu", &pages);
  std::fclose(file);
  return read == 1 ? rlim_t(pages) * sysconf(_SC_PAGESIZE) : 0;
}

ParseLimit::ParseLimit(llvm::MemoryBufferRef source) {
  llvm::StringRef name = source.getBufferIdentifier();
  size_t length = std::min(name.size(), sizeof(sourceName) - 1);
  std::memcpy(sourceName, name.data(), length);
  sourceName[length] = 0;
  getrlimit(RLIMIT_AS, &before);
  newHandler = std::set_new_handler(onNewFailure);
  llvm::install_bad_alloc_error_handler(onBadAlloc);
  llvm::install_fatal_error_handler(onFatalError);
  rlim_t mapped = getMappedBytes();
  rlim_t allowed = mapped + (rlim_t(2) << 30) + 64 * source.getBufferSize();
  if (mapped != 0 && allowed < before.rlim_cur) {
    rlimit limit = before;
    limit.rlim_cur = allowed;
    setrlimit(RLIMIT_AS, &limit);
  }
}

ParseLimit::~ParseLimit() {
  setrlimit(RLIMIT_AS, &before);
  llvm::remove_fatal_error_handler();
  llvm::remove_bad_alloc_error_handler();
  std::set_new_handler(newHandler);
}

bool shoal::survivesReading(llvm::function_ref<void()> read,
                            bool exitIsFailure) {
  pid_t child = fork();
  if (child < 0)
    return true; // No process to be had: read it, then.
  if (child == 0) {
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    read();
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return true;
  // Any exit will do: errors are found again, and reported, by the parent.
  return WIFEXITED(status) && !(exitIsFailure && WEXITSTATUS(status) != 0);
}

bool shoal::isReadable(llvm::StringRef file,
                       const mlir::DialectRegistry &registry) {
  if (file == "-")
    return true;
  auto buffer = llvm::MemoryBuffer::getFile(file);
  if (!buffer)
    return true; // whoever opens it says why
  auto read = [&] {
    ParseLimit limit(**buffer);
    mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
    auto sources = std::make_shared<llvm::SourceMgr>();
    sources->AddNewSourceBuffer(
        llvm::MemoryBuffer::getMemBuffer(**buffer,
                                         /*RequiresNullTerminator=*/true),
        llvm::SMLoc());
    mlir::ParserConfig config(&context, /*verifyAfterParse=*/false);
    mlir::Block block;
    (void)mlir::parseSourceFile(sources, &block, config);
  };
  if (survivesReading(read, /*exitIsFailure=*/true))
    return true;
  llvm::errs() << file
               << ":1:1: error: the file cannot be read: it is damaged, or has "
                  "a number in it that is far too large\n";
  return false;
}
