#include "CubinCache.h"

#include "shoal/runtime/Program.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Chrono.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>
#include <vector>

using namespace llvm;
using namespace shoal::gpu;

// An entry: its magic, the length of the log, the log, the cubin.
static constexpr StringLiteral magic = "SHOALCB1";
static constexpr StringLiteral suffix = ".cubin";
static constexpr uint64_t cacheLimit = uint64_t(256) << 20;

CubinCache::CubinCache(StringRef options, StringRef ptx) {
  SmallString<256> where;
  if (const char *given = std::getenv("SHOAL_CACHE_DIR")) {
    where = given;
  } else if (const char *home = std::getenv("HOME"); home && *home) {
    where = home;
    sys::path::append(where, ".cache", "shoal");
  }
  if (where.empty())
    return;
  sys::path::append(where, "cubin");
  if (sys::fs::create_directories(where))
    return;
  folder = std::string(where);
  std::string second = (options + ptx).str();
  sys::path::append(
      where, utohexstr(program::checksum(ptx.data(), ptx.size())) +
                 utohexstr(program::checksum(second.data(), second.size())) +
                 suffix);
  path = std::string(where);
}

bool CubinCache::lookup(SmallVectorImpl<char> &cubin, std::string &log) const {
  if (path.empty())
    return false;
  auto file = MemoryBuffer::getFile(path, false, false);
  if (!file)
    return false;
  StringRef text = (*file)->getBuffer();
  if (!text.consume_front(magic) || text.size() < 8)
    return false;
  uint64_t length = support::endian::read64le(text.data());
  text = text.drop_front(8);
  if (length >= text.size())
    return false;
  log = text.take_front(length).str();
  text = text.drop_front(length);
  cubin.assign(text.begin(), text.end());
  // Used now: the oldest are removed first.
  int fd;
  if (!sys::fs::openFileForWrite(path, fd, sys::fs::CD_OpenExisting,
                                 sys::fs::OF_None)) {
    auto now = std::chrono::system_clock::now();
    (void)sys::fs::setLastAccessAndModificationTime(fd, now);
    sys::Process::SafelyCloseFileDescriptor(fd);
  }
  return true;
}

/// Removes the entries that were used least recently until the rest fits.
static void trim(StringRef folder) {
  struct Entry {
    std::string path;
    uint64_t size;
    sys::TimePoint<> used;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  std::error_code error;
  for (sys::fs::directory_iterator it(folder, error), end; it != end && !error;
       it.increment(error)) {
    auto status = it->status();
    if (!status || !StringRef(it->path()).ends_with(suffix))
      continue;
    entries.push_back(
        {it->path(), status->getSize(), status->getLastModificationTime()});
    total += status->getSize();
  }
  llvm::sort(entries, [](const Entry &a, const Entry &b) {
    return a.used < b.used;
  });
  for (const Entry &entry : entries) {
    if (total <= cacheLimit)
      break;
    sys::fs::remove(entry.path);
    total -= entry.size;
  }
}

void CubinCache::insert(ArrayRef<char> cubin, StringRef log) const {
  if (path.empty())
    return;
  SmallString<256> temporary;
  int fd;
  if (sys::fs::createUniqueFile(path + ".%%%%%%", fd, temporary))
    return;
  {
    raw_fd_ostream os(fd, /*shouldClose=*/true);
    char length[8];
    support::endian::write64le(length, log.size());
    os << magic;
    os.write(length, 8);
    os << log;
    os.write(cubin.data(), cubin.size());
    os.close();
    bool bad = os.has_error();
    os.clear_error();
    if (bad || sys::fs::rename(temporary, path)) {
      sys::fs::remove(temporary);
      return;
    }
  }
  // Not each time: a model makes several entries at once.
  if (StringRef(path).ends_with("0" + suffix.str()) || cubin.size() > 1 << 20)
    trim(folder);
}
