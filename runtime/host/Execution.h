// One run of a program: the state of its ranks and how they meet.
#ifndef SHOAL_RUNTIME_HOST_EXECUTION_H
#define SHOAL_RUNTIME_HOST_EXECUTION_H

#include "core/CustomCalls.h"
#include "core/Judge.h"
#include "core/Profile.h"
#include "host/Collectives.h"
#include "shoal/runtime/Compare.h"
#include "shoal/runtime/Cursor.h"
#include "shoal/runtime/Pool.h"
#include "shoal/runtime/Run.h"
#include "shoal/runtime/Shards.h"

#include "host/Exchange.h"
#include "host/HostCopies.h"
#include "host/Links.h"

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace shoal::rt {

class Execution;

/// The interpreter of one rank. It keeps its place in `cursor`, so that it can
/// leave its thread in the middle of the program and go on later on another.
class Rank final : public Task {
public:
  Rank(Execution &run, int64_t number);

  void run() override;

  int64_t index() const { return number; }
  /// "kernel 'add_tanh' (model.mlir:3:8)": what it does or waits in.
  std::string whereabouts() const;
  /// The same of any instruction, without its location.
  std::string nameOf(const program::Instruction &i) const;

  Execution &run_;
  const int64_t number;
  std::vector<std::byte *> slots;
  Cursor cursor;
  std::vector<uint64_t> events; // sequence number + 1 of a started collective
  std::vector<uint32_t> eventGroups;
  /// Of copies to or from the host's memory: the stream, and how many there.
  std::vector<std::pair<unsigned, uint64_t>> copyEvents;
  std::vector<uint64_t> sequence; // per group: collectives issued
  std::atomic<uint64_t> steps{0}; // instructions executed
  std::atomic<const program::Instruction *> current{nullptr};
  std::atomic<bool> waiting{false}, finished{false};
  uint64_t progress = 0; // instructions of this step
  double bytesSent = 0;
  Timings profile;
  int64_t collectives = 0;
  // What it owns.
  AlignedBuffer arena, host;
  std::vector<AlignedBuffer> owned;

private:
  friend class Execution;
  /// Executes one instruction. False: the rank must leave its thread, because
  /// it waits or because the run has failed.
  bool step(const program::Instruction &i);
  bool timedStep(const program::Instruction &i);
  bool exec(const program::Instruction &i, std::span<const int64_t> ops);
  bool matmul(const program::Instruction &i, std::span<const int64_t> ops);
  bool convolution(const program::Instruction &i, std::span<const int64_t> ops);
  bool customCall(const program::Instruction &i, std::span<const int64_t> ops);
  bool collective(const program::Instruction &i, std::span<const int64_t> ops,
                  bool start);
  bool check(const program::Instruction &i, std::span<const int64_t> ops);
  void poison(uint32_t slot, std::span<const int64_t> inputs);
  bool fail(const program::Instruction &i, const std::string &why);
};

/// Meeting place of a communicator's collectives: the n-th of each member meet.
struct Rendezvous {
  struct Pending {
    CollectiveCall call;
    const program::Instruction *instruction = nullptr;
    int64_t firstRank = 0;
    int64_t arrived = 0;
    bool done = false;
    std::vector<MemberBuffers> members;
    std::vector<Rank *> waiting;
  };
  /// Members that live in this process.
  int64_t numHere = 0;
  std::mutex mutex;
  uint64_t first = 0; // sequence number of pending.front()
  std::deque<std::unique_ptr<Pending>> pending;
};

/// Group, channel, sending rank, receiving rank.
using Channel = std::array<int64_t, 4>;

/// Buffered messages of a channel.
struct Mailbox {
  std::deque<std::vector<std::byte>> messages;
  Rank *receiver = nullptr; // waits for a message
  /// To and from other processes.
  uint64_t numPosted = 0, numTaken = 0;
  bool isTaking = false;
};

/// A check operation that all ranks reach; the last one judges.
struct PendingCheck : CheckedValues {
  int64_t arrived = 0;
  const program::Instruction *instruction = nullptr;
  std::vector<std::byte *> passed;
  std::vector<Rank *> waiting;
};

class Execution {
public:
  Execution(const Package &package, const RunOptions &options);

  /// Allocates and fills what does not change between steps.
  Status prepare(std::vector<HostTensor> arguments);
  /// Runs all ranks once; `begun` is when they started, after inputs were laid
  /// ready. `stuck` is set if threads may still be busy.
  Status step(bool &stuck, std::chrono::steady_clock::time_point &begun);
  Result<std::vector<HostTensor>> takeResults();
  /// The sum of a figure over all processes, in process 0.
  double sumOverProcesses(double here);
  /// Forgets what was measured so far.
  void clearProfile();
  std::vector<ProfileRow> takeProfile(int64_t steps) const;

  const Package &package;
  const program::View &program;
  RunOptions options;
  std::span<const program::Slot> slots;
  std::span<const program::Group> groups;
  std::vector<std::unique_ptr<Rank>> ranks; ///< of this process
  std::vector<std::string> failedChecks;
  std::vector<ShoalCustomCallFn> customCalls;
  std::atomic<bool> failed{false};
  HostCopies *hostCopies() const { return copies.get(); }

  // Used by ranks.
  /// Records the first failure; the others stop at their next instruction.
  void fail(Status status);
  /// Meets the group; true if the collective is done, else the rank waits.
  bool meet(Rank &rank, uint32_t group, CollectiveCall call,
            MemberBuffers buffers, const program::Instruction &i, bool wait);
  /// Waits for an earlier `meet`; true if it is done.
  bool await(Rank &rank, uint32_t group, uint64_t sequence);
  void deliver(const Channel &channel, std::vector<std::byte> data);
  void send(const Channel &channel, const std::byte *data, int64_t bytes);
  /// True if messages for all buffers were there and have been copied.
  bool receive(Rank &rank, const Channel &channel, const CollectiveCall &call,
               const MemberBuffers &buffers, const program::Instruction &i);
  /// The operands are the Check instruction's.
  bool meetCheck(Rank &rank, const program::Instruction &i,
                 std::span<const int64_t> operands);
  /// A rank has left its thread: it waits, has ended, or gave up.
  void left();
  /// What the ranks of this process are doing.
  World::Activity activity() const;
  void resume(Rank *rank);
  /// Whether collectives take time in which nobody has to compute.
  bool carriesSlowly() const { return links || options.world; }
  std::string groupName(uint32_t group) const;
  std::string locationOf(const program::Instruction &i) const;

private:
  Status checkMemory() const;
  Status makeRank(int64_t number, const std::vector<HostTensor> &arguments);
  void fillDonated();
  // Ranks of other processes (Remote.cpp).
  bool isMain() const { return !options.world || options.world->rank() == 0; }
  int homeOf(int64_t rank) const;
  bool isHere(int64_t rank) const;
  /// Runs `work` on a thread of its own; the step does not end before it.
  void runAside(std::function<void()> work);
  void exchange(Rendezvous &place, Rendezvous::Pending &pending, uint32_t group,
                int64_t rank, uint64_t sequence);
  void finish(Rendezvous &place, Rendezvous::Pending &pending);
  World::Key resultKey(uint64_t result, int64_t rank) const;
  World::Key messageKey(const Channel &channel, uint64_t number) const;
  void takeMessages(const Channel &channel, size_t count);
  void judgeTogether(uint32_t check, uint64_t turn, PendingCheck &values);
  bool judge(uint32_t check, const PendingCheck &values);
  Status deadlock() const;
  Status stalled(double seconds) const;
  std::string waitingList(bool waiting) const;

  Rendezvous &rendezvous(uint32_t group, int64_t rank);

  std::vector<HostTensor> arguments;
  std::vector<std::vector<std::unique_ptr<Rendezvous>>> meetings; // by group
  std::mutex mailMutex;
  std::map<Channel, Mailbox> mail;
  std::mutex checkMutex;
  std::map<std::pair<uint32_t, uint64_t>, PendingCheck> checks;
  std::vector<std::vector<uint64_t>> checkCount; // rank, check
  std::vector<bool> reported;                    // check: failure printed

  /// Runs `work` on another thread when the link has carried it; the step does
  /// not end before it.
  std::function<void()> aside(std::function<void()> work);

  std::mutex mutex;
  std::condition_variable allLeft;
  uint64_t stepNumber = 0, figures = 0;
  std::atomic<int64_t> active{0};
  Status failure;
  std::optional<EmulatedLink> hostLink;
  std::unique_ptr<Links> links;       ///< null: as fast as memory
  std::unique_ptr<HostCopies> copies; ///< null: the program has none
};

/// The rank that the current thread works for, for the crash handler.
extern thread_local const Rank *currentRank;

/// Scratch memory of the current thread, aligned to 64; null if there is none
/// to be had.
void *threadScratch(size_t bytes);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_EXECUTION_H
