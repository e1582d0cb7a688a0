#include "SlotFlow.h"

namespace shoal::simulation {

using program::Instruction;
using program::Opcode;

SlotFlow::SlotFlow(const program::View &program)
    : program(program), handles(program.slots().size(), program::kNone) {}

uint32_t SlotFlow::base(int64_t slot) const {
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

Accesses SlotFlow::next(const Instruction &i) {
  std::span<const int64_t> ops = program.operands(i);
  auto both = [](std::span<const int64_t> in, std::span<const int64_t> out) {
    Accesses a;
    a.in.append(in.begin(), in.end());
    a.out.append(out.begin(), out.end());
    return a;
  };
  switch (i.opcode) {
  case Opcode::Exec: {
    const program::Kernel &kernel =
        program.section<program::Kernel>(program::Section::Kernels)[ops[0]];
    return both(ops.subspan(1, kernel.numInputs),
                ops.subspan(1 + kernel.numInputs, kernel.numOutputs));
  }
  case Opcode::Matmul: {
    bool adds = ops[3] & 1; // to what is there
    return both(ops.first(adds ? 3 : 2), ops.subspan(2, 1));
  }
  case Opcode::Convolution:
    return both(ops.first(2), ops.subspan(2, 1));
  case Opcode::Copy:
    if (ops.size() > 2) // (what else the host has stays)
      return both(ops.first(2), ops.first(1));
    return both(ops.subspan(1, 1), ops.first(1));
  case Opcode::Copy2D: {
    int64_t in[] = {ops[0], ops[3]}; // the rest of dst stays
    return both(in, ops.first(1));
  }
  case Opcode::Fill:
  case Opcode::SWrite:
    return both({}, ops.first(1));
  case Opcode::SRead:
    return both(ops.subspan(1, 1), {});
  case Opcode::CustomCall:
    return both(ops.subspan(3, ops[1]), ops.subspan(3 + ops[1], ops[2]));
  case Opcode::Collective:
    return both(ops.subspan(4, ops[3]), ops.subspan(4 + ops[3], ops[3]));
  case Opcode::CollectiveStart:
    ops = ops.subspan(1);
    return both(ops.subspan(4, ops[3]), ops.subspan(4 + ops[3], ops[3]));
  case Opcode::View:
    handles[ops[0]] = base(ops[1]);
    return {};
  case Opcode::Handles: {
    std::vector<uint32_t> targets;
    for (int64_t j = 0; j < ops[0]; ++j)
      targets.push_back(base(ops[2 + 2 * j]));
    for (int64_t j = 0; j < ops[0]; ++j)
      handles[ops[1 + 2 * j]] = targets[j];
    return {};
  }
  default:
    return {};
  }
}

} // namespace shoal::simulation
