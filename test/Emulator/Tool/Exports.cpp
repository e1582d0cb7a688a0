// libshoal-emulator.so is the emulator's archive, whole. Kernels of processors
// without bf16 instructions call the compiler's library, which may lack these.
#include <cstdint>
#include <cstring>

extern "C" __attribute__((weak, visibility("default"))) float
__extendbfsf2(__bf16 value) {
  uint16_t bits;
  std::memcpy(&bits, &value, 2);
  uint32_t wide = uint32_t(bits) << 16;
  float result;
  std::memcpy(&result, &wide, 4);
  return result;
}
