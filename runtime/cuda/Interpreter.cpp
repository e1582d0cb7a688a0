// What each instruction puts on the rank's streams.
#include "core/Instructions.h"
#include "cuda/Execution.h"
#include "shoal/runtime/DType.h"

#include <cstring>

namespace shoal::cuda {

using program::Opcode;
using program::Section;

CUevent Rank::event(uint32_t index) {
  if (!events[index] &&
      !ok(device.driver.eventCreate(&events[index], CU_EVENT_DISABLE_TIMING),
          "creating an event"))
    return nullptr;
  return events[index];
}

/// Faults that tests ask for. True: `result` is what the instruction comes to.
bool Rank::misbehaves(const Instruction &i, bool &result) {
  if (!run.options.fault)
    return false;
  const rt::Fault &fault = *run.options.fault;
  bool isCollective =
      i.opcode == Opcode::Collective || i.opcode == Opcode::CollectiveStart;
  if (fault.kind == rt::Fault::Kind::Delay) {
    if (isCollective && !capturing)
      std::this_thread::sleep_for(std::chrono::microseconds(
          static_cast<uint64_t>(number * 7919 + fault.rank * 104729) *
          (steps.load() + 1) % 3000));
    return false;
  }
  if (fault.rank != number ||
      static_cast<int64_t>(steps.load()) <= fault.instruction)
    return false;
  if (fault.kind == rt::Fault::Kind::Die) {
    dead = true; // as if the rank were gone: the others wait
    result = false;
    return true;
  }
  if (fault.kind == rt::Fault::Kind::Hang)
    while (!run.hasFailed())
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  result = true;
  return isCollective;
}

bool Rank::execute(const Instruction &i) {
  Operands ops = run.program.operands(i);
  const Driver &d = device.driver;
  if (bool result; misbehaves(i, result))
    return result;
  switch (i.opcode) {
  case Opcode::Nop:
    return true;
  case Opcode::SRead:
    return read(i, ops);
  case Opcode::SWrite:
    return write(i, ops);
  case Opcode::View:
  case Opcode::Handles: {
    std::string why;
    return rt::setSlots(run.program, i, cursor, slots, why) || fail(why);
  }
  case Opcode::Copy: {
    std::string why;
    auto parts = rt::partsOfCopy(run.program, i, cursor, slots, why);
    if (!parts)
      return fail(why);
    auto onDevice = [](std::byte *at) {
      return reinterpret_cast<CUdeviceptr>(at);
    };
    if (parts->toHost)
      return ok(d.memcpyDtoHAsync(parts->to, onDevice(parts->from),
                                  parts->bytes, stream(i)),
                "a copy to the host");
    if (parts->fromHost)
      return ok(d.memcpyHtoDAsync(onDevice(parts->to), parts->from,
                                  parts->bytes, stream(i)),
                "a copy from the host");
    return parts->bytes == 0 || parts->to == parts->from ||
           ok(d.memcpyDtoDAsync(onDevice(parts->to), onDevice(parts->from),
                                parts->bytes, stream(i)),
              "a copy");
  }
  case Opcode::Copy2D:
    return copy2D(i, ops);
  case Opcode::Fill:
    return fill(i, ops);
  case Opcode::Exec:
    return exec(i, ops);
  case Opcode::CustomCall:
    return customCall(i, ops);
  case Opcode::Check:
    return check(i, ops);
  case Opcode::Fail:
    return fail(std::string(run.program.str(
        {static_cast<uint32_t>(ops[0]), static_cast<uint32_t>(ops[1])})));
  case Opcode::Collective:
    return collective(i, ops, /*start=*/false);
  case Opcode::CollectiveStart:
    return collective(i, ops.subspan(1), /*start=*/true);
  case Opcode::CollectiveDone: {
    uint32_t e = static_cast<uint32_t>(ops[0]);
    if (!eventSet[e]) // the rank took no part
      return true;
    eventSet[e] = false;
    --outstanding;
    return follow(stream(i), events[e]);
  }
  case Opcode::Record: {
    CUevent e = event(static_cast<uint32_t>(ops[0]));
    return e && signal(e, stream(i));
  }
  case Opcode::Wait: {
    CUevent e = events[ops[0]];
    return !e || follow(stream(i), e);
  }
  case Opcode::Matmul:
  case Opcode::Convolution:
    return fail("the package has an instruction for a CPU library");
  default:
    if (cursor.execute(i) == rt::Cursor::ZeroStep)
      return fail("a loop with step 0 would not end");
    return true;
  }
}

bool Rank::exec(const Instruction &i, Operands ops) {
  size_t index = static_cast<size_t>(ops[0]);
  const program::Kernel &kernel =
      run.program.section<program::Kernel>(Section::Kernels)[index];
  const program::GpuKernel &how =
      run.program.section<program::GpuKernel>(Section::GpuKernels)[index];
  size_t numBuffers = kernel.numInputs + kernel.numOutputs;
  if (auto it = mathCalls.find(&i); it != mathCalls.end()) {
    if (run.options.poison)
      for (size_t o = 0; o < kernel.numOutputs; ++o)
        if (!poison(static_cast<uint32_t>(ops[1 + kernel.numInputs + o]),
                    ops.subspan(1, kernel.numInputs), stream(i)))
          return false;
    return issueMathCall(*it->second, i, ops.subspan(1, numBuffers));
  }
  std::vector<uint64_t> values;
  values.reserve(numBuffers + kernel.numScalars + 1);
  for (size_t b = 0; b < numBuffers; ++b)
    values.push_back(address(ops[1 + b]));
  for (size_t s = 0; s < kernel.numScalars; ++s)
    values.push_back(
        static_cast<uint64_t>(cursor.reg(ops[1 + numBuffers + s])));
  if (how.scratchBytes > 0) {
    values.push_back(memory.scratch[i.stream]);
    if ((how.flags & program::kScratchZeroed) &&
        !ok(device.driver.memsetD8Async(values.back(), 0, how.scratchBytes,
                                        stream(i)),
            "clearing scratch memory"))
      return false;
  }
  if (run.options.poison)
    for (size_t o = 0; o < kernel.numOutputs; ++o)
      if (!poison(static_cast<uint32_t>(ops[1 + kernel.numInputs + o]),
                  ops.subspan(1, kernel.numInputs), stream(i)))
        return false;
  std::vector<void *> parameters;
  for (uint64_t &v : values)
    parameters.push_back(&v);
  // All launches of a kernel get the same.
  auto launches = run.program.section<program::GpuKernel>(Section::GpuKernels);
  for (size_t l = index; l != program::kNone; l = launches[l].next)
    if (!ok(device.launch(launches[l], device.kernels[l], parameters.data(),
                          stream(i)),
            "starting a kernel"))
      return false;
  return true;
}

/// Fills an output with NaN (-1 for integers), unless it shares memory with an
/// input: what a kernel forgets to write must not look like a number.
bool Rank::poison(uint32_t slot, Operands inputs, CUstream stream) {
  std::span<const program::Slot> all = run.program.slots();
  const std::byte *begin = slots[slot], *end = begin + all[slot].bytes;
  for (int64_t input : inputs)
    if (slots[input] < end && begin < slots[input] + all[input].bytes)
      return true;
  return begin == end || ok(device.driver.memsetD8Async(
                                address(slot), 0xff, all[slot].bytes, stream),
                            "filling an output");
}

bool Rank::read(const Instruction &i, Operands ops) {
  program::DType type =
      run.program.type(run.program.slots()[ops[1]].type).dtype;
  size_t bytes = static_cast<size_t>(rt::byteSize(type));
  if (!ok(device.driver.memcpyDtoHAsync(mailbox, address(ops[1]), bytes,
                                        stream(i)),
          "reading a value") ||
      !signal(hostEvent, stream(i)) || !wait(hostEvent))
    return false;
  cursor.setReg(ops[0], rt::toInt64(type, mailbox));
  return true;
}

bool Rank::write(const Instruction &i, Operands ops) {
  alignas(8) std::byte value[8];
  size_t bytes =
      rt::storeInteger(run.program.type(run.program.slots()[ops[0]].type).dtype,
                       cursor.reg(ops[1]), value);
  uint64_t bits = 0;
  std::memcpy(&bits, value, bytes);
  FillParams p = {};
  p.target = address(ops[0]);
  p.low = bits;
  p.width = p.bytes = static_cast<int64_t>(bytes);
  p.rows = 1;
  return ok(device.fill(p, stream(i)), "writing a value");
}

bool Rank::copy2D(const Instruction &i, Operands ops) {
  // Operands: dst, dstOffset, dstPitch, src, srcOffset, srcPitch, rowBytes,
  // rows, index register, indexStride.
  int64_t column = ops[4];
  if (static_cast<uint32_t>(ops[8]) != program::kNone)
    column = static_cast<int64_t>(static_cast<uint64_t>(column) +
                                  static_cast<uint64_t>(cursor.reg(ops[8])) *
                                      static_cast<uint64_t>(ops[9]));
  if (column < 0 || column >= ops[5])
    return true; // all of it is past the end of the rows
  DeviceCopy c = {};
  c.source = address(ops[3]) + static_cast<CUdeviceptr>(column);
  c.target = address(ops[0]) + static_cast<CUdeviceptr>(ops[1]);
  c.bytes = std::min(ops[6], ops[5] - column);
  c.rows = ops[7];
  c.planes = 1;
  c.sourcePitch = ops[5];
  c.targetPitch = ops[2];
  return ok(device.copy({&c, 1}, stream(i)), "a copy");
}

bool Rank::fill(const Instruction &i, Operands ops) {
  FillParams p = {};
  p.target = address(ops[0]);
  p.width = ops[1];
  p.low = static_cast<uint64_t>(ops[2]);
  p.high = static_cast<uint64_t>(ops[3]);
  p.bytes = static_cast<int64_t>(run.program.slots()[ops[0]].bytes);
  p.rows = 1;
  return ok(device.fill(p, stream(i)), "a fill");
}

/// A call of a library of the GPU on the buffers of these slots.
bool Rank::issueMathCall(MathCall &call, const Instruction &i, Operands used) {
  std::vector<CUdeviceptr> buffers;
  for (int64_t slot : used)
    buffers.push_back(address(slot));
  CUdeviceptr work = memory.scratch[i.stream];
  // What a library leaves in its work area must not matter.
  if (run.options.poison && call.workBytes &&
      !ok(device.driver.memsetD8Async(work, 0xff, call.workBytes, stream(i)),
          "filling a work area"))
    return false;
  std::string why = call.issue(device, stream(i), work, buffers);
  return why.empty() || run.hasFailed() ||
         fail(device.describe() + ": a call of " + call.library + ": " + why);
}

/// On the host, inputs downloaded and results uploaded, where no library of the
/// GPU knows the call.
bool Rank::customCall(const Instruction &i, Operands ops) {
  if (auto it = mathCalls.find(&i); it != mathCalls.end())
    return issueMathCall(*it->second, i, ops.subspan(3));
  size_t numInputs = static_cast<size_t>(ops[1]);
  std::vector<rt::AlignedBuffer> buffers;
  std::vector<std::byte *> data;
  Operands operands = ops.subspan(3);
  for (size_t b = 0; b < operands.size(); ++b) {
    size_t bytes = run.program.slots()[operands[b]].bytes;
    buffers.emplace_back(bytes);
    if (!buffers.back().isValid())
      return fail("there is not enough host memory for a custom call");
    data.push_back(buffers.back().data());
    if (b < numInputs &&
        !ok(staging.download(data[b], address(operands[b]), bytes, stream(i)),
            "downloading a custom call's input"))
      return false;
  }
  std::string why =
      rt::runCustomCall(run.program, run.customCalls[ops[0]], i, number, data);
  if (!why.empty())
    return fail(why);
  for (size_t b = numInputs; b < operands.size(); ++b)
    if (!ok(staging.upload(address(operands[b]), data[b], buffers[b].size(),
                           stream(i)),
            "uploading a custom call's result"))
      return false;
  return true;
}

bool Rank::check(const Instruction &i, Operands ops) {
  rt::AlignedBuffer values[2];
  const std::byte *data[2] = {};
  for (int o = 0; o < 2; ++o) {
    if (static_cast<uint32_t>(ops[1 + o]) == program::kNone)
      continue;
    size_t bytes = run.program.slots()[ops[1 + o]].bytes;
    values[o] = rt::AlignedBuffer(bytes);
    if (!values[o].isValid())
      return fail("there is not enough host memory to check a value");
    if (!ok(staging.download(values[o].data(), address(ops[1 + o]), bytes,
                             stream(i)),
            "downloading a checked value"))
      return false;
    data[o] = values[o].data();
  }
  bool good = false;
  if (!run.meetCheck(*this, static_cast<uint32_t>(ops[0]), i, ops, data[0],
                     data[1], good))
    return false;
  if (static_cast<uint32_t>(ops[3]) == program::kNone)
    return true;
  return ok(device.driver.memsetD8Async(address(ops[3]), good, 1, stream(i)),
            "writing a verdict");
}

} // namespace shoal::cuda
