// See Fibers.h.
#include "Fibers.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#endif

using namespace shoal::emu;

#if !defined(__x86_64__)
#error "the emulator's context switch is written for x86-64 only"
#endif

asm(R"(
.text
.globl shoal_emu_switch
.hidden shoal_emu_switch
.type shoal_emu_switch, @function
shoal_emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size shoal_emu_switch, .-shoal_emu_switch
)");

static constexpr size_t guard = 4096, perRegion = 64;

void Stacks::grow() {
  size_t stride = bytes + guard;
  void *region = mmap(nullptr, stride * perRegion, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (region == MAP_FAILED) {
    std::perror("shoal-emulator: no memory for the stacks of threads");
    std::abort();
  }
  regions.push_back(region);
  for (size_t i = perRegion; i-- > 0;) {
    char *base = static_cast<char *>(region) + i * stride;
    mprotect(base, guard, PROT_NONE);
    free.push_back(base + guard);
  }
}

Stacks::~Stacks() {
  for (void *region : regions)
    munmap(region, (bytes + guard) * perRegion);
}

void *Stacks::take() {
  if (free.empty())
    grow();
  void *stack = free.back();
  free.pop_back();
  return stack;
}

/// What AddressSanitizer noted about frames that were left without returning
/// does not hold for the next thread. (Its own functions for this do nothing
/// under allow_user_poisoning=0, and its memset does not write there.)
__attribute__((no_sanitize("address"))) static void
forgetFrames([[maybe_unused]] void *stack, [[maybe_unused]] size_t bytes) {
#if __has_feature(address_sanitizer)
  size_t scale, offset;
  __asan_get_shadow_mapping(&scale, &offset);
  auto *shadow = reinterpret_cast<volatile uint64_t *>(
      (reinterpret_cast<uintptr_t>(stack) >> scale) + offset);
  for (size_t i = 0; i < (bytes >> scale) / sizeof(*shadow); ++i)
    shadow[i] = 0;
#endif
}

void *Stacks::prepare(void *stack, void (*entry)(), unsigned number) {
  forgetFrames(stack, bytes);
  auto top =
      reinterpret_cast<uintptr_t>(stack) + bytes - 64 - (number % 48) * 64 * 5;
  top &= ~uintptr_t(63);
  auto **slots = reinterpret_cast<void **>(top);
  // As after a call: 8 modulo 16 at the entry, and no return address.
  *--slots = nullptr;
  *--slots = reinterpret_cast<void *>(entry);
  for (int i = 0; i < 6; ++i)
    *--slots = nullptr;
  return slots;
}
