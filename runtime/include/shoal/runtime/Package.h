// A compiled model (an ELF shared object), checked before it is opened.
#ifndef SHOAL_RUNTIME_PACKAGE_H
#define SHOAL_RUNTIME_PACKAGE_H

#include "shoal/runtime/KernelABI.h"
#include "shoal/runtime/Program.h"
#include "shoal/runtime/Status.h"

#include <memory>
#include <string>
#include <vector>

namespace shoal::rt {

/// Where the parts of a package lie in its file.
struct PackageLayout {
  uint64_t programOffset = 0, programSize = 0;
  uint64_t constantsOffset = 0, constantsSize = 0;
  uint64_t imagesOffset = 0, imagesSize = 0;
};

/// `program::validate`, and limits on what each rank must have memory for.
std::string validateProgram(const void *table, size_t size);

/// Checks a whole file image: footer, size, checksum, ELF header, segments,
/// section headers, and the program table (`program::validate`). Reads nothing
/// outside [data, data + size). The message says what is wrong, without the
/// file's name.
Result<PackageLayout> checkPackage(const void *data, size_t size);

/// True if the file begins like an ELF object (so is meant as a package).
bool looksLikePackage(const std::string &path);

/// A package that is ready to run.
class Package {
public:
  Package(Package &&other) noexcept;
  Package &operator=(Package &&) = delete;
  ~Package();

  /// Reads, checks, and only then opens a file. `path` names it in messages.
  /// Packages for other targets than the host's open too; whoever runs one
  /// looks at the header's target.
  static Result<Package> open(const std::string &path);

  /// A package in memory: a program table, the constants' bytes, and a function
  /// for each of its kernels (none if they are GPU kernels), or the images. For
  /// programs made at run time, and for tests.
  static Result<Package> fromTable(std::vector<uint64_t> table,
                                   std::vector<std::byte> constants,
                                   std::vector<ShoalKernelFn> kernels,
                                   std::vector<std::byte> images = {});

  const program::View &program() const { return *view; }
  const std::byte *constants() const { return constantsBase; }
  /// The images section (program::Image); null if there is none.
  const std::byte *images() const { return imagesBase; }
  /// Target "cpu" only.
  ShoalKernelFn kernel(uint32_t index) const { return kernels[index]; }
  const std::string &path() const { return fileName; }

private:
  Package() = default;
  std::string fileName;
  void *handle = nullptr;
  std::unique_ptr<program::View> view;
  const std::byte *constantsBase = nullptr;
  const std::byte *imagesBase = nullptr;
  std::vector<ShoalKernelFn> kernels;
  std::vector<uint64_t> ownTable; // of fromTable
  std::vector<std::byte> ownConstants, ownImages;
};

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_PACKAGE_H
