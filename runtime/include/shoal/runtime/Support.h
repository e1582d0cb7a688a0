/* C functions that compiled kernels call by name for whole-tensor operations:
 * Fourier transforms, random bits, factorisations, selection of the largest.
 * One thread each; a kernel calls them once per chunk (an element of a batch).
 * Arrays are dense, row-major; no argument overlaps another. None fails: what
 * has no result (a matrix that is not positive definite) gives NaN.
 * `dtype` is a number of shoal::rt::DType (DType.h). */
#ifndef SHOAL_RUNTIME_SUPPORT_H
#define SHOAL_RUNTIME_SUPPORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- Fourier transforms (Fft.cpp) --------------------------------------- */

enum ShoalFftKind {
  ShoalFft = 0,        /* complex -> complex */
  ShoalInverseFft = 1, /* complex -> complex, divided by the number of points */
  ShoalRealFft = 2,    /* real -> complex, last dimension n -> n/2 + 1 */
  ShoalInverseRealFft = 3 /* complex -> real, last dimension n/2 + 1 -> n */
};
/* A transform over the `rank` (1 to 3) last dimensions of `lengths` points
 * (on the real side, for real transforms). Any lengths from 1 on. `isDouble`:
 * f64 and complex<f64> instead of f32 and complex<f32>. */
void shoal_rt_fft(int32_t kind, int32_t isDouble, int32_t rank,
                  const int64_t *lengths, const void *in, void *out);
/* `count` of them, one after the other in memory: faster than one by one. */
void shoal_rt_ffts(int32_t kind, int32_t isDouble, int32_t rank,
                   const int64_t *lengths, int64_t count, const void *in,
                   void *out);

/* --- Random bits (Random.cpp) ------------------------------------------- */

enum ShoalRandomAlgorithm { ShoalThreeFry = 0, ShoalPhilox = 1 };
/* StableHLO's rng_bit_generator, bit for bit as XLA has it. `state` holds
 * `stateBytes` bytes (16: key and counter; 24: key and a counter of 128 bits;
 * philox only) and `newState` gets as many. `out` gets elements of
 * `elementBytes` (1, 2, 4, 8) bytes in the shape of `rank` `dims`. */
void shoal_rt_random_bits(int32_t algorithm, const void *state,
                          int64_t stateBytes, void *newState,
                          int64_t elementBytes, int64_t rank,
                          const int64_t *dims, void *out);

enum ShoalDistribution { ShoalUniform = 0, ShoalNormal = 1 };
/* StableHLO's rng: `count` numbers uniform in [a, b), or normal with mean a
 * and deviation b; a and b point to elements of dtype. The same stream in
 * every call with equal `seed`, so that ranks that compute the same tensor
 * agree. */
void shoal_rt_random(int32_t distribution, int32_t dtype, const void *a,
                     const void *b, uint64_t seed, int64_t count, void *out);

/* --- Linear algebra (LinearAlgebra.cpp); dtype f32, f64, c64 or c128 ----- */

/* Cholesky factor of the n x n matrix whose lower (or upper) triangle `in`
 * holds; the other triangle of `out` is zero. NaN where it does not exist. */
void shoal_rt_cholesky(int32_t dtype, int32_t lower, int64_t n, const void *in,
                       void *out);

enum ShoalTranspose {
  ShoalNoTranspose = 0,
  ShoalTransposed = 1,
  ShoalAdjoint = 2
};
/* Solves op(a) x = b, or x op(a) = b if not `leftSide`, for x and b of
 * rows x columns and a triangular a, of which one triangle is read. */
void shoal_rt_triangular_solve(int32_t dtype, int32_t leftSide, int32_t lower,
                               int32_t unitDiagonal, int32_t transpose,
                               int64_t rows, int64_t columns, const void *a,
                               const void *b, void *x);

/* --- Selection (TopK.cpp) ------------------------------------------------ */

/* The k largest of n elements in falling order, and where they were (i32);
 * equal ones in their order. Floats by total order (NaN with a clear sign bit
 * is largest). Integers of all widths, real floats. */
void shoal_rt_top_k(int32_t dtype, int64_t n, int64_t k, const void *in,
                    void *values, int32_t *indices);

#ifdef __cplusplus
}
#endif

#endif /* SHOAL_RUNTIME_SUPPORT_H */
