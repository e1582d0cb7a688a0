#include "host/Collectives.h"

#include "host/Reduce.h"
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
  auto params = [&](size_t n) { return call.params.size() >= n; };
  for (const auto &b : call.buffers) {
    bool ok = true;
    switch (call.kind) {
    case Kind::AllGather:
    case Kind::ReduceScatter: {
      if (!params(2))
        return "params are missing";
      int64_t part, full;
      bool gather = call.kind == Kind::AllGather;
      ok = call.params[0] >= 0 && call.params[1] >= 0 &&
           !__builtin_mul_overflow(call.params[0], call.params[1], &part) &&
           !__builtin_mul_overflow(part, p, &full) &&
           (gather ? b.inBytes : b.outBytes) == part &&
           (gather ? b.outBytes : b.inBytes) == full;
      break;
    }
    case Kind::AllReduce:
    case Kind::Permute:
    case Kind::Broadcast:
      ok = b.inBytes == b.outBytes;
      break;
    case Kind::AllToAll: {
      if (!params(5))
        return "params are missing";
      const auto &v = call.params;
      int64_t split, concat, bytes;
      ok = std::all_of(v.begin(), v.begin() + 5,
                       [](int64_t x) { return x >= 0; }) &&
           !__builtin_mul_overflow(v[0], v[1], &split) &&
           !__builtin_mul_overflow(v[2], v[3], &concat) && split == concat &&
           !__builtin_mul_overflow(split, v[4], &bytes) &&
           !__builtin_mul_overflow(bytes, p, &bytes) && b.inBytes == bytes &&
           b.outBytes == bytes;
      break;
    }
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
  if (call.kind == Kind::Broadcast &&
      (!params(1) || call.params[0] < 0 || call.params[0] >= p))
    return "its root " +
           (params(1) ? std::to_string(call.params[0]) : std::string("?")) +
           " is not a member of the group of " + std::to_string(p);
  if (call.kind == Kind::Permute) {
    if (!params(1) || call.params[0] < 0 ||
        call.params.size() < 1 + 2 * static_cast<size_t>(call.params[0]))
      return "params are missing";
    std::vector<bool> taken(static_cast<size_t>(p), false);
    for (int64_t i = 0; i < call.params[0]; ++i) {
      int64_t from = call.params[1 + 2 * i], to = call.params[2 + 2 * i];
      if (from < 0 || from >= p || to < 0 || to >= p || taken[to])
        return "a pair of it is not a pair of members, or a target occurs "
               "twice";
      taken[to] = true;
    }
  }
  return "";
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
  int64_t width = program::byteWidth(buffer.type);
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
  int64_t width = program::byteWidth(buffer.type);
  int64_t outer = call.params[0], bytes = call.params[1];
  int64_t p = static_cast<int64_t>(members.size());
  if (width == 0)
    return;
  forEach(p * outer, p * p * outer * bytes, [&](int64_t i) {
    int64_t member = i / outer, row = i % outer;
    std::vector<const std::byte *> in(members.size());
    for (int64_t m = 0; m < p; ++m)
      in[m] = members[m].in[b] + (row * p + member) * bytes;
    reduceElements(buffer.type, call.reduction, in,
                   members[member].out[b] + row * bytes, bytes / width);
  });
}

void allToAll(const CollectiveCall &call,
              std::span<const MemberBuffers> members, size_t b) {
  int64_t splitOuter = call.params[0], splitInner = call.params[1],
          concatInner = call.params[3], unit = call.params[4];
  int64_t p = static_cast<int64_t>(members.size());
  int64_t units = splitOuter * splitInner;
  forEach(p * p, p * p * units * unit, [&](int64_t i) {
    int64_t from = i / p, to = i % p;
    const std::byte *source = members[from].in[b];
    std::byte *target = members[to].out[b];
    for (int64_t u = 0; u < units;) {
      int64_t n = std::min(splitInner - u % splitInner,
                           concatInner - u % concatInner);
      int64_t s = (u / splitInner * p + to) * splitInner + u % splitInner;
      int64_t t = (u / concatInner * p + from) * concatInner + u % concatInner;
      std::memcpy(target + t * unit, source + s * unit,
                  static_cast<size_t>(n * unit));
      u += n;
    }
  });
}

} // namespace

void executeCollective(const CollectiveCall &call,
                       std::span<const MemberBuffers> members) {
  int64_t p = static_cast<int64_t>(members.size());
  for (size_t b = 0; b < call.buffers.size(); ++b) {
    const auto &buffer = call.buffers[b];
    switch (call.kind) {
    case Kind::AllGather: {
      int64_t outer = call.params[0], bytes = call.params[1];
      forEach(p * p, p * buffer.outBytes, [&](int64_t i) {
        int64_t to = i / p, from = i % p;
        copyRows(members[to].out[b] + from * bytes, p * bytes,
                 members[from].in[b], bytes, bytes, outer);
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
      for (int64_t i = 0; i < call.params[0]; ++i)
        source[call.params[2 + 2 * i]] = call.params[1 + 2 * i];
      forEach(p, p * buffer.inBytes, [&](int64_t to) {
        size_t bytes = static_cast<size_t>(buffer.outBytes);
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
        if (members[to].out[b] != from)
          std::memcpy(members[to].out[b], from,
                      static_cast<size_t>(buffer.outBytes));
      });
      break;
    }
    case Kind::Barrier:
    case Kind::Send:
    case Kind::Recv:
      break;
    }
  }
}

double bytesSent(const CollectiveCall &call, int64_t p, int64_t position) {
  double in = 0, out = 0, n = static_cast<double>(p);
  for (const auto &b : call.buffers) {
    in += static_cast<double>(b.inBytes);
    out += static_cast<double>(b.outBytes);
  }
  switch (call.kind) {
  case Kind::AllGather:
    return (n - 1) / n * out;
  case Kind::ReduceScatter:
  case Kind::AllToAll:
  case Kind::Broadcast:
    return (n - 1) / n * in;
  case Kind::AllReduce:
    return 2 * (n - 1) / n * in;
  case Kind::Permute: {
    double sent = 0;
    for (int64_t i = 0; i < call.params[0]; ++i) {
      int64_t from = call.params[1 + 2 * i], to = call.params[2 + 2 * i];
      if (from == position && to != position)
        sent += in;
    }
    return sent;
  }
  case Kind::Send:
    return in;
  case Kind::Barrier:
  case Kind::Recv:
    return 0;
  }
  return 0;
}

} // namespace shoal::rt
