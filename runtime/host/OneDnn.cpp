#include "host/OneDnn.h"

#include <cstdlib>
#include <dlfcn.h>
#include <type_traits>

namespace shoal::rt {

static const OneDnn *load() {
  // libgomp reads this when it is loaded, together with oneDNN.
  ::setenv("OMP_NUM_THREADS", "1", /*overwrite=*/1);
  void *library = ::dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return nullptr;
  static OneDnn d;
  bool ok = true;
  auto find = [&](auto &function, const char *name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(
        ::dlsym(library, name));
    ok &= function != nullptr;
  };
  find(d.streamCreate, "dnnl_stream_create");
  find(d.memoryDesc, "dnnl_memory_desc_init_by_strides");
  find(d.matmulDesc, "dnnl_matmul_desc_init");
  find(d.primitiveDescCreate, "dnnl_primitive_desc_create");
  find(d.primitiveDescDestroy, "dnnl_primitive_desc_destroy");
  find(d.query, "dnnl_primitive_desc_query");
  find(d.queryDesc, "dnnl_primitive_desc_query_md");
  find(d.descSize, "dnnl_memory_desc_get_size");
  find(d.primitiveCreate, "dnnl_primitive_create");
  find(d.attrCreate, "dnnl_primitive_attr_create");
  find(d.attrDestroy, "dnnl_primitive_attr_destroy");
  find(d.setScratchpadMode, "dnnl_primitive_attr_set_scratchpad_mode");
  find(d.memoryCreate, "dnnl_memory_create");
  find(d.memoryDestroy, "dnnl_memory_destroy");
  find(d.setData, "dnnl_memory_set_data_handle");
  find(d.execute, "dnnl_primitive_execute");
  find(d.effectiveIsa, "dnnl_get_effective_cpu_isa");
  decltype(&dnnl_engine_create) engineCreate;
  find(engineCreate, "dnnl_engine_create");
  if (!ok || engineCreate(&d.engine, dnnl_cpu, 0) != dnnl_success)
    return nullptr;
  return &d;
}

const OneDnn *OneDnn::get() {
  static const OneDnn *library = load();
  return library;
}

} // namespace shoal::rt
