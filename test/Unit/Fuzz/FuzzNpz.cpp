// libFuzzer: any bytes as an npz file are read or refused.
#include "shoal/runtime/Npz.h"

#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>

using namespace shoal::rt;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int fd = ::memfd_create("npz", 0);
  if (fd < 0)
    return 0;
  if (::write(fd, data, size) == static_cast<ssize_t>(size)) {
    Result<NpzReader> file =
        NpzReader::open("/proc/self/fd/" + std::to_string(fd));
    if (file)
      for (const std::string &name : file->names()) {
        (void)file->shape(name);
        (void)file->read(name);
        (void)file->read(name, DType::F32, {2, 3});
      }
  }
  ::close(fd);
  return 0;
}
