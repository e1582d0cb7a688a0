// What emulated kernels and the emulator say to each other: the names and
// layouts that lib/Codegen/GPU/Emulate emits. C linkage, plain data.
#ifndef SHOAL_TEST_EMULATOR_ABI_H
#define SHOAL_TEST_EMULATOR_ABI_H

#include <cstdint>

extern "C" {

/// A place in a kernel that calls the emulator.
struct ShoalEmuSite {
  const char *name;  ///< intrinsic or shoal_ptx_* function; "" for an access
  void *handler;     ///< filled by the emulator at the first call
  void *data;        ///< the handler's own
  const char *where; ///< kernel and instruction, for messages
  uint32_t id;       ///< unique in the module
  uint32_t slots;    ///< of arguments; of results in the upper 16 bits
};

/// One row of SYMBOL_params; the last has bytes 0.
struct ShoalEmuParam {
  uint32_t bytes;
  uint32_t flags;       ///< 1: a pointer; 2: read only
  uint64_t bufferBytes; ///< what the pointer points to; 0: not said
};

struct ShoalEmuLaunch {
  uint32_t grid[3], block[3], cluster[3];
  uint32_t sharedBytes;
  const char *kernel;          ///< for messages
  const ShoalEmuParam *params; ///< may be null
  /// 0: threads in order; else order by chance, odd: last block first.
  uint64_t seed;
  char *error;                 ///< out: the first error, of `errorBytes`
  uint32_t errorBytes;
  uint32_t failed; ///< out
};

/// Flags of shoal_emu_access: 1 write, 2 atomic or volatile, 4 found to be out
/// of its parameter's buffer or badly aligned, address space in bits 4 to 7,
/// log2 of the promised alignment from bit 8.
void shoal_emu_access(const void *address, uint64_t bytes, uint32_t flags,
                      ShoalEmuSite *site);
void shoal_emu_op(ShoalEmuSite *site, const uint64_t *in, uint64_t *out);
uint32_t shoal_emu_register(uint32_t code);
void *shoal_emu_shared(void);
/// Runs thread(params) for every thread of every block.
void shoal_emu_run(ShoalEmuLaunch *launch, void (*thread)(void **),
                   void **params);

/// A kernel image's entry points have this type.
typedef void (*ShoalEmuKernel)(void **params, ShoalEmuLaunch *launch);

/// Memory of the device that kernels may touch. Adding says what is there;
/// an address in none of them is an error. `tag` names it in messages.
void shoal_emu_add_memory(const void *base, uint64_t bytes, const char *tag);
void shoal_emu_remove_memory(const void *base);
/// Whether [address, address + bytes) lies in one known allocation.
int shoal_emu_is_memory(const void *address, uint64_t bytes);
/// An address that stands for the same bytes of all members (multimem).
void shoal_emu_add_multicast(const void *base, uint64_t bytes,
                             void *const *members, uint32_t count);
void shoal_emu_remove_multicast(const void *base);
}

#endif // SHOAL_TEST_EMULATOR_ABI_H
