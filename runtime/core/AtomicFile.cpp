#include "shoal/runtime/AtomicFile.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

namespace shoal::rt {

AtomicFile &AtomicFile::operator=(AtomicFile &&other) noexcept {
  if (this == &other)
    return *this;
  discard();
  path = std::move(other.path);
  temporary = std::move(other.temporary);
  fd = std::exchange(other.fd, -1);
  written = other.written;
  nameless = other.nameless;
  other.temporary.clear();
  return *this;
}

static Status cannotWrite(const std::string &path) {
  return Status::badInput("cannot write '" + path +
                          "': " + std::strerror(errno));
}

Result<AtomicFile> AtomicFile::open(const std::string &name) {
  AtomicFile file;
  file.path = name;
  struct stat info;
  if (::stat(name.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) {
      errno = EISDIR;
      return cannotWrite(name);
    }
    if (!S_ISREG(info.st_mode)) {
      file.fd = ::open(name.c_str(), O_WRONLY | O_CLOEXEC);
      if (file.fd < 0)
        return cannotWrite(name);
      return file;
    }
    // Renaming could replace a file that may not be written to.
    if (::access(name.c_str(), W_OK) != 0)
      return cannotWrite(name);
    // Through a symbolic link the file itself is replaced, not the link.
    if (char *real = ::realpath(name.c_str(), nullptr)) {
      file.path = real;
      std::free(real);
    }
  }
  // Without a name nothing stays behind if the process is killed. Not all file
  // systems can do that.
  size_t slash = file.path.rfind('/');
  std::string folder = slash == std::string::npos ? "."
                       : slash == 0               ? "/"
                                                  : file.path.substr(0, slash);
  file.fd = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (file.fd >= 0) {
    file.nameless = true;
    return file;
  }
  std::string pattern = file.path + ".tmp.XXXXXX";
  file.fd = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (file.fd < 0)
    return cannotWrite(name);
  file.temporary = pattern;
  return file;
}

Status AtomicFile::write(const void *data, size_t size) {
  const char *p = static_cast<const char *>(data);
  while (size > 0) {
    ssize_t n = ::write(fd, p, size);
    if (n < 0) {
      if (errno == EINTR)
        continue;
      return cannotWrite(path);
    }
    p += n;
    size -= static_cast<size_t>(n);
    written += static_cast<uint64_t>(n);
  }
  return Status::ok();
}

/// Gives a nameless file a temporary name.
bool AtomicFile::link() {
  std::string source = "/proc/self/fd/" + std::to_string(fd);
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::string name = path + ".tmp." + std::to_string(random());
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, name.c_str(),
                 AT_SYMLINK_FOLLOW) == 0) {
      temporary = name;
      return true;
    }
    if (errno != EEXIST)
      return false;
  }
  return false;
}

Status AtomicFile::commit() {
  if (fd < 0)
    return Status::badInput("cannot write '" + path + "': not open");
  if (nameless && !link()) {
    Status status = cannotWrite(path);
    discard();
    return status;
  }
  if (!temporary.empty()) {
    mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(fd, 0666 & ~mask);
  }
  bool failed = ::close(std::exchange(fd, -1)) != 0;
  if (!failed && !temporary.empty())
    failed = ::rename(temporary.c_str(), path.c_str()) != 0;
  if (failed) {
    Status status = cannotWrite(path);
    discard();
    return status;
  }
  temporary.clear();
  return Status::ok();
}

void AtomicFile::discard() {
  if (fd >= 0)
    ::close(std::exchange(fd, -1));
  if (!temporary.empty())
    ::unlink(temporary.c_str());
  temporary.clear();
}

Result<std::string> readFile(const std::string &path) {
  auto fail = [&]() {
    return Status::badInput("cannot read '" + path +
                            "': " + std::strerror(errno));
  };
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail();
  std::string content;
  struct stat info;
  if (::fstat(fd, &info) == 0) {
    if (S_ISDIR(info.st_mode)) {
      ::close(fd);
      errno = EISDIR;
      return fail();
    }
    if (info.st_size > 0)
      content.reserve(static_cast<size_t>(info.st_size) + 1);
  }
  char block[1 << 16];
  for (;;) {
    ssize_t n = ::read(fd, block, sizeof(block));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      Status status = fail();
      ::close(fd);
      return status;
    }
    if (n == 0)
      break;
    content.append(block, static_cast<size_t>(n));
  }
  ::close(fd);
  return content;
}

} // namespace shoal::rt
