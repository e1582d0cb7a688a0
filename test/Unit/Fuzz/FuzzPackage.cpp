// libFuzzer: any bytes as a compiled model are accepted or refused; what is
// accepted can be printed. The checksum is made right, so that what comes after
// it is reached; the dynamic linker is not.
#include "shoal/runtime/Package.h"

#include <cstdint>
#include <cstring>
#include <vector>

using namespace shoal;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::vector<char> image(data, data + size);
  program::Footer footer;
  std::memset(&footer, 0, sizeof(footer));
  if (size >= sizeof(footer)) { // a seed: its own footer is replaced
    std::memcpy(&footer, data + size - sizeof(footer), sizeof(footer));
    if (std::memcmp(footer.magic, program::kFooterMagic,
                    sizeof(footer.magic)) == 0)
      image.resize(size - sizeof(footer));
  }
  std::memcpy(footer.magic, program::kFooterMagic, sizeof(footer.magic));
  footer.fileSize = image.size() + sizeof(footer);
  footer.checksum = program::checksum(image.data(), image.size());
  const char *end = reinterpret_cast<const char *>(&footer);
  image.insert(image.end(), end, end + sizeof(footer));
  rt::Result<rt::PackageLayout> layout =
      rt::checkPackage(image.data(), image.size());
  (void)layout;
  return 0;
}
