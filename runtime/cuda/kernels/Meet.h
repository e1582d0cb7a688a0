// How kernels of several ranks meet, in memory that all of them reach.
#ifndef SHOAL_RUNTIME_CUDA_KERNELS_MEET_H
#define SHOAL_RUNTIME_CUDA_KERNELS_MEET_H

#include "Kernels.h"

#ifndef __NVPTX__
#include <sched.h>
#endif

namespace shoal::cuda {

inline uint64_t *flagOf(const Meeting &p, int64_t owner, int64_t block,
                        int64_t rank) {
  return reinterpret_cast<uint64_t *>(p.flags[owner]) + block * Meeting::most +
         rank;
}
/// What this thread, and with it its block, did before is seen by that rank.
inline void signal(uint64_t *flag, uint64_t value) {
#ifdef __NVPTX__
  __scoped_atomic_store_n(flag, value, __ATOMIC_RELEASE, __MEMORY_SCOPE_SYSTEM);
#else
  __atomic_store_n(flag, value, __ATOMIC_RELEASE);
#endif
}
inline void await(const uint64_t *flag, uint64_t value) {
#ifdef __NVPTX__
  while (__scoped_atomic_load_n(flag, __ATOMIC_ACQUIRE, __MEMORY_SCOPE_SYSTEM) <
         value)
    ;
#else
  while (__atomic_load_n(flag, __ATOMIC_ACQUIRE) < value)
    sched_yield();
#endif
}

#ifdef __NVPTX__
/// Block b of every rank has come here.
inline void meet(const Meeting &p, uint64_t value) {
  int64_t rank = __nvvm_read_ptx_sreg_tid_x();
  int64_t block = __nvvm_read_ptx_sreg_ctaid_x();
  __nvvm_bar_sync(0);
  if (rank < p.ranks) {
    signal(flagOf(p, rank, block, p.rank), value);
    await(flagOf(p, p.rank, block, rank), value);
  }
  __nvvm_bar_sync(0);
}
#else
inline void meet(const Meeting &p, uint64_t value) {
  for (int64_t rank = 0; rank < p.ranks; ++rank)
    signal(flagOf(p, rank, 0, p.rank), value);
  for (int64_t rank = 0; rank < p.ranks; ++rank)
    await(flagOf(p, p.rank, 0, rank), value);
}
#endif

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_KERNELS_MEET_H
