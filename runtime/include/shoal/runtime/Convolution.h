/* Convolutions of f32 and bf16 as products of matrices, planned by the compiler
 * and run by the runtime: kernels hold a constant of this form and one call.
 *
 * Within a group the result is a matrix of positions (batch and spatial, the
 * `rows`) by output features: the product of `patches`, rows by (window, input
 * features; the `inner` dimensions), and of the kernel, inner by features. */
#ifndef SHOAL_RUNTIME_CONVOLUTION_H
#define SHOAL_RUNTIME_CONVOLUTION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ShoalConvolutionMaxSpatial = 6, ShoalConvolutionMaxDims = 8 };

/* A dimension of rows or of inner. Strides are in elements. */
typedef struct ShoalConvolutionDim {
  int64_t size;
  int64_t spatial;     /* number of the spatial dimension, or -1 */
  int64_t lhsStride;   /* where not spatial */
  int64_t otherStride; /* rows: of the result; inner: of the kernel */
} ShoalConvolutionDim;

/* Window element w of position p is at p * stride + w * windowDilation - low of
 * the dilated array, in which element i is at i * baseDilation. */
typedef struct ShoalConvolutionSpatial {
  int64_t array, window, stride, low, baseDilation, windowDilation, reversed;
  int64_t lhsStride;
} ShoalConvolutionSpatial;

enum {
  /* Patches are the operand itself, with these strides. */
  ShoalConvolutionLhsInPlace = 1,
  /* Patches are laid out inner by rows: they are copied along rows. */
  ShoalConvolutionRowsMinor = 2,
  /* The kernel is copied into the order of inner; else it lies so already. */
  ShoalConvolutionPackRhs = 4,
  /* The product is made in the result, whose features are contiguous. */
  ShoalConvolutionOutInPlace = 8,
  /* The same, transposed: the rows of a block are contiguous. */
  ShoalConvolutionOutTransposed = 16
};

typedef struct ShoalConvolution {
  /* Of rows the first numOuter stand apart: a block of rows has one index in
   * each of them. Fastest last. */
  int64_t numRows, numOuter, numInner, numSpatial;
  ShoalConvolutionDim rows[ShoalConvolutionMaxDims];
  ShoalConvolutionDim inner[ShoalConvolutionMaxDims];
  ShoalConvolutionSpatial spatial[ShoalConvolutionMaxSpatial];
  int64_t groups, features;                           /* of one group */
  int64_t outerRows, blockRows, innerRows, innerSize; /* products of sizes */
  int64_t lhsGroupStride, rhsGroupStride, outGroupStride;
  int64_t lhsRowStride, lhsInnerStride;     /* if LhsInPlace */
  int64_t rhsInnerStride, rhsFeatureStride; /* of the tensor */
  int64_t outRowStride, outFeatureStride;   /* row: if in place */
  int64_t flags;
  int64_t type, outType; /* ShoalMatmulType */
} ShoalConvolution;

/* Chunks: groups, then outer rows, then blocks of `blockRows` of the rest. */
static inline int64_t shoalConvolutionChunks(const ShoalConvolution *c) {
  int64_t blocks = (c->innerRows + c->blockRows - 1) / c->blockRows;
  return c->groups * c->outerRows * blocks;
}

/* Bytes of patches, packed kernel and sums, each aligned to 64. */
static inline void shoalConvolutionScratch(const ShoalConvolution *c,
                                           int64_t bytes[3]) {
  int64_t width = c->type ? 2 : 4; /* ShoalMatmulBF16 is 1 */
  int outMade =
      c->flags & (ShoalConvolutionOutInPlace | ShoalConvolutionOutTransposed);
  bytes[0] = c->flags & ShoalConvolutionLhsInPlace
                 ? 0
                 : c->blockRows * c->innerSize * width;
  bytes[1] = c->flags & ShoalConvolutionPackRhs
                 ? c->innerSize * c->features * width
                 : 0;
  bytes[2] = outMade ? 0 : c->blockRows * c->features * 4;
  for (int i = 0; i < 3; ++i)
    bytes[i] = (bytes[i] + 63) & ~(int64_t)63;
}

/* Runs chunks [chunkBegin, chunkEnd). */
void shoal_rt_convolution(const ShoalConvolution *convolution, const void *lhs,
                          const void *rhs, void *out, void *scratch,
                          int64_t chunkBegin, int64_t chunkEnd);

#ifdef __cplusplus
}
#endif

#endif /* SHOAL_RUNTIME_CONVOLUTION_H */
