// Every instruction of the compiler's table is one the emulator knows.
#include "shoal/Codegen/GPU/PtxInstructions.h"

#include "Registry.h"

#include <gtest/gtest.h>

TEST(Emulator, KnowsEveryPtxInstruction) {
  for (const shoal::PtxInstruction &instruction : shoal::ptxInstructions()) {
    ShoalEmuSite site{};
    std::string name = shoal::kPtxPrefix.str() + instruction.name;
    site.name = name.c_str();
    site.slots = instruction.parameters().size() | instruction.results().size()
                                                       << 16;
    EXPECT_NE(shoal::emu::findInstruction(name, site), nullptr) << name;
  }
}
