// What a rank has lately done in collectives, for when a run hangs or fails.
#ifndef SHOAL_RUNTIME_CUDA_FLIGHTRECORDER_H
#define SHOAL_RUNTIME_CUDA_FLIGHTRECORDER_H

#include "core/CollectiveCall.h"
#include "cuda/Driver.h"

#include <array>
#include <chrono>
#include <mutex>

namespace shoal::cuda {

/// One collective of one rank.
struct Flight {
  uint64_t number = 0; ///< of all collectives of the rank in this run, from 1
  uint32_t group = 0;
  uint64_t sequence = 0; ///< of the collectives over the group
  const program::Instruction *instruction = nullptr;
  std::string what;  ///< "all_reduce(add, 4096 bytes)"
  double issued = 0; ///< seconds since the run began
  /// When the device was seen in it and past it; -1: not yet.
  double started = -1, completed = -1;
};

/// The last collectives of a rank, in a ring. The rank's thread writes; others
/// read when something is wrong.
class FlightRecorder {
public:
  static constexpr size_t capacity = 256;

  explicit FlightRecorder(const Driver &driver) : driver(driver) {}
  ~FlightRecorder();
  FlightRecorder(const FlightRecorder &) = delete;

  /// Before a collective is put on the stream. Events before and behind it tell
  /// how far the device is; none while a graph is captured (`stream` null),
  /// whose part they would become.
  void begin(Flight flight, CUstream stream);
  /// It is on the stream.
  void end(CUstream stream);
  /// Asks the events how far the device is, and copies out what is recorded,
  /// oldest first. Any thread with a context of the device.
  std::vector<Flight> read(double now);

private:
  const Driver &driver;
  void record(CUevent &event, bool &isRecorded, CUstream stream);
  std::mutex mutex;
  struct Entry {
    Flight flight;
    CUevent before = nullptr, after = nullptr;
    bool hasBefore = false, hasAfter = false;
  };
  std::array<Entry, capacity> ring;
  uint64_t count = 0;
};

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_FLIGHTRECORDER_H
