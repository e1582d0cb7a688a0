// Matrix products: oneDNN for all but small ones, with primitives cached.
#include "host/Gemm.h"

#include "host/OneDnn.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>
#include <xxhash.h>

namespace shoal::rt {

namespace {

//===----------------------------------------------------------------------===//
// Plain loops
//===----------------------------------------------------------------------===//

float fromBF16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
uint16_t toBF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// R rows and W columns of a product: their sums stay in registers, each added
/// up in order of k.
template <int R, int W>
[[gnu::always_inline]] inline void
productTile(int64_t k, const float *lhs, int64_t lhsM, int64_t lhsK,
            const float *rhs, int64_t rhsK, float *out, int64_t outM) {
  using Vector [[gnu::vector_size(W * sizeof(float))]] = float;
  Vector sums[R] = {};
  for (int64_t l = 0; l < k; ++l) {
    Vector b;
    std::memcpy(&b, rhs + l * rhsK, sizeof(b));
    for (int i = 0; i < R; ++i)
      sums[i] += lhs[i * lhsM + l * lhsK] * b;
  }
  for (int i = 0; i < R; ++i)
    std::memcpy(out + i * outM, &sums[i], sizeof(sums[i]));
}

template <int W>
[[gnu::always_inline]] inline void
productColumns(int64_t m, int64_t k, const float *lhs, int64_t lhsM,
               int64_t lhsK, const float *rhs, int64_t rhsK, float *out,
               int64_t outM) {
  int64_t i = 0;
  for (; i + 4 <= m; i += 4)
    productTile<4, W>(k, lhs + i * lhsM, lhsM, lhsK, rhs, rhsK, out + i * outM,
                      outM);
  for (; i < m; ++i)
    productTile<1, W>(k, lhs + i * lhsM, lhsM, lhsK, rhs, rhsK, out + i * outM,
                      outM);
}

/// Row-major f32 product; rhs rows are contiguous. The sum over k is in order,
/// whatever the machine's vectors.
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3",
                             "default"))) void
smallProduct(int64_t m, int64_t n, int64_t k, const float *lhs, int64_t lhsM,
             int64_t lhsK, const float *rhs, int64_t rhsK, float *out,
             int64_t outM) {
  int64_t j = 0;
  for (; j + 16 <= n; j += 16)
    productColumns<16>(m, k, lhs, lhsM, lhsK, rhs + j, rhsK, out + j, outM);
  for (; j + 8 <= n; j += 8)
    productColumns<8>(m, k, lhs, lhsM, lhsK, rhs + j, rhsK, out + j, outM);
  for (; j + 4 <= n; j += 4)
    productColumns<4>(m, k, lhs, lhsM, lhsK, rhs + j, rhsK, out + j, outM);
  for (; j < n; ++j)
    productColumns<1>(m, k, lhs, lhsM, lhsK, rhs + j, rhsK, out + j, outM);
}

std::vector<float> &scratch(int which) {
  thread_local std::vector<float> buffers[3];
  return buffers[which];
}

/// A dense row-major f32 copy of a strided matrix.
const float *packed(int which, const void *from, bool isBF16, int64_t rows,
                    int64_t columns, int64_t rowStride, int64_t columnStride) {
  std::vector<float> &to = scratch(which);
  to.resize(static_cast<size_t>(rows * columns));
  float *p = to.data();
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      int64_t at = i * rowStride + j * columnStride;
      *p++ = isBF16 ? fromBF16(static_cast<const uint16_t *>(from)[at])
                    : static_cast<const float *>(from)[at];
    }
  return to.data();
}

/// Packs what is not f32 with unit stride, multiplies with plain loops.
void plainProduct(const ShoalMatmul &s, const void *lhs, const void *rhs,
                  void *out) {
  bool lhsBF16 = s.lhsType == ShoalMatmulBF16,
       rhsBF16 = s.rhsType == ShoalMatmulBF16,
       outBF16 = s.outType == ShoalMatmulBF16;
  const float *a = static_cast<const float *>(lhs),
              *b = static_cast<const float *>(rhs);
  int64_t lhsM = s.lhsStrideM, lhsK = s.lhsStrideK, rhsK = s.rhsStrideK;
  if (lhsBF16) {
    a = packed(0, lhs, true, s.m, s.k, lhsM, lhsK);
    lhsM = s.k;
    lhsK = 1;
  }
  if (rhsBF16 || (s.rhsStrideN != 1 && s.n > 1)) {
    b = packed(1, rhs, rhsBF16, s.k, s.n, rhsK, s.rhsStrideN);
    rhsK = s.n;
  }
  if (!outBF16)
    return smallProduct(s.m, s.n, s.k, a, lhsM, lhsK, b, rhsK,
                        static_cast<float *>(out), s.outStrideM);
  std::vector<float> &sums = scratch(2);
  sums.resize(static_cast<size_t>(s.m * s.n));
  smallProduct(s.m, s.n, s.k, a, lhsM, lhsK, b, rhsK, sums.data(), s.n);
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < s.n; ++j)
      static_cast<uint16_t *>(out)[i * s.outStrideM + j] =
          toBF16(sums[static_cast<size_t>(i * s.n + j)]);
}

