// See shoal/runtime/Convolution.h.
#include "shoal/runtime/Convolution.h"
#include "shoal/runtime/KernelABI.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <limits>
#include <vector>

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

constexpr int64_t padding = std::numeric_limits<int64_t>::min();

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
    chooseRuns();
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
  /// What is copied at once: `unit` elements, and these for successive
  /// positions or window elements of one spatial dimension, if any.
  struct Run {
    int64_t unit = 1, unitStride = 1;
    int64_t along = -1; // spatial dimension
    int64_t dims = 0;   // how many dimensions the run covers
  };
  void chooseRuns();
  void runBlock(int64_t outer, int64_t first);
  void packKernel();
  void packPatches(int64_t outer, int64_t first, int64_t count);
  void copyRun(int64_t offset, int64_t at, int64_t step, int64_t windowStep,
               T *to, int64_t steps);
  template <typename Visit>
  void forInner(int64_t numDims, int64_t from, Visit visit);
  void store(int64_t outer, int64_t first, int64_t count);

  static int64_t windowOffset(const Spatial &s, int64_t w) {
    return (s.reversed ? s.window - 1 - w : w) * s.windowDilation;
  }
  /// Elements of lhs to that position of a dimension, or `padding`.
  static int64_t elementOffset(const Spatial &s, int64_t position) {
    if (s.baseDilation != 1) {
      if (position < 0 || position % s.baseDilation)
        return padding;
      position /= s.baseDilation;
    }
    return position >= 0 && position < s.array ? position * s.lhsStride
                                               : padding;
  }
  static void copy(const T *from, int64_t stride, T *to, int64_t count) {
    if (stride != 1) {
      for (int64_t i = 0; i < count; ++i)
        to[i] = from[i * stride];
      return;
    }
    // Short runs are common: a call would cost more than they do.
    if (count >= 128) {
      std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
      return;
    }
    for (; count >= 8; count -= 8, to += 8, from += 8)
      std::memcpy(to, from, 8 * sizeof(T));
    if (count & 4) {
      std::memcpy(to, from, 4 * sizeof(T));
      to += 4, from += 4;
    }
    if (count & 2) {
      std::memcpy(to, from, 2 * sizeof(T));
      to += 2, from += 2;
    }
    if (count & 1)
      *to = *from;
  }
  static void clear(T *to, int64_t count) {
    if (count >= 128) {
      std::memset(to, 0, static_cast<size_t>(count) * sizeof(T));
      return;
    }
    for (; count >= 8; count -= 8, to += 8)
      std::memset(to, 0, 8 * sizeof(T));
    for (; count > 0; --count)
      *to++ = 0;
  }

  const ShoalConvolution &c;
  const T *lhs, *rhs;
  std::byte *out;
  T *patches, *kernel;
  float *sums;
  int64_t outWidth, group = 0;
  Run run_;
  /// Where the windows of the current position begin.
  int64_t base[ShoalConvolutionMaxSpatial] = {};
  /// For each inner dimension, by its index: elements of lhs, or `padding`.
  std::vector<int64_t> offsets[ShoalConvolutionMaxDims];
};

/// The last dimension that is copied along, and the one before if both are
/// contiguous together.
template <typename T>
void Convolution<T>::chooseRuns() {
  bool rowsMinor = c.flags & ShoalConvolutionRowsMinor;
  const Dim *dims = rowsMinor ? c.rows + c.numOuter : c.inner;
  int64_t count = rowsMinor ? c.numRows - c.numOuter : c.numInner;
  if (count == 0)
    return;
  const Dim &last = dims[count - 1];
  run_.dims = 1;
  if (last.spatial >= 0) {
    run_.along = last.spatial;
    return;
  }
  run_.unit = last.size;
  run_.unitStride = last.lhsStride;
  if (count == 1 || dims[count - 2].spatial < 0 ||
      (rowsMinor && c.blockRows % last.size))
    return;
  const Spatial &s = c.spatial[dims[count - 2].spatial];
  int64_t step = rowsMinor ? s.stride : s.windowDilation;
  if (s.baseDilation == 1 && (rowsMinor || !s.reversed) &&
      step * s.lhsStride == run_.unit * run_.unitStride) {
    run_.along = dims[count - 2].spatial;
    run_.dims = 2;
  }
}

