#include "Ptxas.h"

#include "CubinCache.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>
#include <optional>

using namespace llvm;
using namespace shoal::gpu;

//===----------------------------------------------------------------------===//
// Finding it
//===----------------------------------------------------------------------===//

/// The program of the Python package in `venv`, or "".
static std::string findInVenv(StringRef venv) {
  SmallString<256> lib(venv);
  sys::path::append(lib, "lib");
  std::error_code error;
  for (sys::fs::directory_iterator it(lib, error), end; it != end && !error;
       it.increment(error)) {
    if (!sys::path::filename(it->path()).starts_with("python"))
      continue;
    for (StringRef folder : {"nvidia/cu13/bin", "nvidia/cuda_nvcc/bin"}) {
      SmallString<256> path(it->path());
      sys::path::append(path, "site-packages", folder, "ptxas");
      if (sys::fs::can_execute(path))
        return std::string(path);
    }
  }
  return "";
}

static std::string findPath() {
  if (const char *given = std::getenv("SHOAL_PTXAS"); given && *given)
    return given;
#ifdef SHOAL_PTXAS
  if (sys::fs::can_execute(SHOAL_PTXAS))
    return SHOAL_PTXAS;
#endif
  // build/bin/shoal-compile: the set-up's environment is two folders up.
  static int here;
  SmallString<256> folder(sys::fs::getMainExecutable(nullptr, &here));
  for (unsigned up = 0; up < 4 && !folder.empty(); ++up) {
    sys::path::remove_filename(folder);
    SmallString<256> venv(folder);
    sys::path::append(venv, ".venv");
    if (std::string path = findInVenv(venv); !path.empty())
      return path;
  }
#ifdef SHOAL_SOURCE_DIR
  if (std::string path = findInVenv(SHOAL_SOURCE_DIR "/.venv"); !path.empty())
    return path;
#endif
  if (ErrorOr<std::string> path = sys::findProgramByName("ptxas"))
    return *path;
  if (sys::fs::can_execute("/usr/local/cuda/bin/ptxas"))
    return "/usr/local/cuda/bin/ptxas";
  return "";
}

static constexpr StringLiteral remedy =
    "; install it with 'pip install nvidia-cuda-nvcc' (make setup does), or "
    "name one in the environment variable SHOAL_PTXAS";

/// Runs a program; its output and messages together.
static int run(ArrayRef<StringRef> arguments, std::string &output) {
  SmallString<128> file;
  if (sys::fs::createTemporaryFile("shoal-ptxas", "log", file))
    return -1;
  auto remove = scope_exit([&] { sys::fs::remove(file); });
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(file),
                                          StringRef(file)};
  std::string error;
  int status = sys::ExecuteAndWait(arguments.front(), arguments, std::nullopt,
                                   redirects, 0, 0, &error);
  if (auto text = MemoryBuffer::getFile(file))
    output = (*text)->getBuffer().str();
  if (status != 0)
    output += error;
  return status;
}

static Expected<Ptxas> find() {
  Ptxas ptxas;
  ptxas.path = findPath();
  if (ptxas.path.empty())
    return createStringError("ptxas, NVIDIA's assembler, was not found" +
                             remedy);
  std::string text;
  if (run({ptxas.path, "--version"}, text) != 0)
    return createStringError("'" + ptxas.path + "' cannot be run: " +
                             StringRef(text).trim() + remedy);
  SmallVector<StringRef> parts;
  if (!Regex("release ([0-9]+)\\.([0-9]+)").match(text, &parts) ||
      parts[1].getAsInteger(10, ptxas.major) ||
      parts[2].getAsInteger(10, ptxas.minor))
    return createStringError("'" + ptxas.path +
                             "' does not tell its version" + remedy);
  return ptxas;
}

Expected<Ptxas> shoal::gpu::findPtxas() {
  struct Found {
    Ptxas ptxas;
    std::string error;
  };
  static const Found found = [] {
    Found result;
    if (Expected<Ptxas> ptxas = find())
      result.ptxas = *ptxas;
    else
      result.error = toString(ptxas.takeError());
    return result;
  }();
  if (!found.error.empty())
    return createStringError(found.error);
  return found.ptxas;
}

