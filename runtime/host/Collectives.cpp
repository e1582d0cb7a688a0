#include "host/Collectives.h"

#include "host/Reduce.h"
#include "shoal/runtime/DType.h"
#include "shoal/runtime/Pool.h"

#include <algorithm>
#include <cstring>

namespace shoal::rt {

using Kind = program::CollectiveKind;

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
    if ((call.kind == Kind::AllReduce || call.kind == Kind::ReduceScatter) &&
        !canReduce(b.type, call.reduction))
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

namespace {

/// Work for less than this is not worth a second thread.
constexpr int64_t grainBytes = 1 << 16;

void copyRows(std::byte *to, int64_t toPitch, const std::byte *from,
              int64_t fromPitch, int64_t bytes, int64_t rows) {
  if (toPitch == bytes && fromPitch == bytes) {
    std::memcpy(to, from, static_cast<size_t>(bytes * rows));
    return;
  }
  for (int64_t r = 0; r < rows; ++r)
    std::memcpy(to + r * toPitch, from + r * fromPitch,
                static_cast<size_t>(bytes));
}

/// Runs body(i) for i in [0, count), together worth `bytes` of copying.
template <typename Body>
void forEach(int64_t count, int64_t bytes, const Body &body) {
  int64_t grain =
      bytes < 2 * grainBytes ? count : std::max<int64_t>(1, count / 16);
  Pool::get().parallelFor(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      body(i);
  });
}

void allReduce(const CollectiveCall &call,
               std::span<const MemberBuffers> members, size_t b) {
  const auto &buffer = call.buffers[b];
  int64_t width = byteSize(buffer.type);
  if (width == 0)
    return;
  int64_t count = buffer.inBytes / width;
  // Tiles are read from all members before any is written, so out may be in.
  constexpr int64_t tile = 2048;
  int64_t tiles = (count + tile - 1) / tile;
  auto body = [&](int64_t first, int64_t last) {
    std::vector<const std::byte *> in(members.size());
    alignas(64) std::byte result[tile * 16];
    for (int64_t t = first; t < last; ++t) {
      int64_t begin = t * tile, n = std::min(tile, count - begin);
      for (size_t m = 0; m < members.size(); ++m)
        in[m] = members[m].in[b] + begin * width;
      reduceElements(buffer.type, call.reduction, in, result, n);
      for (const MemberBuffers &m : members)
        std::memcpy(m.out[b] + begin * width, result,
                    static_cast<size_t>(n * width));
    }
  };
  int64_t grain = std::max<int64_t>(
      1, grainBytes / (tile * width * static_cast<int64_t>(members.size())));
  Pool::get().parallelFor(tiles, grain, body);
}

void reduceScatter(const CollectiveCall &call,
                   std::span<const MemberBuffers> members, size_t b) {
  const auto &buffer = call.buffers[b];
  int64_t width = byteSize(buffer.type);
  int64_t outer = call.params[0], inRow = call.params[1],
          outRow = call.params[2];
  int64_t p = static_cast<int64_t>(members.size());
  if (width == 0)
    return;
  forEach(p * outer, p * p * outer * outRow, [&](int64_t i) {
    int64_t member = i / outer, row = i % outer;
    if (!members[member].out[b])
      return;
    int64_t bytes = std::min(outRow, inRow - member * outRow);
    if (bytes <= 0)
      return; // only padding
    std::vector<const std::byte *> in(members.size());
    for (int64_t m = 0; m < p; ++m)
      in[m] = members[m].in[b] + row * inRow + member * outRow;
    reduceElements(buffer.type, call.reduction, in,
                   members[member].out[b] + row * outRow, bytes / width);
  });
}

void allToAll(const CollectiveCall &call,
              std::span<const MemberBuffers> members, size_t b) {
  const auto &v = call.params;
  int64_t splitRow = v[1], splitBytes = v[2], concatRow = v[4],
          concatBytes = v[5];
  int64_t p = static_cast<int64_t>(members.size());
  int64_t piece = v[0] * splitBytes;
  forEach(p * p, p * p * piece, [&](int64_t i) {
    int64_t from = i / p, to = i % p;
    const std::byte *source = members[from].in[b];
    std::byte *target = members[to].out[b];
    if (!target)
      return;
    for (int64_t at = 0; at < piece;) {
      int64_t s = to * splitBytes + at % splitBytes,
              t = from * concatBytes + at % concatBytes;
      int64_t n = std::min(splitBytes - at % splitBytes,
                           concatBytes - at % concatBytes);
      // What lies past the end of a row on either side is padding.
      int64_t real = std::min({n, splitRow - s, concatRow - t});
      if (real > 0)
        std::memcpy(target + at / concatBytes * concatRow + t,
                    source + at / splitBytes * splitRow + s,
                    static_cast<size_t>(real));
      at += n;
    }
  });
}

/// A run of rows that one member gets from another (or from a fill).
struct RowRun {
  int64_t from;   // member, or -1: fill
  int64_t source; // first row in its block
  int64_t target, count;
};

/// Where the rows of member `to` come from in a reblock.
template <typename Visit>
void forEachRun(const std::vector<int64_t> &v, int64_t p, int64_t to,
                const Visit &visit) {
  int64_t inRows = v[2], outRows = v[3], size = v[4];
  bool wrap = v[7] != 0;
  int64_t first = v[5] + to * v[6];
  for (int64_t r = 0; r < outRows;) {
    int64_t global = first + r;
    if (wrap && size > 0)
      global = (global % size + size) % size;
    RowRun run{-1, 0, r, 0};
    if (global < 0) {
      run.count = std::min(outRows - r, -global);
    } else if (global >= size || inRows == 0 || global / inRows >= p) {
      run.count = outRows - r;
    } else {
      run.from = global / inRows;
      run.source = global % inRows;
      run.count = std::min({outRows - r, inRows - run.source, size - global});
    }
    visit(run);
    r += run.count;
  }
}

void reblock(const CollectiveCall &call, std::span<const MemberBuffers> members,
             size_t b) {
  const auto &v = call.params;
  int64_t outer = v[0], rowBytes = v[1], inRows = v[2], outRows = v[3];
  int64_t p = static_cast<int64_t>(members.size());
  forEach(p, p * outer * outRows * rowBytes, [&](int64_t to) {
    if (!members[to].out[b])
      return;
    forEachRun(v, p, to, [&](const RowRun &run) {
      size_t bytes = static_cast<size_t>(run.count * rowBytes);
      for (int64_t o = 0; o < outer; ++o) {
        std::byte *target =
            members[to].out[b] + (o * outRows + run.target) * rowBytes;
        if (run.from >= 0) {
          std::memcpy(target,
                      members[run.from].in[b] +
                          (o * inRows + run.source) * rowBytes,
                      bytes);
          continue;
        }
        size_t width = static_cast<size_t>(v[8]);
        for (size_t at = 0; width && at + width <= bytes; at += width)
          std::memcpy(target + at, &v[9], width); // two words, neighbours
      }
    });
  });
}

int64_t integerAt(const CollectiveCall &call, const MemberBuffers &member,
                  size_t b, int64_t index) {
  int64_t width = byteSize(call.buffers[b].type);
  if (width == 0 || (index + 1) * width > call.buffers[b].inBytes)
    return 0;
  return toInt64(static_cast<DType>(call.buffers[b].type),
                 member.in[b] + index * width);
}

/// Rows [offset, offset + count) of `from` that go to rows [target, …) of
/// `to`, clamped to both buffers: the offsets are data.
struct RaggedPiece {
  int64_t source, target, count;
};
RaggedPiece raggedPiece(const CollectiveCall &call, const MemberBuffers &from,
                        int64_t to) {
  int64_t rows = call.params[1], outRows = call.params[2];
  RaggedPiece piece{integerAt(call, from, 2, to), integerAt(call, from, 4, to),
                    integerAt(call, from, 3, to)};
  if (piece.source < 0 || piece.target < 0 || piece.source > rows ||
      piece.target > outRows)
    return {0, 0, 0};
  piece.count = std::max<int64_t>(
      0, std::min({piece.count, rows - piece.source, outRows - piece.target}));
  return piece;
}

void raggedAllToAll(const CollectiveCall &call,
                    std::span<const MemberBuffers> members) {
  int64_t p = static_cast<int64_t>(members.size()), rowBytes = call.params[0];
  for (const MemberBuffers &m : members)
    if (m.out[0] && m.out[0] != m.in[1])
      std::memcpy(m.out[0], m.in[1],
                  static_cast<size_t>(call.buffers[1].inBytes));
  for (int64_t from = 0; from < p; ++from)
    for (int64_t to = 0; to < p; ++to) {
      RaggedPiece piece = raggedPiece(call, members[from], to);
      if (members[to].out[0])
        std::memcpy(members[to].out[0] + piece.target * rowBytes,
                    members[from].in[0] + piece.source * rowBytes,
                    static_cast<size_t>(piece.count * rowBytes));
    }
}

} // namespace

