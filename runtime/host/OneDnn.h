// oneDNN, opened when the first product needs it.
//
// Debian's library runs on OpenMP. It is asked for one thread: parallelism is
// the pool's business. Loading it takes some 20 ms, which programs without
// matrix products should not pay.
#ifndef SHOAL_RUNTIME_HOST_ONEDNN_H
#define SHOAL_RUNTIME_HOST_ONEDNN_H

#include <dnnl.h>

namespace shoal::rt {

/// The functions of oneDNN's C interface that are used here.
struct OneDnn {
  decltype(&dnnl_stream_create) streamCreate;
  decltype(&dnnl_memory_desc_init_by_strides) memoryDesc;
  decltype(&dnnl_matmul_desc_init) matmulDesc;
  decltype(&dnnl_primitive_desc_create) primitiveDescCreate;
  decltype(&dnnl_primitive_desc_destroy) primitiveDescDestroy;
  decltype(&dnnl_primitive_desc_query) query;
  decltype(&dnnl_primitive_desc_query_md) queryDesc;
  decltype(&dnnl_memory_desc_get_size) descSize;
  decltype(&dnnl_primitive_create) primitiveCreate;
  decltype(&dnnl_primitive_attr_create) attrCreate;
  decltype(&dnnl_primitive_attr_destroy) attrDestroy;
  decltype(&dnnl_primitive_attr_set_scratchpad_mode) setScratchpadMode;
  decltype(&dnnl_memory_create) memoryCreate;
  decltype(&dnnl_memory_destroy) memoryDestroy;
  decltype(&dnnl_memory_set_data_handle) setData;
  decltype(&dnnl_primitive_execute) execute;
  decltype(&dnnl_get_effective_cpu_isa) effectiveIsa;
  dnnl_engine_t engine;

  /// Null if the library is not installed.
  static const OneDnn *get();
};

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_ONEDNN_H
