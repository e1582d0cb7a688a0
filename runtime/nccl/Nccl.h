// The part of NCCL that the runtime uses, opened at run time; no NCCL is needed
// to build Shoal. Types and values are those of NCCL's public documentation
// (2.18 and later). The test suite's stand-in implements exactly the functions
// of SHOAL_NCCL_FUNCTIONS.
//
// What the runtime relies on, and a stand-in has to keep:
//   - Communicators are non-blocking (config.blocking = 0): a call that returns
//     ncclInProgress is followed by ncclCommGetAsyncError until that is
//     something else, before the communicator is used again.
//   - One world communicator per rank from one ncclUniqueId, then one
//     ncclCommSplit of it for each group of ranks, in the same order on all
//     ranks (color NCCL_SPLIT_NOCOLOR where a rank is in no group). Ranks of
//     one process are threads, each with its device's context current.
//   - Every rank of a communicator issues the same collectives with the same
//     counts, types and roots in the same order; sends and receives only inside
//     ncclGroupStart / ncclGroupEnd, each matched within the same group call.
//   - A call is ordered with other work by its stream. A rank has all calls on
//     all its communicators ordered on the device by streams and events.
//   - Buffers are device memory, in place (send == receive) only in all-reduce
//     and broadcast.
//   - ncclCommAbort may be called from another thread while a call is waiting.
#ifndef SHOAL_RUNTIME_NCCL_NCCL_H
#define SHOAL_RUNTIME_NCCL_NCCL_H

#include "cuda/Driver.h"

#include <climits>

namespace shoal::nccl {

using ncclResult_t = int;
using ncclComm_t = struct ncclComm *;
struct ncclUniqueId {
  char internal[128];
};

inline constexpr ncclResult_t ncclSuccess = 0;
inline constexpr ncclResult_t ncclUnhandledCudaError = 1;
inline constexpr ncclResult_t ncclSystemError = 2;
inline constexpr ncclResult_t ncclInvalidArgument = 4;
inline constexpr ncclResult_t ncclInvalidUsage = 5;
inline constexpr ncclResult_t ncclRemoteError = 6;
inline constexpr ncclResult_t ncclInProgress = 7;

enum ncclDataType_t : int {
  ncclInt8 = 0,
  ncclUint8 = 1,
  ncclInt32 = 2,
  ncclUint32 = 3,
  ncclInt64 = 4,
  ncclUint64 = 5,
  ncclFloat16 = 6,
  ncclFloat32 = 7,
  ncclFloat64 = 8,
  ncclBfloat16 = 9,
};
enum ncclRedOp_t : int { ncclSum = 0, ncclProd = 1, ncclMax = 2, ncclMin = 3 };

inline constexpr int NCCL_SPLIT_NOCOLOR = -1;

/// The configuration as of NCCL 2.18; later versions append fields and take
/// their defaults for what `size` does not cover.
struct ncclConfig_t {
  size_t size = sizeof(ncclConfig_t);
  unsigned magic = 0xcafebeef;
  unsigned version = 21800;
  int blocking = 0;
  int cgaClusterSize = INT_MIN; // INT_MIN, null: NCCL's choice
  int minCTAs = INT_MIN;
  int maxCTAs = INT_MIN;
  const char *netName = nullptr;
  int splitShare = 1; ///< split communicators share their parent's resources
};
static_assert(sizeof(ncclConfig_t) == 48);

/// X(name of the symbol, name in Nccl, parameters).
#define SHOAL_NCCL_FUNCTIONS(X)                                                \
  X(ncclGetVersion, getVersion, (int *version))                                \
  X(ncclGetUniqueId, getUniqueId, (ncclUniqueId * id))                         \
  X(ncclCommInitRankConfig, commInitRank,                                      \
    (ncclComm_t * comm, int numRanks, ncclUniqueId id, int rank,               \
     ncclConfig_t *config))                                                    \
  X(ncclCommSplit, commSplit,                                                  \
    (ncclComm_t comm, int color, int key, ncclComm_t *result,                  \
     ncclConfig_t *config))                                                    \
  X(ncclCommGetAsyncError, commGetAsyncError,                                  \
    (ncclComm_t comm, ncclResult_t * state))                                   \
  X(ncclCommFinalize, commFinalize, (ncclComm_t comm))                         \
  X(ncclCommDestroy, commDestroy, (ncclComm_t comm))                           \
  X(ncclCommAbort, commAbort, (ncclComm_t comm))                               \
  X(ncclGroupStart, groupStart, ())                                            \
  X(ncclGroupEnd, groupEnd, ())                                                \
  X(ncclAllReduce, allReduce,                                                  \
    (const void *in, void *out, size_t count, ncclDataType_t type,             \
     ncclRedOp_t op, ncclComm_t comm, cuda::CUstream stream))                  \
  X(ncclReduceScatter, reduceScatter,                                          \
    (const void *in, void *out, size_t outCount, ncclDataType_t type,          \
     ncclRedOp_t op, ncclComm_t comm, cuda::CUstream stream))                  \
  X(ncclAllGather, allGather,                                                  \
    (const void *in, void *out, size_t inCount, ncclDataType_t type,           \
     ncclComm_t comm, cuda::CUstream stream))                                  \
  X(ncclBroadcast, broadcast,                                                  \
    (const void *in, void *out, size_t count, ncclDataType_t type, int root,   \
     ncclComm_t comm, cuda::CUstream stream))                                  \
  X(ncclSend, send,                                                            \
    (const void *in, size_t count, ncclDataType_t type, int peer,              \
     ncclComm_t comm, cuda::CUstream stream))                                  \
  X(ncclRecv, recv,                                                            \
    (void *out, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,  \
     cuda::CUstream stream))

/// The functions of NCCL, and where they came from.
struct Nccl {
#define SHOAL_MEMBER(symbol, name, parameters) ncclResult_t(*name) parameters;
  SHOAL_NCCL_FUNCTIONS(SHOAL_MEMBER)
#undef SHOAL_MEMBER

  /// Optional: a longer text of the last error (2.13).
  const char *(*getLastError)(ncclComm_t) = nullptr;
  const char *(*getErrorString)(ncclResult_t) = nullptr;

  int version = 0; ///< 22805 is 2.28.5
  std::string path;

  /// Opens SHOAL_NCCL_LIBRARY, or libnccl.so.2 where the linker finds it, or
  /// that of the Python package nvidia-nccl in the active or Shoal's virtual
  /// environment. The error (exit code 2) says how to get it.
  static rt::Result<const Nccl *> open();

  std::string describe(ncclResult_t error, ncclComm_t comm = nullptr) const;
};

/// The oldest NCCL with non-blocking ncclCommSplit: 2.18.
inline constexpr int kOldestNccl = 21800;

} // namespace shoal::nccl

#endif // SHOAL_RUNTIME_NCCL_NCCL_H