void executeCollective(const CollectiveCall &call,
                       std::span<const MemberBuffers> members) {
  int64_t p = static_cast<int64_t>(members.size());
  for (size_t b = 0; b < call.buffers.size(); ++b) {
    const auto &buffer = call.buffers[b];
    switch (call.kind) {
    case Kind::AllGather: {
      int64_t outer = call.params[0], row = call.params[1],
              outRow = call.params[2];
      forEach(p * p, p * buffer.outBytes, [&](int64_t i) {
        int64_t to = i / p, from = i % p;
        int64_t bytes = std::min(row, outRow - from * row);
        if (bytes > 0 && members[to].out[b])
          copyRows(members[to].out[b] + from * row, outRow, members[from].in[b],
                   row, bytes, outer);
      });
      break;
    }
    case Kind::ReduceScatter:
      reduceScatter(call, members, b);
      break;
    case Kind::AllReduce:
      allReduce(call, members, b);
      break;
    case Kind::AllToAll:
      allToAll(call, members, b);
      break;
    case Kind::Permute: {
      std::vector<int64_t> source(members.size(), -1);
      std::span<const int64_t> pairs = pairsOf(call);
      for (size_t i = 0; i < pairs.size(); i += 2)
        source[pairs[i + 1]] = pairs[i];
      forEach(p, p * buffer.inBytes, [&](int64_t to) {
        size_t bytes = static_cast<size_t>(buffer.outBytes);
        if (!members[to].out[b])
          return;
        if (source[to] < 0)
          std::memset(members[to].out[b], 0, bytes);
        else
          std::memcpy(members[to].out[b], members[source[to]].in[b], bytes);
      });
      break;
    }
    case Kind::Broadcast: {
      const std::byte *from = members[call.params[0]].in[b];
      forEach(p, p * buffer.inBytes, [&](int64_t to) {
        if (members[to].out[b] && members[to].out[b] != from)
          std::memcpy(members[to].out[b], from,
                      static_cast<size_t>(buffer.outBytes));
      });
      break;
    }
    case Kind::Reblock:
      reblock(call, members, b);
      break;
    case Kind::RaggedAllToAll:
      if (b == 0)
        raggedAllToAll(call, members);
      break;
    case Kind::Barrier:
    case Kind::Send:
    case Kind::Recv:
      break;
    }
  }
}

