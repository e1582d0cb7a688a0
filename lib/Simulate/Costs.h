// What one instruction of the program table costs on a machine.
#ifndef SHOAL_LIB_SIMULATE_COSTS_H
#define SHOAL_LIB_SIMULATE_COSTS_H

#include "shoal/Simulate/Simulator.h"

#include "core/CollectiveCall.h"

#include <map>

namespace shoal::simulation {

class Costs {
public:
  Costs(const program::View &program, const SimulationOptions &options)
      : program(program), options(options), hardware(*options.hardware) {}

  /// Seconds of a kernel, product, copy or the like; 0 for what the host does.
  double workSeconds(const program::Instruction &i) const;

  /// A copy to or from the memory of the host.
  bool isHostCopy(const program::Instruction &i) const {
    if (i.opcode != program::Opcode::Copy)
      return false;
    std::span<const int64_t> ops = program.operands(i);
    auto kind = [&](int64_t slot) { return program.slots()[slot].kind; };
    return kind(ops[0]) == program::SlotKind::Host ||
           kind(ops[1]) == program::SlotKind::Host;
  }

  /// A collective as the rank issues it. A broadcast's root and a ragged
  /// exchange's sizes are data, which costs do not depend on.
  rt::CollectiveCall callOf(const program::Instruction &i) const;
  /// The group of a Collective or CollectiveStart.
  const program::Group &groupOf(const program::Instruction &i) const;
  static uint32_t groupNumber(const program::View &program,
                              const program::Instruction &i);
  static program::CollectiveKind kindOf(const program::View &program,
                                        const program::Instruction &i);
  /// Of the group that the rank belongs to; computed once per instruction and
  /// shape of the group.
  const CollectiveTime &collective(const program::Instruction &i,
                                   const rt::CollectiveCall &call,
                                   int64_t rank);

  /// What the device computes for it meanwhile.
  double collectiveWorkSeconds(const rt::CollectiveCall &call,
                               const program::Group &group) const;

  /// A message between two ranks, by the bytes that the sender gives.
  const CollectiveTime &message(int64_t bytes, int64_t source, int64_t target);

private:
  int64_t device(int64_t rank) const;
  int64_t slotBytes(int64_t slot) const {
    return static_cast<int64_t>(program.slots()[slot].bytes);
  }
  ComputeType computeType(int64_t slot) const;
  double memorySeconds(double bytes) const;

  const program::View &program;
  const SimulationOptions &options;
  const Hardware &hardware;
  /// Shapes by (group, first member), times by (instruction, first member).
  std::map<std::pair<uint32_t, int64_t>, GroupShape> shapes;
  std::map<std::pair<const program::Instruction *, int64_t>, CollectiveTime>
      times;
  /// Of messages, by bytes and whether the link of each level is crossed.
  std::map<std::pair<int64_t, unsigned>, CollectiveTime> messages;
};

} // namespace shoal::simulation

#endif // SHOAL_LIB_SIMULATE_COSTS_H
