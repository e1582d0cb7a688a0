// cp.async: the copy happens as late as it may, when the thread waits for its
// group. Until then the destination holds poison and must not be touched.
#include "Registry.h"

#include <cctype>
#include <cstring>
#include <string>

using namespace shoal::emu;

static void complete(Thread &thread, std::vector<AsyncCopy> &copies) {
  for (AsyncCopy &copy : copies) {
    pendShared(thread, copy.to, copy.bytes, false, copy.site);
    std::memcpy(copy.to, copy.from, copy.fromBytes);
    std::memset(copy.to + copy.fromBytes, 0, copy.bytes - copy.fromBytes);
  }
  if (!copies.empty())
    progress(*thread.block);
  copies.clear();
}

void shoal::emu::completeCopies(Thread &thread, size_t keep) {
  while (thread.groups.size() > keep) {
    complete(thread, thread.groups.front());
    thread.groups.erase(thread.groups.begin());
  }
}

/// (shared, global [, bytes of the source; the rest is zeros]); the size is
/// site.data.
static void copy(Thread &thread, Site &site, const uint64_t *in,
                 uint64_t *out) {
  auto form = reinterpret_cast<uintptr_t>(site.data);
  uint32_t bytes = form & 0xff;
  uint32_t fromBytes = form & 0x100 ? uint32_t(in[2]) : bytes;
  auto *to = reinterpret_cast<uint8_t *>(in[0]);
  auto *from = reinterpret_cast<const uint8_t *>(in[1]);
  if (in[0] % bytes || (fromBytes && in[1] % bytes))
    fail(&site, format("addresses %p and %p are not multiples of %u",
                       (void *)to, (const void *)from, bytes));
  if (fromBytes > bytes)
    fail(&site, format("%u bytes of a source of %u", fromBytes, bytes));
  if (!isShared(*thread.block, to))
    fail(&site, format("%p is not in shared memory", (void *)to));
  if (fromBytes)
    access(thread, from, fromBytes, 0, &site);
  pendShared(thread, to, bytes, true, &site);
  thread.copies.push_back({to, from, bytes, fromBytes, &site});
}

static void commit(Thread &thread, Site &, const uint64_t *, uint64_t *) {
  thread.groups.push_back(std::move(thread.copies));
  thread.copies.clear();
}

static void waitGroup(Thread &thread, Site &, const uint64_t *in, uint64_t *) {
  completeCopies(thread, in[0]);
}

static void waitNamed(Thread &thread, Site &site, const uint64_t *,
                      uint64_t *) {
  completeCopies(thread, reinterpret_cast<uintptr_t>(site.data));
}

static void waitAll(Thread &thread, Site &, const uint64_t *, uint64_t *) {
  completeCopies(thread, 0);
  complete(thread, thread.copies);
}

Handler shoal::emu::findAsyncCopy(std::string_view name, Site &site) {
  auto parts = words(name);
  if (parts.size() < 3 || parts[0] != "cp" || parts[1] != "async")
    return nullptr;
  if (parts[2] == "commit")
    return commit;
  if (parts[2] == "wait" && parts.size() > 3 && isdigit(parts[3][0])) {
    site.data = reinterpret_cast<void *>(uintptr_t(parts[3][0] - '0'));
    return waitNamed;
  }
  if (parts[2] == "wait")
    return has(parts, "all") ? waitAll : waitGroup;
  if (parts[2] == "bulk" || parts[2] == "mbarrier")
    return nullptr;
  uintptr_t bytes = 0;
  for (std::string_view part : parts)
    for (uintptr_t size : {4, 8, 16})
      if (part == std::to_string(size) || part == "b" + std::to_string(size))
        bytes = size;
  bool partial = parts.back() == "s" || has(parts, "zfill");
  if (!bytes)
    return nullptr;
  site.data = reinterpret_cast<void *>(bytes | (partial ? 0x100 : 0));
  return copy;
}
