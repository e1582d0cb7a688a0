// See shoal/runtime/Convolution.h.
#include "shoal/runtime/Convolution.h"
#include "shoal/runtime/KernelABI.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

namespace {

using Dim = ShoalConvolutionDim;
using Spatial = ShoalConvolutionSpatial;

/// An index of several dimensions that counts up, fastest last.
struct Odometer {
  Odometer(const Dim *dims, int64_t count, int64_t start = 0)
      : dims(dims), count(count) {
    for (int64_t d = count; d-- > 0;) {
      at[d] = start % dims[d].size;
      start /= dims[d].size;
    }
  }
  void next() {
    for (int64_t d = count; d-- > 0;) {
      if (++at[d] < dims[d].size)
        return;
      at[d] = 0;
    }
  }
  const Dim *dims;
  int64_t count;
  int64_t at[ShoalConvolutionMaxDims] = {};
};

int64_t ceilDiv(int64_t a, int64_t b) {
  return a >= 0 ? (a + b - 1) / b : -(-a / b);
}
int64_t floorDiv(int64_t a, int64_t b) { return -ceilDiv(-a, b); }

/// T: the bits of one element.
template <typename T>
class Convolution {
public:
  Convolution(const ShoalConvolution &c, const T *lhs, const T *rhs,
              std::byte *out, std::byte *scratch)
      : c(c), lhs(lhs), rhs(rhs), out(out) {
    int64_t bytes[3];
    shoalConvolutionScratch(&c, bytes);
    patches = reinterpret_cast<T *>(scratch);
    kernel = reinterpret_cast<T *>(scratch + bytes[0]);
    sums = reinterpret_cast<float *>(scratch + bytes[0] + bytes[1]);
    outWidth = c.outType == ShoalMatmulBF16 ? 2 : 4;
  }

  void run(int64_t begin, int64_t end) {
    int64_t blocks = ceilDiv(c.innerRows, c.blockRows), packedGroup = -1;
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      int64_t block = chunk % blocks, outer = chunk / blocks % c.outerRows;
      group = chunk / blocks / c.outerRows;
      if ((c.flags & ShoalConvolutionPackRhs) && packedGroup != group)
        packKernel();
      packedGroup = group;
      runBlock(outer, block * c.blockRows);
    }
  }

private:
  void runBlock(int64_t outer, int64_t first);
  void packKernel();
  void packRowsMinor(int64_t outer, int64_t first, int64_t count);
  void packInnerMinor(int64_t outer, int64_t first, int64_t count);
  void store(int64_t outer, int64_t first, int64_t count);

  /// The address of the position, and where its windows begin.
  int64_t locate(const Dim *dims, const int64_t *at, int64_t count) {
    int64_t offset = 0;
    for (int64_t d = 0; d < count; ++d) {
      if (dims[d].spatial < 0)
        offset += at[d] * dims[d].lhsStride;
      else
        base[dims[d].spatial] += at[d] * c.spatial[dims[d].spatial].stride;
    }
    return offset;
  }
  void resetBase() {
    for (int64_t s = 0; s < c.numSpatial; ++s)
      base[s] = -c.spatial[s].low;
  }
  static int64_t windowStep(const Spatial &s, int64_t w) {
    return (s.reversed ? s.window - 1 - w : w) * s.windowDilation;
  }
  /// Adds an element's offset in its dimension; false if it is padding.
  static bool addElement(const Spatial &s, int64_t position, int64_t &offset) {
    if (s.baseDilation != 1) {
      if (position < 0 || position % s.baseDilation)
        return false;
      position /= s.baseDilation;
    }
    offset += position * s.lhsStride;
    return position >= 0 && position < s.array;
  }
  static void copy(const T *from, int64_t stride, T *to, int64_t toStride,
                   int64_t count) {
    if (stride == 1 && toStride == 1) {
      // Short runs are common: a call would cost more than they do.
      if (count >= 32) {
        std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
        return;
      }
      for (int64_t i = 0; i < count; ++i)
        to[i] = from[i];
      return;
    }
    for (int64_t i = 0; i < count; ++i)
      to[i * toStride] = from[i * stride];
  }
  static void clear(T *to, int64_t toStride, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      to[i * toStride] = 0;
  }

