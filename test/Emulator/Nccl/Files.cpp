// What ranks of several processes tell each other: files in one folder.
#include "Communicator.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

using namespace shoal::standin;

const std::string &shoal::standin::sharedFolder() {
  static const std::string folder = [] {
    const char *given = std::getenv("SHOAL_TEST_NCCL_DIR");
    return std::string(given ? given : "");
  }();
  return folder;
}

bool Ring::isRemote(int rank) const {
  return !sharedFolder().empty() && !ranks[rank];
}

void shoal::standin::publish(const std::string &name,
                             const std::vector<char> &bytes) {
  std::string path = sharedFolder() + "/" + name;
  std::string hidden = path + ".part" + std::to_string(getpid());
  FILE *file = std::fopen(hidden.c_str(), "wb");
  if (!file || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size())
    shoal_standin_violation(("cannot write " + hidden).c_str());
  if (file)
    std::fclose(file);
  std::rename(hidden.c_str(), path.c_str());
}

std::optional<std::vector<char>>
shoal::standin::tryRead(const std::string &name) {
  FILE *file = std::fopen((sharedFolder() + "/" + name).c_str(), "rb");
  if (!file)
    return std::nullopt;
  std::vector<char> bytes;
  char part[65536];
  while (size_t count = std::fread(part, 1, sizeof part, file))
    bytes.insert(bytes.end(), part, part + count);
  std::fclose(file);
  return bytes;
}
