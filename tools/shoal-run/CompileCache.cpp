// Compiling through shoal-compile, and the cache of what it made.
//
// An entry's name is a hash of everything that the result depends on, so an
// entry is never wrong, only unused. Entries appear by rename and disappear by
// unlink, both atomic, so any number of processes may share a folder.
#include "Options.h"

#include "shoal/runtime/AtomicFile.h"
#include "shoal/runtime/Program.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

extern char **environ;

namespace shoal::rt {

namespace {

constexpr uint64_t cacheLimit = uint64_t{1} << 30;

/// The compiler beside this program, else one in PATH.
std::string compilerPath() {
  char self[4096];
  ssize_t n = ::readlink("/proc/self/exe", self, sizeof(self) - 1);
  if (n > 0) {
    std::string path(self, static_cast<size_t>(n));
    path.resize(path.rfind('/') + 1);
    path += "shoal-compile";
    if (::access(path.c_str(), X_OK) == 0)
      return path;
  }
  const char *search = std::getenv("PATH");
  for (std::string rest = search ? search : ""; !rest.empty();) {
    size_t colon = rest.find(':');
    std::string path = rest.substr(0, colon) + "/shoal-compile";
    if (::access(path.c_str(), X_OK) == 0)
      return path;
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  return "";
}

bool makeFolders(const std::string &path) {
  for (size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at + 1);
    std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0777) != 0 && errno != EEXIST)
      return false;
  }
  return ::access(path.c_str(), W_OK | X_OK) == 0;
}

/// The cache's folder, made if need be; "" if there is none to be had.
std::string cacheFolder() {
  std::string folder;
  if (const char *given = std::getenv("SHOAL_CACHE_DIR"))
    folder = given;
  else if (const char *home = std::getenv("HOME"); home && *home)
    folder = std::string(home) + "/.cache/shoal";
  if (folder.empty() || !makeFolders(folder))
    return "";
  return folder;
}

/// What kind of processor this is: kernels are compiled for it.
std::string processor() {
  Result<std::string> info = readFile("/proc/cpuinfo");
  if (!info)
    return "";
  std::string text;
  for (const char *key : {"model name", "flags"}) {
    size_t at = info->find(key);
    if (at != std::string::npos)
      text += info->substr(at, info->find('\n', at) - at);
  }
  return text;
}

std::string cacheKey(const Options &o, const std::string &content,
                     const std::string &compiler) {
  struct stat info = {};
  ::stat(compiler.c_str(), &info);
  std::string options =
      "v1." + std::to_string(program::kVersion) + "|" + o.entry + "|" +
      o.argumentShapes + "|" + o.target + "|" + o.chip + "|" +
      (o.singleDevice ? "1" : "N") + (o.allowTf32 ? "|tf32|" : "|") +
      std::to_string(info.st_size) + "|" + std::to_string(info.st_mtim.tv_sec) +
      "." + std::to_string(info.st_mtim.tv_nsec) + "|" + processor() + "|" +
      o.model;
  for (const char *test :
       {"SHOAL_TEST_FORMS", "SHOAL_TEST_OPT_LEVEL", "SHOAL_TEST_EMULATE",
        "SHOAL_TEST_OFFLOAD_STACKS", "SHOAL_TEST_SCHEDULE",
        "SHOAL_TEST_SPLIT_ALL_REDUCES", "SHOAL_TEST_SPLIT_BATCH",
        "SHOAL_TEST_SPLIT_EXCHANGES", "SHOAL_TEST_CHUNK_PRODUCTS"})
    if (const char *value = std::getenv(test))
      options += std::string("|") + test + " " + value;
  XXH128_hash_t a = XXH3_128bits(content.data(), content.size());
  XXH128_hash_t b =
      XXH3_128bits_withSeed(options.data(), options.size(), a.low64);
  char text[80];
  std::snprintf(text, sizeof(text), "%016llx%016llx",
                static_cast<unsigned long long>(a.high64 ^ b.high64),
                static_cast<unsigned long long>(b.low64));
  return text;
}

/// Removes the entries that were used least recently until the rest fits, and
/// what crashed processes left behind.
void trimCache(const std::string &folder) {
  struct Entry {
    std::string path;
    uint64_t size;
    time_t used;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  DIR *dir = ::opendir(folder.c_str());
  if (!dir)
    return;
  time_t now = ::time(nullptr);
  while (dirent *e = ::readdir(dir)) {
    std::string path = folder + "/" + e->d_name;
    struct stat info;
    if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode))
      continue;
    if (path.ends_with(".so")) {
      entries.push_back(
          {path, static_cast<uint64_t>(info.st_size), info.st_mtime});
      total += static_cast<uint64_t>(info.st_size);
    } else if (path.find(".so.tmp.") != std::string::npos &&
               now - info.st_mtime > 24 * 3600) {
      ::unlink(path.c_str());
    }
  }
  ::closedir(dir);
  std::sort(entries.begin(), entries.end(),
            [](const Entry &a, const Entry &b) { return a.used < b.used; });
  for (const Entry &e : entries) {
    if (total <= cacheLimit)
      break;
    ::unlink(e.path.c_str());
    ::unlink((e.path + ".json").c_str());
    total -= e.size;
  }
}