/// Inner by features, dense.
template <typename T>
void Convolution<T>::packKernel() {
  const T *from = rhs + group * c.rhsGroupStride;
  Odometer k(c.inner, c.numInner);
  for (int64_t i = 0; i < c.innerSize; ++i, k.next()) {
    int64_t offset = 0;
    for (int64_t d = 0; d < c.numInner; ++d)
      offset += k.at[d] * c.inner[d].otherStride;
    copy(from + offset, c.rhsFeatureStride, kernel + i * c.features,
         c.features);
  }
}

/// Calls visit(offset, window) for all indices of the first inner dimensions,
/// in order: the offset in lhs (or `padding`) from `from` on, and the window
/// element in the dimension that runs go along.
template <typename T>
template <typename Visit>
void Convolution<T>::forInner(int64_t numDims, int64_t from, Visit visit) {
  for (int64_t s = 0; s < c.numSpatial; ++s)
    if (c.spatial[s].window == 1 && s != run_.along) {
      int64_t offset = elementOffset(c.spatial[s], base[s]);
      from = offset == padding || from == padding ? padding : from + offset;
    }
  for (int64_t d = 0; d < numDims; ++d) {
    const Dim &dim = c.inner[d];
    offsets[d].resize(static_cast<size_t>(dim.size));
    for (int64_t i = 0; i < dim.size; ++i) {
      int64_t &offset = offsets[d][static_cast<size_t>(i)];
      if (dim.spatial < 0)
        offset = i * dim.lhsStride;
      else if (dim.spatial == run_.along)
        offset = 0;
      else
        offset = elementOffset(c.spatial[dim.spatial],
                               base[dim.spatial] +
                                   windowOffset(c.spatial[dim.spatial], i));
    }
  }
  if (numDims == 0)
    return visit(from, 0);
  Odometer index(c.inner, numDims - 1);
  int64_t outer = 1;
  for (int64_t d = 0; d + 1 < numDims; ++d)
    outer *= c.inner[d].size;
  const std::vector<int64_t> &last = offsets[numDims - 1];
  bool lastIsAlong = c.inner[numDims - 1].spatial == run_.along &&
                     c.inner[numDims - 1].spatial >= 0;
  for (; outer > 0; --outer, index.next()) {
    int64_t offset = from, window = 0;
    for (int64_t d = 0; d + 1 < numDims && offset != padding; ++d) {
      int64_t part = offsets[d][static_cast<size_t>(index.at[d])];
      offset = part == padding ? padding : offset + part;
    }
    for (int64_t d = 0; d + 1 < numDims; ++d)
      if (c.inner[d].spatial >= 0 && c.inner[d].spatial == run_.along)
        window = index.at[d];
    for (size_t i = 0; i < last.size(); ++i)
      visit(offset == padding || last[i] == padding ? padding
                                                    : offset + last[i],
            lastIsAlong ? static_cast<int64_t>(i) : window);
  }
}

/// `steps` units from position `at` of the dimension on, `step` positions from
/// one to the next.
template <typename T>
void Convolution<T>::copyRun(int64_t offset, int64_t at, int64_t step,
                             int64_t windowStep, T *to, int64_t steps) {
  const Spatial &s = c.spatial[run_.along];
  at += windowStep;
  if (s.baseDilation != 1 || step <= 0) {
    for (int64_t i = 0; i < steps; ++i, at += step) {
      int64_t element = elementOffset(s, at);
      to[i] = element == padding ? T{0} : lhs[offset + element];
    }
    return;
  }
  int64_t unit = run_.unit, low = 0, high = steps;
  if (at < 0)
    low = std::min(step == 1 ? -at : ceilDiv(-at, step), steps);
  if (at + (steps - 1) * step >= s.array)
    high = std::clamp<int64_t>(
        (step == 1 ? s.array - 1 - at : floorDiv(s.array - 1 - at, step)) + 1,
        low, steps);
  clear(to, low * unit);
  copy(lhs + offset + (at + low * step) * s.lhsStride,
       unit == 1 ? step * s.lhsStride : run_.unitStride, to + low * unit,
       (high - low) * unit);
  clear(to + high * unit, (steps - high) * unit);
}

