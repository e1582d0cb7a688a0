// A dense, row-major tensor in host memory that owns its bytes.
#ifndef SHOAL_RUNTIME_TENSOR_H
#define SHOAL_RUNTIME_TENSOR_H

#include "shoal/runtime/DType.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace shoal::rt {

/// Bytes aligned to 64, as kernels want them. An allocation that fails leaves
/// an invalid buffer: the caller must ask `isValid`.
class AlignedBuffer {
public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes)
      : bytes(static_cast<std::byte *>(std::aligned_alloc(
            64, (std::max<size_t>(bytes, 1) + 63) & ~size_t{63}))),
        numBytes(bytes) {}
  bool isValid() const { return bytes != nullptr; }
  std::byte *data() { return bytes.get(); }
  const std::byte *data() const { return bytes.get(); }
  size_t size() const { return numBytes; }

private:
  struct Free {
    void operator()(std::byte *p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> bytes;
  size_t numBytes = 0;
};

/// Product of the dimensions; -1 on overflow or a negative dimension.
int64_t numElements(const std::vector<int64_t> &shape);
/// Bytes of a dense tensor; -1 on overflow.
int64_t numBytes(DType type, const std::vector<int64_t> &shape);
/// "f32[3, 4]".
std::string describe(DType type, const std::vector<int64_t> &shape);

struct HostTensor {
  DType type = DType::Invalid;
  std::vector<int64_t> shape;
  AlignedBuffer buffer;

  int64_t elements() const { return numElements(shape); }
  std::byte *data() { return buffer.data(); }
  const std::byte *data() const { return buffer.data(); }
};

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_TENSOR_H
