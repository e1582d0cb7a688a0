#include "core/CollectiveCall.h"

#include "shoal/runtime/DType.h"

namespace shoal::rt {

using Kind = program::CollectiveKind;

CollectiveOperands readCollective(const program::View &program,
                                  const Cursor &cursor,
                                  std::span<const int64_t> ops) {
  CollectiveOperands result;
  CollectiveCall &call = result.call;
  call.kind = static_cast<Kind>(ops[0]);
  result.group = static_cast<uint32_t>(ops[1]);
  call.reduction = static_cast<program::Reduction>(ops[2]);
  size_t n = static_cast<size_t>(ops[3]);
  call.params.assign(ops.begin() + 4 + 2 * static_cast<int64_t>(n), ops.end());
  if (call.kind == Kind::Broadcast)
    call.params[0] = cursor.reg(call.params[0]);
  // A send's outputs and a recv's inputs are kNone.
  if (call.kind != Kind::Recv)
    result.in = ops.subspan(4, n);
  if (call.kind != Kind::Send)
    result.out = ops.subspan(4 + n, n);
  auto bytes = [&](std::span<const int64_t> slots, size_t b) -> int64_t {
    if (slots.empty() || static_cast<uint32_t>(slots[b]) == program::kNone)
      return 0;
    return static_cast<int64_t>(program.slots()[slots[b]].bytes);
  };
  for (size_t b = 0; b < n; ++b) {
    const program::Slot &slot =
        program.slots()[result.in.empty() ? result.out[b] : result.in[b]];
    call.buffers.push_back({program.type(slot.type).dtype, bytes(result.in, b),
                            bytes(result.out, b)});
  }
  return result;
}

const char *toString(Kind kind) {
  switch (kind) {
  case Kind::AllGather:
    return "all_gather";
  case Kind::ReduceScatter:
    return "reduce_scatter";
  case Kind::AllReduce:
    return "all_reduce";
  case Kind::AllToAll:
    return "all_to_all";
  case Kind::Permute:
    return "permute";
  case Kind::Broadcast:
    return "broadcast";
  case Kind::Barrier:
    return "barrier";
  case Kind::Send:
    return "send";
  case Kind::Recv:
    return "recv";
  case Kind::Reblock:
    return "reblock";
  case Kind::RaggedAllToAll:
    return "ragged_all_to_all";
  }
  return "collective";
}

static const char *toString(program::Reduction reduction) {
  static const char *const names[] = {"none", "add", "mul", "min",
                                      "max",  "and", "or",  "xor"};
  return names[static_cast<int>(reduction)];
}

std::string describe(const CollectiveCall &call) {
  std::string text = std::string(toString(call.kind)) + "(";
  if (call.reduction != program::Reduction::None)
    text += std::string(toString(call.reduction)) + ", ";
  int64_t bytes = 0;
  for (const auto &b : call.buffers)
    bytes += call.kind == Kind::Recv ? b.outBytes : b.inBytes;
  if (call.buffers.size() > 1)
    text += std::to_string(call.buffers.size()) + " buffers, ";
  return text + std::to_string(bytes) + " bytes)";
}

std::string checkCall(const CollectiveCall &call, int64_t p) {
  const auto &v = call.params;
  auto product = [](std::initializer_list<int64_t> factors) -> int64_t {
    int64_t result = 1;
    for (int64_t f : factors)
      if (f < 0 || __builtin_mul_overflow(result, f, &result))
        return -1;
    return result;
  };
  static const size_t wanted[] = {3, 3, 0, 6, 1, 1, 0, 2, 2, 11, 3};
  if (v.size() < wanted[static_cast<size_t>(call.kind)])
    return "params are missing";
  for (const auto &b : call.buffers) {
    bool ok = true;
    switch (call.kind) {
    case Kind::AllGather:
      ok = b.inBytes == product({v[0], v[1]}) &&
           b.outBytes == product({v[0], v[2]}) && v[2] <= product({p, v[1]});
      break;
    case Kind::ReduceScatter:
      ok = b.inBytes == product({v[0], v[1]}) &&
           b.outBytes == product({v[0], v[2]}) && v[1] <= product({p, v[2]});
      break;
    case Kind::AllReduce:
    case Kind::Permute:
    case Kind::Broadcast:
      ok = b.inBytes == b.outBytes;
      break;
    case Kind::AllToAll:
      ok = b.inBytes == product({v[0], v[1]}) && v[1] <= product({p, v[2]}) &&
           b.outBytes == product({v[3], v[4]}) && v[4] <= product({p, v[5]}) &&
           product({v[0], v[2]}) == product({v[3], v[5]}) &&
           product({v[0], v[2]}) >= 0;
      break;
    case Kind::Reblock:
      ok = b.inBytes == product({v[0], v[1], v[2]}) &&
           b.outBytes == product({v[0], v[1], v[3]}) && v[4] >= 0 &&
           v[8] >= 0 && v[8] <= 16;
      break;
    default:
      break;
    }
    if (!ok)
      return "the sizes of its buffers do not fit";
    if (isReducing(call.kind) && !canReduce(b.type, call.reduction))
      return std::string("there is no reduction '") + toString(call.reduction) +
             "' for its element type";
  }
  if (call.kind == Kind::Broadcast && (v[0] < 0 || v[0] >= p))
    return "its root " + std::to_string(v[0]) +
           " is not a member of the group of " + std::to_string(p);
  if (call.kind == Kind::RaggedAllToAll && call.buffers.size() != 6)
    return "it must have six inputs";
  bool halves = call.kind == Kind::Send || call.kind == Kind::Recv;
  if (call.kind == Kind::Permute || halves) {
    std::span<const int64_t> pairs = pairsOf(call);
    if (pairs.empty() && v[halves] != 0)
      return "params are missing";
    std::vector<bool> taken(static_cast<size_t>(p), false);
    for (size_t i = 0; i < pairs.size(); i += 2) {
      int64_t from = pairs[i], to = pairs[i + 1];
      if (from < 0 || from >= p || to < 0 || to >= p || taken[to])
        return "a pair of it is not a pair of members, or a target occurs "
               "twice";
      taken[to] = true;
    }
  }
  return "";
}

std::span<const int64_t> pairsOf(const CollectiveCall &call) {
  size_t at = call.kind == Kind::Permute ? 0 : 1;
  std::span<const int64_t> v(call.params);
  if (at >= v.size() || v[at] < 0 ||
      static_cast<size_t>(v[at]) > (v.size() - at - 1) / 2)
    return {};
  return v.subspan(at + 1, 2 * static_cast<size_t>(v[at]));
}

bool canReduce(program::DType type, program::Reduction r) {
  if (r == program::Reduction::None || type == program::DType::Invalid)
    return false;
  bool bitwise = r == program::Reduction::And || r == program::Reduction::Or ||
                 r == program::Reduction::Xor;
  return !bitwise || !(isFloat(type) || isComplex(type));
}

static int64_t integerAt(const CollectiveCall &call, const std::byte *data,
                         size_t b, int64_t index) {
  int64_t width = byteSize(call.buffers[b].type);
  if (width == 0 || (index + 1) * width > call.buffers[b].inBytes)
    return 0;
  return toInt64(static_cast<DType>(call.buffers[b].type),
                 data + index * width);
}

RaggedPiece raggedPiece(const CollectiveCall &call,
                        std::span<const std::byte *const> headers, int64_t to) {
  int64_t rows = call.params[1], outRows = call.params[2];
  RaggedPiece piece{integerAt(call, headers[2], 2, to),
                    integerAt(call, headers[4], 4, to),
                    integerAt(call, headers[3], 3, to)};
  if (piece.source < 0 || piece.target < 0 || piece.source > rows ||
      piece.target > outRows)
    return {0, 0, 0};
  piece.count = std::max<int64_t>(
      0, std::min({piece.count, rows - piece.source, outRows - piece.target}));
  return piece;
}

double bytesSent(const CollectiveCall &call, int64_t p, int64_t position) {
  double in = 0, out = 0, n = static_cast<double>(p);
  for (const auto &b : call.buffers) {
    in += static_cast<double>(b.inBytes);
    out += static_cast<double>(b.outBytes);
  }
  switch (call.kind) {
  case Kind::AllGather: // blocks, with their padding
    return (n - 1) * in;
  case Kind::ReduceScatter:
    return (n - 1) * out;
  case Kind::AllToAll:
    return (n - 1) * static_cast<double>(call.params[0] * call.params[2]) *
           static_cast<double>(call.buffers.size());
  case Kind::Broadcast:
    return (n - 1) / n * in;
  case Kind::RaggedAllToAll: // the dialect's convention: what is data-dependent
    return (n - 1) / n * static_cast<double>(call.buffers[0].inBytes);
  case Kind::AllReduce:
    return 2 * (n - 1) / n * in;
  case Kind::Permute:
  case Kind::Send: {
    double sent = 0;
    std::span<const int64_t> pairs = pairsOf(call);
    for (size_t i = 0; i < pairs.size(); i += 2)
      if (pairs[i] == position && pairs[i + 1] != position)
        sent += in;
    return sent;
  }
  case Kind::Reblock: {
    int64_t rows = 0;
    for (int64_t to = 0; to < p; ++to)
      forEachRun(call.params, p, to, [&](const RowRun &run) {
        if (run.from == position && to != position)
          rows += run.count;
      });
    return static_cast<double>(rows) *
           static_cast<double>(call.params[0] * call.params[1]) *
           static_cast<double>(call.buffers.size());
  }
  case Kind::Barrier:
  case Kind::Recv:
    return 0;
  }
  return 0;
}

} // namespace shoal::rt