  const ShoalConvolution &c;
  const T *lhs, *rhs;
  std::byte *out;
  T *patches, *kernel;
  float *sums;
  int64_t outWidth, group = 0;
  int64_t base[ShoalConvolutionMaxSpatial] = {};
};

/// Inner by features, dense.
template <typename T>
void Convolution<T>::packKernel() {
  const T *from = rhs + group * c.rhsGroupStride;
  Odometer k(c.inner, c.numInner);
  for (int64_t i = 0; i < c.innerSize; ++i, k.next()) {
    int64_t offset = 0;
    for (int64_t d = 0; d < c.numInner; ++d)
      offset += k.at[d] * c.inner[d].otherStride;
    copy(from + offset, c.rhsFeatureStride, kernel + i * c.features, 1,
         c.features);
  }
}

/// patches[k][row]: along the last dimension of rows, for every inner index.
template <typename T>
void Convolution<T>::packRowsMinor(int64_t outer, int64_t first,
                                   int64_t count) {
  Odometer outers(c.rows, c.numOuter, outer);
  const Dim *dims = c.rows + c.numOuter;
  int64_t numDims = c.numRows - c.numOuter;
  const Dim &last = dims[numDims - 1];
  Odometer rows(dims, numDims, first);
  for (int64_t done = 0; done < count;) {
    int64_t start = rows.at[numDims - 1];
    int64_t run = std::min(last.size - start, count - done);
    resetBase();
    int64_t from = group * c.lhsGroupStride +
                   locate(c.rows, outers.at, c.numOuter) +
                   locate(dims, rows.at, numDims);
    Odometer k(c.inner, c.numInner);
    for (int64_t i = 0; i < c.innerSize; ++i, k.next()) {
      T *to = patches + i * c.blockRows + done;
      int64_t offset = from;
      int64_t window[ShoalConvolutionMaxSpatial] = {};
      for (int64_t d = 0; d < c.numInner; ++d) {
        if (c.inner[d].spatial < 0)
          offset += k.at[d] * c.inner[d].lhsStride;
        else
          window[c.inner[d].spatial] = k.at[d];
      }
      bool inside = true;
      for (int64_t s = 0; s < c.numSpatial && inside; ++s)
        if (s != last.spatial)
          inside = addElement(c.spatial[s],
                              base[s] + windowStep(c.spatial[s], window[s]),
                              offset);
      if (!inside) {
        clear(to, 1, run);
      } else if (last.spatial < 0) {
        copy(lhs + offset, last.lhsStride, to, 1, run);
      } else {
        const Spatial &s = c.spatial[last.spatial];
        int64_t at = base[last.spatial] + windowStep(s, window[last.spatial]);
        if (s.baseDilation == 1) {
          int64_t low = std::clamp<int64_t>(ceilDiv(-at, s.stride), 0, run);
          int64_t high = std::clamp<int64_t>(
              floorDiv(s.array - 1 - at, s.stride) + 1, low, run);
          clear(to, 1, low);
          copy(lhs + offset + (at + low * s.stride) * s.lhsStride,
               s.stride * s.lhsStride, to + low, 1, high - low);
          clear(to + high, 1, run - high);
        } else {
          for (int64_t p = 0; p < run; ++p, at += s.stride) {
            int64_t element = offset;
            to[p] = addElement(s, at, element) ? lhs[element] : T{0};
          }
        }
      }
    }
    done += run;
    rows = Odometer(dims, numDims, first + done);
  }
}

