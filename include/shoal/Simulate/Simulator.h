// How long a program takes on a machine that need not be there: a
// discrete-event simulation of the program table, all ranks or, where they
// behave alike, one.
//
// A rank's host issues instructions without taking time, waits only to read a
// value, and runs at most a few hundred instructions ahead. Each stream does
// its instructions in order; streams run at once. A collective starts when all
// its members have come to it and takes what CollectiveModel.h says;
// collectives that use a device's link at the same time share it.
#ifndef SHOAL_SIMULATE_SIMULATOR_H
#define SHOAL_SIMULATE_SIMULATOR_H

#include "shoal/Analysis/CollectiveModel.h"
#include "shoal/runtime/Program.h"

#include <string>
#include <vector>

namespace shoal {

struct SimulationOptions {
  const Hardware *hardware = nullptr;
  /// Seconds of each kernel of the table, in its order.
  llvm::ArrayRef<double> kernelSeconds;
  /// By what a rank's kernels take longer than they should; empty: nothing.
  std::vector<double> slowdown;
  /// Each kernel takes a random factor between 1 and 1 + jitter.
  double jitter = 0;
  uint64_t seed = 0;
  /// Simulate every rank, even where they all behave alike.
  bool allRanks = false;
  /// Keep what happened when, for Simulation::events and memory.
  bool trace = false;
};

struct Simulation {
  /// Why the program does not end (ranks that wait for ever, collectives that
  /// do not match); empty if it does.
  std::string error;
  double stepSeconds = 0;
  /// Of one rank, the mean of those simulated: kernels; collectives one after
  /// the other, without contention; and the time in which a collective is under
  /// way or waited for and no kernel runs.
  double computeSeconds = 0, communicationSeconds = 0, exposedSeconds = 0;
  /// By level of links, how long the device's link is busy.
  std::vector<double> linkSeconds;
  /// The longest chain of instructions each of which needs the one before.
  double criticalPathSeconds = 0;
  int64_t ranksSimulated = 0;

  struct Event {
    int64_t rank;
    uint32_t stream;      ///< of the instruction
    uint32_t instruction; ///< its index in the table
    bool communication;
    double begin, end; ///< seconds; a collective's from its first member on
  };
  std::vector<Event> events;
  /// Times, ascending, and the bytes that rank 0 holds from then on: arguments,
  /// results, and the buffers of the arena that are alive.
  std::vector<std::pair<double, int64_t>> memory;

  /// No schedule of the same instructions is faster on this machine:
  /// max(compute, link of each level, critical path).
  double lowerBound() const;
};

/// Runs a validated table once. Branches and loops that depend on data are
/// taken as follows, the same on every rank: a loop runs once, of a branch on a
/// boolean both sides are taken in turn, other values read are 0.
Simulation simulate(const program::View &program,
                    const SimulationOptions &options);

/// The events in the format of chrome://tracing and Perfetto: a process per
/// rank, a thread per stream, and a counter of the memory that rank 0 holds.
std::string chromeTrace(const program::View &program,
                        const Simulation &simulation);

} // namespace shoal

#endif // SHOAL_SIMULATE_SIMULATOR_H
