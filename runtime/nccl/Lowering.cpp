#include "nccl/Lowering.h"

#include "shoal/runtime/DType.h"

namespace shoal::nccl {

using cuda::Convert;
using program::DType;
using program::Reduction;
using Kind = program::CollectiveKind;

static ncclRedOp_t opOf(Reduction r) {
  switch (r) {
  case Reduction::Mul:
    return ncclProd;
  case Reduction::Min:
    return ncclMin;
  case Reduction::Max:
    return ncclMax;
  default:
    return ncclSum;
  }
}

Reducing reducingOf(DType type, Reduction r) {
  using Way = Reducing::Way;
  bool bitwise =
      r == Reduction::And || r == Reduction::Or || r == Reduction::Xor;
  bool ordered = r == Reduction::Min || r == Reduction::Max;
  ncclRedOp_t op = opOf(r);
  auto native = [&](ncclDataType_t t, int64_t perElement = 1) {
    return Reducing{Way::Native, t, op, perElement, 0, {}, {}};
  };
  auto wideInt = [&] {
    return Reducing{Way::Widen,       ncclInt32,         op, 1, 4,
                    Convert::ToInt32, Convert::FromInt32};
  };
  auto order = [&](ncclDataType_t t, int64_t bytes) {
    return Reducing{Way::Widen,
                    t,
                    op,
                    1,
                    bytes,
                    r == Reduction::Min ? Convert::ToOrderLow
                                        : Convert::ToOrderHigh,
                    Convert::FromOrder};
  };
  if (type == DType::I1) {
    // On bytes 0 and 1.
    if (r == Reduction::Xor) {
      op = ncclSum;
      return wideInt();
    }
    bool isOr =
        r == Reduction::Add || r == Reduction::Or || r == Reduction::Max;
    op = isOr ? ncclMax : ncclMin;
    return native(ncclUint8);
  }
  if (bitwise)
    return {};
  switch (type) {
  case DType::I8:
    return native(ncclInt8);
  case DType::UI8:
    return native(ncclUint8);
  case DType::I32:
    return native(ncclInt32);
  case DType::UI32:
    return native(ncclUint32);
  case DType::I64:
    return native(ncclInt64);
  case DType::UI64:
    return native(ncclUint64);
  case DType::I2:
  case DType::I4:
  case DType::I16:
  case DType::UI2:
  case DType::UI4:
  case DType::UI16:
    return wideInt();
  case DType::F64:
    return ordered ? order(ncclInt64, 8) : native(ncclFloat64);
  case DType::F32:
    return ordered ? order(ncclInt32, 4) : native(ncclFloat32);
  case DType::F16:
    return ordered ? order(ncclInt32, 4) : native(ncclFloat16);
  case DType::BF16:
    return ordered ? order(ncclInt32, 4) : native(ncclBfloat16);
  case DType::C64:
    return r == Reduction::Add ? native(ncclFloat32, 2) : Reducing();
  case DType::C128:
    return r == Reduction::Add ? native(ncclFloat64, 2) : Reducing();
  case DType::Invalid:
    return {};
  default: // floats of 8 bits and less
    if (ordered)
      return order(ncclInt32, 4);
    return {Way::Widen,       ncclFloat32,       op, 1, 4,
            Convert::ToFloat, Convert::FromFloat};
  }
}

bool isDense(const rt::CollectiveCall &call, int64_t p) {
  const auto &v = call.params;
  if (call.kind == Kind::AllGather)
    return v[0] == 1 && v[2] == p * v[1];
  if (call.kind == Kind::ReduceScatter)
    return v[0] == 1 && v[1] == p * v[2];
  return false;
}

static bool liesDense(const rt::Move &m, const rt::Strided &side) {
  return (m.rows == 1 || side.pitch == m.bytes) &&
         (m.planes == 1 || side.plane == m.rows * m.bytes);
}

Exchange exchangeOf(const rt::CollectiveCall &call, int64_t p, int64_t position,
                    size_t b, bool packAll, WorkspaceUse &workspace) {
  Exchange x;
  auto place = [&](Piece &piece, bool pack) {
    for (const rt::Move &m : piece.moves)
      piece.bytes += m.total();
    if (pack)
      piece.packed = workspace.take(piece.bytes);
  };
  for (int64_t to = 0; to < p; ++to) {
    rt::Moves moves = rt::movesTo(call, p, to, b);
    if (to == position) {
      x.fills = std::move(moves.fills);
      for (const rt::Move &m : moves.moves) {
        if (m.from == position) {
          x.own.push_back(m);
          continue;
        }
        if (x.receives.empty() || x.receives.back().peer != m.from)
          x.receives.push_back({m.from, {}, 0, -1});
        x.receives.back().moves.push_back(m);
      }
      continue;
    }
    Piece piece{to, {}, 0, -1};
    for (const rt::Move &m : moves.moves)
      if (m.from == position)
        piece.moves.push_back(m);
    if (piece.moves.empty())
      continue;
    place(piece, piece.moves.size() > 1 ||
                     !liesDense(piece.moves[0], piece.moves[0].source));
    x.sends.push_back(std::move(piece));
  }
  for (Piece &piece : x.receives)
    place(piece, packAll || piece.moves.size() > 1 ||
                     !liesDense(piece.moves[0], piece.moves[0].target));
  if (packAll && !x.own.empty())
    x.ownPacked = workspace.take(x.own[0].total());
  return x;
}

} // namespace shoal::nccl
