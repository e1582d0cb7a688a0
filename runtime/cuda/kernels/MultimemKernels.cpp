// Sums of f32 over the memory of all ranks by multimem instructions: chips with
// NVLink SHARP (sm_90 on). Compiled to PTX, to LLVM IR for the emulator, and
// for the host for the test suite's stand-in driver.
#include "Meet.h"

using namespace shoal::cuda;

#ifdef __NVPTX__
namespace {
struct Four {
  float x, y, z, w;
};
using Global = __attribute__((address_space(1))) float;
} // namespace

#ifdef SHOAL_EMULATED
// By the names of lib/Codegen/GPU/Ptx, which the emulator knows.
extern "C" Four shoal_ptx_multimem_ld_reduce_add_relaxed_sys_v4_f32(Global *);
extern "C" void shoal_ptx_multimem_st_relaxed_sys_v4_f32(Global *, float, float,
                                                         float, float);
static Four loadSums(Global *at) {
  return shoal_ptx_multimem_ld_reduce_add_relaxed_sys_v4_f32(at);
}
static void storeToAll(Global *at, Four v) {
  shoal_ptx_multimem_st_relaxed_sys_v4_f32(at, v.x, v.y, v.z, v.w);
}
#else
static Four loadSums(Global *at) {
  Four v;
  asm volatile("multimem.ld_reduce.relaxed.sys.global.add.v4.f32 "
               "{%0,%1,%2,%3}, [%4];"
               : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
               : "l"(at)
               : "memory");
  return v;
}
static void storeToAll(Global *at, Four v) {
  asm volatile(
      "multimem.st.relaxed.sys.global.v4.f32 [%0], {%1,%2,%3,%4};" ::"l"(at),
      "f"(v.x), "f"(v.y), "f"(v.z), "f"(v.w)
      : "memory");
}
#endif

template <typename Put>
static void sum(const MultimemParams &p, Put put) {
  int64_t threads =
      int64_t(__nvvm_read_ptx_sreg_nctaid_x()) * __nvvm_read_ptx_sreg_ntid_x();
  int64_t thread =
      int64_t(__nvvm_read_ptx_sreg_ctaid_x()) * __nvvm_read_ptx_sreg_ntid_x() +
      __nvvm_read_ptx_sreg_tid_x();
  auto *window = reinterpret_cast<Global *>(p.window);
  meet(p, 2 * p.number + 1);
  for (int64_t i = 4 * thread; i < p.count; i += 4 * threads)
    put(i, window + p.first + i, loadSums(window + p.first + i));
  meet(p, 2 * p.number + 2);
}

extern "C" __attribute__((device_kernel)) void
shoal_rt_multimem_all_reduce(MultimemParams p) {
  sum(p, [](int64_t, Global *at, Four v) { storeToAll(at, v); });
}

extern "C" __attribute__((device_kernel)) void
shoal_rt_multimem_reduce_scatter(MultimemParams p) {
  auto *out = reinterpret_cast<float *>(p.out);
  sum(p, [=](int64_t i, Global *, Four v) {
    out[i] = v.x, out[i + 1] = v.y, out[i + 2] = v.z, out[i + 3] = v.w;
  });
}

#else // the host: one thread of one block for each rank

/// The places that a multicast address stands for; how many.
extern "C" unsigned shoal_emu_multicast_places(uint64_t address, uint64_t bytes,
                                               uint64_t *places, unsigned most);

template <typename Put>
static void sum(const MultimemParams &p, Put put) {
  meet(p, 2 * p.number + 1);
  uint64_t places[Meeting::most];
  uint64_t first = p.window + uint64_t(p.first) * sizeof(float);
  unsigned count =
      p.count
          ? shoal_emu_multicast_places(first, uint64_t(p.count) * sizeof(float),
                                       places, Meeting::most)
          : 0;
  for (int64_t i = 0; i < p.count; ++i) {
    float total = 0;
    for (unsigned m = 0; m < count; ++m) {
      float value = reinterpret_cast<const float *>(places[m])[i];
      total = m ? total + value : value;
    }
    put(places, count, i, total);
  }
  meet(p, 2 * p.number + 2);
}

extern "C" void shoal_rt_multimem_all_reduce(void **params, const void *) {
  sum(*static_cast<const MultimemParams *>(params[0]),
      [](const uint64_t *places, unsigned count, int64_t i, float total) {
        for (unsigned m = 0; m < count; ++m)
          reinterpret_cast<float *>(places[m])[i] = total;
      });
}
extern "C" void shoal_rt_multimem_reduce_scatter(void **params, const void *) {
  auto &p = *static_cast<const MultimemParams *>(params[0]);
  sum(p, [&](const uint64_t *, unsigned, int64_t i, float total) {
    reinterpret_cast<float *>(p.out)[i] = total;
  });
}
#endif
