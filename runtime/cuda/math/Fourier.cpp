// Fourier transforms by cuFFT.
#include "cuda/math/MathCall.h"

namespace shoal::cuda {

namespace {
struct Cufft {
  int (*create)(cufftHandle *plan);
  int (*destroy)(cufftHandle plan);
  int (*setAutoAllocation)(cufftHandle plan, int automatic);
  int (*makePlanMany64)(cufftHandle plan, int rank, long long *n,
                        long long *inembed, long long istride, long long idist,
                        long long *onembed, long long ostride, long long odist,
                        cufftType type, long long batch, size_t *workSize);
  int (*setWorkArea)(cufftHandle plan, void *work);
  int (*setStream)(cufftHandle plan, CUstream stream);
  int (*execComplex)(cufftHandle plan, void *in, void *out, int direction);
  int (*execComplexDouble)(cufftHandle plan, void *in, void *out,
                           int direction);
  int (*execOther[4])(cufftHandle plan, void *in, void *out);

  /// Null if there is no cuFFT, or a part of it is missing.
  static const Cufft *get() {
    static const Cufft *const found = []() -> const Cufft * {
      static Cufft f;
      const MathLibrary &library = MathLibrary::cufft();
      bool good = true;
      auto load = [&](auto &to, const char *symbol) {
        to = reinterpret_cast<std::remove_reference_t<decltype(to)>>(
            library.find(symbol));
        good &= to != nullptr;
      };
      load(f.create, "cufftCreate");
      load(f.destroy, "cufftDestroy");
      load(f.setAutoAllocation, "cufftSetAutoAllocation");
      load(f.makePlanMany64, "cufftMakePlanMany64");
      load(f.setWorkArea, "cufftSetWorkArea");
      load(f.setStream, "cufftSetStream");
      load(f.execComplex, "cufftExecC2C");
      load(f.execComplexDouble, "cufftExecZ2Z");
      load(f.execOther[0], "cufftExecR2C");
      load(f.execOther[1], "cufftExecD2Z");
      load(f.execOther[2], "cufftExecC2R");
      load(f.execOther[3], "cufftExecZ2D");
      return good ? &f : nullptr;
    }();
    return found;
  }
};

enum Kind { Forward = 0, Inverse = 1, RealForward = 2, RealInverse = 3 };

class FourierCall : public MathCall {
public:
  FourierCall(const Cufft &cufft, const MathText &text)
      : cufft(cufft), kind(static_cast<Kind>(text.number("kind"))),
        isDouble(text.number("double") != 0) {
    library = "cuFFT";
    int64_t batch = text.number("batch");
    std::vector<int64_t> given = text.numbers("lengths");
    std::vector<long long> lengths(given.begin(), given.end());
    if (lengths.empty() || lengths.size() > 3 || batch < 1)
      return;
    points = 1;
    long long half = 1; // elements of the side that is cut by symmetry
    for (size_t d = 0; d < lengths.size(); ++d) {
      points *= lengths[d];
      half *= d + 1 < lengths.size() ? lengths[d] : lengths[d] / 2 + 1;
    }
    bool isReal = kind == RealForward || kind == RealInverse;
    long long inPoints = kind == RealInverse ? half : points;
    long long outPoints = kind == RealForward ? half : points;
    static constexpr cufftType types[2][3] = {
        {CUFFT_C2C, CUFFT_R2C, CUFFT_C2R}, {CUFFT_Z2Z, CUFFT_D2Z, CUFFT_Z2D}};
    cufftType type = types[isDouble][isReal ? kind - 1 : 0];
    if (cufft.create(&plan) != 0)
      return;
    made = true;
    size_t bytes = 0;
    // No embedding: dense, one transform after the other.
    ready = cufft.setAutoAllocation(plan, 0) == 0 &&
            cufft.makePlanMany64(plan, static_cast<int>(lengths.size()),
                                 lengths.data(), nullptr, 1, inPoints, nullptr,
                                 1, outPoints, type, batch, &bytes) == 0;
    planWork = reserve(bytes);
    results = outPoints * batch * (kind == RealInverse ? 1 : 2);
    if (kind == RealInverse) {
      // It may overwrite what it reads.
      copiedBytes = static_cast<size_t>(inPoints * batch) * (isDouble ? 16 : 8);
      copied = reserve(copiedBytes);
    }
  }
  ~FourierCall() override {
    if (made)
      cufft.destroy(plan);
  }

  std::string issue(const Device &device, CUstream stream, CUdeviceptr work,
                    std::span<const CUdeviceptr> buffers) override {
    CUdeviceptr source = buffers[0];
    if (kind == RealInverse) {
      source = work + copied;
      if (CUresult r = device.driver.memcpyDtoDAsync(source, buffers[0],
                                                     copiedBytes, stream))
        return device.driver.describe(r);
    }
    void *in = reinterpret_cast<void *>(source);
    void *out = reinterpret_cast<void *>(buffers[1]);
    int status = cufft.setStream(plan, stream);
    if (status == 0)
      status =
          cufft.setWorkArea(plan, reinterpret_cast<void *>(work + planWork));
    if (status == 0) {
      int direction = kind == Inverse ? CUFFT_INVERSE : CUFFT_FORWARD;
      if (kind == RealForward || kind == RealInverse)
        status = cufft.execOther[(kind == RealInverse ? 2 : 0) + isDouble](
            plan, in, out);
      else
        status = (isDouble ? cufft.execComplexDouble
                           : cufft.execComplex)(plan, in, out, direction);
    }
    if (status != 0)
      return mathError(MathLibrary::cufft(), status);
    if (kind != Inverse && kind != RealInverse)
      return "";
    ScaleParams p = {buffers[1], results, 1.0 / static_cast<double>(points),
                     isDouble};
    CUresult r = device.scale(p, stream);
    return r ? device.driver.describe(r) : "";
  }

  bool ready = false;

private:
  const Cufft &cufft;
  Kind kind;
  bool isDouble, made = false;
  cufftHandle plan = 0;
  long long points = 0;
  int64_t results = 0; ///< reals
  size_t planWork = 0, copied = 0, copiedBytes = 0;
};
} // namespace

std::shared_ptr<MathCall> makeFourierCall(const MathText &text) {
  const Cufft *cufft = Cufft::get();
  if (!cufft)
    return nullptr;
  auto call = std::make_shared<FourierCall>(*cufft, text);
  return call->ready ? call : nullptr;
}

} // namespace shoal::cuda
