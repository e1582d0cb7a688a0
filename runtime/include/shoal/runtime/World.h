// The processes of one run: who they are, and messages between them.
//
// A run is started once per process by mpirun, srun, torchrun or by hand. Their
// environment variables say which process this is and of how many; everything
// else goes over TCP connections of our own, one for each pair of processes, so
// that a process that dies is noticed by all others at once.
#ifndef SHOAL_RUNTIME_WORLD_H
#define SHOAL_RUNTIME_WORLD_H

#include "shoal/runtime/Status.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace shoal::rt {

/// Number of this process and of all, as the launcher says.
struct ProcessPlace {
  int rank = 0, size = 1;
  /// What all processes of the run share and no other run has.
  std::string job;
  /// "host:port" of process 0; empty: all are on this machine.
  std::string address;
};

/// Reads the variables of Open MPI, MPICH and Intel MPI (PMI), Slurm and
/// torchrun. One process without them.
Result<ProcessPlace> findPlace();

class World {
public:
  /// Who sends what: a message is taken by the key it was posted under.
  using Key = std::array<uint64_t, 4>;

  /// Connects to all other processes. A fault names those that did not come
  /// within `seconds`.
  static Result<std::unique_ptr<World>> join(const ProcessPlace &place,
                                             double seconds = 60);
  ~World();

  int rank() const { return place.rank; }
  int size() const { return place.size; }

  /// Sends a message. The receiver always reads, so this waits for the network
  /// only.
  void post(int to, const Key &key, std::span<const std::byte> data);
  /// Waits for a message. None if the run has failed in the meantime.
  std::optional<std::vector<std::byte>> take(int from, const Key &key);

  /// Called, on a thread of this class, when another process has failed or
  /// died: with a message that names it.
  void onFailure(std::function<void(Status)> callback);
  /// Tells the others that this process fails, and why.
  void abort(const std::string &why);
  /// Ends all waiting in `take`.
  void interrupt();
  /// How another process has failed or died; ok if none has.
  Status status();

  /// What this process answers when another one asks what it is doing.
  struct Activity {
    bool waits = false; ///< all it does is wait for other processes
    std::string text;
  };
  void onQuestion(std::function<Activity()> callback);
  /// Asks all others what they are doing, for when nothing moves any more. One
  /// that does not answer within `seconds` has no text.
  std::vector<Activity> survey(double seconds);
  const std::string &name(int process) const { return peers[process]->name; }

  /// Waits until all processes have come here: nothing is missing any more.
  /// False if the run has failed.
  bool meetAtEnd();

private:
  explicit World(ProcessPlace place) : place(std::move(place)) {}
  Status connect(std::chrono::steady_clock::time_point deadline);
  void readMain();
  void send(int to, uint64_t kind, std::span<const std::byte> data,
            const Key &key = {});
  void reply(int to);
  void failed(int process, const std::string &why);

  ProcessPlace place;
  struct Peer {
    int socket = -1;
    std::mutex writing;
    std::string name; ///< "process 3 (pid 4711 on host a)"
    bool ended = false;
  };
  std::vector<std::unique_ptr<Peer>> peers;
  std::thread reader;
  int wakePipe[2] = {-1, -1};

  std::mutex mutex;
  std::condition_variable arrived;
  std::map<std::pair<int, Key>, std::deque<std::vector<std::byte>>> messages;
  bool interrupted = false, leaving = false;
  Status failure;
  std::map<int, Activity> answers;
  std::mutex calling; ///< held while a callback runs
  std::function<void(Status)> callback;
  std::function<Activity()> answer;
};

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_WORLD_H
