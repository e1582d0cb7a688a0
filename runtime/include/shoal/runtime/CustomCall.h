/* How a custom call finds its implementation: a C function with the target's
 * name, in a library given by --custom-calls=lib.so. */
#ifndef SHOAL_RUNTIME_CUSTOMCALL_H
#define SHOAL_RUNTIME_CUSTOMCALL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A dense row-major tensor. dtype is a number of shoal::rt::DType. */
typedef struct ShoalCustomCallBuffer {
  void *data;
  const int64_t *shape;
  int32_t rank;
  int32_t dtype;
} ShoalCustomCallBuffer;

typedef struct ShoalCustomCall {
  const char *target;
  const char *config; /* backend_config as text, NUL-terminated */
  int64_t apiVersion;
  int64_t deviceRank; /* number of the calling rank */
  int64_t numInputs, numOutputs;
  const ShoalCustomCallBuffer *inputs;
  const ShoalCustomCallBuffer *outputs;
} ShoalCustomCall;

/* Returns 0, or something else after writing a NUL-terminated reason of at most
 * errorSize bytes, which ends the run. May be called from several threads at
 * once, one per rank. */
typedef int (*ShoalCustomCallFn)(const ShoalCustomCall *call, char *error,
                                 size_t errorSize);

#ifdef __cplusplus
}
#endif

#endif /* SHOAL_RUNTIME_CUSTOMCALL_H */
