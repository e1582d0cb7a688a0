#include "shoal/runtime/Package.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace shoal::rt {

bool looksLikePackage(const std::string &path) {
  char magic[4];
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  bool elf = ::read(fd, magic, 4) == 4 && std::memcmp(magic,
                                                      "\x7f"
                                                      "ELF",
                                                      4) == 0;
  ::close(fd);
  return elf;
}

/// The first of a comma-separated list of CPU features that this machine
/// lacks, or "".
static std::string missingFeature(std::string_view features) {
#if defined(__x86_64__) && defined(__clang__)
  __builtin_cpu_init();
  auto has = [](std::string_view f) {
    if (f == "sse4.2")
      return __builtin_cpu_supports("sse4.2") != 0;
    if (f == "avx")
      return __builtin_cpu_supports("avx") != 0;
    if (f == "avx2")
      return __builtin_cpu_supports("avx2") != 0;
    if (f == "fma")
      return __builtin_cpu_supports("fma") != 0;
    if (f == "bmi2")
      return __builtin_cpu_supports("bmi2") != 0;
    if (f == "avx512f")
      return __builtin_cpu_supports("avx512f") != 0;
    if (f == "avx512bw")
      return __builtin_cpu_supports("avx512bw") != 0;
    if (f == "avx512vl")
      return __builtin_cpu_supports("avx512vl") != 0;
    if (f == "avx512dq")
      return __builtin_cpu_supports("avx512dq") != 0;
    if (f == "avx512cd")
      return __builtin_cpu_supports("avx512cd") != 0;
    if (f == "avx512vnni")
      return __builtin_cpu_supports("avx512vnni") != 0;
    if (f == "avx512bf16")
      return __builtin_cpu_supports("avx512bf16") != 0;
    return true; // not one that kernels depend on
  };
  while (!features.empty()) {
    size_t comma = features.find(',');
    std::string_view f = features.substr(0, comma);
    if (!f.empty() && f[0] == '+')
      f.remove_prefix(1);
    if (!has(f))
      return std::string(f);
    features.remove_prefix(comma == std::string_view::npos ? features.size()
                                                           : comma + 1);
  }
#endif
  return "";
}

Package::Package(Package &&other) noexcept
    : fileName(std::move(other.fileName)),
      handle(std::exchange(other.handle, nullptr)), view(std::move(other.view)),
      constantsBase(other.constantsBase), imagesBase(other.imagesBase),
      kernels(std::move(other.kernels)), ownTable(std::move(other.ownTable)),
      ownConstants(std::move(other.ownConstants)),
      ownImages(std::move(other.ownImages)) {}

Package::~Package() {
  if (handle)
    ::dlclose(handle);
}

Result<Package> Package::fromTable(std::vector<uint64_t> table,
                                   std::vector<std::byte> constants,
                                   std::vector<ShoalKernelFn> kernels,
                                   std::vector<std::byte> images) {
  std::string why = validateProgram(table.data(), table.size() * 8);
  if (!why.empty())
    return Status::badInput("bad program table: " + why);
  Package package;
  package.ownTable = std::move(table);
  package.ownConstants = std::move(constants);
  package.view = std::make_unique<program::View>(package.ownTable.data());
  package.constantsBase = package.ownConstants.data();
  package.kernels = std::move(kernels);
  package.ownImages = std::move(images);
  package.imagesBase = package.ownImages.data();
  const program::View &p = *package.view;
  bool onGpu = p.str(p.header().target) == "cuda";
  if ((!onGpu && p.section<program::Kernel>(program::Section::Kernels).size() !=
                     package.kernels.size()) ||
      p.header().constantsBytes > package.ownConstants.size() ||
      p.header().imagesBytes > package.ownImages.size())
    return Status::badInput("kernels or constants are missing");
  return package;
}

Result<Package> Package::open(const std::string &path) {
  auto bad = [&](const std::string &why) {
    return Status::badInput("'" + path + "': " + why);
  };
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    Status status = bad(std::strerror(errno));
    if (fd >= 0)
      ::close(fd);
    return status;
  }
  struct Close {
    int fd;
    ~Close() { ::close(fd); }
  } closeAtEnd{fd};
  if (!S_ISREG(info.st_mode))
    return bad("not a regular file");
  size_t size = static_cast<size_t>(info.st_size);
  if (size == 0)
    return bad("truncated: the file is empty");
  void *image = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (image == MAP_FAILED)
    return bad(std::strerror(errno));
  Result<PackageLayout> layout = checkPackage(image, size);
  ::munmap(image, size);
  if (!layout)
    return bad(layout.status().message());

  Package package;
  package.fileName = path;
  // Through the descriptor: the file that was checked is the one opened.
  std::string name = "/proc/self/fd/" + std::to_string(fd);
  package.handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!package.handle)
    package.handle =
        ::dlopen(path.find('/') == std::string::npos ? ("./" + path).c_str()
                                                     : path.c_str(),
                 RTLD_NOW | RTLD_LOCAL);
  if (!package.handle) {
    const char *why = ::dlerror();
    return bad(std::string("cannot be loaded: ") + (why ? why : "unknown"));
  }
  const void *table = ::dlsym(package.handle, program::kProgramSymbol);
  if (!table || reinterpret_cast<uintptr_t>(table) % 8 != 0)
    return bad("cannot be loaded: no program table");
  // What the linker mapped need not be what the section header pointed at.
  if (std::memcmp(table, program::kMagic, 8) != 0 ||
      !validateProgram(table, layout->programSize).empty())
    return bad("corrupt: the mapped program table differs from the file's");
  package.view = std::make_unique<program::View>(table);
  const program::Header &header = package.view->header();
  if (header.constantsBytes) {
    package.constantsBase = static_cast<const std::byte *>(
        ::dlsym(package.handle, program::kConstantsSymbol));
    if (!package.constantsBase)
      return bad("cannot be loaded: no constants");
  }
  if (header.imagesBytes) {
    package.imagesBase = static_cast<const std::byte *>(
        ::dlsym(package.handle, program::kImagesSymbol));
    if (!package.imagesBase)
      return bad("cannot be loaded: no device code");
  }
  std::string_view target = package.view->str(header.target);
  if (target == "cuda")
    return package;
  if (target != "cpu")
    return bad("compiled for target '" + std::string(target) +
               "', which this runtime does not know; compile with "
               "--target=cpu or --target=cuda");
  std::string missing = missingFeature(package.view->str(header.features));
  if (!missing.empty())
    return bad("compiled for a processor with " + missing +
               ", which this one lacks; compile the model again on this "
               "machine");
  for (const program::Kernel &k :
       package.view->section<program::Kernel>(program::Section::Kernels)) {
    std::string symbol(package.view->str(k.symbol));
    void *f = ::dlsym(package.handle, symbol.c_str());
    if (!f)
      return bad("cannot be loaded: kernel '" + symbol + "' is missing");
    package.kernels.push_back(reinterpret_cast<ShoalKernelFn>(f));
  }
  return package;
}

} // namespace shoal::rt
