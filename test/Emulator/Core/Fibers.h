// Contexts that give the processor to each other: the callee-saved registers
// and the stack pointer, nothing else.
#ifndef SHOAL_TEST_EMULATOR_FIBERS_H
#define SHOAL_TEST_EMULATOR_FIBERS_H

#include <cstddef>
#include <vector>

namespace shoal::emu {

/// Saves this context's stack pointer in *saved and continues at `next`.
extern "C" void shoal_emu_switch(void **saved, void *next);

/// Stacks for the fibers of one thread of the operating system, kept between
/// blocks. A page below each is not mapped: an overflow is a fault.
class Stacks {
public:
  ~Stacks();
  void *take();
  void giveBack(void *stack) { free.push_back(stack); }
  /// A stack pointer that starts `entry` when it is switched to. `number`
  /// moves the start, so that stacks do not share cache sets.
  static void *prepare(void *stack, void (*entry)(), unsigned number);
  static constexpr size_t bytes = 128 << 10;

private:
  void grow();
  std::vector<void *> free;
  std::vector<void *> regions;
};

} // namespace shoal::emu

#endif // SHOAL_TEST_EMULATOR_FIBERS_H