/// patches[k][row] or patches[row][k], copied along the minor one.
template <typename T>
void Convolution<T>::packPatches(int64_t outer, int64_t first, int64_t count) {
  bool rowsMinor = c.flags & ShoalConvolutionRowsMinor;
  Odometer outers(c.rows, c.numOuter, outer);
  const Dim *dims = c.rows + c.numOuter;
  int64_t numDims = c.numRows - c.numOuter;
  int64_t runSize = 1, numInner = c.numInner;
  if (rowsMinor)
    for (int64_t d = numDims - run_.dims; d < numDims; ++d)
      runSize *= dims[d].size;
  else
    for (; numInner > c.numInner - run_.dims; --numInner)
      runSize *= c.inner[numInner - 1].size;
  for (int64_t done = 0; done < count;) {
    // A row, or as many as one run covers.
    int64_t row = first + done;
    int64_t rows =
        rowsMinor ? std::min(runSize - row % runSize, count - done) : 1;
    Odometer index(dims, numDims, row);
    for (int64_t s = 0; s < c.numSpatial; ++s)
      base[s] = -c.spatial[s].low;
    int64_t from = group * c.lhsGroupStride;
    auto add = [&](const Dim &dim, int64_t at) {
      if (dim.spatial < 0)
        from += at * dim.lhsStride;
      else
        base[dim.spatial] += at * c.spatial[dim.spatial].stride;
    };
    for (int64_t d = 0; d < c.numOuter; ++d)
      add(c.rows[d], outers.at[d]);
    for (int64_t d = 0; d < numDims; ++d)
      add(dims[d], index.at[d]);
    const Spatial *along = run_.along < 0 ? nullptr : &c.spatial[run_.along];
    int64_t at = along ? base[run_.along] : 0;
    if (rowsMinor) {
      T *to = patches + done;
      forInner(numInner, from, [&](int64_t offset, int64_t window) {
        if (offset == padding)
          clear(to, rows);
        else if (along)
          copyRun(offset, at, along->stride, windowOffset(*along, window), to,
                  rows / run_.unit);
        else
          copy(lhs + offset, run_.unitStride, to, rows);
        to += c.blockRows;
      });
    } else {
      T *to = patches + done * c.innerSize;
      forInner(numInner, from, [&](int64_t offset, int64_t) {
        if (offset == padding)
          clear(to, runSize);
        else if (along)
          copyRun(offset, at,
                  along->reversed ? -along->windowDilation
                                  : along->windowDilation,
                  windowOffset(*along, 0), to, runSize / run_.unit);
        else
          copy(lhs + offset, run_.unitStride, to, runSize);
        to += runSize;
      });
    }
    done += rows;
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
      a += outers.at[d] * (dim.spatial < 0
                               ? dim.lhsStride
                               : c.spatial[dim.spatial].stride *
                                     c.spatial[dim.spatial].lhsStride);
    }
    rowStride = c.lhsRowStride;
    innerStride = c.lhsInnerStride;
  } else if (c.flags & ShoalConvolutionRowsMinor) {
    packPatches(outer, first, count);
    rowStride = 1;
    innerStride = c.blockRows;
  } else {
    packPatches(outer, first, count);
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
    ShoalMatmul shape = {
        c.features,  count,       c.innerSize, kernelFeature,
        kernelInner, innerStride, rowStride,   c.outFeatureStride,
        type,        type,        outType,     0};
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
