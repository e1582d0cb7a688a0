// Transfers that share links. A transfer alone takes its `seconds`; where the
// links it uses are also used by others, all of them slow down alike.
#ifndef SHOAL_LIB_SIMULATE_NETWORK_H
#define SHOAL_LIB_SIMULATE_NETWORK_H

#include "shoal/Analysis/CollectiveModel.h"

#include <vector>

namespace shoal::simulation {

class Network {
public:
  /// `numRanks` devices with a link on each of `levels` levels.
  Network(size_t numRanks, size_t levels)
      : levels(levels), out(numRanks * levels, 0.0), in(out) {}

  /// Begins a transfer at time `now`; a link carries as much each way at once.
  /// Returns its number.
  size_t begin(double now, const CollectiveTime &time,
               std::vector<uint32_t> senders, std::vector<uint32_t> receivers);
  bool empty() const { return active.empty(); }
  /// When the next transfer ends, if none begins before.
  double nextEnd() const;
  /// Moves to time `now`, not later than nextEnd(). Returns the transfers that
  /// end there, in the order of their numbers.
  std::vector<size_t> advance(double now);

private:
  struct Transfer {
    size_t number;
    double remaining; ///< seconds it would need alone
    double rate = 1;  ///< of those seconds per second
    /// The share of its time in which it sends on each level.
    std::vector<double> use;
    std::vector<uint32_t> senders, receivers;
  };

  void progress(double now);
  void share();

  size_t levels;
  size_t count = 0;
  double time = 0;
  std::vector<Transfer> active;
  std::vector<double> out, in; ///< load by rank x level, scratch
};

} // namespace shoal::simulation

#endif // SHOAL_LIB_SIMULATE_NETWORK_H
