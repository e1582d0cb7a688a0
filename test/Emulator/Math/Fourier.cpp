// cuFFT's functions that the runtime uses.
#include "Work.h"

#include "cuda/math/MathLibraries.h"
#include "shoal/runtime/Support.h"

#include <cmath>

using namespace shoal::standin;

namespace {
struct Plan {
  std::vector<int64_t> lengths;
  int64_t batch = 0, inPoints = 0, outPoints = 0, points = 1;
  cufftType type = CUFFT_C2C;
  bool automatic = true, made = false, hasWork = false;
  void *stream = nullptr, *work = nullptr;
  size_t workBytes = 0;
};
std::mutex lock;
std::map<cufftHandle, Plan> plans;
cufftHandle next = 1;

Plan *find(const char *what, cufftHandle handle) {
  auto it = plans.find(handle);
  if (it != plans.end())
    return &it->second;
  misuse(what, "no plan");
  return nullptr;
}

int execute(const char *what, cufftHandle handle, cufftType type, void *in,
            void *out, int direction) {
  std::lock_guard guard(lock);
  Plan *found = find(what, handle);
  if (!found)
    return kMathInvalid;
  if (!found->made || found->type != type)
    return misuse(what, "the plan was made for another kind");
  if (!found->hasWork)
    return misuse(what, "the plan has no work area");
  Plan plan = *found;
  bool isDouble = type >= CUFFT_Z2Z;
  size_t real = isDouble ? 8 : 4;
  bool fromReal = type == CUFFT_R2C || type == CUFFT_D2Z;
  bool toReal = type == CUFFT_C2R || type == CUFFT_Z2D;
  size_t inBytes = plan.inPoints * real * (fromReal ? 1 : 2);
  size_t outBytes = plan.outPoints * real * (toReal ? 1 : 2);
  int kind = fromReal                     ? ShoalRealFft
             : toReal                     ? ShoalInverseRealFft
             : direction == CUFFT_INVERSE ? ShoalInverseFft
                                          : ShoalFft;
  bool inverse = kind == ShoalInverseFft || kind == ShoalInverseRealFft;
  return submit(
      what, plan.stream,
      {{in, inBytes * plan.batch, toReal}, {out, outBytes * plan.batch, true}},
      plan.work, plan.workBytes, [=] {
        auto *from = static_cast<char *>(in);
        auto *to = static_cast<char *>(out);
        for (int64_t b = 0; b < plan.batch; ++b) {
          shoal_rt_fft(kind, isDouble, int(plan.lengths.size()),
                       plan.lengths.data(), from + b * inBytes,
                       to + b * outBytes);
          // cuFFT leaves out the division.
          for (size_t i = 0; inverse && i < outBytes / real; ++i) {
            if (isDouble)
              reinterpret_cast<double *>(to + b * outBytes)[i] *=
                  double(plan.points);
            else
              reinterpret_cast<float *>(to + b * outBytes)[i] *=
                  float(plan.points);
          }
        }
        if (toReal) // it may, so it does
          std::memset(in, 0xff, inBytes * plan.batch);
      });
}
} // namespace

extern "C" {
int cufftCreate(cufftHandle *handle) {
  std::lock_guard guard(lock);
  plans[next];
  *handle = next++;
  return kMathSuccess;
}
int cufftDestroy(cufftHandle handle) {
  std::lock_guard guard(lock);
  if (!find("cufftDestroy", handle))
    return kMathInvalid;
  plans.erase(handle);
  return kMathSuccess;
}
int cufftSetAutoAllocation(cufftHandle handle, int automatic) {
  std::lock_guard guard(lock);
  Plan *plan = find("cufftSetAutoAllocation", handle);
  if (!plan)
    return kMathInvalid;
  if (plan->made)
    return misuse("cufftSetAutoAllocation", "the plan is made already");
  plan->automatic = automatic;
  return kMathSuccess;
}
int cufftMakePlanMany64(cufftHandle handle, int rank, long long *n,
                        long long *inembed, long long istride, long long idist,
                        long long *onembed, long long ostride, long long odist,
                        cufftType type, long long batch, size_t *workSize) {
  std::lock_guard guard(lock);
  const char *what = "cufftMakePlanMany64";
  Plan *plan = find(what, handle);
  if (!plan)
    return kMathInvalid;
  if (plan->made || plan->automatic)
    return misuse(what, "made twice, or it would allocate its work area");
  if (rank < 1 || rank > 3 || batch < 1 || inembed || onembed || istride != 1 ||
      ostride != 1)
    return misuse(what, "sizes that the stand-in does not know");
  plan->lengths.assign(n, n + rank);
  int64_t half = n[rank - 1] / 2 + 1;
  for (int d = 0; d < rank; ++d) {
    plan->points *= n[d];
    half *= d + 1 < rank ? n[d] : 1;
  }
  bool fromReal = type == CUFFT_R2C || type == CUFFT_D2Z;
  bool toReal = type == CUFFT_C2R || type == CUFFT_Z2D;
  plan->inPoints = toReal ? half : plan->points;
  plan->outPoints = fromReal ? half : plan->points;
  if (idist != plan->inPoints || odist != plan->outPoints)
    return misuse(what, "distances that are not dense");
  plan->type = type;
  plan->batch = batch;
  plan->made = true;
  *workSize = plan->workBytes = size_t(plan->points) * 16 + 48;
  return kMathSuccess;
}
int cufftSetWorkArea(cufftHandle handle, void *work) {
  std::lock_guard guard(lock);
  Plan *plan = find("cufftSetWorkArea", handle);
  if (!plan)
    return kMathInvalid;
  if (!plan->made || !work || reinterpret_cast<uintptr_t>(work) % 256)
    return misuse("cufftSetWorkArea",
                  "before the plan is made, or not aligned");
  plan->work = work;
  plan->hasWork = true;
  return kMathSuccess;
}
int cufftSetStream(cufftHandle handle, void *stream) {
  std::lock_guard guard(lock);
  Plan *plan = find("cufftSetStream", handle);
  if (!plan)
    return kMathInvalid;
  if (plan->stream && plan->stream != stream)
    return misuse("cufftSetStream", "the plan goes from one stream to another");
  plan->stream = stream;
  return kMathSuccess;
}
int cufftExecC2C(cufftHandle plan, void *in, void *out, int direction) {
  return execute("cufftExecC2C", plan, CUFFT_C2C, in, out, direction);
}
int cufftExecZ2Z(cufftHandle plan, void *in, void *out, int direction) {
  return execute("cufftExecZ2Z", plan, CUFFT_Z2Z, in, out, direction);
}
int cufftExecR2C(cufftHandle plan, void *in, void *out) {
  return execute("cufftExecR2C", plan, CUFFT_R2C, in, out, 0);
}
int cufftExecD2Z(cufftHandle plan, void *in, void *out) {
  return execute("cufftExecD2Z", plan, CUFFT_D2Z, in, out, 0);
}
int cufftExecC2R(cufftHandle plan, void *in, void *out) {
  return execute("cufftExecC2R", plan, CUFFT_C2R, in, out, 0);
}
int cufftExecZ2D(cufftHandle plan, void *in, void *out) {
  return execute("cufftExecZ2D", plan, CUFFT_Z2D, in, out, 0);
}
}
