#include "core/Judge.h"

#include "shoal/runtime/Compare.h"
#include "shoal/runtime/Npz.h"
#include "shoal/runtime/Shards.h"

#include <cstring>

namespace shoal::rt {

/// The global value of a tensor of which each rank has a block. The first
/// holder of each block gives it.
static Result<HostTensor> assemble(const program::View &p, uint32_t sharding,
                                   uint32_t globalType, uint32_t localType,
                                   const std::vector<const std::byte *> &data) {
  if (globalType == program::kNone)
    globalType = localType;
  auto shape = p.shape(globalType);
  HostTensor t;
  t.type = static_cast<DType>(p.type(globalType).dtype);
  t.shape.assign(shape.begin(), shape.end());
  int64_t bytes = numBytes(t.type, t.shape);
  t.buffer = AlignedBuffer(static_cast<size_t>(std::max<int64_t>(bytes, 0)));
  if (bytes < 0 || !t.buffer.isValid())
    return Status::fault("not enough memory to put a checked value together");
  for (size_t rank = 0; rank < data.size(); ++rank) {
    Block b =
        blockOf(p, sharding, globalType, localType, static_cast<int64_t>(rank));
    if (b.first && data[rank])
      placeBlock(b, data[rank], t.data(), byteSize(t.type));
  }
  return t;
}

bool judgeCheck(const program::View &program, uint32_t index,
                const CheckedValues &values, std::string &why) {
  const program::Check &check =
      program.section<program::Check>(program::Section::Checks)[index];
  auto failed = [&](const std::string &text) {
    why = text;
    return false;
  };
  Result<HostTensor> actual =
      assemble(program, check.actualSharding, check.actualGlobalType,
               values.actualType, values.actual);
  if (!actual)
    return failed(actual.status().message());

  HostTensor expected;
  switch (check.kind) {
  case program::CheckKind::True: {
    expected.type = actual->type;
    expected.shape = actual->shape;
    expected.buffer = AlignedBuffer(actual->buffer.size());
    int64_t size = byteSize(actual->type), n = actual->elements();
    for (int64_t i = 0; i < n; ++i)
      fromDouble(expected.type, 1, expected.data() + i * size);
    // Any value but zero is true.
    for (int64_t i = 0; i < n; ++i)
      if (toInt64(actual->type, actual->data() + i * size) != 0)
        std::memcpy(actual->data() + i * size, expected.data() + i * size,
                    static_cast<size_t>(size));
    break;
  }
  case program::CheckKind::SerializedEq: {
    std::string path(program.str(check.expectedFile));
    Result<HostTensor> read = readNpy(path, actual->type, actual->shape);
    if (!read)
      return failed(read.status().message());
    expected = std::move(*read);
    break;
  }
  default: {
    Result<HostTensor> other =
        assemble(program, check.expectedSharding, check.expectedGlobalType,
                 values.expectedType, values.expected);
    if (!other)
      return failed(other.status().message());
    expected = std::move(*other);
  }
  }
  if (expected.type != actual->type || expected.shape != actual->shape)
    return failed("its operands differ in type: " +
                  describe(actual->type, actual->shape) + " and " +
                  describe(expected.type, expected.shape));
  Tolerance tolerance;
  tolerance.nanEqual = check.nanEqual != 0;
  if (check.kind == program::CheckKind::Close) {
    tolerance.kind = Tolerance::Kind::Ulp;
    tolerance.minUlp = check.minUlp;
    tolerance.maxUlp = check.maxUlp;
  } else {
    tolerance.absolute = check.tolerance;
  }
  Comparison c = compare(actual->type, actual->data(), expected.data(),
                         actual->elements(), tolerance);
  if (c.mismatches == 0)
    return true;
  return failed(describe(c, actual->type, actual->data(), expected.data(),
                         actual->shape));
}

} // namespace shoal::rt
