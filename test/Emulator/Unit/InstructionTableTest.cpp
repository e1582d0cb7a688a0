// Every instruction of the compiler's table is one the emulator knows.
#include "shoal/Codegen/GPU/PtxInstructions.h"

#include "Registry.h"

#include <gtest/gtest.h>

#include <deque>

TEST(Emulator, KnowsEveryPtxInstruction) {
  // What is found out about a place in a program is kept with it, for good.
  static auto &sites = *new std::deque<ShoalEmuSite>;
  for (const shoal::PtxInstruction &instruction : shoal::ptxInstructions()) {
    ShoalEmuSite &site = sites.emplace_back();
    std::string name = shoal::kPtxPrefix.str() + instruction.name;
    site.name = name.c_str();
    site.slots = instruction.parameters().size() | instruction.results().size()
                                                       << 16;
    EXPECT_NE(shoal::emu::findInstruction(name, site), nullptr) << name;
  }
}
