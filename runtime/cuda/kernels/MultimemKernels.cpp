// Sums of f32 over the memory of all ranks by multimem instructions: chips with
// NVLink SHARP (sm_90 on). A proof that such kernels can be made, and are right
// (emulated); the runtime does not launch them, since multicast memory is not
// made yet.
#include "Meet.h"

using namespace shoal::cuda;

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