//===----------------------------------------------------------------------===//
// oneDNN
//===----------------------------------------------------------------------===//

/// A primitive, shared by all threads; null if oneDNN has no fast one.
struct Primitive {
  dnnl_primitive_t primitive = nullptr;
  dnnl_memory_desc_t lhs, rhs, out, scratchpad;
  size_t scratchBytes = 0;
};

/// What one thread needs to run it.
struct Runner {
  std::shared_ptr<Primitive> primitive;
  dnnl_memory_t lhs = nullptr, rhs = nullptr, out = nullptr,
                scratchpad = nullptr;
  Runner() = default;
  Runner(const Runner &) = delete;
  ~Runner() {
    for (dnnl_memory_t memory : {lhs, rhs, out, scratchpad})
      if (memory)
        OneDnn::get()->memoryDestroy(memory);
  }
};

struct Hash {
  size_t operator()(const ShoalMatmul &s) const {
    return XXH3_64bits(&s, sizeof(s));
  }
};
struct Equal {
  bool operator()(const ShoalMatmul &a, const ShoalMatmul &b) const {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
  }
};

std::shared_ptr<Primitive> makePrimitive(const OneDnn &d,
                                         const ShoalMatmul &s) {
  auto result = std::make_shared<Primitive>();
  auto type = [](int32_t t) {
    switch (t) {
    case ShoalMatmulBF16:
      return dnnl_bf16;
    case MatmulS8:
      return dnnl_s8;
    case MatmulU8:
      return dnnl_u8;
    case MatmulS32:
      return dnnl_s32;
    default:
      return dnnl_f32;
    }
  };
  dnnl_dims_t lhsDims = {s.m, s.k}, lhsStrides = {s.lhsStrideM, s.lhsStrideK};
  dnnl_dims_t rhsDims = {s.k, s.n}, rhsStrides = {s.rhsStrideK, s.rhsStrideN};
  dnnl_dims_t outDims = {s.m, s.n}, outStrides = {s.outStrideM, 1};
  dnnl_matmul_desc_t desc;
  if (d.memoryDesc(&result->lhs, 2, lhsDims, type(s.lhsType), lhsStrides) ||
      d.memoryDesc(&result->rhs, 2, rhsDims, type(s.rhsType), rhsStrides) ||
      d.memoryDesc(&result->out, 2, outDims, type(s.outType), outStrides) ||
      d.matmulDesc(&desc, &result->lhs, &result->rhs, nullptr, &result->out))
    return result;
  dnnl_primitive_attr_t attributes;
  if (d.attrCreate(&attributes))
    return result;
  d.setScratchpadMode(attributes, dnnl_scratchpad_mode_user);
  dnnl_primitive_desc_t pd = nullptr;
  dnnl_status_t status =
      d.primitiveDescCreate(&pd, &desc, attributes, d.engine, nullptr);
  d.attrDestroy(attributes);
  if (status != dnnl_success)
    return result;
  const char *name = nullptr;
  d.query(pd, dnnl_query_impl_info_str, 0, &name);
  // The reference implementation is slower than the plain loops here.
  if (!name || std::strncmp(name, "ref", 3) != 0) {
    result->scratchpad = *d.queryDesc(pd, dnnl_query_scratchpad_md, 0);
    result->scratchBytes = d.descSize(&result->scratchpad);
    if (d.primitiveCreate(&result->primitive, pd) != dnnl_success)
      result->primitive = nullptr;
  }
  d.primitiveDescDestroy(pd);
  return result;
}

std::shared_ptr<Primitive> findPrimitive(const OneDnn &d,
                                         const ShoalMatmul &s) {
  static std::mutex mutex;
  static auto *cache =
      new std::unordered_map<ShoalMatmul, std::shared_ptr<Primitive>, Hash,
                             Equal>();
  std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<Primitive> &entry = (*cache)[s];
  if (!entry)
    entry = makePrimitive(d, s);
  return entry;
}

} // namespace

bool libraryProduct(const ShoalMatmul &s, const void *lhs, const void *rhs,
                    void *out) {
  const OneDnn *d = OneDnn::get();
  if (!d)
    return false;
  thread_local std::unordered_map<ShoalMatmul, Runner, Hash, Equal> runners;
  thread_local dnnl_stream_t stream = nullptr;
  thread_local std::vector<std::byte> workspace;
  if (!stream && d->streamCreate(&stream, d->engine, dnnl_stream_default_flags))
    return false;
  Runner &r = runners[s];
  if (!r.primitive) {
    r.primitive = findPrimitive(*d, s);
    Primitive &p = *r.primitive;
    if (p.primitive &&
        (d->memoryCreate(&r.lhs, &p.lhs, d->engine, DNNL_MEMORY_NONE) ||
         d->memoryCreate(&r.rhs, &p.rhs, d->engine, DNNL_MEMORY_NONE) ||
         d->memoryCreate(&r.out, &p.out, d->engine, DNNL_MEMORY_NONE) ||
         d->memoryCreate(&r.scratchpad, &p.scratchpad, d->engine,
                         DNNL_MEMORY_NONE)))
      return false;
  }
  Primitive &p = *r.primitive;
  if (!p.primitive)
    return false;
  if (workspace.size() < p.scratchBytes + 64)
    workspace.resize(p.scratchBytes + 64);
  uintptr_t aligned =
      (reinterpret_cast<uintptr_t>(workspace.data()) + 63) & ~uintptr_t{63};
  d->setData(r.lhs, const_cast<void *>(lhs));
  d->setData(r.rhs, const_cast<void *>(rhs));
  d->setData(r.out, out);
  d->setData(r.scratchpad, reinterpret_cast<void *>(aligned));
  dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, r.lhs},
                            {DNNL_ARG_WEIGHTS, r.rhs},
                            {DNNL_ARG_DST, r.out},
                            {DNNL_ARG_SCRATCHPAD, r.scratchpad}};
  return d->execute(p.primitive, stream, 4, args) == dnnl_success;
}

