#include "host/Execution.h"
namespace shoal::rt {
bool Rank::matmul(const program::Instruction &i, std::span<const int64_t> ops) {
  return fail(i, "library matrix products are not supported yet");
}
bool Rank::convolution(const program::Instruction &i,
                       std::span<const int64_t> ops) {
  return fail(i, "library convolutions are not supported yet");
}
} // namespace shoal::rt