/// patches[row][k]: along the last inner dimension, for every row; along the
/// last two where windows and features follow each other in memory.
template <typename T>
void Convolution<T>::packInnerMinor(int64_t outer, int64_t first,
                                    int64_t count) {
  Odometer outers(c.rows, c.numOuter, outer);
  const Dim *dims = c.rows + c.numOuter;
  int64_t numDims = c.numRows - c.numOuter;
  Odometer rows(dims, numDims, first);
  int64_t numOuterInner = c.numInner, unit = 1, unitStride = 1, steps = 1;
  const Spatial *along = nullptr;
  int64_t alongNumber = -1;
  if (c.numInner > 0) {
    const Dim &last = c.inner[--numOuterInner];
    if (last.spatial < 0) {
      unit = last.size;
      unitStride = last.lhsStride;
    }
    int64_t d = last.spatial < 0 ? numOuterInner - 1 : numOuterInner;
    if (d >= 0 && c.inner[d].spatial >= 0) {
      const Spatial &s = c.spatial[c.inner[d].spatial];
      bool joined = s.windowDilation == 1 && s.baseDilation == 1 &&
                    !s.reversed &&
                    (last.spatial >= 0 || s.lhsStride == unit * unitStride);
      if (joined || last.spatial >= 0) {
        along = &s;
        alongNumber = c.inner[d].spatial;
        steps = c.inner[d].size;
        numOuterInner = d;
        if (last.spatial >= 0)
          unitStride = s.lhsStride;
      }
    }
  }
  bool isRun = along && along->windowDilation == 1 &&
               along->baseDilation == 1 && !along->reversed;
  int64_t runSize = steps * unit, numRuns = c.innerSize / runSize;
  for (int64_t row = 0; row < count; ++row, rows.next()) {
    resetBase();
    int64_t from = group * c.lhsGroupStride +
                   locate(c.rows, outers.at, c.numOuter) +
                   locate(dims, rows.at, numDims);
    T *to = patches + row * c.innerSize;
    Odometer k(c.inner, numOuterInner);
    for (int64_t i = 0; i < numRuns; ++i, k.next(), to += runSize) {
      int64_t offset = from;
      int64_t window[ShoalConvolutionMaxSpatial] = {};
      for (int64_t d = 0; d < numOuterInner; ++d) {
        if (c.inner[d].spatial < 0)
          offset += k.at[d] * c.inner[d].lhsStride;
        else
          window[c.inner[d].spatial] = k.at[d];
      }
      bool inside = true;
      for (int64_t s = 0; s < c.numSpatial && inside; ++s)
        if (s != alongNumber)
          inside = addElement(c.spatial[s],
                              base[s] + windowStep(c.spatial[s], window[s]),
                              offset);
      if (!inside) {
        clear(to, 1, runSize);
      } else if (!along) {
        copy(lhs + offset, unitStride, to, 1, unit);
      } else if (isRun) {
        int64_t at = base[alongNumber];
        int64_t low = std::clamp<int64_t>(-at, 0, steps);
        int64_t high = std::clamp<int64_t>(along->array - at, low, steps);
        clear(to, 1, low * unit);
        copy(lhs + offset + (at + low) * along->lhsStride, unitStride,
             to + low * unit, 1, (high - low) * unit);
        clear(to + high * unit, 1, (steps - high) * unit);
      } else { // one window dimension, unit is 1
        for (int64_t w = 0; w < steps; ++w) {
          int64_t element = offset;
          bool in = addElement(*along, base[alongNumber] + windowStep(*along, w),
                               element);
          to[w] = in ? lhs[element] : T{0};
        }
      }
    }
  }
}

uint16_t roundToBF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (value != value)
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Sums to their places.
template <typename T>
void Convolution<T>::store(int64_t outer, int64_t first, int64_t count) {
  Odometer outers(c.rows, c.numOuter, outer);
  const Dim *dims = c.rows + c.numOuter;
  int64_t numDims = c.numRows - c.numOuter;
  Odometer rows(dims, numDims, first);
  int64_t origin = group * c.outGroupStride;
  for (int64_t d = 0; d < c.numOuter; ++d)
    origin += outers.at[d] * c.rows[d].otherStride;
  for (int64_t row = 0; row < count; ++row, rows.next()) {
    int64_t at = origin;
    for (int64_t d = 0; d < numDims; ++d)
      at += rows.at[d] * dims[d].otherStride;
    const float *from = sums + row * c.features;
    for (int64_t f = 0; f < c.features; ++f, at += c.outFeatureStride) {
      if (outWidth == 2)
        reinterpret_cast<uint16_t *>(out)[at] = roundToBF16(from[f]);
      else
        reinterpret_cast<float *>(out)[at] = from[f];
    }
  }
}

