#include "CriticalPath.h"

#include <algorithm>

namespace shoal::simulation {

using program::Instruction;
using program::Opcode;

CriticalPath::CriticalPath(const program::View &program, const SlotFlow &flow)
    : program(program), flow(flow), ready(program.slots().size(), 0.0),
      events(program.header().numEvents, 0.0),
      pending(program.header().numEvents) {}

double CriticalPath::readyAt(llvm::ArrayRef<int64_t> slots) const {
  double at = hostReady;
  for (int64_t slot : slots)
    if (static_cast<uint32_t>(slot) != program::kNone)
      at = std::max(at, ready[flow.base(slot)]);
  return at;
}

void CriticalPath::write(llvm::ArrayRef<int64_t> slots, double at) {
  for (int64_t slot : slots) {
    if (static_cast<uint32_t>(slot) == program::kNone)
      continue;
    uint32_t b = flow.base(slot);
    // A part of a buffer leaves the rest of it as it was.
    ready[b] = b == static_cast<uint32_t>(slot) ? at : std::max(ready[b], at);
  }
  longest = std::max(longest, at);
}

void CriticalPath::add(const Instruction &i, const Accesses &accesses,
                       double seconds) {
  std::span<const int64_t> ops = program.operands(i);
  switch (i.opcode) {
  case Opcode::SRead:
    hostReady = std::max(hostReady, readyAt(accesses.in));
    return;
  case Opcode::CollectiveStart: {
    events[ops[0]] = readyAt(accesses.in) + seconds;
    std::vector<uint32_t> &outs = pending[ops[0]];
    outs.clear();
    for (int64_t slot : accesses.out)
      if (static_cast<uint32_t>(slot) != program::kNone)
        outs.push_back(flow.base(slot));
    longest = std::max(longest, events[ops[0]]);
    return;
  }
  case Opcode::CollectiveDone:
    for (uint32_t slot : pending[ops[0]])
      ready[slot] = events[ops[0]];
    return;
  default:
    if (!accesses.out.empty())
      write(accesses.out, readyAt(accesses.in) + seconds);
  }
}

} // namespace shoal::simulation
