// libFuzzer: any bytes as a program table are accepted or refused; what is
// accepted can be printed.
#include "shoal/runtime/Package.h"

#include <cstdint>
#include <cstring>
#include <vector>

using namespace shoal;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // Tables are aligned and of a size that their header says.
  std::vector<uint64_t> table(size / 8 + 1);
  std::memcpy(table.data(), data, size);
  if (rt::validateProgram(table.data(), size).empty())
    (void)program::print(program::View(table.data()));
  return 0;
}
