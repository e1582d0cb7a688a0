/* The calling convention of compiled CPU kernels. C, so that the runtime, the
 * compiler and hand-written kernels agree on one text. */
#ifndef SHOAL_RUNTIME_KERNELABI_H
#define SHOAL_RUNTIME_KERNELABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a kernel is launched with.
 *
 * buffers: the inputs, then the outputs, in the order of the kernel's block
 * arguments and yielded values, without the scalar inputs (below). Each is
 * dense, row-major and aligned to 64 bytes, except that views are aligned to
 * their element type only. An output never overlaps an input or another
 * output, except that it may *be* (start at the same address as) an input that
 * the kernel's metadata says it may overwrite; such a kernel copies nothing
 * where the two are one buffer.
 *
 * Elements: i1 is one byte, 0 or 1; i2, i4, ui2, ui4 are one byte, sign- or
 * zero-extended; f8, f6 and f4 one byte; bf16 and f16 two; complex is two
 * consecutive reals.
 *
 * scalars: values of the kernel's rank-0 integer inputs marked as host
 * scalars, sign- or zero-extended to 64 bits, in the order of those inputs.
 *
 * scratch: memory of the caller's thread, at least as large as the metadata
 * says, aligned to 64 bytes; contents undefined. */
typedef struct ShoalKernelArgs {
  void *const *buffers;
  const int64_t *scalars;
  void *scratch;
} ShoalKernelArgs;

/* A kernel runs chunks [chunkBegin, chunkEnd) of its metadata's `chunks`.
 * Chunks are independent: any order, any threads, any grouping into calls;
 * the result does not depend on it. */
typedef void (*ShoalKernelFn)(const ShoalKernelArgs *args, int64_t chunkBegin,
                              int64_t chunkEnd);

/* What the launcher must know about a kernel. */
typedef struct ShoalKernelInfo {
  int64_t chunks;       /* number of chunks, at least 1; from shapes only */
  int64_t scratchBytes; /* per running call */
  int64_t flops;        /* estimate for the whole kernel */
  int64_t bytes;        /* read plus written by the whole kernel */
} ShoalKernelInfo;

/* One matrix product of a block, out[m,n] = sum over k of lhs[m,k] * rhs[k,n]:
 * what a dot_general kernel calls for each batch and block of the output. One
 * thread, no allocation that outlives the call except cached primitives.
 * Strides are in elements; any may be 1 or larger, none is negative. Types are
 * ShoalMatmulType; sums are kept in f32 at least. m, n, k > 0. */
enum ShoalMatmulType { ShoalMatmulF32 = 0, ShoalMatmulBF16 = 1 };
typedef struct ShoalMatmul {
  int64_t m, n, k;
  int64_t lhsStrideM, lhsStrideK;
  int64_t rhsStrideK, rhsStrideN;
  int64_t outStrideM; /* outStrideN is 1 */
  int32_t lhsType, rhsType, outType;
  int32_t reserved;
} ShoalMatmul;
/* Implemented by the runtime over oneDNN. `shape` is a constant of the kernel:
 * its address may serve as a first key to a cache. */
void shoal_rt_matmul(const ShoalMatmul *shape, const void *lhs,
                     const void *rhs, void *out);

#ifdef __cplusplus
}
#endif

#endif /* SHOAL_RUNTIME_KERNELABI_H */
