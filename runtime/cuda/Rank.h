// One rank: its memory on a device, its streams, and the interpreter of its
// program, which runs on a thread of its own.
#ifndef SHOAL_RUNTIME_CUDA_RANK_H
#define SHOAL_RUNTIME_CUDA_RANK_H

#include "core/Profile.h"
#include "cuda/Device.h"
#include "cuda/FlightRecorder.h"
#include "cuda/Memory.h"
#include "cuda/Staging.h"
#include "cuda/Transport.h"
#include "cuda/math/MathCall.h"
#include "shoal/runtime/Cursor.h"
#include "shoal/runtime/Tensor.h"

#include <atomic>
#include <deque>
#include <map>
#include <thread>

namespace shoal::cuda {

class Execution;

class Rank {
public:
  Rank(Execution &run, int64_t number, Device &device);
  ~Rank();

  // Jobs of the rank's thread (Execution::everyRank). False: it has not done
  // it, because the run has failed, or because a test lets it die.
  /// Streams, pinned memory, constants and arguments.
  bool prepare();
  bool join();
  bool uploadArguments(bool onlyDonated);
  /// One step; it has ended on the device when this returns.
  bool step();
  /// Makes a graph of a step, which `step` launches from then on.
  bool capture();
  bool downloadResults();
  bool leave();

  /// Which instructions libraries do instead of the package's kernels or the
  /// host; first of all.
  void findMathCalls();
  /// The library that does an instruction, or null.
  const MathCall *mathCall(const program::Instruction &i) const {
    auto it = mathCalls.find(&i);
    return it == mathCalls.end() ? nullptr : it->second.get();
  }
  bool usesLibraries() const { return !mathCalls.empty(); }
  /// Reserves device memory: `slots` become offsets from the device's arena.
  void layOut(DeviceArena &arena);
  /// Makes them addresses.
  void place(CUdeviceptr base);

  /// "kernel 'add_tanh' (model.mlir:3:8)": what it does or waits in.
  std::string whereabouts() const;
  /// Ends the run if `result` is an error, and is false then.
  bool ok(CUresult result, const char *what);
  bool fail(const std::string &why);
  /// Waits for work of the device. False: the run has failed.
  bool wait(CUevent event);
  /// Brings device memory to the host; there when this returns.
  bool download(std::byte *to, CUdeviceptr from, size_t bytes,
                CUstream stream) {
    return ok(staging.download(to, from, bytes, stream), "reading values");
  }

  Execution &run;
  const int64_t number;
  Device &device;
  rt::Cursor cursor;
  std::vector<std::byte *> slots; ///< device addresses
  std::vector<CUstream>
      streams; ///< the program's, then the one for collectives
  FlightRecorder flights;
  CUevent readyEvent = nullptr; ///< for the transport
  CUevent doneEvent = nullptr;  ///< likewise

  std::vector<uint64_t> sequence; ///< collectives issued per group in this step
  std::atomic<uint64_t> steps{0}; ///< instructions executed
  std::atomic<const program::Instruction *> current{nullptr};
  std::atomic<bool> waiting{false}; ///< for other ranks or the device
  std::atomic<bool> meets{false};   ///< for other ranks of this process
  std::atomic<bool> idle{true};     ///< has no job
  std::atomic<bool> dead{false}; ///< it has left its program without an error
  bool capturing = false;

  // Measured in the last step.
  double bytesSent = 0;
  int64_t collectives = 0;
  rt::Timings profile;
  /// Blocks of results that this rank gives, by result; empty: another one
  /// does.
  std::vector<rt::AlignedBuffer> results;

  CUdeviceptr address(int64_t slot) const {
    return reinterpret_cast<CUdeviceptr>(slots[slot]);
  }

private:
  using Instruction = program::Instruction;
  using Operands = std::span<const int64_t>;
  bool runProgram();
  bool execute(const Instruction &i);
  bool exec(const Instruction &i, Operands ops);
  bool read(const Instruction &i, Operands ops);
  bool write(const Instruction &i, Operands ops);
  bool copy2D(const Instruction &i, Operands ops);
  bool fill(const Instruction &i, Operands ops);
  bool customCall(const Instruction &i, Operands ops);
  bool issueMathCall(MathCall &call, const Instruction &i, Operands slots);
  bool check(const Instruction &i, Operands ops);
  bool collective(const Instruction &i, Operands ops, bool start);
  bool exchange(const Instruction &i, Issue &issue, bool start, uint32_t event);
  bool alone(const Issue &issue);
  bool post(const Issue &issue);
  bool misbehaves(const Instruction &i, bool &result);
  bool poison(uint32_t slot, Operands inputs, CUstream stream);
  bool uploadConstants();
  CUstream stream(const Instruction &i) const { return streams[i.stream]; }
  CUevent event(uint32_t index);
  bool signal(CUevent event, CUstream from) {
    return ok(device.driver.eventRecord(event, from), "recording an event");
  }
  bool follow(CUstream stream, CUevent event) {
    return ok(device.driver.streamWaitEvent(stream, event, 0),
              "waiting for an event");
  }

  Staging staging;
  std::unique_ptr<MathHandles> math;
  std::map<const Instruction *, std::shared_ptr<MathCall>> mathCalls;
  RankMemory memory;
  std::vector<CUevent> events; ///< of the program
  std::vector<bool> eventSet;  ///< a collective was started under it
  CUevent hostEvent = nullptr, orderEvent = nullptr;
  std::byte *mailbox = nullptr; ///< pinned, for single values
  std::byte *hostMemory = nullptr; ///< pinned, for what is offloaded
  CUstream lastCollective = nullptr;
  int64_t outstanding = 0; ///< started collectives that are not done
  CUgraphExec graph = nullptr;
  /// Messages sent and not yet received: buffers per message.
  struct Mail {
    std::vector<CUdeviceptr> buffers;
    std::vector<size_t> bytes;
  };
  std::map<std::pair<uint32_t, int64_t>, std::deque<Mail>> mail;
  std::multimap<size_t, CUdeviceptr> freeMail;
  std::vector<uint32_t> eventGroups;
};

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_RANK_H
