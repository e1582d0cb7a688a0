#include "host/Collectives.h"

#include "host/Reduce.h"
#include "shoal/runtime/DType.h"
#include "shoal/runtime/Pool.h"

#include <algorithm>
#include <cstring>

namespace shoal::rt {

using Kind = program::CollectiveKind;

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

void raggedAllToAll(const CollectiveCall &call,
                    std::span<const MemberBuffers> members) {
  int64_t p = static_cast<int64_t>(members.size()), rowBytes = call.params[0];
  for (const MemberBuffers &m : members)
    if (m.out[0] && m.out[0] != m.in[1])
      std::memcpy(m.out[0], m.in[1],
                  static_cast<size_t>(call.buffers[1].inBytes));
  for (int64_t from = 0; from < p; ++from)
    for (int64_t to = 0; to < p; ++to) {
      RaggedPiece piece = raggedPiece(call, members[from].in, to);
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
      RaggedPiece piece = raggedPiece(call, fromBuffers.in, to);
      visit(piece.source * v[0], piece.count * v[0]);
    }
    break;
  case Kind::Barrier:
  case Kind::Send:
  case Kind::Recv:
    break;
  }
}

} // namespace shoal::rt
