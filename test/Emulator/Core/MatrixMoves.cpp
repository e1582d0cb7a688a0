// ldmatrix and stmatrix: 8x8 matrices of 16-bit elements (or 16x8 of bytes)
// whose rows lie anywhere in shared memory; lane i gives the address of row i.
#include "Registry.h"

#include <cstring>

using namespace shoal::emu;

namespace {
struct Form {
  unsigned matrices;
  bool transpose, store;
};
} // namespace

static uint8_t *rowOf(Thread *const *lanes, Site &site, unsigned row,
                      bool store) {
  Thread &thread = *lanes[row];
  auto *address = reinterpret_cast<uint8_t *>(thread.in[0]);
  if (reinterpret_cast<uintptr_t>(address) % 16)
    fail(&site, format("lane %u's row at %p is not a multiple of 16 bytes", row,
                       (void *)address));
  if (!isShared(*thread.block, address))
    fail(&site, format("lane %u's row at %p is not in shared memory", row,
                       (void *)address));
  accessShared(thread, address, 16, store ? AccessWrite : 0, &site);
  return address;
}

/// Lane l holds elements (l / 4, 2 * (l % 4)) and the next, or transposed.
static void act(Site &site, Thread *const *lanes, uint32_t mask) {
  const Form &form = *static_cast<const Form *>(site.data);
  if (mask != ~0u)
    fail(&site, format("takes the whole warp, not lanes 0x%08x", mask));
  for (unsigned matrix = 0; matrix < form.matrices; ++matrix) {
    uint16_t elements[8][8];
    uint8_t *rows[8];
    for (unsigned r = 0; r < 8; ++r) {
      rows[r] = rowOf(lanes, site, matrix * 8 + r, form.store);
      if (!form.store)
        std::memcpy(elements[r], rows[r], 16);
    }
    for (unsigned lane = 0; lane < warpSize; ++lane)
      for (unsigned half = 0; half < 2; ++half) {
        unsigned r = lane / 4, c = 2 * (lane % 4) + half;
        uint16_t &element = form.transpose ? elements[c][r] : elements[r][c];
        if (form.store) {
          element = lanes[lane]->in[1 + matrix] >> (16 * half);
        } else {
          uint64_t &result = lanes[lane]->out[matrix];
          result = half ? result | uint64_t(element) << 16 : element;
        }
      }
    if (form.store)
      for (unsigned r = 0; r < 8; ++r)
        std::memcpy(rows[r], elements[r], 16);
  }
}

static void move(Thread &thread, Site &site, const uint64_t *in,
                 uint64_t *out) {
  meetWarp(thread, site, ~0u, in, out, act);
}

Handler shoal::emu::findMatrixMove(std::string_view name, Site &site) {
  auto parts = words(name);
  if (parts[0] != "ldmatrix" && parts[0] != "stmatrix")
    return nullptr;
  if (has(parts, "m16n16") || has(parts, "m8n16") || has(parts, "m16n8"))
    return nullptr;
  unsigned matrices = has(parts, "x4")   ? 4
                      : has(parts, "x2") ? 2
                      : has(parts, "x1") ? 1
                                         : 0;
  if (!matrices)
    return nullptr;
  site.data = new Form{matrices, has(parts, "trans"), parts[0] == "stmatrix"};
  return move;
}
