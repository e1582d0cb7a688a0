#include "Costs.h"

#include <cmath>

namespace shoal::simulation {

using program::Instruction;
using program::Opcode;

ComputeType Costs::computeType(int64_t slot) const {
  using program::DType;
  switch (program.type(program.slots()[slot].type).dtype) {
  case DType::F64:
  case DType::C128:
    return ComputeType::F64;
  case DType::BF16:
    return ComputeType::BF16;
  case DType::F16:
    return ComputeType::F16;
  case DType::I8:
  case DType::UI8:
    return ComputeType::I8;
  default:
    return rt::byteSize(program.type(program.slots()[slot].type).dtype) == 1
               ? ComputeType::F8
               : ComputeType::F32;
  }
}

double Costs::memorySeconds(double bytes) const {
  return hardware.kernelSeconds(0, ComputeType::F32, bytes);
}

double Costs::workSeconds(const Instruction &i) const {
  std::span<const int64_t> ops = program.operands(i);
  switch (i.opcode) {
  case Opcode::Exec:
    return options.kernelSeconds.empty()
               ? memorySeconds(static_cast<double>(
                     program
                         .section<program::Kernel>(
                             program::Section::Kernels)[ops[0]]
                         .bytes))
               : options.kernelSeconds[ops[0]];
  case Opcode::Matmul: {
    double flops = 2;
    for (int64_t d = 0; d < ops[5] + ops[6] + ops[7] + ops[8]; ++d)
      flops *= static_cast<double>(ops[9 + 4 * d]);
    double bytes = 0;
    for (int operand = 0; operand < 3; ++operand)
      bytes += static_cast<double>(slotBytes(ops[operand]));
    return hardware.kernelSeconds(flops, computeType(ops[0]), bytes);
  }
  case Opcode::Convolution: {
    // Every element of the output takes the kernel's elements of one output
    // feature.
    auto shapeOf = [&](int64_t slot) {
      return program.shape(program.slots()[slot].type);
    };
    int64_t spatial = ops[4];
    std::span<const int64_t> kernel = shapeOf(ops[1]);
    double flops = 2;
    for (int64_t d : shapeOf(ops[2]))
      flops *= static_cast<double>(d);
    int64_t outFeature = ops[5 + (2 + spatial) + 1];
    for (size_t d = 0; d < kernel.size(); ++d)
      if (static_cast<int64_t>(d) != outFeature)
        flops *= static_cast<double>(kernel[d]);
    double bytes = 0;
    for (int operand = 0; operand < 3; ++operand)
      bytes += static_cast<double>(slotBytes(ops[operand]));
    return hardware.kernelSeconds(flops, computeType(ops[0]), bytes);
  }
  case Opcode::Copy:
    if (isHostCopy(i))
      return hardware.hostCopySeconds(
          static_cast<double>(std::min(slotBytes(ops[0]), slotBytes(ops[1]))));
    return memorySeconds(2.0 * static_cast<double>(slotBytes(ops[0])));
  case Opcode::Copy2D:
    return memorySeconds(2.0 * static_cast<double>(ops[6]) *
                         static_cast<double>(ops[7]));
  case Opcode::Fill:
    return memorySeconds(static_cast<double>(slotBytes(ops[0])));
  case Opcode::SWrite:
    return hardware.kernelLatency;
  case Opcode::CustomCall: {
    double bytes = 0;
    for (int64_t b = 0; b < ops[1] + ops[2]; ++b)
      bytes += static_cast<double>(slotBytes(ops[3 + b]));
    return memorySeconds(bytes);
  }
  default:
    return 0;
  }
}

static std::span<const int64_t> collectiveOperands(const program::View &program,
                                                   const Instruction &i) {
  std::span<const int64_t> ops = program.operands(i);
  return i.opcode == Opcode::CollectiveStart ? ops.subspan(1) : ops;
}

uint32_t Costs::groupNumber(const program::View &program,
                            const Instruction &i) {
  return static_cast<uint32_t>(collectiveOperands(program, i)[1]);
}

program::CollectiveKind Costs::kindOf(const program::View &program,
                                      const Instruction &i) {
  return static_cast<program::CollectiveKind>(
      collectiveOperands(program, i)[0]);
}

const program::Group &Costs::groupOf(const Instruction &i) const {
  return program.section<program::Group>(
      program::Section::Groups)[groupNumber(program, i)];
}

rt::CollectiveCall Costs::callOf(const Instruction &i) const {
  std::span<const int64_t> ops = collectiveOperands(program, i);
  rt::CollectiveCall call;
  call.kind = static_cast<program::CollectiveKind>(ops[0]);
  call.reduction = static_cast<program::Reduction>(ops[2]);
  size_t n = static_cast<size_t>(ops[3]);
  auto in = ops.subspan(4, n), out = ops.subspan(4 + n, n);
  call.params.assign(ops.begin() + 4 + 2 * static_cast<int64_t>(n), ops.end());
  if (call.kind == program::CollectiveKind::Broadcast)
    call.params[0] = 0;
  auto isSlot = [](int64_t slot) {
    return static_cast<uint32_t>(slot) != program::kNone;
  };
  for (size_t b = 0; b < n; ++b) {
    int64_t any = isSlot(in[b]) ? in[b] : out[b];
    call.buffers.push_back({program.type(program.slots()[any].type).dtype,
                            isSlot(in[b]) ? slotBytes(in[b]) : 0,
                            isSlot(out[b]) ? slotBytes(out[b]) : 0});
  }
  return call;
}

static CollectiveType typeOf(program::CollectiveKind kind) {
  using Kind = program::CollectiveKind;
  switch (kind) {
  case Kind::AllGather:
    return CollectiveType::AllGather;
  case Kind::ReduceScatter:
    return CollectiveType::ReduceScatter;
  case Kind::AllReduce:
    return CollectiveType::AllReduce;
  case Kind::AllToAll:
  case Kind::RaggedAllToAll:
    return CollectiveType::AllToAll;
  case Kind::Broadcast:
    return CollectiveType::Broadcast;
  case Kind::Permute:
  case Kind::Send:
  case Kind::Recv:
  case Kind::Reblock:
  case Kind::Barrier:
    return CollectiveType::Permute;
  }
  return CollectiveType::Permute;
}

int64_t Costs::device(int64_t rank) const {
  auto ids = program.section<int64_t>(program::Section::DeviceIds);
  return ids.empty() ? rank : ids[rank];
}

const CollectiveTime &Costs::message(int64_t bytes, int64_t source,
                                     int64_t target) {
  GroupShape shape = shapeOfGroup({device(source), device(target)}, hardware);
  auto [found, isNew] = messages.try_emplace({bytes, shape.top()});
  if (isNew)
    found->second =
        timeOfCollective(CollectiveType::Permute, bytes, shape, hardware);
  return found->second;
}

const CollectiveTime &Costs::collective(const Instruction &i,
                                        const rt::CollectiveCall &call,
                                        int64_t rank) {
  const program::Group &group = groupOf(i);
  int64_t first = program.member(group, rank, 0);
  auto [found, isNew] = times.try_emplace({&i, first});
  if (!isNew)
    return found->second;
  auto [shape, newShape] = shapes.try_emplace({groupNumber(program, i), first});
  if (newShape) {
    std::vector<int64_t> devices;
    for (int64_t p = 0; p < group.groupSize; ++p)
      devices.push_back(device(program.member(group, rank, p)));
    shape->second = shapeOfGroup(devices, hardware);
  }
  // Where members send unlike amounts, the one that sends most decides.
  double sent = 0;
  bool alike = typeOf(call.kind) != CollectiveType::Permute;
  for (int64_t p = 0; p < (alike ? 1 : group.groupSize); ++p)
    sent = std::max(sent, rt::bytesSent(call, group.groupSize, p));
  found->second = timeOfCollective(
      typeOf(call.kind), static_cast<int64_t>(sent), shape->second, hardware);
  return found->second;
}

double Costs::collectiveWorkSeconds(const rt::CollectiveCall &call,
                                    const program::Group &group) const {
  double sent = rt::bytesSent(call, group.groupSize, 0);
  return sent > 0
             ? hardware.collectiveWorkSeconds(sent, rt::isReducing(call.kind))
             : 0;
}

} // namespace shoal::simulation
