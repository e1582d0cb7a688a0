#include "core/Instructions.h"

#include "core/CollectiveCall.h"

#include <algorithm>
#include <cstring>

namespace shoal::rt {

using program::Instruction;
using program::Opcode;

static int64_t wrap(int64_t value, int64_t bits, bool isSigned) {
  if (bits >= 64)
    return value;
  uint64_t low = static_cast<uint64_t>(value) << (64 - bits);
  return isSigned ? static_cast<int64_t>(low) >> (64 - bits)
                  : static_cast<int64_t>(low >> (64 - bits));
}

size_t storeInteger(program::DType type, int64_t value, std::byte *to) {
  switch (type) {
  case program::DType::I1:
    value &= 1;
    break;
  case program::DType::I2:
    value = wrap(value, 2, true);
    break;
  case program::DType::I4:
    value = wrap(value, 4, true);
    break;
  case program::DType::UI2:
    value = wrap(value, 2, false);
    break;
  case program::DType::UI4:
    value = wrap(value, 4, false);
    break;
  default:
    break;
  }
  size_t bytes = std::min<size_t>(8, byteSize(type));
  std::memcpy(to, &value, bytes);
  return bytes;
}

/// An offset in bytes, then how many registers are added to it, each times a
/// stride.
static int64_t placeIn(const Cursor &cursor, std::span<const int64_t> ops) {
  uint64_t offset = static_cast<uint64_t>(ops[0]);
  for (int64_t j = 0; j < ops[1]; ++j)
    offset += static_cast<uint64_t>(cursor.reg(ops[2 + 2 * j])) *
              static_cast<uint64_t>(ops[3 + 2 * j]);
  return static_cast<int64_t>(offset);
}

bool setSlots(const program::View &program, const Instruction &i,
              const Cursor &cursor, std::vector<std::byte *> &slots,
              std::string &why) {
  std::span<const int64_t> ops = program.operands(i);
  switch (i.opcode) {
  case Opcode::View: {
    const program::Slot &to = program.slots()[ops[0]],
                        &base = program.slots()[ops[1]];
    int64_t offset = placeIn(cursor, ops.subspan(2));
    if (offset < 0 || static_cast<uint64_t>(offset) > base.bytes ||
        to.bytes > base.bytes - static_cast<uint64_t>(offset)) {
      why = "a view reaches outside its buffer";
      return false;
    }
    slots[ops[0]] = slots[ops[1]] + offset;
    return true;
  }
  case Opcode::Handles: {
    size_t n = static_cast<size_t>(ops[0]);
    std::vector<std::byte *> values(n);
    for (size_t j = 0; j < n; ++j)
      values[j] = slots[ops[2 + 2 * j]];
    for (size_t j = 0; j < n; ++j)
      slots[ops[1 + 2 * j]] = values[j];
    return true;
  }
  default:
    return true;
  }
}

/// Of Matmul's operands: dimensions have four numbers each, the size first.
static ProductShape shapeOfProduct(std::span<const int64_t> ops) {
  ProductShape shape = {1, 1, 1, 1};
  size_t next = 9;
  for (size_t group = 0; group < shape.size(); ++group)
    for (int64_t d = 0; d < ops[5 + group]; ++d, next += 4)
      shape[group] *= ops[next];
  return shape;
}

std::optional<CopyParts> partsOfCopy(const program::View &program,
                                     const Instruction &i, const Cursor &cursor,
                                     const std::vector<std::byte *> &slots,
                                     std::string &why) {
  std::span<const int64_t> ops = program.operands(i);
  const program::Slot &to = program.slots()[ops[0]],
                      &from = program.slots()[ops[1]];
  CopyParts parts{slots[ops[0]], slots[ops[1]], static_cast<size_t>(to.bytes),
                  to.kind == program::SlotKind::Host,
                  from.kind == program::SlotKind::Host};
  if (ops.size() == 2)
    return parts;
  const program::Slot &host = parts.toHost ? to : from;
  parts.bytes = static_cast<size_t>(parts.toHost ? from.bytes : to.bytes);
  int64_t offset = placeIn(cursor, ops.subspan(2));
  if (offset < 0 || static_cast<uint64_t>(offset) > host.bytes ||
      parts.bytes > host.bytes - static_cast<uint64_t>(offset)) {
    why = "a copy reaches outside its buffer";
    return std::nullopt;
  }
  (parts.toHost ? parts.to : parts.from) += offset;
  return parts;
}

Work workOf(const program::View &program, const program::Instruction &i) {
  std::span<const int64_t> ops = program.operands(i);
  auto bytesOf = [&](int64_t slot) {
    return static_cast<double>(program.slots()[slot].bytes);
  };
  auto typeOf = [&](int64_t slot) -> const program::Type & {
    return program.section<program::Type>(
        program::Section::Types)[program.slots()[slot].type];
  };
  Work work;
  switch (i.opcode) {
  case Opcode::Exec: {
    const program::Kernel &k =
        program.section<program::Kernel>(program::Section::Kernels)[ops[0]];
    work.bytes = static_cast<double>(k.bytes);
    return work;
  }
  case Opcode::Matmul: {
    work.product = shapeOfProduct(ops);
    work.flops = 2;
    for (int64_t size : work.product)
      work.flops *= static_cast<double>(size);
    break;
  }
  case Opcode::Convolution: {
    work.flops = 2;
    for (int64_t size : program.ints(typeOf(ops[2]).shape))
      work.flops *= static_cast<double>(size);
    // rhs: input feature dim, output feature dim, spatial dims.
    std::span<const int64_t> rhs = program.ints(typeOf(ops[1]).shape);
    int64_t feature = ops[5 + 2 + ops[4] + 1];
    for (size_t d = 0; d < rhs.size(); ++d)
      if (static_cast<int64_t>(d) != feature)
        work.flops *= static_cast<double>(rhs[d]);
    break;
  }
  case Opcode::Collective:
  case Opcode::CollectiveStart:
    work.reduces = isReducing(static_cast<program::CollectiveKind>(
        ops[i.opcode == Opcode::CollectiveStart]));
    return work;
  default:
    return work;
  }
  for (int j = 0; j < 3; ++j)
    work.bytes += bytesOf(ops[j]);
  work.type = name(typeOf(ops[0]).dtype);
  return work;
}

std::string nameOf(const program::View &program, const program::Instruction &i,
                   std::span<const uint32_t> eventGroups) {
  std::span<const int64_t> ops = program.operands(i);
  std::string what;
  switch (i.opcode) {
  case Opcode::Exec: {
    const program::Kernel &k =
        program.section<program::Kernel>(program::Section::Kernels)[ops[0]];
    std::string_view name = program.str(k.name);
    what = "kernel '" +
           std::string(name.empty() ? program.str(k.symbol) : name) + "'";
    break;
  }
  case Opcode::Collective:
  case Opcode::CollectiveStart:
    if (i.opcode == Opcode::CollectiveStart)
      ops = ops.subspan(1);
    what = std::string(toString(static_cast<program::CollectiveKind>(ops[0]))) +
           " over " + groupName(program, static_cast<uint32_t>(ops[1]));
    break;
  case Opcode::CollectiveDone:
    what = "the end of a collective over " +
           groupName(program, eventGroups[ops[0]]);
    break;
  case Opcode::Matmul: {
    auto [batch, m, n, k] = shapeOfProduct(ops);
    auto matrix = [](int64_t rows, int64_t columns) {
      return std::to_string(rows) + "x" + std::to_string(columns);
    };
    what = "a matrix product of " +
           (batch == 1 ? "" : std::to_string(batch) + " times ") +
           matrix(m, k) + " by " + matrix(k, n);
    break;
  }
  case Opcode::Convolution:
    what = "a convolution";
    break;
  case Opcode::CustomCall:
    what =
        "custom call '" +
        std::string(program.str(program
                                    .section<program::CustomCall>(
                                        program::Section::CustomCalls)[ops[0]]
                                    .target)) +
        "'";
    break;
  case Opcode::Check:
    what = "a check";
    break;
  default:
    what = "instruction " + std::to_string(static_cast<int>(i.opcode));
  }
  return what;
}

std::string groupName(const program::View &program, uint32_t group) {
  const auto &g =
      program.section<program::Group>(program::Section::Groups)[group];
  return "\"" + std::string(program.str(g.name)) + "\"";
}

std::string locationOf(const program::View &program, const Instruction &i) {
  std::string_view loc = program.str(i.loc);
  return loc.empty() ? "" : " (" + std::string(loc) + ")";
}

} // namespace shoal::rt
