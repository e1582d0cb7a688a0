#include "core/CollectiveMoves.h"

namespace shoal::rt {

using Kind = program::CollectiveKind;

/// One piece of an all-to-all. Positions in it run over rows of `splitBytes` on
/// the one side and of `concatBytes` on the other; usually one is a multiple of
/// the other. What lies past the end of a row on either side is padding.
static void addPiece(const CollectiveCall &call, int64_t from, int64_t to,
                     std::vector<Move> &moves) {
  const auto &v = call.params;
  int64_t splitRow = v[1], splitBytes = v[2], concatRow = v[4],
          concatBytes = v[5], piece = v[0] * splitBytes;
  if (piece == 0)
    return;
  auto add = [&](int64_t at, int64_t bytes, int64_t rows, int64_t planes,
                 int64_t step, int64_t planeStep) {
    auto source = [&](int64_t x) {
      return x / splitBytes * splitRow + to * splitBytes + x % splitBytes;
    };
    auto target = [&](int64_t x) {
      return x / concatBytes * concatRow + from * concatBytes + x % concatBytes;
    };
    bytes = std::min({bytes, splitRow - to * splitBytes - at % splitBytes,
                      concatRow - from * concatBytes - at % concatBytes});
    if (bytes <= 0 || rows <= 0 || planes <= 0)
      return;
    Move m{from, to, bytes, rows, planes, {source(at)}, {target(at)}};
    m.source.pitch = source(at + step) - source(at);
    m.target.pitch = target(at + step) - target(at);
    m.source.plane = source(at + planeStep) - source(at);
    m.target.plane = target(at + planeStep) - target(at);
    moves.push_back(m);
  };
  // Rows are runs of the finer side, planes rows of the coarser one; the rows
  // of a plane that are cut by the end of the coarser side's row are fewer.
  int64_t fine = std::min(splitBytes, concatBytes),
          coarse = std::max(splitBytes, concatBytes);
  if (coarse % fine == 0) {
    int64_t place = splitBytes > concatBytes ? to : from;
    int64_t row = splitBytes > concatBytes ? splitRow : concatRow;
    int64_t real = std::clamp<int64_t>(row - place * coarse, 0, coarse);
    int64_t whole = real / fine;
    add(0, fine, whole, piece / coarse, fine, coarse);
    if (whole < coarse / fine)
      add(whole * fine, real % fine, 1, piece / coarse, fine, coarse);
    return;
  }
  for (int64_t at = 0; at < piece;) {
    int64_t n =
        std::min(splitBytes - at % splitBytes, concatBytes - at % concatBytes);
    add(at, n, 1, 1, 0, 0);
    at += n;
  }
}

Moves movesTo(const CollectiveCall &call, int64_t p, int64_t to, size_t b) {
  const auto &buffer = call.buffers[b];
  const auto &v = call.params;
  Moves result;
  auto plain = [&](int64_t from, int64_t bytes) {
    if (bytes > 0)
      result.moves.push_back({from, to, bytes, 1, 1, {}, {}});
  };
  switch (call.kind) {
  case Kind::AllGather:
    for (int64_t from = 0; from < p; ++from)
      if (int64_t bytes = std::min(v[1], v[2] - from * v[1]);
          bytes > 0 && v[0] > 0)
        result.moves.push_back(
            {from, to, bytes, v[0], 1, {0, v[1]}, {from * v[1], v[2]}});
    break;
  case Kind::ReduceScatter:
    for (int64_t from = 0; from < p; ++from)
      if (int64_t bytes = std::min(v[2], v[1] - to * v[2]);
          bytes > 0 && v[0] > 0)
        result.moves.push_back(
            {from, to, bytes, v[0], 1, {to * v[2], v[1]}, {0, v[2]}});
    break;
  case Kind::AllToAll:
    for (int64_t from = 0; from < p; ++from)
      addPiece(call, from, to, result.moves);
    break;
  case Kind::Permute:
  case Kind::Send:
  case Kind::Recv: {
    std::span<const int64_t> pairs = pairsOf(call);
    for (size_t i = 0; i < pairs.size(); i += 2)
      if (pairs[i + 1] == to)
        plain(pairs[i], std::max(buffer.inBytes, buffer.outBytes));
    if (result.moves.empty() && buffer.outBytes > 0)
      result.fills.push_back({buffer.outBytes, 1, {}});
    break;
  }
  case Kind::Broadcast:
    plain(v[0], buffer.outBytes);
    break;
  case Kind::Reblock: {
    int64_t outer = v[0], rowBytes = v[1], inRows = v[2], outRows = v[3];
    forEachRun(v, p, to, [&](const RowRun &run) {
      Strided target{run.target * rowBytes, outRows * rowBytes};
      int64_t bytes = run.count * rowBytes;
      if (bytes <= 0 || outer <= 0)
        return;
      if (run.from >= 0)
        result.moves.push_back({run.from,
                                to,
                                bytes,
                                outer,
                                1,
                                {run.source * rowBytes, inRows * rowBytes},
                                target});
      else if (v[8] > 0)
        result.fills.push_back({bytes, outer, target});
    });
    std::sort(result.moves.begin(), result.moves.end(),
              [](const Move &x, const Move &y) {
                return std::pair(x.from, x.target.offset) <
                       std::pair(y.from, y.target.offset);
              });
    break;
  }
  case Kind::AllReduce:
  case Kind::RaggedAllToAll:
  case Kind::Barrier:
    break;
  }
  return result;
}

} // namespace shoal::rt