//===----------------------------------------------------------------------===//
// Running it
//===----------------------------------------------------------------------===//

/// Reads what `ptxas -v` says about each kernel.
static StringMap<KernelResources> readResources(StringRef log) {
  StringMap<KernelResources> kernels;
  KernelResources *current = nullptr;
  static const Regex entry("Compiling entry function '([^']*)'"),
      properties("Function properties for ([^ ]*)"),
      stack("([0-9]+) bytes stack frame, ([0-9]+) bytes spill stores, "
            "([0-9]+) bytes spill loads"),
      registers("Used ([0-9]+) registers");
  SmallVector<StringRef> lines;
  log.split(lines, '\n');
  SmallVector<StringRef> m;
  for (StringRef line : lines) {
    if (entry.match(line, &m) || properties.match(line, &m))
      current = &kernels[m[1].trim()];
    if (!current)
      continue;
    auto number = [&](unsigned i) {
      unsigned value = 0;
      (void)m[i].getAsInteger(10, value);
      return value;
    };
    if (stack.match(line, &m)) {
      current->stackBytes = number(1);
      current->spillBytes = number(2) + number(3);
    }
    if (registers.match(line, &m))
      current->registers = number(1);
  }
  return kernels;
}

/// A message that says that asynchronous products run one by one, or "".
static std::string serialization(StringRef log) {
  SmallVector<StringRef> match;
  if (Regex("[^\n]*C75(08|1[0-5])[^\n]*").match(log, &match))
    return match[0].str();
  return "";
}

Expected<Cubin> shoal::gpu::assemble(const Ptxas &ptxas, StringRef ptx,
                                     const Chip &chip) {
  std::string arch = "-arch=" + chip.name.str();
  SmallVector<StringRef> options{arch, "-v", "-O3"};
  if (ptxas.needsWorkaround())
    options.push_back("--regAllocOptLevel=2");
  std::string key = ("ptxas " + Twine(ptxas.major) + "." + Twine(ptxas.minor) +
                     " " + join(options, " ") + "\n")
                        .str();
  CubinCache cache(key, ptx);
  Cubin cubin;
  std::string log;
  if (cache.lookup(cubin.bytes, log)) {
    cubin.kernels = readResources(log);
    return cubin;
  }

  SmallString<128> input, output;
  if (std::error_code error =
          sys::fs::createTemporaryFile("shoal-ptxas", "ptx", input))
    return createStringError("cannot make a temporary file: " +
                             error.message());
  auto removeInput = scope_exit([&] { sys::fs::remove(input); });
  if (std::error_code error =
          sys::fs::createTemporaryFile("shoal-ptxas", "cubin", output))
    return createStringError("cannot make a temporary file: " +
                             error.message());
  auto removeOutput = scope_exit([&] { sys::fs::remove(output); });
  {
    std::error_code error;
    raw_fd_ostream os(input, error, sys::fs::OF_None);
    if (!error) {
      os << ptx;
      os.close();
      error = os.error();
      os.clear_error();
    }
    if (error)
      return createStringError("cannot write '" + input +
                               "': " + error.message());
  }
  SmallVector<StringRef> arguments{ptxas.path};
  append_range(arguments, options);
  arguments.append({input, "-o", output});
  if (run(arguments, log) != 0)
    return createStringError("'" + ptxas.path + "' refused the code: " +
                             StringRef(log).trim());
  if (std::string message = serialization(log); !message.empty())
    return createStringError("ptxas: " + message);
  auto bytes = MemoryBuffer::getFile(output, /*IsText=*/false,
                                     /*RequiresNullTerminator=*/false);
  if (!bytes)
    return createStringError("cannot read '" + output +
                             "': " + bytes.getError().message());
  StringRef content = (*bytes)->getBuffer();
  cubin.bytes.append(content.begin(), content.end());
  cubin.kernels = readResources(log);
  cache.insert(cubin.bytes, log);
  return cubin;
}
