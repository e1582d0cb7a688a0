// A file that appears under its name only when it is complete.
#ifndef SHOAL_RUNTIME_ATOMICFILE_H
#define SHOAL_RUNTIME_ATOMICFILE_H

#include "shoal/runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace shoal::rt {

/// Writes go to a temporary file in the same folder, without a name where the
/// file system allows that; `commit` gives it its name. Until
/// then, and on any failure, what was there before stays. Opening one early is
/// also how a tool finds out before the work that its output can be written.
/// A path that is not a regular file (a pipe, /dev/null) is written directly.
class AtomicFile {
public:
  AtomicFile() = default;
  AtomicFile(AtomicFile &&other) noexcept { *this = std::move(other); }
  AtomicFile &operator=(AtomicFile &&other) noexcept;
  ~AtomicFile() { discard(); }

  static Result<AtomicFile> open(const std::string &path);

  Status write(const void *data, size_t size);
  Status write(std::string_view text) {
    return write(text.data(), text.size());
  }
  /// Bytes written so far.
  uint64_t position() const { return written; }
  Status commit();
  void discard();

private:
  bool link();

  std::string path, temporary;
  int fd = -1;
  bool nameless = false; ///< has no name in its folder yet
  uint64_t written = 0;
};

/// The whole content of a file; a message names the file and the reason.
Result<std::string> readFile(const std::string &path);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_ATOMICFILE_H
