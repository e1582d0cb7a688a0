#include "CriticalPath.h"

#include <algorithm>

namespace shoal::simulation {

using program::Instruction;
using program::Opcode;

CriticalPath::CriticalPath(const program::View &program)
    : program(program), handles(program.slots().size(), program::kNone),
      ready(program.slots().size(), 0.0),
      events(program.header().numEvents, 0.0),
      pending(program.header().numEvents) {}

uint32_t CriticalPath::base(int64_t slot) const {
  uint32_t s = static_cast<uint32_t>(slot);
  for (;;) {
    const program::Slot &record = program.slots()[s];
    if (record.kind == program::SlotKind::View)
      s = record.ref;
    else if (record.kind == program::SlotKind::Handle &&
             handles[s] != program::kNone)
      s = handles[s];
    else
      return s;
  }
}

double CriticalPath::readyAt(std::span<const int64_t> slots) const {
  double at = hostReady;
  for (int64_t slot : slots)
    if (static_cast<uint32_t>(slot) != program::kNone)
      at = std::max(at, ready[base(slot)]);
  return at;
}

void CriticalPath::write(std::span<const int64_t> slots, double at) {
  for (int64_t slot : slots) {
    if (static_cast<uint32_t>(slot) == program::kNone)
      continue;
    uint32_t b = base(slot);
    // A part of a buffer leaves the rest of it as it was.
    ready[b] = b == static_cast<uint32_t>(slot) ? at : std::max(ready[b], at);
  }
  longest = std::max(longest, at);
}

void CriticalPath::add(const Instruction &i, double seconds) {
  std::span<const int64_t> ops = program.operands(i);
  auto run = [&](std::span<const int64_t> in, std::span<const int64_t> out) {
    write(out, readyAt(in) + seconds);
  };
  switch (i.opcode) {
  case Opcode::Exec: {
    const program::Kernel &kernel =
        program.section<program::Kernel>(program::Section::Kernels)[ops[0]];
    return run(ops.subspan(1, kernel.numInputs),
               ops.subspan(1 + kernel.numInputs, kernel.numOutputs));
  }
  case Opcode::Matmul:
    if (ops[3] & 1) // adds to what is there
      return run(ops.first(3), ops.subspan(2, 1));
    [[fallthrough]];
  case Opcode::Convolution:
    return run(ops.first(2), ops.subspan(2, 1));
  case Opcode::Copy:
    return run(ops.subspan(1, 1), ops.first(1));
  case Opcode::Copy2D: {
    int64_t both[] = {ops[0], ops[3]};
    return run(both, ops.first(1));
  }
  case Opcode::Fill:
  case Opcode::SWrite:
    return run({}, ops.first(1));
  case Opcode::SRead:
    hostReady = std::max(hostReady, readyAt(ops.subspan(1, 1)));
    return;
  case Opcode::CustomCall:
    return run(ops.subspan(3, ops[1]), ops.subspan(3 + ops[1], ops[2]));
  case Opcode::View:
    handles[ops[0]] = base(ops[1]);
    return;
  case Opcode::Handles: {
    std::vector<uint32_t> targets;
    for (int64_t j = 0; j < ops[0]; ++j)
      targets.push_back(base(ops[2 + 2 * j]));
    for (int64_t j = 0; j < ops[0]; ++j)
      handles[ops[1 + 2 * j]] = targets[j];
    return;
  }
  case Opcode::Collective:
    return run(ops.subspan(4, ops[3]), ops.subspan(4 + ops[3], ops[3]));
  case Opcode::CollectiveStart: {
    std::span<const int64_t> call = ops.subspan(1);
    events[ops[0]] = readyAt(call.subspan(4, call[3])) + seconds;
    std::vector<uint32_t> &outs = pending[ops[0]];
    outs.clear();
    for (int64_t slot : call.subspan(4 + call[3], call[3]))
      if (static_cast<uint32_t>(slot) != program::kNone)
        outs.push_back(base(slot));
    longest = std::max(longest, events[ops[0]]);
    return;
  }
  case Opcode::CollectiveDone:
    for (uint32_t slot : pending[ops[0]])
      ready[slot] = events[ops[0]];
    return;
  default:
    return;
  }
}

} // namespace shoal::simulation