/// Runs the compiler; true if it exited with 0.
Status runCompiler(const std::string &compiler, const Options &o,
                   const std::string &output) {
  std::vector<std::string> words = {compiler,
                                    o.model,
                                    "-o",
                                    output,
                                    "--target=" + o.target,
                                    "--timings=" + output + ".json"};
  if (!o.chip.empty())
    words.push_back("--chip=" + o.chip);
  if (o.allowTf32)
    words.push_back("--allow-tf32");
  if (!o.entry.empty())
    words.push_back("--entry=" + o.entry);
  if (!o.argumentShapes.empty())
    words.push_back("--argument-shapes=" + o.argumentShapes);
  if (o.singleDevice)
    words.push_back("--single-device");
  std::vector<char *> argv;
  for (std::string &w : words)
    argv.push_back(w.data());
  argv.push_back(nullptr);
  pid_t child;
  int rc = ::posix_spawn(&child, compiler.c_str(), nullptr, nullptr,
                         argv.data(), environ);
  if (rc != 0)
    return Status::badInput("cannot start '" + compiler +
                            "': " + std::strerror(rc));
  if (o.deadline) {
    int fd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        *o.deadline - std::chrono::steady_clock::now());
    pollfd wait{fd, POLLIN, 0};
    if (fd >= 0 && ::poll(&wait, 1,
                          static_cast<int>(std::clamp<int64_t>(
                              left.count(), 0, 1 << 30))) == 0) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
      ::close(fd);
      char limit[32];
      std::snprintf(limit, sizeof(limit), "%g", o.timeLimit);
      return Status::fault("time limit of " + std::string(limit) +
                           " s exceeded while compiling");
    }
    if (fd >= 0)
      ::close(fd);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status))
    return Status::badInput(
        "internal error: the compiler was ended by signal " +
        std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) +
        "); please report the model that does this");
  if (WEXITSTATUS(status) != 0)
    return Status::badInput(""); // it has said why
  return Status::ok();
}

} // namespace

/// Whether a source may leave sizes open: text without a "?" or a "*" cannot,
/// and of anything else (bytecode, compressed) nothing is known.
static bool mayBeDynamic(const std::string &content) {
  return content.compare(0, 2, "ML") == 0 ||
         content.compare(0, 2, "\x1f\x8b") == 0 ||
         content.find_first_of("?*") != std::string::npos;
}

Result<CompiledModel> compileModel(const Options &given) {
  Options o = given;
  std::string compiler = compilerPath();
  if (compiler.empty())
    return Status::badInput("'" + o.model +
                            "' must be compiled, but there is no "
                            "shoal-compile beside shoal-run or in PATH; give "
                            "a compiled model.so");
  Result<std::string> content = readFile(o.model);
  if (!content)
    return content.status();
  if (!mayBeDynamic(*content))
    o.argumentShapes.clear();

  std::string folder = cacheFolder(), entry;
  if (!folder.empty()) {
    entry = folder + "/" + cacheKey(o, *content, compiler) + ".so";
    // A damaged entry (a full disk, say) is made again.
    struct stat info;
    if (::stat(entry.c_str(), &info) == 0) {
      if (Package::open(entry)) {
        ::utimensat(AT_FDCWD, entry.c_str(), nullptr, 0); // used now
        Result<std::string> times = readFile(entry + ".json");
        return CompiledModel{entry, false, times ? *times : ""};
      }
      ::unlink(entry.c_str());
    }
  }
  const char *tmp = std::getenv("TMPDIR");
  std::string pattern =
      entry.empty()
          ? std::string(tmp && *tmp ? tmp : "/tmp") + "/shoal-run.XXXXXX"
          : entry + ".tmp.XXXXXX";
  int fd = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (fd < 0)
    return Status::badInput("cannot make a temporary file '" + pattern +
                            "': " + std::strerror(errno));
  ::close(fd);
  Status status = runCompiler(compiler, o, pattern);
  if (!status) {
    ::unlink(pattern.c_str());
    ::unlink((pattern + ".json").c_str());
    return status;
  }
  Result<std::string> read = readFile(pattern + ".json");
  std::string times = read ? *read : "";
  if (entry.empty()) {
    ::unlink((pattern + ".json").c_str());
    return CompiledModel{pattern, true, times};
  }
  ::chmod(pattern.c_str(), 0644);
  ::rename((pattern + ".json").c_str(), (entry + ".json").c_str());
  if (::rename(pattern.c_str(), entry.c_str()) != 0)
    return CompiledModel{pattern, true, times};
  trimCache(folder);
  return CompiledModel{entry, false, times};
}

} // namespace shoal::rt
