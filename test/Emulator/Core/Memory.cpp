// Loads and stores with order, scope or cache hints: {ld,st}.HINTS[.vN].bSIZE,
// and multimem on an address that stands for one memory on every device.
#include "Registry.h"

#include "Formats.h"

#include <cstring>

using namespace shoal::emu;

namespace {
struct Form {
  bool store, ordered;
  unsigned bytes, count;
};
} // namespace

static void move(Thread &thread, Site &site, const uint64_t *in,
                 uint64_t *out) {
  const Form &form = *static_cast<const Form *>(site.data);
  auto *address = reinterpret_cast<uint8_t *>(in[0]);
  unsigned bytes = form.bytes * form.count;
  if (in[0] % bytes)
    fail(&site,
         format("address %p is not a multiple of %u", (void *)address, bytes));
  access(thread, address, bytes,
         (form.store ? AccessWrite : 0) | (form.ordered ? AccessAtomic : 0),
         &site);
  // In order always; who polls lets others run.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  for (unsigned i = 0; i < form.count; ++i) {
    uint8_t *cell = address + i * form.bytes;
    if (form.store) {
      if (form.bytes == 4)
        __atomic_store_n(reinterpret_cast<uint32_t *>(cell),
                         uint32_t(in[1 + i]), __ATOMIC_SEQ_CST);
      else
        __atomic_store_n(reinterpret_cast<uint64_t *>(cell), in[1 + i],
                         __ATOMIC_SEQ_CST);
    } else {
      out[i] = form.bytes == 4
                   ? __atomic_load_n(reinterpret_cast<uint32_t *>(cell),
                                     __ATOMIC_SEQ_CST)
                   : __atomic_load_n(reinterpret_cast<uint64_t *>(cell),
                                     __ATOMIC_SEQ_CST);
    }
  }
  if (form.store)
    progress(*thread.block);
  else if (form.ordered)
    spin(thread, site);
}

Handler shoal::emu::findMemory(std::string_view name, Site &site) {
  auto parts = words(name);
  if (parts[0] != "ld" && parts[0] != "st")
    return nullptr;
  Form form{parts[0] == "st", false, 0, 1};
  for (std::string_view part : parts) {
    if (part == "b32" || part == "u32" || part == "f32")
      form.bytes = 4;
    else if (part == "b64" || part == "u64" || part == "f64")
      form.bytes = 8;
    else if (part == "v2" || part == "v4" || part == "v8")
      form.count = part[1] - '0';
    form.ordered |= part == "acquire" || part == "release" || part == "relaxed";
  }
  if (!form.bytes)
    return nullptr;
  site.data = new Form(form);
  return move;
}
