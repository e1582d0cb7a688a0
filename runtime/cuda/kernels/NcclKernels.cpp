// An all-reduce and a reduce-scatter of f32 on NCCL's symmetric windows, by its
// device side: clang's bitcode of this file and NCCL's libnccl_device.bc become
// one module, with no nvcc. A proof that kernels of ours can be linked to it
// (with lib/Codegen/GPU's modules it goes the same way); the runtime does not
// launch them.
#include <stddef.h>
#include <stdint.h>

namespace {
// What the bitcode's interface takes by value: sizes count, not members.
struct CoopAny {
  uint64_t storage[2];
  void *table;
};
struct Team {
  int32_t ranks, rank, stride;
};
struct LsaBarrier {
  int32_t buffer, count;
};
struct Multimem {
  void *base;
};
struct alignas(16) Session {
  char bytes[128];
};
/// cuda::memory_order of a barrier that orders what came before and after.
constexpr int32_t acquireRelease = 4;
} // namespace

extern "C" {
// ncclWindow_t and ncclDevComm are pointers that the host passes on.
void ncclCoopAnyInitCta(CoopAny *coop);
int32_t ncclDevComm_LsaRank(const void *comm);
int32_t ncclDevComm_LsaSize(const void *comm);
LsaBarrier ncclDevComm_LsaBarrier(const void *comm);
Multimem ncclDevComm_LsaMultimem(const void *comm);
Team ncclTeamLsa(const void *comm);
void *ncclGetLsaMultimemPointer(void *window, size_t offset, const void *comm);
void ncclLsaBarrierSessionInit(Session *session, CoopAny coop, const void *comm,
                               Team team, LsaBarrier handle, uint32_t index,
                               bool multimem, Multimem base);
void ncclLsaBarrierSessionSync(Session *session, CoopAny coop, int32_t order);
void ncclLsaBarrierSessionDestroy(Session *session);
void ncclMultimemReduceSum_F32(CoopAny coop, float *source, float *target,
                               size_t count);
void ncclMultimemReduceSumCopy_F32(CoopAny coop, float *source, float *target,
                                   size_t count);
}

/// Calls body(coop, the rank's share in multicast memory, its first element,
/// its length) between two barriers of block b of every rank.
template <typename Body>
static void onShare(void *window, uint64_t offset, const void *comm,
                    uint64_t count, Body body) {
  CoopAny coop;
  ncclCoopAnyInitCta(&coop);
  uint32_t block = __nvvm_read_ptx_sreg_ctaid_x();
  uint64_t blocks = __nvvm_read_ptx_sreg_nctaid_x();
  Session session;
  ncclLsaBarrierSessionInit(&session, coop, comm, ncclTeamLsa(comm),
                            ncclDevComm_LsaBarrier(comm), block,
                            /*multimem=*/true, ncclDevComm_LsaMultimem(comm));
  ncclLsaBarrierSessionSync(&session, coop, acquireRelease);
  uint64_t ranks = ncclDevComm_LsaSize(comm), rank = ncclDevComm_LsaRank(comm);
  // Equal shares; the host pads to a multiple of 4 elements for each block.
  uint64_t share = count / ranks, part = share / blocks;
  uint64_t first = rank * share + block * part;
  auto *data = static_cast<float *>(
      ncclGetLsaMultimemPointer(window, offset + first * sizeof(float), comm));
  body(coop, data, block * part, part);
  ncclLsaBarrierSessionSync(&session, coop, acquireRelease);
  ncclLsaBarrierSessionDestroy(&session);
}

extern "C" __attribute__((device_kernel)) void
shoal_nccl_all_reduce(void *window, uint64_t offset, const void *comm,
                      uint64_t count) {
  onShare(window, offset, comm, count,
          [](const CoopAny &coop, float *data, uint64_t, uint64_t part) {
            ncclMultimemReduceSumCopy_F32(coop, data, data, part);
          });
}

extern "C" __attribute__((device_kernel)) void
shoal_nccl_reduce_scatter(void *window, uint64_t offset, const void *comm,
                          uint64_t count, float *out) {
  onShare(window, offset, comm, count,
          [=](const CoopAny &coop, float *data, uint64_t at, uint64_t part) {
            ncclMultimemReduceSum_F32(coop, data, out + at, part);
          });
}
