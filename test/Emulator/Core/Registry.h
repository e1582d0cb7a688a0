// Instructions by name. Each family has a function that knows its names; it
// may leave what it read from the name in site.data.
#ifndef SHOAL_TEST_EMULATOR_REGISTRY_H
#define SHOAL_TEST_EMULATOR_REGISTRY_H

#include "Machine.h"

#include <string_view>

namespace shoal::emu {

struct Instruction {
  const char *name;
  Handler handler;
};

/// `name` without "llvm.nvvm." or "shoal_ptx_". Null: not of this family.
Handler findRegister(std::string_view name, Site &site);
Handler findWarp(std::string_view name, Site &site);
Handler findBarrier(std::string_view name, Site &site);
Handler findTransactionBarrier(std::string_view name, Site &site);
Handler findAsyncCopy(std::string_view name, Site &site);
Handler findMatrixMove(std::string_view name, Site &site);
Handler findMma(std::string_view name, Site &site);
Handler findMath(std::string_view name, Site &site);
Handler findConvert(std::string_view name, Site &site);
Handler findInteger(std::string_view name, Site &site);
Handler findMemory(std::string_view name, Site &site);
Handler findMultimem(std::string_view name, Site &site);
Handler findAtomic(std::string_view name, Site &site);

/// Any family; null: no such instruction.
Handler findInstruction(std::string_view fullName, Site &site);

template <size_t N>
Handler lookUp(const Instruction (&table)[N], std::string_view name) {
  for (const Instruction &instruction : table)
    if (name == instruction.name)
      return instruction.handler;
  return nullptr;
}

/// "a.b.c" as words; '_' counts as '.' too, so that one reader does for
/// intrinsics and shoal_ptx_ names.
std::vector<std::string_view> words(std::string_view name);
bool has(const std::vector<std::string_view> &words, std::string_view word);

// Slots hold the bits of values of any type.
template <typename T>
T get(uint64_t slot) {
  T value;
  __builtin_memcpy(&value, &slot, sizeof value);
  return value;
}
template <typename T>
uint64_t put(T value) {
  uint64_t slot = 0;
  __builtin_memcpy(&slot, &value, sizeof value);
  return slot;
}

} // namespace shoal::emu

#endif // SHOAL_TEST_EMULATOR_REGISTRY_H
