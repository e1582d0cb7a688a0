#include "cuda/Memory.h"

#include "cuda/Execution.h"
#include "cuda/Rank.h"
#include "shoal/runtime/Shards.h"

namespace shoal::cuda {

using program::Section;
using program::SlotKind;

RankMemory measure(const program::View &program, const Transport &transport,
                   const Rank &owner) {
  int64_t rank = owner.number;
  RankMemory memory;
  memory.scratchBytes.assign(program.header().numStreams + 1, 0);
  auto kernels = program.section<program::GpuKernel>(Section::GpuKernels);
  auto groups = program.section<program::Group>(Section::Groups);
  rt::Cursor registers(program, rank); // all zero: only a broadcast's root asks
  for (const auto &i :
       program.section<program::Instruction>(Section::Instructions)) {
    std::span<const int64_t> ops = program.operands(i);
    if (const MathCall *call = owner.mathCall(i)) {
      size_t &most = memory.scratchBytes[i.stream];
      most = std::max(most, call->workBytes);
      continue;
    }
    switch (i.opcode) {
    case program::Opcode::Exec: {
      size_t &most = memory.scratchBytes[i.stream];
      most = std::max<size_t>(most, kernels[ops[0]].scratchBytes);
      break;
    }
    case program::Opcode::CollectiveStart:
      ops = ops.subspan(1);
      [[fallthrough]];
    case program::Opcode::Collective: {
      rt::CollectiveOperands o = rt::readCollective(program, registers, ops);
      const program::Group &g = groups[o.group];
      int64_t position = program.position(g, rank);
      if (position >= 0 && g.groupSize > 1 &&
          rt::checkCall(o.call, g.groupSize).empty())
        memory.workspaceBytes =
            std::max(memory.workspaceBytes,
                     transport.workspaceBytes(o.call, g.groupSize, position));
      break;
    }
    default:
      break;
    }
  }
  for (const program::Slot &s : program.slots())
    if (s.kind == SlotKind::Argument || s.kind == SlotKind::Result ||
        s.kind == SlotKind::Constant)
      memory.largestTransfer =
          std::max<size_t>(memory.largestTransfer, s.bytes);
  return memory;
}

void Rank::findMathCalls() {
  const program::View &program = run.program;
  auto kernels = program.section<program::Kernel>(Section::Kernels);
  device.makeCurrent();
  math = std::make_unique<MathHandles>(device);
  for (const auto &i :
       program.section<program::Instruction>(Section::Instructions)) {
    std::string text;
    if (i.opcode == program::Opcode::Exec)
      text = program.str(kernels[program.operands(i)[0]].library);
    else if (i.opcode == program::Opcode::CustomCall)
      text = describeCustomCall(program, i);
    if (!text.empty())
      if (auto call = math->prepare(text, i.stream))
        mathCalls[&i] = std::move(call);
  }
}

void Rank::layOut(DeviceArena &arena) {
  const program::View &program = run.program;
  const program::Header &h = program.header();
  findMathCalls();
  memory = measure(program, *run.transport, *this);
  memory.arenaBytes = h.arenaBytes;
  memory.arena = arena.add(h.arenaBytes);
  for (size_t bytes : memory.scratchBytes)
    memory.scratch.push_back(bytes ? arena.add(bytes) : 0);
  memory.workspace =
      memory.workspaceBytes ? arena.add(memory.workspaceBytes) : 0;

  auto constants = program.section<program::Constant>(Section::Constants);
  // Several slots may stand for one argument or result.
  std::map<std::pair<SlotKind, uint32_t>, size_t> placed;
  std::span<const program::Slot> all = program.slots();
  slots.assign(all.size(), nullptr);
  for (size_t s = 0; s < all.size(); ++s) {
    const program::Slot &slot = all[s];
    size_t offset = 0;
    switch (slot.kind) {
    case SlotKind::Arena:
      offset = memory.arena + static_cast<size_t>(slot.offset);
      break;
    case SlotKind::Host: // once it is there
      break;
    case SlotKind::Argument:
    case SlotKind::Result: {
      auto [it, isNew] = placed.try_emplace({slot.kind, slot.ref}, 0);
      if (isNew)
        it->second = arena.add(slot.bytes);
      offset = it->second;
      break;
    }
    case SlotKind::Constant: {
      const program::Constant &c = constants[slot.ref];
      rt::Block b = rt::blockOf(program, c.sharding, c.type, slot.type, number);
      auto [it, isNew] = arena.constants.try_emplace(
          {slot.ref, b.start}, DeviceArena::SharedConstant());
      if (isNew)
        it->second = {arena.add(slot.bytes), number};
      offset = it->second.offset;
      break;
    }
    case SlotKind::View:
      offset = reinterpret_cast<size_t>(slots[slot.ref]) +
               static_cast<size_t>(slot.offset);
      break;
    case SlotKind::Handle:
      break;
    }
    slots[s] = reinterpret_cast<std::byte *>(offset);
  }
}

void Rank::place(CUdeviceptr base) {
  std::span<const program::Slot> all = run.program.slots();
  for (size_t s = 0; s < all.size(); ++s)
    if (all[s].kind != SlotKind::Handle && all[s].kind != SlotKind::Host)
      slots[s] = reinterpret_cast<std::byte *>(
          base + reinterpret_cast<CUdeviceptr>(slots[s]));
  memory.arena += base;
  for (size_t &scratch : memory.scratch)
    scratch += base;
  memory.workspace += base;
}

} // namespace shoal::cuda
