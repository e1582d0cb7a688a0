// Collectives, messages and checks between ranks of several processes.
#ifndef SHOAL_RUNTIME_HOST_EXCHANGE_H
#define SHOAL_RUNTIME_HOST_EXCHANGE_H

#include "host/Collectives.h"
#include "shoal/runtime/World.h"

namespace shoal::rt {

/// One collective of a group whose members live in several processes.
struct Exchange {
  World &world;
  CollectiveCall call;
  /// By position; those of other processes are empty.
  std::vector<MemberBuffers> members;
  /// The process of each position.
  std::vector<int> homes;
  /// Names this collective among all of the run; the last word is free.
  World::Key key;
  /// Equal on all members if they agree about what they run.
  uint64_t fingerprint = 0;

  /// Sends what others need, waits for what they send, and fills the outputs of
  /// the members that live here: the same bits as executeCollective.
  /// "" or why it could not be done; nothing but "" after World has failed.
  std::string run(bool &interrupted);
};

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_EXCHANGE_H