void forEachNeeded(const CollectiveCall &call, int64_t p,
                   const MemberBuffers &fromBuffers, int64_t from, int64_t to,
                   size_t b,
                   const std::function<void(int64_t, int64_t)> &visit) {
  const auto &buffer = call.buffers[b];
  const auto &v = call.params;
  switch (call.kind) {
  case Kind::AllGather:
  case Kind::AllReduce:
    visit(0, buffer.inBytes);
    break;
  case Kind::ReduceScatter:
  case Kind::AllToAll: // both split rows of v[1] bytes into parts of v[2]
    for (int64_t row = 0; row < v[0]; ++row) {
      int64_t bytes = std::min(v[2], v[1] - to * v[2]);
      if (bytes > 0)
        visit(row * v[1] + to * v[2], bytes);
    }
    break;
  case Kind::Permute: {
    std::span<const int64_t> pairs = pairsOf(call);
    for (size_t i = 0; i < pairs.size(); i += 2)
      if (pairs[i] == from && pairs[i + 1] == to)
        visit(0, buffer.inBytes);
    break;
  }
  case Kind::Broadcast:
    if (from == v[0])
      visit(0, buffer.inBytes);
    break;
  case Kind::Reblock:
    forEachRun(v, p, to, [&](const RowRun &run) {
      if (run.from == from)
        for (int64_t o = 0; o < v[0]; ++o)
          visit((o * v[2] + run.source) * v[1], run.count * v[1]);
    });
    break;
  case Kind::RaggedAllToAll:
    if (b == 0) {
      RaggedPiece piece = raggedPiece(call, fromBuffers, to);
      visit(piece.source * v[0], piece.count * v[0]);
    }
    break;
  case Kind::Barrier:
  case Kind::Send:
  case Kind::Recv:
    break;
  }
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