void gemm(const ShoalMatmul &given, const void *lhs, const void *rhs,
          void *out) {
  ShoalMatmul s = given;
  s.reserved = 0;
  // A call into the library costs some microseconds.
  if (s.m * s.n * s.k <= 32 * 32 * 16)
    return plainProduct(s, lhs, rhs, out);
  // Strides of dimensions of size one say nothing; the usual ones hit the
  // library's fast cases and its cache.
  if (s.m == 1)
    s.lhsStrideM = s.k * std::max<int64_t>(1, s.lhsStrideK);
  if (s.k == 1) {
    s.lhsStrideK = 1;
    s.rhsStrideK = s.n * std::max<int64_t>(1, s.rhsStrideN);
  }
  if (s.n == 1)
    s.rhsStrideN = 1;
  if (s.m == 1)
    s.outStrideM = s.n;
  auto fast = [](int64_t rows, int64_t columns, int64_t rowStride,
                 int64_t columnStride) {
    return (columnStride == 1 && rowStride >= columns) ||
           (rowStride == 1 && columnStride >= rows);
  };
  bool lhsBF16 = s.lhsType == ShoalMatmulBF16,
       rhsBF16 = s.rhsType == ShoalMatmulBF16;
  // Mixed types are unknown to the library; so are two strides.
  bool mixed = lhsBF16 != rhsBF16;
  if (mixed || !fast(s.m, s.k, s.lhsStrideM, s.lhsStrideK)) {
    lhs = packed(0, lhs, lhsBF16, s.m, s.k, s.lhsStrideM, s.lhsStrideK);
    s.lhsType = ShoalMatmulF32;
    s.lhsStrideM = s.k;
    s.lhsStrideK = 1;
    mixed |= lhsBF16 && rhsBF16;
  }
  if (mixed || !fast(s.k, s.n, s.rhsStrideK, s.rhsStrideN)) {
    rhs = packed(1, rhs, rhsBF16, s.k, s.n, s.rhsStrideK, s.rhsStrideN);
    s.rhsType = ShoalMatmulF32;
    s.rhsStrideK = s.n;
    s.rhsStrideN = 1;
    if (s.lhsType == ShoalMatmulBF16) {
      lhs = packed(0, lhs, true, s.m, s.k, s.lhsStrideM, s.lhsStrideK);
      s.lhsType = ShoalMatmulF32;
      s.lhsStrideM = s.k;
      s.lhsStrideK = 1;
    }
  }
  if (s.lhsType == ShoalMatmulF32 && s.outType == ShoalMatmulBF16) {
    // f32 in, bf16 out: multiply in f32, then round.
    std::vector<float> &sums = scratch(2);
    sums.resize(static_cast<size_t>(s.m * s.n));
    ShoalMatmul wide = s;
    wide.outType = ShoalMatmulF32;
    wide.outStrideM = s.n;
    if (!libraryProduct(wide, lhs, rhs, sums.data()))
      plainProduct(wide, lhs, rhs, sums.data());
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t j = 0; j < s.n; ++j)
        static_cast<uint16_t *>(out)[i * s.outStrideM + j] =
            toBF16(sums[static_cast<size_t>(i * s.n + j)]);
    return;
  }
  if (libraryProduct(s, lhs, rhs, out))
    return;
  if (s.lhsType == ShoalMatmulBF16) {
    // No bf16 unit in this processor: multiply in f32.
    ShoalMatmul wide = s;
    const float *a = packed(0, lhs, true, s.m, s.k, s.lhsStrideM, s.lhsStrideK);
    const float *b = packed(1, rhs, true, s.k, s.n, s.rhsStrideK, s.rhsStrideN);
    wide.lhsType = wide.rhsType = ShoalMatmulF32;
    wide.lhsStrideM = s.k;
    wide.rhsStrideK = s.n;
    wide.lhsStrideK = wide.rhsStrideN = 1;
    return gemm(wide, a, b, out);
  }
  plainProduct(s, lhs, rhs, out);
}

} // namespace shoal::rt

extern "C" __attribute__((visibility("default"), used)) void
shoal_rt_matmul(const ShoalMatmul *shape, const void *lhs, const void *rhs,
                void *out) {
  shoal::rt::gemm(*shape, lhs, rhs, out);
}
