#include "shoal/Codegen/GPU/Chip.h"

#include "llvm/ADT/STLExtras.h"

using namespace shoal::gpu;

// Shared memory: "Technical Specifications per Compute Capability" of NVIDIA's
// CUDA C++ Programming Guide, less the 1 KiB that each block has for the system.
static constexpr unsigned kib = 1024;
static const Chip chips[] = {
    {"sm_80", 80, 0, 80, 163 * kib, 108},
    {"sm_86", 86, 0, 80, 99 * kib, 84},
    {"sm_87", 87, 0, 80, 163 * kib, 16},
    {"sm_89", 89, 0, 84, 99 * kib, 142},
    {"sm_90", 90, 0, 84, 227 * kib, 132},
    {"sm_90a", 90, 'a', 86, 227 * kib, 132},
    {"sm_100", 100, 0, 88, 227 * kib, 148},
    {"sm_100a", 100, 'a', 88, 227 * kib, 148},
    {"sm_100f", 100, 'f', 88, 227 * kib, 148},
    {"sm_103", 103, 0, 88, 227 * kib, 148},
    {"sm_103a", 103, 'a', 88, 227 * kib, 148},
    {"sm_103f", 103, 'f', 88, 227 * kib, 148},
    {"sm_120", 120, 0, 88, 99 * kib, 188},
    {"sm_120a", 120, 'a', 88, 99 * kib, 188},
    {"sm_120f", 120, 'f', 88, 99 * kib, 188},
    {"sm_121", 121, 0, 88, 99 * kib, 48},
    {"sm_121a", 121, 'a', 88, 99 * kib, 48},
    {"sm_121f", 121, 'f', 88, 99 * kib, 48},
};

llvm::ArrayRef<Chip> shoal::gpu::getChips() { return chips; }

const Chip *shoal::gpu::findChip(llvm::StringRef name) {
  const Chip *chip = llvm::find_if(
      chips, [&](const Chip &known) { return known.name == name; });
  return chip == std::end(chips) ? nullptr : chip;
}

std::string shoal::gpu::chipList() {
  std::string text;
  for (const Chip &chip : chips)
    text += (text.empty() ? "" : ", ") + chip.name.str();
  return text;
}