template <typename T>
void Convolution<T>::runBlock(int64_t outer, int64_t first) {
  int64_t count = std::min(c.blockRows, c.innerRows - first);
  const T *a = patches;
  int64_t rowStride, innerStride;
  if (c.flags & ShoalConvolutionLhsInPlace) {
    Odometer outers(c.rows, c.numOuter, outer);
    a = lhs + group * c.lhsGroupStride + first * c.lhsRowStride;
    for (int64_t d = 0; d < c.numOuter; ++d) {
      const Dim &dim = c.rows[d];
      a += outers.at[d] *
           (dim.spatial < 0 ? dim.lhsStride
                            : c.spatial[dim.spatial].stride *
                                  c.spatial[dim.spatial].lhsStride);
    }
    rowStride = c.lhsRowStride;
    innerStride = c.lhsInnerStride;
  } else if (c.flags & ShoalConvolutionRowsMinor) {
    packRowsMinor(outer, first, count);
    rowStride = 1;
    innerStride = c.blockRows;
  } else {
    packInnerMinor(outer, first, count);
    rowStride = c.innerSize;
    innerStride = 1;
  }
  bool isPacked = c.flags & ShoalConvolutionPackRhs;
  const T *b = isPacked ? kernel : rhs + group * c.rhsGroupStride;
  int64_t kernelInner = isPacked ? c.features : c.rhsInnerStride;
  int64_t kernelFeature = isPacked ? 1 : c.rhsFeatureStride;

  auto type = static_cast<int32_t>(c.type);
  auto outType = static_cast<int32_t>(c.outType);
  std::byte *target = out;
  if (c.flags & (ShoalConvolutionOutInPlace | ShoalConvolutionOutTransposed)) {
    Odometer outers(c.rows, c.numOuter, outer);
    int64_t at = group * c.outGroupStride + first * c.outRowStride;
    for (int64_t d = 0; d < c.numOuter; ++d)
      at += outers.at[d] * c.rows[d].otherStride;
    target += at * outWidth;
  }
  if (c.flags & ShoalConvolutionOutTransposed) {
    ShoalMatmul shape = {c.features,         count,       c.innerSize,
                         kernelFeature,      kernelInner, innerStride,
                         rowStride,          c.outFeatureStride,
                         type,               type,        outType,
                         0};
    return shoal_rt_matmul(&shape, b, a, target);
  }
  bool inPlace = c.flags & ShoalConvolutionOutInPlace;
  ShoalMatmul shape = {count,
                       c.features,
                       c.innerSize,
                       rowStride,
                       innerStride,
                       kernelInner,
                       kernelFeature,
                       inPlace ? c.outRowStride : c.features,
                       type,
                       type,
                       inPlace ? outType : int32_t(ShoalMatmulF32),
                       0};
  shoal_rt_matmul(&shape, a, b, inPlace ? static_cast<void *>(target) : sums);
  if (!inPlace)
    store(outer, first, count);
}

} // namespace

extern "C" __attribute__((visibility("default"))) void
shoal_rt_convolution(const ShoalConvolution *convolution, const void *lhs,
                     const void *rhs, void *out, void *scratch,
                     int64_t chunkBegin, int64_t chunkEnd) {
  auto *to = static_cast<std::byte *>(out);
  auto *memory = static_cast<std::byte *>(scratch);
  if (convolution->type == ShoalMatmulBF16)
    Convolution<uint16_t>(*convolution, static_cast<const uint16_t *>(lhs),
                          static_cast<const uint16_t *>(rhs), to, memory)
        .run(chunkBegin, chunkEnd);
  else
    Convolution<uint32_t>(*convolution, static_cast<const uint32_t *>(lhs),
                          static_cast<const uint32_t *>(rhs), to, memory)
        .run(chunkBegin, chunkEnd);
}
