// The runtime's own kernels: what collectives and the host program need besides
// the model's kernels. Parameters as the host fills them in; each kernel takes
// one such struct by value. Source: RuntimeKernels.cpp.
#ifndef SHOAL_RUNTIME_CUDA_KERNELS_H
#define SHOAL_RUNTIME_CUDA_KERNELS_H

#include <stdint.h>

namespace shoal::cuda {

/// Threads of a block of each of these kernels, and the most blocks they gain
/// from; threads stride over the work.
inline constexpr unsigned kBlockThreads = 256;
inline constexpr unsigned kMostBlocks = 1024;

/// Copies planes of rows of bytes: byte x of row r of plane q goes from
/// source + q*sourcePlane + r*sourcePitch + x to the same in the target. They
/// do not overlap. `unit` (1, 2, 4, 8, 16) divides all addresses and sizes.
struct Copy3D {
  uint64_t source, target;
  int64_t bytes, rows, planes;
  int64_t sourcePitch, targetPitch, sourcePlane, targetPlane;
  int64_t unit;
};
/// shoal_rt_copy: `count` copies at once; copy i is done by blocks with y = i.
struct CopyParams {
  static constexpr int most = 32;
  int64_t count;
  Copy3D copies[most];
};

/// shoal_rt_fill: rows of a repeated pattern of `width` bytes, 1 to 16, which
/// is at `from` in device memory, or, where that is 0, in low and high.
struct FillParams {
  uint64_t target, from, low, high;
  int64_t width, bytes, rows, pitch;
};

/// shoal_rt_fold: out[i] = ((in0[i] op in1[i]) op in2[i]) …, as the host's
/// reduceElements (runtime/host/Reduce.h), for rows of `count` elements;
/// pitches in bytes. Every out gets the result; an out may be an in.
struct FoldParams {
  static constexpr int most = 64;
  int32_t type;      ///< rt::DType
  int32_t reduction; ///< program::Reduction
  int64_t numIn, numOut;
  int64_t count, rows, inPitch, outPitch;
  uint64_t in[most], out[most];
};

/// shoal_rt_symmetric: a fold of memory of all ranks of a group (peer windows),
/// by kernels that every rank runs at the same time on its own stream, with no
/// other order between them: they meet before the first load and after the last
/// store. `fold` is this rank's share. Launched with `blocks` blocks.
struct Meeting {
  static constexpr int most = FoldParams::most, blocks = 4;
  /// Of each rank's `flags`, words: [block][rank], 0 before the first launch.
  static constexpr int flagWords = blocks * most;
  uint64_t flags[most];
  int64_t rank, ranks;
  uint64_t number; ///< of the launch over these flags, from 0
};
struct SymmetricParams : Meeting {
  FoldParams fold;
};

/// shoal_rt_multimem_all_reduce, shoal_rt_multimem_reduce_scatter
/// (MultimemKernels.cpp): sums of f32 by the switch (NVLS). `window` is the
/// multicast address of the same place in the memory of all; elements [first,
/// first + count), multiples of 4, are this rank's share. They go back to the
/// window, or to `out`.
struct MultimemParams : Meeting {
  uint64_t window, out;
  int64_t first, count;
};

/// shoal_rt_convert: to and from types that a collective library can reduce.
enum class Convert : int32_t {
  ToInt32 = 0,   ///< integers of up to 16 bits, extended
  FromInt32 = 1, ///< cut to the type; of i1 the lowest bit
  ToFloat = 2,   ///< floats of up to 16 bits
  FromFloat = 3, ///< rounded to nearest even
  /// Floats as integers (int64 for f64, else int32) in the order that min and
  /// max have: -0 below +0, and NaN below (ToOrderLow) or above all.
  ToOrderLow = 4,
  ToOrderHigh = 5,
  FromOrder = 6,
};
struct ConvertParams {
  uint64_t in, out;
  int64_t count;
  int32_t type; ///< rt::DType, of the side that is not the wide one
  int32_t what; ///< Convert
};

/// shoal_rt_scale: reals times a factor, where they are.
struct ScaleParams {
  uint64_t data;
  int64_t count;
  double factor;
  int64_t isDouble;
};

/// shoal_rt_triangle: of square matrices, row-major, one triangle is kept and
/// the other set to zero; of a matrix whose `info` (int32) is not 0, the kept
/// one is set to NaN.
struct TriangleParams {
  uint64_t matrices, info;
  int64_t n, batch;
  int64_t isDouble, isComplex, lower;
};

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_KERNELS_H
