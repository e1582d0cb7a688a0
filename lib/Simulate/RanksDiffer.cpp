#include "RanksDiffer.h"

#include "Costs.h"

#include <vector>

namespace shoal::simulation {

using program::CollectiveKind;
using program::Instruction;
using program::Opcode;

/// A register that is
/// computed from one that does counts as such wherever it is used.
bool ranksDiffer(const program::View &program) {
  auto instructions =
      program.section<Instruction>(program::Section::Instructions);
  std::vector<bool> varies(program.header().numRegisters, false);
  bool changed = true;
  auto mark = [&](int64_t r, bool v) {
    if (v && !varies[r])
      varies[r] = changed = true;
  };
  auto isScalar = [](Opcode o) {
    return o >= Opcode::SConst && o <= Opcode::SUCompare;
  };
  while (changed) {
    changed = false;
    for (const Instruction &i : instructions) {
      std::span<const int64_t> ops = program.operands(i);
      if (i.opcode == Opcode::SRank)
        mark(ops[0], true);
      else if (i.opcode == Opcode::SMove)
        for (int64_t j = 0; j < ops[0]; ++j)
          mark(ops[1 + 2 * j], varies[ops[2 + 2 * j]]);
      else if (i.opcode == Opcode::SCompare || i.opcode == Opcode::SUCompare)
        mark(ops[0], varies[ops[2]] || varies[ops[3]]);
      else if (i.opcode == Opcode::SSelect)
        mark(ops[0], varies[ops[1]] || varies[ops[2]] || varies[ops[3]]);
      else if (i.opcode == Opcode::SWrap)
        mark(ops[0], varies[ops[1]]);
      else if (isScalar(i.opcode) && i.opcode != Opcode::SConst &&
               i.opcode != Opcode::SRead && i.opcode != Opcode::SWrite)
        mark(ops[0], varies[ops[1]] || varies[ops[2]]);
      else if (i.opcode == Opcode::For)
        mark(ops[0], varies[ops[1]] || varies[ops[3]]);
    }
  }
  for (const Instruction &i : instructions) {
    std::span<const int64_t> ops = program.operands(i);
    if ((i.opcode == Opcode::Case && varies[ops[0]]) ||
        (i.opcode == Opcode::While && varies[ops[1]]) ||
        (i.opcode == Opcode::For &&
         (varies[ops[1]] || varies[ops[2]] || varies[ops[3]])))
      return true;
  }
  // Messages between two of them.
  for (const Instruction &i : instructions)
    if (i.opcode == Opcode::Collective || i.opcode == Opcode::CollectiveStart) {
      CollectiveKind kind = Costs::kindOf(program, i);
      if (kind == CollectiveKind::Send || kind == CollectiveKind::Recv)
        return true;
    }
  // Groups that leave ranks out.
  for (const program::Group &g :
       program.section<program::Group>(program::Section::Groups))
    if (g.groupSize * g.numGroups !=
        static_cast<int64_t>(program.header().numRanks))
      return true;
  return false;
}

} // namespace shoal::simulation
