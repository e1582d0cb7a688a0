// The interpreter of the host program: one rank, one instruction at a time.
#include "core/Instructions.h"
#include "host/Execution.h"

#include "shoal/runtime/DType.h"

#include <cstdlib>
#include <cstring>
#include <limits>
#include <thread>

namespace shoal::rt {

using program::Instruction;
using program::Opcode;

thread_local const Rank *currentRank = nullptr;

void *threadScratch(size_t bytes) {
  thread_local AlignedBuffer scratch;
  if (!scratch.isValid() || scratch.size() < bytes)
    scratch = AlignedBuffer(std::max<size_t>(bytes, 4096));
  return scratch.data();
}

Rank::Rank(Execution &run, int64_t number)
    : run_(run), number(number), cursor(run.program, number) {}

void Rank::run() {
  currentRank = this;
  while (!run_.failed.load(std::memory_order_relaxed)) {
    const Instruction *next = cursor.fetch();
    if (!next) {
      finished = true;
      break;
    }
    const Instruction &i = *next;
    current.store(&i, std::memory_order_relaxed);
    steps.fetch_add(1, std::memory_order_relaxed);
    ++progress;
    // After a false the rank may already run on another thread.
    if (!(profile.empty() ? step(i) : timedStep(i)))
      break;
  }
  currentRank = nullptr;
  run_.left();
}

/// What a rank does after it has left this thread is another's: an instruction
/// that waits counts until it leaves.
bool Rank::timedStep(const Instruction &i) {
  Timing &timing =
      profile[&i -
              run_.program.section<Instruction>(program::Section::Instructions)
                  .data()];
  ++timing.calls;
  double sent = bytesSent;
  auto begin = std::chrono::steady_clock::now();
  bool more = step(i);
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  if (more)
    timing.seconds += time.count();
  timing.bytesSent += bytesSent - sent;
  return more;
}

bool Rank::fail(const Instruction &i, const std::string &why) {
  run_.fail(Status::fault("rank " + std::to_string(number) + ": " + why +
                          run_.locationOf(i)));
  return false;
}

bool Rank::step(const Instruction &i) {
  std::span<const int64_t> ops = run_.program.operands(i);
  const Fault *fault = run_.options.fault ? &*run_.options.fault : nullptr;
  if (fault && fault->kind != Fault::Kind::Delay && fault->rank == number &&
      static_cast<int64_t>(steps.load()) > fault->instruction) {
    if (fault->kind == Fault::Kind::Die) {
      // As if the rank were gone: it leaves, unfinished, and the others wait.
      return false;
    }
    if (fault->kind == Fault::Kind::Hang)
      for (;;)
        std::this_thread::sleep_for(std::chrono::hours(1));
    if (i.opcode == Opcode::Collective || i.opcode == Opcode::CollectiveStart)
      return true;
  }
  switch (i.opcode) {
  case Opcode::Nop:
    return true;
  // One thread runs all streams in program order, but for copies to and from
  // the memory of the host.
  case Opcode::Record:
    copyEvents[ops[0]] = {i.stream, 0};
    if (i.stream != 0 && run_.hostCopies())
      copyEvents[ops[0]].second = run_.hostCopies()->issued({number, i.stream});
    return true;
  case Opcode::Wait:
    if (auto [stream, count] = copyEvents[ops[0]]; count != 0)
      run_.hostCopies()->wait({number, stream}, count);
    return true;
  case Opcode::SRead: {
    uint32_t slot = static_cast<uint32_t>(ops[1]);
    program::DType type = run_.program.type(run_.slots[slot].type).dtype;
    cursor.setReg(ops[0], toInt64(static_cast<DType>(type), slots[slot]));
    return true;
  }
  case Opcode::SWrite: {
    uint32_t slot = static_cast<uint32_t>(ops[0]);
    storeInteger(run_.program.type(run_.slots[slot].type).dtype,
                 cursor.reg(ops[1]), slots[slot]);
    return true;
  }
  case Opcode::View:
  case Opcode::Handles: {
    std::string why;
    return setSlots(run_.program, i, cursor, slots, why) || fail(i, why);
  }
  case Opcode::Copy: {
    std::string why;
    auto parts = partsOfCopy(run_.program, i, cursor, slots, why);
    if (!parts)
      return fail(i, why);
    if (i.stream != 0 && run_.hostCopies()) {
      if (run_.options.poison)
        std::memset(parts->to, 0xff, parts->bytes);
      run_.hostCopies()->issue({number, i.stream}, parts->to, parts->from,
                               parts->bytes);
      return true;
    }
    std::memmove(parts->to, parts->from, parts->bytes);
    return true;
  }
  case Opcode::Copy2D: {
    // Operands: dst, dstOffset, dstPitch, src, srcOffset, srcPitch, rowBytes,
    // rows, index register, indexStride.
    int64_t column = ops[4];
    if (static_cast<uint32_t>(ops[8]) != program::kNone)
      column = static_cast<int64_t>(static_cast<uint64_t>(column) +
                                    static_cast<uint64_t>(cursor.reg(ops[8])) *
                                        static_cast<uint64_t>(ops[9]));
    if (column < 0 || column >= ops[5])
      return true; // all of it is past the end of the rows
    size_t bytes = static_cast<size_t>(std::min(ops[6], ops[5] - column));
    std::byte *to = slots[ops[0]] + ops[1];
    const std::byte *from = slots[ops[3]] + column;
    for (int64_t row = 0; row < ops[7]; ++row)
      std::memcpy(to + row * ops[2], from + row * ops[5], bytes);
    return true;
  }
  case Opcode::Fill: {
    std::byte *to = slots[ops[0]];
    uint64_t bytes = run_.slots[ops[0]].bytes;
    size_t width = static_cast<size_t>(ops[1]);
    if (width == 1) {
      std::memset(to, static_cast<int>(ops[2] & 0xff), bytes);
      return true;
    }
    for (uint64_t at = 0; at + width <= bytes; at += width)
      std::memcpy(to + at, &ops[2], width); // the two words are neighbours
    return true;
  }
  case Opcode::Exec:
    return exec(i, ops);
  case Opcode::Matmul:
    return matmul(i, ops);
  case Opcode::Convolution:
    return convolution(i, ops);
  case Opcode::CustomCall:
    return customCall(i, ops);
  case Opcode::Check:
    return check(i, ops);
  case Opcode::Fail:
    return fail(i,
                std::string(run_.program.str({static_cast<uint32_t>(ops[0]),
                                              static_cast<uint32_t>(ops[1])})));
  case Opcode::Collective:
    return collective(i, ops, /*start=*/false);
  case Opcode::CollectiveStart:
    return collective(i, ops, /*start=*/true);
  case Opcode::CollectiveDone: {
    uint64_t sequence = events[ops[0]];
    if (sequence == 0) // the rank took no part, or the group was of one
      return true;
    events[ops[0]] = 0;
    return run_.await(*this, eventGroups[ops[0]], sequence - 1);
  }
  default:
    if (cursor.execute(i) == Cursor::ZeroStep)
      return fail(i, "a loop with step 0 would not end");
    return true;
  }
}

/// Fills an output with NaN (-1 for integers), unless it shares memory with an
/// input: what a kernel forgets to write must not look like a number.
void Rank::poison(uint32_t slot, std::span<const int64_t> inputs) {
  const std::byte *begin = slots[slot], *end = begin + run_.slots[slot].bytes;
  for (int64_t input : inputs) {
    const std::byte *p = slots[input];
    if (p < end && begin < p + run_.slots[input].bytes)
      return;
  }
  std::memset(slots[slot], 0xff, run_.slots[slot].bytes);
}

bool Rank::exec(const Instruction &i, std::span<const int64_t> ops) {
  uint32_t index = static_cast<uint32_t>(ops[0]);
  const program::Kernel &kernel =
      run_.program.section<program::Kernel>(program::Section::Kernels)[index];
  size_t numBuffers = kernel.numInputs + kernel.numOutputs;
  void *smallBuffers[32];
  int64_t smallScalars[32];
  std::vector<void *> largeBuffers;
  std::vector<int64_t> largeScalars;
  void **buffers = smallBuffers;
  int64_t *scalars = smallScalars;
  if (numBuffers > 32) {
    largeBuffers.resize(numBuffers);
    buffers = largeBuffers.data();
  }
  if (kernel.numScalars > 32) {
    largeScalars.resize(kernel.numScalars);
    scalars = largeScalars.data();
  }
  for (size_t b = 0; b < numBuffers; ++b)
    buffers[b] = slots[ops[1 + b]];
  for (size_t s = 0; s < kernel.numScalars; ++s)
    scalars[s] = cursor.reg(ops[1 + numBuffers + s]);
  if (run_.options.poison)
    for (size_t o = 0; o < kernel.numOutputs; ++o)
      poison(static_cast<uint32_t>(ops[1 + kernel.numInputs + o]),
             ops.subspan(1, kernel.numInputs));

  ShoalKernelFn function = run_.package.kernel(index);
  std::atomic<bool> noMemory{false};
  auto body = [&](int64_t begin, int64_t end) {
    const Rank *outer = currentRank;
    currentRank = this;
    ShoalKernelArgs args{buffers, scalars, nullptr};
    if (kernel.scratchBytes > 0)
      args.scratch = threadScratch(static_cast<size_t>(kernel.scratchBytes));
    if (kernel.scratchBytes > 0 && !args.scratch)
      noMemory = true;
    else
      function(&args, begin, end);
    steps.fetch_add(1, std::memory_order_relaxed); // a sign of life
    currentRank = outer;
  };
  // Waking another thread takes some microseconds.
  if (kernel.numChunks == 1 || kernel.flops + kernel.bytes < 100000)
    body(0, kernel.numChunks);
  else
    Pool::get().parallelFor(kernel.numChunks,
                            std::max<int64_t>(1, kernel.numChunks / 64), body);
  return noMemory ? fail(i, "no memory for a kernel's scratch buffer") : true;
}

bool Rank::customCall(const Instruction &i, std::span<const int64_t> ops) {
  std::vector<std::byte *> data;
  for (int64_t slot : ops.subspan(3))
    data.push_back(slots[slot]);
  std::string why =
      runCustomCall(run_.program, run_.customCalls[ops[0]], i, number, data);
  return why.empty() || fail(i, why);
}

} // namespace shoal::rt
