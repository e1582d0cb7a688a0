// Cutting global arrays into the blocks of ranks, and putting them together.
#ifndef SHOAL_RUNTIME_SHARDS_H
#define SHOAL_RUNTIME_SHARDS_H

#include "shoal/runtime/Program.h"

#include <vector>

namespace shoal::rt {

/// Where the block of a rank lies in the global array. All in elements.
struct Block {
  std::vector<int64_t> global; ///< shape of the global array
  std::vector<int64_t> local;  ///< shape of the rank's buffer
  std::vector<int64_t> start;  ///< first global index per dimension
  std::vector<int64_t> extent; ///< how many are inside the global array
  bool held = true;            ///< false: this rank holds nothing of it
  bool whole = true;           ///< extent == local: no padding
  bool first = true;           ///< lowest rank with this block
  bool isEverything() const { return held && whole && local == global; }
};

/// The block of `rank`; `sharding` may be program::kNone (all of it).
Block blockOf(const program::View &program, uint32_t sharding,
              uint32_t globalType, uint32_t localType, int64_t rank);

/// If the block is one run of the global array without padding, the element
/// it begins at; else -1.
int64_t contiguousOffset(const Block &block);

/// global -> local; padding is left as it is.
void cutBlock(const Block &block, const void *global, void *local,
              int64_t elementBytes);
/// local -> global; padding is dropped.
void placeBlock(const Block &block, const void *local, void *global,
                int64_t elementBytes);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_SHARDS_H
